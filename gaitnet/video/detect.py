"""Finds the people of each frame: by the still scene they stand out from, or by a network."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from gaitnet.video.background import BackgroundModel
from gaitnet.video.read import Frame, VideoReader, probe

FindPeople = Callable[[UInt8[np.ndarray, "height width 3"]], tuple[np.ndarray, np.ndarray]]
"""A network as the detector sees it: RGB image -> boxes (person, 4) in image pixels, scores (person,)."""


class Detections(NamedTuple):
    """People of one frame: boxes x0, y0, x1, y1 in image pixels, scores 0..1, and whether the camera is at rest."""

    boxes: Float[np.ndarray, "person 4"]
    scores: Float[np.ndarray, " person"]
    still: bool


class PersonDetector:
    """Boxes of the people in a video, frame after frame.

    Before a camera at rest the foreground finds everyone who moves, with closer outlines than a small network's: with
    the two averaged, fewer of KTH's walkers were described and fewer named rightly. Before a moving camera, where no
    foreground is left, the network finds them, where one is given.

    Args:
        network: RGB image -> (boxes, scores), or None for the foreground alone.
        certain: score from which the network is believed.

    """

    def __init__(self, network: FindPeople | None = None, certain: float = 0.4) -> None:
        self.network, self.certain = network, certain
        self.background = BackgroundModel()

    def prime(self, path: str | Path) -> None:
        """Learn the still scene ahead, from frames spread over the beginning of the video at `path`.

        Damage is for whoever reads the video then to tell of.
        """
        memory, samples = self.background.memory, 60
        length = min(probe(path).duration or memory, memory)
        step = max(length / samples, 1e-3)
        with VideoReader(path, every=step, quiet=True) as reader:
            self.background.prime(frame for frame, _ in zip(reader, range(samples), strict=False))

    def __call__(self, frame: Frame) -> Detections:
        """People of the next frame; frames must come in order."""
        seen = self.background.update(frame)
        if self.network is None or seen.still:
            return Detections(seen.boxes, seen.scores, seen.still)
        boxes, scores = self.network(frame.image)
        sure = scores >= self.certain
        return Detections(boxes[sure], scores[sure], seen.still)


def box_iou(a: Float[np.ndarray, "one 4"], b: Float[np.ndarray, "other 4"]) -> Float[np.ndarray, "one other"]:
    """Intersection over union of every pair of boxes (x0, y0, x1, y1); 0 where a box is empty."""
    both = _intersection(a, b)
    union = _area(a)[:, None] + _area(b)[None] - both
    return np.where(union > 0, both / np.maximum(union, 1e-12), 0.0)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def _intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=-1)
