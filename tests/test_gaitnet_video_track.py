"""Tracking: identities through crossings and gaps, smoothing against outliers, heading."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitnet.video.boxes import heading, smooth_box
from gaitnet.video.read import Frame
from gaitnet.video.track import Tracker

RATE = 25.0
COLOURS = [(200, 40, 40), (40, 40, 200), (40, 200, 40)]


def _box(x: float, height: float = 100.0, bottom: float = 180.0) -> np.ndarray:
    return np.array([x - 0.2 * height, bottom - height, x + 0.2 * height, bottom])


def _frame(index: int, people: list[tuple[np.ndarray, tuple[int, int, int]]]) -> Frame:
    image = np.full((200, 400, 3), 120, np.uint8)
    for box, colour in people:
        x0, y0, x1, y1 = np.clip(box, 0, [400, 200, 400, 200]).astype(int)
        image[y0:y1, x0:x1] = colour
    return Frame(index, index / RATE, image)


def _follow(script, count: int, **options):
    """Run a tracker over `script(index) -> [(box, colour)]`, the boxes as seen being `merged` where wished."""
    tracker, ended = Tracker(**options), []
    for index in range(count):
        people, seen = script(index)
        ended += tracker.update(_frame(index, people), np.array(list(seen)).reshape(-1, 4))
    return ended + tracker.finish()


def test_one_person_is_one_track():
    def script(index):
        box = _box(40 + 3 * index)
        return [(box, COLOURS[0])], [box]

    tracks = _follow(script, 60)
    assert len(tracks) == 1
    assert tracks[0].indices == list(range(60))
    assert np.allclose(tracks[0].times, np.arange(60) / RATE)
    assert heading(np.array(tracks[0].times), np.array(tracks[0].boxes)) == "right"


@pytest.mark.parametrize("merged", [True, False])
def test_two_who_cross_keep_their_tracks(merged):
    def script(index):
        boxes = [_box(40 + 4 * index), _box(360 - 4 * index, 104)]
        people = list(zip(boxes, COLOURS, strict=False))
        apart = abs(boxes[0][0] - boxes[1][0])
        if apart < 25:  # a foreground finder sees one wide person, a network the one in front
            both = np.stack(boxes)
            joint = np.concatenate([both[:, :2].min(0), both[:, 2:].max(0)])
            return people, [joint] if merged else [boxes[1]]
        return people, boxes

    tracks = [track for track in _follow(script, 80) if len(track.indices) > 20]
    assert len(tracks) == 2
    ends = sorted((track.boxes[0][0], track.boxes[-1][0]) for track in tracks)
    assert ends[0][0] < 50
    assert ends[0][1] > 300
    assert ends[1][0] > 300
    assert ends[1][1] < 50


@pytest.mark.parametrize("late", range(0, 24, 3))
def test_two_who_cross_in_mid_stride_keep_their_tracks(late):
    """Outlines swing with the stride, are cut off where they touch, and are one while the two are behind each other.

    As the foreground of two walkers has it, whatever moment of their strides they meet in.
    """

    def outline(x, index, tall):
        ahead, behind = (tall * (0.14 + 0.12 * np.sin(2 * np.pi * (index + shift) / 24)) for shift in (0, 9))
        return np.array([x - behind, 180 - tall, x + ahead, 180])

    def script(index):
        boxes = [outline(20 + 3 * index, index + late, 100), outline(390 - 5 * index, index + 3 * late, 112)]
        people = list(zip(boxes, COLOURS, strict=False))
        left, right = sorted(boxes, key=lambda box: box[0] + box[2])
        if left[2] >= right[0]:
            over = (left[2] - right[0]) / (right[2] - left[0])
            if over > 0.25:
                return people, [np.concatenate([np.minimum(left, right)[:2], np.maximum(left, right)[2:]])]
            left[2] = right[0] = (left[2] + right[0]) / 2
        return people, boxes

    tracks = [track for track in _follow(script, 78) if len(track.indices) > 20]
    assert len(tracks) == 2
    first, second = sorted(tracks, key=lambda track: track.boxes[0][0])
    assert first.boxes[-1][0] > first.boxes[0][0] + 180
    assert second.boxes[-1][0] < second.boxes[0][0] - 300


@pytest.mark.parametrize("pause", [25, 100])
def test_who_stood_beside_somebody_is_not_expected_to_walk_on(pause):
    """One walks up to another, stands there touching, is hidden for half a second, and goes back."""
    arrives = 30

    def script(index):
        back = max(0, index - arrives - pause - 14)
        boxes = [_box(78 + 4 * (min(index, arrives) - back)), _box(240)]
        people = list(zip(boxes, COLOURS, strict=False))
        if arrives + pause <= index < arrives + pause + 14:
            return people, [np.concatenate([np.minimum(*boxes)[:2], np.maximum(*boxes)[2:]])]
        return people, boxes

    first, second = sorted(_follow(script, arrives + pause + 44), key=lambda track: track.boxes[0][0])
    assert (len(first.indices), len(second.indices)) == (arrives + pause + 30,) * 2


@pytest.mark.parametrize(("gap", "tracks"), [(15, 1), (45, 2)])
def test_a_gap_of_under_a_second_is_bridged_and_a_longer_one_is_not(gap, tracks):
    def script(index):
        box = _box(40 + 3 * index)
        return [(box, COLOURS[0])], [] if 30 <= index < 30 + gap else [box]

    found = _follow(script, 110)
    assert len(found) == tracks


def test_flickers_are_no_people():
    def script(index):
        return [], [_box(100)] if index % 40 in (0, 1) else []

    assert _follow(script, 120) == []


def test_tracks_are_given_out_as_they_end():
    tracker = Tracker()
    for index in range(30):
        box = _box(40 + 3 * index)
        assert tracker.update(_frame(index, [(box, COLOURS[0])]), box[None]) == []
    ended = [tracker.update(_frame(index, []), np.zeros((0, 4))) for index in range(30, 70)]
    assert [len(tracks) for tracks in ended].count(1) == 1
    assert tracker.live == []


def test_empty_video_has_no_tracks():
    tracker = Tracker()
    assert tracker.update(_frame(0, []), np.zeros((0, 4))) == []
    assert tracker.finish() == []


def test_gap_must_be_positive():
    with pytest.raises(ValueError, match="longest_gap"):
        Tracker(longest_gap=0)


@given(slope=st.floats(-40, 40), growth=st.floats(-20, 20), at=st.floats(0.2, 1.8), seed=st.integers(0, 1000))
def test_smoothing_keeps_straight_lines_and_ignores_outliers(slope, growth, at, seed):
    times = np.arange(0, 2, 1 / RATE)
    middle, height, bottom = 100 + slope * times, 100 + growth * times, 180 + 0.3 * slope * times
    boxes = np.stack([middle - 20, bottom - height, middle + 20, bottom], -1)
    expected = [np.interp(at, times, boxes[:, side]) for side in range(4)]
    assert np.allclose(smooth_box(times, boxes, at), expected, atol=0.5)
    swallowed = np.random.default_rng(seed).choice(len(times), 8, replace=False)
    boxes[swallowed, 3] += 60  # a reflection in every sixth box
    assert np.allclose(smooth_box(times, boxes, at)[[1, 3]], np.array(expected)[[1, 3]], atol=2.5)


def test_smoothing_of_a_single_box_is_that_box():
    assert np.allclose(smooth_box(np.array([1.0]), _box(50)[None], 1.0), _box(50))


@pytest.mark.parametrize(
    ("x", "height", "named"),
    [
        (lambda t: 100 + 60 * t, lambda t: 100 + 0 * t, "right"),
        (lambda t: 300 - 60 * t, lambda t: 100 + 0 * t, "left"),
        (lambda t: 200 + 0 * t, lambda t: 100 * np.exp(0.15 * t), "towards"),
        (lambda t: 200 + 0 * t, lambda t: 100 * np.exp(-0.15 * t), "away"),
        (lambda t: 200 + 2 * np.sin(t), lambda t: 100 + 0 * t, "standing"),
    ],
)
def test_heading(x, height, named):
    times = np.arange(0, 2, 1 / RATE)
    boxes = np.stack([x(times) - 20, 180 - height(times), x(times) + 20, 180 + 0 * times], -1)
    assert heading(times, boxes) == named
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = 400 - boxes[:, [2, 0]]
    opposite = {"left": "right", "right": "left"}.get(named, named)
    assert heading(times, mirrored) == opposite


def test_heading_of_one_frame_is_standing():
    assert heading(np.array([0.0]), _box(10)[None]) == "standing"
