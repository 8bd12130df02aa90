"""Foreign weights of whatever format: told by what the file begins or ends with, not by its name."""

import os
from pathlib import Path

from humanpose.weights import keras_h5, safetensors_file, tensorflow_v1, tensorflow_v2, torch7, torch_pickle
from humanpose.weights.arrays import AGAIN, Arrays, WeightsFileError
from humanpose.weights.sstable import MAGIC, Table

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PICKLE = tuple(b"\x80" + bytes([version]) for version in range(2, 6))
READ = (
    "TensorFlow checkpoints (.ckpt, .index), Torch7 (.t7), Keras (.h5), safetensors and PyTorch (.pth) files are read. "
    f"If it should be one of them, {AGAIN}"
)

BY_NAME = {
    ".ckpt": tensorflow_v1.read, ".index": tensorflow_v2.read, ".t7": torch7.read, ".h5": keras_h5.read,
    ".safetensors": safetensors_file.read,
}  # fmt: skip
"""Who takes a file that looks like none, for having lost its beginning or end."""


def read(path: str | Path) -> Arrays:
    """Open a file of foreign weights, whatever its format: its arrays by name, read when asked for.

    A TensorFlow V2 checkpoint may be named by its index, a shard, or what their names begin with.

    Raises:
        WeightsFileError: the file is missing, damaged, of no format that is read, or not safe to open.

    """
    path = Path(path)
    index = tensorflow_v2.index_of(path)
    if (not path.exists() or tensorflow_v2.SHARD.search(path.name)) and index.is_file():
        return tensorflow_v2.read(index)
    if path.is_dir():
        raise WeightsFileError(f"{path} is a folder; name the file of weights in it")
    if not path.exists():
        raise WeightsFileError(f"{path} does not exist; name a file of weights")
    with path.open("rb") as file:
        start = file.read(64)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - len(MAGIC), 0))
        end = file.read(len(MAGIC))
    if end == MAGIC:
        return tensorflow_v2.read(path) if _is_bundle(path) else tensorflow_v1.read(path)
    if start.startswith(HDF5):
        return keras_h5.read(path)
    if start.startswith(ZIP):
        return torch_pickle.read(path)
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        return safetensors_file.read(path)
    if 1 <= int.from_bytes(start[:4], "little") <= 8 and size > 8:
        return torch7.read(path)
    known, reader = _unreadable(start, size), BY_NAME.get(path.suffix.lower())
    if known is None and reader is not None:
        return reader(path)  # which says what is wrong with it
    raise WeightsFileError(f"{path} {known or f'is of no format that is read here: {READ}'}")


def _is_bundle(path: Path) -> bool:
    """Whether a table is the index of a V2 checkpoint: its header begins with the number of shards."""
    try:
        header = Table(path).get(b"")
    except ValueError:
        return path.suffix == ".index"  # either reader says what is wrong
    return header is not None and bytes(header[:1]) == b"\x08"


def _unreadable(start: bytes, size: int) -> str | None:
    """What a file is that no reader takes, and what to do; None where that is not known."""
    text = start.lstrip().lower()
    if size == 0:
        return f"is empty; {AGAIN}"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not weights: follow the page to the file itself"
    if text.startswith(b"version https://git-lfs"):
        return "only stands for a file that Git LFS keeps elsewhere; fetch it with git lfs pull"
    if start.startswith(PICKLE):
        return (
            "is a bare pickle, as PyTorch wrote before version 1.6: a program, which is not run here. Where PyTorch is "
            'installed, write it anew: torch.save(torch.load(FILE, map_location="cpu", weights_only=True), NEW_FILE)'
        )
    if start[:2] in (b"3\n", b"4\n"):
        return "is a Torch7 file in ASCII; where Torch7 is installed, save it in binary: torch.save(NAME, object)"
    return None
