"""The 16-joint body: names, limbs, left/right symmetry, and maps from other skeletons.

The order is MPII's as the original HumanPoseNN uses it: up the right leg, down the left, along the trunk, then both
arms. Every array in the project with a `joint` axis follows it.
"""

import numpy as np
from jaxtyping import Bool, Float

JOINTS = (
    "r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle",
    "pelvis", "thorax", "upper_neck", "head_top",
    "r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist",
)  # fmt: skip
"""Joint names; a joint's place in this tuple is its index everywhere."""

INDEX = {name: index for index, name in enumerate(JOINTS)}
"""Joint name -> index."""

LIMBS = tuple(
    (INDEX[a], INDEX[b])
    for a, b in [
        ("r_ankle", "r_knee"), ("r_knee", "r_hip"), ("r_hip", "pelvis"),
        ("l_ankle", "l_knee"), ("l_knee", "l_hip"), ("l_hip", "pelvis"),
        ("pelvis", "thorax"), ("thorax", "upper_neck"), ("upper_neck", "head_top"),
        ("r_wrist", "r_elbow"), ("r_elbow", "r_shoulder"), ("r_shoulder", "thorax"),
        ("l_wrist", "l_elbow"), ("l_elbow", "l_shoulder"), ("l_shoulder", "thorax"),
    ]
)  # fmt: skip
"""Pairs of joint indices that a drawing connects."""

LIMB_JOINTS = tuple(
    INDEX[f"{side}_{name}"] for name in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder") for side in "rl"
)
"""The 12 joints of arms and legs, which every common skeleton has."""


def _mirror(name: str) -> str:
    return {"r_": "l_", "l_": "r_"}.get(name[:2], name[:2]) + name[2:]


FLIP = np.array([INDEX[_mirror(name)] for name in JOINTS])
"""Permutation that exchanges left and right: `keypoints[..., FLIP, :]` after mirroring an image."""


def _select(
    keypoints: np.ndarray, visible: np.ndarray, sources: dict[str, tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Joints as means of source joints; missing where one of its sources is, or where the skeleton has none."""
    out = np.zeros((*keypoints.shape[:-2], len(JOINTS), 2), np.float32)
    seen = np.zeros((*keypoints.shape[:-2], len(JOINTS)), bool)
    for name, source in sources.items():
        index = INDEX[name]
        seen[..., index] = np.all(visible[..., list(source)], axis=-1)
        out[..., index, :] = keypoints[..., list(source), :].mean(-2)
    out[~seen] = 0
    return out, seen


_LSP = {
    "r_ankle": (0,), "r_knee": (1,), "r_hip": (2,), "l_hip": (3,), "l_knee": (4,), "l_ankle": (5,),
    "r_wrist": (6,), "r_elbow": (7,), "r_shoulder": (8,), "l_shoulder": (9,), "l_elbow": (10,), "l_wrist": (11,),
    "upper_neck": (12,), "head_top": (13,), "pelvis": (2, 3), "thorax": (8, 9),
}  # fmt: skip
_BLAZEPOSE = {
    "l_shoulder": (11,), "r_shoulder": (12,), "l_elbow": (13,), "r_elbow": (14,), "l_wrist": (15,), "r_wrist": (16,),
    "l_hip": (23,), "r_hip": (24,), "l_knee": (25,), "r_knee": (26,), "l_ankle": (27,), "r_ankle": (28,),
    "pelvis": (23, 24), "thorax": (11, 12),
}  # fmt: skip
_COCO = {
    "l_shoulder": (5,), "r_shoulder": (6,), "l_elbow": (7,), "r_elbow": (8,), "l_wrist": (9,), "r_wrist": (10,),
    "l_hip": (11,), "r_hip": (12,), "l_knee": (13,), "r_knee": (14,), "l_ankle": (15,), "r_ankle": (16,),
    "pelvis": (11, 12), "thorax": (5, 6),
}  # fmt: skip
_H36M = {
    "pelvis": (0,), "r_hip": (1,), "r_knee": (2,), "r_ankle": (3,), "l_hip": (4,), "l_knee": (5,), "l_ankle": (6,),
    "upper_neck": (8,), "head_top": (10,), "l_shoulder": (11,), "l_elbow": (12,), "l_wrist": (13,),
    "r_shoulder": (14,), "r_elbow": (15,), "r_wrist": (16,), "thorax": (11, 14),
}  # fmt: skip


def from_lsp(
    keypoints: Float[np.ndarray, "*lead 14 2"], visible: Bool[np.ndarray, "*lead 14"]
) -> tuple[Float[np.ndarray, "*lead 16 2"], Bool[np.ndarray, "*lead 16"]]:
    """LSP's 14 joints -> (keypoints, visible). Pelvis and thorax are the means of the hips and of the shoulders."""
    return _select(keypoints, visible, _LSP)


def from_blazepose(
    keypoints: Float[np.ndarray, "*lead 33 2"], visible: Bool[np.ndarray, "*lead 33"]
) -> tuple[Float[np.ndarray, "*lead 16 2"], Bool[np.ndarray, "*lead 16"]]:
    """BlazePose's 33 landmarks -> (keypoints, visible). Neck and head top do not exist there and stay missing."""
    return _select(keypoints, visible, _BLAZEPOSE)


def from_coco(
    keypoints: Float[np.ndarray, "*lead 17 2"], visible: Bool[np.ndarray, "*lead 17"]
) -> tuple[Float[np.ndarray, "*lead 16 2"], Bool[np.ndarray, "*lead 16"]]:
    """COCO's 17 joints -> (keypoints, visible). Neck and head top do not exist there and stay missing."""
    return _select(keypoints, visible, _COCO)


def from_h36m(
    keypoints: Float[np.ndarray, "*lead 17 2"], visible: Bool[np.ndarray, "*lead 17"]
) -> tuple[Float[np.ndarray, "*lead 16 2"], Bool[np.ndarray, "*lead 16"]]:
    """Human3.6M's 17 joints (hip, right leg, left leg, spine, neck, nose, head, left arm, right arm) -> the same.

    Their neck lies between the shoulders and the chin, as MPII's upper neck does. Their head is a point in the middle
    of the skull, lower than MPII's head top, for which it stands, as in the original HumanPoseNN's Human3.6M weights.
    """
    return _select(keypoints, visible, _H36M)
