"""A crowd of walkers in the layouts of the data sets it stands in for, so that every reader can be tried end to end."""

import hashlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gaitnet.datasets.casia_a import VIEWS as CASIA_A_VIEWS
from gaitnet.datasets.tum_gaid import LISTS
from gaitnet.datasets.tum_gaid import RATE as TUM_GAID_RATE
from gaitnet.walkers.dataset import stream_sequence
from gaitnet.walkers.files import (
    SETTINGS,
    read_photographs,
    same_as_before,
    write_frames,
    write_opengait,
    write_silhouettes,
    write_text,
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
    views: tuple[float, ...] | None = None
    """Degrees that the data set has a name for; None: all."""
    rate: float = 25.0
    """Frames a second, where nothing else is asked for."""
    again: tuple[tuple[str, str, int], ...] = ()
    """Walks of a second session."""
    lists: bool = False
    """The people are dealt to parts, in TUM-GAID's lists."""


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

TUM_GAID = _numbered({"NM": ("n", 6), "BP": ("b", 2), "SH": ("s", 2)}, "")
TUM_GAID_AGAIN = tuple(
    (f"{name[0]}{int(name[1:]) + sum(other[0] == name[0] for other, *_ in TUM_GAID):02d}", condition, 1)
    for name, condition, _ in TUM_GAID
)
"""The second session's, whose numbers go on: n07, b03, s03."""
_DIRECTIONS = {view: direction for direction, view in CASIA_A_VIEWS.items()}

README = "README.txt"
SYNTHETIC = """These people are synthetic: `gaitnet walkers make` drew them in the layout of {}.
Nobody walked here. Figures that are measured on them say nothing about real people, nor about that data set.
"""

LAYOUTS = {
    "video": Layout(
        [(f"{name}-{session}", name, session) for name in CONDITIONS for session in (0, 1)],
        lambda subject, name, view: f"{subject:03d}/{name}/{view:03.0f}.mp4",
        lambda path, stem, walk: write_video(path, **walk),
        mark=".json",
    ),
    "casia-a": Layout(
        [(str(number), "NM", 0) for number in (1, 2, 3, 4)],
        lambda subject, name, view: f"GaitDatasetA/w{subject:03d}/{_DIRECTIONS[float(view)]}_{name}",
        lambda path, stem, walk: write_frames(
            path, stream_sequence(**walk), f"{path.parent.name}-{path.name}-", ".png"
        ),
        views=tuple(_DIRECTIONS),
    ),
    "casia-b": Layout(
        CASIA_B,
        lambda subject, name, view: f"{subject:03d}/{name}/{view:03.0f}",
        lambda path, stem, walk: write_silhouettes(path, stem, stream_sequence(**walk)),
    ),
    "casia-b-video": Layout(
        CASIA_B,
        lambda subject, name, view: f"video/{subject:03d}-{name}-{view:03.0f}.mp4",
        lambda path, stem, walk: write_video(path, **walk),
        mark=".json",
    ),
    "tum-gaid": Layout(
        TUM_GAID,
        lambda subject, name, view: f"image/p{subject:03d}/{name}",
        lambda path, stem, walk: write_frames(path, stream_sequence(**walk)),
        one_view=True,
        rate=TUM_GAID_RATE,
        again=TUM_GAID_AGAIN,
        lists=True,
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
    rate: float | int | None = None,
    size: tuple[int, int] = (480, 640),
    shutter: float = 0.0,
    backgrounds: Path | None = None,
    on_walk: Callable[[Path], None] | None = None,
    first: int = 1,
    second_session: bool = False,
) -> list[Path]:
    """A whole data set of walkers under `root`.

    Layouts: `video` SSS/CONDITION-session/VVV.mp4 and .json; `casia-a` GaitDatasetA/wSSS/45_1/wSSS-45_1-001.png;
    `casia-b` SSS/nm-01/VVV/SSS-nm-01-VVV-001.png (silhouettes); `casia-b-video` video/SSS-nm-01-VVV.mp4 and .json;
    `tum-gaid` image/pSSS/n01/001.jpg and its lists of people; `opengait` SSS/nm-01/VVV/VVV.pkl. A README says that they
    are synthetic. What is already there whole is kept, so an interrupted run goes on where it stopped.

    Args:
        root: folder, made if it is missing.
        layout: one of LAYOUTS.
        subjects: how many people.
        views: degrees 0..180; TUM-GAID has one only and takes the first, CASIA-A has 0, 45 and 90.
        conditions: of `walk.CONDITIONS`; a layout leaves out those its data set has not.
        seed: 0..99,999, of crowd and walks; none of these people was trained on.
        frames: of each walk.
        rate: frames a second; None for what the data set has, 25, or 30 of TUM-GAID.
        size: (height, width) of the pictures.
        shutter: 0..1, the share of the time between frames for which light is taken in: motion blur. 0 has none.
        backgrounds: folder of photographs, one of which stands behind each walker; by default drawn walls.
        on_walk: told the path of every walk when it is written.
        first: number of the first person; from 75 on people are of CASIA-B's test.
        second_session: also the walks of another day, of everybody; TUM-GAID alone has them.

    Returns:
        The paths of all walks.

    Raises:
        ValueError: an unknown layout or condition, no subjects, frames or views; numbers of people above 999; two
            views of one name, or one that the layout has none for; a second session of a layout without; no picture in
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
    if LAYOUTS[layout].views is not None and (odd := sorted(set(map(float, views)) - set(LAYOUTS[layout].views or ()))):
        known = ", ".join(f"{view:g}" for view in sorted(LAYOUTS[layout].views or ()))
        raise ValueError(f"views: {layout} has {known} degrees, got {odd[0]:g}; leave it out")
    if first < 1 or (layout != "video" and first + subjects > 1000):
        raise ValueError(f"first, subjects: expected numbers of people from 1 to 999, got {first} and {subjects}")
    if second_session and not LAYOUTS[layout].again:
        raise ValueError(f"second_session: {layout} has no second session; leave it out")
    photographs = None if backgrounds is None else read_photographs(backgrounds)
    how, written = LAYOUTS[layout], []
    rate = how.rate if rate is None else rate
    all_walks = [*how.walks, *(how.again if second_session else ())]
    walks = [(*walk, number) for number, walk in enumerate(all_walks) if walk[1] in conditions]
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
        write_text(Path(root) / README, SYNTHETIC.format(layout))
        if how.lists:
            drawn = {int(path.name[1:]) for path in Path(root).glob("image/p[0-9][0-9][0-9]")}
            _write_lists(Path(root) / "labels", sorted(drawn.union(range(first, first + subjects))))
    for subject in range(first, first + subjects):
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


def _write_lists(folder: Path, people: list[int]) -> None:
    """TUM-GAID's lists: of 305 people 100 train, 50 validate and 155 are tested; of fewer, as large a share."""
    shares = {"train": 100 * len(people) // 305, "validation": 50 * len(people) // 305, "test": len(people)}
    left = iter(people)
    for part, count in shares.items():
        names = [f"{number:03d}" for number in islice(left, count)]
        write_text(folder / LISTS[part], "".join(f"{name}\n" for name in names))
