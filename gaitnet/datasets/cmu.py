"""Clips of the CMU motion capture data base, `SS_TT` (subject, trial), as BVH or as AMC with ASF: mocap.cs.cmu.edu.

There is no video: the clips move walkers, and the performer is the identity. 120 frames/s. Bone lengths alone name a
performer, so a result that is to speak of motion needs every clip on one common body.
"""

import re
from pathlib import Path

import numpy as np

from gaitnet.datasets.keypoints import Keypoints, keypoints_of
from gaitnet.datasets.record import Sequence, require_unique

SUFFIXES = (".bvh", ".amc")


def read_cmu(root: Path) -> list[Sequence]:
    """One record a clip, by performer and trial; `view` is None, since the camera is the caller's.

    Args:
        root: folder of the clips, or of the performers' folders, as in the published `subjects/07/07_01.amc`.

    Raises:
        ValueError: `root` is no folder or holds no `SS_TT.bvh` or `SS_TT.amc`; two files of one clip.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the BVH clips, got {root}, which is not a folder")
    clips: list[tuple[int, int, Path]] = []
    for pattern in ("*", "*/*", "subjects/*/*"):
        for path in root.glob(pattern):
            match = re.fullmatch(r"(\d{1,6})_(\d{1,6})", path.stem)
            if match and path.suffix.lower() in SUFFIXES and path.is_file():
                clips.append((int(match[1]), int(match[2]), path))
        if clips:
            break
    if not clips:
        raise ValueError(f"root: expected clips named SS_TT.bvh (or .amc) in {root}, got none; check the path")
    walks = [
        Sequence(f"{performer:02d}", "NM", "", None, f"{trial:02d}", path, kind="keypoints")
        for performer, trial, path in sorted(clips)
    ]
    require_unique(walks)
    return walks


def load_cmu(path: Path) -> Keypoints:
    """The 23 points of a walker in every frame of a clip, in metres, z up; see `gaitnet.walkers.bvh.Motion`.

    Raises:
        ValueError: what the reader of BVH or AMC finds wrong.

    """
    from gaitnet.walkers.asf import read_amc  # these bring jax, which reading names does without
    from gaitnet.walkers.body import POINTS
    from gaitnet.walkers.bvh import read_bvh

    motion = read_amc(path) if Path(path).suffix.lower() == ".amc" else read_bvh(path)
    places = np.asarray(motion.points)
    return keypoints_of(places, POINTS, motion.frame_rate, np.zeros(places.shape[:2], bool))
