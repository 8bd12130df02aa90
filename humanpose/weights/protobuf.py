"""The few protocol buffers that TensorFlow's checkpoints are made of, taken apart by hand.

Only what both versions of the format share stands here: the wire format, shapes, slices of partitioned variables, data
types, and the table keys that slices are stored under.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from humanpose.weights.arrays import DEEPEST_SHAPE, LONGEST_NAME

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5

TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool", 14: "bfloat16",
    17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
"""TensorFlow's numbers of data types that weights come in."""

Value = int | memoryview


class Slice(NamedTuple):
    """A box of a partitioned variable: where it starts, and how long it is (-1: all), along each axis."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]

    def within(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The box as an index into an array of `shape`; ValueError where it does not lie in it."""
        if len(self.starts) != len(shape):
            raise ValueError(f"a slice of {len(self.starts)} axes for an array of {len(shape)}")
        box = []
        for start, length, size in zip(self.starts, self.lengths, shape, strict=True):
            stop = size if length == -1 else start + length
            if not 0 <= start <= stop <= size:
                raise ValueError(f"a slice from {start} to {stop} of an axis of {size}")
            box.append(slice(start, stop))
        return tuple(box)

    @property
    def whole(self) -> bool:
        """Whether the slice is the variable itself."""
        return not any(self.starts) and all(length == -1 for length in self.lengths)


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read a number in groups of seven bits from `place` on -> (number, place behind it)."""
    number = 0
    for step in range(10):
        if place + step >= len(data):
            break
        byte = data[place + step]
        number |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, place + step + 1
    raise ValueError("a number without an end")


def varints(data: memoryview) -> np.ndarray:
    """All numbers of a packed field, as uint64."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1]) if ends.size else ends
    lengths = ends - starts + 1
    if (raw.size and (not ends.size or ends[-1] != raw.size - 1)) or (lengths > 10).any():
        raise ValueError("a number without an end")
    numbers = np.zeros(ends.size, np.uint64)
    for step in range(int(lengths.max(initial=0))):
        chosen = lengths > step
        numbers[chosen] |= (raw[starts[chosen] + step].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * step)
    return numbers


def fields(message: Value) -> Iterator[tuple[int, Value]]:
    """Every field of a message -> (its number, its value): whole numbers as int, texts and messages as bytes."""
    if isinstance(message, int):
        raise ValueError("a number stands where a message was expected")
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, place = varint(message, place)
            yield number, value
            continue
        if wire == BYTES:
            size, place = varint(message, place)
        elif wire in (FIXED_32, FIXED_64):
            size = 4 if wire == FIXED_32 else 8
        else:
            raise ValueError(f"field {number} is of the unknown kind {wire}")
        if size > len(message) - place:
            raise ValueError(f"field {number} wants {size} bytes where {len(message) - place} are left")
        content = message[place : place + size]
        yield number, content if wire == BYTES else int.from_bytes(content, "little")
        place += size


def number_of(value: Value) -> int:
    """The value of a field of whole numbers, negative ones too."""
    if not isinstance(value, int):
        raise ValueError("bytes stand where a number was expected")
    return value - (1 << 64) if value >> 63 else value


def text_of(value: Value) -> str:
    """The value of a field of text."""
    if isinstance(value, int) or len(value) > LONGEST_NAME:
        raise ValueError(f"a name is expected, {'a number' if isinstance(value, int) else len(value)} letters came")
    return bytes(value).decode()


def shape_of(message: Value) -> tuple[int, ...]:
    """TensorShapeProto -> sizes."""
    sizes = []
    for number, value in fields(message):
        if number == 2:
            sizes.append(next((number_of(size) for part, size in fields(value) if part == 1), 0))
        if (number == 3 and value) or len(sizes) > DEEPEST_SHAPE:
            raise ValueError("an array whose number of axes is unknown or too large")
    return tuple(sizes)


def slice_of(message: Value) -> Slice:
    """TensorSliceProto -> box."""
    starts, lengths = [], []
    for number, value in fields(message):
        if number == 1:
            extent = {part: number_of(size) for part, size in fields(value)}
            starts.append(extent.get(1, 0))
            lengths.append(extent.get(2, -1))
    if len(starts) > DEEPEST_SHAPE:
        raise ValueError(f"a slice of {len(starts)} axes")
    return Slice(tuple(starts), tuple(lengths))


def slice_key(name: str, part: Slice) -> bytes:
    """The table key of a slice, in an encoding whose byte order is the order of names and numbers."""
    escaped = name.encode().replace(b"\x00", b"\x00\xff")
    axes = len(part.starts)
    key = b"\x00" + escaped + b"\x00\x01" + (bytes((1, axes)) if axes else b"\x00")
    for start, length in zip(part.starts, part.lengths, strict=True):
        key += _ordered(start) + _ordered(length)
    return key


def _ordered(number: int) -> bytes:
    """Sign and length in the leading bits (as many ones as bytes; their complement below zero), then big-endian."""
    size = next(size for size in range(1, 11) if -(1 << (7 * size - 1)) <= number < 1 << (7 * size - 1))
    header = ((1 << size) - 1) << (8 * size - size)
    return ((number & ((1 << 8 * size) - 1)) ^ header).to_bytes(size, "big")


def boxes_of(slices: Sequence[Slice], shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Where each slice lies in an array of `shape`, asked before any is read.

    Raises ValueError where one lies outside, stands twice, or all together do not have as many numbers as the array: a
    slice is named in thirty bytes, and a thousand names of the same one would have it read a thousand times.
    """
    boxes = [part.within(shape) for part in slices]
    held = sum(math.prod(edge.stop - edge.start for edge in box) for box in boxes)
    if not boxes or held != math.prod(shape):
        raise ValueError(f"its slices hold {held} of {math.prod(shape)} numbers")
    if len({tuple((edge.start, edge.stop) for edge in box) for box in boxes}) < len(boxes):
        raise ValueError("one of its slices is named twice")
    return boxes


def join_slices(shape: tuple[int, ...], parts: Sequence[tuple[tuple[slice, ...], np.ndarray]]) -> np.ndarray:
    """Lay slices, as many numbers as `boxes_of` lets pass, into one array; ValueError where they overlap."""
    whole, covered = np.zeros(shape, parts[0][1].dtype), np.zeros(shape, bool)
    for box, values in parts:
        if covered[box].any():
            raise ValueError("its slices overlap")
        whole[box], covered[box] = values.reshape(whole[box].shape), True
    return whole
