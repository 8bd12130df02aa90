"""`gaitnet compare`: two results folders of one evaluation side by side, and whether they differ at all."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.describe import AsJson
from gaitnet.cli.evaluate_output import Output, folder_for, plain
from gaitnet.cli.output import emit, say, table

if TYPE_CHECKING:
    from gaitnet.evaluation.comparison import Difference, Run

LEAD = (
    "Both runs are compared search by search. The interval of a difference comes from drawing the persons again, the "
    "same ones for both runs: where it holds 0, these persons do not tell which run is better."
)


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that gaitnet evaluate --output wrote.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another, of the same evaluation.")],
    evaluation: Annotated[
        str | None, typer.Option("--evaluation", help="Which, where a folder holds several: kth, cmu, walkers-1 ...")
    ] = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether one of two runs of an evaluation is better, or whether the persons just happened to suit it.

    Both must be of one protocol and have searched for the same walks among as many persons; otherwise nothing is
    compared, and the exit code is 2.

    [bold]Examples[/]
    gaitnet compare results-before results-after
    gaitnet compare before after --evaluation kth --output comparison
    """
    from gaitnet.evaluation import comparison

    runs = comparison.read_run(first, evaluation), comparison.read_run(second, evaluation)
    found = comparison.compare(*runs)
    folder = folder_for(output)
    document = {
        "comparison": runs[0].evaluation, "protocol": runs[0].protocol, "first": str(first), "second": str(second),
        "differences": [{**asdict(each), "verdict": verdict(each)} for each in found],
    }  # fmt: skip
    written = [] if folder is None else _write(document, runs, found, folder)
    if as_json:
        emit(plain(document | {"files": [str(path) for path in written]}))
        return
    rows = [
        (each.row, each.method, *(f"{100 * rate.value:.1f} %" for rate in (each.first, each.second)), points(each),
         verdict(each))
        for each in found
        if each.measure == "rank-1"
    ]  # fmt: skip
    header = ("probes", "method", "first", "second", "difference [95 %]", "verdict")
    table(header, rows, right=(2, 3), title=f"{runs[0].protocol}, rank-1: {first} and {second}")
    if written:
        say(f"wrote {', '.join(path.name for path in written)} in {output}")


def points(each: "Difference") -> str:
    """A difference in percentage points, with its sign and interval."""
    value, low, high = (100 * bound for bound in (each.difference.value, each.difference.low, each.difference.high))
    return f"{value:+.1f}" + ("" if low != low else f" [{low:+.1f}, {high:+.1f}]")


def verdict(each: "Difference") -> str:
    """What the interval of a difference says, in two words."""
    if each.difference.low > 0:
        return "second better"
    return "first better" if each.difference.high < 0 else "no difference shown"


def _write(document: dict[str, Any], runs: "Sequence[Run]", found: "Sequence[Difference]", folder: Path) -> list[Path]:
    from gaitnet.evaluation.comparison import identification_curve
    from gaitnet.evaluation.files import write_json
    from gaitnet.evaluation.plots import cmc_plot
    from gaitnet.evaluation.report import Page

    first, second = runs
    page = Page(f"{first.protocol}: two runs compared", LEAD)
    page.preformatted(f"first:  {first.folder}\nsecond: {second.folder}", "the two runs")
    for row in dict.fromkeys(each.row for each in found):
        own = [each for each in found if each.row == row]
        page.heading(row).table(
            ["method, measure", "first", "second", "difference, points", "verdict"],
            [[f"{each.method}, {each.measure}", each.first, each.second, points(each), verdict(each)] for each in own],
            caption=f"{row}: {own[0].first.count} searches of {own[0].first.subjects} persons",
        )
        curves = {
            which: identification_curve(next(iter(run.methods.values())), row)
            for which, run in (("first", first), ("second", second))
        }
        picture = cmc_plot(curves, title=row)
        page.figure(picture, alt=f"Identification rate over rank, {row}, both runs", caption="CMC, first method")
    page.heading("Protocol").preformatted(first.text, "protocol")
    page.footer(f"gaitnet compare {first.folder} {second.folder}")
    name = f"comparison-{first.evaluation}"
    return [write_json(folder / f"{name}.json", document), page.write(folder / f"{name}.html")]
