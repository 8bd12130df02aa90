"""From a box in an image to the crop a network sees, and from the crop back to image pixels.

One affine (2, 3) per crop carries everything: image_xy = affine @ (crop_x, crop_y, 1), pixel centres at integers in
both. Mirroring is a negative first column in it. Undoing a mirror by `to_image` restores places, not names: what the
network called right in a mirrored crop is left in the image (`skeleton.FLIP`).
"""

import math

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

SIZE = (192, 144)
"""Default crop (height, width) in pixels."""

MARGIN = 1.25
"""Default crop height over the height of the box it is about."""


def box_from_keypoints(
    keypoints: Shaped[np.ndarray, "*lead joint 2"], visible: Shaped[np.ndarray, "*lead joint"]
) -> Float[np.ndarray, "*lead 4"]:
    """Return the tightest box (x0, y0, x1, y1) about the visible joints, in their pixels; NaN where none is visible."""
    seen = np.asarray(visible).astype(bool)[..., None]
    points = np.asarray(keypoints, np.float32)
    low = np.where(seen, points, np.inf).min(-2)
    high = np.where(seen, points, -np.inf).max(-2)
    return np.where(seen.any(-2), np.concatenate([low, high], -1), np.float32(np.nan)).astype(np.float32)


def crop_affine(
    box: Shaped[np.ndarray, "*lead 4"], size: tuple[int, int] = SIZE, margin: float = MARGIN, mirror: bool = False
) -> Float[np.ndarray, "*lead 2 3"]:
    """Build affines (..., 2, 3) from pixels of a crop of `size` (height, width) to image pixels.

    The crop shares the centre of `box` (x0, y0, x1, y1 in image pixels), keeps the aspect, and is `margin` times as
    high as the smallest rectangle of the crop's proportions that holds the box. `mirror` flips it left to right. Raises
    ValueError where a box is not finite or neither its width nor its height is positive.
    """
    height, width = size
    if height < 1 or width < 1 or not margin > 0:
        raise ValueError(f"size must be (height, width) >= 1 and margin > 0, got size={size}, margin={margin}")
    corners = np.asarray(box, np.float64)
    extent = corners[..., 2:] - corners[..., :2]
    crop_height = margin * np.maximum(extent[..., 1], extent[..., 0] * height / width)
    sound = np.isfinite(corners).all(-1) & (extent >= 0).all(-1) & (crop_height > 0)
    if not np.all(sound):
        bad = corners.reshape(-1, 4)[~sound.reshape(-1)][0]
        raise ValueError(
            f"box must be finite x0, y0, x1, y1 with x1 >= x0, y1 >= y0 and some extent, got {bad.tolist()}"
        )
    scale = crop_height / height
    centre = (corners[..., :2] + corners[..., 2:]) / 2
    affine = np.zeros((*corners.shape[:-1], 2, 3))
    affine[..., 0, 0] = -scale if mirror else scale
    affine[..., 1, 1] = scale
    affine[..., 0, 2] = centre[..., 0] - affine[..., 0, 0] * (width - 1) / 2
    affine[..., 1, 2] = centre[..., 1] - scale * (height - 1) / 2
    return affine


def crop(
    image: UInt8[np.ndarray, "height width 3"], affine: Float[np.ndarray, "2 3"], size: tuple[int, int] = SIZE
) -> UInt8[np.ndarray, "{size[0]} {size[1]} 3"]:
    """Cut a crop of `size` (height, width) from an RGB image, by an affine crop pixels -> image pixels.

    Bilinear, border replicated. Where the crop is more than twice as coarse as the image, the image is averaged over
    whole blocks first, so that nothing aliases. Raises ValueError for an empty image or an affine that is not finite or
    leads a million pixels away.
    """
    if 0 in image.shape:
        raise ValueError(f"image must have pixels, got shape {image.shape}")
    if not np.abs(affine).max() < 1e6:
        raise ValueError(f"affine must be finite and below a million pixels, got {np.asarray(affine).tolist()}")
    matrix = np.array(affine, np.float64)
    (a, b, x), (c, d, y) = matrix.tolist()
    block = math.isqrt(int(abs(a * d - b * c)))
    block = min(block, max(image.shape[:2])) if block >= 2 else 1  # beyond the image there is nothing to average
    # Only the part of the image that the crop reaches: averaging costs less, and OpenCV's 16-bit coordinates suffice.
    height, width = size
    left, right = _reach(x, a * (width - 1), b * (height - 1), 2 * block, image.shape[1])
    top, bottom = _reach(y, c * (width - 1), d * (height - 1), 2 * block, image.shape[0])
    part = image[top:bottom, left:right]
    if block > 1:
        columns, rows = -(-part.shape[1] // block), -(-part.shape[0] // block)
        part = cv2.copyMakeBorder(
            part, 0, rows * block - part.shape[0], 0, columns * block - part.shape[1], cv2.BORDER_REPLICATE
        )
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel i of `part` has its centre at (left, top) + block * i + (block - 1) / 2 in the image.
    matrix[:, 2] -= (left + (block - 1) / 2, top + (block - 1) / 2)
    matrix /= block
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # OpenCV warps four channels twice as fast as three, to the same values.
    four = cv2.cvtColor(part, cv2.COLOR_RGB2RGBA)
    warped = cv2.warpAffine(four, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB))


def _reach(start: float, along: float, across: float, margin: int, limit: int) -> tuple[int, int]:
    """Pixels [first, last) of an axis that a crop sees whose corner is at `start`, and whose sides lead on by two."""
    low = start + min(along, 0.0) + min(across, 0.0)
    high = start + max(along, 0.0) + max(across, 0.0)
    first = min(max(math.floor(low) - margin, 0), limit - 1)
    return first, min(max(math.ceil(high) + margin + 1, first + 1), limit)


def to_image(
    keypoints: Float[np.ndarray, "*lead joint 2"], affine: Float[np.ndarray, "*lead 2 3"]
) -> Float[np.ndarray, "*lead joint 2"]:
    """Map keypoints (..., joint, xy) in crop pixels -> image pixels."""
    return (keypoints @ np.swapaxes(affine[..., :2], -1, -2) + affine[..., None, :, 2]).astype(keypoints.dtype)


def to_crop(
    keypoints: Float[np.ndarray, "*lead joint 2"], affine: Float[np.ndarray, "*lead 2 3"]
) -> Float[np.ndarray, "*lead joint 2"]:
    """Map keypoints (..., joint, xy) in image pixels -> crop pixels: the inverse of `to_image`."""
    inverse = np.linalg.inv(affine[..., :2])
    return ((keypoints - affine[..., None, :, 2]) @ np.swapaxes(inverse, -1, -2)).astype(keypoints.dtype)
