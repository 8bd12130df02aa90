"""The KTH action data set, walking only: real video of identified persons (Schuldt, Laptev, Caputo, ICPR 2004).

Each person walks to and fro four times a clip, in profile: outdoors (d1), outdoors with a changing distance (d2),
outdoors in other clothes or with a bag (d3) and indoors (d4). 160x120 grey, 25 frames/s. `00sequences.txt` lists the
frames of every pass, counted from 1, for videos whether or not they are in the folder.
"""

import re
import warnings
from pathlib import Path

from gaitnet.datasets.record import Sequence

VALIDATION_PERSONS = ("15", "17", "18", "19", "24")
"""Persons who stay out of every training, pose included, so that they can be reported separately."""

SCENARIOS = {"d1": "NM", "d2": "NM", "d3": "CL", "d4": "NM"}
"""Scenario -> condition. d3 is other clothes or a bag, which the file names do not tell apart."""

PERSONS = 25
"""People in the release."""

LIST_NAME = "00sequences.txt"
_LINE = re.compile(r"person(\d+)_(\w+?)_(d\d)\s+frames\s+(.*)", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
_VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov")


def read_kth(root: Path, *, action: str = "walking", scenarios: tuple[str, ...] = ("d1", "d3", "d4")) -> list[Sequence]:
    """Every listed pass whose video is in the folder: `session` is the scenario, `sequence` the pass number from 1.

    Args:
        root: folder of the videos (`personNN_walking_dK_uncomp.avi` or another container) and of `00sequences.txt`.
        action: the action to read, as it is named in the files.
        scenarios: those to read; others that the list names are passed over silently.

    Returns:
        Records in order of person, scenario and pass; frames counted from 0, the last one included; view 90 degrees.

    Raises:
        ValueError: `root` is no folder, holds no list, the list has a line that cannot be read, or no listed video is
            there.

    Warns:
        UserWarning: once, naming the listed videos that are missing and the videos that are not listed.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the KTH videos, got {root}, which is not a folder")
    listing = root / LIST_NAME
    if not listing.is_file():
        raise ValueError(f"root: expected {LIST_NAME} in {root}, which is not there; it names the frames of every pass")
    unknown = [scenario for scenario in scenarios if scenario not in SCENARIOS]
    if unknown:
        raise ValueError(f"scenarios: expected some of {', '.join(SCENARIOS)}, got {', '.join(unknown)}")

    videos, listed = _find_videos(root, action), parse_sequences(listing, action=action)
    wanted = {key: passes for key, passes in listed.items() if key[1] in scenarios}
    missing = sorted(key for key in wanted if key not in videos)
    extra = sorted(key for key in videos if key not in listed and key[1] in scenarios)
    if len(missing) == len(wanted):
        raise ValueError(
            f"root: expected videos named personNN_{action}_dK_uncomp.avi (or .mp4) in {root}, got none that "
            f"{LIST_NAME} lists"
        )
    if missing or extra:
        warnings.warn(
            f"KTH folder {root}: "
            + "; ".join(
                f"{what}: {', '.join(f'person{person} {scenario}' for person, scenario in keys)}"
                for what, keys in (("listed but without a video", missing), ("video but not listed", extra))
                if keys
            ),
            stacklevel=2,
        )
    return [
        Sequence(person, SCENARIOS[scenario], scenario, 90.0, str(number), videos[person, scenario], "", first, last)
        for (person, scenario), passes in sorted(wanted.items())
        if (person, scenario) in videos
        for number, (first, last) in enumerate(passes, start=1)
    ]


def parse_sequences(listing: Path, *, action: str = "walking") -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Frames of every pass in `00sequences.txt`: (person, scenario) -> [(first, last)], counted from 0, last included.

    The file counts from 1, separates with any mixture of tabs and blanks, ends lines the DOS way, and in its published
    form has a heading and other actions, which are passed over.

    Raises:
        ValueError: a line of this action without a readable list of frames; the line is named.

    """
    passes: dict[tuple[str, str], list[tuple[int, int]]] = {}
    text = Path(listing).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if f"_{action}_" not in line.lower():
            continue
        match = _LINE.match(line.strip())
        ranges = [(int(first) - 1, int(last) - 1) for first, last in _RANGE.findall(match[4])] if match else []
        if match is None or not ranges or any(first < 0 or last < first for first, last in ranges):
            raise ValueError(
                f"{Path(listing).name}, line {number}: expected 'personNN_{action}_dK frames A-B, C-D, ...' with "
                f"frames from 1 and each pass ending after it starts, got {line.strip()!r}; correct the line"
            )
        passes[match[1].zfill(2), match[3].lower()] = ranges
    return passes


def missing_of_kth(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each; d2, which is not asked for, is not missed."""
    missing = []
    people = {walk.subject_id for walk in walks}
    if len(people) < PERSONS:
        missing.append(f"people: {len(people)} of {PERSONS}")
    for scenario in ("d1", "d3", "d4"):
        there = {walk.subject_id for walk in walks if walk.session == scenario}
        if there < people:
            missing.append(f"{scenario}: of {', '.join(sorted(people - there))}")
    return missing


def _find_videos(root: Path, action: str) -> dict[tuple[str, str], Path]:
    """(person, scenario) -> video; where one is there in several containers, the published .avi."""
    pattern = re.compile(rf"person(\d+)_{re.escape(action)}_(d\d)(_uncomp)?", re.IGNORECASE)
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(root.iterdir(), key=lambda path: (_suffix_order(path), path.name)):
        match = pattern.fullmatch(path.stem)
        if match and path.is_file() and path.suffix.lower() in _VIDEO_SUFFIXES:
            found.setdefault((match[1].zfill(2), match[2].lower()), path)
    return found


def _suffix_order(path: Path) -> int:
    suffix = path.suffix.lower()
    return _VIDEO_SUFFIXES.index(suffix) if suffix in _VIDEO_SUFFIXES else len(_VIDEO_SUFFIXES)
