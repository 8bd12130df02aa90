"""The walkers (synthetic) through both networks: walks rendered, described, and described without what gait is.

What the demo, the walkers' protocols and the strangers of the threshold share. A walk is in memory only while it is
described, so a thousand walks need no more than ten.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from gaitnet.descriptor import Descriptor, vectors_of_walks
from gaitnet.evaluation.controls import shuffled, single_frame
from gaitnet.evaluation.selection import Sample
from gaitnet.pose_maps import RATE as MAPS_RATE
from gaitnet.recognizer import SHORTEST, GaitRecognizer, maps_of_walk
from gaitnet.walkers.walks import RATE, Crowd, WalkCrops, WalkPlan

GAIT = "gait"
MOTION_CONTROLS = ("single frame", "shuffled frames")
COLOUR_CONTROLS = ("colour only", "background only")
"""What the same walks give without their motion, and their pictures without the walk."""

FEWEST = round(SHORTEST * RATE / MAPS_RATE)
"""Frames of a walk below which it is not described."""

TOGETHER = 8
"""Walks that pass the networks together."""
AHEAD = 12
"""Walks that are rendered ahead of those."""


@dataclass(frozen=True)
class Entry:
    """A walk to be rendered, and what a protocol calls it."""

    plan: WalkPlan
    sample: Sample


class Glimpse(NamedTuple):
    """One frame of a walk as a person crop, with what the pose network found in it (crop pixels, 0..1)."""

    image: UInt8[np.ndarray, "height width 3"]
    keypoints: Float[np.ndarray, "16 2"]
    probability: Float[np.ndarray, "16"]


class SeenWalk(NamedTuple):
    """A rendered walk, and what the pose network found in it."""

    walk: WalkCrops
    keypoints: Float[np.ndarray, "time 16 2"]
    """Pixels of the walk's picture; a mirrored crop's sides stay exchanged."""
    probability: Float[np.ndarray, "time 16"]


class Described(NamedTuple):
    """Walks in the order of their plans."""

    vectors: dict[str, Float[np.ndarray, "walk number"]]
    """By name: GAIT, and the controls that were asked for."""
    glimpses: dict[int, Glimpse]
    """By place, of the walks that were to be kept."""


def describe_walks(
    recognizer: GaitRecognizer,
    crowd: Crowd,
    plans: Sequence[WalkPlan],
    *,
    controls: bool = True,
    keep: Collection[int] = (),
    progress: Callable[[int, int | None], None] | None = None,
) -> Described:
    """Render walks and describe each as the video road would: joints, pose maps, mean vector over its windows.

    Args:
        recognizer: both networks; its pose network takes crops of the crowd's `size`.
        crowd: who walks.
        plans: the walks.
        controls: also describe each walk by a single frame, by its frames in another order, by the colours of the
            walker and by those of the place.
        keep: places of walks of which a frame is wanted.
        progress: called with (walks done, walks in all).

    Raises:
        ValueError: the crowd's walks are too short to be described.

    """
    if crowd.frames < FEWEST:
        raise ValueError(f"crowd: expected walks of {FEWEST} frames or more, got {crowd.frames}")
    rows: dict[str, list[np.ndarray]] = {}
    glimpses: dict[int, Glimpse] = {}
    seen = see_walks(recognizer, crowd, plans)
    for start in range(0, len(plans), TOGETHER):
        parts = [next(seen) for _ in plans[start : start + TOGETHER]]
        walks = [part.walk for part in parts]
        maps = [[*maps_of_walk(found, sure, walk.times, walk.mirrored)] for walk, found, sure in parts]
        found = {GAIT: _mean_vectors(recognizer.gait, maps)}
        if controls:
            seeds = range(start, start + len(maps))
            one = [[single_frame(walk[0], seed)[:SHORTEST]] for walk, seed in zip(maps, seeds, strict=True)]
            mixed = [[shuffled(part, seed) for part in walk] for walk, seed in zip(maps, seeds, strict=True)]
            motionless = (_mean_vectors(recognizer.gait, each) for each in (one, mixed))
            found |= dict(zip(MOTION_CONTROLS, motionless, strict=True))
            colours = (np.stack([walk.colours for walk in walks]), np.stack([walk.surroundings for walk in walks]))
            found |= dict(zip(COLOUR_CONTROLS, colours, strict=True))
        for name, values in found.items():
            rows.setdefault(name, []).append(values)
        for place in set(keep) & set(range(start, start + len(walks))):
            glimpses[place] = _glimpse(*parts[place - start])
        if progress is not None:
            progress(start + len(walks), len(plans))
    return Described({name: np.concatenate(values) for name, values in rows.items()}, glimpses)


def see_walks(recognizer: GaitRecognizer, crowd: Crowd, plans: Sequence[WalkPlan]) -> Iterator[SeenWalk]:
    """Walks rendered and passed through the pose network, in the order of their plans."""
    for walk in _rendered(crowd, plans):
        yield SeenWalk(walk, *recognizer.joints_of_track(walk.crops, walk.affines, walk.times))


def subject_name(subject: int) -> str:
    """What a walker is called: the first is "walker 01"."""
    return f"walker {subject + 1:02d}"


def tum_gaid_entries(subjects: Sequence[int], second_session: bool = False) -> list[Entry]:
    """Walks named as TUM-GAID's, from the side, those of odd number to the right and of even number to the left.

    Normal, with a backpack, in coating shoes; with `second_session` the walks n11, n12, b3, b4, s3 and s4 of another
    day, else n5, n6, b1, b2, s1 and s2 of the same. All are marked as its "test" part.
    """
    conditions = {"n": "NM", "b": "BP", "s": "SH"}
    probes = ("n11", "n12", "b3", "b4", "s3", "s4") if second_session else ("n5", "n6", "b1", "b2", "s1", "s2")
    entries = []
    for subject in subjects:
        for name in ("n1", "n2", "n3", "n4", *probes):
            condition, take = conditions[name[0]], int(name[1:])
            session = int(second_session and name in probes)
            plan = WalkPlan(subject, condition, session, 90.0, take, to_left=take % 2 == 0)
            sample = Sample(subject_name(subject), condition, str(session + 1), 90.0, name, "test")
            entries.append(Entry(plan, sample))
    return entries


def casia_b_entries(subjects: Sequence[int], views: Sequence[float | int]) -> list[Entry]:
    """Walks named as CASIA-B's test walks: nm-01 to nm-06, bg-01 (backpack), bg-02 (hand bag), cl-01 and cl-02 (coat).

    Person by person and view by view (degrees). Unlike the data set's, where eleven cameras see one walk, every view
    has a walk of its own; those of odd number go to the right of the picture, those of even number to the left.
    """
    walks = [(f"nm-{take:02d}", "NM", "NM", take) for take in range(1, 7)]
    walks += [("bg-01", "BG", "BP", 1), ("bg-02", "BG", "HB", 2), ("cl-01", "CL", "CL", 1), ("cl-02", "CL", "CL", 2)]
    return [
        Entry(
            WalkPlan(subject, drawn, 0, float(view), take, to_left=take % 2 == 0),
            Sample(subject_name(subject), condition, "", float(view), name, "test"),
        )
        for subject in subjects
        for view in views
        for name, condition, drawn, take in walks
    ]


def _mean_vectors(gait: Descriptor, walks: Sequence[Sequence[np.ndarray]]) -> Float[np.ndarray, "walk size"]:
    """A vector a walk, the mean over its windows; always for TOGETHER walks, so that one size is compiled."""
    padded = [*walks, *[walks[-1]] * (TOGETHER - len(walks))]
    return np.stack([vectors.mean(axis=0) for vectors in vectors_of_walks(gait, padded)[: len(walks)]])


def _rendered(crowd: Crowd, plans: Sequence[WalkPlan]) -> Iterator[WalkCrops]:
    """The walks in order, rendered in two threads ahead of whoever takes them."""
    if not plans:
        return
    yield crowd.render(plans[0])  # alone, or both threads would compile
    pool = ThreadPoolExecutor(2, "walkers")
    try:
        waiting: deque[Future[WalkCrops]] = deque()
        for plan in plans[1:]:
            waiting.append(pool.submit(crowd.render, plan))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _glimpse(walk: WalkCrops, keypoints: np.ndarray, probability: np.ndarray) -> Glimpse:
    """The frame in which the ankles are furthest apart."""
    best = int(np.argmax(np.ptp(keypoints[:, [0, 5], 0], axis=1)))
    affine = walk.affines[best]
    inside = (keypoints[best] - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    return Glimpse(walk.crops[best], inside, probability[best])
