"""`gaitnet evaluate usf`: a small folder in the layout of the Gait Challenge, and the real one."""

import json

import pytest
from flax import nnx
from stand_ins import bad, document, good
from walk_trees import usf_people

from gaitnet.models.gaitbase import GaitBase, GaitBaseConfig
from humanpose.checkpoint import flatten, save

pytestmark = pytest.mark.usefixtures("lightly_compiled")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    config = {"height": 32, "width": 22, "channels": (4, 8), "strides": (2, 2), "parts": 8, "size": 8, "subjects": 0}
    save(folder, flatten(GaitBase(GaitBaseConfig(**config), rngs=nnx.Rngs(0))), config, {}, "GaitBase")
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "usf_gait17"
    usf_people(root, "USF17Gal.mat", people=(1, 2, 3, 4, 5), samples=4)
    usf_people(root, "PrbA.mat", people=(1, 2, 3, 0), samples=3, seed=1)
    usf_people(root, "PrbG.mat", people=(2, 5), samples=3, seed=2)
    return root


def test_every_probe_set_that_is_there_is_measured(tree, weights, tmp_path):
    text = good("evaluate", "usf", "--root", tree.parent, "--weights", weights, "--output", tmp_path)
    for words in ("A (view)", "G (surface", "GaitBase", "GEI, PCA, LDA", "single frame", "upper half", "lower half",
                  "3 of 3", "2 of 2"):  # fmt: skip
        assert words in text, words
    assert "D (surface)" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usf.csv", "usf.html", "usf.json"]
    told = json.loads((tmp_path / "usf.json").read_text())
    assert told["notes"] == ["A: 3 samples of 1 people or more whom the gallery has not, left out"]
    row = told["methods"]["GEI, PCA, LDA"]["rows"][0]
    assert (row["rank_1"]["count"], row["sample_rank_1"]["count"], row["gallery_subjects"]) == (3, 9, 5)
    assert row["sample_rank_5"]["value"] == 1  # of five people
    assert "rank-5, single samples" in (tmp_path / "usf.html").read_text()


def test_several_networks_are_one_by_the_sum_of_their_scores(tree, weights, tmp_path):
    alone, twice = (document("evaluate", "usf", "--root", tree, *["--weights", weights] * times) for times in (1, 2))
    for one, other in zip(alone["methods"]["GaitBase"]["rows"], twice["methods"]["GaitBase"]["rows"], strict=True):
        assert one["sample_rank_1"] == other["sample_rank_1"]


def test_a_folder_that_lacks_one_side_is_refused(weights, tmp_path):
    usf_people(tmp_path / "g", "USF17Gal.mat", people=(1, 2), samples=2)
    assert "expected a probe, PrbA.mat" in bad("evaluate", "usf", "--root", tmp_path / "g", "--weights", weights)
    usf_people(tmp_path / "p", "PrbD.mat", people=(1, 2), samples=2)
    assert "expected the gallery, USF17Gal.mat" in bad(
        "evaluate", "usf", "--root", tmp_path / "p", "--weights", weights
    )
    assert "nowhere" in bad("evaluate", "usf", "--root", tmp_path / "nowhere", "--weights", weights)


def test_the_gait_challenge(data_root):
    told = document("evaluate", "usf", "--root", data_root)
    right = {
        method: [round(row["rank_1"]["value"] * row["rank_1"]["count"]) for row in found["rows"]]
        for method, found in told["methods"].items()
    }
    for found, least in zip(right["GaitBase"], (70, 36, 27), strict=True):
        assert found >= least
    assert all(own >= other for own, other in zip(right["GaitBase"], right["GEI, PCA, LDA"], strict=True))
