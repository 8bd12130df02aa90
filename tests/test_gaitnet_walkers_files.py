"""Walkers written in six layouts and read back by other programs' readers, and never half."""

import json
import pickletools
from collections import Counter
from typing import Any

import av
import cv2
import jax
import numpy as np
import pytest

from gaitnet.datasets.casia_a import missing_of_casia_a, read_casia_a
from gaitnet.datasets.casia_b import read_casia_b
from gaitnet.datasets.tum_gaid import read_tum_gaid
from gaitnet.walkers import files, layouts
from gaitnet.walkers.dataset import Sequence
from gaitnet.walkers.files import align_silhouette
from gaitnet.walkers.layouts import make_walkers
from gaitnet.walkers.walk import CONDITIONS
from humanpose.skeleton import JOINTS

pytestmark = pytest.mark.usefixtures("lightly_compiled")

SMALL: dict[str, Any] = {"subjects": 1, "frames": 3, "size": (60, 80), "conditions": ("NM",), "seed": 4}


@pytest.fixture(scope="module")
def videos(tmp_path_factory, lightly_compiled):
    root = tmp_path_factory.mktemp("walkers")
    return root, make_walkers(root, "video", **SMALL)


def test_a_video_and_what_is_known_about_it(videos):
    root, paths = videos
    assert [path.relative_to(root).as_posix() for path in paths] == ["001/NM-0/090.mp4", "001/NM-1/090.mp4"]
    with av.open(str(paths[0])) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (60, 80, 3)
    assert frames[0].std() > 3
    known = json.loads(paths[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert known["identity"] == "walker-7400004-001"
    assert known["synthetic"] is True
    assert (known["condition"], known["view"], known["size"]) == ("NM", 90.0, [80, 60])
    assert known["joint_names"] == list(JOINTS)
    assert np.shape([frame["keypoints"] for frame in known["frames"]]) == (3, 16, 2)
    for frame in known["frames"]:
        x, y = np.array(frame["keypoints"])[6]  # the pelvis
        x0, y0, x1, y1 = frame["box"]
        assert x0 - 1 <= x <= x1
        assert y0 - 1 <= y <= y1


def test_nothing_half_written_stays_and_what_is_there_is_kept(videos):
    root, paths = videos
    assert not [path for path in root.rglob("*") if ".part" in path.name]
    stamp = paths[0].stat().st_mtime_ns
    assert make_walkers(root, "video", **SMALL) == paths
    assert paths[0].stat().st_mtime_ns == stamp


def test_other_walkers_are_not_mixed_in(videos):
    root, _ = videos
    with pytest.raises(ValueError, match="drawn otherwise"):
        make_walkers(root, "video", **{**SMALL, "seed": SMALL["seed"] + 1})
    assert json.loads((root / "walkers.json").read_text())["seed"] == SMALL["seed"]


def test_casia_b_silhouettes(tmp_path):
    paths = make_walkers(tmp_path, "casia-b", **{**SMALL, "conditions": ("CL",)})
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["001/cl-01/090", "001/cl-02/090"]
    names = sorted(path.name for path in paths[0].iterdir())
    assert names == ["001-cl-01-090-001.png", "001-cl-01-090-002.png", "001-cl-01-090-003.png"]
    silhouette = cv2.imread(str(paths[0] / names[0]), cv2.IMREAD_UNCHANGED)
    assert silhouette.shape == (60, 80)
    assert set(np.unique(silhouette)) == {0, 255}


def test_tum_gaid_frames(tmp_path):
    paths = make_walkers(tmp_path, "tum-gaid", **{**SMALL, "conditions": ("SH",)})
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["image/p001/s01", "image/p001/s02"]
    assert cv2.imread(str(paths[1] / "003.jpg")).shape == (60, 80, 3)


def test_opengait_pickles_hold_aligned_silhouettes(tmp_path):
    paths = make_walkers(tmp_path, "opengait", **{**SMALL, "conditions": ("HB",)})
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["001/bg-02/090/090.pkl"]
    # looked at without being run: the modules it names, and the bytes of the array
    operations = list(pickletools.genops(paths[0].read_bytes()))
    named = " ".join(str(argument) for operation, argument, _ in operations if isinstance(argument, str))
    assert "numpy" in named
    payload = max((argument for _, argument, _ in operations if isinstance(argument, bytes | str)), key=len)
    data = payload if isinstance(payload, bytes) else payload.encode("latin1")
    walk = np.frombuffer(data, np.uint8).reshape(-1, 64, 64)
    assert walk.shape[0] == 3
    assert walk[0].any(1).all()  # as tall as the picture


def test_aligning_centres_the_mass_and_fills_the_height():
    silhouette = np.zeros((50, 90), np.uint8)
    silhouette[10:42, 70:82] = 255
    aligned = align_silhouette(silhouette)
    rows, columns = np.nonzero(aligned > 127)
    assert (rows.min(), rows.max()) == (0, 63)
    assert abs(columns.mean() - 31.5) <= 1
    np.testing.assert_allclose(columns.max() - columns.min() + 1, 24, atol=1)
    assert not align_silhouette(np.zeros((5, 7), np.uint8)).any()


def test_an_interrupted_walk_leaves_nothing(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise KeyboardInterrupt
        yield

    for module in (files, layouts):
        monkeypatch.setattr(module, "stream_sequence", broken)
    with pytest.raises(KeyboardInterrupt):
        make_walkers(tmp_path, "casia-b", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        files.write_video(tmp_path / "a.mp4", jax.random.key(0), 0, 1, 0, 90.0, 3)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"walkers.json", "README.txt"}


def test_photographs_stand_behind_the_walkers(tmp_path, videos):
    """A green picture makes the place green; a folder without pictures is refused."""
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="has none that can be read"):
        make_walkers(tmp_path / "walkers", "tum-gaid", **SMALL, backgrounds=tmp_path / "photos")
    cv2.imwrite(str(tmp_path / "photos" / "meadow.png"), np.full((90, 120, 3), (40, 200, 40), np.uint8))
    first, *_ = make_walkers(tmp_path / "walkers", "tum-gaid", **SMALL, backgrounds=tmp_path / "photos")
    picture = cv2.imread(str(first / "001.jpg"))[:20].reshape(-1, 3).mean(axis=0)
    assert picture[1] > 1.8 * picture[0]
    assert picture[1] > 1.8 * picture[2]
    with pytest.raises(ValueError, match="drawn otherwise"):
        make_walkers(tmp_path / "walkers", "tum-gaid", **SMALL)


@pytest.fixture
def drawn_at_once(monkeypatch):
    """Walks of two blank pictures each: where files lie is asked, not what they show."""

    def blank(size, **_):
        yield Sequence(
            np.zeros((2, *size, 3), np.uint8), np.ones((2, *size), np.float32), np.zeros((2, 16, 2)),
            np.ones((2, 16), bool), np.zeros((2, 23, 3)),
        )  # fmt: skip

    monkeypatch.setattr(layouts, "stream_sequence", blank)
    monkeypatch.setattr(files, "stream_sequence", lambda *about, **_: blank(about[8]))


def test_trees_are_read_as_the_data_sets_that_they_stand_in_for(tmp_path, drawn_at_once):
    drawn = {**SMALL, "conditions": CONDITIONS, "subjects": 4}
    make_walkers(tmp_path / "a", "casia-a", **drawn, views=(0, 45.0, 90))
    walks = read_casia_a(tmp_path / "a", "frames", told := [])
    assert (len(walks), missing_of_casia_a(walks), told) == (48, ["people: 4 of 20"], [])
    make_walkers(tmp_path / "b", "casia-b-video", **drawn, views=(36.0, 90.0), first=73)
    walks = read_casia_b(tmp_path / "b", dropped=told)
    assert (len(walks), {walk.kind for walk in walks}, told) == (80, {"video"}, [])
    assert {walk.subject_id for walk in walks if walk.part == "test"} == {"075", "076"}
    make_walkers(tmp_path / "t", "tum-gaid", **{**drawn, "subjects": 8}, second_session=True)
    walks = read_tum_gaid(tmp_path / "t", dropped=told)
    assert (len(walks), told) == (160, [])
    assert Counter(walk.part for walk in walks) == {"train": 40, "validation": 20, "test": 100}
    assert {walk.sequence for walk in walks if walk.session == "2" and walk.condition == "BG"} == {"b03", "b04"}
    make_walkers(tmp_path / "t", "tum-gaid", **{**drawn, "conditions": ("NM",), "subjects": 2}, first=9)
    walks = read_tum_gaid(tmp_path / "t", dropped=told)
    people = {part: {walk.subject_id for walk in walks if walk.part == part} for part in ("train", "test", "")}
    assert {part: len(names) for part, names in people.items()} == {"train": 3, "test": 6, "": 0}
    assert {"p009", "p010"} < people["test"]
    for tree in ("a", "b", "t"):
        assert "synthetic" in (tmp_path / tree / "README.txt").read_text()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "casia"}, "layout"),
        ({"conditions": ("BG",)}, "conditions"),
        ({"frames": 0}, "frames"),
        ({"layout": "casia-a", "views": (54.0,)}, "0, 45, 90 degrees"),
        ({"second_session": True}, "second session"),
        ({"layout": "casia-b", "first": 990, "subjects": 20}, "first"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        make_walkers(tmp_path, **wrong)
