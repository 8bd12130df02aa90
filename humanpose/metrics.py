"""Scores of estimated joints against annotated ones, as sums that merge: uneven batches average right.

Every function takes arrays with any leading axes (images), keypoints (..., joint, xy) in pixels of one and the same
grid, `visible` (..., joint) with 1 = annotated, in the joint order of `skeleton`, and returns a `JointScore`; add the
scores of batches and read `.overall` and `.per_joint` at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from humanpose.skeleton import INDEX

GRID, ROOM = 299, 1.25
"""The original network's picture, in pixels, and how much more than the person it shows: distances are told in it."""


@dataclass(frozen=True, eq=False)
class JointScore:
    """A mean per joint in the making.

    `total` (joint,) sums the values (hits, or pixels), `count` (joint,) the joints that were scored. `images` were
    scored; `left_out` were not, for want of a reference length.
    """

    total: Float[np.ndarray, " joint"]
    count: Float[np.ndarray, " joint"]
    images: int
    left_out: int

    def __add__(self, other: "JointScore") -> "JointScore":
        return JointScore(
            self.total + other.total,
            self.count + other.count,
            self.images + other.images,
            self.left_out + other.left_out,
        )

    @property
    def overall(self) -> float:
        """Mean over all scored joints; NaN where there are none."""
        return float(self.total.sum() / self.count.sum()) if self.count.sum() else float("nan")

    @property
    def per_joint(self) -> Float[np.ndarray, " joint"]:
        """Mean of each joint; NaN where it was never scored."""
        return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    def over(self, joints: Sequence[int]) -> float:
        """Mean over the scored joints among `joints` (indices), such as `skeleton.LIMB_JOINTS`; NaN where none."""
        chosen = list(joints)
        count = self.count[chosen].sum()
        return float(self.total[chosen].sum() / count) if count else float("nan")


def torso_length(
    keypoints: Shaped[np.ndarray, "*lead 16 2"], visible: Shaped[np.ndarray, "*lead 16"]
) -> Float[np.ndarray, "*lead"]:
    """Return the longer shoulder-to-opposite-hip diagonal with both ends visible, in pixels; NaN where none is."""
    left = _segment(keypoints, visible, "l_shoulder", "r_hip")
    right = _segment(keypoints, visible, "r_shoulder", "l_hip")
    return np.asarray(np.fmax(left, right))


def head_length(
    keypoints: Shaped[np.ndarray, "*lead 16 2"], visible: Shaped[np.ndarray, "*lead 16"]
) -> Float[np.ndarray, "*lead"]:
    """Return the distance from upper neck to head top in pixels; NaN where one of the two is missing."""
    return _segment(keypoints, visible, "upper_neck", "head_top")


def torso_diameter(
    keypoints: Shaped[np.ndarray, "*lead 16 2"], visible: Shaped[np.ndarray, "*lead 16"]
) -> Float[np.ndarray, "*lead"]:
    """Return the distance from left shoulder to right hip in pixels; NaN where one of the two is missing."""
    return _segment(keypoints, visible, "l_shoulder", "r_hip")


def grid_scale(boxes: Shaped[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead"]:
    """Return pixels of the 299 grid per image pixel, for people in boxes x0, y0, x1, y1.

    The grid is a square picture of 299 pixels, of which the longer side of the person's box takes the 1.25th part: what
    the original network looked at. NaN where the box has no extent.
    """
    corners = np.asarray(boxes, np.float64)
    longer = (corners[..., 2:] - corners[..., :2]).max(-1)
    return np.asarray(GRID / (ROOM * np.where(longer > 0, longer, np.nan)))


def joint_errors(
    predicted: Shaped[np.ndarray, "*lead joint 2"],
    keypoints: Shaped[np.ndarray, "*lead joint 2"],
    visible: Shaped[np.ndarray, "*lead joint"],
) -> Float[np.ndarray, "*lead joint"]:
    """Return how far each joint is from its annotation, in pixels: NaN where there is none, inf where none was found.

    A prediction that is not finite counts as not found. `errors <= share * length` are the hits of every PCK.
    """
    _check(predicted, keypoints, visible)
    distance = _distance(predicted, keypoints)
    return np.where(np.asarray(visible).astype(bool), np.where(np.isfinite(distance), distance, np.inf), np.nan)


def pck(
    predicted: Shaped[np.ndarray, "*lead 16 2"],
    keypoints: Shaped[np.ndarray, "*lead 16 2"],
    visible: Shaped[np.ndarray, "*lead 16"],
    threshold: float = 0.2,
    reference: Shaped[np.ndarray, "*lead"] | None = None,
) -> JointScore:
    """Score the share of visible joints within `threshold` x `reference` of their annotation (Yang & Ramanan 2013).

    `reference` is a length in pixels per image, by default `torso_length` of the annotation. Images whose reference is
    NaN or not positive are left out and counted. A prediction that is not finite is a miss.
    """
    _check(predicted, keypoints, visible)
    if not threshold > 0:
        raise ValueError(f"threshold must be a positive share of the reference length, got {threshold}")
    length = torso_length(keypoints, visible) if reference is None else np.asarray(reference, np.float64)
    usable = np.asarray(np.isfinite(length) & (length > 0))
    scored = np.asarray(visible).astype(bool) & usable[..., None]
    limit = np.where(usable, threshold * length, 0.0)[..., None]
    with np.errstate(invalid="ignore"):  # a comparison with NaN is False, which is the miss we want
        hits = _distance(predicted, keypoints) <= limit
    return _sum(hits, scored, int(usable.sum()), int((~usable).sum()))


def pckh(
    predicted: Shaped[np.ndarray, "*lead 16 2"],
    keypoints: Shaped[np.ndarray, "*lead 16 2"],
    visible: Shaped[np.ndarray, "*lead 16"],
    threshold: float = 0.5,
    reference: Shaped[np.ndarray, "*lead"] | None = None,
) -> JointScore:
    """Score PCK by head size (Andriluka et al., CVPR 2014).

    MPII's own reference is 0.6 times the diagonal of its annotated head box: pass that where there is one. The default
    is `head_length`, for data without head boxes.
    """
    length = head_length(keypoints, visible) if reference is None else reference
    return pck(predicted, keypoints, visible, threshold, length)


def pdj(
    predicted: Shaped[np.ndarray, "*lead 16 2"],
    keypoints: Shaped[np.ndarray, "*lead 16 2"],
    visible: Shaped[np.ndarray, "*lead 16"],
    thresholds: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
) -> tuple[JointScore, ...]:
    """Score the detection rate as a curve over `thresholds`, one score each (Sapp & Taskar, CVPR 2013).

    The reference is their torso diameter, left shoulder to right hip, and no other diagonal stands in for it.
    """
    diameter = torso_diameter(keypoints, visible)
    return tuple(pck(predicted, keypoints, visible, threshold, diameter) for threshold in thresholds)


def mean_distance(
    predicted: Shaped[np.ndarray, "*lead joint 2"],
    keypoints: Shaped[np.ndarray, "*lead joint 2"],
    visible: Shaped[np.ndarray, "*lead joint"],
    scale: Shaped[np.ndarray, "*lead"] | None = None,
) -> JointScore:
    """Score the mean Euclidean distance of visible joints from their annotation, in the keypoints' pixels.

    `scale` is a factor per image into other pixels: `grid_scale` gives the distances of the original's figures. A
    prediction that is not finite has no distance and is not scored; an image with a scale that is not finite is left
    out and counted.
    """
    errors = joint_errors(predicted, keypoints, visible)
    factor = np.ones(errors.shape[:-1]) if scale is None else np.asarray(scale, np.float64)
    usable = np.asarray(np.isfinite(factor))
    scored = np.isfinite(errors) & usable[..., None]
    values = np.where(scored, errors, 0) * np.where(usable, factor, 0)[..., None]
    return _sum(values, scored, int(usable.sum()), int((~usable).sum()))


def _distance(predicted: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    difference = np.asarray(predicted, np.float64) - np.asarray(keypoints, np.float64)
    return np.asarray(np.hypot(difference[..., 0], difference[..., 1]))  # NumPy makes scalars of 0-d results


def _segment(keypoints: np.ndarray, visible: np.ndarray, start: str, end: str) -> np.ndarray:
    """Distance between two joints, NaN unless both are visible."""
    length = _distance(keypoints[..., INDEX[start], :], keypoints[..., INDEX[end], :])
    seen = np.asarray(visible).astype(bool)
    return np.where(seen[..., INDEX[start]] & seen[..., INDEX[end]], length, np.nan)


def _sum(values: np.ndarray, scored: np.ndarray, images: int, left_out: int) -> JointScore:
    joints = scored.shape[-1]
    kept = np.where(scored, values, 0).reshape(-1, joints).astype(np.float64)
    return JointScore(kept.sum(0), scored.reshape(-1, joints).sum(0).astype(np.float64), images, left_out)


def _check(predicted: np.ndarray, keypoints: np.ndarray, visible: np.ndarray) -> None:
    if predicted.shape != keypoints.shape or predicted.shape[:-1] != visible.shape:
        raise ValueError(
            "predicted, keypoints and visible must agree as (..., joint, 2), (..., joint, 2), (..., joint); "
            f"got {predicted.shape}, {keypoints.shape}, {visible.shape}"
        )
