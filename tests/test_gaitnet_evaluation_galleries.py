"""Who is looked up where: leave-one-walk-out, same views, one decision a person, and galleries without the person."""

from dataclasses import replace

import numpy as np
import pytest

from gaitnet.evaluation.distances import nearest_by_parts, part_distances
from gaitnet.evaluation.galleries import Trials, one_decision
from gaitnet.evaluation.pairs import auc, equal_error_rate, mated_and_nonmated, tar_at_fmr
from gaitnet.evaluation.protocols import (
    CASIA_A,
    CASIA_A_LEAVE_ONE_OUT,
    CASIA_B,
    KINECT,
    UCALGARY,
    USF,
    Protocol,
    Row,
    Sample,
    Select,
    evaluate,
)

NEAREST = nearest_by_parts(1)


def vectors_of(samples, noise=0.6, seed=0, size=6):
    rng = np.random.default_rng(seed)
    means = {subject: rng.normal(size=size) for subject in sorted({sample.subject_id for sample in samples})}
    return np.stack([means[sample.subject_id] + noise * rng.normal(size=size) for sample in samples])


def kinect_table(people=5, walks=4):
    return [Sample(f"{p:03d}", "NM", "", None, str(w)) for p in range(1, people + 1) for w in range(1, walks + 1)]


def casia_a_table(people=("fyc", "hy", "ljg", "zl")):
    return [
        Sample(person, "NM", "", view, f"{direction}_{walk}")
        for person in people
        for direction, view in (("00", 90.0), ("45", 45.0), ("90", 0.0))
        for walk in (1, 2, 3, 4)
    ]


def literal_nearest(samples, vectors, probe, gallery):
    """The person of the nearest of `gallery`, one by one."""
    distances = [(np.linalg.norm(vectors[probe] - vectors[other]), samples[other].subject_id) for other in gallery]
    return min(distances)[1]


def test_leave_one_walk_out_is_every_walk_against_all_others():
    samples = kinect_table()
    vectors = vectors_of(samples)
    row = evaluate(KINECT, samples, vectors, NEAREST, resamples=50).rows[0]
    expected = [
        literal_nearest(samples, vectors, one, [other for other in range(len(samples)) if other != one])
        == samples[one].subject_id
        for one in range(len(samples))
    ]
    assert 0.3 < np.mean(expected) < 1
    assert row.rank_1.value == pytest.approx(np.mean(expected))
    assert (row.rank_1.count, row.gallery_subjects, row.nonmated) == (20, 5, 0)


def test_a_walk_filmed_by_two_cameras_is_left_out_as_one():
    samples = [replace(sample, view=view) for sample in kinect_table() for view in (0.0, 90.0)]
    vectors = np.repeat(vectors_of(kinect_table(), noise=3.0), 2, axis=0)  # a walk's twin would give it away
    alone = evaluate(KINECT, kinect_table(), vectors[::2], NEAREST, resamples=50).rows[0]
    both = evaluate(KINECT, samples, vectors, NEAREST, resamples=50).rows[0]
    assert both.rank_1.value == alone.rank_1.value < 1


def test_somebody_with_one_walk_is_an_open_set_trial_of_it():
    samples = [*kinect_table(), Sample("999", "NM", "", None, "1")]
    vectors = vectors_of(samples, noise=0.01)
    result = evaluate(KINECT, samples, vectors, NEAREST, resamples=50)
    row = result.rows[0]
    assert (row.rank_1.count, row.rank_1.value, row.nonmated) == (20, 1.0, 1)
    assert [each.fnir.value for each in row.open_set] == [0.0, 0.0]
    assert "999" in result.notes[0]
    (stranger,) = [search for search in result.searches if not search.mated]
    assert stranger.predicted in {sample.subject_id for sample in kinect_table()}


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_casia_a_stays_within_a_direction(leave_one_out):
    samples = casia_a_table()
    vectors = vectors_of(samples, noise=0.9)
    protocol = CASIA_A_LEAVE_ONE_OUT if leave_one_out else CASIA_A
    row = evaluate(protocol, samples, vectors, NEAREST, resamples=50).rows[0]
    by_view = []
    for view in (0.0, 45.0, 90.0):
        hits = []
        for one, sample in enumerate(samples):
            if sample.view != view or not (leave_one_out or sample.sequence.endswith("_4")):
                continue
            gallery = [
                other
                for other, walk in enumerate(samples)
                if walk.view == view and (other != one if leave_one_out else not walk.sequence.endswith("_4"))
            ]
            hits.append(literal_nearest(samples, vectors, one, gallery) == sample.subject_id)
        by_view.append(np.mean(hits))
    assert row.rank_1.count == (48 if leave_one_out else 12)
    assert row.rank_1.value == pytest.approx(np.mean(by_view))
    assert 0.2 < row.rank_1.value < 1


def usf_table(people=6, each=5):
    return [
        Sample(f"{p:02d}", "NM", session, None, str(number))
        for session in ("gallery", "A", "B")
        for p in range(1, people + 1)
        for number in range(1, each + 1 + p % 2)
    ]


def test_usf_decides_once_a_person_by_the_mean_of_the_scores():
    samples = usf_table()
    vectors = vectors_of(samples, noise=1.3)
    lost = next(index for index, sample in enumerate(samples) if sample.session == "A")
    vectors[lost] = np.nan
    result = evaluate(USF.with_rows_of(samples), samples, vectors, NEAREST, resamples=50)
    assert [row.name for row in result.rows] == ["A (view)", "B (shoe)"]
    gallery = [index for index, sample in enumerate(samples) if sample.session == "gallery"]
    score = NEAREST(vectors[gallery], np.array([samples[index].subject_id for index in gallery]))
    for row, session in zip(result.rows, ("A", "B"), strict=True):
        right, singles = [], []
        for number, person in enumerate(f"{p:02d}" for p in range(1, 7)):
            own = [i for i, sample in enumerate(samples) if (sample.session, sample.subject_id) == (session, person)]
            seen = [i for i in own if np.isfinite(vectors[i]).all()]
            right.append(int(score(vectors[seen]).mean(axis=0).argmax()) == number)
            singles += [int(score(vectors[i : i + 1])[0].argmax()) == number for i in seen] + [False] * (
                len(own) - len(seen)
            )
        assert row.sample_rank_1 is not None
        assert row.rank_1.value == pytest.approx(np.mean(right))
        assert row.sample_rank_1.value == pytest.approx(np.mean(singles))
        assert row.sample_rank_1.value < row.rank_1.value
        assert (row.rank_1.count, row.described, row.sample_rank_1.count) == (6, 6, 33)
    searches = [search for search in result.searches if search.row == "A (view)"]
    assert [search.sequence for search in searches] == ["6 samples", "5 samples"] * 3
    assert result.average is not None
    assert "single samples" in str(result)


def test_usf_may_be_trained_on_its_gallery_and_others_not():
    samples = usf_table()
    evaluate(USF.with_rows_of(samples), samples, vectors_of(samples), NEAREST, trained_on=["01"], resamples=10)
    with pytest.raises(ValueError, match="says nothing"):
        evaluate(KINECT, kinect_table(), vectors_of(kinect_table()), NEAREST, trained_on=["001"], resamples=10)


def test_a_person_nobody_saw_in_any_sample_is_a_miss_not_a_gap():
    samples = usf_table()
    vectors = vectors_of(samples, noise=0.01)
    vectors[[sample.session == "B" and sample.subject_id == "03" for sample in samples]] = np.nan
    row = evaluate(USF.with_rows_of(samples), samples, vectors, NEAREST, resamples=20).row("B (shoe)")
    assert (row.rank_1.count, row.described) == (6, 5)
    assert row.rank_1.value == pytest.approx(5 / 6)


def test_ucalgary_runs():
    samples = [Sample(f"{p:02d}", "NM", "", 0.0, str(run)) for p in range(1, 5) for run in range(1, 7)]
    result = evaluate(UCALGARY, samples, vectors_of(samples, noise=0.01), NEAREST, resamples=20)
    assert [(row.name, row.rank_1.count) for row in result.rows] == [
        ("normal", 4), ("right leg impaired", 8), ("left leg impaired", 8),
    ]  # fmt: skip


def test_a_view_in_which_somebody_never_enrolled_is_an_open_set_trial():
    """CASIA-B lacks some walks: there is nothing to be found in such a gallery, so it is no miss."""
    walks = [f"nm-{number:02d}" for number in range(1, 7)]
    samples = [Sample(p, "NM", "", view, walk, "test") for p in "abcd" for walk in walks for view in (0.0, 90.0)]
    kept = [s for s in samples if (s.subject_id, s.view) != ("b", 0.0) or s.sequence > "nm-04"]
    protocol = replace(CASIA_B, rows=CASIA_B.rows[:1])
    row = evaluate(protocol, kept, vectors_of(kept, noise=0.01), NEAREST, resamples=20).rows[0]
    assert row.rank_1.value == 1.0
    assert (row.rank_1.count, row.nonmated) == (14, 2)


def literal_pairs(samples, vectors, views):
    """Scores of mated and non-mated pairs: every search for whoever its own gallery has, one by one."""
    mated, nonmated = [], []
    searched = [i for i, sample in enumerate(samples) if sample.sequence == "p"]
    for one in searched:
        view = samples[one].view
        galleries = {"same": [[view]], "others": [[v for v in (0.0, 90.0) if v != view]]}
        for seen in galleries.get(views, [[v] for v in (0.0, 90.0) if v != view]):
            enrolled = [i for i, sample in enumerate(samples) if sample.sequence == "g" and sample.view in seen]
            people = sorted({samples[i].subject_id for i in enrolled})
            if samples[one].subject_id not in people:
                continue  # an open-set trial
            for person in people:
                own = [i for i in enrolled if samples[i].subject_id == person and np.isfinite(vectors[i]).all()]
                known = own and np.isfinite(vectors[one]).all()
                score = max(-np.linalg.norm(vectors[one] - vectors[i]) for i in own) if known else -np.inf
                (mated if person == samples[one].subject_id else nonmated).append(score)
    return np.array(mated), np.array(nonmated)


@pytest.mark.parametrize("views", ["pairs", "same", "others"])
def test_whom_a_gallery_has_not_is_no_trial_and_a_lost_walk_stays_a_miss(views):
    samples = [
        Sample(f"{person:02d}", view=view, sequence=walk)
        for person in range(30)
        for walk in ("g", "p")
        for view in (0.0, 90.0)
        if person < 10 or walk == "p" or view == 90.0  # twenty of thirty never enrolled at 0 degrees
    ]
    vectors = vectors_of(samples, noise=0.9)
    for lost in (("03", "p", 90.0), ("04", "g", 0.0), ("05", "g", 90.0)):
        vectors[[(sample.subject_id, sample.sequence, sample.view) == lost for sample in samples]] = np.nan
    row = Row("all", Select(sequences=("g",)), Select(sequences=("p",)))
    found = evaluate(Protocol("toy", "toy", (row,), views=views), samples, vectors, NEAREST, resamples=50).rows[0]
    mated, nonmated = literal_pairs(samples, vectors, views)
    assert np.isneginf(mated).sum() == 3
    assert np.isneginf(nonmated).any()
    for got, expected in zip(mated_and_nonmated(*found.pairs), (mated, nonmated), strict=True):
        np.testing.assert_allclose(np.sort(got), np.sort(expected), atol=1e-6)
    assert found.auc.value == pytest.approx(auc(mated, nonmated))
    assert found.eer.value == pytest.approx(equal_error_rate(mated, nonmated))
    assert found.tar.value == pytest.approx(tar_at_fmr(mated, nonmated, 0.01))
    assert found.auc.low < found.auc.value < found.auc.high


def test_one_decision_has_the_gallery_of_any_of_its_searches():
    present = np.array([[True, False, False], [False, True, False], [True, True, True]])
    trials = Trials(
        np.where(present, 1.0, np.nan), present, np.array([0, 1, 2]), np.full(3, np.nan), np.ones(3, bool),
        np.ones(3, np.int64), np.array(["a", "b", "c"]), 3,
    )  # fmt: skip
    found = one_decision(trials, np.array(["a", "a", "b"]))
    np.testing.assert_array_equal(found.present, [[True, True, False], [True, True, True]])


def test_rows_without_data_are_refused_or_taken_off():
    samples = usf_table()
    with pytest.raises(ValueError, match="check the names of the walks"):
        evaluate(USF, samples, vectors_of(samples), NEAREST)
    with pytest.raises(ValueError, match="one or more rows"):
        USF.with_rows_of(kinect_table())
    strangers = [sample for sample in samples if (sample.session == "gallery") == (sample.subject_id < "03")]
    with pytest.raises(ValueError, match="expected probes of enrolled persons"):
        evaluate(USF.with_rows_of(strangers), strangers, vectors_of(strangers), NEAREST)


def test_part_distances_match_the_definition():
    rng = np.random.default_rng(0)
    probes, gallery = rng.normal(size=(5, 3, 4)), rng.normal(size=(6, 3, 4))
    gallery[2] = probes[1]
    probes[4, 1, 1] = np.nan
    expected = [[np.mean([np.linalg.norm(a[k] - b[k]) for k in range(3)]) for b in gallery] for a in probes]
    np.testing.assert_allclose(part_distances(probes, gallery), expected, atol=1e-7)
    with pytest.raises(ValueError, match="divisor"):
        nearest_by_parts(5)(np.zeros((2, 12)), np.array(["a", "b"]))
