"""The demonstration's page: who walked, what was seen of them, who they were taken for, and how often that is right."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gaitnet.crowd import COLOUR_CONTROLS, GAIT, MOTION_CONTROLS, Glimpse
from gaitnet.demo.outcome import NAMED, Outcome, Passer
from gaitnet.evaluation.intervals import Rate
from gaitnet.evaluation.metrics import cmc
from gaitnet.evaluation.pairs import det, mated_and_nonmated
from gaitnet.evaluation.plots import cmc_plot, det_plot, score_histogram, score_matrix_plot
from gaitnet.evaluation.report import Page
from gaitnet.identification.open_set import OpenSetDecision, in_percent
from gaitnet.overlay import Seen, draw
from gaitnet.video.read import VideoReader
from gaitnet.walkers.walks import RATE

POSTER = 52
"""Frame of the video that is shown until it plays: both are in view and have not met yet."""

NAMES = {"NM": "normal", "BP": "backpack", "CL": "coat", "HB": "hand bag", "SH": "coating shoes"}

LEAD = (
    "The people on this page are walkers (synthetic): bodies and gaits drawn from published spreads, rendered as "
    "video. No network here was trained on any of them. They are enrolled from normal walks, then searched for in "
    "other walks, in other clothes, at other places, by joints and their motion alone."
)
HONEST = (
    "Figures for walkers (synthetic) say that the road works; they say nothing about real people, for whom there are "
    "measurements of their own (gaitnet evaluate)."
)
CONTROLS = (
    "Clothes, place, light and camera are drawn anew for every walk, whoever walks. So whoever reads colours of the "
    "walker or of the background must stay at chance. A single frame (one pose, repeated) and shuffled frames (all "
    "poses, no order) show how much of the result is the shape of poses rather than motion."
)
STRANGERS = (
    "The walkers are cut into parts, each of which is left out of the gallery in turn and searched for among the "
    "others: strangers, to whom the right answer is \u201cunknown\u201d. FPIR is the share of strangers who are given "
    "a name, FNIR the share of enrolled walkers who are not named rightly (ISO/IEC 19795-1)."
)


def demo_page(outcome: Outcome, folder: Path, command: str) -> Page:
    """The page; the video is read from `folder`."""
    gait, config = outcome.results[GAIT], outcome.config
    many = "Twenty" if config.walkers == 20 else str(config.walkers)
    page = Page(f"{many} walkers (synthetic), told by how they walk", LEAD)
    page.note(HONEST)
    _answer(page, outcome)
    if config.video_frames:
        _video(page, outcome.passers, folder)
    if outcome.decisions:
        _pictures(page, outcome)
    _results(page, outcome)
    _open_set(page, outcome)
    _curves(page, outcome)
    page.heading("Protocol").preformatted(str(gait.protocol), "protocol")
    return page.footer(
        f"{command}; {outcome.seconds:.0f} s; weights {outcome.weights or 'unnamed'}; intervals: 95 %, bootstrap over "
        f"walkers. Data: walkers (synthetic), {config.walkers} of them, walks of {config.frames / RATE:.1f} s."
    )


def _answer(page: Page, outcome: Outcome) -> None:
    gait = outcome.results[GAIT]
    tiles: list[tuple[str, Rate | str, str]] = [
        (row.name, row.rank_1, f"chance {100 * row.chance:.0f} %") for row in gait.rows
    ]
    first = outcome.thresholds[0]
    known = Rate(1 - first.fpir.value, 1 - first.fpir.high, 1 - first.fpir.low, first.fpir.count, first.fpir.subjects)
    page.tiles([*tiles, ("strangers answered \u201cunknown\u201d", known, first.name)])


def _video(page: Page, passers: list[Passer], folder: Path) -> None:
    page.heading("Two who cross, one of them enrolled")
    page.paragraph(
        "Found in the video by gaitnet's own detector and tracker, joints by its pose network; nothing of the "
        "rendering is handed on. Orange: right limbs, blue: left ones. The enrolled one was chosen: "
        "the walker whom the searches below told most surely."
    )
    with VideoReader(folder / NAMED) as reader:
        for frame in reader:
            if frame.index >= POSTER:
                break
    poster = jpeg(frame.image)
    page.video(
        folder / NAMED, alt="Two walkers cross; joints, names and confidence are drawn in", poster=poster,
        caption="Walkers (synthetic), 25 frames a second.",
    )  # fmt: skip
    lines = [
        [one.truth, _answered(one.decision, one.person.reason), None if one.decision is None else _sure(one.decision),
         len(one.person.frames)]
        for one in passers
    ]  # fmt: skip
    if lines:
        page.table(["in truth", "answer", "sure", "frames"], lines, caption="Walkers (synthetic) in the video")
    else:
        page.note("Nobody was found in the video.", warning=True)


def _answered(decision: OpenSetDecision | None, reason: str | None) -> str:
    if decision is None:
        return f"not described: {reason}"
    return decision.subject_id or f"unknown (most like {decision.candidate})"


def _sure(decision: OpenSetDecision) -> str:
    return "\u2013" if decision.subject_id is None else in_percent(decision.confidence)


def _pictures(page: Page, outcome: Outcome) -> None:
    page.heading("What is seen of a walker")
    page.paragraph("One frame of a probe each, with the joints as the pose network finds them, and the answer.")
    shown = []
    for place, decision in outcome.decisions.items():
        entry = outcome.entries[place]
        sample, plan = entry.sample, entry.plan
        condition = NAMES[plan.condition] + (", second session" if plan.session else "")
        right = (
            "right" if decision.subject_id == sample.subject_id else "not recognised" if decision.unknown else "wrong"
        )
        caption = (
            f"{sample.subject_id}, {condition}, {plan.view:.0f}\N{DEGREE SIGN}: {_answered(decision, None)} ({right})"
        )
        picture = portrait(outcome.described.glimpses[place])
        shown.append((jpeg(picture), f"A walker with joints drawn in: {sample.subject_id}, {condition}", caption))
    page.strip(shown, label="Walkers (synthetic) with their joints")


def portrait(glimpse: Glimpse) -> UInt8[np.ndarray, "tall wide 3"]:
    """A crop, enlarged, with the joints drawn in."""
    height, width = glimpse.image.shape[:2]
    around = np.array([-height, -height, 2.0 * width, 2.0 * height])  # a frame out of sight: the crop is the frame
    return draw(glimpse.image, [Seen(around, glimpse.keypoints, glimpse.probability)])


def _results(page: Page, outcome: Outcome) -> None:
    gait = outcome.results[GAIT]
    columns = [*MOTION_CONTROLS, *COLOUR_CONTROLS]
    count = f"{gait.rows[0].gallery_subjects} enrolled, {gait.rows[0].rank_1.count} searches a row"
    lines: list[list[object]] = [
        [
            row.name,
            row.rank_1,
            *[outcome.results[name].rows[place].rank_1 for name in columns],
            f"{100 * row.chance:.1f} %",
        ]
        for place, row in enumerate(gait.rows)
    ]
    chance = f"{100 * gait.rows[0].chance:.1f} %"
    lines.append(["average", gait.average, *[outcome.results[name].average for name in columns], chance])
    page.heading("How often the best of all is the right one")
    page.table(
        ["probes", "rank-1 by gait", *columns, "chance"], lines,
        caption=f"Walkers (synthetic): {count}",
    )  # fmt: skip
    page.paragraph(CONTROLS)
    for name in COLOUR_CONTROLS:
        result = outcome.results[name]
        if result.average is not None and not result.average.contains(result.rows[0].chance):
            page.note(f"{name}: the interval does not hold chance; see whether clothes tell who walks.", warning=True)
    views = outcome.config.views
    page.table(
        ["probes", *[f"{view:.0f}\N{DEGREE SIGN}" for view in views]],
        [[row.name, *[outcome.by_view[row.name, view] for view in views]] for row in gait.rows],
        caption="Walkers (synthetic): rank-1 by gait, a column a view (90 from the side); all views are enrolled",
    )


def _open_set(page: Page, outcome: Outcome) -> None:
    page.heading("\u201cUnknown\u201d is an answer")
    page.paragraph(STRANGERS)
    page.table(
        ["threshold", "FPIR", "FNIR"], [[each.name, each.fpir, each.fnir] for each in outcome.thresholds],
        caption="Walkers (synthetic): strangers given a name, enrolled walkers not named rightly",
    )  # fmt: skip


def _curves(page: Page, outcome: Outcome) -> None:
    gait, found = outcome.results[GAIT], outcome.open_set
    ranks = {row.name: cmc(*row.pairs) for row in gait.rows}
    trade = {row.name: det(*mated_and_nonmated(*row.pairs)) for row in gait.rows}
    row = gait.rows[0]
    matrix = score_matrix_plot(row.scores, row.probe_ids, row.subject_ids, title="Scores, normal walks")
    scores = score_histogram(
        found.score[found.enrolled & found.right], found.score[~found.enrolled], title="Scores of answers"
    )
    page.heading("Curves").figures([
        (cmc_plot(ranks, title="Cumulative match, by gait"), "Identification rate over rank, a line a condition",
         "CMC: how often the right walker is among the best so many. Walkers (synthetic)."),
        (det_plot(trade, title="Detection error trade-off, by gait"), "False non-match over false match rate",
         "DET: every probe against every enrolled walker. Walkers (synthetic)."),
        (matrix, "Score of every probe for every enrolled walker, as colours",
         "Score matrix: rows are probes, columns enrolled walkers. Walkers (synthetic)."),
        (scores, "Histogram of scores of enrolled walkers rightly found, and of strangers",
         "Scores of right answers and of strangers' best candidates. Walkers (synthetic)."),
    ])  # fmt: skip


def jpeg(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A picture as JPEG bytes: photographs are ten times as large as PNG."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, np.ascontiguousarray(image), format="jpg", pil_kwargs={"quality": 85})
    return file.getvalue()
