"""How joints followed in real video differ from joints followed in rendered walks, so that training can cover both.

The pose network sees real people a little otherwise than walkers: it puts the hips of real people lower, and real arms
swing less. A gait network that never saw this takes everybody real for much the same person. No name of anybody is read
here: of each real walk only its mean posture and how far its joints move are kept.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from gaitnet.cli.output import writable
from gaitnet.datasets.kth import VALIDATION_PERSONS, read_kth
from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays
from gaitnet.pose_maps import resample
from gaitnet.recognizer import DESCRIBING, GAP, GaitRecognizer, Person
from humanpose.skeleton import FLIP
from train.gait_errors import Observed, placed
from train.held_out import require_apart
from train.walks import PHASES, Walks

STEPS = 16
"""Steps of a walk, at `gaitnet.pose_maps.RATE`, over which its mean is taken: somewhat more than a stride."""
LEAST = 30
"""Walks of which a mean difference is worth something."""


class RealWalks(NamedTuple):
    """Walks of real people in the walkers' own frames, walking to the right; walker heights."""

    mean: Float[np.ndarray, "walk 16 2"]
    """Mean place over the walk's time."""
    spread: Float[np.ndarray, "walk 16 2"]
    """Standard deviation over the walk's time."""


class Difference(NamedTuple):
    """Real walks against followed normal walkers."""

    shift: Float[np.ndarray, "16 2"]
    """Mean place, real less walker; walker heights."""
    stretch: Float[np.ndarray, "16 2"]
    """Mean spread over time, real over walker."""


def make_real(weights: Path, data: Path, to: Path, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Follow the people of the KTH videos in `data`, but for the validation persons, and write `RealWalks` to `to`."""
    to.parent.mkdir(parents=True, exist_ok=True)  # before the work: it would be lost
    writable(to)
    recognizer = GaitRecognizer.load(weights)
    videos = list(dict.fromkeys(walk.path for walk in read_kth(data) if walk.subject_id not in VALIDATION_PERSONS))
    require_apart(videos, data)
    walks = []
    for done, video in enumerate(videos):
        walks += [walk for person in recognizer.describe(video) if person.reason is None for walk in _cut(person)]
        if progress is not None:
            progress(done + 1, len(videos))
    if len(walks) < LEAST:
        raise ValueError(f"--data: expected {LEAST} walks or more in {data}, got {len(walks)}")
    means, spreads = (np.stack(part).astype(np.float32) for part in zip(*walks, strict=True))
    buffer = io.BytesIO()
    np.savez(buffer, mean=means, spread=spreads, describing=np.int64(DESCRIBING))
    return write_whole(to, buffer.getvalue())


def _cut(person: Person) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and spread over each `STEPS` of a person's track that hold no gap."""
    # back to the names of the mirrored picture, as in the walks to the right of the training
    keypoints = person.keypoints[:, FLIP] if person.mirrored else person.keypoints
    probability = person.probability[:, FLIP] if person.mirrored else person.probability
    ends = np.flatnonzero(np.diff(person.times) > GAP) + 1
    found = []
    for piece in np.split(np.arange(len(person.times)), ends):
        if len(piece) < 2:
            continue
        steps, sure = resample(keypoints[piece], probability[piece], person.times[piece])
        steps = steps * np.array([-1.0 if person.mirrored else 1.0, 1.0], np.float32)
        for start in range(0, len(steps) - STEPS + 1, STEPS):
            part = slice(start, start + STEPS)
            walk = np.asarray(_place(Observed(jnp.asarray(steps[part]), jnp.asarray(sure[part]))).keypoints)
            found.append((walk.mean(axis=0), walk.std(axis=0)))
    return found


_place = jax.jit(placed)


def read_real(path: Path) -> RealWalks:
    """What `make_real` wrote; ValueError for any other file."""
    try:
        stored = read_arrays(path.read_bytes(), "mean", "spread", "describing")
        if stored["describing"] != DESCRIBING:
            raise ValueError("people were followed in another way then")
        real = RealWalks(stored["mean"], stored["spread"])
        for name, array in real._asdict().items():
            if array.dtype != np.float32 or array.shape != (len(real.mean), 16, 2) or not np.isfinite(array).all():
                raise ValueError(f"{name} of shape {array.shape}")
        if len(real.mean) < LEAST:
            raise ValueError(f"{len(real.mean)} walks, expected {LEAST}")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} does not hold real walks ({error}): make them with python -m train real") from None
    return real


def difference(real: RealWalks, followed: Walks) -> Difference:
    """How real walks differ from the followed normal ones, over the mean of each."""
    first = slice(0, PHASES * STEPS, PHASES)
    normal = followed.condition.reshape(-1) == 0
    keypoints = followed.keypoints.reshape(-1, *followed.keypoints.shape[2:])[normal, first]
    probability = followed.probability.reshape(-1, *followed.probability.shape[2:])[normal, first]
    walkers = np.asarray(
        jax.jit(jax.vmap(placed))(Observed(jnp.asarray(keypoints), jnp.asarray(probability))).keypoints
    )
    shift = real.mean.mean(axis=0) - walkers.mean(axis=(0, 1))
    stretch = real.spread.mean(axis=0) / walkers.std(axis=1).mean(axis=0)
    return Difference(shift, stretch)


def as_if_real(
    key: PRNGKeyArray, walks: Float[Array, "walk time 16 2"], difference: Difference, share: float, offset: float
) -> Float[Array, "walk time 16 2"]:
    """Walks, a `share` of which look as in real video.

    Each of these by some part of the mean difference, none of it to nearly half as much again: no video has just the
    mean. Their joints are also off all the time, each by itself, as real landmarks are (hats, hair, skirts, the
    camera's height); the s.d. of that is uniform up to `offset` percent of a walker's height.
    """
    of_share, of_part, of_level, of_joint = jax.random.split(key, 4)
    count = walks.shape[0]
    real = jax.random.bernoulli(of_share, share, (count, 1, 1, 1))
    part = real * jax.random.uniform(of_part, (count, 1, 1, 1), maxval=1.4)
    level = real * jax.random.uniform(of_level, (count, 1, 1, 1), maxval=offset / 100)
    mean = walks.mean(axis=1, keepdims=True)
    moved = (walks - mean) * (1 + part * (jnp.asarray(difference.stretch)[None, None] - 1))
    off = level * jax.random.normal(of_joint, (count, 1, 16, 2))
    return mean + part * jnp.asarray(difference.shift)[None, None] + off + moved
