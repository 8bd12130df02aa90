"""Keras's `.h5` files: weights alone (`save_weights`), or those of a whole saved model (`model_weights`).

Every layer is a group that lists its weights; here they are named "layer/weight", such as "Conv1/kernel", whichever
version of Keras wrote them. Only plain datasets within the file are read: links to other files, data kept outside and
compressed data, which Keras never writes, are refused. The HDF5 library looks at the file in a process of its own
(`humanpose.hdf5_listing`), for damaged files can hang or crash it; the numbers are then read from where they lie.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from humanpose.weights.arrays import (
    AGAIN,
    LONGEST_NAME,
    Arrays,
    Entry,
    WeightsFileError,
    checked_shape,
    read_part,
    said,
)

KIND = "Keras HDF5 file"
SECONDS = 30
"""How long the listing may take; that of the largest network here takes two."""
LONGEST_LISTING = 1 << 24
"""Bytes."""


def read(path: str | Path) -> Arrays:
    """Open a Keras `.h5` file: every layer's weights, read when asked for.

    Raises WeightsFileError where the file is damaged, cut short, of another kind, or refers to other files.
    """
    path = Path(path)
    size = path.stat().st_size
    try:
        told = _listing(path)
        if "refused" in told:
            raise ValueError(told["refused"])
        entries: dict[str, Entry] = {}
        for name, shape, kind, offset in told["weights"]:
            dtype = np.dtype(kind)
            if len(name) > LONGEST_NAME:
                raise ValueError(f"a name of {len(name)} letters")
            checked_shape(tuple(shape), dtype.itemsize, size)
            entries[name] = Entry(tuple(shape), dtype.name, partial(_numbers, path, offset, tuple(shape), dtype))
    except ValueError as error:
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {said(error)}; {AGAIN}") from error
    return Arrays(path, KIND, entries, facts=told["facts"])


def _listing(path: Path) -> dict:
    """What `hdf5_listing` says of a file; ValueError where it does not come to an end."""
    script = Path(__file__).parents[1] / "hdf5_listing.py"
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(script), str(path)], capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the HDF5 library found no end in it within {SECONDS} seconds") from error
    if done.returncode or len(done.stdout) > LONGEST_LISTING:
        raise ValueError(f"the HDF5 library failed at it (exit code {done.returncode})")
    return json.loads(done.stdout)


def _numbers(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    numbers = np.frombuffer(read_part(path, offset, count * dtype.itemsize), dtype).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="), copy=False)
