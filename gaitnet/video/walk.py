"""One person's walk while it lasts: pieces of pictures that wait, crops that are done, and why there are none.

The picture part around a person is kept for about a second, so that the box of each frame is smoothed with what came
after it as well as before; then it is cut to the crop, and the crops leave in segments of bounded length.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import median_filter

from gaitnet.video.boxes import Heading, heading, smooth_box
from gaitnet.video.read import Frame
from gaitnet.video.shapes import SMALLEST
from gaitnet.video.track import Track
from humanpose.preprocess import MARGIN, SIZE, crop, crop_affine

WALKED, RETURNED = 1.0, 0.6
"""Body heights that somebody walks one way, and then back, before this counts as a turn."""

_BLINK = 0.25
"""Seconds between two boxes that tell where the person is in the frames between; and from a box that sank to one."""
_HIDDEN = 0.2
"""Share of the place where somebody is expected from which on another box there hides them."""
_BACK = 0.48
"""Body heights of a way back after which whoever goes on as before has turned again; less than `RETURNED`, for the
first steps of it are not in its record."""
_RECALLED = 10.0
"""Seconds of a walk that was described already of which each frame is still known: a turn is seen that much later."""
_ROW = 6
"""Numbers that are kept of each frame of whoever may not be described: index, time, box."""

Reason = Literal["too few frames", "too small", "not walking", "partly out of view"]


@dataclass(frozen=True)
class PeopleConfig:
    """What counts as somebody who can be described.

    least_frames: frames wholly in view that a walk needs; least_height: pixels of the video from head to foot, and
    least_share: the same in parts of the picture's longer side;
    segment: frames that are handed out at once (the last part may hold up to least_frames more); lag: seconds a picture
    waits for the boxes that come after it; size: (height, width) of the crops, the pose network's.
    """

    least_frames: int = 15
    least_height: float | int = 40.0
    least_share: float | int = 0.9 * SMALLEST
    segment: int = 300
    lag: float | int = 0.7
    size: tuple[int, int] = SIZE

    def __post_init__(self) -> None:
        if self.least_frames < 2 or self.segment < self.least_frames:
            raise ValueError(
                f"segment and least_frames: expected segment >= least_frames >= 2, "
                f"got {self.segment} and {self.least_frames}"
            )
        if self.lag < 0 or self.least_height <= 0:
            raise ValueError(f"lag >= 0 and least_height > 0 expected, got {self.lag} and {self.least_height}")


@dataclass(frozen=True)
class PersonTrack:
    """A stretch of one person's way through the video; whoever turns round begins another track.

    track_id: the same for all segments of one walk; segment: 0, 1, ... within the track; last: no more will come.
    frames (time,) indices from 0; times (time,) seconds; boxes (time, 4) x0, y0, x1, y1 in image pixels, head top to
    foot bottom, smoothed. Where `reason` is None, crops (time, height, width, 3) and affines (time, 2, 3), crop pixels
    -> image pixels, hold the same frames; otherwise both are empty and the reason says why the person is not described.
    `mirrored` crops show somebody who walks to the left as walking to the right: what a network calls right in them
    is left (`skeleton.FLIP`); the affine already carries places back.
    """

    track_id: int
    segment: int
    last: bool
    frames: Int[np.ndarray, " time"]
    times: Float[np.ndarray, " time"]
    boxes: Float[np.ndarray, "time 4"]
    crops: UInt8[np.ndarray, "described height width 3"]
    affines: Float[np.ndarray, "described 2 3"]
    mirrored: bool
    heading: Heading
    reason: Reason | None


@dataclass
class _Part:
    """The piece of a frame around a person, and where it lay."""

    index: int
    time: float
    box: np.ndarray
    origin: np.ndarray  # (x, y) of the piece's first pixel
    pixels: np.ndarray
    doubt: Literal["", "sunk", "blink"]
    """Why the box says nothing: it reaches below the picture, as that of a whole person with a reflection on the floor
    may, or nobody was found in this frame alone. It is told by those of the frames around it then."""


_Done = tuple[int, float, np.ndarray, np.ndarray, np.ndarray]
"""Index, time, box, crop and affine of a frame."""


@dataclass
class Walk:
    """What is known about one person: pieces that wait, crops that are done, and why there are none."""

    track: Track
    config: PeopleConfig
    waiting: deque[_Part] = field(default_factory=deque)
    known: deque[tuple[float, np.ndarray]] = field(default_factory=deque)  # (time, box) of the last seconds
    done: list[_Done] = field(default_factory=list)
    mirrored: bool | None = None
    picture: tuple[int, ...] = (0, 0)  # (height, width) of the video
    segments: int = 0
    seen: int = 0
    outside: int = 0
    small: int = 0
    still: int = 0
    walked: float = WALKED  # body heights one way before a return is a turn
    least: float = 0.0  # pixels from head to foot
    way: list[tuple[float, np.ndarray]] = field(default_factory=list)  # a sparse record of the whole walk
    frames: array = field(default_factory=lambda: array("d"))  # index, time, box; for those who are not described

    def take(self, frame: Frame, boxes: Float[np.ndarray, "person 4"]) -> None:
        """Keep this frame's piece, unless the person is hidden in it, and finish the pieces that waited enough.

        `boxes` are everybody's in this frame.
        """
        while self.waiting and frame.time - self.waiting[-1].time > self.config.lag:
            self._finish(self.waiting.popleft())  # after a pause: while the boxes around them are still known
        if self.track.indices and self.track.indices[-1] == frame.index:
            box = self.track.boxes[-1]
            self.track.forget(len(self.track.indices) - 1)
            self._add(frame, box)
        elif self.known and not _hidden(self.track.expected(frame.time), boxes):
            self._keep(frame, self.track.expected(frame.time), "blink")
        while self.waiting and frame.time - self.waiting[0].time >= self.config.lag:
            self._finish(self.waiting.popleft())

    def turned(self) -> "Walk | None":
        """Where the walker went one way and now comes back: the way back, with what was taken since the turn."""
        if len(self.way) < 12:
            return None
        boxes = np.array([box for _, box in self.way])
        tall = float(np.median(boxes[:, 3] - boxes[:, 1]))
        along = median_filter((boxes[:, 0] + boxes[:, 2]) / 2, 5, mode="nearest") / tall
        for side, to_left in ((along, True), (-along, False)):
            turn = int(np.argmax(side))
            if side[turn] - side[: turn + 1].min() > self.walked and side[turn] - side[-1] > RETURNED:
                return self._parted(self.way[turn][0], to_left)
        return None

    def _parted(self, turn: float, to_left: bool) -> "Walk":
        """Hand what was taken after the `turn` (seconds) to a file of its own, the way back `to_left` or to the right.

        Crops that are done already show that way as the way there was shown, and are mirrored if need be.
        """
        back = Walk(self.track, self.config, mirrored=to_left, picture=self.picture, least=self.least, walked=_BACK)
        back.way, self.way = [one for one in self.way if one[0] > turn], [one for one in self.way if one[0] <= turn]
        back.known = deque(one for one in self.known if one[0] > turn)
        back.waiting = deque(part for part in self.waiting if part.time > turn)
        self.waiting = deque(part for part in self.waiting if part.time <= turn)
        after = [entry for entry in self.done if entry[1] > turn]
        self.done = [entry for entry in self.done if entry[1] <= turn]
        back.done = after if bool(self.mirrored) is to_left else [_mirrored(entry) for entry in after]
        rows = np.array(self.frames).reshape(-1, _ROW)
        self.frames, back.frames = (array("d", rows[part].ravel()) for part in (rows[:, 1] <= turn, rows[:, 1] > turn))
        for row in rows[rows[:, 1] > turn]:
            back._count(row[2:])
        self.seen, self.outside, self.small = (
            getattr(self, name) - getattr(back, name) for name in ("seen", "outside", "small")
        )
        return back

    def _add(self, frame: Frame, box: np.ndarray) -> None:
        if not self.way or frame.time - self.way[-1][0] >= 0.1:
            self.way.append((frame.time, box))
            if len(self.way) > 600:
                del self.way[::2]
        while self.segments and self.frames and self.frames[1] < frame.time - _RECALLED:
            del self.frames[:_ROW]
        self.frames.extend((frame.index, frame.time, *box))
        height, width = self.picture = frame.image.shape[:2]
        self.least = max(self.config.least_height, self.config.least_share * max(height, width))
        cut = self._count(box)
        if cut and _cut(np.minimum(box, [width, height, width, height - 2 * _slack(width, height)]), width, height):
            return
        if not cut:
            self.known.append((frame.time, box))
        while self.known and frame.time - self.known[0][0] > 2 * self.config.lag + 0.5:
            self.known.popleft()
        self._keep(frame, box, "sunk" if cut else "")

    def _keep(self, frame: Frame, box: np.ndarray, doubt: Literal["", "sunk", "blink"]) -> None:
        """Let the piece of the frame around a box wait for the boxes that come after it."""
        height, width = frame.image.shape[:2]
        # room for the margin, and for the smoothed box where this one holds half a person only
        usual = float(np.median([known[3] - known[1] for _, known in self.known])) if self.known else 0.0
        tall = max(box[3] - box[1], 1.1 * usual)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        left, top = max(0, int(x - 0.65 * tall)), max(0, int(y - 1.05 * tall))
        right, bottom = min(width, int(x + 0.65 * tall) + 2), min(height, int(y + 1.05 * tall) + 2)
        if right - left < 2 or bottom - top < 2:
            return  # expected beyond the border
        pixels = frame.image[top:bottom, left:right].copy()
        self.waiting.append(_Part(frame.index, frame.time, box, np.array([left, top], float), pixels, doubt))

    def _count(self, box: np.ndarray) -> bool:
        """Count what speaks against describing a frame; returns whether the picture's border cuts the person."""
        cut = _cut(box, self.picture[1], self.picture[0])
        self.seen += 1
        self.outside += cut
        self.small += int(box[3] - box[1] < self.least)
        return cut

    def _finish(self, part: _Part) -> None:
        times = np.array([time for time, _ in self.known])
        boxes = np.array([box for _, box in self.known])
        near = np.abs(times - part.time) <= self.config.lag + 0.3
        if part.doubt and not _told(times - part.time, part.doubt == "blink"):
            return
        box = smooth_box(times[near], boxes[near], part.time)
        if part.doubt and _cut(box, self.picture[1], self.picture[0]):
            return
        height = box[3] - box[1]
        if height < self.least:
            return
        where = heading(times[near], boxes[near])
        if where == "standing":  # somebody who waits: only the walk before and after is described
            self.still += 1
            return
        if self.mirrored is None:
            self.mirrored = where == "left"
        # the crop follows height and trunk alone: a long stride does not shrink the person
        middle, half = (box[0] + box[2]) / 2, min((box[2] - box[0]) / 2, 0.37 * height)
        inner = np.array([middle - half, box[1], middle + half, box[3]]) - np.tile(part.origin, 2)
        affine = crop_affine(inner, self.config.size, MARGIN, self.mirrored)
        pixels = crop(part.pixels, affine, self.config.size)
        affine[:, 2] += part.origin
        self.done.append((part.index, part.time, box, pixels, affine))

    def segment_due(self) -> PersonTrack | None:
        """Hand out a full segment of a walk that goes on, or None."""
        if len(self.done) < self.config.segment + self.config.least_frames:
            return None
        done, self.done = self.done[: self.config.segment], self.done[self.config.segment :]
        part = self._pack(done, last=False)
        self.segments += 1
        return part

    def close(self) -> Iterator[PersonTrack]:
        """Hand out what is left at the end of the track, or the reason why there is nothing."""
        while self.waiting:
            self._finish(self.waiting.popleft())
        part = self.segment_due()
        if part is not None:
            yield part
        if len(self.done) >= self.config.least_frames:
            yield self._pack(self.done, last=True)
        elif self.frames and not self._is_speck():
            yield self._unknown(self._reason())

    def _is_speck(self) -> bool:
        """Whether this is too small for a person, and does not even move like one: leaves in the wind, a flag."""
        small = self.small > 0.5 * self.seen
        return not self.segments and small and (self.seen < self.config.least_frames or self._heading() == "standing")

    def _heading(self) -> Heading:
        times = np.array([time for time, _ in self.way])
        return heading(times, np.array([box for _, box in self.way]).reshape(-1, 4))

    def _reason(self) -> Reason | None:
        if self.segments:
            return None  # described already; only a short end is left
        if self.small > 0.5 * self.seen:
            return "too small"
        if self.outside > 0.5 * self.seen and self.seen >= self.config.least_frames:
            return "partly out of view"
        return "not walking" if self.still >= self.config.least_frames else "too few frames"

    def _pack(self, done: list, last: bool) -> PersonTrack:
        kept = _consistent(np.array([box for _, _, box, _, _ in done]))
        kept |= not kept.any()
        indices, times, boxes, crops, affines = zip(
            *(entry for entry, keep in zip(done, kept, strict=True) if keep), strict=True
        )
        return PersonTrack(
            self.track.track_id, self.segments, last, np.array(indices), np.array(times), np.array(boxes),
            np.stack(crops), np.stack(affines), bool(self.mirrored), self._heading(), None,
        )  # fmt: skip

    def _unknown(self, reason: Reason | None) -> PersonTrack:
        # of a walk that was described there is only its end to tell
        table = np.array(self.frames[-_ROW:] if self.segments else self.frames).reshape(-1, _ROW)
        return PersonTrack(
            self.track.track_id, self.segments, True, table[:, 0].astype(int), table[:, 1], table[:, 2:],
            np.zeros((0, *self.config.size, 3), np.uint8), np.zeros((0, 2, 3)),
            self._heading() == "left" if self.mirrored is None else self.mirrored, self._heading(), reason,
        )  # fmt: skip


def _consistent(boxes: np.ndarray) -> np.ndarray:
    """Which frames (time,) of a walk show the person at its height, and not half of it or with its reflection."""
    heights = boxes[:, 3] - boxes[:, 1]
    window = max(3, len(heights) // 2)
    typical = np.array([np.median(heights[max(0, k - window) : k + window + 1]) for k in range(len(heights))])
    return np.abs(heights / typical - 1) < 0.2


def _mirrored(entry: _Done) -> _Done:
    """The same frame as a crop that shows it mirrored."""
    index, time, box, pixels, affine = entry
    turned = affine.copy()
    turned[:, 2] += affine[:, 0] * (pixels.shape[1] - 1)
    turned[:, 0] *= -1
    return index, time, box, np.ascontiguousarray(pixels[:, ::-1]), turned


def _told(since: Float[np.ndarray, " time"], both: bool) -> bool:
    """Whether boxes of so many seconds before and after a frame tell the box in it; or those on `both` sides of it."""
    before, after = (np.abs(since[side]).min(initial=np.inf) for side in (since < 0, since > 0))
    return bool((before + after if both else min(before, after)) <= _BLINK + 1e-6)


def _hidden(place: Float[np.ndarray, " 4"], boxes: Float[np.ndarray, "person 4"]) -> bool:
    """Whether somebody else's box covers a good part of where somebody is expected."""
    sides = np.minimum(place[2:], boxes[:, 2:]) - np.maximum(place[:2], boxes[:, :2])
    covered = np.prod(np.maximum(sides, 0), axis=1)
    return bool((covered > _HIDDEN * np.prod(np.maximum(place[2:] - place[:2], 1e-6))).any())


def _slack(width: int, height: int) -> float:
    return 0.004 * max(width, height)


def _cut(box: np.ndarray, width: int, height: int) -> bool:
    """Whether the picture's border cuts the person: the box touches it anywhere."""
    slack = _slack(width, height)
    return bool(box[:2].min() <= slack or box[2] >= width - slack or box[3] >= height - slack)
