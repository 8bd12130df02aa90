"""Results to disk: text, CSV and JSON, each under a temporary name first, so that nobody ever reads half a file."""

import csv
import errno
import io
import itertools
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file that appears complete or not at all; see `write_together`."""
    return write_together({Path(path): content})[0]


def write_together(contents: Mapping[Path, str | bytes | Iterator[str]]) -> list[Path]:
    """Write files that appear complete, and all of them or none; an iterator's text is never held whole.

    Raises:
        OSError: a folder is missing or not writable, a folder has one of the names, or the disk is full; nothing is
            left behind.
    """
    for path in contents:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            parts[path] = Path(name)
            pieces: Iterable[str | bytes] = content if isinstance(content, Iterator) else [content]
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    # half a surrogate, as names in foreign files have it, is no letter of UTF-8; JSON reads its escape
                    file.write(piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())  # mkstemp's files are private, a report is not
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(parts)


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> Path:
    """Write a table as CSV (RFC 4180, UTF-8); None and NaN become empty cells."""
    return write_whole(path, csv_text(header, lines))


def csv_text(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table as `write_csv` writes it."""
    return "".join(csv_pieces(header, lines))


def csv_pieces(header: Sequence[str], lines: Iterable[Sequence[object]]) -> Iterator[str]:
    """What `csv_text` gives, line by line."""
    for line in itertools.chain([header], lines):
        text = io.StringIO()
        csv.writer(text).writerow(["" if value is None or value != value else value for value in map(_plain, line)])
        yield text.getvalue()


def write_json(path: Path, content: object) -> Path:
    """Write numbers, text, lists, mappings, arrays and dataclasses as JSON; NaN and infinities become null."""
    return write_whole(path, json_text(content))


def json_text(content: object) -> str:
    """What `write_json` writes."""
    return json.dumps(_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_pieces(content: Mapping[str, object]) -> Iterator[str]:
    """What `json_text` gives of a mapping, piece by piece; a value that is an iterator is a list, never held whole."""
    opening = "{"
    for key, value in content.items():
        yield f"{opening}\n  {json.dumps(key, ensure_ascii=False)}: "
        opening = ","
        if isinstance(value, Iterator):
            before = "["
            for item in value:
                yield f"{before}\n    {_indented(item, 4)}"
                before = ","
            yield "[]" if before == "[" else "\n  ]"
        else:
            yield _indented(value, 2)
    yield "\n}\n" if content else "{}\n"


def _indented(value: object, by: int) -> str:
    return json_text(value).rstrip("\n").replace("\n", "\n" + " " * by)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _json(value: object) -> object:
    value = _plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return _json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _json(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
