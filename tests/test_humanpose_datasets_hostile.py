"""Annotations and files made to do harm: names that lead elsewhere, devices, links, sizes that nobody could hold."""

import json
import os
import pickle
import shutil
import sys
import zipfile

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from humanpose import hdf5_process
from humanpose.datasets.coco import read_coco
from humanpose.datasets.human36m import read_boxes, read_human36m
from humanpose.datasets.mpii import read_mpii, read_mpii_h5
from humanpose.datasets.pictures import picture_bytes, read_picture
from humanpose.datasets.prepare import prepare
from humanpose.datasets.prepared import PreparedPose
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.survey import survey
from humanpose.datasets.walkers import read_walkers
from humanpose.skeleton import JOINTS

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


def sound(stored):
    """One person as MPII's h5 files have them."""
    stored["part"], stored["visible"] = np.ones((1, 16, 2)), np.ones((1, 16))
    stored["center"], stored["scale"] = np.ones((1, 2)), np.ones(1)
    stored["imgname"] = np.array([b"a.jpg"])


def unallocated(stored):
    del stored["part"]
    stored.create_dataset("part", (20_000_000, 16, 2), "f8")


def linked(stored):
    del stored["imgname"]
    stored["imgname"] = h5py.ExternalLink("other.h5", "/imgname")


def soft(stored):
    stored["normalize"] = h5py.SoftLink("/scale")
    del stored["scale"]
    stored["scale"] = h5py.SoftLink("/center")


def kept_elsewhere(stored):
    del stored["imgname"]
    stored.create_dataset("imgname", (1,), "S13", external=[("secret.bin", 0, 13)])


def virtual(stored):
    del stored["scale"]
    layout = h5py.VirtualLayout((1,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "scale", (1,))
    stored.create_virtual_dataset("scale", layout)


def squeezed_twice(stored):
    del stored["scale"]
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((1000,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    h5py.h5d.create(stored.id, b"scale", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((1000,)), settings)
    stored["scale"][:] = 0


def huge_chunks(stored):
    del stored["scale"]
    stored.create_dataset("scale", (1,), "f8", maxshape=(None,), chunks=(1 << 26,), compression="gzip")


def long_names(stored):
    del stored["imgname"]
    stored["imgname"] = np.array(["n" * 5000], h5py.string_dtype())


@pytest.mark.parametrize(
    "harm", [unallocated, linked, soft, kept_elsewhere, virtual, squeezed_twice, huge_chunks, long_names]
)
def test_hdf5_that_refers_elsewhere_or_claims_too_much_is_refused(tmp_path, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"TOPSECRET.jpg")
    for name in ("other.h5", "valid.h5"):
        with h5py.File(name, "w") as stored:
            sound(stored)
    assert len(read_mpii(tmp_path)) == 1
    with h5py.File("valid.h5", "a") as stored:
        harm(stored)
    with pytest.raises(ValueError, match="must be MPII's annotations as HDF5"):
        read_mpii_h5(tmp_path / "valid.h5", tmp_path)


@pytest.mark.parametrize(
    ("limit", "executable", "says"),
    [(0.01, sys.executable, r"no end in it within 0\.01 seconds"), (30, "/bin/false", "library failed at it")],
)
def test_hdf5_that_hangs_or_crashes_the_library_is_refused(tmp_path, monkeypatch, limit, executable, says):
    with h5py.File(tmp_path / "valid.h5", "w") as stored:
        sound(stored)
    with h5py.File(tmp_path / "masks.mat", "w") as stored:
        stored.create_dataset("Masks", (1, 1), h5py.ref_dtype)
    monkeypatch.setattr(hdf5_process, "SECONDS", limit)
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(ValueError, match=f"must be MPII's annotations as HDF5.*{says}"):
        read_mpii_h5(tmp_path / "valid.h5", tmp_path)
    with pytest.raises(ValueError, match=f"must hold a mask for every frame under Masks: .*{says}"):
        read_boxes(tmp_path / "masks.mat", [0])


@pytest.mark.parametrize("how", [{"compression": "gzip", "shuffle": True}, {"compression": "lzf", "chunks": (1, 4, 2)}])
def test_packed_hdf5_is_read(tmp_path, how):
    with h5py.File(tmp_path / "valid.h5", "w") as stored:
        sound(stored)
        del stored["part"]
        stored.create_dataset("part", data=np.full((1, 16, 2), 7.0), fletcher32=True, **how)
    (record,) = read_mpii(tmp_path)
    assert (record.keypoints == 6).all()


def test_masks_that_claim_too_much_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as stored:
        masks = stored.create_dataset("Masks", (1, 1), h5py.ref_dtype)
        masks[0, 0] = stored.create_dataset("#refs#/0", (100_000, 100_000), np.uint8).ref
    with pytest.raises(ValueError, match="must hold a mask for every frame under Masks: 'mask 0' of the shape"):
        read_boxes(tmp_path / "a.mat", [0])


def nested(inner, times=6):
    """Lists of lists whose pickle has a few hundred bytes, for what is in them is written once: 30 to the sixth."""
    for _ in range(times):
        inner = [inner] * 30
    return inner


CAMERA = {"R": np.eye(3), "T": np.zeros((3, 1)), "f": np.ones((2, 1)), "c": np.ones((2, 1)), "k": np.zeros((3, 1)),
          "p": np.zeros((2, 1))}  # fmt: skip
SPACE, VIEW = np.ones((2, 17, 3)), np.ones((2, 17, 2))


@pytest.mark.parametrize(
    ("points", "camera", "says"),
    [
        (nested([[0.0] * 3] * 17), CAMERA, "S9 must have arrays of numbers"),
        (np.array([{}] * 4, object), CAMERA, "S9 must have arrays of numbers"),
        (np.ones((60_000, 17, 3), np.uint8), CAMERA, "S9 has points"),
        (SPACE, {**CAMERA, "k": nested(0.0)}, "a camera's k must be an array of 3 numbers"),
        (SPACE, {**CAMERA, "k": np.zeros(1_000_000, np.uint8)}, "a camera's k must be an array of 3 numbers"),
    ],
)
def test_positions_in_space_are_arrays_of_numbers(tmp_path, points, camera, says):
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": {"Walking": points}})
    cameras = {("S9", name): camera for name in ("54138969", "55011271", "58860488", "60457274")}
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(cameras))
    with pytest.raises(ValueError, match=says):
        read_human36m(tmp_path)
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(dict.fromkeys(cameras, CAMERA)))
    takes = {f"Walking {number}": SPACE.copy() for number in range(40)}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": takes})
    assert len(read_human36m(tmp_path)) == 40 * 4 * 2
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": takes | {"Walking": takes["Walking 3"]}})
    with pytest.raises(ValueError, match="the very joints of another recording"):
        read_human36m(tmp_path)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"S1": {"Walking": [nested([[0.0] * 2] * 17)]}}, "must have arrays of numbers"),
        ({"S1": {"Walking": [np.ones((60_000, 17, 2), np.uint8)]}}, "goes on for longer"),
        ({"S1": {"Walking": [VIEW, VIEW]}}, "the very joints of another recording"),
        ({5: {"Walking": [VIEW]}}, "must be names"),
    ],
)
def test_positions_in_pictures_are_arrays_of_numbers(tmp_path, table, says):
    np.savez(tmp_path / "data_2d_h36m_gt.npz", positions_2d=table)
    with pytest.raises(ValueError, match=says):
        read_human36m(tmp_path)


ENDLESS = 10**400
"""No number of the computer's is as large; json reads it none the less."""


def person_of_mpii(**changes):
    return {"image": "a.jpg", "center": [9, 9], "scale": 1, "joints": [[5, 6]] * 16, "joints_vis": [1] * 16, **changes}


@pytest.mark.parametrize(
    "changes",
    [{"scale": ENDLESS}, {"joints": [[ENDLESS, 6]] * 16}, {"center": [ENDLESS, 9]}, {"joints_vis": [ENDLESS] * 16}],
)
def test_numbers_beyond_all_numbers_in_mpii(tmp_path, changes):
    (tmp_path / "train.json").write_text(json.dumps([person_of_mpii(**changes)]))
    with pytest.raises(ValueError, match="person 1 must have"):
        read_mpii(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"scale": float("inf")}, {"scale": 1e300}, {"joints": [[1e300, float("nan")]] * 16}]
)
def test_endless_numbers_in_mpii_are_left_to_the_check(tmp_path, changes):
    (tmp_path / "train.json").write_text(json.dumps([person_of_mpii(**changes)]))
    (record,) = read_mpii(tmp_path)
    assert np.isfinite(record.box).all()
    assert np.isfinite(record.keypoints).all() == ("scale" in changes)


def test_numbers_beyond_all_numbers_in_coco_and_its_likes(tmp_path):
    read = write_coco(tmp_path, "a.jpg", ENDLESS)
    with pytest.raises(ValueError, match="annotation 4 must have 17 keypoints"):
        read(tmp_path)
    with pytest.raises(ValueError, match="must be annotations with images"):
        read_human36m(tmp_path)


@pytest.mark.parametrize("changes", [{"size": [ENDLESS, 9]}, {"size": "[1e999, 9]"}, {"view": ENDLESS}])
def test_numbers_beyond_all_numbers_in_walkers(tmp_path, changes):
    content = {"joint_names": JOINTS, "size": [9, 9], "identity": "a", "view": 0, "frames": [], **changes}
    (tmp_path / "a.json").write_text(json.dumps(content).replace('"[1e999, 9]"', "[1e999, 9]"))
    with pytest.raises(ValueError, match="must be what is known of a walker"):
        read_walkers(tmp_path)


def test_endless_numbers_in_matlab_and_hdf5_files(tmp_path):
    point = {"x": 1.0, "y": 2.0, "id": np.inf}
    picture = {"image": {"name": "a.jpg"}, "annorect": {"annopoints": {"point": point}, "scale": 1.0}}
    scipy.io.savemat(tmp_path / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"annolist": picture}})
    with pytest.raises(ValueError, match=r"picture 1 of RELEASE\.annolist is damaged"):
        read_mpii(tmp_path)
    with h5py.File(tmp_path / "valid.h5", "w") as stored:
        sound(stored)
        del stored["imgname"]
        stored["imgname"] = np.full((1, 4), np.inf)
    with pytest.raises(ValueError, match="must be MPII's annotations as HDF5"):
        read_mpii_h5(tmp_path / "valid.h5", tmp_path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cv2.imwrite(str(folder / "a.png"), np.zeros((90, 90, 3), np.uint8))
    keypoints = np.full((16, 2), 40, np.float32)
    record = PoseRecord(
        folder / "a.png", None, np.array([5, 5, 60, 80], np.float32), keypoints, np.ones(16, bool), "made"
    )
    prepare([record], folder / "out", "made", 64)
    return folder / "out"


HEADERS = [
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,", b"(" * 3000, b"-" * 3000 + b"1", b"'''abc", b"{" * 99,
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999,), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (9" + b"9" * 30 + b",), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 16, 2), }",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_damaged_arrays_of_a_cache_are_one_sentence(tmp_path, cache, header):
    shutil.copytree(cache, tmp_path / "out")
    shard = tmp_path / "out" / "shard-00000.npz"
    with zipfile.ZipFile(cache / shard.name) as whole, zipfile.ZipFile(shard, "w") as made:
        for name in whole.namelist():
            content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
            made.writestr(name, content if name == "keypoints.npy" else whole.read(name))
    with pytest.raises(ValueError, match=r"shard-00000\.npz is damaged or missing"):
        PreparedPose(tmp_path / "out")


@pytest.mark.parametrize("changes", [{"file": "../a.npz"}, {"file": 3}, {"sha256": None, "file": "/dev/zero"}])
def test_an_index_names_shards_of_its_own_folder(tmp_path, cache, changes):
    index = json.loads((cache / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**index, "shards": [{**index["shards"][0], **changes}]}))
    with pytest.raises(ValueError, match=r"index\.json is damaged or missing"):
        PreparedPose(tmp_path)
