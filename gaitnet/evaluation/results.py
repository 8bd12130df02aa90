"""What an evaluation returns: rates with intervals a row, every single search behind them, and both as plain tables."""

from dataclasses import asdict, dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.intervals import Rate
from gaitnet.evaluation.open_set import OpenSetRate
from gaitnet.evaluation.selection import Protocol


@dataclass(frozen=True)
class Search:
    """One probe looked up in one gallery.

    `predicted` is "" and the numbers are NaN where the walk has no vector; `rank` is inf where the right person could
    not be found at all. `margin` is the best score minus the second best. `mated`: whether the gallery holds a walk of
    the person; where it does not, the search is an open-set trial, never `correct`, and without a rank.
    """

    row: str
    subject_id: str
    condition: str
    session: str
    view: float | None
    sequence: str
    gallery_view: float | None
    described: bool
    mated: bool
    predicted: str
    correct: bool
    rank: float
    score: float
    mate_score: float
    margin: float


@dataclass(frozen=True)
class RowResult:
    """One line of a protocol's result.

    Attributes:
        name: the row's name in the protocol.
        rank_1: identification rates, by the protocol's averaging over views; of the mated searches, as all but the
            open set.
        rank_5: as `rank_1`.
        auc: verification: every probe against every person in its gallery.
        eer: equal error rate.
        tar: true acceptance rate at a false match rate of 1 %.
        described: searches whose probe had a vector, out of `rank_1.count`.
        gallery_subjects: number of persons to choose from.
        enrolled_subjects: those of them with at least one vector (the least over the galleries).
        scores: of every mated search (a row) for every gallery person (a column); NaN without a vector, or without a
            walk of the person in the gallery of the search.
        comparable: whether the gallery of the search has a walk of the person; False is no trial, whatever the score.
        probe_ids: whose each row of `scores` is.
        subject_ids: whose each column is.
        groups: rank-1 of the protocol's groups of persons, by name.
        nonmated: searches for persons whom the gallery does not hold.
        open_set: misses at rates of false identifications; empty without such searches.
        sample_rank_1: of single samples, where the protocol makes one decision a person; else None.
        sample_rank_5: likewise.
        view_grid: rank-1 by (gallery view, probe view), NaN where it is left out; None unless `views` is "pairs".
        gallery_views: of the grid's rows, degrees.
        probe_views: of the grid's columns, degrees.

    """

    name: str
    rank_1: Rate
    rank_5: Rate
    auc: Rate
    eer: Rate
    tar: Rate
    described: int
    gallery_subjects: int
    enrolled_subjects: int
    scores: Float[np.ndarray, "probe subject"]
    comparable: Bool[np.ndarray, "probe subject"]
    probe_ids: Shaped[np.ndarray, " probe"]
    subject_ids: Shaped[np.ndarray, " subject"]
    groups: dict[str, Rate]
    nonmated: int = 0
    open_set: tuple[OpenSetRate, ...] = ()
    sample_rank_1: Rate | None = None
    sample_rank_5: Rate | None = None
    view_grid: Float[np.ndarray, "gallery_view probe_view"] | None = None
    gallery_views: tuple[float, ...] = ()
    probe_views: tuple[float, ...] = ()

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the metrics of identification and verification take: scores, probe_ids, subject_ids, comparable."""
        return self.scores, self.probe_ids, self.subject_ids, self.comparable

    @property
    def chance(self) -> float:
        """Rank-1 of a guess."""
        return 1.0 / self.gallery_subjects


@dataclass(frozen=True)
class Result:
    """A protocol's outcome: `average` is the mean of the rows' rank-1 (None unless the protocol asks for it)."""

    protocol: Protocol
    rows: tuple[RowResult, ...]
    average: Rate | None
    searches: tuple[Search, ...]
    notes: tuple[str, ...] = ()

    def row(self, name: str) -> RowResult:
        """Return the row of that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(f"name: expected one of {', '.join(row.name for row in self.rows)}, got {name!r}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and lines of text for a terminal or a page, intervals and chance beside every score."""
        groups = [name for name, _ in self.protocol.groups]
        single = ["rank-1, single samples", "rank-5, single samples"] if self.protocol.one_decision else []
        header = ["probes", "rank-1", "rank-5", *single, *[f"rank-1, {name}" for name in groups]]
        header += ["EER", "chance", "described"]
        lines = [
            [
                row.name,
                str(row.rank_1),
                str(row.rank_5),
                *([str(row.sample_rank_1), str(row.sample_rank_5)] if single else []),
                *[str(row.groups[name]) if name in row.groups else "no probes" for name in groups],
                str(row.eer),
                f"{100 * row.chance:.1f} %",
                f"{row.described} of {row.rank_1.count}",
            ]
            for row in self.rows
        ]
        if self.average is not None:
            lines.append(["average", str(self.average), *[""] * (len(header) - 2)])
        return header, lines

    def searches_table(self) -> tuple[list[str], list[list[object]]]:
        """Header and one line per search, for a CSV file."""
        header = [field.name for field in fields(Search)]
        return header, [[getattr(search, name) for name in header] for search in self.searches]

    def summary(self) -> dict[str, object]:
        """Everything but the single searches, of plain Python types, for a JSON file."""
        return {
            "protocol": self.protocol.name,
            "protocol_text": str(self.protocol),
            "views": self.protocol.views,
            "average": None if self.average is None else asdict(self.average),
            "notes": list(self.notes),
            "rows": [
                {
                    "name": row.name,
                    **{name: asdict(getattr(row, name)) for name in ("rank_1", "rank_5", "auc", "eer", "tar")},
                    **{
                        name: None if (rate := getattr(row, name)) is None else asdict(rate)
                        for name in ("sample_rank_1", "sample_rank_5")
                    },
                    "nonmated": row.nonmated,
                    "open_set": [
                        {**each._asdict(), "fnir": asdict(each.fnir), "fpir": asdict(each.fpir)}
                        for each in row.open_set
                    ],
                    "groups": {name: asdict(rate) for name, rate in row.groups.items()},
                    "chance": row.chance,
                    "searches": row.rank_1.count,
                    "described": row.described,
                    "gallery_subjects": row.gallery_subjects,
                    "enrolled_subjects": row.enrolled_subjects,
                    "view_grid": None if row.view_grid is None else row.view_grid.tolist(),
                    "gallery_views": list(row.gallery_views),
                    "probe_views": list(row.probe_views),
                }
                for row in self.rows
            ],
        }

    def __str__(self) -> str:
        header, lines = self.table()
        widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                for line in [header, *lines]]  # fmt: skip
        return "\n".join([str(self.protocol), *text, *self.notes])
