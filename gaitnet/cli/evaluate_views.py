"""Tables of an experiment with several views: right searches by the probe's view, and walks ranked one by one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.evaluation.results import Result

Columns = tuple[str, list[str], list[list[Any]]]
"""Caption, header and lines."""


def by_probe_view(method: str, result: "Result") -> Columns:
    """Rank-1 in percent of each row by probe view, mean over the other gallery views; the last column is the row's."""
    import numpy as np

    views = sorted({view for row in result.rows for view in row.probe_views})
    lines: list[list[Any]] = []
    for row in result.rows:
        if row.view_grid is None:
            raise ValueError(f"result: expected one with a grid of views, {result.protocol.name} has none")
        known = dict(zip(row.probe_views, row.view_grid.T, strict=True))
        means = [np.nanmean(known[view]) if view in known else None for view in views]
        lines.append([row.name, *[None if one is None else f"{100 * one:.1f}" for one in means],
                      f"{100 * row.rank_1.value:.1f}"])  # fmt: skip
    header = ["probes", *[f"{view:03.0f}" for view in views], "mean"]
    return f"{method}: rank-1 in % by probe view in degrees, identical view left out", header, lines


def ranked(protocol: Any, samples: Sequence[Any], vectors: "Mapping[str, np.ndarray]") -> Columns:
    """A protocol of ranked walks, by method; `vectors` (walk, size), NaN where a walk is not described.

    Walks are compared by the cosine of their vectors. Rows for which there are no walks are left out; ValueError where
    that leaves none.
    """
    from gaitnet.evaluation.ranking import evaluate_ranked

    protocol = protocol.with_rows_of(samples)
    lines: list[list[Any]] = []
    for method, own in vectors.items():
        for row in evaluate_ranked(protocol, samples, own, _cosines):
            lines.append([row.name, method, row.mean_average_precision, row.mean_inverse_negative_penalty, row.rank_1])
    lines.sort(key=lambda line: [one.name for one in protocol.rows].index(line[0]))
    return f"{protocol.name}: {protocol.source}", ["probes", "method", "mAP", "mINP", "rank-1"], lines


def _cosines(probes: "np.ndarray", gallery: "np.ndarray") -> "np.ndarray":
    from gaitnet.identification.svm import unit_length

    return unit_length(probes) @ unit_length(gallery).T
