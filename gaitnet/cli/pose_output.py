"""What `gaitnet pose` writes of the joints that it found: COCO's layout, tables, and a table on the terminal."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitnet.cli.output import note, rounded, table

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.overlay import Seen
    from gaitnet.recognizer import Person

TRUSTED = 0.2
"""Joint probability from which a joint counts as seen; below it is a guess."""
BESIDE = 3
"""People that a table of 80 columns has room for."""
LONGEST_NAME = 40
"""Letters of a picture's name that it has room for; of longer ones the end is shown."""
NO_WALK = "no walk was looked for"
"""Why nobody is described whom the detector found in every frame."""

COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""The 17 keypoints of COCO's category person, in its order; the five of the face are none of ours."""
COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
"""Its limbs, counted from 1."""


class Picture(NamedTuple):
    """One picture, and who is in it: (number of the person, what was seen of them) each."""

    file: str
    frame: int
    time: float
    width: int
    height: int
    people: "list[tuple[int, Seen]]"


def coco(pictures: Iterable[Picture], official: bool = False) -> dict[str, Any]:
    """COCO's layout for keypoints; `keypoint_scores` and `track_id` go beyond it.

    Everybody is annotated with this project's 16 joints. With `official` everybody is annotated twice: as COCO's own
    category "person" with its 17 keypoints, of which those of the face are never there, and as "person, 16 joints".
    Images and annotations are iterators: a camera may have been watched for long.
    """
    categories = _categories(official)
    about = {"info": {"description": "joints found by gaitnet pose", "version": "1.0"}, "licenses": []}
    return (about if official else {}) | {
        "images": _images(pictures), "annotations": _annotations(pictures, categories), "categories": categories,
    }  # fmt: skip


def _images(pictures: Iterable[Picture]) -> Iterator[dict[str, Any]]:
    for image_id, picture in enumerate(pictures, 1):
        yield {
            "id": image_id, "file_name": picture.file, "width": picture.width, "height": picture.height,
            "frame": picture.frame, "time": rounded(picture.time),
        }  # fmt: skip


def _annotations(pictures: Iterable[Picture], categories: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    identity = itertools.count(1)
    for image_id, picture in enumerate(pictures, 1):
        for number, seen in picture.people:
            for category in categories:
                yield (
                    {"id": next(identity), "image_id": image_id, "category_id": category["id"], "track_id": number}
                    | _annotation(seen, category["keypoints"])
                )


def _categories(official: bool) -> list[dict[str, Any]]:
    from humanpose.skeleton import JOINTS, LIMBS

    ours: dict[str, Any] = {
        "id": 2 if official else 1, "name": "person, 16 joints" if official else "person", "supercategory": "person",
        "keypoints": list(JOINTS), "skeleton": [[a + 1, b + 1] for a, b in LIMBS],
    }  # fmt: skip
    if not official:
        return [ours]
    theirs = {
        "id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO_JOINTS),
        "skeleton": [list(limb) for limb in COCO_SKELETON],
    }  # fmt: skip
    return [theirs, ours]


def _annotation(seen: "Seen", names: list[str]) -> dict[str, Any]:
    """One person under the names of a category's keypoints; what is none of our joints is 0, 0, 0."""
    from humanpose.skeleton import INDEX

    x0, y0, x1, y1 = (float(value) for value in seen.box)
    places = [INDEX.get(name.replace("left_", "l_").replace("right_", "r_")) for name in names]
    triples, scores = [], []
    for place in places:
        sure = 0.0 if place is None else float(seen.probability[place])
        x, y = (0, 0) if place is None or sure == 0 else (rounded(value, 2) for value in seen.keypoints[place])
        triples += [x, y, 0 if sure == 0 else 1 if sure < TRUSTED else 2]
        scores.append(rounded(sure))
    found = [score for score, place in zip(scores, places, strict=True) if place is not None]
    return {
        "keypoints": triples, "num_keypoints": sum(1 for flag in triples[2::3] if flag), "iscrowd": 0,
        "keypoint_scores": scores, "score": rounded(sum(score or 0.0 for score in found) / len(found)),
        "area": rounded((x1 - x0) * (y1 - y0), 1), "segmentation": [],
        "bbox": [rounded(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)],
    }  # fmt: skip


def write(target: Path, document: dict[str, Any], pictures: Iterable[Picture]) -> list[Path]:
    """Write TARGET.json and TARGET.csv, both or none, piece by piece; the document's iterators are used up."""
    from gaitnet.evaluation.files import csv_pieces, json_pieces, write_together
    from humanpose.skeleton import JOINTS

    header = ["file", "frame", "time", "person", "x0", "y0", "x1", "y1"]
    header += [f"{joint}_{what}" for joint in JOINTS for what in ("x", "y", "probability")]
    lines = (
        [picture.file, picture.frame, rounded(picture.time), number, *(rounded(value, 2) for value in seen.box)]
        + [
            rounded(value, digits)
            for (x, y), sure in zip(seen.keypoints, seen.probability, strict=True)
            for value, digits in ((x, 2), (y, 2), (sure, 4))
        ]
        for picture in pictures
        for number, seen in picture.people
    )
    text, sheet = (target.with_name(target.name + ending) for ending in (".json", ".csv"))
    return write_together({text: json_pieces(document), sheet: csv_pieces(header, lines)})


def show_joints(picture: Picture) -> None:
    """Print the joints of everybody in a picture: place in pixels, and probability."""
    from humanpose.skeleton import JOINTS

    for start in range(0, len(picture.people), BESIDE):
        part = picture.people[start : start + BESIDE]
        header, rows = ["joint"], [[name] for name in JOINTS]
        for number, seen in part:
            header += [f"person {number}: x, y", "sure"]
            for row, (x, y), sure in zip(rows, seen.keypoints, seen.probability, strict=True):
                row += [f"{x:.0f}, {y:.0f}", f"{sure:.2f}"]
        table(header, rows, right=range(1, len(header)), title=picture.file if start == 0 else "")


def show_pictures(folder: Path, pictures: list[Picture]) -> None:
    """Print a line a picture: how many people, how sure their joints are, and which joint is the least sure."""
    import numpy as np

    rows = []
    for picture in pictures:
        sure = [seen.probability for _, seen in picture.people]
        name = picture.file if len(picture.file) <= LONGEST_NAME else f"…{picture.file[1 - LONGEST_NAME :]}"
        rows.append((name, len(sure), *_sureness(np.array(sure) if sure else np.zeros((0, 1)))))
    table(("picture", "people", "sure", "least sure joint"), rows, right=(1, 2), title=str(folder))


def show_people(video: Path, people: "list[Person]") -> None:
    """Print a line a person of a video: when they were seen, how sure their joints are, and whether they walk."""
    from gaitnet.cli.describe import span

    rows = [
        (number, span(one), len(one.frames), *_sureness(one.probability), one.reason or "described")
        for number, one in enumerate(people, 1)
    ]
    header = ("person", "seen (s)", "frames", "sure", "least sure joint", "walk")
    table(header, rows, right=(0, 2, 3), title=str(video))
    searched = not any(one.probability.any() for one in people)  # every frame, since nobody who was followed has joints
    if not searched and all(one.reason not in (None, NO_WALK) for one in people):
        note("nobody was described as a walker; --everybody also finds those who stand or sit all the time")


def _sureness(probability: "np.ndarray") -> tuple[str, str]:
    """Mean probability of joints (..., joint), and the joint that has the least; empty where there are none."""
    from humanpose.skeleton import JOINTS

    if not probability.any():
        return "", ""
    each = probability.mean(axis=0)
    return f"{each.mean():.2f}", f"{JOINTS[each.argmin()]} {each.min():.2f}"
