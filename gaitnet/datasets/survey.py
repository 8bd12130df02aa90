"""A look at every walk of a data set: who, how, from where and how long; what cannot be used, and what is odd."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from gaitnet.datasets.arrays import load_frames, load_keypoints, load_silhouettes
from gaitnet.datasets.dropped import COUNTS, Dropped, WalkError, left_out
from gaitnet.datasets.frame_folder import frame_files, gaps
from gaitnet.datasets.keypoints import as_body
from gaitnet.datasets.record import Sequence as Walk
from humanpose.skeleton import INDEX

PELVIS = INDEX["pelvis"]

GAPS, NOBODY, INVERTED, GREY = "frames missing", "nobody in frames", "inverted", "no silhouettes"
STILL, SHORT, LOST, JUMPS, STANDS = "frames repeated", "short", "joints lost", "jumps", "no walk"

ODD = {
    GAPS: "numbers of frames between the first and the last that are not there",
    NOBODY: "frames of silhouettes without a person",
    INVERTED: "more than half of the picture is person: black and white may be exchanged",
    GREY: "frames whose person is largely grey within, as in a photograph",
    STILL: "frames that show what the one before shows, to the pixel or the joint",
    SHORT: "walks of fewer than 8 frames",
    LOST: "joints that are missing in a frame",
    JUMPS: "frames that follow the one before at more than 9 m/s, by the pelvis: another body, or none, was followed",
    STANDS: "walks before a sensor that stands, in which somebody gets less than a metre away from where they began",
}
"""Kind -> what it says; walks with them are used."""

LEAST = 8
FASTEST = 9.0
"""Metres a second; nobody who walks is nearly as fast."""
GREYEST = 0.15
"""Of a silhouette's pixels that are grey among grey ones: borders that scaling left have next to none, of the frames of
an OpenGait tree at hand five silhouettes with blurred feet have up to 0.10, five photographs from 0.27."""
WORKERS = min(8, os.cpu_count() or 1)


class Look(NamedTuple):
    """One walk: its frames, their size or the joints' number in words, what is odd, and what is left out of it."""

    walk: Walk
    frames: int
    size: str
    odd: dict[str, int]
    dropped: list[Dropped]


@dataclass
class Finding:
    """One kind of oddity: how often, in how many walks, and the first of them."""

    count: int = 0
    walks: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Survey:
    """What a data set holds; `sound` walks can be loaded, `sizes` and counts are theirs."""

    walks: int
    sound: list[Walk] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    odd: dict[str, Finding] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    def counts(self, column: str) -> dict[str, int]:
        """Sound walks by "condition", "view", "session", "part" or "subject_id", in order of its values."""
        told = Counter(getattr(walk, column) for walk in self.sound)
        ordered = sorted(told, key=lambda value: (value is not None, value))
        return {f"{value:g}" if isinstance(value, float) else value or "": told[value] for value in ordered}


def survey(
    walks: Sequence[Walk],
    dropped: Sequence[Dropped] = (),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Survey:
    """Load every walk, whole but for films, of which the first frame and the header are read.

    Args:
        walks: of any kind.
        dropped: what reading them left out.
        progress: told how many are done, of how many.

    """
    found = Survey(len(walks), dropped=list(dropped))
    for done, look in enumerate(_looks(walks), 1):
        found.dropped += look.dropped
        if look.frames:
            found.sound.append(look.walk)
            found.lengths.append(look.frames)
            found.sizes[look.size] += 1
            for kind, count in look.odd.items():
                if count:
                    finding = found.odd.setdefault(kind, Finding())
                    finding.count, finding.walks = finding.count + count, finding.walks + 1
                    if len(finding.examples) < 3:
                        finding.examples.append(look.walk.name)
        progress(done, len(walks))
    return found


def _looks(walks: Sequence[Walk]) -> Iterator[Look]:
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            yield from pool.map(_look, walks)
        finally:
            pool.shutdown(cancel_futures=True)


def _look(walk: Walk) -> Look:
    told: list[Dropped] = []
    kinds = {"silhouettes": _silhouettes, "keypoints": _keypoints, "frames": _frames, "video": _video}
    try:
        frames, size, odd = kinds[walk.kind](walk, told)
    except ValueError as error:
        return Look(walk, 0, "", {}, [*told, left_out(error, str(walk.path))])
    if walk.path.is_dir():
        odd[GAPS] = gaps(frame_files(walk.path))
    odd[SHORT] = int(frames < LEAST)
    return Look(walk, frames, size, odd, told)


def _silhouettes(walk: Walk, told: list[Dropped]) -> tuple[int, str, dict[str, int]]:
    masks = load_silhouettes(walk, told)
    seen = np.asarray(masks.any((1, 2)))
    odd = {
        NOBODY: int((~seen).sum()),
        STILL: int((~(masks[1:] ^ masks[:-1]).any((1, 2)) & seen[1:]).sum()),
        INVERTED: int((masks > 127).mean() > 0.5),
        GREY: sum(map(_is_grey_within, masks)),
    }
    return len(masks), f"{masks.shape[2]}x{masks.shape[1]}", odd


def _is_grey_within(mask: UInt8[np.ndarray, "height width"]) -> bool:
    grey = ((mask > 31) & (mask < 224)).astype(np.uint8)
    if not grey.any():
        return False
    within = cv2.erode(grey, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return bool(within.sum() > GREYEST * (mask > 31).sum())


def _keypoints(walk: Walk, told: list[Dropped]) -> tuple[int, str, dict[str, int]]:
    found = load_keypoints(walk)
    still = ~np.diff(found.keypoints, axis=0).any((1, 2)) & found.visible[1:].any(1)
    odd = {LOST: int((~found.visible).sum()), STILL: int(still.sum())}
    if found.keypoints.shape[2] == 3:
        body, visible, _ = as_body(found)
        there = visible[:, PELVIS]
        steps = np.linalg.norm(np.diff(body[:, PELVIS], axis=0), axis=1) * (found.rate or 0)
        odd[JUMPS] = int((steps > FASTEST)[there[1:] & there[:-1]].sum())
        if walk.view is not None:  # else the sensor may have been turned with the walker
            way = body[there, PELVIS, :2]
            odd[STANDS] = int(len(way) == 0 or np.linalg.norm(way - way[0], axis=1).max() < 1)
    return len(found.keypoints), f"{found.keypoints.shape[1]} joints in {found.keypoints.shape[2]}-D", odd


def _frames(walk: Walk, told: list[Dropped]) -> tuple[int, str, dict[str, int]]:
    count, still, size = 0, 0, ""
    before: np.ndarray | None = None
    for picture in load_frames(walk, told, careful=True):
        still += before is not None and np.array_equal(before, picture)
        count, before, size = count + 1, picture, f"{picture.shape[1]}x{picture.shape[0]}"
    return count, size, {STILL: still}


def _video(walk: Walk, told: list[Dropped]) -> tuple[int, str, dict[str, int]]:
    from gaitnet.video.read import probe

    about = probe(walk.path)
    last = walk.last_frame
    if last is not None and about.frames is not None and about.frames <= last:
        raise WalkError(COUNTS, f"{walk.path}: has {about.frames} frames, but frame {last} is listed")
    end = last + 1 if last is not None else about.frames or round((about.duration or 0) * about.rate) or 1
    return max(end - walk.first_frame, 1), f"{about.width}x{about.height}", {}
