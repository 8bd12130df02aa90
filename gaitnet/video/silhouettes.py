"""A person's outline in each frame, from what differs from the still scene; aligned as gait networks read it.

The tracks come first (`people.people`), with smoothed boxes from head to foot; then the video is read once more beside
a background model that has seen all of its beginning. Before a camera that moves there is no still scene, and no
silhouette. A dark shadow on a wall close by is taken for part of the person.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from gaitnet.silhouettes import SIZE, align_silhouettes
from gaitnet.video.background import BackgroundModel
from gaitnet.video.detect import PersonDetector
from gaitnet.video.read import VideoReader
from gaitnet.video.walk import PersonTrack

WORKING_SIZE = 640
"""Longest side, in pixels, of the picture in which people are outlined: finer than where they are only found."""
_SURE, _FAINT = 0.6, 0.3  # contrast of a pixel that is somebody's, and of one that is if it touches such a one
_SHADE = 0.22  # of the body's own contrast: what is fainter is a shadow or a reflection
_SHADED = 0.7  # of its contrast: what a pixel loses amid those that could be a shadow
_REACH = 0.45  # of the height: nobody who walks reaches further to the side
_SLACK = 0.02  # of the height, which the smoothed box may miss at head and feet
_GROUND, _SOLE = 0.12, 0.055  # of the height: how far up shadows on the ground lie, and what is thinner is no foot
_TRUNK = 0.15  # of the height to either side of the middle: a piece that reaches in there is part of the body
_GAP = 0.08  # of the height: what parts the pieces of a body at most
_WHOLE = 0.8  # of the height: an outline that reaches less far up and down has lost head or feet


class Silhouettes(NamedTuple):
    """One person's silhouettes.

    frames (time,) indices of the video from 0; aligned (time, size, size) 0 or more = how much of the pixel is person,
    up to 255; frame_mask (time,) False where no outline was found, with an empty picture there.
    """

    frames: Int[np.ndarray, " time"]
    aligned: UInt8[np.ndarray, "time size size"]
    frame_mask: Bool[np.ndarray, " time"]


def silhouettes_of(
    video: str | Path, tracks: Sequence[PersonTrack], size: int = SIZE, rate: float | int = 25.0
) -> dict[int, Silhouettes]:
    """Outline each described person of a video in every frame of the track.

    Args:
        video: the file or folder of pictures that the tracks are from.
        tracks: all segments of `people`; those with a `reason`, whom nobody described, are passed over.
        size: rows and columns of what comes out, as `align_silhouettes` has it.
        rate: pictures a second, for folders.

    Returns:
        For each `track_id` its silhouettes, frames rising.

    Raises:
        VideoError: the video cannot be read.

    """
    boxes: dict[int, dict[int, np.ndarray]] = {}
    for track in tracks:
        if track.reason is None:
            for index, box in zip(track.frames.tolist(), track.boxes, strict=True):
                boxes.setdefault(index, {})[track.track_id] = box
    return silhouettes_in_boxes(video, boxes, size, rate)


def silhouettes_in_boxes(
    video: str | Path,
    boxes: Mapping[int, Mapping[int, Float[np.ndarray, "4"]]],
    size: int = SIZE,
    rate: float | int = 25.0,
) -> dict[int, Silhouettes]:
    """As `silhouettes_of`, for people whose `boxes` (frame -> person -> x0, y0, x1, y1) come from anywhere."""
    found: dict[int, list[tuple[int, np.ndarray, bool]]] = {}
    if not boxes:
        return {}
    detector = PersonDetector()
    detector.background = BackgroundModel(WORKING_SIZE)
    detector.prime(video)
    last = max(boxes)
    with VideoReader(video, rate, quiet=True) as reader:
        for frame in reader:
            seen = detector.background.update(frame)
            present = boxes.get(frame.index, {})
            for track_id, box in present.items():
                others = np.array([other for one, other in present.items() if one != track_id]).reshape(-1, 4)
                person = None
                if seen.still:
                    person = outline(seen.contrast, seen.shadow, box * seen.scale, others * seen.scale)
                aligned, there = align_silhouettes(_enlarged(person, size), size)
                found.setdefault(track_id, []).append((frame.index, aligned[0], bool(there[0])))
            if frame.index >= last:
                break
    return {
        track_id: Silhouettes(np.array(frames), np.stack(pictures), np.array(mask))
        for track_id, entries in sorted(found.items())
        for frames, pictures, mask in [zip(*entries, strict=True)]
    }


def outline(
    contrast: Float32[np.ndarray, "height width"],
    shadow: Float32[np.ndarray, "height width"],
    box: Float[np.ndarray, "4"],
    others: Float[np.ndarray, "other 4"],
) -> UInt8[np.ndarray, "rows columns"] | None:
    """Cut one person's silhouette out of a foreground map.

    Args:
        contrast: 0 = scene, from 0.5 on foreground, up to 4; as `BackgroundModel.update` gives it.
        shadow: 1 where the pixel could be a cast shadow, else 0.
        box: x0, y0, x1, y1 of the person in pixels of the map, from head top to foot bottom.
        others: boxes of the others in the picture: a pixel belongs to whose middle is nearest.

    Returns:
        The part of the map about the person, 255 where the person is and 0 elsewhere; None where nothing is left.

    """
    height, width = contrast.shape
    tall, middle = box[3] - box[1], (box[0] + box[2]) / 2
    left, right = (int(np.clip(middle + side * _REACH * tall, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(edge, 0, height)) for edge in (box[1] - _SLACK * tall, box[3] + _SLACK * tall + 1))
    # a shadow is one far and wide; here and there also somebody's clothes look like one
    part = contrast[top:bottom, left:right] * (1 - _SHADED * cv2.blur(shadow, (3, 3))[top:bottom, left:right])
    if part.shape[0] < 4 or part.shape[1] < 2:
        return None
    columns = np.arange(left, right) + 0.5
    for other in (others[:, 0] + others[:, 2]) / 2:
        part = np.where(np.abs(columns - middle) <= np.abs(columns - other), part, np.float32(0))
    body = float(np.median(part.max(1)))
    sure, faint = max(_SURE, _SHADE * body), max(_FAINT, 0.6 * _SHADE * body)
    count, labels = cv2.connectedComponents((part > faint).astype(np.uint8), connectivity=8)
    kept = np.bincount(labels[part > sure], minlength=count) >= 3
    kept[0] = False
    mask = kept[labels].astype(np.uint8)
    reach = max(1, round(0.03 * tall)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    joined = cv2.morphologyEx(np.pad(mask, reach), cv2.MORPH_CLOSE, disc)[reach:-reach, reach:-reach]
    ground = max(0, round(box[3] - top - _GROUND * tall))
    sole = np.ones((max(2, round(_SOLE * tall)), 1), np.uint8)
    joined[ground:] = cv2.morphologyEx(joined, cv2.MORPH_OPEN, sole)[ground:]
    person = _joined(joined, (middle - left) + _TRUNK * tall * np.array([-1, 1]), tall)
    rows = np.flatnonzero(person.any(1))
    return person if len(rows) and rows[-1] + 1 - rows[0] >= _WHOLE * tall else None


def _joined(mask: np.ndarray, trunk: np.ndarray, tall: float) -> np.ndarray:
    """The largest piece and all that reach into the columns of the trunk, joined, small holes filled; 0 or 255.

    What stands apart is a shadow or another's arm. Skin before a wall of its colour parts a head or feet from the body.
    """
    least = 0.02 * tall * tall
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    first, last = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH]
    kept = (first < trunk[1]) & (last > trunk[0]) & (stats[:, cv2.CC_STAT_AREA] > least / 4)
    kept |= stats[:, cv2.CC_STAT_AREA] == stats[1:, cv2.CC_STAT_AREA].max(initial=0)
    kept[0] = False
    gap = max(1, round(_GAP * tall)) | 1
    person = np.pad(kept[labels].astype(np.uint8), [(gap, gap), (0, 0)])
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8)))[gap:-gap]
    _, holes, sizes, _ = cv2.connectedComponentsWithStats(np.pad(1 - person, 1, constant_values=1), connectivity=4)
    small = sizes[:, cv2.CC_STAT_AREA] < least  # the gap between two legs, closed at the feet, is larger
    small[holes[0, 0]] = False
    return np.maximum(person, small[holes][1:-1, 1:-1]).astype(np.uint8) * np.uint8(255)


def _enlarged(person: np.ndarray | None, size: int) -> np.ndarray:
    """One frame for `align_silhouettes`: a small person is enlarged, so that its bound on the mass says nothing."""
    if person is None:
        return np.zeros((1, 1, 1), np.uint8)
    scale = max(1.0, size / max(1, int(person.any(1).sum())))
    shape = max(1, round(person.shape[1] * scale)), max(1, round(person.shape[0] * scale))
    return np.asarray(cv2.resize(person, shape, interpolation=cv2.INTER_CUBIC))[None]
