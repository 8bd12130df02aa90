"""What the drawn curves say of the legs at any moment, and where a foot that stands or swings by them would be.

Everything is a function of the stride count (right heel contacts at the integers), so any moment is computed without
its past.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaitnet.walkers import norms
from gaitnet.walkers.body import RADII, Body
from gaitnet.walkers.walk import Walk, tremor

FOOT_RADIUS = RADII.index("foot")
FLAT_FROM, FLAT_TO, LIFTED = 0.09, 0.30, 0.50
"""Phases between which the foot lies flat, and at which its pitch is again the drawn one."""
ROLL_OUT = 0.03
"""The centre of the toe cap leaves its place this much of the cycle before the tip of the toe leaves the floor."""
HEIGHT_HARMONICS = 7
MIDDLE = 0.3
"""Phase of mid-stance: when a foothold strays, the pelvis over it strays as much at that moment."""


class LegPlan(NamedTuple):
    """What a walk fixes once for all strides."""

    stride_length: Float[Array, ""]
    """Metres."""
    leg: Float[Array, "side=2 curve=3 coefficient=13"]
    """The walk's leg curves with the thigh's excursion fitted to step length."""
    contact: Float[Array, "side=2"]
    """Stride count of the first contact."""
    foothold: Float[Array, "side=2 xy=2"]
    """Ground point under the ankle in the first stance; the pelvis passes stride count 0 at 0."""
    height: Float[Array, "coefficient=15"]
    """Of the pelvis over the floor, metres, over the right leg's cycle."""


class Moment(NamedTuple):
    """What the drawn curves say of one leg at one moment, before any foot is held."""

    hip: Float[Array, "xyz=3"]
    thigh: Float[Array, ""]
    """To the vertical, radians."""
    knee: Float[Array, ""]
    pitch: Float[Array, ""]
    """Of the sole, toe up, radians; 0 while the foot lies flat."""


def basis(phase: Float[Array, ""], harmonics: int = norms.HARMONICS) -> Float[Array, " coefficient"]:
    """1, cosines, sines of a phase in cycles: a curve's value is its coefficients times this."""
    angles = 2 * jnp.pi * phase * jnp.arange(1, harmonics + 1)
    return jnp.concatenate([jnp.ones(1), jnp.cos(angles), jnp.sin(angles)])


def smooth_step(x: Float[Array, "*lead"]) -> Float[Array, "*lead"]:
    """0 below 0, 1 above 1, and between them a quintic with no corner."""
    x = jnp.clip(x, 0.0, 1.0)
    return x**3 * (x * (6 * x - 15) + 10)


def outward(side: Int[Array, ""] | int) -> Float[Array, ""]:
    """The sign of y towards that side: right is -1, left is +1."""
    return 2.0 * jnp.asarray(side, jnp.float32) - 1.0


def release(walk: Walk) -> Float[Array, ""]:
    """The phase at which a foot leaves its foothold."""
    return walk.stance - ROLL_OUT


def _stray(tremors: dict[str, Float[Array, ""]]) -> Float[Array, "xy=2"]:
    # Successive steps are half a stride apart, where the tones differ by about 0.9 s.d.
    return jnp.stack([norms.STEP_LENGTH_WITHIN / 0.9 * tremors["progress"], norms.PATH_WITHIN * tremors["path"]])


def moment_of(body: Body, walk: Walk, plan: LegPlan, side: Int[Array, ""], strides: Float[Array, ""]) -> Moment:
    """The drawn curves of one side at a stride count."""
    curves = walk.trunk[:3] @ basis(strides)
    middle, own = tremor(walk, 0, strides), tremor(walk, side, strides)
    obliquity, sway = curves[0], curves[2]
    rotation = curves[1] + math.radians(norms.STRIDE_SHARE * norms.TRUNK_SD["rotation"]) * middle["rotation"]
    level = jnp.cos(obliquity)
    across = jnp.stack([-jnp.sin(rotation) * level, jnp.cos(rotation) * level, -jnp.sin(obliquity)])
    ripple = norms.SURGE * jnp.sin(4 * jnp.pi * (strides - norms.SURGE_PEAK))
    ground = jnp.stack([plan.stride_length * strides + ripple, sway]) + _stray(middle)
    height = plan.height @ basis(strides, HEIGHT_HARMONICS)
    hip = jnp.concatenate([ground, height[None]]) + outward(side) * body.hip_width / 2 * across

    drawn = plan.leg[side] @ basis(strides - plan.contact[side])
    thigh, knee, ankle = (
        drawn[index] + math.radians(norms.STRIDE_SHARE * norms.LEG_SD[name]) * own[name]
        for index, name in enumerate(norms.LEG_CURVES)
    )
    knee = jax.nn.softplus((knee - 0.03) / 0.03) * 0.03 + 0.03  # knees do not bend backwards
    phase = jnp.mod(strides - plan.contact[side], 1.0)
    flat = smooth_step(phase / FLAT_FROM) - smooth_step((phase - FLAT_TO) / (LIFTED - FLAT_TO))
    pitch = thigh - knee + ankle
    # From flat the heel rises: a standing foot does not lift its toes again.
    pitch = jnp.where((phase > FLAT_FROM) & (phase < 0.6), -0.02 * jax.nn.softplus(-pitch / 0.02), pitch)
    return Moment(hip, thigh, knee, pitch * (1 - flat))


def foot_axis(walk: Walk, side: Int[Array, ""]) -> Float[Array, "xy=2"]:
    """Where that foot points, from above."""
    return jnp.stack([jnp.cos(walk.toe_out[side]), outward(side) * jnp.sin(walk.toe_out[side])])


def foothold_of(walk: Walk, plan: LegPlan, side: Int[Array, ""], stance: Float[Array, ""]) -> Float[Array, "xy=2"]:
    """Ground point under the ankle in that stance of that side."""
    middle = stance + plan.contact[side] + MIDDLE
    aside = norms.STEP_WIDTH_WITHIN / math.sqrt(2.0) * tremor(walk, side, middle)["width"]
    ahead = jnp.stack([plan.stride_length * stance, aside])
    return plan.foothold[side] + ahead + _stray(tremor(walk, 0, middle))


def standing_ankle(
    body: Body, axis: Float[Array, "xy=2"], foothold: Float[Array, "xy=2"], pitch: Float[Array, ""]
) -> Float[Array, "xyz=3"]:
    """The ankle over its foothold, when the foot has rolled over heel or toe cap to this pitch."""
    radius = body.radii[FOOT_RADIUS]
    rise = body.ankle_height - radius
    pivot = jnp.where(pitch > 0, -norms.HEEL_FRACTION, norms.TOE_FRACTION) * body.foot
    cos, sin = jnp.cos(pitch), jnp.sin(pitch)
    ahead, up = pivot - cos * pivot - sin * rise, radius - sin * pivot + cos * rise
    return jnp.concatenate([foothold + axis * ahead, up[None]])


def hanging_ankle(body: Body, moment: Moment, y: Float[Array, ""]) -> Float[Array, "xyz=3"]:
    """The ankle where the drawn angles have it, on the line between the footholds."""
    shank = moment.thigh - moment.knee
    ahead = body.thigh * jnp.sin(moment.thigh) + body.shank * jnp.sin(shank)
    down = body.thigh * jnp.cos(moment.thigh) + body.shank * jnp.cos(shank)
    return jnp.stack([moment.hip[0] + ahead, y, moment.hip[2] - down])


def foot_ends(body: Body, pitch: Float[Array, ""]) -> Float[Array, "end=2 xz=2"]:
    """From the ankle to heel and toe, along the foot and up."""
    rise = body.ankle_height - body.radii[FOOT_RADIUS]
    ends = jnp.array([[-norms.HEEL_FRACTION], [norms.TOE_FRACTION]]) * body.foot
    cos, sin = jnp.cos(pitch), jnp.sin(pitch)
    return ends * jnp.stack([cos, sin])[None] + (rise * jnp.stack([sin, -cos]))[None]
