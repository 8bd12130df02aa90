"""The codec between joint positions and one map per joint, both ways.

Positions are (..., joint, xy) in pixels with pixel centres at integers; maps are (..., height, width, joint). A map
that is `stride` times smaller than its crop holds at pixel i the mean of crop pixels stride*i .. stride*i + stride -
1, whence the half pixels in `crop_to_heatmap` and `heatmap_to_crop`.
"""

import math
from functools import partial
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

AnyArray: TypeAlias = Array | np.ndarray
Shape: TypeAlias = tuple[int, int]


def crop_to_heatmap(
    keypoints: Float[AnyArray, "*lead joint 2"], size: Shape, shape: Shape, offset: float = 0.5
) -> Float[AnyArray, "*lead joint 2"]:
    """Map keypoints in pixels of a crop -> pixels of its heat maps; `size` and `shape` are their (height, width).

    `offset` is where in its own area a pixel's position lies: 0.5, its centre, keeps both grids' borders together; with
    0, the original HumanPoseNN's way, pixel (0, 0) is at the same place in both.
    """
    scale = np.array([shape[1] / size[1], shape[0] / size[0]], np.float32).reshape((1,) * (keypoints.ndim - 1) + (2,))
    return (keypoints + offset) * scale - offset


def heatmap_to_crop(
    keypoints: Float[AnyArray, "*lead joint 2"], size: Shape, shape: Shape, offset: float = 0.5
) -> Float[AnyArray, "*lead joint 2"]:
    """Map keypoints in pixels of heat maps -> pixels of the crop: the inverse of `crop_to_heatmap`."""
    return crop_to_heatmap(keypoints, size=shape, shape=size, offset=offset)


@partial(jax.jit, static_argnames=("shape", "kind", "size"))
def encode_keypoints(
    keypoints: Float[AnyArray, "*lead joint 2"] | Int[AnyArray, "*lead joint 2"],
    visible: Shaped[AnyArray, "*lead joint"],
    shape: Shape,
    kind: Literal["disc", "gaussian"] = "gaussian",
    size: float = 2.0,
) -> Float[Array, "*lead {shape[0]} {shape[1]} joint"]:
    """Draw target maps (..., height, width, joint) with values in [0, 1].

    - "disc": 1 where the distance to the joint is at most size / 2 (`size` = diameter in heat-map pixels), else 0.
    - "gaussian": exp(-distance^2 / (2 size^2)) (`size` = sigma in heat-map pixels), peak 1, cut to the half-open square
      of side 8 sigma about the joint.

    `keypoints` are heat-map pixels, x before y; fractions are kept. Maps are cut at the border; joints that are not
    `visible`, or whose shape lies wholly outside, give zero maps. At integer positions the maps are those of the
    original HumanPoseNN. Raises ValueError for an unknown `kind` or a `size` that is not positive.
    """
    if kind not in ("disc", "gaussian"):
        raise ValueError(f"kind must be 'disc' or 'gaussian', got {kind!r}")
    if not size > 0:
        raise ValueError(f"size must be positive ({kind}: diameter or sigma in heat-map pixels), got {size}")
    keypoints = jnp.asarray(keypoints, jnp.float32)
    lead = (1,) * (keypoints.ndim - 2)
    height, width = shape
    columns = jnp.arange(width, dtype=jnp.float32).reshape((*lead, 1, width, 1)) - keypoints[..., None, None, :, 0]
    rows = jnp.arange(height, dtype=jnp.float32).reshape((*lead, height, 1, 1)) - keypoints[..., None, None, :, 1]
    if kind == "disc":
        maps = (columns**2 + rows**2 <= (size / 2) ** 2).astype(jnp.float32)
    else:

        def profile(offset: Array) -> Array:
            # Half-open, as the original's patch of even side is: the last row and column are one pixel short.
            return jnp.where((offset >= -4 * size) & (offset < 4 * size), jnp.exp(-(offset**2) / (2 * size**2)), 0.0)

        maps = profile(rows) * profile(columns)
    return jnp.where(jnp.asarray(visible)[..., None, None, :].astype(bool), maps, 0.0)


def smoothing_filter(size: int, std: float, kernel_sum: float) -> Float[np.ndarray, " {size}"]:
    """Return one axis of the original's fixed Gaussian: N(0, std) at `size` points of [-2, 2], sum sqrt(kernel_sum)."""
    if size < 1 or size % 2 == 0 or not std > 0:
        raise ValueError(f"size must be odd and std positive, got size={size}, std={std}")
    points = np.linspace(-2, 2, size) if size > 1 else np.zeros(1)
    weights = np.exp(-(points**2) / (2 * std**2))
    return (weights * np.sqrt(kernel_sum) / weights.sum()).astype(np.float32)


@partial(jax.jit, static_argnames=("size", "std", "kernel_sum"))
def smooth(
    heatmaps: Float[AnyArray, "*lead height width joint"], size: int = 15, std: float = 0.7, kernel_sum: float = 1.0
) -> Float[Array, "*lead height width joint"]:
    """Convolve each map with the original HumanPoseNN's separable Gaussian, zeros beyond the border.

    `size` is the filter's odd side in heat-map pixels and `std` its spread on an axis where the filter spans [-2, 2]:
    the spread in pixels is std * (size - 1) / 4. The filter's values sum to `kernel_sum`. The original smooths its
    logits with (21, 1.0, 0.2) inside the network and its sigmoid maps with (15, 0.7, 1.0) before it looks for the
    maximum.
    """
    weights = smoothing_filter(size, std, kernel_sum)
    maps = jnp.asarray(heatmaps)
    for axis in (maps.ndim - 3, maps.ndim - 2):
        padding = [(0, 0)] * maps.ndim
        padding[axis] = (size // 2, size // 2)
        padded, extent = jnp.pad(maps, padding), maps.shape[axis]
        # Shifted slices: XLA fuses them into one pass, where its depthwise convolution is slow on a CPU.
        maps = sum(
            weight * jax.lax.slice_in_dim(padded, shift, shift + extent, axis=axis)
            for shift, weight in enumerate(weights.tolist())
        )
    return maps


@partial(jax.jit, static_argnames=("method", "radius"))
def decode_heatmaps(
    heatmaps: Float[AnyArray, "*lead height width joint"],
    method: Literal["argmax", "subpixel"] = "subpixel",
    radius: float = 3.0,
) -> tuple[Float[Array, "*lead joint 2"], Float[Array, "*lead joint"]]:
    """Decode maps whose every pixel is a probability (sigmoid) -> (keypoints in heat-map pixels, probability).

    - "argmax": the pixel of the maximum, the topmost, then leftmost of equals.
    - "subpixel": the centre of mass within `radius` heat-map pixels of the maximum; needs values >= 0, and leans
      inwards where the window reaches over the border.

    Probability is the maximum of the map. There is no missing value: an all-zero map gives pixel (0, 0), probability 0.
    For softmax maps use `decode_joint_maps`.
    """
    if method not in ("argmax", "subpixel"):
        raise ValueError(f"method must be 'argmax' or 'subpixel', got {method!r}")
    maps = jnp.asarray(heatmaps)
    peak = _peaks(maps)
    keypoints = peak if method == "argmax" else _centre_of_mass(maps, peak, radius)[0]
    return keypoints, maps.max((-3, -2))


@partial(jax.jit, static_argnames=("method", "radius"))
def decode_joint_maps(
    joint_maps: Float[AnyArray, "*lead height width joint"],
    method: Literal["argmax", "subpixel"] = "subpixel",
    radius: float = 3.0,
) -> tuple[Float[Array, "*lead joint 2"], Float[Array, "*lead joint"]]:
    """Decode like `decode_heatmaps`, but maps that sum to 1 over their pixels (softmax over positions).

    Probability is the mass within `radius` heat-map pixels of the joint, clipped to [0, 1]: what the network believes
    of "it is here, give or take the radius". A flat map therefore scores close to 0.
    """
    if method not in ("argmax", "subpixel"):
        raise ValueError(f"method must be 'argmax' or 'subpixel', got {method!r}")
    maps = jnp.asarray(joint_maps)
    peak = _peaks(maps)
    centre, mass = _centre_of_mass(maps, peak, radius)
    return peak if method == "argmax" else centre, jnp.clip(mass, 0.0, 1.0)


def decode_smoothed(
    heatmaps: Float[AnyArray, "*lead height width joint"],
    method: Literal["argmax", "subpixel"] = "argmax",
) -> tuple[Float[Array, "*lead joint 2"], Float[Array, "*lead joint"]]:
    """Decode sigmoid maps as the original HumanPoseNN does -> (keypoints in heat-map pixels, probability).

    Keypoints are the pixels of the maxima of the smoothed maps (or what `decode_heatmaps` finds by "subpixel" about
    them, which the original does not do), probabilities the maxima of the maps as they are.
    """
    maps = jnp.asarray(heatmaps)
    return decode_heatmaps(smooth(maps), method)[0], maps.max((-3, -2))


def elsewhere(
    maps: Float[AnyArray, "*lead height width joint"], keypoints: Float[AnyArray, "*lead joint 2"], radius: float = 3.5
) -> Float[Array, "*lead height width joint"]:
    """The maps without what lies within `radius` heat-map pixels of each joint: where else it may be."""
    maps, keypoints = jnp.asarray(maps), jnp.asarray(keypoints)
    lead = (1,) * (maps.ndim - 3)
    across = jnp.arange(maps.shape[-2]).reshape((*lead, 1, -1, 1)) - keypoints[..., None, None, :, 0]
    down = jnp.arange(maps.shape[-3]).reshape((*lead, -1, 1, 1)) - keypoints[..., None, None, :, 1]
    return jnp.where(across**2 + down**2 > radius**2, maps, 0.0)


def _peaks(maps: Float[Array, "*lead height width joint"]) -> Float[Array, "*lead joint 2"]:
    """Find the pixel of the first maximum of each map."""
    # Row maxima first: one vector pass, where a flat argmax is slow.
    row = jnp.argmax(maps.max(-2), axis=-2)
    best_row = jnp.take_along_axis(maps, row[..., None, None, :], axis=-3)[..., 0, :, :]
    return jnp.stack([jnp.argmax(best_row, axis=-2), row], -1).astype(jnp.float32)


def _centre_of_mass(
    maps: Float[Array, "*lead height width joint"], peak: Float[Array, "*lead joint 2"], radius: float
) -> tuple[Float[Array, "*lead joint 2"], Float[Array, "*lead joint"]]:
    """Find centre and mass of each map in a square window that follows the centre.

    A window that stays on the peak's pixel pulls the centre towards that pixel; letting it follow the estimate a few
    times (mean shift, with edges that may cut a pixel, at most 2 pixels away) removes that pull: a Gaussian's centre
    is the fixed point. All of it happens in a small patch cut about the peak, so the cost does not grow with the maps.
    """
    height, width, joints = maps.shape[-3:]
    flat = maps.reshape(-1, height, width, joints)
    start = peak.reshape(-1, joints, 2).astype(jnp.int32)
    reach = math.ceil(radius) + 2
    offsets = np.arange(-reach, reach + 1, dtype=np.int32).reshape(1, 1, -1)
    columns, rows = start[..., :1] + offsets, start[..., 1:] + offsets  # (image, joint, patch)
    patch = flat[
        np.arange(flat.shape[0]).reshape(-1, 1, 1, 1),
        jnp.clip(rows, 0, height - 1)[..., :, None],
        jnp.clip(columns, 0, width - 1)[..., None, :],
        np.arange(joints).reshape(1, -1, 1, 1),
    ]
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[..., None, :]
    patch = jnp.where(inside, patch, 0.0)

    shift = jnp.zeros(start.shape, maps.dtype)
    mass = jnp.zeros(start.shape[:-1], maps.dtype)
    for _ in range(4):
        across = jnp.clip(radius + 0.5 - jnp.abs(offsets - shift[..., :1]), 0.0, 1.0)
        down = jnp.clip(radius + 0.5 - jnp.abs(offsets - shift[..., 1:]), 0.0, 1.0)
        window = patch * down[..., :, None] * across[..., None, :]
        mass = window.sum((-2, -1))
        moved = jnp.stack([(window.sum(-2) * offsets).sum(-1), (window.sum(-1) * offsets).sum(-1)], -1)
        shift = jnp.clip(moved / jnp.where(mass > 0, mass, 1.0)[..., None], -2.0, 2.0)
    return peak + shift.reshape(peak.shape), mass.reshape(peak.shape[:-1])
