"""The one runner that all protocols share: enrol, search, count."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.galleries import Classifier, Searcher, Trials, one_decision
from gaitnet.evaluation.intervals import Rate
from gaitnet.evaluation.metrics import mate_ranks
from gaitnet.evaluation.open_set import OpenSetRate, rates_of_open_set
from gaitnet.evaluation.results import Result, RowResult, Search
from gaitnet.evaluation.selection import Protocol, Row, Table, Walk, require_disjoint_subjects
from gaitnet.evaluation.verification import verification_rates
from gaitnet.evaluation.view_rates import Cells, ViewRate, mean_of_rows, rate_over_views, view_grid

__all__ = ["Classifier", "evaluate", "evaluate_open_set", "row_masks", "tested_walks"]


def evaluate(
    protocol: Protocol,
    samples: Sequence[Walk],
    vectors: Float[np.ndarray, "sample feature"],
    classifier: Classifier,
    *,
    trained_on: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Run a protocol: enrol, search, count.

    A search for somebody of whom its gallery holds no walk is an open-set trial: it says how often a stranger is given
    a name, and counts in no rate of the closed set.

    Args:
        protocol: the experiment.
        samples: one walk each; those that the protocol has no use for are passed over.
        vectors: identification vector of each sample; a row with a NaN is a walk that could not be described: a miss
            as a probe, absent from the gallery.
        classifier: see `Classifier`; fitted anew for every gallery.
        trained_on: persons from whose identity the model has learned.
        resamples: bootstrap draws of persons.
        seed: of the bootstrap.

    Raises:
        ValueError: training and test share persons; a row finds no probes, no gallery, or nobody of the one in the
            other; no gallery walk has a vector; the classifier returns scores of another shape.

    """
    if len(samples) != len(vectors):
        raise ValueError(f"vectors: expected a row for each of the {len(samples)} samples, got {len(vectors)}")
    table = Table(samples)
    tested = tested_walks(protocol, table, trained_on)
    searched = tested & np.any([row.probe.mask(table) for row in protocol.rows], axis=0)
    roster = np.unique(table.subject_ids[searched])  # one draw of these persons serves every row
    searcher = Searcher(table, vectors, classifier)
    rows: list[RowResult] = []
    searches: list[Search] = []
    draws, notes = [], []
    for row in protocol.rows:
        gallery, probe = row_masks(protocol, row, table, tested)
        trials = searcher.trials(protocol, row, gallery, probe)
        if not trials.mated.any():
            raise ValueError(f"samples: expected probes of enrolled persons in row {row.name!r}, got none")
        if not trials.mated.all():
            strangers = table.subject_ids[trials.probe[~trials.mated]]
            notes.append(
                f"{row.name}: {len(strangers)} searches for persons without an enrolled walk are open-set trials "
                f"({', '.join(np.unique(strangers))})"
            )
        result, found, rank_1 = _evaluate_row(row, protocol, searcher, trials, roster, resamples, seed)
        rows.append(result)
        searches += found
        draws.append(rank_1.draws)
    average = mean_of_rows([row.rank_1 for row in rows], draws) if protocol.average_rows else None
    return Result(protocol, tuple(rows), average, tuple(searches), tuple(notes))


def row_masks(
    protocol: Protocol, row: Row, table: Table, tested: Bool[np.ndarray, " sample"]
) -> tuple[Bool[np.ndarray, " sample"], Bool[np.ndarray, " sample"]]:
    """Which of the `tested` walks of a table a row enrols, and which it searches for.

    Raises:
        ValueError: there are none of one kind, or some of both that are not left out of their own gallery.

    """
    gallery, probe = tested & row.gallery.mask(table), tested & row.probe.mask(table)
    if not gallery.any() or not probe.any():
        raise ValueError(
            f"samples: expected walks for row {row.name!r} of {protocol.name}, got {gallery.sum()} to enrol "
            f"({row.gallery}) and {probe.sum()} to search ({row.probe}); check the names of the walks"
        )
    if not row.leave_own_walk_out and (gallery & probe).any():
        raise ValueError(f"protocol: row {row.name!r} of {protocol.name} enrols and searches the same walks")
    if not protocol.distractors:
        gallery &= np.isin(table.subject_ids, table.subject_ids[probe])
    return gallery, probe


def evaluate_open_set(
    protocol: Protocol,
    samples: Sequence[Walk],
    vectors: Float[np.ndarray, "sample feature"],
    classifier: Classifier,
    unknown: Collection[str],
    *,
    fpir: float = 0.1,
    trained_on: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, OpenSetRate]:
    """Measure missed identifications at a rate of false ones, for each row of a "pooled" protocol.

    The persons named in `unknown` are not enrolled; their probes are the unmated searches, beside those of whoever has
    no enrolled walk anyway. The rest as in `evaluate`.

    Raises:
        ValueError: the protocol parts views; a row has nobody to be found, or nobody unknown; and as `evaluate`.

    """
    if protocol.views != "pooled":
        raise ValueError(
            f"protocol: expected one gallery of all views, got {protocol.name} with views={protocol.views!r}"
        )
    table = Table(samples)
    searcher, rates = Searcher(table, vectors, classifier), {}
    tested = tested_walks(protocol, table, trained_on)
    left_out = np.isin(table.subject_ids, list(unknown))
    for row in protocol.rows:
        gallery, probe = row_masks(protocol, row, table, tested)
        trials = searcher.trials(protocol, row, gallery & ~left_out, probe)
        owners = table.subject_ids[trials.probe]
        measured = rates_of_open_set(
            trials.scores, owners, trials.subjects, trials.mated, wanted=[fpir], resamples=resamples, seed=seed
        )
        if not measured:
            raise ValueError(
                f"unknown: expected probes of enrolled and of other persons in row {row.name!r}, got "
                f"{int(trials.mated.sum())} and {int((~trials.mated).sum())}; leave some persons out of the gallery"
            )
        rates[row.name] = measured[0]
    return rates


def tested_walks(protocol: Protocol, table: Table, trained_on: Collection[str]) -> Bool[np.ndarray, " sample"]:
    """Which walks belong to the experiment; ValueError where a model has learned from their persons."""
    tested = protocol.test.mask(table)
    learned = set(trained_on)
    if protocol.train is not None:
        learned |= set(table.subject_ids[protocol.train.mask(table)].tolist())
    if not protocol.trains_on_gallery:
        require_disjoint_subjects(learned, table.subject_ids[tested].tolist())
    return tested


def _evaluate_row(
    row: Row, protocol: Protocol, searcher: Searcher, trials: Trials, roster: np.ndarray, resamples: int, seed: int
) -> tuple[RowResult, list[Search], ViewRate]:
    """What the searches of a row amount to, each of them, and rank-1 with its bootstrap draws."""
    table = searcher.table
    single_1: Rate | None = None
    single_5: Rate | None = None
    if protocol.one_decision:
        ranks, probe_ids, cells = _ranked(protocol, table, trials.take(trials.mated))
        single_1, single_5 = (
            rate_over_views(ranks <= k, probe_ids, roster, cells, resamples, seed).rate for k in (1, 5)
        )
        trials = one_decision(trials, table.subject_ids)

    mated = trials.take(trials.mated)
    ranks, probe_ids, cells = _ranked(protocol, table, mated)
    rank_1, rank_5 = (rate_over_views(ranks <= k, probe_ids, roster, cells, resamples, seed) for k in (1, 5))
    groups = {}
    for name, persons in protocol.groups:
        member = np.isin(probe_ids, persons)
        if member.any():
            own = probe_ids[member]
            of_group = (ranks <= 1)[member], own, np.unique(own), cells.take(member)
            groups[name] = rate_over_views(*of_group, resamples, seed).rate

    grid = view_grid(cells, rank_1.cells) if protocol.views == "pairs" else (None, (), ())
    described = _described(searcher, trials)
    result = RowResult(
        row.name, rank_1.rate, rank_5.rate,
        *verification_rates(mated.scores, probe_ids, mated.subjects, mated.present, resamples=resamples, seed=seed),
        int(described[trials.mated].sum()), len(trials.subjects), trials.enrolled, mated.scores, mated.present,
        probe_ids, trials.subjects, groups, int((~trials.mated).sum()),
        rates_of_open_set(trials.scores, table.subject_ids[trials.probe], trials.subjects, trials.mated,
                          resamples=resamples, seed=seed),
        single_1, single_5, *grid,
    )  # fmt: skip
    all_ranks = np.full(len(trials.probe), np.nan)
    all_ranks[trials.mated] = ranks
    return result, _searches(row, table, trials, all_ranks, described), rank_1


def _ranked(protocol: Protocol, table: Table, mated: Trials) -> tuple[np.ndarray, Shaped[np.ndarray, " search"], Cells]:
    """Each search's rank, whose walk it is about, and in which pair of views it falls."""
    probe_ids = table.subject_ids[mated.probe]
    views = np.zeros(len(mated.probe)) if protocol.views == "pooled" else table.views[mated.probe]
    return mate_ranks(mated.scores, probe_ids, mated.subjects), probe_ids, Cells.of(mated.gallery_view, views)


def _described(searcher: Searcher, trials: Trials) -> Bool[np.ndarray, " search"]:
    """Whether the probe of each search has a vector; of a search about several walks, whether one of them has."""
    if (trials.samples == 1).all():
        return searcher.described[trials.probe]
    return ~np.isnan(trials.scores).all(axis=1)


def _searches(row: Row, table: Table, trials: Trials, ranks: np.ndarray, described: np.ndarray) -> list[Search]:
    """Every search as a record; of one about several walks the sequence is their number."""
    counted = np.where(np.isnan(trials.scores), -np.inf, trials.scores)
    best, persons = np.argmax(counted, axis=1), np.arange(len(counted))
    highest = counted[persons, best]
    others = counted.copy()
    others[persons, best] = -np.inf
    second = others.max(axis=1)
    column = np.searchsorted(trials.subjects, table.subject_ids[trials.probe]).clip(max=len(trials.subjects) - 1)
    found = []
    for place, sample in enumerate(trials.probe.tolist()):
        walk, seen, mated = table.walks[sample], bool(described[place]), bool(trials.mated[place])
        named = seen and np.isfinite(highest[place])
        view, several = trials.gallery_view[place], trials.samples[place] > 1
        found.append(
            Search(
                row.name, walk.subject_id, walk.condition, walk.session, walk.view,
                f"{trials.samples[place]} samples" if several else walk.sequence,
                None if np.isnan(view) else float(view), seen, mated,
                str(trials.subjects[best[place]]) if named else "", bool(ranks[place] == 1), float(ranks[place]),
                float(highest[place]) if named else np.nan,
                float(trials.scores[place, column[place]]) if mated else np.nan,
                float(highest[place] - second[place]) if named else np.nan,
            )
        )  # fmt: skip
    return found
