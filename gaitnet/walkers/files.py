"""Walks as files: videos with their labels, silhouettes, pictures; and what a folder of them remembers of itself.

Every file or folder appears under its name only when it is whole.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np
from jaxtyping import Float, UInt8

from gaitnet.video.read import PICTURES
from gaitnet.video.write import VideoWriter
from gaitnet.walkers.dataset import Sequence, stream_sequence
from gaitnet.walkers.walk import CONDITIONS
from humanpose.skeleton import JOINTS

SETTINGS = "walkers.json"
"""In a folder of walkers: how they are drawn, so that an interrupted run is not continued otherwise."""

PHOTOGRAPHS = 100
"""Pictures of a folder that are kept in memory as backgrounds."""


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A path beside `path`, that takes its place when the block ends well and is removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_video(
    path: str | Path,
    key: jax.Array,
    crowd: int,
    subject_id: int,
    condition: int,
    view: float | int,
    frames: int,
    rate: float | int = 25.0,
    session: int = 0,
    size: tuple[int, int] = (480, 640),
    shutter: float = 0.0,
    photographs: UInt8[np.ndarray, "photograph height width 3"] | None = None,
) -> None:
    """One walk as `path` (mp4, H.264) with all that is known about it beside it (the same name, .json).

    The JSON: `identity` (crowd and subject), `condition`, `session`, `view` (degrees), `rate` (frames/s), `size`
    [width, height], `joint_names`, and per frame `keypoints` (joint, xy; pixels, pixel centres at
    integers; also outside the picture), `visible` (joint; bool) and `box` (x0, y0, x1, y1 around the silhouette, null
    where he is not in view).

    Args:
        path: where the mp4 goes; its folder is made.
        key: random key of the walk, clothes, scene and camera.
        crowd: the crowd's seed.
        subject_id: number in the crowd.
        condition: index in `walk.CONDITIONS`.
        view: degrees 0..180.
        frames: how many.
        rate: frames a second.
        session: recording day.
        size: (height, width) in pixels.
        shutter: see `layouts.make_walkers`.
        photographs: one of them stands behind the walker; None for a drawn wall.
    """
    about = {
        "identity": f"walker-{crowd}-{subject_id:03d}",
        "synthetic": True,
        "condition": CONDITIONS[condition],
        "session": session,
        "view": view,
        "rate": rate,
        "size": [size[1], size[0]],
    }
    parts = stream_sequence(
        key, crowd, subject_id, condition, view, frames, rate, session, size, shutter=shutter, photographs=photographs
    )
    write_parts(Path(path), parts, about)


def write_parts(path: Path, parts: Iterator[Sequence], about: dict[str, Any]) -> None:
    """Drawn frames as `path` (mp4), then `about` (which has their `rate`) with their labels beside it (.json)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    people: list[dict] = []
    with VideoWriter(path, about["rate"]) as writer:
        for part in parts:
            for index, frame in enumerate(np.asarray(part.frames)):
                writer.write(frame)
                people.append(_labels(part, index))
    document = about | {"joint_names": list(JOINTS), "frames": people}
    with _whole(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _labels(part: Sequence, index: int) -> dict:
    rows, columns = np.nonzero(np.asarray(part.silhouettes[index]) > 0.5)
    box = None
    if rows.size:
        box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    return {
        "keypoints": np.asarray(part.keypoints[index], np.float64).round(2).tolist(),
        "visible": np.asarray(part.visible[index]).tolist(),
        "box": box,
    }


def align_silhouette(silhouette: UInt8[np.ndarray, "height width"], side: int = 64) -> UInt8[np.ndarray, "side side"]:
    """The figure scaled to `side` pixels of height and centred on its mass, as OpenGait has it; empty stays empty."""
    rows = np.flatnonzero(silhouette.max(1) > 127)
    if not rows.size:
        return np.zeros((side, side), np.uint8)
    figure: np.ndarray = silhouette[rows[0] : rows[-1] + 1].astype(np.float32)
    width = max(1, round(figure.shape[1] * side / figure.shape[0]))
    figure = cv2.resize(figure, (width, side), interpolation=cv2.INTER_AREA)
    middle = round(float((figure.sum(0) * np.arange(width)).sum() / figure.sum()))
    figure = np.pad(figure, ((0, 0), (side, side)))[:, middle + side - side // 2 :][:, :side]
    return np.round(figure).astype(np.uint8)


def _silhouettes(parts: Iterator[Sequence]) -> Iterator[Float[np.ndarray, "height width"]]:
    for part in parts:
        yield from np.asarray(part.silhouettes)


def write_silhouettes(folder: str | Path, stem: str, parts: Iterator[Sequence]) -> None:
    """One walk as a CASIA-B folder of silhouettes, STEM-001.png.. (255 person, 0 background); empty frames stay out."""
    with _whole(Path(folder)) as temporary:
        temporary.mkdir()
        for number, silhouette in enumerate(_silhouettes(parts), 1):
            if silhouette.max() > 0.5:
                _write_picture(temporary / f"{stem}-{number:03d}.png", (silhouette > 0.5).astype(np.uint8) * 255)


def write_frames(folder: str | Path, parts: Iterator[Sequence], before: str = "", suffix: str = ".jpg") -> None:
    """One walk as a folder of pictures, as TUM-GAID's 001.jpg..; `before` stands before the numbers."""
    with _whole(Path(folder)) as temporary:
        temporary.mkdir()
        number = 0
        for part in parts:
            for frame in np.asarray(part.frames):
                number += 1
                _write_picture(temporary / f"{before}{number:03d}{suffix}", frame[..., ::-1])


def write_opengait(path: str | Path, parts: Iterator[Sequence]) -> None:
    """One walk as OpenGait keeps it: a pickled uint8 array (time, 64, 64) of aligned silhouettes.

    Reading a pickle as one runs what it says: `datasets.opengait` reads these without.
    """
    walk = [align_silhouette(np.round(silhouette * 255).astype(np.uint8)) for silhouette in _silhouettes(parts)]
    walk = [silhouette for silhouette in walk if silhouette.any()]
    with _whole(Path(path)) as temporary:
        temporary.write_bytes(np.array(walk, np.uint8).reshape(-1, 64, 64).dumps())


def _write_picture(path: Path, picture: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix, picture)
    if not done:
        raise OSError(f"{path}: the picture could not be encoded")
    path.write_bytes(data.tobytes())


def read_photographs(folder: Path) -> UInt8[np.ndarray, "photograph 240 320 3"]:
    """The first PHOTOGRAPHS pictures of a folder, by name, as backgrounds; ValueError where there is none."""
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in PICTURES)
    read = (cv2.imread(str(file), cv2.IMREAD_COLOR_RGB) for file in files)
    sound = islice((one for one in read if one is not None), PHOTOGRAPHS)
    found = [cv2.resize(one, (320, 240), interpolation=cv2.INTER_AREA) for one in sound]
    if not found:
        raise ValueError(f"backgrounds: expected a folder with pictures, {folder} has none that can be read")
    return np.stack(found).astype(np.uint8)


def write_text(path: str | Path, text: str) -> None:
    """A text file, as lists of people and what a folder says of itself; one that is there is replaced."""
    with _whole(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def same_as_before(path: Path, settings: dict[str, Any]) -> None:
    """Note how the walkers of a folder are drawn; refuse to mix them with others."""
    if path.exists():
        try:
            before = json.loads(path.read_bytes())
        except ValueError:
            before = None
        if before != settings:
            raise ValueError(f"{path.parent} holds walkers drawn otherwise ({path.name}); choose another folder")
        return
    with _whole(path) as temporary:
        temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")
