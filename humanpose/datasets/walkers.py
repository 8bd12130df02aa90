"""Walkers that `gaitnet walkers make` drew as videos with all that is known about them beside them -> records."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from humanpose.datasets.landmarks import walks_left
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import JOINTS


def read_walkers(directory: str | Path, every: int = 1) -> list[PoseRecord]:
    """Everybody in the videos PERSON/WALK/VIEW.mp4 of a folder, by the .json beside each, every `every`-th frame.

    Raises ValueError where there is none, or a file is not one of those.
    """
    root = Path(directory)
    files = [file for file in sorted(root.rglob("*.json")) if file.name != "walkers.json"]
    if not files:
        raise ValueError(
            f"{root} holds no walkers with joints: expected videos with .json beside them, as `gaitnet walkers make "
            "DIR` writes them (its other formats have no joints)"
        )
    return [record for file in files for record in read_walk(file, every)]


def read_walk(path: str | Path, every: int = 1) -> list[PoseRecord]:
    """One record a frame in which the walker is in view, of the .json beside a walker's video.

    Joints in the picture are visible; those of them that body or clothes cover are `hidden`. Raises ValueError for any
    other content.
    """
    file = Path(path)
    try:
        content = json.loads(file.read_bytes())
        names = tuple(content["joint_names"])
        if names != JOINTS:
            raise ValueError(f"joint_names are {len(names)} others than this project's {len(JOINTS)}")
        width, height = (int(number) for number in content["size"])
        limits = np.array([width - 0.5, height - 0.5])
        subject, action = str(content["identity"]), str(content.get("condition", ""))
        camera = f"{float(content['view']):.0f}"
        frames = content["frames"]
        keypoints = np.array([frame["keypoints"] for frame in frames], np.float32).reshape(-1, len(JOINTS), 2)
        shown = np.array([frame["visible"] for frame in frames], bool).reshape(-1, len(JOINTS))
        boxes = [None if frame["box"] is None else np.array(frame["box"], np.float32).reshape(4) for frame in frames]
        if not len(keypoints) == len(shown) == len(frames):
            raise ValueError("every frame needs 16 keypoints and 16 flags")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"path {str(file)!r} must be what is known of a walker (joint_names, size, identity, view, frames): "
            f"{type(error).__name__} {error}"
        ) from error
    inside = np.all(np.isfinite(keypoints) & (keypoints > -0.5) & (keypoints < limits), axis=-1)
    placed = np.where(inside[..., None], keypoints, np.float32(0))
    records = [
        PoseRecord(
            file.with_suffix(".mp4"), frame, box, placed[frame], inside[frame], "walkers",
            hidden=inside[frame] & ~shown[frame], subject=subject, action=action, camera=camera,
        )
        for frame, box in enumerate(boxes)
        if box is not None
    ]  # fmt: skip
    facing = walks_left(records)
    return [replace(record, walks_left=left) for record, left in zip(records, facing, strict=True)][::every]
