"""People before a fixed camera: what differs from the still scene, cleaned of shadows and reflections, as boxes.

The scene is the per-pixel median of pictures spread over the last `memory` seconds (a median of background samples is
robust while every place is empty more than half the time; Piccardi 2004 surveys the family). A picture is compared
with the darkest and brightest value of the scene in a 3x3 neighbourhood, after its brightness and its small shift are
taken out, so that exposure control and a hand's tremor do not light up every edge.
"""

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Float32

from gaitnet.video.read import Frame
from gaitnet.video.shapes import SMALLEST, person_boxes

SAMPLES = 60
_FLOOR = 10.0  # grey levels: below it, no difference counts, whatever the noise
_PAN = 0.5  # working pixels a picture: a camera that goes on moving so fast does not rest
_DEVIATIONS = 4.0  # of the pixel's own noise


class Foreground(NamedTuple):
    """What moved in one picture.

    boxes: (person, 4) x0, y0, x1, y1 in image pixels; scores: (person,) 0..1, how much like a person each is;
    contrast: (height, width) of the working picture, 0 = scene, 1 = surely not; scale: working pixels per image pixel;
    still: False while the camera moves, when boxes mean nothing and are empty; shadow: (height, width) of the working
    picture, 1 where it is darker than the scene by no more than a cast shadow and of its colour, else 0.
    """

    boxes: Float[np.ndarray, "person 4"]
    scores: Float[np.ndarray, " person"]
    contrast: Float32[np.ndarray, "height width"]
    scale: float
    still: bool
    shadow: Float32[np.ndarray, "height width"]


class BackgroundModel:
    """Learns the still scene of a fixed camera and finds what stands out from it.

    Args:
        working_size: longest side, in pixels, of the picture that is worked on.
        memory: seconds over which the scene is remembered; a change that lasts half as long becomes scene.

    """

    def __init__(self, working_size: int = 320, memory: float | int = 40.0) -> None:
        if working_size < 16:
            raise ValueError(f"working_size: expected at least 16 pixels, got {working_size}")
        if memory <= 0:
            raise ValueError(f"memory: expected seconds above 0, got {memory}")
        self.working_size, self.memory = working_size, memory
        self._samples: deque[np.ndarray] = deque(maxlen=SAMPLES)
        self._fresh = 0  # samples since the scene was last computed
        self._next = 0.0  # when the next sample is due, seconds
        self._scene: _Scene | None = None
        self._last: np.ndarray | None = None
        self._drift = np.zeros(2)  # smoothed shift (x, y) from picture to picture, working pixels
        self._flooded = 0  # successive pictures that differ nearly everywhere

    def prime(self, frames: Iterable[Frame]) -> None:
        """Learn the scene ahead of its use from frames spread over the first `memory` seconds."""
        time = 0.0
        for frame in frames:
            self._samples.append(self._shrink(frame.image))
            time = frame.time
        if self._samples:
            self._scene = _Scene.of(list(self._samples))
            self._next = time + self.memory / SAMPLES

    def update(self, frame: Frame) -> Foreground:
        """Find what stands out in this frame, and go on learning the scene."""
        small = self._shrink(frame.image)
        scale = small.shape[1] / frame.image.shape[1]
        self._learn(small, frame.time)
        assert self._scene is not None
        scene = self._scene
        contrast = scene.compare(small)
        share = float((contrast > 0.5).mean())
        self._flooded = self._flooded + 1 if share > 0.5 else 0
        self._feel(small)
        still = bool(np.hypot(*self._drift) < _PAN and share <= 0.5)
        if self._flooded > 15:  # the camera stands elsewhere now
            self._samples.clear()
            self._scene, self._flooded = None, 0
        if not still:
            return Foreground(np.zeros((0, 4)), np.zeros(0), contrast, scale, False, scene.shadowness)
        boxes, scores = person_boxes(contrast, scene.shadowness)
        if not len(boxes):  # somebody far away is not described, but told why
            boxes, scores = person_boxes(contrast, scene.shadowness, SMALLEST / 2)
        # a working pixel k covers the image pixels from k/scale - 0.5: its outline scales without an offset
        return Foreground((boxes / scale), scores, contrast, scale, True, scene.shadowness)

    def _shrink(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        scale = min(1.0, self.working_size / max(height, width))
        size = max(2, round(width * scale)), max(2, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if size != (width, height) else image
        return cv2.GaussianBlur(small, (3, 3), 0)

    def _learn(self, small: np.ndarray, time: float) -> None:
        if self._samples and small.shape != self._samples[-1].shape:
            self._samples.clear()
        young = len(self._samples) < 12
        if self._scene is None or time >= self._next:
            self._samples.append(small)
            self._fresh += 1
            self._next = time + (0.2 if young else self.memory / SAMPLES)
        if self._scene is None or self._fresh >= (1 if young else 6):
            self._scene = _Scene.of(list(self._samples))
            self._fresh = 0

    def _feel(self, small: np.ndarray) -> None:
        """Keep the smoothed shift from picture to picture, which tells a pan from a camera at rest."""
        grey = cv2.convertScaleAbs(_thumbnail(small))
        if self._last is not None and self._last.shape == grey.shape:
            step = _shift(self._last, grey) * small.shape[1] / grey.shape[1]
            self._drift = 0.85 * self._drift + 0.15 * step
        self._last = grey


class _Scene:
    """The median picture, how far each pixel strays from it, and how to compare another picture with it."""

    def __init__(self, median: np.ndarray, noise: np.ndarray) -> None:
        self.median = median  # (height, width, rgb) uint8
        self.weight = 0.5 / np.maximum(_FLOOR, _DEVIATIONS * noise)  # grey levels -> contrast
        box = np.ones((3, 3), np.uint8)
        self.low, self.high = cv2.erode(median, box), cv2.dilate(median, box)
        self.luma = cv2.cvtColor(median, cv2.COLOR_RGB2YCrCb)
        self.darkest = cv2.convertScaleAbs(self.luma[..., 0], alpha=0.55)
        self.thumbnail = _thumbnail(median)
        self.shadowness = np.zeros(median.shape[:2], np.float32)

    @classmethod
    def of(cls, samples: list[np.ndarray]) -> "_Scene":
        stack = np.stack(samples)
        median = _median(stack)
        for index, sample in enumerate(samples):
            stack[index] = cv2.convertScaleAbs(sample, alpha=1 / _gain(sample, median))
        median = _median(stack)
        astray = np.maximum(stack, median) - np.minimum(stack, median)
        noise = 1.4826 * _median(astray.max(-1)).astype(np.float32)
        return cls(median, cv2.dilate(noise, np.ones((3, 3), np.uint8)))

    def compare(self, small: np.ndarray) -> np.ndarray:
        """Contrast (height, width) of a picture against the scene."""
        image = self._settle(cv2.convertScaleAbs(small, alpha=1 / _gain(small, self.median)))
        beyond = cv2.max(cv2.subtract(image, self.high), cv2.subtract(self.low, image))
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
        apart = cv2.absdiff(luma, self.luma)
        colour = np.maximum(apart[..., 1], apart[..., 2])
        distance = cv2.max(cv2.max(beyond[..., 0], beyond[..., 1]), beyond[..., 2]).astype(np.float32)
        distance += 1.5 * np.maximum(colour, 4) - 6
        # a cast shadow darkens a little and keeps the colour (Horprasert et al. 1999)
        grey = luma[..., 0]
        self.shadowness = ((grey > self.darkest) & (grey < self.luma[..., 0]) & (colour < 6)).astype(np.float32)
        distance *= (1 - 0.4 * self.shadowness) * self.weight
        return np.minimum(distance, 4).astype(np.float32)

    def _settle(self, image: np.ndarray) -> np.ndarray:
        """Move the picture onto the scene where that makes it fit better."""
        thumbnail = _thumbnail(image)
        if min(thumbnail.shape) < 16:
            return image
        (x, y), _ = cv2.phaseCorrelate(self.thumbnail, thumbnail, _hann(thumbnail.shape))
        ratio = image.shape[1] / thumbnail.shape[1]
        x, y = x * ratio, y * ratio
        if not 0.2 < np.hypot(x, y) < 0.04 * max(image.shape):
            return image
        moved = _moved(image, x, y)
        fits = _misfit(moved, self.median) < 0.92 * _misfit(image, self.median)
        return moved if fits else image


def _shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Shift (x, y) in pixels of the whole picture: the common motion of corners that lie far apart, else 0.

    Corners of one walker before a plain wall agree too, but do not span the picture (Shi and Tomasi, 1994, for the
    corners; Lucas and Kanade, 1981, for their motion).
    """
    height, width = before.shape
    if min(height, width) < 16:
        return np.zeros(2)
    corners = cv2.goodFeaturesToTrack(before, 80, 0.02, 5)
    if corners is None or len(corners) < 8:
        return np.zeros(2)
    start = np.asarray(corners, np.float32)
    end, status, _ = cv2.calcOpticalFlowPyrLK(before, after, start, np.empty_like(start), winSize=(11, 11), maxLevel=2)
    seen = np.asarray(status).reshape(-1) > 0
    places, steps = start.reshape(-1, 2)[seen], (np.asarray(end) - start).reshape(-1, 2)[seen]
    if len(steps) < 8:
        return np.zeros(2)
    common = np.median(steps, axis=0)
    agree = np.hypot(*(steps - common).T) < 0.4
    spans = np.ptp(places[agree], axis=0) if agree.any() else np.zeros(2)
    wide = agree.mean() > 0.4 and spans[0] > 0.5 * width and spans[1] > 0.35 * height
    return common.astype(float) if wide else np.zeros(2)


def _moved(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Move the picture back by (x, y) pixels."""
    height, width = image.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    move = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return np.asarray(cv2.warpAffine(image, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _misfit(image: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels, in which no single pixel counts for more than 30."""
    return float(np.minimum(cv2.absdiff(image, other), 30).mean())


def _median(stack: np.ndarray) -> np.ndarray:
    """Lower median over the first axis, kept in uint8 because a partition of bytes is several times faster."""
    middle = (len(stack) - 1) // 2
    return np.partition(stack, middle, axis=0)[middle]


def _gain(image: np.ndarray, scene: np.ndarray) -> float:
    """How much brighter than the scene a picture is on the whole: the median ratio, which people do not move."""
    a, b = image[::3, ::3, 1].astype(np.float32), scene[::3, ::3, 1]
    usable = (a > 8) & (a < 250) & (b > 8) & (b < 250)
    if usable.sum() < 50:
        return 1.0
    return float(np.clip(np.median(a[usable] / b[usable]), 0.5, 2.0))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, 160 / max(height, width))
    grey = image[..., 1].astype(np.float32)
    return cv2.resize(grey, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=1)  # one video at a time is the rule
def _hann(shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(cv2.createHanningWindow(shape[::-1], cv2.CV_32F))
