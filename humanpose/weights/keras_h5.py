"""Keras's `.h5` files: weights alone (`save_weights`), or those of a whole saved model (`model_weights`).

Every layer is a group that lists its weights; here they are named "layer/weight", such as "Conv1/kernel", whichever
version of Keras wrote them. Only plain datasets within the file are read: links to other files, data kept outside and
compressed data, which Keras never writes, are refused. The HDF5 library looks at the file in a process of its own
(`humanpose.hdf5_process`), for damaged files can hang or crash it; the numbers are then read from where they lie.
"""

from functools import partial
from pathlib import Path

import numpy as np

from humanpose.hdf5_process import looked_at
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


def read(path: str | Path) -> Arrays:
    """Open a Keras `.h5` file: every layer's weights, read when asked for.

    Raises WeightsFileError where the file is damaged, cut short, of another kind, or refers to other files.
    """
    path = Path(path)
    size = path.stat().st_size
    try:
        told = looked_at(path)
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


def _numbers(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    numbers = np.frombuffer(read_part(path, offset, count * dtype.itemsize), dtype).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="), copy=False)
