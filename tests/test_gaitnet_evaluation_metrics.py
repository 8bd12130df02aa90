"""Metrics against hand-worked examples, slow literal twins, scikit-learn, and what must not change them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from gaitnet.evaluation import metrics, pairs

NAN = np.nan


def drawn(seed, probes=23, subjects=7, per_subject=2, missing=0.1, ties=True):
    rng = np.random.default_rng(seed)
    gallery_ids = np.repeat(np.array([f"s{index}" for index in range(subjects)]), per_subject)
    probe_ids = rng.choice(np.unique(gallery_ids), probes)
    scores = rng.normal(size=(probes, len(gallery_ids))) + 1.2 * (probe_ids[:, None] == gallery_ids[None])
    if ties:
        scores = np.round(scores, 1)
    scores[rng.random(probes) < missing] = NAN
    return scores, probe_ids, gallery_ids


def literal_rank(row, own, gallery_ids):
    """One probe at a time, subject by subject, as the definition reads."""
    if np.isnan(row).all():
        return np.inf
    best: dict[str, float] = {}
    for score, subject in zip(row, gallery_ids, strict=True):
        if not np.isnan(score):
            best[subject] = max(best.get(subject, -np.inf), score)
    if own not in best:
        return np.inf
    return 1 + sum(subject != own and score >= best[own] for subject, score in best.items())


def test_rank_by_hand():
    gallery = np.array(["a", "a", "b", "c"])
    scores = np.array([
        [0.1, 0.9, 0.5, 0.2],  # a: first
        [0.9, 0.1, 0.5, 0.7],  # b: third
        [0.4, 0.3, 0.2, 0.4],  # c: ties with a, so second
        [NAN, NAN, NAN, NAN],  # b, without a vector: never
    ])  # fmt: skip
    probes = np.array(["a", "b", "c", "b"])
    np.testing.assert_array_equal(metrics.mate_ranks(scores, probes, gallery), [1, 3, 2, np.inf])
    np.testing.assert_allclose(metrics.cmc(scores, probes, gallery), [0.25, 0.5, 0.75])
    assert metrics.rank_k(scores, probes, gallery) == 0.25
    assert metrics.rank_k(scores, probes, gallery, 3) == 0.75


def test_constant_scores_earn_nothing():
    assert metrics.rank_k(np.zeros((4, 4)), np.arange(4), np.arange(4)) == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_ranks_match_the_literal_twin(seed):
    scores, probe_ids, gallery_ids = drawn(seed)
    expected = [literal_rank(row, own, gallery_ids) for row, own in zip(scores, probe_ids, strict=True)]
    np.testing.assert_array_equal(metrics.mate_ranks(scores, probe_ids, gallery_ids), expected)
    for k in (1, 2, 5):
        assert metrics.rank_k(scores, probe_ids, gallery_ids, k) == np.mean(np.array(expected) <= k)


def test_pairs_left_out_do_not_count():
    gallery = np.array(["a", "b", "a"])
    scores = np.array([[0.9, 0.5, 0.1]])
    comparable = np.array([[False, True, True]])
    assert metrics.rank_k(scores, np.array(["a"]), gallery) == 1.0
    assert metrics.rank_k(scores, np.array(["a"]), gallery, comparable=comparable) == 0.0
    assert metrics.mean_average_precision(scores, np.array(["a"]), gallery, comparable) == 0.5
    with pytest.raises(ValueError, match="without a comparable entry"):
        metrics.rank_k(scores, np.array(["b"]), gallery, comparable=np.array([[True, False, True]]))


@pytest.mark.parametrize("seed", range(6))
def test_mean_average_precision_matches_scikit_learn(seed):
    scores, probe_ids, gallery_ids = drawn(seed, missing=0.0)
    expected = np.mean([
        average_precision_score(gallery_ids == own, row) for row, own in zip(scores, probe_ids, strict=True)
    ])  # fmt: skip
    assert metrics.mean_average_precision(scores, probe_ids, gallery_ids) == pytest.approx(expected)


def test_failures_halve_precision_and_penalty():
    scores, probe_ids, gallery_ids = drawn(3, missing=0.0)
    twice, ids = np.concatenate([scores, np.full_like(scores, NAN)]), np.concatenate([probe_ids, probe_ids])
    for metric in (metrics.rank_k, metrics.mean_average_precision, metrics.mean_inverse_negative_penalty):
        assert metric(twice, ids, gallery_ids) == pytest.approx(metric(scores, probe_ids, gallery_ids) / 2)


def test_inverse_negative_penalty_by_hand():
    gallery = np.array(["a", "b", "a", "c"])
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.2, 0.9, 0.4, 0.3]])
    # a: mates in places 1 and 3 -> 2/3; b: its only mate first -> 1
    assert metrics.mean_inverse_negative_penalty(scores, np.array(["a", "b"]), gallery) == pytest.approx(
        (2 / 3 + 1) / 2
    )


@pytest.mark.parametrize("seed", range(6))
def test_roc_and_auc_match_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    mated, nonmated = np.round(rng.normal(1, 1, 40), 1), np.round(rng.normal(0, 1, 90), 1)
    truth, scores = np.repeat([1, 0], [40, 90]), np.concatenate([mated, nonmated])
    false_match, true_match, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    curve = pairs.roc(mated, nonmated)
    np.testing.assert_allclose(curve.false_match_rate, false_match)
    np.testing.assert_allclose(curve.true_match_rate, true_match)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    assert pairs.auc(mated, nonmated) == pytest.approx(roc_auc_score(truth, scores))
    assert pairs.auc(mated, nonmated) == pytest.approx(np.trapezoid(curve.true_match_rate, curve.false_match_rate))


def test_failures_to_acquire_are_false_non_matches():
    mated, nonmated = np.array([3.0, 2.0, NAN, NAN]), np.array([1.0, 0.0, -1.0, NAN])
    false_match, false_non_match = pairs.det(mated, nonmated)
    assert false_non_match[(false_match == 0.0)].min() == 0.5
    assert pairs.tar_at_fmr(mated, nonmated, 0.5) == 0.5
    # 8 pairs of the two found are right, the two missing beat nobody and tie with one of four
    assert pairs.auc(mated, nonmated) == pytest.approx((2 * 4 + 2 * 0.5) / 16)


def test_equal_error_by_hand():
    assert pairs.equal_error_rate(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0
    assert pairs.equal_error_rate(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    # threshold 2: one of four non-mated accepted, one of four mated refused
    assert pairs.equal_error_rate(np.array([1.0, 3.0, 4.0, 5.0]), np.array([0.0, 0.5, 0.7, 2.0])) == 0.25
    assert pairs.equal_error_rate(np.zeros(3), np.zeros(5)) == 0.5


def test_acceptance_at_a_false_match_rate_by_hand():
    nonmated, mated = np.arange(100.0), np.array([50.0, 98.5, 99.0, 99.5, 200.0])
    assert pairs.tar_at_fmr(mated, nonmated, 0.0) == 2 / 5
    assert pairs.tar_at_fmr(mated, nonmated, 0.01) == 4 / 5  # everything above 98
    assert pairs.tar_at_fmr(mated, nonmated, 1.0) == 1.0
    assert (nonmated >= pairs.threshold_at_fmr(nonmated, 0.1)).sum() == 10
    assert (np.zeros(9) >= pairs.threshold_at_fmr(np.zeros(9), 0.5)).sum() == 0  # a tie cannot be split


def test_decisions_by_hand():
    got = pairs.decisions_at(np.array([2.0, 0.0, NAN]), np.array([1.5, 0.5, 0.1, -1.0]), 1.0)
    assert got == pytest.approx((4 / 7, 1 / 2, 1 / 3, 2 / 5, 1 / 4))
    nobody = pairs.decisions_at(np.array([2.0]), np.array([1.0]), 9.0)
    assert nobody == (0.5, 0.0, 0.0, 0.0, 0.0)


def literal_open_set(scores, probe_ids, gallery_ids, threshold):
    missed, mated, false, unmated = 0, 0, 0, 0
    for row, own in zip(scores, probe_ids, strict=True):
        answered = not np.isnan(row).all() and np.nanmax(row) >= threshold
        named = gallery_ids[np.nanargmax(row)] if answered else None
        if own in gallery_ids:
            mated, missed = mated + 1, missed + (named != own)
        else:
            unmated, false = unmated + 1, false + answered
    return missed / mated, false / unmated


@pytest.mark.parametrize("seed", range(6))
def test_open_set_matches_the_literal_twin(seed):
    scores, probe_ids, gallery_ids = drawn(seed, probes=60, ties=False)
    kept = ~np.isin(gallery_ids, ["s1", "s4"])
    scores, gallery_ids = scores[:, kept], gallery_ids[kept]
    for target in (0.01, 0.1, 0.5):
        got = metrics.fnir_at_fpir(scores, probe_ids, gallery_ids, target)
        assert got.fpir <= target
        assert (got.fnir, got.fpir) == pytest.approx(literal_open_set(scores, probe_ids, gallery_ids, got.threshold))
        # No looser threshold keeps the target: it is the best the system can do.
        looser = np.sort(scores[np.isfinite(scores)])
        looser = looser[looser < got.threshold]
        if len(looser):
            assert metrics.open_set_rates(scores, probe_ids, gallery_ids, looser[0]).fnir <= got.fnir


def test_unmated_probes_without_a_vector_stay_in_the_denominator():
    scores = np.array([[5.0, 0.0], [3.0, 1.0], [NAN, NAN], [NAN, NAN]])
    probes, gallery = np.array(["a", "x", "y", "b"]), np.array(["a", "b"])
    got = metrics.open_set_rates(scores, probes, gallery, 2.0)
    assert (got.fnir, got.fpir) == (0.5, 0.5)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.1, 5.0), st.floats(-3.0, 3.0))
def test_rising_transforms_and_orders_change_nothing(seed, slope, offset):
    scores, probe_ids, gallery_ids = drawn(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(probe_ids))
    columns = rng.permutation(len(gallery_ids))
    changed = np.arctan(slope * scores) + offset
    shuffled = scores[order][:, columns], probe_ids[order], gallery_ids[columns]
    matrix_metrics: list[Callable] = [
        metrics.cmc,
        metrics.mean_average_precision,
        metrics.mean_inverse_negative_penalty,
    ]
    for metric in matrix_metrics:
        value = metric(scores, probe_ids, gallery_ids)
        np.testing.assert_allclose(metric(changed, probe_ids, gallery_ids), value)
        np.testing.assert_allclose(metric(*shuffled), value)
    trials = pairs.mated_and_nonmated(scores, probe_ids, gallery_ids)
    others = pairs.mated_and_nonmated(changed, probe_ids, gallery_ids)
    for rate in (pairs.auc, pairs.equal_error_rate, tar_at_a_tenth):
        np.testing.assert_allclose(rate(*others), rate(*trials))


def tar_at_a_tenth(mated, nonmated):
    return pairs.tar_at_fmr(mated, nonmated, 0.1)


def test_cmc_rises_to_the_share_described():
    scores, probe_ids, gallery_ids = drawn(5)
    curve = metrics.cmc(scores, probe_ids, gallery_ids)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == pytest.approx(np.isfinite(scores).all(axis=1).mean())


def test_bad_input_says_what_to_do():
    scores = np.zeros((1, 2))
    with pytest.raises(ValueError, match="fnir_at_fpir"):
        metrics.rank_k(scores, np.array(["z"]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="k: expected"):
        metrics.rank_k(scores, np.array(["a"]), np.array(["a", "b"]), 0)
    with pytest.raises(ValueError, match="leave subjects out"):
        metrics.fnir_at_fpir(scores, np.array(["a"]), np.array(["a", "b"]), 0.1)
    with pytest.raises(ValueError, match="at least one score of each kind"):
        pairs.auc(np.zeros(0), np.zeros(2))
    with pytest.raises(ValueError, match="share from 0 to 1"):
        pairs.threshold_at_fmr(np.zeros(2), 1.5)
