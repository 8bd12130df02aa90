"""Runs as `gaitnet evaluate` writes them: NAME.json, which says what was run, and NAME.csv with every search.

They are handed round, so that they may be damaged, or something else beside them: nothing in them is believed.
"""

import csv
import io
import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

LONGEST_JSON = 1 << 26
"""Bytes of a results JSON; a grid of views of every row takes some thousands."""
LONGEST_TABLE = 1 << 29
"""Bytes of a table of searches: some four million of them."""

Key = tuple[str, ...]
"""What makes a search: row, person, condition, session, view, walk, gallery view, as the CSV has them."""
_KEY = ("row", "subject_id", "condition", "session", "view", "sequence", "gallery_view")


class Searches(NamedTuple):
    """The searches of one method of a run, in the order of their keys."""

    keys: list[Key]
    mated: Bool[np.ndarray, " search"]
    ranks: Float[np.ndarray, " search"]

    def of_row(self, row: str) -> "Searches":
        """Those of one row for persons whom the gallery holds."""
        chosen = [place for place, key in enumerate(self.keys) if key[0] == row and self.mated[place]]
        return Searches([self.keys[place] for place in chosen], self.mated[chosen], self.ranks[chosen])


@dataclass(frozen=True)
class Run:
    """What a results folder holds: `methods` name -> searches, the first being what counts.

    `gallery_subjects`: method -> row -> how many persons there were to choose from.
    """

    folder: Path
    evaluation: str
    protocol: str
    text: str
    views: str
    rows: tuple[str, ...]
    methods: dict[str, Searches]
    gallery_subjects: dict[str, dict[str, int]]


def read_run(folder: Path, evaluation: str | None = None) -> Run:
    """Read a results folder of `gaitnet evaluate`.

    Args:
        folder: it holds NAME.json and NAME.csv.
        evaluation: NAME, where the folder holds several.

    Raises:
        ValueError: no such folder, no evaluation in it with every search told, several of them and none named, or a
            table that is none of ours, cannot be read, or is too long.

    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"run: expected a folder that gaitnet evaluate --output wrote, got {folder}; check the path")
    documents = {path.stem: document for path in sorted(folder.glob("*.json")) if (document := _document(path))}
    found = {name: document for name, document in documents.items() if (folder / f"{name}.csv").is_file()}
    if evaluation is not None:
        found = {name: document for name, document in found.items() if name == evaluation}
    if len(found) != 1:
        what = f"{evaluation}.json and {evaluation}.csv" if evaluation else "NAME.json and NAME.csv of one evaluation"
        got = ", ".join(found or documents) or "none"
        raise ValueError(
            f"run: expected {what} with every search in {folder}, got {got}; "
            + ("name one with --evaluation" if found else "run gaitnet evaluate kth, cmu or walkers with --output")
        )
    ((name, document),) = found.items()
    first, galleries = next(iter(document["methods"].values())), _gallery_subjects(document)
    methods = _searches(folder / f"{name}.csv")
    if not methods.keys() <= galleries.keys():
        raise ValueError(
            f"run: expected the same methods in {name}.json and {name}.csv of {folder}, got {', '.join(galleries)} and "
            f"{', '.join(methods)}; run it again"
        )
    return Run(
        folder, name, first["protocol"], first["protocol_text"], first.get("views", "pooled"),
        tuple(row["name"] for row in first["rows"]), methods, galleries,
    )  # fmt: skip


def _gallery_subjects(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Method -> row -> how many persons its galleries hold, as a results JSON tells."""
    return {
        method: {row["name"]: int(row["gallery_subjects"]) for row in each["rows"]}
        for method, each in document["methods"].items()
    }


def _document(path: Path) -> dict[str, Any] | None:
    """A results JSON that tells methods; None for any other, also for what is no file at all."""
    try:
        document = json.loads(_text(path, LONGEST_JSON))
        first = next(iter(document["methods"].values()))
        texts = [first["protocol"], first["protocol_text"], *(row["name"] for row in first["rows"])]
        _gallery_subjects(document)
        return document if all(isinstance(text, str) for text in texts) else None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, OverflowError, RecursionError):
        return None


def _text(path: Path, most: int) -> str:
    """What a file says; ValueError where it is a folder, pipe or device, longer than `most` bytes, or no UTF-8."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"run: expected a file, got {path}, which is a folder, pipe or device; take it away")
        if about.st_size > most:
            raise ValueError(f"run: expected at most {most:,} bytes in {path}, got {about.st_size:,}; run it again")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"run: expected UTF-8 in {path}, got other bytes at {error.start}; run it again") from None
    except OSError as error:
        raise ValueError(f"run: expected a file that can be read, got {path}: {error.strerror}") from error


def _searches(path: Path) -> dict[str, Searches]:
    """Method -> its searches, sorted by what they are; ValueError where the table is none of ours."""
    try:
        lines = list(csv.DictReader(io.StringIO(_text(path, LONGEST_TABLE), newline="")))
    except csv.Error as error:
        raise ValueError(f"run: expected a table of searches in {path}, got {error}; run it again") from None
    needed = {"method", "rank", *_KEY}
    if not lines or not needed <= set(lines[0]):
        lacking = ", ".join(sorted(needed - set(lines[0]))) if lines else "every search"
        raise ValueError(f"run: expected a table of searches in {path}, got one without {lacking}; run it again")
    by_method: dict[str, list[tuple[Key, bool, float]]] = {}
    for line in lines:
        key = tuple(line[name] or "" for name in _KEY)
        rank = _number(line["rank"], "rank", path)
        for name in ("view", "gallery_view"):
            _number(line[name], name, path)
        by_method.setdefault(line["method"] or "", []).append((key, line.get("mated", "True") == "True", rank))
    found = {}
    for method, each in by_method.items():
        each.sort()
        keys, mated, ranks = zip(*each, strict=True)
        found[method] = Searches(list(keys), np.array(mated, bool), np.array(ranks, np.float64))
    return found


def _number(cell: str | None, name: str, path: Path) -> float:
    try:
        return degrees(cell or "")
    except ValueError:
        shown = cell if cell is None or len(cell) <= 40 else f"{cell[:40]}..."
        raise ValueError(f"run: expected a number as {name} in {path}, got {shown!r}; run it again") from None


def degrees(cell: str) -> float:
    """A view as a table of searches has it; NaN where it is empty."""
    return float(cell) if cell else float("nan")
