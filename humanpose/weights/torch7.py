"""Torch7's binary files (`.t7`), the tables and objects of a Lua program, without Lua.

Tables become dicts; objects of a class become dicts too, their class beside them under `CLASS`; tensors become
`Tensor`, whose numbers are read when asked for; what is referred to twice is one object. Functions are bytecode: they
are passed over and appear as None. Files of before the format had versions are read, and those of machines whose long
integers have 4 bytes.
"""

import math
import os
import struct
from collections import deque
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from humanpose.weights.arrays import AGAIN, LONGEST_NAME, Arrays, Entry, WeightsFileError, checked_shape, read_part

KIND = "Torch7 file"
CLASS = "torch class"
"""Key under which a dict holds the name of the class that the object was of."""
NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN, FUNCTION, LEGACY_FUNCTION, RECURSIVE_FUNCTION = range(9)

MOST_OBJECTS = 300_000
DEEPEST = 100_000
LONGEST_STRING = 1 << 20
"""Bytes. Strings longer than that (pictures, bytecode) are passed over."""

NUMBERS = {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "Long": None, "Int": "<i4", "Short": "<i2", "Char": "i1",
    "Byte": "u1", "Cuda": "<f4", "CudaDouble": "<f8", "CudaHalf": "<f2", "CudaLong": None, "CudaInt": "<i4",
    "CudaShort": "<i2", "CudaChar": "i1", "CudaByte": "u1",
}  # fmt: skip
"""Names of tensor and storage classes -> how their numbers lie in the file (None: as long integers do)."""

Reading = Generator["Reading", Any, Any]


class Storage(NamedTuple):
    """Numbers in a row: where they lie in the file, how many, and of what type."""

    offset: int
    length: int
    dtype: np.dtype


class Tensor(NamedTuple):
    """A view of a storage, strides in numbers; `storage` None for an empty tensor."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: Storage | None


def read(path: str | Path) -> Arrays:
    """Open a `.t7` file: every tensor by the shortest path of keys that leads to it, such as "modules/1/weight".

    Raises WeightsFileError where the file is damaged, cut short, of another kind, or larger in structure than any
    network is.
    """
    path = Path(path)
    return Arrays(path, KIND, _named(path, read_objects(path)))


def read_objects(path: str | Path) -> Any:
    """Read what a `.t7` file holds, as the module's docstring says. Raises as `read`."""
    path = Path(path)
    complaints = []
    with path.open("rb") as file:
        for long_size in (8, 4):
            try:
                file.seek(0)
                reader = _Reader(file, long_size)
                found = reader.everything()
            except ValueError as error:
                complaints.append(str(error))
            else:
                return found
    # what the 4-byte reading says of a damaged file of the usual kind would mislead
    raise WeightsFileError(f"{path} cannot be read as a {KIND}: {complaints[0]}; {AGAIN}")


class _Reader:
    """One pass over a file.

    Objects are read by generators that yield the reading of a part, so that no nesting of a hostile file can exhaust
    Python's stack.
    """

    def __init__(self, file: BinaryIO, long_size: int) -> None:
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        self.long = "<q" if long_size == 8 else "<i"
        self.known: dict[int, Any] = {}
        self.count = 0

    def everything(self) -> Any:
        """The object that the file begins with; a file holds one."""
        stack, value = [self.thing()], None
        while stack:
            if len(stack) > DEEPEST:
                raise ValueError(f"objects within objects, more than {DEEPEST} deep")
            try:
                stack.append(stack[-1].send(value))
                value = None
            except StopIteration as end:
                stack.pop()
                value = end.value
        if self.file.tell() != self.size:
            raise ValueError(f"{self.size - self.file.tell()} bytes follow its only object")
        return value

    def thing(self) -> Reading:
        self.count += 1
        if self.count > MOST_OBJECTS:
            raise ValueError(f"more than {MOST_OBJECTS} objects")
        kind = self.integer()
        if kind == NIL:
            return None
        if kind == NUMBER:
            number = struct.unpack("<d", self.bytes(8))[0]
            return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
        if kind == BOOLEAN:
            return self.integer() == 1
        if kind == STRING:
            return self.string()
        if kind == FUNCTION:
            self.string()
            yield self.thing()
            return None
        if kind not in (TABLE, OBJECT, LEGACY_FUNCTION, RECURSIVE_FUNCTION):
            raise ValueError(f"an object of the unknown kind {kind} at byte {self.file.tell() - 4}")
        index = self.integer()
        if index in self.known:
            return self.known[index]
        if kind in (LEGACY_FUNCTION, RECURSIVE_FUNCTION):
            self.known[index] = None
            self.string()
            yield self.thing()
            return None
        if kind == TABLE:
            table: dict[Any, Any] = {}
            self.known[index] = table
            yield self.table(table)
            return table
        return (yield self.object(index))

    def table(self, table: dict[Any, Any]) -> Reading:
        for _ in range(self.integer()):
            key = yield self.thing()
            value = yield self.thing()
            if isinstance(key, int | float | str):  # Lua takes any object as a key; no array is found under others
                table[key] = value

    def object(self, index: int) -> Reading:
        name = self.string()
        if name.startswith("V "):  # files of before there were versions begin with the class
            name = self.string()
        family = name.removeprefix("torch.")
        for ending in ("Tensor", "Storage"):
            held = family.removesuffix(ending)
            if name.startswith("torch.") and family.endswith(ending) and held in NUMBERS:
                found = self.storage(held) if ending == "Storage" else (yield self.tensor())
                self.known[index] = found
                return found
        if not name or len(name) > 200 or not name.isprintable():
            raise ValueError(f"an object of a class without a name at byte {self.file.tell()}")
        made: dict[Any, Any] = {}
        self.known[index] = made
        content = yield self.thing()
        if not isinstance(content, dict):
            raise ValueError(f"an object of class {name}, whose content is no table")
        made.update(content)
        made[CLASS] = name
        return made

    def storage(self, held: str) -> Storage:
        dtype = np.dtype(NUMBERS[held] or self.long)
        count = self.long_integer()
        place = self.file.tell()
        if count < 0 or count * dtype.itemsize > self.size - place:
            raise ValueError(f"{count} numbers at byte {place} of a file that ends at byte {self.size}: cut short")
        self.file.seek(count * dtype.itemsize, os.SEEK_CUR)
        return Storage(place, count, dtype)

    def tensor(self) -> Reading:
        axes = self.integer()
        if not 0 <= axes <= 16:
            raise ValueError(f"a tensor of {axes} axes at byte {self.file.tell() - 4}")
        shape = tuple(self.long_integer() for _ in range(axes))
        strides = tuple(self.long_integer() for _ in range(axes))
        offset = self.long_integer() - 1
        storage = yield self.thing()
        if any(size < 0 for size in shape):
            raise ValueError(f"a tensor of the shape {shape}")
        if not isinstance(storage, Storage) or not axes or 0 in shape:
            if storage is not None and not isinstance(storage, Storage):
                raise ValueError("a tensor whose numbers are no storage")
            if storage is None and axes and 0 not in shape:
                raise ValueError(f"a tensor of the shape {shape} without numbers")
            return Tensor(shape if axes else (0,), strides, 0, None)
        checked_shape(shape, 1, storage.length)  # a tensor that repeats its numbers would be larger than its storage
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if offset < 0 or any(stride < 0 for stride in strides) or last >= storage.length:
            raise ValueError(f"a tensor of {shape} reaches beyond its storage of {storage.length} numbers")
        return Tensor(shape, strides, offset, storage)

    def bytes(self, count: int) -> bytes:
        place = self.file.tell()
        if count < 0 or count > self.size - place:
            raise ValueError(f"{count} bytes are wanted at byte {place} of {self.size}: cut short")
        return self.file.read(count)

    def integer(self) -> int:
        return struct.unpack("<i", self.bytes(4))[0]

    def long_integer(self) -> int:
        return struct.unpack(self.long, self.bytes(struct.calcsize(self.long)))[0]

    def string(self) -> str:
        size = self.integer()
        if size > LONGEST_STRING:
            if size > self.size - self.file.tell():
                raise ValueError(f"a text of {size} bytes at byte {self.file.tell()} of {self.size}: cut short")
            self.file.seek(size, os.SEEK_CUR)
            return ""
        return self.bytes(size).decode("latin-1")


def numbers(path: Path, tensor: Tensor) -> np.ndarray:
    """Read the numbers of a tensor, in row-major order."""
    if tensor.storage is None:
        return np.zeros(tensor.shape, np.float32)
    storage, dtype = tensor.storage, tensor.storage.dtype
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1
    raw = np.frombuffer(read_part(path, storage.offset + tensor.offset * dtype.itemsize, reach * dtype.itemsize), dtype)
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(raw, tensor.shape, strides, writeable=False).copy()


def _named(path: Path, root: Any) -> dict[str, Entry]:
    """Every tensor once, in breadth-first order of the tables, so that the shortest name is found first."""
    entries: dict[str, Entry] = {}
    seen: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque([("", root)])
    while waiting:
        name, value = waiting.popleft()
        if isinstance(value, Tensor) and 0 not in value.shape and name not in entries:
            stored = value.storage.dtype.name if value.storage is not None else "float32"
            entries[name or "tensor"] = Entry(value.shape, stored, partial(numbers, path, value))
        if not isinstance(value, dict) or id(value) in seen or len(name) > LONGEST_NAME:
            continue
        seen.add(id(value))
        for key, member in value.items():
            if isinstance(member, dict | Tensor):
                member = _unfolded(value, member) if key == "weight" and isinstance(member, Tensor) else member
                waiting.append((f"{name}/{key}" if name else str(key), member))
    return dict(sorted(entries.items(), key=lambda entry: _by_number(entry[0])))


def _unfolded(module: dict[Any, Any], weight: Tensor) -> Tensor:
    """The kernel of a SpatialConvolutionMM, a matrix, with the four axes that other convolutions keep."""
    told = [module.get(name) for name in ("nOutputPlane", "nInputPlane", "kH", "kW")]
    axes = tuple(size for size in told if isinstance(size, int))
    if len(axes) < 4 or weight.shape != (axes[0], math.prod(axes[1:])) or weight.strides != (weight.shape[1], 1):
        return weight
    return weight._replace(shape=axes, strides=tuple(math.prod(axes[axis + 1 :]) for axis in range(4)))


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sort "modules/2" before "modules/10": the order of the network."""
    return [(int(part), "") if part.isdecimal() and len(part) < 10 else (-1, part) for part in name.split("/")]
