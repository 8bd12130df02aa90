"""CASIA gait data set B: 124 people, ten walks each from eleven views (January 2005).

Yu, Tan, Tan, "A framework for evaluating the effect of view angle, clothing and carrying condition on gait
recognition", ICPR 2006. Films `001-nm-01-090.avi` of 320x240, 25 frames a second, and silhouettes
`001/nm-01/090/001-nm-01-090-001.png`, from which empty frames are left out.
"""

import re
from pathlib import Path
from typing import Literal

from gaitnet.datasets.dropped import BACKGROUND, EMPTY, NAME, Dropped, hand_over, unusable
from gaitnet.datasets.frame_folder import frame_files, subfolders
from gaitnet.datasets.record import Sequence, require_unique

CONDITIONS = {"nm": "NM", "bg": "BG", "cl": "CL"}
WALKS = {"nm": 6, "bg": 2, "cl": 2}
VIEWS = tuple(range(0, 181, 18))
SUBJECTS, TRAINED = 124, 74
"""People in the release, and how many of them, the first, are learned from in the usual split."""

FILMS = ("video", "videos")
"""Folders that may hold the films, beside the people's."""

_TYPE = re.compile(r"(nm|bg|cl)-(\d{1,2})")
_FILM = re.compile(r"(\d{3})-(nm|bg|cl|bkgrd)(?:-(\d{1,2}))?-(\d{3})")


def read_casia_b(
    root: Path, kind: Literal["silhouettes", "video"] | None = None, dropped: list[Dropped] | None = None
) -> list[Sequence]:
    """Every walk, by person, walk ("nm-01") and view, which is the data set's own number of degrees.

    Args:
        root: folder of the people's folders of silhouettes, or of the films; also one that holds them as `silhouettes`
            or as `video`.
        kind: which of the two; by default silhouettes where there are any.
        dropped: is told what is left out; where None, a warning sums it up.

    Returns:
        records with `part` "train" for the people 001-074 and "test" for those from 075.

    Raises:
        ValueError: `root` is no folder or holds no walks; two of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of CASIA-B, got {root}, which is not a folder")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    if kind != "video":
        walks = _silhouettes(next((root / name for name in ("silhouettes",) if (root / name).is_dir()), root), out)
    if kind == "video" or (kind is None and not walks):
        out = []  # a folder of films has no people's folders to be wrong
        walks = _films(next((root / name for name in FILMS if (root / name).is_dir()), root), out)
    if not walks:
        raise ValueError(
            f"root: expected silhouettes in 001/nm-01/090 or films such as 001-nm-01-090.avi in {root}, got none with "
            "frames; name the folder that holds the people or the films"
        )
    require_unique(walks)
    hand_over(out, dropped, f"CASIA-B in {root}")
    return sorted(walks, key=lambda walk: walk.name)


def part_of(subject_id: str) -> str:
    """The part of the usual split that a person belongs to: "train" for 001-074, "test" from 075."""
    return "train" if int(subject_id) <= TRAINED else "test"


def _silhouettes(root: Path, dropped: list[Dropped]) -> list[Sequence]:
    walks = []
    for person in subfolders(root):
        if not re.fullmatch(r"\d{3}", person.name):
            if person.name not in FILMS:
                dropped.append(Dropped(NAME, str(person), "expected a person's three digits"))
            continue
        for folder in subfolders(person):
            kind = _TYPE.fullmatch(folder.name)
            if kind is None:
                dropped.append(Dropped(NAME, str(folder), "expected nm-01, bg-01 or cl-01"))
                continue
            for view in subfolders(folder):
                if not re.fullmatch(r"\d{3}", view.name) or int(view.name) > 180:
                    dropped.append(Dropped(NAME, str(view), "expected three digits of degrees up to 180"))
                elif not frame_files(view, dropped, strict=True):
                    dropped.append(Dropped(EMPTY, str(view)))
                else:
                    walk = f"{kind[1]}-{int(kind[2]):02d}"
                    walks.append(_record(person.name, walk, view.name, view, "silhouettes"))
    return walks


def _films(root: Path, dropped: list[Dropped]) -> list[Sequence]:
    walks = []
    for path in sorted(root.iterdir()):
        if path.suffix.lower() not in (".avi", ".mp4") or path.name.startswith("."):
            continue
        match = _FILM.fullmatch(path.stem)
        if match is not None and match[2] == "bkgrd":
            dropped.append(Dropped(BACKGROUND, str(path)))
        elif match is None or match[3] is None or int(match[4]) > 180:
            dropped.append(Dropped(NAME, str(path), "expected PERSON-TYPE-NUMBER-VIEW, such as 001-nm-01-090"))
        elif (bad := unusable(path)) is not None:
            dropped.append(bad)
        else:
            walks.append(_record(match[1], f"{match[2]}-{int(match[3]):02d}", match[4], path, "video"))
    return walks


def _record(person: str, walk: str, view: str, path: Path, kind: Literal["silhouettes", "video"]) -> Sequence:
    return Sequence(person, CONDITIONS[walk[:2]], "", float(view), walk, path, part_of(person), kind=kind)


def missing_of_casia_b(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    people = {walk.subject_id for walk in walks}
    missing = [f"people: {len(people)} of {SUBJECTS}"] if len(people) < SUBJECTS else []
    views = sorted(set(map(float, VIEWS)) - {walk.view for walk in walks if walk.view is not None})
    if views:
        missing.append(f"views {', '.join(f'{view:03.0f}' for view in views)}")
    for short, count in WALKS.items():
        there, whole = sum(walk.sequence.startswith(short) for walk in walks), count * len(VIEWS) * len(people)
        if there < whole:
            missing.append(f"{short}: {there:,} of {whole:,} walks of these people")
    return missing
