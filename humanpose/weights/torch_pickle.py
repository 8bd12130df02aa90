"""PyTorch's `.pth` and `.pt` files (zip archives of torch.save), without PyTorch and without unpickling.

The archive's pickle is a program. `pickletools` lists its instructions, and only those that build dicts, lists, texts,
numbers and tensors are carried out here, by hand: no function is looked up or called. Whatever else a file asks for is
refused by name. Numbers stay in the archive until they are asked for.
"""

import pickletools
import zipfile
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from humanpose.weights.arrays import (
    AGAIN,
    DEEPEST_SHAPE,
    LONGEST_NAME,
    Arrays,
    Entry,
    WeightsFileError,
    checked_shape,
    widened,
)

KIND = "PyTorch file"
ANEW = (
    "where PyTorch is installed, open it with torch.load(FILE, weights_only=True) and write the tensors anew with "
    "torch.save(model.state_dict(), NEW_FILE)"
)
MOST_PROGRAM = 1 << 22
"""Bytes of the pickle; those of networks stay under a megabyte. It bounds what carrying it out can cost."""
MOST_ARGUMENTS = 10
"""Of a function."""

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip


class Global(NamedTuple):
    """A name that the program mentions; never looked up."""

    name: str


class Storage(NamedTuple):
    """Numbers in a row: their file in the archive, how many, and of what type."""

    key: str
    count: int
    stored: str


class Tensor(NamedTuple):
    """A view of a storage, strides in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


MARK = object()
"""What MARK puts on the stack."""


def read(path: str | Path) -> Arrays:
    """Open a `.pth` file: every tensor by its keys, joined by "/" where dicts stand within dicts.

    Raises WeightsFileError where the file is damaged, cut short, or holds more than tensors.
    """
    path = Path(path)
    try:
        folder, sizes, order, program = _opened(path)
        return Arrays(path, KIND, _named(path, folder, sizes, order, run(program)))
    except WeightsFileError as error:
        raise WeightsFileError(f"{path}: {error}") from error
    except ValueError as error:
        raise WeightsFileError(f"{path} cannot be read as a {KIND}: {error}; {AGAIN}") from error


def _opened(path: Path) -> tuple[str, dict[str, int], str, bytes]:
    """The folder of the archive, its files with their sizes, the order of bytes, and the pickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder, sizes = _contents(archive)
            order = archive.read(f"{folder}/byteorder") if f"{folder}/byteorder" in sizes else b"little"
            return folder, sizes, ">" if order == b"big" else "<", archive.read(f"{folder}/data.pkl")
    except (OSError, WeightsFileError):
        raise
    # zipfile meets hostile bytes with whatever breaks first; each means the same to a caller
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error


def run(program: bytes) -> Any:
    """Carry out the harmless instructions of a pickle -> what it builds; raises WeightsFileError at any other."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(program):
            step = STEPS.get(opcode.name)
            if step is None:
                raise WeightsFileError(f"its pickle uses {opcode.name}, which weights have no need of; {ANEW}")
            step(machine, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("its pickle is no sound program") from error
    if len(machine.stack) != 1:
        raise ValueError("its pickle is no sound program")
    return machine.stack[0]


class _Machine:
    """The stack and the memory of the program."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not MARK:
            place -= 1
            if place < 0:
                raise IndexError
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def tuple_of(self, count: int | None) -> None:
        taken = self.since_mark() if count is None else [self.stack.pop() for _ in range(count)][::-1]
        self.stack.append(tuple(taken))

    def append(self, several: bool) -> None:
        taken = self.since_mark() if several else [self.stack.pop()]
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError
        target.extend(taken)

    def set_items(self, several: bool) -> None:
        taken = self.since_mark() if several else [self.stack.pop(), self.stack.pop()][::-1]
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError
        for key, value in zip(taken[::2], taken[1::2], strict=True):
            if isinstance(key, str | int):  # hashing other keys could be made to take for ever
                target[key] = value

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.mention(f"{module} {name}" if isinstance(name, str) and isinstance(module, str) else "")

    def mention(self, name: str) -> None:
        """GLOBAL: `name` is "module name"."""
        module, _, word = name.partition(" ")
        known = f"{module}.{word}"
        if known not in CALLED and not (module in ("torch", "torch.storage") and word in STORAGES):
            raise WeightsFileError(f"it holds more than tensors: its pickle asks for {known[:100]!r}; {ANEW}")
        self.stack.append(Global(known))

    def call(self, _: Any) -> None:
        """REDUCE: what the few known functions would make of their arguments."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple) or function.name not in CALLED:
            raise TypeError
        if len(arguments) > MOST_ARGUMENTS:
            raise TypeError
        self.stack.append(CALLED[function.name](*arguments))

    def build(self, _: Any) -> None:
        """BUILD: the attributes of a dict (versions of modules, as state dicts carry them) are of no use here."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise TypeError

    def storage(self, _: Any) -> None:
        """BINPERSID: ("storage", class, file of the archive, device, count)."""
        word, kind, key, _, count = self.stack.pop()
        if word != "storage" or not isinstance(kind, Global) or not isinstance(key, str) or not isinstance(count, int):
            raise TypeError
        self.stack.append(Storage(key, count, STORAGES[kind.name.rpartition(".")[2]]))


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Tensor:
    """What torch._utils._rebuild_tensor_v2 makes, checked: no view reaches beyond its storage."""
    if not isinstance(storage, Storage) or not len(shape) == len(strides) <= DEEPEST_SHAPE:
        raise TypeError
    if not all(isinstance(number, int) for number in (offset, *shape, *strides)):
        raise TypeError
    # a view that repeats its numbers would be larger than its storage
    checked_shape(shape, 1, storage.count)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if offset < 0 or any(stride < 0 for stride in strides) or (0 not in shape and last >= storage.count):
        raise ValueError(f"a tensor of {shape} reaches beyond its storage of {storage.count} numbers")
    return Tensor(storage, offset, shape, strides)


CALLED: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda: {},
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch.Size": lambda sizes: sizes,
}
"""The functions that state dicts call, and what stands in for them."""


def _nothing(machine: _Machine, argument: Any) -> None:
    """PROTO, FRAME, STOP."""


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _push
    ),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.push(MARK),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.tuple_of(None),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append(False),
    "APPENDS": lambda machine, _: machine.append(True),
    "SETITEM": lambda machine, _: machine.set_items(False),
    "SETITEMS": lambda machine, _: machine.set_items(True),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": _Machine.mention,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}
"""The instructions that are carried out."""


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


def _named(path: Path, folder: str, sizes: dict[str, int], order: str, root: Any) -> dict[str, Entry]:
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
            if sizes.get(file, -1) < value.storage.count * dtype.itemsize:
                raise ValueError(f"the numbers of {name!r} are missing or cut short")
            read_it = partial(_numbers, path, file, value, dtype.newbyteorder(order))
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
    except OSError:
        raise
    except Exception as error:  # as above
        raise ValueError(f"{file} of the archive: {error}") from error
    whole = np.frombuffer(raw, dtype, tensor.storage.count)
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(whole[tensor.offset :], tensor.shape, strides, writeable=False)
    if tensor.storage.stored == "bfloat16":
        return widened(view)
    return view.astype(dtype.newbyteorder("="))


def _dtype(stored: str) -> np.dtype:
    return np.dtype("uint16" if stored == "bfloat16" else stored)
