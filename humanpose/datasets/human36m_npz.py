"""Human3.6M as VideoPose3D (Pavllo et al., CVPR 2019) keeps it: `data_2d_h36m_gt.npz`, `data_3d_h36m.npz`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from humanpose.datasets.human36m_takes import CAMERAS, OF_32, Take, record_of, video_of, wanted
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.restricted import read_npz, read_pickle_file

LONGEST_TAKE = 50_000
"""Frames of a recording; the longest of the data set has 6,343."""

MOST_FRAMES = 4_000_000
"""Of all recordings in all cameras; the data set has 3.6 million."""


def read_positions(
    path: str | Path, root: Path, every: int = 1, actions: Sequence[str] | None = None
) -> list[PoseRecord]:
    """Records of an npz of VideoPose3D, every `every`-th frame; the videos are those of the official layout in `root`.

    `positions_2d`: {subject: {action: a list over CAMERAS of (time, 17 joints, xy pixels)}}. `positions_3d`: {subject:
    {action: (time, 32 or 17 joints, xyz metres)}}, for which a `cameras.pkl` beside the file tells the cameras.
    Only the `actions` wanted, None for all. Raises ValueError for any other content.
    """
    file = Path(path)
    content = read_npz(file)
    cameras = None
    if "positions_2d" not in content:
        if "positions_3d" not in content:
            raise ValueError(f"path {str(file)!r} must hold positions_2d or positions_3d, got {', '.join(content)}")
        beside = file.with_name("cameras.pkl")
        if not beside.is_file():
            raise ValueError(
                f"path {str(file)!r} holds joints in space: put cameras.pkl beside it, or take the 2-D file"
            )
        cameras = read_pickle_file(beside)
    records: list[PoseRecord] = []
    known: set[tuple[int, str]] = set()
    try:
        for subject, takes in content["positions_3d" if cameras else "positions_2d"].items():
            for action, positions in takes.items():
                if not (isinstance(subject, str) and isinstance(action, str)):
                    raise ValueError("subjects and actions must be names")
                if not wanted(Take(subject, action, ""), actions):
                    continue
                views = positions if cameras is None else _seen(positions, cameras, subject)
                for camera, joints in zip(CAMERAS, views, strict=False):
                    take = Take(subject, action, camera)
                    if _numbers(joints, f"{subject} {action}").shape[1:] != (17, 2):
                        raise ValueError(f"{subject} {action} has joints {joints.shape}, expected (time, 17, 2)")
                    if len(joints) > LONGEST_TAKE or len(records) + len(joints) // every > MOST_FRAMES:
                        raise ValueError(f"{subject} {action} goes on for longer than Human3.6M does")
                    # one array, written once and referred to again and again, would be records without end
                    stored = (id(joints), "") if cameras is None else (id(positions), camera)
                    if stored in known:
                        raise ValueError(f"{subject} {action} has the very joints of another recording")
                    known.add(stored)
                    video = video_of(root, take)
                    pixels = joints.astype(np.float64)
                    records += [record_of(video, frame, pixels[frame], take) for frame in range(0, len(joints), every)]
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"path {str(file)!r} must hold positions by subject and action, as VideoPose3D writes them: {error}"
        ) from error
    return records


def _seen(positions: Any, cameras: Any, subject: str) -> list[np.ndarray]:
    """Joints (time, 17, xy) in each camera's picture."""
    points = _numbers(positions, subject)
    if len(points) > LONGEST_TAKE or points.shape[1:] not in ((32, 3), (17, 3)):
        raise ValueError(f"{subject} has points {points.shape}, expected (time, 32, 3)")
    moving = points[:, list(OF_32)] if points.shape[1] == 32 else points
    return [project(moving, cameras[subject, camera]) for camera in CAMERAS]


def _numbers(value: Any, name: str) -> np.ndarray:
    """The value, if it is an array of numbers (time, joint, coordinate) as it stands.

    Lists of lists are not: a pickle of bytes can nest one list so often in another that no memory holds their numbers.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim != 3:
        raise ValueError(f"{name} must have arrays of numbers, (time, joint, coordinate)")
    return value


def project(points: Shaped[np.ndarray, "*lead 3"], camera: dict[str, Any]) -> Float[np.ndarray, "*lead 2"]:
    """Points of the world (metres) -> pixels of a camera of `cameras.pkl`.

    A camera has its axes as columns of R (3, 3) and its place T (3, 1), focal lengths f and middle c (2, 1) in pixels,
    and its lens: radial k (3, 1), tangential p (2, 1), where the tangential part counts once, as in the data set.
    """
    turn, place, focal, middle, radial, tangential = (_setting(camera, name) for name in "RTfckp")
    seen = (points - place.ravel()) @ turn
    flat = seen[..., :2] / seen[..., 2:]
    square = (flat**2).sum(-1, keepdims=True)
    across = tangential.ravel()[::-1]
    bent = 1 + sum(factor * square ** (power + 1) for power, factor in enumerate(radial.ravel()))
    lens = flat * (bent + (flat * across).sum(-1, keepdims=True)) + square * across
    return np.asarray(lens * focal.ravel() + middle.ravel())


SETTINGS = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}
"""Numbers of each of a camera's arrays."""


def _setting(camera: dict[str, Any], name: str) -> np.ndarray:
    value = camera[name]
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.size != SETTINGS[name]:
        raise ValueError(f"a camera's {name} must be an array of {SETTINGS[name]} numbers")
    return value.astype(np.float64).reshape((3, 3) if name == "R" else -1)
