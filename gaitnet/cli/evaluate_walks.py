"""Walks on their way to a score: windows for GaitNN, controls, and rendered walks through the pose network."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.evaluation.intervals import Rate
    from gaitnet.recognizer import GaitRecognizer, Person
    from gaitnet.walkers.dataset import Plan

Alter = Callable[["np.ndarray", int], "np.ndarray"]
"""A control: (a walk's pose maps, seed) -> pose maps."""


def maps_of(person: "Person", mask: "np.ndarray") -> "list[np.ndarray]":
    """Pose maps of some frames of a described person, as the recogniser makes them; none where they are too few."""
    return list(parts_of(person, mask))


def parts_of(person: "Person", mask: "np.ndarray") -> "Iterator[np.ndarray]":
    """As `maps_of`, a part at a time: those of a long film would fill the memory."""
    from gaitnet.recognizer import maps_of_walk
    from humanpose.skeleton import FLIP

    keypoints, probability, times = person.keypoints[mask], person.probability[mask], person.times[mask]
    if person.mirrored:  # back to the names of the mirrored picture, which the maps expect
        keypoints, probability = keypoints[:, FLIP], probability[:, FLIP]
    yield from maps_of_walk(keypoints, probability, times, person.mirrored)


def only(option: str, names: Sequence[str] | None) -> str:
    """How a command was told to look at some people only."""
    return "".join(f" --{option} {name}" for name in names or ())


def chosen(walks: "Sequence[Walk]", persons: Sequence[str], option: str) -> "list[Walk]":
    """The walks of some persons, named by an option; ValueError where one of them has none."""
    wanted = {name.zfill(2) for name in persons}
    missing = sorted(wanted - {walk.subject_id for walk in walks})
    if missing:
        known = " ".join(sorted({walk.subject_id for walk in walks}))
        raise ValueError(f"--{option}: nobody is called {' '.join(missing)} there; there are {known}")
    return [walk for walk in walks if walk.subject_id in wanted]


def windows_of(
    recognizer: "GaitRecognizer", walks: "Sequence[Sequence[np.ndarray]]", alter: Alter | None = None
) -> "list[np.ndarray | None]":
    """Each walk's identification vectors (window, size), from its pose maps (any number of arrays); None without any.

    `alter` changes the maps before they are cut into windows; its seed is the walk's place.
    """
    from gaitnet.descriptor import vectors_of_walks

    if alter is not None:
        walks = [[alter(maps, place) for maps in walk] for place, walk in enumerate(walks)]
    return [vectors if len(vectors) else None for vectors in vectors_of_walks(recognizer.gait, walks)]


def svm(vectors: "np.ndarray", labels: "np.ndarray") -> "Callable[[np.ndarray], np.ndarray]":
    """A linear SVM as an evaluation's classifier; imported when it is used."""
    from gaitnet.identification.svm import linear_svm

    return linear_svm(vectors, labels)


def nearest(vectors: "np.ndarray", labels: "np.ndarray") -> "Callable[[np.ndarray], np.ndarray]":
    """The nearest enrolled vector by cosine, as an evaluation's classifier."""
    import numpy as np

    from gaitnet.identification.open_set import gallery_similarities

    owners = labels.tolist()
    return lambda probes: gallery_similarities(probes, vectors, owners, np.unique(labels).tolist())


def results_of(
    recognizer: "GaitRecognizer",
    protocol: Any,
    samples: Sequence[Any],
    walks: "Sequence[Sequence[np.ndarray]]",
    gait: "Sequence[np.ndarray | None]",
    measure: Any = None,
) -> dict[str, Any]:
    """A protocol's result by method: gait with both classifiers, and the controls that take the motion away.

    `gait`: the walks' vectors (`windows_of`). `measure`: the strangers of the weights, whom the first SVM learns
    against as in `gaitnet identify`; None: nobody. The controls are to be read beside the SVM alone, as they have it:
    strangers walk with all their frames in order, and whoever learns against them would tell that apart.
    """
    from gaitnet.evaluation.controls import shuffled, single_frame
    from gaitnet.identification.search import against

    # of all of a walk's parts one frame, or the control would see several poses
    frozen = [[single_frame(maps, place) for maps in walk[:1]] for place, walk in enumerate(walks)]
    return {
        "gait, SVM": result_of(protocol, samples, gait, against(measure)),
        "gait, nearest": result_of(protocol, samples, gait, nearest),
        "gait, SVM alone": result_of(protocol, samples, gait, svm),
        "shuffled frames": result_of(protocol, samples, windows_of(recognizer, walks, shuffled), svm),
        "single frame": result_of(protocol, samples, windows_of(recognizer, frozen), svm),
    }


def unknown(
    protocol: Any, samples: Sequence[Any], gait: "Sequence[np.ndarray | None]", measure: Any
) -> "list[tuple[str, Rate, Rate]]":
    """Rows of a protocol with everybody left out of the gallery in turn, at the threshold that walkers set.

    For each: its name, the share of strangers who are given a name, and the share of enrolled people's walks that are
    not named rightly, those that were not described among them. No rows where the weights bring no strangers, or where
    nobody would be left to be enrolled.
    """
    import numpy as np

    from gaitnet.evaluation.intervals import rate_over_subjects
    from gaitnet.evaluation.selection import Table
    from gaitnet.unknown import search_open_set

    rows: list[tuple[str, Rate, Rate]] = []
    if measure is None:
        return rows
    table, there = Table(samples), np.array([windows is not None for windows in gait])
    owners = np.array([sample.subject_id for sample in samples])
    for row in protocol.rows:
        enrolls = row.gallery.mask(table)
        probes = row.probe.mask(table) & np.isin(owners, owners[enrolls])  # of others there is nothing to enrol
        if len(set(owners[enrolls & there])) < 2 or not (probes & there).any():
            continue
        used = np.flatnonzero((enrolls | probes) & there).tolist()
        vectors = np.stack([np.mean(np.asarray(gait[place]), axis=0) for place in used])
        names = owners[used].tolist()
        found = search_open_set(names, enrolls[used], vectors, len(set(names)), measure)
        assert found.named is not None, "strangers have set a threshold"
        # everybody is to be enrolled in all trials but one: a walk that nobody described is missed in all of them
        missing = np.repeat(owners[probes & ~there], len(set(names)) - 1)
        wrong = np.concatenate([~(found.named & found.right)[found.enrolled], np.ones(len(missing), bool)])
        whose = np.concatenate([found.subjects[found.enrolled], missing])
        strangers = rate_over_subjects(found.named[~found.enrolled], found.subjects[~found.enrolled])
        rows.append((row.name, strangers, rate_over_subjects(wrong, whose)))
    return rows


def result_of(protocol: Any, samples: Sequence[Any], windows: "Sequence[np.ndarray | None]", fit: Any) -> Any:
    """A protocol's result for walks of several vectors each."""
    from gaitnet.evaluation.passes import by_windows, places
    from gaitnet.evaluation.runner import evaluate

    return evaluate(protocol, samples, places(windows), by_windows(windows, fit))


def joints_of_plan(
    recognizer: "GaitRecognizer", plan: "Plan", rate: float, keep: "list[Any] | None" = None
) -> "Person":
    """A walker's plan of crops drawn, and seen by the pose network, mirrored as the video road mirrors.

    Keypoints are in pixels of one picture through which the crops move. `keep` receives the drawn chunks.
    """
    import numpy as np

    from gaitnet.recognizer import Person
    from gaitnet.walkers.dataset import render_in_chunks
    from gaitnet.walkers.walks import crop_affines
    from humanpose.skeleton import FLIP

    count, size = len(plan.points), recognizer.pose.size
    mirrored = bool(np.asarray(plan.cameras.azimuth)[0] > 0)  # seen from the left, a walker goes to the left
    affines = np.asarray(crop_affines(plan.cameras, mirrored, size[1]))
    parts = []
    for drawn in render_in_chunks(plan, size):
        parts.append(drawn.frames[:, :, ::-1] if mirrored else drawn.frames)
        if keep is not None:
            keep.append(drawn)
    times = np.arange(count) / rate
    keypoints, probability = recognizer.joints_of_track(np.concatenate(parts), affines, times)
    if mirrored:
        keypoints, probability = keypoints[:, FLIP], probability[:, FLIP]
    return Person(0, np.arange(count), times, np.zeros((count, 4)), keypoints, probability, mirrored)
