"""The curves of a report as PNG bytes, drawn off screen on white; matplotlib is loaded only when one is drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2563eb", "#d97706", "#059669", "#be185d", "#7c3aed", "#475569")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))  # told apart in grey as well
INK = "#1f2937"


def cmc_plot(curves: Mapping[str, Float[np.ndarray, " rank"]], *, title: str = "", most: int = 20) -> bytes:
    """Draw identification rate over rank, one line a name, up to rank `most`; curves as `metrics.cmc` gives."""
    figure, axes = _start(title, "rank", "identified within rank, %")
    shown = min(most, max(len(curve) for curve in curves.values()))
    for index, (name, curve) in enumerate(curves.items()):
        ranks = np.arange(1, min(len(curve), shown) + 1)
        axes.plot(ranks, 100 * curve[: len(ranks)], marker="o", markersize=3.5, label=name, **_line(index))
    axes.set_xlim(0.8, shown + 0.2)
    axes.set_xticks(np.arange(1, shown + 1, 1 + shown // 11))
    axes.set_ylim(min(50.0, *(100 * curve[0] - 5 for curve in curves.values())) if curves else 0, 101)
    return _finish(figure, axes)


def det_plot(
    curves: Mapping[str, tuple[Float[np.ndarray, " threshold"], Float[np.ndarray, " threshold"]]], *, title: str = ""
) -> bytes:
    """Draw false non-match over false match rate on normal-deviate axes; curves as `pairs.det` gives them.

    Normal scores of two classes make a straight line there (Martin et al., Eurospeech 1997).
    """
    figure, axes = _start(title, "false match rate, %", "false non-match rate, %")
    low, high = 0.0005, 0.6
    for index, (name, (false_match, false_non_match)) in enumerate(curves.items()):
        inside = (false_match <= 0.99) & (false_non_match <= 0.99)
        axes.plot(
            _probit(np.clip(false_match[inside], low, high)),
            _probit(np.clip(false_non_match[inside], low, high)),
            label=name,
            **_line(index),
        )
    limits = _probit(np.array([low, high]))
    axes.plot(limits, limits, color="#9ca3af", linewidth=1, label="equal error")
    ticks = np.array([0.001, 0.01, 0.05, 0.1, 0.2, 0.4])
    axes.set_xticks(_probit(ticks), [f"{100 * tick:g}" for tick in ticks])
    axes.set_yticks(_probit(ticks), [f"{100 * tick:g}" for tick in ticks])
    axes.set(xlim=limits, ylim=limits)
    return _finish(figure, axes)


def tippett_plot(
    mated: Float[np.ndarray, " mated"], nonmated: Float[np.ndarray, " nonmated"], *, title: str = ""
) -> bytes:
    """Draw the share of pairs whose likelihood ratio exceeds each value; natural log likelihood ratios come in.

    Left of 1 the curve of one person, right of it that of two, shows how often the evidence misleads (Meuwly, 2001).
    """
    figure, axes = _start(title, "likelihood ratio above, powers of ten", "pairs, %")
    shown = np.concatenate([mated, nonmated]) / np.log(10)
    shown = shown[np.isfinite(shown)]
    least, most = (-1.0, 1.0) if not len(shown) else (min(shown.min(), -1.0), max(shown.max(), 1.0))
    places = np.linspace(least - 0.1, most + 0.1, 400)
    for index, (name, ratios) in enumerate((("same person", mated), ("different persons", nonmated))):
        share = 1 - np.searchsorted(np.sort(ratios) / np.log(10), places, side="right") / max(len(ratios), 1)
        axes.plot(places, 100 * share, label=name, **_line(index))
    axes.axvline(0, color=INK, linestyle="--", linewidth=1.0)
    axes.set_ylim(0, 101)
    return _finish(figure, axes)


def ece_plot(
    curves: Mapping[str, Float[np.ndarray, " prior"]], prior_log_odds: np.ndarray, *, title: str = ""
) -> bytes:
    """Draw the empirical cross-entropy over the prior odds, one line a name (`calibration.empirical_cross_entropy`).

    Beside them, dashed, the entropy of the prior alone: a line above it misleads.
    """
    figure, axes = _start(title, "prior odds of the same person, powers of ten", "remaining uncertainty, bit")
    places, prior = prior_log_odds / np.log(10), 1 / (1 + np.exp(-prior_log_odds))
    for index, (name, curve) in enumerate(curves.items()):
        axes.plot(places, curve, label=name, **_line(index))
    entropy = -(prior * np.log2(prior) + (1 - prior) * np.log2(1 - prior))
    axes.plot(places, entropy, color="#9ca3af", linestyle="--", linewidth=1.2, label="prior alone")
    axes.set_ylim(0, 1.15)
    return _finish(figure, axes)


def score_histogram(
    mated: Float[np.ndarray, " mated"],
    nonmated: Float[np.ndarray, " nonmated"],
    *,
    threshold: float | None = None,
    title: str = "",
    bins: int = 40,
) -> bytes:
    """Draw the scores of same and of different persons, each to area one; -inf and NaN are left out."""
    figure, axes = _start(title, "score", "density")
    mated, nonmated = mated[np.isfinite(mated)], nonmated[np.isfinite(nonmated)]
    edges = np.histogram_bin_edges(np.concatenate([mated, nonmated]), bins)
    for kind, name, index in ((nonmated, "different persons", 1), (mated, "same person", 0)):
        if len(kind):
            label = f"{name} ({len(kind)})"
            axes.hist(kind, edges.tolist(), density=True, alpha=0.55, color=COLOURS[index], label=label)
    if threshold is not None and np.isfinite(threshold):
        axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.2, label=f"threshold {threshold:.3g}")
    return _finish(figure, axes)


def score_matrix_plot(
    scores: Float[np.ndarray, "probe subject"],
    probe_ids: Shaped[np.ndarray, " probe"],
    subject_ids: Shaped[np.ndarray, " subject"],
    *,
    title: str = "",
) -> bytes:
    """Draw probes (rows, by person) against enrolled persons; a dot marks each row's best, grey is no score."""
    from matplotlib import colormaps

    order = np.argsort(probe_ids, kind="stable")
    scores, probe_ids = scores[order], probe_ids[order]
    figure, axes = _start(title, "enrolled person", "probe")
    shown = np.ma.masked_invalid(scores)
    colours = colormaps["viridis"].with_extremes(bad="#d1d5db")
    image = axes.imshow(shown, aspect="auto", interpolation="nearest", cmap=colours)
    figure.colorbar(image, ax=axes, label="score")
    found = np.flatnonzero(np.isfinite(scores).any(axis=1))
    if len(found):
        best = np.argmax(np.where(np.isnan(scores[found]), -np.inf, scores[found]), axis=1)
        right = subject_ids[best] == probe_ids[found]
        for kind, colour, name in ((right, "white", "best, right"), (~right, "#f43f5e", "best, wrong")):
            if kind.any():
                axes.scatter(best[kind], found[kind], s=16, color=colour, edgecolor=INK, linewidth=0.4, label=name)
    starts = np.flatnonzero(np.append(True, probe_ids[1:] != probe_ids[:-1]))
    every, each = (max(1, -(-len(names) // 25)) for names in (subject_ids, starts))
    axes.set_xticks(
        np.arange(len(subject_ids))[::every], [str(name) for name in subject_ids[::every]], rotation=90, fontsize=7
    )
    axes.set_yticks(starts[::each], [str(name) for name in probe_ids[starts[::each]]], fontsize=7)
    axes.grid(False)
    return _finish(figure, axes, legend_below=True)


def bars_plot(
    bars: Mapping[str, tuple[float, float, float]],
    *,
    unit: str,
    beside: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
) -> bytes:
    """Draw one bar a name with its interval: (value, low, high); the last bar, a mean of all, in another colour.

    `beside` holds values that others published, name -> {bar's name: value}: marks across the bars.
    """
    figure, axes = _start(title, "", unit)
    names = list(bars)
    values, low, high = np.array([bars[name] for name in names], float).reshape(-1, 3).T
    low, high = (np.where(np.isnan(bound), values, bound) for bound in (low, high))  # of one subject none is known
    places = np.arange(len(names))
    colours = [COLOURS[0]] * (len(names) - 1) + [COLOURS[1]] * min(len(names), 1)
    spread = np.stack([values - low, high - values]).clip(0)
    axes.bar(places, values, width=0.62, color=colours, yerr=spread, capsize=2.5, ecolor=INK)
    for place, value in zip(places, high, strict=True):
        axes.annotate(
            f"{values[place]:.1f}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    for index, (who, published) in enumerate((beside or {}).items()):
        at = [place for place, name in enumerate(names) if name in published]
        heights = [published[names[place]] for place in at]
        marker = ("D", "s", "o", "^")[index % 4]
        axes.plot(at, heights, linestyle="", marker=marker, markersize=4, color=COLOURS[2 + index % 4], label=who)
    axes.set_xticks(places, [name.replace("_", " ") for name in names], rotation=40, ha="right", fontsize=8)
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    return _finish(figure, axes, legend_below=True)


def shares_plot(
    curves: Mapping[str, Sequence[float]], places: Sequence[float], *, horizontal: str, vertical: str, title: str = ""
) -> bytes:
    """Draw shares (0 to 1) over the same places, one line a name."""
    figure, axes = _start(title, horizontal, vertical)
    for index, (name, curve) in enumerate(curves.items()):
        axes.plot(places, 100 * np.asarray(curve, float), marker="o", markersize=3, label=name, **_line(index))
    axes.set_ylim(0, 101)
    return _finish(figure, axes)


def _probit(shares: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])


def _line(index: int) -> dict:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": STYLES[(index + index // len(COLOURS)) % len(STYLES)],
        "linewidth": 1.8,
        "clip_on": True,
    }


def _start(title: str, horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.2), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(horizontal, color=INK)
    axes.set_ylabel(vertical, color=INK)
    axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, *, legend_below: bool = False) -> bytes:
    handles, labels = axes.get_legend_handles_labels()
    if handles and legend_below:
        legend = figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    elif handles:
        legend = axes.legend(frameon=False, fontsize=9)
    for text in legend.get_texts() if handles else ():
        text.set_parse_math(False)  # a name with a dollar sign is a name
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
