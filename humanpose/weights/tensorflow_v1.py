"""TensorFlow's first checkpoint format: one `.ckpt` file, as the original pose and gait networks were published.

A sorted table whose empty key holds the names, shapes, types and slices of all variables, and whose other keys hold one
slice of a variable each, its numbers written out as a protocol buffer.
"""

import math
import os
from functools import partial
from pathlib import Path

import numpy as np

from humanpose.weights.arrays import AGAIN, Arrays, Entry, WeightsFileError, checked_shape, said, widened
from humanpose.weights.protobuf import (
    TYPES,
    Slice,
    Value,
    boxes_of,
    fields,
    join_slices,
    number_of,
    shape_of,
    slice_key,
    slice_of,
    text_of,
    varints,
)
from humanpose.weights.sstable import SNAPPY_GAIN, Table

KIND = "TensorFlow V1 checkpoint"

VALUES = {
    "float32": (5, "<f4"), "float64": (6, "<f8"), "int32": (7, None), "uint8": (7, None), "int16": (7, None),
    "int8": (7, None), "uint16": (7, None), "int64": (10, None), "bool": (11, None), "float16": (13, None),
    "bfloat16": (13, None), "uint32": (16, None), "uint64": (17, None),
}  # fmt: skip
"""Type -> the field of TensorProto that holds its numbers, and how they lie there (None: as varints)."""


def read(path: str | Path) -> Arrays:
    """Open a V1 checkpoint: the variables by name, read when asked for.

    Raises WeightsFileError where the file is damaged, cut short, or of another kind.
    """
    path = Path(path)
    try:
        table = Table(path)
        contents = table.get(b"")
        if contents is None:
            raise ValueError("the list of variables is missing")
        # a number may take a byte where it has eight, in a block that snappy compressed
        most = 8 * SNAPPY_GAIN * os.stat(path).st_size
        entries, skipped = _variables(table, contents, most)
    except WeightsFileError:
        raise
    except ValueError as error:
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {said(error)}; {AGAIN}") from error
    return Arrays(path, KIND, entries, skipped)


def _variables(table: Table, contents: memoryview, most: int) -> tuple[dict[str, Entry], dict[str, str]]:
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    for number, meta in fields(contents):
        if number != 1:
            continue
        for part, described in fields(meta):
            if part != 1:
                continue
            name, shape, kind, slices = _described(described)
            if name in entries or name in skipped:
                raise ValueError(f"variable {name!r} is listed twice")
            if kind not in TYPES:
                skipped[name] = f"of TensorFlow's type {kind}, no numbers"
                continue
            stored = TYPES[kind]
            checked_shape(shape, 1, most)
            entries[name] = Entry(shape, stored, partial(_read, table, name, shape, stored, slices))
    # in the order of the file, so that each block is read once
    return dict(sorted(entries.items())), skipped


def _described(message: Value) -> tuple[str, tuple[int, ...], int, list[Slice]]:
    """SavedSliceMeta -> name, shape, type, slices."""
    name: str | None = None
    shape: tuple[int, ...] = ()
    kind, slices = 0, []
    for number, value in fields(message):
        if number == 1:
            name = text_of(value)
        elif number == 2:
            shape = shape_of(value)
        elif number == 3:
            kind = number_of(value)
        elif number == 4:
            slices.append(slice_of(value))
    if name is None:
        raise ValueError("a variable without a name")
    return name, shape, kind, slices


def _read(table: Table, name: str, shape: tuple[int, ...], stored: str, slices: list[Slice]) -> np.ndarray:
    boxes = boxes_of(slices, shape)
    parts = [_slice(table, slice_key(name, part), box, stored) for part, box in zip(slices, boxes, strict=True)]
    if len(parts) == 1 and parts[0].size == math.prod(shape):
        return parts[0].reshape(shape)
    return join_slices(shape, list(zip(boxes, parts, strict=True)))


def _slice(table: Table, key: bytes, box: tuple[slice, ...], stored: str) -> np.ndarray:
    saved = table.get(key)
    if saved is None:
        raise ValueError("its numbers are missing")
    data = _member(_member(saved, 2), 3)
    field, packed = VALUES[stored]
    found = [value for number, value in fields(data) if number == field]
    if any(isinstance(value, int) for value in found):
        raise ValueError("its numbers are not packed")
    raw = memoryview(b"".join(bytes(value) for value in found if not isinstance(value, int)))
    if packed is not None and len(raw) % np.dtype(packed).itemsize:
        raise ValueError("its numbers end in the middle of one")
    numbers = varints(raw) if packed is None else np.frombuffer(raw, packed)
    count = math.prod(edge.stop - edge.start for edge in box)
    if numbers.size != count:
        raise ValueError(f"{numbers.size} numbers instead of {count}")
    if packed is not None:
        return numbers
    if stored == "bfloat16":
        return widened(numbers.astype(np.uint16))
    return numbers.astype(np.uint16).view(np.float16) if stored == "float16" else numbers.astype(stored)


def _member(message: Value, wanted: int) -> Value:
    """The last field of that number; ValueError where there is none."""
    found = [value for number, value in fields(message) if number == wanted]
    if not found:
        raise ValueError("its numbers are missing")
    return found[-1]
