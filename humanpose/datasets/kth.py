"""KTH's walkers (Schuldt, Laptev, Caputo, ICPR 2004) with BlazePose landmarks beside their videos -> records."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from humanpose.datasets.landmarks import body_box, read_landmarks, walks_left
from humanpose.datasets.record import PoseRecord

CONTAINERS = (".avi", ".mp4")
_NAME = re.compile(r"person(\d+)_[a-z]+_(d\d)", re.IGNORECASE)


def read_kth_landmarks(directory: str | Path, held_out: Collection[str] = ()) -> list[PoseRecord]:
    """Everybody in the `*.reference.json` of a folder, boxed about the whole body, facing as followed walkers do.

    The landmarks name a video, which may lie there in another container. `held_out` are the numbers of the persons
    ("15") who only measure; the others are "train". Raises ValueError where there is no such file, or one does not tell
    whom it shows.
    """
    root = Path(directory)
    files = sorted(root.glob("person*.reference.json"))
    if not files:
        raise ValueError(f"{root} holds no landmarks of KTH: expected personNN_walking_dK_uncomp.reference.json")
    records = []
    for file in files:
        found = read_landmarks(file)
        film = film_of(found[0].path) if found else file
        person, scenario = shown_in(file, film)
        split = "validation" if person in held_out else "train"
        for record, left in zip(found, walks_left(found), strict=True):
            whole = body_box(record).astype("float32")
            records.append(
                replace(
                    record, path=film, box=whole, walks_left=left, source="kth", split=split,
                    subject=person, action="walking", camera=scenario,
                )
            )  # fmt: skip
    return records


def shown_in(landmarks: Path, film: Path | None = None) -> tuple[str, str]:
    """Whom landmarks show, and in which scenario ("15", "d1"): by the file's name, the film's, and where links lead.

    Raises:
        ValueError: the file's name does not tell it, or another of them tells otherwise. Some persons only measure, and
            a name that is not what it says would have the training learn from them.

    """
    matches = {path: _NAME.match(path.name) for one in (landmarks, film) if one for path in _hops(one)}
    own = matches[landmarks]
    if own is None:
        raise ValueError(f"{landmarks} does not tell whom it shows: expected a name as personNN_walking_dK_uncomp")
    person = f"{int(own[1]):02d}"
    for path, match in matches.items():
        if match is not None and int(match[1]) != int(person):
            raise ValueError(f"{landmarks} is of person {person} by its name, but {path} is of person {match[1]}")
    return person, own[2].lower()


def _hops(path: Path) -> Iterator[Path]:
    """A path, every link on its way, and what it leads to."""
    yield path
    end = path.resolve()
    for _ in range(40):
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
        yield path
    yield end


def film_of(path: Path) -> Path:
    """The video that is there, in whatever container; the named one where none is."""
    others = (path.with_suffix(suffix) for suffix in CONTAINERS)
    return next((file for file in (path, *others) if file.is_file()), path)
