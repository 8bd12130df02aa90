"""What a pose network gets wrong about walks: drawn from rules, or learned from walks that it has followed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gaitnet.pose_maps import RATE, to_walker_frame, walker_frame
from humanpose.skeleton import FLIP, INDEX
from train.walks import PHASES, Walks

LEGS = np.array([INDEX[name] for name in ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle")])
ARMS = np.array([INDEX[name] for name in ("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist")])
HARD = np.ones(16, np.float32)
HARD[[INDEX[f"{side}_{name}"] for side in "rl" for name in ("wrist", "ankle")]] = 2.0
HARD[[INDEX[f"{side}_{name}"] for side in "rl" for name in ("elbow", "knee")]] = 1.5
"""How much further off a pose network is at a joint than at the trunk (the original's per-joint errors, roughly)."""


DONORS = 0.05
"""Share of the followed walks that may lend a drawn walk their errors: so few that the same walk rarely gets the same,
so many that one of them goes much alike."""
DAMPING = 1e-4
"""Of the fitted matrices (ridge regression), in parts of the mean square of what they read."""


class Observed(NamedTuple):
    """A walk as keypoints: pixels of an imagined picture of people some 100 pixels tall, or walker heights."""

    keypoints: Float[Array, "time 16 2"]
    probability: Float[Array, "time 16"]


def placed(observed: Observed) -> Observed:
    """Pixels -> walker heights from the pelvis's smooth path."""
    frame = walker_frame(observed.keypoints, observed.probability, jnp.ones(observed.keypoints.shape[0]), RATE)
    return observed._replace(keypoints=to_walker_frame(observed.keypoints, frame))


def simulate_errors(key: PRNGKeyArray, keypoints: Float[Array, "time 16 2"]) -> Observed:
    """Adds a pose network's errors: noise, slow drift, a bias from the clothes, sides exchanged, joints lost."""
    keys = jax.random.split(key, 9)
    time = keypoints.shape[0]
    hard = jnp.asarray(HARD)[None, :, None]
    normal = jax.random.normal
    level = jnp.exp(jax.random.uniform(keys[0], minval=jnp.log(0.2), maxval=jnp.log(1.8)))
    noise = level * normal(keys[1], keypoints.shape)
    slow = normal(keys[2], (6, 16, 2))
    drift = level * jax.image.resize(slow, (time, 16, 2), "cubic")
    bias = 0.9 * normal(keys[3], (1, 16, 2))
    keypoints = keypoints + hard * (noise + drift + bias)

    swap_rate = jnp.where(jax.random.bernoulli(keys[8], 0.6), 0.0, jax.random.uniform(keys[4], minval=0.0, maxval=0.3))
    runs = jax.image.resize(normal(keys[5], (2, max(time // 3, 2))), (2, time), "linear")
    swapped = runs > jax.scipy.stats.norm.ppf(1 - swap_rate)
    mirrored = keypoints[:, FLIP]
    of_legs = jnp.zeros(16, bool).at[LEGS].set(True)[None, :, None] & swapped[0][:, None, None]
    of_arms = jnp.zeros(16, bool).at[ARMS].set(True)[None, :, None] & swapped[1][:, None, None]
    keypoints = jnp.where(of_legs | of_arms, mirrored, keypoints)

    lost = jax.random.bernoulli(keys[6], 0.03 * level, (time, 16))
    keypoints = jnp.where(lost[..., None], keypoints + 12 * normal(keys[7], keypoints.shape), keypoints)
    sure = jnp.clip(1.05 - 0.12 * level * hard[..., 0] + 0.08 * noise[..., 0], 0.1, 1.0)
    return Observed(keypoints, jnp.where(lost, 0.3 * sure, sure))


def simulated(key: PRNGKeyArray, keypoints: Float[Array, "walk time 16 2"]) -> Observed:
    """Walks with simulated errors, in their walkers' own frames."""
    return jax.vmap(placed)(jax.vmap(simulate_errors)(jax.random.split(key, keypoints.shape[0]), keypoints))


class Errors(NamedTuple):
    """What a pose network makes of walks, learned from followed ones.

    Numbers are those of a frame, joint by joint x and y, in walker heights in the walkers' own frames. A pose network
    guesses what it hardly sees, and guesses an average body: at each time

    found = true + (shape - centre) @ of_shape + (true - shape) @ of_motion + rest,

    where the shape is the walk's mean over time. Both matrices are fitted to all walks; the rest is each walk's own.
    """

    limbs: Float[Array, "walk feature"]
    """How each of them walked: true places of hands, knees and feet over its time."""
    condition: Int[Array, " walk"]
    """Index in `gaitnet.walkers.walk.CONDITIONS`."""
    subject: Int[Array, " walk"]
    rest: Float[Array, "walk time 32"]
    probability: Float[Array, "walk time 16"]
    centre: Float[Array, "1 32"]
    of_shape: Float[Array, "32 32"]
    of_motion: Float[Array, "32 32"]


def errors_of(followed: Walks, frames: int) -> Errors:
    """The errors in the first `frames` steps of all followed walks."""
    keypoints, probability, truth = (
        jnp.asarray(part.reshape(-1, *part.shape[2:])[:, : PHASES * frames : PHASES])
        for part in (followed.keypoints, followed.probability, followed.truth)
    )
    place = jax.jit(jax.vmap(placed))
    true = place(Observed(truth, jnp.ones_like(probability))).keypoints
    wrong = (place(Observed(keypoints, probability)).keypoints - true).reshape(*true.shape[:2], 32)
    shape, motion = _parted(true)
    centre = shape.mean(axis=0, keepdims=True)
    of_shape = _regression(shape - centre, wrong.mean(axis=1))
    of_motion = _regression(motion, wrong - wrong.mean(axis=1, keepdims=True))
    rest = wrong - ((shape - centre) @ of_shape)[:, None] - motion @ of_motion
    condition = jnp.asarray(followed.condition.reshape(-1), jnp.int32)
    subject = jnp.repeat(jnp.arange(followed.condition.shape[0]), followed.condition.shape[1])
    return Errors(_limbs(true), condition, subject, rest, probability, centre, of_shape, of_motion)


def observe(
    key: PRNGKeyArray,
    drawn: Float[Array, "walk time 16 2"],
    condition: Int[Array, " walk"],
    subject: Int[Array, " walk"],
    errors: Errors | None,
) -> Observed:
    """Drawn walks (pixels) as a pose network sees them, in the walkers' own frames.

    With errors that are learned from followed walks (see `transplant_errors`), or from rules where there are none.
    """
    if errors is None:
        return simulated(key, drawn)
    true = jax.vmap(placed)(Observed(drawn, jnp.ones(drawn.shape[:3])))
    return transplant_errors(key, true.keypoints, condition, subject, errors)


def transplant_errors(
    key: PRNGKeyArray,
    walks: Float[Array, "walk time 16 2"],
    condition: Int[Array, " walk"],
    subject: Int[Array, " walk"],
    errors: Errors,
) -> Observed:
    """Walks (in their walkers' own frames) with the errors that the pose network made when others walked like that.

    Like that: under the same condition, and of some followed walks, drawn anew each time, the one whose limbs were
    nearest all the time. So a step at the same moment is mistaken alike; and as nobody gets errors of their own, nobody
    is given away by them. The view is matched by the limbs alone: outside what was followed, errors are extrapolated.
    """
    limbs = _limbs(walks)
    apart = jnp.sum(limbs**2, axis=1)[:, None] + jnp.sum(errors.limbs**2, axis=1)[None] - 2 * limbs @ errors.limbs.T
    # in the order of what is given up first where too few walks were followed
    apart += 1e3 * ~jax.random.bernoulli(key, DONORS, apart.shape)
    apart += 1e6 * (condition[:, None] != errors.condition[None])
    apart += 1e9 * (subject[:, None] == errors.subject[None])
    chosen = jnp.argmin(apart, axis=1)
    shape, motion = _parted(walks)
    wrong = ((shape - errors.centre) @ errors.of_shape)[:, None] + motion @ errors.of_motion + errors.rest[chosen]
    return Observed(walks + wrong.reshape(walks.shape), errors.probability[chosen])


def _limbs(walks: Float[Array, "walk time 16 2"]) -> Float[Array, "walk feature"]:
    ends = np.array([INDEX[f"{side}_{name}"] for side in "rl" for name in ("wrist", "knee", "ankle")])
    return walks[:, :, ends].reshape(walks.shape[0], -1)


def _parted(walks: Float[Array, "walk time 16 2"]) -> tuple[Float[Array, "walk 32"], Float[Array, "walk time 32"]]:
    """A walk's mean, and what moves about it."""
    numbers = walks.reshape(*walks.shape[:2], 32)
    shape = numbers.mean(axis=1)
    return shape, numbers - shape[:, None]


def _regression(x: Float[Array, "*walk 32"], y: Float[Array, "*walk 32"]) -> Float[Array, "32 32"]:
    """The matrix that makes the best of y out of x, by ridge regression; the mean of y is left out."""
    x, y = x.reshape(-1, 32), y.reshape(-1, 32)
    squares = x.T @ x
    return jnp.linalg.solve(
        squares + DAMPING * jnp.trace(squares) / 32 * jnp.eye(32), x.T @ (y - y.mean(axis=0, keepdims=True))
    )
