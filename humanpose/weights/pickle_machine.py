"""The harmless part of the pickle language, as state dicts of PyTorch use it: a machine that calls nothing.

A pickle is a program. `pickletools` lists its instructions, and only those that build dicts, lists, texts, numbers and
tensors are carried out here, by hand: no function is looked up or called. Whatever else a program asks for is refused
by name. What a program can cost is bounded by its length: nothing is copied more than once, only texts and numbers are
hashed, and a view is never larger than its storage.
"""

import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from humanpose.weights.arrays import DEEPEST_SHAPE, WeightsFileError, checked_shape

ANEW = "where PyTorch is installed, save its tensors alone: torch.save(model.state_dict(), NEW_FILE)"
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
    length: int
    stored: str


class Tensor(NamedTuple):
    """A view of a storage, strides in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


MARK = object()
"""What MARK puts on the stack."""


def run(program: bytes) -> Any:
    """Carry out the harmless instructions of a pickle -> what it builds; raises WeightsFileError at any other."""
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at odd escapes in the texts of an old or damaged program
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
    checked_shape(shape, 1, storage.length)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if offset < 0 or any(stride < 0 for stride in strides) or (0 not in shape and last >= storage.length):
        raise ValueError(f"a tensor of {shape} reaches beyond its storage of {storage.length} numbers")
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
