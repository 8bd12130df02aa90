"""A map of contrast -> boxes of upright people: parts joined, shadows and reflections cut off, neighbours parted."""

import itertools

import cv2
import numpy as np
from jaxtyping import Float, Float32

SMALLEST = 0.1
"""Of the picture's longer side: people less tall than that show too little in the foreground to be followed well."""
_FAINT = 0.3  # contrast from which a pixel may belong to somebody, if stronger ones are near
_SURE = 0.5  # contrast from which a pixel of somebody counts for the outline
_SEED = 0.75  # contrast that noise does not reach
_HALF_WIDTH = 0.42  # of a person's height: nobody who walks reaches further from the trunk


def person_boxes(
    contrast: Float32[np.ndarray, "height width"],
    shadow: Float32[np.ndarray, "height width"],
    smallest: float | int = SMALLEST,
) -> tuple[Float[np.ndarray, "person 4"], Float[np.ndarray, " person"]]:
    """Find upright people in a foreground map.

    Args:
        contrast: 0 = scene, from 0.5 on foreground, up to 4.
        shadow: 1 where the pixel could be a cast shadow, else 0.
        smallest: height from which people are looked for, in parts of the picture's longer side.

    Returns:
        boxes (person, 4), x0, y0, x1, y1 in pixels of the map (pixel k spans k..k+1), head top to foot bottom;
        scores (person,) in 0..1.

    """
    height, width = contrast.shape
    smallest = max(8.0, smallest * max(height, width))
    gathered = cv2.blur(contrast, (3, 3))
    # faint pieces count where something in them is strong
    count, labels = cv2.connectedComponents((gathered > _FAINT).astype(np.uint8), connectivity=8)
    seeds = np.bincount(labels[gathered > _SEED], minlength=count) >= 3
    seeds[0] = False
    mask = seeds[labels].astype(np.uint8)
    reach = max(3, round(0.14 * max(height, width))) | 1
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((reach, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes, scores = [], []
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if h < 0.8 * smallest or area < 0.1 * smallest * smallest:
            continue
        inside = labels[y : y + h, x : x + w] == label
        part = np.where(inside, contrast[y : y + h, x : x + w], np.float32(0))
        for left, right in _apart(part):
            found = _upright(part[:, left:right], shadow[y : y + h, x + left : x + right], smallest)
            if found is not None:
                (x0, y0, x1, y1), score = found
                boxes.append((x + left + x0, y + y0, x + left + x1, y + y1))
                scores.append(score)
    return np.array(boxes, float).reshape(-1, 4), np.array(scores, float)


def _upright(part: np.ndarray, shadow: np.ndarray, smallest: float) -> tuple[tuple[int, int, int, int], float] | None:
    """Find the person in one connected piece: (box, score), or None where it is no person."""
    if (part > 1).sum() < 0.02 * smallest * smallest:
        return None
    top, bottom = _rows(part)
    tall = bottom - top
    if tall < smallest:
        return None
    # a shadow on the wall behind is fainter than who casts it
    solid = part > max(_SURE, 0.3 * float(np.percentile(part[top:bottom].max(1), 50)))
    # the trunk stands over the feet: where the columns of the upper half are full
    upper = solid[top : top + max(1, round(0.55 * tall))].sum(0).astype(float)
    if upper.max() < 0.12 * tall:
        return None
    weight = np.where(upper > 0.4 * upper.max(), upper, 0)
    trunk = float((weight * np.arange(len(weight))).sum() / weight.sum())
    left = max(0, int(trunk - _HALF_WIDTH * tall))
    right = min(solid.shape[1], int(np.ceil(trunk + _HALF_WIDTH * tall)) + 1)
    top, bottom = _rows(part[:, left:right])
    body = solid[:, left:right]
    x0, x1 = _extent(body[top:bottom].sum(0), max(1, round(0.03 * tall)))
    tall, wide = bottom - top, x1 - x0
    if tall < smallest or wide < 0.12 * tall or wide > 1.1 * tall:
        return None
    core = part[top:bottom, left + x0 : left + x1] > _FAINT
    rows = core.any(1).mean()  # a person has no wide gaps from head to foot
    fill = core.mean()
    if rows < 0.6 or fill < 0.15:
        return None
    if shadow[top:bottom, left:right][body[top:bottom]].mean() > 0.85 and _soft(part[top:bottom, left:right]):
        return None
    score = float(np.clip(rows * min(1.0, fill / 0.3) * min(1.0, tall / (1.2 * wide)), 0, 1))
    return (left + x0, top, left + x1, bottom), score


def _rows(part: np.ndarray) -> tuple[int, int]:
    """First row and one past the last row of the body in a piece.

    A row's strength is the mean contrast of its strongest pixels, a few. A reflection on a
    floor, or a shadow that falls towards the camera, hangs on at the soles: from there on every row is weaker than half
    of what stands above, and has its shape upside down.
    """
    tall, wide = part.shape
    count = min(wide, max(2, round(0.04 * min(tall, 3 * wide))))
    rows = np.partition(part, wide - count, axis=1)[:, wide - count :].mean(1)
    rows = np.convolve(np.pad(rows, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    top, bottom = _extent(rows, max(_SURE, 0.15 * float(np.percentile(rows, 75))))
    # a glimmer over the head is cut to the height that dark hair before dark trees may have
    firm = _extent(rows, 0.45 * float(np.percentile(rows, 75)))[0]
    top = max(top, firm - round(0.07 * (bottom - top)))
    weakest = np.maximum.accumulate(rows[:bottom][::-1])[::-1]  # the strongest row from here down
    solid = part > _SURE
    faint = np.flatnonzero(weakest[: bottom - 1] < 0.55 * rows.max())
    for cut in faint[faint >= max(top + 1, top + round(0.45 * (bottom - top)))].tolist():
        above = cut - top
        strength = float(np.median(rows[cut - max(1, above // 5) : cut]))
        if weakest[cut] < 0.55 * strength and _mirrored(solid, cut, min(bottom - cut, round(0.3 * above))):
            return top, cut
    return top, bottom


def _mirrored(solid: np.ndarray, cut: int, reach: int) -> bool:
    """Whether the rows below `cut` repeat those above it upside down, as far as they go."""
    above, below = solid[cut - reach : cut][::-1], solid[cut : cut + reach]
    either = (above | below).sum()
    return bool(either == 0 or (above & below).sum() > 0.35 * either)


def _extent(profile: np.ndarray, least: float | int) -> tuple[int, int]:
    """First and one past the last place where a profile reaches `least`; (0, 0) where it never does."""
    places = np.flatnonzero(profile >= least)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _soft(part: np.ndarray) -> bool:
    """Whether the piece fades out at its rim like a shadow on a wall, instead of ending like a body."""
    across, down = cv2.Sobel(part, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(part, cv2.CV_32F, 0, 1, scale=0.125)
    steepest = float(np.percentile(np.hypot(across, down), 95))
    return steepest < 0.15 * float(np.percentile(part[part > _FAINT], 90))


def _apart(part: np.ndarray) -> list[tuple[int, int]]:
    """Column ranges of the people in a piece: one, unless it is wide and several heads stand out of it."""
    tall, wide = part.shape
    if wide < 0.65 * tall:
        return [(0, wide)]
    solid = part > max(_SURE, 0.3 * float(np.median(part.max(1))))  # a shadow on the wall is no second person
    reach = np.where(solid.any(0), tall - solid.argmax(0), 0).astype(np.float32)
    reach = cv2.blur(reach[None], (max(3, round(0.06 * tall)) | 1, 1))[0]
    apart = max(2, round(0.22 * tall))
    heads: list[int] = []
    for column in np.argsort(-reach, kind="stable"):
        if reach[column] < 0.7 * tall:
            break
        if all(abs(column - head) >= apart for head in heads) and all(
            reach[min(column, head) : max(column, head) + 1].min() < 0.75 * reach[column] for head in heads
        ):
            heads.append(int(column))
    if len(heads) < 2:
        return [(0, wide)]
    heads.sort()
    cuts = [a + int(reach[a : b + 1].argmin()) for a, b in itertools.pairwise(heads)]
    return list(zip([0, *cuts], [*cuts, wide], strict=True))
