"""`gaitnet evaluate pose` from data sets in their own layouts to tables, curves and pages; the network is known."""

import csv
import html.parser
import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io
from stand_ins import all_joints_at, bad, body, cut_about, good, moved, run

from gaitnet.cli import evaluate_pose
from gaitnet.cli.evaluate_pose_pictures import as_followed, followed, of_landmarks
from gaitnet.evaluation.report import Page
from gaitnet.evaluation.report_gallery import Shown
from gaitnet.recognizer import GaitRecognizer, Person
from gaitnet.video.write import VideoWriter
from humanpose.datasets.landmarks import read_landmarks
from humanpose.datasets.lsp import LSPET_TRAINED
from humanpose.estimator import Joints, Places
from humanpose.skeleton import INDEX

FRAMES = 24
SHIFT = 3.0
"""Pixels that every joint is found to the right of its place in the films."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three photographs beyond LSPET's training part, and a film with landmarks of one walker."""
    root = tmp_path_factory.mktemp("data")
    (root / "lspet" / "images").mkdir(parents=True)
    joints = np.zeros((14, 3, LSPET_TRAINED + 3))
    joints[:, 2] = 1  # of the others, whose pictures are not there, all joints too
    order = ["r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "r_wrist", "r_elbow", "r_shoulder",
             "l_shoulder", "l_elbow", "l_wrist", "upper_neck", "head_top"]  # fmt: skip
    for number in range(LSPET_TRAINED, LSPET_TRAINED + 3):
        truth = body(61.3, 10, 100)
        joints[:, 0, number], joints[:, 1, number] = truth[[INDEX[name] for name in order]].T
        joints[:, 2, number] = 1
        image = np.full((120, 120, 3), 90, np.uint8)
        cv2.imwrite(str(root / "lspet" / "images" / f"im{number + 1:05d}.jpg"), image)
    joints[[2, 3, 8, 9], 2, -1] = 0  # of the last one hips and shoulders are hidden: no torso
    scipy.io.savemat(root / "lspet" / "joints.mat", {"joints": joints})
    (root / "clips").mkdir()
    with VideoWriter(root / "clips" / "demo1.mp4") as writer:
        for step in range(FRAMES):
            writer.write(np.full((120, 160, 3), 60 + step, np.uint8))
    numbers = {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27}
    people = []
    for frame in range(FRAMES):
        landmarks = np.zeros((33, 3))
        truth = body(40 + 2 * frame, 10, 100)
        for name, place in numbers.items():
            for other, side in enumerate("lr"):
                landmarks[place + other] = *truth[INDEX[f"{side}_{name}"]], 1
        people.append({"frame": frame, "box": [0, 0, 160, 120], "landmarks": landmarks.tolist()})
    reference = {"video": "demo1.mp4", "numbering": "BlazePose-33", "people": people}
    (root / "clips" / "demo1.reference.json").write_text(json.dumps(reference))
    return root


@pytest.fixture(scope="module")
def network(data):
    """Finds each joint SHIFT pixels beside its place in films, and in photographs all joints in one place."""
    records = read_landmarks(data / "clips" / "demo1.reference.json")

    def joints_of_crops(crops, affines):
        middle = affines[:, 0, 0] * 71.5 + affines[:, 0, 2]
        at = np.full((len(crops), 16, 2), 60, np.float32)
        for row in np.flatnonzero(np.abs(middle - 61.3) > 0.1):
            record = min(records, key=lambda one: abs(one.keypoints[INDEX["pelvis"], 0] - middle[row]))
            at[row] = moved(record.keypoints, SHIFT)
        return Places(Joints(at, np.ones(at.shape[:2], np.float32)), None)

    def describe(path):
        frames = np.arange(4, FRAMES)
        keypoints = np.stack([moved(records[frame].keypoints, SHIFT) for frame in frames])
        boxes = np.tile([0.0, 0.0, 160.0, 120.0], (len(frames), 1))
        sure = np.ones(keypoints.shape[:2])
        return [SimpleNamespace(frames=frames, boxes=boxes, keypoints=keypoints, probability=sure, reason=None)]

    pose = SimpleNamespace(size=(192, 144), decoding="subpixel", flip_test=False)
    return SimpleNamespace(pose=pose, joints_of_crops=joints_of_crops, describe=describe, detector=None)


def evaluated(data, network, folder, *options, parts=("lspet", "clips")):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_pose, "load", lambda *_: network)
        only = [word for part in parts for word in ("--only", part)]
        done = run("evaluate", "pose", "--root", data, *only, "-o", folder, *options)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def results(data, network, tmp_path_factory):
    """What the command wrote, and what it said."""
    folder = tmp_path_factory.mktemp("results")
    return folder, evaluated(data, network, folder)


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_from_data_sets_to_tables_curves_sheets_and_pages(results):
    folder, said = results
    *told, written = said.splitlines()
    assert max(map(len, told)) <= 80
    assert written.startswith("wrote pose.json, pose.csv")
    files = {path.name for path in folder.iterdir()}
    assert {"pose.json", "pose.csv", "pose.html", "pose-worst.html", "pose-pdj.png"} <= files
    for name in ("lspet-from-3601", "clips", "clips-as-followed"):
        assert {f"pose-distance-{name}.png", f"pose-pck-{name}.png", f"pose-worst-{name}.png"} <= files
    document = json.loads((folder / "pose.json").read_text())
    told = {(one["set"], one["measure"], one["joint"]): one for one in document["measures"]}
    # a person of 100 pixels: the diagonal is 31.6, so 3 pixels are within a tenth of it
    assert told["clips", "PCK@0.1", "all"]["value"] == 1
    assert told["clips", "PCK@0.05", "all"]["value"] == 0
    followed = told["clips, as followed", "PCK@0.2", "all"]
    assert followed["value"] == pytest.approx(20 / 24, abs=1e-5)  # whoever is not followed is missed
    assert followed["count"] == 24 * 12
    # shoulders to ankles are 75 pixels; the body's box is that, a head of 0.22 and a sole of 0.05 of it
    grid = SHIFT * 299 / (1.25 * 75 * 1.27)
    assert told["clips, as followed", "distance on the 299 grid", "knee"]["value"] == pytest.approx(grid, rel=1e-4)
    # hips and wrists are near where everything is found, and of the last photograph the wrists alone
    assert told["LSPET from 3601", "PCKh@0.5", "all"]["value"] == pytest.approx(10 / 38, abs=1e-5)
    assert ("clips", "PCKh@0.5", "all") not in told  # the landmarks have no head
    (table, *_) = document["tables"].values()
    assert {line["joint"]: line["LSPET from 3601"] for line in table}["left out"] == 1
    with (folder / "pose.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(document["measures"])
    page = (folder / "pose.html").read_text()
    assert page.count("<img") == 7
    assert "gaitnet evaluate pose --root" in page


def test_options_reach_the_network_and_the_page(data, network, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(evaluate_pose, "load", lambda *arguments: asked.append(arguments) or network)
    monkeypatch.setattr(evaluate_pose, "plots", lambda tallies: [])
    monkeypatch.setattr(evaluate_pose, "write_worst", lambda *_: [])
    options = "--flip-test", "--decoding", "argmax", "--weights", tmp_path
    good("evaluate", "pose", "--root", data, "--only", "clips", "-o", tmp_path, *options)
    assert asked == [(tmp_path, None, True, "argmax")]
    page = (tmp_path / "pose.html").read_text()
    assert "--only clips --flip-test --decoding argmax (joints read by subpixel, without flip test)" in page
    assert "argmax" in bad("evaluate", "pose", "--root", data, "--decoding", "softmax")


def test_what_is_missing_is_told_before_anything_is_measured(data, network, tmp_path, monkeypatch):
    """Asked for, it is refused; else the rest is measured, and a note says what is not."""
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    monkeypatch.setattr(evaluate_pose, "found_joints", lambda *_: pytest.fail("it began"))
    told = bad("evaluate", "pose", "--root", data, "--only", "lspet", "--only", "kth")
    assert "--only kth: nothing of that is in" in told
    assert "kth or kth_walking is expected" in told
    told = bad("evaluate", "pose", "--root", data, "--only", "lspet", "--only", "human36m")
    assert "holds nothing of Human3.6M" in told
    (tmp_path / "lspet").symlink_to(data / "lspet")
    (tmp_path / "clips").mkdir()
    shutil.copy(data / "clips" / "demo1.reference.json", tmp_path / "clips")
    assert "demo1.mp4" in bad("evaluate", "pose", "--root", tmp_path, "--only", "lspet", "--only", "clips")
    monkeypatch.setattr(evaluate_pose, "found_joints", lambda _, pictures: pictures.keypoints)
    monkeypatch.setattr(evaluate_pose, "of_walkers", lambda *_: iter(()))
    done = run("evaluate", "pose", "--root", data / "lspet", "--every", "20")  # of one data set, the folder itself
    assert done.exit_code == 0, done.output
    kth, clips = done.stderr.splitlines()[-2:]
    assert kth.startswith("kth is left out: nothing of that is in")
    assert clips.startswith("clips is left out: nothing of that is in")
    assert clips.endswith("where clips/*.reference.json is expected")


@pytest.mark.parametrize("folder", ["kth", "kth_walking"])
def test_kth_is_found_where_the_check_of_data_sets_finds_it(data, network, tmp_path, folder):
    """And landmarks of a film in which nobody was seen hold nothing to measure."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "demo1.mp4").symlink_to(data / "clips" / "demo1.mp4")
    landmarks = (data / "clips" / "demo1.reference.json").read_text()
    (tmp_path / folder / "person15_walking_d1_uncomp.reference.json").write_text(landmarks)
    nobody = json.dumps(json.loads(landmarks) | {"people": []})
    (tmp_path / folder / "person15_walking_d2_uncomp.reference.json").write_text(nobody)
    document = json.loads(evaluated(tmp_path, network, tmp_path / "out", "--json", parts=["kth"]))
    told = {(one["set"], one["measure"], one["joint"]): one["value"] for one in document["measures"]}
    (name,) = {name for name, *_ in told if name.startswith("KTH") and name.endswith("as followed")}
    assert told[name, "PCK@0.2", "all"] == pytest.approx(20 / 24, abs=1e-5)


def test_landmarks_beyond_the_end_of_their_film_are_not_passed_over(data, tmp_path):
    for file in (data / "clips").iterdir():
        (tmp_path / file.name).symlink_to(file)
    with VideoWriter(tmp_path / "short.mp4") as writer:
        for _ in range(5):
            writer.write(np.zeros((120, 160, 3), np.uint8))
    (tmp_path / "demo1.mp4").unlink()
    (tmp_path / "short.mp4").rename(tmp_path / "demo1.mp4")
    records = read_landmarks(tmp_path / "demo1.reference.json")
    with pytest.raises(ValueError, match=r"demo1\.mp4 has no frame 23, which its landmarks describe"):
        list(of_landmarks(records, (192, 144)))


def test_whoever_is_followed_counts_described_or_not(data):
    """As `gaitnet pose` gives joints to somebody whom the picture's border cuts, and none to what is no body."""
    film, nobody = data / "clips" / "demo1.mp4", np.zeros((3, 16, 2), np.float32)

    def person(left, reason):
        boxes = np.tile([left, 10.0, left + 40, 110], (3, 1))
        none = nobody[..., 0] + (reason is None)
        return Person(0, np.arange(3), np.arange(3) / 25, boxes, nobody, none, False, reason=reason)

    people = [person(0, None), person(40, "partly out of view"), person(90, "partly out of view")]

    def joints_of_crops(crops, affines):
        middles, _ = cut_about(crops, affines)
        return all_joints_at(middles, np.where(middles[:, :1] < 100, 0.9, 0.2))

    pose = SimpleNamespace(size=(192, 144))
    recognizer = SimpleNamespace(
        describe=lambda path: people, joints_of_crops=joints_of_crops, paths=GaitRecognizer.paths, pose=pose
    )
    assert followed(recognizer, film) == people[:2]
    assert np.allclose(people[1].keypoints[:, INDEX["r_wrist"]], (60, 60), atol=1)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_who_cross_the_one_whose_box_is_about_the_reference_is_meant(data, order):
    records = read_landmarks(data / "clips" / "demo1.reference.json")[:1]
    x, y = records[0].keypoints[records[0].visible].mean(axis=0)

    def person(away, value):
        box = np.array([[x + away - 30, y - 60, x + away + 30, y + 60]])
        return SimpleNamespace(frames=np.array([0]), boxes=box, keypoints=np.full((1, 16, 2), value))

    people = [person(2, 1.0), person(20, 2.0)][::order]
    _, found = as_followed(records, people)
    assert (found == 1).all()


def test_lsp_does_not_stand_in_for_lspet(network, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    (tmp_path / "lspet").mkdir()
    joints = np.zeros((3, 14, 10))
    scipy.io.savemat(tmp_path / "lspet" / "joints.mat", {"joints": joints})
    assert "lspet holds lsp" in bad("evaluate", "pose", "--root", tmp_path, "--only", "lspet")
    scipy.io.savemat(tmp_path / "lspet" / "joints.mat", {"joints": np.ones((14, 3, 10))})
    told = bad("evaluate", "pose", "--root", tmp_path, "--only", "lspet")
    assert "of 10 people 0 are there to measure" in told  # all of them are learned from


def test_photographs_that_cannot_be_read_are_left_out_and_told(data, network, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    shutil.copytree(data / "lspet", tmp_path / "lspet")
    cut, missing, whole = sorted((tmp_path / "lspet" / "images").iterdir())
    cut.write_bytes(cut.read_bytes()[:-10])
    missing.unlink()
    arguments = "evaluate", "pose", "--root", tmp_path, "--only", "lspet", "--json"
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "lspet: the pictures of 1 of 3 people are not there" in done.stderr
    assert "lspet: 1 of 2 people are left out, for their pictures cannot be read; first " in done.stderr
    assert "im03601.jpg: the picture is cut off" in done.stderr
    (table, *_) = json.loads(done.stdout)["tables"].values()
    counted = {line["joint"]: line["LSPET from 3601"] for line in table}
    assert (counted["people"], counted["left out"]) == (0, 1)  # the last one has no torso
    whole.write_bytes(b"")
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no picture can be read" in done.stderr


def test_the_gallery_is_sorted_and_chosen_without_a_script(results):
    text = (results[0] / "pose-worst.html").read_text()
    assert "<script" not in text
    tags = Tags(text).tags
    radios = [attributes for tag, attributes in tags if tag == "input"]
    assert [one["id"] for one in radios] == [f"kind{number}" for number in range(11)]
    assert "checked" in radios[0]
    figures = [attributes for tag, attributes in tags if tag == "figure"]
    first = [one for one in figures if "k0" in one["class"].split()]
    assert len(first) == 3 + 4 + 4  # of a film of 24 frames one in every six
    assert sorted(int(one["style"].split(";")[0].removeprefix("--k0:")) for one in first[:3]) == [0, 1, 2]
    for number in range(11):
        assert f"#kind{number}:checked~.shown figure.k{number}" in text
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert all(one["src"].startswith("data:image/jpeg;base64,") and one["alt"] for one in images)


def test_text_of_a_gallery_is_escaped():
    nasty = '<b>"&'
    page = Page("t").gallery([nasty], [(nasty, nasty, [Shown(b"\xff\xd8\xff", nasty, nasty, {0: 0})])]).html()
    assert "<b>" not in page
    assert page.count("&lt;b&gt;") == 6
