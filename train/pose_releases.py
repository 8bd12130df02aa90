"""The data sets of the original's trainings, as released or prepared: who is learned from, and who only measures."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gaitnet.cli.datasets_sources import FOLDERS, Name, records_of
from gaitnet.cli.output import bar, note
from humanpose.datasets.check import require_sound
from humanpose.datasets.human36m import WALKING, split_by_subject, thinned
from humanpose.datasets.prepare import CONTEXT, is_prepared, prepare
from humanpose.datasets.prepared import PreparedPose
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import MARGIN
from train.config import PoseTaskConfig
from train.pose_data import PoseData

SETS = {"mpii+lsp": (Name.MPII, Name.LSP, Name.LSPET), "human36m": (Name.HUMAN36M,)}
"""What a preset's `data` stands for; the first of them has to measure as well."""

MEASURES = {
    Name.MPII: "valid_images.txt or valid.h5 beside its annotations names the pictures that only measure",
    Name.HUMAN36M: "its subject S5 only measures",
}


def load_releases(config: PoseTaskConfig, root: Path, work: Path) -> PoseData:
    """Everybody in the data sets of `config.data`, each in the folder of its name under `root`.

    A folder holds either the release or what `gaitnet datasets prepare` made of it. One data set alone may be `root`
    itself; of LSP and LSPET one will do. Frames of videos are cut out first, into a folder in `work`: a training asks
    for them in no order in which a video could be read.

    Raises:
        ValueError: a data set is not there, is odd, or has nobody to learn from or to measure with.

    """
    folders = _folders(SETS[config.data], root)
    data = PoseData([], [], {})
    people = {name: _people(name, folder, config, work) for name, folder in folders.items()}
    for records, cache in people.values():
        if cache is not None:
            data.prepared.update(dict.fromkeys({record.path for record in records}, cache))
    measuring = {
        name: [record for record in records if record.split in ("validation", "test")]
        for name, (records, _) in people.items()
    }
    # of all the data sets, and where links lead: a picture of one may lie in another under a name of its own
    seen = {_picture(record, people[name][1]) for name, measured in measuring.items() for record in measured}
    for name, (records, cache) in people.items():
        measured = measuring[name]
        given = [record for record in records if record.split == "train"]
        trained = [record for record in given if _picture(record, cache) not in seen]
        if len(trained) < len(given):
            note(f"{name.value}: {len(given) - len(trained)} people share a picture with somebody who only measures")
        if not trained or (not measured and name in MEASURES):
            splits = ", ".join(f"{count} {split or 'of no split'}" for split, count in _splits(records).items())
            raise ValueError(
                f"{name.value}: {folders[name]} has nobody to {'measure with' if trained else 'learn from'}, but "
                f"people {splits}" + (f"; {MEASURES[name]}" if name in MEASURES else "")
            )
        data.photographs.extend(trained)
        if measured:
            data.held_out[name.value] = measured
    return data


def told(data: PoseData) -> str:
    """Who is learned from and who measures, in one line: what a run's settings keep of its data."""
    trained = Counter(record.source for record in data.photographs)
    return ", ".join(
        f"{name} {count}" + (f" (and {len(data.held_out[name])} who measure)" if name in data.held_out else "")
        for name, count in trained.items()
    )


def _folders(names: Sequence[Name], root: Path) -> dict[Name, Path]:
    """Where each data set lies; ValueError where one is missing that cannot be done without."""
    if not root.is_dir():
        raise ValueError(f"--data: expected the folder of the data sets, got {root}, which is not a folder")
    found = {
        name: root / folder
        for name in names
        for folder in reversed(FOLDERS.get(name, (name.value,)))
        if (root / folder).is_dir()
    }
    if not found and len(names) == 1:
        return {names[0]: root}
    missing = [name for name in names if name not in found]
    if names[0] in missing or len(missing) > 1:
        raise ValueError(
            f"--data: {root} has no folder {' or '.join(missing)}; this preset learns from {', '.join(names)}, each in "
            "a folder of its name, as released or as `gaitnet datasets prepare` made it"
        )
    for name in missing:
        note(f"{root} has no folder {name.value}; the training does without it")
    return found


def _people(
    name: Name, folder: Path, config: PoseTaskConfig, work: Path
) -> tuple[list[PoseRecord], PreparedPose | None]:
    """Everybody in a data set with a box, and the cache that their pictures are in, if they are in one."""
    side = round(config.height * CONTEXT / MARGIN)
    try:
        if is_prepared(folder):
            cache = PreparedPose(folder)
            if cache.name != name:
                raise ValueError(f"the prepared data set is {cache.name}")
            cache.require_sound()
            if cache.size < 0.9 * side:
                note(f"{name.value}: prepared at {cache.size} pixels; --size {side} is what this network can see")
            return _as_asked(cache, config.every) if name is Name.HUMAN36M else cache.records, cache
        actions = list(WALKING) if name is Name.HUMAN36M else None
        records = [record for record in records_of(name, folder, actions, config.every) if record.has_extent]
        require_sound(records)
        if records[0].frame is None:
            return records, None
        with bar(f"cutting people out of {folder}", "people") as progress:
            prepare(records, work / name.value, name.value, side, progress=progress)
        cache = PreparedPose(work / name.value)
        return cache.records, cache
    except ValueError as error:
        raise ValueError(f"{name.value} in {folder}: {str(error).removeprefix('records: ')}") from error


def _as_asked(cache: PreparedPose, every: int) -> list[PoseRecord]:
    """Of a prepared Human3.6M whom the preset would read of it as released, held out as the original did."""
    sources = [cache.source_of(record) for record in cache.records]
    released = [
        replace(record, path=Path(path), frame=frame)
        for record, (path, frame) in zip(cache.records, sources, strict=True)
    ]
    found = [cache.records[place] for place in thinned(released, WALKING, every)]
    if len(found) < len(cache.records):
        which = f"of {' or '.join(WALKING)}, {every} frames or more apart, as this preset wants them"
        note(f"human36m: {len(found)} of the {len(cache.records)} people prepared are {which}")
    # prepared under the other of its splits, it would have S5 learned from
    return split_by_subject(found)


def _picture(record: PoseRecord, cache: PreparedPose | None) -> str:
    """Where the picture that shows a record lies, whatever links lead there."""
    return _at(str(record.path) if cache is None else cache.source_of(record)[0])


_at = lru_cache(maxsize=2**16)(os.path.realpath)  # of tens of thousands of people


def _splits(records: Sequence[PoseRecord]) -> Counter[str]:
    return Counter(record.split for record in records)
