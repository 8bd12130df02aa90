"""Readers: small files made here, and the real ones where they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humanpose.datasets.landmarks import nobody_on_their_head, read_landmarks, walks_left
from humanpose.datasets.lsp import read_joints, read_lsp
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import INDEX


def table(seed=0):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(1, 200, (5, 14, 2))
    visible = rng.random((5, 14)) < 0.7
    visible[:, :2] = True, False
    return keypoints, visible


def test_both_axis_orders_and_both_senses_of_the_flag_read_alike(tmp_path):
    keypoints, visible = table()
    extended = np.concatenate([keypoints, visible[..., None]], -1).transpose(1, 2, 0)
    first = np.concatenate([keypoints, ~visible[..., None]], -1).transpose(2, 1, 0)
    for name, array in (("lspet", extended), ("lsp", first)):
        (tmp_path / name).mkdir()
        scipy.io.savemat(tmp_path / name / "joints.mat", {"joints": array})
        found, seen, is_extended = read_joints(tmp_path / name / "joints.mat")
        np.testing.assert_array_equal(seen, visible)
        np.testing.assert_allclose(found[seen], keypoints[visible], rtol=1e-6)
        assert (found[~seen] == 0).all()
        assert is_extended == (name == "lspet")
        records = read_lsp(tmp_path / name)
        assert len(records) == 5
        assert records[2].path.name == ("im00003.jpg" if is_extended else "im0003.jpg")
        assert (records[2].frame, records[2].source) == (None, name)
        np.testing.assert_allclose(records[2].keypoints[INDEX["r_ankle"]], keypoints[2, 0], rtol=1e-6)
        assert not records[2].visible[INDEX["r_knee"]]
        np.testing.assert_allclose(records[2].box[:2], keypoints[2][visible[2]].min(0), rtol=1e-6)


@pytest.mark.parametrize("array", [np.zeros((14, 4, 3)), np.zeros((14, 3)), np.zeros((3, 16, 2))])
def test_other_layouts_are_refused(tmp_path, array):
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": array})
    with pytest.raises(ValueError, match="must be \\(14, 3, image\\)"):
        read_lsp(tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_foreign_bytes_are_refused(tmp_path, content):
    (tmp_path / "joints.mat").write_bytes(content)
    (tmp_path / "a.reference.json").write_bytes(content)
    with pytest.raises(ValueError, match="must be a MATLAB file"):
        read_joints(tmp_path / "joints.mat")
    with pytest.raises(ValueError, match="must be a landmark file"):
        read_landmarks(tmp_path / "a.reference.json")


def landmark_file(**changes):
    landmarks = [[float(k), 2.0 * k, 0.9] for k in range(33)]
    landmarks[14][2] = 0.49  # right elbow
    content = {
        "video": "walk.mp4",
        "numbering": "BlazePose-33",
        "people": [{"frame": 7, "box": [1, 2, 30, 60], "landmarks": landmarks}],
    }
    return {**content, **changes}


def test_landmarks_become_records(tmp_path):
    path = tmp_path / "walk.reference.json"
    path.write_text(json.dumps(landmark_file()))
    (record,) = read_landmarks(path)
    assert (record.path, record.frame, record.source) == (tmp_path / "walk.mp4", 7, "walk")
    np.testing.assert_array_equal(record.box, [1, 2, 30, 60])
    np.testing.assert_array_equal(record.keypoints[INDEX["l_ankle"]], [27, 54])
    np.testing.assert_array_equal(record.keypoints[INDEX["pelvis"]], [23.5, 47])
    assert not record.visible[[INDEX["r_elbow"], INDEX["head_top"], INDEX["upper_neck"]]].any()
    assert record.visible.sum() == 13
    assert read_landmarks(path, least_visibility=0.4)[0].visible[INDEX["r_elbow"]]


@pytest.mark.parametrize(
    "changes",
    [
        {"numbering": "COCO-17"},
        {"people": [{"frame": 0, "box": [1, 2, 3], "landmarks": [[0, 0, 1]] * 33}]},
        {"people": [{"frame": 0, "box": [1, 2, 3, 4], "landmarks": [[0, 0, 1]] * 17}]},
        {"people": [{"frame": -1, "box": [1, 2, 3, 4], "landmarks": [[0, 0, 1]] * 33}]},
        {"people": [{"frame": float("inf"), "box": [1, 2, 3, 4], "landmarks": [[0, 0, 1]] * 33}]},
        {"people": [{"frame": 0, "box": [1, 2, 3, 4], "landmarks": [[0, float("nan"), 1]] * 33}]},
        {"people": 3},
        {"video": None},
    ],
)
def test_landmark_files_of_another_kind_are_refused(tmp_path, changes):
    path = tmp_path / "x.reference.json"
    path.write_text(json.dumps(landmark_file(**changes)))
    with pytest.raises(ValueError, match="must be a landmark file"):
        read_landmarks(path)


def test_a_file_without_people_has_no_records(tmp_path):
    path = tmp_path / "x.reference.json"
    path.write_text(json.dumps(landmark_file(people=[])))
    assert read_landmarks(path) == []


def test_the_real_leeds_files(data_root):
    extended = read_lsp(data_root / "lspet")
    assert len(extended) == 4000
    assert extended[0].path.is_file()
    # Of the first photograph's annotation: ankle and wrist lie outside or are hidden, the head is there.
    np.testing.assert_allclose(extended[0].keypoints[INDEX["head_top"]], [116.57, 53.42], atol=0.01)
    assert not extended[0].visible[INDEX["r_ankle"]]
    assert extended[0].visible[INDEX["l_wrist"]]
    first = read_lsp(data_root / "lsp")
    assert len(first) == 2000
    assert first[0].visible.all()
    np.testing.assert_allclose(first[0].keypoints[INDEX["r_ankle"]], [473.95, 552.63], atol=0.01)
    for records, least in ((extended, 0.8), (first, 0.9)):
        assert np.mean([record.visible.mean() for record in records]) > least


def test_the_real_landmark_files(data_root):
    records = read_landmarks(data_root / "clips" / "demo4.reference.json")
    assert records[0].path.is_file()
    assert records[0].frame == 40
    near = []
    for record in records:
        seen = record.keypoints[record.visible]
        low, high = record.box[:2], record.box[2:]
        reach = 0.05 * (high - low).max()
        near.append(((seen > low - reach) & (seen < high + reach)).mean())
    assert np.mean(near) > 0.98


def walker(frame, x, left=False, bent=4.0):
    """A record of somebody 100 pixels tall at x, whose knees bend forward by so many pixels."""
    keypoints = np.zeros((16, 2), np.float32)
    side = -1 if left else 1
    for index, name in enumerate(["ankle", "knee", "hip"]):
        for leg in "rl":
            keypoints[INDEX[f"{leg}_{name}"]] = (bent * side * (name == "knee"), 95 - 25 * index)
    keypoints[[INDEX["r_shoulder"], INDEX["l_shoulder"]], 1] = 20
    keypoints += np.random.default_rng(frame).normal(0, 0.5, (16, 2)) + np.array([x, 0])
    box = np.array([x - 20, 0, x + 20, 100], np.float32)
    return PoseRecord(Path("x.mp4"), frame, box, keypoints.astype(np.float32), np.ones(16, bool), "clip")


def test_a_camera_that_follows_does_not_turn_its_walker_round():
    """The way across the picture says left, the knees say right: who is right walks before a camera that turns."""
    assert walks_left([walker(frame, 300 - 2 * frame) for frame in range(20)]) == [False] * 20
    assert walks_left([walker(frame, 300 - 2 * frame, left=True) for frame in range(20)]) == [True] * 20
    stiff = [walker(frame, 300 - 2 * frame, bent=0.0) for frame in range(20)]
    assert walks_left(stiff) == [True] * 20  # knees that say nothing leave it to the way


def test_the_men_of_the_clips_walk_the_way_they_do(data_root):
    """Looked at: to the right in all but demo4; the camera of demo6 turns after them."""
    for film, left in (("demo1", False), ("demo4", True), ("demo6", False)):
        records = read_landmarks(data_root / "clips" / f"{film}.reference.json")
        assert walks_left(records) == [left] * len(records)


def test_walkers_who_stand_on_their_heads_show_nothing():
    """BlazePose sees a body the wrong way up now and then; whoever shows only one end of the trunk is not told."""
    keypoints = np.zeros((16, 2), np.float32)
    for name, joint in INDEX.items():
        keypoints[joint, 1] = {"shoulder": 40, "hip": 100, "knee": 140, "ankle": 180}.get(name.split("_")[-1], 60)
    seen = np.ones(16, bool)
    legs = np.array(["shoulder" not in name for name in INDEX])
    box = np.array([0, 0, 100, 200], np.float32)
    upright, inverted, half = (
        PoseRecord(Path("film.mp4"), 0, box, joints, visible, "film")
        for joints, visible in ((keypoints, seen), (200 - keypoints, seen), (200 - keypoints, legs))
    )
    found = nobody_on_their_head([upright, inverted, half])
    assert [one.visible.any() for one in found] == [True, False, True]
    assert inverted.visible.all()


def test_the_landmarks_of_kth_that_stand_on_their_heads(data_root):
    """38 of the 2214 of the five persons who measure: they fill the sheet of the worst found."""
    files = [
        file
        for who in ("15", "17", "18", "19", "24")
        for file in sorted((data_root / "kth_walking").glob(f"person{who}_*.reference.json"))
    ]
    records = [record for file in files for record in nobody_on_their_head(read_landmarks(file))]
    assert len(records) == 2214
    assert sum(not record.visible.any() for record in records) == 38
