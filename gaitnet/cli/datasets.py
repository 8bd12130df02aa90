"""`gaitnet datasets`: what a data set holds and what is odd about it; a cache of its people or walks for training."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.datasets_sources import GAIT, Name, folder_of, records_of, thinned
from gaitnet.cli.describe import AsJson
from gaitnet.cli.output import bar, emit, note, say, table, waiting

if TYPE_CHECKING:
    from humanpose.datasets.survey import Survey

datasets_commands = typer.Typer(
    no_args_is_help=True, help="Check and prepare data sets of people with joints, and of walks."
)

Which = Annotated[Name, typer.Argument(metavar="NAME", help=f"One of {', '.join(Name)}.")]
Root = Annotated[Path, typer.Option(help="Folder of the data set, or of several, each in a folder of its name.")]
Actions = Annotated[
    list[str] | None, typer.Option("--action", help="human36m: another action than Walking; repeat it.")
]
Every = Annotated[
    int, typer.Option(min=1, help="Only every so many-th frame of a video, every so many-th photograph or walk.")
]

Pickles = Annotated[
    str | None,
    typer.Option(metavar="PATTERN", help="opengait: which pickle, where a walk has several, as '*sil*.pkl'."),
]


class Pixels(StrEnum):
    """How crops are kept."""

    JPEG = "jpeg"
    ARRAY = "array"


@datasets_commands.callback()
def datasets() -> None:
    """Check and prepare data sets of poses and of walks."""


@datasets_commands.command("check")
def check(
    name: Which,
    root: Root,
    actions: Actions = None,
    every: Every = 1,
    which: Pickles = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a contact sheet and the numbers; made if missing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a data set holds, what is missing, and what is odd; show people with their joints drawn.

    Every picture is read whole, of a video its first frame and its length. Parts of the release that are not there
    are a warning: many people use parts. The exit code is 0 where the data set can be used, whatever is odd about
    single people, and 2 where it cannot: there is nobody, no picture can be read, joints or axes stand in another
    order, or pictures are of another size.
    lsp, lspet, mpii, human36m, coco: laid out as they were published.
    kth: videos with landmarks beside them. walkers: of `gaitnet walkers make`.
    casia-a, casia-b, tum-gaid, usf, opengait, kinect, ucalgary, cmu, kth-walks: walks, laid out as they were published;
    gait-folder: your films, a folder for each person. Every frame of theirs is read; of films the first and the header.

    [bold]Examples[/]
    gaitnet datasets check lspet --root data/lspet --output seen/
    gaitnet datasets check human36m --root h36m/ --action Walking --every 25
    gaitnet datasets check casia-b --root GaitDatasetB-silh/ --output seen/
    """
    from gaitnet.cli.evaluate_output import folder_for
    from gaitnet.evaluation.files import json_text, write_together
    from humanpose.datasets.releases import missing_parts
    from humanpose.datasets.survey import survey

    folder = folder_of(name, root)
    _require_outside("--output", output, folder)
    place = folder_for(output)
    if name in GAIT:
        from gaitnet.cli.datasets_gait import check_walks

        check_walks(name, folder, actions, every, place, as_json, which)
        return
    if which is not None:
        raise ValueError(f"--which: only opengait has pickles to choose from, not {name.value}; leave it out")
    with waiting(f"reading {folder}"):
        records = records_of(name, folder, actions, every)
        missing = missing_parts(name.value, folder, records, actions)
    with bar(f"looking at {folder}", "files") as progress:
        found = survey(thinned(name, records, every), progress)
    document: dict[str, Any] = {"dataset": name.value, "folder": str(folder), **_plain(found, missing)}
    written = []
    if place is not None:
        from gaitnet.cli.datasets_sheet import sheet_of

        contents: dict[Path, str | bytes] = {place / f"{name.value}.json": json_text(document)}
        if found.sound:
            shown = {id(person) for person in found.sound}
            odd = [(person, one.kind) for one in found.findings for person in one.records if id(person) in shown]
            sheet = sheet_of(f"{name.value}, {found.people} people", found.sound, odd)
            contents = {place / f"{name.value}.png": sheet, **contents}
        else:
            note("no picture can be read, so there is no contact sheet")
        written = write_together(contents)
    if as_json:
        emit(document | {"written": [str(path) for path in written]})
    else:
        _tell(name, folder, found, missing)
        if written:
            say(f"wrote {', '.join(path.name for path in written)} in {output}")
    if found.useless:
        raise ValueError(f"{name.value} in {folder} cannot be used: {found.useless}")


@datasets_commands.command("prepare")
def prepare(
    name: Which,
    root: Root,
    to: Annotated[Path, typer.Option(help="Folder of the cache; made if missing.")],
    size: Annotated[
        int | None,
        typer.Option(min=32, max=2048, help="Side of square crops or silhouettes in pixels.", show_default="256 or 64"),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=1, help="Number of files.", show_default="one for 512 people")
    ] = None,
    pixels: Annotated[
        Pixels | None,
        typer.Option(help="JPEG, or arrays without loss that are ten times as large.", show_default=Pixels.JPEG.value),
    ] = None,
    actions: Actions = None,
    every: Every = 1,
    which: Pickles = None,
    as_json: AsJson = False,
) -> None:
    """Cut everybody out of their pictures, or align silhouettes, into a cache that training reads quickly.

    A run that was stopped goes on where it was when the command is given again.
    People whose picture is missing or damaged, or who have a joint outside of it, are left out and named; a data set
    that a training would refuse, for the order of its joints or axes, is refused.

    mpii, lsp, lspet, human36m: `python -m train pose` reads them with the presets mpii+lsp and human36m, and their
    variants; the other presets read LSPET and KTH as they were published.
    coco, kth, walkers: for trainings of your own, by humanpose.datasets.prepared.PreparedPose.
    casia-a, casia-b, usf, opengait: an .npz a walk with aligned silhouettes; kinect, ucalgary, cmu: with joints in
    metres; gaitnet.datasets.prepared reads both, and report.json names what is left out. Films and pictures (tum-gaid,
    kth-walks, gait-folder) are read where they lie.

    [bold]Examples[/]
    gaitnet datasets prepare lspet --root data/lspet --to cache/lspet
    gaitnet datasets prepare casia-b --root GaitDatasetB-silh/ --to cache/casia-b
    """
    from humanpose.datasets.prepare import BEYOND, SIZE
    from humanpose.datasets.prepare import prepare as cut_out

    folder = folder_of(name, root)
    if to.exists() and not to.is_dir():
        raise ValueError(f"--to: expected a folder, but {to} is a file")
    _require_outside("--to", to, folder)
    if name in GAIT:
        from gaitnet.cli.datasets_gait import prepare_walks

        if shards is not None or pixels is not None:
            raise ValueError(f"--shards, --pixels: {name.value} has walks, an array file each; leave them out")
        prepare_walks(name, folder, to, actions, every, size or 64, as_json, which)
        return
    if which is not None:
        raise ValueError(f"--which: only opengait has pickles to choose from, not {name.value}; leave it out")
    with waiting(f"reading {folder}"):
        records = thinned(name, records_of(name, folder, actions, every), every)
    with bar(f"cutting people out of {folder}", "people") as progress:
        done = cut_out(records, to, name.value, size or SIZE, shards, (pixels or Pixels.JPEG).value, progress)
    left = [{"person": who, "reason": why} for who, why in done.left_out]
    total = sum(file.stat().st_size for file in to.glob("shard-*.npz"))
    if as_json:
        emit({"dataset": name.value, "folder": str(to), "people": done.people, "shards_written": done.written,
              "shards_kept": done.kept, "bytes": total, "left_out": left})  # fmt: skip
        return
    before = f", {done.kept} {'was' if done.kept == 1 else 'were'} there before" if done.kept else ""
    shards_written = f"{done.written} shard{'s' * (done.written != 1)} written{before}"
    say(f"{_count(done.people, 'person', 'people')} in {to}: {total / 1e6:,.1f} MB, {shards_written}")
    if left:
        beyond = sum(why.startswith(BEYOND) for _, why in done.left_out)
        are = "are" if len(left) > 1 else "is"
        why = f", {beyond:,} of them for joints outside their picture" if beyond else ""
        say(f"{_count(len(left), 'person', 'people')} {are} left out{why}")
        table(["left out", "why"], [[one["person"], one["reason"]] for one in left[:10]])
        if len(left) > 10:
            say(f"and {_count(len(left) - 10, 'other', 'others')}; --json names all")


def _count(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _require_outside(option: str, place: Path | None, folder: Path) -> None:
    """Refuse to write among a data set's own files: its reader would take ours for annotations the next time."""
    if place is not None and place.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{option}: {place} lies within the data set {folder}, whose files stay as they are; name another folder"
        )


def _tell(name: Name, folder: Path, found: "Survey", missing: list[str]) -> None:
    from humanpose.datasets.check import MEANING

    photographs = found.files - found.videos
    kinds = [_count(count, what, f"{what}s")
             for count, what in ((photographs, "picture"), (found.videos, "video")) if count]  # fmt: skip
    read = "all can be read" if found.read == found.files else f"{found.read:,} can be read"
    lines = [["people", f"{found.people:,}"], ["files", f"{' and '.join(kinds)}; {read}"]]
    if found.sizes:
        sizes = [size for size, _ in found.sizes]
        common = ", ".join(f"{width}x{height} ({count:,})" for (width, height), count in found.sizes[:3])
        widths, heights = zip(*sizes, strict=True)
        span = f"; {min(widths)}..{max(widths)} wide, {min(heights)}..{max(heights)} high" if len(sizes) > 3 else ""
        lines.append(["sizes", common + span])
    splits = ", ".join(f"{split or 'no split'} {count:,}" for split, count in found.splits.items())
    lines.append(["splits", splits])
    table([name.value, str(folder)], lines)
    joints = [
        [joint.replace("_", " "), f"{visible:,}", f"{visible / max(found.people, 1):.0%}", f"{hidden:,}", f"{far:,}"]
        for joint, (visible, hidden, far) in found.joints.items()
    ]
    table(["joint", "annotated", "of people", "of it hidden", "outside the picture"], joints, right=(1, 2, 3, 4))
    if found.findings:
        rows = [
            [one.kind, f"{one.count:,}", f"{MEANING[one.kind]}: {'; '.join(one.examples)}"] for one in found.findings
        ]
        table(["odd", "count", "what, and the first"], rows, right=(1,))
    else:
        say("nothing is odd" + (", as far as it can be told" if found.untold else ""))
    for heading, sentences in (("missing of the release", missing), ("cannot be told", found.untold)):
        if sentences:
            table([heading], [[sentence] for sentence in sentences])


def _plain(found: "Survey", missing: list[str]) -> dict[str, Any]:
    from humanpose.datasets.check import MEANING

    return {
        "people": found.people,
        "files": found.files,
        "videos": found.videos,
        "read": found.read,
        "splits": found.splits,
        "sizes": [{"width": width, "height": height, "files": count} for (width, height), count in found.sizes],
        "joints": {
            joint: {"annotated": visible, "hidden": hidden, "outside": far}
            for joint, (visible, hidden, far) in found.joints.items()
        },
        "findings": [
            {"kind": one.kind, "meaning": MEANING[one.kind], "count": one.count, "examples": one.examples}
            for one in found.findings
        ],
        "missing": missing,
        "untold": found.untold,
        "useless": found.useless,
    }
