"""Walks as `prepare` wrote them: a .npz each, of aligned silhouettes or of joints, and an index of all of them."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from gaitnet.datasets.dropped import unusable
from gaitnet.datasets.keypoints import Keypoints
from gaitnet.datasets.record import Sequence, require_unique
from humanpose.datasets.places import inside
from humanpose.datasets.restricted import read_npz

FORMAT = "gaitnet-walks-1"
INDEX, REPORT = "index.json", "report.json"
MOST_BYTES = 1 << 28
"""Of an index: a million walks have less."""


def read_prepared(folder: Path) -> list[Sequence]:
    """Every walk of a prepared data set, in the order of its index.

    Raises:
        ValueError: `folder` holds none, one that is damaged, or one whose preparation was stopped.

    """
    index = read_index(Path(folder))
    if index is None:
        raise ValueError(
            f"folder: expected a data set that `gaitnet datasets prepare` wrote, {folder} holds no {INDEX}"
        )
    if not index["whole"]:
        raise ValueError(f"folder: the preparation of {folder} was stopped; give its command again, and it goes on")
    walks = []
    try:
        for one in index["walks"]:
            view = None if one["view"] is None else float(one["view"])
            path = inside(Path(folder), str(one["file"]))
            who, condition, session, sequence, part = (
                str(one[key]) for key in ("subject_id", "condition", "session", "sequence", "part")
            )
            walks.append(Sequence(who, condition, session, view, sequence, path, part, kind=index["kind"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"folder: {Path(folder) / INDEX} is damaged ({error}); prepare the data set anew") from error
    require_unique(walks)
    return walks


def read_index(folder: Path) -> dict[str, Any] | None:
    """What a folder of prepared walks says of itself; None where there is no index. ValueError where it is damaged."""
    path = folder / INDEX
    if not os.path.exists(path):
        return None
    try:
        if (bad := unusable(path)) is not None:
            raise ValueError(bad.why or "it is empty")
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        index = json.loads(path.read_bytes())
        if index["format"] != FORMAT or not isinstance(index["walks"], list) or not isinstance(index["whole"], bool):
            raise ValueError(f"its format is {index['format']!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"folder: {path} is no index of {FORMAT} ({error}); choose another folder") from error
    return index


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds what `prepare` wrote, if only a part of it, and no data set as it was released."""
    try:
        return read_index(Path(folder)) is not None
    except ValueError:
        return False


def load_silhouettes(path: Path) -> UInt8[np.ndarray, "time size size"]:
    """The aligned silhouettes of a prepared walk, 0 background to 255 person.

    Raises:
        ValueError: no such file, or a damaged one; nothing in it is run.

    """
    array = _arrays(path).get("silhouettes")
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3 or not array.size:
        raise ValueError(f"path: expected uint8 silhouettes (time, size, size) in {path}; prepare the data set anew")
    return array


def load_keypoints(path: Path) -> Keypoints:
    """The joints of a prepared walk.

    Raises:
        ValueError: no such file, or a damaged one; nothing in it is run.

    """
    arrays = _arrays(path)
    try:
        keypoints, visible, probability = (arrays[name] for name in ("keypoints", "visible", "probability"))
        joints, rate = tuple(str(name) for name in arrays["joints"].tolist()), float(arrays["rate"])
        sound = keypoints.dtype == probability.dtype == np.float32 and visible.dtype == np.bool_
        shape = keypoints.shape[:2]
        if not sound or keypoints.ndim != 3 or shape != visible.shape or shape != probability.shape:
            raise ValueError("arrays of other shapes")
        if len(joints) != shape[1]:
            raise ValueError(f"{len(joints)} names of {shape[1]} joints")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"path: expected the joints of a walk in {path} ({error}); prepare it anew") from error
    return Keypoints(keypoints, visible, probability, joints, None if math.isnan(rate) else rate)


def _arrays(path: Path) -> dict[str, Any]:
    bad = unusable(Path(path))
    if bad is not None:
        raise ValueError(f"path: expected a prepared walk in {path}, {bad.why or 'it is empty'}; prepare it anew")
    return read_npz(path)
