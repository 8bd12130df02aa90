"""Folders of frames: order, wrong names, numbers twice, damage and sizes, each told and counted."""

import zlib

import cv2
import numpy as np
import pytest
from walk_trees import mask, pictures

from gaitnet.datasets.arrays import load_frames, load_silhouettes
from gaitnet.datasets.dropped import DAMAGED, NAME, SIZE, TWICE, DatasetWarning
from gaitnet.datasets.frame_folder import frame_files, gaps, read_silhouettes, subfolders
from gaitnet.datasets.record import Sequence


def walk_in(folder, kind="silhouettes", **part):
    return Sequence("a", "NM", "", None, "1", folder, kind=kind, **part)


def test_frames_come_in_order_of_their_numbers(tmp_path):
    folder = pictures(tmp_path / "a" / "1", ["a-1-10.png", "a-1-2.png", "a-1-007.png"])
    files = frame_files(folder, strict=True)
    assert [file.name for file in files] == ["a-1-2.png", "a-1-007.png", "a-1-10.png"]
    assert gaps(files) == 6
    assert gaps([]) == 0


def test_what_is_called_otherwise_or_twice_is_told(tmp_path):
    names = ["a-1-001.png", "a-1-002.png", "a-1-2.png", "b-1-003.png", "last.png", "a-1-004.jpg"]
    folder = pictures(tmp_path / "a" / "1", names)
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "a-1-005.gif"):
        (folder / name).write_text("x")
    dropped = []
    assert [file.name for file in frame_files(folder, dropped, True)] == [
        "a-1-001.png",
        "a-1-002.png",
        "a-1-004.jpg",
    ]
    assert sorted((one.kind, one.what.rsplit("/")[-1]) for one in dropped) == [
        (TWICE, "a-1-2.png"), (NAME, "a-1-005.gif"), (NAME, "b-1-003.png"), (NAME, "last.png"), (NAME, "notes.txt"),
    ]  # fmt: skip


def test_frames_of_another_walk_are_none(tmp_path):
    folder = pictures(tmp_path / "a" / "1", ["b-1-001.png", "b-1-002.png"])
    assert frame_files(folder, strict=True) == []
    assert len(frame_files(folder)) == 2  # where any name will do
    pictures(folder, ["1-007.png"])
    dropped = []
    assert [file.name for file in frame_files(folder, dropped)] == ["1-007.png"]  # the folder's own come before more
    assert [one.kind for one in dropped] == [NAME, NAME]


def test_bare_numbers_will_do(tmp_path):
    folder = pictures(tmp_path / "a" / "1", ["1.png", "2.png", "a-1-3.png"])
    dropped = []
    assert [file.name for file in frame_files(folder, dropped, True)] == ["1.png", "2.png"]
    assert "begin with ''" in dropped[0].why


def damaged(path, how):
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        path.write_bytes(data[:60] + bytes([data[60] ^ 255]) + data[61:])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_bytes(b"hello" * 99)
    elif how == "bomb":  # a header that claims 40,000 x 40,000 pixels
        header = data[12:16] + (40_000).to_bytes(4, "big") * 2 + data[24:29]
        path.write_bytes(data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:])


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text", "bomb"])
def test_a_damaged_png_is_left_out_and_told(tmp_path, how, capfd):
    pictures(tmp_path, [f"{number}.png" for number in range(1, 5)])
    damaged(tmp_path / "2.png", how)
    dropped = []
    masks = load_silhouettes(walk_in(tmp_path), dropped)
    assert masks.shape == (3, 60, 44)
    np.testing.assert_array_equal(masks[1], mask(2))
    assert [(one.kind, one.what) for one in dropped] == [(DAMAGED, str(tmp_path / "2.png"))]
    assert dropped[0].why
    assert capfd.readouterr().err == ""  # libpng would have printed
    with pytest.warns(DatasetWarning, match=r"a/1: 1 left out \(damaged 1\)"):
        load_silhouettes(walk_in(tmp_path))


def test_a_jpeg_that_is_cut_off_is_left_out(tmp_path):
    pictures(tmp_path, [f"{number:03d}.jpg" for number in range(1, 4)], colour=True)
    damaged(tmp_path / "003.jpg", "cut")
    dropped = []
    frames = list(load_frames(walk_in(tmp_path, "frames"), dropped, careful=True))
    assert len(frames) == 2
    assert frames[0].shape == (60, 44, 3)
    assert [one.kind for one in dropped] == [DAMAGED]


def test_pictures_of_another_size_are_left_out(tmp_path):
    pictures(tmp_path, [f"{number}.png" for number in range(1, 5)])
    cv2.imwrite(str(tmp_path / "1.png"), mask(size=(90, 70)))
    dropped = []
    assert load_silhouettes(walk_in(tmp_path), dropped).shape == (3, 60, 44)
    assert [(one.kind, one.why) for one in dropped] == [(SIZE, "70x90 where the others are 44x60")]
    dropped = []
    assert len(list(load_frames(walk_in(tmp_path, "frames"), dropped))) == 1  # there the first one counts
    assert [one.kind for one in dropped] == [SIZE] * 3


def test_masks_are_black_and_white_whatever_the_files_are(tmp_path):
    grey = np.array([[0, 100, 127, 128, 254, 255]], np.uint8).repeat(4, 0)
    cv2.imwrite(str(tmp_path / "1.png"), grey)
    cv2.imwrite(str(tmp_path / "2.png"), np.stack([grey, grey, grey], -1))
    masks = read_silhouettes(frame_files(tmp_path), [])
    for one in masks:
        np.testing.assert_array_equal(one, np.where(grey > 127, 255, 0))


def test_nothing_readable_is_refused(tmp_path):
    pictures(tmp_path, ["1.png"])
    damaged(tmp_path / "1.png", "empty")
    with pytest.raises(ValueError, match="not one of 1 frames can be read"):
        load_silhouettes(walk_in(tmp_path), [])
    with pytest.raises(ValueError, match="not one of 1 frames can be read"):
        list(load_frames(walk_in(tmp_path, "frames"), []))
    with pytest.raises(ValueError, match="which is not there"):
        load_silhouettes(walk_in(tmp_path / "gone"), [])
    with pytest.raises(ValueError, match="expected one kept as silhouettes, got a/1 as frames"):
        load_silhouettes(walk_in(tmp_path, "frames"))


def test_a_part_of_a_folder(tmp_path):
    pictures(tmp_path, [f"{number}.png" for number in range(1, 8)])
    masks = load_silhouettes(walk_in(tmp_path, first_frame=2, last_frame=4))
    assert len(masks) == 3
    np.testing.assert_array_equal(masks[0], mask(2))


def test_silhouettes_beyond_memory_are_refused(tmp_path, monkeypatch):
    from gaitnet.datasets import frame_folder

    pictures(tmp_path, [f"{number}.png" for number in range(1, 8)])
    monkeypatch.setattr(frame_folder, "MOST_BYTES", 5 * 60 * 44)
    with pytest.raises(ValueError, match="make them smaller"):
        load_silhouettes(walk_in(tmp_path))


def test_hidden_folders_are_passed_over(tmp_path):
    for name in ("b", ".git", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert [folder.name for folder in subfolders(tmp_path)] == ["a", "b"]


def test_the_real_silhouettes(data_root):
    folder = data_root / "silhouettes" / "ouisir"
    files = frame_files(folder)
    assert (len(files), gaps(files)) == (60, 0)
    masks = load_silhouettes(walk_in(folder))
    assert masks.shape == (60, 128, 88)
    assert set(np.unique(masks)) == {0, 255}
    assert 0.2 < (masks > 0).mean() < 0.4
