"""What the demonstration found: everything that its page shows, and its numbers for `results.json`."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from gaitnet.crowd import GAIT, Described, Entry
from gaitnet.demo.plan import DemoConfig
from gaitnet.evaluation.intervals import Rate, rate_over_subjects
from gaitnet.evaluation.results import Result
from gaitnet.identification.open_set import OpenSetDecision
from gaitnet.recognizer import Person
from gaitnet.unknown import OpenSet, Threshold

PAGE, VIDEO, NAMED = "demo.html", "crossing.mp4", "crossing-named.mp4"
"""In the folder of the demonstration: the page, the video as it was filmed, and with names and joints drawn in."""


class Passer(NamedTuple):
    """Somebody in the crossing video: who it is in truth, what was answered, and where."""

    truth: str
    person: Person
    decision: OpenSetDecision | None


@dataclass
class Outcome:
    """Everything the page shows."""

    config: DemoConfig
    entries: list[Entry]
    described: Described
    results: dict[str, Result]
    by_view: dict[tuple[str, float], Rate]
    open_set: OpenSet
    thresholds: list[Threshold]
    decisions: dict[int, OpenSetDecision]
    passers: list[Passer]
    seconds: float
    weights: str


def rates_by_view(result: Result) -> dict[tuple[str, float], Rate]:
    """Rank-1 by (row, view in degrees)."""
    cells: dict[tuple[str, float], list[tuple[bool, str]]] = {}
    for found in (search for search in result.searches if search.mated):
        cells.setdefault((found.row, float(found.view or 0.0)), []).append((found.correct, found.subject_id))
    return {
        cell: rate_over_subjects(np.array([hit for hit, _ in hits]), np.array([who for _, who in hits]))
        for cell, hits in sorted(cells.items())
    }


def summary(outcome: Outcome) -> dict[str, Any]:
    """The numbers, of plain Python types; NaN stays out of what is not measured."""
    rows = {
        name: {row.name: _rate(row.rank_1) for row in result.rows} | {"average": _rate(result.average)}
        for name, result in outcome.results.items()
    }
    return {
        "data": "walkers (synthetic)",
        "config": asdict(outcome.config) | {"views": list(outcome.config.views)},
        "weights": outcome.weights,
        "chance": outcome.results[GAIT].rows[0].chance,
        "rank_1": rows,
        "rank_1_by_view": [{"row": row, "view": view, **_rate(rate)} for (row, view), rate in outcome.by_view.items()],
        "open_set": [
            {"threshold": each.name, "fpir": _rate(each.fpir), "fnir": _rate(each.fnir)} for each in outcome.thresholds
        ],
        "video": [
            {
                "truth": one.truth,
                "name": None if one.decision is None else one.decision.subject_id,
                "confidence": None if one.decision is None else round(one.decision.confidence, 4),
                "reason": one.person.reason,
                "frames": len(one.person.frames),
            }
            for one in outcome.passers
        ],
        "seconds": round(outcome.seconds, 1),
    }


def _rate(rate: Rate | None) -> dict[str, float | int | None]:
    if rate is None:
        return {"value": None}
    bounds = {name: float(getattr(rate, name)) for name in ("value", "low", "high")}
    return {name: None if number != number else round(number, 4) for name, number in bounds.items()} | {
        "searches": rate.count, "subjects": rate.subjects,
    }  # fmt: skip
