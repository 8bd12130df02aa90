"""Pickles of plain data and NumPy arrays, read without running what they say.

Data sets hand such files round (`cameras.pkl`, object arrays in .npz). `restricted_pickle` carries them out; what
stands in for the functions of NumPy is here.
"""

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from humanpose.restricted_pickle import Allowed, Name, RefusedError, dict_of, run

MOST_BYTES = 1 << 31
"""Of a pickle, or of an array in a .npz once it is unpacked: the largest data sets' have some 200 million."""
LONGEST_CODE = 16
"""Letters of NumPy's word for a type of plain numbers or texts."""
RESOLVING = object()
"""What is known of a value while what it holds is being resolved."""


class _Dtype:
    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or len(code) > LONGEST_CODE:
            raise ValueError("an array's type is no short word")
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
    "collections.OrderedDict": lambda items=(): dict_of(items),
}


def _set_state(target: Any, state: Any) -> None:
    if not isinstance(target, (_Array, _Dtype)):
        raise ValueError("it sets the state of what is no array")
    target.build(state)


_ALLOWED = Allowed(_CALLS, frozenset({"numpy.ndarray"}), _set_state)


def read_pickle(data: bytes) -> Any:
    """The numbers, texts, lists, tuples, dicts and arrays of a pickle.

    Raises ValueError where it is no pickle, is cut off, or holds anything else: nothing in it is ever called.
    """
    try:
        return _resolved(run(data, _ALLOWED), {})
    except RefusedError as error:
        reason = f"{error}, which plain data and arrays do not need; it was not run"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error)
    raise ValueError(f"not a pickle of plain data and arrays: {reason}")


def read_pickle_file(path: str | Path) -> Any:
    """`read_pickle` of a file; ValueError names it."""
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes, which no data set needs")
        return read_pickle(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"path {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"path {str(path)!r}: {error}") from error


def read_npz(path: str | Path) -> dict[str, Any]:
    """The arrays of a .npz by name; those of Python objects by `read_pickle`, a single object as itself.

    Raises ValueError where it is no .npz, is damaged, or holds more than plain data and arrays.
    """
    found: dict[str, Any] = {}
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                left -= entry.file_size
                if left < 0:
                    raise ValueError(
                        f"{entry.filename} would unpack to {entry.file_size} bytes, too many with the rest"
                    )
                with archive.open(entry) as stream:
                    version = np.lib.format.read_magic(stream)
                    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, in_columns, dtype = header[version](stream)
                    bytes_left = entry.file_size - stream.tell()
                    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != bytes_left:
                        raise ValueError(f"{entry.filename} is no array of {shape} in {bytes_left} bytes")
                    content = bytearray(stream.read())
                name = entry.filename.removesuffix(".npy")
                if dtype.hasobject:
                    array = read_pickle(bytes(content))
                    found[name] = array.item() if isinstance(array, np.ndarray) and array.shape == () else array
                else:
                    plain = np.frombuffer(content, dtype)
                    found[name] = plain.reshape(shape, order="F" if in_columns else "C")
    except (
        OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, OverflowError, MemoryError,
        SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
    ) as error:  # fmt: skip
        raise ValueError(f"path {str(path)!r} must be a whole .npz of plain data and arrays: {error}") from error
    return found


def _resolved(value: Any, known: dict[int, Any]) -> Any:
    """The same with arrays for what was to become arrays; what is shared stays shared, and a circle is refused."""
    if not isinstance(value, (list, tuple, dict, _Array, _Held, Name, _Dtype)):
        return value
    if isinstance(value, (Name, _Dtype)):
        raise ValueError("it holds a function or a type, which is no data")
    if id(value) in known:
        if known[id(value)] is RESOLVING:
            raise ValueError("it holds itself")
        return known[id(value)]
    known[id(value)] = RESOLVING
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
