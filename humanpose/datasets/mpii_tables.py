"""MPII's annotations as h5 and as json, the forms in common use beside the official .mat -> records."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from humanpose.datasets.mpii_people import LOWER, person_of, require_shape, splits_by_list
from humanpose.datasets.places import inside
from humanpose.datasets.record import PoseRecord, split_of_name

ENLARGED = 1.25
"""Scale in the h5 files, over the official one."""


def read_mpii_h5(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody in a `valid.h5` or `train.h5`: part, visible, center, scale, imgname, and normalize, PCKh's head.

    The h5 files have the centre moved down and the scale enlarged by 1.25 already. A joint without a position is
    missing. `split` is the file's name. Raises ValueError for any other content.
    """
    import h5py

    from humanpose.hdf5_listing import has, held, member
    from humanpose.hdf5_process import looked_at

    file = Path(path)
    try:
        looked_at(file, "part", "visible", "center", "scale", "imgname", "normalize")
        with h5py.File(file) as stored:
            part, flags, centres, scales = (
                np.asarray(held(member(stored, name), name), np.float64)
                for name in ("part", "visible", "center", "scale")
            )
            names = [_text(name) for name in held(member(stored, "imgname"), "imgname", "fiubSO")]
            heads = np.full(len(part), np.nan)
            if has(stored, "normalize"):
                heads = np.asarray(held(member(stored, "normalize"), "normalize"), np.float64)
        places, count = [inside(Path(images), name) for name in names], len(names)
        require_shape("part", part, (count, 16, 2))
        for name, array, shape in (
            ("visible", flags, (count, 16)), ("center", centres, (count, 2)), ("scale", scales, (count,)),
            ("normalize", heads, (count,)),
        ):  # fmt: skip
            require_shape(name, array, shape)
    except (OSError, KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"path {str(file)!r} must be MPII's annotations as HDF5 with part (person, 16, 2), visible, center, scale, "
            f"imgname: {error}"
        ) from error
    there = (part != 0).any(-1)
    tall = scales / ENLARGED
    return [
        person_of(
            places[row], part[row], there[row], there[row] & (flags[row] == 0), centres[row],
            float(tall[row]), float(heads[row]), split_of_name(file),
        )
        for row in range(count)
    ]  # fmt: skip


def read_mpii_json(path: str | Path, images: str | Path) -> list[PoseRecord]:
    """Everybody in a json list of {image, center, scale, joints (16, 2), joints_vis (16)}, centre and scale official.

    `split` is the file's name; pictures in `valid_images.txt` are "validation" in any file. Test people, who have no
    joints, are left out. Raises ValueError for any other content.
    """
    file = Path(path)
    split_of = splits_by_list(file, split_of_name(file))
    records = []
    try:
        people = json.loads(file.read_bytes())
        if not isinstance(people, list):
            raise ValueError("it is no list of people")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"path {str(file)!r} must be MPII's annotations as json: {error}") from error
    for number, person in enumerate(people):
        try:
            if "joints" not in person and "joints_vis" not in person and {"image", "center", "scale"} <= set(person):
                continue  # test people: their joints were never published
            joints = np.array(person["joints"], np.float64)
            there = np.array(person["joints_vis"], np.float64) > 0
            centre, scale = np.array(person["center"], np.float64), float(person["scale"])
            require_shape("joints", joints, (16, 2))
            require_shape("joints_vis", there, (16,))
            require_shape("center", centre, (2,))
            name = str(person["image"])
            place = inside(Path(images), name)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"path {str(file)!r}: person {number + 1} must have image, center, scale, joints (16, 2) and "
                f"joints_vis (16): {type(error).__name__} {error}"
            ) from error
        centre[1] += LOWER * scale
        records.append(person_of(place, joints, there, None, centre, scale, math.nan, split_of(name)))
    return records


def _text(name: Any) -> str:
    """A name of an h5 file: text, bytes, or numbers, one a letter, filled up with zeros."""
    if np.size(name) > 4096 or (isinstance(name, (str, bytes)) and len(name) > 4096):
        raise ValueError("a picture's name is longer than any file's")
    if isinstance(name, bytes):
        return name.decode()
    return name if isinstance(name, str) else "".join(chr(int(code)) for code in np.asarray(name).ravel() if code)
