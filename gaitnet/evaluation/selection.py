"""What a protocol is made of: which walks of a table enrol, and which are searched for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, runtime_checkable
from typing import Protocol as StructuralType

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@runtime_checkable
class Walk(StructuralType):
    """Anything that describes a walk: `Sample` here, `gaitnet.datasets.record.Sequence`, or another's own record."""

    @property
    def subject_id(self) -> str:
        """Who walks."""

    @property
    def condition(self) -> str:
        """Covariate: "NM", "BG", "CL", "SH"."""

    @property
    def session(self) -> str:
        """Recording session or place."""

    @property
    def view(self) -> float | None:
        """Degrees; None where unknown."""

    @property
    def sequence(self) -> str:
        """Name of the walk."""

    @property
    def part(self) -> str:
        """The data set's split."""


@dataclass(frozen=True)
class Sample:
    """A row of the table that protocols work on; `gaitnet.datasets.record.Sequence` explains the fields."""

    subject_id: str
    condition: str = "NM"
    session: str = ""
    view: float | None = None
    sequence: str = ""
    part: str = ""


class Table:
    """Columns of a list of walks as arrays, each walk's order within its person, and a number for each walk.

    A walk that several cameras filmed is one walk: its samples have the same order and the same number.
    """

    def __init__(self, walks: Sequence[Walk]):
        self.walks = tuple(walks)
        self.subject_ids: Shaped[np.ndarray, " sample"] = np.array([walk.subject_id for walk in walks], dtype=str)
        self.conditions = np.array([walk.condition.upper() for walk in walks], dtype=str)
        self.sessions = np.array([walk.session for walk in walks], dtype=str)
        self.views: Float[np.ndarray, " sample"] = np.array(
            [np.nan if walk.view is None else walk.view for walk in walks], dtype=np.float64
        )
        self.sequences = np.array([canonical_name(walk.sequence) for walk in walks], dtype=str)
        self.parts = np.array([walk.part for walk in walks], dtype=str)
        self.clip_order: Int[np.ndarray, " sample"] = self._order_within_subject()
        people = np.unique(self.subject_ids, return_inverse=True)[1]
        self.walk_keys: Int[np.ndarray, " sample"] = people * (self.clip_order.max(initial=0) + 1) + self.clip_order

    def __len__(self) -> int:
        return len(self.walks)

    def _order_within_subject(self) -> np.ndarray:
        """0 for every sample of a person's first walk by session and name, 1 for the second, and so on."""
        order = np.zeros(len(self), dtype=np.int64)
        keys = [
            (natural_key(session), natural_key(name))
            for session, name in zip(self.sessions, self.sequences, strict=True)
        ]
        for subject in np.unique(self.subject_ids):
            members = np.flatnonzero(self.subject_ids == subject)
            names = sorted({keys[index] for index in members})
            order[members] = [names.index(keys[index]) for index in members]
        return order


def canonical_name(name: str) -> str:
    """Bring a walk's name into the form that is compared: lower case, no leading zeros ("N01" -> "n1")."""
    return re.sub(r"0*(\d+)", r"\1", name.lower())


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorting key by which "2" comes before "10"."""
    return tuple((0, int(piece)) if piece.isdecimal() else (1, piece) for piece in re.findall(r"\d+|\D+", name))


@dataclass(frozen=True)
class Select:
    """Which walks: those that satisfy every field given; None leaves a field open.

    `views` are degrees; `clips` is a half-open range of the person's own walks in order, (0, 1) for the first,
    (1, None) for the rest.
    """

    conditions: tuple[str, ...] | None = None
    sessions: tuple[str, ...] | None = None
    sequences: tuple[str, ...] | None = None
    parts: tuple[str, ...] | None = None
    clips: tuple[int, int | None] | None = None
    views: tuple[float, ...] | None = None

    def mask(self, table: Table) -> Bool[np.ndarray, " sample"]:
        """Mark the walks of `table` that are meant."""
        chosen = np.ones(len(table), dtype=bool)
        for allowed, column in (
            (self.conditions, table.conditions),
            (self.sessions, table.sessions),
            (self.sequences and tuple(canonical_name(name) for name in self.sequences), table.sequences),
            (self.parts, table.parts),
        ):
            if allowed is not None:
                chosen &= np.isin(column, allowed)
        if self.views is not None:
            chosen &= np.isin(table.views, self.views)
        if self.clips is not None:
            first, stop = self.clips
            chosen &= (table.clip_order >= first) & (table.clip_order < (np.inf if stop is None else stop))
        return chosen

    def __str__(self) -> str:
        named = [
            f"{name} {'/'.join(values)}"
            for name, values in (
                ("part", self.parts),
                ("condition", self.conditions),
                ("session", self.sessions),
                ("walks", self.sequences),
            )
            if values is not None
        ]
        if self.views is not None:
            named.append(f"view {'/'.join(f'{view:g}' for view in self.views)}")
        if self.clips is not None:
            first, stop = self.clips
            named.append(f"the person's walks from number {first + 1}" + ("" if stop is None else f" to {stop}"))
        return ", ".join(named) or "all walks"


@dataclass(frozen=True)
class Row:
    """One line of a protocol's table: what enrols, and what is searched for.

    `leave_own_walk_out`: each walk is searched for among all others that enrol, so that the same walks may do both.
    """

    name: str
    gallery: Select
    probe: Select
    leave_own_walk_out: bool = False

    def __str__(self) -> str:
        own = ", each walk left out of its own gallery" if self.leave_own_walk_out else ""
        return f"{self.name}: enrol {self.gallery}; search {self.probe}{own}"


Views = Literal["pooled", "same", "pairs", "others", "ranked"]
_GRIDS = {
    "pooled": "all views in one gallery",
    "same": "each view against the gallery of the same view; mean over views",
    "pairs": "every gallery view against every other probe view; mean over gallery, then over probe views",
    "others": "each probe view against all other views in one gallery; mean over probe views",
    "ranked": "every walk of the gallery ranked by itself, but those of the same person in the same view",
}


@dataclass(frozen=True)
class Protocol:
    """A named experiment: it prints itself, and says of every walk whether it enrols, probes or stays out.

    Attributes:
        name: what reports call it.
        source: where it comes from.
        rows: its lines; `average_rows` asks for their mean beside them.
        test: which walks belong to the experiment at all.
        train: which walks a model may have learned from; their persons may not be in the test. None: nothing of this
            data set.
        views: "pooled", all views in one gallery; "same", each view against its own, averaged over views; "pairs",
            every gallery view against every other probe view, averaged over gallery views and then probe views;
            "others", each probe view against all other views in one gallery; "ranked", for `evaluate_ranked`: walks,
            not persons, are ranked, and those of the probe's person in the probe's view left out.
        distractors: keep persons in the gallery who have no probe.
        one_decision: all of a person's samples in a row's probes are one search: the mean of their scores.
        trains_on_gallery: a model may learn from the enrolled walks and whose they are, as nothing else is there.
        groups: (name, persons) whose probes are also counted separately, against the same gallery.

    """

    name: str
    source: str
    rows: tuple[Row, ...]
    test: Select = Select()
    train: Select | None = None
    views: Views = "pooled"
    distractors: bool = True
    average_rows: bool = False
    one_decision: bool = False
    trains_on_gallery: bool = False
    groups: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.rows or len({row.name for row in self.rows}) != len(self.rows):
            raise ValueError(
                f"rows: expected one or more rows with different names, got {[row.name for row in self.rows]}"
            )

    def with_rows_of(self, samples: Sequence[Walk]) -> "Protocol":
        """The same without the rows for which these walks have nothing to enrol or nobody to search for.

        For data that is there in part, such as some probe sets of the Gait Challenge; ValueError where no row is left.
        """
        table = Table(samples)
        test = self.test.mask(table)
        rows = [row for row in self.rows if all((test & each.mask(table)).any() for each in (row.gallery, row.probe))]
        return replace(self, rows=tuple(rows))

    def __str__(self) -> str:
        learned = "no identity of this data set" if self.train is None else str(self.train)
        lines = [f"{self.name} ({self.source})", f"  test: {self.test}; {_GRIDS[self.views]}"]
        lines.append(f"  train: {'the enrolled walks only' if self.trains_on_gallery else learned}")
        lines += [f"  {row}" for row in self.rows]
        if self.one_decision:
            lines.append("  one decision a person: the mean of the scores of all samples; single samples also")
        lines.append(f"  persons without a probe {'stay in' if self.distractors else 'are left out of'} the gallery")
        lines += [f"  also separately: {name} ({' '.join(persons)})" for name, persons in self.groups]
        lines.append(
            "  a walk without a vector counts as a miss; one of somebody who is not enrolled, as open-set trial"
        )
        return "\n".join(lines)


def require_disjoint_subjects(train: Iterable[str], test: Iterable[str]) -> None:
    """Refuse a split that shares persons.

    Raises:
        ValueError: naming the persons on both sides.

    """
    shared = sorted(set(train) & set(test))
    if shared:
        raise ValueError(
            f"train, test: expected different persons, got {len(shared)} on both sides ({', '.join(shared[:8])}"
            f"{', ...' if len(shared) > 8 else ''}); a score on persons seen in training says nothing"
        )
