"""USF/NIST Gait Challenge 1.7 as half gait cycles of silhouettes, 71 people: gallery and probes A to G.

Sarkar et al., "The HumanID gait challenge problem", PAMI 27(2), 2005, as cut by Lu, Plataniotis, Venetsanopoulos,
"MPCA: multilinear principal component analysis of tensor objects", TNN 19(1), 2008. `fea3D` is uint8 (height 32,
width 22, time 10, sample), 1 on the background and 0 on the person; `gnd` (sample, 1) the person, 0 for one of those
in a probe whom the gallery does not have.
"""

from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from gaitnet.datasets.dropped import OUTSIDER, Dropped, hand_over
from gaitnet.datasets.record import Sequence, require_unique
from humanpose.datasets.matlab import read_matlab

SESSIONS = {
    "gallery": ("USF17Gal.mat", "NM"), "A": ("PrbA.mat", "NM"), "B": ("PrbB.mat", "SH"), "C": ("PrbC.mat", "SH"),
    "D": ("PrbD.mat", "SF"), "E": ("PrbE.mat", "SF+SH"), "F": ("PrbF.mat", "SF"), "G": ("PrbG.mat", "SF+SH"),
}  # fmt: skip
"""Session -> its file, and what differs from the gallery: A, C, F and G are also seen by the other camera."""

SUBJECTS = 71
CYCLE = 10
"""Frames of a sample."""


def read_usf(
    root: Path, dropped: list[Dropped] | None = None, sessions: Collection[str] = tuple(SESSIONS)
) -> list[Sequence]:
    """Every half cycle: `session` "gallery" or the probe's letter, `sequence` its number within person and session.

    A record's frames are those of the file as if its samples followed each other: 10 for each. `view` is None: the two
    cameras see people turn on an ellipse.

    Args:
        root: folder of `USF17Gal.mat`, `PrbA.mat`, ...
        dropped: is told of samples of people outside the gallery; where None, a warning sums it up.
        sessions: "gallery" and letters of probes; files of others are not opened.

    Raises:
        ValueError: `root` is no folder or holds none of the files; a file that is not what it should be.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the USF half cycles, got {root}, which is not a folder")
    files = {session: root / file for session, (file, _) in SESSIONS.items() if session in sessions}
    files = {session: path for session, path in files.items() if path.is_file()}
    if not files:
        names = [SESSIONS[session][0] for session in SESSIONS if session in sessions]
        wanted = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
        raise ValueError(f"root: expected {wanted} in {root}, got none of them; check the path")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    for session, path in files.items():
        people = _read(path, _stamp(path))[1]
        met: dict[int, int] = {}
        for sample, person in enumerate(people.tolist()):
            if person == 0:
                out.append(Dropped(OUTSIDER, f"{path.name} sample {sample + 1}", "gnd is 0"))
                continue
            met[person] = met.get(person, 0) + 1
            first, last = sample * CYCLE, sample * CYCLE + CYCLE - 1
            condition, number = SESSIONS[session][1], f"{met[person]:02d}"
            walks.append(
                Sequence(f"{person:02d}", condition, session, None, number, path, "", first, last, "silhouettes")
            )
    require_unique(walks)
    hand_over(out, dropped, f"USF in {root}")
    return walks


def load_usf(path: Path) -> UInt8[np.ndarray, "time 32 22"]:
    """All samples of a file one after the other, 10 frames each: 255 = person, 0 = background.

    Raises:
        ValueError: no such file, other shapes or types, or values beside 0 and 1.

    """
    return _read(Path(path), _stamp(path))[0]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = Path(path).stat()
    except OSError as error:
        raise ValueError(f"path: cannot read {path}: {error.strerror}; name a .mat file of USF") from None
    return about.st_size, about.st_mtime_ns


@lru_cache(maxsize=2)
def _read(path: Path, stamp: tuple[int, int]) -> tuple[UInt8[np.ndarray, "time 32 22"], Int[np.ndarray, " sample"]]:
    samples, people = read_matlab(path, "fea3D"), read_matlab(path, "gnd")
    for name, array in (("fea3D", samples), ("gnd", people)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "uif":
            raise ValueError(f"path: expected numbers as {name} in {path}, got something else; fetch it again")
    if samples.shape[:3] != (32, 22, CYCLE) or samples.ndim != 4 or not samples.shape[3]:
        raise ValueError(f"path: expected fea3D of (32, 22, {CYCLE}, sample) in {path}, got {samples.shape}")
    whole = people.dtype.kind in "ui" or (np.isfinite(people) & (people % 1 == 0)).all()
    if people.size != samples.shape[3] or people.ndim > 2 or not whole:
        raise ValueError(
            f"path: expected gnd with one whole number for each of {samples.shape[3]} samples in {path}, got "
            f"{people.shape}; fetch it again"
        )
    if not np.isin(samples, (0, 1)).all():
        raise ValueError(f"path: expected 0 (person) and 1 (background) as fea3D in {path}, got other values")
    if (people < 0).any():
        raise ValueError(f"path: expected people from 0 as gnd in {path}, got {people.min()}")
    # (height, width, time, sample) -> (sample, time, height, width), with the person bright
    frames = np.where(samples.transpose(3, 2, 0, 1) == 0, np.uint8(255), np.uint8(0)).reshape(-1, 32, 22)
    frames.flags.writeable = False  # it is shared by all walks of the file
    return frames, people.astype(np.int64).ravel()


def outsiders(path: Path) -> int:
    """How many people without a number a probe has at least: runs of 0 in `gnd`, whose people follow each other."""
    people = [1, *_read(Path(path), _stamp(path))[1].tolist()]
    return sum(now == 0 != before for before, now in pairwise(people))


def missing_of_usf(walks: list[Sequence]) -> list[str]:
    """What the release has and these walks have not, a sentence each."""
    sessions = {walk.session for walk in walks}
    missing = [f"{SESSIONS[name][0]} ({name})" for name in SESSIONS if name not in sessions]
    people = {walk.subject_id for walk in walks if walk.session == "gallery"}
    if "gallery" in sessions and len(people) < SUBJECTS:
        missing.append(f"people of the gallery: {len(people)} of {SUBJECTS}")
    return missing
