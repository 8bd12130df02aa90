"""Data sets of walks with links into nowhere, pipes and foreign files among them: told, and never waited for."""

import json
import os

import numpy as np
import pytest
from walk_trees import kinect, opengait, pictures, ucalgary

from gaitnet.cli.datasets_gait_sheet import sheet_of
from gaitnet.datasets import prepared
from gaitnet.datasets.casia_b import read_casia_b
from gaitnet.datasets.dropped import DAMAGED, EMPTY, NAME
from gaitnet.datasets.folder import read_folder
from gaitnet.datasets.keypoints import COCO, keypoints_of
from gaitnet.datasets.kinect import load_kinect, read_kinect_walks
from gaitnet.datasets.opengait import load_keypoints, load_silhouettes, read_opengait
from gaitnet.datasets.prepare import prepare
from gaitnet.datasets.record import Sequence
from gaitnet.datasets.survey import survey
from gaitnet.datasets.ucalgary import load_ucalgary, read_ucalgary

MASKS = np.full((3, 64, 64), 255, np.uint8)


def spoil(path, how):
    """A link into nowhere, in a circle, or a pipe that nobody writes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if how == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if how == "circle" else path.parent / "nowhere")


@pytest.mark.parametrize("how", ["link", "circle", "pipe"])
def test_a_file_that_is_none_costs_itself_alone(tmp_path, how):
    opengait(tmp_path / "o" / "001" / "nm-01" / "018" / "018.pkl", MASKS)
    kinect(tmp_path / "k" / "Person001" / "1.txt")
    for film in (tmp_path / "b" / "001-nm-01-018.avi", tmp_path / "f" / "anna" / "door.mp4"):
        film.parent.mkdir(parents=True)
        film.write_bytes(b"film")
    run = ucalgary(tmp_path / "u")
    for read, bad in (
        (read_opengait, tmp_path / "o" / "001" / "nm-01" / "036" / "036.pkl"),
        (read_kinect_walks, tmp_path / "k" / "Person001" / "2.txt"),
        (read_casia_b, tmp_path / "b" / "001-nm-01-036.avi"),
        (read_folder, tmp_path / "f" / "anna" / "way.mp4"),
        (read_ucalgary, run.parents[1] / "Run2" / run.name.replace("Seq_1", "Seq_2")),
    ):
        spoil(bad, how)
        dropped = []
        root = tmp_path / bad.relative_to(tmp_path).parts[0]
        assert len(read(root, dropped=dropped)) == 1
        assert [(one.kind, one.what) for one in dropped] == [(DAMAGED, str(bad))]
        assert ("no regular file" if how == "pipe" else "cannot be read") in dropped[0].why


def test_a_folder_that_is_a_link_in_a_circle(tmp_path):
    pictures(tmp_path / "001" / "nm-01" / "018", ["001-nm-01-018-001.png"])
    spoil(tmp_path / "002", "circle")
    assert len(read_casia_b(tmp_path)) == 1


def test_a_pipe_beside_a_pickle(tmp_path):
    path = opengait(tmp_path / "018.pkl", MASKS)
    spoil(tmp_path / "other.pkl", "pipe")
    with pytest.raises(ValueError, match=r"other.*no regular file"):
        load_silhouettes(path)


def test_silhouettes_of_0_and_1_are_told_by_check_and_by_prepare(tmp_path):
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", MASKS)
    path = opengait(tmp_path / "t" / "001" / "nm-01" / "036" / "036.pkl", MASKS // 255)
    walks = read_opengait(tmp_path / "t")
    for dropped in (survey(walks, []).dropped, prepare(walks, tmp_path / "to", "opengait").dropped):
        assert [(one.kind, one.what) for one in dropped] == [(DAMAGED, str(path))]
        assert "got 0 and 1; multiply them by 255" in dropped[0].why


def test_a_place_that_no_float32_holds_is_missing(tmp_path):
    poses = np.full((2, 17, 3), 0.5)
    poses[0, 3, 0] = poses[1, 4, 1] = 1e300
    missing = np.zeros((2, 17), bool)
    for found in (
        load_keypoints(opengait(tmp_path / "a.pkl", poses)),
        keypoints_of(poses, COCO, None, missing),
    ):
        assert found.keypoints.dtype == found.probability.dtype == np.float32
        assert np.isfinite(found.keypoints).all()
        np.testing.assert_array_equal(np.argwhere(~found.visible), [[0, 3], [1, 4]])
        assert not found.keypoints[~found.visible].any()
        assert not found.probability[~found.visible].any()


@pytest.mark.parametrize("how", ["pipe", "endless", "long", "empty", "folder"])
def test_an_index_that_is_no_modest_file(tmp_path, monkeypatch, how):
    monkeypatch.setattr(prepared, "MOST_BYTES", 1000)
    path = tmp_path / "index.json"
    if how == "pipe":
        os.mkfifo(path)
    elif how == "endless":
        path.symlink_to("/dev/zero")
    elif how == "folder":
        path.mkdir()
    else:
        path.write_text(
            "" if how == "empty" else '{"format": "gaitnet-walks-1", "whole": true, "walks": []}' + " " * 1000
        )
    with pytest.raises(ValueError, match=r"index\.json is no index of gaitnet-walks-1 \(it "):
        prepared.read_index(tmp_path)
    assert not prepared.is_prepared(tmp_path)


@pytest.mark.parametrize("load", [prepared.load_silhouettes, prepared.load_keypoints])
def test_a_prepared_walk_that_is_a_pipe(tmp_path, load):
    os.mkfifo(tmp_path / "1.npz")
    with pytest.raises(ValueError, match=r"1\.npz, it is no regular file"):
        load(tmp_path / "1.npz")


def test_text_of_sensors_that_is_too_long_or_a_pipe(tmp_path, monkeypatch):
    ucalgary(tmp_path / "u")
    run = ucalgary(tmp_path / "u", run=2)
    path = kinect(tmp_path / "k" / "Person001" / "1.txt")
    with run.open("a") as stream:
        stream.truncate(1 << 20)
    monkeypatch.setattr("gaitnet.datasets.ucalgary.MOST_BYTES", 1 << 19)
    monkeypatch.setattr("gaitnet.walkers.kinect.MOST_BYTES", 100, raising=False)
    dropped = []
    assert len(read_ucalgary(tmp_path / "u", dropped)) == 1
    assert [(one.kind, one.what) for one in dropped] == [(DAMAGED, str(run))]
    for load, file, most in ((load_ucalgary, run, "524,288"), (load_kinect, path, "100")):
        with pytest.raises(ValueError, match=f"expected up to {most} bytes"):
            load(file)
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(ValueError, match="got a folder, pipe or device"):
            load(file)


@pytest.mark.parametrize("told", [[["nonsense", "x"]], [["nonsense", "x", "y"]], [5], 5, [[EMPTY, 1, "x"]]])
def test_a_prepared_walk_that_tells_nonsense_is_made_again(tmp_path, told):
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", MASKS)
    walks = read_opengait(tmp_path / "t")
    prepare(walks, tmp_path / "to", "opengait")
    path = tmp_path / "to" / "001" / "nm-01" / "018.npz"
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"])) | {"dropped": told}
    np.savez(path, about=np.array(json.dumps(about)), silhouettes=MASKS)
    done = prepare(walks, tmp_path / "to", "opengait")
    assert (done.written, done.kept, done.dropped) == (1, 0, [])


@pytest.mark.parametrize("length", [248, 254])
def test_a_walk_whose_name_is_too_long_costs_itself_alone(tmp_path, length):
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", MASKS)
    path = opengait(tmp_path / "t" / "001" / "nm-01" / ("x" * length) / "1.pkl", MASKS)
    done = prepare(read_opengait(tmp_path / "t"), tmp_path / "to", "opengait")
    assert done.written == 1
    assert [(one.kind, one.what) for one in done.dropped] == [(NAME, str(path))]


def test_a_sheet_of_names_that_are_no_utf8_and_of_very_long_masks(tmp_path):
    long = Sequence("a", "", "", None, "1", tmp_path / "1.pkl", kind="silhouettes")
    opengait(long.path, np.full((1, 1024, 3), 255, np.uint8))
    odd = Sequence(os.fsdecode(b"\xff\xfe"), "", "", None, "2", long.path, kind="silhouettes")
    assert sheet_of("walks", [long, odd]).startswith(b"\x89PNG")
