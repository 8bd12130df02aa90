"""`gaitnet evaluate walkers-grid`: CASIA-B's grid of views on synthetic walkers, from pixels to a name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Weights, load, yardstick
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.evaluate_tree import KEPT
from gaitnet.cli.evaluate_walks import nearest
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.crowd import Entry
    from gaitnet.recognizer import GaitRecognizer

LEAD = (
    "Walkers (synthetic), none of whom any network was trained on, in the grid of CASIA-B: six normal walks, one with "
    "a backpack, one with a hand bag and two in a coat, from each of eleven views, every view a walk of its own. "
    "Clothes, place, light and camera are drawn anew for every walk. Each gallery has one view, the probes all others. "
    "Figures for walkers say nothing about real people."
)
CROWD = 50
"""Added to the seed of the walkers who are kept for evaluations: nobody of other experiments is here."""
MADE = 1
"""Counts up whenever the same networks and walkers make other records."""


def walkers_grid(
    subjects: Annotated[int, typer.Option(min=2, max=10_000, help="How many walkers.")] = 50,
    view: Annotated[
        list[int] | None,
        typer.Option(min=0, max=180, help="Degrees; repeatable, at least two.", show_default="0, 18 ... 180"),
    ] = None,
    frames: Annotated[int, typer.Option(min=24, max=400, help="Length of a walk, 25 frames a second.")] = 64,
    common: Annotated[
        bool, typer.Option("--common", help="Everybody on one common body, in the same clothes.")
    ] = False,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name unseen synthetic walkers by CASIA-B's protocol: normal, with a bag, in a coat, from every other view.

    All of it is 5,500 walks, hours on a CPU. With --output, the walks of each person in each view are kept there, and a
    command that was stopped, or asks for more people or views, goes on.

    [bold]Examples[/]
    gaitnet evaluate walkers-grid --output results
    gaitnet evaluate walkers-grid --subjects 10 --view 54 --view 90 --view 126 --output results
    """
    import numpy as np

    from gaitnet.cli.evaluate_views import by_probe_view, ranked
    from gaitnet.crowd import GAIT, casia_b_entries
    from gaitnet.datasets.casia_b import VIEWS
    from gaitnet.evaluation.protocols import CASIA_B, CASIA_B_CROSS_VIEW
    from gaitnet.evaluation.runner import evaluate
    from gaitnet.identification.search import against
    from gaitnet.identification.svm import linear_svm

    folder_for(output)
    views = sorted(set(view or VIEWS))
    if len(views) < 2:
        raise ValueError(f"--view: expected at least two views, to enrol in one and search in another, got {views}")
    recognizer = load(weights)
    measure = yardstick(weights, recognizer.identity)
    entries = casia_b_entries(range(subjects), views)
    vectors = described(recognizer, entries, frames, common, None if output is None else output / KEPT)
    samples = [entry.sample for entry in entries]
    methods: dict[str, tuple[np.ndarray, Any]] = {
        "gait, SVM": (vectors[GAIT], against(measure)), "gait, nearest": (vectors[GAIT], nearest),
        "gait, SVM alone": (vectors[GAIT], linear_svm),
        **{name: (own, linear_svm) for name, own in vectors.items() if name != GAIT},
    }  # fmt: skip
    results = {method: evaluate(CASIA_B, samples, own, fit) for method, (own, fit) in methods.items()}
    tables = [by_probe_view(method, result) for method, result in list(results.items())[:2]]
    tables.append(ranked(CASIA_B_CROSS_VIEW, samples, {GAIT: vectors[GAIT]}))
    chosen = "".join(f" --view {one}" for one in view or ())
    outcome = Outcome(
        "walkers-grid", "Walkers (synthetic), in the grid of CASIA-B", LEAD, results,
        footer=f"gaitnet evaluate walkers-grid --subjects {subjects}{chosen} --frames {frames}"
        f"{' --common' if common else ''}; weights {recognizer.identity}. Data: walkers (synthetic).",
        tables=tables,
    )  # fmt: skip
    deliver(outcome, output, as_json)


def described(
    recognizer: "GaitRecognizer", entries: "Sequence[Entry]", frames: int, common: bool, folder: Path | None
) -> "dict[str, np.ndarray]":
    """Vectors of all walks by name (walk, size), in the order of `entries`; what `folder` keeps is not drawn again."""
    import numpy as np

    from gaitnet.crowd import describe_walks
    from gaitnet.kept import Kept
    from gaitnet.walkers.walks import EVALUATION, Crowd

    crowd = Crowd(EVALUATION + CROWD, frames, common, recognizer.pose.size)
    made_by = f"walkers grid {MADE}, {recognizer.identity}, {frames} frames, {'common' if common else 'own'} bodies"
    kept = Kept(folder, made_by)
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(f"{entry.plan.subject} {entry.plan.view:g}", []).append(entry)
    parts: list[dict[str, np.ndarray]] = []
    with bar("walkers", "walks") as progress:
        done = 0
        for name, group in groups.items():
            record = kept.get(name)
            if record is None:
                parts.append(describe_walks(recognizer, crowd, [entry.plan for entry in group]).vectors)
                kept.put(name, parts[-1], {})
            else:
                parts.append(record.arrays)
            done += len(group)
            progress(done, len(entries))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
