"""PyTorch's `.pth` and `.pt` files (zip archives of torch.save), without PyTorch and without unpickling.

The archive's pickle is carried out by `pickle_machine`, which makes dicts and descriptions of tensors of it and nothing
else. The numbers stay in the archive until they are asked for.
"""

import zipfile
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from humanpose.weights.arrays import AGAIN, LONGEST_NAME, Arrays, Entry, WeightsFileError, said, widened
from humanpose.weights.pickle_machine import ANEW, Tensor, run

KIND = "PyTorch file"
MOST_PROGRAM = 1 << 22
"""Bytes of the pickle; those of networks stay under a megabyte. It bounds what carrying it out can cost."""


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
                if isinstance(member, dict | list | tuple):
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
