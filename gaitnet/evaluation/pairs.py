"""Verification: is this pair the same person? Rates and curves over the scores of mated and non-mated pairs.

Scores as in `metrics`: higher is more similar; NaN, where a walk could not be described, is never accepted.
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


def _sorted_trials(mated: np.ndarray, nonmated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(mated) or not len(nonmated):
        raise ValueError(
            f"mated, nonmated: expected at least one score of each kind, got {len(mated)} and {len(nonmated)}; "
            "verification needs pairs of the same and of different subjects"
        )
    return tuple(np.sort(np.where(np.isnan(kind), -np.inf, kind).astype(np.float64)) for kind in (mated, nonmated))  # type: ignore[return-value]
