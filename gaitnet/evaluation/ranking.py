"""Walks ranked one by one, as in person re-identification: mAP and mINP beside rank-k."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from gaitnet.evaluation.intervals import Rate, rate_over_subjects
from gaitnet.evaluation.metrics import average_precisions, best_per_subject, inverse_negative_penalties, walk_ranks
from gaitnet.evaluation.open_set import OpenSetRate, rates_of_open_set
from gaitnet.evaluation.runner import row_masks, tested_walks
from gaitnet.evaluation.selection import Protocol, Table, Walk

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""similarity(vectors (probe, feature), vectors (sample, feature)) -> (probe, sample), higher is more similar."""


@dataclass(frozen=True)
class RankedRow:
    """One line of a ranking: rates of probes that have a walk to be found, and of the open set, as in `RowResult`.

    `rank_1` and `rank_5` count places of walks: several of one other person before the right one take several.
    """

    name: str
    rank_1: Rate
    rank_5: Rate
    mean_average_precision: Rate
    mean_inverse_negative_penalty: Rate
    described: int
    gallery_walks: int
    nonmated: int
    open_set: tuple[OpenSetRate, ...]

    def summary(self) -> dict[str, object]:
        """The same of plain Python types, for JSON."""
        open_set = [{**each._asdict(), "fnir": asdict(each.fnir), "fpir": asdict(each.fpir)} for each in self.open_set]
        return {**asdict(self), "open_set": open_set}


def evaluate_ranked(
    protocol: Protocol,
    samples: Sequence[Walk],
    vectors: Float[np.ndarray, "sample feature"],
    similarity: Similarity,
    *,
    trained_on: Collection[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[RankedRow, ...]:
    """Rank every walk of the gallery for each probe, in a protocol of "ranked" views.

    Left out of a probe's ranking are the walks of its own person in its own view: whoever is found shall be found from
    another side. A probe to whom that leaves nobody is an open-set trial. Arguments as in `evaluate`.

    Raises:
        ValueError: the protocol ranks persons; a walk has no view; and as `evaluate`.

    """
    if protocol.views != "ranked":
        raise ValueError(f"protocol: expected one that ranks walks, got {protocol.name}; run it with evaluate")
    if len(samples) != len(vectors):
        raise ValueError(f"vectors: expected a row for each of the {len(samples)} samples, got {len(vectors)}")
    table = Table(samples)
    tested = tested_walks(protocol, table, trained_on)
    described = np.isfinite(vectors).all(axis=1)
    rows = []
    for row in protocol.rows:
        gallery, probe = (np.flatnonzero(mask) for mask in row_masks(protocol, row, table, tested))
        if np.isnan(table.views[np.concatenate([gallery, probe])]).any():
            raise ValueError(f"samples: expected a view in degrees for every walk of {protocol.name}, got None; add it")
        scores = np.full((len(probe), len(gallery)), np.nan)
        seen, there = described[probe], described[gallery]
        if seen.any() and there.any():
            scores[np.ix_(seen, there)] = similarity(vectors[probe[seen]], vectors[gallery[there]])
        own, whose = table.subject_ids[probe], table.subject_ids[gallery]
        same_person = own[:, None] == whose[None, :]
        comparable = ~(same_person & (table.views[probe][:, None] == table.views[gallery][None, :]))
        mated = (same_person & comparable).any(axis=1)
        if not mated.any():
            raise ValueError(f"samples: expected probes of persons enrolled in another view in {row.name!r}, got none")
        people, best = best_per_subject(np.where(comparable, scores, np.nan), whose)
        trials = scores[mated], own[mated], whose, comparable[mated]
        ranks = walk_ranks(*trials)
        rank_1, rank_5, precision, penalty = (
            rate_over_subjects(each, own[mated], resamples=resamples, seed=seed)
            for each in (ranks <= 1, ranks <= 5, average_precisions(*trials), inverse_negative_penalties(*trials))
        )
        strangers = rates_of_open_set(best, own, people, mated, resamples=resamples, seed=seed)
        described_probes, others = int(seen[mated].sum()), int((~mated).sum())
        rows.append(
            RankedRow(row.name, rank_1, rank_5, precision, penalty, described_probes, len(gallery), others, strangers)
        )
    return tuple(rows)
