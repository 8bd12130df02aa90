"""Silhouettes as gait networks read them: each of one height about its own middle, cut to 64x44, or averaged.

The alignment is OpenGait's pretreatment (Fan et al., "OpenGait", CVPR 2023; the same steps as GaitSet's, Chao et al.,
AAAI 2019), frame by frame, so that what is aligned here and what others aligned can be mixed.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

SIZE = 64
"""Rows and columns of an aligned silhouette."""
LEAST_SUM = 10_000
"""Sum of a frame's pixels (0..255) up to which it counts as empty: some forty white pixels."""


def align_silhouettes(
    frames: UInt8[np.ndarray, "time height width"], size: int = SIZE
) -> tuple[UInt8[np.ndarray, "time size size"], Bool[np.ndarray, " time"]]:
    """Bring each silhouette to the same height and centre it, as OpenGait's pretreatment does.

    A frame is cropped to the rows that are not empty, resized to `size` rows (bicubic, aspect kept), and cut to
    `size` columns about its middle column, the first at which more than half of the mass is passed.

    Args:
        frames: 0 = background, 255 = person; between, how much of the pixel the person covers. One person a frame.
        size: rows and columns of what comes out, even.

    Returns:
        aligned (time, size, size), 0..255; frame_mask (time,), False where a frame's pixels sum up to LEAST_SUM or
        less: that frame is empty, and 0 throughout in `aligned`. OpenGait leaves it out: `aligned[frame_mask]`.

    Raises:
        ValueError: `size` is not even and positive; a frame has no pixels; `frames` holds 0 and 1 instead of 0 and 255.

    """
    if size < 2 or size % 2:
        raise ValueError(f"size: expected an even number of pixels from 2 on, got {size}; OpenGait's are 64 and 128")
    time, height, width = frames.shape
    if not height or not width:
        raise ValueError(f"frames: expected (time, height, width) with pixels in each frame, got {frames.shape}")
    if frames.size and frames.max() == 1:
        raise ValueError("frames: expected 255 where the person is, got 1 as the largest value; multiply by 255")
    aligned = np.zeros((time, size, size), np.uint8)
    frame_mask = frames.sum((1, 2), dtype=np.int64) > LEAST_SUM
    filled = np.asarray(frames.any(2))
    tops, bottoms = filled.argmax(1), height - filled[:, ::-1].argmax(1)
    for index in np.flatnonzero(frame_mask):
        aligned[index] = _centred(frames[index, tops[index] : bottoms[index]], size)
    return aligned, frame_mask


def _centred(person: np.ndarray, size: int) -> np.ndarray:
    """Resize rows that hold a person to `size` of them, and cut `size` columns about its middle."""
    columns = max(1, int(size * (person.shape[1] / person.shape[0])))  # OpenGait's order: a product may round otherwise
    resized = cv2.resize(np.ascontiguousarray(person), (columns, size), interpolation=cv2.INTER_CUBIC)
    mass = resized.sum(0, dtype=np.int64).cumsum()
    middle, half = int((mass > mass[-1] / 2).argmax()), size // 2
    return np.pad(resized, [(0, 0), (half, half)])[:, middle : middle + size]


def cut_sides(aligned: UInt8[np.ndarray, "*time height width"]) -> Float32[np.ndarray, "*time height narrow"]:
    """Cut the empty sides off aligned silhouettes and scale to 0..1, as OpenGait's networks read them.

    Of each 64 columns 10 go on either side: 64x64 becomes 64x44, 128x128 becomes 128x88. Silhouettes of fewer than 64
    columns stay whole.
    """
    width = aligned.shape[-1]
    side = width // 64 * 10
    return aligned[..., side : width - side].astype(np.float32) / np.float32(255)


def gait_energy_image(
    aligned: UInt8[np.ndarray, "time height width"], frame_mask: Bool[np.ndarray, " time"]
) -> Float32[np.ndarray, "height width"]:
    """Average the aligned silhouettes of a walk (Han & Bhanu, "Individual recognition using gait energy image", 2006).

    Args:
        aligned: 0..255, from `align_silhouettes`.
        frame_mask: True for the frames that count.

    Returns:
        Share 0..1 of the frames in which the person covers the pixel.

    Raises:
        ValueError: no frame counts.

    """
    if not frame_mask.any():
        raise ValueError(
            f"frame_mask: expected at least one frame that counts, got none of {len(frame_mask)}; "
            "a walk without a silhouette is not described: count it as such"
        )
    total = aligned[frame_mask].sum(0, dtype=np.int64)
    return (total / (255.0 * frame_mask.sum())).astype(np.float32)
