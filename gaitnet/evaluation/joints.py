"""How far found joints are from their annotations, over people: shares within a distance, means, and their intervals.

Everything is made of one table of errors, so that every measure is taken over the same joints of the same people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Shaped

from gaitnet.evaluation.intervals import Rate, interval_of, subject_weights
from humanpose.skeleton import INDEX, JOINTS

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 11))
"""Shares of the reference length at which curves are told."""

GROUPS = {
    name: [INDEX[joint] for joint in JOINTS if joint in (name, f"r_{name}", f"l_{name}")]
    for name in (
        "ankle", "knee", "hip", "pelvis", "thorax", "upper_neck", "head_top", "wrist", "elbow", "shoulder",
    )
}  # fmt: skip
"""Kind of joint -> its joints, in the order of the original's figures."""

BUT_TRUNK = [joint for name, joint in INDEX.items() if name not in ("pelvis", "thorax")]

ORIGINAL = {
    "MPII + LSP": (14.3, 11.7, 9.7, 8.4, 4.6, 4.1, 5.1, 12.8, 9.5, 6.7, 8.7),
    "Human3.6M, walking": (1.96, 2.92, 2.13, 1.65, 1.78, 1.72, 2.70, 3.70, 3.22, 2.31, 2.52),
}
"""Mean distances of the original network in pixels of its 299 grid, read off its figures: in the order of GROUPS, and
the mean last."""


MEASURES = ("set", "measure", "joint", "unit", "value", "low", "high", "count", "people")
"""Columns of a table of measures."""


class Measure(NamedTuple):
    """One number of one set: `joint` is a joint, a kind of joints, or "all"; `unit` is "share" or "px"."""

    measure: str
    joint: str
    unit: str
    rate: Rate

    def cells(self) -> list[object]:
        """The line of a table under `MEASURES`, but for the set's name."""
        numbers = [float(f"{value:.6g}") for value in (self.rate.value, self.rate.low, self.rate.high)]
        return [self.measure, self.joint, self.unit, *numbers, self.rate.count, self.rate.subjects]


@dataclass(frozen=True, eq=False)
class Errors:
    """Joints found in pictures of people, against their annotations.

    `distance` (person, joint) in pixels: NaN where nothing is annotated or the joint does not count, infinite where
    none was found. `torso` (longer diagonal), `diameter` (the one of PDJ) and `head` (person,) are lengths in the same
    pixels, NaN where unknown; `scale` (person,) is 299-grid pixels per pixel; `owners` whose pictures they are.
    """

    distance: Float[np.ndarray, "person joint"]
    torso: Float[np.ndarray, " person"]
    diameter: Float[np.ndarray, " person"]
    head: Float[np.ndarray, " person"]
    scale: Float[np.ndarray, " person"]
    owners: Shaped[np.ndarray, " person"]

    @property
    def people(self) -> int:
        """Pictures of people with a torso, which PCK counts."""
        return int(np.isfinite(self.torso).sum())

    @property
    def left_out(self) -> int:
        """Pictures of people without a torso, which PCK leaves out."""
        return len(self.torso) - self.people

    @property
    def not_found(self) -> int:
        """Pictures of people in which nobody was found."""
        return int(np.isinf(self.distance).any(axis=1).sum())

    def pck(self, threshold: float, joints: Sequence[int] | None = None) -> Rate:
        """Share of joints within `threshold` torsos; nobody found is a miss."""
        return self._within(threshold, self.torso, joints)

    def pckh(self, threshold: float, joints: Sequence[int] | None = None) -> Rate:
        """Share of joints within `threshold` head lengths; of all but pelvis and thorax, as MPII is evaluated."""
        return self._within(threshold, self.head, BUT_TRUNK if joints is None else joints)

    def pdj(self, threshold: float, joints: Sequence[int] | None = None) -> Rate:
        """Share of joints within `threshold` torso diameters, left shoulder to right hip."""
        return self._within(threshold, self.diameter, joints)

    def on_grid(self) -> Float[np.ndarray, "person joint"]:
        """Distances in pixels of the 299 grid; NaN where there is none."""
        return np.where(np.isfinite(self.distance), self.distance * self.scale[:, None], np.nan)

    def mean_distance(self, joints: Sequence[int] | None = None) -> Rate:
        """Mean distance in pixels of the 299 grid, over the joints that were found."""
        return over_people(_chosen(self.on_grid(), joints), self.owners, share=False)

    def _within(self, threshold: float, length: np.ndarray, joints: Sequence[int] | None) -> Rate:
        known = np.isfinite(length) & (length > 0)
        limit = threshold * np.where(known, length, np.nan)[:, None]
        hits = np.where(np.isnan(self.distance) | np.isnan(limit), np.nan, self.distance <= limit)
        return over_people(_chosen(hits, joints), self.owners)

    def measures(self) -> Iterator[Measure]:
        """Every measure: overall, for each kind of joint and for each joint; curves overall and for each kind."""
        kinds: dict[str, list[int] | None] = {"all": None, **GROUPS}
        every = kinds | {name: [joint] for name, joint in INDEX.items()}
        wanted = [
            *(("PCK@0.2", name, "share", self.pck(0.2, joints)) for name, joints in every.items()),
            *(("PCK@0.1", name, "share", self.pck(0.1, joints)) for name, joints in every.items()),
            *(("PCKh@0.5", name, "share", self.pckh(0.5, joints)) for name, joints in every.items()),
            *(("distance on the 299 grid", name, "px", self.mean_distance(joints)) for name, joints in every.items()),
        ]
        for threshold in THRESHOLDS:
            wanted += [(f"PCK@{threshold:g}", name, "share", self.pck(threshold, kinds[name]))
                       for name in kinds if threshold not in (0.1, 0.2)]  # fmt: skip
            wanted += [(f"PDJ@{threshold:g}", name, "share", self.pdj(threshold, kinds[name])) for name in kinds]
        yield from (Measure(*one) for one in wanted if one[-1].count)


def over_people(
    values: Float[np.ndarray, "person joint"], owners: Shaped[np.ndarray, " person"], share: bool = True
) -> Rate:
    """Mean of what is not NaN, with a 95 % interval by bootstrap over owners.

    With `share`, a mean of exactly 0 or 1 gets Wilson's interval, as in `intervals.rate_over_subjects`.
    """
    counts = np.isfinite(values).sum(axis=1)
    scored = counts > 0
    if not scored.any():
        return Rate(np.nan, np.nan, np.nan, 0, 0)
    subjects, owner = np.unique(owners[scored], return_inverse=True)
    sums = np.bincount(owner, np.nansum(values[scored], axis=1), len(subjects))
    number = np.bincount(owner, counts[scored], len(subjects))
    weights = _weights(len(subjects))
    value, draws = float(sums.sum() / number.sum()), (weights @ sums) / (weights @ number)
    return interval_of(value, draws, int(number.sum()), len(subjects), share=share)


@lru_cache(maxsize=32)  # drawing them takes longer than all the rest
def _weights(subjects: int) -> Integer[np.ndarray, "resample subject"]:
    counts = subject_weights(subjects, 1000, 0)
    return counts.astype(np.min_scalar_type(counts.max()))  # a byte each: every number of people has a table of its own


def _chosen(values: np.ndarray, joints: Sequence[int] | None) -> np.ndarray:
    return values if joints is None else values[:, list(joints)]


def in_pixels(rate: Rate) -> str:
    """A distance with its interval, as a table shows it."""
    if np.isnan(rate.value):
        return "not measured"
    if np.isnan(rate.low):
        return f"{rate.value:.1f}"
    return f"{rate.value:.1f} [{rate.low:.1f}, {rate.high:.1f}]"
