"""The trained detector as `PersonDetector` wants it: any RGB image in, boxes in its pixels out."""

import cv2
import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, UInt8

from gaitnet.centres import decode_boxes
from gaitnet.models.detector import STRIDE, Detector
from gaitnet.video.detect import FindPeople, box_iou


def letterbox(
    image: UInt8[np.ndarray, "height width 3"], size: int, square: bool = False
) -> tuple[UInt8[np.ndarray, "canvas_height canvas_width 3"], float]:
    """Scale an image to a longest side of `size` and pad it, grey, at the right and below to multiples of 32.

    Returns the canvas (a square one on request) and the scale: canvas pixels = scale * image pixels.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    new = max(1, round(width * scale)), max(1, round(height * scale))
    flag = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, new, interpolation=flag)
    sides = (size, size) if square else (-(-new[1] // 32) * 32, -(-new[0] // 32) * 32)
    canvas = np.full((*sides, 3), 114, np.uint8)
    canvas[: new[1], : new[0]] = small
    return canvas, scale


def people_finder(model: Detector, least: float = 0.2) -> FindPeople:
    """Turn a detector into a function image -> (boxes (person, 4) in image pixels, scores (person,)).

    Boxes under a score of `least` are left out, boxes beside the picture, and the weaker of two that overlap by more
    than 0.6.
    """
    graphdef, state = nnx.split(model)

    @jax.jit
    def forward(state, images):
        centres = nnx.merge(graphdef, state)(images)
        return decode_boxes(centres.logits, centres.sides, STRIDE)

    def find(image: UInt8[np.ndarray, "height width 3"]) -> tuple[np.ndarray, np.ndarray]:
        canvas, scale = letterbox(image, model.config.size)
        found = forward(state, canvas[None])
        boxes, scores = np.asarray(found[0][0], float), np.asarray(found[1][0], float)
        sure = scores >= least
        boxes, scores = boxes[sure] / scale, scores[sure]
        height, width = image.shape[:2]
        boxes = np.clip(boxes, 0, np.array([width, height, width, height]))
        # whatever is seen in the grey that fills the canvas up is clipped to a line at the picture's edge
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        boxes, scores = boxes[inside], scores[inside]
        kept = strongest_apart(boxes, scores)
        return boxes[kept], scores[kept]

    return find


def strongest_apart(
    boxes: Float[np.ndarray, "person 4"], scores: Float[np.ndarray, " person"], most: float = 0.6
) -> list[int]:
    """Indices of the boxes, strongest first, of which no two overlap by more than `most` (IoU)."""
    overlap = box_iou(boxes, boxes)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if all(overlap[index, other] <= most for other in kept):
            kept.append(int(index))
    return kept
