"""Arrays out of a file that may be anything: nothing in it is executed, and nothing larger than the file is built."""

import io
import zipfile

import numpy as np


def read_arrays(content: bytes, *names: str) -> dict[str, np.ndarray]:
    """Arrays of an uncompressed .npz, by name; ValueError for any other bytes, and where one of `names` is missing."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # Members are stored as they are, so none can be larger than the file: a decompression bomb stops here.
            if any(
                info.compress_type != zipfile.ZIP_STORED or info.file_size > len(content) for info in archive.infolist()
            ):
                raise ValueError("compressed or oversized members")
            missing = [name for name in names if f"{name}.npy" not in archive.namelist()]
            if missing:
                raise ValueError(f"no {', '.join(missing)} in it")
            return {name: _array(archive.read(f"{name}.npy")) for name in names}
    except Exception as error:  # zipfile and numpy raise a dozen kinds between them on hostile bytes
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _array(content: bytes) -> np.ndarray:
    """One .npy member; its header may not announce more than there is."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("unexpected .npy version")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or int(np.prod(shape, dtype=object)) * dtype.itemsize != len(content) - file.tell():
        raise ValueError("an array of another length than announced")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order="F" if fortran_order else "C").copy()
