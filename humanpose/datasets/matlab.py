"""MATLAB files of versions 5 to 7.2, looked through before SciPy reads them: it believes every size they claim.

A kilobyte of zlib can stand for a megabyte, a cell array of 10^9 cells takes memory before its first cell is read, and
SciPy's reader goes down with structures in structures until the process dies. Format: "MAT-File Format", MathWorks.
"""

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from humanpose.datasets.pictures import LONGEST

MATRIX, COMPRESSED = 14, 15
CONTAINERS = (1, 2, 3)
"""Classes of arrays whose elements are arrays: cells, structures, objects."""
DEEPEST = 16
"""Arrays in arrays; MPII's annotations go down by seven."""
EMPTY = 1 << 16
"""Elements of a container that need not be there, as of a structure without fields."""


def read_matlab(path: str | Path, variable: str, **options: bool) -> Any:
    """A variable of a MATLAB file, as `scipy.io.loadmat` gives it with these options.

    Raises:
        ValueError: the file or its variable is missing, it is no such file, or it claims more than LONGEST bytes, or
            than it holds.

    """
    import scipy.io

    file = Path(path)
    try:
        if file.stat().st_size > LONGEST:
            raise ValueError(f"it is longer than {LONGEST:,} bytes")
        return scipy.io.loadmat(io.BytesIO(_inflated(file.read_bytes())), **options)[variable]
    # SciPy's reader answers foreign bytes with many kinds of error; they all mean that this is no such file.
    except Exception as error:
        raise ValueError(
            f"path {str(file)!r} must be a MATLAB file of version 5 to 7.2 with {variable!r}: "
            f"{type(error).__name__} {error}; fetch it again"
        ) from error


def _inflated(data: bytes) -> bytes:
    """The same file without compression, every array's claims held against the bytes that are there."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("it does not begin as one")
    if struct.unpack_from(order + "H", data, 124)[0] != 0x0100:
        raise ValueError("it is of version 7.3; save it again with -v7")
    parts, left = [memoryview(data)[:128]], LONGEST
    for kind, content, whole in _elements(memoryview(data)[128:], order):
        if kind == COMPRESSED:
            whole = memoryview(zlib.decompressobj().decompress(content, left + 1))  # a limit of 0 would be none
            if len(whole) > left:
                raise ValueError(f"it grows beyond {LONGEST:,} bytes when it is read")
            left -= len(whole)
            for inner, matrix, _ in _elements(whole, order):
                _require_modest(inner, matrix, order, DEEPEST)
        else:
            _require_modest(kind, content, order, DEEPEST)
        parts.append(whole)
    return b"".join(parts)


def _elements(data: memoryview, order: str) -> list[tuple[int, memoryview, memoryview]]:
    """(type, content, and both as stored) of the elements that follow each other in `data`."""
    found, place = [], 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, place)
        start, end = place + 8, place + 8 + size
        if kind >> 16:  # a small element: its size and type share a word, its content is the other
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = place + 4, place + 4 + size
            following = place + 8
        else:
            following = end if kind == COMPRESSED else end + -end % 8
        if end > min(len(data), following):
            raise ValueError(f"an element claims {size:,} bytes where {max(len(data) - start, 0):,} are left")
        found.append((kind, data[start:end], data[place:following]))
        place = following
    return found


def _require_modest(kind: int, content: memoryview, order: str, deep: int) -> None:
    # an array begins with its class, which is an element of eight bytes; numbers and letters hold nothing else
    if kind != MATRIX or not content or struct.unpack_from(order + "I", content, 8)[0] & 0xFF not in CONTAINERS:
        return
    if deep == 0:
        raise ValueError(f"it has arrays in arrays, more than {DEEPEST} deep")
    dimensions, *inner = _elements(content[16:], order)  # as SciPy, which does not ask how long the first one is
    count = math.prod(np.frombuffer(dimensions[1], order + "i4").tolist())
    if not 0 <= count <= max(EMPTY, len(content) // 8):
        raise ValueError(f"an array claims {count:,} elements in {len(content):,} bytes")
    for one, matrix, _ in inner:
        _require_modest(one, matrix, order, deep - 1)
