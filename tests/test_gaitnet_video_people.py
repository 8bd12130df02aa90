"""From frames to people: crops that follow somebody, mirrored where they should be, with reasons and bounded memory."""

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest

from gaitnet.video.background import BackgroundModel
from gaitnet.video.detect import Detections, PersonDetector
from gaitnet.video.people import people
from gaitnet.video.read import Frame, read_video
from gaitnet.video.walk import PeopleConfig
from gaitnet.video.write import VideoWriter

HEIGHT, WIDTH = 180, 320


def _draw(image: np.ndarray, x: float, height: float, bottom: float, swing: float) -> None:
    top = bottom - height
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    head = np.hypot(columns - x, rows - top - 0.07 * height) < 0.07 * height
    nose = (abs(rows - top - 0.07 * height) < 2) & (columns > x) & (columns < x + 0.12 * height)
    trunk = (abs(columns - x) < 0.1 * height) & (rows > top + 0.13 * height) & (rows < top + 0.55 * height)
    below = (rows - top - 0.55 * height) / (0.45 * height)
    legs = np.zeros(image.shape[:2], bool)
    for side in (-1, 1):
        legs |= (abs(columns - x - side * swing * 0.18 * height * below) < 0.04 * height) & (below >= 0) & (below < 1)
    image[head | trunk | legs] = (40, 30, 60)
    image[nose] = (250, 0, 0)


def _frames(count: int, start: float = 25, speed: float = 60.0, height: float = 110.0, mirrored: bool = False):
    rng = np.random.default_rng(0)
    scene = np.clip(np.random.default_rng(9).normal(140, 12, (HEIGHT, WIDTH, 3)), 0, 255)
    for index in range(count):
        image = scene.copy()
        x = start + speed * index / 25
        if -60 < x < WIDTH + 60:
            _draw(image, x, height, 165, np.sin(2 * np.pi * index / 25))
        if mirrored:
            image = image[:, ::-1]
        yield Frame(index, index / 25, np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8))


def _primed(frames: list[Frame]):
    detector = PersonDetector()
    detector.background.prime(frames[::2])
    return detector


@pytest.fixture(scope="module")
def walk():
    """Frames of a walk to the right, and the one track in it."""
    frames = list(_frames(110))
    (track,) = people(frames, _primed(frames))
    return frames, track


def test_a_walk_becomes_one_track_of_crops(walk):
    _, track = walk
    assert track.reason is None
    assert track.last
    assert track.heading == "right"
    assert not track.mirrored
    count = len(track.frames)
    assert count > 80
    assert track.crops.shape == (count, 192, 144, 3)
    assert track.affines.shape == (count, 2, 3)
    assert track.boxes.shape == (count, 4)
    assert np.allclose(track.times, track.frames / 25)
    heights = track.boxes[:, 3] - track.boxes[:, 1]
    assert np.allclose(heights, 110, rtol=0.06)
    assert np.std(heights) < 2
    assert np.allclose(track.boxes[:, 3], 165, atol=4)
    middle = (track.boxes[:, 0] + track.boxes[:, 2]) / 2
    assert np.abs(middle - (25 + 60 * track.frames / 25)).mean() < 5


def test_affines_map_crops_to_the_image(walk):
    frames, track = walk
    for k in (5, len(track.frames) // 2):
        centre = track.affines[k] @ np.array([71.5, 95.5, 1])
        box = track.boxes[k]
        assert np.allclose(centre, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], atol=1)
        assert track.affines[k, 1, 1] * 192 == pytest.approx(1.25 * (box[3] - box[1]), rel=0.02)
        image = frames[int(track.frames[k])].image
        for x, y in ((60, 80), (72, 60), (72, 120)):
            u, v = track.affines[k] @ np.array([x, y, 1])
            assert np.abs(track.crops[k, y, x].astype(int) - image[round(v), round(u)]).max() < 60


def test_who_walks_to_the_left_is_mirrored(walk):
    frames = list(_frames(110, mirrored=True))
    (track,) = people(frames, _primed(frames))
    assert track.heading == "left"
    assert track.mirrored
    assert (track.affines[:, 0, 0] < 0).all()
    _, other = walk
    assert nose(track.crops[40]) > 75
    assert nose(other.crops[40]) > 75


def nose(crop):
    """Where the red nose is in a crop, pixels from the left."""
    red = crop[..., 0].astype(int) - crop[..., 1]
    return np.argwhere(red > 120).mean(0)[1]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (lambda: _frames(34, start=-40, speed=60), "too few frames"),
        (lambda: _frames(60, start=60, height=30, speed=60), "too small"),
        (lambda: _frames(70, start=2, speed=1.5), "partly out of view"),
    ],
)
def test_reasons(frames, reason):
    shown = list(frames())
    empty = list(_frames(20, start=-500))
    found = list(people(shown, _primed(empty)))
    assert [track.reason for track in found if track.reason != "too small" or reason == "too small"] == [reason]
    assert all(len(track.crops) == 0 for track in found)


@pytest.mark.parametrize("height", [18, 21])
def test_who_is_far_away_is_told_so_and_flickers_are_not(height):
    """Somebody less tall than a tenth of the picture's longer side, in a picture of any size."""
    far = [replace(one, image=cv2.resize(one.image, None, fx=4, fy=4)) for one in _frames(60, 60, height=height)]
    assert [track.reason for track in people(far, _primed(far))] == ["too small"]
    short = far[:8]
    assert list(people(short, _primed(far))) == []


@pytest.mark.parametrize("rate", [2.5, 3.0])
def test_few_frames_a_second_are_enough_to_follow_somebody(rate):
    """As surveillance recorders keep them: further apart than a flicker is waited for."""
    slow = [Frame(k, k / rate, one.image) for k, one in enumerate(list(_frames(300, speed=15 * rate))[::10])]
    assert [track.reason for track in people(slow, _primed(slow)) if track.reason is None] == [None]


def test_nobody_is_followed_across_a_pause():
    """A recording that stops and goes on, as one started by motion does: two walks, each with its own frames."""
    frames = list(_frames(110))
    late = [replace(one, time=one.time + 2.2) if one.index >= 55 else one for one in frames]
    first, second = people(late, _primed(frames))
    assert (first.reason, second.reason) == (None, None)
    assert first.times[-1] < 55 / 25 <= 2.2 + 55 / 25 <= second.times[0]


def test_who_stands_is_not_walking():
    empty = list(_frames(20, start=-500))
    found = list(people(_frames(80, start=150, speed=0.0), _primed(empty)))
    assert [track.reason for track in found] == ["not walking"]


class Erring(PersonDetector):
    """A detector that finds nobody in the frames that are `lost`, and takes a reflection for legs in `sunk` ones."""

    def __init__(self, frames, lost=(), sunk=()):
        super().__init__()
        self.background.prime(frames[::2])
        self.lost, self.sunk = lost, sunk

    def __call__(self, frame):
        found = super().__call__(frame)
        boxes = found.boxes.copy()
        if frame.index in self.sunk:
            boxes[:, 3] = HEIGHT
        keep = slice(0, 0) if frame.index in self.lost else slice(None)
        return Detections(boxes[keep], found.scores[keep], found.still)


def test_a_frame_without_a_box_of_its_own_is_told_by_those_around_it(walk):
    """Nobody found in a frame or two, or somebody with the reflection of the legs down to the picture's border."""
    frames, plain = walk
    lost, sunk = {30, 50, 51}, {40, 41, 42, 60, 61, 62, 63}
    (track,) = people(frames, Erring(frames, lost, sunk))
    assert set(track.frames) == set(plain.frames)
    for frame in lost | sunk:
        (here,), (there,) = (np.flatnonzero(one.frames == frame) for one in (track, plain))
        assert np.allclose(track.boxes[here], plain.boxes[there], atol=5)  # the width is that of the stride around it
        apart = np.abs(track.crops[here].astype(int) - plain.crops[there]).mean()
        assert apart < np.abs(track.crops[here].astype(int) - plain.crops[there - 4]).mean()


@pytest.mark.parametrize(("lost", "kept"), [(5, True), (6, False)])
def test_a_gap_is_filled_whole_or_not_at_all(walk, lost, kept):
    frames, plain = walk
    gap = set(range(40, 40 + lost))
    (track,) = people(frames, Erring(frames, lost=gap))
    assert set(plain.frames) - set(track.frames) == (set() if kept else gap)


class Told(PersonDetector):
    """A detector that is told the boxes of every frame, in pixels; pictures do not matter."""

    def __init__(self, boxes):
        super().__init__()
        self.boxes = boxes

    def __call__(self, frame):
        boxes = np.array(self.boxes(frame.index), float).reshape(-1, 4)
        return Detections(boxes, np.ones(len(boxes)), True)


def told(boxes, count, config=None, width=800):
    """The people of `count` plain pictures 240 pixels high in which a detector is told the boxes."""
    plain = np.full((240, width, 3), 120, np.uint8)
    small = config or PeopleConfig(size=(24, 18))
    return list(people((Frame(index, index / 25, plain) for index in range(count)), Told(boxes), small))


def upright(x, height=100.0, bottom=200.0):
    return [x - 0.18 * height, bottom - height, x + 0.18 * height, bottom]


def test_two_steps_back_do_not_turn_the_rest_of_the_walk():
    xs = np.concatenate([np.arange(60, 300, 2.4), np.arange(300, 225, -2.4), np.arange(225, 740, 2.4)])
    tracks = told(lambda index: [upright(xs[index])], len(xs))
    assert [(track.mirrored, track.heading) for track in tracks] == [(False, "right"), (True, "left"), (False, "right")]
    joined = np.concatenate([track.frames for track in tracks])
    assert (np.diff(joined) > 0).all()
    assert set(range(len(xs))) - set(joined) <= {*range(95, 108), *range(125, 142)}, "he stands where he turns"


@pytest.mark.parametrize("turn", [200, 400])
def test_a_way_back_that_is_not_described_keeps_its_frames_too(turn):
    """The feet are below the picture on the way back, also of a walk so long that it was described in parts."""
    xs = np.concatenate([60 + np.arange(turn), 60 + turn - 2.5 * np.arange(1, 91)])
    tracks = told(lambda index: [upright(xs[index], bottom=200.0 + 40 * (index > turn))], turn + 90, width=turn + 200)
    last = tracks[-1]
    assert (last.reason, last.mirrored, last.heading) == ("partly out of view", True, "left")
    assert len(last.frames) > 85
    assert (np.diff(last.frames) == 1).all()
    assert {track.reason for track in tracks[:-1]} == {None}
    assert max(track.frames[-1] for track in tracks[:-1]) < last.frames[0]


def test_somebody_who_is_hidden_is_not_handed_out():
    """By somebody nearer to the camera, who is far larger, and of whom it is not known that they are two."""
    hidden = range(40, 44)

    def boxes(index):
        far, near = upright(150 + 2.4 * index, 90.0), upright(730 - 12.0 * index, 190.0, 235.0)
        return [near] if index in hidden else [far, near] if near[0] > 0 else [far]

    far = next(track for track in told(boxes, 80) if track.boxes[0, 3] - track.boxes[0, 1] < 120)
    assert set(range(80)) - set(far.frames) >= set(hidden)


def test_who_comes_so_near_that_the_feet_leave_the_picture_is_not_told_by_frames_before():
    bottoms = 180 + 1.5 * np.arange(60)
    xs = 100 + 2.4 * np.arange(60)
    (track,) = told(lambda index: [upright(xs[index], bottom=min(bottoms[index], 240.0))], 60)
    assert track.frames[-1] <= np.argmax(bottoms > 240)


def test_a_box_that_a_side_of_the_picture_cuts_as_well_is_not_told_by_others():
    cut = range(12, 16)
    xs = 30 + 2.4 * np.arange(60)
    (track,) = told(lambda index: [[0, 100, xs[index] + 18, 240] if index in cut else upright(xs[index])], 60)
    assert set(range(60)) - set(track.frames) >= set(cut)


def test_who_walks_left_is_known_to_although_never_wholly_in_view():
    (track,) = told(lambda index: [upright(700 - 3 * index, bottom=240.0)], 60)
    assert (track.reason, track.mirrored) == ("partly out of view", True)


def test_a_gap_is_not_filled_nor_legs_that_are_out_of_view(walk):
    frames, plain = walk
    (track,) = people(frames, Erring(frames, lost=set(range(40, 51))))
    assert set(plain.frames) - set(track.frames) == set(range(40, 51))
    below = Erring(frames, sunk=set(range(110)))
    assert [one.reason for one in people(frames, below)] == ["partly out of view"]


def test_who_turns_round_begins_another_walk():
    """To the right, a turn inside the picture, and back: two walks, each shown walking to the right.

    That it was a turn is known 0.6 body heights later, over a second here; what was seen until then belongs to the way
    back.
    """
    there = list(_frames(88))
    ended, scene = 25 + 60 * 87 / 25, np.clip(np.random.default_rng(9).normal(140, 12, (HEIGHT, WIDTH, 3)), 0, 255)
    back = []
    for index in range(1, 88):
        flipped = scene[:, ::-1].copy()
        _draw(flipped, WIDTH - 1 - ended + 60 * index / 25, 110, 165, np.sin(2 * np.pi * index / 25))
        back.append(Frame(87 + index, (87 + index) / 25, flipped[:, ::-1].astype(np.uint8)))
    frames = there + back
    first, second = (track for track in people(frames, _primed(frames)) if track.reason is None)
    assert (first.heading, second.heading) == ("right", "left")
    assert (first.mirrored, second.mirrored) == (False, True)
    assert first.track_id != second.track_id
    assert first.frames[-1] < second.frames[0]
    assert 83 < second.frames[0] < 105
    assert len(second.frames) > 65
    for frame, box, affine, crop in zip(second.frames, second.boxes, second.affines, second.crops, strict=True):
        middle = (box[:2] + box[2:]) / 2
        assert np.allclose(affine @ np.array([71.5, 95.5, 1]), middle, atol=1)
        if frame > 90:
            assert middle[0] == pytest.approx(ended - 60 * (frame - 87) / 25, abs=8)
            assert nose(crop) > 75


def test_long_tracks_come_in_segments():
    frames = list(_frames(110, speed=55))
    config = PeopleConfig(segment=30)
    found = list(people(frames, _primed(frames), config))
    assert len(found) >= 3
    assert {track.track_id for track in found} == {found[0].track_id}
    assert [track.segment for track in found] == list(range(len(found)))
    assert [track.last for track in found] == [False] * (len(found) - 1) + [True]
    assert max(len(track.frames) for track in found) < 30 + config.least_frames
    joined = np.concatenate([track.frames for track in found])
    assert (np.diff(joined) > 0).all()


def _endless(count: int):
    """Somebody paces to and fro for ever; frames are made as they are asked for."""
    scene = np.clip(np.random.default_rng(9).normal(140, 12, (90, 160, 3)), 0, 255)
    for index in range(count):
        image = scene.copy()
        _draw(image, 80 + 50 * np.sin(index / 40), 60, 85, np.sin(2 * np.pi * index / 25))
        yield Frame(index, index / 25, image.astype(np.uint8))


def _peak(count: int) -> int:
    tracemalloc.start()
    detector = PersonDetector()
    detector.background = BackgroundModel(memory=3.0)
    for track in people(_endless(count), detector, PeopleConfig(segment=30)):
        del track
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_whoever_is_not_described_is_known_in_every_frame():
    """Beyond the segments that walks are handed out in: joints may be looked for there all the same."""

    class Stays(PersonDetector):
        def __call__(self, frame):
            return Detections(np.array([[40.0, 20, 70, 85]]), np.array([0.9]), True)

    blank = np.zeros((90, 160, 3), np.uint8)
    (track,) = people((Frame(index, index / 25, blank) for index in range(100)), Stays(), PeopleConfig(segment=30))
    assert track.reason == "not walking"
    np.testing.assert_array_equal(track.frames, np.arange(100))
    np.testing.assert_allclose(track.times, np.arange(100) / 25)
    np.testing.assert_array_equal(track.boxes, np.tile([40, 20, 70, 85], (100, 1)))


def test_memory_does_not_grow_with_length():
    assert _peak(360) < 1.15 * _peak(180)


def test_an_empty_stream_has_nobody():
    assert list(people([])) == []


@pytest.mark.parametrize("bad", [{"least_frames": 1}, {"segment": 5}, {"lag": -1.0}, {"least_height": 0}])
def test_config_refuses(bad):
    with pytest.raises(ValueError, match="expected"):
        PeopleConfig(**bad)


def watch(path):
    detector = PersonDetector()
    detector.prime(path)
    return people(read_video(path), detector)


def test_a_file_is_read(tmp_path):
    with VideoWriter(tmp_path / "walk.mp4") as writer:
        for frame in _frames(110):
            writer.write(frame.image)
    (track,) = watch(tmp_path / "walk.mp4")
    assert track.reason is None
    assert len(track.frames) > 80


def test_four_frames_and_one_pixel(tmp_path):
    with VideoWriter(tmp_path / "four.mp4") as writer:
        for frame in _frames(4):
            writer.write(frame.image)
    assert all(track.reason is not None for track in watch(tmp_path / "four.mp4"))
    with VideoWriter(tmp_path / "one.mp4") as writer:
        writer.write(np.zeros((1, 1, 3), np.uint8))
    assert list(watch(tmp_path / "one.mp4")) == []


def test_real_clip_with_two_people(data_root):
    found = [track for track in watch(data_root / "clips" / "demo6.mp4") if track.reason is None]
    assert [track.heading for track in found] == ["right", "right"]
    assert all(len(track.frames) > 50 for track in found)
    for track in found:
        heights = track.boxes[:, 3] - track.boxes[:, 1]
        assert np.std(heights) < 0.08 * np.mean(heights)
