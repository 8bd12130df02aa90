"""Boxes of one person over time: where somebody goes, and where the person is, whatever single boxes say."""

from typing import Literal

import numpy as np
from jaxtyping import Float

Heading = Literal["right", "left", "towards", "away", "standing"]


def heading(times: Float[np.ndarray, " time"], boxes: Float[np.ndarray, "time 4"]) -> Heading:
    """Where somebody walks, as the camera sees it, from boxes (time, 4) and their times in seconds.

    Sideways speed is measured in body heights, approach in the growth of the height; "standing" is slower than about
    0.2 m/s in either.
    """
    if len(times) < 2 or times[-1] - times[0] <= 0:
        return "standing"
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1e-6)
    since = times - times.mean()
    spread = (since**2).sum()
    across = float((since * (boxes[:, 0] + boxes[:, 2]) / 2).sum() / spread / np.median(height))
    growth = float((since * np.log(height)).sum() / spread)
    if abs(across) < 0.12 and abs(growth) < 0.04:
        return "standing"
    if abs(across) >= 0.12 and abs(across) >= abs(growth):
        return "right" if across > 0 else "left"
    return "towards" if growth > 0 else "away"


def smooth_box(
    times: Float[np.ndarray, " time"], boxes: Float[np.ndarray, "time 4"], at: float
) -> Float[np.ndarray, " 4"]:
    """Estimate the box at time `at` by robust lines through the boxes around it.

    Top, bottom, centre and width each follow a straight line, fitted by iteratively reweighted least squares (Tukey's
    biweight), so that one box that swallowed a shadow does not move the result.
    """
    tall = max(float(np.median(boxes[:, 3] - boxes[:, 1])), 1.0)
    since = np.asarray(times, float) - at
    near = np.exp(-0.5 * (since / 0.5) ** 2)
    top, bottom = _line(since, boxes[:, 1], near, tall), _line(since, boxes[:, 3], near, tall)
    middle = _line(since, (boxes[:, 0] + boxes[:, 2]) / 2, np.exp(-0.5 * (since / 0.25) ** 2), tall)
    half = max(float(np.average(boxes[:, 2] - boxes[:, 0], weights=np.exp(-0.5 * (since / 0.07) ** 2) + 1e-9)) / 2, 0.5)
    return np.array([middle - half, min(top, bottom - 1), middle + half, bottom])


def _line(since: np.ndarray, values: np.ndarray, near: np.ndarray, tall: float) -> float:
    """Value at 0 of the robust weighted line through (since, values)."""
    values = np.asarray(values, float)
    if len(values) < 4 or np.ptp(since) < 0.1:
        return float(np.median(values))
    weights, origin = near, float(np.median(values))
    for turn in range(4):
        total = weights.sum()
        if total < 1e-9:
            break
        mean_time, mean = (weights * since).sum() / total, (weights * values).sum() / total
        spread = (weights * (since - mean_time) ** 2).sum() / total
        slope = (weights * (since - mean_time) * (values - mean)).sum() / total / (spread + 1e-3)
        origin = float(mean - slope * mean_time)
        miss = values - origin - slope * since
        if turn == 0:
            miss = values - np.median(values)  # start from the median: a line drawn to outliers hides them
        scale = max(4.7 * 1.4826 * float(np.median(np.abs(miss))), 0.04 * tall)
        weights = near * np.clip(1 - (miss / scale) ** 2, 0, None) ** 2
    return origin
