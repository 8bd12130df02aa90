"""How sure a rate is: bootstrap over subjects, and Wilson's interval for a plain proportion.

Walks of one person are not independent, so the subject, not the walk, is what is drawn again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclass(frozen=True)
class Rate:
    """A measured value with its interval, both in the value's own unit (a share from 0 to 1 for every rate).

    `low` and `high` are NaN where nothing could be said; `method` says how they came about.
    """

    value: float
    low: float
    high: float
    count: int
    subjects: int
    method: str = "bootstrap over subjects"
    level: float = 0.95

    def contains(self, value: float) -> bool:
        """Whether `value` (chance, say) lies within the interval."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "not measured"
        if np.isnan(self.low):
            return f"{100 * self.value:.1f} %"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def subject_weights(subjects: int, resamples: int, seed: int) -> Int[np.ndarray, "resample subject"]:
    """How often each subject is drawn in each bootstrap resample (rows sum to `subjects`); seeded."""
    if subjects < 1:
        raise ValueError(f"subjects: expected at least one, got {subjects}")
    return np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)


def rate_over_subjects(
    hits: Bool[np.ndarray, " probe"] | Float[np.ndarray, " probe"],
    subject_ids: Shaped[np.ndarray, " probe"],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Rate:
    """Mean of `hits` over probes with a percentile bootstrap interval over subjects.

    Where every probe is right (or every one wrong) resampling sees no spread and would claim certainty; then Wilson's
    interval over the number of subjects is given instead, and `method` says so.
    """
    subjects, owner = _owners(subject_ids)
    sums, counts = np.bincount(owner, hits, len(subjects)), np.bincount(owner, minlength=len(subjects))
    weights = subject_weights(len(subjects), resamples, seed)
    return interval_of(float(np.mean(hits)), (weights @ sums) / (weights @ counts), len(hits), len(subjects), level)


def bootstrap_over_subjects(
    statistic: Callable[[Int[np.ndarray, " draw"]], float],
    subject_ids: Shaped[np.ndarray, " probe"],
    *,
    resamples: int = 200,
    seed: int = 0,
    level: float = 0.95,
    share: bool = True,
) -> Rate:
    """Any statistic with a percentile bootstrap interval over subjects.

    Args:
        statistic: takes probe indices (with repetition) and gives the value on those probes; NaN where undefined.
        subject_ids: whose each probe is.
        resamples: draws of subjects.
        seed: of the draws.
        level: share of the draws between the bounds.
        share: whether the statistic is one of 0 to 1, whose ends have Wilson's interval; no pixels.

    """
    subjects, owner = _owners(subject_ids)
    members = [np.flatnonzero(owner == index) for index in range(len(subjects))]
    draws = np.random.default_rng(seed).integers(len(subjects), size=(resamples, len(subjects)))
    values = np.array([statistic(np.concatenate([members[index] for index in draw])) for draw in draws])
    value = float(statistic(np.arange(len(owner))))
    return interval_of(value, values, len(owner), len(subjects), level, share)


def interval_of(
    value: float,
    draws: Float[np.ndarray, " resample"],
    count: int,
    subjects: int,
    level: float = 0.95,
    share: bool = True,
) -> Rate:
    """Take the percentiles of bootstrap `draws` as bounds; for a share of exactly 0 or 1 Wilson's over the subjects.

    Of one subject alone every draw is the same, which says nothing: there the bounds are NaN.
    """
    if share and value in (0.0, 1.0):
        wilson = wilson_interval(round(value * subjects), subjects, level=level)
        return Rate(value, wilson.low, wilson.high, count, subjects, "Wilson over subjects", level)
    draws = draws[np.isfinite(draws)]
    if not len(draws) or subjects < 2:
        return Rate(value, np.nan, np.nan, count, subjects, level=level)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Rate(value, float(low), float(high), count, subjects, level=level)


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> Rate:
    """Wilson's score interval for `successes` out of `trials` independent trials (Wilson, JASA 1927).

    For chance checks: a control is at chance if this contains it. Treats trials as independent, so it is narrower than
    the truth where one person gives several.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(
            f"successes, trials: expected 0 <= successes <= trials and trials >= 1, got {successes}, {trials}"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else centre - half  # exact at the ends, where rounding would leave 1e-17
    high = 1.0 if successes == trials else centre + half
    return Rate(share, low, high, trials, trials, "Wilson", level)


def _owners(subject_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(subject_ids):
        raise ValueError("subject_ids: expected at least one probe, got none")
    subjects, owner = np.unique(subject_ids, return_inverse=True)
    return subjects, owner
