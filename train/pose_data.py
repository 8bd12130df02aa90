"""The annotated pictures of the pose task: which are learned from, which only measure, and how a picture is fetched."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gaitnet.datasets.kth import VALIDATION_PERSONS
from humanpose.datasets.check import require_sound
from humanpose.datasets.kth import read_kth_landmarks
from humanpose.datasets.landmarks import nobody_on_their_head
from humanpose.datasets.lsp import LSPET_TRAINED, number_of, read_lsp
from humanpose.datasets.pictures import read_picture
from humanpose.datasets.prepare import is_prepared
from humanpose.datasets.prepared import PreparedPose
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import INDEX, from_blazepose
from train.data import Kept
from train.followed import read_followed
from train.held_out import require_apart
from train.legs import with_legs

OPINION = 0.7
"""How much BlazePose's opinion on a joint weighs beside the annotator's."""


@dataclass(frozen=True)
class PoseData:
    """Records of every part, and where their pictures are.

    `frames` are those of the videos among them, {(path, frame): uint8 RGB}; `prepared` the caches that records of
    theirs are of, by shard. Photographs are decoded when they are first asked for, and kept: decoding takes as long as
    everything else that is done to a sample.
    """

    photographs: list[PoseRecord]
    landmarks: list[PoseRecord]
    held_out: dict[str, list[PoseRecord]]
    frames: dict[tuple[Path, int], np.ndarray] = field(default_factory=dict)
    prepared: dict[Path, PreparedPose] = field(default_factory=dict)
    photograph: Kept = field(default_factory=lambda: Kept(read_picture))

    def image(self, record: PoseRecord) -> np.ndarray:
        """The record's picture, uint8 RGB; ValueError where it cannot be read."""
        if record.path in self.prepared:
            return self.prepared[record.path].image(record)
        if record.frame is not None:
            return self.frames[record.path, record.frame]
        return self.photograph(record.path)


def load_pose_data(
    root: Path, opinions: Path | None = None, legs: Path | None = None, followed: Path | None = None
) -> PoseData:
    """LSPET and KTH's landmarked frames under `root` (the folder GAITNET_DATA names), split as documented.

    `opinions`: the file of `train/blazepose.py`, a second opinion on the joints of LSPET's training photographs.
    `legs`: the file of `train.legs`, which legs of KTH's training references are the right ones.
    `followed`: the file of `train.followed`, joints in those of KTH's training frames that have no reference.

    Raises:
        ValueError: a data set is not there, or one of the files is another one.

    """
    everybody = read_lspet(root)
    require_sound(everybody)
    photographs = [record for record in everybody if record.has_extent]
    if opinions is not None:
        photographs = with_opinions(photographs, opinions)
    trained = [record for record in photographs if number_of(record) <= LSPET_TRAINED]
    measured = [record for record in photographs if number_of(record) > LSPET_TRAINED]
    _require_apart(trained, measured)
    kth = root / "kth_walking"
    _require_released(kth)
    walkers = read_kth_landmarks(kth, VALIDATION_PERSONS) if kth.is_dir() else []
    filmed, others = ([one for one in walkers if one.split == split] for split in ("train", "validation"))
    # the file of legs counts all references of a film, so that it is asked before any is left out
    filmed = _upright(filmed if legs is None else with_legs(filmed, legs))
    if followed is not None:
        filmed += read_followed(followed, kth, {(record.path.stem, record.frame or 0) for record in filmed})
    require_apart({record.path for record in filmed}, kth)
    held_out = {name: records for name, records in (("lspet", measured), ("kth", _upright(others))) if records}
    return PoseData(trained, filmed, held_out, _frames([*walkers, *filmed]))


def _upright(walkers: Sequence[PoseRecord]) -> list[PoseRecord]:
    """References of walkers without those that stand on their heads, of which nothing is right."""
    return [record for record in nobody_on_their_head(walkers) if record.visible.any()]


def _require_apart(trained: Sequence[PoseRecord], measured: Sequence[PoseRecord]) -> None:
    """Refuse, by a ValueError, a picture to learn from that is a link to one that only measures."""
    seen = {os.path.realpath(record.path) for record in measured}
    for record in trained:
        if os.path.realpath(record.path) in seen:
            raise ValueError(f"{record.path} is to be learned from, and leads to a picture that only measures")


def with_opinions(records: Sequence[PoseRecord], file: Path) -> list[PoseRecord]:
    """LSPET's records, those that are learned from with BlazePose's opinion on them (`train/blazepose.py`).

    An opinion counts `OPINION` where BlazePose says the same of the mirrored picture, to a fifth of the trunk's length,
    and nothing where it does not. ValueError where `file` is no such file.
    """
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as content:
            landmarks, presence = content["landmarks"], content["presence"]
        if landmarks.shape != (LSPET_TRAINED, 2, 33, 3) or presence.shape != (LSPET_TRAINED,):
            raise ValueError(f"landmarks are {landmarks.shape}")
        landmarks, presence = landmarks.astype(np.float32), presence.astype(np.float32)
    # NumPy and zipfile answer damaged and foreign files with whatever breaks first
    except Exception as error:
        raise ValueError(f"{file} is not a file of train/blazepose.py: {error}") from None
    everything = np.ones(landmarks.shape[:3], bool)
    keypoints, known = from_blazepose(landmarks[..., :2], everything)
    places = keypoints.mean(1)
    trunk = np.linalg.norm(places[:, INDEX["thorax"]] - places[:, INDEX["pelvis"]], axis=-1)
    apart = np.linalg.norm(keypoints[:, 0] - keypoints[:, 1], axis=-1)
    weight = OPINION * (known[:, 0] & (apart < 0.2 * trunk[:, None]) & (presence > 0.5)[:, None])
    opinions = np.concatenate([places, weight[..., None]], axis=-1).astype(np.float32)
    return [
        replace(record, opinion=opinions[number_of(record) - 1]) if number_of(record) <= LSPET_TRAINED else record
        for record in records
    ]


def weights_of(record: PoseRecord, hidden: float = 1.0) -> Float[np.ndarray, " 16"]:
    """What each joint of somebody counts in a loss: 1 where it is annotated, `hidden` where it is behind something."""
    covered = np.zeros(16, bool) if record.hidden is None else record.hidden
    return np.where(record.visible, np.where(covered, hidden, 1), 0).astype(np.float32)


def _require_released(folder: Path) -> None:
    """Refuse, by a ValueError, what `gaitnet datasets prepare` made: opinions and scenes are of whole pictures."""
    if is_prepared(folder):
        raise ValueError(
            f"{folder} is a prepared data set, and this training reads {folder.name} as it was released; of "
            "`train pose`, the presets mpii+lsp and human36m and their variants read either"
        )


def read_lspet(root: Path) -> list[PoseRecord]:
    """LSPET's photographs under `root`; ValueError where they are not there, or others are."""
    _require_released(root / "lspet")
    if not (root / "lspet" / "joints.mat").is_file():
        raise ValueError(f"{root} holds no lspet/joints.mat: point GAITNET_DATA at the folder of data sets")
    records = read_lsp(root / "lspet")
    # of LSP's the second half is for tests, which the number does not tell
    if records and records[0].source != "lspet":
        raise ValueError(f"{root / 'lspet'} holds {records[0].source}, by the axes of its joints.mat; lspet is wanted")
    return records


def _frames(records: Sequence[PoseRecord]) -> dict[tuple[Path, int], np.ndarray]:
    from gaitnet.video.read import read_video

    wanted: dict[Path, set[int]] = {}
    for record in records:
        if record.frame is not None:
            wanted.setdefault(record.path, set()).add(record.frame)
    found = {
        (path, frame.index): frame.image
        for path, indices in wanted.items()
        for frame in read_video(path)
        if frame.index in indices
    }
    for path, indices in wanted.items():
        missing = sorted(index for index in indices if (path, index) not in found)
        if missing:
            raise ValueError(f"{path} has no frame {missing[0]}, of which joints are known; it was cut off, or changed")
    return found
