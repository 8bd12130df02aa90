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
    with pytest.raises(ValueError, match="has no frame 5, which its landmarks describe"):
        load_pose_data(tmp_path)
