"""The gait task: walkers as a pose network sees them; identity is the label.

Most walkers are drawn on the device in the step, as keypoints with the errors that a pose network makes: that costs no
rendering, and every step sees walks that no step saw before. Where walks are at hand that were rendered and followed by
the real pose network (`train.walks`), they stand beside the drawn ones, which then carry the errors that it made there.
GaitNN sees them all as pose maps.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gaitnet.losses import batch_all_triplet_loss, softmax_cross_entropy, supervised_contrastive_loss
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
from gaitnet.models.head import GaitOutput
from gaitnet.models.skeleton_gru import SkeletonGRU, SkeletonGRUConfig
from gaitnet.pose_maps import RATE, draw_maps
from gaitnet.walkers import norms
from gaitnet.walkers.body import Person, draw_person
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.walk import CONDITIONS, Walk, draw_walk
from humanpose.skeleton import FLIP, INDEX
from train.data import sample_indices
from train.gait_augment import change_walks
from train.gait_config import GaitTaskConfig
from train.gait_errors import Errors, Observed, errors_of, observe, placed
from train.real import Difference, as_if_real
from train.walks import PHASES, Walks


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


def at_speed(walk: Walk, factor: Float[Array, ""]) -> Walk:
    """The same walk `factor` times as fast, by the rules that walks of different speed follow in `draw_walk`.

    People walk at the speed they feel like: CMU's performers differ by a third from clip to clip, the literature's
    repeated walks, which the walkers follow, by a twentieth.
    """
    swing = jnp.concatenate([walk.arm[..., :1], walk.arm[..., 1:] * jnp.sqrt(factor)], axis=-1)
    return walk._replace(
        speed=walk.speed * factor,
        cadence=walk.cadence * jnp.sqrt(factor),
        stance=walk.stance + norms.STANCE_PER_SPEED * walk.speed * (factor - 1),
        arm=swing,
    )


def draw_keypoints(
    key: PRNGKeyArray,
    person: Person,
    condition: Int[Array, ""],
    view: Float[Array, ""],
    session: Int[Array, ""],
    steps: int,
    hurry: float = 0.0,
) -> Float[Array, "time 16 2"]:
    """One walk of `person`, `steps` long at `RATE`: where the joints are in the picture. `hurry` as in the config."""
    of_walk, of_camera, of_hurry = jax.random.split(key, 3)
    walk = draw_walk(of_walk, person, condition, session)
    if hurry:
        walk = at_speed(walk, jnp.exp(hurry * jnp.clip(jax.random.normal(of_hurry), -2, 2)))
    points = walk_points(person.body, walk, jnp.arange(steps) / RATE)
    return project_walk(of_camera, points[:, :16], view)


def _describe(model: GaitNN | SkeletonGRU, walks: Observed, there: Array | None = None, **training) -> GaitOutput:
    """What a network says of walks in the walkers' own frames, of the times that are `there`: GaitNN sees maps."""
    mask = jnp.ones(walks.probability.shape[:2], bool) if there is None else there
    if isinstance(model, SkeletonGRU):
        return model(walks.keypoints, walks.probability, mask, **training)
    return model(draw_maps(*walks), mask, **training)


def make_loss(config: GaitTaskConfig, teacher: SkeletonGRU | None = None):
    """What the recipe asks of the training identities' logits and identification vectors.

    With a teacher: the mean squared difference of the frame vectors, in parts of the variance of the teacher's.

    Raises:
        ValueError: the config distils and there is no teacher, or the other way round.

    """
    if config.distil != (teacher is not None):
        raise ValueError("a teacher is needed to distil" if config.distil else "a teacher is of no use: distil is off")

    def loss_fn(model: GaitNN | SkeletonGRU, batch: Mapping[str, Any], rngs: nnx.Rngs):
        subjects = jnp.repeat(batch["subjects"], config.walks)
        count = subjects.shape[0]
        of_condition, of_view, of_side, of_session, of_walks, of_errors, of_real = jax.random.split(rngs(), 7)
        people = jax.vmap(lambda subject: draw_person(jax.random.fold_in(jax.random.key(config.seed), subject)))(
            subjects
        )
        condition = jax.random.randint(of_condition, (count,), 0, len(CONDITIONS))
        about_side = 90 + config.view_spread * jax.random.normal(of_view, (count,))
        any_view = jax.random.uniform(of_view, (count,), minval=0.0, maxval=180.0)
        view = jnp.where(jax.random.bernoulli(of_side, config.any_view, (count,)), any_view, about_side)
        session = jax.random.randint(of_session, (count,), 0, 2)
        drawn = jax.vmap(partial(draw_keypoints, steps=config.frames, hurry=config.hurry))(
            jax.random.split(of_walks, count), people, condition, view, session
        )
        walks = observe(of_errors, drawn, condition, subjects, batch["errors"] if config.seen else None)
        if config.seen:
            followed = jax.vmap(placed)(Observed(batch["keypoints"], batch["probability"]))
            walks = jax.tree.map(lambda *both: jnp.concatenate(both), walks, followed)
            subjects = jnp.concatenate([subjects, jnp.repeat(batch["seen"], config.walks)])
        if config.real:
            changed = as_if_real(of_real, walks.keypoints, batch["real"], config.real, config.offset)
            walks = walks._replace(keypoints=changed)
        there = None
        if config.recipe.changes:
            walks, there = change_walks(rngs(), walks, config.recipe)
        output = _describe(model, walks, there, train=True, rngs=rngs)
        if teacher is not None:
            told = _describe(teacher, walks).frame_vectors
            apart = jnp.mean(jnp.square(output.frame_vectors - told), axis=(0, 1))
            hint = jnp.mean(apart) / jnp.mean(jnp.var(told, axis=(0, 1)))
            return hint, {"hint": hint}
        return identification_loss(config, output, subjects)

    return loss_fn


def identification_loss(config: GaitTaskConfig, output: GaitOutput, subjects: Int[Array, " walk"]):
    """The recipe's loss of a batch of walks -> (loss, metrics); ValueError where the network has no head."""
    if output.logits is None:
        raise ValueError("output: a network in training has a head; build it with subjects")
    entropy = softmax_cross_entropy(output.logits, subjects, label_smoothing=config.recipe.label_smoothing)
    right = jnp.mean((jnp.argmax(output.logits, axis=-1) == subjects).astype(jnp.float32))
    match config.recipe.loss:
        case "entropy":
            return entropy, {"cross_entropy": entropy, "right": right}
        case "entropy+triplet":
            triplet = batch_all_triplet_loss(output.identification_vector, subjects, config.recipe.margin)
            return entropy + triplet, {"cross_entropy": entropy, "triplet": triplet, "right": right}
        case _:
            contrast = supervised_contrastive_loss(output.identification_vector, subjects, temperature=0.1)
            loss = entropy + config.contrast * contrast
            return loss, {"cross_entropy": entropy, "contrast": contrast, "right": right}


def learned_errors(config: GaitTaskConfig, followed: Walks | None) -> Errors | None:
    """The pose network's errors in followed walks, for a preset that reads such; None for one that does not.

    Raises:
        ValueError: the preset reads followed walks and there are none, or too few, too short or of other people.

    """
    if config.seen:
        if followed is None:
            raise ValueError("this preset reads followed walks: make them with python -m train walks, and pass --walks")
        subjects, walks, frames = followed.probability.shape[:3]
        if followed.seed != config.seed or subjects > config.subjects or subjects < config.seen:
            raise ValueError(
                f"the followed walks are of {subjects} people of crowd {followed.seed}; expected {config.seen} to "
                f"{config.subjects} of crowd {config.seed}"
            )
        if walks < config.walks or frames < PHASES * config.frames:
            raise ValueError(
                f"followed walks: expected {config.walks} a subject of {PHASES * config.frames} frames, got {walks} of "
                f"{frames}"
            )
        return errors_of(followed, config.frames)
    return None


def make_batches(
    config: GaitTaskConfig, followed: Walks | None = None, errors: Errors | None = None, real: Difference | None = None
):
    """The identities whose walks are drawn in the step, and those of whom followed walks are read, with these.

    `errors` are the `learned_errors` of the followed walks, `real` how walks in real video differ from them. Raises
    ValueError where the preset reads one of them that is missing, or does not read `real` that is there.
    """
    if config.seen and (followed is None or errors is None):
        raise ValueError("this preset reads followed walks and the errors in them (learned_errors)")
    if bool(config.real) != (real is not None):
        needed = "needs real walks: make them with python -m train real, and pass --real"
        raise ValueError(f"this preset {needed if config.real else 'reads no real walks: leave --real out'}")

    def batch_at(step: int) -> dict[str, Any]:
        drawn = sample_indices(step, config.people, config.subjects, config.seed).astype(np.int32)
        if followed is None or not config.seen:
            return {"subjects": drawn}
        more = {} if real is None else {"real": real}
        return {"subjects": drawn, "errors": errors, **more, **_read(config, followed, step)}

    return batch_at


def _read(config: GaitTaskConfig, followed: Walks, step: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng((config.seed, step))
    subjects, walks, frames = followed.probability.shape[:3]
    seen = sample_indices(step, config.seen, subjects, config.seed + 1)
    keypoints, probability = [], []
    for subject in seen:
        for walk in rng.permutation(walks)[: config.walks]:
            first = rng.integers(frames - PHASES * config.frames + PHASES)
            part = slice(first, first + PHASES * config.frames, PHASES)
            trembling = rng.normal(0, rng.uniform(0, 1.5), (config.frames, 16, 2))
            keypoints.append(followed.keypoints[subject, walk, part] + trembling)
            probability.append(followed.probability[subject, walk, part])
    arrays = {"keypoints": np.stack(keypoints), "probability": np.stack(probability)}
    return {"seen": seen.astype(np.int32), **{name: array.astype(np.float32) for name, array in arrays.items()}}


def new_model(config: GaitTaskConfig) -> GaitNN | SkeletonGRU:
    """The network that the config names, freshly initialised."""
    if config.network == "SkeletonGRU":
        return SkeletonGRU(
            SkeletonGRUConfig(
                config.recurrent_unit,
                config.layers,
                config.recipe.dropout,
                config.subjects,
                config.recipe.neck,
                config.size,
            ),
            rngs=nnx.Rngs(config.seed),
        )
    return GaitNN(
        GaitNNConfig(
            channels=16,
            recurrent_unit=config.recurrent_unit,
            layers=config.layers,
            deep=config.deep,
            multiplier=config.multiplier,
            size=config.size,
            subjects=config.subjects,
            neck=config.recipe.neck,
            dropout=config.recipe.dropout,
            feature_scale=0.25,
            batch_norm_scale=config.recipe.batch_norm_scale,
            batch_norm_decay=config.recipe.batch_norm_decay,
        ),
        rngs=nnx.Rngs(config.seed),
    )


def make_evaluation(config: GaitTaskConfig, errors: Errors | None = None, subjects: int = 60, frames: int = 40):
    """Rank-1 of identities never trained on: two normal walks enrolled, one walk of each condition searched.

    Side view; simulated errors, or learned ones (then as long as the preset's walks); nearest neighbour by cosine. A
    quick look while training, not a result.
    """
    if errors is not None:
        frames = config.frames
    key = jax.random.key(config.seed + 10_000)
    people = jax.vmap(draw_person)(jax.random.split(key, subjects))
    conditions = jnp.array([0, 0, 0, *range(1, len(CONDITIONS)), 0])
    sessions = jnp.zeros_like(conditions).at[-1].set(1)

    @jax.jit
    def walks(person, key, which):
        view = jnp.full((subjects,), 90.0)
        draw = lambda k, p, v: draw_keypoints(k, p, conditions[which], v, sessions[which], frames)  # noqa: E731
        of_walks, of_errors = jax.random.split(key)
        drawn = jax.vmap(draw)(jax.random.split(of_walks, subjects), person, view)
        nobody = jnp.full((subjects,), -1)  # these people are not among the followed
        return observe(of_errors, drawn, jnp.full((subjects,), conditions[which]), nobody, errors)

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
