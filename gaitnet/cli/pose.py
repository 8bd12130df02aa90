"""`gaitnet pose`: joints of a picture, a folder of pictures or a video, to look at and to compute with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gaitnet.cli.describe import AsJson, Weights, check_videos, load, look, records, result_names, show
from gaitnet.cli.output import bar, emit, note, rounded, say

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.overlay import Seen
    from gaitnet.recognizer import GaitRecognizer, Person

CERTAIN = 0.4
"""Score from which somebody found in a single picture counts as a person."""
TRUSTED = 0.2
"""Joint probability from which a joint counts as seen; below it is a guess."""


class Picture(NamedTuple):
    """One picture, and who is in it: (number of the person, what was seen of them) each."""

    file: str
    frame: int
    time: float
    width: int
    height: int
    people: "list[tuple[int, Seen]]"


def pose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture, a folder of pictures, or a video.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if missing.")] = Path(),
    frames: Annotated[bool, typer.Option("--frames", help="The folder's pictures are one video, 25 a second.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Each picture is one person, head to feet; no search.")
    ] = False,
    overlay: Annotated[bool, typer.Option(help="Write the picture or video with the joints drawn in.")] = True,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Find everybody's joints.

    NAME.pose.json: COCO keypoints (x, y in pixels; v = 2 seen, 1 guessed); of a video also its people, with reasons.
    NAME.pose.csv: one line a person and picture.
    NAME.pose.mp4, .png or a folder NAME.pose: the picture with joints drawn in.

    [bold]Examples[/]
    gaitnet pose door.mp4
    gaitnet pose photo.jpg --whole --output results/
    gaitnet pose frames/ --frames --no-overlay --json
    """
    from gaitnet.video.read import PICTURES

    check_videos([file])
    picture = file.is_file() and file.suffix.lower() in PICTURES
    if frames and not file.is_dir():
        raise ValueError(f"--frames: is for a folder of pictures, but {file} is a file")
    if whole and (frames or not (picture or file.is_dir())):
        raise ValueError("--whole: is for single pictures; in a video people are always searched for")
    (target,) = result_names([file], output, ".pose")
    recognizer = load(weights)
    people: list[Person] | None = None
    if file.is_dir() and not frames:
        pictures, drawn = _alone(recognizer, file, whole, target if overlay else None)
    elif picture:
        pictures, drawn = _alone(recognizer, file, whole, target.with_name(target.name + ".png") if overlay else None)
    else:
        people = look(recognizer, file)
        pictures, drawn = _film(people, file, target.with_name(target.name + ".mp4") if overlay else None)
    document = coco(pictures) | ({} if people is None else {"people": records(people)})
    written = _write(target, document, pictures) + ([drawn] if drawn else [])
    if as_json:
        emit(document)
        return
    if not document["annotations"]:
        hint = "" if people is not None or whole else "; --whole takes each picture as one person, head to feet"
        note(f"{file}: nobody was found{hint}")
    if people is not None and any(one.reason for one in people):
        show(file, people)
    found = f"{len(document['annotations'])} people"
    if people is not None:
        walkers = {one["track_id"] for one in document["annotations"]}
        found = f"joints of {len(walkers)} of {len(people)} people"
    say(f"{found} in {len(pictures)} pictures; wrote {', '.join(map(str, written))}")


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


def coco(pictures: list[Picture]) -> dict[str, Any]:
    """COCO's layout for keypoints, with this project's 16 joints; `keypoint_scores` and `track_id` go beyond it."""
    from humanpose.skeleton import JOINTS, LIMBS

    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(pictures, 1):
        for number, seen in picture.people:
            x0, y0, x1, y1 = (float(value) for value in seen.box)
            flat = [
                value
                for (x, y), sure in zip(seen.keypoints, seen.probability, strict=True)
                for value in (rounded(x, 2), rounded(y, 2), 0 if sure == 0 else 1 if sure < TRUSTED else 2)
            ]
            found = int((seen.probability > 0).sum())
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image_id, "category_id": 1, "track_id": number,
                    "keypoints": flat, "num_keypoints": found, "iscrowd": 0,
                    "keypoint_scores": [rounded(sure) for sure in seen.probability],
                    "score": rounded(seen.probability.mean()), "area": rounded((x1 - x0) * (y1 - y0), 1),
                    "bbox": [rounded(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)],
                }
            )  # fmt: skip
    return {
        "images": [
            {
                "id": image_id, "file_name": picture.file, "width": picture.width, "height": picture.height,
                "frame": picture.frame, "time": rounded(picture.time),
            }
            for image_id, picture in enumerate(pictures, 1)
        ],
        "annotations": annotations,
        "categories": [
            {
                "id": 1, "name": "person", "supercategory": "person", "keypoints": list(JOINTS),
                "skeleton": [[a + 1, b + 1] for a, b in LIMBS],
            }
        ],
    }  # fmt: skip


def _write(target: Path, document: dict[str, Any], pictures: list[Picture]) -> list[Path]:
    from gaitnet.evaluation.files import csv_text, json_text, write_together
    from humanpose.skeleton import JOINTS

    header = ["file", "frame", "time", "person", "x0", "y0", "x1", "y1"]
    header += [f"{joint}_{what}" for joint in JOINTS for what in ("x", "y", "probability")]
    lines = (
        [picture.file, picture.frame, rounded(picture.time), number, *(rounded(value, 2) for value in seen.box)]
        + [
            rounded(value, digits)
            for (x, y), sure in zip(seen.keypoints, seen.probability, strict=True)
            for value, digits in ((x, 2), (y, 2), (sure, 4))
        ]
        for picture in pictures
        for number, seen in picture.people
    )
    text, sheet = (target.with_name(target.name + ending) for ending in (".json", ".csv"))
    return write_together({text: json_text(document), sheet: csv_text(header, lines)})
