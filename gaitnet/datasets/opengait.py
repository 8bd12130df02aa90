"""OpenGait's trees of pickles, `id/type/view/view.pkl`: what its pretreatment makes of any data set.

Fan et al., "OpenGait: revisiting gait recognition toward better practicality", CVPR 2023. Silhouettes are uint8
(time, 64, 64), poses (time, 17, 2 or 3) in COCO's order, the third number how sure the joint is. A pickle is a program:
these are read by `humanpose.datasets.restricted`, which runs none of it.
"""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from gaitnet.datasets import casia_b
from gaitnet.datasets.dropped import COUNTS, EMPTY, NAME, Dropped, WalkError, hand_over, unusable
from gaitnet.datasets.frame_folder import subfolders
from gaitnet.datasets.keypoints import COCO, Keypoints
from gaitnet.datasets.record import Sequence, require_unique
from humanpose.datasets.restricted import read_pickle_file

CONDITIONS = {"nm": "NM", "bg": "BG", "cl": "CL"}
LARGEST = 1024
"""Rows or columns of a silhouette: OpenGait's have 64 or 128."""


def read_opengait(
    root: Path,
    kind: Literal["silhouettes", "keypoints"] | None = None,
    which: str = "*.pkl",
    casia_b_parts: bool = False,
    dropped: list[Dropped] | None = None,
) -> list[Sequence]:
    """Every walk of a tree, by person, type and view.

    `condition` is what the type names (nm, bg, cl), "" where it names none; `view` the folder's degrees, None where it
    is called otherwise (it is then part of `sequence`, "camid0/seq0").

    Args:
        root: folder of the people.
        kind: what the pickles hold; by default what the first that can be read does.
        which: pattern of the pickle's name where a walk has several, as "*sil*.pkl".
        casia_b_parts: the people are CASIA-B's: those up to 074 are "train", the others "test".
        dropped: is told what is left out; where None, a warning sums it up.

    Raises:
        ValueError: `root` is no folder or holds no walks; a walk has several pickles of the pattern; people who are not
            CASIA-B's; two walks of one name.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of an OpenGait tree, got {root}, which is not a folder")
    out: list[Dropped] = []
    found = [
        (person.name, type_.name, view.name, path)
        for person in subfolders(root)
        for type_ in subfolders(person)
        for view in subfolders(type_)
        if (path := _pickle_of(view, which, out)) is not None
    ]
    if not found:
        raise ValueError(f"root: expected pickles such as 001/nm-01/090/090.pkl in {root}, got none; check the path")
    if casia_b_parts and (odd := next((one for one in found if not re.fullmatch(r"\d{3}", one[0])), None)):
        raise ValueError(f"casia_b_parts: expected people of three digits, got {odd[0]!r}; this is another data set")
    kind = kind or _kind_of(path for *_, path in found)
    walks = []
    for person, type_, view, path in found:
        degrees = float(view) if re.fullmatch(r"\d{1,3}", view) and int(view) <= 360 else None
        name = type_ if degrees is not None else f"{type_}/{view}"
        part = casia_b.part_of(person) if casia_b_parts else ""
        walks.append(Sequence(person, condition_of(type_), "", degrees, name, path, part, kind=kind))
    require_unique(walks)
    hand_over(out, dropped, f"OpenGait tree {root}")
    return walks


def condition_of(type_: str) -> str:
    """What a walk's type names: "nm-01" and "00-nm" are "NM"; "" where it names nothing."""
    words = re.split(r"[^a-z]+", type_.lower())
    return next((condition for word, condition in CONDITIONS.items() if word in words), "")


def load_silhouettes(path: Path) -> UInt8[np.ndarray, "time height width"]:
    """The silhouettes of a pickle, 0 background to 255 person, with the grey borders that scaling left.

    Raises:
        ValueError: no pickle of plain data, no silhouettes or such of 0 and 1, no frames, or not as many as another
            pickle beside it has.

    """
    array = _array(path)
    if array.dtype != np.uint8 or array.ndim != 3 or not 0 < min(array.shape[1:]) <= max(array.shape[1:]) <= LARGEST:
        raise ValueError(_other(path, "uint8 silhouettes (time, height, width)", array))
    if array.size and array.max() == 1:
        raise ValueError(f"path {str(path)!r}: expected silhouettes of 0 to 255, got 0 and 1; multiply them by 255")
    return _whole(path, array)


def load_keypoints(path: Path) -> Keypoints:
    """The poses of a pickle: COCO's 17 joints in pixels; where a third number says how sure they are, 0 is missing.

    Raises:
        ValueError: no pickle of plain data, no poses, no frames, or not as many as another pickle beside it has.

    """
    array = _array(path)
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[1] != 17 or array.shape[2] not in (2, 3):
        raise ValueError(_other(path, "poses (time, 17, 2 or 3) of floating point", array))
    with np.errstate(over="ignore"):  # what no float32 can hold is infinite in it, and missing
        array = _whole(path, array).astype(np.float32)
    sure = array[..., 2] if array.shape[2] == 3 else (array != 0).any(-1).astype(np.float32)
    visible = np.isfinite(array).all(-1) & (sure > 0)
    keypoints = np.where(visible[..., None], array[..., :2], 0)
    return Keypoints(keypoints, visible, np.where(visible, np.clip(sure, 0, 1), 0), COCO, None)


def _pickle_of(folder: Path, which: str, dropped: list[Dropped]) -> Path | None:
    """The pickle of one walk; None, told, where there is none."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [path for path in files if path.suffix == ".pkl" and fnmatch(path.name, which)]
    dropped += [Dropped(NAME, str(path), "no pickle") for path in files if path.suffix != ".pkl"]
    if len(found) > 1:
        raise ValueError(
            f"which: expected a pattern that names one pickle of each walk, but {which!r} names {len(found)} in "
            f"{folder}, {found[0].name} and {found[1].name}; be more exact (--which of the command)"
        )
    bad = unusable(found[0]) if found else Dropped(EMPTY, str(folder), f"no {which}")
    if bad is not None:
        dropped.append(bad)
    return found[0] if bad is None else None


def _kind_of(paths: Any) -> Literal["silhouettes", "keypoints"]:
    for path in paths:
        try:
            return "keypoints" if _array(path).dtype.kind == "f" else "silhouettes"
        except ValueError:
            continue
    return "silhouettes"


def _array(path: Path) -> np.ndarray:
    bad = unusable(Path(path))
    if bad is not None and bad.why:
        raise ValueError(f"path {str(path)!r}: {bad.why}")
    array = read_pickle_file(path)
    if not isinstance(array, np.ndarray):
        raise ValueError(f"path {str(path)!r}: expected an array, got {type(array).__name__}")
    return array


def _whole(path: Path, array: np.ndarray) -> np.ndarray:
    if not len(array):
        raise WalkError(EMPTY, f"path {str(path)!r}: it holds an array without frames")
    for other in sorted(Path(path).parent.glob("*.pkl")):
        if other.name != Path(path).name and len(beside := _array(other)) != len(array):
            raise WalkError(
                COUNTS, f"path {str(path)!r}: has {len(array)} frames, {other.name} beside it {len(beside)}"
            )
    return array


def _other(path: Path, expected: str, array: np.ndarray) -> str:
    return f"path {str(path)!r}: expected {expected}, got {array.dtype} {array.shape}; is it of another kind?"
