"""The page of an evaluation: each row's rates by method, its curves, and what its scores are worth as evidence."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitnet.evaluation.evidence import Evidence
    from gaitnet.evaluation.intervals import Rate
    from gaitnet.evaluation.report import Page
    from gaitnet.evaluation.results import Result, RowResult


def result_page(
    title: str,
    lead: str,
    results: "Mapping[str, Result]",
    described: "Rate | None" = None,
    notes: Sequence[str] = (),
    footer: str = "",
    tables: Sequence[tuple[str, list[str], list[list[Any]]]] = (),
) -> "Page":
    """A page of one protocol's results by method; the first method is what counts, the others stand beside it.

    `tables` (caption, header, lines) come before the rows.
    """
    from gaitnet.evaluation.report import Page

    first = next(iter(results.values()))
    page = Page(title, lead)
    tiles: list[tuple[str, Any, str]] = [
        (row.name, row.rank_1, f"chance {100 * row.chance:.1f} %") for row in first.rows
    ]
    if described is not None:
        told = f"{round(described.value * described.count)} of {described.count} of {described.subjects} persons"
        tiles.append(("walks described", described, told))
    page.tiles(tiles)
    for text in (*notes, *first.notes):
        page.note(text)
    for caption, header, lines in tables:
        page.table(header, lines, caption=caption)
    for place in range(len(first.rows)):
        _row(page, {method: result.rows[place] for method, result in results.items()}, first)
    return page.heading("Protocol").preformatted(str(first.protocol), "protocol").footer(footer)


def _row(page: "Page", rows: "Mapping[str, RowResult]", result: "Result") -> None:
    """Tables and curves of one row, every method's."""
    row = next(iter(rows.values()))
    single = ["rank-1, single samples", "rank-5, single samples"] if result.protocol.one_decision else []
    groups = [name for name, _ in result.protocol.groups]
    lines: Sequence[list[object]] = [
        [method, found.rank_1, found.rank_5, *([found.sample_rank_1, found.sample_rank_5] if single else []),
         *[found.groups.get(name) for name in groups], found.eer, found.auc, found.tar,
         f"{found.described} of {found.rank_1.count}"]
        for method, found in rows.items()
    ]  # fmt: skip
    header = ["method", "rank-1", "rank-5", *single, *[f"rank-1, {name}" for name in groups]]
    header += ["EER", "AUC", "TAR at FMR 1 %", "described"]
    caption = f"{row.name}: {row.gallery_subjects} persons enrolled, chance {100 * row.chance:.1f} %"
    page.heading(row.name).table(header, lines, caption=caption)
    if row.open_set:
        page.table(
            ["method", *[f"missed (FNIR) at FPIR {100 * each.wanted:g} %" for each in row.open_set]],
            [[method, *[each.fnir for each in found.open_set]] for method, found in rows.items()],
            caption=f"{row.name}: open set, {row.nonmated} searches for persons who are not enrolled",
        )
    page.figures(_curves(rows))
    _evidence(page, rows)


def _curves(rows: "Mapping[str, RowResult]") -> list[tuple[bytes, str, str]]:
    """CMC and DET of every method, and the first one's scores."""
    from gaitnet.evaluation.metrics import cmc
    from gaitnet.evaluation.pairs import det, mated_and_nonmated
    from gaitnet.evaluation.plots import cmc_plot, det_plot, score_matrix_plot

    name, row = next(iter(rows.values())).name, next(iter(rows.values()))
    trials = {method: found.pairs for method, found in rows.items()}
    figures = [
        (cmc_plot({method: cmc(*each) for method, each in trials.items()}, title=name),
         f"Identification rate over rank, {name}", "CMC, every method"),
    ]  # fmt: skip
    pairs = {method: mated_and_nonmated(*each) for method, each in trials.items()}
    errors = {method: det(*kinds) for method, kinds in pairs.items() if all(map(len, kinds))}
    if errors:
        picture = det_plot(errors, title=name)
        figures.append((picture, f"False non-matches over false matches, {name}", "DET, every method"))
    matrix = score_matrix_plot(row.scores, row.probe_ids, row.subject_ids, title=name)
    return [*figures, (matrix, f"Scores of every probe for every person, {name}", "the first method")]


def _evidence(page: "Page", rows: "Mapping[str, RowResult]") -> None:
    """Decisions at a threshold, and likelihood ratios, that other people set; nothing where there are too few."""
    from gaitnet.evaluation.evidence import DECISIONS, evidence_of

    found = {method: evidence_of(*row.pairs) for method, row in rows.items()}
    judged = {method: each for method, each in found.items() if each is not None}
    if not judged:
        return
    name, (method, first) = next(iter(rows.values())).name, next(iter(judged.items()))
    page.table(
        ["method", *[measure.replace("_", " ") for measure in DECISIONS]],
        [[who, *[each.decisions[measure] for measure in DECISIONS]] for who, each in judged.items()],
        caption=f"{name}: pairs judged at a threshold (FMR {100 * first.wanted_fmr:g} %) that other people set",
    )
    page.table(
        ["method", "Cllr (logistic)", "Cllr (PAV)", "Cllr min"],
        [[who, *map(bits, (each.cllr, each.cllr_monotone, each.cllr_min))] for who, each in judged.items()],
        caption=f"{name}: likelihood ratios whose scale other people set; bits, 0 perfect, 1 says nothing",
    )
    page.figures(_evidence_plots(name, method, first))


def _evidence_plots(name: str, method: str, found: "Evidence") -> list[tuple[bytes, str, str]]:
    import numpy as np

    from gaitnet.evaluation.calibration import empirical_cross_entropy
    from gaitnet.evaluation.plots import ece_plot, tippett_plot

    priors = np.linspace(-3, 3, 121) * np.log(10)
    curves = {
        "likelihood ratios": empirical_cross_entropy(found.mated, found.nonmated, priors),
        "best calibration": empirical_cross_entropy(found.best_mated, found.best_nonmated, priors),
    }
    return [
        (tippett_plot(found.mated, found.nonmated, title=name), f"Tippett plot, {name}", f"Tippett, {method}"),
        (ece_plot(curves, priors, title=name), f"Empirical cross-entropy over the prior, {name}", f"ECE, {method}"),
    ]


def bits(rate: "Rate") -> str:
    """A cost in bits with its interval, as text: it is no share of 100 %."""
    return f"{rate.value:.3f}" + ("" if rate.low != rate.low else f" [{rate.low:.3f}, {rate.high:.3f}]")
