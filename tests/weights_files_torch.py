"""Small writers of Torch7 and PyTorch weight files, to test readers on: each after the format's description."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np


class T7:
    """Writes a Torch7 file: dicts and lists as tables, arrays as tensors, `Module` as an object of a class."""

    def __init__(self, long_size: int = 8, legacy: bool = False) -> None:
        self.out = io.BytesIO()
        self.long = "<q" if long_size == 8 else "<i"
        self.legacy = legacy
        self.indices: dict[tuple[int, str], int] = {}
        self.kept: list = []

    def integer(self, number: int) -> None:
        self.out.write(struct.pack("<i", number))

    def longs(self, *numbers: int) -> None:
        self.out.write(b"".join(struct.pack(self.long, number) for number in numbers))

    def text(self, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode("latin-1")
        self.integer(len(raw))
        self.out.write(raw)

    def begin(self, kind: int, thing, part: str = "") -> bool:
        """Kind and index; False where the thing was written before."""
        key = (id(thing), part)
        known = key in self.indices
        self.kept.append(thing)
        self.integer(kind)
        self.integer(self.indices.setdefault(key, len(self.indices) + 1))
        return not known

    def name(self, name: str) -> None:
        if not self.legacy:
            self.text("V 1")
        self.text(name)

    def write(self, thing) -> "T7":
        if thing is None:
            self.integer(0)
        elif isinstance(thing, bool):
            self.integer(5)
            self.integer(int(thing))
        elif isinstance(thing, int | float):
            self.integer(1)
            self.out.write(struct.pack("<d", thing))
        elif isinstance(thing, str):
            self.integer(2)
            self.text(thing)
        elif isinstance(thing, Function):
            if self.begin(8 if not self.legacy else 7, thing):
                self.text(b"\x1bLua bytecode")
                self.write({1: {"name": "_ENV"}})
        elif isinstance(thing, np.ndarray | View):
            self.tensor(thing)
        elif isinstance(thing, Module):
            if self.begin(4, thing):
                self.name(thing.name)
                self.write(thing.content)
        else:
            table = dict(enumerate(thing, 1)) if isinstance(thing, list) else thing
            if self.begin(3, thing):
                self.integer(len(table))
                for key, value in table.items():
                    self.write(key)
                    self.write(value)
        return self

    def tensor(self, thing) -> None:
        view = thing if isinstance(thing, View) else View(thing, thing.shape, strides(thing.shape), 0)
        kind = {"f4": "Float", "f8": "Double", "i8": "Long", "i4": "Int", "u1": "Byte", "f2": "Half"}[
            view.storage.dtype.str[1:]
        ]
        if not self.begin(4, thing):
            return
        self.name(f"torch.{kind}Tensor")
        self.integer(len(view.shape))
        self.longs(*view.shape, *view.strides, view.offset + 1)
        if self.begin(4, view.storage, "storage"):
            self.name(f"torch.{kind}Storage")
            self.longs(view.storage.size)
            raw = view.storage.astype("<i4") if kind == "Long" and self.long == "<i" else view.storage
            self.out.write(raw.tobytes())

    def bytes(self) -> bytes:
        return self.out.getvalue()


class Module:
    """An object of a Lua class; `content` is its table."""

    def __init__(self, name: str, /, **content) -> None:
        self.name, self.content = name, content


class Function:
    """A Lua function."""


class View:
    """A tensor that shows part of a storage."""

    def __init__(self, storage, shape, strides, offset) -> None:
        self.storage, self.shape, self.strides, self.offset = storage, shape, strides, offset


def strides(shape) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


STORAGES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "int64": "Long",
    "uint8": "Byte",
    "bool": "Bool",
}


def text_op(text: str) -> bytes:
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer_op(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def integers_op(numbers) -> bytes:
    return b"(" + b"".join(integer_op(int(number)) for number in numbers) + b"t"


def tensor_op(key: str, kind: str, count: int, shape, steps, offset: int = 0) -> bytes:
    """What torch.save writes for a tensor."""
    storage = text_op("storage") + f"ctorch\n{kind}Storage\n".encode() + text_op(key) + text_op("cpu")
    storage = b"(" + storage + integer_op(count) + b"tQ"
    empty = b"ccollections\nOrderedDict\n)R"
    view = integer_op(offset) + integers_op(shape) + integers_op(steps) + b"\x89" + empty
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"


def state_dict_op(arrays: dict) -> bytes:
    items = b"".join(
        text_op(name)
        + (
            tensor_op(str(place), "BFloat16", array.size, array.shape, strides(array.shape))
            if array.dtype.names
            else tensor_op(str(place), STORAGES[array.dtype.name], array.size, array.shape, strides(array.shape))
        )
        for place, (name, array) in enumerate(arrays.items())
    )
    versions = b"}" + text_op("_metadata") + b"ccollections\nOrderedDict\n)Rs"
    return b"ccollections\nOrderedDict\n)R(" + items + b"u" + versions + b"b"


def write_pth(path: Path, arrays: dict, program: bytes | None = None, method: int = zipfile.ZIP_STORED) -> None:
    """A state dict as torch.save writes it, or the numbers of `arrays` beside another `program`."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(
            "archive/data.pkl", b"\x80\x02" + (state_dict_op(arrays) if program is None else program) + b"."
        )
        archive.writestr("archive/byteorder", "little")
        for place, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{place}", array.tobytes())
        archive.writestr("archive/version", "3\n")
