"""What every reader of foreign weights returns: names -> arrays, each read only when it is asked for."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

AGAIN = "fetch the file again from where it was published"
"""What to do about a file that is damaged."""
LONGEST_NAME = 512
"""Letters. Names that networks give their weights stay under 200."""
DEEPEST_SHAPE = 16
"""Axes of an array."""


class WeightsFileError(ValueError):
    """A file of foreign weights that is damaged, of another kind, or not safe to open."""


class Entry(NamedTuple):
    """One array of a file, before it is read: its shape, the type it is stored in, and how to read it."""

    shape: tuple[int, ...]
    stored: str
    read: Callable[[], np.ndarray]


class Arrays(Mapping):
    """The arrays of a file, in its order. Numbers come as they are stored, but bfloat16 as float32, which holds it.

    `kind` says what the file is, in words; `entries` has shapes and types without reading; `skipped` names what is no
    array of numbers, with the reason; `facts` is what else the file says of itself. `shards` are the files that the
    numbers lie in, where `path` only lists them.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        entries: Mapping[str, Entry],
        skipped: Mapping[str, str] | None = None,
        facts: Mapping[str, str] | None = None,
        shards: Iterable[Path] = (),
    ) -> None:
        self.path = path
        self.kind = kind
        self.entries = dict(entries)
        self.skipped = dict(skipped or {})
        self.facts = dict(facts or {})
        self.shards = tuple(shards)

    def __getitem__(self, name: str) -> np.ndarray:
        """Read one array. Raises WeightsFileError where the file is damaged there."""
        entry = self.entries[name]
        try:
            array = entry.read()
        except WeightsFileError:
            raise
        except ValueError as error:
            raise WeightsFileError(f"{self.path} is damaged at {name!r}: {said(error)}; {AGAIN}") from error
        if array.shape != entry.shape:
            raise WeightsFileError(
                f"{self.path} is damaged at {name!r}: {array.shape} numbers instead of {entry.shape}; {AGAIN}"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, without reading any."""
        return {name: entry.shape for name, entry in self.entries.items()}


def said(error: Exception) -> str:
    """What an error says, in one line that a terminal can show: libraries quote whatever a file holds."""
    words = plain(" ".join(str(error).split()) or type(error).__name__)
    return words if len(words) <= 300 else f"{words[:300]} ..."


def plain(name: str) -> str:
    """A name of a foreign file, with escapes for what a terminal would act upon."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Read exactly `size` bytes from `offset` on; ValueError where the file ends before."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        if offset < 0 or size < 0 or offset + size > length:
            raise ValueError(
                f"{size} bytes at byte {offset} are wanted of {path.name}, which ends at byte {length}: cut short"
            )
        file.seek(offset)
        return file.read(size)


def checked_shape(shape: tuple[int, ...], item: int, most: int) -> tuple[int, ...]:
    """The shape, if an array of it, `item` bytes a number, has no more than `most` bytes; else ValueError."""
    if len(shape) > DEEPEST_SHAPE or any(size < 0 for size in shape):
        raise ValueError(f"a shape of {str(shape)[:80]} is none of an array of weights")
    if math.prod(shape) * item > most:
        raise ValueError(f"shape {str(shape)[:80]} claims more numbers than the file could hold")
    return shape


def widened(raw: np.ndarray) -> np.ndarray:
    """Bfloat16, given as uint16, to float32: the upper half of its bits."""
    return (raw.astype(np.uint32) << 16).view(np.float32)
