"""`gaitnet pose`: joints of a picture, a folder, a video or a camera, to look at and to compute with."""

import contextlib
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaitnet.cli.describe import AsJson, Network, Weights, check_videos, load, look, records, result_names
from gaitnet.cli.output import bar, emit, note, rounded, say, writable
from gaitnet.cli.pose_output import Picture, coco, show_joints, show_people, show_pictures, write

if TYPE_CHECKING:
    from gaitnet.recognizer import GaitRecognizer, Person


class Format(StrEnum):
    """Whose joints the JSON holds."""

    joints = "joints"
    coco = "coco"


def pose(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A picture, a folder of pictures, or a video.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if missing.")] = Path(),
    frames: Annotated[bool, typer.Option("--frames", help="The folder's pictures are one video, 25 a second.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Each picture is one person, head to feet; no search.")
    ] = False,
    overlay: Annotated[bool, typer.Option(help="Write the picture or video with the joints drawn in.")] = True,
    form: Annotated[
        Format, typer.Option("--format", help="coco: COCO's 17 keypoints as well as the 16 joints.")
    ] = Format.joints,
    everybody: Annotated[
        bool,
        typer.Option("--everybody", help="Of a video: search every frame, for those who stand or sit as well."),
    ] = False,
    flip_test: Annotated[
        bool, typer.Option("--flip-test", help="Average with the mirrored picture's maps: twice the work.")
    ] = False,
    camera: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="A camera instead of a file: 0 is the first.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="With --camera: how long. Else until Ctrl-C.")] = None,
    network: Network = None,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Find everybody's joints.

    NAME.pose.json: COCO keypoints (x, y in pixels; v = 2 seen, 1 guessed); of a video also its people, with reasons.
    NAME.pose.csv: one line a person and picture.
    NAME.pose.mp4, .png or a folder NAME.pose: the picture with joints drawn in.
    cameraN.pose.jsonl: of a camera, also a line a picture as it is seen: "people", each with "box" and "joints" (x, y,
    probability).

    Of a video, people are found as gaitnet describe finds them: before a still camera whoever moves, else by a network.
    Whoever is followed gets joints, described or not. With --everybody, and by itself where nobody is found so, a
    network looks for people in every frame, moving or not; so it does in pictures and before a camera. There nobody is
    turned: of somebody who walks to the left in profile, right and left limbs may be exchanged.

    [bold]Examples[/]
    gaitnet pose door.mp4
    gaitnet pose meeting.mp4 --everybody
    gaitnet pose photo.jpg --whole --output results/
    gaitnet pose photos/ --format coco --no-overlay
    gaitnet pose photo.jpg --network pose-wide
    gaitnet pose frames/ --frames --no-overlay --json
    gaitnet pose --camera 0 --seconds 20
    """
    if camera is not None or file is None:
        networks = partial(load, weights, network, flip_test)
        _camera(
            file, camera, seconds, frames or whole or everybody, form is Format.coco, output, overlay, networks, as_json
        )
        return
    if seconds is not None:
        raise ValueError("--seconds: is for --camera; a file is looked at from beginning to end")
    from gaitnet.video.read import PICTURES

    check_videos([file])
    picture = file.is_file() and file.suffix.lower() in PICTURES
    several = file.is_dir() and not frames
    if frames and not file.is_dir():
        raise ValueError(f"--frames: is for a folder of pictures, but {file} is a file")
    if whole and (frames or not (picture or file.is_dir())):
        raise ValueError("--whole: is for single pictures; in a video people are always searched for")
    if everybody and (picture or several):
        raise ValueError("--everybody: is for videos; in single pictures everybody is searched for anyway")
    (target,) = result_names([file], output, ".pose")
    ending = ".png" if picture else "" if several else ".mp4"
    _require_room(target, ".csv", *([ending] if overlay else []))
    recognizer = load(weights, network, flip_test)
    drawn = target.with_name(target.name + ending) if overlay else None
    people: list[Person] | None = None
    with contextlib.ExitStack() as stack:
        if several or picture:
            from gaitnet.cli.pose_pictures import alone, renewed

            place = stack.enter_context(renewed(drawn)) if several and drawn else drawn
            pictures = alone(recognizer, file, whole, place)
        else:
            people = _people(recognizer, file, everybody)
            pictures = _film(people, file, drawn)
        document = coco(pictures, form is Format.coco) | ({} if people is None else {"people": records(people)})
        written = write(target, document, pictures) + ([drawn] if drawn else [])
    if as_json:
        say(written[0].read_text(encoding="utf-8").rstrip())
        return
    found = sum(len(one.people) for one in pictures)
    if not found:
        hint = "" if people is not None or whole else "; --whole takes each picture as one person, head to feet"
        note(f"{file}: nobody was found{hint}")
    if people:
        show_people(file, people)
    elif several and pictures:
        show_pictures(file, pictures)
    elif found:
        show_joints(pictures[0])
    told = f"{found} people"
    if people is not None:
        told = f"joints of {len({number for one in pictures for number, _ in one.people})} of {len(people)} people"
    say(f"{told} in {len(pictures)} pictures; wrote {', '.join(map(str, written))}")


def _people(recognizer: "GaitRecognizer", video: Path, everybody: bool) -> "list[Person]":
    """The people of a video with their joints: whoever walks or moves, or everybody."""
    from gaitnet.cli import pose_follow

    if everybody and recognizer.detector is None:
        raise ValueError("--everybody: these weights hold no detector, by which people are found; leave it out")
    people = [] if everybody else look(recognizer, video)
    with bar(f"looking again at {video.name}") as progress:
        pose_follow.add_joints(recognizer, video, people, progress)
    if any(one.probability.any() for one in people) or recognizer.detector is None:
        return people
    if not everybody:
        note(f"{video}: nobody was seen walking; every frame is searched instead, as with --everybody")
    return pose_follow.everybody(recognizer, video, again=not everybody) or people


def _require_room(target: Path, *endings: str) -> None:
    """Refuse, before the work, what stands where a result is to go: a folder for a file, a file for the folder ""."""
    for ending in endings:
        path = target.with_name(target.name + ending)
        if ending:
            writable(path)
        elif path.exists() and not path.is_dir():
            raise ValueError(f"{path}: is a file, where the folder of the pictures with joints drawn in is to be")


def _camera(
    file: Path | None, camera: int | None, seconds: float | None, other_options: bool, official: bool, output: Path,
    overlay: bool, networks: "Callable[[], GaitRecognizer]", as_json: bool,
) -> None:  # fmt: skip
    from gaitnet.cli.pose_camera import watch

    if camera is None:
        raise ValueError("FILE: name a picture, a folder of pictures or a video; or use a camera with --camera 0")
    if file is not None:
        raise ValueError(f"--camera: takes the place of a file; leave out either {file} or --camera {camera}")
    if other_options:
        raise ValueError("--camera: goes without --frames, --whole and --everybody, which are for files")
    (target,) = result_names([Path(f"camera{camera}")], output, ".pose")
    _require_room(target, ".jsonl", ".csv", *([".mp4"] if overlay else []))
    watched = watch(networks(), camera, seconds, target, overlay, official)
    if as_json:
        emit({
            "camera": camera, "pictures": watched.pictures, "seconds": rounded(watched.seconds),
            "most_people": watched.most_people, "files": [str(path) for path in watched.files],
        })  # fmt: skip
        return
    say(
        f"{watched.pictures} pictures in {watched.seconds:.1f} seconds, at most {watched.most_people} people in one; "
        f"wrote {', '.join(map(str, watched.files))}"
    )


def _film(people: "list[Person]", video: Path, drawn: Path | None) -> list[Picture]:
    """The pictures of a video in which somebody's joints were found; `drawn` is the video with them drawn in."""
    from gaitnet.overlay import Label, Seen, write_overlay
    from gaitnet.video.read import probe

    if drawn is not None:
        labels: list[Label | None] = [Label(f"person {number}") for number in range(1, len(people) + 1)]
        with bar(f"drawing {drawn.name}") as progress:
            write_overlay(video, people, labels, drawn, progress)
    info = probe(video)
    moments: dict[int, tuple[float, list[tuple[int, Seen]]]] = {}
    for number, one in enumerate(people, 1):
        if not one.probability.any():
            continue
        rows = zip(one.boxes, one.keypoints, one.probability, strict=True)
        for frame, time, row in zip(one.frames.tolist(), one.times.tolist(), rows, strict=True):
            moments.setdefault(frame, (time, []))[1].append((number, Seen(*row)))
    return [
        Picture(video.name, frame, time, info.width, info.height, here)
        for frame, (time, here) in sorted(moments.items())
    ]
