"""Walks that a Kinect of the first kind followed: `PersonNNN/K.txt`, 20 joints a frame, 30 frames a second.

Andersson, Araujo, "Person identification using anthropometric and gait data from Kinect sensor", AAAI 2015. People walk
on a half circle about the sensor, which is panned with them, and turn at its ends.
"""

import re
from pathlib import Path

import numpy as np

from gaitnet.datasets.dropped import NAME, Dropped, hand_over, unusable
from gaitnet.datasets.frame_folder import subfolders
from gaitnet.datasets.keypoints import Keypoints, keypoints_of
from gaitnet.datasets.record import Sequence, require_unique
from gaitnet.walkers.kinect import FRAME_RATE, JOINTS, read_joints

SUBJECTS = 164
"""People in the release, about five walks each."""


def read_kinect_walks(root: Path, dropped: list[Dropped] | None = None) -> list[Sequence]:
    """Every walk, whole, with its turns, by person and number; `view` is None, since people turn.

    Args:
        root: folder of the people's folders.
        dropped: is told what is left out; where None, a warning sums it up.

    Raises:
        ValueError: `root` is no folder or holds no walks; two of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the Kinect walks, got {root}, which is not a folder")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    for folder in subfolders(root):
        person = re.fullmatch(r"Person(\d{1,4})", folder.name, re.IGNORECASE)
        if person is None:
            out.append(Dropped(NAME, str(folder), "expected PersonNNN"))
            continue
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        for path in sorted(files, key=lambda path: (len(path.stem), path.stem)):
            if not re.fullmatch(r"\d{1,3}", path.stem) or path.suffix.lower() != ".txt":
                out.append(Dropped(NAME, str(path), "expected NUMBER.txt"))
            elif (bad := unusable(path)) is not None:
                out.append(bad)
            else:
                who = f"{int(person[1]):03d}"
                walks.append(Sequence(who, "NM", "", None, str(int(path.stem)), path, kind="keypoints"))
    if not walks:
        raise ValueError(f"root: expected walks such as Person001/1.txt in {root}, got none; check the path")
    require_unique(walks)
    hand_over(out, dropped, f"Kinect walks in {root}")
    return walks


def load_kinect(path: Path) -> Keypoints:
    """The 20 joints of a walk in metres: x away from the sensor, y to its left, z up; all are visible.

    Raises:
        ValueError: as `gaitnet.walkers.kinect.read_joints`: a joint missing or twice, cut short, not finite, far away.

    """
    joints = read_joints(path)
    places = np.stack([joints[name] for name in JOINTS], 1)
    return keypoints_of(places, JOINTS, FRAME_RATE, np.zeros(places.shape[:2], bool))


def missing_of_kinect(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    people = {walk.subject_id for walk in walks}
    return [f"people: {len(people)} of {SUBJECTS}"] if len(people) < SUBJECTS else []
