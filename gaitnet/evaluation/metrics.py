"""Identification and verification rates from score matrices.

Everywhere a score is higher for the more similar pair, of any scale. NaN means that there is no comparison because the
walk could not be described (a failure to acquire): it is counted, as a miss on either side of every decision, and never
skipped. Ties are resolved against the system, so that one which gives everybody the same score gets no credit for it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped


class Curve(NamedTuple):
    """Error rates over all thresholds, strictest first; a score at or above the threshold is accepted."""

    false_match_rate: Float[np.ndarray, " threshold"]
    true_match_rate: Float[np.ndarray, " threshold"]
    thresholds: Float[np.ndarray, " threshold"]

    @property
    def false_non_match_rate(self) -> Float[np.ndarray, " threshold"]:
        """1 - true match rate, what a DET plot shows."""
        return 1.0 - self.true_match_rate


class Decisions(NamedTuple):
    """What a fixed threshold decides; shares from 0 to 1."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    false_match_rate: float


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


def mated_and_nonmated(
    scores: Float[np.ndarray, "probe gallery"],
    probe_ids: Shaped[np.ndarray, " probe"],
    gallery_ids: Shaped[np.ndarray, " gallery"],
    comparable: Bool[np.ndarray, "probe gallery"] | None = None,
) -> tuple[Float[np.ndarray, " mated"], Float[np.ndarray, " nonmated"]]:
    """Split a score matrix into verification trials: scores of the same subject, and of different ones.

    A failure to acquire becomes -inf, which no threshold accepts: so false non-matches include it, as in the false
    rejection rate of ISO/IEC 19795-1.
    """
    mate = probe_ids[:, None] == gallery_ids[None, :]
    allowed = np.ones_like(mate) if comparable is None else comparable
    counted = np.where(np.isnan(scores), -np.inf, scores).astype(np.float64)
    return counted[mate & allowed], counted[~mate & allowed]


def roc(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]) -> Curve:
    """Receiver operating characteristic: a point for every distinct score, starting where none is accepted."""
    mated, nonmated = _sorted_trials(mated, nonmated)
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([mated, nonmated]))[::-1]])
    accepted = [(len(kind) - np.searchsorted(kind, thresholds, side="left")) / len(kind) for kind in (nonmated, mated)]
    return Curve(accepted[0], accepted[1], thresholds)


def det(
    mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]
) -> tuple[Float[np.ndarray, " threshold"], Float[np.ndarray, " threshold"]]:
    """Trace the detection error trade-off: false match and false non-match rate over all thresholds, 0 to 1."""
    curve = roc(mated, nonmated)
    return curve.false_match_rate, curve.false_non_match_rate


def auc(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]) -> float:
    """Area under the ROC: the chance that a mated score is above a non-mated one, ties counting half; 0 to 1."""
    mated, nonmated = _sorted_trials(mated, nonmated)
    below = np.searchsorted(nonmated, mated, side="left") + np.searchsorted(nonmated, mated, side="right")
    return float(below.mean() / (2 * len(nonmated)))


def equal_error_rate(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]) -> float:
    """Find the rate at which false matches and false non-matches are equal; linear between points, 0 to 1."""
    false_match, false_non_match = det(mated, nonmated)
    gap = false_non_match - false_match  # falls from 1 to -1 as the threshold loosens
    after = int(np.argmax(gap <= 0))
    if after == 0:
        return float(false_match[0])
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(false_match[after - 1] + share * (false_match[after] - false_match[after - 1]))


def threshold_at_fmr(nonmated: Float[np.ndarray, " nonmated"], fmr: float) -> float:
    """Find the lowest threshold that at most a share `fmr` of the non-mated scores reaches.

    Fix it on other people than those whose decisions are counted. -inf where everything may pass.
    """
    if not len(nonmated):
        raise ValueError("nonmated: expected at least one non-mated score, got none")
    if not 0.0 <= fmr <= 1.0:
        raise ValueError(f"fmr: expected a share from 0 to 1, got {fmr}")
    falling = np.sort(np.where(np.isnan(nonmated), -np.inf, nonmated).astype(np.float64))[::-1]
    allowed = int(np.floor(fmr * len(falling) + 1e-9))
    return -np.inf if allowed >= len(falling) else float(np.nextafter(falling[allowed], np.inf))


def tar_at_fmr(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"], fmr: float) -> float:
    """Share of mated scores accepted at the loosest threshold with a false match rate of at most `fmr`."""
    mated, nonmated = _sorted_trials(mated, nonmated)
    threshold = threshold_at_fmr(nonmated, fmr)
    return float((mated >= threshold).mean())


def decisions_at(
    mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"], threshold: float
) -> Decisions:
    """Accuracy, precision, recall, F1 and false match rate of accepting scores at or above `threshold`.

    Precision and F1 are 0 where nothing is accepted. Without a vector (NaN or -inf) nothing is ever accepted.
    """
    mated, nonmated = _sorted_trials(mated, nonmated)
    hits = int(((mated >= threshold) & ~np.isneginf(mated)).sum())
    false = int(((nonmated >= threshold) & ~np.isneginf(nonmated)).sum())
    precision, recall = hits / max(hits + false, 1), hits / len(mated)
    accuracy = (hits + len(nonmated) - false) / (len(mated) + len(nonmated))
    return Decisions(accuracy, precision, recall, 2 * hits / (hits + false + len(mated)), false / len(nonmated))


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


def _sorted_trials(mated: np.ndarray, nonmated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(mated) or not len(nonmated):
        raise ValueError(
            f"mated, nonmated: expected at least one score of each kind, got {len(mated)} and {len(nonmated)}; "
            "verification needs pairs of the same and of different subjects"
        )
    return tuple(np.sort(np.where(np.isnan(kind), -np.inf, kind).astype(np.float64)) for kind in (mated, nonmated))  # type: ignore[return-value]
