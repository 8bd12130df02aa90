"""What all forms of Human3.6M share: its recordings, cameras and joints."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from humanpose.datasets.places import inside
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import box_from_keypoints
from humanpose.skeleton import from_h36m

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
"""In the order in which lists over cameras have them."""

OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""The 17 joints that move, of the 32 of the motion capture: hip, right leg, left leg, trunk, head, both arms."""


class Take(NamedTuple):
    """One recording: `action` is the name with its trial, "Walking 1"."""

    subject: str
    action: str
    camera: str


def wanted(take: Take, actions: Sequence[str] | None) -> bool:
    """Whether a recording is of one of the actions, whatever its trial; None stands for all."""
    return actions is None or re.sub(r"[ _]\d+$", "", take.action) in actions


def record_of(
    path: Path, frame: int | None, joints: Shaped[np.ndarray, "17 2"], take: Take, box: np.ndarray | None = None
) -> PoseRecord:
    """A record of 17 joints in pixels; without a box, the tight one about them."""
    keypoints, visible = from_h36m(joints, np.ones(17, bool))
    tight = box_from_keypoints(joints, np.ones(17, bool)) if box is None else box.astype(np.float32)
    return PoseRecord(
        path, frame, tight, keypoints, visible, "human36m", subject=take.subject, action=take.action, camera=take.camera
    )


def video_of(root: Path, take: Take) -> Path:
    """Where the official layout has a recording's video."""
    return inside(root, f"{take.subject}/Videos/{take.action}.{take.camera}.mp4")
