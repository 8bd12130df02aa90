"""CASIA-A and B, TUM-GAID and folders of films: layouts as published, what is odd in them, and walkers end to end."""

import numpy as np
import pytest
from stand_ins import film
from walk_trees import casia_a, pictures

from gaitnet.datasets.arrays import load_frames, load_silhouettes
from gaitnet.datasets.casia_a import missing_of_casia_a, read_casia_a
from gaitnet.datasets.casia_b import missing_of_casia_b, read_casia_b
from gaitnet.datasets.dropped import BACKGROUND, EMPTY, NAME, DatasetWarning
from gaitnet.datasets.folder import read_folder
from gaitnet.datasets.record import Sequence, require_unique
from gaitnet.datasets.tum_gaid import missing_of_tum_gaid, read_lists, read_tum_gaid
from gaitnet.evaluation.protocols import CASIA_B, TUM_GAID_2
from gaitnet.evaluation.selection import Table
from gaitnet.walkers.layouts import make_walkers

SMALL = {"subjects": 2, "frames": 3, "size": (60, 80), "conditions": ("CL",), "seed": 4}


def kinds(dropped):
    return sorted(one.kind for one in dropped)


@pytest.fixture(scope="module")
def casia_b_walkers(tmp_path_factory, lightly_compiled):
    root = tmp_path_factory.mktemp("casia-b")
    make_walkers(root, "casia-b", views=(0.0, 90.0), **SMALL)
    return root


def test_casia_a(tmp_path):
    root = casia_a(tmp_path / "GaitDatasetA-silh")
    walks = read_casia_a(tmp_path)
    assert len(walks) == 2 * 12
    assert walks[0] == Sequence("fyc", "NM", "", 90.0, "00_1", root / "fyc" / "00_1", kind="silhouettes")
    assert {walk.sequence[:2]: walk.view for walk in walks} == {"00": 90.0, "45": 45.0, "90": 0.0}
    masks = load_silhouettes(walks[5])
    assert masks.shape == (4, 60, 44)
    assert missing_of_casia_a(walks) == ["people: 2 of 20"]
    assert "direction 45: 7 of 8 walks of these people" in missing_of_casia_a([*walks[:4], *walks[5:]])


def test_casia_a_in_colour(tmp_path):
    casia_a(tmp_path / "GaitDatasetA", people=("zyf",), colour=True)
    walks = read_casia_a(tmp_path)
    assert {walk.kind for walk in walks} == {"frames"}
    (picture, *others) = load_frames(walks[0])
    assert (picture.shape, len(others)) == ((60, 44, 3), 3)
    assert int(picture[0, 0, 0]) > int(picture[0, 0, 2])  # RGB: the files' blue is least
    casia_a(tmp_path / "GaitDatasetA-silh", people=("zyf",))
    assert read_casia_a(tmp_path)[0].kind == "silhouettes"
    assert read_casia_a(tmp_path, "frames")[0].path == tmp_path / "GaitDatasetA" / "zyf" / "00_1"


def test_casia_a_oddities(tmp_path):
    casia_a(tmp_path, people=("fyc",))
    for frame in (tmp_path / "fyc" / "90_4").iterdir():
        frame.unlink()
    (tmp_path / "fyc" / "30_1").mkdir()
    pictures(tmp_path / "fyc" / "45_1", ["hy-45_1-009.png", "fyc-45_1-1.png"])
    dropped = []
    assert len(read_casia_a(tmp_path, dropped=dropped)) == 11
    assert kinds(dropped) == [EMPTY, "frame twice", NAME, NAME]
    with pytest.warns(DatasetWarning, match="CASIA-A in .*: 4 left out"):
        read_casia_a(tmp_path)
    pictures(tmp_path / "fyc" / "00_01", ["fyc-00_01-001.png"])
    with pytest.raises(ValueError, match="one walk called fyc/00_1/090, got two"):
        read_casia_a(tmp_path, dropped=[])


def test_casia_b_walkers(casia_b_walkers):
    walks = read_casia_b(casia_b_walkers)
    assert len(walks) == 2 * 2 * 2
    assert [walk.name for walk in walks[:3]] == ["001/cl-01/000", "001/cl-01/090", "001/cl-02/000"]
    assert {(walk.condition, walk.part, walk.kind) for walk in walks} == {("CL", "train", "silhouettes")}
    for walk in walks:
        masks = load_silhouettes(walk)
        assert masks.shape == (3, 60, 80)
        assert masks.any((1, 2)).all()
    missing = missing_of_casia_b(walks)
    assert missing[0] == "people: 2 of 124"
    assert "nm: 0 of 132 walks of these people" in missing
    assert "cl: 8 of 44 walks of these people" in missing


def test_the_protocol_finds_its_walks(tmp_path):
    for person in ("074", "075"):
        for walk in ("nm-01", "nm-05", "bg-02", "cl-01"):
            pictures(tmp_path / person / walk / "018", [f"{person}-{walk}-018-001.png"])
    table = Table(read_casia_b(tmp_path))
    assert CASIA_B.test.mask(table).sum() == CASIA_B.train.mask(table).sum() == 4
    assert [int((row.probe.mask(table) & CASIA_B.test.mask(table)).sum()) for row in CASIA_B.rows] == [1, 1, 1]


def test_casia_b_films(tmp_path):
    for name in ("001-nm-01-090", "124-bg-02-180", "001-bkgrd-090", "001-nm-01-199", "1-nm-01-090", "holiday"):
        film(tmp_path / "video" / f"{name}.avi")
    (tmp_path / "video" / "002-cl-01-000.avi").touch()
    dropped = []
    walks = read_casia_b(tmp_path, dropped=dropped)
    assert [(walk.name, walk.condition, walk.part, walk.kind) for walk in walks] == [
        ("001/nm-01/090", "NM", "train", "video"), ("124/bg-02/180", "BG", "test", "video"),
    ]  # fmt: skip
    assert kinds(dropped) == sorted([BACKGROUND, EMPTY, NAME, NAME, NAME])
    assert len(list(load_frames(walks[0]))) == 10
    film(tmp_path / "video" / "001-nm-1-090.avi")
    with pytest.raises(ValueError, match="got two"):
        read_casia_b(tmp_path, "video", [])


def test_casia_b_oddities(tmp_path):
    pictures(tmp_path / "001" / "nm-01" / "090", ["001-nm-01-090-001.png", "002-nm-01-090-002.png"])
    pictures(tmp_path / "001" / "nm-01" / "108", ["001-nm-01-090-001.png"])  # of another view
    for odd in ("001/nm-01/072", "001/nm-01/200", "001/xx-01/090", "1/nm-01/090"):
        (tmp_path / odd).mkdir(parents=True)
    dropped = []
    (walk,) = read_casia_b(tmp_path, dropped=dropped)
    assert walk.view == 90
    assert kinds(dropped) == [EMPTY, EMPTY, *[NAME] * 5]


def test_tum_gaid_walkers(tmp_path, lightly_compiled):
    make_walkers(tmp_path, "tum-gaid", **{**SMALL, "conditions": ("SH",)})
    (tmp_path / "labels" / "tumgaidtrainids.lst").write_text("1\n")  # others than those that were written
    (tmp_path / "labels" / "tumgaidtestids.lst").write_text("  2\n")
    walks = read_tum_gaid(tmp_path)
    assert [(walk.name, walk.condition, walk.part) for walk in walks] == [
        ("p001/1/s01/090", "SH", "train"), ("p001/1/s02/090", "SH", "train"),
        ("p002/1/s01/090", "SH", "test"), ("p002/1/s02/090", "SH", "test"),
    ]  # fmt: skip
    frames = list(load_frames(walks[0], careful=True))
    assert np.shape(frames) == (3, 60, 80, 3)
    assert frames[0].std() > 3


def test_tum_gaid_sessions_and_lists(tmp_path):
    for walk in ("n01", "n06", "n07", "n12", "b02", "b03", "s04", "x01"):
        pictures(tmp_path / "image" / "p007" / walk, ["001.jpg"], colour=True)
    (tmp_path / "image" / "p007" / "n02").mkdir()
    (tmp_path / "image" / "somebody").mkdir()
    dropped = []
    walks = read_tum_gaid(tmp_path, dropped=dropped)
    assert {walk.sequence: walk.session for walk in walks} == {
        "b02": "1", "b03": "2", "n01": "1", "n06": "1", "n07": "2", "n12": "2", "s04": "2",
    }  # fmt: skip
    assert kinds(dropped) == [EMPTY, NAME, NAME]
    assert {walk.part for walk in walks} == {""}
    assert any("tumgaidtrainids.lst" in sentence for sentence in missing_of_tum_gaid(walks))
    (tmp_path / "test.txt").write_text("p007, 008")
    walks = read_tum_gaid(tmp_path, dropped=[])
    assert {walk.part for walk in walks} == {"test"}
    table = Table(walks)
    probes = [
        walk.sequence for row in TUM_GAID_2.rows for walk, hit in zip(walks, row.probe.mask(table), strict=True) if hit
    ]
    assert probes == ["n12", "b03", "s04"]


def test_lists_of_people(tmp_path):
    (tmp_path / "tumgaidtrainids.lst").write_text("1 2\n3")
    (tmp_path / "tumgaidvalids.lst").write_text("p004\n")
    for name in ("readme", "interval", "latest", "contest_results", "retrained", "evaluation"):
        (tmp_path / f"{name}.txt").write_text("no list")
    assert read_lists(tmp_path) == {1: "train", 2: "train", 3: "train", 4: "validation"}
    (tmp_path / "tumgaidtestids.lst").write_text("3")
    with pytest.raises(ValueError, match="person 3 is in"):
        read_lists(tmp_path)
    (tmp_path / "tumgaidtestids.lst").write_text("<html>")
    with pytest.raises(ValueError, match="expected numbers of people"):
        read_lists(tmp_path)
    (tmp_path / "tumgaidtestids.lst").unlink()
    (tmp_path / "train.txt").write_text("9")
    with pytest.raises(ValueError, match="expected one list for train"):
        read_lists(tmp_path)
    for number, name in enumerate(("train_ids.txt", "my-VALID.txt", "valids2.lst", "test.lst", "tumgaidtestids.lst")):
        folder = tmp_path / f"lists{number}"
        folder.mkdir()
        (folder / name).write_text("9")
        assert read_lists(folder) == {9: ["train", "validation", "validation", "test", "test"][number]}
    pictures(tmp_path / "image" / "p001" / "n01", ["001.jpg"])
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="got none of them"):
        read_tum_gaid(tmp_path, lists=tmp_path / "none")


def test_a_folder_of_films(tmp_path):
    film(tmp_path / "anna" / "door.mp4")
    film(tmp_path / "ben" / "yard.avi")
    pictures(tmp_path / "ben" / "stairs", ["1.png", "2.png"], colour=True)
    (tmp_path / "ben" / "notes.txt").write_text("x")
    (tmp_path / "ben" / "empty.mp4").touch()
    (tmp_path / "ben" / "nothing").mkdir()
    film(tmp_path / "alone.mp4")
    dropped = []
    walks = read_folder(tmp_path, dropped)
    assert [(walk.name, walk.kind, walk.condition, walk.view) for walk in walks] == [
        ("anna/door", "video", "", None), ("ben/stairs", "frames", "", None), ("ben/yard", "video", "", None),
    ]  # fmt: skip
    assert kinds(dropped) == [EMPTY, EMPTY, NAME, NAME]
    assert [len(list(load_frames(walk))) for walk in walks] == [10, 2, 10]
    film(tmp_path / "anna" / "door.avi")
    with pytest.raises(ValueError, match=r"one walk called anna/door, got two, .*door\.avi and .*door\.mp4"):
        read_folder(tmp_path, [])
    (tmp_path / "anna" / "door.avi").rename(tmp_path / "anna" / "Door.avi")
    with pytest.raises(ValueError, match=r"Door\.avi and .*door\.mp4 count as one walk"):
        read_folder(tmp_path, [])


@pytest.mark.parametrize("read", [read_casia_a, read_casia_b, read_tum_gaid, read_folder])
def test_folders_of_something_else_are_refused(tmp_path, read):
    with pytest.raises(ValueError, match=r"root: expected .* which is not a folder"):
        read(tmp_path / "none")
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"root: expected .* got none"):
        read(tmp_path)


def test_records_say_what_they_hold(tmp_path):
    with pytest.raises(Exception, match="film"):  # the tests' type checks are the first to see it
        Sequence("a", "NM", "", None, "1", tmp_path, kind="film")
    require_unique([Sequence("a", "NM", "", None, "1", tmp_path), Sequence("a", "NM", "", 90.0, "1", tmp_path)])
