"""Trials of "unknown": people are left out of the gallery in turn, and are strangers to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.intervals import Rate, rate_over_subjects
from gaitnet.identification.open_set import OpenSetCalibration
from gaitnet.identification.search import UNCALIBRATED, Search, Strangers


class OpenSet(NamedTuple):
    """Searches for people who are enrolled and for people who are not, one element a search."""

    subjects: Shaped[np.ndarray, " search"]
    enrolled: Bool[np.ndarray, " search"]
    right: Bool[np.ndarray, " search"]
    """Whether the best candidate is the person (False where the person is not enrolled)."""
    score: Float[np.ndarray, " search"]
    named: Bool[np.ndarray, " search"] | None
    """Whether a name was given, at the threshold that other people had set; None where there are no others."""


class Threshold(NamedTuple):
    """Errors at one threshold: FPIR, strangers who were given a name; FNIR, enrolled people not named rightly."""

    name: str
    fpir: Rate
    fnir: Rate


def search_open_set(
    subject_ids: Sequence[str],
    enrolls: Bool[np.ndarray, " walk"],
    vectors: Float[np.ndarray, "walk size"],
    parts: int,
    yardstick: Strangers | OpenSetCalibration | None,
) -> OpenSet:
    """Leave each part of the people out of the gallery in turn, and search for everybody's probes in what is left.

    Args:
        subject_ids: whose each walk is.
        enrolls: which walks enrol; the others are searched for.
        vectors: of the walks.
        parts: into how many the people are dealt.
        yardstick: who sets the threshold, the threshold itself, or None.
    """
    owners = np.array(subject_ids)
    people = np.unique(owners)
    columns: list[tuple[np.ndarray, ...]] = []
    for part in range(parts):
        out = np.isin(owners, people[part::parts])
        gallery, probe = enrolls & ~out, ~enrolls
        search = Search.over(
            vectors[gallery], owners[gallery].tolist(), UNCALIBRATED if yardstick is None else yardstick
        )
        table = search.scored(vectors[probe])
        best = np.array(search.machine.subject_ids)[table.best]
        named = table.score > search.calibration.threshold
        columns.append((owners[probe], ~out[probe], best == owners[probe], table.score.astype(np.float64), named))
    subjects, enrolled, right, score, named = (np.concatenate(column) for column in zip(*columns, strict=True))
    return OpenSet(subjects, enrolled, right, score, None if yardstick is None else named)


def thresholds_of(
    found: OpenSet, yardstick: Strangers | OpenSetCalibration | None, looked_up: Sequence[float] = (0.1, 0.01)
) -> list[Threshold]:
    """Errors at the threshold set beforehand, and at those that give wanted rates here."""
    strangers = found.score[~found.enrolled]

    def at(name: str, named: np.ndarray) -> Threshold:
        missed = ~(named & found.right)
        return Threshold(
            name,
            rate_over_subjects(named[~found.enrolled], found.subjects[~found.enrolled]),
            rate_over_subjects(missed[found.enrolled], found.subjects[found.enrolled]),
        )

    rows = []
    if found.named is not None:
        measuring = yardstick.parted()[1].subject_ids if isinstance(yardstick, Strangers) else ()
        who = f"{len(set(measuring))} other walkers" if measuring else "other people"
        rows.append(at(f"set beforehand on {who}", found.named))
    for rate in looked_up:
        threshold = np.quantile(strangers, 1 - rate, method="higher")
        rows.append(at(f"looked up afterwards for {100 * rate:g} % of strangers named", found.score > threshold))
    return rows
