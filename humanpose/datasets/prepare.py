"""Records -> a cache of person crops in shards, which a training reads without touching the large pictures again.

A shard is an .npz of plain arrays. It appears whole under its name, and `index.json` then lists it with its sha256: a
run that was killed goes on after the last shard that is sound. `prepared` reads the cache.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from humanpose.datasets.check import name_of, outside, require_people, require_placed
from humanpose.datasets.fingerprints import contents, fingerprint, sha256_of
from humanpose.datasets.pictures import pictures_of
from humanpose.datasets.places import natural_key
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.shards import QUALITY, annotations, jpeg
from humanpose.preprocess import crop, crop_affine
from humanpose.skeleton import JOINTS

FORMAT = "humanpose-prepared-1"
INDEX = "index.json"

SIZE = 256
"""Side of the square crops in pixels."""

CONTEXT = 1.6
"""Side of a crop over the height of the 3:4 rectangle about the person: 1.25 is what a network sees, the rest is for
augmentation. At 256 pixels a person keeps the resolution that a network of 192 rows wants."""

PEOPLE = 512
"""In a shard, where nothing else is asked for."""

UNPLACED, BEYOND = "no box or no joints", "joints outside the picture"

MARGIN = 0.02
"""Of a picture's longer side: a click so far beyond its border is nobody's reason to be left out."""

Pixels = Literal["jpeg", "array"]


@dataclass
class Outcome:
    """What a run has done: `people` in the cache, shards `written` now and `kept` from before, who was `left_out`."""

    people: int = 0
    written: int = 0
    kept: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


def prepare(
    records: Sequence[PoseRecord],
    directory: str | Path,
    name: str,
    size: int = SIZE,
    shards: int | None = None,
    pixels: Pixels = "jpeg",
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Outcome:
    """Cut everybody out of their pictures into a cache, or go on with one that was begun.

    Args:
        records: people; sorted by picture and frame here, so that each picture is read once.
        directory: where the cache goes; made if missing.
        name: of the data set.
        size: side of the square crops in pixels.
        shards: number of files; by default PEOPLE people a file.
        pixels: "jpeg" (quality 95), or "array" for uint8 as they are, ten times as large.
        progress: told how many people are done, of how many.

    Returns:
        what was done. People whose picture is missing or damaged, who have no box or joints, or of whom a joint lies
        well outside the picture, are left out and named.

    Raises:
        ValueError: records that cannot be used, as a training would refuse them; an impossible size or number, a
            folder that holds another cache, or no picture that can be read.

    """
    require_people(records)
    require_placed(records)
    if not 32 <= size <= 2048 or (shards is not None and not 1 <= shards <= len(records)):
        raise ValueError(f"size must be 32..2048 and shards 1..{len(records)}, got {size} and {shards}")
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(records, key=_in_order)
    count = shards or -(-len(ordered) // PEOPLE)
    bounds = np.linspace(0, len(ordered), count + 1).astype(int).tolist()
    settings = {"format": FORMAT, "name": name, "size": size, "context": CONTEXT, "pixels": pixels, "quality": QUALITY,
                "shard_count": count, "people_given": len(ordered), "records_sha256": fingerprint(ordered)}  # fmt: skip
    parts = {f"shard-{number:05d}.npz": (start, end) for number, (start, end) in enumerate(pairwise(bounds))}
    done = _done_before(folder, settings, {file: ordered[start:end] for file, (start, end) in parts.items()})
    outcome, entries = Outcome(), {}
    for file, (start, end) in parts.items():
        if file in done:
            entries[file], outcome.kept = done[file], outcome.kept + 1
        else:
            entries[file] = _write_shard(folder / file, ordered[start:end], size, pixels, start, len(ordered), progress)
            outcome.written += 1
            # those further on that were sound before stay listed: a second kill must not lose them
            _write_whole(folder / INDEX, _index(settings, {**done, **entries}, whole=False))
        progress(end, len(ordered))
    outcome.people = sum(entry["people"] for entry in entries.values())
    outcome.left_out = [(who, why) for entry in entries.values() for who, why in entry["left_out"]]
    if not outcome.people:
        for name in (INDEX, *entries):  # a cache of nobody must not look like a whole one
            (folder / name).unlink(missing_ok=True)
        raise ValueError(f"not one of {len(ordered)} people could be cut out of a picture: {outcome.left_out[0][1]}")
    _write_whole(folder / INDEX, _index(settings, entries, whole=True))
    return outcome


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds what `prepare` wrote, if only a part of it, and no data set as it was released."""
    try:
        with open(folder / INDEX, "rb") as stream:
            return FORMAT.encode() in stream.read(256)
    except OSError:
        return False


def context_affine(box: Float[np.ndarray, "4"], size: int) -> Float[np.ndarray, "2 3"]:
    """Pixels of the square crop of a person's box -> pixels of the picture."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    half = max(y1 - y0, (x1 - x0) * 4 / 3) / 2  # the rectangle of a portrait crop, whose height is what counts
    middle = (y0 + y1) / 2
    return crop_affine(np.array([x0, middle - half, x1, middle + half]), (size, size), CONTEXT)


def _in_order(record: PoseRecord) -> tuple[str, list[tuple[int, str]], str, int]:
    """By folder, picture and frame; the rows of a cache stand as the frames of a recording follow each other."""
    return f"{record.path.parent}/", natural_key(record.path.name), record.path.name, record.frame or 0


def _unchanged(entry: dict[str, Any], records: Sequence[PoseRecord]) -> bool:
    """Whether a shard's pictures are those it was cut from; pictures that are gone by now have not changed."""
    before, now = entry.get("content"), list(contents(records).values())
    if not isinstance(before, list) or len(before) != len(now):
        return False  # of a version that did not tell
    return all(new in ("", old) for old, new in zip(before, now, strict=True))


def _done_before(folder: Path, settings: dict[str, Any], parts: dict[str, Sequence[PoseRecord]]) -> dict[str, Any]:
    """Entries of the shards that are there and sound, of pictures that have not changed since.

    Raises ValueError where the folder holds another cache.
    """
    if not (folder / INDEX).exists():
        return {}
    try:
        index = json.loads((folder / INDEX).read_bytes())
        before = {key: index.get(key) for key in settings}
        entries = {str(entry["file"]): entry for entry in index["shards"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / INDEX} is damaged: {error}; choose another folder, or empty this one") from error
    if before != settings:
        other = ", ".join(f"{key} {before[key]}" for key in settings if before[key] != settings[key])
        raise ValueError(f"{folder} holds another cache ({other}); choose another folder, or empty this one")
    return {
        file: entry
        for file, entry in entries.items()
        # whose picture could not be read is tried again: it may have been fetched in the meantime
        if file in parts
        and all(why.startswith((UNPLACED, BEYOND)) for _, why in entry.get("left_out", ()))
        and (folder / file).is_file()
        and sha256_of(folder / file) == entry.get("sha256")
        and _unchanged(entry, parts[file])
    }


def _index(settings: dict[str, Any], entries: dict[str, Any], whole: bool) -> bytes:
    shards = [entries[file] for file in sorted(entries)]
    return (json.dumps({**settings, "whole": whole, "shards": shards}, indent=1) + "\n").encode()


def _write_shard(
    path: Path, records: Sequence[PoseRecord], size: int, pixels: Pixels, start: int, total: int,
    progress: Callable[[int, int | None], None],
) -> dict[str, Any]:  # fmt: skip
    left_out: list[tuple[str, str]] = []
    people, crops, affines, sizes = [], [], [], []
    for place, (record, picture, why) in enumerate(_each(records)):
        if picture is None or not record.has_extent or not record.visible.any():
            left_out.append((name_of(record), why.removeprefix(f"{record.path}: ") or UNPLACED))
        elif len(far := _well_outside(record, picture)):
            left_out.append(
                (name_of(record), f"{BEYOND}: {', '.join(JOINTS[joint].replace('_', ' ') for joint in far)}")
            )
        else:
            affine = context_affine(record.box, size)
            people.append(record)
            affines.append(affine)
            sizes.append(picture.shape[:2])
            cut = crop(picture, affine, (size, size))
            crops.append(jpeg(cut) if pixels == "jpeg" else cut)  # at once: a shard may hold a whole data set
        progress(start + place + 1, total)
    arrays = annotations(people, np.array(affines, np.float64).reshape(-1, 2, 3), sizes)
    if pixels == "jpeg":
        arrays["ends"] = np.cumsum([len(one) for one in crops], dtype=np.int64)
        arrays["pixels"] = np.concatenate([np.zeros(0, np.uint8), *crops])
    else:
        arrays["pixels"] = np.array(crops, np.uint8).reshape(-1, size, size, 3)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    content = stream.getvalue()
    _write_whole(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "people": len(people),
            "left_out": left_out, "content": list(contents(records).values())}  # fmt: skip


def _well_outside(record: PoseRecord, picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return outside(record, height, width, margin=max(1.0, MARGIN * max(height, width)))


def _each(records: Sequence[PoseRecord]) -> Iterator[tuple[PoseRecord, np.ndarray | None, str]]:
    for together, picture, why in pictures_of(records, whole=True):
        for record in together:
            yield record, picture, why


def _write_whole(path: Path, content: bytes) -> None:
    """A file that appears complete; the temporary one of a killed run is written over by the next."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
