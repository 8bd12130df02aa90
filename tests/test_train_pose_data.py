"""LSPET and KTH as the pose task reads them: nobody who only measures, nothing that is not there."""

import json

import numpy as np
import pytest
from pose_trees import SIDE, lsp


def test_photographs_of_lspet_that_measure_are_not_learned_from_by_a_link(tmp_path, monkeypatch):
    from train.pose_data import load_pose_data

    monkeypatch.setattr("train.pose_data.LSPET_TRAINED", 3)
    lsp(tmp_path / "lspet", 5, extended=True)
    assert [len(load_pose_data(tmp_path).photographs), len(load_pose_data(tmp_path).held_out["lspet"])] == [3, 2]
    link = tmp_path / "lspet" / "images" / "im00001.jpg"
    link.unlink()
    link.symlink_to(tmp_path / "lspet" / "images" / "im00005.jpg")
    with pytest.raises(ValueError, match=r"im00001\.jpg is to be learned from, and leads to a picture that"):
        load_pose_data(tmp_path)


def test_lsp_does_not_stand_in_for_lspet(tmp_path):
    """Of LSP's numbers up to 3600 the second half is for tests."""
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 20, extended=False)
    with pytest.raises(ValueError, match="lspet holds lsp"):
        load_pose_data(tmp_path)


def test_landmarks_beyond_the_end_of_their_film_are_told_before_the_training(tmp_path):
    from test_humanpose_datasets_coco import spread

    from gaitnet.video.write import VideoWriter
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 20, extended=True)
    kth = tmp_path / "kth_walking"
    kth.mkdir()
    name = "person01_walking_d1_uncomp"
    with VideoWriter(kth / f"{name}.mp4") as film:
        for _ in range(3):
            film.write(np.zeros((SIDE, SIDE, 3), np.uint8))
    people = [{"frame": frame, "box": [0, 0, 90, 90], "landmarks": spread().tolist()} for frame in (1, 5)]
    content = {"video": f"{name}.avi", "numbering": "BlazePose-33", "people": people}
    (kth / f"{name}.reference.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="has no frame 5, of which joints are known"):
        load_pose_data(tmp_path)


@pytest.mark.parametrize("legs", [False, True])
def test_walkers_who_stand_on_their_heads_are_not_learned_from(tmp_path, legs):
    """The file of legs is of all references of the film, those on their heads too."""
    from test_humanpose_datasets_coco import spread

    from gaitnet.video.write import VideoWriter
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 20, extended=True)
    kth = tmp_path / "kth_walking"
    kth.mkdir()
    upright = spread()
    upright[[11, 12], 1], upright[[23, 24], 1] = 20, 80  # shoulders, hips
    told = None
    for person in ("01", "15"):
        name = f"person{person}_walking_d1_uncomp"
        with VideoWriter(kth / f"{name}.mp4") as film:
            for _ in range(3):
                film.write(np.zeros((SIDE, SIDE, 3), np.uint8))
        people = [{"frame": frame, "box": [0, 0, 90, 90], "landmarks": upright.tolist()} for frame in range(3)]
        people[1]["landmarks"] = (upright * [1, -1, 1] + [0, 100, 0]).tolist()
        content = {"video": f"{name}.avi", "numbering": "BlazePose-33", "people": people}
        (kth / f"{name}.reference.json").write_text(json.dumps(content))
    if legs:
        told = tmp_path / "legs.json"
        film = {"references": 3, "exchanged": [2], "unclear": []}
        told.write_text(json.dumps({"films": {"person01_walking_d1_uncomp": film}}))
    data = load_pose_data(tmp_path, legs=told)
    assert [one.frame for one in data.landmarks] == [0, 2]
    assert [one.frame for one in data.held_out["kth"]] == [0, 2]
    first, last = (one.keypoints for one in data.landmarks)
    assert np.array_equal(first, last) != legs
    followed = tmp_path / "followed.npz"
    np.savez(
        followed, film=np.array(["person01_walking_d1_uncomp.mp4"] * 3), frame=np.arange(3),
        walks_left=np.zeros(3, bool), probability=np.ones((3, 16), np.float32),
        keypoints=np.stack([data.landmarks[0].keypoints + np.float32(1)] * 3),
    )  # fmt: skip
    more = load_pose_data(tmp_path, legs=told, followed=followed)
    assert [one.frame for one in more.landmarks] == [0, 2, 1], "in place of the reference that stands on its head"
    assert more.image(more.landmarks[2]).shape == (SIDE, SIDE, 3)
    assert [one.frame for one in more.held_out["kth"]] == [0, 2]


@pytest.mark.parametrize("name", ["lspet", "kth_walking"])
def test_a_prepared_data_set_is_named_as_such_with_what_reads_it(tmp_path, name):
    from humanpose.datasets.lsp import read_lsp
    from humanpose.datasets.prepare import prepare
    from train.pose_data import load_pose_data

    released = lsp(tmp_path / ("lspet" if name != "lspet" else "released"), 5, extended=True)
    prepare(read_lsp(released), tmp_path / name, name, 64)
    with pytest.raises(ValueError, match=rf"{name} is a prepared data set, .*as it was released; .*mpii\+lsp"):
        load_pose_data(tmp_path)


def test_without_kth_a_preset_that_learns_from_it_names_its_folder(tmp_path):
    from train.config import POSE_PRESETS
    from train.pose_batches import make_batches
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 5, extended=True)
    data = load_pose_data(tmp_path)
    config = POSE_PRESETS["lspet+walkers"]
    with pytest.raises(ValueError, match=r"landmarks: the preset wants 10 .* no kth_walking .*--preset no-kth"):
        make_batches(config, data.photographs, data.landmarks, data.image)
    with pytest.raises(ValueError, match=r"photographs: the preset wants 16 .* no photographs to learn from"):
        make_batches(config, [], data.landmarks, data.image)


def test_what_blazepose_needs_is_told_where_it_is_not_installed(monkeypatch):
    from train.blazepose import Landmarks

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="not installed here: mediapipe and ai_edge_litert; see the first lines"):
        Landmarks()
