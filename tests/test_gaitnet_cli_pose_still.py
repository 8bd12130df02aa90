"""`gaitnet pose` of people who stand, sit, or walk too little to be described."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from stand_ins import Walkers, all_joints_at, bad, cut_about, document, everything, film, good, picture, run

from gaitnet.cli.pose_follow import add_joints
from gaitnet.recognizer import GaitRecognizer, Person
from gaitnet.video.read import VideoReader
from humanpose.estimator import Joints, Places
from humanpose.skeleton import JOINTS


def standing(count=2):
    """A detector that finds so many people, who stay where they are, and a flicker in its third picture."""

    def find(image):
        find.calls += 1
        boxes = np.array([[2.0 + 30 * one, 4, 18 + 30 * one, 44] for one in range(count)]).reshape(-1, 4)
        if find.calls == 3:
            boxes = np.concatenate([boxes, [[20, 0, 28, 12]]])
        return boxes, np.full(len(boxes), 0.9)

    find.calls = 0
    return staticmethod(find)


@pytest.mark.parametrize("command", [["anna-1.mp4", "--everybody"], ["empty street.mp4"]])
def test_everybody_is_found_whether_they_walk_or_not(place, monkeypatch, command):
    """On request, and by itself where nobody walks; the files are those of other videos."""
    film(place / command[0])
    monkeypatch.setattr(Walkers, "detector", standing())
    with monkeypatch.context() as changed:
        if "--everybody" in command:
            changed.setattr(Walkers, "describe", None)  # not asked for
        done = run("pose", *command, "-o", "out")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("as with --everybody") == (len(command) == 1)
    assert "joints of 2 of 2 people in 10 pictures" in done.stdout
    name = command[0].removesuffix(".mp4")
    assert everything(place / "out") == [f"{name}.pose.{kind}" for kind in ("csv", "json", "mp4")]
    told = json.loads((place / "out" / f"{name}.pose.json").read_text())
    assert [(one["track_id"], one["bbox"][0]) for one in told["annotations"]] == [(1, 2), (2, 32)] * 10
    assert [list(one.values()) for one in told["people"]] == [
        [number, 0, 0.36, 10, 0, "no walk was looked for"] for number in (1, 2)
    ]
    good("pose", film(place / "ben-1.mp4"), "--no-overlay")
    assert told.keys() == json.loads((place / "ben-1.pose.json").read_text()).keys()


def test_an_empty_street_is_empty(place, monkeypatch):
    monkeypatch.setattr(Walkers, "detector", standing(0))
    done = run("pose", film(place / "empty street.mp4"))
    assert done.exit_code == 0
    assert "nobody was found" in done.stderr
    assert "joints of 0 of 0 people" in done.stdout


def test_everybody_is_for_videos_and_needs_a_detector(place):
    picture(place / "photos" / "a.png")
    for name in ("photos", "photos/a.png"):
        assert "--everybody: is for videos" in bad("pose", name, "--everybody")
    assert "hold no detector" in bad("pose", film(place / "anna-1.mp4"), "--everybody")
    assert everything(place) == ["anna-1.mp4", "photos", "photos/a.png"]


WAIST_UP = np.array([0.04 if name[2:] in ("ankle", "knee", "hip") else 0.7 for name in JOINTS])
"""How sure a network is of somebody whose legs are below the picture."""


@pytest.mark.parametrize("sure", [np.full(16, 0.7), WAIST_UP, np.full(16, 0.3)])
def test_whoever_is_not_described_has_joints(place, monkeypatch, sure):
    """As the recognizer gives those whom it followed and did not describe: boxes alone, and not in every frame.

    A screen that changed its picture is followed as well: the network is sure of none of its joints.
    """
    described = Walkers.describe

    def describe(self, video, progress=None):
        people = described(self, video, progress)
        frames = np.array([0, 1, 2, 3, 6, 7])
        nobody = np.zeros((6, 16, 2), np.float32)
        people[1].__dict__.update(
            frames=frames, times=frames / 25, boxes=people[1].boxes[frames].astype(float), keypoints=nobody,
            probability=nobody[..., 0], reason="not walking",
        )  # fmt: skip
        return people

    def joints(self, crops, affines):
        grey = crops.mean(axis=(1, 2, 3))  # each picture of the film is lighter than the one before
        return all_joints_at(cut_about(crops, affines)[0] + grey[:, None], sure)

    monkeypatch.setattr(Walkers, "describe", describe)
    monkeypatch.setattr(Walkers, "joints_of_crops", joints)
    told = document("pose", film(place / "anna-1+ben.mp4"))
    assert [one["reason"] for one in told["people"]] == [None, "not walking"]
    ben = [one for one in told["annotations"] if one["track_id"] == 2]
    if sure.max() < 0.4:
        assert ben == []
        return
    assert [told["images"][one["image_id"] - 1]["frame"] for one in ben] == [0, 1, 2, 3, 6, 7]
    with VideoReader(place / "anna-1+ben.mp4") as reader:
        greys = [float(frame.image.mean()) for frame in reader]
    for one, frame in zip(ben, (0, 1, 2, 3, 6, 7), strict=True):
        assert one["keypoints"][0] == pytest.approx(19 + greys[frame], abs=2.6)  # made steady: a frame is 5 lighter
        assert one["keypoint_scores"] == pytest.approx(sure.tolist())
    assert len((place / "anna-1+ben.pose.csv").read_text().splitlines()) == 1 + 10 + 6
    assert "not walking" in good("pose", "anna-1+ben.mp4")


@pytest.mark.parametrize("count", [2, 0])
def test_a_screen_does_not_hide_those_who_sit(place, monkeypatch, count):
    """A screen that flickers behind people who sit still is followed, and is no body: they are searched for then."""
    described = Walkers.describe

    def describe(self, video, progress=None):
        (screen,) = described(self, video, progress)
        nobody = np.zeros((len(screen.frames), 16, 2), np.float32)
        screen.__dict__.update(
            boxes=np.tile([50.0, 0, 62, 12], (len(nobody), 1)), keypoints=nobody, probability=nobody[..., 0],
            reason="not walking",
        )  # fmt: skip
        return [screen]

    def joints(self, crops, affines):
        middles, tall = cut_about(crops, affines)
        return all_joints_at(middles, np.where(tall > 20, 0.8, 0.3)[:, None])

    monkeypatch.setattr(Walkers, "describe", describe)
    monkeypatch.setattr(Walkers, "detector", standing(count))
    monkeypatch.setattr(Walkers, "joints_of_crops", joints)
    done = run("pose", film(place / "meeting.mp4"), "--no-overlay")
    assert done.exit_code == 0, done.output
    assert "as with --everybody" in done.stderr
    assert "--everybody also finds" not in done.stderr  # it was done
    told = json.loads((place / "meeting.pose.json").read_text())
    if count:
        assert [one["reason"] for one in told["people"]] == ["no walk was looked for"] * 2
        assert [one["bbox"][0] for one in told["annotations"]] == [2, 32] * 10
    else:  # whoever was followed is still told of
        assert "joints of 0 of 1 people" in done.stdout
        assert [one["reason"] for one in told["people"]] == ["not walking"]


def test_whoever_walks_left_is_shown_as_walking_right(tmp_path):
    """Beside somebody who does not: places stay where they are in the picture, and sides get their own names back."""
    frames = np.arange(6)
    for frame in frames:
        image = np.zeros((48, 64, 3), np.uint8)
        image[:, [10 + 2 * frame, 40 + 2 * frame]] = 255  # a line through each of the two
        cv2.imwrite(str(tmp_path / f"{frame}.png"), image)

    def joints(crops, affines):
        """A network that sees the line in each crop: right joints one pixel before it, left ones two pixels behind."""
        ahead = np.array([{"r_": 1, "l_": -2}.get(name[:2], 0) for name in JOINTS])
        lines = crops[:, 30, :, 0].argmax(axis=1)
        x = affines[:, :1, 0] * lines[:, None] + affines[:, :1, 2] + ahead * np.sign(affines[:, :1, 0])
        sure = np.tile(np.where(ahead == 1, 0.9, 0.6), (len(crops), 1))
        found = Joints(np.stack([x, np.full(x.shape, 20)], axis=-1).astype(np.float32), sure)
        return Places(found, Joints(found.keypoints + 9, np.full(sure.shape, 0.01)))

    along = np.array([2.0, 0, 2, 0])
    people = [
        Person(
            number, frames, frames / 25, np.array([x0, 4.0, x0 + 16, 44]) + frames[:, None] * moves,
            np.zeros((6, 16, 2), np.float32), np.zeros((6, 16), np.float32), mirrored, reason=reason,
        )
        for number, (x0, mirrored, reason, moves) in enumerate([
            (4.0, True, "partly out of view", along), (32.0, False, "partly out of view", along),
            (32.0, False, "not walking", along), (32.0, False, "partly out of view", 0 * along),
        ])
    ]  # fmt: skip
    followed = []

    def paths(places, times):
        followed.append(places)
        return GaitRecognizer.paths(places, times)

    add_joints(
        SimpleNamespace(pose=SimpleNamespace(size=(64, 48)), joints_of_crops=joints, paths=paths), tmp_path, people
    )
    assert len(followed) == 2, "legs keep to their paths, but those of somebody who does not walk"
    left, *right = (
        {name: x - 6 for name, (x, _) in zip(JOINTS, one.keypoints[3].tolist(), strict=True)} for one in people
    )
    for one in right:
        assert (one["r_wrist"], one["l_wrist"]) == (pytest.approx(41, abs=0.7), pytest.approx(38, abs=0.7))
    assert (left["l_wrist"], left["r_wrist"]) == (pytest.approx(9, abs=0.7), pytest.approx(12, abs=0.7))
    sure = dict(zip(JOINTS, people[0].probability[3].tolist(), strict=True))
    assert (sure["l_wrist"], sure["r_wrist"]) == (0.9, 0.6)


@pytest.mark.parametrize("command", [["anna-1"], ["empty street"], ["anna-1", "--everybody"]])
def test_damage_is_told_once(place, monkeypatch, command):
    """By the first of the looks at a video: whoever has no joints yet, the search of every frame, the overlay."""
    for frame in range(1, 8):
        picture(place / command[0] / f"{frame}.png")
    (place / command[0] / "0.png").write_bytes(b"no picture")
    described = Walkers.describe

    def describe(self, video, progress=None):
        people = described(self, video, progress)
        for one in people:
            one.__dict__.update(probability=np.zeros((7, 16), np.float32), reason="not walking")
        return people

    monkeypatch.setattr(Walkers, "describe", describe)
    monkeypatch.setattr(Walkers, "detector", standing())
    done = run("pose", *command, "--frames")
    assert done.exit_code == 0, done.output
    assert "joints of 1 of 1 people in 7" in done.stdout or "joints of 2 of 2 people in 7" in done.stdout
    assert done.stderr.count("0.png: is no picture") == 1
