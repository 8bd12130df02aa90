"""What all files of MPII share: how a person is boxed, and who of them only measures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import box_from_keypoints

VALIDATION_LIST = "valid_images.txt"
"""Names of the pictures of Tompson et al.'s validation people, a line each, beside the annotations."""

PERSON = 200.0
"""Pixels of a person of scale 1."""

LOWER = 15.0
"""The centre lies too high to hold the feet: everybody moves it down so many pixels times the scale."""

WIDE = 0.75
"""Width of the box over its height, which is all that a scale tells: a crop wider than high takes what it needs."""


def person_of(
    path: Path, joints: np.ndarray, there: np.ndarray, hidden: np.ndarray | None, centre: np.ndarray, scale: float,
    head: float, split: str, action: str = "",
) -> PoseRecord:  # fmt: skip
    """A record of a person, whose joints and (lowered) centre count pixels from 1."""
    half = np.array([WIDE, 1.0]) * scale * PERSON / 2
    with np.errstate(invalid="ignore", over="ignore"):  # a scale or joint without end, which `check` tells of
        keypoints = np.where(there[:, None], joints - 1, 0).astype(np.float32)
        box = np.concatenate([centre - 1 - half, centre - 1 + half]).astype(np.float32)
    if not np.isfinite(box).all():
        box = box_from_keypoints(keypoints, there)
    return PoseRecord(path, None, box, keypoints, there, "mpii", hidden=hidden, head=head, split=split, action=action)


def require_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape by a ValueError."""
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


def splits_by_list(file: Path, otherwise: str = "train") -> Callable[[str], str]:
    """Name of a picture -> its split, by the list of validation pictures beside `file` or one folder up."""
    for folder in (file.parent, file.parent.parent):
        if (folder / VALIDATION_LIST).is_file():
            text = (folder / VALIDATION_LIST).read_text(encoding="utf-8", errors="replace")
            # a list made on a system that does not tell A from a must not let anybody through
            listed = set(text.casefold().split())
            return lambda name: "validation" if name.casefold() in listed else otherwise
    return lambda name: otherwise


def once(records: list[PoseRecord]) -> list[PoseRecord]:
    """Without people whom two files annotate: the first stays, held out where any of the files holds them out.

    A file of everybody (`trainval.json`) knows nothing of the split, and a person who measures in one file must not be
    learned from because another one lists them too. Where the other files tell who measures, but not who is to be
    learned from, the others of such a file are, but for those in the same pictures.
    """
    known: dict[tuple[str, bytes, bytes], PoseRecord] = {}
    for record in records:
        joints = np.floor(np.where(record.visible[:, None], record.keypoints, 0)) + 0.0  # no -0
        key = record.path.name, record.visible.tobytes(), joints.tobytes()
        first = known.setdefault(key, record)
        if _STRENGTH.index(record.split) > _STRENGTH.index(first.split):
            known[key] = replace(first, split=record.split)
    people = list(known.values())
    held_out = {record.path.name for record in people if record.split in ("validation", "test")}
    if not held_out or any(record.split == "train" for record in people):
        return people
    return [
        replace(record, split="train") if not record.split and record.path.name not in held_out else record
        for record in people
    ]


_STRENGTH = ("", "train", "validation", "test")
