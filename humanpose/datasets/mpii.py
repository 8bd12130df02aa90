"""MPII Human Pose (Andriluka et al., CVPR 2014): the official .mat and the h5 and json in common use -> records.

MPII's 16 joints are this project's, in the same order. All its files count pixels from 1, as MATLAB does; records count
from 0. A joint that somebody annotated behind something is visible here, and also `hidden` where the file tells.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from humanpose.datasets.matlab import read_matlab
from humanpose.datasets.mpii_people import LOWER, once, person_of, splits_by_list
from humanpose.datasets.mpii_tables import read_mpii_h5, read_mpii_json
from humanpose.datasets.places import inside
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import JOINTS

OFFICIAL = "mpii_human_pose_v1_u12_1.mat"

HEAD = 0.6
"""PCKh's head length, over the diagonal of the head box."""


def read_mpii(directory: str | Path) -> list[PoseRecord]:
    """Everybody in the pictures of a folder with `images/` and MPII's annotations, in the order of the files.

    Of the annotations the official .mat is taken, or else all h5 and json files, each person once, held out where any
    file holds them out; they lie in the folder itself, or in `annot/` or `annotations/`, or the .mat in the folder
    `mpii_human_pose_v1_u12_2/` of its archive. Where no list tells who of the .mat only measures, a `valid.h5` or
    `valid.json` there does. Raises ValueError where there is none.
    """
    root = Path(directory)
    places = [folder for folder in (root, root / "annot", root / "annotations") if folder.is_dir()]
    tables = [file for folder in places for kind in ("*.h5", "*.json") for file in sorted(folder.glob(kind))]
    for folder in (*places, *sorted(root.glob("mpii_human_pose_v1*/"))):  # the archive unpacks into a folder of its own
        official = sorted(folder.glob("mpii_human_pose_v1*.mat"))
        if official:
            return _held_out(read_mpii_mat(official[0], root / "images"), tables, root / "images")
    if not tables:
        raise ValueError(f"{root} holds no annotations of MPII: expected {OFFICIAL}, or files .h5 or .json, and images")
    return once([record for file in tables for record in _table(file, root / "images")])


def _table(file: Path, images: Path) -> list[PoseRecord]:
    return (read_mpii_h5 if file.suffix == ".h5" else read_mpii_json)(file, images)


def _held_out(records: list[PoseRecord], tables: Sequence[Path], images: Path) -> list[PoseRecord]:
    """The official people; where no list holds any out, those in the pictures of a `valid` table only measure."""
    if any(record.split != "train" for record in records):
        return records
    valid = [file for file in tables if file.stem == "valid"]
    # a name that was written on a system which does not tell A from a must not let anybody through
    named = {record.path.name.casefold() for file in valid for record in _table(file, images)}
    return [
        replace(record, split="validation") if record.path.name.casefold() in named else record for record in records
    ]


def read_mpii_mat(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody with joints in the official `mpii_human_pose_v1_u12_1.mat`; its test people have none.

    `images` is the folder of the pictures. `split` is "validation" for the pictures that `valid_images.txt` beside the
    file names, "train" for the others; `action` is the activity's name. Raises ValueError for any other content.
    """
    file = Path(path)
    release = read_matlab(file, "RELEASE", struct_as_record=False, squeeze_me=True)
    if not hasattr(release, "annolist"):
        raise ValueError(f"path {str(file)!r} must be MPII's {OFFICIAL} with a structure RELEASE; fetch it again")
    pictures = _items(release.annolist)
    activities = _items(getattr(release, "act", None))
    split_of = splits_by_list(file)
    records = []
    for number, picture in enumerate(pictures):
        try:
            name = str(picture.image.name)
            action = _text(getattr(activities[number], "act_name", "")) if number < len(activities) else ""
            place = inside(Path(images), name)
            people = [_official(one) for one in _items(getattr(picture, "annorect", None))]
        except (AttributeError, TypeError, ValueError, OverflowError, IndexError) as error:
            raise ValueError(
                f"path {str(file)!r}: picture {number + 1} of RELEASE.annolist is damaged: {error}"
            ) from error
        records += [person_of(place, *person, split_of(name), action) for person in people if person is not None]
    return records


def _official(
    person: Any,
) -> tuple[Float[np.ndarray, "16 2"], Bool[np.ndarray, "16"], Bool[np.ndarray, "16"], np.ndarray, float, float] | None:
    """Joints, which are there, which hidden, lowered centre, scale and head of an `annorect`; None without joints."""
    points = _items(getattr(getattr(person, "annopoints", None), "point", None))
    if not points:
        return None
    joints, there, hidden = np.zeros((len(JOINTS), 2)), np.zeros(len(JOINTS), bool), np.zeros(len(JOINTS), bool)
    for point in points:
        joint = int(point.id)
        if not 0 <= joint < len(JOINTS):
            raise ValueError(f"a joint has the id {joint}, expected 0..15")
        joints[joint], there[joint] = (float(point.x), float(point.y)), True
        # 1 and 0 are numbers in some rows, letters in others; head and neck have none and are never hidden
        hidden[joint] = _text(getattr(point, "is_visible", "")) == "0"
    scale, place = _number(getattr(person, "scale", None)), getattr(person, "objpos", None)
    centre = np.array([_number(getattr(place, "x", None)), _number(getattr(place, "y", None))])
    corners = [_number(getattr(person, name, None)) for name in ("x1", "y1", "x2", "y2")]
    head = HEAD * math.hypot(corners[2] - corners[0], corners[3] - corners[1])
    return joints, there, hidden, np.array([centre[0], centre[1] + LOWER * scale]), scale, head


def _items(value: Any) -> list[Any]:
    """What a MATLAB array holds, where arrays of one are given without the array and empty ones as arrays of none."""
    if value is None:
        return []
    return list(value.reshape(-1)) if isinstance(value, np.ndarray) else [value]


def _number(value: Any) -> float:
    """A number that may be missing: NaN."""
    items = _items(value)
    return float(items[0]) if items else math.nan


def _text(value: Any) -> str:
    """A number or text that may be missing, as text."""
    items = _items(value)
    return str(items[0]) if items else ""
