"""A dressed walker as round cones: two spheres and what lies between them, some flattened in their own frame."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaitnet.walkers.appearance import MATERIALS, Appearance
from gaitnet.walkers.body import POINTS, RADII

_SKIN, _HAIR, _TOP, _TROUSERS, _SHOES, _BAG, _EYES, _SOLE = range(len(MATERIALS))

Vector = Float[Array, "xyz=3"]
Scalar = Float[Array, ""]


class Cones(NamedTuple):
    """The walker's shape; metres, world axes."""

    start: Float[Array, "cone xyz=3"]
    end: Float[Array, "cone xyz=3"]
    radius: Float[Array, "cone end=2"]
    """At start and end; a cone whose radii are not positive is not there."""
    squeeze: Float[Array, "cone xyz=3 xyz2=3"]
    """Symmetric matrix that makes the cone round: identity, or one over the half axes of an elliptic section."""
    material: Int[Array, " cone"]
    """Index in MATERIALS."""
    flat: Float[Array, " cone"]
    """How much of the slope along the axis the light sees: 1 as it is, less where cloth bridges the cones' seams."""
    across: Float[Array, " cone"]
    """Metres of cloth, measured along the walker, where the cone starts: patterns run on over neighbours."""


def _unit(vector: Array) -> Array:
    return vector / (jnp.linalg.norm(vector) + 1e-9)


def _frame(lateral: Vector, up: Vector) -> tuple[Vector, Vector, Vector]:
    """Unit forward, left and up of a body part from its rough left and its up."""
    up = _unit(up)
    forward = _unit(jnp.cross(lateral, up))
    return forward, jnp.cross(up, forward), up


def _squeeze(
    frame: tuple[Vector, Vector, Vector], depth: Scalar | float, breadth: Scalar | float, height: Scalar | float
) -> Array:
    basis = jnp.stack(frame)
    scale = 1 / jnp.stack([jnp.asarray(half, jnp.float32) for half in (depth, breadth, height)])
    return basis.T @ (basis * scale[:, None])


def cones(points: Float[Array, "point=23 xyz=3"], radii: Float[Array, "radius=15"], wear: Appearance) -> Cones:
    """The round cones of one walker in one instant, back of nothing: their order carries no depth.

    Args:
        points: metres, world, in the order of `body.POINTS`.
        radii: girth / 2 pi in metres, in the order of `body.RADII`.
        wear: clothes, hair and bags.
    """
    p = {name: points[index] for index, name in enumerate(POINTS)}
    r = {name: radii[index] for index, name in enumerate(RADII)}
    eye = jnp.eye(3)
    top, trousers = wear.ease[0], wear.ease[1]
    rows: list[tuple[Array, ...]] = []

    def add(start, end, at_start, at_end, material, squeeze=eye, across=0.0, present=1.0, flat=1.0):
        radius = jnp.stack([jnp.asarray(at_start, jnp.float32), jnp.asarray(at_end, jnp.float32)])
        radius = jnp.where(jnp.asarray(present) > 0, radius, -1.0)
        rows.append(
            (
                start,
                end,
                radius,
                squeeze,
                jnp.asarray(material, jnp.int32),
                jnp.float32(flat),
                jnp.asarray(across, jnp.float32),
            )
        )

    # trunk: one axis, an elliptic section (breadth 1.2 and depth 0.8 of the round one keep the girth)
    spine = p["thorax"] - p["pelvis"]
    chest_frame = _frame(p["l_shoulder"] - p["r_shoulder"], spine)
    hip_frame = _frame(p["l_hip"] - p["r_hip"], spine)
    forward, up = chest_frame[0], chest_frame[2]
    length = jnp.linalg.norm(spine)
    chest, hips = _squeeze(chest_frame, 0.8, 1.14, 0.5), _squeeze(hip_frame, 0.82, 1.12, 0.5)

    def trunk(part: float, ahead: float = 0.0) -> Array:
        return p["pelvis"] + spine * part + forward * ahead

    waist = r["waist"] + 1.2 * top
    add(
        trunk(0.74, 0.006),
        trunk(0.9, -0.012),
        r["chest"] + top,
        0.74 * r["chest"] + top,
        _TOP,
        chest,
        0.74 * length,
        flat=0.3,
    )
    add(trunk(0.74, 0.006), trunk(0.40), r["chest"] + top, waist, _TOP, chest, 0.74 * length, flat=0.3)
    jacket = 1.03 * r["pelvis"] + top
    add(trunk(0.40), trunk(0.13), waist, jacket, _TOP, hips, 0.40 * length, flat=0.3)
    add(
        trunk(0.10, -0.008),
        trunk(-0.06, -0.012),
        r["pelvis"] + trousers,
        0.86 * r["pelvis"] + trousers,
        jnp.where(wear.coat > 0, _TOP, _TROUSERS),
        hips,
        flat=0.4,
    )
    # shoulders slope: the joints lie a little under the line from neck to deltoid
    girdle = 0.80 * r["shoulder"] + top
    droop = up * 0.014
    add(p["r_shoulder"] - droop, p["l_shoulder"] - droop, girdle, girdle, _TOP, across=length, flat=0.5)
    base = p["thorax"] + 0.5 * (p["upper_neck"] - p["thorax"]) - forward * 0.012
    for side in "rl":
        add(base, p[f"{side}_shoulder"] - droop, 0.92 * r["neck"], 0.72 * r["shoulder"] + top, _TOP, across=length)
    _head(add, p, r, wear)
    _arms(add, p, r, wear)
    _legs(add, p, r, wear, hip_frame)
    _bags(add, p, r, wear, chest_frame, trunk)
    start, end, radius, squeeze, material, flat, across = (jnp.stack(column) for column in zip(*rows, strict=True))
    return Cones(start, end, radius, squeeze, material, flat, across)


def _head(add, p, r, wear: Appearance) -> None:
    """Skull, jaw, hair, nose, eyes, ears and neck, in the frame of the face."""
    axis = p["head_top"] - p["upper_neck"]
    tall = jnp.linalg.norm(axis)
    ahead = p["nose"] - p["upper_neck"]
    up = _unit(axis)
    forward = _unit(ahead - jnp.dot(ahead, up) * up)
    left = jnp.cross(up, forward)
    radius = r["head"]
    round_ = 0.43 * tall / radius
    shape = _squeeze((forward, left, up), 1.06, 0.86, round_)

    def at(ahead: Scalar | float, height: float, aside: Scalar | float = 0.0) -> Array:
        return p["upper_neck"] + forward * ahead + up * (height * tall) + left * aside

    thick = 0.004 + 0.010 * wear.hair
    add(at(0.004, 0.57), at(0.030, 0.20), radius, 0.64 * radius, _SKIN, shape)
    add(
        at(-0.012 - 0.006 * (1 - wear.fringe), 0.60),
        at(-0.022, 0.50),
        radius + thick,
        0.97 * radius + thick,
        _HAIR,
        shape,
        present=wear.hair - 0.03,
    )
    add(
        at(-0.035, 0.50),
        at(-0.040, 0.40) - up * (0.28 * wear.hair),
        0.84 * radius,
        (0.72 - 0.08 * wear.hair) * radius,
        _HAIR,
        shape,
        present=wear.hair - 0.03,
    )
    face = p["nose"] - forward * 0.02
    add(face + up * 0.02, p["nose"], 0.010, 0.012, _SKIN)
    for sign in (-1.0, 1.0):
        add(at(0.86 * radius, 0.52, sign * 0.032), at(0.86 * radius, 0.52, sign * 0.040), 0.010, 0.009, _EYES)
        add(at(-0.006, 0.54, sign * 0.87 * radius), at(-0.002, 0.42, sign * 0.82 * radius), 0.020, 0.012, _SKIN)
    add(p["thorax"], at(-0.012, 0.15), 1.05 * r["neck"], 0.95 * r["neck"], _SKIN)


def _arms(add, p, r, wear: Appearance) -> None:
    """Upper arm, sleeve, forearm and hand of either side."""
    cloth = wear.ease[0]
    long = jnp.clip(wear.sleeve * 2 - 1, 0, 1)
    for side in "rl":
        shoulder, elbow, wrist, hand = (p[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand"))
        at_shoulder, at_elbow = 0.95 * r["upper_arm"], r["elbow"]
        sleeved = jnp.where(long > 0, cloth, 0.0)
        add(shoulder, elbow, at_shoulder + sleeved, at_elbow + sleeved, jnp.where(long > 0, _TOP, _SKIN))
        reach = jnp.clip(wear.sleeve * 2, 0.15, 1.0)
        add(
            shoulder,
            shoulder + reach * (elbow - shoulder),
            r["shoulder"] * 0.86 + cloth,
            at_shoulder + reach * (at_elbow - at_shoulder) + 1.3 * cloth,
            _TOP,
        )
        covered = jnp.where(long > 0, cloth, 0.0)
        add(
            elbow,
            wrist,
            at_elbow + covered,
            1.02 * r["wrist"] + covered,
            jnp.where(long > 0.5, _TOP, _SKIN),
            across=0.3,
        )
        grip = wrist + 0.75 * (hand - wrist)
        add(wrist + 0.1 * (hand - wrist), grip, 0.95 * r["wrist"], 0.80 * r["hand"], _SKIN)


def _legs(add, p, r, wear: Appearance, hip_frame) -> None:
    """Thigh, two halves of the lower leg, foot, and what hangs over the thighs."""
    cloth = wear.ease[1]
    trousered = wear.leg > 0.9
    off = jnp.where(trousered, cloth, 0.0)
    material = jnp.where(trousered, _TROUSERS, _SKIN)
    forward, left, _ = hip_frame
    worn = (wear.skirt > 0) | ~trousered
    skirted = wear.skirt > 0
    hanging = jnp.where(wear.coat > 0, _TOP, _TROUSERS)
    hems = []
    for side in "rl":
        hip, knee, ankle = (p[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        heel, toe = p[f"{side}_heel"], p[f"{side}_toe"]
        hem = jnp.where(trousered, wear.hem, 0.0)
        at_knee = r["knee"] + off
        add(hip, knee, 0.95 * r["thigh"] + off, at_knee, material, across=-0.1)
        calf = knee + 0.32 * (ankle - knee) - 0.012 * forward
        at_calf = jnp.maximum(r["calf"] + off, at_knee + 0.32 * (hem - at_knee))
        add(knee, calf, at_knee, at_calf, material, across=-0.5)
        cuff = ankle + jnp.where(trousered, 0.02, 0.0) * (ankle - knee)
        add(calf, cuff, at_calf, jnp.maximum(r["ankle"] + off, hem), material, across=-0.65)
        foot = r["foot"]
        add(heel, toe, foot, 0.86 * foot, _SHOES)
        add(ankle, toe + 0.35 * (heel - toe), r["ankle"] * 1.12, 0.98 * foot, _SHOES)
        reach = jnp.where(skirted, jnp.minimum(wear.skirt, 0.97), jnp.clip(wear.leg * 2, 0.5, 0.95))
        low = hip + reach * (knee - hip)
        add(hip, low, r["thigh"] + cloth + 0.006, jnp.where(skirted, 0.085, r["knee"] + 0.03),
            hanging, across=-0.1, present=worn, flat=0.6)  # fmt: skip
        hems.append(low)
    # the skirt: as deep as the legs are apart at its hem, and flat below
    middle = (hems[0] + hems[1]) / 2
    drop = jnp.array([0.0, 0.0, -1.0]) * (jnp.maximum(wear.skirt - 0.97, 0.0) * 0.4 + 0.03)
    apart = jnp.abs(jnp.dot(hems[0] - hems[1], forward)) / 2 + 0.115
    wide = jnp.abs(jnp.dot(hems[0] - hems[1], left)) / 2 + 0.12
    shape = _squeeze(hip_frame, apart / 0.15, wide / 0.15, 0.25)
    narrow = jnp.minimum(0.15 * 0.85 * r["pelvis"] / apart, 0.15)
    add(p["pelvis"], middle + drop, narrow, 0.15, hanging, shape, -0.1, present=skirted, flat=0.3)


def _bags(add, p, r, wear: Appearance, chest_frame, trunk) -> None:
    """The backpack with its straps, and a bag in either hand."""
    forward, left, up = chest_frame
    size = wear.backpack
    pack = _squeeze(chest_frame, 0.62, 1.0, 0.45)
    back = -(0.78 * r["chest"] + 0.075 * size)
    add(trunk(0.88) + forward * back, trunk(0.36) + forward * back, 0.13 * size, 0.155 * size, _BAG, pack, present=size)
    for sign in (-1.0, 1.0):
        over = trunk(0.97) + left * (sign * 0.105) + up * 0.035
        under = trunk(0.62) + left * (sign * 0.13) + forward * (0.76 * r["chest"] + wear.ease[0])
        add(over, under, 0.032, 0.030, _BAG, present=size)
    for index, side in enumerate("rl"):
        size = wear.handbag[index]
        hand = p[f"{side}_wrist"] + 0.8 * (p[f"{side}_hand"] - p[f"{side}_wrist"])
        bag = _squeeze((forward, left, jnp.array([0.0, 0.0, 1.0])), 1.2, 0.5, 0.4)
        top, low = (
            hand - jnp.array([0.0, 0.0, 0.11]) - jnp.array([0.0, 0.0, 1.0]) * (part * size) for part in (0, 0.24)
        )
        add(hand, top, 0.009, 0.03, _BAG, present=size)
        add(top, low, 0.105 * size, 0.125 * size, _BAG, bag, present=size)
