"""Whether the joints of a whole data set are those of bodies: told by medians, which single crooked people do not move.

An array of the right shape with its joints in another order, or with x and y exchanged, passes every check of one
person. Over many people it does not: somebody's knee would be as far from the hip as the wrist is.
"""

import numpy as np
from jaxtyping import Bool, Float

from humanpose.skeleton import INDEX

LEAST = 50
"""People, with all joints that a median is about, below which nothing is said."""

UPRIGHT = 200
"""The same, for the way that trunks point: gymnasts come in rows."""

TRUNK = ("l_shoulder", "r_shoulder", "l_hip", "r_hip")

RATIOS = {
    **{f"{side} thigh over shin": (f"{s}_hip", f"{s}_knee", f"{s}_knee", f"{s}_ankle", 0.5, 1.8)
       for s, side in (("r", "right"), ("l", "left"))},
    **{f"{side} upper arm over forearm": (f"{s}_shoulder", f"{s}_elbow", f"{s}_elbow", f"{s}_wrist", 0.5, 2.2)
       for s, side in (("r", "right"), ("l", "left"))},
    **{f"left {name} over the right one": (f"l_{a}", f"l_{b}", f"r_{a}", f"r_{b}", 0.67, 1.5)
       for name, a, b in (("thigh", "hip", "knee"), ("shin", "knee", "ankle"), ("upper arm", "shoulder", "elbow"),
                          ("forearm", "elbow", "wrist"))},
    "head to neck over head to ankle": ("head_top", "upper_neck", "head_top", "r_ankle", 0.0, 0.4),
    "trunk over thigh": ("r_shoulder", "r_hip", "r_hip", "r_knee", 0.6, 2.3),
    "shoulder to neck over shoulder to head": ("r_shoulder", "upper_neck", "r_shoulder", "head_top", 0.0, 0.95),
    **{f"shoulder to shoulder over shoulder to {side} wrist":
       (f"{t}_shoulder", f"{s}_shoulder", f"{t}_shoulder", f"{s}_wrist", 0.0, 1.15)
       for s, t, side in (("r", "l", "right"), ("l", "r", "left"))},
    **{f"hip to hip over hip to {side} ankle": (f"{t}_hip", f"{s}_hip", f"{t}_hip", f"{s}_ankle", 0.0, 0.9)
       for s, t, side in (("r", "l", "right"), ("l", "r", "left"))},
    **{f"neck to {side} shoulder over neck to {side} wrist":
       ("upper_neck", f"{s}_shoulder", "upper_neck", f"{s}_wrist", 0.0, 0.8)
       for s, side in (("r", "right"), ("l", "left"))},
    # the joint in the middle of a limb is nearer to either end than the ends are to each other
    **{f"{side} {a} to {b} over {a} to {c}": (f"{s}_{a}", f"{s}_{b}", f"{s}_{a}", f"{s}_{c}", 0.0, 0.95)
       for s, side in (("r", "right"), ("l", "left"))
       for a, b, c in (("shoulder", "elbow", "wrist"), ("wrist", "elbow", "shoulder"),
                       ("hip", "knee", "ankle"), ("ankle", "knee", "hip"))},
}  # fmt: skip
"""What is compared -> from where to where, over from where to where, and between which bounds the median lies.

In the data sets of this package thigh and shin, and left and right, differ by 11 % at most, arms by 33 %. The middle of
a limb is 0.46 to 0.62 of its ends' distance from either of them, and 0.70 at most in any hundred people who follow each
other; with the middle and an end exchanged that is 1.6 and more.
"""


def untold(visible: Bool[np.ndarray, "person 16"]) -> list[str]:
    """What `unlike_bodies` cannot tell, because too few people have the joints for it: in words, none where it can."""
    told = []
    people = [visible[:, [INDEX[joint] for joint in of[:4]]] for of in RATIOS.values()]
    # joints that nobody has, as a head in KTH's landmarks, stand in no order
    counts = [int(seen.all(-1).sum()) for seen in people if seen.any(0).all()]
    if min(counts, default=0) < LEAST:
        told.append(
            "too few people to tell whether all joints stand in the right order: as few as "
            f"{min(counts, default=0)} have those that are compared, {LEAST} are needed"
        )
    trunks = int(visible[:, [INDEX[name] for name in TRUNK]].all(-1).sum())
    if trunks < UPRIGHT:
        told.append(
            f"too few people to tell whether x and y are exchanged, or y is counted from below: {trunks} show their "
            f"trunk, {UPRIGHT} are needed"
        )
    return told


def unlike_bodies(
    keypoints: Float[np.ndarray, "person 16 2"], visible: Bool[np.ndarray, "person 16"]
) -> tuple[list[str], list[str]]:
    """What is unlike bodies, in words: (lengths, which tell of joints in another order; trunks, which tell of axes)."""
    lengths = []
    for name, (a, b, c, d, least, most) in RATIOS.items():
        joints = [INDEX[joint] for joint in (a, b, c, d)]
        there = visible[:, joints].all(-1)
        if there.sum() < LEAST:
            continue
        first, second, third, fourth = np.moveaxis(keypoints[there][:, joints], 1, 0)
        over, under = np.linalg.norm(first - second, axis=-1), np.linalg.norm(third - fourth, axis=-1)
        ratio = float(np.median(over / np.maximum(under, 1e-6)))
        if not least <= ratio <= most:
            lengths.append(f"{name} {ratio:.2f}, expected {least} to {most}")
    return lengths, _trunks(keypoints, visible)


def _trunks(keypoints: np.ndarray, visible: np.ndarray) -> list[str]:
    joints = [INDEX[name] for name in TRUNK]
    there = visible[:, joints].all(-1)
    if there.sum() < UPRIGHT:
        return []
    left_shoulder, right_shoulder, left_hip, right_hip = np.moveaxis(keypoints[there][:, joints], 1, 0)
    down = left_hip + right_hip - left_shoulder - right_shoulder
    upright, standing = np.mean(np.abs(down[:, 1]) > np.abs(down[:, 0])), np.mean(down[:, 1] > 0)
    found = []
    if upright < 0.4:
        found.append(f"only {upright:.0%} of the trunks are more upright than not: are x and y exchanged?")
    if standing < 0.4:
        found.append(f"only {standing:.0%} of the shoulders are above the hips: is y counted from below?")
    return found
