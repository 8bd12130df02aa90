"""COCO person keypoints (Lin et al., ECCV 2014): `person_keypoints_*.json` -> records."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from humanpose.datasets.places import inside, is_there
from humanpose.datasets.record import PoseRecord, split_of_name
from humanpose.skeleton import from_coco

PERSON = 1
"""Category id of persons."""

JOINTS = 17


def read_coco(directory: str | Path) -> list[PoseRecord]:
    """Everybody with joints in a folder of COCO, by file and by annotation.

    The files are `annotations/person_keypoints_{train,val}2017.json` with the pictures in `train2017/` and `val2017/`,
    or any json of that style beside its pictures. Raises ValueError where there is none.
    """
    root = Path(directory)
    files = sorted((root / "annotations").glob("person_keypoints_*.json")) or sorted(root.glob("*.json"))
    if not files:
        raise ValueError(f"{root} holds no annotations of COCO: expected annotations/person_keypoints_val2017.json")
    return [record for file in files for record in read_coco_json(file, root)]


def read_coco_json(path: str | Path, directory: str | Path | None = None) -> list[PoseRecord]:
    """Everybody with joints in one file; crowds, and people without a single joint, are left out.

    A joint that is labelled but not seen (1 of 0, 1, 2) is visible and `hidden`. `box` is the annotated one; `split`
    comes of the file's name. `directory` is where the folders of pictures are, by default the file's. Raises
    ValueError for any other content, and for people of another skeleton.
    """
    file = Path(path)
    root = file.parent if directory is None else Path(directory)
    name = file.stem.removeprefix("person_keypoints_")
    split = split_of_name(file)
    places = [root / name, root / "images" / name, root / "images", file.parent, root]
    try:
        content = json.loads(file.read_bytes())
        images = {image["id"]: str(image["file_name"]) for image in content["images"]}
        people = [one for one in content["annotations"] if _counts(one)]
        named = [(images[one["image_id"]], one) for one in people]
        for picture, _ in named:
            inside(root, picture)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"path {str(file)!r} must be COCO's person keypoints with images and annotations: "
            f"{type(error).__name__} {error}"
        ) from error
    folder = _folder(places, [picture for picture, _ in named])
    records = []
    for picture, person in named:
        try:
            table = np.array(person["keypoints"], np.float64)
            box = np.array(person["bbox"], np.float64)
            if table.shape != (3 * JOINTS,) or box.shape != (4,):
                raise ValueError(f"it has {table.size // 3} joints and a bbox of {box.size}, not {JOINTS} and 4")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"path {str(file)!r}: annotation {person.get('id')} must have {JOINTS} keypoints of x, y, v and "
                f"a bbox: {error}"
            ) from error
        keypoints, flags = table.reshape(JOINTS, 3)[:, :2], table.reshape(JOINTS, 3)[:, 2]
        joints, there = from_coco(keypoints, flags > 0)
        hidden = there & ~from_coco(keypoints, flags > 1)[1]
        corners = np.concatenate([box[:2], box[:2] + box[2:]]).astype(np.float32)
        records.append(PoseRecord(folder / picture, None, corners, joints, there, "coco", hidden=hidden, split=split))
    return records


def _counts(person: dict[str, Any]) -> bool:
    """Whether an annotation is one person with at least one joint."""
    of_one = person.get("category_id", PERSON) == PERSON and not person.get("iscrowd", 0)
    return bool(of_one and any(person.get("keypoints", ())[2::3]))


def _folder(places: Sequence[Path], pictures: Sequence[str]) -> Path:
    """The first folder that has one of the first pictures; where none has, the first that exists."""
    some = pictures[:20]
    there = (place for place in places if any(is_there(place / picture) for picture in some))
    return next(there, next((place for place in places if place.is_dir()), places[0]))
