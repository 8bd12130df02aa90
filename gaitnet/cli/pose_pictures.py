"""`gaitnet pose` on pictures that have nothing to do with each other: everybody in each of them."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gaitnet.cli.output import bar, note
from gaitnet.cli.pose_follow import CERTAIN
from gaitnet.cli.pose_output import Picture
from gaitnet.evaluation.files import write_whole
from gaitnet.overlay import Label, Seen, draw
from gaitnet.video.read import PICTURES, VideoError, VideoReader, VideoWarning, picture_files

if TYPE_CHECKING:
    from gaitnet.recognizer import GaitRecognizer


@contextlib.contextmanager
def renewed(folder: Path) -> Iterator[Path]:
    """A folder to draw into, whose pictures come into `folder` once everything is done; made if missing.

    Pictures that an earlier run drew there go then, and whatever else lies there stays. If anything fails before,
    nothing has changed.
    """
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent) as part:
        yield Path(part)
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if old.is_file() and old.suffix == ".png" and Path(old.stem).suffix.lower() in PICTURES:
                old.unlink()
        for new in Path(part).iterdir():
            os.replace(new, folder / new.name)


def alone(recognizer: "GaitRecognizer", source: Path, whole: bool, drawn: Path | None) -> list[Picture]:
    """One picture or a folder of them, each by itself; `drawn` is where to draw them, a file or a folder like `source`.

    Damaged pictures are told and left out.
    """
    files = [source] if source.is_file() else picture_files(source)
    if not whole and recognizer.detector is None:
        note("these weights hold no detector: each picture is taken as one person, head to feet")
    pictures = []
    with bar(f"looking at {source.name}", "pictures") as progress:
        for index, file in enumerate(files):
            progress(index, len(files))
            image = _image(file)
            if image is None:
                continue
            people = _people(recognizer, image, whole)
            pictures.append(Picture(file.name, 0, 0.0, image.shape[1], image.shape[0], people))
            if drawn is not None:
                _, encoded = cv2.imencode(".png", draw(image, [seen for _, seen in people])[..., ::-1])
                write_whole(drawn / f"{file.name}.png" if source.is_dir() else drawn, encoded.tobytes())
    return pictures


def _image(file: Path) -> "np.ndarray | None":
    """The picture; None where it is damaged, which is told once, with the reason where there is one."""
    with warnings.catch_warnings(record=True) as reasons:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", VideoWarning)
        try:
            with VideoReader(file) as reader:
                return next(iter(reader)).image
        except VideoError as error:
            told = str(reasons[0].message) if reasons else f"{error}; skipped"
    note(f"warning: {told}", "yellow")
    return None


def _people(recognizer: "GaitRecognizer", image: "np.ndarray", whole: bool) -> "list[tuple[int, Seen]]":
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
