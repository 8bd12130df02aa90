"""Which of the people found in a video walk which of its listed passes, and walks of several vectors as one sample."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

LEAST_COVER = 0.25
"""Share of a pass's frames in which somebody must be followed for the pass to count as described: about a stride of a
pass that lasts five seconds, since lists count the frames in which a walker enters and leaves the picture."""

Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""As `runner.Classifier`: fit(vectors, labels) -> score(vectors) -> (vector, subject)."""


def frames_in_passes(
    passes: Sequence[tuple[int, int]], tracks: Sequence[Int[np.ndarray, " _time"]], least: float = LEAST_COVER
) -> list[list[tuple[int, np.ndarray]]]:
    """Cut tracks to the listed passes of their video.

    Args:
        passes: (first, last) frame of each, from 0, the last included; they do not overlap.
        tracks: frame indices of each described person.
        least: share of a pass's frames that its tracks must cover together.

    Returns:
        For each pass, (track, mask (time,) of the track's frames within it), longest first; empty where too little of
        the pass is covered. A frame that two tracks share counts once.

    """
    found = []
    for first, last in passes:
        masks = [(track, (frames >= first) & (frames <= last)) for track, frames in enumerate(tracks)]
        inside = [(track, mask) for track, mask in masks if mask.any()]
        covered = {int(frame) for track, mask in inside for frame in tracks[track][mask]}
        enough = len(covered) >= least * (last - first + 1)
        found.append(sorted(inside, key=lambda one: -int(one[1].sum())) if enough else [])
    return found


def by_windows(windows: Sequence[Float[np.ndarray, "_window size"] | None], fit: Fit) -> Fit:
    """A classifier over walks that have several vectors each, for `runner.evaluate`.

    It is fitted on all windows of the enrolled walks, and a probe's score is the mean over its windows. Its "vectors"
    are `places(windows)`: each walk's place in the list.
    """

    def fit_walks(samples: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        parts = [_own(windows, place) for place in samples[:, 0]]
        score = fit(np.concatenate(parts), np.repeat(labels, [len(part) for part in parts]))
        return lambda probes: np.stack([score(_own(windows, place)).mean(axis=0) for place in probes[:, 0]])

    return fit_walks


def _own(windows: Sequence[np.ndarray | None], place: float) -> np.ndarray:
    own = windows[int(place)]
    if own is None:
        raise ValueError(f"windows: walk {int(place)} has none, but was taken for described; pass `places(windows)`")
    return own


def places(windows: Sequence[Shaped[np.ndarray, "_window size"] | None]) -> Float[np.ndarray, "walk 1"]:
    """Each walk's place in the list; NaN where it has no window, so that it counts as not described."""
    return np.array(
        [[np.nan if window is None or not len(window) else place] for place, window in enumerate(windows)],
        np.float64,
    ).reshape(-1, 1)
