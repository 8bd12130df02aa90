"""Augmentation of one person crop: geometry as a single affine, then colour and sharpness; labels are carried along.

The list is the original HumanPoseNN's (rotation, shift, zoom, flip with joint exchange, noise, colour, down-up-
sampling), with erasing added (Zhong et al., 2020). Every function takes its own NumPy generator, so that a sample can
be made again.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from humanpose.skeleton import FLIP


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the draws; a zero range or probability switches a step off.

    `rotation` in degrees (uniform, both ways); `zoom` the factor on the cropped area's side (uniform in the logarithm);
    `shift` in fractions of the crop's height (normal, one standard deviation); `flip`, `grey`, `coarse`, `erase` and
    `turned` (any rotation at all) are probabilities; `gain`, `tint`, `offset` (of 255) and `noise` (of 255) are
    standard deviations; `coarsest` is the smallest share of its resolution that a crop is brought down to.
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


def draw_affine(
    rng: np.random.Generator, affine: Float[np.ndarray, "2 3"], size: tuple[int, int], config: AugmentConfig
) -> tuple[Float[np.ndarray, "2 3"], bool]:
    """A random change of a crop's affine (crop pixels -> image pixels) for a crop of `size` = (height, width) pixels.

    Returns:
        the changed affine, and whether it mirrors, in which case the joints' left and right must be exchanged.
    """
    height, width = size
    angle = np.deg2rad(rng.uniform(-180, 180) if rng.random() < config.turned else config.rotation * rng.uniform(-1, 1))
    zoom = np.exp(rng.uniform(*np.log(config.zoom)))
    flip = bool(rng.random() < config.flip)
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if flip:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre + rng.normal(0, config.shift * height, 2)
    change = np.vstack([np.column_stack([linear, offset]), [0, 0, 1]])
    return (affine @ change).astype(np.float32), flip


def carry_keypoints(
    keypoints: Float[np.ndarray, "16 2"],
    visible: Bool[np.ndarray, " 16"],
    affine: Float[np.ndarray, "2 3"],
    flip: bool,
    size: tuple[int, int],
) -> tuple[Float[np.ndarray, "16 2"], Bool[np.ndarray, " 16"]]:
    """Image keypoints (joint, xy) -> crop pixels, sides exchanged where mirrored; invisible outside."""
    inverse = np.linalg.inv(affine[:, :2].astype(np.float64))
    carried = (keypoints - affine[:, 2]) @ inverse.T
    if flip:
        carried, visible = carried[FLIP], visible[FLIP]
    height, width = size
    inside = (carried > -0.5).all(-1) & (carried[:, 0] < width - 0.5) & (carried[:, 1] < height - 0.5)
    visible = visible & inside
    return np.where(visible[:, None], carried, 0).astype(np.float32), visible


def draw_colour(
    rng: np.random.Generator, image: UInt8[np.ndarray, "height width 3"], config: AugmentConfig
) -> UInt8[np.ndarray, "height width 3"]:
    """A random change of sharpness, light, colour and noise, and now and then an erased rectangle."""
    height, width = image.shape[:2]
    if rng.random() < config.coarse:
        factor = np.exp(rng.uniform(np.log(config.coarsest), 0))
        small = (max(int(width * factor), 8), max(int(height * factor), 8))
        how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
        image = cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=how)
    if rng.random() < config.erase:
        box_height, box_width = (rng.uniform(0.08, 0.35, 2) * (height, width)).astype(int)
        top, left = rng.integers(0, height - box_height), rng.integers(0, width - box_width)
        image = image.copy()
        image[top : top + box_height, left : left + box_width] = rng.integers(0, 256, 3)
    if rng.random() < config.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    gain = np.exp(rng.normal(0, config.gain)) * np.exp(rng.normal(0, config.tint, 3))
    offset = rng.normal(0, 255 * config.offset)
    changed = (image.astype(np.float32) - 128) * gain.astype(np.float32) + np.float32(128 + offset)
    if config.noise:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        level = float(abs(rng.normal(0, 255 * config.noise)))
        cv2.randn(noise, np.zeros(3), np.full(3, level))
        changed += noise
    return np.clip(changed, 0, 255).astype(np.uint8)
