"""Pickles of plain data and NumPy arrays, read without running what they say.

Data sets hand such files round (`cameras.pkl`, object arrays in .npz). A pickle is a program; this interprets the part
of its language that writes numbers, texts, lists, dicts and arrays, and refuses everything else.
"""

import pickletools
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MARK = object()


class _Callable(NamedTuple):
    """A name that the pickle may call; what happens then is decided here, nothing is looked up."""

    name: str


class _Dtype:
    def __init__(self, code: str) -> None:
        if np.dtype(code).kind not in "biufcSUO":
            raise ValueError(f"an array of {code!r} is no array of numbers or texts")
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        if state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array before it has its content: pickles refer to it before they fill it."""

    value: Any = None

    def build(self, state: Any) -> None:
        _, shape, kind, in_columns, content = state
        self.fill(content, kind.dtype, shape, "F" if in_columns else "C")

    def fill(self, content: Any, dtype: np.dtype, shape: tuple[int, ...], order: str) -> "_Array":
        if dtype.hasobject:
            array = np.empty(len(content), object)
            array[:] = [_Held(item) for item in content]
        else:
            data = content.encode("latin-1") if isinstance(content, str) else content
            array = np.frombuffer(bytearray(data), dtype)
        self.value = array.reshape(shape, order="F" if order == "F" else "C")
        return self


class _Held:
    """An item of an object array, kept from NumPy, which would take a list apart."""

    def __init__(self, item: Any) -> None:
        self.item = item


def _scalar(kind: _Dtype, content: Any) -> Any:
    data = content.encode("latin-1") if isinstance(content, str) else content
    return np.frombuffer(data, kind.dtype)[0]


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it holds bytes in the encoding {encoding!r}, expected latin1")
    return text.encode("latin-1")


_CORES = ("numpy.core", "numpy._core")
"""Where NumPy keeps what pickles ask for, before and since its version 2."""

_CALLS: dict[str, Callable[..., Any]] = {
    **{f"{core}.multiarray._reconstruct": lambda kind, shape, code: _Array() for core in _CORES},
    **{f"{core}.multiarray.scalar": _scalar for core in _CORES},
    **{
        f"{core}.numeric._frombuffer": lambda data, kind, *how: _Array().fill(data, kind.dtype, *how) for core in _CORES
    },
    "numpy.dtype": lambda code, *_: _Dtype(code),
    "_codecs.encode": _encoded,
    **{f"{room}.bytes": lambda: b"" for room in ("builtins", "__builtin__")},  # old protocols' word for no bytes
    "collections.OrderedDict": lambda items=(): dict(items),
}

_NAMES = {name: _Callable(name) for name in (*_CALLS, "numpy.ndarray")}


def read_pickle(data: bytes) -> Any:
    """The numbers, texts, lists, tuples, dicts and arrays of a pickle.

    Raises ValueError where it is no pickle, is cut off, or holds anything else: nothing in it is ever called.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of crooked escapes in old strings
            return _resolved(_Machine().run(data), {})
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error) or repr(error)
        raise ValueError(f"not a pickle of plain data and arrays: {reason}") from error


def read_pickle_file(path: str | Path) -> Any:
    """`read_pickle` of a file; ValueError names it."""
    try:
        return read_pickle(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"path {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"path {str(path)!r}: {error}") from error


def read_npz(path: str | Path) -> dict[str, Any]:
    """The arrays of a .npz by name; those of Python objects by `read_pickle`, a single object as itself.

    Raises ValueError where it is no .npz, is damaged, or holds more than plain data and arrays.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as stream:
                    version = np.lib.format.read_magic(stream)
                    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, in_columns, dtype = header[version](stream)
                    content = stream.read()
                name = member.removesuffix(".npy")
                if dtype.hasobject:
                    array = read_pickle(content)
                    found[name] = array.item() if isinstance(array, np.ndarray) and array.shape == () else array
                else:
                    plain = np.frombuffer(bytearray(content), dtype)
                    found[name] = plain.reshape(shape, order="F" if in_columns else "C")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"path {str(path)!r} must be a whole .npz of plain data and arrays: {error}") from error
    return found


class _Machine:
    """The stack machine of pickle, as far as it writes plain data and arrays."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(_VALUES[name](argument))
            elif name not in _STEPS:
                raise ValueError(f"it contains the step {name}, which plain data and arrays do not need")
            else:
                _STEPS[name](self, argument)
        raise ValueError("it ends too early")

    def since_mark(self) -> list[Any]:
        place = max(place for place, item in enumerate(self.stack) if item is MARK)
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def tuple_of(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise ValueError("it sets items of what is no dict")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def call(self, _: Any) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if not isinstance(target, _Callable) or target.name not in _CALLS:
            raise ValueError("it calls what cannot be called")
        self.stack.append(_CALLS[target.name](*arguments))

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (_Array, _Dtype)):
            raise ValueError("it sets the state of what is no array")
        self.stack[-1].build(state)

    def put(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def named(self, argument: str | None) -> None:
        if argument is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, _, name = argument.partition(" ")
        if f"{module}.{name}" not in _NAMES:
            raise ValueError(f"it asks for {module}.{name}, which is neither plain data nor an array; it was not run")
        self.stack.append(_NAMES[f"{module}.{name}"])


_VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
         "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
         "BINBYTES8", "BYTEARRAY8"),
        lambda argument: argument,
    ),
    "NONE": lambda _: None, "NEWTRUE": lambda _: True, "NEWFALSE": lambda _: False, "MARK": lambda _: MARK,
    "EMPTY_LIST": lambda _: [], "EMPTY_TUPLE": lambda _: (), "EMPTY_DICT": lambda _: {},
}  # fmt: skip

_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda machine, _: None, "FRAME": lambda machine, _: None,
    "POP": lambda machine, _: machine.stack.pop(), "POP_MARK": lambda machine, _: machine.since_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, at: machine.stack.append(machine.memo[at])),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _Machine.named),
    "REDUCE": _Machine.call, "BUILD": _Machine.build,
    "TUPLE1": lambda machine, _: machine.tuple_of(1), "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "DICT": lambda machine, _: machine.stack.append(_paired(machine.since_mark())),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
}  # fmt: skip


def _paired(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _resolved(value: Any, known: dict[int, Any]) -> Any:
    """The same with arrays for what was to become arrays; what is shared stays shared, and a circle is refused."""
    if not isinstance(value, (list, tuple, dict, _Array, _Held, _Callable, _Dtype)):
        return value
    if isinstance(value, (_Callable, _Dtype)):
        raise ValueError("it holds a function or a type, which is no data")
    if id(value) in known:
        if known[id(value)] is MARK:
            raise ValueError("it holds itself")
        return known[id(value)]
    known[id(value)] = MARK
    done: Any
    if isinstance(value, _Held):
        done = _resolved(value.item, known)
    elif isinstance(value, dict):
        done = {_resolved(key, known): _resolved(item, known) for key, item in value.items()}
    elif isinstance(value, _Array):
        done = value.value
        if done is None:
            raise ValueError("it holds an array without content")
        if done.dtype.hasobject:
            for place, item in enumerate(done.flat):
                done.flat[place] = _resolved(item, known)
    else:
        done = type(value)(_resolved(item, known) for item in value)
    known[id(value)] = done
    return done
