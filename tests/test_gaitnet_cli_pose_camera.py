"""`gaitnet pose --camera`: what a camera shows, followed, told as it goes, and written at the end."""

import errno
import io
import json
import os
import sys
import tracemalloc
from itertools import pairwise

import cv2
import numpy as np
import pytest
from stand_ins import Walkers, bad, checked_as_coco, document, everything, film, good, run

from gaitnet.cli.pose_camera import Recording, live_table
from gaitnet.cli.pose_output import coco, write
from gaitnet.overlay import Seen
from gaitnet.video.read import VideoReader
from gaitnet.video.write import VideoWriter
from humanpose.skeleton import JOINTS


class Camera:
    """A capture of OpenCV's that gives so many pictures, then none; remembers what was done to it."""

    def __init__(self, pictures=5, there=True):
        self.pictures, self.there, self.released = pictures, there, False
        self.given = 0

    def __call__(self, number):
        self.number = number
        return self

    def isOpened(self):  # noqa: N802
        return self.there

    def set(self, *_):
        return True

    def read(self):
        if self.given == self.pictures:
            return False, None
        self.given += 1
        image = np.zeros((48, 64, 3), np.uint8)
        image[:, : 8 * self.given] = (0, 0, 200)  # red, as cameras give it: blue first
        return True, image

    def release(self):
        self.released = True


@pytest.fixture
def camera(place, monkeypatch):
    made = Camera()
    monkeypatch.setattr(cv2, "VideoCapture", made)
    return made


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_camera_is_watched_until_it_ends(place, camera):
    said = run("pose", "--camera", 1, "-o", "out")
    assert said.exit_code == 0, said.output
    assert "camera 1 gave no further picture" in said.stderr
    assert "5 pictures" in said.stdout
    assert (camera.number, camera.released) == (1, True)
    assert everything(place / "out") == [f"camera1.pose.{kind}" for kind in ("csv", "json", "jsonl", "mp4")]
    told = lines(place / "out" / "camera1.pose.jsonl")
    assert [one["frame"] for one in told] == list(range(5))
    assert told[0]["time"] == 0
    assert all(before["time"] < after["time"] for before, after in pairwise(told))
    (somebody,) = told[0]["people"]
    assert np.array(somebody["joints"]).shape == (16, 3)
    assert somebody["joints"][0] == [32, 24, 0.9]
    with VideoReader(place / "out" / "camera1.pose.mp4") as reader:
        frames = list(reader)
    assert len(frames) == 5
    image = frames[-1].image  # enlarged to be legible
    red = image[image.shape[0] // 8, image.shape[1] // 16].astype(int)
    assert red[0] > red[2] + 100  # red stays red


def test_a_camera_is_watched_as_long_as_told(place, camera, monkeypatch):
    camera.pictures = 10_000
    clock = iter(np.arange(0, 1e6, 0.5))
    monkeypatch.setattr("gaitnet.cli.pose_camera.time.monotonic", lambda: float(next(clock)))
    answer = document("pose", "--camera", 0, "--seconds", 3, "--no-overlay")
    files = [f"camera0.pose.{kind}" for kind in ("csv", "json", "jsonl")]
    assert (answer["camera"], answer["most_people"], sorted(answer["files"])) == (0, 1, files)
    assert answer["pictures"] == len(lines(place / "camera0.pose.jsonl")) == 6
    assert answer["seconds"] == 2.5
    assert everything(place) == files


def test_ctrl_c_keeps_what_there_is(place, camera, monkeypatch):
    read = camera.read

    def interrupted():
        if camera.given == 3:
            raise KeyboardInterrupt
        return read()

    camera.read = interrupted
    answer = document("pose", "--camera", 0)
    assert answer["pictures"] == 3
    assert everything(place) == [f"camera0.pose.{kind}" for kind in ("csv", "json", "jsonl", "mp4")]
    assert camera.released


def test_termination_keeps_what_there_is(place, camera, monkeypatch):
    """SIGTERM unwinds as an exit: what was seen is written as after Ctrl-C, and the exit code stays the signal's."""
    read = camera.read

    def terminated():
        if camera.given == 3:
            sys.exit(143)
        return read()

    camera.read = terminated
    assert run("pose", "--camera", 0).exit_code == 143
    assert everything(place) == [f"camera0.pose.{kind}" for kind in ("csv", "json", "jsonl", "mp4")]
    assert len(lines(place / "camera0.pose.jsonl")) == 3
    assert len(json.loads((place / "camera0.pose.json").read_text())["images"]) == 3
    assert camera.released


def test_lines_can_be_read_while_a_camera_is_watched(place, camera):
    read, there = camera.read, []

    def watched():
        if camera.given:
            there.append(len(lines(place / "camera0.pose.jsonl")))
        return read()

    camera.read = watched
    good("pose", "--camera", 0)
    assert there == [1, 2, 3, 4, 5]


def test_lines_stay_where_the_film_cannot_be_written(place, camera, monkeypatch):
    write = VideoWriter.write

    def full(self, image, time=None):
        if camera.given == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, image, time)

    monkeypatch.setattr(VideoWriter, "write", full)
    assert "No space left" in bad("pose", "--camera", 0, code=1)
    assert everything(place) == ["camera0.pose.jsonl"]
    assert [one["frame"] for one in lines(place / "camera0.pose.jsonl")] == [0, 1, 2]


def test_people_before_a_camera_keep_their_numbers(place, camera, monkeypatch):
    """Two people; the first one is not found in one picture, and the detector names them in any order."""

    def find(image):
        find.calls += 1
        boxes = np.array([[2.0, 4, 18, 44], [40, 4, 56, 44]])
        kept = [1] if find.calls == 7 else [1, 0] if find.calls % 2 else [0, 1]
        return boxes[kept], np.full(len(kept), 0.9)

    find.calls = 0
    camera.pictures = 9
    monkeypatch.setattr(Walkers, "detector", staticmethod(find))
    assert document("pose", "--camera", 0, "--no-overlay")["most_people"] == 2
    places = {}
    for told in lines(place / "camera0.pose.jsonl"):
        assert len(told["people"]) == (1 if told["frame"] == 5 else 2)
        for one in told["people"]:
            places.setdefault(one["person"], set()).add(one["box"][0] < 30)
    assert sorted(places) == [1, 2]
    assert sorted(len(sides) for sides in places.values()) == [1, 1]


def test_what_a_camera_saw_is_written_as_of_a_video(place, camera, monkeypatch):
    """The JSON lines, COCO's layout and the table tell the same; nobody is in the second picture."""
    seen = np.array([[2.0, 4, 18, 44]])
    found = iter([seen, seen, seen[:0], seen, seen, seen, seen])  # the first is for getting ready
    camera.pictures = 6
    monkeypatch.setattr(Walkers, "detector", staticmethod(lambda image: ((now := next(found)), np.full(len(now), 0.9))))
    document("pose", "--camera", 0, "--format", "coco", "--no-overlay")
    told = json.loads((place / "camera0.pose.json").read_text())
    checked_as_coco(told)
    assert [image["frame"] for image in told["images"]] == [0, 2, 3, 4, 5]
    assert {(image["width"], image["height"], image["file_name"]) for image in told["images"]} == {(64, 48, "camera0")}
    line = lines(place / "camera0.pose.jsonl")[2]["people"][0]
    (one,) = [one for one in told["annotations"] if one["image_id"] == 2 and one["category_id"] == 2]
    assert [one["keypoints"][:2], one["keypoint_scores"][0]] == [line["joints"][0][:2], line["joints"][0][2]]
    assert one["bbox"] == [2, 4, 16, 40]
    assert [(one["person"], one["frames"], one["reason"]) for one in told["people"]] == [
        (1, 5, "no walk was looked for")
    ]
    rows = (place / "camera0.pose.csv").read_text().splitlines()
    good("pose", film(place / "anna-1.mp4"), "--no-overlay")
    assert rows[0] == (place / "anna-1.pose.csv").read_text().splitlines()[0]
    assert [row.split(",")[:4:3] for row in rows[1:]] == [["camera0", "1"]] * 5


def test_a_flicker_before_a_camera_is_no_person(place, camera, monkeypatch):
    """One false box beside somebody, another where nobody is found: told as it goes, and left out at the end."""
    somebody, false = np.array([[2.0, 4, 18, 44]]), np.array([[40.0, 0, 48, 12]])
    found = iter([somebody] * 4 + [np.concatenate([somebody, false])] + [somebody] * 2 + [false + 8] + [somebody] * 2)
    monkeypatch.setattr(Walkers, "detector", staticmethod(lambda image: ((now := next(found)), np.full(len(now), 0.9))))
    camera.pictures = 9  # and one for getting ready
    assert document("pose", "--camera", 0, "--no-overlay")["most_people"] == 1
    assert [len(one["people"]) for one in lines(place / "camera0.pose.jsonl")] == [1, 1, 1, 2, 1, 1, 1, 1, 1]
    told = json.loads((place / "camera0.pose.json").read_text())
    assert [(one["person"], one["frames"]) for one in told["people"]] == [(1, 8)]
    assert [image["frame"] for image in told["images"]] == [0, 1, 2, 3, 4, 5, 7, 8]
    assert {one["track_id"] for one in told["annotations"]} == {1}
    rows = (place / "camera0.pose.csv").read_text().splitlines()[1:]
    assert [row.split(",")[3] for row in rows] == ["1"] * 8


def test_the_end_of_a_long_watch_needs_little_memory(tmp_path):
    """A picture after the other: all of them as one document would take ten times as much."""
    person = {"person": 1, "box": [2, 4, 18, 44], "joints": [[20, 30, 0.9]] * 16}
    path = tmp_path / "camera0.pose.jsonl"
    path.write_text("".join(json.dumps({"frame": n, "time": n / 25, "people": [person]}) + "\n" for n in range(500)))
    recording = Recording(path, "camera0", (64, 48), 5)
    write(tmp_path / "first", coco(recording), recording)  # whatever is imported or made once
    tracemalloc.start()
    try:
        write(tmp_path / "camera0.pose", coco(recording), recording)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 500_000
    told = json.loads((tmp_path / "camera0.pose.json").read_text())
    assert [len(told[key]) for key in ("images", "annotations")] == [500, 500]


def test_no_camera_is_one_sentence(place, camera):
    camera.there = False
    assert "there is no camera 0" in bad("pose", "--camera", 0)
    camera.there, camera.pictures = True, 0
    assert "gives no picture" in bad("pose", "--camera", 0)
    assert camera.released
    assert everything(place) == []


def test_options_that_do_not_go_with_a_camera_are_told(place, camera):
    film(place / "anna-1.mp4")
    assert "--camera 0" in bad("pose")
    assert "anna-1.mp4" in bad("pose", "anna-1.mp4", "--camera", 0)
    assert "--seconds" in bad("pose", "anna-1.mp4", "--seconds", 3)
    for option in ("--whole", "--frames", "--everybody"):
        assert "which are for files" in bad("pose", "--camera", 0, option)
    assert bad("pose", "--camera", -1)
    assert bad("pose", "--camera", 2**40)


def test_the_live_table_fits_a_terminal():
    from rich.console import Console

    people = [(number, Seen(np.zeros(4), np.full((16, 2), 1234.0), np.full(16, 0.5))) for number in range(1, 6)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(live_table(0, people, 12.3))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "2 more people" in text
    assert all(name in text for name in JOINTS)
    assert "1234, 1234" in text
