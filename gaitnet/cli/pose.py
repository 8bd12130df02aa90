"""`gaitnet pose`: joints of a picture, a folder, a video or a camera, to look at and to compute with."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaitnet.cli.describe import AsJson, Network, Weights, check_videos, load, look, records, result_names, show
from gaitnet.cli.output import bar, emit, note, rounded, say, writable
from gaitnet.cli.pose_output import Picture, coco, show_joints, write

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.overlay import Seen
    from gaitnet.recognizer import GaitRecognizer, Person

CERTAIN = 0.4
"""Score from which somebody found in a single picture counts as a person."""


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
    cameraN.pose.jsonl: of a camera, one line a picture: "people", each with "box" and "joints" (x, y, probability).

    [bold]Examples[/]
    gaitnet pose door.mp4
    gaitnet pose photo.jpg --whole --output results/
    gaitnet pose photos/ --format coco --no-overlay
    gaitnet pose photo.jpg --network my/pose
    gaitnet pose frames/ --frames --no-overlay --json
    gaitnet pose --camera 0 --seconds 20
    """
    if camera is not None or file is None:
        networks = partial(load, weights, network)
        _camera(file, camera, seconds, frames or whole or form is Format.coco, output, overlay, networks, as_json)
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
    (target,) = result_names([file], output, ".pose")
    _require_room(target, ".csv", *([] if not overlay else [".png"] if picture else [""] if several else [".mp4"]))
    recognizer = load(weights, network)
    people: list[Person] | None = None
    if several:
        pictures, drawn = _alone(recognizer, file, whole, target if overlay else None)
    elif picture:
        pictures, drawn = _alone(recognizer, file, whole, target.with_name(target.name + ".png") if overlay else None)
    else:
        people = look(recognizer, file)
        pictures, drawn = _film(people, file, target.with_name(target.name + ".mp4") if overlay else None)
    document = coco(pictures, form is Format.coco) | ({} if people is None else {"people": records(people)})
    written = write(target, document, pictures) + ([drawn] if drawn else [])
    if as_json:
        emit(document)
        return
    found = sum(len(one.people) for one in pictures)
    if not found:
        hint = "" if people is not None or whole else "; --whole takes each picture as one person, head to feet"
        note(f"{file}: nobody was found{hint}")
    if people is not None and any(one.reason for one in people):
        show(file, people)
    if picture and found:
        show_joints(pictures[0])
    told = f"{found} people"
    if people is not None:
        told = f"joints of {len({number for one in pictures for number, _ in one.people})} of {len(people)} people"
    say(f"{told} in {len(pictures)} pictures; wrote {', '.join(map(str, written))}")


def _require_room(target: Path, *endings: str) -> None:
    """Refuse, before the work, what stands where a result is to go: a folder for a file, a file for the folder ""."""
    for ending in endings:
        path = target.with_name(target.name + ending)
        if ending:
            writable(path)
        elif path.exists() and not path.is_dir():
            raise ValueError(f"{path}: is a file, where the folder of the pictures with joints drawn in is to be")


def _camera(
    file: Path | None, camera: int | None, seconds: float | None, other_options: bool, output: Path, overlay: bool,
    networks: "Callable[[], GaitRecognizer]", as_json: bool,
) -> None:  # fmt: skip
    from gaitnet.cli.pose_camera import watch

    if camera is None:
        raise ValueError("FILE: name a picture, a folder of pictures or a video; or use a camera with --camera 0")
    if file is not None:
        raise ValueError(f"--camera: takes the place of a file; leave out either {file} or --camera {camera}")
    if other_options:
        raise ValueError("--camera: goes without --frames, --whole and --format, which are for files")
    (target,) = result_names([Path(f"camera{camera}")], output, ".pose")
    _require_room(target, ".jsonl", *([".mp4"] if overlay else []))
    watched = watch(networks(), camera, seconds, target, overlay)
    if as_json:
        emit({
            "camera": camera, "pictures": watched.pictures, "seconds": rounded(watched.seconds),
            "people": watched.people, "files": [str(path) for path in watched.files],
        })  # fmt: skip
        return
    say(
        f"{watched.pictures} pictures in {watched.seconds:.1f} seconds, at most {watched.people} people in one; "
        f"wrote {', '.join(map(str, watched.files))}"
    )


def _film(people: "list[Person]", video: Path, drawn: Path | None) -> tuple[list[Picture], Path | None]:
    """The pictures of a video in which somebody's joints were found."""
    from gaitnet.overlay import Label, seen_at, write_overlay
    from gaitnet.video.read import probe

    if drawn is not None:
        labels: list[Label | None] = [Label(f"person {number}") for number in range(1, len(people) + 1)]
        with bar(f"drawing {drawn.name}") as progress:
            write_overlay(video, people, labels, drawn, progress)
    info = probe(video)
    moments: dict[int, float] = {}
    with_joints = [(number, one) for number, one in enumerate(people, 1) if one.probability.any()]
    for _, person in with_joints:
        moments |= dict(zip(person.frames.tolist(), person.times.tolist(), strict=True))
    pictures = []
    for frame, time in sorted(moments.items()):
        here = [
            (number, seen)
            for number, person in with_joints
            if person.frames[0] <= frame <= person.frames[-1] and frame in person.frames
            for seen in seen_at([person], [None], frame)
        ]
        pictures.append(Picture(video.name, frame, time, info.width, info.height, here))
    return pictures, drawn


def _alone(
    recognizer: "GaitRecognizer", source: Path, whole: bool, drawn: Path | None
) -> tuple[list[Picture], Path | None]:
    """Pictures that have nothing to do with each other, each by itself."""
    import cv2

    from gaitnet.evaluation.files import write_whole
    from gaitnet.overlay import draw
    from gaitnet.video.read import VideoError, VideoReader, picture_files

    files = [source] if source.is_file() else picture_files(source)
    if not whole and recognizer.detector is None:
        note("these weights hold no detector: each picture is taken as one person, head to feet")
    if drawn is not None and source.is_dir():
        drawn.mkdir(parents=True, exist_ok=True)
    pictures = []
    with bar(f"looking at {source.name}", "pictures") as progress:
        for index, file in enumerate(files):
            progress(index, len(files))
            try:
                with VideoReader(file) as reader:
                    image = next(iter(reader)).image
            except VideoError as error:
                note(f"warning: {error}; skipped", "yellow")
                continue
            people = _people(recognizer, image, whole)
            pictures.append(Picture(file.name, 0, 0.0, image.shape[1], image.shape[0], people))
            if drawn is not None:
                _, encoded = cv2.imencode(".png", draw(image, [seen for _, seen in people])[..., ::-1])
                write_whole(drawn / f"{file.name}.png" if source.is_dir() else drawn, encoded.tobytes())
    return pictures, drawn


def _people(recognizer: "GaitRecognizer", image: "np.ndarray", whole: bool) -> "list[tuple[int, Seen]]":
    import numpy as np

    from gaitnet.overlay import Label, Seen

    boxes = np.array([[0, 0, image.shape[1] - 1, image.shape[0] - 1]], np.float32)
    if whole or recognizer.detector is None:
        keypoints, probability = recognizer.pose.joints(image)
    else:
        found, scores = recognizer.detector(image)
        boxes = np.asarray(found, np.float32).reshape(-1, 4)[np.asarray(scores) >= CERTAIN]
        if not len(boxes):
            return []
        keypoints, probability = recognizer.pose.joints(image, boxes)
    columns = zip(boxes, keypoints, probability, strict=True)
    return [(number, Seen(*column, Label(f"person {number}"))) for number, column in enumerate(columns, 1)]
