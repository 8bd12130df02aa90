"""`gaitnet evaluate kth`: from real video to a name, on the walking clips of the KTH action data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from gaitnet.cli.describe import AsJson, Weights, load, yardstick
from gaitnet.cli.evaluate_output import Outcome, Output, deliver, folder_for
from gaitnet.cli.evaluate_walks import (
    chosen,
    maps_of,
    nearest,
    only,
    result_of,
    results_of,
    svm,
    unknown,
    windows_of,
)
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.recognizer import GaitRecognizer, Person

PICTURES = 6
"""Pictures of a pass from which the colour control takes its histograms."""

LEAD = (
    "Every listed pass counts: one in which nobody is described is a miss. Gallery and probes are real video of the "
    "same persons, and no identity of them was ever trained on. Ten of them, all but those in the column of their own, "
    "were shown to the pose network in training and gave the gait network a mean posture. Pose maps are drawn in units "
    "of the walker's own height, and silhouettes are brought to one height, so every gait row is height-normalised. "
    "That posture helps beside GaitNN's numbers, and how it is best measured, was seen on these very passes. "
    "Gait energy images, of silhouettes that differ from the still scene, are the baseline."
)


def kth(
    root: Annotated[Path, typer.Option(help="Folder of personNN_walking_dK videos and of 00sequences.txt.")],
    person: Annotated[
        list[str] | None, typer.Option(help="Only this person; may be repeated. For a quick look.")
    ] = None,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Name the walkers of the KTH videos: within a place, in another place, in other clothes.

    Enrolled are the passes of d1 (outdoors); searched are d1's own later passes, d4 (indoors) and d3 (other clothes).
    Persons 15 17 18 19 24, who stay out of all training, also stand in a column of their own.

    [bold]Example[/]
    gaitnet evaluate kth --root kth_walking --output results
    """
    import numpy as np

    from gaitnet.datasets.kth import read_kth
    from gaitnet.evaluation.intervals import rate_over_subjects
    from gaitnet.evaluation.protocols import KTH

    folder_for(output)
    passes = read_kth(root)
    if person:
        passes = chosen(passes, person, "person")
    recognizer = load(weights)
    seen = watched(recognizer, passes)
    walks = [one.maps for one in seen]
    measure, gait = yardstick(weights, recognizer.identity), windows_of(recognizer, walks)
    results = results_of(recognizer, KTH, passes, walks, gait, measure)
    energy = [one.energy_image for one in seen]
    results["gait energy image, SVM"] = result_of(KTH, passes, energy, svm)
    results["gait energy image, nearest"] = result_of(KTH, passes, energy, nearest)
    results["colours of the person"] = result_of(KTH, passes, [one.colours for one in seen], svm)
    results["colours of the place"] = result_of(KTH, passes, [one.place for one in seen], svm)
    described = rate_over_subjects(
        np.array([bool(walk) for walk in walks]), np.array([walk.subject_id for walk in passes])
    )
    outcome = Outcome(
        "kth", "KTH walking, from video to name", LEAD, results, described,
        [f"{row}, each person left out of the gallery in turn, threshold as walkers set it: {named} of strangers are "
         f"given a name, {missed} of enrolled people are not named rightly"
         for row, named, missed in unknown(KTH, passes, gait, measure)],
        footer=f"gaitnet evaluate kth --root {root}{only('person', person)}; weights {recognizer.identity}. "
        "Data: Schuldt, Laptev, Caputo, "
        "ICPR 2004, non-commercial research.",
    )  # fmt: skip
    deliver(outcome, output, as_json)


class Pass(NamedTuple):
    """What is kept of a pass; None where nobody was found."""

    maps: "list[np.ndarray]"
    """Pose maps (time, 17, 17, 16), in parts."""
    energy_image: "np.ndarray | None"
    """(1, rows * columns): of silhouettes turned to walk to the right."""
    colours: "np.ndarray | None"
    """(picture, feature): histograms of the person."""
    place: "np.ndarray | None"
    """(picture, feature): histograms of everything else."""


def watched(recognizer: "GaitRecognizer", passes: "Sequence[Walk]") -> list[Pass]:
    """Look at each video by the same road as `gaitnet describe`, and once more for colours and for silhouettes."""
    from gaitnet.evaluation.passes import frames_in_passes

    found: dict[str, Pass] = {}
    videos = list(dict.fromkeys(walk.path for walk in passes))
    with bar("looking at the videos", "videos") as progress:
        for number, video in enumerate(videos, 1):
            own = [walk for walk in passes if walk.path == video]
            people = [one for one in recognizer.describe(video) if one.identification_vector is not None]
            ends = [(walk.first_frame, walk.last_frame or walk.first_frame) for walk in own]
            inside = frames_in_passes(ends, [one.frames for one in people])
            colours, energy = colours_of(video, people, inside), energy_images_of(video, people, inside)
            for walk, parts, (person, place), image in zip(own, inside, colours, energy, strict=True):
                maps = [one for track, mask in parts for one in maps_of(people[track], mask)]
                found[walk.name] = Pass(maps, image, person, place)
            progress(number, len(videos))
    return [found[walk.name] for walk in passes]


def energy_images_of(
    video: Path, people: "Sequence[Person]", walks: "Sequence[Sequence[tuple[int, np.ndarray]]]"
) -> "list[np.ndarray | None]":
    """Gait energy images (1, rows * columns) of walks given as (track, mask of its frames), as walking to the right."""
    import numpy as np

    from gaitnet.silhouettes import cut_sides, gait_energy_image
    from gaitnet.video.silhouettes import silhouettes_in_boxes

    boxes: dict[int, dict[int, np.ndarray]] = {}
    for track, mask in [part for walk in walks for part in walk]:
        for row in np.flatnonzero(mask):
            boxes.setdefault(int(people[track].frames[row]), {})[track] = people[track].boxes[row]
    outlined = silhouettes_in_boxes(video, boxes)
    images: list[np.ndarray | None] = []
    for walk in walks:
        pictures, there = [], []
        for track, mask in walk:
            own = outlined[track]
            inside = np.isin(own.frames, people[track].frames[mask])
            pictures.append(own.aligned[inside][..., :: -1 if people[track].mirrored else 1])
            there.append(own.frame_mask[inside])
        seen = bool(walk) and any(mask.any() for mask in there)
        image = gait_energy_image(np.concatenate(pictures), np.concatenate(there)) if seen else None
        images.append(None if image is None else cut_sides(np.round(255 * image).astype(np.uint8)).reshape(1, -1))
    return images


def colours_of(
    video: Path, people: "Sequence[Person]", walks: "Sequence[Sequence[tuple[int, np.ndarray]]]"
) -> "list[tuple[np.ndarray | None, np.ndarray | None]]":
    """Histograms (picture, feature) of the person and of the place, for walks given as (track, mask of its frames)."""
    import numpy as np

    from gaitnet.evaluation.controls import colour_histograms
    from gaitnet.video.read import VideoReader

    wanted: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, walk in enumerate(walks):
        for track, mask in walk[:1]:  # the longest
            rows = np.flatnonzero(mask)
            for row in rows[np.unique(np.linspace(0, len(rows) - 1, PICTURES).round().astype(int))]:
                wanted.setdefault(int(people[track].frames[row]), []).append((number, people[track].boxes[row]))
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in walks]
    if wanted:
        with VideoReader(video) as reader:
            for frame in reader:
                for number, box in wanted.get(frame.index, ()):
                    found[number].append(colour_histograms(frame.image, box))
                if frame.index >= max(wanted):
                    break
    return [
        (np.stack([one[0] for one in pictures]), np.stack([one[1] for one in pictures])) if pictures else (None, None)
        for pictures in found
    ]
