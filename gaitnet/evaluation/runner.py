"""The one runner that all protocols share: enrol, search, count."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from jaxtyping import Float

from gaitnet.evaluation.intervals import Rate, interval_of, subject_weights
from gaitnet.evaluation.metrics import OpenSetRates, fnir_at_fpir, mate_ranks
from gaitnet.evaluation.results import Result, RowResult, Search
from gaitnet.evaluation.selection import Protocol, Row, Table, Walk, require_disjoint_subjects
from gaitnet.evaluation.verification import verification_rates

Classifier = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""fit(vectors (sample, feature), labels (sample,)) -> score; score(vectors (probe, feature)) -> (probe, subject),
higher is more similar, a column for each of `numpy.unique(labels)`, in that order."""


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
        ValueError: training and test share persons; a row finds no probes or no gallery; no gallery walk has a vector;
            the classifier returns scores of another shape.

    """
    if len(samples) != len(vectors):
        raise ValueError(f"vectors: expected a row for each of the {len(samples)} samples, got {len(vectors)}")
    table = Table(samples)
    tested = protocol.test.mask(table)
    learned = set(trained_on)
    if protocol.train is not None:
        learned |= set(table.subject_ids[protocol.train.mask(table)].tolist())
    require_disjoint_subjects(learned, table.subject_ids[tested].tolist())

    fitted: dict[tuple[int, ...], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = {}
    described = np.isfinite(vectors).all(axis=1)
    searched = tested & np.any([row.probe.mask(table) for row in protocol.rows], axis=0)
    roster = np.unique(table.subject_ids[searched])  # one draw of these persons serves every row
    rows, searches, draws, notes = [], [], [], []
    for row in protocol.rows:
        gallery, probe = tested & row.gallery.mask(table), tested & row.probe.mask(table)
        if not gallery.any() or not probe.any():
            raise ValueError(
                f"samples: expected walks for row {row.name!r} of {protocol.name}, got {gallery.sum()} to enrol "
                f"({row.gallery}) and {probe.sum()} to search ({row.probe}); check the names of the walks"
            )
        if (gallery & probe).any():
            raise ValueError(f"protocol: row {row.name!r} of {protocol.name} enrols and searches the same walks")
        if not protocol.distractors:
            gallery &= np.isin(table.subject_ids, table.subject_ids[probe])
        lacking = probe & ~np.isin(table.subject_ids, table.subject_ids[gallery])
        if lacking.any():
            persons = ", ".join(np.unique(table.subject_ids[lacking]))
            notes.append(f"{row.name}: {lacking.sum()} walks of persons without an enrolled walk left out ({persons})")
        if (lacking | ~probe).all():
            raise ValueError(f"samples: expected probes of enrolled persons in row {row.name!r}, got none")
        result, found, draw = _evaluate_row(
            row,
            protocol,
            table,
            vectors,
            described,
            gallery,
            probe & ~lacking,
            roster,
            classifier,
            fitted,
            resamples,
            seed,
        )
        rows.append(result)
        searches += found
        draws.append(draw)

    average = _average(protocol, rows, draws)
    return Result(protocol, tuple(rows), average, tuple(searches), tuple(notes))


def _evaluate_row(
    row: Row, protocol: Protocol, table: Table, vectors: np.ndarray, described: np.ndarray, gallery: np.ndarray,
    probe: np.ndarray, roster: np.ndarray, classifier: Classifier, fitted: dict, resamples: int, seed: int,
) -> tuple[RowResult, list[Search], np.ndarray]:  # fmt: skip
    """Scores of all searches of a row, what they amount to, and the bootstrap draws of rank-1."""
    subjects = np.unique(table.subject_ids[gallery])
    blocks, gallery_views, probe_indices, enrolled = [], [], [], []
    for gallery_view, enrol, search in _galleries(protocol, table, gallery, probe):
        scores, count = _search(table, vectors, described, subjects, enrol, search, classifier, fitted)
        blocks.append(scores)
        enrolled.append(count)
        gallery_views += [gallery_view] * len(search)
        probe_indices += search.tolist()
    if not blocks:
        raise ValueError(f"samples: expected probes in other views than the gallery's in row {row.name!r}, got none")
    scores, index, gallery_view = np.concatenate(blocks), np.array(probe_indices), np.array(gallery_views)
    probe_ids = table.subject_ids[index]
    ranks = mate_ranks(scores, probe_ids, subjects)

    # One cell per pair of views; NaN views (unknown, or pooled) fall into one cell.
    views = table.views[index] if protocol.views != "pooled" else np.zeros(len(index))
    pairs = np.column_stack([np.nan_to_num(gallery_view, nan=-1.0), np.nan_to_num(views, nan=-1.0)])
    cells, cell = np.unique(pairs, axis=0, return_inverse=True)
    rank_1, draw, cell_rates = _cell_rate(ranks <= 1, probe_ids, roster, cells, cell.ravel(), resamples, seed)
    rank_5, _, _ = _cell_rate(ranks <= 5, probe_ids, roster, cells, cell.ravel(), resamples, seed)

    verification = verification_rates(scores, probe_ids, subjects, resamples=resamples, seed=seed)
    groups = {}
    for name, persons in protocol.groups:
        member = np.isin(probe_ids, persons)
        if member.any():
            own = probe_ids[member]
            groups[name] = _cell_rate(
                (ranks <= 1)[member], own, np.unique(own), cells, cell.ravel()[member], resamples, seed
            )[0]

    grid = _grid(cells, cell_rates) if protocol.views == "pairs" else (None, (), ())
    result = RowResult(
        row.name, rank_1, rank_5, *verification,  
        int(described[index].sum()), len(subjects), min(enrolled), scores, probe_ids, subjects, groups, *grid,
    )  # fmt: skip
    found = _searches(row, table, index, gallery_view, subjects, scores, ranks, described)
    return result, found, draw


def _galleries(protocol: Protocol, table: Table, gallery: np.ndarray, probe: np.ndarray):
    """Yield (gallery view or NaN, gallery indices, probe indices) for each separate search the protocol makes."""
    if protocol.views == "pooled":
        yield np.nan, np.flatnonzero(gallery), np.flatnonzero(probe)
        return
    if np.isnan(table.views[gallery | probe]).any():
        raise ValueError(f"samples: expected a view in degrees for every walk of {protocol.name}, got None; add it")
    for view in np.unique(table.views[gallery if protocol.views == "pairs" else probe]):
        same = table.views == view
        if protocol.views == "pairs":
            gallery_view, enrol, search = view, gallery & same, probe & ~same
        else:
            gallery_view, enrol, search = np.nan, gallery & ~same, probe & same
        if enrol.any() and search.any():
            yield gallery_view, np.flatnonzero(enrol), np.flatnonzero(search)


def _search(
    table: Table, vectors: np.ndarray, described: np.ndarray, subjects: np.ndarray, enrol: np.ndarray,
    search: np.ndarray, classifier: Classifier, fitted: dict,
) -> tuple[np.ndarray, int]:  # fmt: skip
    """Scores (search, subject), NaN for probes and persons without a vector, and how many persons are enrolled."""
    enrol = enrol[described[enrol]]
    if not len(enrol):
        raise ValueError(
            "vectors: expected a vector for at least one gallery walk, got none; nothing could be described"
        )
    key = tuple(enrol.tolist())
    if key not in fitted:
        labels = table.subject_ids[enrol]
        fitted[key] = np.unique(labels), classifier(vectors[enrol], labels)
    known, score = fitted[key]
    scores = np.full((len(search), len(subjects)), np.nan)
    usable = np.flatnonzero(described[search])
    if len(usable):
        returned = np.asarray(score(vectors[search[usable]]), dtype=np.float64)
        if returned.shape != (len(usable), len(known)):
            raise ValueError(
                f"classifier: expected scores of shape (probe, subject) = ({len(usable)}, {len(known)}), got "
                f"{returned.shape}; give one column for each of numpy.unique(labels)"
            )
        scores[np.ix_(usable, np.searchsorted(subjects, known))] = returned
    return scores, len(known)


def _cell_rate(
    hits: np.ndarray, probe_ids: np.ndarray, roster: np.ndarray, cells: np.ndarray, cell: np.ndarray, resamples: int,
    seed: int,
) -> tuple[Rate, np.ndarray, np.ndarray]:  # fmt: skip
    """Share of hits, averaged over gallery views, then over probe views; its bootstrap draws; every cell's rate."""
    owner = np.searchsorted(roster, probe_ids)
    sums = np.zeros((len(roster), len(cells)))
    counts = np.zeros_like(sums)
    np.add.at(sums, (owner, cell), hits)
    np.add.at(counts, (owner, cell), 1)

    def rate(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = weights @ counts
        cell_rates = np.divide(weights @ sums, total, out=np.full(total.shape, np.nan), where=total > 0)
        by_probe_view = [_mean_present(cell_rates[:, cells[:, 1] == view]) for view in np.unique(cells[:, 1])]
        return _mean_present(np.column_stack(by_probe_view)), cell_rates

    value, cell_rates = rate(np.ones((1, len(roster))))
    draws, _ = rate(subject_weights(len(roster), resamples, seed))
    result = interval_of(float(value[0]), draws, len(hits), len(np.unique(probe_ids)), 0.95)
    return result, draws, cell_rates[0]


def _mean_present(values: np.ndarray) -> np.ndarray:
    """Mean over columns of what is not NaN; NaN where all is."""
    present = ~np.isnan(values)
    return np.divide(
        np.where(present, values, 0.0).sum(axis=1),
        present.sum(axis=1),
        out=np.full(len(values), np.nan),
        where=present.any(axis=1),
    )


def _grid(cells: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, tuple[float, ...], tuple[float, ...]]:
    gallery_views, probe_views = np.unique(cells[:, 0]), np.unique(cells[:, 1])
    grid = np.full((len(gallery_views), len(probe_views)), np.nan)
    grid[np.searchsorted(gallery_views, cells[:, 0]), np.searchsorted(probe_views, cells[:, 1])] = rates
    return grid, tuple(gallery_views.tolist()), tuple(probe_views.tolist())


def _searches(
    row: Row, table: Table, index: np.ndarray, gallery_view: np.ndarray, subjects: np.ndarray, scores: np.ndarray,
    ranks: np.ndarray, described: np.ndarray,
) -> list[Search]:  # fmt: skip
    counted = np.where(np.isnan(scores), -np.inf, scores)
    best = np.argmax(counted, axis=1)
    rising = np.sort(counted, axis=1)
    mate = np.searchsorted(subjects, table.subject_ids[index])
    found = []
    for place, sample in enumerate(index):
        walk, seen = table.walks[sample], bool(described[sample])
        second = rising[place, -2] if len(subjects) > 1 else -np.inf
        found.append(
            Search(
                row.name, walk.subject_id, walk.condition, walk.session, walk.view, walk.sequence,
                None if np.isnan(gallery_view[place]) else float(gallery_view[place]), seen,
                str(subjects[best[place]]) if seen else "", bool(ranks[place] == 1), float(ranks[place]),
                float(rising[place, -1]) if seen else np.nan, float(scores[place, mate[place]]),
                float(rising[place, -1] - second) if seen else np.nan,
            )
        )  # fmt: skip
    return found


def _average(protocol: Protocol, rows: list[RowResult], draws: list[np.ndarray]) -> Rate | None:
    """Mean over rows; a draw of persons is the same in all of them, so that rows do not count as independent."""
    if not protocol.average_rows:
        return None
    value = float(np.mean([row.rank_1.value for row in rows]))
    count, subjects = sum(row.rank_1.count for row in rows), max(row.rank_1.subjects for row in rows)
    return interval_of(value, np.mean(draws, axis=0), count, subjects, 0.95)


def evaluate_open_set(
    protocol: Protocol,
    samples: Sequence[Walk],
    vectors: Float[np.ndarray, "sample feature"],
    classifier: Classifier,
    unknown: Collection[str],
    *,
    fpir: float = 0.1,
    trained_on: Collection[str] = (),
) -> dict[str, OpenSetRates]:
    """Measure missed identifications at a rate of false ones, for each row of a "pooled" protocol.

    The persons named in `unknown` are not enrolled; their probes are the unmated searches. The rest as in `evaluate`.
    """
    if protocol.views != "pooled":
        raise ValueError(
            f"protocol: expected one gallery of all views, got {protocol.name} with views={protocol.views!r}"
        )
    table, described = Table(samples), np.isfinite(vectors).all(axis=1)
    tested = protocol.test.mask(table)
    require_disjoint_subjects(trained_on, table.subject_ids[tested].tolist())
    left_out = np.isin(table.subject_ids, list(unknown))
    rates = {}
    for row in protocol.rows:
        gallery, probe = tested & row.gallery.mask(table) & ~left_out, tested & row.probe.mask(table)
        probe &= left_out | np.isin(table.subject_ids, table.subject_ids[gallery])
        subjects, search = np.unique(table.subject_ids[gallery]), np.flatnonzero(probe)
        scores, _ = _search(table, vectors, described, subjects, np.flatnonzero(gallery), search, classifier, {})
        rates[row.name] = fnir_at_fpir(scores, table.subject_ids[search], subjects, fpir)
    return rates
