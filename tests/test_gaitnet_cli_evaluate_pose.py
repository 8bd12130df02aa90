"""`gaitnet evaluate pose` from data sets in their own layouts to tables, curves and pages; the network is known."""

import csv
import html.parser
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io
from stand_ins import bad, body, good, moved, run

from gaitnet.cli import evaluate_pose
from gaitnet.cli.evaluate_pose_legs import Legs, standing
from gaitnet.cli.evaluate_pose_pictures import Pictures, as_followed, of_landmarks
from gaitnet.evaluation.legs import other_leg
from gaitnet.evaluation.report import Page
from gaitnet.evaluation.report_gallery import Shown
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
        return [SimpleNamespace(frames=frames, boxes=boxes, keypoints=keypoints, reason=None)]

    pose = SimpleNamespace(size=(192, 144), decoding="subpixel", flip_test=False)
    return SimpleNamespace(pose=pose, joints_of_crops=joints_of_crops, describe=describe, detector=None)


def evaluated(data, network, folder, *options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_pose, "load", lambda *_: network)
        done = run("evaluate", "pose", "--root", data, "--only", "lspet", "--only", "clips", "-o", folder, *options)
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
    assert "nothing of that is in" in bad("evaluate", "pose", "--root", data, "--only", "kth")


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


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_who_cross_the_one_whose_box_is_about_the_reference_is_meant(data, order):
    records = read_landmarks(data / "clips" / "demo1.reference.json")[:1]
    x, y = records[0].keypoints[records[0].visible].mean(axis=0)

    def person(away, value):
        box = np.array([[x + away - 30, y - 60, x + away + 30, y + 60]])
        return SimpleNamespace(frames=np.array([0]), boxes=box, keypoints=np.full((1, 16, 2), value), reason=None)

    people = [person(2, 1.0), person(20, 2.0)][::order]
    _, found = as_followed(SimpleNamespace(describe=lambda path: people), records)
    assert (found == 1).all()


def test_lsp_does_not_stand_in_for_lspet(network, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    (tmp_path / "lspet").mkdir()
    joints = np.zeros((3, 14, 10))
    scipy.io.savemat(tmp_path / "lspet" / "joints.mat", {"joints": joints})
    assert "lspet holds lsp" in bad("evaluate", "pose", "--root", tmp_path, "--only", "lspet")
    scipy.io.savemat(tmp_path / "lspet" / "joints.mat", {"joints": np.ones((14, 3, 10))})
    assert "nothing of that is in" in bad("evaluate", "pose", "--root", tmp_path, "--only", "lspet")


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


# --- legs and feet of real references


def test_references_looked_at_are_corrected(data_root):
    """Whoever finds the references themselves is right where they are sound, and wrong where they are exchanged."""
    from gaitnet.evaluation.legs import checked

    records = read_landmarks(data_root / "clips" / "demo6.reference.json")
    legs = Legs()
    verdicts = [seen.legs for (film, *_), seen in checked().items() if film == "demo6"]
    found = np.stack([record.keypoints for record in records])
    nothing = np.zeros(len(records))
    owners = ["demo6"] * len(records)
    pictures = Pictures(nothing, nothing, nothing, found, nothing, owners, records=records, places=range(len(records)))
    legs.add(pictures, found)
    (every, unknown), (by_eye, _) = legs.right(False), legs.right(True)
    assert every.value == 1
    assert every.count + unknown == len(records)
    clear = [one for one in verdicts if one != "unclear"]
    assert by_eye.count == len(clear)
    assert by_eye.value == pytest.approx(clear.count("sound") / len(clear))
    assert 0.8 < legs.pck(0.2).value < 1
    assert Legs().right(True)[0].count == 0
    assert Legs().pck(0.2).count == 0
    turned = Legs()
    turned.add(pictures, other_leg(found))
    assert turned.right(True)[0].value == pytest.approx(1 - by_eye.value)


def test_standing_feet_are_told_by_the_median_and_by_the_mean_square():
    assert standing([(float("nan"), 5, "a")]) is None
    median, root = standing([(1.0, 10, "a"), (2.0, 10, "a"), (9.0, 20, "b"), (float("nan"), 7, "b")])
    assert median.value == 2
    assert root.value == pytest.approx(np.sqrt((10 + 40 + 20 * 81) / 40))
    assert (median.count, median.subjects) == (3, 2)
