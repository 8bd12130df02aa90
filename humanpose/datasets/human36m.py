"""Human3.6M (Ionescu et al., TPAMI 2014): videos with `D2_Positions`, or extracted frames with a json -> records.

The npz of VideoPose3D are read by `human36m_npz`. Annotations come from motion capture: every joint is visible, and
lies in the picture with very few exceptions.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from humanpose.datasets.human36m_npz import read_positions
from humanpose.datasets.human36m_takes import OF_32, Take, record_of, video_of, wanted
from humanpose.datasets.places import inside, is_there
from humanpose.datasets.record import PoseRecord

WALKING = ("Walking",)

SPLITS = {
    "original": {"train": ("S1", "S6", "S7", "S8", "S9", "S11"), "validation": ("S5",)},
    "standard": {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")},
}
"""`original` is HumanPoseNN's; `standard` is the protocol of most papers on three-dimensional pose."""

_FRAME = re.compile(r"(S\d+)_(.+)\.(\d{8})_(\d+)")


def read_human36m(
    directory: str | Path, actions: Sequence[str] | None = WALKING, split: str = "original", every: int = 1
) -> list[PoseRecord]:
    """Everybody in a folder of Human3.6M, in the order of subjects, actions, cameras and frames.

    Args:
        directory: holds S1/Videos and S1/MyPoseFeatures/D2_Positions; or data_2d_h36m_gt.npz (or data_3d_h36m.npz with
            cameras.pkl); or a json in COCO's style and the extracted frames. The first of these that is there is read.
        actions: those wanted, without the numbers of trials; None for all.
        split: of SPLITS, by which `split` of the records is told; subjects outside it have none.
        every: only every so many-th frame of a recording, from its first; extracted frames, of which some may have been
            left out already, so that their numbers are as far apart at least.

    Raises:
        ValueError: an unknown split, nothing there, or a file that cannot be read.

    """
    root = Path(directory)
    if split not in SPLITS or every < 1:
        raise ValueError(f"split, every: expected one of {', '.join(SPLITS)} and a number >= 1, got {split!r}, {every}")
    takes, tables, annotations = _takes(root), _npz(root), _annotations(root)
    if takes:
        records = [one for take, file in takes if wanted(take, actions) for one in _official(root, take, file, every)]
    elif tables:
        records = read_positions(tables[0], root, every, actions)
    elif annotations:
        frames = [record for file in annotations for record in read_human36m_json(file)]
        records = [frames[place] for place in thinned(frames, actions, every)]
    else:
        raise ValueError(
            f"{root} holds nothing of Human3.6M: expected S1/MyPoseFeatures/D2_Positions/*.cdf with S1/Videos/*.mp4, "
            "data_2d_h36m_gt.npz, or a json of COCO's style with the extracted frames"
        )
    return split_by_subject(records, split)


def split_by_subject(records: Sequence[PoseRecord], split: str = "original") -> list[PoseRecord]:
    """The records with the `split` of their subjects by one of SPLITS; subjects outside it have none."""
    parts = {subject: part for part, subjects in SPLITS[split].items() for subject in subjects}
    return [replace(record, split=parts.get(record.subject, "")) for record in records]


def thinned(records: Sequence[PoseRecord], actions: Sequence[str] | None, every: int) -> list[int]:
    """Places of the records of some actions (None: of all) whose frames are `every` or more apart in their recording.

    The number of an extracted frame stands in its picture's name.
    """
    numbered: dict[Take, dict[int, list[int]]] = {}
    for place, one in enumerate(records):
        take = Take(one.subject, one.action, one.camera)
        if wanted(take, actions):
            match = _FRAME.fullmatch(one.path.stem)
            # the place stands in for a name that tells nothing
            number = one.frame if one.frame is not None else int(match[4]) if match else place
            numbered.setdefault(take, {}).setdefault(number, []).append(place)
    kept: list[int] = []
    for recording in numbered.values():
        last = -math.inf
        for number in sorted(recording):
            if number - last >= every:
                last = number
                kept += recording[number]
    return sorted(kept)


def read_positions_cdf(path: str | Path) -> Float[np.ndarray, "time 32 2"]:
    """Joints (pixels) of every frame of a `D2_Positions` file; ValueError where it is none or is damaged."""
    import cdflib

    try:
        pose = np.asarray(cdflib.CDF(str(path)).varget("Pose"), np.float64)
    # The reader answers damaged files with whatever it stumbles over.
    except Exception as error:
        raise ValueError(
            f"path {str(path)!r} must be a CDF with a variable Pose (1, time, 64): {type(error).__name__} {error}"
        ) from error
    if pose.ndim not in (2, 3) or pose.shape[-1] != 64 or (pose.ndim == 3 and pose.shape[0] != 1):
        raise ValueError(
            f"path {str(path)!r}: Pose must be (1, time, 64), 32 joints as x, y, got {pose.shape}; take D2_Positions"
        )
    return pose.reshape(-1, 32, 2)


def read_boxes(path: str | Path, frames: Sequence[int]) -> Float[np.ndarray, "frame 4"]:
    """Boxes (x0, y0, x1, y1) of the masks of `frames` in a `MySegmentsMat/ground_truth_bb` file; NaN for an empty one.

    Raises ValueError where it is no such file or has fewer frames.
    """
    import h5py

    from humanpose.hdf5_listing import held, member
    from humanpose.hdf5_process import looked_at

    boxes = np.full((len(frames), 4), np.nan)
    try:
        looked_at(path, "Masks")  # their list; the masks themselves would take as long again
        with h5py.File(path) as stored:
            masks = held(member(stored, "Masks"), "Masks", "O")
            for row, frame in enumerate(frames):
                mask = np.asarray(held(stored[masks[frame, 0]], f"mask {frame}"))  # MATLAB's columns are rows here
                columns, rows = np.nonzero(mask)
                if len(rows):
                    boxes[row] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise ValueError(f"path {str(path)!r} must hold a mask for every frame under Masks: {error}") from error
    return boxes


def read_human36m_json(path: str | Path) -> list[PoseRecord]:
    """Extracted frames: a json with images (file_name, id) and annotations (image_id, keypoints 17 x 3, bbox x y w h).

    Pictures are named S1_Walking_1.54138969_000001.jpg and lie beside the json, under images/, or there in folders
    S1/S1_Walking_1.54138969. The joints go by their order: in files in circulation, their names exchange the legs.
    Raises ValueError for any other content.
    """
    file = Path(path)
    try:
        content = json.loads(file.read_bytes())
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        rows = [
            (
                names[one["image_id"]],
                _picture(file.parent, names[one["image_id"]]),
                np.array(one["keypoints"], np.float64),
                np.array(one["bbox"], np.float64),
            )
            for one in content["annotations"]
        ]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"path {str(file)!r} must be annotations with images and annotations as COCO has them: "
            f"{type(error).__name__} {error}"
        ) from error
    records = []
    for name, picture, joints, box in rows:
        if joints.shape != (51,) or box.shape != (4,):
            raise ValueError(
                f"path {str(file)!r}: a person of {name} must have 17 joints of 3 numbers and a bbox of 4, got "
                f"{joints.size} and {box.size} numbers; another skeleton cannot be read as Human3.6M's"
            )
        match = _FRAME.fullmatch(Path(name).stem)
        take = Take(match[1], match[2].replace("_", " "), match[3]) if match else Take("", "", "")
        corners = np.concatenate([box[:2], box[:2] + box[2:]])
        records.append(record_of(picture, None, joints.reshape(17, 3)[:, :2], take, corners))
    return records


def _picture(root: Path, name: str) -> Path:
    """Where an extracted frame lies; beside the json where it is nowhere."""
    recording = Path(name).stem.rpartition("_")[0]
    inner = Path(recording.partition("_")[0], recording, Path(name).name)
    inside(root, str(inner))
    places = [
        inside(root, name),
        root / "images" / name,
        root / inner,
        root / "images" / inner,
        root.parent / "images" / inner,
    ]
    return next((place for place in places if is_there(place)), places[0])


def _takes(root: Path) -> list[tuple[Take, Path]]:
    """The recordings of the official layout; those of names `_ALL` hold all actions once more."""
    found = []
    for file in root.glob("S*/MyPoseFeatures/D2_Positions/*.cdf"):
        action, _, camera = file.stem.rpartition(".")
        if not action.startswith("_ALL"):
            found.append((Take(file.parts[-4], action, camera), file))
    return sorted(found, key=lambda one: (_number(one[0].subject), *one[0][1:]))


def _official(root: Path, take: Take, file: Path, every: int) -> list[PoseRecord]:
    joints = read_positions_cdf(file)[:, list(OF_32)]
    frames = list(range(0, len(joints), every))
    masks = root / take.subject / "MySegmentsMat" / "ground_truth_bb" / f"{file.stem}.mat"
    boxes: Sequence[np.ndarray | None] = [None] * len(frames)
    if masks.is_file():
        boxes = [box if math.isfinite(box[0]) else None for box in read_boxes(masks, frames)]
    video = video_of(root, take)
    return [record_of(video, frame, joints[frame], take, box) for frame, box in zip(frames, boxes, strict=True)]


def _npz(root: Path) -> list[Path]:
    names = ("data_2d_h36m_gt.npz", "data_3d_h36m.npz")
    return [root / name for name in names if (root / name).is_file()]


def _annotations(root: Path) -> list[Path]:
    places = [root, root / "annotations", root / "annotation_body2d"]
    return [file for place in places if place.is_dir() for file in sorted(place.glob("*.json"))]


def _number(subject: str) -> int:
    digits = subject.removeprefix("S")
    return int(digits) if digits.isdigit() else 0
