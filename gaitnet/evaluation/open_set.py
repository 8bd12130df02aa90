"""Searches for people who may not be enrolled: misses at a rate of false identifications, with intervals.

Values are exact. As in `verification`, the bootstrap redraws persons over one histogram of scores each,
whose edges are quantiles of the scores of those who are not enrolled; with up to `edges` of them it is exact as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.intervals import Rate, interval_of, rate_over_subjects, subject_weights
from gaitnet.evaluation.pairs import threshold_at_fmr

FPIRS = (0.01, 0.1)
"""False positive identification rates at which misses are told."""


class OpenSetRate(NamedTuple):
    """Errors at one threshold: the FPIR asked for, FNIR and FPIR as measured, and the threshold on the score."""

    wanted: float
    fnir: Rate
    fpir: Rate
    threshold: float


def rates_of_open_set(
    scores: Float[np.ndarray, "search subject"],
    probe_ids: Shaped[np.ndarray, " search"],
    subject_ids: Shaped[np.ndarray, " subject"],
    mated: Bool[np.ndarray, " search"],
    *,
    wanted: Sequence[float] = FPIRS,
    resamples: int = 1000,
    seed: int = 0,
    edges: int = 1000,
) -> tuple[OpenSetRate, ...]:
    """FNIR at the loosest threshold whose FPIR is at most each of the `wanted` ones (ISO/IEC 19795-1).

    FNIR: share of the mated searches that do not return the right person first, at or above the threshold. FPIR: share
    of the non-mated ones that return anybody. A walk without a vector is a miss in the first, and an "unknown",
    counted, in the second. Of n non-mated searches a rate below 1/n cannot be measured: the threshold is then just
    above all of them.

    Args:
        scores: higher is more similar; NaN where there is no comparison.
        probe_ids: whose walk is searched for.
        subject_ids: whose each column is; distinct, and sorted.
        mated: whether the gallery of the search holds the person; a column alone does not tell where galleries differ.
        wanted: false positive identification rates.
        resamples: bootstrap draws of persons.
        seed: of the draws.
        edges: quantiles at which the draws look for their thresholds.

    Returns:
        One for each of `wanted`; none where the searches are all mated, or all non-mated.

    """
    if mated.all() or not mated.any():
        return ()
    counted = np.where(np.isnan(scores), -np.inf, scores)
    top = counted[~mated].max(axis=1, initial=-np.inf)
    own = np.searchsorted(subject_ids, probe_ids[mated])
    mate = np.take_along_axis(counted[mated], own[:, None], axis=1)
    right = ((counted[mated] >= mate).sum(axis=1) == 1) & np.isfinite(mate[:, 0])
    found = np.where(right, mate[:, 0], -np.inf)  # the score at which the right person is returned first
    people, owner = np.unique(probe_ids, return_inverse=True)
    bootstrap = _Bootstrap.of(found, owner[mated], top, owner[~mated], len(people), resamples, seed, edges)
    rates = []
    for fpir in wanted:
        threshold = threshold_at_fmr(top, fpir)
        missed = ~((found >= threshold) & np.isfinite(found))
        named = (top >= threshold) & np.isfinite(top)
        fnir = interval_of(
            float(missed.mean()), bootstrap.fnir(fpir), len(missed), len(np.unique(probe_ids[mated])), 0.95
        )
        measured = rate_over_subjects(named, probe_ids[~mated], resamples=resamples, seed=seed)
        rates.append(OpenSetRate(fpir, fnir, measured, threshold))
    return tuple(rates)


class _Bootstrap(NamedTuple):
    """Per resample, how many are accepted above each level of the score."""

    strangers: Float[np.ndarray, "resample level"]
    """Non-mated searches at or above each level, highest first; the last column is all of them."""
    returned: Float[np.ndarray, "resample level"]
    """Right returns strictly above each level; the last column but one is all with a score, the last all searches."""

    @classmethod
    def of(
        cls, found: np.ndarray, found_owner: np.ndarray, top: np.ndarray, top_owner: np.ndarray, people: int,
        resamples: int, seed: int, edges: int,
    ) -> "_Bootstrap":  # fmt: skip
        finite = top[np.isfinite(top)]
        levels = finite if len(finite) <= edges else np.quantile(finite, np.linspace(0, 1, edges), method="lower")
        levels = np.unique(levels)[::-1]
        weights = subject_weights(people, resamples, seed).astype(np.float64)
        reached = np.searchsorted(-levels, -top, side="left")  # the first level at or below the score
        above = np.where(np.isfinite(found), np.searchsorted(-levels, -found, side="right"), len(levels) + 1)
        return cls(
            _cumulated(weights, reached, top_owner, people, len(levels) + 1),
            _cumulated(weights, above, found_owner, people, len(levels) + 2),
        )

    def fnir(self, fpir: float) -> Float[np.ndarray, " resample"]:
        """FNIR of each resample at its own threshold; NaN where it drew nobody of one kind."""
        strangers, searches = self.strangers[:, -1], self.returned[:, -1]
        allowed = np.floor(fpir * strangers + 1e-9)
        level = (self.strangers[:, :-1] <= allowed[:, None]).sum(axis=1)  # the first that too many reach
        returned = np.take_along_axis(self.returned, level[:, None], axis=1)[:, 0]
        share = np.divide(
            returned, searches, out=np.full(len(searches), np.nan), where=(searches > 0) & (strangers > 0)
        )
        return 1.0 - share


def _cumulated(weights: np.ndarray, place: np.ndarray, owner: np.ndarray, people: int, places: int) -> np.ndarray:
    """(resample, place): how many of the drawn persons' searches lie at this place or before it."""
    counts = np.bincount(owner * places + place, minlength=people * places).reshape(people, places)
    return np.cumsum(weights @ counts, axis=1)
