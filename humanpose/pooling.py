"""Pooling over windows of (batch, height, width, channel) arrays, lowered for the backend as `humanpose.ops` is.

On a CPU both are made of shifted slices: XLA fuses them into one pass, and the gradient of the maximum is quick, which
that of its native `reduce_window` is not. Arguments are those of `humanpose.ops`.
"""

from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from humanpose import ops


def max_pool(
    images: Float[Array, "batch height width channel"],
    window: int,
    stride: int = 1,
    padding: ops.Padding = "VALID",
    lowering: ops.Lowering = "auto",
) -> Float[Array, "batch out_height out_width channel"]:
    """Take the maximum under a square window; what lies beyond the border never is one."""
    strides, pads = ops.geometry(images.shape[1:3], (window, window), stride, padding)
    if not ops.rewrites(lowering):
        return lax.reduce_window(
            images, -jnp.inf, lax.max, (1, window, window, 1), (1, *strides, 1), ((0, 0), *pads, (0, 0))
        )
    return reduce(jnp.maximum, ops.tap_slices(ops.pad_images(images, pads, -np.inf), (window, window), strides))


def average_pool(
    images: Float[Array, "batch height width channel"],
    window: int,
    stride: int = 1,
    padding: ops.Padding = "VALID",
    lowering: ops.Lowering = "auto",
) -> Float[Array, "batch out_height out_width channel"]:
    """Take the mean under a square window, over the pixels that exist: padding does not count, as in TensorFlow."""
    strides, pads = ops.geometry(images.shape[1:3], (window, window), stride, padding)
    if not ops.rewrites(lowering):
        total = lax.reduce_window(
            images, 0.0, lax.add, (1, window, window, 1), (1, *strides, 1), ((0, 0), *pads, (0, 0))
        )
    else:
        # One axis after the other: 2 x window additions instead of window x window.
        padded = ops.pad_images(images, pads)
        rows = reduce(jnp.add, ops.tap_slices(padded, (window, 1), (strides[0], 1)))
        total = reduce(jnp.add, ops.tap_slices(rows, (1, window), (1, strides[1])))
    down, across = (
        _pixels(size, window, step, pad) for size, step, pad in zip(images.shape[1:3], strides, pads, strict=True)
    )
    return total * jnp.asarray(1 / np.outer(down, across), images.dtype)[None, :, :, None]


def _pixels(size: int, window: int, stride: int, pad: tuple[int, int]) -> np.ndarray:
    """How many pixels of an axis lie under each place of the window."""
    exists = np.pad(np.ones(size), pad)
    return np.lib.stride_tricks.sliding_window_view(exists, window)[::stride].sum(-1)
