"""`gaitnet pose` on files: COCO's own layout, tables of joints, and the lines of the README."""

import json
import re
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stand_ins import Walkers, checked_as_coco, document, everything, film, good, picture, run

from gaitnet.cli.pose_output import COCO_JOINTS, COCO_SKELETON
from humanpose.estimator import HumanPoseNN
from humanpose.skeleton import JOINTS


def test_another_network_finds_the_joints(place, monkeypatch):
    cv2.imwrite(str(place / "a.png"), np.zeros((48, 36, 3), np.uint8))
    asked = []
    monkeypatch.setattr(Walkers, "load", lambda *arguments: asked.append(arguments[:2]) or Walkers())
    assert "joint" in good("pose", "a.png", "--network", "my/pose")
    good("pose", "a.png", "--weights", "my")
    assert [(folder.name, network) for folder, network in asked] == [("weights", "my/pose"), ("my", None)]


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


def test_drawn_pictures_of_an_earlier_run_go(place):
    """Not what else lies among them."""
    for name in ("a", "b"):
        picture(place / "photos" / f"{name}.jpg")
    good("pose", "photos")
    kept = [place / "photos.pose" / name for name in ("notes.txt", "own.png")]
    for path in kept:
        path.touch()
    (place / "photos" / "a.jpg").rename(place / "photos" / "c.png")
    assert "photos.pose" in good("pose", "photos")
    assert everything(place / "photos.pose") == ["b.jpg.png", "c.png.png", "notes.txt", "own.png"]
    assert [path.stat().st_size for path in kept] == [0, 0]
    assert (place / "photos.pose").stat().st_mode == (place / "photos").stat().st_mode


def test_a_damaged_picture_is_told_once_with_the_reason(place):
    for name in ("a", "c"):
        picture(place / "photos" / f"{name}.png")
    (place / "photos" / "b.png").write_bytes(b"no picture")
    (place / "photos" / "d.png").touch()
    done = run("pose", "photos", "--no-overlay")
    assert done.exit_code == 0
    told = [line for line in done.stderr.splitlines() if "skipped" in line]
    assert len(told) == 2
    assert "b.png: is no picture" in told[0]
    assert "d.png: is empty" in told[1]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("step", ["gaitnet.cli.pose_pictures.draw", "gaitnet.cli.pose.write"])
def test_an_interrupted_folder_leaves_everything_as_it_was(place, monkeypatch, step, earlier):
    """At the drawings, and at the tables."""
    for name in ("a", "b"):
        picture(place / "photos" / f"{name}.png")
    if earlier:
        good("pose", "photos")
        (place / "photos" / "a.png").unlink()
    before = everything(place)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(step, interrupted)
    assert run("pose", "photos").exit_code == 130
    assert everything(place) == before


def test_a_video_gives_a_line_a_person(place):
    table = good("pose", film(place / "anna-1+far.mp4").name, "--no-overlay").splitlines()[:-1]
    assert max(map(len, table)) <= 80
    told = [line.split() for line in table if " to " in line]
    assert [line[:1] + line[5:] for line in told] == [
        ["1", "0.80", "r_ankle", "0.80", "described"], ["2", "0.80", "r_ankle", "0.80", "too", "small"],
    ]  # fmt: skip


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


class Flat(nnx.Module):
    """A network that believes every joint to be in the middle of the picture."""

    def forward(self, images):
        maps = jnp.zeros((images.shape[0], 25, 19, 16)).at[:, 12, 9].set(1.0)
        return maps, jnp.zeros((images.shape[0], 17, 17, 16))


def test_the_ten_lines_of_python_run(tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "HumanPoseNN" in one)
    assert len(code.strip().splitlines()) <= 10
    network = HumanPoseNN(Flat(), (100, 76))
    monkeypatch.setattr(HumanPoseNN, "load", classmethod(lambda cls: network))
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.jpg", np.zeros((60, 40, 3), np.uint8))
    exec(code, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == list(JOINTS)
    assert printed[0].split()[1:] == ["19.5", "29.5", "1.00"]


def test_the_flip_test_reaches_the_network(place, monkeypatch):
    asked = []
    monkeypatch.setattr(Walkers, "load", lambda *arguments: asked.append(arguments) or Walkers())
    picture(place / "p.png")
    good("pose", "p.png", "--flip-test")
    good("pose", "p.png", "--flip-test", "--network", "pose-wide")
    good("pose", "p.png")
    assert [(network, flip_test) for _, network, flip_test, _ in asked] == [
        (None, True), ("pose-wide", True), (None, False),
    ]  # fmt: skip
