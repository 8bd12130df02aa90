"""Two runs of one protocol on the same walks, side by side: is one better, or do these persons just suit it.

Both are compared search by search, so that what is hard for everybody cancels out of the difference.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gaitnet.evaluation.intervals import Rate, interval_of
from gaitnet.evaluation.run_files import Run, Searches, degrees, read_run
from gaitnet.evaluation.view_rates import Cells, rate_over_views

__all__ = ["Difference", "Run", "Searches", "compare", "identification_curve", "read_run"]


@dataclass(frozen=True)
class Difference:
    """One row of a protocol by one method in two runs; `difference` is second minus first, in shares, -1 to 1.

    Where `difference` does not contain 0, the runs differ by more than the choice of persons explains.
    """

    row: str
    method: str
    measure: str
    first: Rate
    second: Rate
    difference: Rate


def compare(first: Run, second: Run, *, resamples: int = 1000, seed: int = 0) -> tuple[Difference, ...]:
    """Rank-1 and rank-5 of every row and method that both runs have, and their difference, persons redrawn in pairs.

    Methods are paired by name; where no name is in both, the first of the one with the first of the other.

    Raises:
        ValueError: the runs are of different protocols, searched for different walks, or had different galleries.

    """
    if (first.protocol, first.text) != (second.protocol, second.text):
        what = (
            f"{first.protocol} and {second.protocol}"
            if first.protocol != second.protocol
            else f"{first.protocol} by different rules: {_first_change(first.text, second.text)}"
        )
        raise ValueError(f"runs: expected two of one protocol, got {what}; only like can be compared with like")
    shared = [name for name in first.methods if name in second.methods]
    pairs = [(name, name) for name in shared] or [(next(iter(first.methods)), next(iter(second.methods)))]
    found = []
    for one, other in pairs:
        a, b = first.methods[one], second.methods[other]
        _require_same_searches(first, second, a, b)
        _require_same_galleries(first, second, one, other)
        method = one if one == other else f"{one} / {other}"
        for row in first.rows:
            found += _row(row, method, first.views, a.of_row(row), b.of_row(row), resamples, seed)
    return tuple(found)


def identification_curve(searches: Searches, row: str, most: int = 20) -> Float[np.ndarray, " rank"]:
    """Share of a row's searches whose person is within rank 1, 2, ... `most`: the CMC, each search alike."""
    ranks = searches.of_row(row).ranks
    return (ranks[:, None] <= np.arange(1, most + 1)).mean(axis=0)


def _row(
    row: str, method: str, views: str, first: Searches, second: Searches, resamples: int, seed: int
) -> list[Difference]:
    if not first.keys:
        return []
    probe_ids = np.array([key[1] for key in first.keys])
    roster = np.unique(probe_ids)
    gallery_view, view = (np.array([degrees(key[place]) for key in first.keys]) for place in (6, 4))
    cells = Cells.of(gallery_view, np.zeros(len(view)) if views == "pooled" else view)
    found = []
    for measure, k in (("rank-1", 1), ("rank-5", 5)):
        a, b = (rate_over_views(each.ranks <= k, probe_ids, roster, cells, resamples, seed) for each in (first, second))
        change = interval_of(b.rate.value - a.rate.value, b.draws - a.draws, len(probe_ids), len(roster), share=False)
        found.append(Difference(row, method, measure, a.rate, b.rate, change))
    return found


def _require_same_searches(first: Run, second: Run, a: Searches, b: Searches) -> None:
    if a.keys != b.keys:
        only = sorted(set(a.keys) ^ set(b.keys)) or a.keys[:1]
        where = first.folder if only[0] in set(a.keys) else second.folder
        raise ValueError(
            f"runs: expected the same probes in both, got {len(a.keys)} searches in {first.folder} and {len(b.keys)} "
            f"in {second.folder}; {len(only)} are in one only, such as {'/'.join(filter(None, only[0]))} in {where}"
        )
    differ = np.flatnonzero(a.mated != b.mated)
    if len(differ):
        raise ValueError(
            f"runs: expected the same persons enrolled in both, got galleries that differ for {len(differ)} searches, "
            f"such as {'/'.join(filter(None, a.keys[differ[0]]))}; enrol the same walks in both"
        )


def _require_same_galleries(first: Run, second: Run, one: str, other: str) -> None:
    """Among more persons anybody is harder to find; who of them could be described is the runs' own affair."""
    sizes, others = first.gallery_subjects[one], second.gallery_subjects[other]
    for row in first.rows:
        if sizes.get(row) != others.get(row):
            raise ValueError(
                f"runs: expected galleries of the same persons in both, got {sizes.get(row, 'no')} persons to choose "
                f"from in {first.folder} and {others.get(row, 'no')} in {second.folder} for {row}; enrol the same "
                "walks in both"
            )


def _first_change(one: str, other: str) -> str:
    """The first line in which two texts differ."""
    lines = zip([*one.splitlines(), ""], [*other.splitlines(), ""], strict=False)
    return next((f"{a.strip()!r} and {b.strip()!r}" for a, b in lines if a != b), "their texts differ in length")
