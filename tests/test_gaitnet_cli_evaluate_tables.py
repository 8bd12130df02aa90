"""The evaluation's parts on made-up walks: passes, controls, classifiers over windows, and the tables they end in."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitnet.cli.evaluate_cmu import takes_of
from gaitnet.cli.evaluate_output import Outcome, Tables, deliver, deliver_tables
from gaitnet.cli.evaluate_walks import nearest, result_of, svm, unknown
from gaitnet.datasets.record import Sequence
from gaitnet.evaluation.controls import BINS, colour_histograms, shuffled, single_frame
from gaitnet.evaluation.passes import by_windows, frames_in_passes, places
from gaitnet.evaluation.protocols import CMU, KTH
from gaitnet.identification.search import Strangers

# --- passes


def test_tracks_are_cut_to_the_passes_that_they_walk():
    tracks = [np.arange(5, 60), np.arange(110, 180), np.arange(95, 100), np.arange(205, 215)]
    first, second, third = frames_in_passes([(0, 99), (100, 199), (200, 299)], tracks)
    assert [track for track, _ in first] == [0, 2]  # longest first
    assert [track for track, _ in second] == [1]
    assert third == []  # ten frames of a hundred are no walk
    assert first[0][1].sum() == 55
    assert first[1][1].sum() == 5


def test_a_track_over_two_passes_gives_each_its_own_frames():
    inside = frames_in_passes([(0, 49), (60, 99)], [np.arange(20, 100)])
    assert [int(mask.sum()) for ((_, mask),) in inside] == [30, 40]


def test_a_frame_that_two_tracks_share_counts_once():
    tracks = [np.arange(0, 20), np.arange(0, 20)]
    assert frames_in_passes([(0, 99)], tracks, least=0.3) == [[]]
    assert len(frames_in_passes([(0, 99)], tracks, least=0.2)[0]) == 2


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=5))
def test_no_frame_outside_a_pass_is_kept(spans):
    tracks = [np.arange(first, first + count) for first, count in spans]
    passes = [(0, 99), (120, 220)]
    for (first, last), inside in zip(passes, frames_in_passes(passes, tracks), strict=True):
        for track, mask in inside:
            kept = tracks[track][mask]
            assert len(kept)
            assert kept.min() >= first
            assert kept.max() <= last


# --- controls


def test_shuffled_frames_are_the_same_frames_in_another_order():
    maps = np.arange(20.0).reshape(20, 1)
    mixed = shuffled(maps, 3)
    assert sorted(mixed[:, 0]) == sorted(maps[:, 0])
    assert not np.array_equal(mixed, maps)
    assert np.array_equal(mixed, shuffled(maps, 3))
    assert not np.array_equal(mixed, shuffled(maps, 4))


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_single_frame_repeats_one_frame_of_the_middle(count: int):
    maps = np.arange(float(count)).reshape(count, 1)
    still = single_frame(maps, 5)
    assert still.shape == maps.shape
    assert len(np.unique(still)) == 1
    assert count // 4 <= still[0, 0] < max(count - count // 4, 1)
    with pytest.raises(ValueError, match="at least one frame"):
        single_frame(maps[:0], 5)


def test_colour_histograms_tell_upper_from_lower_and_person_from_place():
    image = np.full((40, 40, 3), 255, np.uint8)
    image[10:20, 12:20] = (250, 0, 0)
    image[20:30, 12:20] = (0, 0, 250)
    own, place = colour_histograms(image, np.array([8.0, 10.0, 24.0, 30.0]))
    upper, lower = own.reshape(2, 3, BINS)
    assert upper[0, -1] == 1
    assert upper[2, 0] == 1
    assert lower[2, -1] == 1
    assert lower[0, 0] == 1
    assert np.allclose(place.reshape(2, 3, BINS)[..., -1], 1)  # white, with nothing of the person in it
    assert not colour_histograms(image, np.array([50.0, 50.0, 60.0, 70.0]))[0].any()


# --- classifiers over windows


def test_a_probe_scores_the_mean_of_its_windows():
    windows = [np.eye(4)[:1], np.eye(4)[1:2], np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]]), None]
    fit = by_windows(windows, lambda vectors, labels: lambda probes: probes @ vectors.T)
    assert np.isnan(places(windows)[3, 0])
    score = fit(places(windows)[:2], np.array(["a", "b"]))
    assert np.allclose(score(places(windows)[2:3]), [[0.5, 0.5]])


@pytest.mark.parametrize("fit", [svm, nearest])
def test_both_classifiers_find_separate_people(fit):
    vectors, labels = np.repeat(np.eye(3), 2, axis=0), np.repeat(["a", "b", "c"], 2)
    noise = 0.05 * np.random.default_rng(0).normal(size=vectors.shape)
    assert np.array_equal(fit(vectors + noise, labels)(np.eye(3)).argmax(axis=1), [0, 1, 2])


# --- tables


def kth_passes(people: int, size: int = 64):
    """Passes of d1, d3 and d4 of people far from each other, some of whom resemble nobody twice; their windows."""
    rng = np.random.default_rng(0)
    passes = [
        Sequence(f"{person:02d}", "NM", place, 90.0, str(number), Path("x.mp4"), "", 0, 9)
        for person in range(people)
        for place in ("d1", "d3", "d4")
        for number in (1, 2, 3, 4)
    ]
    centres = rng.standard_normal((people, size))
    windows = [centres[int(one.subject_id)] + 0.1 * rng.standard_normal((2, size)) for one in passes]
    return passes, [window.astype(np.float32) for window in windows]


def test_unknown_counts_strangers_and_passes_that_nobody_described():
    passes, windows = kth_passes(6)
    others = Strangers(
        np.random.default_rng(1).standard_normal((240, 64)).astype(np.float32), tuple(map(str, range(240)))
    )
    rows = unknown(KTH, passes, windows, others)
    assert [name for name, _, _ in rows] == ["d1 within", "d1 to d4", "d1 to d3"]
    for _, named, missed in rows:
        assert (named.value, missed.value) == (0, 0)
    # each of six people is a stranger once, with two passes or four, and enrolled in the other five trials
    assert [(named.count, missed.count) for _, named, missed in rows] == [(12, 60), (24, 120), (24, 120)]
    lost = [None if (one.session, one.subject_id) == ("d4", "03") else window
            for one, window in zip(passes, windows, strict=True)]  # fmt: skip
    _, (_, named, missed), _ = unknown(KTH, passes, lost, others)
    assert (named.count, missed.count, missed.value) == (20, 120, 20 / 120)
    assert unknown(KTH, passes, windows, None) == []
    # whoever has no walk to enrol belongs to no row, and a row of which nobody described a probe is left out
    absent = [None if one.session == "d4" else window for one, window in zip(passes, windows, strict=True)]
    assert [name for name, _, _ in unknown(KTH, passes, absent, others)] == ["d1 within", "d1 to d3"]
    kept = [place for place, one in enumerate(passes) if (one.session, one.subject_id) != ("d1", "05")]
    (_, named, missed), *_ = unknown(KTH, [passes[place] for place in kept], [windows[place] for place in kept], others)
    assert (named.count, missed.count, missed.value) == (10, 40, 0)
    alone = [place for place, one in enumerate(passes) if one.subject_id == "00"]
    assert unknown(KTH, [passes[place] for place in alone], [windows[place] for place in alone], others) == []


def test_unknown_counts_twins_as_named():
    """Where strangers are the very image of somebody enrolled, every one of them is given a name."""
    passes, windows = kth_passes(4)
    twin = {f"{person:02d}": person // 2 for person in range(4)}
    rng = np.random.default_rng(2)
    centres = rng.standard_normal((2, 64))
    windows = [
        (centres[twin[one.subject_id]] + 0.05 * rng.standard_normal((1, 64))).astype(np.float32) for one in passes
    ]
    others = Strangers(
        np.random.default_rng(1).standard_normal((240, 64)).astype(np.float32), tuple(map(str, range(240)))
    )
    for _, named, _ in unknown(KTH, passes, windows, others):
        assert named.value > 0.9


def outcome() -> Outcome:
    """KTH with three persons whose vectors name them, but for one pass that was not described."""
    passes = [
        Sequence(who, "NM", place, 90.0, str(number), Path("x.mp4"), "", 0, 9)
        for who in ("04", "15", "18") for place in ("d1", "d3", "d4") for number in (1, 2, 3, 4)
    ]  # fmt: skip
    windows = [np.eye(3)[[["04", "15", "18"].index(one.subject_id)] * 2] for one in passes]
    windows[-1] = None
    guess = [np.ones((1, 3)) if window is not None else None for window in windows]
    results = {"gait": result_of(KTH, passes, windows, nearest), "control": result_of(KTH, passes, guess, nearest)}
    return Outcome("kth", "KTH", "Lead.", results, None, ["mind this"], "footer")


def test_table_counts_a_pass_that_is_not_described_as_a_miss(tmp_path: Path, capsys):
    made = outcome()
    assert made.results["gait"].row("d1 within").rank_1.value == 1
    assert made.results["gait"].row("d1 to d4").rank_1.value == pytest.approx(11 / 12)
    assert made.results["control"].row("d1 within").rank_1.value == 0  # a tie counts against
    deliver(made, tmp_path, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["methods"]["gait"]["rows"][0]["groups"]
    assert document["notes"] == ["mind this"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kth.csv", "kth.html", "kth.json"]
    lines = (tmp_path / "kth.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * (6 + 12 + 12)
    assert lines[0].startswith("method,row,subject_id")
    assert "mind this" in (tmp_path / "kth.html").read_text()
    deliver(made, None, as_json=False)
    said = capsys.readouterr()
    assert "chance" in said.out
    assert "33.3 %" in said.out
    assert "mind this" in said.err


def test_plain_tables_carry_rates_and_gaps(tmp_path: Path, capsys):
    rate = outcome().results["gait"].rows[0].rank_1
    found = Tables("pose", "Joints", "Lead.", [("a", ["what", "rate"], [["x", rate], ["y", None]])])
    deliver_tables(found, tmp_path, as_json=True)
    table = json.loads(capsys.readouterr().out)["tables"]["a"]
    assert table[0]["rate"]["value"] == 1
    assert table[1]["rate"] is None
    assert "100.0 %" in (tmp_path / "pose.csv").read_text()


def test_the_clips_that_are_searched_for_are_filmed_again_under_harder_conditions():
    clips = [Sequence(who, "NM", "", None, trial, Path("x.bvh")) for who, trial in
             (("02", "01"), ("02", "02"), ("06", "01"))]  # fmt: skip
    takes = takes_of(clips)
    assert [(take.subject_id, take.sequence, take.view, take.condition) for take in takes] == [
        ("02", "01", 90.0, "NM"), ("02", "02", 90.0, "NM"), ("06", "01", 90.0, "NM"),
        ("02", "02", 36.0, "NM"), ("02", "02", 90.0, "CL"), ("02", "02", 90.0, "BG"),
    ]  # fmt: skip


def test_cmu_rows_need_a_second_clip():
    """The protocol's roles, on made-up vectors: first clip enrols, singles distract."""
    clips = [Sequence(who, "NM", "", None, trial, Path("x.bvh")) for who, trial in
             (("02", "01"), ("02", "02"), ("06", "01"), ("07", "01"), ("07", "10"))]  # fmt: skip
    windows = [np.eye(3)[[["02", "06", "07"].index(one.subject_id)]] for one in clips]
    row = result_of(CMU, clips, windows, nearest).rows[0]
    assert row.rank_1.value == 1
    assert row.gallery_subjects == 3
    assert row.rank_1.count == 2
