"""MPII Human Pose (Andriluka et al., CVPR 2014): the official .mat and the h5 and json in common use -> records.

MPII's 16 joints are this project's, in the same order. All its files count pixels from 1, as MATLAB does; records count
from 0. A joint that somebody annotated behind something is visible here, and also `hidden` where the file tells.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import box_from_keypoints
from humanpose.skeleton import JOINTS

OFFICIAL = "mpii_human_pose_v1_u12_1.mat"

VALIDATION_LIST = "valid_images.txt"
"""Names of the pictures of Tompson et al.'s validation people, a line each, beside the annotations."""

PERSON = 200.0
"""Pixels of a person of scale 1."""

LOWER = 15.0
"""The centre lies too high to hold the feet: everybody moves it down so many pixels times the scale."""

HEAD = 0.6
"""PCKh's head length, over the diagonal of the head box."""

WIDE = 0.75
"""Width of the box over its height, which is all that a scale tells: a crop wider than high takes what it needs."""

ENLARGED = 1.25
"""Scale in the h5 files, over the official one."""


def read_mpii(directory: str | Path) -> list[PoseRecord]:
    """Everybody in the pictures of a folder with `images/` and MPII's annotations, in the order of the files.

    Of the annotations the official .mat is taken, or else all h5 and json files, each person once; they lie in the
    folder itself, or in `annot/` or `annotations/`. Raises ValueError where there is none.
    """
    root = Path(directory)
    places = [folder for folder in (root, root / "annot", root / "annotations") if folder.is_dir()]
    for folder in places:
        official = sorted(folder.glob("mpii_human_pose_v1*.mat"))
        if official:
            return read_mpii_mat(official[0], root / "images")
    files = [file for folder in places for kind in ("*.h5", "*.json") for file in sorted(folder.glob(kind))]
    records = [
        record
        for file in files
        for record in (read_mpii_h5 if file.suffix == ".h5" else read_mpii_json)(file, root / "images")
    ]
    if not records:
        raise ValueError(f"{root} holds no annotations of MPII: expected {OFFICIAL}, or files .h5 or .json, and images")
    return _once(records)


def read_mpii_mat(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody with joints in the official `mpii_human_pose_v1_u12_1.mat`; its test people have none.

    `images` is the folder of the pictures. `split` is "validation" for the pictures that `valid_images.txt` beside the
    file names, "train" for the others; `action` is the activity's name. Raises ValueError for any other content.
    """
    import scipy.io

    file = Path(path)
    try:
        release = scipy.io.loadmat(str(file), struct_as_record=False, squeeze_me=True)["RELEASE"]
        pictures = _items(release.annolist)
    # SciPy's reader answers foreign bytes with many kinds of error; they all mean that this is no such file.
    except Exception as error:
        raise ValueError(
            f"path {str(file)!r} must be MPII's {OFFICIAL} with a structure RELEASE: {type(error).__name__} {error}; "
            "fetch it again"
        ) from error
    activities = _items(getattr(release, "act", None))
    split_of = _splits(file)
    records = []
    for number, picture in enumerate(pictures):
        try:
            name = str(picture.image.name)
            action = _text(getattr(activities[number], "act_name", "")) if number < len(activities) else ""
            people = [_official(one) for one in _items(getattr(picture, "annorect", None))]
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f"path {str(file)!r}: picture {number + 1} of RELEASE.annolist is damaged: {error}"
            ) from error
        records += [
            _record(Path(images) / name, *person, split_of(name), action) for person in people if person is not None
        ]
    return records


def read_mpii_h5(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody in a `valid.h5` or `train.h5`: part, visible, center, scale, imgname, and normalize, PCKh's head.

    The h5 files have the centre moved down and the scale enlarged by 1.25 already. A joint without a position is
    missing. `split` is the file's name. Raises ValueError for any other content.
    """
    import h5py

    file = Path(path)
    try:
        with h5py.File(file) as stored:
            part, flags = np.asarray(stored["part"], np.float64), np.asarray(stored["visible"], np.float64)
            centres, scales = np.asarray(stored["center"], np.float64), np.asarray(stored["scale"], np.float64)
            names = [name.decode() if isinstance(name, bytes) else _letters(name) for name in stored["imgname"]]
            heads = np.asarray(stored["normalize"] if "normalize" in stored else np.full(len(part), np.nan))
        count = len(names)
        _same_shape("part", part, (count, 16, 2))
        for name, array, shape in (
            ("visible", flags, (count, 16)), ("center", centres, (count, 2)), ("scale", scales, (count,)),
            ("normalize", heads, (count,)),
        ):  # fmt: skip
            _same_shape(name, array, shape)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"path {str(file)!r} must be MPII's annotations as HDF5 with part (person, 16, 2), visible, center, scale, "
            f"imgname: {error}"
        ) from error
    there = (part != 0).any(-1)
    tall = scales / ENLARGED
    return [
        _record(
            Path(images) / names[row], part[row], there[row], there[row] & (flags[row] == 0), centres[row],
            float(tall[row]), float(heads[row]), _split_of_name(file),
        )
        for row in range(count)
    ]  # fmt: skip


def read_mpii_json(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody in a json list of {image, center, scale, joints (16, 2), joints_vis (16)}, centre and scale official.

    `split` is the file's name; pictures in `valid_images.txt` are "validation" in any file. Raises ValueError for any
    other content.
    """
    file = Path(path)
    split_of = _splits(file, _split_of_name(file))
    records = []
    try:
        people = json.loads(file.read_bytes())
        if not isinstance(people, list):
            raise ValueError("it is no list of people")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"path {str(file)!r} must be MPII's annotations as json: {error}") from error
    for number, person in enumerate(people):
        try:
            joints = np.array(person["joints"], np.float64)
            there = np.array(person["joints_vis"], np.float64) > 0
            centre, scale = np.array(person["center"], np.float64), float(person["scale"])
            _same_shape("joints", joints, (16, 2))
            _same_shape("joints_vis", there, (16,))
            _same_shape("center", centre, (2,))
            name = str(person["image"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"path {str(file)!r}: person {number + 1} must have image, center, scale, joints (16, 2) and "
                f"joints_vis (16): {type(error).__name__} {error}"
            ) from error
        centre[1] += LOWER * scale
        records.append(_record(Path(images) / name, joints, there, None, centre, scale, math.nan, split_of(name)))
    return records


def _record(
    path: Path, joints: np.ndarray, there: np.ndarray, hidden: np.ndarray | None, centre: np.ndarray, scale: float,
    head: float, split: str, action: str = "",
) -> PoseRecord:  # fmt: skip
    """A record of a person, whose joints and (lowered) centre count pixels from 1."""
    half = np.array([WIDE, 1.0]) * scale * PERSON / 2
    keypoints = np.where(there[:, None], joints - 1, 0).astype(np.float32)
    box = np.concatenate([centre - 1 - half, centre - 1 + half]).astype(np.float32)
    if not np.isfinite(box).all():
        box = box_from_keypoints(keypoints, there)
    return PoseRecord(path, None, box, keypoints, there, "mpii", hidden=hidden, head=head, split=split, action=action)


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


def _letters(codes: Any) -> str:
    """A name that an h5 file keeps as numbers, one a letter, filled up with zeros."""
    return codes if isinstance(codes, str) else "".join(chr(int(code)) for code in np.asarray(codes).ravel() if code)


def _same_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


def _splits(file: Path, otherwise: str = "train") -> Callable[[str], str]:
    """Name of a picture -> its split, by the list of validation pictures beside `file` or one folder up."""
    for folder in (file.parent, file.parent.parent):
        if (folder / VALIDATION_LIST).is_file():
            listed = set((folder / VALIDATION_LIST).read_text(encoding="utf-8", errors="replace").split())
            return lambda name: "validation" if name in listed else otherwise
    return lambda name: otherwise


def _split_of_name(file: Path) -> str:
    return next((split for word, split in _WORDS.items() if word in file.stem.lower()), "")


_WORDS = {"train": "train", "val": "validation", "test": "test"}


def _once(records: list[PoseRecord]) -> list[PoseRecord]:
    """Without people whom two files annotate: the first stays, or whom one of them keeps for validation."""
    known: dict[tuple[str, bytes, bytes], PoseRecord] = {}
    for record in records:
        joints = np.floor(np.where(record.visible[:, None], record.keypoints, 0)).astype(int)
        who = (record.path.name, record.visible.tobytes(), joints.tobytes())
        if who not in known or (record.split == "validation" and known[who].split != "validation"):
            known[who] = record
    return list(known.values())
