"""Safetensors files, as torchvision's and timm's weights are published: a header in JSON, then the numbers.

The library checks the header (sizes, no gaps, no overlaps); the numbers are read here, since NumPy has no bfloat16.
"""

import json
import math
import os
from functools import partial
from pathlib import Path

import numpy as np

from humanpose.weights.arrays import AGAIN, Arrays, Entry, WeightsFileError, checked_shape, read_part, said, widened

KIND = "safetensors file"

TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def read(path: str | Path) -> Arrays:
    """Open a safetensors file: the tensors by name, read when asked for.

    Raises WeightsFileError where the file is damaged, cut short, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            facts = file.metadata() or {}
        length = int.from_bytes(read_part(path, 0, 8), "little")
        header = json.loads(read_part(path, 8, length))
        entries, skipped = _tensors(path, header, 8 + length)
    except (SafetensorError, ValueError) as error:
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {said(error)}; {AGAIN}") from error
    return Arrays(path, KIND, entries, skipped, facts)


def _tensors(path: Path, header: dict, start: int) -> tuple[dict[str, Entry], dict[str, str]]:
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    size = os.stat(path).st_size
    for name, told in header.items():
        if name == "__metadata__":
            continue
        if told["dtype"] not in TYPES:
            skipped[name] = f"of the type {told['dtype']}, which is not read here"
            continue
        stored, shape, (begin, end) = TYPES[told["dtype"]], tuple(told["shape"]), told["data_offsets"]
        dtype = np.dtype("uint16" if stored == "bfloat16" else stored)
        checked_shape(shape, dtype.itemsize, size)
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name!r} has {end - begin} bytes for {shape} of {stored}")
        entries[name] = Entry(shape, stored, partial(_numbers, path, start + begin, end - begin, shape, stored, dtype))
    return entries, skipped


def _numbers(path: Path, offset: int, size: int, shape: tuple[int, ...], stored: str, dtype: np.dtype) -> np.ndarray:
    numbers = np.frombuffer(read_part(path, offset, size), dtype.newbyteorder("<")).reshape(shape)
    return widened(numbers.astype(np.uint16)) if stored == "bfloat16" else numbers.astype(dtype, copy=False)
