"""Clips of the CMU motion capture data base as BVH files `SS_TT.bvh` (subject, trial): mocap.cs.cmu.edu.

There is no video: the clips move walkers, and the performer is the identity. 120 frames/s. Bone lengths alone name a
performer, so a result that is to speak of motion needs every clip on one common body.
"""

import re
from pathlib import Path

from gaitnet.datasets.record import Sequence


def read_cmu(root: Path) -> list[Sequence]:
    """One record a clip, by performer and trial; `view` is None, since the camera is the caller's.

    Raises:
        ValueError: `root` is no folder or holds no `SS_TT.bvh`.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected the folder of the BVH clips, got {root}, which is not a folder")
    clips = []
    for path in root.iterdir():
        match = re.fullmatch(r"(\d+)_(\d+)", path.stem)
        if match and path.suffix.lower() == ".bvh":
            clips.append((int(match[1]), int(match[2]), path))
    if not clips:
        raise ValueError(f"root: expected clips named SS_TT.bvh in {root}, got none; check the path")
    return [
        Sequence(f"{performer:02d}", "NM", "", None, f"{trial:02d}", path) for performer, trial, path in sorted(clips)
    ]
