"""Intervals: they cover, they are wider where walks of one person agree, and they never claim certainty."""

import numpy as np
import pytest
from scipy.stats import binomtest

from gaitnet.evaluation import intervals, pairs
from gaitnet.evaluation.joints import in_pixels, over_people
from gaitnet.evaluation.verification import verification_rates


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 7), (60, 155), (1, 1000)])
def test_wilson_matches_scipy(successes, trials):
    got = intervals.wilson_interval(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert got.contains(successes / trials)


def test_bootstrap_covers_the_truth():
    """People differ in how easy they are (beta), four walks each: 95 % nominal, at least 90 % wanted of 200 studies."""
    covered = 0
    for study in range(200):
        rng = np.random.default_rng(study)
        ease = rng.beta(3, 2, size=40)
        hits = rng.random((40, 4)) < ease[:, None]
        rate = intervals.rate_over_subjects(hits.ravel(), np.repeat(np.arange(40), 4), resamples=300, seed=study)
        covered += rate.contains(0.6)
    assert 180 <= covered <= 200


def test_subjects_not_walks_are_drawn():
    """Eight walks that always agree say as much as one, not as eight."""
    rng = np.random.default_rng(0)
    one = rng.random(30) < 0.5
    single = intervals.rate_over_subjects(one, np.arange(30))
    repeated = intervals.rate_over_subjects(np.repeat(one, 8), np.repeat(np.arange(30), 8))
    assert (repeated.value, repeated.low, repeated.high) == pytest.approx((single.value, single.low, single.high))
    assert (repeated.count, repeated.subjects) == (240, 30)


def test_perfect_scores_are_not_certain():
    rate = intervals.rate_over_subjects(np.ones(20, bool), np.repeat(np.arange(10), 2))
    assert (rate.value, rate.high) == (1.0, 1.0)
    assert rate.low == pytest.approx(intervals.wilson_interval(10, 10).low)
    assert rate.method == "Wilson over subjects"


def test_one_subject_alone_tells_no_interval():
    """Its draws are all the same, and an interval of no width would claim certainty."""
    hits = np.array([True, False, True])
    for rate in (
        intervals.rate_over_subjects(hits, np.zeros(3)),
        intervals.bootstrap_over_subjects(lambda draw: float(hits[draw].mean()), np.zeros(3)),
        over_people(hits[:, None].astype(float), np.zeros(3)),
    ):
        assert np.isnan([rate.low, rate.high]).all()
        assert str(rate) == "66.7 %"
    distance = over_people(np.array([[2.0], [4.0]]), np.zeros(2), share=False)
    assert np.isnan([distance.low, distance.high]).all()
    assert in_pixels(distance) == "3.0"


def test_same_seed_same_bounds_other_seed_other_bounds():
    hits, ids = np.random.default_rng(1).random(60) < 0.7, np.repeat(np.arange(20), 3)
    first, again = (intervals.rate_over_subjects(hits, ids, seed=3) for _ in range(2))
    assert first == again
    weights = [intervals.subject_weights(20, 50, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()
    assert (weights[0].sum(axis=1) == 20).all()


def test_general_bootstrap_agrees_with_the_fast_one():
    rng = np.random.default_rng(2)
    hits, ids = rng.random(200) < 0.6, rng.integers(25, size=200)
    fast = intervals.rate_over_subjects(hits, ids, resamples=2000)
    slow = intervals.bootstrap_over_subjects(lambda draw: float(hits[draw].mean()), ids, resamples=2000)
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.02)


def test_verification_bounds_agree_with_the_slow_bootstrap():
    rng = np.random.default_rng(4)
    subjects = np.array([f"s{index:02d}" for index in range(15)])
    probe_ids = np.repeat(subjects, 4)
    ease = np.repeat(rng.normal(1.0, 0.8, 15), 4)
    scores = rng.normal(size=(60, 15)) + ease[:, None] * (probe_ids[:, None] == subjects)
    scores[7] = np.nan
    got = verification_rates(scores, probe_ids, subjects, fmr=0.1, resamples=1500)
    slow = {
        "auc": pairs.auc,
        "eer": pairs.equal_error_rate,
        "tar": lambda mated, nonmated: pairs.tar_at_fmr(mated, nonmated, 0.1),
    }
    for name, metric in slow.items():

        def statistic(draw, metric=metric):
            return metric(*pairs.mated_and_nonmated(scores[draw], probe_ids[draw], subjects))

        expected = intervals.bootstrap_over_subjects(statistic, probe_ids, resamples=600)
        rate = getattr(got, name)
        assert rate.value == pytest.approx(expected.value)
        assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), abs=0.05), name


def test_pairs_that_are_no_trials_change_nothing():
    rng = np.random.default_rng(6)
    subjects = np.array([f"s{index:02d}" for index in range(12)])
    probe_ids = np.repeat(subjects[:8], 3)
    scores = rng.normal(size=(24, 12)) + 1.5 * (probe_ids[:, None] == subjects)
    scores[5] = np.nan
    comparable = np.tile(np.arange(12) < 8, (24, 1))
    whole = verification_rates(scores[:, :8], probe_ids, subjects[:8], resamples=100)
    for rest in (np.nan, 9.0):
        scores[:, 8:] = rest
        assert verification_rates(scores, probe_ids, subjects, comparable, resamples=100) == whole


def test_one_enrolled_subject_cannot_be_verified():
    got = verification_rates(np.ones((2, 1)), np.array(["a", "a"]), np.array(["a"]))
    assert np.isnan(got.eer.value)
    assert str(got.eer) == "not measured"


def test_bad_input():
    with pytest.raises(ValueError, match="at least one probe"):
        intervals.rate_over_subjects(np.zeros(0, bool), np.zeros(0, int))
    with pytest.raises(ValueError, match="successes"):
        intervals.wilson_interval(3, 2)


def test_a_pixel_is_no_share():
    """A median of exactly one pixel keeps the interval of its draws."""
    values, owners = np.array([0.5, 1.0, 1.5]), np.arange(3)
    rate = intervals.bootstrap_over_subjects(lambda draw: float(np.median(values[draw])), owners, share=False)
    assert (rate.value, rate.low, rate.high) == (1.0, 0.5, 1.5)
