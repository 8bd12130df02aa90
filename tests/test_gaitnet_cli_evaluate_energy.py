"""`gaitnet evaluate casia-b` of silhouettes: gait energy images, of pictures, of pickles and of walkers."""

import json

import cv2
import numpy as np
import pytest
from stand_ins import document, good
from walk_trees import opengait

from gaitnet.walkers.layouts import make_walkers


def first_rate(told):
    """Rank-1 of the first row of the first method."""
    return next(iter(told["methods"].values()))["rows"][0]["rank_1"]["value"]


def outlines(
    root, people=(1, 2, 3, 4, 5, 6, 7, 8, 75, 76, 77), walks=("nm-01", "nm-05", "cl-01"), views=("054", "090")
):
    for person in people:
        for number, walk in enumerate(walks):
            for view in views:
                frames = np.zeros((6, 64, 64), np.uint8)
                frames[:, :, 24:36] = 255
                frames[:, 2 * (person % 50) % 40 : 30, 14:40] = 255  # arms, at a height of their own
                frames[number, :5] = 0
                yield root / f"{person:03d}" / walk / view, frames


def casia_b_silhouettes(root, **changed):
    for folder, frames in outlines(root, **changed):
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames, 1):
            stem = "-".join(folder.parts[-3:])
            assert cv2.imwrite(str(folder / f"{stem}-{number:03d}.png"), frame)
    return root


def test_silhouettes_are_compared_as_energy_images_and_it_is_said(tmp_path):
    root = casia_b_silhouettes(tmp_path / "b")
    for path in (root / "076" / "nm-05" / "054").iterdir():
        path.write_bytes(b"cut")
    text = good("evaluate", "casia-b", "--root", root, "--output", tmp_path / "seen")
    assert "PCA and LDA" in text
    told = json.loads((tmp_path / "seen" / "casia-b-silhouettes.json").read_text())
    assert told["notes"][0] == "There are only silhouettes: gait energy images are compared, no network is used."
    assert "PCA and LDA learned from 8 other people." in told["notes"]
    assert "cannot be read 1" in told["notes"][-1]
    assert first_rate(told) == pytest.approx((1 + 2 / 3) / 2)
    nearest = told["methods"]["as they are, nearest"]
    assert [row["rank_1"]["value"] for row in nearest["rows"]] == [pytest.approx(5 / 6), 1]
    again = document("evaluate", "casia-b", "--root", root, "--output", tmp_path / "seen")
    assert again["methods"] == told["methods"]


def test_an_opengait_tree_of_casia_b(tmp_path):
    for folder, frames in outlines(tmp_path / "o", people=(75, 76), walks=("nm-01", "nm-05")):
        opengait(folder / f"{folder.name}.pkl", frames)
    told = document("evaluate", "casia-b", "--root", tmp_path / "o")
    assert "PCA and LDA are left out" in " ".join(told["notes"])
    for folder, frames in outlines(tmp_path / "o", people=(75, 76), walks=("nm-02",)):
        opengait(folder / f"{folder.name}.pkl", frames)
    (tmp_path / "o" / "075" / "nm-05" / "054" / "054.pkl").write_bytes(b"cos\nsystem\n(S'x'\ntR.")
    told = document("evaluate", "casia-b", "--root", tmp_path / "o")
    assert "PCA and LDA learned from each gallery's own walks, there is nobody else." in told["notes"]
    assert told["methods"]["PCA and LDA"]["rows"][0]["described"] == 3
    assert first_rate(told) == 0.75


@pytest.mark.usefixtures("lightly_compiled")
@pytest.mark.parametrize("layout", ["casia-b", pytest.param("opengait", marks=pytest.mark.slow)])
def test_walkers_silhouettes_from_the_first_to_the_last_step(tmp_path, layout):
    drawn = {"subjects": 2, "frames": 3, "size": (60, 80), "conditions": ("NM",), "views": (54.0, 90.0), "first": 75}
    make_walkers(tmp_path, layout, **drawn)
    told = document("evaluate", "casia-b", "--root", tmp_path)
    assert (told["described"]["value"], told["described"]["count"]) == (1, 24)
    assert "synthetic" in " ".join(told["notes"])
    assert [row["searches"] for row in told["methods"]["PCA and LDA"]["rows"]] == [8]
