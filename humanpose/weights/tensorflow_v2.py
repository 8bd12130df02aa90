"""TensorFlow's second checkpoint format, the bundle: `X.index`, a sorted table, and the numbers in `X.data-...-of-...`.

The table says of every variable its type and shape, in which shard its bytes lie, where, and with which checksum.
"""

import math
import os
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from humanpose.weights.arrays import AGAIN, Arrays, Entry, WeightsFileError, checked_shape, read_part, said, widened
from humanpose.weights.crc32c import crc32c, masked
from humanpose.weights.protobuf import (
    TYPES,
    Slice,
    boxes_of,
    fields,
    join_slices,
    number_of,
    shape_of,
    slice_key,
    slice_of,
)
from humanpose.weights.sstable import Table

KIND = "TensorFlow V2 checkpoint"
MOST_SHARDS = 99999
SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")


class Bytes(NamedTuple):
    """BundleEntryProto: type and shape of a variable or of a slice of one, its place, and its slices if it has any."""

    kind: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    slices: tuple[Slice, ...] = ()


def index_of(path: str | Path) -> Path:
    """The index of a bundle, named by it, by one of its shards, or by what their names begin with."""
    path = Path(path)
    if path.suffix == ".index":
        return path
    return path.with_name(SHARD.sub("", path.name) + ".index")


def read(path: str | Path) -> Arrays:
    """Open a V2 bundle by its index, one of its shards or their common beginning: the variables, read when asked for.

    Raises WeightsFileError where a file is damaged, cut short, missing, or of another kind.
    """
    index = index_of(path)
    try:
        entries, skipped, shards = _variables(index)
    except WeightsFileError:
        raise
    except ValueError as error:
        raise WeightsFileError(f"{index} cannot be read as the index of a {KIND}: {said(error)}; {AGAIN}") from error
    return Arrays(index, KIND, entries, skipped, shards=shards)


def _variables(index: Path) -> tuple[dict[str, Entry], dict[str, str], list[Path]]:
    table = Table(index)
    found = {key: _described(value) if key else value for key, value in table.items()}
    header = found.pop(b"", None)
    if not isinstance(header, memoryview):
        raise ValueError("the header is missing")
    settings = {number: number_of(value) for number, value in fields(header) if number in (1, 2)}
    count, big_endian = settings.get(1, 0), settings.get(2, 0) == 1
    if not 1 <= count <= MOST_SHARDS:
        raise ValueError(f"a bundle of {count} shards")
    prefix = index.name.removesuffix(".index")
    described = {key: value for key, value in found.items() if isinstance(value, Bytes)}
    used = sorted({entry.shard for entry in described.values() if not entry.slices})
    shards = {number: index.with_name(f"{prefix}.data-{number:05d}-of-{count:05d}") for number in used}
    missing = [shard.name for shard in shards.values() if not shard.is_file()]
    if missing:
        raise WeightsFileError(f"{index} lacks its shard {missing[0]}: put all files of the checkpoint into one folder")
    most = sum(os.stat(shard).st_size for shard in shards.values())
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    for key, entry in described.items():
        if key.startswith(b"\x00"):
            continue  # a slice, found by the variable it belongs to
        name = key.decode()
        if entry.kind not in TYPES:
            skipped[name] = f"of TensorFlow's type {entry.kind}, no numbers"
            continue
        checked_shape(entry.shape, 1, most)
        stored = TYPES[entry.kind]
        entries[name] = Entry(entry.shape, stored, partial(_read, described, shards, name, entry, big_endian))
    return entries, skipped, list(shards.values())


def _described(message: memoryview) -> Bytes:
    kind = shard = offset = size = checksum = 0
    shape: tuple[int, ...] = ()
    slices = []
    for number, value in fields(message):
        match number:
            case 1:
                kind = number_of(value)
            case 2:
                shape = shape_of(value)
            case 3:
                shard = number_of(value)
            case 4:
                offset = number_of(value)
            case 5:
                size = number_of(value)
            case 6:
                checksum = number_of(value)
            case 7:
                slices.append(slice_of(value))
    return Bytes(kind, shape, shard, offset, size, checksum, tuple(slices))


def _read(
    described: dict[bytes, Bytes], shards: dict[int, Path], name: str, entry: Bytes, big_endian: bool
) -> np.ndarray:
    if not entry.slices:
        return _numbers(shards, entry, big_endian)
    boxes = boxes_of(entry.slices, entry.shape)
    parts = []
    for part, box in zip(entry.slices, boxes, strict=True):
        own = described.get(slice_key(name, part))
        shape = tuple(edge.stop - edge.start for edge in box)
        if own is None or own.slices or (own.kind, own.shape) != (entry.kind, shape):
            raise ValueError(f"its slice of {shape} is missing or of another shape")
        parts.append((box, _numbers(shards, own, big_endian)))
    return join_slices(entry.shape, parts)


def _numbers(shards: dict[int, Path], entry: Bytes, big_endian: bool) -> np.ndarray:
    stored = TYPES[entry.kind]
    dtype = np.dtype("uint16" if stored == "bfloat16" else stored)
    if entry.size != math.prod(entry.shape) * dtype.itemsize:
        raise ValueError(f"{entry.size} bytes for {entry.shape} of {stored}")
    shard = shards[entry.shard]
    raw = read_part(shard, entry.offset, entry.size)
    if masked(crc32c(raw)) != entry.checksum:
        raise ValueError(f"{entry.size} bytes at byte {entry.offset} of {shard.name} fail their checksum")
    numbers = np.frombuffer(raw, dtype.newbyteorder(">" if big_endian else "<")).reshape(entry.shape)
    return widened(numbers.astype(np.uint16)) if stored == "bfloat16" else numbers.astype(dtype, copy=False)
