"""AUC, equal error rate and true acceptance rate of a whole score matrix, with intervals over subjects.

The values are exact (`pairs`). The bootstrap redraws persons a thousand times over what may be half a million pairs,
so it works on one histogram of scores a person, whose edges are quantiles: a draw is then a sum of histograms.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.intervals import Rate, interval_of, subject_weights
from gaitnet.evaluation.pairs import auc, equal_error_rate, mated_and_nonmated, tar_at_fmr


class VerificationRates(NamedTuple):
    """Area under the ROC, equal error rate, and true acceptance rate at the false match rate asked for."""

    auc: Rate
    eer: Rate
    tar: Rate


def verification_rates(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
    *,
    fmr: float = 0.01,
    resamples: int = 1000,
    seed: int = 0,
    edges: int = 1000,
) -> VerificationRates:
    """Verify every probe against every gallery entry that is comparable; arguments as in `metrics.mate_ranks`.

    Rates are NaN where the gallery holds one subject, so that there are no non-mated pairs. The bounds come from scores
    rounded down to `edges` quantiles of the mated and of the non-mated scores.
    """
    subjects, owner = np.unique(probe_ids, return_inverse=True)
    mated, nonmated = mated_and_nonmated(scores, probe_ids, gallery_ids, comparable)
    if not len(mated) or not len(nonmated):
        missing = Rate(np.nan, np.nan, np.nan, len(probe_ids), len(subjects))
        return VerificationRates(missing, missing, missing)

    shares = np.linspace(0.0, 1.0, edges)
    finite = [kind[np.isfinite(kind)] for kind in (mated, nonmated)]
    thresholds = np.unique(np.concatenate([np.quantile(kind, shares, method="lower") for kind in finite if len(kind)]
                                          or [np.zeros(1)]))[::-1]  # fmt: skip
    mate = probe_ids[:, None] == gallery_ids[None, :]
    allowed = np.ones_like(mate) if comparable is None else comparable
    # A score in place p is at or above the thresholds from p on; without a vector it is above none.
    place = np.searchsorted(-thresholds, -np.where(np.isnan(scores), -np.inf, scores), side="left")
    weights = subject_weights(len(subjects), resamples, seed)
    true_match, false_match = (
        _accepted_shares(weights, _histograms(owner, len(subjects), place, kind, len(thresholds)))
        for kind in (mate & allowed, ~mate & allowed)
    )
    count = len(probe_ids)
    draws = (
        np.trapezoid(true_match, false_match, axis=1),
        _crossings(false_match, 1.0 - true_match),
        np.where(false_match <= fmr + 1e-12, true_match, 0.0).max(axis=1),
    )
    values = (auc(mated, nonmated), equal_error_rate(mated, nonmated), tar_at_fmr(mated, nonmated, fmr))
    return VerificationRates(
        *(interval_of(value, draw, count, len(subjects), 0.95) for value, draw in zip(values, draws, strict=True))
    )


def _histograms(owner: np.ndarray, subjects: int, place: np.ndarray, kind: np.ndarray, thresholds: int) -> np.ndarray:
    """Per subject, how many pairs of a kind are first accepted at each threshold; the last place is "never"."""
    cells = owner[:, None] * (thresholds + 1) + place
    return np.bincount(cells[kind], minlength=subjects * (thresholds + 1)).reshape(subjects, thresholds + 1)


def _accepted_shares(weights: np.ndarray, histograms: np.ndarray) -> np.ndarray:
    """(resample, threshold): share of pairs accepted, from none at all to all of them."""
    accepted = np.cumsum(weights.astype(np.float64) @ histograms, axis=1)
    return np.pad(accepted, [(0, 0), (1, 0)]) / np.maximum(accepted[:, -1:], 1)


def _crossings(false_match: np.ndarray, false_non_match: np.ndarray) -> np.ndarray:
    """Equal error rate of each resample, linear between thresholds."""
    gap = false_non_match - false_match
    after = np.argmax(gap <= 0, axis=1)
    rows = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    span = gap[rows, before] - gap[rows, after]
    share = np.divide(gap[rows, before], span, out=np.zeros(len(gap)), where=span > 0)
    return false_match[rows, before] + share * (false_match[rows, after] - false_match[rows, before])
