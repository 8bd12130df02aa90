"""Real motion: BVH clips in the layout of the CMU motion capture library -> the 23 points of a walker."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gaitnet.walkers.body import POINTS
from gaitnet.walkers.bvh_file import joint_positions, malformed
from gaitnet.walkers.retarget import body_of, retarget

__all__ = [
    "CMU_UNIT", "Motion", "align_heading", "body_of", "heading_of", "joint_positions", "motion_of", "read_bvh",
    "resample", "retarget", "smooth",
]  # fmt: skip

CMU_UNIT = 0.05644
"""Metres in one unit of the CMU library: it was scaled by 0.45 from inches."""
_SOURCES = {
    f"{short}_{point}": f"{side}{joint}"
    for short, side in (("r", "Right"), ("l", "Left"))
    for point, joint in (
        ("ankle", "Ankle"), ("knee", "Knee"), ("hip", "Hip"), ("wrist", "Wrist"), ("elbow", "Elbow"),
        ("shoulder", "Shoulder"),
    )
}  # fmt: skip
_NEEDED = (*_SOURCES.values(), "RightToe", "LeftToe", "Chest", "Chest2", "Neck", "Head")


class Motion(NamedTuple):
    """Recorded motion, in the world frame of the walkers: metres, +z up, the floor near z = 0."""

    points: Float[np.ndarray, "time 23 3"]
    """In the order of body.POINTS; not turned: the walk goes wherever it went."""
    heading: Float[np.ndarray, " time"]
    """Radians from +x towards +y in which the performer faces, unwrapped, smoothed over a stride."""
    frame_rate: float
    """Frames per second."""


THORAX_SHARE = 0.75
"""BVH conversions of the CMU library drop the thorax bone, so that shoulders sit 10 cm too low on every performer
(trunk 0.23 of stature where people have 0.288): it is put back along the upper back, at this part of its length."""


def read_bvh(path: str | Path, unit: float = CMU_UNIT) -> Motion:
    """A clip in the layout of the CMU library -> the 23 points of a walker at every frame.

    The file's y is up; its z and x become our x and y. A T-pose in the first frame is left out. Head top, heels, toe
    caps and hands have no joint of their own there and are placed on the extension of those they have.

    Args:
        path: a .bvh file; any order of rotation channels.
        unit: metres in one unit of the file.

    Raises:
        ValueError: not a BVH file, cut short, non-finite, or a skeleton without the CMU joints (all named).
    """
    path = Path(path)
    named, frame_rate = joint_positions(path)
    missing = [name for name in _NEEDED if name not in named]
    if missing:
        raise malformed(path, "the joints of the CMU layout", f"none called {', '.join(missing)}")
    joints = {name: unit * place[:, [2, 0, 1]] for name, place in named.items()}
    if len(joints["Head"]) > 1:
        jump = np.mean([np.linalg.norm(joints[name][1] - joints[name][0]) for name in _NEEDED])
        if jump > 0.10:  # no walker moves every joint by 10 cm in a frame: a T-pose
            joints = {name: place[1:] for name, place in joints.items()}
    return motion_of(joints, THORAX_SHARE * (joints["Chest2"] - joints["Chest"]), frame_rate)


def motion_of(joints: dict[str, np.ndarray], thorax_bone: np.ndarray, frame_rate: float) -> Motion:
    """The 23 points of a walker from the joints of the CMU library, on the floor.

    Args:
        joints: name as in its BVH files -> (time, xyz) metres, +z up.
        thorax_bone: (time, xyz) metres by which all above the trunk is put higher; 0 where the thorax was not dropped.
        frame_rate: frames per second.
    """
    points = _points(joints, thorax_bone)
    floor = np.percentile(points[:, [POINTS.index("r_toe"), POINTS.index("l_toe")], 2], 5) - 0.036
    points[..., 2] -= floor
    return Motion(points.astype(np.float32), heading_of(points, frame_rate).astype(np.float32), frame_rate)


def _points(joints: dict[str, np.ndarray], thorax_bone: np.ndarray) -> np.ndarray:
    point = {name: joints[source] for name, source in _SOURCES.items()}
    for side in "rl":
        for name in ("shoulder", "elbow", "wrist"):
            point[f"{side}_{name}"] = point[f"{side}_{name}"] + thorax_bone
        forearm = point[f"{side}_wrist"] - point[f"{side}_elbow"]
        point[f"{side}_hand"] = point[f"{side}_wrist"] + 0.09 * _unit(forearm)
        ankle, knee = point[f"{side}_ankle"], point[f"{side}_knee"]
        ball = joints[f"{'Right' if side == 'r' else 'Left'}Toe"] - ankle
        # The sole's own axes: ahead along the foot and up, from how far the ball lies below the ankle on a flat foot.
        below = np.percentile(ankle[:, 2], 5) - np.percentile((ankle + ball)[:, 2], 5)
        reach = np.linalg.norm(ball, axis=1, keepdims=True)
        tilt = np.arcsin(np.clip(below / reach, 0.0, 0.8))
        along = ball / reach
        over = knee - ankle
        over = _unit(over - np.sum(over * along, 1, keepdims=True) * along)
        ahead, up = np.cos(tilt) * along + np.sin(tilt) * over, np.cos(tilt) * over - np.sin(tilt) * along
        ball_ahead = np.cos(tilt) * reach
        point[f"{side}_toe"] = ankle + 1.1 * ball_ahead * ahead - below * up
        point[f"{side}_heel"] = ankle - 0.4 * ball_ahead * ahead - below * up
    point["pelvis"] = (point["r_hip"] + point["l_hip"]) / 2
    point["thorax"] = (point["r_shoulder"] + point["l_shoulder"]) / 2
    point["upper_neck"] = (joints["Neck"] + joints["Head"]) / 2 + thorax_bone
    stature = np.median(np.linalg.norm(point["r_hip"] - point["r_knee"], axis=1)) / 0.245
    upward = _unit(joints["Head"] + thorax_bone - point["thorax"] + 0.5 * _unit(joints["Head"] - joints["Neck"]))
    point["head_top"] = point["upper_neck"] + 0.13 * stature * upward
    across = _unit(point["l_shoulder"] - point["r_shoulder"])
    forward = np.cross(across, upward)
    point["nose"] = point["upper_neck"] + 0.42 * 0.13 * stature * upward + 0.10 * _unit(forward)
    return np.stack([point[name] for name in POINTS], 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def smooth(values: np.ndarray, frames: float) -> np.ndarray:
    """A Gaussian over the first axis with this s.d. in frames; the ends are continued by point reflection."""
    reach = min(int(3 * frames), len(values) - 1)
    if reach < 1:
        return values
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    before, after = 2 * values[:1] - values[reach:0:-1], 2 * values[-1:] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, values, after])
    flat = padded.reshape(len(padded), -1)
    columns = [np.convolve(column, weights / weights.sum(), "valid") for column in flat.T]
    return np.stack(columns, 1).reshape(values.shape)


def heading_of(points: Float[np.ndarray, "time 23 3"], frame_rate: float) -> Float[np.ndarray, " time"]:
    """Radians from +x towards +y in which a walker faces, by hips and shoulders, unwrapped, smoothed over a stride."""
    hips = points[:, POINTS.index("l_hip")] - points[:, POINTS.index("r_hip")]
    shoulders = points[:, POINTS.index("l_shoulder")] - points[:, POINTS.index("r_shoulder")]
    across = _unit(hips) + _unit(shoulders)
    return smooth(np.unwrap(np.arctan2(-across[:, 0], across[:, 1])), 0.35 * frame_rate)


def align_heading(points: Float[np.ndarray, "time 23 3"], frame_rate: float = 120.0) -> Float[np.ndarray, "time 23 3"]:
    """The same walk along +x from x = y = 0, with its turning taken out.

    Each frame is turned by its heading, and so is the way the pelvis goes to the next. In a turning walk standing feet
    turn against the floor by this; `retarget` puts them back.
    """

    def back(heading: np.ndarray) -> np.ndarray:
        cos, sin = np.cos(heading), np.sin(heading)
        return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)

    heading = heading_of(points, frame_rate)
    pelvis = points[:, POINTS.index("pelvis"), :2]
    between = (heading[1:] + heading[:-1]) / 2
    steps = np.einsum("tij,tj->ti", back(between), np.diff(pelvis, axis=0))
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    out = points.copy()
    out[..., :2] = np.einsum("tij,tpj->tpi", back(heading), points[..., :2] - pelvis[:, None]) + path[:, None]
    return out


def resample(motion: Motion, rate: float) -> Motion:
    """The motion at `rate` frames/s, between frames on straight lines, low-passed first where the rate goes down.

    Raises:
        ValueError: rate not above 0.
    """
    if not rate > 0:
        raise ValueError(f"rate: expected frames/s above 0, got {rate}")
    ratio = motion.frame_rate / rate
    points, heading = motion.points.astype(float), motion.heading.astype(float)
    if ratio > 2:  # below that nothing of a walk lies above the new rate's limit
        points = smooth(points, 0.25 * ratio)
    old = np.arange(len(points)) / motion.frame_rate
    new = np.arange(int(np.floor(old[-1] * rate + 1e-6)) + 1) / rate
    flat = points.reshape(len(points), -1)
    moved = np.stack([np.interp(new, old, column) for column in flat.T], 1).reshape(len(new), *points.shape[1:])
    return Motion(moved.astype(np.float32), np.interp(new, old, heading).astype(np.float32), rate)
