"""What another floor, other shoes and another afternoon do to aligned silhouettes.

Each change has a cause that can be named without having seen a probe. Silhouettes are brought to one height from the
head to the lowest pixel that counts as person, so that what happens to the feet happens to everything: grass that
hides them stretches the body, a shadow or a bare foot's width more of floor squeezes it (Han and Bhanu cut rows off
and scaled up for the same reason, "Individual recognition using gait energy image", PAMI 28(2), 2006). Another
threshold of the segmentation makes outlines thicker or thinner; what stands in the way, or has the background's colour,
takes a piece away; people lean and are cut out a little differently each time.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

FLOOR = 1 / 6
"""Share of the height, at most, that the floor hides or adds: from the sole to the middle of the shin."""


def disturb(
    frames: UInt8[np.ndarray, "time height width"], rng: np.random.Generator
) -> Float32[np.ndarray, "time height width"]:
    """The walk as it might have looked on another day, 0 or 1 a pixel; the same change for all its frames.

    Args:
        frames: 0 = background, 255 = person, aligned.
        rng: what is drawn is drawn from it.

    """
    soil = rng.uniform(-FLOOR, FLOOR) if rng.random() < 0.7 else 0.0
    stacked = _moved(frames, soil, rng)
    if rng.random() < 0.5:
        stacked = cv2.GaussianBlur(stacked, (0, 0), rng.uniform(0.4, 0.9)).reshape(stacked.shape)
    masks = stacked.transpose(2, 0, 1) > 255 * rng.uniform(0.35, 0.65)
    if soil < 0:
        masks |= _shadow(masks, -soil, rng)
    if rng.random() < 0.3:
        _fray(masks, rng)
    if rng.random() < 0.3:
        _erase(masks, rng)
    return masks.astype(np.float32)


def on_floor(
    frames: UInt8[np.ndarray, "time height width"], soil: float, rng: np.random.Generator
) -> Float32[np.ndarray, "time height width"]:
    """The walk with nothing but a share `soil` of its height hidden by the floor, or, below 0, added to it."""
    masks = _scaled(frames, 1 / (1 - soil)).transpose(2, 0, 1) > 127
    return (masks | _shadow(masks, -soil, rng) if soil < 0 else masks).astype(np.float32)


def _moved(frames: np.ndarray, soil: float, rng: np.random.Generator) -> np.ndarray:
    """Scaled as the floor does it, leaning, wider or narrower, a little to the side: (height, width, time)."""
    if rng.random() < 0.2:
        return _scaled(frames, 1 / (1 - soil))
    lean, wider, up, aside = rng.normal(0, (0.03, 0.05, 0.02, 0.7))
    return _scaled(frames, (1 + up) / (1 - soil), (1 + wider), lean, aside)


def _scaled(frames: np.ndarray, scale: float, wider: float = 1.0, lean: float = 0.0, aside: float = 0.0) -> np.ndarray:
    """Scaled about the top of the middle column, as whoever cuts people out by their head and feet would."""
    height, width = frames.shape[1:]
    middle = (width - 1) / 2
    across = scale * wider
    matrix = np.array([[across, lean, middle * (1 - across) - lean * height / 2 + aside], [0, scale, 0]], np.float32)
    stacked = np.ascontiguousarray(frames.transpose(1, 2, 0))
    return cv2.warpAffine(stacked, matrix, (width, height)).reshape(height, width, -1)


def _shadow(masks: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """What the floor adds below the feet: patches about where they are, others in each frame."""
    time, height, width = masks.shape
    rows = max(1, round(share * height))
    noise = rng.random((rows, width, 1), np.float32) + rng.random((rows, width, time), np.float32)
    patches = cv2.GaussianBlur(noise, (0, 0), 1.2).reshape(rows, width, time).transpose(2, 0, 1)
    patches = patches > np.quantile(patches, rng.uniform(0.3, 0.8))
    feet = masks[:, -2 * rows - 2 :].any(axis=(0, 1))
    near = np.convolve(feet, np.ones(5), "same") > 0
    added = np.zeros_like(masks)
    added[:, height - rows :] = patches & near[None, None]
    return added


def _fray(masks: np.ndarray, rng: np.random.Generator) -> None:
    """The lowest rows of the person, up to a quarter of the height, come and go."""
    rows = rng.integers(1, masks.shape[1] // 4 + 1)
    masks[:, -rows:] &= rng.random(masks[:, -rows:].shape) < rng.uniform(0.0, 0.9)


def _erase(masks: np.ndarray, rng: np.random.Generator) -> None:
    """A rectangle of all frames becomes background, or person."""
    height, width = masks.shape[1:]
    tall, broad = rng.integers(height // 10, height // 3), rng.integers(width // 8, width // 2)
    top, left = rng.integers(0, height - tall), rng.integers(0, width - broad)
    masks[:, top : top + tall, left : left + broad] = rng.random() < 0.5
