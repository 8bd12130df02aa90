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

SHIPPED = ("usf", "usf-2", "usf-3")
"""The same training from three seeds."""

LEAD = (
    "One decision a person: the mean of the scores of all samples. The networks learned from the gallery alone; a "
    "person's score is the mean cosine with all enrolled half cycles, over parts of the body and networks. That they "
    "read a half cycle as its mean silhouette, and are three, was settled after one that reads frames, and one of the "
    "three, had been measured on the probes, and had come off worse. The order of frames does not count, so there is "
    "no control that shuffles them. The baseline is the same mean silhouette, the gait energy image, with principal "
    "components and discriminant analysis. People of probes whom the gallery does not hold are left out, and counted."
)


def usf(
    root: Annotated[Path, typer.Option(help="Folder of USF17Gal.mat, PrbA.mat, ..., or one that has it.")],
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--weights",
            "-w",
            show_default=" ".join(SHIPPED),
            help="Checkpoint of a GaitBase that learned from the gallery; of several the scores are added.",
        ),
    ] = None,
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
    build = lambda config: GaitBase(config, rngs=nnx.Rngs(0))  # noqa: E731
    loaded = [load_model(one, GaitBaseConfig, build, headless=True) for one in weights or SHIPPED]
    results = results_of(USF.with_rows_of(walks), walks, [model for model, _ in loaded])
    notes = []
    for session, (file, _) in SESSIONS.items():
        if count := sum(one.what.startswith(f"{file} ") for one in dropped):
            people = outsiders(folder / file)
            notes.append(f"{session}: {count} samples of {people} people or more whom the gallery has not, left out")
    outcome = Outcome(
        "usf", "USF Gait Challenge 1.7, half cycles", LEAD, results, None, notes,
        footer=f"gaitnet evaluate usf --root {root}; weights {' '.join(sha256[:12] for _, sha256 in loaded)}. "
        "Data: Lu, Plataniotis, Venetsanopoulos, TNN 19(1), 2008, research use.",
    )  # fmt: skip
    deliver(outcome, output, as_json)


def results_of(protocol: Any, walks: "Sequence[Walk]", models: "Sequence[GaitBase]") -> dict[str, Any]:
    """The protocol's result by method: the networks together, the baseline, and the networks with less to look at."""
    import numpy as np

    from gaitnet.datasets.arrays import load_silhouettes
    from gaitnet.evaluation.controls import single_frame
    from gaitnet.evaluation.runner import evaluate
    from gaitnet.identification.lda import nearest_mean, pca_lda
    from gaitnet.models.gaitbase import describe
    from gaitnet.silhouettes import cut_sides, gait_energy_image

    silhouettes = [load_silhouettes(walk) for walk in walks]
    energy = np.stack([gait_energy_image(frames, np.ones(len(frames), bool)).ravel() for frames in silhouettes])
    whole = [cut_sides(frames) for frames in silhouettes]
    frozen = [single_frame(frames, place)[:1] for place, frames in enumerate(whole)]
    # a network's vectors are of length 1: the dot product of several, one after the other, adds their cosines
    vectors = np.concatenate([describe(model, whole) for model in models], axis=1)
    single = np.concatenate([describe(model, frozen) for model in models], axis=1)
    parts = [np.repeat(np.arange(model.config.parts) / model.config.parts, model.config.size) for model in models]
    upper = np.concatenate(parts) < 0.5
    return {
        "GaitBase": evaluate(protocol, walks, vectors, nearest_mean),
        "GEI, PCA, LDA": evaluate(protocol, walks, energy, pca_lda(COMPONENTS)),
        "single frame": evaluate(protocol, walks, single, nearest_mean),
        "upper half": evaluate(protocol, walks, vectors[:, upper], nearest_mean),
        "lower half": evaluate(protocol, walks, vectors[:, ~upper], nearest_mean),
    }
