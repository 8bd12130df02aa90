"""The annotated pictures of the pose task: which are learned from, which only measure, and how a picture is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from gaitnet.datasets.kth import VALIDATION_PERSONS
from humanpose.datasets.landmarks import body_box, read_landmarks, walks_left
from humanpose.datasets.lsp import LSPET_TRAINED, number_of, read_lsp
from humanpose.datasets.record import PoseRecord
from train.data import Kept


@dataclass(frozen=True)
class PoseData:
    """Records of every part, and the frames of the videos among them: {(path, frame): uint8 RGB}.

    Photographs are decoded when they are first asked for, and kept: decoding takes as long as everything else that is
    done to a sample.
    """

    photographs: list[PoseRecord]
    landmarks: list[PoseRecord]
    held_out: dict[str, list[PoseRecord]]
    frames: dict[tuple[Path, int], np.ndarray]
    photograph: Kept = field(default_factory=lambda: Kept(read_picture))

    def image(self, record: PoseRecord) -> np.ndarray:
        """The record's picture, uint8 RGB; ValueError where a photograph cannot be read."""
        if record.frame is not None:
            return self.frames[record.path, record.frame]
        return self.photograph(record.path)


def load_pose_data(root: Path) -> PoseData:
    """LSPET and KTH's landmarked frames under `root` (the folder GAITNET_DATA names), split as documented.

    Raises:
        ValueError: a data set is not there.

    """
    photographs = [record for record in read_lspet(root) if record.has_extent]
    trained = [record for record in photographs if number_of(record) <= LSPET_TRAINED]
    measured = [record for record in photographs if number_of(record) > LSPET_TRAINED]
    files = sorted((root / "kth_walking").glob("*.reference.json"))
    people: dict[bool, list[PoseRecord]] = {True: [], False: []}
    for file in files:
        people[is_held_out(file)].extend(_as_followed(read_landmarks(file)))
    held_out = {name: records for name, records in (("lspet", measured), ("kth", people[True])) if records}
    return PoseData(trained, people[False], held_out, _frames([*people[False], *people[True]]))


def is_held_out(file: Path) -> bool:
    """Whether a file of KTH's shows one of the persons who only measure."""
    return file.name.removeprefix("person").split("_")[0] in VALIDATION_PERSONS


def read_lspet(root: Path) -> list[PoseRecord]:
    """LSPET's photographs under `root`; ValueError where they are not there."""
    if not (root / "lspet" / "joints.mat").is_file():
        raise ValueError(f"{root} holds no lspet/joints.mat: point GAITNET_DATA at the folder of data sets")
    return read_lsp(root / "lspet")


def read_picture(path: Path) -> np.ndarray:
    """A photograph, uint8 RGB; ValueError where it cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError(f"{path} cannot be read as a picture: fetch the data set again, or remove its record")
    return np.asarray(picture)


@lru_cache
def film_of(path: Path) -> Path:
    """The file named by the landmarks, or the same film in the other container."""
    return path if path.exists() else path.with_suffix(".mp4")


def _as_followed(records: list[PoseRecord]) -> list[PoseRecord]:
    """A film's landmarks, boxed about the whole body and facing as the crops of somebody followed in a video are."""
    return [
        replace(record, path=film_of(record.path), box=body_box(record), walks_left=left)
        for record, left in zip(records, walks_left(records), strict=True)
    ]


def _frames(records: Sequence[PoseRecord]) -> dict[tuple[Path, int], np.ndarray]:
    from gaitnet.video.read import read_video

    wanted: dict[Path, set[int]] = {}
    for record in records:
        if record.frame is not None:
            wanted.setdefault(record.path, set()).add(record.frame)
    return {
        (path, frame.index): frame.image
        for path, indices in wanted.items()
        for frame in read_video(path)
        if frame.index in indices
    }
