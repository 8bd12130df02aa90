"""Real motion: ASF/AMC clips of the CMU motion capture library -> the 23 points of a walker."""

from pathlib import Path

import numpy as np

from gaitnet.walkers.asf_file import bone_ends, malformed
from gaitnet.walkers.bvh import Motion, motion_of

__all__ = ["FRAME_RATE", "bone_ends", "read_amc", "skeleton_beside"]

FRAME_RATE = 120.0
"""Frames per second of the CMU library; an .amc file does not say it."""
INCH = 0.0254
"""Metres. In CMU's files a length divided by the length factor (0.45) is in inches."""

_LIMBS = (
    ("Hip", "hipjoint"), ("Knee", "femur"), ("Ankle", "tibia"), ("Toe", "foot"), ("Shoulder", "clavicle"),
    ("Elbow", "humerus"), ("Wrist", "radius"),
)  # fmt: skip
_ENDS = {
    **{f"{side}{joint}": f"{side[0].lower()}{bone}" for side in ("Right", "Left") for joint, bone in _LIMBS},
    "Neck": "lowerneck",
    "Head": "upperneck",
}
"""Joint as the BVH conversions of the library call it -> the bone that ends there."""

_LEG = (0.4, 1.4)
"""Metres from hip to ankle of anybody who walks: a body outside it is in another unit."""


def skeleton_beside(amc: str | Path) -> Path:
    """The .asf of an .amc clip in its folder: of the same stem, of the part before the last `_`, or the only one.

    Raises:
        ValueError: there is none, or several of other names.
    """
    amc = Path(amc)
    here = sorted(path for path in amc.absolute().parent.glob("*") if path.suffix.lower() == ".asf")
    for stem in (amc.stem, amc.stem.rpartition("_")[0]):
        for path in here:
            if stem and path.stem.lower() == stem.lower():
                return path
    if len(here) == 1:
        return here[0]
    subject = amc.stem.rpartition("_")[0] or amc.stem
    found = f"{len(here)} of other names" if here else "none"
    raise ValueError(f"{amc}: expected its skeleton {subject}.asf beside it, found {found}; put the .asf there")


def read_amc(path: str | Path, skeleton: str | Path | None = None, frame_rate: float = FRAME_RATE) -> Motion:
    """A clip of the CMU library with its skeleton -> the 23 points of a walker at every frame.

    The files' y is up; their z and x become our x and y. Head top, nose, heels, toe caps and hands are no ends of bones
    there (or of bones that captures leave still) and are placed on the extension of those that are, as `read_bvh` does.

    Args:
        path: an .amc file.
        skeleton: its .asf; by default `skeleton_beside(path)`.
        frame_rate: frames per second: the file does not say it.

    Raises:
        ValueError: no ASF or AMC file, cut short, not finite, no skeleton beside it, a skeleton without the bones of
            CMU's (all named), or not the size of a person.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path: cannot read {path}: there is no such file; name an .amc with its .asf beside it")
    asf = skeleton_beside(path) if skeleton is None else Path(skeleton)
    ends, length = bone_ends(path, asf)
    missing = [bone for bone in _ENDS.values() if bone not in ends]
    if missing:
        raise malformed(asf, "the bones of CMU's skeletons", f"none called {', '.join(missing)}")
    joints = {name: INCH / length * ends[bone][:, [2, 0, 1]] for name, bone in _ENDS.items()}
    leg = sum(
        float(np.linalg.norm(joints[f"Right{start}"][0] - joints[f"Right{end}"][0]))
        for start, end in (("Hip", "Knee"), ("Knee", "Ankle"))
    )
    if not _LEG[0] < leg < _LEG[1]:
        raise malformed(asf, f"legs of {_LEG[0]} to {_LEG[1]} metres (inches x the length of :units)", f"{leg:.3g} m")
    return motion_of(joints, np.zeros(3), frame_rate)
