"""Walkers as files, in the layouts of the data sets they stand in for, so that every reader can be tried end to end.

Every file or folder appears under its name only when it is whole.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, UInt8

from gaitnet.video.write import VideoWriter
from gaitnet.walkers.dataset import Sequence, stream_sequence
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import FILES
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
        shutter: see `make_walkers`.
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
    import cv2

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
    import cv2

    with _whole(Path(folder)) as temporary:
        temporary.mkdir()
        for number, silhouette in enumerate(_silhouettes(parts), 1):
            if silhouette.max() > 0.5:
                _image(cv2, temporary / f"{stem}-{number:03d}.png", (silhouette > 0.5).astype(np.uint8) * 255)


def write_frames(folder: str | Path, parts: Iterator[Sequence]) -> None:
    """One walk as a TUM-GAID folder of pictures, 001.jpg.."""
    import cv2

    with _whole(Path(folder)) as temporary:
        temporary.mkdir()
        number = 0
        for part in parts:
            for frame in np.asarray(part.frames):
                number += 1
                _image(cv2, temporary / f"{number:03d}.jpg", frame[..., ::-1])


def write_opengait(path: str | Path, parts: Iterator[Sequence]) -> None:
    """One walk as OpenGait keeps it: a pickled uint8 array (time, 64, 64) of aligned silhouettes.

    The project writes this format and never loads one: reading a pickle runs what it says.
    """
    walk = [align_silhouette(np.round(silhouette * 255).astype(np.uint8)) for silhouette in _silhouettes(parts)]
    walk = [silhouette for silhouette in walk if silhouette.any()]
    with _whole(Path(path)) as temporary:
        temporary.write_bytes(np.array(walk, np.uint8).reshape(-1, 64, 64).dumps())


def _image(cv2, path: Path, picture: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix, picture)
    if not done:
        raise OSError(f"{path}: the picture could not be encoded")
    path.write_bytes(data.tobytes())


def make_walkers(
    root: str | Path,
    layout: str = "video",
    subjects: int = 5,
    views: tuple[float | int, ...] = (90.0,),
    conditions: tuple[str, ...] = CONDITIONS,
    seed: int = 0,
    frames: int = 50,
    rate: float | int = 25.0,
    size: tuple[int, int] = (480, 640),
    shutter: float = 0.0,
    backgrounds: Path | None = None,
    on_walk: Callable[[Path], None] | None = None,
) -> list[Path]:
    """A whole data set of walkers under `root`.

    Layouts: `video` SSS/CONDITION-session/VVV.mp4 and .json; `casia-b` SSS/nm-01/VVV/SSS-nm-01-VVV-001.png; `tum-gaid`
    image/pSSS/n01/001.jpg; `opengait` SSS/nm-01/VVV/VVV.pkl. What is already there whole is kept, so an interrupted
    run goes on where it stopped.

    Args:
        root: folder, made if it is missing.
        layout: one of LAYOUTS.
        subjects: how many people, numbered from 1.
        views: degrees 0..180; TUM-GAID has one only and takes the first.
        conditions: of `walk.CONDITIONS`; a layout leaves out those its data set has not.
        seed: 0..99,999, of crowd and walks; none of these people was trained on.
        frames: of each walk.
        rate: frames a second.
        size: (height, width) of the pictures.
        shutter: 0..1, the share of the time between frames for which light is taken in: motion blur. 0 has none.
        backgrounds: folder of photographs, one of which stands behind each walker; by default drawn walls.
        on_walk: told the path of every walk when it is written.

    Returns:
        The paths of all walks.

    Raises:
        ValueError: an unknown layout or condition, no subjects, frames or views; two views of one name; no picture in
            `backgrounds`; or `root` holds walkers that were drawn otherwise.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    unknown = [name for name in conditions if name not in CONDITIONS]
    if unknown or not conditions:
        raise ValueError(f"conditions: expected some of {', '.join(CONDITIONS)}, got {', '.join(unknown) or 'none'}")
    if subjects < 1 or frames < 1 or not views:
        raise ValueError(f"subjects, frames, views: expected one or more of each, got {subjects}, {frames}, {views}")
    if not LAYOUTS[layout].one_view and len({round(view) for view in views}) < len(views):
        raise ValueError("views: two are the same in whole degrees, by which files are named; drop one")
    photographs = None if backgrounds is None else read_photographs(backgrounds)
    how, written = LAYOUTS[layout], []
    walks = [(*walk, number) for number, walk in enumerate(how.walks) if walk[1] in conditions]
    if walks:
        settings: dict[str, Any] = {
            "seed": seed,
            "frames": frames,
            "rate": rate,
            "size": list(size),
            "shutter": shutter,
        }
        if photographs is not None:
            settings["backgrounds"] = hashlib.sha256(photographs.tobytes()).hexdigest()
        same_as_before(Path(root) / SETTINGS, settings)
    for subject in range(1, subjects + 1):
        for name, condition, session, number in walks:
            for view in views[:1] if how.one_view else views:
                key = jax.random.fold_in(jax.random.key(FILES + seed), subject * 1000 + number)
                key = jax.random.fold_in(key, round(view * 10))
                path = Path(root) / how.place(subject, name, view)
                # a video is written before what is known about it, so the latter tells that both are whole
                if not (path.with_suffix(how.mark) if how.mark else path).exists():
                    walk = {
                        "key": key, "crowd": FILES + seed, "subject_id": subject, "view": view, "session": session,
                        "condition": CONDITIONS.index(condition), "frames": frames, "rate": rate, "size": size,
                        "shutter": shutter, "photographs": photographs,
                    }  # fmt: skip
                    how.write(path, f"{subject:03d}-{name}-{view:03.0f}", walk)
                written.append(path)
                if on_walk is not None:
                    on_walk(path)
    return written


def read_photographs(folder: Path) -> UInt8[np.ndarray, "photograph 240 320 3"]:
    """The first PHOTOGRAPHS pictures of a folder, by name, as backgrounds; ValueError where there is none."""
    import cv2

    from gaitnet.video.read import PICTURES

    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in PICTURES)
    read = (cv2.imread(str(file), cv2.IMREAD_COLOR_RGB) for file in files)
    sound = islice((one for one in read if one is not None), PHOTOGRAPHS)
    found = [cv2.resize(one, (320, 240), interpolation=cv2.INTER_AREA) for one in sound]
    if not found:
        raise ValueError(f"backgrounds: expected a folder with pictures, {folder} has none that can be read")
    return np.stack(found).astype(np.uint8)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as temporary:
        temporary.write_text(json.dumps(settings) + "\n", encoding="utf-8")


class Layout(NamedTuple):
    """How a data set lies."""

    walks: list[tuple[str, str, int]]
    """Name, condition and session of every walk of a person."""
    place: Callable[[int, str, float | int], str]
    """Person, walk and view -> where it goes in the folder."""
    write: Callable[[Path, str, dict[str, Any]], None]
    """Path, stem of file names, and the arguments of `stream_sequence`."""
    one_view: bool = False
    mark: str | None = None
    """Ending of the file that is written last, where a walk is more than one file or folder."""


def _numbered(condition_walks: dict[str, tuple[str, int]], between: str) -> list[tuple[str, str, int]]:
    """Walks as data sets count them: of several conditions under one name, the numbers go on."""
    rows: list[tuple[str, str, int]] = []
    for condition, (short, count) in condition_walks.items():
        for _ in range(count):
            number = 1 + sum(name.startswith(short + between) for name, _, _ in rows)
            rows.append((f"{short}{between}{number:02d}", condition, 0))
    return rows


CASIA_B = _numbered({"NM": ("nm", 6), "BP": ("bg", 1), "HB": ("bg", 1), "CL": ("cl", 2)}, "-")
"""Of its two walks with a bag one has a backpack, one a hand bag."""

LAYOUTS = {
    "video": Layout(
        [(f"{name}-{session}", name, session) for name in CONDITIONS for session in (0, 1)],
        lambda subject, name, view: f"{subject:03d}/{name}/{view:03.0f}.mp4",
        lambda path, stem, walk: write_video(path, **walk),
        mark=".json",
    ),
    "casia-b": Layout(
        CASIA_B,
        lambda subject, name, view: f"{subject:03d}/{name}/{view:03.0f}",
        lambda path, stem, walk: write_silhouettes(path, stem, stream_sequence(**walk)),
    ),
    "tum-gaid": Layout(
        _numbered({"NM": ("n", 6), "BP": ("b", 2), "SH": ("s", 2)}, ""),
        lambda subject, name, view: f"image/p{subject:03d}/{name}",
        lambda path, stem, walk: write_frames(path, stream_sequence(**walk)),
        one_view=True,
    ),
    "opengait": Layout(
        CASIA_B,
        lambda subject, name, view: f"{subject:03d}/{name}/{view:03.0f}/{view:03.0f}.pkl",
        lambda path, stem, walk: write_opengait(path, stream_sequence(**walk)),
    ),
}
