"""Which walks are searched for in which gallery, and the scores of all these searches."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from gaitnet.evaluation.selection import Protocol, Row, Table

Classifier = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""fit(vectors (sample, feature), labels (sample,)) -> score; score(vectors (probe, feature)) -> (probe, subject),
higher is more similar, a column for each of `numpy.unique(labels)`, in that order."""


class Trials(NamedTuple):
    """All searches of a row, one element each.

    scores (search, subject): NaN where the probe or the person has no vector, or the gallery of this search has not
    this person; present (search, subject): whether the gallery of this search has a walk of this person, described or
    not; probe (search,): place of the walk in the table; gallery_view: degrees, NaN where views are pooled;
    mated: whether the gallery of this search has a walk of the probe's person; samples: how many walks the search is
    about; subjects: whose the columns are; enrolled: the least number of persons with a vector.
    """

    scores: Float[np.ndarray, "search subject"]
    present: Bool[np.ndarray, "search subject"]
    probe: Int[np.ndarray, " search"]
    gallery_view: Float[np.ndarray, " search"]
    mated: Bool[np.ndarray, " search"]
    samples: Int[np.ndarray, " search"]
    subjects: Shaped[np.ndarray, " subject"]
    enrolled: int

    def take(self, chosen: Bool[np.ndarray, " search"]) -> "Trials":
        """Those of the searches that are chosen."""
        return self._replace(
            scores=self.scores[chosen], present=self.present[chosen], probe=self.probe[chosen],
            gallery_view=self.gallery_view[chosen], mated=self.mated[chosen], samples=self.samples[chosen],
        )  # fmt: skip


class Searcher:
    """Fits a classifier to each gallery once, and looks walks up in it."""

    def __init__(self, table: Table, vectors: Float[np.ndarray, "sample feature"], classifier: Classifier) -> None:
        self.table, self.vectors, self.classifier = table, vectors, classifier
        self.described: Bool[np.ndarray, " sample"] = np.isfinite(vectors).all(axis=1)
        self._fitted: dict[bytes, tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = {}

    def trials(
        self, protocol: Protocol, row: Row, gallery: Bool[np.ndarray, " sample"], probe: Bool[np.ndarray, " sample"]
    ) -> Trials:
        """Every search of a row.

        Raises:
            ValueError: no gallery has a vector, nobody is searched for, or the classifier gives scores of another
                shape.

        """
        owners = self.table.subject_ids
        subjects = np.unique(owners[gallery])
        parts: list[tuple[np.ndarray, ...]] = []
        enrolled = []
        for view, enrol, search in galleries(protocol, row, self.table, gallery, probe):
            scores, known = self._scores(subjects, enrol, search)
            mated = np.isin(owners[search], owners[enrol])
            present = np.tile(np.isin(subjects, owners[enrol]), (len(search), 1))
            parts.append((scores, present, search, np.full(len(search), view), mated, np.ones(len(search), np.int64)))
            enrolled.append(known)
        if not parts:
            raise ValueError(
                f"samples: expected probes in other views than the gallery's in row {row.name!r}, got none"
            )
        if not max(enrolled):
            raise ValueError(
                "vectors: expected a vector for at least one gallery walk, got none; nothing could be described"
            )
        scores, there, places, views, mates, samples = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Trials(scores, there, places, views, mates, samples, subjects, min(enrolled))

    def _scores(self, subjects: np.ndarray, enrol: np.ndarray, search: np.ndarray) -> tuple[np.ndarray, int]:
        """Scores (search, subject), and how many persons of this gallery have a vector."""
        scores = np.full((len(search), len(subjects)), np.nan)
        enrol = enrol[self.described[enrol]]
        usable = np.flatnonzero(self.described[search])
        if not len(enrol):
            return scores, 0
        key = enrol.tobytes()
        if key not in self._fitted:
            labels = self.table.subject_ids[enrol]
            self._fitted[key] = np.unique(labels), self.classifier(self.vectors[enrol], labels)
        known, score = self._fitted[key]
        if len(usable):
            returned = np.asarray(score(self.vectors[search[usable]]), dtype=np.float64)
            if returned.shape != (len(usable), len(known)):
                raise ValueError(
                    f"classifier: expected scores of shape (probe, subject) = ({len(usable)}, {len(known)}), got "
                    f"{returned.shape}; give one column for each of numpy.unique(labels)"
                )
            scores[np.ix_(usable, np.searchsorted(subjects, known))] = returned
        return scores, len(known)


def galleries(
    protocol: Protocol, row: Row, table: Table, gallery: Bool[np.ndarray, " sample"], probe: Bool[np.ndarray, " sample"]
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yield (gallery view or NaN, places of what enrols, places of what is searched for) of each gallery of a row.

    A gallery may be empty, where nobody walked in that view or the only walk in it is searched for.
    """
    for view, enrol, search in _by_view(protocol, table, gallery, probe):
        if not row.leave_own_walk_out:
            yield view, np.flatnonzero(enrol), np.flatnonzero(search)
            continue
        for walk in np.unique(table.walk_keys[search]):
            own = table.walk_keys == walk
            yield view, np.flatnonzero(enrol & ~own), np.flatnonzero(search & own)


def one_decision(trials: Trials, subject_ids: Shaped[np.ndarray, " sample"]) -> Trials:
    """All samples of a person as one search: the mean of their scores, over those that have a vector.

    `subject_ids` are the table's. A person who is in the gallery of one of the searches is in that of the one.
    """
    people, owner = np.unique(subject_ids[trials.probe], return_inverse=True)
    scored = ~np.isnan(trials.scores)
    sums, counts, galleries = (np.zeros((len(people), len(trials.subjects))) for _ in range(3))
    np.add.at(sums, owner, np.where(scored, trials.scores, 0.0))
    np.add.at(counts, owner, scored)
    np.add.at(galleries, owner, trials.present)
    scores = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    _, first = np.unique(owner, return_index=True)
    mated = np.bincount(owner, trials.mated) > 0
    samples = np.bincount(owner, trials.samples).astype(np.int64)
    return Trials(
        scores, galleries > 0, trials.probe[first], trials.gallery_view[first], mated, samples, trials.subjects,
        trials.enrolled,
    )  # fmt: skip


def _by_view(
    protocol: Protocol, table: Table, gallery: np.ndarray, probe: np.ndarray
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yield (gallery view or NaN, mask of what enrols, mask of what is searched for)."""
    if protocol.views == "pooled":
        yield np.nan, gallery, probe
        return
    if protocol.views == "ranked":
        raise ValueError(f"protocol: {protocol.name} ranks walks, not persons; run it with evaluate_ranked")
    if np.isnan(table.views[gallery | probe]).any():
        raise ValueError(f"samples: expected a view in degrees for every walk of {protocol.name}, got None; add it")
    for view in np.unique(table.views[gallery if protocol.views == "pairs" else probe]):
        same = table.views == view
        if protocol.views == "pairs":
            gallery_view, enrol, search = view, gallery & same, probe & ~same
        else:
            gallery_view, enrol, search = np.nan, gallery & (same if protocol.views == "same" else ~same), probe & same
        if search.any():
            yield gallery_view, enrol, search
