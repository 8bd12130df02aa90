"""Finds the people of each frame: by the still scene they stand out from, by a network, or by both."""

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

    With a fixed camera the foreground alone finds everyone who moves. The network, where given, also finds people
    before a moving camera, people who stand still, and parts those whom the foreground joins.

    Args:
        network: RGB image -> (boxes, scores), or None for the foreground alone.
        every: the network looks at every so-manieth frame while the camera rests, and at all of them otherwise.
        certain: score from which a person whom only the network sees is believed.

    """

    def __init__(self, network: FindPeople | None = None, every: int = 1, certain: float = 0.4) -> None:
        if every < 1:
            raise ValueError(f"every: expected a whole number of frames from 1, got {every}")
        self.network, self.every, self.certain = network, every, certain
        self.background = BackgroundModel()

    def prime(self, path: str | Path) -> None:
        """Learn the still scene ahead, from frames spread over the beginning of the video at `path`."""
        memory, samples = self.background.memory, 60
        length = min(probe(path).duration or memory, memory)
        step = max(length / samples, 1e-3)
        with VideoReader(path, every=step) as reader:
            self.background.prime(frame for frame, _ in zip(reader, range(samples), strict=False))

    def __call__(self, frame: Frame) -> Detections:
        """People of the next frame; frames must come in order."""
        seen = self.background.update(frame)
        if self.network is None or (seen.still and frame.index % self.every):
            return Detections(seen.boxes, seen.scores, seen.still)
        boxes, scores = self.network(frame.image)
        boxes, scores = join(seen.boxes, seen.scores, np.asarray(boxes, float), np.asarray(scores, float), self.certain)
        return Detections(boxes, scores, seen.still)


def join(
    foreground: Float[np.ndarray, "person 4"],
    foreground_scores: Float[np.ndarray, " person"],
    network: Float[np.ndarray, "other 4"],
    network_scores: Float[np.ndarray, " other"],
    certain: float = 0.4,
) -> tuple[Float[np.ndarray, "joined 4"], Float[np.ndarray, " joined"]]:
    """One list of boxes from two finders.

    A foreground box that covers several network boxes is replaced by them; one that fits a single network box is
    averaged with it, by their scores; one without a partner stays. A network box without a partner stays where it
    scores `certain` or more.
    """
    sure = network_scores >= certain
    covered = _covered(network, foreground) > 0.6 if len(network) and len(foreground) else np.zeros((0, 0), bool)
    overlap = box_iou(network, foreground)
    boxes: list[np.ndarray] = []
    scores: list[float] = []
    used = np.zeros(len(network), bool)
    for k, (box, score) in enumerate(zip(foreground, foreground_scores, strict=True)):
        inside = np.flatnonzero(covered[:, k] & sure) if covered.size else np.zeros(0, int)
        if len(inside) >= 2:
            continue
        best = int(overlap[:, k].argmax()) if len(network) else -1
        if best >= 0 and overlap[best, k] > 0.4 and not used[best]:
            used[best] = True
            weight = network_scores[best] / (network_scores[best] + score + 1e-9)
            boxes.append(weight * network[best] + (1 - weight) * box)
            scores.append(1 - (1 - float(score)) * (1 - float(network_scores[best])))
        elif len(inside) == 1 and not used[inside[0]]:
            used[inside[0]] = True
            boxes.append(network[inside[0]])
            scores.append(float(network_scores[inside[0]]))
        else:
            boxes.append(box)
            scores.append(float(score))
    alone = sure & ~used
    boxes.extend(network[alone])
    scores.extend(network_scores[alone].tolist())
    return np.array(boxes, float).reshape(-1, 4), np.array(scores, float)


def box_iou(a: Float[np.ndarray, "one 4"], b: Float[np.ndarray, "other 4"]) -> Float[np.ndarray, "one other"]:
    """Intersection over union of every pair of boxes (x0, y0, x1, y1); 0 where a box is empty."""
    both = _intersection(a, b)
    union = _area(a)[:, None] + _area(b)[None] - both
    return np.where(union > 0, both / np.maximum(union, 1e-12), 0.0)


def _covered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of each box of `a` that lies in each box of `b`."""
    return _intersection(a, b) / np.maximum(_area(a), 1e-12)[:, None]


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def _intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=-1)
