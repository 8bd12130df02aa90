"""Names of data sets, of pose and of gait, and where under a folder they lie; the records of the pose data sets."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from gaitnet.cli.output import note

if TYPE_CHECKING:
    from humanpose.datasets.record import PoseRecord


class Name(StrEnum):
    """Data sets that can be read: people with joints, then walks (GAIT)."""

    LSP = "lsp"
    LSPET = "lspet"
    MPII = "mpii"
    HUMAN36M = "human36m"
    COCO = "coco"
    KTH = "kth"
    WALKERS = "walkers"
    CASIA_A = "casia-a"
    CASIA_B = "casia-b"
    TUM_GAID = "tum-gaid"
    USF = "usf"
    OPENGAIT = "opengait"
    KINECT = "kinect"
    UCALGARY = "ucalgary"
    CMU = "cmu"
    KTH_WALKS = "kth-walks"
    GAIT_FOLDER = "gait-folder"


GAIT = tuple(name for name in Name if list(Name).index(name) >= list(Name).index(Name.CASIA_A))
"""Data sets of walks; see `datasets_gait`."""

FOLDERS = {
    Name.HUMAN36M: ("human36m", "h36m"), Name.KTH: ("kth", "kth_walking"), Name.KTH_WALKS: ("kth", "kth_walking"),
    Name.CASIA_A: ("casia-a", "GaitDatasetA-silh", "GaitDatasetA"),
    Name.CASIA_B: ("casia-b", "GaitDatasetB-silh", "GaitDatasetB"),
    Name.TUM_GAID: ("tum-gaid", "TUM_GAID", "TUMGAID"), Name.USF: ("usf", "usf_gait17"),
    Name.KINECT: ("kinect", "kinect_gait"), Name.UCALGARY: ("ucalgary", "ucalgary_kinect"),
    Name.CMU: ("cmu", "cmu_walk"),
}  # fmt: skip
"""What a data set's folder is called in a folder of data sets, where not as the data set."""


PHOTOGRAPHS = (Name.LSP, Name.LSPET, Name.MPII, Name.COCO)
"""Data sets without videos."""


def folder_of(name: Name, root: Path) -> Path:
    """The data set's folder: `root` itself, or the one in it that has the data set's name.

    Raises:
        ValueError: `root` is no folder.

    """
    if not root.is_dir():
        raise ValueError(f"--root: expected the folder of the data set, got {root}, which is not a folder")
    return next((root / folder for folder in FOLDERS.get(name, (name.value,)) if (root / folder).is_dir()), root)


def records_of(name: Name, folder: Path, actions: list[str] | None, every: int) -> "list[PoseRecord]":
    """Everybody in a data set; see the readers in `humanpose.datasets`.

    Args:
        name: which.
        folder: its own, see `folder_of`.
        actions: of Human3.6M; None for its walking, or for all where it has no walking.
        every: only every so many-th frame of a recording; of photographs, see `thinned`.

    Raises:
        ValueError: it cannot be read, holds nobody, or has no actions or videos to choose from.

    """
    from humanpose.datasets.prepare import is_prepared

    if is_prepared(folder):
        raise ValueError(
            f"{folder} is a prepared data set; name the folder of {name.value} as it was released. `python -m train` "
            "reads prepared ones of mpii, lsp, lspet and human36m, with the presets mpii+lsp and human36m"
        )
    if actions and name is not Name.HUMAN36M:
        raise ValueError(f"--action: only human36m has actions to choose from, not {name.value}; leave it out")
    records = _read(name, folder, actions, every)
    if not records:
        asked = f" of {', '.join(actions)}" if actions else ""
        raise ValueError(f"{folder} holds nobody{asked} with joints")
    return records


def thinned(name: Name, records: "list[PoseRecord]", every: int) -> "list[PoseRecord]":
    """Everybody in every so many-th photograph; of videos, frames were chosen when they were read."""
    if name not in PHOTOGRAPHS:
        return records
    kept = set(list(dict.fromkeys(record.path for record in records))[::every])
    return [record for record in records if record.path in kept]


def _read(name: Name, folder: Path, actions: list[str] | None, every: int) -> "list[PoseRecord]":
    if name is Name.MPII:
        from humanpose.datasets.mpii import read_mpii

        return read_mpii(folder)
    if name is Name.COCO:
        from humanpose.datasets.coco import read_coco

        return read_coco(folder)
    if name is Name.WALKERS:
        from humanpose.datasets.walkers import read_walkers

        return read_walkers(folder, every)
    if name is Name.KTH:
        from gaitnet.datasets.kth import VALIDATION_PERSONS
        from humanpose.datasets.kth import read_kth_landmarks

        return read_kth_landmarks(folder, VALIDATION_PERSONS)[::every]
    if name is Name.HUMAN36M:
        from humanpose.datasets.human36m import WALKING, read_human36m

        walking = read_human36m(folder, actions or WALKING, every=every)
        if walking or actions:
            return walking
        note(f"{folder} holds no {' or '.join(WALKING)}; all actions are taken")
        return read_human36m(folder, None, every=every)
    from humanpose.datasets.lsp import read_lsp

    records = read_lsp(folder)
    if records and records[0].source != name.value:
        raise ValueError(f"{folder} holds {records[0].source}, by the axes of its joints.mat; ask for that")
    return records
