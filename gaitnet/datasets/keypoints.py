"""Joints of a walk as a data set has them, and as the 16 of this project, by their names."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from humanpose.skeleton import JOINTS

COCO = (
    "nose", "eyeleft", "eyeright", "earleft", "earright", "shoulderleft", "shoulderright", "elbowleft", "elbowright",
    "wristleft", "wristright", "hipleft", "hipright", "kneeleft", "kneeright", "ankleleft", "ankleright",
)  # fmt: skip
"""The 17 joints of COCO (Lin et al., ECCV 2014) in their order."""


class Keypoints(NamedTuple):
    """The joints of a walk.

    In the picture (x, y) in its pixels, or in space (x, y, z) in metres with z up. Of sensors that the walker faces, x
    is away from the sensor and y to its left. Missing joints are 0 with `visible` False.
    """

    keypoints: Float32[np.ndarray, "time joint axis"]
    """axis: xy, or xyz."""
    visible: Bool[np.ndarray, "time joint"]
    probability: Float32[np.ndarray, "time joint"]
    """0..1, how sure whoever found the joint was; where nobody says, 1 for all that are visible."""
    joints: tuple[str, ...]
    """Names in order: `r_ankle` as in `humanpose.skeleton`, or `ankleright` as sensors have them."""
    rate: float | None
    """Frames a second; None where the data set does not tell."""


def keypoints_of(places: np.ndarray, joints: tuple[str, ...], rate: float | None, missing: np.ndarray) -> Keypoints:
    """Joints (time, joint, axis) of which nobody says how sure they are; `missing` (time, joint) become 0."""
    with np.errstate(over="ignore"):  # what no float32 can hold is infinite in it, and missing
        places = places.astype(np.float32)
    visible = ~missing & np.isfinite(places).all(-1)
    kept = np.where(visible[..., None], places, 0)
    return Keypoints(kept, visible, visible.astype(np.float32), joints, rate)


def as_body(
    walk: Keypoints,
) -> tuple[Float32[np.ndarray, "time 16 axis"], Bool[np.ndarray, "time 16"], Float32[np.ndarray, "time 16"]]:
    """The 16 joints of `humanpose.skeleton` -> (keypoints, visible, probability), found by their names.

    Pelvis and thorax are the means of hips and shoulders where they have no joint of their own. A sensor's neck, or its
    middle of the shoulders, stands for the upper neck, and its head, the middle of the skull, for the head top. What a
    skeleton lacks is missing: COCO's has neither neck nor head top.
    """
    time, _, axes = walk.keypoints.shape
    place = {name: column for column, name in enumerate(walk.joints)}
    keypoints = np.zeros((time, len(JOINTS), axes), np.float32)
    visible, probability = np.zeros((time, len(JOINTS)), bool), np.zeros((time, len(JOINTS)), np.float32)
    for joint, name in enumerate(JOINTS):
        columns = next(([place[one] for one in named] for named in _sources(name) if set(named) <= set(place)), None)
        if columns is not None:
            visible[:, joint] = walk.visible[:, columns].all(1)
            probability[:, joint] = np.where(visible[:, joint], walk.probability[:, columns].min(1), 0)
            keypoints[:, joint] = np.where(visible[:, joint, None], walk.keypoints[:, columns].mean(1), 0)
    return keypoints, visible, probability


def _sources(name: str) -> tuple[tuple[str, ...], ...]:
    """What may stand for one of our joints, the best first."""
    if name in _TRUNK:
        return ((name,), *_TRUNK[name])
    side, part = name.split("_")
    return (name,), (f"{part}{'right' if side == 'r' else 'left'}",)


_TRUNK: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("hipright", "hipleft"),),
    "thorax": (("shoulderright", "shoulderleft"),),
    "upper_neck": (("neck",), ("shouldercenter",)),
    "head_top": (("head",),),
}
