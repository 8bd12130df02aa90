"""Which legs of KTH's references are the right ones: what the pose task learns from once it knows."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gaitnet.cli import evaluate_pose_pictures
from gaitnet.evaluation.legs import ANKLES, KNEES
from gaitnet.video.write import VideoWriter
from humanpose.datasets import kth
from humanpose.datasets.landmarks import read_landmarks
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import INDEX
from train.legs import make_legs, with_legs
from train.real import make_real

FILM = "person01_walking_d1_uncomp"


def references(count: int) -> list[PoseRecord]:
    places = np.arange(32, dtype=np.float32).reshape(16, 2)
    visible = np.ones(16, bool)
    visible[INDEX["l_ankle"]] = False
    box = np.array([0.0, 0, 40, 40])
    return [PoseRecord(Path(f"{FILM}.avi"), frame, box, places, visible.copy(), FILM) for frame in range(count)]


def told(tmp_path: Path, **film) -> Path:
    file = tmp_path / "legs.json"
    file.write_text(json.dumps({"films": {FILM: {"references": 3, "exchanged": [], "unclear": []} | film}}))
    return file


def test_exchanged_legs_are_exchanged_and_unclear_ones_not_learned_from(tmp_path):
    before = references(3)
    same, other, unclear = with_legs(before, told(tmp_path, exchanged=[1], unclear=[2]))
    np.testing.assert_array_equal(same.keypoints, before[0].keypoints)
    for side, opposite in ("rl", "lr"):
        for joint in ("knee", "ankle"):
            own, theirs = INDEX[f"{side}_{joint}"], INDEX[f"{opposite}_{joint}"]
            np.testing.assert_array_equal(other.keypoints[own], same.keypoints[theirs])
            assert other.visible[own] == same.visible[theirs]
    legs = KNEES + ANKLES
    rest = [joint for joint in range(16) if joint not in legs]
    np.testing.assert_array_equal(other.keypoints[rest], same.keypoints[rest])
    assert not unclear.visible[legs].any()
    assert unclear.visible[rest].all()


@pytest.mark.parametrize(
    ("film", "says"),
    [
        ({"references": 4}, "it is of 4 references where there are 3"),
        ({"exchanged": [3]}, "names references that are not there, of 3"),
        ({"unclear": "x"}, "not a file of python -m train legs"),
        ({"exchanged": [10**30]}, "not a file of python -m train legs"),
    ],
)
def test_verdicts_on_other_references_are_refused(film, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        with_legs(references(3), told(tmp_path, **film))


def test_a_file_that_does_not_know_the_film_is_refused(tmp_path):
    (tmp_path / "legs.json").write_text('{"films": {}}')
    with pytest.raises(ValueError, match="'person01_walking_d1_uncomp' is missing; make it anew"):
        with_legs(references(3), tmp_path / "legs.json")
    (tmp_path / "legs.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not a file of python -m train legs"):
        with_legs(references(3), tmp_path / "legs.json")


def test_references_are_of_the_film_that_is_there_for_trainings_and_evaluations(tmp_path):
    (tmp_path / f"{FILM}.avi").touch()
    (record,) = references(1)
    for kind in (".avi", ".mp4"):
        named = replace(record, path=tmp_path / f"{FILM}{kind}")
        assert evaluate_pose_pictures.film_of(named) == kth.film_of(named.path) == tmp_path / f"{FILM}.avi"


def test_the_road_is_asked_about_training_persons_alone(tmp_path, monkeypatch):
    """Persons 04 and 15 (who measures); the road sees the other leg in frame 1, and nobody in frame 2."""
    landmarks = np.ones((33, 3))
    landmarks[:, :2] = np.random.default_rng(0).uniform(10, 90, (33, 2))
    person = [{"frame": frame, "box": [0, 0, 99, 99], "landmarks": landmarks.tolist()} for frame in range(3)]
    for number in ("04", "15"):
        name = f"person{number}_walking_d1_uncomp"
        content = {"video": f"{name}.avi", "numbering": "BlazePose-33", "people": person}
        (tmp_path / f"{name}.reference.json").write_text(json.dumps(content))

    def describe(path):
        assert path.stem == "person04_walking_d1_uncomp"
        keypoints = read_landmarks(tmp_path / f"{path.stem}.reference.json")[0].keypoints[None].repeat(2, 0)
        keypoints[1, KNEES + ANKLES] = keypoints[1, KNEES[::-1] + ANKLES[::-1]]
        boxes = np.array([[0.0, 0, 99, 99]] * 2)
        return [SimpleNamespace(reason=None, frames=np.array([0, 1]), boxes=boxes, keypoints=keypoints)]

    recognizer = SimpleNamespace(describe=describe)
    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: recognizer)
    file = make_legs(Path("weights"), tmp_path, tmp_path / "new" / "legs.json")
    films = json.loads(file.read_text())["films"]
    assert films == {"person04_walking_d1_uncomp": {"references": 3, "exchanged": [1], "unclear": [2]}}
    with pytest.raises(ValueError, match="holds no personNN_walking_dK"):
        make_legs(Path("weights"), tmp_path / "new", tmp_path / "legs.json")


@pytest.mark.parametrize("make", [make_legs, make_real])
def test_a_folder_in_the_way_of_the_result_is_told_before_the_work(make, tmp_path, monkeypatch):
    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: pytest.fail("it began"))
    with pytest.raises(ValueError, match="is a folder; name a file"):
        make(Path("weights"), tmp_path, tmp_path)


@pytest.mark.parametrize("training", ["real", "detect", "pose"])
def test_no_training_learns_from_a_film_that_is_one_of_the_clips(training, tmp_path, monkeypatch):
    """By a link of another name, in what `train real`, `train detect` and `train pose` read."""
    from train import detect_data, pose_data

    film, clip = tmp_path / "kth_walking" / f"{FILM}.mp4", tmp_path / "clips" / "demo1.mp4"
    for path in (film, clip):
        path.parent.mkdir()
    with VideoWriter(clip) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    film.symlink_to(clip)
    landmarks = np.column_stack([np.linspace(5, 40, 33), np.linspace(5, 45, 33), np.ones(33)])
    person = [{"frame": 0, "box": [0, 0, 40, 40], "landmarks": landmarks.tolist()}]
    content = {"video": film.name, "numbering": "BlazePose-33", "frames": 3, "people": person}
    film.with_name(f"{FILM}.reference.json").write_text(json.dumps(content))
    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: None)
    monkeypatch.setattr("train.real.read_kth", lambda data: [SimpleNamespace(path=film, subject_id="01")])
    monkeypatch.setattr(pose_data, "read_lspet", lambda root: [])
    monkeypatch.setattr(pose_data, "require_sound", lambda records: None)
    monkeypatch.setattr(detect_data, "read_lspet", lambda root: [])
    read = {
        "real": lambda: make_real(Path("weights"), film.parent, tmp_path / "real.npz"),
        "detect": lambda: detect_data.load_detect_data(tmp_path),
        "pose": lambda: pose_data.load_pose_data(tmp_path),
    }
    with pytest.raises(ValueError, match=r"is the same file as .*demo1\.mp4, which only measures"):
        read[training]()


def test_the_road_is_not_asked_about_a_film_of_somebody_who_measures(tmp_path, monkeypatch):
    person = [{"frame": 0, "box": [0, 0, 99, 99], "landmarks": np.ones((33, 3)).tolist()}]
    content = {"video": "person15_walking_d1_uncomp.avi", "numbering": "BlazePose-33", "people": person}
    (tmp_path / "person04_walking_d1_uncomp.reference.json").write_text(json.dumps(content))
    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: None)
    with pytest.raises(ValueError, match="of person 15"):
        make_legs(Path("weights"), tmp_path, tmp_path / "legs.json")
