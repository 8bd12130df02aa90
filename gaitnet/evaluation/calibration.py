"""From scores to likelihood ratios, and how good those are.

A log likelihood ratio (natural logarithm) says how much more probable a score is for the same person than for two
different ones. Cllr (Brümmer & du Preez, "Application-independent evaluation of speaker detection", CSL 2006) is its
cost in bits: 0 for perfect evidence, 1 for a system that always says "no information"; Cllr_min is what is left after
the best monotone calibration on the same trials, so Cllr - Cllr_min is the loss through bad calibration.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LARGEST_LOG_LR = 700.0  # exp of more overflows


@dataclass(frozen=True)
class LogisticCalibration:
    """log likelihood ratio = slope x score + offset."""

    slope: float
    offset: float

    def __call__(self, scores: Float[np.ndarray, " trial"]) -> Float[np.ndarray, " trial"]:
        """Log likelihood ratios of scores; NaN (no vector) says nothing: 0."""
        return np.where(np.isnan(scores), 0.0, self.slope * scores + self.offset).astype(np.float64)


@dataclass(frozen=True)
class MonotoneCalibration:
    """A rising map: log likelihood ratios at rising scores, linear between, constant outside."""

    scores: tuple[float, ...]
    log_likelihood_ratios: tuple[float, ...]

    def __call__(self, scores: Float[np.ndarray, " trial"]) -> Float[np.ndarray, " trial"]:
        """Log likelihood ratios of scores; NaN (no vector) says nothing: 0."""
        mapped = np.interp(np.nan_to_num(scores), self.scores, self.log_likelihood_ratios)
        return np.where(np.isnan(scores), 0.0, mapped)


def fit_logistic(
    mated: Float[np.ndarray, " mated"],
    nonmated: Float[np.ndarray, " nonmated"],
    *,
    penalty: float = 1e-6,
    steps: int = 100,
) -> LogisticCalibration:
    """Fit a logistic regression whose two classes weigh the same, by Newton's method.

    Args:
        mated: finite scores of pairs of the same person.
        nonmated: finite scores of pairs of different persons; both of other people than those to be judged.
        penalty: on the squared slope (of standardised scores), which keeps it finite where the classes do not overlap.
        steps: at most.

    Raises:
        ValueError: a class is empty or holds a score that is not finite.
    """
    mated, nonmated = _finite("mated", mated), _finite("nonmated", nonmated)
    return LogisticCalibration(*logistic_line(mated, nonmated, (1.0, 0.0), (penalty, 0.0), steps))


def logistic_line(
    mated: Float[np.ndarray, " mated"],
    nonmated: Float[np.ndarray, " nonmated"],
    targets: tuple[float, float],
    penalties: tuple[float, float],
    steps: int = 100,
) -> tuple[float, float]:
    """Slope and offset of the logistic regression of scores, both classes weighing the same, by Newton's method.

    Args:
        mated: finite scores of one class.
        nonmated: finite scores of the other.
        targets: probability 0..1 that the curve shall have at each class.
        penalties: on the squared slope and the squared offset, both of standardised scores.
        steps: at most.

    """
    pooled = np.concatenate([mated, nonmated])
    centre, spread = pooled.mean(), pooled.std() or 1.0
    design = np.column_stack([(pooled - centre) / spread, np.ones(len(pooled))])
    counts = len(mated), len(nonmated)
    target, weight = np.repeat(targets, counts), np.repeat([0.5 / count for count in counts], counts)
    ridge = np.diag(penalties)

    def cost(coefficients: np.ndarray) -> float:
        logit = design @ coefficients
        return float(weight @ (np.logaddexp(0.0, logit) - target * logit) + coefficients @ ridge @ coefficients / 2)

    coefficients = np.zeros(2)
    for _ in range(steps):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -LARGEST_LOG_LR, LARGEST_LOG_LR)))
        gradient = design.T @ (weight * (probability - target)) + ridge @ coefficients
        curvature = (design * (weight * probability * (1 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        size = 1.0
        while cost(coefficients - size * step) > cost(coefficients) and size > 1e-8:  # Newton overshoots far from home
            size /= 2
        coefficients = coefficients - size * step
        if np.abs(size * step).max() < 1e-12:
            break
    slope = coefficients[0] / spread
    return float(slope), float(coefficients[1] - slope * centre)


def fit_monotone(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]) -> MonotoneCalibration:
    """Fit the best rising map from score to log likelihood ratio, by pooling adjacent violators (PAV).

    A trial of each kind is added at either end, so that no ratio is infinite on the strength of a few trials.

    Raises:
        ValueError: a class is empty or holds a score that is not finite.
    """
    mated, nonmated = _finite("mated", mated), _finite("nonmated", nonmated)
    low, high = min(mated.min(), nonmated.min()), max(mated.max(), nonmated.max())
    levels, ratios = _monotone_log_ratios(np.append(mated, [low, high]), np.append(nonmated, [low, high]))
    return MonotoneCalibration(tuple(levels.tolist()), tuple(ratios.tolist()))


def pool_adjacent_violators(
    values: Float[np.ndarray, " level"], weights: Float[np.ndarray, " level"]
) -> Float[np.ndarray, " level"]:
    """Find the non-decreasing sequence nearest to `values` in weighted least squares."""
    # levels of one value are one block anyway: among many trials of one kind most are
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))[: len(values)]
    repeats = np.diff(np.append(begins, len(values)))
    values, weights = values[begins], np.add.reduceat(weights, begins) if len(begins) else weights
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        means.append(value)
        masses.append(weight)
        lengths.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            mass = masses[-2] + masses[-1]
            means[-2:] = [(means[-2] * masses[-2] + means[-1] * masses[-1]) / mass]
            masses[-2:] = [mass]
            lengths[-2:] = [lengths[-2] + lengths[-1]]
    return np.repeat(np.repeat(np.array(means), lengths), repeats)


def cllr(mated_log_lr: Float[np.ndarray, " mated"], nonmated_log_lr: Float[np.ndarray, " nonmated"]) -> float:
    """Cost of log likelihood ratios in bits: 0 perfect, 1 uninformative, without bound for confident mistakes."""
    if not len(mated_log_lr) or not len(nonmated_log_lr):
        raise ValueError("mated_log_lr, nonmated_log_lr: expected at least one of each kind, got none of one")
    cost = np.logaddexp(0.0, -mated_log_lr).mean() + np.logaddexp(0.0, nonmated_log_lr).mean()
    return float(cost / (2 * np.log(2)))


def cllr_min(mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]) -> float:
    """Cllr after the best monotone calibration on these very trials: what the scores could tell; 0 to 1."""
    return cllr(*best_log_ratios(mated, nonmated))


def best_log_ratios(
    mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"]
) -> tuple[Float[np.ndarray, " mated"], Float[np.ndarray, " nonmated"]]:
    """Log likelihood ratios of trials after the best monotone calibration on themselves; infinite at certain ends."""
    mated, nonmated = _finite("mated", mated), _finite("nonmated", nonmated)
    levels, ratios = _monotone_log_ratios(mated, nonmated)
    return ratios[np.searchsorted(levels, mated)], ratios[np.searchsorted(levels, nonmated)]


def empirical_cross_entropy(
    mated_log_lr: Float[np.ndarray, " mated"],
    nonmated_log_lr: Float[np.ndarray, " nonmated"],
    prior_log_odds: Float[np.ndarray, " prior"],
) -> Float[np.ndarray, " prior"]:
    """Uncertainty in bits that remains at each prior (natural log odds); at even odds it is Cllr.

    Ramos & Gonzalez-Rodriguez, "Reliable support", Forensic Science International 2013. Worse than the prior's own
    entropy means that the evidence misleads there.
    """
    prior = 1.0 / (1.0 + np.exp(-prior_log_odds))
    mated_cost = np.logaddexp(0.0, -(mated_log_lr[None, :] + prior_log_odds[:, None])).mean(axis=1)
    nonmated_cost = np.logaddexp(0.0, nonmated_log_lr[None, :] + prior_log_odds[:, None]).mean(axis=1)
    return (prior * mated_cost + (1.0 - prior) * nonmated_cost) / np.log(2)


def _monotone_log_ratios(mated: np.ndarray, nonmated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct scores, rising, and the PAV log likelihood ratio of each; infinite where only one kind remains."""
    levels, inverse = np.unique(np.concatenate([mated, nonmated]), return_inverse=True)
    count = np.bincount(inverse).astype(np.float64)
    same = np.bincount(inverse[: len(mated)], minlength=len(levels))
    posterior = pool_adjacent_violators(same / count, count)
    with np.errstate(divide="ignore"):
        ratios = np.log(posterior) - np.log1p(-posterior) - np.log(len(mated) / len(nonmated))
    return levels, ratios


def _finite(name: str, scores: np.ndarray) -> np.ndarray:
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError(
            f"{name}: expected at least one score, all of them finite, got {len(scores)} of which "
            f"{int((~np.isfinite(scores)).sum())} are not; leave out walks without a vector and count them separately"
        )
    return scores.astype(np.float64)
