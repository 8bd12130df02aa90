"""`gaitnet datasets` of walks: what such a data set holds, and its silhouettes or joints for training."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitnet.cli.datasets_sources import Name
from gaitnet.cli.output import bar, emit, note, say, table, waiting

if TYPE_CHECKING:
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.record import Sequence
    from gaitnet.datasets.survey import Survey


def walks_of(
    name: Name, folder: Path, actions: list[str] | None = None, which: str | None = None
) -> "tuple[list[Sequence], list[Dropped], list[str]]":
    """All walks of a data set; what is left out already; what of the release is missing, a sentence each.

    Raises:
        ValueError: it cannot be read, it is a prepared one, or what only other data sets have is asked for.

    """
    from gaitnet.datasets.dropped import Dropped
    from gaitnet.datasets.prepared import is_prepared

    if actions:
        raise ValueError(f"--action: only human36m has actions to choose from, not {name.value}; leave it out")
    if which is not None and name is not Name.OPENGAIT:
        raise ValueError(f"--which: only opengait has pickles to choose from, not {name.value}; leave it out")
    if is_prepared(folder):
        raise ValueError(f"{folder} is a prepared data set; name the folder of {name.value} as it was released")
    dropped: list[Dropped] = []
    if name is Name.CASIA_A:
        from gaitnet.datasets.casia_a import missing_of_casia_a, read_casia_a

        walks = read_casia_a(folder, dropped=dropped)
        return walks, dropped, missing_of_casia_a(walks)
    if name is Name.CASIA_B:
        from gaitnet.datasets.casia_b import missing_of_casia_b, read_casia_b

        walks = read_casia_b(folder, dropped=dropped)
        return walks, dropped, missing_of_casia_b(walks)
    if name is Name.TUM_GAID:
        from gaitnet.datasets.tum_gaid import missing_of_tum_gaid, read_tum_gaid

        walks = read_tum_gaid(folder, dropped=dropped)
        return walks, dropped, missing_of_tum_gaid(walks)
    if name is Name.USF:
        from gaitnet.datasets.usf import missing_of_usf, read_usf

        walks = read_usf(folder, dropped=dropped)
        return walks, dropped, missing_of_usf(walks)
    if name is Name.KINECT:
        from gaitnet.datasets.kinect import missing_of_kinect, read_kinect_walks

        walks = read_kinect_walks(folder, dropped=dropped)
        return walks, dropped, missing_of_kinect(walks)
    if name is Name.UCALGARY:
        from gaitnet.datasets.ucalgary import missing_of_ucalgary, read_ucalgary

        walks = read_ucalgary(folder, dropped=dropped)
        return walks, dropped, missing_of_ucalgary(walks)
    if name is Name.OPENGAIT:
        from gaitnet.datasets.opengait import read_opengait

        return read_opengait(folder, which=which or "*.pkl", dropped=dropped), dropped, []
    if name is Name.KTH_WALKS:
        from gaitnet.datasets.kth import missing_of_kth, read_kth

        walks = read_kth(folder)
        return walks, dropped, missing_of_kth(walks)
    if name is Name.CMU:
        from gaitnet.datasets.cmu import read_cmu

        return read_cmu(folder), dropped, []
    from gaitnet.datasets.folder import read_folder

    return read_folder(folder, dropped), dropped, []


def check_walks(
    name: Name,
    folder: Path,
    actions: list[str] | None,
    every: int,
    place: Path | None,
    as_json: bool,
    which: str | None = None,
) -> None:
    """Look at every so many-th walk; say, and write into `place`, what is there, left out, odd and missing."""
    from gaitnet.datasets.survey import survey
    from gaitnet.evaluation.files import json_text, write_together

    with waiting(f"reading {folder}"):
        walks, dropped, missing = walks_of(name, folder, actions, which)
    with bar(f"looking at {folder}", "walks") as progress:
        found = survey(walks[::every], dropped, progress)
    useless = "" if found.sound else f"not one of {len(walks[::every])} walks can be loaded: {found.dropped[-1].why}"
    document = {
        "dataset": name.value, "folder": str(folder), **_plain(walks, found), "missing": missing, "useless": useless,
    }  # fmt: skip
    written: list[Path] = []
    if place is not None:
        from gaitnet.cli.datasets_gait_sheet import sheet_of

        contents: dict[Path, str | bytes] = {place / f"{name.value}.json": json_text(document)}
        if found.sound:
            contents[place / f"{name.value}.png"] = sheet_of(f"{name.value}: walks {len(walks):,}", found.sound)
        else:
            note("no walk can be loaded, so there is no contact sheet")
        written = write_together(contents)
    if as_json:
        emit(document | {"written": [str(path) for path in written]})
    else:
        _tell(name, folder, document)
        if written:
            say(f"wrote {', '.join(sorted(path.name for path in written))} in {place}")
    if useless:
        raise ValueError(f"{name.value} in {folder} cannot be used: {useless}")


def prepare_walks(
    name: Name,
    folder: Path,
    to: Path,
    actions: list[str] | None,
    every: int,
    size: int,
    as_json: bool,
    which: str | None = None,
) -> None:
    """Write every so many-th walk as arrays, and say what was done and left out."""
    from gaitnet.datasets.prepare import prepare, report
    from gaitnet.datasets.prepared import REPORT

    with waiting(f"reading {folder}"):
        walks, dropped, _ = walks_of(name, folder, actions, which)
    with bar(f"preparing {folder}", "walks") as progress:
        done = prepare(walks[::every], to, name.value, size, dropped, progress, folder, every, which)
    told = report(done.dropped)
    if as_json:
        emit({"dataset": name.value, "folder": str(to), "walks": done.written + done.kept, "frames": done.frames,
              "walks_written": done.written, "walks_kept": done.kept, "bytes": done.bytes,
              **{key: told[key] for key in ("left_out", "kinds")}, "report": str(to / REPORT)})  # fmt: skip
        return
    before = f", {done.kept:,} of them there before" if done.kept else ""
    say(f"{done.written + done.kept:,} walks in {to}{before}: {done.frames:,} frames, {done.bytes / 1e6:,.1f} MB")
    _tell_left_out(told["kinds"], done.dropped)
    if done.dropped:
        say(f"{REPORT} names all that is left out")


def _plain(walks: "list[Sequence]", found: "Survey") -> dict[str, Any]:
    from gaitnet.datasets.dropped import MEANING
    from gaitnet.datasets.survey import ODD

    lengths = sorted(found.lengths)
    kinds = Counter(one.kind for one in found.dropped)
    first = {kind: [one for one in found.dropped if one.kind == kind][:3] for kind in kinds}
    return {
        "people": len({walk.subject_id for walk in walks}),
        "walks": len(walks),
        "looked_at": found.walks,
        "read": len(found.sound),
        "kinds": dict(Counter(walk.kind for walk in found.sound)),
        "frames": sum(lengths),
        "shortest": lengths[0] if lengths else 0,
        "longest": lengths[-1] if lengths else 0,
        "sizes": [{"size": size, "walks": count} for size, count in found.sizes.most_common()],
        **{f"{column}s": found.counts(column) for column in ("condition", "view", "session", "part")},
        "left_out": [
            {"kind": kind, "meaning": MEANING[kind], "count": count, "examples": [one._asdict() for one in first[kind]]}
            for kind, count in kinds.most_common()
        ],
        "odd": [
            {"kind": kind, "meaning": ODD[kind], "count": one.count, "walks": one.walks, "examples": one.examples}
            for kind, one in found.odd.items()
        ],
    }


def _tell(name: Name, folder: Path, told: dict[str, Any]) -> None:
    read = "all can be read" if told["read"] == told["looked_at"] else f"{told['read']:,} can be read"
    looked = "" if told["looked_at"] == told["walks"] else f"; {told['looked_at']:,} looked at"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in told["kinds"].items())
    rows = [["people", f"{told['people']:,}"], ["walks", f"{told['walks']:,}{looked}; {read}"], ["kept as", kinds]]
    if told["frames"]:
        rows.append(["frames", f"{told['frames']:,}; {told['shortest']:,} to {told['longest']:,} a walk"])
        sizes = ", ".join(f"{one['size']} ({one['walks']:,})" for one in told["sizes"][:4])
        rows.append(["sizes", sizes + (f" and {len(told['sizes']) - 4} others" if len(told["sizes"]) > 4 else "")])
    for column in ("conditions", "views", "sessions", "parts"):
        counts = {value or "not told": count for value, count in told[column].items()}
        if set(counts) - {"not told"}:
            rows.append([column, ", ".join(f"{value} {count:,}" for value, count in counts.items())])
    table([name.value, str(folder)], rows)
    if told["left_out"]:
        table(["left out", "count", "what, and the first"], [
            [one["kind"], f"{one['count']:,}", f"{one['meaning']}: {_first(one['examples'])}"]
            for one in told["left_out"]
        ], right=(1,))  # fmt: skip
    if told["odd"]:
        table(["odd", "count", "walks", "what, and the first"], [
            [one["kind"], f"{one['count']:,}", f"{one['walks']:,}", f"{one['meaning']}: {', '.join(one['examples'])}"]
            for one in told["odd"]
        ], right=(1, 2))  # fmt: skip
    if not told["left_out"] and not told["odd"]:
        say("nothing is left out, and nothing is odd")
    if told["missing"]:
        table(["missing of the release"], [[sentence] for sentence in told["missing"]])


def _tell_left_out(kinds: list[dict[str, Any]], dropped: "list[Dropped]") -> None:
    if kinds:
        first = {one["kind"]: [each._asdict() for each in dropped if each.kind == one["kind"]][:1] for one in kinds}
        table(["left out", "count", "what, and the first"], [
            [one["kind"], f"{one['count']:,}", f"{one['meaning']}: {_first(first[one['kind']])}"] for one in kinds
        ], right=(1,))  # fmt: skip


def _first(examples: list[dict[str, str]]) -> str:
    one = examples[0]
    return one["what"] if not one["why"] or one["what"] in one["why"] else f"{one['what']} ({one['why']})"
