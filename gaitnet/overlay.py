"""Joints, limbs, boxes and names onto pictures: what was seen, for somebody to check by eye.

Everything is drawn with soft edges at fractions of a pixel, in sizes that follow the walker and the picture, so that
160x120 reads as well as 1280x720. Right limbs are orange, left ones blue; a joint the network doubts is see-through.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from gaitnet.identification.open_set import in_percent
from gaitnet.video.read import VideoReader
from gaitnet.video.write import VideoWriter
from humanpose.skeleton import INDEX, JOINTS, LIMBS

LEAST_HEIGHT = 480
"""Pictures that are lower are enlarged by a whole factor until they reach so many pixels."""
LONGEST_SIDE = 1920
"""No picture is enlarged beyond this."""
PATIENCE = 0.35
"""Seconds between two seen frames of a track across which the joints are drawn, moved evenly from one to the other."""
CERTAIN = 0.6
"""Joint probability from which a joint is drawn solid."""

RIGHT, LEFT, MIDDLE = (255, 138, 44), (64, 156, 255), (235, 238, 245)
QUIET = (150, 156, 168)
_DARK = (14, 17, 24)
_NAMED = (
    (46, 204, 138), (255, 205, 64), (226, 110, 255), (64, 212, 230),
    (255, 107, 129), (168, 224, 80), (150, 140, 255), (255, 160, 110),
)  # fmt: skip


class Label(NamedTuple):
    """What is written above a person: a name, how sure (0..1, or None), and whether in grey (nobody known)."""

    name: str
    confidence: float | None = None
    quiet: bool = False


@runtime_checkable
class Track(Protocol):
    """What is drawn of a person: `frames` (time,) rising, from 0; `times` in seconds; the rest in image pixels.

    `keypoints` and `probability` are as long as the others, or empty where only boxes are known.
    """

    frames: Int[np.ndarray, " time"]
    times: Float[np.ndarray, " time"]
    boxes: Float[np.ndarray, "time 4"]
    keypoints: Float[np.ndarray, "known 16 2"]
    probability: Float[np.ndarray, "known 16"]


class Seen(NamedTuple):
    """One person in one picture, in its pixels: `box` x0, y0, x1, y1, `keypoints` (joint, xy), `probability` 0..1."""

    box: Shaped[np.ndarray, "4"]
    keypoints: Shaped[np.ndarray, "16 2"]
    probability: Shaped[np.ndarray, "16"]
    label: Label | None = None


def write_overlay(
    video: str | Path,
    people: Sequence[Track],
    labels: Sequence[Label | None],
    path: str | Path,
    progress: Callable[[int, int | None], None] | None = None,
) -> None:
    """Write the video again with the people drawn in, one frame in memory at a time.

    Damage was told when the people were found.

    Args:
        video: the file or folder of pictures the people were found in.
        people: tracks, in any order; a person is drawn between the first and the last frame of theirs.
        labels: one for each of `people`; None writes nothing.
        path: the mp4; appears when it is whole, and replaces what was there.
        progress: called with (frames done, frames in all or None where the file does not tell).

    Raises:
        VideoError: the video cannot be read.
        ValueError: `path` is the video itself, or `labels` and `people` differ in length.
        OSError: `path` cannot be written.

    """
    if len(labels) != len(people):
        raise ValueError(f"labels: expected one for each of {len(people)} people, got {len(labels)}")
    if Path(path).exists() and Path(path).resolve() == Path(video).resolve():
        raise ValueError(f"path: {path} is the video itself; choose another name for the overlay")
    with VideoReader(video, quiet=True) as reader, VideoWriter(path, rate=reader.info.rate) as writer:
        for done, frame in enumerate(reader, 1):
            writer.write(draw(frame.image, seen_at(people, labels, frame.index)), frame.time)
            if progress is not None:
                progress(done, reader.info.frames)


def seen_at(people: Sequence[Track], labels: Sequence[Label | None], frame: int) -> list[Seen]:
    """The people in one frame of their video, between two seen frames on the straight line from one to the other."""
    found = []
    for person, label in zip(people, labels, strict=True):
        if not len(person.frames) or not person.frames[0] <= frame <= person.frames[-1]:
            continue
        after = int(np.searchsorted(person.frames, frame))
        before = after if person.frames[after] == frame else after - 1
        if person.times[after] - person.times[before] > PATIENCE:
            continue
        part = (frame - person.frames[before]) / max(1, person.frames[after] - person.frames[before])
        known = len(person.keypoints) == len(person.frames)  # whoever is not described may have boxes alone
        columns = (person.boxes, person.keypoints, person.probability) if known else (person.boxes,)
        box, *joints = ((1 - part) * column[before] + part * column[after] for column in columns)
        keypoints, probability = joints if known else (np.zeros((len(JOINTS), 2)), np.zeros(len(JOINTS)))
        found.append(Seen(box, keypoints, probability, label))
    return found


def draw(image: UInt8[np.ndarray, "height width 3"], people: Sequence[Seen]) -> UInt8[np.ndarray, "tall wide 3"]:
    """A copy of the picture with the people drawn in, enlarged where it is small (see `enlargement`)."""
    factor = enlargement(*image.shape[:2])
    canvas = enlarge(image, factor) if factor > 1 else image.copy()
    larger = [
        person._replace(
            box=(np.asarray(person.box, float) + 0.5) * factor - 0.5,
            keypoints=(np.asarray(person.keypoints, float) + 0.5) * factor - 0.5,
        )
        for person in people
    ]
    for person in larger:
        _frame(canvas, person.box, _colour(person.label))
    for person in larger:
        _skeleton(canvas, person)
    taken: list[tuple[int, int, int, int]] = []
    for person in larger:
        if person.label is not None and person.label.name:
            taken.append(_tag(canvas, person.box, person.label, taken))
    return canvas


def enlargement(height: int, width: int) -> int:
    """Whole factor by which a picture is enlarged before anything is drawn on it."""
    return max(1, min(-(-LEAST_HEIGHT // height), LONGEST_SIDE // width))


def enlarge(image: UInt8[np.ndarray, "height width 3"], factor: int) -> UInt8[np.ndarray, "tall wide 3"]:
    """The picture `factor` times as high and wide, by Catmull-Rom interpolation; pixel areas keep their places."""
    height, width = image.shape[:2]
    rows = _interpolation(height, factor) @ image.reshape(height, -1).astype(np.float32)
    columns = rows.reshape(-1, width, 3).transpose(1, 0, 2).reshape(width, -1)  # one large product instead of many
    both = (_interpolation(width, factor) @ columns).reshape(width * factor, -1, 3).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(both + 0.5, 0, 255).astype(np.uint8))


@lru_cache(maxsize=4)
def _interpolation(length: int, factor: int) -> np.ndarray:
    """Matrix (length * factor, length) that interpolates one axis; the border is repeated."""
    places = (np.arange(length * factor) + 0.5) / factor - 0.5
    left = np.floor(places).astype(int)
    t = places - left
    weights = np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=-1
    )
    matrix = np.zeros((length * factor, length), np.float32)
    for tap in range(4):
        np.add.at(matrix, (np.arange(len(places)), np.clip(left + tap - 1, 0, length - 1)), weights[:, tap] / 2)
    return matrix


def _colour(label: Label | None) -> tuple[int, int, int]:
    """One colour a name, the same in every video."""
    if label is None or label.quiet or not label.name:
        return QUIET
    return _NAMED[sum(label.name.encode()) % len(_NAMED)]


def _side(joint: int) -> tuple[int, int, int]:
    return {"r_": RIGHT, "l_": LEFT}.get(JOINTS[joint][:2], MIDDLE)


def _limb_colour(a: int, b: int) -> tuple[int, int, int]:
    return next((colour for colour in (_side(a), _side(b)) if colour != MIDDLE), MIDDLE)


# the far side first would need to know the view; trunk first, so that arms and legs lie over it
_ORDER = sorted(LIMBS, key=lambda limb: _limb_colour(*limb) != MIDDLE)


def _skeleton(canvas: np.ndarray, person: Seen) -> None:
    tall = max(float(person.box[3] - person.box[1]), 1.0)
    radius = float(np.clip(0.009 * tall, 1.2, 0.012 * max(canvas.shape[:2])))
    opacity = np.clip(np.asarray(person.probability, float) / CERTAIN, 0, 1)
    opacity[opacity < 0.1] = 0
    points = person.keypoints
    for under in (True, False):  # a dark edge under all limbs keeps them legible on any ground
        for a, b in _ORDER:
            strength = 0.9 * min(opacity[a], opacity[b])
            if strength > 0:
                colour, wide, much = (_DARK, radius + 1.1, 0.55) if under else (_limb_colour(a, b), radius, 1.0)
                _capsule(canvas, points[a], points[b], wide, colour, strength * much)
    for joint in range(len(JOINTS)):
        if opacity[joint] > 0 and joint != INDEX["thorax"]:
            _capsule(canvas, points[joint], points[joint], 1.75 * radius + 0.9, _DARK, 0.6 * opacity[joint])
            _capsule(canvas, points[joint], points[joint], 1.75 * radius, _side(joint), opacity[joint])
            _capsule(canvas, points[joint], points[joint], 0.75 * radius, (255, 255, 255), 0.85 * opacity[joint])


def _capsule(
    canvas: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float, colour: tuple[int, int, int], opacity: float
) -> None:
    """A line from a to b (xy) with round ends and soft edges; a disc where they coincide."""
    area = _area(canvas, np.minimum(a, b) - radius - 1, np.maximum(a, b) + radius + 1)
    if area is None:
        return
    patch, x, y = area
    span = np.asarray(b, float) - a
    along = np.clip(((x - a[0]) * span[0] + (y - a[1]) * span[1]) / max(float(span @ span), 1e-9), 0, 1)
    distance = np.hypot(x - a[0] - along * span[0], y - a[1] - along * span[1])
    _blend(patch, np.clip(radius + 0.5 - distance, 0, 1) * opacity, colour)


def _area(canvas: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Part of the canvas between two corners (xy) with its pixels' x and y; None where nothing of it is inside."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    height, width = canvas.shape[:2]
    x0, y0 = (int(max(0, min(value, 1e6))) for value in low)
    x1, y1 = (int(max(0, min(value + 2, size))) for value, size in zip(high, (width, height), strict=True))
    if x0 >= x1 or y0 >= y1:
        return None
    y, x = np.ogrid[y0:y1, x0:x1]
    return canvas[y0:y1, x0:x1], x, y


def _blend(patch: np.ndarray, coverage: np.ndarray, colour: tuple[int, int, int]) -> None:
    mixed = patch + coverage[..., None] * (np.array(colour, np.float32) - patch)
    patch[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _rounded(
    canvas: np.ndarray, low: np.ndarray, high: np.ndarray, corner: float, colour: tuple[int, int, int],
    opacity: float, line: float | None = None,
) -> None:  # fmt: skip
    """A rectangle with round corners, filled, or as a line so many pixels wide."""
    half, middle = (high - low) / 2, (high + low) / 2
    corner = min(corner, *half) if min(half) > 0 else 0.0
    edge = (line or 0.0) + 1
    bounds = [(low - edge, high + edge)]
    if line is not None and min(half) > corner + edge:  # a line leaves the middle alone: look at four strips only
        (x0, y0), (x1, y1), deep = low, high, corner + edge
        bounds = [
            (np.array([x0 - edge, y]), np.array([x1 + edge, y + deep + edge])) for y in (y0 - edge, y1 - deep)
        ] + [(np.array([x, y0 + deep + 2]), np.array([x + 2 * edge, y1 - deep - 2])) for x in (x0 - edge, x1 - edge)]
    for first, last in bounds:
        area = _area(canvas, first, last)
        if area is None:
            continue
        patch, x, y = area
        outside_x, outside_y = np.abs(x - middle[0]) - half[0] + corner, np.abs(y - middle[1]) - half[1] + corner
        distance = np.hypot(np.maximum(outside_x, 0), np.maximum(outside_y, 0)) - corner
        distance = distance + np.minimum(np.maximum(outside_x, outside_y), 0)
        coverage = 0.5 - distance if line is None else line / 2 + 0.5 - np.abs(distance)
        _blend(patch, np.clip(coverage, 0, 1) * opacity, colour)


def _frame(canvas: np.ndarray, box: np.ndarray, colour: tuple[int, int, int]) -> None:
    line = max(1.5, 0.003 * min(canvas.shape[:2]))
    _rounded(canvas, box[:2], box[2:], 5 * line, _DARK, 0.35, line + 1.6)
    _rounded(canvas, box[:2], box[2:], 5 * line, colour, 0.9, line)


def _tag(
    canvas: np.ndarray, box: np.ndarray, label: Label, taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Write a label above its box, inside the picture and clear of the labels already there; returns where."""
    height, width = canvas.shape[:2]
    size = int(np.clip(0.036 * min(height, width), 13, 40))
    name = lettering(shorten(label.name), size, True)
    sure = "" if label.confidence is None else in_percent(label.confidence)
    beside = lettering(sure, size, False)
    pad, gap = size // 2, (size // 3 if sure else 0)
    tall, wide = name.shape[0] + size // 3, name.shape[1] + gap + beside.shape[1] + 2 * pad
    x0 = int(np.clip((box[0] + box[2] - wide) / 2, 2, max(2, width - wide - 2)))
    above = int(np.clip(box[1] - tall - 4, 2, max(2, height - tall - 2)))
    steps = sorted(range(-12, 13), key=lambda step: (abs(step), step))
    places = (above + step * (tall + 3) for step in steps)
    inside = (y for y in places if 2 <= y <= max(2, height - tall - 2))
    clear = (y for y in inside if not any(_overlap((x0, y, x0 + wide, y + tall), other) for other in taken))
    y0 = next(clear, above)
    low, high = np.array([x0, y0], float), np.array([x0 + wide - 1, y0 + tall - 1], float)
    _rounded(canvas, low, high, 0.3 * tall, _DARK, 0.82)
    _rounded(canvas, low, high, 0.3 * tall, _colour(label), 0.95, max(1.2, 0.08 * size))
    left, top = x0 + pad, y0 + size // 6
    for mask, at, colour in ((name, left, _colour(label)), (beside, left + name.shape[1] + gap, (225, 228, 235))):
        rows, columns = min(mask.shape[0], height - top), min(mask.shape[1], width - at)
        if rows > 0 and columns > 0:
            _blend(canvas[top : top + rows, at : at + columns], mask[:rows, :columns], colour)
    return x0, y0, x0 + wide, y0 + tall


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def shorten(name: str, most: int = 40) -> str:
    """The name as one printable line of at most `most` characters."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


@lru_cache(maxsize=256)
def lettering(text: str, size: int, bold: bool) -> Float[np.ndarray, "height width"]:
    """Text as coverage 0..1, `size` pixels an em; every text of a size is equally high, with a common base line."""
    import warnings

    from matplotlib.backends.backend_agg import FigureCanvasAgg  # ships the fonts, so that any language's names work
    from matplotlib.figure import Figure

    height = round(1.3 * size)
    width = (len(text) + 1) * 2 * size
    if not text:
        return np.zeros((height, 0), np.float32)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.text(
        size / width, 0.29, text, fontsize=size, parse_math=False, family="DejaVu Sans", weight="bold" if bold else 400
    )
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter no font has is drawn as a box
        canvas.draw()
    ink = 1 - np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=-1, dtype=np.float32) / 255
    columns = np.flatnonzero(ink.max(axis=0) > 0.02)
    if not len(columns):
        return np.zeros((height, size), np.float32)
    return np.ascontiguousarray(ink[:, columns[0] : columns[-1] + 1])
