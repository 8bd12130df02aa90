"""What a decision, and what a score as evidence, is worth between people who did not set the threshold or the scale.

The people of a row are dealt into two halves. What is fitted on the pairs within one half - a threshold, the map from
score to likelihood ratio - judges the pairs within the other; pairs across are left out, since they know both.
"""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from gaitnet.evaluation.calibration import best_log_ratios, cllr, fit_logistic, fit_monotone, pool_adjacent_violators
from gaitnet.evaluation.intervals import Rate, interval_of, subject_weights
from gaitnet.evaluation.pairs import decisions_at, threshold_at_fmr

DECISIONS = ("accuracy", "precision", "recall", "f1", "false_match_rate")
_LEVELS = 200  # of the score, at which the bootstrap of Cllr_min calibrates


@dataclass(frozen=True)
class Evidence:
    """Judgements of pairs by what other people set.

    Attributes:
        decisions: accuracy, precision, recall, F1 and false match rate of accepting at the threshold, by name.
        wanted_fmr: false match rate for which the other half set the threshold.
        cllr: cost of the logistic likelihood ratios, in bits: 0 perfect, 1 says nothing.
        cllr_monotone: the same of the ratios by pooling adjacent violators.
        cllr_min: what the best monotone calibration on these very pairs would leave.
        mated: natural log likelihood ratios (logistic) of the pairs of one person; 0 without a vector.
        nonmated: those of pairs of two.
        best_mated: after the best calibration on themselves, as an ECE plot shows beside the system; may be infinite.
        best_nonmated: likewise.

    """

    decisions: dict[str, Rate]
    wanted_fmr: float
    cllr: Rate
    cllr_monotone: Rate
    cllr_min: Rate
    mated: Float[np.ndarray, " mated"]
    nonmated: Float[np.ndarray, " nonmated"]
    best_mated: Float[np.ndarray, " mated"]
    best_nonmated: Float[np.ndarray, " nonmated"]

    def summary(self) -> dict[str, object]:
        """The rates of plain Python types, for JSON."""
        costs = {name: asdict(getattr(self, name)) for name in ("cllr", "cllr_monotone", "cllr_min")}
        decisions = {name: asdict(rate) for name, rate in self.decisions.items()}
        return {"wanted_fmr": self.wanted_fmr, **decisions, **costs, "pairs": [len(self.mated), len(self.nonmated)]}


def evidence_of(
    scores: Float[np.ndarray, "probe subject"],
    probe_ids: Shaped[np.ndarray, " probe"],
    subject_ids: Shaped[np.ndarray, " subject"],
    comparable: Bool[np.ndarray, "probe subject"] | None = None,
    *,
    fmr: float = 0.01,
    resamples: int = 1000,
    seed: int = 0,
) -> Evidence | None:
    """Judge every pair of a probe and an enrolled person of the same half by what the other half set.

    Args:
        scores: higher is more similar; NaN without a vector: never accepted, and evidence of nothing.
        probe_ids: whose walk the probe is.
        subject_ids: whose each column is.
        comparable: False for pairs that are no trials, such as persons of whom a gallery holds no walk.
        fmr: false match rate at which the other half sets the threshold.
        resamples: bootstrap draws of persons.
        seed: of the halves and of the draws.

    Returns:
        None where a half has no finite score of one kind: with fewer than four people, or one of them enrolled.

    """
    people = np.unique(np.concatenate([probe_ids, subject_ids]))
    half_of = np.random.default_rng(seed).permutation(len(people)) % 2
    probe_half, subject_half = (half_of[np.searchsorted(people, ids)] for ids in (probe_ids, subject_ids))
    mate = probe_ids[:, None] == subject_ids[None, :]
    allowed = np.ones_like(mate) if comparable is None else comparable
    owner = np.searchsorted(people, probe_ids)
    halves = []
    for half in (0, 1):
        within = (probe_half == half)[:, None] & (subject_half == half)[None, :] & allowed
        halves.append([(scores[within & kind], np.nonzero(within & kind)[0]) for kind in (mate, ~mate)])
    known = [[values[np.isfinite(values)] for values, _ in kinds] for kinds in halves]
    if min(len(values) for kinds in known for values in kinds) == 0:
        return None

    columns: dict[str, list[list[np.ndarray]]] = {"accepted": [[], []], "logistic": [[], []], "monotone": [[], []]}
    for kinds, (mated, nonmated) in zip(halves, known[::-1], strict=True):
        threshold = threshold_at_fmr(nonmated, fmr)
        logistic, monotone = fit_logistic(mated, nonmated), fit_monotone(mated, nonmated)
        for kind, (values, _) in enumerate(kinds):
            columns["accepted"][kind].append(np.isfinite(values) & (values >= threshold))
            columns["logistic"][kind].append(logistic(values))
            columns["monotone"][kind].append(monotone(values))
    accepted, logistic_ratios, monotone_ratios = (
        [np.concatenate(kind) for kind in kinds] for kinds in columns.values()
    )
    owners = [owner[np.concatenate([kinds[kind][1] for kinds in halves])] for kind in (0, 1)]
    raw = [np.concatenate([kinds[kind][0] for kinds in halves]) for kind in (0, 1)]

    judged = np.unique(np.concatenate(owners))
    owners = [np.searchsorted(judged, each) for each in owners]
    weights = subject_weights(len(judged), resamples, seed).astype(np.float64)
    count = int(sum(map(len, owners)))
    best = _best(raw)
    cost, monotone_cost = (
        interval_of(cllr(*ratios), _cost_draws(ratios, owners, weights), count, len(judged), share=False)
        for ratios in (logistic_ratios, monotone_ratios)
    )
    least = interval_of(cllr(*best), _least_draws(raw, owners, weights[:200]), count, len(judged), share=False)
    decisions = _decisions(accepted, owners, weights)
    return Evidence(decisions, fmr, cost, monotone_cost, least, *logistic_ratios, *best)


def _decisions(accepted: list[np.ndarray], owners: list[np.ndarray], weights: np.ndarray) -> dict[str, Rate]:
    """Each measure with its interval; the value itself is `decisions_at`'s, of scores 1 (accepted) and 0."""
    people = weights.shape[1]
    exact = decisions_at(accepted[0].astype(np.float64), accepted[1].astype(np.float64), 0.5)
    hits, trials, false, others = (
        weights @ np.bincount(owner, values, people)
        for kind, owner in zip(accepted, owners, strict=True)
        for values in (kind, None)
    )
    draws = {
        "accuracy": _share(hits + others - false, trials + others),
        "precision": _share(hits, np.maximum(hits + false, 1)),
        "recall": _share(hits, trials),
        "f1": _share(2 * hits, hits + false + trials),
        "false_match_rate": _share(false, others),
    }
    count = sum(map(len, owners))
    return {name: interval_of(getattr(exact, name), draws[name], count, people) for name in DECISIONS}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The quotient, NaN where a resample drew none."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _cost_draws(
    ratios: list[np.ndarray], owners: list[np.ndarray], weights: np.ndarray
) -> Float[np.ndarray, " resample"]:
    """Cllr of each resample, from one sum of costs a person and kind."""
    people, total = weights.shape[1], np.zeros(len(weights))
    for ratio, owner, sign in zip(ratios, owners, (-1, 1), strict=True):
        sums = weights @ np.bincount(owner, np.logaddexp(0.0, sign * ratio), people)
        total += _share(sums, weights @ np.bincount(owner, minlength=people))
    return total / (2 * np.log(2))


def _best(raw: list[np.ndarray]) -> list[np.ndarray]:
    """Log likelihood ratios of the best monotone calibration; 0 without a vector."""
    finite = [np.isfinite(kind) for kind in raw]
    best = [np.zeros(len(kind)) for kind in raw]
    ratios = best_log_ratios(*(kind[there] for kind, there in zip(raw, finite, strict=True)))
    for place, there in enumerate(finite):
        best[place][there] = ratios[place]
    return best


def _least_draws(raw: list[np.ndarray], owners: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Cllr_min of each resample, with the scores rounded down to quantiles of both kinds; no vector costs one bit."""
    people = weights.shape[1]
    finite = [kind[np.isfinite(kind)] for kind in raw]
    shares = np.linspace(0, 1, _LEVELS // 2)
    levels = np.unique(np.concatenate([np.quantile(kind, shares, method="lower") for kind in finite]))
    last = len(levels)  # the place of what has no vector
    counts = []
    for kind, owner in zip(raw, owners, strict=True):
        place = np.searchsorted(levels, np.nan_to_num(kind, nan=-np.inf), side="right") - 1
        place = np.where(np.isfinite(kind), place.clip(min=0), last)
        table = np.bincount(owner * (last + 1) + place, minlength=people * (last + 1)).reshape(people, last + 1)
        counts.append(weights @ table)
    return np.array([_least_cost(mated, nonmated) for mated, nonmated in zip(*counts, strict=True)])


def _least_cost(mated: Int[np.ndarray, " level"] | np.ndarray, nonmated: np.ndarray) -> float:
    """Cllr_min of counts at rising scores; the last place holds trials without a score."""
    totals = mated.sum(), nonmated.sum()
    if min(totals) == 0:
        return float("nan")
    known = mated[:-1] + nonmated[:-1] > 0
    same, other = mated[:-1][known], nonmated[:-1][known]
    cost = mated[-1] * np.log(2) / totals[0] + nonmated[-1] * np.log(2) / totals[1]
    if known.any() and same.sum() and other.sum():
        posterior = pool_adjacent_violators(same / (same + other), same + other)
        with np.errstate(divide="ignore"):
            ratio = np.log(posterior) - np.log1p(-posterior) - np.log(same.sum() / other.sum())
        cost += (same[same > 0] * np.logaddexp(0.0, -ratio[same > 0])).sum() / totals[0]
        cost += (other[other > 0] * np.logaddexp(0.0, ratio[other > 0])).sum() / totals[1]
    return float(cost / (2 * np.log(2)))
