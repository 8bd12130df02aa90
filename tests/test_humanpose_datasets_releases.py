"""What folders lack of the releases: parts left out of small trees of their layout, one at a time."""

import json

import pytest
from pose_trees import lsp, mpii
from test_humanpose_datasets_coco import spread
from test_humanpose_datasets_human36m import coco_style, positions, write_cdf, write_take

from humanpose.datasets import releases
from humanpose.datasets.human36m import read_human36m
from humanpose.datasets.human36m_takes import CAMERAS
from humanpose.datasets.kth import read_kth_landmarks
from humanpose.datasets.lsp import read_lsp
from humanpose.datasets.mpii import read_mpii
from humanpose.datasets.releases import missing_parts

LEARNED, MEASURED = ("S1", "S6", "S7", "S8", "S9", "S11"), ("S5",)


def test_of_leeds_people_and_photographs_are_counted(tmp_path, monkeypatch):
    folder = lsp(tmp_path, 6, extended=True)
    assert missing_parts("lspet", folder, read_lsp(folder)) == [
        "people: 6 of the 10,000 released are annotated", "photographs: 6 of the 10,000 released are there",
    ]  # fmt: skip
    monkeypatch.setitem(releases.LEEDS, "lspet", 6)
    assert missing_parts("lspet", folder, read_lsp(folder)) == []
    (folder / "images" / "im00003.jpg").unlink()
    assert missing_parts("lspet", folder, read_lsp(folder)) == ["photographs: 5 of the 6 released are there"]


def test_of_mpii_the_list_of_those_who_measure_is_missed(tmp_path, monkeypatch):
    folder = mpii(tmp_path, validation=False)
    validation, people = missing_parts("mpii", folder, read_mpii(folder))
    assert validation.startswith("valid_images.txt (or valid.h5): nobody only measures, so a training would refuse")
    assert people == "people: 10 of 25,204 or more"
    monkeypatch.setattr(releases, "MPII", 10)
    (folder / "valid_images.txt").write_text("v0.jpg\n")
    assert missing_parts("mpii", folder, read_mpii(folder)) == []
    (folder / "images" / "v0.jpg").unlink()
    assert missing_parts("mpii", folder, read_mpii(folder)) == ["photographs: 8 of those annotated, 9 are there"]


@pytest.fixture
def walking(tmp_path):
    """Both trials of walking of everybody, by all cameras; only of S1 the videos are there."""
    for subject in (*LEARNED, *MEASURED):
        for action in ("Walking", "Walking 1"):
            for camera in CAMERAS:
                file = tmp_path / subject / "MyPoseFeatures" / "D2_Positions" / f"{action}.{camera}.cdf"
                write_cdf(file, positions(1))
    return tmp_path


def lacking(folder):
    return missing_parts("human36m", folder, read_human36m(folder))


def test_of_human36m_subjects_recordings_and_positions_are_missed(walking):
    assert lacking(walking) == []
    for subject in ("S6", "S9"):
        for file in (walking / subject / "MyPoseFeatures" / "D2_Positions").iterdir():
            file.unlink()
    (walking / "S1" / "MyPoseFeatures" / "D2_Positions" / f"Walking.{CAMERAS[1]}.cdf").unlink()
    assert lacking(walking) == [
        "subjects S6, S9, who are learned from in the original's split",
        "S1: 7 of 8 recordings of Walking are annotated",
    ]
    write_take(walking, "S9", "Eating", CAMERAS[0], positions(2))
    for action in ("Walking", "Walking 1", "Eating"):
        file = walking / "S5" / "Videos" / f"{action}.{CAMERAS[0]}.mp4"
        file.parent.mkdir(exist_ok=True)
        file.touch()
    for file in (walking / "S5" / "MyPoseFeatures" / "D2_Positions").iterdir():
        file.unlink()
    found = lacking(walking)
    assert "subject S5, who measures in the original's split" in found
    without = f"S5: 2 videos are there without positions (MyPoseFeatures/D2_Positions), such as Walking 1.{CAMERAS[0]}"
    assert [sentence for sentence in found if "without positions" in sentence] == [f"{without}.mp4"]


def test_of_extracted_frames_those_far_enough_apart_are_taken(tmp_path):
    """Two recordings, one extracted whole and one with every fourth frame; the order in the file is of no account."""
    content = {"images": [], "annotations": []}
    flat = [20.0, 30.0, 1.0] * 17
    names = [f"S1_Walking_1.{CAMERAS[0]}_{number:06d}.jpg" for number in (1, 2, 3, 4, 6, 5, 7, 11)]
    names += [f"S1_Walking_1.{CAMERAS[1]}_{number:06d}.jpg" for number in (1, 5, 9, 13)]
    for number, name in enumerate(names):
        (image,), (one,) = coco_style(flat, name).values()
        content["images"].append({**image, "id": number})
        content["annotations"].append({**one, "image_id": number})
    (tmp_path / "h36m.json").write_text(json.dumps(content))

    def taken(every):
        return [(one.camera, int(one.path.stem[-6:])) for one in read_human36m(tmp_path, every=every)]

    first, second = CAMERAS[:2]
    assert len(taken(1)) == 12
    assert taken(4) == [(first, 1), (first, 5), (first, 11), *[(second, number) for number in (1, 5, 9, 13)]]
    assert taken(5) == [(first, 1), (first, 6), (first, 11), (second, 1), (second, 9)]


def test_of_kth_persons_and_landmarks_are_missed(tmp_path):
    name = "person07_walking_d1_uncomp"
    people = [{"frame": 1, "box": [0, 0, 90, 90], "landmarks": spread().tolist()}]
    content = {"video": f"{name}.avi", "numbering": "BlazePose-33", "people": people}
    (tmp_path / f"{name}.reference.json").write_text(json.dumps(content))
    (tmp_path / f"{name}.avi").touch()
    (tmp_path / "person08_walking_d1_uncomp.mp4").touch()
    persons, landmarks = missing_parts("kth", tmp_path, read_kth_landmarks(tmp_path))
    assert persons.startswith("persons 01, 02, 03, 04, 05, 06, 08, 09, ")
    assert persons.endswith(" 25 of the 25 released")
    assert landmarks == "landmarks of 1 video, such as person08_walking_d1_uncomp.mp4, in which nobody is annotated"


def test_of_walkers_nothing_can_be_missing(tmp_path):
    assert missing_parts("walkers", tmp_path, []) == []


def test_the_real_leeds_set_is_not_whole(data_root):
    people, photographs = missing_parts("lspet", data_root / "lspet", read_lsp(data_root / "lspet"))
    assert people.startswith("people: 4,000 of the 10,000")
    assert photographs.startswith("photographs: 4,000 of the 10,000")
