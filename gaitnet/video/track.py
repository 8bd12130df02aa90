"""Boxes per frame -> one track per person, through crossings and short gaps.

Each track predicts its box with constant velocity (an alpha-beta filter); boxes are assigned by the Hungarian method
on overlap, distance and clothing (as SORT, Bewley et al. 2016, and DeepSORT, Wojke et al. 2017, in small).
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from gaitnet.video.detect import box_iou
from gaitnet.video.read import Frame

_POSITION, _SPEED, _SIZE = 0.6, 0.25, 0.25  # gains of the alpha-beta filter: follow position fast, size slowly
_TOO_FAR = 1.0  # cost above which a box is not the track's
_TOUCH = 0.03  # body heights between two boxes that touch
_STRIDE = 1.0  # seconds that two steps take
_APART = 0.6  # body heights a second between the paces of people who cross; one alone walks with about 0.8


@dataclass
class Track:
    """One person followed: what was measured, frame by frame, and where the person is expected next.

    `indices`, `times` (seconds) and `boxes` (x0, y0, x1, y1, image pixels) hold the frames in which the person was seen
    apart from others; frames of a gap or a crossing are missing in them.
    """

    track_id: int
    indices: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    seen: int = 0
    confirmed: bool = False
    state: np.ndarray = field(default_factory=lambda: np.zeros(4))  # centre x, bottom y, width, height
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))  # of centre x and bottom y, pixels per second
    time: float = 0.0  # of the state
    last_seen: float = 0.0
    clothing: np.ndarray | None = None
    way: deque[tuple[float, float]] = field(default_factory=deque)  # (time, centre x) of the last stride
    crossing: bool = False  # in one box with somebody who goes the other way, since the last measurement

    def expected(self, time: float) -> np.ndarray:
        """Box (4,) where the person should be at `time`.

        An outline's middle swings with legs and arms. From one frame to the next that swing goes on; through a crossing
        it is the walk's mean speed that does.
        """
        x, y = self.state[:2] + self.speed * (time - self.time)
        course = self._course() if self.crossing else None
        if course is not None:
            x, y = course[0] * (time - self.time) + course[1], self.state[1]
        width, height = self.state[2:]
        return np.array([x - width / 2, y - height, x + width / 2, y])

    @property
    def pace(self) -> float:
        """Mean speed along x over the last stride, body heights a second; that of the filter before there was one."""
        course = self._course()
        return float((self.speed[0] if course is None else course[0]) / max(self.state[3], 1.0))

    def _course(self) -> np.ndarray | None:
        """Speed along x (pixels a second) and place at `self.time` by the last stride; None before there was one."""
        if not self.way or self.way[-1][0] - self.way[0][0] <= _STRIDE / 2:
            return None
        times, places = np.array(self.way).T
        return np.polyfit(times - self.time, places, 1)

    def forget(self, before: int) -> None:
        """Drop measurements before position `before` of the lists, so that a long track stays small."""
        del self.indices[:before], self.times[:before], self.boxes[:before]


class Tracker:
    """Follows people through a video.

    Args:
        longest_gap: seconds for which somebody unseen is still expected.
        least_seen: frames after which a track counts as a person and not as a flicker.

    Attributes:
        live: tracks that are being followed.

    """

    def __init__(self, longest_gap: float | int = 1.0, least_seen: int = 5) -> None:
        if longest_gap <= 0:
            raise ValueError(f"longest_gap: expected seconds above 0, got {longest_gap}")
        self.longest_gap, self.least_seen = longest_gap, least_seen
        self.live: list[Track] = []
        self._next_id = 0

    def update(
        self, frame: Frame, boxes: Float[np.ndarray, "person 4"], scores: Float[np.ndarray, " person"] | None = None
    ) -> list[Track]:
        """Take in the boxes of the next frame; returns the tracks that ended by now (confirmed ones only)."""
        # nobody is followed across a longer gap: a recording that stopped and went on
        ended = [one for one in self.live if one.confirmed and frame.time - one.last_seen > self.longest_gap]
        self.live = [one for one in self.live if frame.time - one.last_seen <= self.longest_gap]
        clothing = [_clothing(frame.image, box) for box in boxes]
        expected = np.array([track.expected(frame.time) for track in self.live]).reshape(-1, 4)
        crowds = self._crowds(expected, boxes)
        free = [k for k in range(len(boxes)) if k not in crowds]
        hidden = {member for members in crowds.values() for member in members}
        open_tracks = [k for k in range(len(self.live)) if k not in hidden]
        pairs = self._assign(frame.time, open_tracks, expected, free, boxes, clothing)
        beside = _beside(boxes)
        for row, column in pairs:
            self._measure(self.live[row], frame, boxes[column], clothing[column], bool(beside[column]))
        for members in crowds.values():
            paces = [self.live[member].pace for member in members]
            for member in members:  # who walks in step with somebody is his shadow, or a companion
                self.live[member].crossing |= max(paces) - min(paces) > _APART
        for member in hidden:
            # hidden behind somebody counts as seen for half the time: a crossing may take longer than a gap
            track = self.live[member]
            track.last_seen += 0.5 * max(0.0, frame.time - max(track.last_seen, track.time))
        taken = {column for _, column in pairs}
        for column in free:
            if column not in taken and (scores is None or scores[column] >= 0.25):
                self._begin(frame, boxes[column], clothing[column])
        return [*ended, *self._end(frame.time, frame.image.shape[:2])]

    def renumber(self, track: Track) -> None:
        """Give a live track a number of its own from here on: the same person, but another walk."""
        track.track_id = self._next_id
        self._next_id += 1

    def finish(self) -> list[Track]:
        """End all tracks, at the end of the video."""
        ended, self.live = [track for track in self.live if track.confirmed], []
        return ended

    def _crowds(self, expected: np.ndarray, boxes: np.ndarray) -> dict[int, list[int]]:
        """Boxes that hold several people in one: box -> tracks that are inside and cannot be told apart."""
        crowds: dict[int, list[int]] = {}
        for column, box in enumerate(boxes):
            inside = []
            for row, track in enumerate(self.live):
                if not track.confirmed:
                    continue
                middle = (expected[row, 0] + expected[row, 2]) / 2
                height = max(expected[row, 3] - expected[row, 1], 1.0)
                if not 0.4 < (box[3] - box[1]) / height < 2.5:
                    continue  # a flag behind somebody is no second person in the box
                level = abs(expected[row, 3] - box[3]) < 0.35 * height or (
                    min(expected[row, 3], box[3]) - max(expected[row, 1], box[1]) > 0.6 * height
                )
                others = np.delete(boxes, column, axis=0)
                alone = len(others) and box_iou(expected[row : row + 1], others).max() > 0.3
                if box[0] <= middle <= box[2] and level and not alone:
                    inside.append(row)
            if len(inside) >= 2:
                crowds[column] = inside
        return crowds

    def _assign(
        self,
        time: float,
        rows: list[int],
        expected: np.ndarray,
        columns: list[int],
        boxes: np.ndarray,
        clothing: list[np.ndarray],
    ) -> list[tuple[int, int]]:
        if not rows or not columns:
            return []
        overlap = box_iou(expected[rows], boxes[columns])
        cost = np.empty(overlap.shape)
        for i, row in enumerate(rows):
            track, height = self.live[row], max(expected[row, 3] - expected[row, 1], 1.0)
            # uncertainty grows while nobody is seen
            reach = height * (0.6 + 0.6 * min(time - track.time, 1.0))
            for j, column in enumerate(columns):
                ratio = (boxes[column, 3] - boxes[column, 1]) / height
                distance = np.hypot(*(_anchor(boxes[column]) - _anchor(expected[row]))) / reach
                cost[i, j] = 0.4 * (1 - overlap[i, j]) + 0.5 * distance + 0.2 * abs(np.log(np.clip(ratio, 0.2, 5)))
                if track.clothing is not None:
                    cost[i, j] += 0.3 * (1 - np.minimum(track.clothing, clothing[column]).sum())
                if distance > 1 or not 0.4 < ratio < 2.5:
                    cost[i, j] = 10
        picked = linear_sum_assignment(cost)
        return [(rows[i], columns[j]) for i, j in zip(*picked, strict=True) if cost[i, j] < _TOO_FAR]

    def _measure(self, track: Track, frame: Frame, box: np.ndarray, clothing: np.ndarray, beside: bool) -> None:
        elapsed = max(frame.time - track.time, 1e-3)
        seen = np.array([(box[0] + box[2]) / 2, box[3], box[2] - box[0], box[3] - box[1]])
        ahead = track.state[:2] + track.speed * elapsed
        miss = seen[:2] - ahead
        # a new track learns its speed from its first steps: gains fall as 2/n to the steady ones
        young = 2.0 / (track.seen + 2)
        track.state[:2] = ahead + max(_POSITION, young) * miss
        gain = max(_SPEED, young) * np.array([1.0, 0.3])
        track.speed = track.speed + gain * miss / max(elapsed, 1 / 60)
        track.state[2:] += max(_SIZE, young) * (seen[2:] - track.state[2:])
        track.time = track.last_seen = frame.time
        track.crossing = False
        if not beside:  # where two outlines touch, each is cut off by the other
            track.way.append((frame.time, seen[0]))
        while track.way and frame.time - track.way[0][0] > _STRIDE:
            track.way.popleft()
        track.clothing = clothing if track.clothing is None else 0.9 * track.clothing + 0.1 * clothing
        self._note(track, frame, box)

    def _begin(self, frame: Frame, box: np.ndarray, clothing: np.ndarray) -> None:
        track = Track(self._next_id, time=frame.time, last_seen=frame.time, clothing=clothing)
        track.state = np.array([(box[0] + box[2]) / 2, box[3], box[2] - box[0], box[3] - box[1]])
        self._next_id += 1
        self._note(track, frame, box)
        self.live.append(track)

    def _note(self, track: Track, frame: Frame, box: np.ndarray) -> None:
        track.indices.append(frame.index)
        track.times.append(frame.time)
        track.boxes.append(np.asarray(box, float))
        track.seen += 1
        track.confirmed = track.confirmed or track.seen >= self.least_seen

    def _end(self, time: float, size: tuple[int, ...]) -> list[Track]:
        ended, live = [], []
        for track in self.live:
            x0, _, x1, _ = track.expected(time)
            gone = x1 < 0 or x0 > size[1]  # walked out of the picture: does not come back
            patience = (0.3 if gone else 1.0) * (self.longest_gap if track.confirmed else 0.25 * self.longest_gap)
            if time - track.last_seen <= patience:
                live.append(track)
            elif track.confirmed:
                ended.append(track)
        self.live = live
        return ended


def _beside(boxes: np.ndarray) -> np.ndarray:
    """Whether each box (person,) touches another one's side, or overlaps it."""
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    gap = np.maximum(boxes[:, None, 0], boxes[None, :, 0]) - np.minimum(boxes[:, None, 2], boxes[None, :, 2])
    level = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(boxes[:, None, 1], boxes[None, :, 1])
    touching = (gap < _TOUCH * height[:, None]) & (level > 0)
    return np.asarray((touching & ~np.eye(len(boxes), dtype=bool)).any(axis=1))


def _anchor(box: np.ndarray) -> np.ndarray:
    """Middle of the upper half, which stays put when a reflection lengthens the box or a stride widens it."""
    return np.array([(box[0] + box[2]) / 2, 0.7 * box[1] + 0.3 * box[3]])


def _clothing(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Colour histogram (64 bins, sums to 1) of the trunk."""
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    left, right = np.clip([x0 + 0.3 * (x1 - x0), x0 + 0.7 * (x1 - x0) + 1], 0, width).astype(int)
    top, bottom = np.clip([y0 + 0.18 * (y1 - y0), y0 + 0.5 * (y1 - y0) + 1], 0, height).astype(int)
    step = max(1, (bottom - top) // 24)
    patch = image[top:bottom:step, left : max(right, left + 1) : step].reshape(-1, 3).astype(np.int32) >> 6
    if not len(patch):
        return np.full(64, 1 / 64)
    return np.bincount(patch @ np.array([16, 4, 1]), minlength=64)[:64] / len(patch)
