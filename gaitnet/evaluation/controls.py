"""What a gait score has to be held against: the same walks without their motion, and their pictures without the walk.

A score that survives `shuffled` frames speaks of shape, one that survives a `single_frame` of one pose, and one that
`colour_histograms` reach speaks of clothes or of the place. Height is no part of pose maps: they are drawn in units of
the walker's own height, so a height-normalised control would be the result itself.
"""

import numpy as np
from jaxtyping import Float, Shaped, UInt8

BINS = 8
"""Brightness bins of a histogram, a half of the body and a channel."""


def shuffled(maps: Shaped[np.ndarray, " time *rest"], seed: int) -> Shaped[np.ndarray, " time *rest"]:
    """The frames of a walk in another order: every pose is kept, the motion is gone."""
    return maps[np.random.default_rng(seed).permutation(len(maps))]


def single_frame(maps: Shaped[np.ndarray, " time *rest"], seed: int) -> Shaped[np.ndarray, " time *rest"]:
    """One frame of a walk, drawn from its middle half, as often as the walk has frames.

    Raises:
        ValueError: the walk has no frame.

    """
    count = len(maps)
    if not count:
        raise ValueError("maps: expected at least one frame, got none")
    chosen = np.random.default_rng(seed).integers(count // 4, max(count - count // 4, count // 4 + 1))
    return np.repeat(maps[chosen : chosen + 1], count, axis=0)


def colour_histograms(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"]
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
    """Colours of the upper and the lower half of a person, and those of the picture beside them.

    Args:
        image: RGB.
        box: x0, y0, x1, y1 in its pixels; what lies outside the picture is passed over.

    Returns:
        Two vectors of shares 0..1 (6 x BINS each, red, green and blue of the upper half first): of the box's middle
        half in width, where the person is, and of everything outside the box. All 0 where no pixel is left.

    """
    height, width = image.shape[:2]
    x0, x1 = np.clip(np.round([box[0], box[2]]), 0, width).astype(int)
    y0, y1 = np.clip(np.round([box[1], box[3]]), 0, height).astype(int)
    quarter, middle = (x1 - x0) // 4, (y0 + y1) // 2
    person = image[:, x0 + quarter : max(x1 - quarter, x0 + quarter)]
    beside = np.ones((height, width), bool)
    beside[y0:y1, x0:x1] = False
    line = np.arange(height)[:, None]
    halves = [_shares(person[y0:middle].reshape(-1, 3)), _shares(person[middle:y1].reshape(-1, 3))]
    outside = [_shares(image[beside & half]) for half in (line < middle, line >= middle)]
    return np.concatenate(halves), np.concatenate(outside)


def _shares(pixels: np.ndarray) -> np.ndarray:
    counts = [np.bincount(pixels[:, channel].astype(int) * BINS // 256, minlength=BINS) for channel in range(3)]
    return np.concatenate(counts) / max(len(pixels), 1)
