"""Augmentation of a whole walk: windows of it, each changed alike in all frames, as the original's generator does."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from humanpose.augment import AugmentConfig, apply_look, carry_keypoints, draw_affine, draw_look
from humanpose.preprocess import crop, crop_affine


class Window(NamedTuple):
    """Consecutive frames of a sequence, from frame `start` on, as crops of one size with their labels."""

    start: int
    images: UInt8[np.ndarray, "time height width 3"]
    keypoints: Float[np.ndarray, "time 16 2"]
    """Pixels of the crops, 0 where not visible."""
    visible: Shaped[np.ndarray, "time 16"]


def augment_windows(
    rng: np.random.Generator,
    images: UInt8[np.ndarray, "time image_height image_width 3"],
    keypoints: Float[np.ndarray, "label_time 16 2"],
    visible: Shaped[np.ndarray, "label_time 16"],
    size: tuple[int, int],
    config: AugmentConfig,
    box: Shaped[np.ndarray, "4"] | None = None,
    window: int = 32,
    shift: int = 16,
) -> Iterator[Window]:
    """Go once through a sequence in overlapping windows, in random order.

    A window begins at every `shift`-th frame; the last ones are as short as the sequence makes them. All frames of a
    window share one affine and one change of colours and sharpness; the noise is drawn anew for every frame. For a
    sequence changed as a whole pass its length as `window` and `shift`.

    Args:
        rng: what is drawn follows from its state alone.
        images: frames, RGB.
        keypoints: (frame, joint, xy) in pixels of the frames.
        visible: whether a joint is labelled, or a weight from 0 to 1.
        size: (height, width) of the crops in pixels. Labels of heat maps: `heatmaps.crop_to_heatmap`.
        config: what is drawn. Half bodies are none of it.
        box: x0, y0, x1, y1 in pixels of the frames, which all crops are about; by default a crop of `size` is cut out
            of the middle of the frames at their own scale, as the original does.
        window: frames of a window.
        shift: frames from the start of a window to that of the next.

    Raises:
        ValueError: `window` or `shift` below 1, or labels of another number of frames.
    """
    if window < 1 or shift < 1:
        raise ValueError(f"window and shift must be 1 frame or more, got {window} and {shift}")
    if len(images) != len(keypoints):
        raise ValueError(f"keypoints: expected labels of all {len(images)} frames of images, got {len(keypoints)}")
    if box is None:
        aside = [(whole - part) / 2 for whole, part in zip(images.shape[2:0:-1], size[::-1], strict=True)]
        place = np.column_stack([np.eye(2), aside])
    else:
        place = crop_affine(box, size)
    for start in rng.permutation(np.arange(0, len(images), shift)).tolist():
        frames = slice(start, start + window)
        affine, flip = draw_affine(rng, place, size, config)
        look = draw_look(rng, size, config)
        changed = [apply_look(rng, crop(frame, affine, size), look, config) for frame in images[frames]]
        yield Window(start, np.stack(changed), *carry_keypoints(keypoints[frames], visible[frames], affine, flip, size))
