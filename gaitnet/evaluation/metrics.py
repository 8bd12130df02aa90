"""Identification rates, closed and open set, from score matrices; `pairs` has those of verification.

Everywhere a score is higher for the more similar pair, of any scale. NaN means that there is no comparison because the
walk could not be described (a failure to acquire): it is counted, as a miss on either side of every decision, and never
skipped. Ties are resolved against the system, so that one which gives everybody the same score gets no credit for it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.pairs import threshold_at_fmr


class OpenSetRates(NamedTuple):
    """Errors of an open-set search: shares from 0 to 1, and the threshold on the score at which they hold."""

    fnir: float
    fpir: float
    threshold: float


def best_per_subject(
    scores: Float[np.ndarray, "probe gallery"], gallery_ids: Shaped[np.ndarray, " gallery"]
) -> tuple[Shaped[np.ndarray, " subject"], Float[np.ndarray, "probe subject"]]:
    """Reduce a gallery of walks to its subjects: the sorted subjects, and each probe's best score among their walks.

    NaN becomes -inf, the score that no threshold accepts.
    """
    if not len(gallery_ids):
        raise ValueError("gallery_ids: expected at least one gallery entry, got none; enrol somebody first")
    subjects, owner = np.unique(gallery_ids, return_inverse=True)
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(subjects)))
    counted = np.where(np.isnan(scores), -np.inf, scores).astype(np.float64)
    return subjects, np.maximum.reduceat(counted[:, order], starts, axis=1)


def mate_ranks(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> Float[np.ndarray, " probe"]:
    """Place of each probe's own subject among all gallery subjects, from 1; inf where probe or mate has no vector.

    Args:
        scores: similarity, NaN where there is no comparison.
        probe_ids: whose walk the probe is.
        gallery_ids: whose walk the gallery entry is; a subject may have several, of which the best counts.
        comparable: False for pairs that the protocol leaves out (such as those of the same view).

    Raises:
        ValueError: a probe's subject is not in the gallery (that is an open-set question: see `fnir_at_fpir`).

    """
    _require_mates(probe_ids, gallery_ids, comparable)
    if comparable is not None:
        scores = np.where(comparable, scores, np.nan)
    subjects, best = best_per_subject(scores, gallery_ids)
    mate = np.take_along_axis(best, np.searchsorted(subjects, probe_ids)[:, None], axis=1)
    ranks = (best >= mate).sum(axis=1).astype(np.float64)  # the mate itself makes it start at 1; ties push it down
    return np.where(np.isneginf(mate[:, 0]), np.inf, ranks)


def walk_ranks(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> Float[np.ndarray, " probe"]:
    """Place of each probe's best mate among all gallery walks (not subjects), from 1; inf where none has a vector.

    Walks of others that score as high stand before it. Arguments and errors as in `mate_ranks`.
    """
    _require_mates(probe_ids, gallery_ids, comparable)
    allowed = np.ones(scores.shape, bool) if comparable is None else comparable
    counted = np.where(np.isnan(scores) | ~allowed, -np.inf, scores).astype(np.float64)
    mate = probe_ids[:, None] == gallery_ids[None, :]
    best = np.where(mate, counted, -np.inf).max(axis=1)
    ranks = 1.0 + ((counted >= best[:, None]) & ~mate).sum(axis=1)
    return np.where(np.isneginf(best), np.inf, ranks)


def rank_k(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    k: int = 1,
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> float:
    """Share of probes whose own subject is among the `k` best subjects (arguments as in `mate_ranks`); 0 to 1."""
    if k < 1:
        raise ValueError(f"k: expected a rank of 1 or more, got {k}")
    return float((mate_ranks(scores, probe_ids, gallery_ids, comparable) <= k).mean())


def cmc(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> Float[np.ndarray, " rank"]:
    """Cumulative match characteristic: element k - 1 is `rank_k` for k from 1 to the number of gallery subjects."""
    ranks = np.sort(mate_ranks(scores, probe_ids, gallery_ids, comparable))
    subjects = len(np.unique(gallery_ids))
    return np.searchsorted(ranks, np.arange(1, subjects + 1), side="right") / len(ranks)


def average_precisions(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> Float[np.ndarray, " probe"]:
    """Average precision of each probe over gallery walks (not subjects); 0 to 1.

    Precision at a mate counts everything that scores at least as high, as scikit-learn's `average_precision_score`
    does; mates without a vector count as never found. Arguments as in `mate_ranks`.
    """
    mate, found, mates_so_far, place = _ranked_mates(scores, probe_ids, gallery_ids, comparable)
    precision = np.where(found, mates_so_far / place, 0.0)
    return precision.sum(axis=1) / mate.sum(axis=1)


def mean_average_precision(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> float:
    """Mean over probes of `average_precisions`; 0 to 1."""
    return float(average_precisions(scores, probe_ids, gallery_ids, comparable).mean())


def inverse_negative_penalties(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> Float[np.ndarray, " probe"]:
    """For each probe (number of mates) / (place of the mate found last); 0 to 1, 0 where one is never found.

    Ye et al., "Deep Learning for Person Re-identification", PAMI 2021. Arguments as in `mate_ranks`.
    """
    mate, found, _, place = _ranked_mates(scores, probe_ids, gallery_ids, comparable)
    hardest = np.where(found, place, 0).max(axis=1)
    complete = found.sum(axis=1) == mate.sum(axis=1)
    return np.where(complete, mate.sum(axis=1) / np.maximum(hardest, 1), 0.0)


def mean_inverse_negative_penalty(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> float:
    """mINP: mean over probes of `inverse_negative_penalties`; 0 to 1."""
    return float(inverse_negative_penalties(scores, probe_ids, gallery_ids, comparable).mean())


def open_set_rates(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    threshold: float,
    rank: int = 1,
) -> OpenSetRates:
    """FNIR and FPIR of a search that answers "unknown" below `threshold` (ISO/IEC 19795-1).

    FNIR: share of the probes that are in the gallery whose own subject is not returned among the best `rank` at or
    above the threshold. FPIR: share of the probes that are not in the gallery for whom anybody is returned. A probe
    without a vector is a miss in the first, and an "unknown", counted in the denominator, in the second.

    Raises:
        ValueError: there are no probes of the one or of the other kind.

    """
    subjects, best = best_per_subject(scores, gallery_ids)
    enrolled = np.isin(probe_ids, subjects)
    if not enrolled.any() or enrolled.all():
        raise ValueError(
            f"probe_ids: expected probes both in the gallery and not in it, got {int(enrolled.sum())} and "
            f"{int((~enrolled).sum())}; leave some subjects out of the gallery"
        )
    top = best.max(axis=1)
    false_positive = (top[~enrolled] >= threshold) & ~np.isneginf(top[~enrolled])
    own = np.searchsorted(subjects, probe_ids[enrolled])
    mate = np.take_along_axis(best[enrolled], own[:, None], axis=1)
    place = (best[enrolled] >= mate).sum(axis=1)
    returned = (mate[:, 0] >= threshold) & (place <= rank) & ~np.isneginf(mate[:, 0])
    return OpenSetRates(float(1.0 - returned.mean()), float(false_positive.mean()), float(threshold))


def fnir_at_fpir(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    fpir: float,
    rank: int = 1,
) -> OpenSetRates:
    """`open_set_rates` at the loosest threshold whose false positive identification rate is at most `fpir`.

    Of n unmated probes a rate below 1/n cannot be measured: the threshold is then just above all of them.
    """
    subjects, best = best_per_subject(scores, gallery_ids)
    unmated = ~np.isin(probe_ids, subjects)
    if not unmated.any():
        raise ValueError(
            "probe_ids: expected some probes that are not in the gallery, got none; leave subjects out of it"
        )
    return open_set_rates(scores, probe_ids, gallery_ids, threshold_at_fmr(best[unmated].max(axis=1), fpir), rank)


def _require_mates(probe_ids: np.ndarray, gallery_ids: np.ndarray, comparable: np.ndarray | None) -> None:
    if not len(probe_ids):
        raise ValueError("probe_ids: expected at least one probe, got none")
    mates = probe_ids[:, None] == gallery_ids[None, :]
    lacking = np.unique(probe_ids[~(mates if comparable is None else mates & comparable).any(axis=1)])
    if len(lacking):
        raise ValueError(
            f"probe_ids: expected every probe's subject in the gallery, got {len(lacking)} without a comparable entry "
            f"({', '.join(map(str, lacking[:5]))}); enrol them, or measure an open set with fnir_at_fpir"
        )


def _ranked_mates(
    scores: np.ndarray, probe_ids: np.ndarray, gallery_ids: np.ndarray, comparable: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per probe, best first: is it a mate, a mate that was found, mates down to its last tie, place of its last tie."""
    _require_mates(probe_ids, gallery_ids, comparable)
    allowed = np.ones(scores.shape, bool) if comparable is None else comparable
    counted = np.where(np.isnan(scores) | ~allowed, -np.inf, scores).astype(np.float64)
    mate = (probe_ids[:, None] == gallery_ids[None, :]) & allowed
    order = np.argsort(-counted, axis=1, kind="stable")
    counted, mate = np.take_along_axis(counted, order, axis=1), np.take_along_axis(mate, order, axis=1)
    columns = np.broadcast_to(np.arange(counted.shape[1]), counted.shape)
    ends_tie = np.pad(counted[:, 1:] != counted[:, :-1], [(0, 0), (0, 1)], constant_values=True)
    last = np.minimum.accumulate(np.where(ends_tie, columns, counted.shape[1])[:, ::-1], axis=1)[:, ::-1]
    mates_so_far = np.take_along_axis(mate.cumsum(axis=1), last, axis=1)
    return mate, mate & ~np.isneginf(counted), mates_so_far, last + 1
