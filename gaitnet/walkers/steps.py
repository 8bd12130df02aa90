"""Pelvis and legs of a walk in closed form: feet stay where they stand, and the drawn angles move everything else.

The drawn curves say how the legs would like to move. While a foot stands it is held to its foothold: it rolls over the
rounded heel, lies flat, and rolls over the toe cap. The knee's curve then fixes how high the pelvis rides (plan.py),
and the knee is put where the lengths of thigh and shank demand. A swinging foot follows the drawn angles, corrected by
the cubic that joins both footholds without a jump in place or velocity.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaitnet.walkers.body import Body
from gaitnet.walkers.legs import (
    FOOT_RADIUS,
    LegPlan,
    Moment,
    foot_axis,
    foot_ends,
    foothold_of,
    hanging_ankle,
    moment_of,
    release,
    smooth_step,
    standing_ankle,
)
from gaitnet.walkers.walk import Walk

EVENT = 0.004
"""Strides before and after a contact between which velocities are taken."""
TIGHT = ((0, 0.0), (0, 0.08), (0, 0.45), (0, 0.54), (1, 0.0), (1, 0.08))
"""Where a leg is nearly straight and may come out too short: (this stance or the next, phase)."""


class Leg(NamedTuple):
    """One leg at one moment: xyz in metres."""

    hip: Float[Array, "xyz=3"]
    knee: Float[Array, "xyz=3"]
    ankle: Float[Array, "xyz=3"]
    heel: Float[Array, "xyz=3"]
    toe: Float[Array, "xyz=3"]


def _ankle(
    body: Body, walk: Walk, side: Int[Array, ""], part: Float[Array, ""],
    hip: Float[Array, "xyz=3"], moments: Moment,
    footholds: Float[Array, "stance=2 xy=2"],
) -> Float[Array, "xyz=3"]:  # fmt: skip
    """One ankle, `part` of the way through its swing (negative: it stands).

    Moments (leading axis): now; before and after the foot leaves; before and after it lands; then TIGHT.
    """
    axis = foot_axis(walk, side)
    swing = 1 - release(walk)
    x = jnp.clip(part, 0.0, 1.0)
    moments = jax.tree.map(lambda field: field[:5], moments)
    parts = jnp.stack([x, -EVENT / swing, EVENT / swing, 1 - EVENT / swing, 1 + EVENT / swing])
    lines = footholds[0, 1] + (footholds[1, 1] - footholds[0, 1]) * smooth_step(parts)
    held = footholds[jnp.array([0, 0, 0, 1, 1])]
    standing = jax.vmap(lambda foothold, pitch: standing_ankle(body, axis, foothold, pitch))(held, moments.pitch)
    free = jax.vmap(lambda moment, y: hanging_ankle(body, moment, y))(moments, lines)
    gap = standing - free
    leave, leave_rate = (gap[1] + gap[2]) / 2, (gap[2] - gap[1]) / (2 * EVENT)
    arrive, arrive_rate = (gap[3] + gap[4]) / 2, (gap[4] - gap[3]) / (2 * EVENT)
    hanging = free[0] + (
        (1 + 2 * x) * (1 - x) ** 2 * leave
        + x * (1 - x) ** 2 * swing * leave_rate
        + x**2 * (3 - 2 * x) * arrive
        - x**2 * (1 - x) * swing * arrive_rate
    )
    # The toe clears the floor: a soft floor under heel and toe, faded in and out with the swing.
    low = -0.004 * jax.nn.logsumexp(-foot_ends(body, moments.pitch[0])[:, 1] / 0.004)
    low += hanging[2] - body.radii[FOOT_RADIUS]
    away = smooth_step(x / 0.3) * smooth_step((1 - x) / 0.25)
    soft = 0.002 + 0.006 * away
    lift = soft * jax.nn.softplus((walk.clearance * away - low) / soft)
    hanging += lift * smooth_step(x / 0.06) * smooth_step((1 - x) / 0.06) * jnp.array([0.0, 0.0, 1.0])
    # A swinging leg that is too short for its way draws the foot in; only a landing one draws the pelvis down.
    span = hanging - hip
    distance = jnp.sqrt(jnp.sum(span**2))
    longest = (0.9965 + 0.003 * smooth_step((x - 0.8) / 0.2)) * (body.thigh + body.shank)
    over = 0.0015 * jax.nn.softplus((distance - longest) / 0.0015)
    hanging -= span / distance * over * smooth_step((1 - x) / 0.04) * smooth_step(x / 0.12)
    return jnp.where(part < 0, standing[0], hanging)


def _height_only(value: Float[Array, ""]) -> Float[Array, "1 xyz=3"]:
    return value * jnp.array([[0.0, 0.0, 1.0]])


def _reach(
    body: Body, straight: float, ankles: Float[Array, "leg xyz=3"], hips: Float[Array, "leg xyz=3"]
) -> Float[Array, " leg"]:
    """How much higher each hip could be, metres, with a leg of this part of its length."""
    aside = jnp.sum((ankles - hips)[:, :2] ** 2, -1)
    longest = straight * (body.thigh + body.shank)
    return ankles[:, 2] + jnp.sqrt(jnp.maximum(longest**2 - aside, 0.01)) - hips[:, 2]


def _dip(
    body: Body, walk: Walk, side: Int[Array, ""], since: Float[Array, ""], moments: Moment,
    footholds: Float[Array, "stance=2 xy=2"],
) -> Float[Array, " event"]:  # fmt: skip
    """How far the pelvis gives way, metres, to tight moments whose footholds have strayed out of the leg's reach."""
    axis = foot_axis(walk, side)
    tight = jax.tree.map(lambda field: field[5:], moments)
    held = footholds[jnp.array([on for on, _ in TIGHT])]
    ankles = jax.vmap(lambda foothold, pitch: standing_ankle(body, axis, foothold, pitch))(held, tight.pitch)
    lacks = 0.002 * jax.nn.softplus(-_reach(body, 0.998, ankles, tight.hip) / 0.002)
    apart = jnp.abs(since - jnp.array([on + phase for on, phase in TIGHT]))
    return lacks * (1 - smooth_step((apart - 0.04) / 0.18))


def pelvis_and_legs(
    body: Body, walk: Walk, plan: LegPlan, strides: Float[Array, ""]
) -> tuple[Float[Array, "xyz=3"], Leg]:
    """Pelvis (xyz) and both legs (fields lead with the axis side: right, left) at a stride count."""
    sides = jnp.arange(2)
    count = strides - plan.contact
    stance = jnp.floor(count)
    leaves = stance + release(walk)
    lands = stance + 1
    events = [count, leaves - EVENT, leaves + EVENT, lands - EVENT, lands + EVENT]
    at = jnp.stack(events + [stance + on + phase for on, phase in TIGHT], 1)
    at += jnp.broadcast_to(plan.contact[:, None], at.shape)
    moments = jax.vmap(lambda side, row: jax.vmap(lambda u: moment_of(body, walk, plan, side, u))(row))(sides, at)
    following = jnp.stack([stance, stance + 1], 1)
    footholds = jax.vmap(lambda side, row: jax.vmap(lambda k: foothold_of(walk, plan, side, k))(row))(sides, following)
    # Stages stay apart: fused into one expression they take XLA minutes to compile.
    moments, footholds = jax.lax.optimization_barrier((moments, footholds))
    part = (count - leaves) / (1 - release(walk))
    down = jax.vmap(lambda *of_side: _dip(body, walk, *of_side))(sides, count - stance, moments, footholds)
    # A soft maximum that is 0 where all are 0 and the only one where there is one.
    dip = 0.0015 * jnp.log1p(jnp.sum(jnp.expm1(jnp.minimum(down, 0.1) / 0.0015)))
    hips = moments.hip[:, 0] - _height_only(dip)
    ankles = jax.vmap(lambda *of_side: _ankle(body, walk, *of_side))(sides, part, hips, moments, footholds)
    hips, pitches, ankles = jax.lax.optimization_barrier((hips, moments.pitch[:, 0], ankles))
    # What is left is a millimetre or two: no leg may be longer than its bones.
    spare = _reach(body, 0.9995, ankles, hips)
    hips = hips - _height_only(0.002 * jax.nn.logsumexp(jnp.concatenate([jnp.zeros(1), -spare / 0.002])))

    def leg(side: Int[Array, ""], hip: Array, ankle: Array, pitch: Array) -> Leg:
        axis = foot_axis(walk, side)
        along, up = foot_ends(body, pitch).T
        ends = jnp.concatenate([along[:, None] * axis[None], up[:, None]], -1) + ankle[None]
        # The knee points between straight ahead and the foot.
        knee = bend(hip, ankle, body.thigh, body.shank, jnp.concatenate([axis + jnp.array([1.0, 0.0]), jnp.zeros(1)]))
        return Leg(hip, knee, ankle, ends[0], ends[1])

    return jnp.mean(hips, 0), jax.vmap(leg)(sides, hips, ankles, pitches)


def bend(
    top: Float[Array, "xyz=3"], bottom: Float[Array, "xyz=3"], upper: Float[Array, ""], lower: Float[Array, ""],
    towards: Float[Array, "xyz=3"],
) -> Float[Array, "xyz=3"]:  # fmt: skip
    """The middle joint of two segments that span from `top` to `bottom`, bent towards a direction."""
    span = bottom - top
    square = jnp.sum(span**2)
    part = (upper**2 - lower**2 + square) / (2 * square)
    pole = towards - span * jnp.sum(towards * span) / square
    height = jnp.sqrt(jnp.maximum(upper**2 - part**2 * square, 1e-12))
    return top + part * span + height * pole / jnp.sqrt(jnp.sum(pole**2))
