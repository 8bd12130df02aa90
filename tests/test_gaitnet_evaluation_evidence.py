"""Decisions and likelihood ratios between two halves of the people, against literal twins and known densities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.evaluation.calibration import (
    cllr,
    cllr_min,
    empirical_cross_entropy,
    fit_logistic,
    pool_adjacent_violators,
)
from gaitnet.evaluation.evidence import DECISIONS, evidence_of
from gaitnet.evaluation.pairs import threshold_at_fmr
from gaitnet.evaluation.plots import ece_plot, tippett_plot


def case(seed=0, people=20, each=5, apart=2.5, lost=0.05):
    rng = np.random.default_rng(seed)
    subjects = np.array([f"s{index:02d}" for index in range(people)])
    probe_ids = np.repeat(subjects, each)
    scores = rng.normal(size=(len(probe_ids), people)) + apart * (probe_ids[:, None] == subjects)
    scores[rng.random(len(scores)) < lost] = np.nan
    return scores, probe_ids, subjects


def halves(subjects, seed=0):
    """Who is in which half: as `evidence_of` deals them."""
    return dict(zip(subjects, np.random.default_rng(seed).permutation(len(subjects)) % 2, strict=True))


def literal_pairs(scores, probe_ids, subjects, half):
    side = halves(subjects)
    mated, nonmated = [], []
    for row, probe in enumerate(probe_ids):
        for column, subject in enumerate(subjects):
            if side[probe] == side[subject] == half:
                (mated if probe == subject else nonmated).append(scores[row, column])
    return np.array(mated), np.array(nonmated)


def finite(values):
    return values[np.isfinite(values)]


def test_each_half_is_judged_by_what_the_other_set():
    scores, probe_ids, subjects = case()
    found = evidence_of(scores, probe_ids, subjects, fmr=0.05, resamples=100)
    assert found is not None
    hits = false = trials = others = 0
    costs = [[], []]
    for half in (0, 1):
        known = [finite(kind) for kind in literal_pairs(scores, probe_ids, subjects, 1 - half)]
        threshold, scale = threshold_at_fmr(known[1], 0.05), fit_logistic(*known)
        for kind, values in enumerate(literal_pairs(scores, probe_ids, subjects, half)):
            accepted = sum(value >= threshold for value in finite(values))
            hits, trials = (hits + accepted, trials + len(values)) if kind == 0 else (hits, trials)
            false, others = (false + accepted, others + len(values)) if kind == 1 else (false, others)
            costs[kind] += [float(scale(np.array([value]))[0]) for value in values]
    assert found.decisions["recall"].value == pytest.approx(hits / trials)
    assert found.decisions["precision"].value == pytest.approx(hits / (hits + false))
    assert found.decisions["false_match_rate"].value == pytest.approx(false / others)
    assert found.decisions["accuracy"].value == pytest.approx((hits + others - false) / (trials + others))
    assert found.decisions["f1"].value == pytest.approx(2 * hits / (hits + false + trials))
    assert found.cllr.value == pytest.approx(cllr(np.array(costs[0]), np.array(costs[1])))
    assert sorted(found.mated) == pytest.approx(sorted(costs[0]))
    for rate in (*found.decisions.values(), found.cllr, found.cllr_monotone, found.cllr_min):
        assert rate.low <= rate.value + 0.02
        assert rate.value <= rate.high + 0.02
        assert rate.subjects == 20


def test_least_cost_is_the_best_of_all():
    scores, probe_ids, subjects = case(lost=0.0)
    found = evidence_of(scores, probe_ids, subjects, resamples=50)
    assert found is not None
    pairs = [literal_pairs(scores, probe_ids, subjects, half) for half in (0, 1)]
    expected = cllr_min(*(np.concatenate([kinds[kind] for kinds in pairs]) for kind in (0, 1)))
    assert found.cllr_min.value == pytest.approx(expected)
    assert found.cllr_min.value < min(found.cllr.value, found.cllr_monotone.value)
    assert found.cllr_min.low < expected < found.cllr_min.high


def test_a_walk_without_a_vector_is_evidence_of_nothing():
    scores, probe_ids, subjects = case(lost=0.0)
    whole = evidence_of(scores, probe_ids, subjects, resamples=20)
    scores[::2] = np.nan
    half = evidence_of(scores, probe_ids, subjects, resamples=20)
    assert whole is not None
    assert half is not None
    assert half.decisions["recall"].value == pytest.approx(whole.decisions["recall"].value / 2, abs=0.1)
    assert half.cllr_min.value > 0.5
    assert len(half.mated) == len(whole.mated)
    assert (half.mated == 0).sum() >= len(half.mated) // 2


def test_pairs_that_are_no_trials_are_no_evidence_either():
    scores, probe_ids, subjects = case()
    comparable = np.random.default_rng(1).random(scores.shape) < 0.7
    found = evidence_of(scores, probe_ids, subjects, comparable, resamples=20)
    spoiled = evidence_of(np.where(comparable, scores, 9.0), probe_ids, subjects, comparable, resamples=20)
    assert found is not None
    assert spoiled is not None
    side = np.array([halves(subjects)[name] for name in subjects])
    within = np.repeat(side, 5)[:, None] == side
    mate = probe_ids[:, None] == subjects
    assert len(found.mated) == (within & mate & comparable).sum()
    assert len(found.nonmated) == (within & ~mate & comparable).sum()
    assert found.summary() == spoiled.summary()


def test_too_few_people_say_nothing():
    scores, probe_ids, subjects = case(people=3)
    assert evidence_of(scores, probe_ids, subjects) is None
    scores, probe_ids, subjects = case(people=6)
    assert evidence_of(np.full_like(scores, np.nan), probe_ids, subjects) is None
    assert evidence_of(scores[:, :1], probe_ids, subjects[:1]) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_probes_and_columns_changes_nothing(seed):
    scores, probe_ids, subjects = case(seed, people=8, each=3)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(probe_ids)), rng.permutation(len(subjects))
    one = evidence_of(scores, probe_ids, subjects, resamples=30)
    other = evidence_of(scores[np.ix_(rows, columns)], probe_ids[rows], subjects[columns], resamples=30)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        for name in DECISIONS:
            assert one.decisions[name] == other.decisions[name]
        assert one.cllr.value == pytest.approx(other.cllr.value)


def test_summary_is_plain():
    found = evidence_of(*case(), resamples=20)
    assert found is not None
    summary = found.summary()
    assert summary["recall"]["value"] == found.decisions["recall"].value
    assert summary["pairs"] == [len(found.mated), len(found.nonmated)]


def test_many_equal_levels_are_pooled_as_one_by_one():
    values, weights = np.repeat([0.0, 1.0, 0.0, 1.0], [50, 3, 40, 9]), np.arange(102.0) + 1
    expected = []
    for value, weight in zip(values, weights, strict=True):
        expected.append([value, weight, 1])
        while len(expected) > 1 and expected[-2][0] >= expected[-1][0]:
            (a, wa, na), (b, wb, nb) = expected[-2:]
            expected[-2:] = [[(a * wa + b * wb) / (wa + wb), wa + wb, na + nb]]
    np.testing.assert_allclose(
        pool_adjacent_violators(values, weights), np.repeat([e[0] for e in expected], [e[2] for e in expected])
    )
    assert pool_adjacent_violators(np.zeros(0), np.zeros(0)).shape == (0,)


def test_plots_of_evidence_draw_what_they_get():
    scores, probe_ids, subjects = case()
    found = evidence_of(scores, probe_ids, subjects, resamples=20)
    assert found is not None
    priors = np.linspace(-3, 3, 13)
    curve = empirical_cross_entropy(found.mated, found.nonmated, priors)
    pictures = [
        tippett_plot(found.mated, found.nonmated, title="pairs"),
        tippett_plot(found.best_mated, found.best_nonmated),
        ece_plot({"likelihood ratios": curve}, priors),
        ece_plot({"likelihood ratios": 2 * curve}, priors),
    ]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == 4
