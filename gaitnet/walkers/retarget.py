"""Recorded motion on a given body: its joints' directions, the body's lengths, standing feet that stand still."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from gaitnet.walkers import norms
from gaitnet.walkers.body import POINTS, RADII, Body, common_body

_AT = {name: index for index, name in enumerate(POINTS)}
_SLOW, _LOW = 0.40, 0.05
"""A heel or toe stands that moves slower (m/s) and is lower over its lowest (metres) than this."""


def body_of(points: Float[np.ndarray, "time 23 3"]) -> Body:
    """The body whose lengths these points have (medians over time, means of both sides), with girths to suit.

    Girths are the common body's, in proportion to stature, and in the trunk and limbs as broad as hips and shoulders.
    """

    def length(*pairs: tuple[str, str]) -> float:
        spans = [np.linalg.norm(points[:, _AT[start]] - points[:, _AT[end]], axis=-1) for start, end in pairs]
        return float(np.median(spans))

    def both(start: str, end: str) -> float:
        return length((f"r_{start}", f"r_{end}"), (f"l_{start}", f"l_{end}"))

    foot = both("heel", "toe") / (norms.HEEL_FRACTION + norms.TOE_FRACTION)
    lengths = {
        "thigh": both("hip", "knee"), "shank": both("knee", "ankle"), "trunk": length(("pelvis", "thorax")),
        "neck": length(("thorax", "upper_neck")), "head": length(("upper_neck", "head_top")), "foot": foot,
        "hip_width": length(("r_hip", "l_hip")), "shoulder_width": length(("r_shoulder", "l_shoulder")),
        "upper_arm": both("shoulder", "elbow"), "forearm": both("elbow", "wrist"), "hand": 2 * both("wrist", "hand"),
    }  # fmt: skip
    mean = common_body()
    lengths["ankle_height"] = float(mean.ankle_height / mean.foot) * foot
    stature = sum(lengths[name] for name in norms.UPRIGHT)
    tall = stature / float(mean.stature)
    broad = (lengths["hip_width"] + lengths["shoulder_width"]) / float(mean.hip_width + mean.shoulder_width) / tall
    follows = np.array([norms.GIRTHS[name][3] for name in RADII])
    radii = np.asarray(mean.radii) * tall * np.clip(broad, 0.8, 1.25) ** (1.5 * follows)
    values = {name: jnp.float32(value) for name, value in lengths.items()}
    return Body(
        stature=jnp.float32(stature),
        sex=jnp.float32(0.5),
        bmi=mean.bmi,
        radii=jnp.asarray(radii, jnp.float32),
        **values,
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _standing(points: np.ndarray, name: str, frame_rate: float) -> np.ndarray:
    """Frames (time,) in which a heel or toe stands, without runs and gaps shorter than 50 ms."""
    place = points[:, _AT[name]]
    speed = np.linalg.norm(np.gradient(place[:, :2], axis=0), axis=1) * frame_rate if len(place) > 1 else np.zeros(1)
    stands = (speed < _SLOW) & (place[:, 2] < np.percentile(place[:, 2], 2) + _LOW)
    shortest = max(1, round(0.05 * frame_rate))
    for value in (False, True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], (stands == value).astype(int), [0]])))
        for start, end in edges.reshape(-1, 2):
            if end - start < shortest and start > 0 and end < len(stands):
                stands[start:end] = not value
    return stands


def retarget(
    points: Float[np.ndarray, "time 23 3"], body: Body, frame_rate: float = 120.0
) -> Float[np.ndarray, "time 23 3"]:
    """These motions on that body, in the same frame and at the same rate.

    Every segment keeps its direction and takes the body's length; the way is longer or shorter as the legs are. Heels
    and toes that stood stand still at the height of their radius; what that asks of the legs, hips and knees give.

    Args:
        points: (time, point, xyz) metres, +z up, as from `read_bvh` (and `align_heading`).
        body: `common_body()` to compare motion alone, `body_of(points)` for the performer's own.
        frame_rate: frames per second.
    """
    length = {name: float(value) for name, value in body._asdict().items() if name != "radii"}
    radius = float(body.radii[RADII.index("foot")])
    source = {name: points[:, index].astype(float) for name, index in _AT.items()}

    def towards(start: str, end: str) -> np.ndarray:
        return _unit(source[end] - source[start])

    old_leg = np.mean([
        np.linalg.norm(source[f"{side}_{a}"] - source[f"{side}_{b}"], axis=1).mean()
        for side in "rl" for a, b in (("hip", "knee"), ("knee", "ankle"))
    ])  # fmt: skip
    scale = (length["thigh"] + length["shank"]) / 2 / old_leg
    new = {"pelvis": source["pelvis"] * scale}
    new["thorax"] = new["pelvis"] + length["trunk"] * towards("pelvis", "thorax")
    new["upper_neck"] = new["thorax"] + length["neck"] * towards("thorax", "upper_neck")
    new["head_top"] = new["upper_neck"] + length["head"] * towards("upper_neck", "head_top")
    new["nose"] = new["upper_neck"] + length["head"] * (
        (source["nose"] - source["upper_neck"])
        / np.linalg.norm(source["head_top"] - source["upper_neck"], axis=1, keepdims=True)
    )
    for side, sign in (("r", -1), ("l", 1)):
        across = sign * towards("r_shoulder", "l_shoulder")
        chain = new["thorax"] + length["shoulder_width"] / 2 * across
        new[f"{side}_shoulder"] = chain
        for start, end, span in (("shoulder", "elbow", "upper_arm"), ("elbow", "wrist", "forearm")):
            chain = chain + length[span] * towards(f"{side}_{start}", f"{side}_{end}")
            new[f"{side}_{end}"] = chain
        new[f"{side}_hand"] = chain + 0.5 * length["hand"] * towards(f"{side}_wrist", f"{side}_hand")
        hip = new["pelvis"] + sign * length["hip_width"] / 2 * towards("r_hip", "l_hip")
        knee = hip + length["thigh"] * towards(f"{side}_hip", f"{side}_knee")
        new[f"{side}_hip"], new[f"{side}_knee"] = hip, knee
        new[f"{side}_ankle"] = knee + length["shank"] * towards(f"{side}_knee", f"{side}_ankle")
        _add_foot(new, source, side, body, radius)
    _plant(new, source, length, radius, frame_rate)
    return np.stack([new[name] for name in POINTS], 1).astype(np.float32)


def _add_foot(new: dict, source: dict, side: str, body: Body, radius: float) -> None:
    """Heel and toe below the ankle, along the recorded sole."""
    ahead = _unit(source[f"{side}_toe"] - source[f"{side}_heel"])
    up = source[f"{side}_ankle"] - source[f"{side}_heel"]
    up = _unit(up - np.sum(up * ahead, 1, keepdims=True) * ahead)
    low = new[f"{side}_ankle"] - (float(body.ankle_height) - radius) * up
    new[f"{side}_heel"] = low - norms.HEEL_FRACTION * float(body.foot) * ahead
    new[f"{side}_toe"] = low + norms.TOE_FRACTION * float(body.foot) * ahead


def _plant(new: dict, source: dict, length: dict, radius: float, frame_rate: float) -> None:
    """Moves feet onto their footholds and puts knees where the legs' lengths ask, in place."""
    points = np.stack([source[name] for name in POINTS], 1)
    lowest = np.min([new[f"{side}_{end}"][:, 2] for side in "rl" for end in ("heel", "toe")], axis=0)
    sink = _blur(radius - lowest, 0.03 * frame_rate)
    for place in new.values():
        place[:, 2] += sink
    for side in "rl":
        shift, weight = np.zeros((len(points), 3)), np.zeros(len(points))
        for end in ("heel", "toe"):
            place, stands = new[f"{side}_{end}"], _standing(points, f"{side}_{end}", frame_rate)
            edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(int), [0]])))
            for start, stop in edges.reshape(-1, 2):
                foothold = np.array([*np.median(place[start:stop, :2], axis=0), radius])
                # A run is believed less near its ends, so that heel hands over to toe without a jump.
                frames = np.arange(start, stop)
                trust = np.minimum(np.minimum(frames - start + 1, stop - frames) / (0.06 * frame_rate), 1.0)
                shift[start:stop] += trust[:, None] * (foothold - place[start:stop])
                weight[start:stop] += trust
        known = weight > 0
        if not known.any():
            continue
        shift[known] /= weight[known, None]
        frames = np.arange(len(points))
        shift = np.stack(
            [_blur(np.interp(frames, frames[known], column[known]), 0.02 * frame_rate) for column in shift.T], 1
        )
        below = radius - np.minimum(*(new[f"{side}_{end}"][:, 2] + shift[:, 2] for end in ("heel", "toe")))
        shift[:, 2] += np.maximum(below, 0.0)
        for name in ("ankle", "heel", "toe"):
            new[f"{side}_{name}"] = new[f"{side}_{name}"] + shift
    _bend(new, length, frame_rate)


def _blur(values: np.ndarray, frames: float) -> np.ndarray:
    reach = max(1, int(3 * frames))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(frames, 0.3)) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), weights / weights.sum(), "valid")


def _bend(new: dict, length: dict, frame_rate: float) -> None:
    """Lowers the trunk where a leg would have to be longer than it is, then bends both knees."""
    reach = 0.999 * (length["thigh"] + length["shank"])
    excess = np.zeros(len(new["pelvis"]))
    for side in "rl":
        span = new[f"{side}_ankle"] - new[f"{side}_hip"]
        aside = np.sum(span[:, :2] ** 2, axis=1)
        excess = np.maximum(excess, -span[:, 2] - np.sqrt(np.maximum(reach**2 - aside, 0.01)))
    reach_frames = max(1, round(0.08 * frame_rate))
    padded = np.pad(excess, reach_frames, mode="edge")
    around = np.max(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach_frames + 1), axis=1)
    # The blur of the largest excess nearby is never less than the excess itself.
    drop = np.maximum(_blur(around, reach_frames / 3), excess)
    for name, place in new.items():
        if not name.endswith(("ankle", "heel", "toe")):
            place[:, 2] -= drop
    for side in "rl":
        hip, ankle, knee = new[f"{side}_hip"], new[f"{side}_ankle"], new[f"{side}_knee"]
        span = ankle - hip
        square = np.sum(span**2, axis=1, keepdims=True)
        part = (length["thigh"] ** 2 - length["shank"] ** 2 + square) / (2 * square)
        # A straight leg has no bend to keep: a little of straight ahead says where the knee goes.
        forward = _unit(np.cross(new["l_hip"] - new["r_hip"], np.array([0.0, 0.0, 1.0])))
        pole = knee - hip + 0.05 * forward
        pole = _unit(pole - np.sum(pole * span, axis=1, keepdims=True) / square * span)
        height = np.sqrt(np.maximum(length["thigh"] ** 2 - part**2 * square, 0.0))
        new[f"{side}_knee"] = hip + part * span + height * pole
