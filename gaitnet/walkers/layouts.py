"""A crowd of walkers in the layouts of the data sets it stands in for, so that every reader can be tried end to end."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gaitnet.walkers.dataset import stream_sequence
from gaitnet.walkers.files import (
    SETTINGS,
    read_photographs,
    same_as_before,
    write_frames,
    write_opengait,
    write_silhouettes,
    write_video,
)
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import FILES


class Layout(NamedTuple):
    """How the walks of a data set lie in a folder."""

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
