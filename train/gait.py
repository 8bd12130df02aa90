"""The gait task: walkers as a pose network sees them; identity is the label.

Most walkers are drawn on the device in the step, as keypoints with the errors that a pose network makes: that costs no
rendering, and every step sees walks that no step saw before. Where walks are at hand that were rendered and followed by
the real pose network (`train.walks`), they stand beside the drawn ones, which then carry the errors that it made there.
GaitNN sees them all as pose maps.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gaitnet.losses import softmax_cross_entropy, supervised_contrastive_loss
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig, GaitOutput
from gaitnet.models.skeleton_gru import SkeletonGRU, SkeletonGRUConfig
from gaitnet.pose_maps import RATE, draw_maps, to_walker_frame, walker_frame
from gaitnet.walkers.body import Person, draw_person
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.walk import CONDITIONS, draw_walk
from humanpose.skeleton import FLIP, INDEX
from train.config import GaitTaskConfig
from train.data import sample_indices
from train.export import newest_weights, run_config
from train.walks import Walks

LEGS = np.array([INDEX[name] for name in ("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle")])
ARMS = np.array([INDEX[name] for name in ("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist")])
HARD = np.ones(16, np.float32)
HARD[[INDEX[f"{side}_{name}"] for side in "rl" for name in ("wrist", "ankle")]] = 2.0
HARD[[INDEX[f"{side}_{name}"] for side in "rl" for name in ("elbow", "knee")]] = 1.5
"""How much further off a pose network is at a joint than at the trunk (the original's per-joint errors, roughly)."""


class Observed(NamedTuple):
    """A walk as keypoints: pixels of an imagined picture of people some 100 pixels tall, or walker heights."""

    keypoints: Float[Array, "time 16 2"]
    probability: Float[Array, "time 16"]


def project_walk(key: PRNGKeyArray, points: Float[Array, "time 16 3"], view: Float[Array, ""]) -> Array:
    """Perspective picture (time, point, xy) of a walk to the right (view in degrees, 90 = from the side), 1 m = 100 px.

    The camera turns with the walker (a fixed camera differs from it only by a shift, a scale and a slow change of
    view, which is drawn too); its distance, height and roll are drawn.
    """
    of_distance, of_height, of_roll, of_sweep, of_side = jax.random.split(key, 5)
    distance = jax.random.uniform(of_distance, minval=3.0, maxval=12.0)
    height = jax.random.uniform(of_height, minval=0.8, maxval=2.2)
    sweep = jnp.linspace(-0.5, 0.5, points.shape[0]) * jax.random.uniform(of_sweep, minval=0.0, maxval=30.0)
    angle = jnp.deg2rad(view + sweep - 90)[:, None]
    root = points[:, INDEX["pelvis"]]
    forward, left, up = (
        points[..., axis] - (root[:, axis] if axis < 2 else 0 * root[:, 2])[:, None] for axis in range(3)
    )
    # a walk to the right shows the walker's right side. Whoever walks to the left is mirrored before the pose network
    # sees him (as the video road does), and so becomes his own mirror twin, sides exchanged, walking to the right
    twin = jax.random.bernoulli(of_side)
    forward, up = (jnp.where(twin, axis[:, FLIP], axis) for axis in (forward, up))
    left = jnp.where(twin, -left[:, FLIP], left)
    right = forward * jnp.cos(angle) - left * jnp.sin(angle)
    depth = distance + left * jnp.cos(angle) + forward * jnp.sin(angle)
    scale = 100 * distance / jnp.maximum(depth, 0.5)
    roll = jnp.deg2rad(2.0) * jax.random.normal(of_roll)
    x, y = right * scale, (height - up) * scale
    return jnp.stack([x * jnp.cos(roll) - y * jnp.sin(roll), x * jnp.sin(roll) + y * jnp.cos(roll)], axis=-1)


def blur_as_a_pose_network(key: PRNGKeyArray, keypoints: Float[Array, "time 16 2"]) -> Observed:
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


class Errors(NamedTuple):
    """What a pose network makes of walks, learned from followed ones; all in the walkers' own frames.

    A pose network guesses part of what it hardly sees, and guesses an average body: found = true + (shape - centre) @
    of_shape + (true - shape) @ of_motion + rest, where the shape is the walk's mean. The first two are fitted to all
    walks, the rest is each walk's own.
    """

    limbs: Float[Array, "walk feature"]
    """How each of them walked: true places of hands, knees and feet over its time."""
    condition: Int[Array, " walk"]
    rest: Float[Array, "walk time 32"]
    probability: Float[Array, "walk time 16"]
    centre: Float[Array, "1 32"]
    of_shape: Float[Array, "32 32"]
    of_motion: Float[Array, "32 32"]


def errors_of(followed: Walks, frames: int) -> Errors:
    """The errors in the first `frames` of all followed walks."""
    flat = [jnp.asarray(part.reshape(-1, *part.shape[2:])[:, :frames]) for part in followed[:3]]
    keypoints, probability, truth = flat
    place = jax.jit(jax.vmap(_placed))
    true = place(Observed(truth, jnp.ones_like(probability))).keypoints
    wrong = (place(Observed(keypoints, probability)).keypoints - true).reshape(*true.shape[:2], 32)
    shape, motion = _parted(true)
    centre = shape.mean(axis=0, keepdims=True)
    of_shape = _regression(shape - centre, wrong.mean(axis=1))
    of_motion = _regression(motion, wrong - wrong.mean(axis=1, keepdims=True))
    rest = wrong - ((shape - centre) @ of_shape)[:, None] - motion @ of_motion
    condition = jnp.asarray(followed.condition.reshape(-1), jnp.int32)
    return Errors(_limbs(true), condition, rest, probability, centre, of_shape, of_motion)


def transplant_errors(
    key: PRNGKeyArray, walks: Float[Array, "walk time 16 2"], condition: Int[Array, " walk"], errors: Errors
) -> Observed:
    """Walks (in their walkers' own frames) with the errors that the pose network made when somebody walked like that.

    Like that: under the same condition, and of a twentieth of the followed walks, drawn anew each time, the one whose
    limbs were nearest all the time. So a step at the same moment, seen from about the same side, is mistaken alike,
    while nobody is given away by mistakes: they are other people's.
    """
    limbs = _limbs(walks)
    apart = jnp.sum(limbs**2, axis=1)[:, None] + jnp.sum(errors.limbs**2, axis=1)[None] - 2 * limbs @ errors.limbs.T
    asked = jax.random.bernoulli(key, 0.05, apart.shape) & (condition[:, None] == errors.condition[None])
    chosen = jnp.argmin(jnp.where(asked, apart, jnp.inf), axis=1)
    shape, motion = _parted(walks)
    wrong = ((shape - errors.centre) @ errors.of_shape)[:, None] + motion @ errors.of_motion + errors.rest[chosen]
    return Observed(walks + wrong.reshape(walks.shape), errors.probability[chosen])


def _parted(walks: Float[Array, "walk time 16 2"]) -> tuple[Float[Array, "walk 32"], Float[Array, "walk time 32"]]:
    """A walk's mean, and what moves about it."""
    numbers = walks.reshape(*walks.shape[:2], 32)
    shape = numbers.mean(axis=1)
    return shape, numbers - shape[:, None]


def _regression(x: Float[Array, "*walk 32"], y: Float[Array, "*walk 32"]) -> Float[Array, "32 32"]:
    """The matrix that makes the best of y out of x, by (slightly damped) least squares; the mean of y is left out."""
    x, y = x.reshape(-1, 32), y.reshape(-1, 32)
    squares = x.T @ x
    return jnp.linalg.solve(
        squares + 1e-4 * jnp.trace(squares) / 32 * jnp.eye(32), x.T @ (y - y.mean(axis=0, keepdims=True))
    )


def _limbs(walks: Float[Array, "walk time 16 2"]) -> Float[Array, "walk feature"]:
    ends = np.array([INDEX[f"{side}_{name}"] for side in "rl" for name in ("wrist", "knee", "ankle")])
    return walks[:, :, ends].reshape(walks.shape[0], -1)


def draw_keypoints(
    key: PRNGKeyArray,
    person: Person,
    condition: Int[Array, ""],
    view: Float[Array, ""],
    session: Int[Array, ""],
    steps: int,
) -> Float[Array, "time 16 2"]:
    """One walk of `person`, `steps` long at `RATE`: where the joints are in the picture."""
    of_walk, of_camera = jax.random.split(key)
    walk = draw_walk(of_walk, person, condition, session)
    points = walk_points(person.body, walk, jnp.arange(steps) / RATE)
    return project_walk(of_camera, points[:, :16], view)


def _observe(key: PRNGKeyArray, keypoints: Float[Array, "walk time 16 2"]) -> Observed:
    """Walks with simulated errors, in their walkers' own frames."""
    return jax.vmap(_placed)(jax.vmap(blur_as_a_pose_network)(jax.random.split(key, keypoints.shape[0]), keypoints))


def _placed(observed: Observed) -> Observed:
    """Pixels -> walker heights from the pelvis's smooth path."""
    frame = walker_frame(observed.keypoints, observed.probability, jnp.ones(observed.keypoints.shape[0]), RATE)
    return observed._replace(keypoints=to_walker_frame(observed.keypoints, frame))


def _describe(model: GaitNN | SkeletonGRU, walks: Observed, **training) -> GaitOutput:
    """What a network says of walks in the walkers' own frames: GaitNN sees them as maps."""
    mask = jnp.ones(walks.probability.shape[:2], bool)
    if isinstance(model, SkeletonGRU):
        return model(walks.keypoints, walks.probability, mask, **training)
    return model(draw_maps(*walks), mask, **training)


def make_loss(config: GaitTaskConfig, tutor: SkeletonGRU | None = None):
    """Cross-entropy over the training identities, and the supervised contrastive loss on the identification vectors.

    With a tutor: the mean squared difference of the frame vectors, in parts of the variance of the tutor's.
    """

    def loss_fn(model: GaitNN | SkeletonGRU, batch: Mapping[str, Any], rngs: nnx.Rngs):
        subjects = jnp.repeat(batch["subjects"], config.walks)
        count = subjects.shape[0]
        of_condition, of_view, of_side, of_session, of_walks, of_errors = jax.random.split(rngs(), 6)
        people = jax.vmap(lambda subject: draw_person(jax.random.fold_in(jax.random.key(config.seed), subject)))(
            subjects
        )
        condition = jax.random.randint(of_condition, (count,), 0, len(CONDITIONS))
        about_side = 90 + config.view_spread * jax.random.normal(of_view, (count,))
        any_view = jax.random.uniform(of_view, (count,), minval=0.0, maxval=180.0)
        view = jnp.where(jax.random.bernoulli(of_side, config.any_view, (count,)), any_view, about_side)
        session = jax.random.randint(of_session, (count,), 0, 2)
        drawn = jax.vmap(partial(draw_keypoints, steps=config.frames))(
            jax.random.split(of_walks, count), people, condition, view, session
        )
        if config.seen:
            true = jax.vmap(_placed)(Observed(drawn, jnp.ones(drawn.shape[:3])))
            walks = transplant_errors(of_errors, true.keypoints, condition, batch["errors"])
            followed = jax.vmap(_placed)(Observed(batch["keypoints"], batch["probability"]))
            walks = jax.tree.map(lambda *both: jnp.concatenate(both), walks, followed)
            subjects = jnp.concatenate([subjects, jnp.repeat(batch["seen"], config.walks)])
        else:
            walks = _observe(of_errors, drawn)
        output = _describe(model, walks, train=True, rngs=rngs)
        if tutor is not None:
            told = _describe(tutor, walks).frame_vectors
            apart = jnp.mean(jnp.square(output.frame_vectors - told), axis=(0, 1))
            missed = jnp.mean(apart) / jnp.mean(jnp.var(told, axis=(0, 1)))
            return missed, {"missed": missed}
        assert output.logits is not None, "a network in training has a head"
        entropy = softmax_cross_entropy(output.logits, subjects, label_smoothing=0.1)
        contrast = supervised_contrastive_loss(output.identification_vector, subjects, temperature=0.1)
        right = jnp.mean((jnp.argmax(output.logits, axis=-1) == subjects).astype(jnp.float32))
        loss = entropy + config.contrast * contrast
        return loss, {"cross_entropy": entropy, "contrast": contrast, "right": right}

    return loss_fn


def make_batches(config: GaitTaskConfig, followed: Walks | None = None):
    """The identities whose walks are drawn in the step, and those of whom followed walks are read, with these.

    Raises:
        ValueError: the preset reads followed walks and there are none, or too few, too short or of other people.

    """

    def batch_at(step: int) -> dict[str, Any]:
        drawn = sample_indices(step, config.people, config.subjects, config.seed).astype(np.int32)
        return {"subjects": drawn, **({} if followed is None else {"errors": errors, **_read(config, followed, step)})}

    if config.seen:
        if followed is None:
            raise ValueError("this preset reads followed walks: make them with python -m train walks, and pass --walks")
        subjects, walks, frames = followed.probability.shape[:3]
        if followed.seed != config.seed or subjects > config.subjects or subjects < config.seen:
            raise ValueError(
                f"the followed walks are of {subjects} people of crowd {followed.seed}; expected {config.seen} to "
                f"{config.subjects} of crowd {config.seed}"
            )
        if walks < config.walks or frames < config.frames:
            raise ValueError(
                f"followed walks: expected {config.walks} a subject of {config.frames} frames, got {walks} of {frames}"
            )
        errors = errors_of(followed, config.frames)
    return batch_at


def _read(config: GaitTaskConfig, followed: Walks, step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng((config.seed, step))
    subjects, walks, frames = followed.probability.shape[:3]
    seen = sample_indices(step, config.seen, subjects, config.seed + 1)
    keypoints, probability = [], []
    for subject in seen:
        for walk in rng.permutation(walks)[: config.walks]:
            part = slice(first := rng.integers(frames - config.frames + 1), first + config.frames)
            trembling = rng.normal(0, rng.uniform(0, 1.5), (config.frames, 16, 2))
            keypoints.append(followed.keypoints[subject, walk, part] + trembling)
            probability.append(followed.probability[subject, walk, part])
    arrays = {"keypoints": np.stack(keypoints), "probability": np.stack(probability)}
    return {"seen": seen.astype(np.int32), **{name: array.astype(np.float32) for name, array in arrays.items()}}


def tutor_of(config: GaitTaskConfig, run: Path) -> tuple[SkeletonGRU, str]:
    """The tutor that a run of the preset "skeleton" trained, and which one it is.

    Raises:
        ValueError: the run is none, has saved nothing yet, or trained a network that does not fit `config`.

    """
    wanted = replace(config, network="SkeletonGRU", imitate=False)
    found, fits = run_config(run), ("network", "subjects", "recurrent_unit", "layers", "size")
    if any(found.get(name) != getattr(wanted, name) for name in fits):
        raise ValueError(
            f"{run} trained no tutor for this preset: expected {', '.join(f'{n} {getattr(wanted, n)}' for n in fits)}, "
            f"got {', '.join(f'{n} {found.get(n)}' for n in fits)}"
        )
    tutor = new_model(wanted)
    assert isinstance(tutor, SkeletonGRU)
    step = newest_weights(run, tutor)
    return tutor, f"{run.name}, step {step}"


def take_over(model: GaitNN, tutor: SkeletonGRU) -> None:
    """Gives `model` the tutor's recurrent layers and head, so that it needs but learn to see what the tutor reads."""
    for part in ("recurrent", "head"):
        nnx.update(getattr(model, part), nnx.state(getattr(tutor, part)))


def new_model(config: GaitTaskConfig) -> GaitNN | SkeletonGRU:
    """The network that the config names, freshly initialised."""
    if config.network == "SkeletonGRU":
        return SkeletonGRU(
            SkeletonGRUConfig(config.recurrent_unit, config.layers, subjects=config.subjects, size=config.size),
            rngs=nnx.Rngs(config.seed),
        )
    return GaitNN(
        GaitNNConfig(
            channels=16,
            recurrent_unit=config.recurrent_unit,
            layers=config.layers,
            multiplier=config.multiplier,
            size=config.size,
            subjects=config.subjects,
            feature_scale=0.25,
            batch_norm_scale=True,
            batch_norm_decay=0.98,
        ),
        rngs=nnx.Rngs(config.seed),
    )


def make_evaluation(config: GaitTaskConfig, subjects: int = 60, frames: int = 40):
    """Rank-1 of identities never trained on: two normal walks enrolled, one walk of each condition searched.

    Side view, the same errors as in training; nearest neighbour by cosine. A quick look while training, not a result.
    """
    key = jax.random.key(config.seed + 10_000)
    people = jax.vmap(draw_person)(jax.random.split(key, subjects))
    conditions = jnp.array([0, 0, 0, *range(1, len(CONDITIONS)), 0])
    sessions = jnp.zeros_like(conditions).at[-1].set(1)

    @jax.jit
    def walks(person, key, which):
        view = jnp.full((subjects,), 90.0)
        draw = lambda k, p, v: draw_keypoints(k, p, conditions[which], v, sessions[which], frames)  # noqa: E731
        of_walks, of_errors = jax.random.split(key)
        return _observe(of_errors, jax.vmap(draw)(jax.random.split(of_walks, subjects), person, view))

    @partial(jax.jit, static_argnums=0)
    def vectors(graphdef, state, walks):
        found = _describe(nnx.merge(graphdef, state), walks).identification_vector
        return found / (jnp.linalg.norm(found, axis=-1, keepdims=True) + 1e-6)

    def evaluate(model: nnx.Module) -> dict[str, float]:
        graphdef, state = nnx.split(model)
        described = np.stack(
            [vectors(graphdef, state, walks(people, jax.random.fold_in(key, i), i)) for i in range(len(conditions))]
        )
        described -= described[:2].mean((0, 1))
        described /= np.linalg.norm(described, axis=-1, keepdims=True)
        similar = [np.maximum(probe @ described[0].T, probe @ described[1].T) for probe in described[2:]]
        nearest = [scores.argmax(axis=1) for scores in similar]
        right = [(found == np.arange(subjects)).mean() for found in nearest]
        names = ["NM", *CONDITIONS[1:], "session2"]
        return {f"rank1_{name}": float(rate) for name, rate in zip(names, right, strict=True)}

    return evaluate
