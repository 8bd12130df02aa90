"""PyTorch's `.pth` and `.pt` files (zip archives of torch.save), without PyTorch and without unpickling.

The archive's pickle is carried out by `restricted_pickle`, with stand-ins that make descriptions of tensors and call
nothing. The numbers stay in the archive until they are asked for.
"""

import zipfile
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from humanpose import restricted_pickle
from humanpose.restricted_pickle import Allowed, Name, RefusedError
from humanpose.weights.arrays import (
    AGAIN,
    DEEPEST_SHAPE,
    LONGEST_NAME,
    Arrays,
    Entry,
    WeightsFileError,
    checked_shape,
    said,
    widened,
)

KIND = "PyTorch file"
ANEW = "where PyTorch is installed, save its tensors alone: torch.save(model.state_dict(), NEW_FILE)"
MOST_PROGRAM = 1 << 22
"""Bytes of the pickle; those of networks stay under a megabyte. It bounds what carrying it out can cost."""

MOST_ARRAYS = 1 << 16
"""A pickle can list one tensor as often as it has bytes; networks and what trained them have some thousands."""

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


class Storage(NamedTuple):
    """Numbers in a row: their file in the archive, how many, and of what type."""

    key: str
    length: int
    stored: str


class Tensor(NamedTuple):
    """A view of a storage, strides in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: str | Path) -> Arrays:
    """Open a `.pth` file: every tensor by its keys, joined by "/" where dicts stand within dicts.

    Raises WeightsFileError where the file is damaged, cut short, or holds more than tensors.
    """
    path = Path(path)
    try:
        folder, sizes, big_endian, program = _opened(path)
        return Arrays(path, KIND, _named(path, folder, sizes, big_endian, run(program)))
    except WeightsFileError as error:
        raise WeightsFileError(f"{path}: {error}") from error
    except ValueError as error:
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {said(error)}; {AGAIN}") from error


def run(program: bytes) -> Any:
    """Carry out a pickle of PyTorch -> dicts, lists and `Tensor`; WeightsFileError where it asks for more than that."""
    try:
        return restricted_pickle.run(program, _ALLOWED)
    except RefusedError as error:
        raise WeightsFileError(f"its pickle holds more than tensors: {error}; {ANEW}") from error


def _storage(word: str, kind: Name, key: str, device: str, count: int) -> Storage:
    if word != "storage" or not isinstance(kind, Name) or not isinstance(key, str) or not isinstance(count, int):
        raise TypeError
    return Storage(key, count, STORAGES[kind.name.rpartition(".")[2]])


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Tensor:
    """What torch._utils._rebuild_tensor_v2 makes, checked: no view reaches beyond its storage."""
    if not isinstance(storage, Storage) or not len(shape) == len(strides) <= DEEPEST_SHAPE:
        raise TypeError
    if not all(isinstance(number, int) for number in (offset, *shape, *strides)):
        raise TypeError
    # a view that repeats its numbers would be larger than its storage
    checked_shape(shape, 1, storage.length)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if offset < 0 or any(stride < 0 for stride in strides) or (0 not in shape and last >= storage.length):
        raise ValueError(f"a tensor of {shape} reaches beyond its storage of {storage.length} numbers")
    return Tensor(storage, offset, shape, strides)


def _set_state(target: Any, state: Any) -> None:
    """The attributes of a dict (versions of modules, as state dicts carry them) are of no use here."""
    if not isinstance(target, dict):
        raise TypeError


_ALLOWED = Allowed(
    {
        "collections.OrderedDict": lambda: {},
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
        "torch.Size": lambda sizes: sizes,
    },
    frozenset(f"{module}.{storage}" for module in ("torch", "torch.storage") for storage in STORAGES),
    _set_state,
    lambda identity: _storage(*identity),
    old=False,
)
"""What state dicts call and mention."""


def _opened(path: Path) -> tuple[str, dict[str, int], bool, bytes]:
    """The folder of the archive, its files with their sizes, whether numbers are big-endian, and the pickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder, sizes = _contents(archive)
            order = archive.read(f"{folder}/byteorder") if f"{folder}/byteorder" in sizes else b"little"
            return folder, sizes, order == b"big", archive.read(f"{folder}/data.pkl")
    except WeightsFileError:
        raise
    # zipfile meets hostile bytes with whatever breaks first (OSError too); each means the same to a caller
    except Exception as error:
        path.open("rb").close()  # a file that the system refuses is another matter
        raise ValueError(said(error)) from error


def _contents(archive: zipfile.ZipFile) -> tuple[str, dict[str, int]]:
    """The folder of the archive, and its files with their sizes; ValueError where they do not lie there plainly."""
    entries = archive.infolist()
    programs = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(programs) != 1 or programs[0].filename.count("/") != 1:
        raise WeightsFileError(f"a zip archive without the one data.pkl of a {KIND}")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise WeightsFileError(f"its archive is compressed, which torch.save never does; {ANEW}")
    if programs[0].file_size > MOST_PROGRAM:
        raise WeightsFileError(f"its pickle has {programs[0].file_size} bytes, more than any network needs; {ANEW}")
    return programs[0].filename.removesuffix("/data.pkl"), {entry.filename: entry.file_size for entry in entries}


def _named(path: Path, folder: str, sizes: dict[str, int], big_endian: bool, root: Any) -> dict[str, Entry]:
    """Every tensor, by the keys that lead to it."""
    entries: dict[str, Entry] = {}
    seen: set[int] = set()
    if not isinstance(root, dict | list | tuple):
        raise ValueError("it holds no tensors")
    waiting: deque[tuple[str, Any]] = deque([("", root)])
    while waiting:
        name, value = waiting.popleft()
        if isinstance(value, Tensor):
            file, dtype = f"{folder}/data/{value.storage.key}", _dtype(value.storage.stored)
            if sizes.get(file, -1) < value.storage.length * dtype.itemsize:
                raise ValueError(f"the numbers of {name!r} are missing or cut short")
            read_it = partial(_numbers, path, file, value, dtype.newbyteorder(">" if big_endian else "<"))
            entries.setdefault(name or "tensor", Entry(value.shape, value.storage.stored, read_it))
        elif id(value) not in seen:
            seen.add(id(value))
            for key, member in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(key, str | int) and isinstance(member, dict | list | tuple):
                    if len(entries) + len(waiting) >= MOST_ARRAYS:
                        raise ValueError(f"it lists more than {MOST_ARRAYS} tensors, which no network has")
                    waiting.append((_below(name, key), member))
    return entries


def _below(name: str, key: str | int) -> str:
    if len(name) + len(str(key)) > LONGEST_NAME:
        raise ValueError(f"a name of more than {LONGEST_NAME} letters, {name[:40]}...")
    return f"{name}/{key}" if name else str(key)


def _numbers(path: Path, file: str, tensor: Tensor, dtype: np.dtype) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            raw = archive.read(file)  # checks the archive's own checksum
    except Exception as error:  # as above
        path.open("rb").close()
        raise ValueError(f"{file} of the archive: {said(error)}") from error
    whole = np.frombuffer(raw, dtype, tensor.storage.length)
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(whole[tensor.offset :], tensor.shape, strides, writeable=False)
    if tensor.storage.stored == "bfloat16":
        return widened(view)
    return view.astype(dtype.newbyteorder("="))


def _dtype(stored: str) -> np.dtype:
    return np.dtype("uint16" if stored == "bfloat16" else stored)
