"""`gaitnet evaluate casia-a | casia-b | tum-gaid | folder`: small trees in official layouts, sound and damaged."""

import csv
import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from stand_ins import bad, document, good
from walk_trees import pictures

from gaitnet import crowd, descriptor
from gaitnet.cli import evaluate_tree, evaluate_walkers_grid
from gaitnet.cli.evaluate_road import follow_all, frames_of, walker_of
from gaitnet.crowd import Described
from gaitnet.datasets.record import Sequence
from gaitnet.recognizer import Person, maps_of_walk
from gaitnet.video.write import VideoWriter

# --- films and pictures, through stand-ins for the networks

TALL = np.linspace(0, 40, 16)


class Road:
    """Follows one person through any frames; who it is stands in the brightness of the pictures, 20 a person.

    Dark pictures show nobody. How many walks it has looked at is counted.
    """

    identity, detector, pose = "stand-in", None, SimpleNamespace(size=(64, 48))

    gait = None

    def __init__(self):
        self.looked = 0

    def follow(self, frames, detector):
        seen = [(frame.index, frame.time, float(frame.image.mean())) for frame in frames]
        self.looked += 1
        level = round(np.mean([light for *_, light in seen]) / 20)
        if level:
            yield self.person(level, np.array([index for index, *_ in seen]), np.array([time for _, time, _ in seen]))

    def person(self, level, frames, times):
        phase, reach = np.random.default_rng(level).uniform(0, 6, (2, 16, 2))
        swing = (1 + reach)[None] * np.sin(6 * times[:, None, None] + phase[None])
        keypoints = (20 + np.stack([TALL / 4, TALL], -1)[None] + swing).astype(np.float32)
        sure = np.full(keypoints.shape[:2], 0.9, np.float32)
        boxes = np.tile([10.0, 10.0, 40.0, 60.0], (len(times), 1))
        one = Person(0, frames, times, boxes, keypoints, sure, False)
        one.windows = vectors_of_walks(self.gait, [[*maps_of_walk(keypoints, sure, times, False)]])[0]
        if len(one.windows):
            one.identification_vector = one.windows.mean(axis=0)
        else:
            one.reason = "too few frames"
        return one


def vectors_of_walks(gait, walks):
    """Stands in for GaitNN: a random projection of each part's mean map."""
    projection = np.random.default_rng(0).standard_normal((17 * 17 * 16, 24)).astype(np.float32)
    return [np.stack([maps.mean(axis=0).ravel() @ projection for maps in walk]) if walk else np.zeros((0, 24))
            for walk in walks]  # fmt: skip


@pytest.fixture
def road(monkeypatch):
    stand_in = Road()
    monkeypatch.setattr(descriptor, "vectors_of_walks", vectors_of_walks)
    monkeypatch.setattr(evaluate_tree, "load", lambda weights: stand_in)
    monkeypatch.setattr(evaluate_tree, "yardstick", lambda weights, identity: None)
    return stand_in


def shade(level, number):
    return np.full((48, 64, 3), 20 * level + number % 3, np.uint8)


def film(path, level, frames=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, quality=5) as writer:
        for number in range(frames):
            writer.write(shade(level, number))


def walk_of_pictures(folder, level, frames=40, suffix=".png", before=""):
    import cv2

    folder.mkdir(parents=True)
    for number in range(1, frames + 1):
        assert cv2.imwrite(str(folder / f"{before}{number:03d}{suffix}"), shade(level, number))


def casia_b_films(root, people=(75, 76, 77), views=(36, 90), walks=("nm-01", "nm-02", "nm-05", "bg-01", "bg-02")):
    for place, person in enumerate(people, 2):
        for walk in walks:
            for view in views:
                film(root / "video" / f"{person:03d}-{walk}-{view:03d}.avi", place)


def first_rate(told, row=0):
    """Rank-1 of a row of the first method."""
    return next(iter(told["methods"].values()))["rows"][row]["rank_1"]["value"]


def test_casia_b_films_by_view_and_what_is_missing(road, tmp_path):
    casia_b_films(tmp_path / "b")
    (tmp_path / "b" / "video" / "holiday.avi").write_bytes(b"no film")
    (tmp_path / "b" / "video" / "076-nm-05-090.avi").write_bytes(b"no film either")
    film(tmp_path / "b" / "video" / "077-nm-05-036.avi", 0)  # nobody walks
    film(tmp_path / "b" / "video" / "001-nm-01-036.avi", 9)  # of the training part: not looked at
    text = good("evaluate", "casia-b", "--root", tmp_path / "b", "--output", tmp_path / "seen")
    assert road.looked == 29
    for words in ("28 of 30", "identical view left out", "036", "090", "100.0", "mAP", "single frame",
                  "colours of the person"):  # fmt: skip
        assert words in text, words
    told = json.loads((tmp_path / "seen" / "casia-b.json").read_text())
    assert [row["name"] for row in told["methods"]["gait, SVM"]["rows"]] == ["NM", "BG"]
    assert first_rate(told) == pytest.approx((2 / 3 + 2 / 3) / 2)  # either view lost one of its three probes
    assert first_rate(told, 1) == 1
    notes = " ".join(told["notes"])
    for words in ("no walks for CL", "wrong name 1, damaged 1", "2 of 30 walks are not described",
                  "cannot be read 1, nobody was seen 1", "they are misses"):  # fmt: skip
        assert words in " ".join(notes.split()), words
    with (tmp_path / "seen" / "casia-b.csv").open() as file:
        assert sum(row["described"] == "False" for row in csv.DictReader(file) if row["method"] == "gait, SVM") == 2


def test_an_evaluation_that_was_stopped_goes_on(road, tmp_path):
    casia_b_films(tmp_path / "b", walks=("nm-01", "nm-05"))
    command = ("evaluate", "casia-b", "--root", tmp_path / "b", "--output", tmp_path / "seen")
    before = document(*command)
    assert road.looked == 12
    kept = sorted((tmp_path / "seen" / "walks").iterdir())
    assert len(kept) == 12
    kept[0].unlink()
    kept[1].write_bytes(b"torn")
    film(tmp_path / "b" / "video" / "075-nm-01-036.avi", 2, frames=41)  # another film
    after = document(*command)
    assert road.looked - 12 in (2, 3)  # the film may be one of the two
    assert (
        after["methods"]["gait, nearest"]["rows"][0]["rank_1"]
        == before["methods"]["gait, nearest"]["rows"][0]["rank_1"]
    )


def test_what_cannot_be_read_is_looked_at_again_and_warnings_are_handed_on(road, tmp_path, monkeypatch):
    film(tmp_path / "a.mp4", 2)
    (tmp_path / "b.mp4").write_bytes(b"no film")
    walks = [Sequence(name, "", "", None, "door", tmp_path / f"{name}.mp4") for name in "ab"]
    follow = road.follow

    def warned(frames, detector):
        warnings.warn("joints are slow", RuntimeWarning, stacklevel=1)
        yield from follow(frames, detector)

    monkeypatch.setattr(road, "follow", warned)
    with pytest.warns(RuntimeWarning, match="joints are slow"):
        first = follow_all(road, walks, 25, tmp_path / "kept", "one")
    assert [one.reason for one in first] == ["", "cannot be read"]
    assert len(list((tmp_path / "kept").iterdir())) == 1
    again = follow_all(road, walks, 25, tmp_path / "kept", "one")  # nobody warns: it is not looked at
    assert np.array_equal(again[0].arrays["shuffled"], first[0].arrays["shuffled"])
    assert road.looked == 1
    with pytest.warns(RuntimeWarning):
        follow_all(road, walks, 25, tmp_path / "kept", "other")
    assert road.looked == 2

    def broken(frames, detector):
        raise ValueError("maps: of another kind")

    monkeypatch.setattr(road, "follow", broken)
    with pytest.raises(ValueError, match="of another kind"):
        follow_all(road, walks, 25, None)


def test_what_cannot_be_scored_is_refused_before_anybody_is_looked_at(road, tmp_path):
    for place, name in enumerate(("anna", "ben"), 2):
        film(tmp_path / "films" / name / "door.mp4", place)
    command = ("evaluate", "folder", "--root", tmp_path / "films")
    assert "expected two walks or more of somebody" in bad(*command)
    film(tmp_path / "one" / "anna" / "door.mp4", 2)
    film(tmp_path / "one" / "anna" / "yard.mp4", 2)
    assert "got anna alone" in bad(*command[:2], "--root", tmp_path / "one")
    assert road.looked == 0


def test_casia_b_people_who_learn_and_are_tested(road, tmp_path):
    casia_b_films(tmp_path / "b", people=(1, 2, 3), walks=("nm-01", "nm-05"))
    command = ("evaluate", "casia-b", "--root", tmp_path / "b")
    assert "name people to be tested with --test" in bad(*command)
    assert first_rate(document(*command, "--test", "1-3")) == 1
    assert "expected different persons, got 1 on both sides (002)" in bad(*command, "--train", "1,2", "--test", "2-3")
    assert "nobody there is called 75-124" in bad(*command, "--test", "75-124")
    assert "expected numbers of people" in bad(*command, "--test", "anna")
    assert "expected probes in other views" in bad(*command, "--train", "3", "--root", one_view(tmp_path / "one"))
    assert first_rate(document(*command, "--test", "1-3", "--pooled")) == 1


def one_view(root):
    casia_b_films(root, people=(1, 2, 3), views=(90,), walks=("nm-01", "nm-05"))
    return root


def casia_a_pictures(root, people=3, walks=(1, 2, 3, 4), directions=("00", "90")):
    for person in range(people):
        for direction in directions:
            for number in walks:
                name = f"p{person}"
                folder = root / "GaitDatasetA" / name / f"{direction}_{number}"
                walk_of_pictures(folder, person + 2, before=f"{name}-{direction}_{number}-")


def test_casia_a_pictures_and_an_open_set_trial(road, tmp_path):
    casia_a_pictures(tmp_path)
    walk_of_pictures(tmp_path / "GaitDatasetA" / "p9" / "00_4", 9, before="p9-00_4-")  # searched for, never enrolled
    (tmp_path / "GaitDatasetA" / "p0" / "00_4" / "p0-00_4-007.png").write_bytes(b"cut")
    (tmp_path / "GaitDatasetA" / "p0" / "45_1").mkdir()
    told = document("evaluate", "casia-a", "--root", tmp_path, "--output", tmp_path / "seen")
    (row,) = told["methods"]["gait, SVM"]["rows"]
    assert (row["searches"], row["nonmated"], row["rank_1"]["value"]) == (6, 1, 1)
    assert [each["wanted"] for each in row["open_set"]] == [0.01, 0.1]
    assert "damaged 1" in told["notes"][0]
    assert "empty 1" in told["notes"][0]
    told = document("evaluate", "casia-a", "--root", tmp_path, "--leave-one-out")
    assert told["methods"]["gait, SVM"]["rows"][0]["searches"] == 24


def test_pictures_keep_their_times_where_some_are_lost(tmp_path):
    walk_of_pictures(tmp_path / "w", 3, frames=9)
    (tmp_path / "w" / "001.png").write_bytes(b"cut")
    (tmp_path / "w" / "004.png").unlink()
    walk = Sequence("p", "NM", "", 90.0, "w", tmp_path / "w", kind="frames")
    dropped = []
    frames = list(frames_of(walk, 10, dropped))
    assert [frame.index for frame in frames] == [0, 1, 3, 4, 5, 6, 7]
    assert frames[2].time == pytest.approx(0.3)
    assert [one.kind for one in dropped] == ["damaged"]
    assert len(list(frames_of(walk, 10, [], most=3))) == 3  # of four, one is damaged
    for path in (tmp_path / "w").iterdir():
        path.write_bytes(b"cut")
    with pytest.raises(ValueError, match="not one of 8 pictures"):
        list(frames_of(walk, 10, []))


def test_where_nothing_can_be_read_it_is_said_why(road, tmp_path):
    casia_b_films(tmp_path / "b", walks=("nm-01", "nm-05"), people=(75, 76))
    for path in (tmp_path / "b" / "video").iterdir():
        path.write_bytes(b"no film")
    text = bad("evaluate", "casia-b", "--root", tmp_path / "b")
    assert "nobody can be compared" in text
    assert "cannot be read 8" in text
    casia_a_pictures(tmp_path / "a", people=1, walks=(1,), directions=("00",))
    assert "are no silhouettes" in bad("evaluate", "casia-a", "--root", tmp_path / "a", "--silhouettes")


def test_a_film_that_is_cut_off_is_used_as_far_as_it_goes_and_counted(road, tmp_path):
    casia_b_films(tmp_path / "b", walks=("nm-01", "nm-05"), people=(75, 76))
    path = tmp_path / "b" / "video" / "075-nm-05-036.avi"
    noise = np.random.default_rng(0)
    with VideoWriter(path, quality=20) as writer:
        for _ in range(60):
            writer.write(noise.integers(0, 80, (48, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    told = document("evaluate", "casia-b", "--root", tmp_path / "b")
    assert "1 left out (damaged 1)" in " ".join(told["notes"])
    assert told["described"]["value"] == 1
    assert "mAP is left out" in " ".join(told["notes"])


def test_the_walker_is_who_is_followed_longest():
    def one(track, first, last, reason=None):
        return SimpleNamespace(track=track, frames=np.arange(first, last), reason=reason)

    people = [one(0, 0, 20), one(1, 30, 90), one(2, 25, 40), one(3, 0, 500, "too small"), one(4, 92, 99)]
    assert [person.track for person in walker_of(people)] == [1, 0, 4]
    assert walker_of(people[3:4]) == []


def tum_gaid_pictures(root, people=3, walks=("n01", "n02", "n05", "b01", "s01"), parts=("", "", "1\n2\n3\n")):
    for person in range(1, people + 1):
        for walk in walks:
            walk_of_pictures(root / "image" / f"p{person:03d}" / walk, person + 1, suffix=".jpg")
    (root / "labels").mkdir()
    for name, text in zip(("tumgaidtrainids", "tumgaidvalids", "tumgaidtestids"), parts, strict=True):
        (root / "labels" / f"{name}.lst").write_text(text)
    return root


def test_tum_gaid(road, tmp_path):
    root = tum_gaid_pictures(tmp_path / "t", walks=("n01", "n05", "b01", "s01", "n11"))
    told = document("evaluate", "tum-gaid", "--root", root)
    assert [row["name"] for row in told["methods"]["gait, SVM"]["rows"]] == ["N", "B", "S"]
    assert told["methods"]["gait, SVM"]["average"]["value"] == 1
    told = document("evaluate", "tum-gaid", "--root", root, "--second-session")
    assert [row["name"] for row in told["methods"]["gait, SVM"]["rows"]] == ["N"]
    assert "no walks for B, S" in told["notes"][0]


def test_lists_that_share_people_or_name_nobody(road, tmp_path):
    root = tum_gaid_pictures(tmp_path / "t", walks=("n01",), parts=("2\n", "", "1\n2\n3\n"))
    assert "person 2 is in" in bad("evaluate", "tum-gaid", "--root", root)
    root = tum_gaid_pictures(tmp_path / "u", walks=("n01",), parts=("1\n", "2\n", ""))
    assert "belongs to the test" in bad("evaluate", "tum-gaid", "--root", root)
    root = tum_gaid_pictures(tmp_path / "v", walks=("n01",))
    assert "finds nobody to enrol and search for" in bad("evaluate", "tum-gaid", "--root", root)
    assert road.looked == 0


def test_a_folder_of_films(road, tmp_path):
    for place, name in enumerate(("anna", "ben"), 2):
        for walk in ("door", "yard"):
            film(tmp_path / "films" / name / f"{walk}.mp4", place)
    film(tmp_path / "films" / "carl" / "door.mp4", 7)  # of whom nothing else is there
    text = good("evaluate", "folder", "--root", tmp_path / "films")
    assert "4 of 4" in text
    told = document("evaluate", "folder", "--root", tmp_path / "films")
    row = told["methods"]["gait, SVM"]["rows"][0]
    assert (row["rank_1"]["value"], row["nonmated"]) == (1, 1)


def test_casia_a_silhouettes_beside_pictures(road, tmp_path):
    casia_a_pictures(tmp_path, people=2)
    for person in ("p0", "p1"):
        for walk in ("00_1", "00_2", "00_3", "00_4"):
            names = [f"{person}-{walk}-{frame:03d}.png" for frame in range(1, 5)]
            pictures(tmp_path / "GaitDatasetA-silh" / person / walk, names)
    assert "gait, SVM" in document("evaluate", "casia-a", "--root", tmp_path)["methods"]
    told = document("evaluate", "casia-a", "--root", tmp_path, "--silhouettes")
    assert told["evaluation"] == "casia-a-silhouettes"
    assert told["methods"]["PCA and LDA"]["rows"][0]["described"] == 2


# --- walkers in the grid of CASIA-B


def test_the_grid_of_walkers_goes_on_and_takes_more_people(road, tmp_path, monkeypatch):
    drawn = []

    def describe(recognizer, crowd, plans):
        drawn.extend(plans)
        own = [np.random.default_rng(plan.subject).standard_normal(8) for plan in plans]
        nothing = np.random.default_rng(len(drawn)).standard_normal((len(plans), 8))
        return Described({"gait": np.stack(own), "shuffled frames": nothing}, {})

    monkeypatch.setattr(evaluate_walkers_grid, "load", lambda weights: road)
    monkeypatch.setattr(evaluate_walkers_grid, "yardstick", lambda weights, identity: None)
    monkeypatch.setattr(crowd, "describe_walks", describe)
    command = ("evaluate", "walkers-grid", "--view", 54, "--view", 90, "--output", tmp_path)
    told = document(*command, "--subjects", 3)
    assert len(drawn) == 3 * 2 * 10
    assert [first_rate(told, row) for row in range(3)] == [1, 1, 1]
    assert [row["searches"] for row in told["methods"]["gait, SVM"]["rows"]] == [12, 12, 12]
    assert {plan.condition for plan in drawn} == {"NM", "BP", "HB", "CL"}
    text = good(*command, "--subjects", 4)
    assert len(drawn) == 4 * 2 * 10
    assert "cross-view" in text
    assert "at least two views" in bad("evaluate", "walkers-grid", "--view", 90)


# --- trees that walkers write


@pytest.mark.slow
def test_walkers_films_and_pictures_down_the_whole_road(tmp_path):
    make = ("walkers", "make", tmp_path)
    size = ("--width", 240, "--height", 180, "--frames", 36, "--condition", "NM")
    good(*make[:2], tmp_path / "t", "--format", "tum-gaid", "--count", 2, *size)
    told = document("evaluate", "tum-gaid", "--root", tmp_path / "t")
    assert told["described"]["value"] > 0.8
    good(*make[:2], tmp_path / "b", "--format", "casia-b-video", "--count", 2, "--first", 75, *size, "--view", 72,
         "--view", 90)  # fmt: skip
    told = document("evaluate", "casia-b", "--root", tmp_path / "b", "--output", tmp_path / "seen")
    assert told["described"]["value"] > 0.8
    assert first_rate(told) > 0.5
    good(*make[:2], tmp_path / "a", "--format", "casia-a", "--count", 2, *size)
    told = document("evaluate", "casia-a", "--root", tmp_path / "a")
    assert told["described"]["value"] > 0.8
