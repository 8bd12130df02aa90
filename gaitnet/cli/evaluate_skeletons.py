"""`gaitnet evaluate kinect | ucalgary`: walks that a depth sensor followed, told by build and swing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.datasets_sources import Name, folder_of
from gaitnet.cli.describe import AsJson
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.evaluate_walks import result_of
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence as Walk

LEAD = (
    "Joints in space, as the sensor has them, nothing trained: quantiles of all distances between joints in windows of "
    "two thirds of a second, and a linear SVM on the enrolled walks. Every distance in units of its own median leaves "
    "the swing alone; a single frame shows build and one posture. Within a window the order of frames does not count. "
    "What is measured and in what windows was chosen with these walks in view."
)

Root = Annotated[Path, typer.Option(help="Folder of the data set, or of several, each in a folder of its name.")]


def kinect(root: Root, output: Output = None, as_json: AsJson = False) -> None:
    """Name the walkers of Kinect skeleton text: every walk is searched for among all the others.

    [bold]Example[/]
    gaitnet evaluate kinect --root kinect_gait --output results
    """
    from gaitnet.datasets.kinect import read_kinect_walks
    from gaitnet.evaluation.protocols import KINECT

    folder_for(output)
    dropped: list[Dropped] = []
    walks = read_kinect_walks(folder_of(Name.KINECT, root), dropped)
    source = "Data: Andersson and Araujo, AAAI 2015, research use."
    outcome = _measured("kinect", "Kinect walks, each left out in turn", KINECT, walks, dropped, root, source)
    deliver(outcome, output, as_json)


def ucalgary(root: Root, output: Output = None, as_json: AsJson = False) -> None:
    """Name the walkers of UCalgary's runs: normal run 1 enrols; run 2 and runs with an impaired leg are searched.

    Runs whose file is another's, byte for byte, are left out: subject 10 is subject 4.

    [bold]Example[/]
    gaitnet evaluate ucalgary --root ucalgary_kinect --output results
    """
    from gaitnet.datasets.ucalgary import read_ucalgary
    from gaitnet.evaluation.protocols import UCALGARY

    folder_for(output)
    dropped: list[Dropped] = []
    walks = read_ucalgary(folder_of(Name.UCALGARY, root), dropped)
    source = "Data: Kozlow, Abid, Yanushkevich, SSCI 2017, research use."
    outcome = _measured("ucalgary", "UCalgary, normal and impaired runs", UCALGARY, walks, dropped, root, source)
    deliver(outcome, output, as_json)


def _measured(
    name: str, title: str, protocol: Any, walks: "Sequence[Walk]", dropped: "list[Dropped]", root: Path, source: str
) -> Outcome:
    import numpy as np

    from gaitnet.datasets.arrays import load_keypoints
    from gaitnet.datasets.dropped import left_out, summary
    from gaitnet.evaluation.intervals import rate_over_subjects
    from gaitnet.identification.svm import standardised_svm
    from gaitnet.pose_statistics import pose_statistics

    vectors: dict[str, list[np.ndarray | None]] = {"build and swing": [], "swing alone": [], "single frame": []}
    with bar("reading the walks", "walks") as progress:
        for number, walk in enumerate(walks, 1):
            try:
                found = load_keypoints(walk)
                # a walk without a rate is refused below, and told among what is left out
                joints, seen, rate = found.keypoints, found.visible, found.rate or 0.0
                middle = slice(len(joints) // 2, len(joints) // 2 + 1)
                rows = [
                    pose_statistics(joints, seen, rate),
                    pose_statistics(joints, seen, rate, swing_alone=True),
                    pose_statistics(joints[middle], seen[middle], rate) if seen[middle].all() else None,
                ]
            except ValueError as error:
                dropped.append(left_out(error, walk.name))
                rows = [None] * len(vectors)
            for method, row in zip(vectors, rows, strict=True):
                vectors[method].append(row)
            progress(number, len(walks))
    results = {method: result_of(protocol, walks, own, standardised_svm) for method, own in vectors.items()}
    first = vectors["build and swing"]
    described = rate_over_subjects(
        np.array([one is not None for one in first]), np.array([walk.subject_id for walk in walks])
    )
    return Outcome(
        name, title, LEAD, results, described, [summary(dropped)] if dropped else [],
        footer=f"gaitnet evaluate {name} --root {root}. {source}",
    )  # fmt: skip
