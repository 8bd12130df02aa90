"""Shares of right searches averaged as protocols ask: over gallery views, then probe views, then rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from gaitnet.evaluation.intervals import Rate, interval_of, subject_weights


class Cells(NamedTuple):
    """Pairs of views: `views` (cell, 2) gallery and probe view in degrees, -1 where pooled; `cell` of each search."""

    views: Float[np.ndarray, "cell 2"]
    cell: Int[np.ndarray, " search"]

    @classmethod
    def of(cls, gallery_view: Float[np.ndarray, " search"], probe_view: Float[np.ndarray, " search"]) -> "Cells":
        """One cell per pair of views; NaN views (unknown, or pooled) fall into one cell."""
        pairs = np.column_stack([np.nan_to_num(gallery_view, nan=-1.0), np.nan_to_num(probe_view, nan=-1.0)])
        views, cell = np.unique(pairs, axis=0, return_inverse=True)
        return cls(views, cell.ravel())

    def take(self, chosen: Bool[np.ndarray, " search"]) -> "Cells":
        """Those of the searches that are chosen."""
        return Cells(self.views, self.cell[chosen])


class ViewRate(NamedTuple):
    """A rate, its bootstrap draws, and the rate of every cell."""

    rate: Rate
    draws: Float[np.ndarray, " resample"]
    cells: Float[np.ndarray, " cell"]


def rate_over_views(
    hits: Bool[np.ndarray, " search"],
    probe_ids: Shaped[np.ndarray, " search"],
    roster: Shaped[np.ndarray, " person"],
    cells: Cells,
    resamples: int,
    seed: int,
) -> ViewRate:
    """Share of hits, averaged over gallery views, then over probe views; `roster` are the persons who are redrawn."""
    owner = np.searchsorted(roster, probe_ids)
    places = owner * len(cells.views) + cells.cell
    shape = len(roster), len(cells.views)
    sums = np.bincount(places, hits, shape[0] * shape[1]).reshape(shape)
    counts = np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

    def rate(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = weights @ counts
        rates = np.divide(weights @ sums, total, out=np.full(total.shape, np.nan), where=total > 0)
        by_probe_view = [_mean_present(rates[:, cells.views[:, 1] == view]) for view in np.unique(cells.views[:, 1])]
        return _mean_present(np.column_stack(by_probe_view)), rates

    value, each = rate(np.ones((1, len(roster))))
    draws, _ = rate(subject_weights(len(roster), resamples, seed).astype(np.float64))
    return ViewRate(interval_of(float(value[0]), draws, len(hits), len(np.unique(probe_ids)), 0.95), draws, each[0])


def view_grid(
    cells: Cells, rates: Float[np.ndarray, " cell"]
) -> tuple[Float[np.ndarray, "gallery_view probe_view"], tuple[float, ...], tuple[float, ...]]:
    """Rates of cells as a table, NaN where there is no cell; gallery views and probe views in degrees."""
    gallery_views, probe_views = np.unique(cells.views[:, 0]), np.unique(cells.views[:, 1])
    grid = np.full((len(gallery_views), len(probe_views)), np.nan)
    grid[np.searchsorted(gallery_views, cells.views[:, 0]), np.searchsorted(probe_views, cells.views[:, 1])] = rates
    return grid, tuple(gallery_views.tolist()), tuple(probe_views.tolist())


def mean_of_rows(rates: Sequence[Rate], draws: Sequence[np.ndarray]) -> Rate:
    """Mean over rows; a draw of persons is the same in all of them, so that rows do not count as independent."""
    value = float(np.mean([rate.value for rate in rates]))
    count, subjects = sum(rate.count for rate in rates), max(rate.subjects for rate in rates)
    return interval_of(value, np.mean(draws, axis=0), count, subjects, 0.95)


def _mean_present(values: np.ndarray) -> np.ndarray:
    """Mean over columns of what is not NaN; NaN where all is."""
    present = ~np.isnan(values)
    return np.divide(
        np.where(present, values, 0.0).sum(axis=1),
        present.sum(axis=1),
        out=np.full(len(values), np.nan),
        where=present.any(axis=1),
    )
