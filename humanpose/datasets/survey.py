"""A look at every file of a data set: what is there, how large, what is damaged, whose joints lie outside."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from humanpose.datasets.bodies import untold
from humanpose.datasets.check import (
    AXES,
    DAMAGED,
    MANY,
    MEANING,
    MISSING,
    ORDER,
    OUTSIDE,
    SAME,
    Finding,
    check_people,
    count_joints,
    is_ours,
    name_of,
    outside,
    splits_of,
)
from humanpose.datasets.pictures import WRONG_WITHIN, Video, decode_picture, is_damaged_within, picture_bytes
from humanpose.datasets.places import is_there
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import JOINTS

WORKERS = min(8, os.cpu_count() or 1)


class Look(NamedTuple):
    """One file: height and width in pixels, or 0 where it cannot be read; what is wrong; `digest` of its bytes."""

    path: Path
    height: int = 0
    width: int = 0
    digest: bytes = b""
    kind: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Survey:
    """What a data set holds.

    `files` are pictures or videos (`videos` of them); `read` could be read. `joints`: name -> (visible, hidden,
    outside). `sizes`: ((width, height), files), the commonest first. `sound` are the people whose picture can be read.
    `untold` is what so few people cannot tell, in words.
    """

    people: int
    files: int
    videos: int
    read: int
    splits: dict[str, int]
    joints: dict[str, tuple[int, int, int]]
    sizes: list[tuple[tuple[int, int], int]]
    findings: list[Finding]
    sound: list[PoseRecord]
    untold: list[str]

    @property
    def useless(self) -> str:
        """Why the data set as a whole cannot be used; "" where it can. Single people, however odd, are no reason."""
        if not self.read:
            return "not one picture of it can be read"
        by_kind = {finding.kind: finding for finding in self.findings}
        beyond = by_kind[OUTSIDE].count if OUTSIDE in by_kind else 0
        if beyond > max(MANY * len(self.sound), 2):
            return (
                f"{beyond:,} of {len(self.sound):,} people have joints outside their picture: x and y are exchanged, "
                "or these are pictures of another size than was annotated"
            )
        return next((f"{MEANING[kind]} ({by_kind[kind].examples[0]})" for kind in (ORDER, AXES) if kind in by_kind), "")


def survey(
    records: Sequence[PoseRecord], progress: Callable[[int, int | None], None] = lambda done, total: None
) -> Survey:
    """Look at all people of a data set, and at every file: photographs whole, of videos the first frame and the length.

    `progress` is told how many files are done, of how many.
    """
    by_file: dict[Path, list[PoseRecord]] = {}
    for record in records:
        by_file.setdefault(record.path, []).append(record)
    found = {kind: Finding(kind) for kind in (MISSING, DAMAGED, SAME, OUTSIDE)}
    sizes: Counter[tuple[int, int]] = Counter()
    beyond = Counter[int]()
    known: dict[bytes, Path] = {}
    sound: list[PoseRecord] = []
    for done, look in enumerate(_looks(by_file), 1):
        progress(done, len(by_file))
        people = by_file[look.path]
        if look.trouble:
            found[look.kind].add(look.trouble)
        if not look.height:
            continue
        sizes[look.width, look.height] += 1
        people = [one for one in people if is_ours(one)]
        sound += people
        if look.digest and known.setdefault(look.digest, look.path) != look.path:
            found[SAME].add(f"{look.path.name} is {known[look.digest].name}")
        for person in people:
            far = outside(person, look.height, look.width)
            beyond.update(far.tolist())
            if len(far):
                found[OUTSIDE].add(f"{name_of(person)}: {', '.join(JOINTS[joint] for joint in far)}", person)
    joints = {name: (*counts, beyond[joint]) for joint, (name, counts) in enumerate(count_joints(records).items())}
    return Survey(
        people=len(records),
        files=len(by_file),
        videos=sum(people[0].frame is not None for people in by_file.values()),
        read=sum(sizes.values()),
        splits=splits_of(records),
        joints=joints,
        sizes=sizes.most_common(),
        findings=[one for one in found.values() if one.count] + check_people(records),
        sound=sound,
        untold=untold(np.array([one.visible for one in records if is_ours(one)], bool).reshape(-1, len(JOINTS))),
    )


def _looks(by_file: dict[Path, list[PoseRecord]]) -> Iterator[Look]:
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            yield from pool.map(_look, by_file.items())
        finally:
            pool.shutdown(cancel_futures=True)


def _look(of_file: tuple[Path, list[PoseRecord]]) -> Look:
    path, people = of_file
    if not is_there(path):
        return Look(path, kind=MISSING, trouble=str(path))
    try:
        if people[0].frame is None:
            data = picture_bytes(path)
            height, width = decode_picture(data, path.name).shape[:2]
            digest = hashlib.blake2b(data, digest_size=16).digest()
            if is_damaged_within(data):
                trouble = f"{path.name}: {WRONG_WITHIN}"
                return Look(path, height, width, digest, DAMAGED, trouble)
            return Look(path, height, width, digest)
        return _look_at_video(path, max(one.frame or 0 for one in people))
    except OSError as error:
        return Look(path, kind=DAMAGED, trouble=f"{path.name}: {error.strerror}")
    except ValueError as error:
        return Look(path, kind=DAMAGED, trouble=str(error))


def _look_at_video(path: Path, last: int) -> Look:
    video = Video(path)
    try:
        height, width = video.frame(0).shape[:2]
        length = video.length
    finally:
        video.close()
    if length is not None and length <= last:
        trouble = f"{path.name}: has {length} frames, but frame {last} is annotated"
        return Look(path, height, width, kind=DAMAGED, trouble=trouble)
    return Look(path, height, width)
