"""`gaitnet evaluate clips`: three real men among walkers, found again in other clips, and strangers."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gaitnet.cli.describe import AsJson, Weights, load, look, yardstick
from gaitnet.cli.evaluate_kth import colours_of
from gaitnet.cli.evaluate_output import Output, Tables, deliver_tables, folder_for
from gaitnet.cli.evaluate_repaint import repaint
from gaitnet.cli.evaluate_walks import svm, windows_of
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.recognizer import GaitRecognizer

OLIVE, ORANGE, THIRD = "man in olive", "man in white shoes", "man of demo1"
ENROLLED = {"demo4": {OLIVE: 72, ORANGE: 152}, "demo1": {THIRD: 58}}
SEARCHED = {"demo6": {OLIVE: 45, ORANGE: 115}, "demo2": {THIRD: 25}}
"""Clip -> who walks through it, and a frame in which nobody else is in the picture."""
STRANGERS, FRAMES, APART = 3, 120, 64
PARTS = ("person", "place")
"""Of a picture, as in KTH's evaluation: the middle of the person's box, and all outside the box, others who walk there
included. A rendered walker's picture is a crop, so little of the place is in it."""

LEAD = (
    "Two men are enrolled from demo4 and a third from demo1, beside rendered walkers. demo6 shows the two in another "
    "place, walking the other way; demo2 is a part of demo1's walk, encoded again. The two wear the same tops in both "
    "clips, so everything is repeated on the clips made grey, with a brightness of tops and trousers drawn anew for "
    "every person and clip; the colours of the person alone and of the place alone stand beside both. The two share a "
    "place in demo4 and in demo6, and demo2's is demo1's, so of the three the place can only tell the third man from "
    "the two."
)


class Seen(NamedTuple):
    """Somebody's walk: vectors (window, size) and, of each of `PARTS`, colours (picture, feature), or why not."""

    name: str
    windows: "np.ndarray | None"
    colours: "dict[str, np.ndarray] | None"
    reason: str | None


def clips(
    root: Annotated[Path, typer.Option(help="Folder with demo1.mp4, demo2.mp4, demo4.mp4 and demo6.mp4.")],
    walkers: Annotated[int, typer.Option(min=0, help="Walkers who are enrolled beside the three men.")] = 20,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Find three real men again in other clips, as filmed and without their colours; strangers must stay unknown.

    [bold]Example[/]
    gaitnet evaluate clips --root clips --output results
    """
    import tempfile

    folder_for(output)
    missing = [name for name in (*ENROLLED, *SEARCHED) if not (root / f"{name}.mp4").is_file()]
    if missing:
        raise ValueError(f"--root: expected {', '.join(missing)} (.mp4) in {root}, which is not there")
    recognizer = load(weights)
    crowd = drawn_walkers(recognizer, walkers + STRANGERS)
    tables, notes = [], []
    with tempfile.TemporaryDirectory() as place:
        for title, repainted in (("as filmed", None), ("grey, brightness of clothes drawn", Path(place))):
            seen = {clip: watched(recognizer, root, clip, men, repainted)
                    for clip, men in (ENROLLED | SEARCHED).items()}  # fmt: skip
            enrolled = [one for clip in ENROLLED for one in seen[clip]] + crowd[:walkers]
            probes = [(clip, one) for clip in SEARCHED for one in seen[clip]]
            probes += [("stranger", one) for one in crowd[walkers:]]
            header, lines, remarks = answers(enrolled, probes, yardstick(weights, recognizer.identity))
            tables.append((f"{title}, by gait", header, lines))
            header, lines, more = by_colours(enrolled, probes)
            tables.append((f"{title}, by colours alone", header, lines))
            notes += [text for text in (*remarks, *(f"{title}: {text}" for text in more)) if text not in notes]
    footer = f"gaitnet evaluate clips --root {root}; weights {recognizer.identity}. Clips: research use, testing only."
    deliver_tables(Tables("clips", "Three men among walkers", LEAD, tables, notes, footer), output, as_json)


def answers(
    enrolled: Sequence[Seen], probes: Sequence[tuple[str, Seen]], measure: Any
) -> tuple[list[str], list[list[Any]], list[str]]:
    """Header, a line for each probe, and remarks: whom each walk is most like, and whether that is enough for a name.

    A probe is (clip or "stranger", walk); `measure` the strangers that set the limit, or None. "right" is empty where
    there is no limit to tell a stranger by. Raises ValueError where nobody could be enrolled.
    """
    import numpy as np

    from gaitnet.identification.open_set import OpenSetCalibration
    from gaitnet.identification.search import Search

    there = [one for one in enrolled if one.windows is not None]
    if not there:
        raise ValueError("nobody could be described in the clips that enrol, so nobody can be searched for")
    described = [one.windows for one in there if one.windows is not None]
    templates = np.concatenate(described)
    owners = np.repeat([one.name for one in there], [len(windows) for windows in described]).tolist()
    remarks = [f"{one.name} could not be enrolled: {one.reason}" for one in enrolled if one.windows is None]
    if measure is None:
        remarks.append("These weights bring no strangers to set a threshold by: the answer is the best candidate.")
        measure = OpenSetCalibration(-np.inf, 0.5, (), None, None, {})
    search = Search.over(templates, owners, measure)
    limit = search.calibration.threshold
    header = ["in", "who it is", "most like", "score", "limit", "margin", "named", "right"]
    lines: list[list[Any]] = []
    for clip, one in probes:
        line: list[Any] = [clip, _called(clip, one, owners)]
        if one.windows is None:
            line += [f"not described: {one.reason}", None, None, None, "no", "no"]
        else:
            probe = one.windows.mean(axis=0, keepdims=True)
            answer = search.identify(probe)[0]
            scores = search.scored(probe)
            line += [answer.candidate, round(float(scores.score[0]), 3)]
            line += [round(limit, 3) if np.isfinite(limit) else None, round(float(scores.margin[0]), 3)]
            right: str | None = "yes" if answer.subject_id == (None if clip == "stranger" else one.name) else "no"
            if clip == "stranger" and not np.isfinite(limit):
                right = None  # nobody can be told from a stranger without a threshold
            line += ["yes" if answer.subject_id else "no", right]
        lines.append(line)
    return header, lines, remarks


def by_colours(
    enrolled: Sequence[Seen], probes: Sequence[tuple[str, Seen]]
) -> tuple[list[str], list[list[Any]], list[str]]:
    """Header, a line for each probe and each of `PARTS`, and remarks: whom that part's colours alone are most like.

    By SVMs without a limit, so a stranger is neither right nor wrong.
    """
    import numpy as np

    dressed = [(one.name, one.colours) for one in enrolled if one.colours is not None]
    lines: list[list[Any]] = []
    for part in PARTS:
        owners = np.repeat([name for name, _ in dressed], [len(colours[part]) for _, colours in dressed])
        names, fitted = np.unique(owners), svm(np.concatenate([colours[part] for _, colours in dressed]), owners)
        for clip, one in probes:
            line: list[Any] = [clip, _called(clip, one, names), part]
            if one.colours is None:
                line += [None, None, None]
            else:
                mean = fitted(one.colours[part]).mean(axis=0)
                best = np.sort(mean)
                line += [str(names[np.argmax(mean)])]
                line += [round(float(best[-1] - best[-2]), 3) if len(best) > 1 else None]
                line += [None if clip == "stranger" else "yes" if line[3] == one.name else "no"]
            lines.append(line)
    remarks = []
    for clip in dict.fromkeys(clip for clip, _ in probes if clip != "stranger"):
        found = [line[3] for line in lines if line[0] == clip and line[2] == "place" and line[3] is not None]
        if len(found) > 1 and len(set(found)) == 1:
            remarks.append(
                f"the place alone takes everybody in {clip} for {found[0]}: it cannot tell apart who was filmed in one "
                "place, so a yes of it says nothing there."
            )
    return ["in", "who it is", "colours of", "most like", "lead", "right"], lines, remarks


def _called(clip: str, one: Seen, enrolled: Container[str]) -> str:
    return one.name if clip == "stranger" or one.name in enrolled else f"{one.name}, not enrolled"


def watched(
    recognizer: "GaitRecognizer", root: Path, clip: str, men: Mapping[str, int], repainted: Path | None
) -> list[Seen]:
    """The people of a clip by their names; with `repainted`, a folder, those of the clip without its colours.

    `men` says in which frame each is alone, so that nobody gets the name of another who could not be described.
    """
    import numpy as np

    video = root / f"{clip}.mp4"
    people = look(recognizer, video)
    if repainted is not None:
        painted = repainted / f"{clip}.mp4"
        repaint(video, [one for one in people if one.reason is None], painted, seed=int(clip[-1]))
        video, people = painted, look(recognizer, painted)
    found = []
    for name, frame in men.items():
        there = sorted(
            (one for one in people if frame in one.frames), key=lambda one: (one.reason or "", -len(one.frames))
        )
        if there and there[0].reason is None:
            ((own, place),) = colours_of(video, there[:1], [[(0, np.ones(len(there[0].frames), bool))]])
            parts = {part: shares for part, shares in zip(PARTS, (own, place), strict=True) if shares is not None}
            found.append(Seen(name, there[0].windows, parts or None, None))
        else:
            found.append(Seen(name, None, None, there[0].reason if there else "nobody was seen"))
    return found


def drawn_walkers(recognizer: "GaitRecognizer", count: int) -> list[Seen]:
    """Normal walks of walkers never trained on, from the side, rendered and seen by the pose network."""
    import numpy as np

    from gaitnet.crowd import see_walks
    from gaitnet.evaluation.controls import colour_histograms
    from gaitnet.recognizer import maps_of_walk
    from gaitnet.walkers.walks import EVALUATION, Crowd, WalkPlan

    crowd, plans = (
        Crowd(EVALUATION + 3, FRAMES, size=recognizer.pose.size),
        [WalkPlan(number) for number in range(count)],
    )
    found = []
    with bar("drawing walkers", "walkers") as progress:
        for number, (walk, keypoints, probability) in enumerate(see_walks(recognizer, crowd, plans)):
            maps = [*maps_of_walk(keypoints, probability, walk.times, walk.mirrored)]
            # the box of a crop: four fifths of its height (the crop's margin), a third of its width
            height, width = walk.crops.shape[1:3]
            box = np.array([width / 3, height / 10, width * 2 / 3, height * 9 / 10])
            pictures = [colour_histograms(crop, box) for crop in walk.crops[::APART]]
            colours = dict(zip(PARTS, map(np.stack, zip(*pictures, strict=True)), strict=True))
            found.append(Seen(f"walker {number + 1}", windows_of(recognizer, [maps])[0], colours, None))
            progress(number + 1, count)
    return found
