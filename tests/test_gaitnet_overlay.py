"""What is drawn where: joints on their places at any size, faint where doubted, names inside the picture."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.overlay import (
    LEFT,
    LONGEST_SIDE,
    RIGHT,
    Label,
    Seen,
    draw,
    enlarge,
    enlargement,
    lettering,
    seen_at,
    shorten,
    write_overlay,
)
from gaitnet.video.read import VideoError, VideoReader
from gaitnet.video.write import VideoWriter
from humanpose.skeleton import INDEX

GREY = 128


def plain(height=480, width=640):
    return np.full((height, width, 3), GREY, np.uint8)


def one_limb(a, b, side="r", sure=1.0, box=(100.0, 50.0, 300.0, 400.0)):
    """A person of whom only the lower leg is known."""
    keypoints, probability = np.zeros((16, 2)), np.zeros(16)
    for name, place in (("knee", a), ("ankle", b)):
        keypoints[INDEX[f"{side}_{name}"]] = place
        probability[INDEX[f"{side}_{name}"]] = sure
    return Seen(np.array(box), keypoints, probability)


def track(frames, keypoints=None, rate=25.0):
    frames = np.array(frames)
    count = len(frames)
    boxes = np.stack([frames + 10.0, np.full(count, 5.0), frames + 30.0, np.full(count, 45.0)], axis=1)
    places = np.zeros((count, 16, 2)) + frames[:, None, None] if keypoints is None else keypoints
    return SimpleNamespace(
        frames=frames, times=frames / rate, boxes=boxes, keypoints=places, probability=np.ones((len(places), 16))
    )


def test_limb_lies_between_its_joints_in_the_colour_of_its_side():
    for side, colour in (("r", RIGHT), ("l", LEFT)):
        picture = draw(plain(), [one_limb((200.0, 100.0), (200.0, 300.0), side)])
        near = picture[200, 200].astype(int)
        assert np.abs(near - colour).max() < 40
        assert (picture[200, 230] == GREY).all()
        assert (picture[330, 200] == GREY).all()


def test_doubt_makes_see_through():
    away = [
        np.abs(draw(plain(), [one_limb((200.0, 100.0), (200.0, 300.0), sure=sure)])[200, 200].astype(int) - GREY).sum()
        for sure in (0.0, 0.15, 0.4, 1.0)
    ]
    assert away[0] == 0
    assert away == sorted(away)
    assert len(set(away)) == 4


def test_joint_keeps_its_place_when_a_small_picture_is_enlarged():
    """The first pixel's centre, (0, 0), is at (1.5, 1.5) when every pixel becomes 4 x 4."""
    small = draw(plain(120, 160), [one_limb((80.0, 60.0), (80.0, 60.0), box=(60.0, 10.0, 100.0, 110.0))])
    assert small.shape == (480, 640, 3)
    rows, columns = np.nonzero(np.abs(small.astype(int) - GREY).max(axis=-1) > 60)
    inside = (np.abs(rows - 241.5) < 40) & (np.abs(columns - 321.5) < 40)
    assert abs(rows[inside].mean() - 241.5) < 0.5
    assert abs(columns[inside].mean() - 321.5) < 0.5


def test_picture_handed_in_stays_as_it_was():
    picture = plain()
    draw(picture, [one_limb((200.0, 100.0), (200.0, 300.0))._replace(label=Label("Anna", 0.9))])
    assert (picture == GREY).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_enlarging_keeps_flat_and_linear(height, width, factor):
    assert (enlarge(np.full((height, width, 3), 77, np.uint8), factor) == 77).all()
    ramp = np.tile(4 * np.arange(width, dtype=np.uint8)[None, :, None], (height, 1, 3))
    large = enlarge(ramp, factor)
    assert large.shape == (height * factor, width * factor, 3)
    expected = 4 * ((np.arange(width * factor) + 0.5) / factor - 0.5)
    inner = slice(2 * factor, max(2 * factor, (width - 2) * factor))
    assert (np.abs(large[0, inner, 0] - expected[inner]) <= 1).all()


def test_enlargement_is_enough_but_bounded():
    assert enlargement(120, 160) == 4
    assert enlargement(720, 1280) == enlargement(480, 640) == 1
    assert enlargement(144, 176) * 144 >= 480
    assert enlargement(4, 1200) * 1200 <= LONGEST_SIDE


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    box=st.lists(st.floats(-200, 300), min_size=4, max_size=4),
    place=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2),
    name=st.text(max_size=12),
)
def test_anything_can_be_drawn_anywhere(size, box, place, name):
    person = one_limb(place, (3.0, 3.0), box=box)._replace(label=Label(name, 0.5))
    picture = draw(plain(*size), [person, person])
    assert picture.dtype == np.uint8
    assert picture.shape[0] == size[0] * enlargement(*size)


def changed(picture):
    rows, columns = np.nonzero((picture != GREY).any(axis=-1))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_label_stays_inside_at_every_corner():
    nobody = Seen(np.zeros(4), np.zeros((16, 2)), np.zeros(16), Label("Bartholomew", 0.75))
    for x, y in [(-50, -50), (620, -50), (-50, 470), (620, 470)]:
        picture = draw(plain(), [nobody._replace(box=np.array([x, y, x + 40, y + 60], float))])
        dark = (picture < 60).all(axis=-1)
        rows, columns = np.nonzero(dark)
        assert rows.max() - rows.min() >= 15  # the whole plate, not a rest of it
        assert columns.max() - columns.min() >= 120


def test_labels_of_neighbours_do_not_cover_each_other():
    box = np.array([200.0, 200.0, 260.0, 400.0])
    people = [
        Seen(box + np.tile([8 * k, 2 * k], 2), np.zeros((16, 2)), np.zeros(16), Label(name))
        for k, name in enumerate(("Anna", "Ben", "Carla"))
    ]
    together = draw(plain(), people)
    ink = [(np.abs(draw(plain(), [p]).astype(int) - together) < 3).all(axis=-1).mean() for p in people]
    plates = (together < 60).all(axis=-1).sum()
    alone = sum((draw(plain(), [p]) < 60).all(axis=-1).sum() for p in people)
    assert plates > 0.9 * alone
    assert min(ink) > 0.9


def test_same_name_has_the_same_colour_and_nobody_is_grey():
    person = one_limb((0.0, 0.0), (0.0, 0.0), sure=0.0)
    edges = [
        draw(plain(), [person._replace(label=label)])[225, 100].tolist()
        for label in (Label("Anna"), Label("Anna", 0.4), Label("Ben"), Label("unknown", None, True))
    ]
    assert edges[0] == edges[1] != edges[2]
    assert max(edges[3]) - min(edges[3]) < 25


def test_box_is_a_closed_line_at_any_fraction_of_a_pixel():
    for shift in (0.0, 0.3, 0.5, 0.9):
        box = np.array([100.0, 60.0, 300.0, 400.0]) + shift
        picture = draw(plain(), [Seen(box, np.zeros((16, 2)), np.zeros(16))]).astype(int)
        touched = np.abs(picture - GREY).max(axis=-1) > 8
        assert touched[65:396, 95:106].any(axis=1).all()
        assert touched[65:396, 295:306].any(axis=1).all()
        assert touched[55:66, 105:296].any(axis=0).all()
        assert touched[395:406, 105:296].any(axis=0).all()
        assert not touched[80:380, 120:280].any()


def test_lettering_shows_every_script_and_never_a_formula():
    assert lettering("Zoë", 20, True).shape[1] > lettering("Zo", 20, True).shape[1] > 10
    assert lettering("$x$ Иван", 16, False).max() > 0.8
    assert lettering("a", 24, False).shape[0] == lettering("g", 24, False).shape[0]
    assert lettering("", 24, False).shape == (31, 0)
    assert shorten("line one\nline\x07 two") == "line one line two"
    assert len(shorten("x" * 100)) == 40


def test_frames_between_two_seen_ones_are_filled_but_not_a_gap():
    person = track([10, 14, 40])
    assert seen_at([person], [None], 9) == []
    (seen,) = seen_at([person], [Label("Anna")], 11)
    np.testing.assert_allclose(seen.box, [21, 5, 41, 45])
    np.testing.assert_allclose(seen.keypoints, 11)
    assert seen.label == Label("Anna")
    assert seen_at([person], [None], 20) == []
    assert len(seen_at([person], [None], 40)) == 1


def test_person_without_joints_is_a_box():
    person = track([0, 1, 2], keypoints=np.zeros((0, 16, 2)))
    (seen,) = seen_at([person], [None], 1)
    assert (seen.probability == 0).all()


def film(path, count=12, size=(40, 60)):
    with VideoWriter(path, quality=10) as writer:
        for _ in range(count):
            writer.write(plain(*size))
    return path


def test_written_video_has_the_same_length_and_shows_people(tmp_path):
    source, target, told = film(tmp_path / "in film.mp4"), tmp_path / "out.mp4", []
    people = [track(range(3, 9)), track(range(12))]
    write_overlay(source, people, [Label("Anna", 0.8), None], target, lambda done, total: told.append((done, total)))
    with VideoReader(target) as reader:
        frames = list(reader)
    assert [round(frame.time * 25) for frame in frames] == list(range(12))
    assert frames[0].image.shape == (480, 720, 3)
    busy = [(np.abs(frame.image.astype(int) - GREY).max(axis=-1) > 30).mean() for frame in frames]
    assert min(busy[3:9]) > max(busy[:3] + busy[9:]) > 0
    assert told == [(done, 12) for done in range(1, 13)]


def test_overlay_refuses_what_it_cannot_do(tmp_path):
    source = film(tmp_path / "in.mp4")
    before = source.read_bytes()
    with pytest.raises(ValueError, match="is the video itself"):
        write_overlay(source, [], [], source)
    with pytest.raises(ValueError, match="one for each of 1 people"):
        write_overlay(source, [track([0])], [], tmp_path / "out.mp4")
    with pytest.raises(VideoError):
        write_overlay(tmp_path / "missing.mp4", [], [], tmp_path / "out.mp4")
    with pytest.raises(OSError, match="No such file"):
        write_overlay(source, [], [], tmp_path / "missing" / "out.mp4")
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
