"""CASIA gait data set A, once NLPR's: 20 people outdoors in three directions, four walks in each (December 2001).

Wang, Tan, Ning, Hu, "Silhouette analysis-based gait recognition for human identification", PAMI 25(12), 2003. Pictures
of 352x240, 25 a second, `<id>/<dir>_<n>/<id>-<dir>_<n>-<ttt>.png`; silhouettes likewise, in `GaitDatasetA-silh`.
"""

import re
from pathlib import Path

from gaitnet.datasets.dropped import EMPTY, NAME, Dropped, hand_over
from gaitnet.datasets.frame_folder import frame_files, read_pictures, subfolders
from gaitnet.datasets.record import Kind, Sequence, require_unique

VIEWS = {"00": 90.0, "45": 45.0, "90": 0.0}
"""Direction, counted from the image plane -> our degrees, counted from the camera's axis: walks of direction 00 lead
across the picture, those of 90 towards the camera. Of each person's four walks in a direction some are the way back
(270, 225 and 180 degrees, were ways told apart); the names do not say which, so both have the view of the way there."""

FOLDERS = ("GaitDatasetA-silh", "GaitDatasetA")
SUBJECTS, WALKS = 20, 4
"""In the release: people, and walks of each in every direction."""


def read_casia_a(root: Path, kind: Kind | None = None, dropped: list[Dropped] | None = None) -> list[Sequence]:
    """Every walk, by person, direction and number; `sequence` is the folder's name ("45_2"), condition "NM".

    Args:
        root: folder of the people, or one that holds it under its published name; silhouettes come first.
        kind: "silhouettes" or "frames"; by default as the first picture of the folder is: black and white or not.
        dropped: is told what is left out; where None, a warning sums it up.

    Raises:
        ValueError: `root` is no folder or holds no walks; two of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of CASIA-A, got {root}, which is not a folder")
    order = FOLDERS[::-1] if kind == "frames" else FOLDERS
    root = next((root / name for name in order if (root / name).is_dir()), root)
    out: list[Dropped] = []
    found: list[tuple[str, re.Match[str], Path]] = []
    for person in subfolders(root):
        for folder in subfolders(person):
            match = re.fullmatch(r"(00|45|90)_0*([1-9]\d?)", folder.name)
            if match is None:
                out.append(Dropped(NAME, str(folder), "expected DIRECTION_NUMBER, such as 45_2"))
            elif not frame_files(folder, out, strict=True):
                out.append(Dropped(EMPTY, str(folder)))
            else:
                found.append((person.name, match, folder))
    if not found:
        raise ValueError(
            f"root: expected folders such as fyc/00_1 with fyc-00_1-001.png within in {root}, got none with frames; "
            "name the folder of the people"
        )
    kind = kind or ("silhouettes" if is_black_and_white(found[0][2]) else "frames")
    walks = [
        Sequence(person, "NM", "", VIEWS[match[1]], f"{match[1]}_{match[2]}", folder, kind=kind)
        for person, match, folder in found
    ]
    require_unique(walks)
    hand_over(out, dropped, f"CASIA-A in {root}")
    return walks


def is_black_and_white(folder: Path) -> bool:
    """Whether the first picture of a walk that can be read is a mask: nearly all of it black or white."""
    for picture in read_pictures(frame_files(folder), []):
        return bool(((picture < 32) | (picture > 223)).mean() > 0.95 and (picture.max(-1) == picture.min(-1)).all())
    return False


def missing_of_casia_a(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    missing = []
    people = {walk.subject_id for walk in walks}
    if len(people) < SUBJECTS:
        missing.append(f"people: {len(people)} of {SUBJECTS}")
    for direction, view in VIEWS.items():
        count = sum(walk.view == view for walk in walks)
        if count < WALKS * len(people):
            missing.append(f"direction {direction}: {count} of {WALKS * len(people)} walks of these people")
    return missing
