"""Preparing walks: what is written and read back, going on after a kill, what is left out, and hostile caches."""

import json
import os

import numpy as np
import pytest
from walk_trees import casia_a, kinect, opengait, pictures, usf

from gaitnet.datasets import prepare as preparing
from gaitnet.datasets.arrays import load_keypoints, load_silhouettes
from gaitnet.datasets.casia_a import read_casia_a
from gaitnet.datasets.casia_b import read_casia_b
from gaitnet.datasets.dropped import COUNTS, DAMAGED, EMPTY, NAME, summary
from gaitnet.datasets.kinect import read_kinect_walks
from gaitnet.datasets.opengait import read_opengait
from gaitnet.datasets.prepare import prepare
from gaitnet.datasets.prepared import is_prepared, read_prepared
from gaitnet.datasets.record import Sequence
from gaitnet.datasets.usf import read_usf
from gaitnet.silhouettes import align_silhouettes


def index(folder):
    return json.loads((folder / "index.json").read_text())


def report(folder):
    return json.loads((folder / "report.json").read_text())


def test_silhouettes_are_aligned_and_read_back(tmp_path):
    walks = read_casia_a(casia_a(tmp_path / "a", people=("fyc",)))
    seen = []
    done = prepare(walks, tmp_path / "to", "casia-a", progress=lambda at, total: seen.append((at, total)))
    assert (done.written, done.kept, done.frames, done.dropped) == (12, 0, 48, [])
    assert seen[-1] == (12, 12)
    prepared = read_prepared(tmp_path / "to")
    assert [walk.name for walk in prepared] == [walk.name for walk in walks]
    for walk, source in zip(prepared, walks, strict=True):
        same = ("subject_id", "condition", "session", "view", "sequence", "part", "kind")
        assert [getattr(walk, name) for name in same] == [getattr(source, name) for name in same]
        frames = load_silhouettes(walk)
        np.testing.assert_array_equal(frames, align_silhouettes(load_silhouettes(source))[0])
    assert prepared[0].path == tmp_path / "to" / "fyc" / "00_1" / "090.npz"
    with np.load(prepared[0].path, allow_pickle=False) as arrays:  # nothing in it is a pickle
        assert arrays["silhouettes"].shape == (4, 64, 64)
    assert report(tmp_path / "to")["left_out"] == 0
    assert is_prepared(tmp_path / "to")
    assert not is_prepared(tmp_path / "a")


def test_another_size(tmp_path):
    prepare(read_usf(usf(tmp_path / "usf", people=(1, 2))), tmp_path / "to", "usf", size=32)
    assert [load_silhouettes(walk).shape for walk in read_prepared(tmp_path / "to")] == [(10, 32, 32)] * 2


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    walks = read_casia_a(casia_a(tmp_path / "a", people=("fyc",)))
    real, calls = preparing.load_silhouettes, []

    def killed(walk, dropped):
        calls.append(walk.name)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return real(walk, dropped)

    monkeypatch.setattr(preparing, "WORKERS", 1)
    monkeypatch.setattr(preparing, "load_silhouettes", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(walks, tmp_path / "to", "casia-a")
    with pytest.raises(ValueError, match="was stopped; give its command again"):
        read_prepared(tmp_path / "to")
    assert not list((tmp_path / "to").rglob("*.part"))
    monkeypatch.setattr(preparing, "load_silhouettes", real)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*.npz")}
    assert len(before) == 5
    done = prepare(walks, tmp_path / "to", "casia-a")
    assert (done.written, done.kept) == (7, 5)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert len(read_prepared(tmp_path / "to")) == 12


def test_what_is_damaged_or_has_changed_is_made_again(tmp_path):
    walks = read_casia_a(casia_a(tmp_path / "a", people=("fyc",)))
    prepare(walks, tmp_path / "to", "casia-a")
    prepared = [walk.path for walk in read_prepared(tmp_path / "to")]
    prepared[0].write_bytes(prepared[0].read_bytes()[:-50])
    prepared[1].write_bytes(prepared[2].read_bytes())  # whole, but another walk
    data = bytearray(prepared[3].read_bytes())
    data[600] ^= 255
    prepared[3].write_bytes(data)
    frame = walks[4].path / "fyc-45_1-002.png"
    frame.unlink()
    os.utime(walks[5].path / "fyc-45_2-001.png", ns=(1, 1))
    done = prepare(walks, tmp_path / "to", "casia-a")
    assert (done.written, done.kept, done.frames) == (5, 7, 47)
    assert len(load_silhouettes(read_prepared(tmp_path / "to")[4])) == 3


def test_what_is_left_out_is_counted_and_named(tmp_path):
    root = casia_a(tmp_path / "a", people=("fyc",))
    for frame in (root / "fyc" / "00_1").iterdir():
        frame.write_bytes(b"x")
    empty = np.zeros((2, 60, 44), np.uint8)
    pictures(root / "fyc" / "00_2", ["other.png"])
    for frame in (root / "fyc" / "00_3").iterdir():
        frame.unlink()
    import cv2

    for number, picture in enumerate(empty, 1):
        cv2.imwrite(str(root / "fyc" / "00_3" / f"fyc-00_3-{number:03d}.png"), picture)
        cv2.imwrite(str(root / "fyc" / "00_4" / f"fyc-00_4-{number:03d}.png"), picture)
    dropped = []
    walks = read_casia_a(root, "silhouettes", dropped)
    for _ in range(2):  # a run that keeps everything tells the same
        done = prepare(walks, tmp_path / "to", "casia-a", dropped=dropped)
        told = report(tmp_path / "to")
        assert {one["kind"]: one["count"] for one in told["kinds"]} == {NAME: 1, DAMAGED: 1, EMPTY: 3}
        assert {"kind": EMPTY, "what": "fyc/00_4/090 frame 2", "why": "nobody in it"} in told["all"]
        assert told["walks"] == 10
        assert len(index(tmp_path / "to")["walks"]) == 10
    assert summary(done.dropped).startswith("5 left out (empty 3, wrong name 1, damaged 1), such as ")
    prepared = {walk.name: walk for walk in read_prepared(tmp_path / "to")}
    assert len(load_silhouettes(prepared["fyc/00_4/090"])) == 2


def test_a_walk_that_can_no_longer_be_read_is_gone(tmp_path):
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", np.full((3, 64, 64), 255, np.uint8))
    bad = opengait(tmp_path / "t" / "001" / "nm-01" / "036" / "036.pkl", np.full((3, 64, 64), 255, np.uint8))
    walks = read_opengait(tmp_path / "t")
    prepare(walks, tmp_path / "to", "opengait")
    bad.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    done = prepare(walks, tmp_path / "to", "opengait")
    assert (done.written, done.kept) == (0, 1)
    assert [one.kind for one in done.dropped] == [DAMAGED]
    assert "not run" in done.dropped[0].why
    assert not (tmp_path / "to" / "001" / "nm-01" / "036.npz").exists()
    assert len(read_prepared(tmp_path / "to")) == 1
    opengait(bad.with_name("other.pkl"), np.zeros((4, 17, 3), np.float32))
    opengait(bad, np.full((3, 64, 64), 255, np.uint8))
    assert [one.kind for one in prepare(walks, tmp_path / "to", "opengait").dropped] == [COUNTS]


def test_what_is_aligned_stays_as_it_is(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 64), np.uint8)
    frames[2] = 0
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", frames)
    done = prepare(read_opengait(tmp_path / "t"), tmp_path / "to", "opengait")
    np.testing.assert_array_equal(load_silhouettes(read_prepared(tmp_path / "to")[0]), frames[[0, 1, 3]])
    assert [one.what for one in done.dropped] == ["001/nm-01/018 frame 3"]


def test_joints_are_read_back(tmp_path):
    kinect(tmp_path / "k" / "Person001" / "1.txt")
    walks = read_kinect_walks(tmp_path / "k")
    prepare(walks, tmp_path / "to", "kinect")
    (walk,) = read_prepared(tmp_path / "to")
    found, source = load_keypoints(walk), load_keypoints(walks[0])
    np.testing.assert_array_equal(found.keypoints, source.keypoints)
    np.testing.assert_array_equal(found.visible, source.visible)
    assert (found.joints, found.rate) == (source.joints, 30.0)


def test_what_cannot_be_prepared(tmp_path):
    walks = read_casia_a(casia_a(tmp_path / "a", people=("fyc",)))
    with pytest.raises(ValueError, match="expected an even number of pixels, got 33"):
        prepare(walks, tmp_path / "to", "casia-a", size=33)
    with pytest.raises(ValueError, match="got no walks"):
        prepare([], tmp_path / "to", "casia-a")
    with pytest.raises(ValueError, match="films and pictures are read where they lie"):
        prepare([Sequence("a", "NM", "", None, "1", tmp_path)], tmp_path / "to", "folder")
    with pytest.raises(ValueError, match="got two"):
        prepare([walks[0], Sequence("fyc", "NM", "", 90.0, "00_1", tmp_path, kind="silhouettes")], tmp_path, "casia-a")
    prepare(walks, tmp_path / "to", "casia-a")
    with pytest.raises(ValueError, match=r"holds another data set \(size 64\)"):
        prepare(walks, tmp_path / "to", "casia-a", size=32)
    with pytest.raises(ValueError, match=r"holds another data set \(name casia-a\)"):
        prepare(walks, tmp_path / "to", "casia-b")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.json").write_text('{"format": "humanpose-prepared-1"}')
    with pytest.raises(ValueError, match="is no index of gaitnet-walks-1"):
        prepare(walks, tmp_path / "other", "casia-a")
    for frame in (tmp_path / "a").rglob("*.png"):
        frame.write_bytes(b"")
    with pytest.raises(ValueError, match="not one of 12 walks can be loaded"):
        prepare(walks, tmp_path / "none", "casia-a")
    assert not is_prepared(tmp_path / "none")
    with pytest.raises(ValueError, match=r"holds no index\.json"):
        read_prepared(tmp_path / "none")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"fyc/00_1/090.npz"', '"../../secret.npz"'),
        lambda text: text.replace('"fyc/00_1/090.npz"', '"/etc/passwd"'),
        lambda text: text.replace('"view": 90.0', '"view": "side"'),
        lambda text: text.replace('"kind": "silhouettes"', '"kind": "programs"', 1),
        lambda text: text.replace('"00_2"', '"00_1"'),
    ],
)
def test_an_index_that_is_damaged_or_hostile(tmp_path, change):
    prepare(read_casia_a(casia_a(tmp_path / "a", people=("fyc",))), tmp_path / "to", "casia-a")
    path = tmp_path / "to" / "index.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(Exception, match=r"index\.json|got two|kind"):
        read_prepared(tmp_path / "to")


def test_a_hostile_file_among_the_prepared(tmp_path):
    prepare(read_usf(usf(tmp_path / "usf", people=(1,))), tmp_path / "to", "usf")
    (walk,) = read_prepared(tmp_path / "to")
    for arrays in (
        {"silhouettes": np.zeros((1, 2), np.uint8)},
        {"silhouettes": np.array([object], object)},
        {"joints": np.zeros(3)},
    ):
        np.savez(walk.path, **arrays)
        with pytest.raises(ValueError, match="path"):
            load_silhouettes(walk)
    joints = Sequence("a", "NM", "", None, "1", walk.path, kind="keypoints")
    with pytest.raises(ValueError, match="expected the joints of a walk"):
        load_keypoints(joints)
    sound = {"keypoints": np.zeros((2, 3, 2), np.float32), "visible": np.zeros((2, 3), bool), "rate": np.array(1.0),
             "probability": np.zeros((2, 3), np.float32), "joints": np.array(["a", "b", "c"])}  # fmt: skip
    np.savez(walk.path, **sound)
    assert load_keypoints(joints).joints == ("a", "b", "c")
    for changed in ({"joints": np.array(["a"])}, {"visible": np.zeros((2, 4), bool)}, {"rate": np.zeros(3)}):
        np.savez(walk.path, **(sound | changed))
        with pytest.raises(ValueError, match="expected the joints of a walk"):
            load_keypoints(joints)


def test_the_parts_of_casia_b_are_kept(tmp_path):
    for person in ("074", "075"):
        pictures(tmp_path / "b" / person / "nm-01" / "018", [f"{person}-nm-01-018-001.png"])
    prepare(read_casia_b(tmp_path / "b"), tmp_path / "to", "casia-b")
    assert [walk.part for walk in read_prepared(tmp_path / "to")] == ["train", "test"]


def test_the_real_half_cycles(data_root, tmp_path):
    walks = read_usf(data_root / "usf_gait17", [])[::100]
    done = prepare(walks, tmp_path, "usf")
    assert (done.written, done.frames, done.dropped) == (26, 260, [])
    for walk in read_prepared(tmp_path):
        frames = load_silhouettes(walk)
        assert frames.shape == (10, 64, 64)
        assert frames[:, 0].any(1).all()  # each fills the height
        assert frames[:, -1].any(1).all()


def test_another_data_set_of_the_same_names_does_not_replace_the_first(tmp_path):
    for root in ("one", "two"):
        opengait(tmp_path / root / "001" / "nm-01" / "018" / "018.pkl", np.full((3, 64, 64), 255, np.uint8))
    one, two = (read_opengait(tmp_path / root) for root in ("one", "two"))
    prepare(one, tmp_path / "to", "opengait", source=tmp_path / "one")
    with pytest.raises(ValueError, match=r"holds another data set \(source .*one\); choose another folder"):
        prepare(two, tmp_path / "to", "opengait", source=tmp_path / "two")
    with pytest.raises(ValueError, match=r"holds another data set \(every 1\)"):
        prepare(one, tmp_path / "to", "opengait", source=tmp_path / "one", every=2)
    again = prepare(one, tmp_path / "to", "opengait", source=tmp_path / "two" / ".." / "one")
    assert (again.written, again.kept) == (0, 1)
    before = {key: value for key, value in index(tmp_path / "to").items() if key not in ("source", "every", "which")}
    (tmp_path / "to" / "index.json").write_text(json.dumps(before))  # as it was written before it told them
    assert prepare(one, tmp_path / "to", "opengait", source=tmp_path / "one").kept == 1


def test_the_size_is_that_of_the_walks_of_the_index(tmp_path):
    walks = read_usf(usf(tmp_path / "usf", people=(1, 2)))
    done = prepare(walks, tmp_path / "to", "usf")
    files = [walk.path for walk in read_prepared(tmp_path / "to")]
    assert done.bytes == sum(path.stat().st_size for path in files) > 0
    assert prepare(walks[:1], tmp_path / "to", "usf").bytes == files[0].stat().st_size
