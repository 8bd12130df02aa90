"""Human3.6M as VideoPose3D (Pavllo et al., CVPR 2019) keeps it: `data_2d_h36m_gt.npz`, `data_3d_h36m.npz`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from humanpose.datasets.human36m_takes import CAMERAS, OF_32, Take, record_of, video_of, wanted
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.restricted import read_npz, read_pickle_file


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
    records = []
    try:
        for subject, takes in content["positions_3d" if cameras else "positions_2d"].items():
            for action, positions in takes.items():
                if not wanted(Take(subject, action, ""), actions):
                    continue
                views = positions if cameras is None else _seen(positions, cameras, subject)
                for camera, joints in zip(CAMERAS, views, strict=False):
                    take = Take(str(subject), str(action), camera)
                    if joints.ndim != 3 or joints.shape[1:] != (17, 2):
                        raise ValueError(f"{subject} {action} has joints {joints.shape}, expected (time, 17, 2)")
                    video = video_of(root, take)
                    pixels = np.asarray(joints, np.float64)
                    records += [record_of(video, frame, pixels[frame], take) for frame in range(0, len(joints), every)]
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"path {str(file)!r} must hold positions by subject and action, as VideoPose3D writes them: {error}"
        ) from error
    return records


def _seen(positions: Any, cameras: Any, subject: str) -> list[np.ndarray]:
    """Joints (time, 17, xy) in each camera's picture."""
    points = np.asarray(positions, np.float64)
    if points.ndim != 3 or points.shape[1:] not in ((32, 3), (17, 3)):
        raise ValueError(f"{subject} has points {points.shape}, expected (time, 32, 3)")
    moving = points[:, list(OF_32)] if points.shape[1] == 32 else points
    return [project(moving, cameras[subject, camera]) for camera in CAMERAS]


def project(points: Shaped[np.ndarray, "*lead 3"], camera: dict[str, Any]) -> Float[np.ndarray, "*lead 2"]:
    """Points of the world (metres) -> pixels of a camera of `cameras.pkl`.

    A camera has its axes as columns of R (3, 3) and its place T (3, 1), focal lengths f and middle c (2, 1) in pixels,
    and its lens: radial k (3, 1), tangential p (2, 1), where the tangential part counts once, as in the data set.
    """
    turn, place, focal, middle, radial, tangential = (np.asarray(camera[name], np.float64) for name in "RTfckp")
    seen = (points - place.ravel()) @ turn
    flat = seen[..., :2] / seen[..., 2:]
    square = (flat**2).sum(-1, keepdims=True)
    across = tangential.ravel()[::-1]
    bent = 1 + sum(factor * square ** (power + 1) for power, factor in enumerate(radial.ravel()))
    lens = flat * (bent + (flat * across).sum(-1, keepdims=True)) + square * across
    return np.asarray(lens * focal.ravel() + middle.ravel())
