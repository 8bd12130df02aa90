"""The evaluation commands: what KTH's passes hold, what the clips answer, where the joints are found."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stand_ins import bad
from typer.testing import CliRunner

from gaitnet.cli.evaluate_clips import OLIVE, ORANGE, THIRD, Seen, answers, by_colours
from gaitnet.cli.evaluate_clips import watched as men_of
from gaitnet.cli.evaluate_kth import watched
from gaitnet.cli.evaluate_output import Tables, deliver_tables
from gaitnet.cli.evaluate_pose import Tally
from gaitnet.cli.evaluate_pose_pictures import Pictures, as_followed, found_joints, of_landmarks
from gaitnet.cli.evaluate_repaint import cloth, grey_of, repaint, shifted
from gaitnet.cli.evaluate_walks import chosen, maps_of
from gaitnet.cli.main import app
from gaitnet.datasets.record import Sequence
from gaitnet.identification.search import Strangers
from gaitnet.pose_maps import pose_maps_of_track
from gaitnet.recognizer import Person
from gaitnet.video.read import VideoReader
from gaitnet.video.write import VideoWriter
from humanpose.datasets.landmarks import body_box, walks_left
from humanpose.datasets.record import PoseRecord
from humanpose.estimator import Joints, Places
from humanpose.skeleton import FLIP, INDEX, LIMB_JOINTS


def person(first: int, count: int, mirrored: bool = False, seed: int = 0) -> Person:
    """A described person in frames first .. first + count - 1 of a video of 25 frames a second."""
    rng = np.random.default_rng(seed)
    frames = np.arange(first, first + count)
    boxes = np.tile([10.0, 5.0, 30.0, 45.0], (count, 1))
    keypoints = rng.uniform(10, 40, (count, 16, 2)).astype(np.float32)
    probability = np.full((count, 16), 0.9, np.float32)
    vector = rng.normal(size=8).astype(np.float32)
    return Person(seed, frames, frames / 25, boxes, keypoints, probability, mirrored, vector, vector[None])


# --- KTH


def test_persons_can_be_chosen_with_or_without_a_leading_zero():
    passes = [Sequence(who, "NM", "d1", 90.0, "1", Path("x.mp4"), "", 0, 9) for who in ("04", "15")]
    assert [one.subject_id for one in chosen(passes, ["4"], "person")] == ["04"]
    with pytest.raises(ValueError, match="nobody is called 99"):
        chosen(passes, ["99"], "person")


def test_maps_of_a_track_are_those_the_recogniser_makes():
    """A mirrored track's sides were renamed for its user; the maps need the names of the mirrored picture."""
    one = person(0, 40, mirrored=True)
    everything = np.ones(40, bool)
    expected = pose_maps_of_track(one.keypoints[:, FLIP], one.probability[:, FLIP], one.times, mirror=True)
    assert np.array_equal(maps_of(one, everything)[0], expected)
    assert maps_of(one, np.arange(40) < 10) == []


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Sixty small pictures: left half green in the second thirty."""
    path = tmp_path / "walk.mp4"
    with VideoWriter(path, 25, quality=5) as writer:
        for number in range(60):
            image = np.full((48, 64, 3), 128, np.uint8)
            image[:, :32] = (0, 200, 0) if number >= 30 else (60, 60, 60)
            writer.write(image)
    return path


def test_each_pass_has_its_own_walk_and_colours(video: Path):
    people = [person(0, 28, seed=1), person(32, 25, seed=2)]
    looked = []

    def describe(path: Path) -> list[Person]:
        looked.append(path)
        nobody = np.zeros((0, 16, 2), np.float32)
        unseen = Person(9, np.arange(0), np.zeros(0), np.zeros((0, 4)), nobody, nobody[..., 0], False)
        unseen.reason = "too few frames"
        return [*people, unseen]

    passes = [
        Sequence("04", "NM", "d1", 90.0, str(number), video, "", first, last)
        for number, (first, last) in enumerate([(0, 29), (30, 59), (60, 90)], 1)
    ]
    first, second, third = watched(SimpleNamespace(describe=describe), passes)
    assert looked == [video]  # once for all its passes
    assert np.array_equal(first.maps[0], maps_of(people[0], np.ones(28, bool))[0])
    assert third.maps == []
    assert third.colours is None
    assert third.energy_image is None
    assert not np.allclose(first.colours.mean(0), second.colours.mean(0), atol=0.2)


def test_a_wrong_folder_is_told_in_one_sentence(tmp_path: Path):
    for command in ("kth", "cmu", "clips", "pose"):
        (sentence,) = bad("evaluate", command, "--root", tmp_path / "none").strip().splitlines()
        assert str(tmp_path / "none") in sentence


# --- clips


def walk(name: str, vector: np.ndarray, colour: int, noise: int, place: int = 0) -> Seen:
    """A walk of two windows near a vector, in one colour, in a place of another."""
    rng = np.random.default_rng(noise)
    colours = {"person": np.eye(12)[[colour, colour]], "place": np.eye(12)[[place, place]]}
    return Seen(name, vector + 0.05 * rng.normal(size=(2, len(vector))), colours, None)


def test_answers_say_who_and_who_is_nobody():
    people = np.eye(8)
    enrolled = [walk(f"p{place}", people[place], place, place) for place in range(5)]
    strangers = Strangers(
        np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32), tuple(map(str, range(200)))
    )
    missed = Seen("p1", None, None, "too small")
    probes = [
        ("demo6", walk("p0", people[0], 1, 20)),
        ("demo6", missed),
        ("stranger", walk("w", -people.sum(0), 2, 21)),
    ]
    header, (right, lost, unknown), remarks = answers(enrolled, probes, strangers)
    assert remarks == []
    assert len(header) == len(right) == len(lost) == len(unknown)
    assert [right[place] for place in (2, 6, 7)] == ["p0", "yes", "yes"]
    assert right[3] > right[4]
    assert lost[2:] == ["not described: too small", None, None, None, "no", "no"]
    assert unknown[2].startswith("p")
    assert unknown[3] < unknown[4]
    assert unknown[6:] == ["no", "yes"]
    _, lines, _ = by_colours(enrolled, probes)
    assert [line[3] for line in lines[:3]] == ["p1", None, "p2"]
    assert [line[5] for line in lines[:3]] == ["no", None, None]  # no colour tells a stranger


def test_answers_without_strangers_name_the_best_and_say_so():
    enrolled = [walk("p0", np.eye(8)[0], 0, 1), walk("p1", np.eye(8)[1], 1, 2), Seen("p2", None, None, "too small")]
    probes = [("demo6", walk("p1", np.eye(8)[1], 1, 3)), ("stranger", walk("w", np.eye(8)[5], 1, 4))]
    _, (line, stranger), remarks = answers(enrolled, probes, None)
    assert stranger[6:] == ["yes", None]  # neither right nor wrong
    assert [line[place] for place in (2, 4, 6, 7)] == ["p1", None, "yes", "yes"]
    assert len(remarks) == 2
    assert "p2 could not be enrolled" in remarks[0]
    assert "no strangers" in remarks[1]


def test_the_place_names_whom_it_is_peculiar_to_and_remarks_whom_it_cannot_tell_apart():
    """p0 and p1 were enrolled from nearly one place, p2 from another; all wear the same."""
    enrolled = [walk(f"p{number}", np.eye(8)[number], 0, number, place) for number, place in enumerate((3, 3, 4))]
    enrolled[1].colours["place"][:, 5] = 0.3
    probes = [(clip, walk(f"p{number}", np.eye(8)[number], 0, 9, place))
              for clip, number, place in (("demo6", 0, 3), ("demo6", 1, 3), ("demo2", 2, 4))]  # fmt: skip
    header, lines, remarks = by_colours(enrolled, probes)
    assert {len(line) for line in lines} == {len(header)}
    assert [line[2] for line in lines] == ["person"] * 3 + ["place"] * 3
    assert [line[3] for line in lines[3:]] == ["p0", "p0", "p2"]
    assert [line[5] for line in lines[3:]] == ["yes", "no", "yes"]
    (remark,) = remarks
    assert "everybody in demo6 for p0" in remark
    _, _, remarks = by_colours(enrolled, [probes[0], ("demo6", enrolled[2]), ("stranger", enrolled[0])])
    assert remarks == []


def test_a_man_of_a_clip_brings_the_colours_of_himself_and_of_his_place(video: Path):
    """Everybody else is told apart by a frame in which he is alone; the place of the second half is green."""
    recognizer = SimpleNamespace(describe=lambda *_: [person(0, 25, seed=1), person(32, 25, seed=2)])
    grey, green, nobody = men_of(recognizer, video.parent, video.stem, {"a": 5, "b": 40, "c": 30}, None)
    assert [grey.reason, green.reason, nobody.reason] == [None, None, "nobody was seen"]
    assert nobody.colours is None
    assert grey.colours.keys() == green.colours.keys() == {"person", "place"}
    for part in ("person", "place"):
        assert not np.allclose(grey.colours[part].mean(0), green.colours[part].mean(0), atol=0.1)


def test_the_clips_tables_keep_their_words_whole_in_80_columns(capsys):
    vectors = np.eye(24)
    crowd = [walk(f"walker {place}", vectors[place], place % 12, place) for place in range(3, 24)]
    enrolled = [walk(name, vectors[place], place, place) for place, name in enumerate((OLIVE, ORANGE))] + crowd[:-1]
    strangers = Strangers(
        np.random.default_rng(1).normal(size=(200, 24)).astype(np.float32), tuple(map(str, range(200)))
    )
    probes = [("demo6", walk(ORANGE, vectors[0], 1, 40)), ("demo6", Seen(OLIVE, None, None, "joints unclear"))]
    probes += [("demo2", walk(THIRD, vectors[1], 1, 41)), ("stranger", crowd[-1])]
    header, lines, _ = answers(enrolled, probes, strangers)
    found = Tables("clips", "Three men", "", [("gait", header, lines), ("colours", *by_colours(enrolled, probes)[:2])])
    deliver_tables(found, None, as_json=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for name, shown, cells in found.tables:
        for cell in (name, *shown, *(cell for line in cells for cell in line if cell is not None)):
            assert set(str(cell).split()) <= set(said.split()), cell
    # a line of its own for each probe: only who could not be described, or has a long name, takes more
    assert sum(line.split()[:1] in (["demo6"], ["demo2"], ["stranger"]) for line in said.splitlines()) == 4 + 2 * 4


def test_repainting_takes_colours_and_moves_the_clothes_only(video: Path, tmp_path: Path):
    one = person(0, 50)
    for name, place in {"thorax": (20, 12), "pelvis": (20, 26), "r_hip": (20, 27), "l_hip": (20, 27)}.items():
        one.keypoints[:, INDEX[name]] = place
    painted = tmp_path / "painted.mp4"
    repaint(video, [one], painted, seed=4)
    with VideoReader(video) as before, VideoReader(painted) as after:
        for old, new in zip(before, after, strict=True):
            if old.index in (10, 55):
                levels = new.image.astype(int)
                assert (levels.max(-1) - levels.min(-1)).max() <= 6  # grey
                changed = np.abs(levels.mean(-1) - grey_of(old.image))
                assert changed[:, 58:].max() < 8
                assert (changed[14:24, 19:22].mean() > 10) == (old.index == 10)


def test_cloth_takes_the_brightness_drawn_and_keeps_its_folds():
    grey = np.random.default_rng(0).uniform(20, 60, (60, 60))
    keypoints = np.zeros((16, 2))
    keypoints[INDEX["thorax"]], keypoints[INDEX["pelvis"]] = (30, 15), (30, 40)
    mask = cloth(grey.shape, keypoints, 50.0, (("thorax", "pelvis", 0.1),))
    new = shifted(grey, mask, 150.0)
    inside = mask > 0.99
    assert inside.sum() > 50
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert abs((new * mask).sum() / mask.sum() - 150) < 25
    assert np.allclose(np.std(new[inside]), np.std(grey[inside]))
    assert np.array_equal(new[mask == 0], grey[mask == 0])


# --- pose


def record(frame: int, x: float, tmp: Path = Path("x.mp4")) -> PoseRecord:
    """Somebody at x, 40 pixels tall."""
    keypoints = np.random.default_rng(frame).uniform((0, 5), (15, 38), (16, 2)).astype(np.float32)
    keypoints[[INDEX["r_shoulder"], INDEX["l_shoulder"], INDEX["r_hip"], INDEX["l_hip"]], 0] = 7
    keypoints[:, 0] += x
    return PoseRecord(tmp, frame, np.array([x, 0, x + 15, 40], np.float32), keypoints, np.ones(16, bool), "clip")


def test_direction_of_a_reference_is_that_of_the_same_walker_nearby():
    left = [record(frame, 200 - 2 * frame) for frame in range(12)]
    right = [record(frame, 300 + 2 * frame) for frame in range(12)]
    both = [one for pair in zip(left, right, strict=True) for one in pair]
    assert walks_left(both) == [True, False] * 12


def test_body_boxes_hold_head_and_soles():
    one = record(0, 100.0)
    x0, y0, x1, y1 = body_box(one)
    low, high = one.keypoints.min(0), one.keypoints.max(0)
    assert y0 < low[1] < high[1] < y1
    assert (x0 + x1) / 2 == pytest.approx(107)
    unseen = PoseRecord(one.path, 0, one.box, one.keypoints, np.zeros(16, bool), "clip")
    assert np.array_equal(body_box(unseen), one.box)


def test_whoever_is_not_followed_is_missed():
    records = [record(3, 12.0), record(4, 12.0), record(3, 200.0)]
    seen = person(0, 4)
    seen.keypoints[3] = records[0].keypoints
    pictures, found = as_followed(records, [seen])
    assert np.array_equal(found[0], records[0].keypoints)
    assert np.isnan(found[1:]).all()
    tally = Tally(LIMB_JOINTS)
    tally.add(pictures, found)
    assert tally.line()[0].value == pytest.approx(1 / 3)


def test_a_mirrored_crop_gives_its_sides_their_names_back():
    truth = np.random.default_rng(0).uniform(0, 40, (2, 16, 2)).astype(np.float32)
    mirrored = np.array([False, True])
    named = np.where(mirrored[:, None, None], truth[:, FLIP], truth)
    recognizer = SimpleNamespace(joints_of_crops=lambda crops, affines: Places(Joints(named, np.ones((2, 16))), None))
    pictures = Pictures(np.zeros((2, 1)), np.zeros((2, 2, 3)), mirrored, truth, np.ones((2, 16)), ["a", "b"])
    found = found_joints(recognizer, pictures)
    assert np.array_equal(found, truth)
    tally = Tally(LIMB_JOINTS)
    tally.add(pictures, found)
    rate, *each, images, left_out = tally.line()
    assert rate.value == 1
    assert rate.count == 24
    assert (images, left_out) == (2, 0)
    assert each[-2:] == [None, None]  # neck and head do not count here
    assert each[0] == 100.0


def test_hits_are_shares_of_the_joints_that_count():
    truth = np.zeros((1, 16, 2), np.float32)
    truth[0, INDEX["r_shoulder"]], truth[0, INDEX["l_hip"]] = (0, 0), (0, 50)
    visible = np.zeros((1, 16), bool)
    visible[0, [INDEX[name] for name in ("r_shoulder", "l_hip", "r_ankle", "pelvis")]] = True
    found = truth.copy()
    found[0, INDEX["r_ankle"]] += 11  # a fifth of the torso is ten pixels
    found[0, INDEX["pelvis"]] += 99  # which does not count
    tally = Tally(LIMB_JOINTS)
    tally.add(Pictures(truth, truth, np.array([False]), truth, visible, ["a"]), found)
    assert tally.line()[0].value == pytest.approx(2 / 3)


def test_landmarked_frames_come_in_batches_with_their_own_pictures(video: Path):
    records = [record(frame, 10 + frame / 3, video) for frame in (*range(0, 60, 2), 40, 41)]
    parts = list(of_landmarks(records, (192, 144)))
    owners = [owner for part in parts for owner in part.owners]
    assert len(owners) == len(records)
    assert not any(part.mirrored.any() for part in parts)
    for part in parts:
        for crop, keypoints in zip(part.crops, part.keypoints, strict=True):
            (place,) = [one.frame for one in records if np.array_equal(one.keypoints, keypoints)][:1]
            assert (crop[..., 1].astype(int) - crop[..., 0]).max() > 100 or place < 30
    assert sum(len(part.crops) for part in of_landmarks(records, (192, 144), every=4)) == 8


# --- whole roads


@pytest.mark.slow
def test_a_person_of_kth_from_video_to_table(data_root: Path, tmp_path: Path):
    from humanpose.checkpoint import CheckpointError, find

    weights = os.environ.get("GAITNET_WEIGHTS")
    if weights is None:
        try:
            find("pose"), find("gait")
        except CheckpointError:
            pytest.skip("no weights in this checkout")
    root = str(data_root / "kth_walking")
    command = [
        "evaluate",
        "kth",
        "--root",
        root,
        "--person",
        "15",
        "--person",
        "18",
        "--output",
        str(tmp_path),
        "--json",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "kth.json").read_text())
    assert document["described"]["value"] >= 0.9
    assert document["methods"]["gait, SVM"]["rows"][0]["gallery_subjects"] == 2
