"""`gaitnet describe`, and what every command does with a video: check it, describe the people, number them."""

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaitnet.cli.output import bar, emit, note, rounded, say, table, waiting, writable

if TYPE_CHECKING:
    from gaitnet.recognizer import GaitRecognizer, Person
    from humanpose.models.network import Decoding

Videos = Annotated[
    list[Path], typer.Argument(metavar="FILES", help="Video files, or folders of pictures (25 a second).")
]
Video = Annotated[Path, typer.Argument(metavar="FILE", help="A video file, or a folder of pictures (25 a second).")]
NOBODY = "nobody was seen walking; before a camera that stands still, people are found best"
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="Folder of other weights, with sub-folders pose and gait.", envvar="GAITNET_WEIGHTS"),
]
Network = Annotated[
    str | None,
    typer.Option("--network", help="Another pose network: pose-wide, which ships too, or a checkpoint's folder."),
]


def describe(
    files: Videos,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if missing.")] = Path(),
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Turn everybody's walk into an identification vector.

    NAME.gait.npz: vectors, windows, boxes, joints as arrays.
    NAME.gait.json: who was seen when, the vectors, or why there is none.

    [bold]Examples[/]
    gaitnet describe door.mp4
    gaitnet describe *.mp4 --output vectors/ --json
    """
    check_videos(files)
    targets = result_names(files, output, ".gait")
    recognizer = load(weights)
    documents = []
    for video, target in zip(files, targets, strict=True):
        people = look(recognizer, video)
        document = {"video": str(video), "model": recognizer.identity, "people": records(people, vectors=True)}
        files_written = _write(target, document, people)
        documents.append({**document, "files": [str(path) for path in files_written]})
        if not as_json:
            show(video, people)
            say(f"wrote {' and '.join(path.name for path in files_written)} in {target.parent}")
    if as_json:
        emit({"videos": documents})


def check_videos(videos: list[Path]) -> None:
    """Open each video once, so that a wrong name is told before an hour's work on the others.

    Raises:
        VideoError: one cannot be read; where several cannot, a line for each.

    """
    from gaitnet.video.read import VideoError, probe

    failures = []
    for video in videos:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # damage is told when the video is used
                probe(video)
        except VideoError as error:
            failures.append(str(error))
    if failures:
        raise VideoError("\n".join(failures))


def result_names(videos: list[Path], folder: Path, suffix: str) -> list[Path]:
    """Where each video's results go, without the last ending: FOLDER/NAME and `suffix`. Makes the folder.

    Raises:
        ValueError: two videos of one name would write the same file, or `folder` is a file.
        OSError: nothing can be written there: told before the work, not after it.

    """
    names = [(video if video.is_dir() else video.with_suffix("")).resolve().name + suffix for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several videos would write {', '.join(twice)}.*; run them one by one with another --output")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output: expected a folder, but {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        writable(folder / f"{name}.json")
    return [folder / name for name in names]


def load(
    weights: Path | None, network: str | None = None, flip_test: bool = False, decoding: "Decoding | None" = None
) -> "GaitRecognizer":
    """The networks, from the shipped weights or those in a folder; with another pose network if one is named.

    `flip_test` and `decoding` say how joints are read off their maps, as `HumanPoseNN.load` has it.
    """
    with waiting("loading the networks"):
        from gaitnet.recognizer import GaitRecognizer

        return GaitRecognizer.load(weights, network, flip_test, decoding)


def yardstick(weights: Path | None, model: str) -> Any:
    """Strangers to learn against and to set the threshold of "unknown", as the networks `model` describe them.

    From the folder of the gait weights; None where it holds none.
    """
    from gaitnet.identification.search import STRANGERS, load_yardstick
    from humanpose.checkpoint import find

    folder = find("gait") if weights is None else weights / "gait"
    return load_yardstick(folder, model) if (folder / STRANGERS).exists() else None


def look(recognizer: "GaitRecognizer", video: Path) -> "list[Person]":
    """Everybody in a video; person 1 is the first to appear, in every command."""
    with bar(f"looking at {video.name}") as progress:
        return recognizer.describe(video, progress)


def records(people: "list[Person]", vectors: bool = False) -> list[dict[str, Any]]:
    """What JSON says of each person; `reason` is null exactly where the person is described."""
    return [
        {
            "person": number,
            "from": rounded(person.times[0], 3),
            "to": rounded(person.times[-1], 3),
            "frames": len(person.frames),
            "windows": len(person.windows),
            "reason": person.reason,
        }
        | ({"identification_vector": _listed(person.identification_vector)} if vectors else {})
        for number, person in enumerate(people, 1)
    ]


def span(person: "Person") -> str:
    """When a person was seen, in seconds, for a table."""
    return f"{person.times[0]:.1f} to {person.times[-1]:.1f}"


def show(video: Path, people: "list[Person]") -> None:
    """A table of the people of a video."""
    if not people:
        note(f"{video}: {NOBODY}")
        return
    rows = [
        (number, span(person), len(person.frames), "described" if person.reason is None else f"not: {person.reason}")
        for number, person in enumerate(people, 1)
    ]
    table(("person", "seen (s)", "frames", "described"), rows, right=(0, 2), title=str(video))


def _listed(vector: Any) -> list[float] | None:
    return None if vector is None else [float(f"{value:.6g}") for value in vector]


def _write(target: Path, document: dict[str, Any], people: "list[Person]") -> tuple[Path, Path]:
    import numpy as np

    from gaitnet.evaluation.files import json_text, write_together

    described = [
        (number, person) for number, person in enumerate(people, 1) if person.identification_vector is not None
    ]
    size = described[0][1].windows.shape[1] if described else 0
    arrays: dict[str, Any] = {
        "person": np.array([number for number, _ in described], np.int32),
        "identification_vectors": np.array(
            [person.identification_vector for _, person in described], np.float32
        ).reshape(len(described), size),
        "model": np.array(document["model"]),
    }
    for number, person in enumerate(people, 1):
        arrays |= {
            f"person{number}_{name}": getattr(person, name)
            for name in ("frames", "times", "boxes", "keypoints", "probability", "windows")
        }
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    npz, text = (target.with_name(target.name + ending) for ending in (".npz", ".json"))
    write_together({npz: packed.getvalue(), text: json_text(document)})
    return npz, text


def gallery_path() -> Path:
    """The gallery where none is named: in the user's own data folder (XDG)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "gaitnet" / "gallery.npz"
