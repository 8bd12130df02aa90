"""Convolution and upsampling on (batch, height, width, channel) arrays, lowered for the backend at hand.

XLA's CPU backend has slow loops for several shapes that mobile networks are made of (depthwise convolution above all,
5 to 40 times slower than need be). Every function here therefore knows two ways to the same numbers: the native `lax`
operation, which accelerators want, and a rewrite into shifted slices, reshapes and matmuls, which a CPU wants.

Shared arguments:

- `padding`: "SAME" as TensorFlow does it (the odd pixel goes to the bottom and right, and the amount depends on the
  stride), "VALID", or explicit ((top, bottom), (left, right)).
- `lowering`: "auto" picks by `jax.default_backend()`; "native" and "cpu" force one, which is how tests compare them.
"""

from functools import partial
from itertools import product
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Lowering: TypeAlias = Literal["auto", "native", "cpu"]
Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
Padding: TypeAlias = Literal["SAME", "VALID"] | Pads
Size: TypeAlias = int | tuple[int, int]


def convolution(
    images: Float[Array, "batch height width channel"],
    kernel: Float[Array, "kernel_height kernel_width channel features"],
    stride: Size = 1,
    padding: Padding = "SAME",
    lowering: Lowering = "auto",
) -> Float[Array, "batch out_height out_width features"]:
    """Cross-correlation of images with a kernel, as every deep learning library understands "convolution"."""
    strides, pads = geometry(images.shape[1:3], kernel.shape[:2], stride, padding)
    if not rewrites(lowering):
        return _native(images, kernel, strides, pads)
    if kernel.shape[:2] == (1, 1) and pads == ((0, 0), (0, 0)):
        return _pointwise(images[:, :: strides[0], :: strides[1]], kernel[0, 0])
    return _native_forward(images, kernel, strides, pads)


def depthwise_convolution(
    images: Float[Array, "batch height width channel"],
    kernel: Float[Array, "kernel_height kernel_width 1 channel"],
    stride: Size = 1,
    padding: Padding = "SAME",
    lowering: Lowering = "auto",
) -> Float[Array, "batch out_height out_width channel"]:
    """One two-dimensional kernel per channel (channel multiplier 1)."""
    strides, pads = geometry(images.shape[1:3], kernel.shape[:2], stride, padding)
    if not rewrites(lowering):
        return _native(images, kernel, strides, pads, groups=images.shape[-1])
    return _depthwise(images, kernel[:, :, 0], strides, pads)


def pixel_shuffle(
    images: Float[Array, "batch height width channel_in"], factor: int = 2
) -> Float[Array, "batch tall wide channel"]:
    """Depth to space: (batch, h, w, factor * factor * channel) -> (batch, factor * h, factor * w, channel).

    The channel order is TensorFlow's `depth_to_space` (row in the block, column in the block, channel), not PyTorch's.
    With a 1x1 convolution before it, this is a transposed convolution whose kernel equals its stride.
    """
    batch, height, width, channel = images.shape
    if channel % (factor * factor):
        raise ValueError(f"images: pixel_shuffle by {factor} needs channels divisible by {factor**2}, got {channel}")
    blocks = images.reshape(batch, height, width, factor, factor, channel // factor**2)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * factor, width * factor, channel // factor**2)


def transposed_convolution(
    images: Float[Array, "batch height width channel"],
    kernel: Float[Array, "size size features channel"],
    lowering: Lowering = "auto",
) -> Float[Array, "batch tall wide features"]:
    """Paint each pixel as a block of size x size pixels, side by side: stride = kernel size, TensorFlow's layout.

    Pixel (size * row + i, size * column + j) is images[row, column] times kernel[i, j]: a matmul and a pixel shuffle.
    """
    size = kernel.shape[0]
    if not rewrites(lowering):
        return lax.conv_transpose(
            images, kernel, (size, size), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"), transpose_kernel=True
        )
    flat = kernel.transpose(3, 0, 1, 2).reshape(kernel.shape[3], -1)
    return pixel_shuffle(_pointwise(images, flat), size)


def carry_to_grid(
    maps: Float[Array, "*batch height width joint"], size: int = 17
) -> Float[Array, "*batch size size joint"]:
    """Carry the probability mass of `maps` onto a `size` x `size` grid whose corners are the corners of the maps.

    Every cell's mass is shared by its two neighbouring grid lines per axis (hat kernel), so each joint's sum stays as
    it was, and its expected position is the same place: row r of `height` rows lies at r * (size - 1) / (height - 1)
    on the grid, columns likewise. Two small matmuls. `size` and the maps need at least two rows and columns.
    """
    height, width = maps.shape[-3:-1]
    if min(height, width, size) < 2:
        raise ValueError(f"maps, size: carry_to_grid needs at least 2 rows and columns, got {height, width} and {size}")
    rows, columns = (jnp.asarray(_hat_matrix(length, size), maps.dtype) for length in (height, width))
    return jnp.einsum("hH,wW,...hwj->...HWj", rows, columns, maps)


def rewrites(lowering: Lowering) -> bool:
    """Whether a lowering asks for the rewrite into slices and matmuls."""
    if lowering not in ("auto", "native", "cpu"):
        raise ValueError(f'lowering: expected "auto", "native" or "cpu", got {lowering!r}')
    return lowering == "cpu" or (lowering == "auto" and jax.default_backend() == "cpu")


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def geometry(
    shape: tuple[int, ...], window: tuple[int, ...], stride: Size, padding: Padding
) -> tuple[tuple[int, int], Pads]:
    """Strides and explicit pads, each as (vertical, horizontal)."""
    strides = _pair(stride)
    if padding == "VALID":
        return strides, ((0, 0), (0, 0))
    if padding == "SAME":
        vertical, horizontal = lax.padtype_to_pads(shape, window, strides, "SAME")
        return strides, ((vertical[0], vertical[1]), (horizontal[0], horizontal[1]))
    if isinstance(padding, str):
        raise ValueError(f'padding: expected "SAME", "VALID" or ((top, bottom), (left, right)), got {padding!r}')
    return strides, padding


def pad_images(images: Array, pads: Pads, value: float = 0.0) -> Array:
    """Put rows and columns of `value` around images."""
    config = [(0, 0, 0), *((before, after, 0) for before, after in pads), (0, 0, 0)]
    return lax.pad(images, jnp.asarray(value, images.dtype), config)


def tap_slices(padded: Array, window: tuple[int, ...], strides: tuple[int, int]):
    """Yield the input as each tap of the window sees it, row by row: shifted (and strided) slices."""
    batch, height, width, channel = padded.shape
    out = [(size - tap) // step + 1 for size, tap, step in zip((height, width), window, strides, strict=True)]
    for row, column in product(range(window[0]), range(window[1])):
        stop = (batch, row + (out[0] - 1) * strides[0] + 1, column + (out[1] - 1) * strides[1] + 1, channel)
        yield lax.slice(padded, (0, row, column, 0), stop, (1, *strides, 1))


def _native(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads, groups: int = 1) -> Array:
    return lax.conv_general_dilated(
        images, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
    )


@jax.custom_vjp
def _pointwise(images: Array, kernel: Array) -> Array:
    rows = images.reshape(-1, kernel.shape[0]) @ kernel
    return rows.reshape(*images.shape[:3], kernel.shape[1])


def _pointwise_forward(images: Array, kernel: Array):
    return _pointwise(images, kernel), (images, kernel)


def _pointwise_backward(saved: tuple[Array, Array], cotangent: Array):
    images, kernel = saved
    # Without the barrier XLA writes the cotangent twice, once of them transposed.
    rows = lax.optimization_barrier(cotangent.reshape(-1, kernel.shape[1]))
    kernel_gradient = lax.dot_general(rows, images.reshape(-1, kernel.shape[0]), (((0,), (0,)), ((), ()))).T
    return (rows @ kernel.T).reshape(images.shape), kernel_gradient


_pointwise.defvjp(_pointwise_forward, _pointwise_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _depthwise(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> Array:
    weights = kernel.reshape(-1, 1, 1, 1, kernel.shape[-1])
    taps = tap_slices(pad_images(images, pads), kernel.shape[:2], strides)
    return sum(weight * tap for weight, tap in zip(weights, taps, strict=True))  # type: ignore[return-value]


def _depthwise_forward(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads):
    return _depthwise(images, kernel, strides, pads), (images, kernel)


def _depthwise_backward(strides: tuple[int, int], pads: Pads, saved: tuple[Array, Array], cotangent: Array):
    """Both gradients in one pass each; XLA's own rule adds up nine padded arrays, and reduces nine written ones."""
    images, kernel = saved
    # The barrier keeps the padding's bounds checks out of the loops. One reduction of nine operands reads them once;
    # over a short stretch of the width it is unrolled and vectorised along the channels (twice as fast as over all).
    padded = lax.optimization_barrier(pad_images(images, pads))
    batch, height, width, channel = cotangent.shape
    stretch = max(size for size in range(1, 10) if width % size == 0)
    stretch = stretch if stretch > 4 else width
    products = [
        (tap * cotangent).reshape(batch, height, width // stretch, stretch, channel)
        for tap in tap_slices(padded, kernel.shape[:2], strides)
    ]
    zeros = [jnp.zeros((), images.dtype)] * len(products)
    partial_sums = lax.reduce(
        products, zeros, lambda sums, terms: [a + b for a, b in zip(sums, terms, strict=True)], (3,)
    )
    kernel_gradient = jnp.stack([jnp.sum(total, (0, 1, 2)) for total in partial_sums]).reshape(kernel.shape)
    return _depthwise_transposed(cotangent, kernel, strides, pads, images.shape), kernel_gradient


def _depthwise_transposed(
    cotangent: Array, kernel: Array, strides: tuple[int, int], pads: Pads, shape: tuple[int, ...]
) -> Array:
    """Image gradient, gathered: each phase of the stride sums the taps that reach it, then the phases interleave."""
    batch, height, width, channel = shape
    # Room before, so that every tap's shift is a slice; room after, so that every phase reaches the padded image's end.
    before = [(taps - 1) // step for taps, step in zip(kernel.shape[:2], strides, strict=True)]
    rows, columns = (
        -(-(size + sum(pad)) // step) for size, pad, step in zip((height, width), pads, strides, strict=True)
    )
    after = [max(0, count - size) for count, size in zip((rows, columns), cotangent.shape[1:3], strict=True)]
    roomy = pad_images(cotangent, ((before[0], after[0]), (before[1], after[1])))
    if strides != (1, 1):
        roomy = lax.optimization_barrier(roomy)

    def phase(row: int, column: int) -> Array:
        total = jnp.zeros((batch, rows, columns, channel), cotangent.dtype)
        for i, j in product(range(row, kernel.shape[0], strides[0]), range(column, kernel.shape[1], strides[1])):
            top, left = before[0] - i // strides[0], before[1] - j // strides[1]
            total += kernel[i, j][None, None, None] * roomy[:, top : top + rows, left : left + columns]
        return total

    phases = [[phase(row, column) for column in range(strides[1])] for row in range(strides[0])]
    wide = [jnp.stack(row, 3).reshape(batch, rows, columns * strides[1], channel) for row in phases]
    padded = jnp.stack(wide, 2).reshape(batch, rows * strides[0], columns * strides[1], channel)
    return padded[:, pads[0][0] : pads[0][0] + height, pads[1][0] : pads[1][0] + width]


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _native_forward(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> Array:
    return _native(images, kernel, strides, pads)


def _im2col_forward(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads):
    return _native(images, kernel, strides, pads), (images, kernel)


def _im2col_backward(strides: tuple[int, int], pads: Pads, saved: tuple[Array, Array], cotangent: Array):
    """Both gradients as one matmul each over the patches under the kernel."""
    images, kernel = saved

    def patches(images: Array) -> Array:
        return jnp.concatenate(list(tap_slices(pad_images(images, pads), kernel.shape[:2], strides)), axis=-1)

    columns, to_images = jax.vjp(patches, images)
    flat = kernel.reshape(-1, kernel.shape[-1])
    rows = cotangent.reshape(-1, kernel.shape[-1])
    kernel_gradient = columns.reshape(rows.shape[0], -1).T @ rows
    (image_gradient,) = to_images((rows @ flat.T).reshape(columns.shape))
    return image_gradient, kernel_gradient.reshape(kernel.shape)


_native_forward.defvjp(_im2col_forward, _im2col_backward)


def _hat_matrix(source: int, target: int) -> np.ndarray:
    """(source, target) shares of each source cell's mass on the target lines; rows sum to 1."""
    position = np.arange(source) * (target - 1) / (source - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(target)))
