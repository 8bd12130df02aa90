"""Protocols on small tables: who enrols, who is searched for, what counts as a miss, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gaitnet.evaluation.protocols import (
    CASIA_A,
    CASIA_A_LEAVE_ONE_OUT,
    CASIA_B,
    CASIA_B_CROSS_VIEW,
    CASIA_B_POOLED,
    CMU,
    CMU_RENDERED,
    KINECT,
    KTH,
    TUM_GAID_1,
    TUM_GAID_2,
    UCALGARY,
    USF,
    Protocol,
    Row,
    Sample,
    Select,
    evaluate,
    evaluate_open_set,
)
from gaitnet.evaluation.selection import Table


def nearest_neighbour(vectors, labels):
    subjects = np.unique(labels)

    def score(probes):
        distance = np.linalg.norm(probes[:, None] - vectors[None], axis=2)
        return np.column_stack([-distance[:, labels == subject].min(axis=1) for subject in subjects])

    return score


def vectors_of(samples, noise=0.01, seed=0):
    """A vector of its own for every person, with a little noise."""
    rng = np.random.default_rng(seed)
    means = {subject: rng.normal(size=6) for subject in sorted({sample.subject_id for sample in samples})}
    return np.stack([means[sample.subject_id] + noise * rng.normal(size=6) for sample in samples])


def kth_table(persons=("04", "15", "17")):
    return [
        Sample(person, "CL" if scenario == "d3" else "NM", scenario, 90.0, str(number))
        for person in persons
        for scenario in ("d1", "d3", "d4")
        for number in (1, 2, 3, 4)
    ]


def tum_table(persons, part="test"):
    first = [("NM", f"n0{number}") for number in range(1, 7)]
    first += [
        (condition, f"{letter}0{number}") for condition, letter in (("BG", "b"), ("SH", "s")) for number in (1, 2)
    ]
    return [Sample(person, condition, "1", 90.0, walk, part) for person in persons for condition, walk in first]


def casia_table(persons, views=(0.0, 90.0, 180.0), part="test"):
    walks = [
        f"{kind}-{number:02d}" for kind, most in (("nm", 6), ("bg", 2), ("cl", 2)) for number in range(1, most + 1)
    ]
    return [Sample(p, walk[:2].upper(), "", view, walk, part) for p in persons for walk in walks for view in views]


def test_kth_passes():
    samples = kth_table()
    result = evaluate(KTH, samples, vectors_of(samples), nearest_neighbour, resamples=50)
    assert [(row.name, row.rank_1.count, row.gallery_subjects) for row in result.rows] == [
        ("d1 within", 6, 3),
        ("d1 to d4", 12, 3),
        ("d1 to d3", 12, 3),
    ]
    assert all(row.rank_1.value == 1.0 for row in result.rows)
    group = result.row("d1 to d3").groups["persons kept out of all training"]
    assert (group.count, group.subjects) == (8, 2)
    within = [search for search in result.searches if search.row == "d1 within"]
    assert {search.sequence for search in within} == {"3", "4"}


def test_a_walk_without_a_vector_is_a_miss():
    samples = kth_table()
    vectors = vectors_of(samples)
    lost = [index for index, sample in enumerate(samples) if sample.session == "d4" and sample.subject_id == "15"]
    vectors[lost, 2] = np.nan
    row = evaluate(KTH, samples, vectors, nearest_neighbour, resamples=50).row("d1 to d4")
    assert (row.rank_1.value, row.described, row.rank_1.count) == (pytest.approx(8 / 12), 8, 12)
    assert row.groups["persons kept out of all training"].value == 0.5


def test_a_person_who_could_not_be_enrolled_is_never_found():
    samples = kth_table()
    vectors = vectors_of(samples)
    vectors[[sample.session == "d1" and sample.subject_id == "15" for sample in samples]] = np.nan
    result = evaluate(KTH, samples, vectors, nearest_neighbour, resamples=50)
    row = result.row("d1 to d4")
    assert (row.enrolled_subjects, row.gallery_subjects) == (2, 3)
    assert row.rank_1.value == row.rank_5.value == pytest.approx(8 / 12)
    found = [search for search in result.searches if search.subject_id == "15" and search.row == "d1 to d4"]
    assert all(search.described and not search.correct and search.rank == np.inf for search in found)


def test_walks_of_nobody_enrolled_are_open_set_trials_and_said():
    samples = [sample for sample in kth_table() if (sample.subject_id, sample.session) != ("17", "d1")]
    samples += [Sample("99", "NM", "d1", 90.0, "1")]
    result = evaluate(KTH, samples, vectors_of(samples), nearest_neighbour, resamples=50)
    assert result.row("d1 to d4").rank_1.count == 8
    assert any("17" in note and "d1 to d4" in note and "open-set" in note for note in result.notes)
    row = result.row("d1 to d4")
    assert row.nonmated == 4
    assert [(each.wanted, each.fnir.value, each.fnir.count, each.fpir.count) for each in row.open_set] == [
        (0.01, 0.0, 8, 4), (0.1, 0.0, 8, 4),
    ]  # fmt: skip
    strangers = [search for search in result.searches if search.row == "d1 to d4" and not search.mated]
    assert [(search.subject_id, search.correct) for search in strangers] == [("17", False)] * 4
    assert all(np.isnan([search.rank, search.mate_score]).all() and search.predicted for search in strangers)
    assert result.summary()["rows"][1]["nonmated"] == 4
    assert result.row("d1 to d4").gallery_subjects == 3  # 99 has no probe, and distracts


def test_cmu_first_clip_enrols():
    clips = {"02": ("01", "02"), "07": ("01", "02", "10"), "10": ("04",), "16": ("15", "9")}
    samples = [Sample(person, sequence=clip) for person, names in clips.items() for clip in names]
    vectors = vectors_of(samples)
    result = evaluate(CMU, samples, vectors, nearest_neighbour, resamples=50)
    assert [(search.subject_id, search.sequence) for search in result.searches] == [
        ("02", "02"), ("07", "02"), ("07", "10"), ("16", "15"),
    ]  # fmt: skip
    assert result.rows[0].subject_ids.tolist() == ["02", "07", "10", "16"]
    # The distractor is a real alternative: who looks like it is taken for it.
    vectors[1] = vectors[5]
    assert evaluate(CMU, samples, vectors, nearest_neighbour, resamples=50).searches[0].predicted == "10"


def test_cmu_clips_searched_for_under_harder_conditions():
    takes = ((90.0, "NM"), (36.0, "NM"), (90.0, "CL"), (90.0, "BG"))
    samples = [Sample("02", view=90.0, sequence="01"), Sample("06", view=90.0, sequence="01")]
    samples += [Sample("02", condition, view=view, sequence="02") for view, condition in takes]
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.1, 1], [1, 0.2], [0.2, 1]])
    result = evaluate(CMU_RENDERED, samples, vectors, nearest_neighbour, resamples=50)
    assert [(row.name, row.rank_1.value) for row in result.rows] == [
        ("other clips", 1.0), ("54 degrees off", 0.0), ("coat", 1.0), ("bag", 0.0),
    ]  # fmt: skip
    assert "view 36" in str(CMU_RENDERED)


def test_a_clip_filmed_twice_is_one_clip():
    samples = [Sample("02", view=view, sequence=clip) for clip in ("01", "02") for view in (0.0, 90.0)]
    assert Table(samples).clip_order.tolist() == [0, 0, 1, 1]


def test_tum_gaid_rows_and_average():
    samples = tum_table(["p001", "p002", "p003"]) + tum_table(["p004"], part="train")
    vectors = vectors_of(samples)
    swapped = [
        index for index, sample in enumerate(samples) if sample.subject_id == "p001" and sample.condition == "SH"
    ]
    vectors[swapped] = vectors[[index + 10 for index in swapped]]
    result = evaluate(TUM_GAID_1, samples, vectors, nearest_neighbour, resamples=200)
    assert [row.rank_1.value for row in result.rows] == pytest.approx([1.0, 1.0, 2 / 3])
    assert result.average is not None
    assert result.average.value == pytest.approx(8 / 9)
    assert result.average.low < 8 / 9 < result.average.high
    assert {search.subject_id for search in result.searches} == {"p001", "p002", "p003"}
    assert {search.sequence for search in result.searches if search.row == "N"} == {"n05", "n06"}


def test_tum_gaid_elapsed_time():
    late = [("NM", "n11"), ("NM", "n12"), ("BG", "b03"), ("BG", "b04"), ("SH", "s03"), ("SH", "s04"), ("NM", "n07")]
    samples = tum_table(["p001", "p002", "p003"])
    samples += [Sample(person, kind, "2", 90.0, walk, "test") for person in ("p001", "p002") for kind, walk in late]
    result = evaluate(TUM_GAID_2, samples, vectors_of(samples), nearest_neighbour, resamples=50)
    assert [row.rank_1.count for row in result.rows] == [4, 4, 4]
    assert result.rows[0].gallery_subjects == 2  # p003 never came back and is not in the gallery


def literal_grid(samples, vectors, walks, views):
    """CASIA-B as it is described: pair of views by pair of views, walk by walk."""
    per_probe_view = []
    for probe_view in views:
        cells = []
        for gallery_view in views:
            if gallery_view == probe_view:
                continue
            hits = []
            for own, vector in zip(samples, vectors, strict=True):
                if own.sequence not in walks or own.view != probe_view:
                    continue
                gallery = [
                    (np.linalg.norm(vector - other), sample.subject_id)
                    for sample, other in zip(samples, vectors, strict=True)
                    if sample.view == gallery_view and sample.sequence in ("nm-01", "nm-02", "nm-03", "nm-04")
                ]
                hits.append(min(gallery)[1] == own.subject_id)
            cells.append(np.mean(hits))
        per_probe_view.append(np.mean(cells))
    return np.mean(per_probe_view)


def test_casia_b_grid_matches_the_literal_twin():
    samples, views = casia_table(["075", "076", "077", "078"]), (0.0, 90.0, 180.0)
    vectors = vectors_of(samples, noise=1.2)
    result = evaluate(CASIA_B, samples, vectors, nearest_neighbour, resamples=100)
    for name, walks in (("NM", ("nm-05", "nm-06")), ("CL", ("cl-01", "cl-02"))):
        row = result.row(name)
        assert row.rank_1.value == pytest.approx(literal_grid(samples, vectors, walks, views))
        assert 0.2 < row.rank_1.value < 1.0
        assert row.view_grid is not None
        assert np.isnan(np.diag(row.view_grid)).all()
        assert row.rank_1.value == pytest.approx(np.nanmean(row.view_grid))
        assert row.gallery_views == row.probe_views == views
    pooled = evaluate(CASIA_B_POOLED, samples, vectors, nearest_neighbour, resamples=100)
    assert pooled.row("NM").rank_1.count == 4 * 2 * 3
    assert pooled.row("NM").view_grid is None


def test_views_are_averaged_not_walks():
    """A view filmed more often must not weigh more."""
    samples = casia_table(["1", "2"], (0.0, 90.0))
    extra = [sample for sample in samples if sample.view == 90.0 and sample.sequence == "nm-05"] * 6
    vectors = np.concatenate([vectors_of(samples), 1e6 * vectors_of(extra)[::-1]])
    protocol = replace(CASIA_B, rows=CASIA_B.rows[:1])
    result = evaluate(protocol, [*samples, *extra], vectors, nearest_neighbour, resamples=20)
    by_view = [
        np.mean([search.correct for search in result.searches if search.view == view]) for view in (0.0, 90.0)
    ]  # fmt: skip
    assert result.rows[0].rank_1.value == pytest.approx(np.mean(by_view))
    assert by_view[0] == 1.0 > by_view[1]


def test_shared_persons_are_refused():
    samples = tum_table(["p001", "p002"])
    with pytest.raises(ValueError, match=r"p002.*says nothing"):
        evaluate(TUM_GAID_1, samples, vectors_of(samples), nearest_neighbour, trained_on=["p002", "p100"])
    both = samples + tum_table(["p001"], part="train")
    with pytest.raises(ValueError, match="p001"):
        evaluate(TUM_GAID_1, both, vectors_of(both), nearest_neighbour)


def test_order_of_the_table_changes_nothing():
    samples = kth_table(("04", "11", "15", "17"))
    vectors = vectors_of(samples, noise=1.0)
    order = np.random.default_rng(0).permutation(len(samples))
    first = evaluate(KTH, samples, vectors, nearest_neighbour, resamples=100)
    other = evaluate(KTH, [samples[index] for index in order], vectors[order], nearest_neighbour, resamples=100)
    for row, again in zip(first.rows, other.rows, strict=True):
        assert (row.rank_1, row.rank_5) == (again.rank_1, again.rank_5)
        assert row.eer.value == pytest.approx(again.eer.value)


def test_open_set_by_protocol():
    samples = kth_table(("04", "11", "15", "17"))
    rates = evaluate_open_set(KTH, samples, vectors_of(samples), nearest_neighbour, ["15"], fpir=0.1)
    found = {name: (rate.fnir.value, rate.fpir.value) for name, rate in rates.items()}
    assert found == {row.name: (0.0, 0.0) for row in KTH.rows}
    assert rates["d1 to d4"].fnir.high > 0  # three persons are few
    with pytest.raises(ValueError, match="leave some persons out"):
        evaluate_open_set(KTH, samples, vectors_of(samples), nearest_neighbour, [])


def test_protocols_print_themselves():
    for protocol in (
        CASIA_A, CASIA_A_LEAVE_ONE_OUT, CASIA_B, CASIA_B_CROSS_VIEW, CASIA_B_POOLED, CMU, CMU_RENDERED, KINECT, KTH,
        TUM_GAID_1, TUM_GAID_2, UCALGARY, USF,
    ):  # fmt: skip
        text = str(protocol)
        assert text.startswith(protocol.name)
        assert all(row.name in text for row in protocol.rows)
    assert "15 17 18 19 24" in str(KTH)
    assert "the enrolled walks only" in str(USF)
    assert "left out of its own gallery" in str(KINECT)
    samples = kth_table()
    result = evaluate(KTH, samples, vectors_of(samples), nearest_neighbour, resamples=20)
    assert "d1 to d4" in str(result)
    assert "33.3 %" in str(result)  # chance


def test_result_as_plain_tables():
    samples = kth_table()
    result = evaluate(KTH, samples, vectors_of(samples), nearest_neighbour, resamples=20)
    header, lines = result.searches_table()
    assert len(lines) == 30
    assert dict(zip(header, lines[0], strict=True))["predicted"] == lines[0][header.index("subject_id")]
    summary = json.loads(json.dumps(result.summary()))  # plain types only
    assert summary["rows"][0]["rank_1"]["value"] == 1.0
    with pytest.raises(ValueError, match="d1 within"):
        result.row("d9")


def test_bad_tables_are_refused():
    samples = kth_table()
    vectors = vectors_of(samples)
    with pytest.raises(ValueError, match="a row for each"):
        evaluate(KTH, samples, vectors[1:], nearest_neighbour)
    with pytest.raises(ValueError, match="check the names of the walks"):
        evaluate(TUM_GAID_1, samples, vectors, nearest_neighbour)
    with pytest.raises(ValueError, match="nothing could be described"):
        evaluate(KTH, samples, np.full_like(vectors, np.nan), nearest_neighbour)
    with pytest.raises(ValueError, match=r"numpy\.unique"):
        evaluate(KTH, samples, vectors, lambda enrolled, labels: lambda probes: np.zeros((len(probes), 99)))
    with pytest.raises(ValueError, match="same walks"):
        evaluate(Protocol("x", "y", (Row("r", Select(), Select()),)), samples, vectors, nearest_neighbour)
    unseen = [replace(sample, view=None) for sample in casia_table(["1", "2"])]
    with pytest.raises(ValueError, match="view in degrees"):
        evaluate(CASIA_B, unseen, vectors_of(unseen), nearest_neighbour)
    with pytest.raises(ValueError, match="different names"):
        Protocol("x", "y", (Row("r", Select(), Select()), Row("r", Select(), Select())))


def test_the_room_needs_no_model():
    """Plain arrays: importing all of it loads neither jax nor a plotting or learning library."""
    modules = (
        "calibration",
        "distances",
        "evidence",
        "files",
        "open_set",
        "ranking",
        "intervals",
        "metrics",
        "plots",
        "protocols",
        "report",
        "verification",
    )
    code = f"import sys; {'; '.join(f'import gaitnet.evaluation.{name}' for name in modules)}; " + (
        "print([name for name in ('jax', 'flax', 'cv2', 'av', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_average_draws_a_person_for_all_rows_at_once():
    """Persons who fail everywhere: the rows agree, so their mean is no surer than one of them."""
    persons = [f"p{index:03d}" for index in range(1, 31)]
    samples = tum_table(persons)
    vectors = vectors_of(samples)
    failing = [sample.subject_id in persons[:10] and sample.sequence > "n04" for sample in samples]
    failing |= np.array([sample.subject_id in persons[:10] and sample.condition != "NM" for sample in samples])
    vectors[failing] = np.nan
    result = evaluate(TUM_GAID_1, samples, vectors, nearest_neighbour, resamples=500)
    assert result.average is not None
    row = result.rows[0].rank_1
    assert (result.average.value, result.average.low, result.average.high) == pytest.approx(
        (row.value, row.low, row.high)
    )
    assert result.average.value == pytest.approx(2 / 3)
