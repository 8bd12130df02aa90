"""`gaitnet evaluate cmu`: recorded motion on rendered bodies, from pixels to a name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Weights, load, yardstick
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.evaluate_walks import chosen, joints_of_plan, maps_of, only, result_of, results_of, svm, windows_of
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.recognizer import GaitRecognizer

LEAD = (
    "Recorded walks move a drawn body, seen from the side; place, light, camera and clothes are drawn anew for every "
    "clip. The first clip of a performer enrols, the others are searched for, also filmed from 54 degrees off the "
    "side, in a coat and with a backpack, which hide the motion and do not change it; performers of one clip distract. "
    "How posture is measured beside GaitNN's numbers was chosen with KTH and these clips in view. "
    "On their own bodies performers also differ in build; on one common body only motion is left: that row counts."
)

HARDER = ((36.0, "NM"), (90.0, "CL"), (90.0, "BG"))
"""View and condition in which the clips that are searched for are filmed again."""


def cmu(
    root: Annotated[Path, typer.Option(help="Folder of clips named SS_TT.bvh (subject, trial).")],
    performer: Annotated[
        list[str] | None, typer.Option(help="Only this performer; may be repeated. For a quick look.")
    ] = None,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the performers of CMU motion capture clips, rendered as video: own bodies, and one common body.

    [bold]Example[/]
    gaitnet evaluate cmu --root cmu_walk --output results
    """
    import numpy as np

    from gaitnet.datasets.cmu import read_cmu
    from gaitnet.evaluation.intervals import rate_over_subjects
    from gaitnet.evaluation.protocols import CMU_RENDERED

    folder_for(output)
    clips = read_cmu(root)
    if performer:
        clips = chosen(clips, performer, "performer")
    clips = takes_of(clips)
    recognizer = load(weights)
    measure = yardstick(weights, recognizer.identity)
    results: dict[str, Any] = {}
    walks: list[list[np.ndarray]] = []
    for common in (True, False):
        walks, colours, places = seen(recognizer, clips, common)
        named = "one common body" if common else "own body"
        gait = windows_of(recognizer, walks)
        for method, result in results_of(recognizer, CMU_RENDERED, clips, walks, gait, measure).items():
            results[f"{named}: {method}"] = result
        results[f"{named}: colours of the person"] = result_of(CMU_RENDERED, clips, colours, svm)
        results[f"{named}: colours of the place"] = result_of(CMU_RENDERED, clips, places, svm)
    described = rate_over_subjects(
        np.array([bool(walk) for walk in walks]), np.array([clip.subject_id for clip in clips])
    )
    outcome = Outcome(
        "cmu", "CMU motion capture, rendered, from pixels to a name", LEAD, results, described,
        footer=f"gaitnet evaluate cmu --root {root}{only('performer', performer)}; weights {recognizer.identity}. "
        "Data: mocap.cs.cmu.edu.",
    )  # fmt: skip
    deliver(outcome, output, as_json)


def takes_of(clips: "Sequence[Walk]") -> "list[Walk]":
    """Every clip from the side; then, where a performer has others, those once more for each of the harder rows."""
    from dataclasses import replace

    first = {clip.subject_id: clip.sequence for clip in reversed(clips)}
    others = [clip for clip in clips if clip.sequence != first[clip.subject_id]]
    plain = [replace(clip, view=90.0) for clip in clips]
    return plain + [replace(clip, view=view, condition=condition) for view, condition in HARDER for clip in others]


def seen(
    recognizer: "GaitRecognizer", clips: "Sequence[Walk]", common: bool
) -> "tuple[list[list[np.ndarray]], list[np.ndarray | None], list[np.ndarray | None]]":
    """Pose maps of each clip as the pose network sees it rendered; colour histograms of the person and of the place."""
    import numpy as np

    from gaitnet.evaluation.controls import colour_histograms
    from gaitnet.walkers.recorded import RATE, plan_of_clip
    from gaitnet.walkers.walk import CONDITIONS

    walks: list[list[np.ndarray]] = []
    colours: list[np.ndarray | None] = []
    places: list[np.ndarray | None] = []
    with bar("one common body" if common else "own bodies", "clips") as progress:
        for number, clip in enumerate(clips):
            drawn: list[Any] = []
            worn = CONDITIONS.index("BP" if clip.condition == "BG" else clip.condition)
            view = 90.0 if clip.view is None else clip.view
            plan = plan_of_clip(clip.path, number, common, recognizer.pose.size, RATE, view, worn)
            person = joints_of_plan(recognizer, plan, RATE, drawn)
            walks.append(maps_of(person, np.ones(len(person.frames), bool)))
            pictures = [(np.asarray(chunk.frames[0]), _box(np.asarray(chunk.silhouettes[0]))) for chunk in drawn]
            both = [colour_histograms(picture, box) for picture, box in pictures]
            for kept, number_of in ((colours, 0), (places, 1)):
                kept.append(np.stack([histograms[number_of] for histograms in both]))
            progress(number + 1, len(clips))
    return walks, colours, places


def _box(silhouette: "np.ndarray") -> "np.ndarray":
    import numpy as np

    rows, columns = np.nonzero(silhouette > 0.5)
    if not len(rows):
        return np.zeros(4)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
