"""Annotations and files made to do harm: names that lead elsewhere, devices, links, sizes that nobody could hold."""

import json
import os

import numpy as np
import pytest

from humanpose.datasets.coco import read_coco
from humanpose.datasets.human36m import read_human36m
from humanpose.datasets.mpii import read_mpii
from humanpose.datasets.pictures import picture_bytes, read_picture
from humanpose.datasets.survey import survey

OUTSIDE = ("/dev/zero", "../../secret.jpg", "a/../../b.jpg")


def write_coco(root, name, joint=3.0):
    person = {"image_id": 1, "keypoints": [joint, 2, 2] * 17, "bbox": [1, 2, 30, 40], "id": 4}
    content = {"images": [{"id": 1, "file_name": name}], "annotations": [person]}
    (root / "a.json").write_text(json.dumps(content))
    return read_coco


def write_mpii(root, name):
    person = {"image": name, "center": [9, 9], "scale": 1, "joints": [[5, 6]] * 16, "joints_vis": [1] * 16}
    (root / "train.json").write_text(json.dumps([person]))
    return read_mpii


def write_frames(root, name):
    write_coco(root, name)
    return lambda folder: read_human36m(folder, None)


def write_npz(root, name):
    view = np.zeros((1, 17, 2))
    np.savez(root / "data_2d_h36m_gt.npz", positions_2d={name: {"Walking": [view] * 4}})
    return read_human36m


WRITERS = [write_coco, write_mpii, write_frames, write_npz]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_the_data_set_are_refused(tmp_path, write, name):
    read = write(tmp_path, name)
    with pytest.raises(ValueError, match=r"does not lie within the data set") as refused:
        read(tmp_path)
    assert str(tmp_path) in str(refused.value)


def test_a_folder_of_pictures_may_be_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jpg").touch()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "elsewhere")
    (record,) = write_mpii(tmp_path / "set", "b.jpg")(tmp_path / "set")
    assert record.path.is_file()


def test_pipes_devices_and_endless_files_are_no_pictures(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "zero.jpg", "folder.jpg"):
        with pytest.raises(ValueError, match=f"{name}: is no file, but a folder, pipe or device"):
            read_picture(tmp_path / name)
        found = survey(write_coco(tmp_path, name)(tmp_path))
        assert found.findings[0].kind == "pictures missing"
    monkeypatch.setattr("humanpose.datasets.pictures.LONGEST", 10)
    (tmp_path / "long.jpg").write_bytes(bytes(11))
    with pytest.raises(ValueError, match="has 11 bytes, and pictures up to 10"):
        picture_bytes(tmp_path / "long.jpg")


@pytest.mark.parametrize("name", ["n" * 300 + ".jpg", "\ud800x.jpg", "a\0b.jpg"])
def test_names_that_no_file_can_have_are_missing_pictures(tmp_path, name):
    for write in (write_coco, write_mpii, write_frames):
        records = write(tmp_path, name)(tmp_path)
        assert survey(records).findings[0].kind == "pictures missing"
        with pytest.raises(ValueError, match="cannot be read"):
            read_picture(records[0].path)
        for file in tmp_path.iterdir():
            file.unlink()
