"""TUM Gait from Audio, Image and Depth: 305 people from the side, 32 of them a second time (January and April 2012).

Hofmann, Geiger, Bachmann, Schuller, Rigoll, "The TUM Gait from Audio, Image and Depth (GAID) database", JVCIR 25(1),
2014. Pictures of 640x480, about 30 a second, as `image/p001/n01/*.jpg`: n01-n06 normal, b01-b02 with a backpack,
s01-s02 with coating shoes; n07-n12, b03-b04 and s03-s04 are the second session.
"""

import re
from pathlib import Path

from gaitnet.datasets.dropped import EMPTY, NAME, Dropped, hand_over
from gaitnet.datasets.frame_folder import frame_files, subfolders
from gaitnet.datasets.record import Sequence, require_unique

CONDITIONS = {"n": "NM", "b": "BG", "s": "SH"}
FIRST_SESSION = {"n": 6, "b": 2, "s": 2}
"""Walks of each kind in the first session; the numbers go on in the second."""
RATE = 30.0
"""Pictures a second, about."""
SUBJECTS, AGAIN = 305, 32
LISTS = {"train": "tumgaidtrainids.lst", "validation": "tumgaidvalids.lst", "test": "tumgaidtestids.lst"}
"""Part -> the published list of its people. 10, 6 and 16 of the 32 who came again, p001-p032, are in them: no rule by
number could stand for the lists, and none is made up here."""

_WORDS = {"tr": "train", "va": "validation", "te": "test"}
_LIST = re.compile(r"(?<![a-z])(?:tumgaid)?(train|training|val|valid|validation|test)s?(?:ids?)?(?![a-z])")
"""The word in a list's name, alone or as it was published: `interval.txt` and `latest.txt` are no lists."""


def read_tum_gaid(root: Path, lists: Path | None = None, dropped: list[Dropped] | None = None) -> list[Sequence]:
    """Every walk, by person and walk ("n01"); `session` "1" or "2", view 90 degrees.

    Args:
        root: folder `image` of the people, or the one that holds it.
        lists: folder of the lists of people, see `read_lists`; by default `labels` beside `image`, or `root` itself.
        dropped: is told what is left out; where None, a warning sums it up.

    Returns:
        records; `part` is "train", "validation" or "test" by the lists, "" for whoever is in none. Without lists nobody
        has a part, and the protocols, which ask for it, find nobody: `missing_of_tum_gaid` says so.

    Raises:
        ValueError: `root` is no folder or holds no walks; a list that cannot be read; two walks of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of TUM-GAID, got {root}, which is not a folder")
    images = root / "image" if (root / "image").is_dir() else root
    parts: dict[int, str] = {}
    for folder in [Path(lists)] if lists is not None else [images.parent / "labels", root / "labels", root]:
        parts = parts or (read_lists(folder) if folder.is_dir() else {})
    if lists is not None and not parts:
        raise ValueError(f"lists: expected {', '.join(LISTS.values())} in {lists}, got none of them")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    for person in subfolders(images):
        named = re.fullmatch(r"p(\d{3})", person.name)
        if named is None:
            if person.name not in ("labels", "audio", "depth"):
                out.append(Dropped(NAME, str(person), "expected a person such as p001"))
            continue
        for folder in subfolders(person):
            walk = re.fullmatch(r"([nbs])(\d{2})", folder.name)
            if walk is None:
                out.append(Dropped(NAME, str(folder), "expected a walk such as n01, b01 or s01"))
            elif not frame_files(folder, out):
                out.append(Dropped(EMPTY, str(folder)))
            else:
                session = "1" if int(walk[2]) <= FIRST_SESSION[walk[1]] else "2"
                part = parts.get(int(named[1]), "")
                who = person.name
                walks.append(
                    Sequence(who, CONDITIONS[walk[1]], session, 90.0, folder.name, folder, part, kind="frames")
                )
    if not walks:
        raise ValueError(f"root: expected pictures such as image/p001/n01/001.jpg in {root}, got none; check the path")
    require_unique(walks)
    hand_over(out, dropped, f"TUM-GAID in {root}")
    return walks


def read_lists(folder: Path) -> dict[int, str]:
    """Person's number -> part, by the lists in a folder.

    Lists are files ending in .lst or .txt with the word "train", "val", "valid" or "test" in their names, or called as
    the published `tumgaidtrainids.lst`, `tumgaidvalids.lst` and `tumgaidtestids.lst`; in them numbers with or without
    "p" and zeros, one a line or set apart by blanks or commas. Other files are passed over.

    Raises:
        ValueError: a list with something else in it, two for one part, or a person in two parts.

    """
    parts: dict[int, str] = {}
    seen: dict[str, Path] = {}
    for path in sorted(Path(folder).iterdir()):
        told = {_WORDS[word[:2]] for word in _LIST.findall(path.stem.lower())}
        if path.suffix.lower() not in (".lst", ".txt") or len(told) != 1 or not path.is_file():
            continue
        (part,) = told
        if part in seen:
            raise ValueError(f"lists: expected one list for {part}, got {seen[part]} and {path}; remove one of them")
        seen[part] = path
        for word in path.read_text(encoding="utf-8", errors="replace").replace(",", " ").split():
            match = re.fullmatch(r"[pP]?(\d{1,4})", word)
            if match is None:
                raise ValueError(f"lists: expected numbers of people such as 7 or p007 in {path}, got {word[:40]!r}")
            if parts.setdefault(int(match[1]), part) != part:
                raise ValueError(
                    f"lists: person {match[1]} is in {part} and in {parts[int(match[1])]}; {path} must leave one out"
                )
    return parts


def missing_of_tum_gaid(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    people = {walk.subject_id for walk in walks}
    missing = [f"people: {len(people)} of {SUBJECTS}"] if len(people) < SUBJECTS else []
    again = {walk.subject_id for walk in walks if walk.session == "2"}
    if len(again) < AGAIN:
        missing.append(f"people of the second session: {len(again)} of {AGAIN}")
    for session, count in (("1", len(people)), ("2", len(again))):
        there, whole = sum(walk.session == session for walk in walks), 10 * count
        if there < whole:
            missing.append(f"session {session}: {there:,} of {whole:,} walks of these people")
    lost = {walk.subject_id for walk in walks if not walk.part}
    if lost:
        missing.append(
            f"parts of {len(lost)} people: experiments 1 and 2 need {', '.join(LISTS.values())} in a folder `labels` "
            "beside `image`"
        )
    return missing
