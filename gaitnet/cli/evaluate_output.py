"""What every `gaitnet evaluate` command gives: a table on the terminal, and CSV, JSON and a page in a folder."""

from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gaitnet.cli.output import emit, note, say, table

if TYPE_CHECKING:
    from gaitnet.evaluation.intervals import Rate
    from gaitnet.evaluation.results import Result, RowResult

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for tables, numbers and a page; made if missing.")
]


@dataclass
class Outcome:
    """What a command has measured.

    `results`: method -> result, all of one protocol; the first is what counts, the others stand beside it. `described`:
    share of the walks that gave a vector. `notes` must not be missed; `footer` names the command and the data's terms.
    `tables` (caption, header, lines; cells may be `Rate`) say more of the same walks than the protocol's own does.
    """

    name: str
    title: str
    lead: str
    results: "dict[str, Result]"
    described: "Rate | None" = None
    notes: list[str] = field(default_factory=list)
    footer: str = ""
    tables: list[tuple[str, list[str], list[list[Any]]]] = field(default_factory=list)


def folder_for(output: Path | None) -> Path | None:
    """The folder of --output, made before the work begins; ValueError where it is a file."""
    if output is not None:
        if output.exists() and not output.is_dir():
            raise ValueError(f"--output: expected a folder, but {output} is a file")
        output.mkdir(parents=True, exist_ok=True)
    return output


def deliver(outcome: Outcome, output: Path | None, as_json: bool) -> None:
    """Write what was measured into the folder, and say it."""
    written = [] if output is None else _write(outcome, output)
    document = summary(outcome)
    if as_json:
        emit(plain(document | {"files": [str(path) for path in written]}))
        return
    header, lines = comparison(outcome)
    table(header, lines, title=outcome.title)
    for caption, header, lines in outcome.tables:
        table(header, [[_text(cell) for cell in line] for line in lines], title=caption)
    if outcome.described is not None:
        say(f"walks described: {outcome.described}, {_count(outcome.described)}")
    for text in (*outcome.notes, *next(iter(outcome.results.values())).notes):
        note(text)
    if written:
        say(f"wrote {', '.join(path.name for path in written)} in {output}")


def comparison(outcome: Outcome) -> "tuple[list[str], list[list[Any]]]":
    """Header and lines of text: each of the protocol's rows with every method below each other, and chance."""
    protocol = next(iter(outcome.results.values())).protocol
    groups = [name for name, _ in protocol.groups]
    once = protocol.one_decision  # then every probe is a person, whose samples are also counted one by one
    more = ["right", "rank-5", "samples"] if once else ["described"]
    header = ["probes", "method", "rank-1 [95 %]", *groups, *more]
    lines: list[list[Any]] = []
    for place, row in enumerate(protocol.rows):
        for method, result in outcome.results.items():
            found = result.rows[place]
            among = [str(found.groups[name]) if name in found.groups else "no probes" for name in groups]
            share = f"{found.described} of {found.rank_1.count}"
            lines.append([row.name, method, str(found.rank_1), *among, *(_of_samples(found) if once else [share])])
        chance = f"{100 * found.chance:.1f} %"
        lines.append([row.name, "chance", chance, *[chance for _ in groups], *[None for _ in more]])
    return header, lines


def _of_samples(found: "RowResult") -> list[str]:
    """Persons named rightly, rank-5, and rank-1 / rank-5 of single samples."""
    assert found.sample_rank_1 is not None, "counted where there is one decision"
    assert found.sample_rank_5 is not None, "counted where there is one decision"
    right = f"{round(found.rank_1.value * found.rank_1.count)} of {found.rank_1.count}"
    single = f"{100 * found.sample_rank_1.value:.1f}/{100 * found.sample_rank_5.value:.1f} %"
    return [right, f"{100 * found.rank_5.value:.1f} %", single]


def summary(outcome: Outcome) -> dict[str, Any]:
    """Everything but the single searches, for JSON."""
    return {
        "evaluation": outcome.name,
        "described": None if outcome.described is None else asdict(outcome.described),
        "methods": {method: _with_evidence(result) for method, result in outcome.results.items()},
        "notes": outcome.notes,
        **({"tables": _as_records(outcome.tables)} if outcome.tables else {}),
    }


def _as_records(tables: list[tuple[str, list[str], list[list[Any]]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        caption: [dict(zip(header, (_value(cell) for cell in line), strict=True)) for line in lines]
        for caption, header, lines in tables
    }


def _with_evidence(result: "Result") -> dict[str, Any]:
    from gaitnet.evaluation.evidence import evidence_of

    document = result.summary()
    for row, record in zip(result.rows, cast(list[dict[str, Any]], document["rows"]), strict=True):
        found = evidence_of(*row.pairs)
        record["evidence"] = None if found is None else found.summary()
    return document


def plain(value: Any) -> Any:
    """The same with null for what is not finite, as JSON has no other word for it."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def searches(outcome: Outcome) -> tuple[list[str], list[list[object]]]:
    """Header and one line a method and probe, for CSV."""
    header, lines = ["method"], []
    for method, result in outcome.results.items():
        columns, found = result.searches_table()
        header = ["method", *columns]
        lines += [[method, *line] for line in found]
    return header, lines


@dataclass
class Tables:
    """What a command has measured, as plain tables: (caption, header, lines) each; cells may be `Rate`.

    `measures` (header, lines) is everything there is, one number a line: it takes the place of the tables in the CSV.
    `plots` are (file name, PNG, what it shows) each, written beside the tables and shown on the page; `files` were
    written already. `facts` stand in the JSON alone: by what settings it was measured.
    """

    name: str
    title: str
    lead: str
    tables: list[tuple[str, list[str], list[list[Any]]]]
    notes: list[str] = field(default_factory=list)
    footer: str = ""
    measures: tuple[list[str], list[list[Any]]] | None = None
    plots: list[tuple[str, bytes, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def deliver_tables(found: Tables, output: Path | None, as_json: bool) -> None:
    """As `deliver`, for what is no protocol."""
    written: list[Path] = []
    document: dict[str, Any] = {
        "evaluation": found.name, **found.facts, "notes": found.notes, "tables": _as_records(found.tables),
    }  # fmt: skip
    if found.measures is not None:
        header, lines = found.measures
        document["measures"] = [dict(zip(header, line, strict=True)) for line in lines]
    if output is not None:
        from gaitnet.evaluation.files import write_csv, write_json, write_whole
        from gaitnet.evaluation.report import Page

        page = Page(found.title, found.lead)
        for text in found.notes:
            page.note(text)
        written = [write_json(output / f"{found.name}.json", document)]
        for number, (caption, header, lines) in enumerate(found.tables, 1):
            page.table(header, lines, caption=caption)
            if found.measures is None:
                place = output / f"{found.name}{f'-{number}' if len(found.tables) > 1 else ''}.csv"
                written.append(write_csv(place, header, [[_text(cell) for cell in line] for line in lines]))
        if found.measures is not None:
            written.append(write_csv(output / f"{found.name}.csv", *found.measures))
        if found.plots:
            page.figures([(picture, alt, "") for _, picture, alt in found.plots])
            written += [write_whole(output / name, picture) for name, picture, _ in found.plots]
        for path in found.files:
            if path.suffix == ".html":
                page.link(path.name, f"{path.stem.replace('-', ' ')}: pictures")
        written += found.files
        written.append(page.footer(found.footer).write(output / f"{found.name}.html"))
    if as_json:
        emit(plain(document | {"files": [str(path) for path in written]}))
        return
    for caption, header, lines in found.tables:
        table(header, [[_text(cell) for cell in line] for line in lines], title=f"{found.title}: {caption}")
    for text in found.notes:
        note(text)
    if written:
        named = [path.name for path in written if path.suffix != ".png"]
        pictures = len(written) - len(named)
        say(f"wrote {', '.join(named)}{f' and {pictures} pictures' if pictures else ''} in {output}")


def _value(cell: Any) -> Any:
    return asdict(cell) if is_dataclass(cell) and not isinstance(cell, type) else cell


def _text(cell: Any) -> Any:
    """A rate with its interval; what is plain stays."""
    return str(cell) if is_dataclass(cell) else cell


def _count(rate: "Rate") -> str:
    return f"{round(rate.value * rate.count)} of {rate.count} of {rate.subjects} persons"


def _write(outcome: Outcome, folder: Path) -> list[Path]:
    from gaitnet.cli.evaluate_page import result_page
    from gaitnet.evaluation.files import write_csv, write_json

    written = [write_json(folder / f"{outcome.name}.json", summary(outcome))]
    written.append(write_csv(folder / f"{outcome.name}.csv", *searches(outcome)))
    page = result_page(
        outcome.title, outcome.lead, outcome.results, outcome.described, outcome.notes, outcome.footer, outcome.tables
    )
    written.append(page.write(folder / f"{outcome.name}.html"))
    return written
