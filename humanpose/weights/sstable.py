"""The sorted table of leveldb, in which TensorFlow keeps its checkpoints: blocks of keys and values, and their index.

Every block ends in a byte that says whether snappy compressed it, and in its checksum, which is verified. What hostile
files could make expensive is bounded: blocks may not overlap, keys must rise, and a compressed block may not claim more
than snappy can hold.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from humanpose.weights.arrays import LONGEST_NAME, read_part, said
from humanpose.weights.crc32c import crc32c, masked
from humanpose.weights.protobuf import varint

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
TRAILER = 5
"""Bytes behind each block: the kind of compression, and the checksum."""
MOST_ENTRIES = 65536
LONGEST_KEY = LONGEST_NAME + 256
SNAPPY_GAIN = 64
"""Times. A copy of 64 bytes takes three, so that 22 is what snappy reaches."""


class Table:
    """A table file. `get` looks a key up; `items` reads all, in the order of keys.

    Raises ValueError, at opening or later, where the file is no table, is cut short or fails a checksum.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        size = os.stat(path).st_size
        footer = memoryview(read_part(path, max(size - FOOTER, 0), min(size, FOOTER)))
        if len(footer) < FOOTER or bytes(footer[-8:]) != MAGIC:
            raise ValueError("the mark at the end of a table is missing: cut short, or no TensorFlow checkpoint")
        _, place = _handle(footer, 0)
        index, _ = _handle(footer, place)
        self._last_keys: list[bytes] = []
        self._blocks: list[tuple[int, int]] = []
        behind = 0
        for key, value in _entries(self._block(index)):
            block, _ = _handle(value, 0)
            if block[0] < behind:
                raise ValueError(f"blocks overlap at byte {block[0]}")
            behind = block[0] + block[1] + TRAILER
            self._last_keys.append(key)
            self._blocks.append(block)
        self._cached: tuple[tuple[int, int], dict[bytes, memoryview]] | None = None

    def get(self, key: bytes) -> memoryview | None:
        """The value of a key, or None."""
        place = bisect_left(self._last_keys, key)
        if place == len(self._blocks):
            return None
        return self._held(self._blocks[place]).get(key)

    def items(self) -> Iterator[tuple[bytes, memoryview]]:
        """Every key and its value."""
        before, count = None, 0
        for block in self._blocks:
            held = self._held(block)
            count += len(held)
            if count > MOST_ENTRIES:
                raise ValueError(f"more than {MOST_ENTRIES} entries")
            for key, value in held.items():
                if before is not None and key <= before:
                    raise ValueError("keys are out of order")
                before = key
                yield key, value

    def _held(self, handle: tuple[int, int]) -> dict[bytes, memoryview]:
        """The entries of a block; the last one that was asked for is kept, since keys are asked for in their order."""
        if self._cached is None or self._cached[0] != handle:
            self._cached = (handle, dict(_entries(self._block(handle))))
        return self._cached[1]

    def _block(self, handle: tuple[int, int]) -> memoryview:
        offset, size = handle
        stored = memoryview(read_part(self.path, offset, size + TRAILER))
        if masked(crc32c(stored[: size + 1])) != int.from_bytes(stored[size + 1 :], "little"):
            raise ValueError(f"the block of {size} bytes at byte {offset} fails its checksum")
        if stored[size] == 0:
            return stored[:size]
        if stored[size] != 1:
            raise ValueError(f"the block at byte {offset} is compressed in the unknown way {stored[size]}")
        return _decompressed(stored[:size], offset)


def _decompressed(block: memoryview, offset: int) -> memoryview:
    from cramjam import DecompressionError, snappy

    claimed, _ = varint(block, 0)
    if claimed > SNAPPY_GAIN * len(block):
        raise ValueError(f"the block of {len(block)} bytes at byte {offset} claims to hold {claimed}")
    try:
        return memoryview(bytes(snappy.decompress_raw(bytes(block))))
    except DecompressionError as error:
        raise ValueError(f"the block at byte {offset} cannot be decompressed ({said(error)})") from error


def _handle(data: memoryview, place: int) -> tuple[tuple[int, int], int]:
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a block; a key is told by how much of the one before it shares, and the rest."""
    restarts = int.from_bytes(block[-4:], "little") if len(block) >= 4 else 0
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise ValueError("a block ends before its entries")
    place, key = 0, b""
    for count in range(MOST_ENTRIES + 1):
        if place >= end:
            return
        shared, place = varint(block, place)
        own, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or shared + own > LONGEST_KEY or place + own + size > end or count == MOST_ENTRIES:
            raise ValueError("an entry of a block does not fit it")
        key = key[:shared] + bytes(block[place : place + own])
        yield key, block[place + own : place + own + size]
        place += own + size
