"""Walks of the gait task's people as the pose network sees them: rendered once, kept as joints.

Rendering and pose estimation cost a hundred times what GaitNN's step does, so they are not done in it: the walks are
followed once, as the video road follows people, and the gait task reads them beside the walks that it draws.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gaitnet.crowd import see_walks
from gaitnet.pose_maps import resample
from gaitnet.recognizer import GaitRecognizer
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import Crowd, WalkPlan


class Walks(NamedTuple):
    """Joints of `walk` walks of each subject, at `gaitnet.pose_maps.RATE`, of walkers who walk to the right.

    Subject s is the person s of the crowd `seed`, whom the gait task draws under the same number.
    """

    keypoints: Float[np.ndarray, "subject walk time 16 2"]
    """Pixels of a picture in which a walker is some hundred pixels tall or more."""
    probability: Float[np.ndarray, "subject walk time 16"]
    seed: int


def plan_walks(subjects: int, walks: int, seed: int) -> list[WalkPlan]:
    """Every other walk a normal one from the side; the rest in any condition, up to 50 degrees off. Either way."""
    rng = np.random.default_rng((seed, 51))
    return [
        WalkPlan(
            subject,
            "NM" if take % 2 == 0 else CONDITIONS[rng.integers(len(CONDITIONS))],
            int(rng.random() < 0.3),
            float(np.clip(rng.normal(90, 4 if take % 2 == 0 else 14), 40, 140)),
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
    """Render and follow walks of the training's people with the pose weights in a folder, and write them to `to`."""
    recognizer = GaitRecognizer.load(weights)
    crowd = Crowd(seed, frames, size=recognizer.pose.size)
    plans = plan_walks(subjects, walks, seed)
    keypoints, probability = [], []
    for done, (walk, found, sure) in enumerate(see_walks(recognizer, crowd, plans)):
        steps, sureness = resample(found, sure, walk.times)
        if walk.mirrored:
            steps[..., 0] *= -1
        height = np.ptp(steps[..., 1], axis=1).mean()
        middle = steps.mean(axis=(0, 1), keepdims=True)
        keypoints.append(((steps - middle) * 200 / height).astype(np.float16))
        probability.append(sureness.astype(np.float16))
        if progress is not None:
            progress(done + 1, len(plans))
    buffer = io.BytesIO()
    np.savez(
        buffer,
        keypoints=np.stack(keypoints).reshape(subjects, walks, *keypoints[0].shape),
        probability=np.stack(probability).reshape(subjects, walks, *probability[0].shape),
        seed=np.int64(seed),
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part")
    part.write_bytes(buffer.getvalue())
    os.replace(part, to)
    return to


def read_walks(path: Path) -> Walks:
    """What `make_walks` wrote; ValueError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            walks = Walks(
                stored["keypoints"].astype(np.float32), stored["probability"].astype(np.float32), int(stored["seed"])
            )
        if walks.keypoints.shape[-2:] != (16, 2) or walks.keypoints.shape[:-1] != walks.probability.shape:
            raise ValueError(f"shapes {walks.keypoints.shape} and {walks.probability.shape}")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ValueError(f"{path} does not hold walks ({error}): make them with python -m train walks") from None
    return walks
