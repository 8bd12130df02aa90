"""What is odd about records of people: counted, with the first examples, or refused in one sentence before use."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from humanpose.datasets.bodies import unlike_bodies
from humanpose.datasets.landmarks import on_their_head
from humanpose.datasets.pictures import picture_size, pictures_of
from humanpose.datasets.places import is_there
from humanpose.datasets.record import PoseRecord
from humanpose.metrics import torso_length
from humanpose.skeleton import INDEX, JOINTS

SKELETON, NUMBERS, NO_JOINTS, NO_BOX = "other skeleton", "joints that are no numbers", "no joints", "no box"
TORSO, ORIGIN, CROSSED, TWICE = "torso without length", "joints in the corner", "hips crossed", "people twice"
ORDER, AXES, HEAD = "no bodies", "trunks lie", "on their heads"
OUTSIDE, MISSING, DAMAGED, SAME = "joints outside", "pictures missing", "pictures damaged", "pictures twice"

MEANING = {
    SKELETON: "keypoints are not the 16 joints of this project",
    NUMBERS: "a visible joint is NaN or infinite",
    ORDER: "over all people, lengths are not a body's: the joints stand in another order",
    AXES: "over all people, trunks do not stand: x and y are exchanged, or y is counted from below",
    NO_JOINTS: "not one joint is visible",
    NO_BOX: "the box is no number, or under 8 pixels",
    TORSO: "a shoulder lies on the opposite hip",
    ORIGIN: "visible at 0, 0, where missing joints are put",
    CROSSED: "upright, but the hips' left and right are opposite to the shoulders'",
    HEAD: "shoulders are below the hips of somebody who walks",
    TWICE: "the same picture has the same joints more than once",
    OUTSIDE: "a visible joint lies more than a pixel outside its picture",
    MISSING: "the file is not there",
    DAMAGED: "the file is cut off, has wrong bytes within, or is no picture or video",
    SAME: "files of other names with the same content",
}

OF_PEOPLE = (SKELETON, NUMBERS, ORDER, AXES, NO_JOINTS, NO_BOX, TORSO, ORIGIN, CROSSED, HEAD, TWICE)
"""What no picture is needed to tell."""

UNUSABLE = (SKELETON, NUMBERS, ORDER, AXES)
"""With these there is no going on; people with the other oddities can be used, or left out."""

PEOPLE_PLACED, MANY = 200, 0.2
"""How many people, spread over a data set, are compared with the sizes of their pictures, and the share of them from
which on joints outside are no single mistakes. With x and y exchanged, 41 % of LSPET's people have some, and 30 % at
least of any 60 who follow each other; as released one of its 4000 has, and none of MPII's, COCO's, KTH's at hand."""

NEARLY = 0.02
"""Of the torso: below it, a torso has no length, and two people are the same one."""


@dataclass
class Finding:
    """One kind of oddity: how many, of what, and the first of them by name; `records` are those people, where any."""

    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    records: list[PoseRecord] = field(default_factory=list)

    def add(self, example: str, record: PoseRecord | None = None, count: int = 1) -> None:
        """Count one more; the first few are kept."""
        self.count += count
        if len(self.examples) < 3:
            self.examples.append(example)
            if record is not None:
                self.records.append(record)


def name_of(record: PoseRecord) -> str:
    """A record for people to find: the picture's name, or a video's with its folders and the frame."""
    if record.frame is None:
        return record.path.name
    return f"{Path(*record.path.parts[-3:])} frame {record.frame}"


def check_people(records: Sequence[PoseRecord]) -> list[Finding]:
    """What is odd about people, as far as no picture is needed to tell."""
    found = {kind: Finding(kind) for kind in OF_PEOPLE}
    sound = [record for record in records if is_ours(record)]
    for record in records:
        if not is_ours(record):
            joints = f"keypoints {np.shape(record.keypoints)} and visible {np.shape(record.visible)}"
            found[SKELETON].add(f"{name_of(record)} has {joints}", record)
    if sound:
        keypoints = np.stack([record.keypoints for record in sound]).astype(np.float64)
        visible = np.stack([record.visible for record in sound])
        finite = np.isfinite(keypoints).all(-1)
        seen = visible & finite
        torso = torso_length(keypoints, seen)
        tall = np.array([np.ptp(record.box[1::2]) if record.has_extent else np.nan for record in sound])
        odd = {
            NUMBERS: (visible & ~finite).any(-1),
            NO_JOINTS: ~visible.any(-1),
            NO_BOX: np.array([not record.has_extent for record in sound]),
            TORSO: torso < NEARLY * np.nan_to_num(tall),
            ORIGIN: (seen & (keypoints == 0).all(-1)).any(-1),
            CROSSED: crossed(keypoints, seen),
            HEAD: np.array([one.action.lower().startswith("walking") and on_their_head(one) for one in sound]),
        }
        for kind, people in odd.items():
            for row in np.flatnonzero(people):
                found[kind].add(_told(kind, sound[row]), sound[row])
        for kind, sentences in zip((ORDER, AXES), unlike_bodies(keypoints, seen), strict=True):
            for sentence in sentences:
                found[kind].add(sentence)
        _find_twice(found[TWICE], sound, keypoints, seen, torso)
    return [one for one in found.values() if one.count]


def crossed(
    keypoints: Float[np.ndarray, "person 16 2"], visible: Bool[np.ndarray, "person 16"]
) -> Bool[np.ndarray, " person"]:
    """Whose hips have left and right the other way round than the shoulders, though the trunk is upright.

    Only where both are seen at least a quarter of the trunk wide: in profile either may come first.
    """
    names = ("l_shoulder", "r_shoulder", "l_hip", "r_hip")
    left_shoulder, right_shoulder, left_hip, right_hip = (keypoints[:, INDEX[name]] for name in names)
    trunk = (left_hip + right_hip - left_shoulder - right_shoulder) / 2
    length = np.hypot(trunk[:, 0], trunk[:, 1])
    shoulders, hips = (left_shoulder - right_shoulder)[:, 0], (left_hip - right_hip)[:, 0]
    upright = trunk[:, 1] > 0.8 * length
    wide = np.minimum(np.abs(shoulders), np.abs(hips)) > 0.25 * length
    there = visible[:, [INDEX[name] for name in names]].all(-1)
    return there & upright & wide & (length > 0) & (np.sign(shoulders) != np.sign(hips))


def outside(record: PoseRecord, height: int, width: int, margin: float = 1.0) -> Int[np.ndarray, " joint"]:
    """Indices of the visible joints that lie more than `margin` pixels outside a picture of that size."""
    x, y = record.keypoints[:, 0], record.keypoints[:, 1]
    beyond = (x < -margin) | (y < -margin) | (x > width - 1 + margin) | (y > height - 1 + margin)
    return np.flatnonzero(record.visible & beyond)


def require_sound(records: Sequence[PoseRecord], pictures: int = 8) -> None:
    """Refuse records that cannot be used, before hours are spent on them.

    Raises ValueError with the first reason: what `require_people` says; files missing; of so many `pictures` spread
    over the records, one that is damaged; or what `require_placed` says, where any pictures are to be looked at.
    """
    require_people(records)
    missing = [path for path in dict.fromkeys(record.path for record in records) if not is_there(path)]
    if missing:
        raise ValueError(f"records: {len(missing)} files are missing, such as {missing[0]}; fetch the pictures as well")
    for _, picture, why in pictures_of(spread(records, pictures)):
        if picture is None:
            raise ValueError(f"records: {why}")
    if pictures:
        require_placed(records)


def require_placed(records: Sequence[PoseRecord]) -> None:
    """Refuse, by a ValueError, records of whom many have joints outside their pictures, by PEOPLE_PLACED of them.

    That comes from axes in a wrong order, or from pictures of another size. Which cannot be read are passed over.
    """
    some = spread(records, PEOPLE_PLACED)
    sizes = {path: picture_size(record) for path, record in {record.path: record for record in some}.items()}
    require_inside(some, [sizes[record.path] for record in some])


def require_inside(records: Sequence[PoseRecord], sizes: Sequence[tuple[int, int] | None]) -> None:
    """Refuse, by a ValueError, records of whom many have joints outside their pictures, of these heights and widths.

    Whose picture's size is not known, None, is not counted.
    """
    looked = [(record, size) for record, size in zip(records, sizes, strict=True) if size is not None]
    beyond = [name_of(record) for record, size in looked if len(outside(record, *size))]
    if len(beyond) > max(MANY * len(looked), 2):
        raise ValueError(
            f"records: {len(beyond)} of {len(looked)} people looked at have joints outside their picture, such as "
            f"{beyond[0]}; are x and y exchanged, or are these pictures of another size than was annotated?"
        )


def spread(records: Sequence[PoseRecord], count: int) -> list[PoseRecord]:
    """So many of the records, evenly spread over them; all where there are no more."""
    places = np.unique(np.linspace(0, len(records) - 1, min(count, len(records))).astype(int)) if count else ()
    return [records[place] for place in places]


def require_people(records: Sequence[PoseRecord]) -> None:
    """Refuse, by a ValueError: nobody at all, another skeleton, joints that are no numbers, joints of no body."""
    if not records:
        raise ValueError("records: expected people, got none; check the folder and what was asked for")
    for finding in check_people(records):
        if finding.kind in UNUSABLE:
            raise ValueError(
                f"records: {finding.kind}, {finding.count} times: {MEANING[finding.kind]} ({finding.examples[0]}); "
                "correct the annotations or leave these people out"
            )


def is_ours(record: PoseRecord) -> bool:
    """Whether a record has the joints of this project."""
    return np.shape(record.keypoints) == (len(JOINTS), 2) and np.shape(record.visible) == (len(JOINTS),)


def _told(kind: str, record: PoseRecord) -> str:
    """The record's name, with the joints that an oddity is about."""
    if kind not in (NUMBERS, ORIGIN):
        return name_of(record)
    points = record.keypoints
    odd = ~np.isfinite(points).all(-1) if kind == NUMBERS else (points == 0).all(-1)
    return f"{name_of(record)}: {', '.join(JOINTS[joint] for joint in np.flatnonzero(record.visible & odd))}"


def _find_twice(
    finding: Finding, records: Sequence[PoseRecord], keypoints: np.ndarray, seen: np.ndarray, torso: np.ndarray
) -> None:
    """Count people whose joints, at least six of them common, somebody else of the same picture has as well."""
    order = sorted(range(len(records)), key=lambda row: (str(records[row].path), records[row].frame or 0))
    for _, group in groupby(order, key=lambda row: (records[row].path, records[row].frame)):
        rows = list(group)
        for place, row in enumerate(rows):
            for other in rows[:place]:
                both = seen[row] & seen[other]
                apart = np.abs(keypoints[row] - keypoints[other])[both]
                limit = max(1.0, NEARLY * float(np.nan_to_num(torso[row])))
                if both.sum() >= 6 and apart.mean() < limit:
                    finding.add(name_of(records[row]), records[row])
                    break


def count_joints(records: Iterable[PoseRecord]) -> dict[str, tuple[int, int]]:
    """Joint name -> how many are visible, and how many of these hidden behind something."""
    visible, hidden = np.zeros(len(JOINTS), int), np.zeros(len(JOINTS), int)
    for record in records:
        if is_ours(record):
            visible += record.visible
            hidden += False if record.hidden is None else record.hidden
    return {name: (int(visible[joint]), int(hidden[joint])) for joint, name in enumerate(JOINTS)}


def splits_of(records: Iterable[PoseRecord]) -> dict[str, int]:
    """Split -> people, the largest first; people of no split under ""."""
    return dict(Counter(record.split for record in records).most_common())
