"""`gaitnet evaluate walkers`: TUM-GAID's experiments on synthetic walkers, rendered, from pixels to a name."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Weights, load, yardstick
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    from gaitnet.recognizer import GaitRecognizer

LEAD = (
    "Walkers (synthetic), none of whom any network was trained on, walk past a camera at their side; clothes, place, "
    "light and camera are drawn anew for every walk. \u201cOne common body\u201d: everybody has the same body and the "
    "same clothes, so that only motion is left. Figures for walkers say nothing about real people."
)
COMMON = "one common body"


def walkers(
    second_session: Annotated[
        bool, typer.Option("--second-session", help="Experiment 2: searched for on another day (16 walkers).")
    ] = False,
    subjects: Annotated[
        int | None, typer.Option(min=2, max=10_000, help="How many walkers; 155, or 16 in experiment 2.")
    ] = None,
    frames: Annotated[int, typer.Option(min=24, max=400, help="Length of a walk, 25 frames a second.")] = 64,
    common: Annotated[bool, typer.Option(help="Also with one common body and clothes.")] = True,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name unseen synthetic walkers, by the protocols of TUM-GAID: normal, backpack, coating shoes, side view.

    [bold]Examples[/]
    gaitnet evaluate walkers --output results
    gaitnet evaluate walkers --second-session --output results
    """
    from gaitnet.evaluation.protocols import TUM_GAID_1, TUM_GAID_2

    folder_for(output)
    count = subjects or (16 if second_session else 155)
    recognizer = load(weights)
    measure = yardstick(weights, recognizer.identity)
    results: dict[str, Any] = {}
    notes: list[str] = []
    for alike in (False, True) if common else (False,):
        for method, result in measured(recognizer, measure, count, second_session, frames, alike).items():
            results[f"{COMMON}: {method}" if alike else method] = result
            if method == "gait":
                notes.append(f"{COMMON if alike else 'own body'}, average of N, B and S: rank-1 {result.average}")
    name = TUM_GAID_2.name if second_session else TUM_GAID_1.name
    outcome = Outcome(
        f"walkers-{2 if second_session else 1}", f"Walkers (synthetic), built like {name}", LEAD, results, None, notes,
        f"gaitnet evaluate walkers{' --second-session' if second_session else ''} --subjects {count} --frames "
        f"{frames}{'' if common else ' --no-common'}; weights {recognizer.identity}. Data: walkers (synthetic).",
    )  # fmt: skip
    deliver(outcome, output, as_json)


def measured(
    recognizer: "GaitRecognizer", measure: Any, subjects: int, second_session: bool, frames: int, alike: bool
) -> dict[str, Any]:
    """Result by method: gait, and the controls. `measure`: the strangers of the weights, or None."""
    from gaitnet.crowd import GAIT, describe_walks, tum_gaid_entries
    from gaitnet.evaluation.protocols import TUM_GAID_1, TUM_GAID_2
    from gaitnet.evaluation.runner import evaluate
    from gaitnet.identification.search import against
    from gaitnet.identification.svm import linear_svm
    from gaitnet.walkers.walks import EVALUATION, Crowd

    entries = tum_gaid_entries(range(subjects), second_session)
    # nobody of experiment 1 comes back in experiment 2
    crowd = Crowd(EVALUATION + int(second_session), frames, alike, recognizer.pose.size)
    with bar(COMMON if alike else "own bodies", "walks") as progress:
        described = describe_walks(recognizer, crowd, [entry.plan for entry in entries], progress=progress)
    samples = [entry.sample for entry in entries]
    protocol = TUM_GAID_2 if second_session else TUM_GAID_1
    return {
        name: evaluate(protocol, samples, vectors, against(measure) if name == GAIT else linear_svm)
        for name, vectors in described.vectors.items()
    }
