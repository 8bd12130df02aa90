"""Augmentation of one person crop: geometry as a single affine, then sharpness, colour and noise; labels are carried.

The list is the original HumanPoseNN's (rotation, shifts, shear, zoom, flip with joint exchange, noise, multiplication,
colour matrix, down-up-sampling), with erasing (Zhong et al., AAAI 2020) and half bodies (Wang et al., "MSCOCO Keypoints
Challenge 2018") added. Every function takes its own NumPy generator, so that a sample can be made again. What a whole
sequence shares is drawn once: an affine by `draw_affine`, a `Look` by `draw_look`.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from humanpose.preprocess import MARGIN, box_from_keypoints
from humanpose.skeleton import FLIP


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the draws; a zero range or probability switches a step off.

    Geometry. `rotation` in degrees (uniform, both ways); `turned` the probability of any rotation at all; `zoom` the
    factor on the cropped area's side, over 1 zooms out (uniform in the logarithm, or in itself if `zoom_evenly`);
    `shift` in fractions of the crop's height (normal, one standard deviation); `shifts` in fractions of (height, width)
    (vertical and horizontal, uniform, both ways); `shear` in radians (uniform, both ways); `flip` and `half_body` are
    probabilities.

    Pixels. `gain`, `tint`, `offset` (of 255) and `noise` (of 255) are standard deviations: of the logarithm of the
    contrast, of each colour's besides, of the light, and of the level of the noise, half-normal; `noise_range` (of 255)
    is the uniform range of that level instead. `multiply` is the standard deviation of a factor about 1 on all values.
    `mix` is that of the entries of a 3x3 matrix on the colours, whose means are `mix_mean` (on the diagonal, off it)
    and which are clipped to `mix_bounds`. `grey`, `coarse` and `erase` are probabilities; `coarsest` is the smallest
    share of its resolution that a crop is brought down to, `nearest` how often it comes back in blocks.
    """

    rotation: float = 30.0
    zoom: tuple[float, float] = (0.75, 1.35)
    shift: float = 0.04
    flip: float = 0.5
    turned: float = 0.0
    gain: float = 0.25
    tint: float = 0.12
    offset: float = 0.08
    noise: float = 0.03
    grey: float = 0.25
    coarse: float = 0.3
    coarsest: float = 0.25
    erase: float = 0.3
    zoom_evenly: bool = False
    shifts: tuple[float, float] = (0.0, 0.0)
    shear: float = 0.0
    half_body: float = 0.0
    noise_range: tuple[float, float] | None = None
    multiply: float = 0.0
    mix: float = 0.0
    mix_mean: tuple[float, float] = (1.0, 0.0)
    mix_bounds: tuple[float, float] = (-1.0, 1.0)
    nearest: float = 0.3

    def __post_init__(self) -> None:
        for name in ("flip", "turned", "grey", "coarse", "erase", "half_body", "nearest"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a probability from 0 to 1, got {getattr(self, name)}")
        for name in ("rotation", "shift", "shear", "gain", "tint", "offset", "noise", "multiply", "mix"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name}: expected a spread of 0 or more, got {getattr(self, name)}")
        if not 0 < self.zoom[0] <= self.zoom[1] or not 0 < self.coarsest <= 1:
            raise ValueError(
                "zoom must be (least, greatest) factor over 0 and coarsest a share over 0 and at most 1, "
                f"got {self.zoom} and {self.coarsest}"
            )
        for name in ("noise_range", "mix_bounds"):
            bounds = getattr(self, name)
            if bounds is not None and not bounds[0] <= bounds[1]:
                raise ValueError(f"{name}: expected (least, greatest), got {bounds}")


IDENTITY = AugmentConfig(
    rotation=0.0, zoom=(1.0, 1.0), shift=0.0, flip=0.0,
    gain=0.0, tint=0.0, offset=0.0, noise=0.0, grey=0.0, coarse=0.0, erase=0.0,
)  # fmt: skip
"""Changes nothing."""

ORIGINAL = replace(
    IDENTITY, rotation=20.0, zoom=(0.8, 1.25), zoom_evenly=True, shifts=(0.05, 0.05), shear=0.1, flip=0.5,
    noise_range=(0.0, 0.04), multiply=0.1, mix=0.05, mix_bounds=(-0.5, 1.5), coarse=0.2, coarsest=0.4, nearest=0.5,
)  # fmt: skip
"""The original's steps and distributions. It published no values: these ranges are a choice of ours, moderate ones."""

UPPER, LOWER = tuple(range(7, 16)), tuple(range(7))
"""Joint indices of the halves of a body: thorax, head and arms; pelvis and legs."""


def draw_half_body(
    rng: np.random.Generator,
    box: Shaped[np.ndarray, "4"],
    keypoints: Float[np.ndarray, "16 2"],
    visible: Shaped[np.ndarray, "16"],
    config: AugmentConfig,
) -> Float[np.ndarray, "4"]:
    """Now and then the box (x0, y0, x1, y1, image pixels) of the upper or the lower body in place of a person's own.

    Only for somebody of whom at least 8 joints are visible, 3 of them in that half. The box is 1.5 times the tight one
    once `crop_affine` has added its margin, and no side is under a quarter of the longer side of the person's own.
    """
    whole = np.asarray(box, np.float64)
    if not config.half_body or rng.random() >= config.half_body:
        return whole
    seen = np.asarray(visible).astype(bool)
    halves = [list(half) for half in ((UPPER, LOWER) if rng.random() < 0.5 else (LOWER, UPPER))]
    half = next((half for half in halves if seen[half].sum() >= 3), None)
    if half is None or seen.sum() < 8:
        return whole
    tight = box_from_keypoints(keypoints[half], seen[half]).astype(np.float64)
    extent = np.maximum((tight[2:] - tight[:2]) * 1.5 / MARGIN, (whole[2:] - whole[:2]).max() / 4)
    middle = (tight[:2] + tight[2:]) / 2
    return np.concatenate([middle - extent / 2, middle + extent / 2])


def draw_affine(
    rng: np.random.Generator, affine: Float[np.ndarray, "2 3"], size: tuple[int, int], config: AugmentConfig
) -> tuple[Float[np.ndarray, "2 3"], bool]:
    """A random change of a crop's affine (crop pixels -> image pixels) for a crop of `size` = (height, width) pixels.

    The change is rotation * translation * shear * zoom * flip about the crop's centre, the right one first; shear as
    the original has it, rows pushed by columns.

    Returns:
        the changed affine, and whether it mirrors, in which case the joints' left and right must be exchanged.
    """
    height, width = size
    angle = np.deg2rad(rng.uniform(-180, 180) if rng.random() < config.turned else config.rotation * rng.uniform(-1, 1))
    low, high = config.zoom
    zoom = rng.uniform(low, high) if config.zoom_evenly else np.exp(rng.uniform(np.log(low), np.log(high)))
    flip = bool(rng.random() < config.flip)
    translation = rng.normal(0, config.shift * height, 2)
    if any(config.shifts):
        translation += rng.uniform(-1, 1, 2) * (config.shifts[1] * width, config.shifts[0] * height)
    shear = config.shear * rng.uniform(-1, 1) if config.shear else 0.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sheared = np.array([[np.cos(shear), 0.0], [-np.sin(shear), 1.0]])
    linear = rotation @ sheared @ np.diag([-zoom if flip else zoom, zoom])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre + rotation @ translation
    changed = np.empty((2, 3), np.float32)
    changed[:, :2] = affine[:, :2] @ linear
    changed[:, 2] = affine[:, :2] @ offset + affine[:, 2]
    return changed, flip


def carry_keypoints(
    keypoints: Float[np.ndarray, "*lead 16 2"],
    visible: Shaped[np.ndarray, "*lead 16"],
    affine: Float[np.ndarray, "2 3"],
    flip: bool,
    size: tuple[int, int],
) -> tuple[Float[np.ndarray, "*lead 16 2"], Shaped[np.ndarray, "*lead 16"]]:
    """Image keypoints (..., joint, xy) -> crop pixels, sides exchanged where mirrored; invisible (0) outside.

    `visible` keeps its type: whether a joint is labelled, or a weight from 0 to 1.
    """
    (a, b, x), (c, d, y) = affine.astype(np.float64)
    inverse = np.array([[d, -c], [-b, a]]) / (a * d - b * c)  # transposed, for rows of points
    carried = (keypoints - (x, y)) @ inverse
    if flip:
        carried, visible = carried[..., FLIP, :], visible[..., FLIP]
    inside = ((carried > -0.5) & (carried < (size[1] - 0.5, size[0] - 0.5))).all(-1)
    visible = np.where(inside, visible, np.zeros((), visible.dtype))
    return np.where(visible[..., None] != 0, carried, 0).astype(np.float32), visible


class Look(NamedTuple):
    """How a picture of some size is to be changed; one drawn for a sequence changes all of its frames alike."""

    coarse: tuple[int, int] | None
    """Width and height that it is brought down to."""
    restore: int
    """OpenCV's interpolation on the way back."""
    erased: tuple[slice, slice] | None
    """Rows and columns."""
    fill: tuple[int, int, int]
    grey: bool
    matrix: Float[np.ndarray, "3 4"]
    """On (red, green, blue, 1), values 0..255."""


def draw_look(rng: np.random.Generator, size: tuple[int, int], config: AugmentConfig) -> Look:
    """Draw everything about the pixels of a picture of `size` (height, width) but the noise."""
    height, width = size
    coarse, erased, fill, restore = None, None, (0, 0, 0), cv2.INTER_LINEAR
    if rng.random() < config.coarse:
        factor = np.exp(rng.uniform(np.log(config.coarsest), 0))
        coarse = (max(int(width * factor), 8), max(int(height * factor), 8))
        restore = cv2.INTER_NEAREST if rng.random() < config.nearest else cv2.INTER_LINEAR
    if rng.random() < config.erase:
        tall, wide = (rng.uniform(0.08, 0.35, 2) * (height, width)).astype(int)
        top, left = rng.integers(0, height - tall), rng.integers(0, width - wide)
        erased, fill = (slice(top, top + tall), slice(left, left + wide)), tuple(rng.integers(0, 256, 3).tolist())
    grey = bool(rng.random() < config.grey)
    gain = np.exp(rng.normal(0, config.gain) + rng.normal(0, config.tint, 3))
    matrix = np.zeros((3, 4))
    matrix[range(3), range(3)] = gain
    matrix[:, 3] = 128 * (1 - gain) + rng.normal(0, 255 * config.offset)
    if config.multiply:
        matrix[:, :3] *= rng.normal(1, config.multiply)
    if config.mix:
        mean = config.mix_mean[1] + (config.mix_mean[0] - config.mix_mean[1]) * np.eye(3)
        matrix = np.clip(rng.normal(mean, config.mix), *config.mix_bounds) @ matrix
    return Look(coarse, restore, erased, fill, grey, matrix.astype(np.float32))


def apply_look(
    rng: np.random.Generator, image: UInt8[np.ndarray, "height width 3"], look: Look, config: AugmentConfig
) -> UInt8[np.ndarray, "height width 3"]:
    """Change a picture of the size that `look` was drawn for, and add noise, whose level is drawn anew."""
    values: np.ndarray = image.astype(np.float32)
    if look.coarse is not None:
        small = cv2.resize(values, look.coarse, interpolation=cv2.INTER_AREA)
        values = cv2.resize(small, image.shape[1::-1], interpolation=look.restore)
    if look.erased is not None:
        values[look.erased] = look.fill
    if look.grey:
        values = cv2.cvtColor(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    values = cv2.transform(values, look.matrix)
    level = 0.0
    if config.noise_range is not None:
        level = 255 * rng.uniform(*config.noise_range)
    elif config.noise:
        level = abs(rng.normal(0, 255 * config.noise))
    # One pass adds, rounds and clips to 0..255.
    noise = _noise(rng, image.shape) if level else values
    return np.asarray(cv2.addWeighted(values, 1, noise, level, 0, dtype=cv2.CV_8U))


def draw_colour(
    rng: np.random.Generator, image: UInt8[np.ndarray, "height width 3"], config: AugmentConfig
) -> UInt8[np.ndarray, "height width 3"]:
    """A random change of sharpness, light, colour and noise, and now and then an erased rectangle."""
    return apply_look(rng, image, draw_look(rng, image.shape[:2], config), config)


@cache
def _normals() -> Float[np.ndarray, " number"]:
    return np.random.default_rng(0).standard_normal(2**20, np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "height width 3"]:
    """White noise of deviation 1: a stretch of a million numbers drawn once, from a random place on.

    Drawing anew for every picture costs more than everything else that is done to it.
    """
    count = int(np.prod(shape))
    numbers = _normals()
    if 2 * count > len(numbers):
        return rng.standard_normal(shape, np.float32)
    start = int(rng.integers(len(numbers) - count))
    return numbers[start : start + count].reshape(shape)
