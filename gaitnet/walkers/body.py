"""Who walks: a body (lengths and girths) and a gait (habits of moving), drawn as people differ."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from gaitnet.walkers import norms
from humanpose.skeleton import JOINTS

POINTS = (*JOINTS, "r_heel", "r_toe", "l_heel", "l_toe", "r_hand", "l_hand", "nose")
"""Names of the 23 points of a walker: the 16 joints in skeleton order, then what a renderer needs beside them.

Heel and toe are the centres of the foot's rounded ends: on a flat foot both are `radii[foot]` above the floor. The hand
is the end of the loosely closed hand, less its radius; the nose the foremost point of the head.
"""

RADII = (
    "head", "neck", "shoulder", "chest", "waist", "pelvis", "elbow", "wrist", "hand", "upper_arm", "thigh", "knee",
    "calf", "ankle", "foot",
)  # fmt: skip
"""Names of `Body.radii`: girth / 2 pi, the radius of the circle of that girth (a chest is wider than
deep, which is the renderer's matter)."""


class Body(NamedTuple):
    """Lengths in metres between joint centres, the same on both sides."""

    stature: Float[Array, ""]
    sex: Float[Array, ""]
    """0 woman, 1 man."""
    bmi: Float[Array, ""]
    """kg/m2."""
    thigh: Float[Array, ""]
    shank: Float[Array, ""]
    ankle_height: Float[Array, ""]
    """Ankle joint above the sole."""
    trunk: Float[Array, ""]
    """Pelvis to thorax."""
    neck: Float[Array, ""]
    """Thorax to upper neck."""
    head: Float[Array, ""]
    """Upper neck to head top."""
    foot: Float[Array, ""]
    """Foot length, heel to toe tip."""
    hip_width: Float[Array, ""]
    """Hip joint to hip joint."""
    shoulder_width: Float[Array, ""]
    """Shoulder joint to shoulder joint."""
    upper_arm: Float[Array, ""]
    forearm: Float[Array, ""]
    hand: Float[Array, ""]
    radii: Float[Array, "radius=15"]
    """Metres, in the order of RADII."""


class Gait(NamedTuple):
    """Habits of a walker. Curves are (..., coefficient): mean, cosines, sines of the gait cycle, radians or metres."""

    speed: Float[Array, ""]
    """Preferred, m/s."""
    cadence: Float[Array, ""]
    """At that speed, steps/s; it grows with the root of speed."""
    stance: Float[Array, ""]
    """Part of the cycle that a foot is on the floor, at that speed."""
    leg: Float[Array, "side=2 curve=3 coefficient=13"]
    """Right, left; thigh to the vertical, knee flexion, ankle dorsiflexion; over the cycle of that leg."""
    arm: Float[Array, "side=2 curve=2 coefficient=13"]
    """Right, left; upper arm to the vertical, elbow flexion; over the cycle of the leg of the same side."""
    trunk: Float[Array, "curve=6 coefficient=13"]
    """norms.TRUNK_CURVES over the cycle of the right leg."""
    neck_lean: Float[Array, ""]
    """Thorax to upper neck, radians forward of the vertical."""
    head_lean: Float[Array, ""]
    """Upper neck to head top, likewise."""
    abduction: Float[Array, "side=2"]
    """Upper arms away from the body, radians."""
    step_width: Float[Array, ""]
    """Metres between the lines of the ankles."""
    toe_out: Float[Array, "side=2"]
    """Radians outward of the line of progress."""
    clearance: Float[Array, ""]
    """Least height of the toe in mid-swing, metres."""
    late_step: Float[Array, ""]
    """Left contact's delay from half of the stride, of stride time."""
    long_step: Float[Array, ""]
    """Left foothold's advance from half of the stride, of stride length."""
    bag_side: Float[Array, ""]
    """The hand that holds a bag: 0 right, 1 left."""
    seed: UInt32[Array, ""]
    """Whence the days (sessions) of this person are drawn."""


class Person(NamedTuple):
    """An identity: everything that one walker keeps from walk to walk."""

    body: Body
    gait: Gait


def common_body() -> Body:
    """The mean of a woman's and a man's body: what everybody wears when only motion may tell people apart."""
    return _build(jnp.float32(0.5), jnp.zeros(1 + len(norms.SEGMENTS)), jnp.float32(0.0), jnp.zeros(len(RADII)))


def _mix(women: float | Array, men: float | Array, sex: Float[Array, ""]) -> Array:
    return women + (men - women) * sex


def _build(
    sex: Float[Array, ""], lengths: Float[Array, " length"], bmi: Float[Array, ""], girths: Float[Array, "radius=15"]
) -> Body:
    """A body from standard normal scores: stature first, then the segments in the order of the table."""
    stature = _mix(norms.STATURE["female"], norms.STATURE["male"], sex) + norms.STATURE_SD * lengths[0]
    ratios = {
        name: _mix(women, men, sex) * jnp.exp(spread * lengths[index + 1])
        for index, (name, (women, men, spread)) in enumerate(norms.SEGMENTS.items())
    }
    upright = jnp.sum(jnp.stack([ratios[name] for name in norms.UPRIGHT]))
    segments = {name: stature * ratio / (upright if name in norms.UPRIGHT else 1.0) for name, ratio in ratios.items()}
    mean_bmi = _mix(norms.BMI["female"][0], norms.BMI["male"][0], sex)
    mass_index = mean_bmi * jnp.exp(
        _mix(norms.BMI["female"][1] / norms.BMI["female"][0], norms.BMI["male"][1] / norms.BMI["male"][0], sex) * bmi
    )
    table = jnp.array([norms.GIRTHS[name] for name in RADII])
    mean_stature = _mix(norms.STATURE["female"], norms.STATURE["male"], sex)
    radii = (
        _mix(table[:, 0], table[:, 1], sex)
        * jnp.exp(table[:, 2] * girths + table[:, 3] * jnp.log(mass_index / mean_bmi))
        * (stature / mean_stature)
    )
    return Body(stature=stature, sex=sex, bmi=mass_index, radii=radii, **segments)


def draw_body(key: PRNGKeyArray) -> Body:
    """A body of either sex, as likely."""
    of_sex, of_scores = jax.random.split(key)
    scores = Scores(of_scores, 2 + len(norms.SEGMENTS) + len(RADII))
    return _build(
        (jax.random.bits(of_sex, (), jnp.uint32) >> 31).astype(jnp.float32),
        scores.take(1 + len(norms.SEGMENTS)),
        scores.take(1)[0],
        scores.take(len(RADII)),
    )


class Scores:
    """Standard normal numbers handed out in order: one call to the generator compiles once instead of twenty times."""

    def __init__(self, key: PRNGKeyArray, count: int) -> None:
        self._scores = jax.random.normal(key, (count,))
        self._used = 0

    def take(self, *shape: int) -> Array:
        """The next numbers, in this shape.

        Raises:
            ValueError: more are taken than were drawn.
        """
        start, self._used = self._used, self._used + math.prod(shape)
        if self._used > self._scores.size:
            raise ValueError(f"count: expected at least {self._used} numbers, got {self._scores.size}; draw more")
        return self._scores[start : self._used].reshape(shape)


def deviation(scores: Scores, *lead: int) -> Float[Array, "*lead coefficient"]:
    """Fourier coefficients (*lead, coefficient) of random curves with standard deviation 1 at every phase."""
    shares = np.zeros(1 + 2 * norms.HARMONICS, np.float32)
    for harmonic, share in enumerate(norms.SHAPE):
        shares[[harmonic, norms.HARMONICS + harmonic] if harmonic else [0]] = np.sqrt(share)
    drawn = scores.take(*lead, len(shares))
    return drawn * jnp.broadcast_to(jnp.asarray(shares), drawn.shape)


def side_deviation(scores: Scores, curves: dict[str, float]) -> Float[Array, "side=2 curve coefficient"]:
    """Deviations of both sides' curves, radians, s.d. by name in degrees; the sides share most of them."""
    both = deviation(scores, 1, len(curves)) * math.sqrt(1 - norms.SIDE_SHARE)
    side = deviation(scores, 2, len(curves)) * math.sqrt(norms.SIDE_SHARE)
    spread = np.radians(np.array(list(curves.values()), np.float32))[None, :, None]
    return (jnp.broadcast_to(both, side.shape) + side) * jnp.broadcast_to(spread, side.shape)


def trunk_deviation(scores: Scores) -> Float[Array, "curve=6 coefficient=13"]:
    """Deviations of the trunk's curves. What alternates with the sides keeps doing so: odd harmonics; lean: even."""
    names = norms.TRUNK_CURVES
    unit = [norms.TRUNK_SD[name] * (1.0 if name == "sway" else math.pi / 180) for name in names]
    harmonic = np.array([0, *range(1, norms.HARMONICS + 1), *range(1, norms.HARMONICS + 1)])
    shares = np.zeros((len(names), len(harmonic)), np.float32)
    for row, name in enumerate(names):
        if name == "lean":
            shares[row, 0], shares[row, harmonic == 2] = math.sqrt(0.95), math.sqrt(0.05)
        else:
            # A standing list or turn is a real, small asymmetry; a standing sway would only shift the picture.
            shares[row, 0] = 0.0 if name == "sway" else math.sqrt(0.15)
            shares[row, harmonic == 1] = math.sqrt(1.0 if name == "sway" else 0.75)
            shares[row, harmonic == 3] = 0.0 if name == "sway" else math.sqrt(0.10)
    return scores.take(*shares.shape) * jnp.asarray(shares * np.array(unit, np.float32)[:, None])


def draw_gait(key: PRNGKeyArray, body: Body) -> Gait:
    """The habits of somebody of this build."""
    of_scores, of_seed = jax.random.split(key)
    scores = Scores(of_scores, 300)
    rest = scores.take(16)
    speed = jnp.clip(norms.SPEED + norms.SPEED_SD * rest[0], 0.8, 1.8)
    mean_stature = sum(norms.STATURE.values()) / 2
    walk_ratio = (norms.WALK_RATIO * (body.stature / mean_stature) ** norms.WALK_RATIO_STATURE) * jnp.exp(
        norms.WALK_RATIO_CV * rest[1]
    )
    arm = scale_curves(jnp.stack([norms.ARM] * 2), jnp.exp(norms.ARM_SWING_CV * rest[15]))
    arm += side_deviation(scores, norms.ARM_SD)
    bits = jax.random.bits(of_seed, (2,), jnp.uint32)
    toe_out = jnp.radians(norms.TOE_OUT + norms.TOE_OUT_SD * (math.sqrt(0.7) * rest[2] + math.sqrt(0.3) * rest[3:5]))
    abduction = jnp.radians(
        norms.ARM_ABDUCTION + norms.ARM_ABDUCTION_SD * (math.sqrt(0.8) * rest[5] + math.sqrt(0.2) * rest[6:8])
    )
    return Gait(
        speed=speed,
        cadence=jnp.sqrt(speed / walk_ratio),
        stance=norms.STANCE + norms.STANCE_PER_SPEED * (speed - norms.SPEED) + norms.STANCE_SD * rest[8],
        leg=jnp.stack([norms.LEG] * 2) + side_deviation(scores, norms.LEG_SD),
        arm=arm,
        trunk=jnp.asarray(norms.TRUNK) + trunk_deviation(scores),
        neck_lean=jnp.radians(norms.NECK_LEAN + norms.NECK_LEAN_SD * rest[9]),
        head_lean=jnp.radians(norms.HEAD_LEAN + norms.HEAD_LEAN_SD * rest[10]),
        abduction=abduction,
        step_width=jnp.maximum(norms.STEP_WIDTH + norms.STEP_WIDTH_SD * rest[11], 0.02),
        toe_out=toe_out,
        clearance=jnp.maximum(norms.CLEARANCE + norms.CLEARANCE_SD * rest[12], 0.004),
        late_step=norms.STEP_TIME_ASYMMETRY_SD * rest[13],
        long_step=norms.STEP_LENGTH_ASYMMETRY_SD * rest[14],
        bag_side=((bits[0] >> 8) > round(norms.RIGHT_HANDED * 2**24)).astype(jnp.float32),
        seed=bits[1],
    )


def scale_curves(
    curves: Float[Array, "*lead coefficient"], factor: Float[Array, ""]
) -> Float[Array, "*lead coefficient"]:
    """The same means, `factor` times the excursion."""
    return jnp.concatenate([curves[..., :1], curves[..., 1:] * factor], -1)


def draw_person(key: PRNGKeyArray) -> Person:
    """A walker: the same key is the same person, on any device."""
    of_body, of_gait = jax.random.split(key)
    body = draw_body(of_body)
    return Person(body, draw_gait(of_gait, body))
