"""`gaitnet pose` beyond single files: a camera, COCO's own layout, the table of joints, and the lines of the README."""

import io
import json
import re
from itertools import pairwise
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stand_ins import Walkers, bad, document, everything, film, good, run

from gaitnet.cli.pose_camera import live_table
from gaitnet.cli.pose_output import COCO_JOINTS, COCO_SKELETON
from gaitnet.overlay import Seen
from gaitnet.video.read import VideoReader
from humanpose.estimator import HumanPoseNN
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
    assert (answer["camera"], answer["people"], sorted(answer["files"])) == (0, 1, files)
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
    assert document("pose", "--camera", 0, "--no-overlay")["people"] == 2
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
    found = iter([seen, seen, seen[:0], seen, seen, seen])  # the first is for getting ready
    monkeypatch.setattr(Walkers, "detector", staticmethod(lambda image: ((now := next(found)), np.full(len(now), 0.9))))
    document("pose", "--camera", 0, "--format", "coco", "--no-overlay")
    told = json.loads((place / "camera0.pose.json").read_text())
    checked_as_coco(told)
    assert [image["frame"] for image in told["images"]] == [0, 2, 3, 4]
    assert {(image["width"], image["height"], image["file_name"]) for image in told["images"]} == {(64, 48, "camera0")}
    line = lines(place / "camera0.pose.jsonl")[2]["people"][0]
    (one,) = [one for one in told["annotations"] if one["image_id"] == 2 and one["category_id"] == 2]
    assert [one["keypoints"][:2], one["keypoint_scores"][0]] == [line["joints"][0][:2], line["joints"][0][2]]
    assert one["bbox"] == [2, 4, 16, 40]
    assert [(one["person"], one["frames"], one["reason"]) for one in told["people"]] == [
        (1, 4, "no walk was looked for")
    ]
    rows = (place / "camera0.pose.csv").read_text().splitlines()
    good("pose", film(place / "anna-1.mp4"), "--no-overlay")
    assert rows[0] == (place / "anna-1.pose.csv").read_text().splitlines()[0]
    assert [row.split(",")[:4:3] for row in rows[1:]] == [["camera0", "1"]] * 4


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


def test_another_network_finds_the_joints(place, monkeypatch):
    cv2.imwrite(str(place / "a.png"), np.zeros((48, 36, 3), np.uint8))
    asked = []
    monkeypatch.setattr(Walkers, "load", lambda *arguments: asked.append(arguments) or Walkers())
    assert "joint" in good("pose", "a.png", "--network", "my/pose")
    good("pose", "a.png", "--weights", "my")
    assert [(folder.name, network) for folder, network in asked] == [("weights", "my/pose"), ("my", None)]


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


# --- files


def picture(path, size=(60, 40)):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
    return path


def test_joints_of_a_picture_are_printed(place, monkeypatch):
    many = np.array([[2.0, 4, 18, 44]]) + 3 * np.arange(5)[:, None]
    monkeypatch.setattr(Walkers, "detector", staticmethod(lambda image: (many, np.full(5, 0.9))))
    said = good("pose", picture(place / "photo.png"), "--no-overlay")
    assert max(map(len, said.splitlines()[:-1])) <= 80
    assert all(said.count(f" {name} ") == 2 for name in JOINTS)  # three people beside each other, then two
    assert said.count("20, 30") == 5 * 16
    assert said.count("0.90") == 5 * 16
    good("pose", film(place / "anna-1.mp4"), "--no-overlay")  # of a film nobody wants them on the terminal


def test_a_folder_gives_a_line_a_picture(place, monkeypatch):
    joints, sure = np.zeros((2, 16, 2), np.float32), np.full((2, 16), 0.5, np.float32)
    sure[:, JOINTS.index("l_wrist")] = 0.1, 0.2
    monkeypatch.setattr(Walkers.pose, "joints", staticmethod(lambda image, boxes=None: (joints, sure)))
    boxes = np.array([[2.0, 4, 18, 44], [40, 4, 56, 44]])
    monkeypatch.setattr(Walkers, "detector", staticmethod(lambda image: (boxes, np.full(2, image.mean() > 50))))
    for name in ("a", "b" * 90):
        picture(place / "photos" / f"{name}.png")
    cv2.imwrite(str(place / "photos" / "dark.png"), np.zeros((60, 40, 3), np.uint8))
    table = good("pose", "photos", "--no-overlay").splitlines()[:-1]
    assert max(map(len, table)) <= 80
    told = [line.split() for line in table if ".png" in line]
    assert told[0] == ["a.png", "2", f"{(15 * 0.5 + 0.15) / 16:.2f}", "l_wrist", "0.15"]
    assert told[1] == [f"…{'b' * 35}.png", *told[0][1:]]
    assert told[2] == ["dark.png", "0"]


def test_a_video_gives_a_line_a_person(place):
    table = good("pose", film(place / "anna-1+far.mp4").name, "--no-overlay").splitlines()[:-1]
    assert max(map(len, table)) <= 80
    told = [line.split() for line in table if " to " in line]
    assert [line[:1] + line[5:] for line in told] == [
        ["1", "0.80", "r_ankle", "0.80", "described"], ["2", "0.80", "r_ankle", "0.80", "too", "small"],
    ]  # fmt: skip


def checked_as_coco(told):
    """What pycocotools reads of a data set and of results: keys and types, and that everything refers to something."""
    assert {"info", "licenses", "images", "annotations", "categories"} <= set(told)
    images = {image["id"]: image for image in told["images"]}
    categories = {category["id"]: category for category in told["categories"]}
    assert len(images) == len(told["images"])
    for image in images.values():
        assert isinstance(image["file_name"], str)
        assert all(type(image[key]) is int for key in ("id", "width", "height"))
    for category in categories.values():
        count = len(category["keypoints"])
        assert isinstance(category["name"], str)
        assert category["supercategory"] == "person"
        assert all(1 <= joint <= count for limb in category["skeleton"] for joint in limb)
    assert len({one["id"] for one in told["annotations"]}) == len(told["annotations"])
    for one in told["annotations"]:
        assert one["image_id"] in images
        count = len(categories[one["category_id"]]["keypoints"])
        assert len(one["keypoints"]) == 3 * count
        assert all(flag in (0, 1, 2) and type(flag) is int for flag in one["keypoints"][2::3])
        assert one["num_keypoints"] == sum(flag > 0 for flag in one["keypoints"][2::3])
        assert len(one["bbox"]) == 4
        assert min(one["bbox"][2:]) > 0
        assert isinstance(one["area"], float)
        assert isinstance(one["score"], float)
        assert one["iscrowd"] == 0
        assert one["segmentation"] == []
    return categories


def test_cocos_own_layout(place):
    for number in (1, 2):
        picture(place / "photos" / f"{number}.png")
    told = document("pose", "photos", "--format", "coco", "--no-overlay")
    assert told == json.loads((place / "photos.pose.json").read_text())
    categories = checked_as_coco(told)
    assert categories[1]["name"] == "person"
    assert categories[1]["keypoints"] == list(COCO_JOINTS)
    assert categories[2]["keypoints"] == list(JOINTS)
    assert [one["category_id"] for one in told["annotations"]] == [1, 2] * 2
    theirs, ours = (np.array(one["keypoints"]).reshape(-1, 3) for one in told["annotations"][:2])
    assert not theirs[:5].any()  # nose, eyes, ears
    assert (theirs[5:, 2] == 2).all()
    assert (theirs[5:, :2] == (20, 30)).all()
    assert len(ours) == 16
    assert told["annotations"][0]["num_keypoints"] == 12
    assert told["annotations"][0]["score"] == pytest.approx(0.9)


def test_names_and_limbs_are_those_of_coco(data_root):
    (category,) = json.loads((data_root / "coco" / "test_coco.json").read_text())["categories"]
    assert category["keypoints"] == list(COCO_JOINTS)
    assert sorted(map(sorted, category["skeleton"])) == sorted(map(sorted, COCO_SKELETON))


def test_left_and_right_go_to_their_own_names(place, monkeypatch):
    joints = np.arange(32, dtype=np.float32).reshape(1, 16, 2)
    sure = np.linspace(0, 1, 16, dtype=np.float32)[None]
    monkeypatch.setattr(Walkers.pose, "joints", staticmethod(lambda image, boxes=None: (joints, sure)))
    one = document("pose", picture(place / "p.png"), "--format", "coco", "--no-overlay")["annotations"][0]
    triples = dict(zip(COCO_JOINTS, np.array(one["keypoints"]).reshape(-1, 3).tolist(), strict=True))
    for name, values in triples.items():
        ours = name.replace("left_", "l_").replace("right_", "r_")
        if ours in JOINTS and sure[0, JOINTS.index(ours)] > 0:
            x, y = joints[0, JOINTS.index(ours)].tolist()
            assert values == [x, y, 1 if sure[0, JOINTS.index(ours)] < 0.2 else 2], name
    assert triples["right_ankle"] == [0, 0, 0]  # which was not found at all


EXAMPLE = """
import cv2
from humanpose.estimator import HumanPoseNN
from humanpose.skeleton import JOINTS

network = HumanPoseNN.load()
image = cv2.imread("photo.jpg", cv2.IMREAD_COLOR_RGB)
found = network.joints(image)  # one person, head to feet; boxes=[[x0, y0, x1, y1], ...] for several
for name, (x, y), sure in zip(JOINTS, found.keypoints[0], found.probability[0]):
    print(f"{name:10} {x:6.1f} {y:6.1f}  {sure:.2f}")
"""


class Flat(nnx.Module):
    """A network that believes every joint to be in the middle of the picture."""

    def forward(self, images):
        maps = jnp.zeros((images.shape[0], 25, 19, 16)).at[:, 12, 9].set(1.0)
        return maps, jnp.zeros((images.shape[0], 17, 17, 16))


def test_the_ten_lines_of_python_run(tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    told = [one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "HumanPoseNN" in one]
    (code,) = told or [EXAMPLE]
    assert len(code.strip().splitlines()) <= 10
    network = HumanPoseNN(Flat(), (100, 76))
    monkeypatch.setattr(HumanPoseNN, "load", classmethod(lambda cls: network))
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", np.zeros((60, 40, 3), np.uint8))
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == list(JOINTS)
    assert printed[0].split()[1:] == ["19.5", "29.5", "1.00"]


# --- whoever does not walk


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


@pytest.mark.parametrize("sure", [0.7, 0.3])
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

    def joints(image, boxes):
        grey = float(image.mean())  # each picture of the film is lighter than the one before
        return np.tile(boxes[:, None, :2] + grey, (1, 16, 1)).astype(np.float32), np.full((len(boxes), 16), sure)

    monkeypatch.setattr(Walkers, "describe", describe)
    monkeypatch.setattr(Walkers.pose, "joints", staticmethod(joints))
    told = document("pose", film(place / "anna-1+ben.mp4"))
    assert [one["reason"] for one in told["people"]] == [None, "not walking"]
    ben = [one for one in told["annotations"] if one["track_id"] == 2]
    if sure < 0.4:
        assert ben == []
        return
    assert [told["images"][one["image_id"] - 1]["frame"] for one in ben] == [0, 1, 2, 3, 6, 7]
    with VideoReader(place / "anna-1+ben.mp4") as reader:
        greys = [float(frame.image.mean()) for frame in reader]
    for one, frame in zip(ben, (0, 1, 2, 3, 6, 7), strict=True):
        assert one["keypoints"][0] == pytest.approx(10 + greys[frame], abs=2.6)  # made steady: a frame is 5 lighter
        assert one["keypoint_scores"][0] == pytest.approx(0.7)
    assert len((place / "anna-1+ben.pose.csv").read_text().splitlines()) == 1 + 10 + 6
    assert "not walking" in good("pose", "anna-1+ben.mp4")


def test_the_flip_test_reaches_the_network(place, monkeypatch):
    asked = []

    def load(*arguments):
        asked.append(arguments)
        return Walkers.pose

    monkeypatch.setattr(HumanPoseNN, "load", load)
    picture(place / "p.png")
    good("pose", "p.png", "--flip-test")
    good("pose", "p.png", "--flip-test", "--network", "pose-wide")
    good("pose", "p.png")
    assert asked == [(place.parent / "weights" / "pose", True), ("pose-wide", True)]
