"""Walks of a data set down the whole road: a film or a folder of pictures -> its walker's vectors, and controls.

One walk is in memory at a time; what is kept of it are its vectors, on disk as well where there is a folder for them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.evaluate_walks import nearest, parts_of, result_of, svm, windows_of
from gaitnet.cli.output import bar

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence as Walk
    from gaitnet.recognizer import GaitRecognizer, Person
    from gaitnet.video.read import Frame

GAIT, MIXED, FROZEN, PERSON, PLACE = "gait", "shuffled", "single", "person", "place"
"""What is kept of each walk, (row, feature) each: vectors of its windows as they are, of its frames in another order
and of one frame; colours of the person and of the place, a row a picture."""
PICTURES = 6
"""Pictures of a walk from which the colour control takes its histograms."""
MADE = 1
"""Counts up whenever the same networks make other records of the same walks."""
UNREAD = "cannot be read"
"""Why a walk is not described of which no picture can be had; the next run may read it, so it is not kept."""
SAMPLES = 60
"""Pictures from which the scene of a folder of pictures is learned ahead."""


def detector_of(weights: "Path | None") -> str:
    """Names the person detector's weights, by which other people are found; "none" where there is none."""
    from pathlib import Path

    from humanpose import checkpoint

    try:
        folder = checkpoint.find((Path() if weights is None else weights.absolute()) / "detect")
    except checkpoint.CheckpointError:
        return "none"
    return str(checkpoint.load(folder)[1]["weights"]["sha256"])[:16]


class Followed(NamedTuple):
    """A walk that went down the road: its arrays by name, none where `reason` says why it is not described."""

    arrays: "dict[str, np.ndarray]"
    reason: str
    dropped: "list[Dropped]"


def follow_all(
    recognizer: "GaitRecognizer",
    walks: "Sequence[Walk]",
    rate: float | int,
    folder: "Path | None",
    detector: str = "",
) -> list[Followed]:
    """Every walk down the road, in their order; those that `folder` keeps from an earlier run are not looked at again.

    Args:
        recognizer: both networks.
        walks: of kind "video" or "frames", one walker in each.
        rate: pictures a second of walks that are folders of pictures.
        folder: where the walks' vectors are kept; None keeps them nowhere. Walks that cannot be read, and those that
            are not described and damaged, are not: they may be whole in the next run.
        detector: names the weights of the person detector, of which the recognizer's identity does not tell.

    """
    from gaitnet.datasets.arrays import source_of
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.kept import Kept

    kept = Kept(folder, f"road {MADE}, {recognizer.identity}, detector {detector}")
    found = []
    with bar("looking at the walks", "walks") as progress:
        for number, walk in enumerate(walks, 1):
            name = f"{walk.name} {rate:g} {source_of(walk)}"
            record = kept.get(name)
            if record is None:
                one = follow(recognizer, walk, rate)
                if one.arrays or not one.dropped:
                    kept.put(name, one.arrays, {"reason": one.reason, "dropped": [list(each) for each in one.dropped]})
            else:
                told = record.about
                one = Followed(record.arrays, told["reason"], [Dropped(*each) for each in told["dropped"]])
            found.append(one)
            progress(number, len(walks))
    return found


def follow(recognizer: "GaitRecognizer", walk: "Walk", rate: float | int) -> Followed:
    """One walk down the road. Who is followed longest is its walker, with all other tracks that do not overlap it.

    Damage in a film is told among what is dropped, not warned of: there may be thousands.
    """
    import warnings

    import numpy as np

    from gaitnet.datasets.dropped import DAMAGED, Dropped, left_out
    from gaitnet.video.detect import PersonDetector
    from gaitnet.video.read import VideoError, VideoWarning

    dropped: list[Dropped] = []
    unread: VideoError | None = None
    people: list[Person] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", VideoWarning)
        try:
            detector = PersonDetector(recognizer.detector)
            if walk.kind == "video":
                detector.prime(walk.path)
            else:
                detector.background.prime(frames_of(walk, rate, [], SAMPLES))
            people = list(recognizer.follow(frames_of(walk, rate, dropped), detector))
        except VideoError as error:
            unread = error
    for one in warned:
        if issubclass(one.category, VideoWarning):
            dropped.append(Dropped(DAMAGED, str(walk.path), str(one.message)))
        else:  # what else was warned of is for whoever listens
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)
    if unread is not None:
        return Followed({}, UNREAD, [*dropped, left_out(unread, walk.name)])
    own = walker_of(people)
    if not own:
        longest = max(people, key=lambda one: len(one.frames), default=None)
        return Followed({}, "nobody was seen" if longest is None else longest.reason or "", dropped)
    gait = np.concatenate([person.windows for person in own])
    arrays = {GAIT: gait, **controls_of(recognizer, walk.name, own), **colours_of(walk, rate, own[0])}
    return Followed(arrays, "", dropped)


def controls_of(recognizer: "GaitRecognizer", name: str, people: "Sequence[Person]") -> "dict[str, np.ndarray]":
    """Vectors (window, size) of a walk's frames in another order, and of one frame; a part at a time is in memory.

    Args:
        recognizer: both networks.
        name: the walk's, by which it is mixed: the same in every run, and no two walks in the same order.
        people: the walker, as often as he was followed.

    """
    import numpy as np

    from gaitnet.evaluation.controls import shuffled, single_frame

    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest())
    found: dict[str, list[np.ndarray]] = {MIXED: [], FROZEN: []}
    for person in people:
        for part in parts_of(person, np.ones(len(person.frames), bool)):
            altered = {MIXED: shuffled(part, seed)}
            if not found[FROZEN]:  # of all parts one frame, or the control would see several poses
                altered[FROZEN] = single_frame(part, seed)
            for control, maps in altered.items():
                (vectors,) = windows_of(recognizer, [[maps]])
                found[control] += [] if vectors is None else [vectors]
    return {control: np.concatenate(parts) for control, parts in found.items() if parts}


def walker_of(people: "Sequence[Person]") -> "list[Person]":
    """Of everybody who is described the one followed longest, and whoever was followed at other times only."""
    chosen: list[Person] = []
    for person in sorted((one for one in people if one.reason is None), key=lambda one: -len(one.frames)):
        if all(person.frames[-1] < other.frames[0] or person.frames[0] > other.frames[-1] for other in chosen):
            chosen.append(person)
    return chosen


def frames_of(walk: "Walk", rate: float | int, dropped: "list[Dropped]", most: int | None = None) -> "Iterator[Frame]":
    """The frames of a walk; where pictures of a folder are missing or damaged, the others keep their times.

    Args:
        walk: of kind "video" or "frames".
        rate: pictures a second of a folder.
        dropped: is told the pictures of a folder that are left out.
        most: of a folder, give only about so many, spread over all.

    Raises:
        VideoError: another kind of walk, or not one frame of it can be read.

    """
    from gaitnet.datasets.arrays import source_files
    from gaitnet.datasets.frame_folder import numbered_pictures
    from gaitnet.video.read import Frame, VideoError, VideoReader

    if walk.kind == "video":
        with VideoReader(walk.path) as reader:
            for frame in reader:
                if walk.last_frame is not None and frame.index > walk.last_frame:
                    break
                if frame.index >= walk.first_frame:
                    yield frame
        return
    files = source_files(walk)
    if walk.kind != "frames" or not files:
        raise VideoError(f"{walk.path}: expected pictures of a walk, got {len(files)} of kind {walk.kind}")
    first: int | None = None
    for number, picture in numbered_pictures(files[:: 1 if most is None else max(1, len(files) // most)], dropped):
        first = number if first is None else first
        yield Frame(number - first, (number - first) / rate, picture)
    if first is None:
        raise VideoError(f"{walk.path}: not one of {len(files)} pictures can be read")


def colours_of(walk: "Walk", rate: float | int, person: "Person") -> "dict[str, np.ndarray]":
    """Histograms (picture, feature) of a few pictures of a walk: of the person, and of the place around."""
    import warnings

    import numpy as np

    from gaitnet.evaluation.controls import colour_histograms
    from gaitnet.video.read import VideoWarning

    places = np.unique(np.linspace(0, len(person.frames) - 1, PICTURES).round().astype(int))
    wanted = {int(person.frames[place]): person.boxes[place] for place in places}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # told when the walk was followed
        for frame in frames_of(walk, rate, []):
            if frame.index in wanted:
                found.append(colour_histograms(frame.image, wanted[frame.index]))
            if frame.index >= max(wanted):
                break
    return {PERSON: np.stack([one[0] for one in found]), PLACE: np.stack([one[1] for one in found])}


def results_of(protocol: Any, walks: "Sequence[Walk]", seen: Sequence[Followed], measure: Any = None) -> dict[str, Any]:
    """A protocol's result by method: gait with each classifier, and the controls; as `evaluate_walks.results_of`."""
    from gaitnet.identification.search import against

    methods = {
        "gait, SVM": (GAIT, against(measure)), "gait, nearest": (GAIT, nearest), "gait, SVM alone": (GAIT, svm),
        "shuffled frames": (MIXED, svm), "single frame": (FROZEN, svm), "colours of the person": (PERSON, svm),
        "colours of the place": (PLACE, svm),
    }  # fmt: skip
    return {
        method: result_of(protocol, walks, [one.arrays.get(name) for one in seen], fit)
        for method, (name, fit) in methods.items()
    }


def means(seen: Sequence[Followed], name: str) -> "np.ndarray":
    """A vector a walk (walk, size), the mean over its windows; NaN where it is not described."""
    import numpy as np

    size = next((one.arrays[name].shape[1] for one in seen if name in one.arrays), 1)
    nothing = np.full(size, np.nan, np.float32)
    return np.stack([one.arrays[name].mean(axis=0) if name in one.arrays else nothing for one in seen])


def remarks(
    walks: "Sequence[Walk]", found: "Sequence[tuple[str, list[Dropped]]]", dropped: "list[Dropped]"
) -> list[str]:
    """Sentences on what was left out, and on the walks that are not described; `found` has their reasons."""
    from gaitnet.datasets.dropped import summary

    out = [*dropped, *[one for _, told in found for one in told]]
    notes = [summary(out)] if out else []
    reasons: Mapping[str, int] = Counter(reason for reason, _ in found if reason)
    if reasons:
        first = next(walk.name for walk, (reason, _) in zip(walks, found, strict=True) if reason)
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        notes.append(
            f"{sum(reasons.values()):,} of {len(walks):,} walks are not described ({counts}), such as {first}; as "
            "probes they are misses"
        )
    return notes
