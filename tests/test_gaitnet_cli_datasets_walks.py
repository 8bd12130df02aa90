"""`gaitnet datasets` of walks: tables, JSON, contact sheets and arrays, of small trees and of the real data."""

import json

import cv2
import numpy as np
import pytest
from stand_ins import bad, document, film, good
from walk_trees import casia_a, kinect, opengait, pictures, ucalgary, usf

from gaitnet.datasets.arrays import load_keypoints, load_silhouettes
from gaitnet.datasets.prepared import read_prepared


def test_check_says_what_is_there_and_what_is_not(tmp_path):
    root = casia_a(tmp_path / "a")
    (root / "fyc" / "00_1" / "fyc-00_1-002.png").write_bytes(b"cut")
    (root / "fyc" / "45_1" / "holiday.png").write_bytes(b"")
    (root / "hy" / "90_4" / "hy-90_4-002.png").unlink()
    text = good("datasets", "check", "casia-a", "--root", root, "--output", tmp_path / "seen")
    assert max(len(line) for line in text.splitlines() if not line.startswith("wrote ")) <= 80
    for words in ("people      2", "walks       24; all can be read", "silhouettes 24", "44x60 (24)", "0 8, 45 8, 90 8",
                  "damaged         1", "wrong name      1", "frames missing      1", "people: 2 of 20",
                  "wrote casia-a.json, casia-a.png"):  # fmt: skip
        assert words in text, words
    sheet = cv2.imread(str(tmp_path / "seen" / "casia-a.png"), cv2.IMREAD_COLOR_RGB)
    assert sheet.shape == (40 + 12 * 172, 1500, 3)
    assert (sheet[40:190, :150] == 255).all(-1).sum() > 1000  # somebody stands there
    told = json.loads((tmp_path / "seen" / "casia-a.json").read_text())
    assert (told["walks"], told["frames"], told["shortest"], told["longest"]) == (24, 94, 3, 4)
    assert told["views"] == {"0": 8, "45": 8, "90": 8}
    assert told["left_out"][0]["examples"][0]["what"].endswith(("fyc-00_1-002.png", "holiday.png"))


def test_check_as_json_of_every_second_walk(tmp_path):
    told = document("datasets", "check", "casia-a", "--root", casia_a(tmp_path / "casia-a").parent, "--every", 2)
    assert (told["dataset"], told["walks"], told["looked_at"], told["read"]) == ("casia-a", 24, 12, 12)
    assert told["folder"] == str(tmp_path / "casia-a")
    assert told["odd"] == [
        {"kind": "short", "meaning": "walks of fewer than 8 frames", "count": 12, "walks": 12,
         "examples": ["fyc/00_1/090", "fyc/00_3/090", "fyc/45_1/045"]}
    ]  # fmt: skip


def test_prepare_and_go_on(tmp_path):
    root = usf(tmp_path / "usf")
    command = ("datasets", "prepare", "usf", "--root", root, "--to", tmp_path / "to")
    text = good(*command)
    assert "4 walks in" in text
    assert "40 frames" in text
    assert "not in the gallery      1" in text
    assert "report.json names all" in text
    told = document(*command)
    assert (told["walks"], told["walks_written"], told["walks_kept"], told["left_out"]) == (4, 0, 4, 1)
    assert load_silhouettes(read_prepared(tmp_path / "to")[0]).shape == (10, 64, 64)
    assert "holds another data set" in bad(*command, "--size", 128)
    assert "holds another data set (every 1)" in bad(*command, "--every", 2)
    usf(tmp_path / "other")
    assert "holds another data set (source" in bad(*command[:4], tmp_path / "other", *command[5:])
    for name in ("usf", "lsp"):
        assert bad("datasets", "check", name, "--root", tmp_path / "to")
    assert "is a prepared data set" in bad("datasets", "check", "usf", "--root", tmp_path / "to")


def test_joints_are_checked_drawn_and_prepared(tmp_path):
    ucalgary(tmp_path / "u", 1, 1, "N", np.ones((9, 18, 3)) + np.arange(54).reshape(18, 3) / 50)
    told = document("datasets", "check", "ucalgary", "--root", tmp_path / "u", "--output", tmp_path / "seen")
    assert told["sizes"] == [{"size": "18 joints in 3-D", "walks": 1}]
    assert {one["kind"]: one["count"] for one in told["odd"]} == {"frames repeated": 8, "no walk": 1}
    sheet = cv2.imread(str(tmp_path / "seen" / "ucalgary.png"), cv2.IMREAD_COLOR_RGB).astype(int)
    for colour in ((255, 138, 44), (64, 156, 255)):  # right and left limbs
        assert (np.abs(sheet[40:190, :150] - colour).max(-1) < 12).sum() > 4
    good("datasets", "prepare", "ucalgary", "--root", tmp_path / "u", "--to", tmp_path / "to")
    assert load_keypoints(read_prepared(tmp_path / "to")[0]).keypoints.shape == (9, 18, 3)


def test_films_are_checked_and_left_where_they_lie(tmp_path):
    film(tmp_path / "films" / "anna" / "door.mp4")
    pictures(tmp_path / "films" / "ben" / "yard", [f"{number}.jpg" for number in range(1, 10)], colour=True)
    (tmp_path / "films" / "ben" / "torn.mp4").write_bytes(b"no film")
    told = document("datasets", "check", "gait-folder", "--root", tmp_path / "films", "--output", tmp_path / "seen")
    assert (told["people"], told["walks"], told["read"]) == (2, 3, 2)
    assert told["kinds"] == {"video": 1, "frames": 1}
    assert [one["kind"] for one in told["left_out"]] == ["damaged"]
    assert (tmp_path / "seen" / "gait-folder.png").exists()
    assert "read where they lie" in bad(
        "datasets", "prepare", "gait-folder", "--root", tmp_path / "films", "--to", tmp_path / "to"
    )


def test_a_data_set_of_which_nothing_can_be_read(tmp_path):
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", np.zeros(3)).write_bytes(b"cos\nsystem\n(S'x'\ntR.")
    from stand_ins import run

    done = run("datasets", "check", "opengait", "--root", tmp_path / "t", "--output", tmp_path / "seen")
    assert done.exit_code == 2
    assert "cannot be used: not one of 1 walks can be loaded" in done.stderr
    assert "not run" in done.stderr
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["opengait.json"]
    assert "not one of 1 walks" in bad(
        "datasets", "prepare", "opengait", "--root", tmp_path / "t", "--to", tmp_path / "to"
    )


def test_what_is_no_silhouette_is_told(tmp_path):
    frames = np.zeros((9, 64, 64), np.uint8)
    frames[:, 4:60, 20:40] = 255
    frames[5:, 10:50, 22:38] = 120
    frames[0] = 0
    opengait(tmp_path / "t" / "001" / "nm-01" / "018" / "018.pkl", frames)
    opengait(tmp_path / "t" / "001" / "nm-01" / "036" / "036.pkl", 255 - frames // 255 * 255)
    told = document("datasets", "check", "opengait", "--root", tmp_path / "t")
    odd = {one["kind"]: (one["count"], one["walks"]) for one in told["odd"]}
    assert odd["no silhouettes"] == (4, 1)
    assert odd["nobody in frames"] == (1, 1)
    assert odd["inverted"] == (1, 1)


def test_what_is_refused(tmp_path):
    root = casia_a(tmp_path / "a", people=("fyc",))
    assert "only human36m" in bad("datasets", "check", "casia-a", "--root", root, "--action", "Walking")
    for option in (("--shards", 2), ("--pixels", "array")):
        assert "--shards, --pixels" in bad(
            "datasets", "prepare", "casia-a", "--root", root, "--to", tmp_path / "to", *option
        )
    for command, option in (("check", "--output"), ("prepare", "--to")):
        assert "lies within" in bad("datasets", command, "casia-a", "--root", root, option, root / "new")
    for name in ("casia-a", "casia-b", "tum-gaid", "usf", "opengait", "kinect", "ucalgary", "cmu", "kth-walks",
                 "gait-folder"):  # fmt: skip
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert "root: expected" in bad("datasets", "check", name, "--root", tmp_path / "empty")
    pictures(root / "fyc" / "00_01", ["001.png"])
    assert "one walk called fyc/00_1/090, got two" in bad("datasets", "check", "casia-a", "--root", root)


def test_which_pickle_of_several(tmp_path):
    folder = tmp_path / "t" / "001" / "nm-01" / "018"
    opengait(folder / "0_pose.pkl", np.zeros((3, 17, 3), np.float32))
    opengait(folder / "1_sil.pkl", np.full((3, 64, 64), 255, np.uint8))
    check, prepare = (("datasets", one, "opengait", "--root", tmp_path / "t") for one in ("check", "prepare"))
    assert "--which" in bad(*check)
    assert document(*check, "--which", "*sil*")["kinds"] == {"silhouettes": 1}
    assert document(*prepare, "--to", tmp_path / "to", "--which", "*sil*")["walks"] == 1
    assert "(which *sil*)" in bad(*prepare, "--to", tmp_path / "to", "--which", "1*")
    for name in ("usf", "lsp"):
        assert "only opengait" in bad("datasets", "check", name, "--root", tmp_path / "t", "--which", "*sil*")
    assert "only opengait" in bad(
        "datasets", "prepare", "lsp", "--root", tmp_path / "t", "--to", tmp_path / "x", "--which", "1"
    )


def test_names_of_files_cannot_act_upon_the_terminal(tmp_path):
    kinect(tmp_path / "k" / "Person001" / "1.txt")
    (tmp_path / "k" / "Person001" / "\x1b]0;title\x07.txt").write_text("x")
    text = good("datasets", "check", "kinect", "--root", tmp_path / "k")
    assert "\x1b" not in text
    assert "\\u001b]0;title" in "".join(text.split())


@pytest.mark.parametrize(
    ("name", "people", "walks", "frames"), [("kinect", 6, 29, 16_579), ("ucalgary", 19, 113, 13_560)]
)
def test_the_real_data_sets(data_root, tmp_path, name, people, walks, frames):
    told = document("datasets", "check", name, "--root", data_root, "--output", tmp_path)
    assert (told["people"], told["walks"], told["read"], told["frames"]) == (people, walks, walks, frames)
    missing = {
        "kinect": ["people: 6 of 164"], "ucalgary": ["people: 19 of 28", "runs: 113 of 114 of these people"],
    }  # fmt: skip
    assert told["missing"] == missing[name]
    assert (tmp_path / f"{name}.png").exists()


def test_real_runs_in_which_nobody_walks_or_is_lost(data_root):
    told = document("datasets", "check", "ucalgary", "--root", data_root)
    odd = {one["kind"]: one for one in told["odd"]}
    assert odd["no walk"]["examples"] == ["07/1/000", "17/4/000"]
    assert (odd["jumps"]["walks"], odd["joints lost"]["count"]) == (8, 75)


def test_the_real_kth_and_silhouettes(data_root):
    told = document("datasets", "check", "kth-walks", "--root", data_root, "--every", 10)
    assert (told["people"], told["walks"], told["read"], told["views"]) == (15, 180, 18, {"90": 18})
    told = document("datasets", "check", "opengait", "--root", data_root / "silhouettes")
    assert [(one["kind"], one["count"]) for one in told["odd"]] == [("no silhouettes", 5)]
