"""Pieces of photographs without the person they were taken of, to stand behind walkers."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Shaped, UInt8

from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import crop

MARGIN = 0.15
"""How far a person is taken to reach beyond the box of the joints, as a share of its longer side."""

LEAST = 1 / 3
"""Height of the smallest piece, as a share of the height that it is brought to."""


def cut_background(
    rng: np.random.Generator,
    image: UInt8[np.ndarray, "image_height image_width 3"],
    box: Shaped[np.ndarray, "4"],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "height width 3"] | None:
    """A piece of a picture beside, above or below the person in `box`, now and then mirrored, brought to `size`.

    `box` is x0, y0, x1, y1 in image pixels; `size` (height, width). None where no piece is large enough.
    """
    height, width = size
    rows, columns = image.shape[:2]
    around = MARGIN * max(box[2] - box[0], box[3] - box[1])
    low_x, low_y = np.maximum(box[:2] - around, 0)
    high_x, high_y = np.minimum(box[2:] + around, (columns, rows))
    strips = [(0, 0, low_x, rows), (high_x, 0, columns, rows), (0, 0, columns, low_y), (0, high_y, columns, rows)]
    # how tall a piece of the crop's proportions fits into each
    fitting = np.array([min(y1 - y0, (x1 - x0) * height / width) for x0, y0, x1, y1 in strips])
    chance = np.where(fitting >= LEAST * height, fitting**2, 0.0)
    if not chance.any():
        return None
    which = rng.choice(4, p=chance / chance.sum())
    x0, y0, x1, y1 = strips[which]
    scale = rng.uniform(max(LEAST * height, 0.5 * fitting[which]), fitting[which]) / height
    left = rng.uniform(x0, x1 - scale * width)
    top = rng.uniform(y0, y1 - scale * height)
    # from the edges of the piece to the centre of its first pixel
    corner = np.array([left, top]) + (scale - 1) / 2
    affine = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
    piece = crop(image, affine, size)
    return piece[:, ::-1] if rng.random() < 0.5 else piece


def make_backgrounds(
    rng: np.random.Generator,
    records: Sequence[PoseRecord],
    images: Callable[[PoseRecord], np.ndarray],
    count: int,
    size: tuple[int, int],
) -> UInt8[np.ndarray, "{count} height width 3"]:
    """`count` pieces of `size` (height, width), each of a photograph drawn anew.

    Raises:
        ValueError: hardly any of the photographs has room beside its person.
    """
    pieces: list[np.ndarray] = []
    for _ in range(20 * count + 20):
        if len(pieces) == count:
            break
        record = records[int(rng.integers(len(records)))]
        piece = cut_background(rng, images(record), record.box, size)
        if piece is not None:
            pieces.append(piece)
    if len(pieces) < count:
        raise ValueError(f"records: hardly any of these {len(records)} photographs has room beside the person in it")
    return np.stack(pieces) if pieces else np.zeros((0, *size, 3), np.uint8)
