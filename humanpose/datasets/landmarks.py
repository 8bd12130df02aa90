"""BlazePose landmarks kept beside a video as `<video>.reference.json` -> records. Estimates, not human annotation."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import box_from_keypoints
from humanpose.skeleton import INDEX, from_blazepose

NUMBERING = "BlazePose-33"
TRUNK = [INDEX[name] for name in ("r_hip", "l_hip", "r_shoulder", "l_shoulder")]
KNEES = 3.0
"""Standard errors from which on the knees of frames nearby are believed."""


def read_landmarks(path: str | Path, least_visibility: float = 0.5) -> list[PoseRecord]:
    """Read one `*.reference.json` into a record per described person and frame, in the file's order.

    The file holds {"video": name beside it, "numbering": "BlazePose-33", "people": [{"frame": from 0, "box": [x0, y0,
    x1, y1], "landmarks": 33 x [x, y, visibility]}]}, all in pixels of the video. A joint is visible where all the
    landmarks it comes from reach `least_visibility`; neck and head top are never there. Raises ValueError for any
    other content.
    """
    file = Path(path)
    try:
        content = json.loads(file.read_bytes())
        if content["numbering"] != NUMBERING:
            raise ValueError(f"numbering is {content['numbering']!r}, expected {NUMBERING!r}")
        people = content["people"]
        video = file.parent / Path(content["video"]).name
        frames = [int(person["frame"]) for person in people]
        boxes = np.array([person["box"] for person in people], np.float32).reshape(-1, 4)
        landmarks = np.array([person["landmarks"] for person in people], np.float32).reshape(-1, 33, 3)
        finite = np.isfinite(landmarks).all() and np.isfinite(boxes).all()
        if not (len(boxes) == len(landmarks) == len(frames) and finite and min(frames, default=0) >= 0):
            raise ValueError("every person needs a frame >= 0, a box of 4 and 33 landmarks of 3 numbers, all finite")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"path {str(file)!r} must be a landmark file ({NUMBERING}): {error!r}") from error
    keypoints, visible = from_blazepose(landmarks[..., :2], landmarks[..., 2] >= least_visibility)
    return [
        PoseRecord(
            video, frames[row], boxes[row], keypoints[row], visible[row], file.name.removesuffix(".reference.json")
        )
        for row in range(len(frames))
    ]


def nobody_on_their_head(records: Sequence[PoseRecord]) -> list[PoseRecord]:
    """Records of people who walk, with nothing visible of those whose shoulders are below their hips.

    BlazePose now and then sees a body the wrong way up; of a walker all of its joints are wrong then.
    """
    return [replace(one, visible=np.zeros_like(one.visible)) if on_their_head(one) else one for one in records]


def on_their_head(record: PoseRecord) -> bool:
    """Whether the shoulders are below the hips, as far as both are visible."""
    hips, shoulders = (
        [place for place in TRUNK if record.visible[place] and place in parts]
        for parts in ((INDEX["r_hip"], INDEX["l_hip"]), (INDEX["r_shoulder"], INDEX["l_shoulder"]))
    )
    height = record.keypoints[:, 1]
    return bool(hips and shoulders and height[shoulders].mean() > height[hips].mean())


def walks_left(records: Sequence[PoseRecord], reach: int = 12) -> list[bool]:
    """Whether each reference's walker goes to the left, by the same walker in frames nearby.

    Knees bend forward, which holds before a camera that follows the walker too; where they say little, the trunk's way
    across the picture decides.
    """
    if not records:
        return []
    frames = np.array([record.frame or 0 for record in records])
    boxes = np.stack([body_box(record) for record in records])
    middle, tall = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3] - boxes[:, 1]
    knees = np.stack([_bent(record) for record in records]) / tall[:, None]
    left = []
    for place in range(len(records)):
        apart = frames - frames[place]
        near = (np.abs(apart) <= reach) & (np.abs(middle - middle[place]) < 0.08 * tall[place] * (np.abs(apart) + 2))
        offset = apart[near] - apart[near].mean()
        bent = knees[near][np.isfinite(knees[near])]
        sure = len(bent) > 2 and abs(bent.mean()) > KNEES * bent.std(ddof=1) / np.sqrt(len(bent))
        left.append(bool(bent.mean() < 0) if sure else bool(np.sum(offset * middle[near]) < 0))
    return left


def _bent(record: PoseRecord) -> Float[np.ndarray, "leg=2"]:
    """How far right of the line from hip to ankle each knee is, in pixels; NaN where a joint is missing."""
    joints = [[INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in "rl"]
    hip, knee, ankle = np.moveaxis(record.keypoints[joints].astype(float), 1, 0)
    down = ankle[:, 1] - hip[:, 1]
    seen = record.visible[joints].all(axis=1) & (down > 0)
    part = (knee[:, 1] - hip[:, 1]) / np.where(seen, down, 1.0)
    return np.where(seen, knee[:, 0] - hip[:, 0] - part * (ankle[:, 0] - hip[:, 0]), np.nan)


def body_box(record: PoseRecord) -> Float[np.ndarray, "4"]:
    """Box about a whole person by landmarks that end at shoulders and ankles: theirs, a head and a sole larger.

    The boxes that come with the landmarks are a detector's, and now and then hold a reflection or half a person.
    """
    needed = [INDEX[f"{side}_{name}"] for side in "rl" for name in ("shoulder", "ankle")]
    if not (record.visible[needed[0::2]].any() and record.visible[needed[1::2]].any()):
        return np.asarray(record.box, float)
    x0, y0, x1, y1 = box_from_keypoints(record.keypoints, record.visible).astype(float)
    trunk = record.keypoints[record.visible & np.isin(np.arange(16), TRUNK)]
    middle, half = float(trunk[:, 0].mean()), (x1 - x0) / 2
    return np.array([middle - half, y0 - 0.22 * (y1 - y0), middle + half, y1 + 0.05 * (y1 - y0)])
