"""Recorded motion as videos of drawn people, in the layout `video`: PERSON/CLIP/VIEW.mp4 and .json."""

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gaitnet.walkers.bvh import Motion
from gaitnet.walkers.dataset import render_in_chunks
from gaitnet.walkers.files import SETTINGS, read_photographs, same_as_before, write_parts
from gaitnet.walkers.recorded import RATE, names_of, plan_of_picture, read_motion, walk_of
from gaitnet.walkers.walks import FILES

STREAM = 59
"""Folded into the key: recorded clips wear nothing that the walkers of the same seed do."""

CHUNK = 16
"""Frames drawn at a time, so that a long video needs little memory."""


def make_recorded(
    root: str | Path,
    clips: Sequence[Path],
    views: tuple[float | int, ...] = (90.0,),
    common: bool = False,
    seed: int = 0,
    frames: int | None = None,
    size: tuple[int, int] = (480, 640),
    shutter: float = 0.0,
    backgrounds: Path | None = None,
    on_walk: Callable[[Path], None] | None = None,
) -> list[Path]:
    """A video of every clip from every view under `root`: PERSON/CLIP/VVV.mp4, 25 frames a second, and .json.

    The JSON is that of `files.write_video`: `identity` is the performer, and `motion` names the clip, the body and the
    SHA-256 of the points that were read, in whole millimetres. What is already there whole is kept, so an interrupted
    run goes on where it stopped.

    Args:
        root: folder, made if it is missing.
        clips: files of the formats of `recorded.READERS`; persons and names as `recorded.names_of` has them.
        views: degrees 0..180.
        common: everybody on the one common body, so that only motion tells them apart.
        seed: 0..99,999, of clothes, places and cameras, which come from it and the clip's name.
        frames: no more than these of each clip, its middle; None for all in which the walker is seen.
        size: (height, width) of the pictures.
        shutter: see `layouts.make_walkers`.
        backgrounds: see `layouts.make_walkers`.
        on_walk: told the path of every video when it is written.

    Returns:
        The paths of all videos.

    Raises:
        ValueError: no clips, frames or views; a clip that cannot be read; two clips or two views of one name; no
            picture in `backgrounds`; or `root` holds walkers that were drawn otherwise or from other clips.
    """
    if not clips or not views or (frames is not None and frames < 1):
        raise ValueError(f"clips, views, frames: expected one or more of each, got {len(clips)}, {views}, {frames}")
    if len({round(view) for view in views}) < len(views):
        raise ValueError("views: two are the same in whole degrees, by which files are named; drop one")
    places: dict[tuple[str, str], Path] = {}
    motions: list[tuple[Path, Motion, str]] = []
    for clip in clips:  # all of them before any work: a bad one is told at once
        names = names_of(clip)
        if not "".join(names).isprintable():
            raise ValueError(f"clips: expected names of printable letters, got {clip!s:.200}; rename it".encode(
                errors="backslashreplace").decode())  # fmt: skip
        if names in places:
            raise ValueError(f"clips: {places[names]} and {clip} would both be {'/'.join(names)}; draw one elsewhere")
        places[names] = clip
        motion = read_motion(clip)
        millimetres = np.round(1000 * motion.points).astype(np.int32)
        motions.append((clip, motion, hashlib.sha256(millimetres.tobytes()).hexdigest()))
    photographs = None if backgrounds is None else read_photographs(backgrounds)
    body = "common" if common else "own"
    settings: dict[str, Any] = {"motion": "recorded", "body": body, "seed": seed, "frames": frames, "rate": RATE}
    settings |= {"size": list(size), "shutter": shutter}
    if photographs is not None:
        settings["backgrounds"] = hashlib.sha256(photographs.tobytes()).hexdigest()
    same_as_before(Path(root) / SETTINGS, settings)
    written = []
    for clip, motion, digest in motions:
        person, name = names_of(clip)
        walk = None
        for view in views:
            path = Path(root) / person / name / f"{view:03.0f}.mp4"
            about: dict[str, Any] = {
                "identity": person, "synthetic": True, "motion": {"clip": clip.name, "body": body, "sha256": digest},
                "condition": "NM", "session": 0, "view": view, "rate": RATE, "size": [size[1], size[0]],
            }  # fmt: skip
            if not _is_there(path, about["motion"]):
                walk = walk or walk_of(motion, common)
                key = jax.random.fold_in(jax.random.key(FILES + seed), STREAM)
                key = jax.random.fold_in(key, zlib.crc32(f"{person}/{name}".encode()) >> 1)
                key = jax.random.fold_in(key, round(view * 10))
                plan = plan_of_picture(key, walk, view, size, photographs, shutter, frames)
                write_parts(path, render_in_chunks(plan, size, with_jpeg=False, chunk=CHUNK), about)
            written.append(path)
            if on_walk is not None:
                on_walk(path)
    return written


def _is_there(path: Path, motion: dict[str, str]) -> bool:
    """Whether a video is whole, which its labels tell, and of this motion: no other is mixed in under its name."""
    labels = path.with_suffix(".json")
    if not (labels.exists() and path.exists()):
        return False
    try:
        before = json.loads(labels.read_bytes())["motion"]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{labels} is damaged: remove it, and its video is drawn again") from None
    if before != motion:
        raise ValueError(f"{path}: was drawn from another clip called {motion['clip']}; choose another folder")
    return True
