"""Walks of any data set -> a .npz each, so that training touches no pictures, text or foreign pickles again.

Silhouettes become aligned ones of one size, joints stay as they are. A file appears whole under its walk's name and
says what it was made of; a run that was killed goes on after those that are sound, and makes anew whose source changed.
"""

import errno
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gaitnet.datasets.arrays import load_keypoints, load_silhouettes, source_of
from gaitnet.datasets.dropped import EMPTY, MEANING, NAME, Dropped, WalkError, left_out
from gaitnet.datasets.prepared import FORMAT, INDEX, REPORT, read_index
from gaitnet.datasets.record import Sequence as Walk
from gaitnet.datasets.record import require_unique
from gaitnet.silhouettes import align_silhouettes
from humanpose.datasets.restricted import read_npz

WORKERS = min(8, os.cpu_count() or 1)


@dataclass
class Outcome:
    """What was done: walks `written` now and `kept` from before, `frames` and `bytes` of both, what was `dropped`."""

    written: int = 0
    kept: int = 0
    frames: int = 0
    bytes: int = 0
    dropped: list[Dropped] = field(default_factory=list)


def prepare(
    walks: Sequence[Walk],
    directory: str | Path,
    name: str,
    size: int = 64,
    dropped: Sequence[Dropped] = (),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    source: str | Path | None = None,
    every: int = 1,
    which: str | None = None,
) -> Outcome:
    """Write every walk of a data set into a folder, or go on with one that was begun; `report.json` says what is not.

    Args:
        walks: of kind "silhouettes" or "keypoints", all of the same.
        directory: where they go; made if missing.
        name: of the data set.
        size: rows and columns of aligned silhouettes; those that come aligned in this size stay as they are.
        dropped: what was left out before, for the report.
        progress: told how many walks are done, of how many.
        source: folder that the walks were read from: those of another one do not go into the same `directory`, for
            they may be called alike.
        every: only every so many-th of its walks is among `walks`.
        which: pattern of the files they are read from, where walks have several.

    Returns:
        what was done. A walk that cannot be loaded, or has not one frame with somebody in it, is left out and told.

    Raises:
        ValueError: an odd size; no walks, of other kinds or two of one name; the folder holds another data set; or not
            one walk can be loaded.

    """
    kinds = {walk.kind for walk in walks}
    if len(kinds) != 1 or not kinds <= {"silhouettes", "keypoints"}:
        raise ValueError(
            f"walks: expected silhouettes or keypoints, got {', '.join(sorted(kinds)) or 'no walks'}; films and "
            "pictures are read where they lie"
        )
    if size < 2 or size % 2:
        raise ValueError(f"size: expected an even number of pixels, got {size}; OpenGait's are 64 and 128")
    require_unique(walks)
    (kind,) = kinds
    folder = Path(directory)
    came_from = None if source is None else str(Path(source).resolve())
    settings = {
        "format": FORMAT, "name": name, "kind": kind, "size": size if kind == "silhouettes" else None,
        "source": came_from, "every": every, "which": which,
    }  # fmt: skip
    before = read_index(folder)
    if before is not None and (differs := [key for key in settings if key in before and before[key] != settings[key]]):
        differing = ", ".join(f"{key} {before[key]}" for key in differs)
        raise ValueError(f"{folder} holds another data set ({differing}); choose another folder, or empty this one")
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / INDEX, _json({**settings, "whole": False, "walks": []}))
    outcome, entries = Outcome(dropped=list(dropped)), []
    for done, (entry, told, kept) in enumerate(_each(walks, folder, size), 1):
        outcome.dropped += told
        if entry is not None:
            entries.append(entry)
            outcome.kept, outcome.written = outcome.kept + kept, outcome.written + (not kept)
            outcome.frames += entry["frames"]
            outcome.bytes += (folder / entry["file"]).stat().st_size
        progress(done, len(walks))
    _write_whole(folder / REPORT, _json({**settings, **report(outcome.dropped), "walks": len(entries)}))
    if not entries:
        (folder / INDEX).unlink()
        raise ValueError(f"not one of {len(walks)} walks can be loaded: {outcome.dropped[-1].why}")
    _write_whole(folder / INDEX, _json({**settings, "whole": True, "walks": entries}))
    return outcome


def report(dropped: Sequence[Dropped]) -> dict[str, Any]:
    """What was left out, for JSON: how many of each kind, what the kinds mean, and every one of them."""
    counts = Counter(one.kind for one in dropped)
    return {
        "left_out": len(dropped),
        "kinds": [{"kind": kind, "meaning": MEANING[kind], "count": count} for kind, count in counts.most_common()],
        "all": [one._asdict() for one in dropped],
    }


def _each(
    walks: Sequence[Walk], folder: Path, size: int
) -> Iterator[tuple[dict[str, Any] | None, list[Dropped], bool]]:
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            yield from pool.map(lambda walk: _prepare_one(walk, folder, size), walks)
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare_one(walk: Walk, folder: Path, size: int) -> tuple[dict[str, Any] | None, list[Dropped], bool]:
    """The walk's entry in the index, None where it is left out; what was left out; whether it was there before."""
    try:
        return _prepare_named(walk, folder, size)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return None, [Dropped(NAME, str(walk.path), "too long for the name of a prepared walk")], False


def _prepare_named(walk: Walk, folder: Path, size: int) -> tuple[dict[str, Any] | None, list[Dropped], bool]:
    path = folder / f"{walk.name}.npz"
    told: list[Dropped] = []
    try:
        about: dict[str, Any] = {**_described(walk), "source": source_of(walk, str(size))}
        before = _there(path, about)
        if before is not None:
            return (
                {**_described(walk), "file": f"{walk.name}.npz", "frames": before["frames"]},
                [Dropped(*one) for one in before["dropped"]],
                True,
            )
        arrays = _silhouettes(walk, size, told) if walk.kind == "silhouettes" else _keypoints(walk)
    except ValueError as error:
        path.unlink(missing_ok=True)  # of an earlier run, whose source was another
        return None, [*told, left_out(error, str(walk.path) if walk.last_frame is None else walk.name)], False
    frames = len(next(iter(arrays.values())))
    about |= {"frames": frames, "dropped": [list(one) for one in told]}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(path, stream.getvalue())
    return {**_described(walk), "file": f"{walk.name}.npz", "frames": frames}, told, False


def _silhouettes(walk: Walk, size: int, dropped: list[Dropped]) -> dict[str, np.ndarray]:
    frames = load_silhouettes(walk, dropped)
    if frames.shape[1:] == (size, size) and walk.path.suffix.lower() in (".pkl", ".npz"):
        seen = frames.any((1, 2))
        aligned = frames[seen]
    else:
        aligned, seen = align_silhouettes(frames, size)
        aligned = aligned[seen]
    if not seen.any():
        raise WalkError(EMPTY, f"{walk.name}: nobody is in any of {len(frames)} frames")
    if not seen.all():
        dropped += [Dropped(EMPTY, f"{walk.name} frame {place + 1}", "nobody in it") for place in np.flatnonzero(~seen)]
    return {"silhouettes": aligned}


def _keypoints(walk: Walk) -> dict[str, np.ndarray]:
    found = load_keypoints(walk)
    return {
        "keypoints": found.keypoints, "visible": found.visible, "probability": found.probability,
        "joints": np.array(found.joints), "rate": np.array(np.nan if found.rate is None else found.rate, np.float64),
    }  # fmt: skip


def _described(walk: Walk) -> dict[str, Any]:
    told = asdict(walk)
    return {key: told[key] for key in ("subject_id", "condition", "session", "view", "sequence", "part", "kind")}


def _there(path: Path, about: dict[str, Any]) -> dict[str, Any] | None:
    """What a walk's file says, where it is whole and was made of the same source; None otherwise."""
    if not path.is_file():
        return None
    try:
        told = json.loads(str(read_npz(path)["about"]))
        left = all(
            isinstance(one, list) and len(one) == 3 and all(isinstance(word, str) for word in one) and one[0] in MEANING
            for one in told["dropped"]
        )
        if left and all(told[key] == value for key, value in about.items()) and type(told["frames"]) is int:
            return told
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _write_whole(path: Path, content: bytes) -> None:
    """A file that appears complete; the temporary one of a killed run is written over by the next."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
