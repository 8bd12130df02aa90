"""`gaitnet evaluate usf`: half gait cycles of silhouettes, on another surface, in other shoes, by another camera."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.datasets_sources import Name, folder_of
from gaitnet.cli.describe import AsJson
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for

if TYPE_CHECKING:
    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.models.gaitbase import GaitBase

COMPONENTS = 100
"""Principal components of the baseline: of 40, 60, 80, 100, 150 and 200 what names the most people of probe A, and of
as many the fewest. It is the baseline that this choice, made with the probes in view, is kind to."""

LEAD = (
    "One decision a person: the mean of the scores of all samples. GaitBase learned from the gallery alone, and no "
    "probe had a part in any choice; a person's score is the mean cosine with all enrolled half cycles. It reads the "
    "frames of a half cycle as a set, so shuffling them changes nothing: there is no such control to show. The "
    "baseline is the gait energy image of a half cycle, principal components and discriminant analysis. People of "
    "probes whom the gallery does not hold are left out, and counted below."
)


def usf(
    root: Annotated[Path, typer.Option(help="Folder of USF17Gal.mat, PrbA.mat, ..., or one that has it.")],
    weights: Annotated[
        Path, typer.Option("--weights", "-w", help="Checkpoint of a GaitBase that learned from the gallery.")
    ] = Path("usf"),
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of the Gait Challenge 1.7: every probe set that is there against the gallery.

    [bold]Example[/]
    gaitnet evaluate usf --root usf_gait17 --output results
    """
    from flax import nnx

    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.usf import SESSIONS, outsiders, read_usf
    from gaitnet.evaluation.protocols import USF
    from gaitnet.models.gaitbase import GaitBase, GaitBaseConfig
    from humanpose.checkpoint import load_model

    folder_for(output)
    dropped: list[Dropped] = []
    folder = folder_of(Name.USF, root)
    walks = read_usf(folder, dropped)
    for wanted, there in (
        ("the gallery, USF17Gal.mat", any(walk.session == "gallery" for walk in walks)),
        ("a probe, PrbA.mat, ...", any(walk.session != "gallery" for walk in walks)),
    ):
        if not there:
            raise ValueError(f"--root: expected {wanted} in {folder}, which has none; put it there")
    model, sha256 = load_model(weights, GaitBaseConfig, lambda config: GaitBase(config, rngs=nnx.Rngs(0)), True)
    results = results_of(USF.with_rows_of(walks), walks, model)
    notes = []
    for session, (file, _) in SESSIONS.items():
        if count := sum(one.what.startswith(f"{file} ") for one in dropped):
            people = outsiders(folder / file)
            notes.append(f"{session}: {count} samples of {people} people or more whom the gallery has not, left out")
    outcome = Outcome(
        "usf", "USF Gait Challenge 1.7, half cycles", LEAD, results, None, notes,
        footer=f"gaitnet evaluate usf --root {root}; weights {sha256[:12]}. "
        "Data: Lu, Plataniotis, Venetsanopoulos, TNN 19(1), 2008, research use.",
    )  # fmt: skip
    deliver(outcome, output, as_json)


def results_of(protocol: Any, walks: "Sequence[Walk]", model: "GaitBase") -> dict[str, Any]:
    """The protocol's result by method: the network, the baseline, and the network with less to look at."""
    import numpy as np

    from gaitnet.datasets.arrays import load_silhouettes
    from gaitnet.evaluation.controls import single_frame
    from gaitnet.evaluation.runner import evaluate
    from gaitnet.identification.lda import nearest_mean, pca_lda
    from gaitnet.models.gaitbase import describe
    from gaitnet.silhouettes import cut_sides, gait_energy_image

    silhouettes = [load_silhouettes(walk) for walk in walks]
    energy = np.stack([gait_energy_image(frames, np.ones(len(frames), bool)).ravel() for frames in silhouettes])
    cut = [cut_sides(frames) for frames in silhouettes]
    vectors = describe(model, cut)
    frozen = describe(model, [single_frame(frames, place)[:1] for place, frames in enumerate(cut)])
    upper = np.arange(vectors.shape[1]) < model.config.parts // 2 * model.config.size
    baseline = evaluate(protocol, walks, energy, pca_lda(COMPONENTS))
    return {
        "GaitBase": evaluate(protocol, walks, vectors, nearest_mean),
        "GEI, PCA, LDA": baseline,
        "single frame": evaluate(protocol, walks, frozen, nearest_mean),
        "upper half": evaluate(protocol, walks, vectors[:, upper], nearest_mean),
        "lower half": evaluate(protocol, walks, vectors[:, ~upper], nearest_mean),
    }
