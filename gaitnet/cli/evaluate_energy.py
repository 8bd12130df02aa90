"""Walks that are there as silhouettes only: gait energy images, compared by PCA and LDA or as they are."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.output import bar

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence as Walk

ENERGY, FROZEN = "energy", "single"
"""What is kept of each walk: its gait energy image, and one of its silhouettes."""
SIZE, SIDE = 64, 10
"""Rows and columns of aligned silhouettes, and how many of the latter are cut off on either side, as OpenGait does."""
MADE = 2
"""Counts up whenever other images are made of the same silhouettes."""

LEAD = (
    "Silhouettes alone: no detector, tracker or network has a part in this. A walk is its gait energy image, the mean "
    "of its silhouettes, all of one height (so every row is height-normalised) and without an order (so there is "
    "nothing to shuffle). A baseline: images compared as they are, and in the directions of PCA and LDA."
)


class Outlined(NamedTuple):
    """A walk as gait energy image: its arrays by name, none where `reason` says why it has none."""

    arrays: "dict[str, np.ndarray]"
    reason: str
    dropped: "list[Dropped]"


def outline_all(walks: "Sequence[Walk]", folder: "Path | None") -> list[Outlined]:
    """The gait energy image of every walk, in their order; what `folder` keeps of an earlier run is not made again.

    Args:
        walks: of kind "silhouettes".
        folder: where the images are kept; None keeps them nowhere.

    """
    from gaitnet.kept import Kept

    kept = Kept(folder, f"energy {MADE}, {SIZE}")
    with bar("reading the silhouettes", "walks") as progress:
        found = []
        for number, one in enumerate(_each(walks, kept), 1):
            found.append(one)
            progress(number, len(walks))
    return found


def _each(walks: "Sequence[Walk]", kept: Any) -> Iterator[Outlined]:
    from gaitnet.datasets.prepare import WORKERS

    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            yield from pool.map(lambda walk: _kept_or_made(walk, kept), walks)
        finally:
            pool.shutdown(cancel_futures=True)


def _kept_or_made(walk: "Walk", kept: Any) -> Outlined:
    from gaitnet.datasets.arrays import source_of
    from gaitnet.datasets.dropped import Dropped

    name = f"{walk.name} {source_of(walk)}"
    record = kept.get(name)
    if record is not None:
        return Outlined(record.arrays, record.about["reason"], [Dropped(*each) for each in record.about["dropped"]])
    one = outline(walk)
    if one.arrays or not one.dropped:  # what cannot be read now may be read in the next run
        kept.put(name, one.arrays, {"reason": one.reason, "dropped": [list(each) for each in one.dropped]})
    return one


def outline(walk: "Walk") -> Outlined:
    """A walk's gait energy image (1, 64 x 44), 0..1, and the silhouette of its middle in the same form."""
    import numpy as np

    from gaitnet.datasets.arrays import load_silhouettes
    from gaitnet.datasets.dropped import left_out
    from gaitnet.silhouettes import align_silhouettes, gait_energy_image

    dropped: list[Dropped] = []
    try:
        frames = load_silhouettes(walk, dropped)
    except ValueError as error:
        return Outlined({}, "cannot be read", [*dropped, left_out(error, walk.name)])
    if walk.path.suffix.lower() in (".pkl", ".npz") and frames.shape[1:] == (SIZE, SIZE):
        aligned, seen = frames, np.asarray(frames.any((1, 2)))  # aligned already
    else:
        aligned, seen = align_silhouettes(frames, SIZE)
    if not seen.any():
        return Outlined({}, "nobody in any frame", dropped)
    narrow = np.ascontiguousarray(aligned[:, :, SIDE : SIZE - SIDE])
    one = np.zeros_like(seen)
    one[np.flatnonzero(seen)[seen.sum() // 2]] = True
    arrays = {name: gait_energy_image(narrow, which).reshape(1, -1) for name, which in ((ENERGY, seen), (FROZEN, one))}
    return Outlined(arrays, "", dropped)


def results_of(
    protocol: Any,
    walks: "Sequence[Walk]",
    found: Sequence[Outlined],
    learned: "Sequence[Walk]",
    learned_found: Sequence[Outlined],
) -> tuple[dict[str, Any], str]:
    """A protocol's result by method, and a sentence on what PCA and LDA learned from.

    They learn from the walks `learned` or, where there are none, from each gallery; where a gallery has too few walks
    for that, images are compared as they are and nothing else.

    Raises:
        ValueError: somebody is learned from and searched for; or too few are there to learn from.

    """
    from gaitnet.evaluation.distances import nearest_by_parts
    from gaitnet.evaluation.runner import evaluate
    from gaitnet.identification.discriminant import TooFewError

    near, people = nearest_by_parts(1), {walk.subject_id for walk in learned}
    images = {name: vectors_of(found, name) for name in (ENERGY, FROZEN)}
    plain = {
        method: evaluate(protocol, walks, images[name], near, trained_on=people)
        for method, name in (("as they are, nearest", ENERGY), ("single frame, nearest", FROZEN))
    }
    try:
        better = {
            method: evaluate(protocol, walks, images[name], _discriminant(learned, learned_found, name))
            for method, name in (("PCA and LDA", ENERGY), ("single frame, PCA and LDA", FROZEN))
        }
    except TooFewError as error:
        if learned:
            raise
        return plain, f"PCA and LDA are left out, there is nobody to learn from: {error}"
    told = f"{len(people)} other people" if learned else "each gallery's own walks, there is nobody else"
    return better | plain, f"PCA and LDA learned from {told}."


def _discriminant(learned: "Sequence[Walk]", found: Sequence[Outlined], name: str) -> Any:
    """The nearest walk in the directions of PCA and LDA, as an evaluation's classifier."""
    import numpy as np

    from gaitnet.evaluation.distances import nearest_by_parts
    from gaitnet.identification.discriminant import fit_discriminant

    near = nearest_by_parts(1)
    own = [(one.arrays[name], walk.subject_id) for walk, one in zip(learned, found, strict=True) if name in one.arrays]
    beforehand = None
    if learned:
        if not own:
            raise ValueError("not one walk of the people to learn from can be read; PCA and LDA need them")
        beforehand = fit_discriminant(np.concatenate([rows for rows, _ in own]), np.array([who for _, who in own]))

    def fit(vectors: "np.ndarray", labels: "np.ndarray") -> Any:
        project = beforehand or fit_discriminant(vectors, labels)
        score = near(project(vectors), labels)
        return lambda probes: score(project(probes))

    return fit


def vectors_of(found: Sequence[Outlined], name: str) -> "np.ndarray":
    """A row a walk (walk, size); NaN where it has none."""
    import numpy as np

    size = next((one.arrays[name].shape[1] for one in found if name in one.arrays), 1)
    nothing = np.full((1, size), np.nan, np.float32)
    return np.concatenate([one.arrays.get(name, nothing) for one in found])
