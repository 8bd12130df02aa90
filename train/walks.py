"""Walks of the gait task's people as the pose network sees them: rendered once, kept as joints.

Rendering and pose estimation cost a hundred times what GaitNN's step does, so they are not done in it: the walks are
followed once, as the video road follows people, and the gait task reads them beside the walks that it draws.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float16, Int

from gaitnet.cli.output import writable
from gaitnet.crowd import see_walks
from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays
from gaitnet.pose_maps import RATE, resample
from gaitnet.recognizer import DESCRIBING, GaitRecognizer
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import RATE as FRAME_RATE
from gaitnet.walkers.walks import Crowd, WalkPlan
from humanpose.skeleton import FLIP

PHASES = round(FRAME_RATE / RATE)
"""Frames for each step of the pose maps: a walk may be read from any of the first on, taking every PHASES-th."""


class Walks(NamedTuple):
    """Joints of `walk` walks of each subject, `gaitnet.walkers.walks.RATE` frames a second; they walk to the right.

    Subject s is the person s of the crowd `seed`, whom the gait task draws under the same number.
    """

    keypoints: Float[np.ndarray, "subject walk time 16 2"]
    """As the pose network found them, each leg on its own path; some 200 pixels from head to foot."""
    probability: Float[np.ndarray, "subject walk time 16"]
    truth: Float[np.ndarray, "subject walk time 16 2"]
    """Where the joints were, named alike; scaled by their own mean and height: compare in the walkers' own frames."""
    condition: Int[np.ndarray, "subject walk"]
    """Index in `gaitnet.walkers.walk.CONDITIONS`."""
    seed: int


def plan_walks(subjects: int, walks: int, seed: int) -> list[WalkPlan]:
    """Every other walk a normal one from the side; the rest in other conditions, up to 50 degrees off. Either way."""
    rng = np.random.default_rng((seed, 51))
    return [
        WalkPlan(
            subject,
            "NM" if take % 2 == 0 else CONDITIONS[rng.integers(1, len(CONDITIONS))],
            int(rng.random() < 0.3),
            float(np.clip(rng.normal(90, 7 if take % 2 == 0 else 14), 40, 140)),
            take,
            to_left=bool(rng.integers(2)),
        )
        for subject in range(subjects)
        for take in range(walks)
    ]


def make_walks(
    weights: Path,
    to: Path,
    subjects: int,
    walks: int,
    frames: int,
    seed: int,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Render and follow walks of the training's people with the pose weights in a folder, and write them to `to`.

    `frames` a walk, `gaitnet.walkers.walks.RATE` a second.
    """
    recognizer = GaitRecognizer.load(weights)
    crowd = Crowd(seed, frames, size=recognizer.pose.size)
    plans = plan_walks(subjects, walks, seed)
    keypoints, probability, truth = [], [], []
    for done, (walk, found, sure) in enumerate(see_walks(recognizer, crowd, plans)):
        steps, sureness = resample(found, sure, walk.times, FRAME_RATE)
        # a mirrored crop's sides stay exchanged
        joints = walk.keypoints[:, FLIP] if walk.mirrored else walk.keypoints
        keypoints.append(_to_the_right(steps, walk.mirrored))
        truth.append(_to_the_right(joints, walk.mirrored))
        probability.append(sureness.astype(np.float16))
        if progress is not None:
            progress(done + 1, len(plans))
    buffer = io.BytesIO()
    lead = (subjects, walks)
    np.savez(
        buffer,
        keypoints=np.stack(keypoints).reshape(*lead, *keypoints[0].shape),
        probability=np.stack(probability).reshape(*lead, *probability[0].shape),
        truth=np.stack(truth).reshape(*lead, *truth[0].shape),
        condition=np.array([CONDITIONS.index(plan.condition) for plan in plans], np.int8).reshape(lead),
        seed=np.int64(seed),
        rate=np.float64(FRAME_RATE),
        describing=np.int64(DESCRIBING),
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    writable(to)
    return write_whole(to, buffer.getvalue())


def _to_the_right(steps: Float[np.ndarray, "time 16 2"], mirrored: bool) -> Float16[np.ndarray, "time 16 2"]:
    """Joints of somebody 200 pixels tall, about their mean place, walking to the right."""
    turned = steps * np.array([-1.0 if mirrored else 1.0, 1.0])
    height = np.ptp(turned[..., 1], axis=1).mean()
    return ((turned - turned.mean(axis=(0, 1), keepdims=True)) * 200 / height).astype(np.float16)


def read_walks(path: Path) -> Walks:
    """What `make_walks` wrote; ValueError for any other file."""
    try:
        names = ("keypoints", "probability", "truth", "condition", "seed", "rate", "describing")
        stored = read_arrays(path.read_bytes(), *names)
        floats = {name: stored[name].astype(np.float32) for name in ("keypoints", "probability", "truth")}
        walks = Walks(**floats, condition=stored["condition"], seed=int(stored["seed"]))
        if stored["rate"] != FRAME_RATE:
            raise ValueError(f"{stored['rate']} frames a second, expected {FRAME_RATE}")
        if stored["describing"] != DESCRIBING:
            raise ValueError("people were followed in another way then")
        shape = walks.probability.shape
        expected = {"keypoints": (*shape, 2), "truth": (*shape, 2), "condition": shape[:2]}
        if not (np.isfinite(walks.keypoints).all() and np.isfinite(walks.truth).all()):
            raise ValueError("numbers that are not finite")
        if walks.condition.dtype.kind != "i" or not np.isin(walks.condition, range(len(CONDITIONS))).all():
            raise ValueError("conditions that are none")
        for name, wanted in expected.items():
            if shape[3:] != (16,) or getattr(walks, name).shape != wanted:
                raise ValueError(f"{name} of shape {getattr(walks, name).shape}, probabilities of shape {shape}")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} does not hold walks ({error}): make them with python -m train walks") from None
    return walks
