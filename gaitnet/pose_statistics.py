"""How somebody is built and swings, without training: quantiles over a window of all distances between joints.

Means and spreads of such distances are an old and strong description of walks that a depth sensor followed (Andersson
and Araujo, "Person identification using anthropometric and gait data from Kinect sensor", AAAI 2015); quantiles are
less moved by a joint that jumps. They depend neither on the place of the walker nor on the view of joints in space, and
not on the order of frames within a window.
"""

import numpy as np
from jaxtyping import Bool, Float

QUANTILES = (0.1, 0.5, 0.9)
WINDOW, STEP = 2 / 3, 1 / 6
"""Seconds of a window, about a step, and from one to the next."""


def joint_distances(keypoints: Float[np.ndarray, "time joint axis"]) -> Float[np.ndarray, "time pair"]:
    """Distance of each pair of joints in each frame, in their unit; pairs in the order of `numpy.triu_indices`."""
    first, second = np.triu_indices(keypoints.shape[1], 1)
    return np.linalg.norm(keypoints[:, first] - keypoints[:, second], axis=-1)


def pose_statistics(
    keypoints: Float[np.ndarray, "time joint axis"],
    visible: Bool[np.ndarray, "time joint"],
    rate: float,
    swing_alone: bool = False,
) -> Float[np.ndarray, "window statistic"]:
    """A walk's keypoints -> QUANTILES of every distance in windows of WINDOW seconds; a shorter walk is one window.

    Args:
        keypoints: in space or in the picture; walks that are to be compared have the same unit, so joints of pictures
            are in body heights.
        visible: missing joints are filled in from the frames around them.
        rate: frames a second.
        swing_alone: every distance in units of its own median over the walk. How long limbs are, and how far apart
            joints usually are, is then gone; how far they move remains.

    Raises:
        ValueError: no frames, a rate that is not above 0, or a joint that no frame has.

    """
    if not len(keypoints) or not rate > 0:
        raise ValueError(f"keypoints, rate: expected frames and a rate above 0, got {len(keypoints)} and {rate}")
    distances = joint_distances(_filled(keypoints, visible))
    if swing_alone:
        distances = distances / np.maximum(np.median(distances, axis=0, keepdims=True), 1e-9)
    length, step = max(1, round(WINDOW * rate)), max(1, round(STEP * rate))
    starts = range(0, max(1, len(distances) - length + 1), step)
    cut = [np.quantile(distances[start : start + length], QUANTILES, axis=0).ravel() for start in starts]
    return np.stack(cut).astype(np.float32)


def _filled(
    keypoints: Float[np.ndarray, "time joint axis"], visible: Bool[np.ndarray, "time joint"]
) -> Float[np.ndarray, "time joint axis"]:
    never = np.flatnonzero(~visible.any(axis=0))
    if len(never):
        raise ValueError(f"visible: expected every joint in some frame, got none of joint {never[0]}; leave it out")
    filled = keypoints.astype(np.float64)
    frames = np.arange(len(keypoints))
    for joint in np.flatnonzero(~visible.all(axis=0)):
        there = visible[:, joint]
        for axis in range(keypoints.shape[2]):
            filled[:, joint, axis] = np.interp(frames, frames[there], filled[there, joint, axis])
    return filled
