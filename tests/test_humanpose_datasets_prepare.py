"""The cache of crops: what goes in comes out, a killed run goes on, and a changed byte is noticed."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from humanpose.datasets.fingerprints import sha256_of
from humanpose.datasets.lsp import read_lsp
from humanpose.datasets.pictures import read_picture
from humanpose.datasets.prepare import CONTEXT, context_affine, prepare
from humanpose.datasets.prepared import PreparedPose
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.shards import jpeg
from humanpose.preprocess import crop, crop_affine, to_image
from humanpose.skeleton import JOINTS

ROOT = Path(__file__).resolve().parent.parent


def people(folder, count=10):
    """Somebody in each of some smooth pictures."""
    folder.mkdir(exist_ok=True)
    records = []
    for number in range(count):
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        path = folder / f"{number:02d}.png"
        cv2.imwrite(str(path), cv2.resize(coarse, (150, 120), interpolation=cv2.INTER_CUBIC))
        keypoints = rng.uniform(20, 100, (16, 2)).astype(np.float32)
        visible = rng.random(16) < 0.8
        visible[0] = True
        keypoints[~visible] = 0
        box = np.array([20, 20, 70 + number, 100], np.float32)
        more = {"split": "train" if number % 2 else "test", "subject": f"S{number}", "head": 10.0 + number}
        hidden = None if number == 3 else visible & (rng.random(16) < 0.3)
        records.append(
            PoseRecord(path, None, box, keypoints, visible, "made", walks_left=number == 4, hidden=hidden, **more)
        )
    return records


def same(prepared, records):
    """Whether a cache holds these people: everything that is said of them, in pixels of their picture."""
    assert len(prepared.records) == len(records)
    for found, one in zip(prepared.records, records, strict=True):
        affine = prepared.affine(found)
        assert prepared.source_of(found) == (str(one.path), one.frame)
        np.testing.assert_array_equal(found.visible, one.visible)
        np.testing.assert_allclose(
            to_image(found.keypoints, affine)[one.visible], one.keypoints[one.visible], atol=1e-3
        )
        np.testing.assert_allclose(to_image(found.box.reshape(2, 2), affine).ravel(), one.box, atol=1e-3)
        assert (found.keypoints[~found.visible] == 0).all()
        np.testing.assert_allclose(found.head * affine[0, 0], one.head, rtol=1e-9)
        for name in ("split", "subject", "action", "camera", "source", "walks_left"):
            assert getattr(found, name) == getattr(one, name)
        assert (found.hidden is None) == (one.hidden is None)
        if one.hidden is not None:
            np.testing.assert_array_equal(found.hidden, one.hidden)


@pytest.mark.parametrize("pixels", ["array", "jpeg"])
def test_what_goes_in_comes_out(tmp_path, pixels):
    records = people(tmp_path / "in")
    told = []
    outcome = prepare(records[::-1], tmp_path / "out", "made", 96, 3, pixels, lambda *at: told.append(at))
    assert (outcome.people, outcome.written, outcome.kept, outcome.left_out) == (10, 3, 0, [])
    assert told[-1] == (10, 10)
    prepared = PreparedPose(tmp_path / "out", open_shards=1)
    assert (prepared.name, prepared.size) == ("made", 96)
    same(prepared, records)
    for place in (7, 0, 9, 3, 0):  # in any order, with one shard open
        found, one = prepared.records[place], records[place]
        direct = crop(read_picture(one.path), context_affine(one.box, 96), (96, 96))
        kept = prepared.image(found).astype(int)
        assert kept.shape == (96, 96, 3)
        assert np.abs(kept - direct).mean() < (0.001 if pixels == "array" else 2.5)
    assert len(prepared._open) == 1
    prepared.verify()
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "index.json", "shard-00000.npz", "shard-00001.npz", "shard-00002.npz",
    ]  # fmt: skip


def test_a_crop_is_packed_before_the_next_one_is_cut(tmp_path, monkeypatch):
    """A shard of a whole data set would not go into memory as it is."""
    done = []
    for call in (crop, jpeg):
        name = call.__name__
        monkeypatch.setattr(
            f"humanpose.datasets.prepare.{name}", lambda *given, call=call: (done.append(call), call(*given))[1]
        )
    prepare(people(tmp_path / "in", 3), tmp_path / "out", "made", 64, 1)
    assert done == [crop, jpeg] * 3


def test_the_crop_holds_what_a_network_sees():
    for box in ([10, 10, 40, 90], [10, 10, 90, 40]):
        affine = context_affine(np.array(box, np.float32), 256)
        portrait = crop_affine(np.array(box, np.float32), (192, 144))
        corners = np.array([[0, 0], [143, 191]]) @ portrait[:, :2].T + portrait[:, 2]
        inside = (corners - affine[:, 2]) / affine[0, 0]
        margin = 128 * (1 - 1.25 / CONTEXT)
        np.testing.assert_allclose([inside[0, 1], 255 - inside[1, 1]], margin, atol=1.5)
        assert inside.min() > 0
        assert inside.max() < 255


def test_a_crop_from_the_cache_is_the_crop_from_the_photograph(data_root, tmp_path):
    records = [one for one in read_lsp(data_root / "lspet")[:40] if one.has_extent]
    prepare(records, tmp_path, "lspet")
    prepared = PreparedPose(tmp_path)
    same(prepared, records)
    differences = []
    for found, one in zip(prepared.records, records, strict=True):
        direct = crop(read_picture(one.path), crop_affine(one.box))
        differences.append(np.abs(crop(prepared.image(found), crop_affine(found.box)).astype(int) - direct).mean())
    # of 255 levels; JPEG and one more interpolation
    assert np.mean(differences) < 3
    assert max(differences) < 8


def test_who_cannot_be_cut_out_is_named(tmp_path):
    records = people(tmp_path / "in", 6)
    records[1].path.unlink()
    records[2].path.write_bytes(records[2].path.read_bytes()[:500])
    records[4] = replace(records[4], box=np.full(4, np.nan, np.float32))
    outcome = prepare(records, tmp_path / "out", "made", 64, 2)
    assert outcome.people == 3
    assert [who for who, _ in outcome.left_out] == ["01.png", "02.png", "04.png"]
    for (_, why), says in zip(outcome.left_out, ("No such file", "cut off after 500 bytes", "no box"), strict=True):
        assert says in why
    same(PreparedPose(tmp_path / "out"), [records[place] for place in (0, 3, 5)])
    # what has been fetched in the meantime is cut out by the next run, which keeps the rest
    records[1].path.write_bytes(records[0].path.read_bytes())
    records[2].path.write_bytes(records[0].path.read_bytes())
    again = prepare(records, tmp_path / "out", "made", 64, 2)
    assert (again.people, again.written, again.kept) == (5, 1, 1)
    with pytest.raises(ValueError, match="not one of 1 people could be cut out"):
        prepare([replace(records[0], path=tmp_path / "no.png")], tmp_path / "none", "made", 64)
    assert list((tmp_path / "none").iterdir()) == []
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    (tmp_path / "out" / "index.json").write_text(json.dumps({**index, "shards": [], "shard_count": 0}))
    with pytest.raises(ValueError, match="holds nobody"):
        PreparedPose(tmp_path / "out")


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_humanpose_datasets_prepare import people
from humanpose.datasets.prepare import prepare
def progress(done, total):
    if done == 8:
        os.kill(os.getpid(), signal.SIGKILL)
prepare(people(Path({folder!r}) / "in"), Path({folder!r}) / "out", "made", 64, 5, "jpeg", progress)
"""


def test_a_killed_run_goes_on(tmp_path):
    script = KILLED.format(tests=str(ROOT / "tests"), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="was not prepared to the end"):
        PreparedPose(out)
    before = {file.name: file.stat().st_mtime_ns for file in out.glob("shard-*.npz")}
    assert sorted(before) == ["shard-00000.npz", "shard-00001.npz", "shard-00002.npz"]
    outcome = prepare(people(tmp_path / "in"), out, "made", 64, 5)
    assert (outcome.written, outcome.kept, outcome.people) == (2, 3, 10)
    assert all((out / name).stat().st_mtime_ns == when for name, when in before.items())
    same(PreparedPose(out), people(tmp_path / "in"))
    assert not list(out.glob(".*"))


def test_an_interrupted_run_leaves_nothing_half_written(tmp_path):
    records = people(tmp_path / "in")

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(records, tmp_path / "out", "made", 64, 5, progress=stop)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "index.json", "shard-00000.npz", "shard-00001.npz",
    ]  # fmt: skip


def last_picture(folder, shard):
    prepared = PreparedPose(folder)
    return prepared.image([one for one in prepared.records if one.path.name == shard][-1])


def test_a_flipped_byte_is_found_and_made_good(tmp_path):
    records = people(tmp_path / "in")
    prepare(records, tmp_path / "out", "made", 64, 3)
    shard = tmp_path / "out" / "shard-00001.npz"
    whole = shard.read_bytes()
    for place in range(50, len(whole), len(whole) // 12):  # in pixels, annotations and the archive's own tables
        flipped = bytearray(whole)
        flipped[place] ^= 1
        shard.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"shard-00001.npz is damaged or missing.*makes it again"):
            PreparedPose(tmp_path / "out").verify()
        with pytest.raises(ValueError, match="damaged or missing"):
            last_picture(tmp_path / "out", "shard-00001.npz")
    outcome = prepare(records, tmp_path / "out", "made", 64, 3)
    assert (outcome.written, outcome.kept) == (1, 2)
    assert shard.read_bytes() == whole
    shard.unlink()
    with pytest.raises(ValueError, match="damaged or missing"):
        PreparedPose(tmp_path / "out")


def test_pictures_that_changed_are_cut_out_again(tmp_path):
    records = people(tmp_path / "in", 6)
    prepare(records, tmp_path / "out", "made", 64, 3)
    before = (tmp_path / "out" / "shard-00001.npz").read_bytes()
    cv2.imwrite(str(records[3].path), np.full((120, 150, 3), 200, np.uint8))
    assert prepare(records, tmp_path / "out", "made", 64, 3).written == 1
    assert (tmp_path / "out" / "shard-00001.npz").read_bytes() != before
    prepared = PreparedPose(tmp_path / "out")
    assert (np.abs(prepared.image(prepared.records[3]).astype(int)[20:40, 20:40] - 200) < 5).all()
    for one in records:  # who has put the pictures away keeps what was cut out of them
        one.path.unlink()
    again = prepare(records, tmp_path / "out", "made", 64, 3)
    assert (again.people, again.written, again.kept) == (6, 0, 3)
    opinion = np.ones((16, 3), np.float32)
    with pytest.raises(ValueError, match="holds another cache"):
        prepare([*records[:5], replace(records[5], opinion=opinion)], tmp_path / "out", "made", 64, 3)


def test_another_cache_in_the_folder_is_kept(tmp_path):
    records = people(tmp_path / "in", 4)
    prepare(records, tmp_path / "out", "made", 64, 2)
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    for other, size in ((records, 96), (records[:3], 64), ([*records[:3], replace(records[3], split="x")], 64)):
        with pytest.raises(ValueError, match="holds another cache"):
            prepare(other, tmp_path / "out", "made", size, 2)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    (tmp_path / "out" / "index.json").write_text("{")
    with pytest.raises(ValueError, match=r"is damaged.*choose another folder"):
        prepare(records, tmp_path / "out", "made", 64, 2)


@pytest.mark.parametrize(("size", "shards"), [(8, None), (4096, None), (64, 0), (64, 11)])
def test_impossible_numbers_are_refused(tmp_path, size, shards):
    with pytest.raises(ValueError, match="size must be"):
        prepare(people(tmp_path / "in"), tmp_path / "out", "made", size, shards)
    assert not (tmp_path / "out").exists()


def test_folders_without_a_cache_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no prepared data set"):
        PreparedPose(tmp_path)
    for content in ("", "[]", "{}", json.dumps({"format": "x"})):
        (tmp_path / "index.json").write_text(content)
        with pytest.raises(ValueError, match="is no index of a prepared data set"):
            PreparedPose(tmp_path)


def test_a_record_of_elsewhere_is_refused(tmp_path):
    records = people(tmp_path / "in", 2)
    prepare(records, tmp_path / "out", "made", 64)
    with pytest.raises(ValueError, match="is no shard of"):
        PreparedPose(tmp_path / "out").image(records[0])


def test_joints_and_pictures_that_do_not_belong_together_are_refused(tmp_path):
    records = people(tmp_path / "in")
    moved = [replace(one, keypoints=one.keypoints + np.float32(5000), box=one.box + np.float32(5000))
             for one in records]  # fmt: skip
    edge = replace(records[0], keypoints=np.where(records[0].visible[:, None], np.float32([151.5, 60]), 0))
    assert prepare([edge], tmp_path / "edge", "made", 64).people == 1  # a click beside the border
    with pytest.raises(ValueError, match=r"10 of 10 people looked at have joints outside their picture.*another size"):
        prepare(moved, tmp_path / "out", "made", 64)
    assert not (tmp_path / "out").exists()
    outcome = prepare([*records[:8], *moved[8:]], tmp_path / "out", "made", 64)
    assert outcome.people == 8
    assert [who for who, _ in outcome.left_out] == ["08.png", "09.png"]
    joints = ", ".join(name.replace("_", " ") for name, seen in zip(JOINTS, records[8].visible, strict=True) if seen)
    assert outcome.left_out[0][1] == f"joints outside the picture: {joints}"
    again = prepare([*records[:8], *moved[8:]], tmp_path / "out", "made", 64)  # nothing to try again
    assert (again.written, again.kept, again.left_out) == (0, 1, outcome.left_out)


def test_a_picture_with_wrong_bytes_within_is_left_out(tmp_path):
    records = people(tmp_path / "in", 3)
    jpegs = [replace(one, path=one.path.with_suffix(".jpg")) for one in records]
    for one in jpegs:
        cv2.imwrite(str(one.path), np.random.default_rng(0).integers(0, 256, (120, 150, 3), np.uint8))
    whole = jpegs[1].path.read_bytes()
    wrong = np.random.default_rng(1).integers(0, 255, 2000, np.uint8).tobytes()
    jpegs[1].path.write_bytes(whole[:4000] + wrong + whole[6000:])
    assert read_picture(jpegs[1].path).shape == (120, 150, 3)  # which shows torn rows
    outcome = prepare(jpegs, tmp_path / "out", "made", 64)
    assert outcome.left_out == [("01.jpg", "has wrong bytes in its middle; fetch it again")]
    jpegs[1].path.write_bytes(whole)
    assert prepare(jpegs, tmp_path / "out", "made", 64).people == 3


def without_sizes(folder):
    """The same cache as versions wrote it that did not note how large the pictures are."""
    index = json.loads((folder / "index.json").read_text())
    for entry in index["shards"]:
        with np.load(folder / entry["file"]) as stored:
            columns = {key: stored[key] for key in stored.files if key != "picture_size"}
        np.savez(folder / entry["file"], **columns)
        entry["sha256"] = sha256_of(folder / entry["file"])
    (folder / "index.json").write_text(json.dumps(index))


def test_a_cache_is_checked_as_far_as_it_tells(tmp_path, monkeypatch):
    """Of caches that were cut before people were left out for their joints."""
    records = people(tmp_path / "in", 6)
    moved = [replace(one, keypoints=one.keypoints + np.float32(5000), box=one.box + np.float32(5000))
             for one in records]  # fmt: skip
    with monkeypatch.context() as before:
        before.setattr("humanpose.datasets.prepare._well_outside", lambda record, picture: ())
        before.setattr("humanpose.datasets.prepare.require_placed", lambda records: None)
        prepare(records, tmp_path / "sound", "made", 64)
        prepare(moved, tmp_path / "moved", "made", 64)
    PreparedPose(tmp_path / "sound").require_sound()
    for older in (False, True):
        if older:
            without_sizes(tmp_path / "moved")
            without_sizes(tmp_path / "sound")
        with pytest.raises(ValueError, match="6 of 6 people looked at have joints outside"):
            PreparedPose(tmp_path / "moved").require_sound()
    PreparedPose(tmp_path / "sound").require_sound()
    same(PreparedPose(tmp_path / "sound"), records)
    for one in records:
        one.path.unlink()
    PreparedPose(tmp_path / "moved").require_sound()  # nothing is left that would tell


def test_leeds_with_joints_elsewhere_is_not_prepared(data_root, tmp_path):
    records = [one for one in read_lsp(data_root / "lspet")[:60] if one.has_extent]
    for wrong in (
        [replace(one, keypoints=one.keypoints + np.float32([5000, 0]), box=one.box + np.float32([5000, 0, 5000, 0]))
         for one in records],
        [replace(one, keypoints=one.keypoints[:, ::-1].copy(), box=one.box[[1, 0, 3, 2]]) for one in records],
    ):  # fmt: skip
        with pytest.raises(ValueError, match="people looked at have joints outside their picture"):
            prepare(wrong, tmp_path / "out", "lspet", 64)
