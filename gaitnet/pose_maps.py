"""The seam between the stages: a track's keypoints, freed of where and how large the walker is, as maps for GaitNN.

Keypoints of a walk are resampled to a fixed rate, moved into the walker's own frame (origin at the pelvis's smooth
path, unit of length the walker's own height) and drawn as 17 x 17 maps, one a joint: the grid of the original's pose
features. Maps of keypoints as the input of a gait network: Fan et al., SkeletonGait, AAAI 2024.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from humanpose.skeleton import INDEX

GRID = 17
RATE = 12.5
"""Maps a second. Gait's harmonics that tell people apart lie below 5 Hz (Winter, 1991)."""
WIDTH = 0.86
TOP, BOTTOM = -0.62, 0.60
"""The grid's extent in walker heights: WIDTH about the pelvis, from TOP (above it) to BOTTOM (below)."""
SPREAD = 0.6
"""Standard deviation of a joint's blob, in grid cells: wide enough that neighbouring cells tell the sub-cell place."""
REACH = 0.05
"""Seconds on either side of a step from which frames are read: about three at 25 or 30 a second, five or six at 60."""
SMOOTHING = 0.5
"""Standard deviation in seconds of the window that averages the pelvis's path and the height: about half a stride."""

_CHAIN = [
    (INDEX[a], INDEX[b], weight)
    for a, b, weight in (
        ("head_top", "upper_neck", 1.0), ("upper_neck", "pelvis", 1.0),
        ("r_hip", "r_knee", 0.5), ("l_hip", "l_knee", 0.5), ("r_knee", "r_ankle", 0.5), ("l_knee", "l_ankle", 0.5),
    )
]  # fmt: skip


class WalkerFrame(NamedTuple):
    """Per frame: `origin` (time, xy), the pelvis's smooth path, and `height` (time,), the walker's, both in pixels."""

    origin: Float[Array, "time 2"]
    height: Float[Array, " time"]


def walker_frame(
    keypoints: Float[Array, "time 16 2"],
    probability: Float[Array, "time 16"],
    frame_mask: Float[Array, " time"],
    rate: float | Float[Array, ""],
) -> WalkerFrame:
    """The walker's own frame, from what it averages over about a stride, so that sway and bob stay in the keypoints.

    Args:
        keypoints: pixels, xy. Whoever is not seen carries probability 0.
        probability: 0..1 per joint; weighs its part in the averages.
        frame_mask: 1 for frames that are there.
        rate: frames a second.

    The height is the length of the chain head - neck - pelvis - knee - ankle, which barely changes over a stride.
    """
    lengths, trusts = [], []
    for a, b, weight in _CHAIN:
        lengths.append(weight * jnp.linalg.norm(keypoints[:, a] - keypoints[:, b] + 1e-6, axis=-1))
        trusts.append(jnp.minimum(probability[:, a], probability[:, b]))
    trust = frame_mask * (jnp.mean(jnp.stack(trusts), axis=0) + 1e-3)
    pelvis_trust = frame_mask * (probability[:, INDEX["pelvis"]] + 1e-3)
    seconds = jnp.arange(keypoints.shape[0]) / rate
    window = jnp.exp(-0.5 * ((seconds[:, None] - seconds[None]) / SMOOTHING) ** 2)

    def average(values: Array, weights: Array) -> Array:
        """Local linear fit (not a plain mean: at a track's ends a mean lags behind the walker)."""
        offset = seconds[None] - seconds[:, None]
        kernel = window * weights[None]
        s0, s1, s2 = kernel.sum(1), (kernel * offset).sum(1), (kernel * offset**2).sum(1)
        v0, v1 = kernel @ values, (kernel * offset) @ values
        return (s2 * v0 - s1 * v1) / (s0 * s2 - s1**2 + 1e-6 * s0**2)

    height = average(sum(lengths), trust)
    origin = jnp.stack([average(keypoints[:, INDEX["pelvis"], axis], pelvis_trust) for axis in range(2)], axis=-1)
    return WalkerFrame(origin, jnp.maximum(height, 1.0))


def to_walker_frame(keypoints: Float[Array, "time 16 2"], frame: WalkerFrame) -> Float[Array, "time 16 2"]:
    """Pixels -> walker heights from the pelvis's smooth path; x to the right, y downwards."""
    return (keypoints - frame.origin[:, None]) / frame.height[:, None, None]


def draw_maps(
    placed: Float[Array, "*lead 16 2"], probability: Float[Array, "*lead 16"]
) -> Float[Array, "*lead 17 17 16"]:
    """Keypoints in walker heights -> maps (..., row, column, joint): a Gaussian of peak `probability` a joint."""
    column = (placed[..., 0] / WIDTH + 0.5) * GRID - 0.5
    row = (placed[..., 1] - TOP) / (BOTTOM - TOP) * GRID - 0.5
    cells = jnp.arange(GRID, dtype=placed.dtype)
    cells = cells.reshape((1,) * column.ndim + (GRID,))
    blob = lambda place: jnp.exp(-0.5 * ((cells - place[..., None]) / SPREAD) ** 2)  # noqa: E731
    return jnp.einsum("...jr,...jc,...j->...rcj", blob(row), blob(column), probability)


def keypoints_of_maps(
    maps: Float[np.ndarray, "*lead 17 17 16"],
) -> tuple[Float[np.ndarray, "*lead 16 2"], Float[np.ndarray, "*lead 16"]]:
    """Maps as `draw_maps` makes them -> keypoints in walker heights, and probability: the way back.

    A blob is read off the logarithms of the two cells about its peak, which lie on a parabola: exact, out to a cell
    beyond the map's edge. A joint without a blob gets zeros.
    """
    sides = [_peaks(maps.astype(np.float64).sum(axis=axis)) for axis in (-3, -2)]  # (column, row): over the other
    there = np.isfinite(sides[0]) & np.isfinite(sides[1])
    column, row = (np.where(there, side, 0.0) for side in sides)
    blob = [np.exp(-0.5 * ((np.arange(GRID) - side[..., None]) / SPREAD) ** 2).sum(-1) for side in (column, row)]
    probability = np.where(there, maps.sum(axis=(-3, -2)) / np.maximum(blob[0] * blob[1], 1e-12), 0.0)
    x = ((column + 0.5) / GRID - 0.5) * WIDTH
    y = (row + 0.5) / GRID * (BOTTOM - TOP) + TOP
    return np.where(there[..., None], np.stack([x, y], axis=-1), 0.0), probability


def _peaks(profile: Float[np.ndarray, "*lead 17 16"]) -> Float[np.ndarray, "*lead 16"]:
    """Where Gaussians of `SPREAD` peak, in cells; not a number where a profile is empty about its peak."""
    near = np.clip(profile.argmax(axis=-2), 1, GRID - 2)
    before, after = (np.take_along_axis(profile, near[..., None, :] + by, -2)[..., 0, :] for by in (-1, 1))
    seen = (before > 0) & (after > 0)
    between = np.log(np.where(seen, after, 1) / np.where(seen, before, 1)) * SPREAD**2 / 2
    return np.where(seen, near + between, np.nan)


def resample(
    keypoints: Float[np.ndarray, "time 16 2"],
    probability: Float[np.ndarray, "time 16"],
    times: Float[np.ndarray, " time"],
    rate: float = RATE,
    start: float = 0.0,
    trusted: float = 0.2,
) -> tuple[Float[np.ndarray, "steps 16 2"], Float[np.ndarray, "steps 16"]]:
    """Keypoints at `rate` a second, read off a parabola through the frames (at `times`, rising seconds) nearby.

    The first step lies `start` seconds after the first frame, the others follow as long as there are frames.

    Every step is the value of a least-squares parabola over `REACH` seconds on either side, or one and a half frames
    where these are further apart, weighted by probability and nearness (Savitzky & Golay, 1964, for uneven times). No
    wider, though that would calm trembling: networks that learned from unsmoothed walks name fewer smoothed ones. A
    joint below `trusted` does not count; where fewer than three frames do, the way between the nearest trusted ones is
    straight. Gaps in `times`, variable frame rates and dropped frames need no care of their own.
    """
    if len(times) < 2:
        raise ValueError(f"times: resampling needs two frames or more, got {len(times)}")
    steps = np.arange(times[0] + start, times[-1] + 1e-9, 1 / rate)
    apart = times[None] - steps[:, None]
    reach = max(REACH, 1.5 * float(np.median(np.diff(times))))
    near = np.clip(1 - np.abs(apart / reach) ** 3, 0, None) ** 3
    powers = np.stack([np.ones_like(apart), apart / reach, (apart / reach) ** 2])
    out = np.zeros((len(steps), 16, 2), np.float32)
    sureness = np.zeros((len(steps), 16), np.float32)
    for joint in range(16):
        sureness[:, joint] = np.interp(steps, times, probability[:, joint])
        good = probability[:, joint] >= trusted
        if good.sum() < 2:
            good = np.ones_like(good)
        for axis in range(2):
            out[:, joint, axis] = np.interp(steps, times[good], keypoints[good, joint, axis])
        weights = near * np.where(good, probability[:, joint], 0.0)[None]
        enough = (weights > 1e-3).sum(axis=1) >= 3
        moments = np.einsum("ast,bst,st->sab", powers, powers, weights)
        sides = np.einsum("ast,st,tx->sax", powers, weights, keypoints[:, joint].astype(np.float64))
        enough &= np.linalg.cond(moments) < 1e4
        out[enough, joint] = np.linalg.solve(moments[enough], sides[enough])[:, 0]
    return out, sureness


@jax.jit
def pose_maps(
    keypoints: Float[Array, "time 16 2"], probability: Float[Array, "time 16"], frame_mask: Float[Array, " time"]
) -> Float[Array, "time 17 17 16"]:
    """A walk's keypoints at `RATE` (pixels; walking to the right) -> GaitNN's input; masked frames give zero maps."""
    frame = walker_frame(keypoints, probability, frame_mask, RATE)
    maps = draw_maps(to_walker_frame(keypoints, frame), jnp.clip(probability, 0.0, 1.0))
    return maps * frame_mask[:, None, None, None]


def pose_maps_of_track(
    keypoints: Float[np.ndarray, "time 16 2"],
    probability: Float[np.ndarray, "time 16"],
    times: Float[np.ndarray, " time"],
    mirror: bool = False,
    start: float = 0.0,
) -> Float[np.ndarray, "steps 17 17 16"]:
    """A track's keypoints (image pixels, any frame times in seconds) -> GaitNN's input at `RATE`, from `start` on.

    `mirror` turns a walk to the left into one to the right. The sides' names are taken as they are: the pose network
    that saw the mirrored picture has already given the near side the name it has in a walk to the right.
    """
    steps, sure = resample(keypoints, probability, times, start=start)
    if mirror:
        steps[..., 0] *= -1
    count = len(steps)
    padded = -(-count // 32) * 32  # few lengths, so that few are compiled
    at_end = ((0, padded - count), (0, 0), (0, 0))
    maps = pose_maps(
        np.pad(steps, at_end, mode="edge"), np.pad(sure, at_end[:2]), (np.arange(padded) < count).astype(np.float32)
    )
    return np.asarray(maps)[:count]
