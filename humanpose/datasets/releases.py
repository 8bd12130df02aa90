"""What the releases of the data sets hold, and which parts of that a folder lacks. People use parts: it is no error."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from humanpose.datasets.human36m import SPLITS, WALKING
from humanpose.datasets.human36m_takes import CAMERAS, Take, wanted
from humanpose.datasets.kth import CONTAINERS
from humanpose.datasets.mpii_people import VALIDATION_LIST
from humanpose.datasets.places import is_there
from humanpose.datasets.record import PoseRecord

LEEDS = {"lsp": 2000, "lspet": 10_000}
"""Photographs, with one person annotated in each."""

MPII = 25_204
"""People with joints: 22,246 in `train.h5` and 2,958 in `valid.h5`; the official file has a few thousand more."""

COCO = {"train2017": 149_813, "val2017": 6352}
"""Part -> people with joints."""

TRIALS = 2
"""Recordings of a subject's action in Human3.6M, each by every camera."""

KTH_PERSONS = 25


def missing_parts(
    name: str, folder: str | Path, records: Sequence[PoseRecord], actions: Sequence[str] | None = None
) -> list[str]:
    """What the release of a data set holds and `folder` does not, a sentence each; none where all is there.

    `records` are all that was read from the folder, of Human3.6M those of `actions`, by default its walking. Of
    walkers, which everybody draws for themselves, nothing can be missing.
    """
    lacking: dict[str, Callable[[Path, Sequence[PoseRecord]], list[str]]] = {
        "lsp": lambda _, people: _photographs(people, LEEDS["lsp"]),
        "lspet": lambda _, people: _photographs(people, LEEDS["lspet"]),
        "mpii": lambda _, people: _of_mpii(people),
        "human36m": lambda root, people: _of_human36m(root, people, actions or WALKING),
        "coco": lambda _, people: _of_coco(people),
        "kth": _of_kth,
    }
    return lacking[name](Path(folder), records) if name in lacking else []


def _photographs(records: Sequence[PoseRecord], released: int | None = None) -> list[str]:
    """People of LSP or LSPET who are not annotated, and photographs that are not there."""
    found = []
    if released is not None and len(records) < released:
        found.append(f"people: {len(records):,} of the {released:,} released are annotated")
    named = {record.path for record in records}
    there, whole = sum(map(is_there, named)), released or len(named)
    if there < whole:
        which = "the" if released else "those annotated,"
        found.append(f"photographs: {there:,} of {which} {whole:,} {'released ' if released else ''}are there")
    return found


def _of_mpii(records: Sequence[PoseRecord]) -> list[str]:
    found = []
    splits = Counter(record.split for record in records)
    if not splits["validation"] + splits["test"]:
        found.append(
            f"{VALIDATION_LIST} (or valid.h5): nobody only measures, so a training would refuse this folder; it names "
            "the pictures of Tompson's validation people and is published apart from the official file"
        )
    if not splits["train"]:
        found.append("people to learn from: train.h5, or the official file, which has them")
    if len(records) < MPII:
        found.append(f"people: {len(records):,} of {MPII:,} or more")
    return found + _photographs(records)


def _of_human36m(root: Path, records: Sequence[PoseRecord], actions: Sequence[str]) -> list[str]:
    found = []
    takes = {Take(record.subject, record.action, record.camera) for record in records}
    present = {take.subject for take in takes}
    for part, subjects in SPLITS["original"].items():
        absent = [subject for subject in subjects if subject not in present]
        use = "measure" if part == "validation" else "are learned from"
        if absent:
            use = use.replace("measure", "measures").replace("are learned", "is learned") if len(absent) == 1 else use
            found.append(f"subject{'s' * (len(absent) > 1)} {', '.join(absent)}, who {use} in the original's split")
    for action in set(actions) & set(WALKING):  # of a few other actions a recording was never published
        counts = Counter(take.subject for take in takes if take.subject and wanted(take, [action]))
        for subject, count in counts.items():
            if count < TRIALS * len(CAMERAS):
                found.append(f"{subject}: {count} of {TRIALS * len(CAMERAS)} recordings of {action} are annotated")
    known = {record.path for record in records}
    alone = [
        video for video in sorted(root.glob("S*/Videos/*.mp4"))
        if video not in known and wanted(Take("", video.stem.rpartition(".")[0], ""), actions)
    ]  # fmt: skip
    for subject, count in Counter(video.parts[-3] for video in alone).items():
        first = next(video.name for video in alone if video.parts[-3] == subject)
        videos = "1 video is" if count == 1 else f"{count} videos are"
        found.append(f"{subject}: {videos} there without positions (MyPoseFeatures/D2_Positions), such as {first}")
    return found


def _of_coco(records: Sequence[PoseRecord]) -> list[str]:
    found = []
    counts = Counter({"train2017": 0, "val2017": 0})
    counts.update({"train": "train2017", "validation": "val2017"}.get(record.split, "") for record in records)
    for part, released in COCO.items():
        if not counts[part]:
            found.append(f"annotations/person_keypoints_{part}.json: {released:,} people")
        elif counts[part] < released:
            found.append(f"people: {counts[part]:,} of the {released:,} of {part}")
    return found + _photographs(records)


def _of_kth(root: Path, records: Sequence[PoseRecord]) -> list[str]:
    found = []
    absent = [f"{number:02d}" for number in range(1, KTH_PERSONS + 1)]
    for subject in {record.subject for record in records}:
        if subject in absent:
            absent.remove(subject)
    if absent:
        found.append(f"persons {', '.join(absent)} of the {KTH_PERSONS} released")
    known = {record.path for record in records}
    alone = [file for kind in CONTAINERS for file in sorted(root.glob(f"person*_walking_*{kind}")) if file not in known]
    if alone:
        videos = "1 video" if len(alone) == 1 else f"{len(alone)} videos"
        found.append(f"landmarks of {videos}, such as {alone[0].name}, in which nobody is annotated")
    return found
