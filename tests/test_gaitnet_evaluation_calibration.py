"""Calibration against known densities, scikit-learn and values worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from gaitnet.evaluation import calibration


def normal_trials(seed=0, count=20_000, distance=2.0):
    """Scores of two unit normals at +-distance/2: the log likelihood ratio is distance x score."""
    rng = np.random.default_rng(seed)
    return rng.normal(distance / 2, 1, count), rng.normal(-distance / 2, 1, count)


def test_logistic_recovers_the_known_ratio():
    mated, nonmated = normal_trials()
    fitted = calibration.fit_logistic(3.0 * mated + 7.0, 3.0 * nonmated + 7.0)
    assert fitted.slope == pytest.approx(2.0 / 3.0, rel=0.04)
    assert fitted(np.array([7.0]))[0] == pytest.approx(0.0, abs=0.05)
    assert fitted(np.array([np.nan]))[0] == 0.0


def test_logistic_matches_scikit_learn():
    rng = np.random.default_rng(1)
    mated, nonmated = rng.normal(1, 2, 50), rng.normal(0, 1, 400)
    fitted = calibration.fit_logistic(mated, nonmated, penalty=0.0)
    peer = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=1000)
    peer.fit(np.concatenate([mated, nonmated])[:, None], np.repeat([1, 0], [50, 400]))
    assert fitted.slope == pytest.approx(peer.coef_[0, 0], rel=1e-3)
    assert fitted.offset == pytest.approx(peer.intercept_[0], rel=1e-3)


def test_logistic_stays_finite_where_classes_do_not_overlap():
    fitted = calibration.fit_logistic(np.array([5.0, 6.0, 60.0]), np.array([-1.0, 0.0]))
    assert np.isfinite([fitted.slope, fitted.offset]).all()
    assert fitted(np.array([6.0]))[0] > 0 > fitted(np.array([-1.0]))[0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0.1, 5)), min_size=1, max_size=40))
def test_pool_adjacent_violators_matches_scikit_learn(pairs):
    values, weights = np.array(pairs).T.copy()
    got = calibration.pool_adjacent_violators(values, weights)
    np.testing.assert_allclose(got, isotonic_regression(values, sample_weight=weights), atol=1e-9)
    assert (np.diff(got) >= -1e-9).all()


def test_cost_by_hand():
    assert calibration.cllr(np.zeros(3), np.zeros(5)) == pytest.approx(1.0)  # no information
    assert calibration.cllr(np.array([np.inf]), np.array([-np.inf])) == 0.0
    # LR 3 for the mated trial, 1/3 for the other: log2(1 + 1/3) on both sides
    assert calibration.cllr(np.log([3.0]), -np.log([3.0])) == pytest.approx(np.log2(4 / 3))
    assert calibration.cllr(np.array([-10.0]), np.array([10.0])) > 10  # confident and wrong


def test_least_cost_by_hand():
    assert calibration.cllr_min(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0
    assert calibration.cllr_min(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == pytest.approx(1.0)  # wrong way round
    assert calibration.cllr_min(np.zeros(4), np.zeros(9)) == pytest.approx(1.0)
    # Pooled into {0: nonmated only}, {1, 2: one of each, LR 1}, {3: mated only}: half the trials cost a bit.
    assert calibration.cllr_min(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == pytest.approx(0.5)


def test_least_cost_ignores_rising_maps_and_bounds_every_calibration():
    mated, nonmated = normal_trials(2, 400)
    least = calibration.cllr_min(mated, nonmated)
    assert calibration.cllr_min(np.arctan(mated), np.arctan(nonmated)) == pytest.approx(least)
    for calibrate in (calibration.fit_logistic(mated, nonmated), calibration.fit_monotone(mated, nonmated)):
        assert least <= calibration.cllr(calibrate(mated), calibrate(nonmated)) < least + 0.05
    assert calibration.cllr(5 * mated, 5 * nonmated) > least + 0.1


def test_monotone_map_rises_and_is_finite():
    mated, nonmated = normal_trials(3, 100)
    fitted = calibration.fit_monotone(mated, nonmated)
    ratios = fitted(np.linspace(-9, 9, 200))
    assert np.isfinite(ratios).all()
    assert (np.diff(ratios) >= 0).all()
    assert ratios[0] < 0 < ratios[-1]
    assert fitted(np.array([np.nan]))[0] == 0.0


def test_cross_entropy_is_the_cost_at_even_odds_and_the_prior_without_evidence():
    mated, nonmated = normal_trials(4, 300)
    even = calibration.empirical_cross_entropy(mated, nonmated, np.zeros(1))
    assert even[0] == pytest.approx(calibration.cllr(mated, nonmated))
    odds = np.array([-2.0, 0.5])
    prior = 1 / (1 + np.exp(-odds))
    entropy = -prior * np.log2(prior) - (1 - prior) * np.log2(1 - prior)
    np.testing.assert_allclose(calibration.empirical_cross_entropy(np.zeros(2), np.zeros(2), odds), entropy)


def test_scores_must_be_finite():
    with pytest.raises(ValueError, match="mated: expected at least one score"):
        calibration.fit_logistic(np.array([np.nan]), np.zeros(2))
    with pytest.raises(ValueError, match="nonmated"):
        calibration.cllr_min(np.zeros(2), np.array([-np.inf]))
