"""`gaitnet evaluate kinect | ucalgary`: trees in their layouts, and the real walks."""

import json

import numpy as np
import pytest
from stand_ins import bad, document, good
from walk_trees import ucalgary


def person(number, run, time=60):
    """A run (time, 18, 3) of somebody whose build and swing are their own."""
    own, noise = np.random.default_rng(number), np.random.default_rng(100 * number + run)
    build, phase = own.uniform(0.5, 2, (18, 3)), own.uniform(0, 6, (18, 3))
    swing = own.uniform(0.02, 0.1, (18, 3)) * np.sin(np.arange(time)[:, None, None] / 4 + phase)
    return (build + swing + noise.normal(0, 0.002, (time, 18, 3))).round(5)


@pytest.fixture
def runs(tmp_path):
    for number in (1, 2, 3):
        for run, kind in ((1, "N"), (2, "N"), (3, "AR"), (5, "AL")):
            ucalgary(tmp_path / "u", number, run, kind, person(number, run))
    return tmp_path / "u"


def test_runs_of_three_people(runs, tmp_path):
    ucalgary(runs, 4, 1, "N", person(1, 1))  # the first person's file again
    text = good("evaluate", "ucalgary", "--root", runs, "--output", tmp_path / "seen")
    assert max(len(line) for line in text.splitlines() if not line.startswith(("wrote ", "1 left out"))) <= 80
    for words in ("build and swing", "swing alone", "single frame", "right leg impaired", "100.0 %",
                  "12 of 12 of 3 persons"):  # fmt: skip
        assert words in text, words
    assert "same as another 1" in json.loads((tmp_path / "seen" / "ucalgary.json").read_text())["notes"][0]
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == [
        "ucalgary.csv", "ucalgary.html", "ucalgary.json",
    ]  # fmt: skip


def test_a_run_that_cannot_be_read_counts_as_missed(runs):
    ucalgary(runs, 1, 2, "N", np.full((5, 18, 3), 99.0))  # metres from the sensor
    text = good("evaluate", "ucalgary", "--root", runs)
    assert "66.7 %" in text
    assert "11 of 12 of 3 persons" in text


def test_a_folder_without_walks_is_refused(tmp_path):
    assert "expected sub1/Run1" in bad("evaluate", "ucalgary", "--root", tmp_path)
    assert "nowhere" in bad("evaluate", "kinect", "--root", tmp_path / "nowhere")


def test_the_real_walks(data_root):
    told = document("evaluate", "kinect", "--root", data_root)
    assert first_rate(told) >= 27.5 / 29
    told = document("evaluate", "ucalgary", "--root", data_root)
    assert first_rate(told) >= 16.5 / 19


def first_rate(told):
    """Rank-1 of the first row of the first method."""
    return told["methods"]["build and swing"]["rows"][0]["rank_1"]["value"]
