"""Two runs of one protocol on the same walks, side by side: is one better, or do these persons just suit it.

Runs are read from what `gaitnet evaluate` writes: NAME.json, which says what was run, and NAME.csv with every search.
Both are compared search by search, so that what is hard for everybody cancels out of the difference.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.intervals import Rate, interval_of
from gaitnet.evaluation.view_rates import Cells, rate_over_views

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


@dataclass(frozen=True)
class Difference:
    """One row of a protocol by one method in two runs; `difference` is second minus first, in shares, -1 to 1.

    Where `difference` does not contain 0, the runs differ by more than the choice of persons explains.
    """

    row: str
    method: str
    measure: str
    first: Rate
    second: Rate
    difference: Rate


def read_run(folder: Path, evaluation: str | None = None) -> Run:
    """Read a results folder of `gaitnet evaluate`.

    Args:
        folder: it holds NAME.json and NAME.csv.
        evaluation: NAME, where the folder holds several.

    Raises:
        ValueError: no such folder, no evaluation in it with every search told, several of them and none named, or a
            file that is none of ours.

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


def compare(first: Run, second: Run, *, resamples: int = 1000, seed: int = 0) -> tuple[Difference, ...]:
    """Rank-1 and rank-5 of every row and method that both runs have, and their difference, persons redrawn in pairs.

    Methods are paired by name; where no name is in both, the first of the one with the first of the other.

    Raises:
        ValueError: the runs are of different protocols, searched for different walks, or had different galleries.

    """
    if (first.protocol, first.text) != (second.protocol, second.text):
        what = (
            f"{first.protocol} and {second.protocol}"
            if first.protocol != second.protocol
            else f"{first.protocol} by different rules: {_first_change(first.text, second.text)}"
        )
        raise ValueError(f"runs: expected two of one protocol, got {what}; only like can be compared with like")
    shared = [name for name in first.methods if name in second.methods]
    pairs = [(name, name) for name in shared] or [(next(iter(first.methods)), next(iter(second.methods)))]
    found = []
    for one, other in pairs:
        a, b = first.methods[one], second.methods[other]
        _require_same_searches(first, second, a, b)
        _require_same_galleries(first, second, one, other)
        method = one if one == other else f"{one} / {other}"
        for row in first.rows:
            found += _row(row, method, first.views, a.of_row(row), b.of_row(row), resamples, seed)
    return tuple(found)


def identification_curve(searches: Searches, row: str, most: int = 20) -> Float[np.ndarray, " rank"]:
    """Share of a row's searches whose person is within rank 1, 2, ... `most`: the CMC, each search alike."""
    ranks = searches.of_row(row).ranks
    return (ranks[:, None] <= np.arange(1, most + 1)).mean(axis=0)


def _row(
    row: str, method: str, views: str, first: Searches, second: Searches, resamples: int, seed: int
) -> list[Difference]:
    if not first.keys:
        return []
    probe_ids = np.array([key[1] for key in first.keys])
    roster = np.unique(probe_ids)
    gallery_view, view = (_degrees([key[place] for key in first.keys]) for place in (6, 4))
    cells = Cells.of(gallery_view, np.zeros(len(view)) if views == "pooled" else view)
    found = []
    for measure, k in (("rank-1", 1), ("rank-5", 5)):
        a, b = (rate_over_views(each.ranks <= k, probe_ids, roster, cells, resamples, seed) for each in (first, second))
        change = interval_of(b.rate.value - a.rate.value, b.draws - a.draws, len(probe_ids), len(roster), share=False)
        found.append(Difference(row, method, measure, a.rate, b.rate, change))
    return found


def _require_same_searches(first: Run, second: Run, a: Searches, b: Searches) -> None:
    if a.keys != b.keys:
        only = sorted(set(a.keys) ^ set(b.keys)) or a.keys[:1]
        where = first.folder if only[0] in set(a.keys) else second.folder
        raise ValueError(
            f"runs: expected the same probes in both, got {len(a.keys)} searches in {first.folder} and {len(b.keys)} "
            f"in {second.folder}; {len(only)} are in one only, such as {'/'.join(filter(None, only[0]))} in {where}"
        )
    differ = np.flatnonzero(a.mated != b.mated)
    if len(differ):
        raise ValueError(
            f"runs: expected the same persons enrolled in both, got galleries that differ for {len(differ)} searches, "
            f"such as {'/'.join(filter(None, a.keys[differ[0]]))}; enrol the same walks in both"
        )


def _require_same_galleries(first: Run, second: Run, one: str, other: str) -> None:
    """Among more persons anybody is harder to find; who of them could be described is the runs' own affair."""
    sizes, others = first.gallery_subjects[one], second.gallery_subjects[other]
    for row in first.rows:
        if sizes.get(row) != others.get(row):
            raise ValueError(
                f"runs: expected galleries of the same persons in both, got {sizes.get(row, 'no')} persons to choose "
                f"from in {first.folder} and {others.get(row, 'no')} in {second.folder} for {row}; enrol the same "
                "walks in both"
            )


def _gallery_subjects(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Method -> row -> how many persons its galleries hold, as a results JSON tells."""
    return {
        method: {row["name"]: int(row["gallery_subjects"]) for row in each["rows"]}
        for method, each in document["methods"].items()
    }


def _document(path: Path) -> dict[str, Any] | None:
    """A results JSON that tells methods; None for any other."""
    try:
        document = json.loads(path.read_text("utf-8"))
        first = next(iter(document["methods"].values()))
        texts = [first["protocol"], first["protocol_text"], *(row["name"] for row in first["rows"])]
        _gallery_subjects(document)
        return document if all(isinstance(text, str) for text in texts) else None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None


def _searches(path: Path) -> dict[str, Searches]:
    """Method -> its searches, sorted by what they are; ValueError where the table is none of ours."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    needed = {"method", "rank", *_KEY}
    if not lines or not needed <= set(lines[0]):
        lacking = ", ".join(sorted(needed - set(lines[0]))) if lines else "every search"
        raise ValueError(f"run: expected a table of searches in {path}, got one without {lacking}; run it again")
    by_method: dict[str, list[tuple[Key, bool, float]]] = {}
    for line in lines:
        key = tuple(line[name] or "" for name in _KEY)
        try:
            rank = float(line["rank"] or "nan")
        except ValueError:
            raise ValueError(f"run: expected a number as rank in {path}, got {line['rank']!r}; run it again") from None
        by_method.setdefault(line["method"], []).append((key, line.get("mated", "True") == "True", rank))
    found = {}
    for method, each in by_method.items():
        each.sort()
        keys, mated, ranks = zip(*each, strict=True)
        found[method] = Searches(list(keys), np.array(mated, bool), np.array(ranks, np.float64))
    return found


def _degrees(cells: list[str]) -> Shaped[np.ndarray, " search"]:
    return np.array([float(cell) if cell else np.nan for cell in cells], np.float64)


def _first_change(one: str, other: str) -> str:
    """The first line in which two texts differ."""
    lines = zip([*one.splitlines(), ""], [*other.splitlines(), ""], strict=False)
    return next((f"{a.strip()!r} and {b.strip()!r}" for a, b in lines if a != b), "their texts differ in length")
