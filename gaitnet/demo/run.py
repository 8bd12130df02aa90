"""The demonstration: walkers (synthetic) whom no network was trained on are enrolled and found again.

Everything runs by the road that a user's own video takes: pictures, joints, pose maps, vectors, linear SVM, and an
answer that may be "unknown". `run` measures and writes; `page.demo_page` makes the page to look at.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gaitnet.crowd import GAIT, Described, Entry, describe_walks, subject_name
from gaitnet.evaluation.files import write_csv, write_json
from gaitnet.evaluation.intervals import Rate, rate_over_subjects
from gaitnet.evaluation.results import Result
from gaitnet.evaluation.runner import evaluate
from gaitnet.evaluation.selection import Protocol, Row, Sample, Select
from gaitnet.identification.open_set import OpenSetCalibration, OpenSetDecision
from gaitnet.identification.search import Search, Strangers, against
from gaitnet.identification.svm import linear_svm
from gaitnet.overlay import Label, write_overlay
from gaitnet.recognizer import GaitRecognizer, Person
from gaitnet.unknown import OpenSet, Threshold, demo_search, search_open_set, thresholds_of
from gaitnet.video.write import VideoWriter
from gaitnet.walkers import crossing
from gaitnet.walkers.walks import DEMO, Crowd, WalkPlan

Progress = Callable[[int, int | None], None]
Stage = Callable[[str, str], AbstractContextManager[Progress]]
"""Stage(what is done, unit) -> a progress bar, as a context manager."""

PROBES = (
    ("normal", "n3", "NM", 0),
    ("backpack", "b1", "BP", 0),
    ("coat", "c1", "CL", 0),
    ("second session", "n4", "NM", 1),
)
"""Name of the row, of the walk, its condition, its session."""
ENROLLED = ("n1", "n2")
PAGE, VIDEO, NAMED = "demo.html", "crossing.mp4", "crossing-named.mp4"

PROTOCOL = Protocol(
    "walkers (synthetic), demonstration",
    "unseen walkers; two normal walks a view enrol, from all views together; clothes, place and camera always change",
    tuple(Row(name, Select(sequences=ENROLLED), Select(sequences=(walk,))) for name, walk, _, _ in PROBES),
    test=Select(parts=("demo",)),
    train=Select(parts=("train",)),
    average_rows=True,
)


@dataclass(frozen=True)
class DemoConfig:
    """How much is shown: `walkers` people from `views` (degrees), walks of `frames` frames (25 a second).

    `left_out`: into so many parts the people are cut, each in turn left out of the gallery and searched for as
    strangers. `video_frames` of the crossing, 25 a second, 0 for none; `pictures` of walkers with joints.
    """

    walkers: int = 20
    views: tuple[float, ...] = (54.0, 90.0, 126.0)
    frames: int = 64
    left_out: int = 5
    video_frames: int = 136
    pictures: int = 12
    seed: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.left_out <= self.walkers or self.walkers < 3 or not self.views:
            raise ValueError(f"walkers, left_out, views: expected 3 walkers, 2 parts and a view at least, got {self}")
        if not 0 <= self.seed < 100_000:
            raise ValueError(f"seed: expected 0 to 99999, got {self.seed}")


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


def plan_demo(config: DemoConfig) -> list[Entry]:
    """All walks: the enrolled ones first to the right, then to the left; probes go either way."""
    walks = [(name, name, "NM", 0) for name in ENROLLED] + list(PROBES)
    entries = []
    for subject in range(config.walkers):
        for place, view in enumerate(config.views):
            for take, (_, name, condition, session) in enumerate(walks):
                to_left = bool(take % 2) if take < 2 else bool((subject + place + take) % 2)
                plan = WalkPlan(subject, condition, session, view, take, to_left)
                sample = Sample(subject_name(subject), condition, str(session + 1), view, name, "demo")
                entries.append(Entry(plan, sample))
    return entries


def run(
    recognizer: GaitRecognizer,
    output: Path,
    config: DemoConfig | None = None,
    yardstick: Strangers | OpenSetCalibration | None = None,
    stage: Stage = lambda what, unit: nullcontext(lambda done, total: None),
    command: str = "gaitnet demo",
) -> dict[str, Any]:
    """Measure, and write page, video and numbers into the folder `output`; returns the numbers, ready for JSON.

    Args:
        recognizer: both networks.
        output: made if missing; files of an earlier run are replaced.
        config: how much; about three minutes of two cores by default.
        yardstick: other people, to learn against and to set the threshold beforehand; None: it is looked up in the
            demo's own strangers.
        stage: gives each part of the work a progress bar.
        command: for the page's last line.

    Raises:
        ValueError: `output` is a file.
        OSError: it cannot be written.
    """
    from gaitnet.demo.page import demo_page

    config, begun = config or DemoConfig(), time.monotonic()
    if output.exists() and not output.is_dir():
        raise ValueError(f"output: expected a folder, but {output} is a file; name another with --output")
    output.mkdir(parents=True, exist_ok=True)
    entries = plan_demo(config)
    keep = pictured(entries, config.pictures)
    with stage("walkers: rendering, joints, vectors", "walks") as progress:
        plans = [entry.plan for entry in entries]
        crowd = Crowd(DEMO + config.seed, config.frames, size=recognizer.pose.size)
        described = describe_walks(recognizer, crowd, plans, keep=keep, progress=progress)
    samples = [entry.sample for entry in entries]
    with stage("identifying", "methods") as progress:
        results = {}
        for done, (name, vectors) in enumerate(described.vectors.items(), 1):
            fit = against(yardstick) if name == GAIT else linear_svm
            results[name] = evaluate(PROTOCOL, samples, vectors, fit)
            progress(done, len(described.vectors) + 1)
        enrolls = np.isin([sample.sequence for sample in samples], ENROLLED)
        owners = [sample.subject_id for sample in samples]
        open_set = search_open_set(owners, enrolls, described.vectors[GAIT], config.left_out, yardstick)
        search = demo_search(owners, enrolls, described.vectors[GAIT], open_set, yardstick)
        answers = search.identify(described.vectors[GAIT][list(keep)]) if keep else []
    passers = film(recognizer, search, config, output, stage) if config.video_frames else []
    outcome = Outcome(
        config, entries, described, results, rates_by_view(results[GAIT]), open_set,
        thresholds_of(open_set, yardstick), dict(zip(keep, answers, strict=True)), passers,
        time.monotonic() - begun, recognizer.identity,
    )  # fmt: skip
    with stage("writing the page", "files") as progress:
        demo_page(outcome, output, command).write(output / PAGE)
        document = summary(outcome)
        write_json(output / "results.json", document)
        write_csv(output / "searches.csv", *results[GAIT].searches_table())
        progress(3, 3)
    files = [PAGE, "results.json", "searches.csv", *([NAMED, VIDEO] if config.video_frames else [])]
    return document | {"files": [str(output / name) for name in files]}


def pictured(entries: Sequence[Entry], count: int) -> list[int]:
    """Places of the walks that are shown: probes, each of another person, conditions and views by turns."""
    probes = [place for place, entry in enumerate(entries) if entry.sample.sequence not in ENROLLED]
    subjects = sorted({entries[place].plan.subject for place in probes})
    chosen = []
    for turn in range(min(count, len(subjects))):
        own = [place for place in probes if entries[place].plan.subject == subjects[turn]]
        chosen.append(own[(turn * (len(PROBES) + 1)) % len(own)])
    return chosen


def rates_by_view(result: Result) -> dict[tuple[str, float], Rate]:
    """Rank-1 by (row, view in degrees)."""
    cells: dict[tuple[str, float], list[tuple[bool, str]]] = {}
    for found in result.searches:
        cells.setdefault((found.row, float(found.view or 0.0)), []).append((found.correct, found.subject_id))
    return {
        cell: rate_over_subjects(np.array([hit for hit, _ in hits]), np.array([who for _, who in hits]))
        for cell, hits in sorted(cells.items())
    }


def film(recognizer: GaitRecognizer, search: Search, config: DemoConfig, output: Path, stage: Stage) -> list[Passer]:
    """Render an enrolled walker and a stranger who cross, find them by the video road, name them, draw that in."""
    enrolled = config.seed % config.walkers
    pair = (enrolled, config.walkers + 1)
    truths = (subject_name(enrolled), f"{subject_name(pair[1])}, who is not enrolled")
    with stage("filming two who cross", "frames") as progress, VideoWriter(output / VIDEO, crossing.RATE, 18) as writer:
        for done, frame in enumerate(crossing.crossing(DEMO + config.seed, pair, config.video_frames), 1):
            writer.write(frame)
            progress(done, config.video_frames)
    with stage("watching the video", "frames") as progress:
        people = recognizer.describe(output / VIDEO, progress)
    passers = []
    for person in people:
        vector = person.identification_vector
        decision = None if vector is None else search.identify(vector[None])[0]
        passers.append(Passer(truths[int(person.mirrored)], person, decision))
    with stage("drawing names and joints", "frames") as progress:
        write_overlay(output / VIDEO, people, [label_of(one.decision) for one in passers], output / NAMED, progress)
    return passers


def label_of(decision: OpenSetDecision | None) -> Label:
    """What is written above somebody."""
    if decision is None:
        return Label("not described", None, True)
    if decision.subject_id is None:
        return Label("unknown", None, True)
    return Label(decision.subject_id, decision.confidence)


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
