"""A video without its colours: grey, and the brightness of everybody's top and trousers drawn anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.recognizer import Person

DARKEST, BRIGHTEST = 30.0, 210.0
"""Grey levels between which the mean brightness of a garment is drawn."""
_TOP = (("thorax", "pelvis", 0.085), ("r_shoulder", "r_elbow", 0.035), ("l_shoulder", "l_elbow", 0.035),
        ("r_elbow", "r_wrist", 0.03), ("l_elbow", "l_wrist", 0.03))  # fmt: skip
_TROUSERS = (("r_hip", "r_knee", 0.055), ("l_hip", "l_knee", 0.055), ("r_knee", "r_ankle", 0.04),
             ("l_knee", "l_ankle", 0.04), ("r_hip", "l_hip", 0.055))  # fmt: skip
"""From joint to joint, and the radius around the line that counts as cloth, in heights of the person's box."""


def repaint(video: Path, people: "Sequence[Person]", path: Path, seed: int) -> None:
    """Write the video in grey, everybody's top and trousers at a mean brightness that `seed` draws.

    Painted are the frames in which somebody of `people` was seen; folds and edges are kept.
    """
    import numpy as np

    from gaitnet.video.read import VideoReader
    from gaitnet.video.write import VideoWriter

    rng = np.random.default_rng(seed)
    wanted = rng.uniform(DARKEST, BRIGHTEST, (len(people), 2))
    rows = [{int(frame): row for row, frame in enumerate(person.frames)} for person in people]
    with VideoReader(video) as reader, VideoWriter(path, quality=16) as writer:
        for frame in reader:
            grey = grey_of(frame.image)
            for person, row_of, brightness in zip(people, rows, wanted, strict=True):
                if frame.index in row_of:
                    row = row_of[frame.index]
                    tall = float(person.boxes[row, 3] - person.boxes[row, 1])
                    for limbs, level in zip((_TROUSERS, _TOP), brightness, strict=True):
                        grey = shifted(grey, cloth(grey.shape, person.keypoints[row], tall, limbs), float(level))
            levels = np.clip(np.round(grey), 0, 255).astype(np.uint8)
            writer.write(np.repeat(levels[..., None], 3, axis=2), frame.time)


def grey_of(image: "np.ndarray") -> "np.ndarray":
    """Luma (ITU-R BT.601) of an RGB picture, float, 0..255."""
    import numpy as np

    return image @ np.array([0.299, 0.587, 0.114], np.float32)


def shifted(grey: "np.ndarray", mask: "np.ndarray", level: float) -> "np.ndarray":
    """A grey picture whose part under `mask` (0..1) has the mean brightness `level`; its structure is kept."""
    weight = float(mask.sum())
    if weight < 1:
        return grey
    return grey + mask * (level - float((grey * mask).sum()) / weight)


def cloth(
    shape: tuple[int, ...], keypoints: "np.ndarray", tall: float, limbs: Sequence[tuple[str, str, float]]
) -> "np.ndarray":
    """Mask (height, width), 0..1 with soft edges, of limbs given by their joints; `tall` is the person's in pixels."""
    import cv2
    import numpy as np

    from humanpose.skeleton import INDEX

    mask = np.zeros(shape[:2], np.float32)
    for start, end, radius in limbs:
        a, b = (tuple(round(float(value)) for value in keypoints[INDEX[name]]) for name in (start, end))
        cv2.line(mask, a, b, 1.0, max(1, round(2 * radius * tall)))
    return cv2.GaussianBlur(mask, (0, 0), max(0.01 * tall, 0.5))
