"""Leeds Sports Pose (Johnson & Everingham, BMVC 2010) and its extended set (CVPR 2011): `joints.mat` -> records."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from humanpose.datasets.matlab import read_matlab
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import box_from_keypoints
from humanpose.skeleton import from_lsp

LSPET_TRAINED = 3600
"""Of the extended set, photographs 1..3600 are learned from; the others only measure."""

LSP_TRAINED = 1000
"""Of the first set, photographs 1..1000 are learned from, as its authors say; the others test."""


def read_lsp(directory: str | Path) -> list[PoseRecord]:
    """Read a folder with `joints.mat` and `images/` into one record per image, in the order of the images.

    Record k is image k + 1: `images/im00001.jpg` in the extended set, `images/im0001.jpg` in the first; the pictures
    need not be there. Boxes are the tight ones about the visible joints. Raises ValueError where the file is not one
    of the two.
    """
    folder = Path(directory)
    keypoints, visible, extended = read_joints(folder / "joints.mat")
    joints, seen = from_lsp(keypoints, visible)
    boxes = box_from_keypoints(keypoints, visible)
    digits, source = (5, "lspet") if extended else (4, "lsp")
    trained, other = (LSPET_TRAINED, "validation") if extended else (LSP_TRAINED, "test")
    return [
        PoseRecord(
            folder / "images" / f"im{row + 1:0{digits}d}.jpg", None, boxes[row], joints[row], seen[row], source,
            split="train" if row < trained else other,
        )
        for row in range(len(joints))
    ]  # fmt: skip


def number_of(record: PoseRecord) -> int:
    """The photograph's number in its set, from 1."""
    return int(record.path.stem.removeprefix("im"))


def read_joints(
    path: str | Path,
) -> tuple[Float[np.ndarray, "image 14 2"], Bool[np.ndarray, "image 14"], bool]:
    """Read `joints.mat` -> (keypoints in image pixels, visible, whether it is the extended set), LSP's own 14 joints.

    The two sets differ in axis order, and in the sense of the third row: the extended one is (14, 3, image) = x, y,
    visible, and a joint that is not visible has no position; the first is (3, 14, image) = x, y, invisible, and a
    hidden joint has a guessed position, which counts as missing here. Missing positions are 0. Raises ValueError for
    any other content, and where the flags tell that the axes of one set have been put into the other's order.
    """
    joints = np.asarray(read_matlab(path, "joints"))
    if joints.ndim != 3 or joints.dtype.kind not in "fiu" or joints.shape[:2] not in ((14, 3), (3, 14)):
        raise ValueError(
            f"path {str(path)!r}: 'joints' must be (14, 3, image) as in LSP extended or (3, 14, image) as in LSP, "
            f"got {joints.shape} of {joints.dtype}"
        )
    extended = joints.shape[0] == 14
    table = (joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)).astype(np.float32)
    flags = table[..., 2]
    if not np.isin(flags, (0, 1)).all():
        raise ValueError(
            f"path {str(path)!r}: the third number of a joint in 'joints' {joints.shape} must be a flag of 0 or 1; its "
            "axes were reshaped, or are in another order: take the file as it was published"
        )
    visible = (flags == 1) == extended
    if visible.size and visible.mean() < 0.5:  # in either set more than 8 of 10 are
        raise ValueError(
            f"path {str(path)!r}: 'joints' has the axes {joints.shape} of LSP{' extended' if extended else ''}, but by "
            f"its flags only {visible.mean():.0%} of the joints are visible; the other set was brought into this "
            "order, and its flag means the opposite: take the file as it was published"
        )
    return np.where(visible[..., None], table[..., :2], np.float32(0)), visible, extended
