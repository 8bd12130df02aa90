"""The demonstration from end to end: measure, film, write.

Everything goes by the road that a user's own video takes: pictures, joints, pose maps, vectors, linear SVM, and an
answer that may be "unknown".
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gaitnet.crowd import GAIT, describe_walks, subject_name
from gaitnet.demo.outcome import NAMED, PAGE, VIDEO, Outcome, Passer, rates_by_view, summary
from gaitnet.demo.page import demo_page
from gaitnet.demo.plan import ENROLLED, PROTOCOL, DemoConfig, pictured, plan_demo
from gaitnet.evaluation.files import write_csv, write_json
from gaitnet.evaluation.runner import evaluate
from gaitnet.identification.open_set import OpenSetCalibration, OpenSetDecision, calibrate_open_set
from gaitnet.identification.search import Search, Strangers, against
from gaitnet.identification.svm import linear_svm
from gaitnet.overlay import Label, write_overlay
from gaitnet.recognizer import GaitRecognizer
from gaitnet.unknown import OpenSet, search_open_set, thresholds_of
from gaitnet.video.write import VideoWriter
from gaitnet.walkers import crossing
from gaitnet.walkers.walks import DEMO, Crowd

Progress = Callable[[int, int | None], None]
Stage = Callable[[str, str], AbstractContextManager[Progress]]
"""Stage(what is done, unit) -> a progress bar, as a context manager."""


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
    passers = []
    if config.video_frames:
        passers = film(recognizer, search, config, told_best(open_set, config.walkers), output, stage)
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


def demo_search(
    subject_ids: Sequence[str],
    enrolls: Bool[np.ndarray, " walk"],
    vectors: Float[np.ndarray, "walk size"],
    found: OpenSet,
    yardstick: Strangers | OpenSetCalibration | None,
) -> Search:
    """The whole demo gallery, ready for questions."""
    owners = [name for name, enrolled in zip(subject_ids, enrolls, strict=True) if enrolled]
    if yardstick is None:
        scores = found.score[~found.enrolled]
        ids = [f"stranger/{name}" for name in found.subjects[~found.enrolled]]
        genuine = found.score[found.enrolled & found.right]
        yardstick = calibrate_open_set(scores, ids, owners, 0.1, genuine if len(genuine) else None)
    return Search.over(vectors[enrolls], owners, yardstick)


def told_best(found: OpenSet, walkers: int) -> int:
    """The number of the walker whom the searches told most surely: the one to show what a name looks like."""
    scores = np.where(found.right, found.score, -np.inf)
    medians = [np.median(scores[found.enrolled & (found.subjects == subject_name(one))]) for one in range(walkers)]
    return int(np.argmax(medians))


def film(
    recognizer: GaitRecognizer, search: Search, config: DemoConfig, enrolled: int, output: Path, stage: Stage
) -> list[Passer]:
    """Render an enrolled walker and a stranger who cross, find them by the video road, name them, draw that in."""
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
