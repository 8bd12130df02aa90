"""`gaitnet gallery`: who is enrolled; and the gallery as the other commands open it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaitnet.cli.describe import AsJson, gallery_path
from gaitnet.cli.output import emit, say, table, writable

if TYPE_CHECKING:
    from gaitnet.identification.gallery import Gallery, Template
    from gaitnet.recognizer import GaitRecognizer

GalleryFile = Annotated[
    Path,
    typer.Option(
        "--gallery", default_factory=gallery_path, envvar="GAITNET_GALLERY", show_default="in your data folder",
        help="The file of who is enrolled.",
    ),
]  # fmt: skip


gallery_commands = typer.Typer(no_args_is_help=True, help="Look into the gallery, take people out, copy it.")


@gallery_commands.command("list")
def list_people(gallery: GalleryFile, as_json: AsJson = False) -> None:
    """Show who is enrolled, from how much, since when.

    [bold]Example[/]
    gaitnet gallery list
    """
    known = as_it_is(gallery)
    people, templates = (known.list(), known.templates) if known is not None else ([], ())
    walks = [walks_of([t for t in templates if t.subject_id == entry.subject_id]) for entry in people]
    if as_json:
        listed = [entry._asdict() | {"walks": count} for entry, count in zip(people, walks, strict=True)]
        emit({"gallery": str(gallery), "people": listed})
    elif not people:
        say(f"nobody is enrolled in {gallery}; gaitnet enroll NAME VIDEO enrols somebody")
    else:
        rows = [
            (entry.subject_id, count, entry.templates, entry.first_enrolled_at[:10], entry.last_enrolled_at[:10])
            for entry, count in zip(people, walks, strict=True)
        ]
        table(("name", "walks", "vectors", "first", "last"), rows, right=(1, 2), title=str(gallery))


def walks_of(templates: "Sequence[Template]") -> int:
    """How many walks these vectors are of: each that was filmed says how many its walk has, any other is a walk.

    Names of videos would not tell: two folders may each hold a walk.mp4, and where videos lie is not kept.
    """
    sizes = [template.meta.get("windows") for template in templates]
    return round(sum(1 / size if isinstance(size, int) and size > 0 else 1 for size in sizes))


@gallery_commands.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom to forget.")],
    gallery: GalleryFile,
    as_json: AsJson = False,
) -> None:
    """Forget a person: every vector of theirs goes from the file. Copies and exports are yours to delete.

    [bold]Example[/]
    gaitnet gallery remove Ben
    """
    known = as_it_is(gallery)
    if known is None or name not in known.subject_ids:
        others = f"; enrolled are {', '.join(known.subject_ids)}" if known and known.subject_ids else ""
        raise ValueError(f"NAME: {name!r} is not enrolled in {gallery}{others}")
    removed = known.remove(name)
    if as_json:
        emit({"gallery": str(gallery), "removed": name, "vectors": removed})
    else:
        say(f"forgot {name}: {removed} vectors removed, {len(known.subject_ids)} people left in {gallery}")


@gallery_commands.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes: a name ending in .json or .csv.")],
    gallery: GalleryFile,
    as_json: AsJson = False,
) -> None:
    """Copy the gallery as text: JSON, or CSV with one line a vector.

    [bold]Examples[/]
    gaitnet gallery export people.json
    gaitnet gallery export people.csv
    """
    from gaitnet.evaluation.files import write_whole

    kind = file.suffix.lower().removeprefix(".")
    if kind not in ("json", "csv"):
        raise ValueError(f"FILE: expected a name ending in .json or .csv, got {file.name}")
    if file.resolve() == gallery.resolve():
        raise ValueError(f"FILE: {file} is the gallery itself; choose another name")
    writable(file)
    known = with_people(gallery)
    write_whole(file, known.export("json" if kind == "json" else "csv"))
    if as_json:
        emit({"gallery": str(gallery), "file": str(file), "vectors": len(known.templates)})
    else:
        say(f"wrote {len(known.templates)} vectors of {len(known.subject_ids)} people to {file}")


def opened(path: Path, recognizer: "GaitRecognizer") -> "Gallery":
    """The gallery, for vectors of these networks. GalleryError where it was enrolled with others."""
    from gaitnet.identification.gallery import Gallery

    return Gallery(path, recognizer.identity, recognizer.gait.size)


def as_it_is(path: Path) -> "Gallery | None":
    """The gallery, whichever networks it is of: listing and forgetting people must not need them. None if no file."""
    from gaitnet.identification.gallery import Gallery, decode_gallery

    if path.is_dir():
        raise ValueError(f"--gallery: {path} is a folder; name a file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    manifest, vectors = decode_gallery(content, path)
    return Gallery(path, manifest["model_sha256"], vectors.shape[1])


def with_people(path: Path) -> "Gallery":
    """The gallery as it is; told before any video is looked at where it is of no use.

    Raises:
        GalleryError: nobody is enrolled, or the file is damaged.

    """
    from gaitnet.identification.gallery import GalleryError

    known = as_it_is(path)
    if known is None or not known.subject_ids:
        raise GalleryError(f"nobody is enrolled in {path}; enrol somebody first: gaitnet enroll NAME VIDEO")
    return known


def writable_gallery(path: Path) -> None:
    """Refuse early where the gallery cannot be written; its folder is made on enrolment."""
    if path.is_dir():
        raise ValueError(f"--gallery: {path} is a folder; name a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    writable(above / path.name)
