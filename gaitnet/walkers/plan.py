"""What a walk fixes once: how its step fits its legs, where the feet come down, how high the pelvis rides."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from gaitnet.walkers import norms
from gaitnet.walkers.body import Body
from gaitnet.walkers.legs import (
    HEIGHT_HARMONICS,
    LegPlan,
    Moment,
    basis,
    foot_axis,
    hanging_ankle,
    moment_of,
    release,
    smooth_step,
    standing_ankle,
)
from gaitnet.walkers.walk import Walk

GRID = 64
"""Phases of the mean stride at which the plan looks."""
SOFT = 0.004
"""Metres over which one limit of the pelvis's height hands over to another."""


def plan_legs(body: Body, walk: Walk) -> LegPlan:
    """Footholds, and the pelvis's height over one mean stride, from the drawn knee angles of the standing leg."""
    stride_length = 2 * walk.speed / walk.cadence
    mean_step = math.sqrt(norms.WALK_RATIO * norms.SPEED) / norms.MEAN_LEG
    fit = stride_length / 2 / (body.thigh + body.shank) / mean_step
    right = jnp.stack([jnp.zeros(()), -walk.step_width / 2])
    left = jnp.stack([stride_length * (0.5 + walk.long_step), walk.step_width / 2])
    plan = LegPlan(
        stride_length=stride_length,
        leg=walk.leg.at[:, 0, 1:].multiply(fit),
        contact=jnp.stack([jnp.zeros(()), 0.5 + walk.late_step]),
        foothold=jnp.stack([right, left]),
        height=jnp.zeros(1 + 2 * HEIGHT_HARMONICS),
    )
    # The mean stride: phases and rates of 0 still every tone.
    still = walk._replace(tone_phase=jnp.zeros_like(walk.tone_phase), tone_rate=jnp.zeros_like(walk.tone_rate))
    phases = jnp.arange(GRID) / GRID
    sides = jnp.arange(2)
    at = jnp.broadcast_to(phases[None], (2, GRID))
    count = at - jnp.broadcast_to(plan.contact[:, None], at.shape)
    stance = jnp.round(count - release(walk) / 2)
    since = count - stance
    moments = jax.vmap(lambda side, row: jax.vmap(lambda u: moment_of(body, still, plan, side, u))(row))(sides, at)
    moments = jax.lax.optimization_barrier(moments)

    def held(side: Int[Array, ""], stance: Array, moment: Moment) -> tuple[Array, Array]:
        """Ankle over the foothold, and how far ahead of that the drawn angles would have it."""
        foothold = plan.foothold[side] + plan.stride_length * stance * jnp.array([1.0, 0.0])
        ankle = standing_ankle(body, foot_axis(walk, side), foothold, moment.pitch)
        return ankle, hanging_ankle(body, moment, foothold[1])[0] - ankle[0]

    ankle, misfit = jax.vmap(jax.vmap(held, (None, 0, 0)))(sides, stance, moments)
    bears = ((since > 0.05) & (since < 0.45)).astype(jnp.float32)
    drawn = jnp.sum(misfit * bears) / jnp.sum(bears)
    # Nobody's feet may fall before or behind the body as freely as angles differ between people: who bends the knees
    # more has the thighs further forward. The thighs' mean makes up for most of what the drawn angles would do.
    balanced = norms.PASSING * stride_length
    shift = balanced + norms.PASSING_FREEDOM * (drawn - balanced)
    plan = plan._replace(
        foothold=plan.foothold + shift * jnp.array([[1.0, 0.0], [1.0, 0.0]]),
        leg=plan.leg.at[:, 0, 0].add((shift - drawn) / (0.97 * (body.thigh + body.shank))),
    )

    # How high the pelvis rides over each leg: with the drawn knee, and with a knee as good as straight.
    aside = (ankle[..., 0] + shift - moments.hip[..., 0]) ** 2 + (ankle[..., 1] - moments.hip[..., 1]) ** 2
    foot = ankle[..., 2] - moments.hip[..., 2]
    spans = body.thigh**2 + body.shank**2 + 2 * body.thigh * body.shank * jnp.cos(moments.knee)
    bent = foot + jnp.sqrt(jnp.maximum(spans - aside, 0.01))
    straight = foot + jnp.sqrt(jnp.maximum((0.9985 * (body.thigh + body.shank)) ** 2 - aside, 0.01))
    # A leg about to stand must reach the floor by then; once lifted it bounds nothing.
    early = jnp.maximum(-since, 0.0) + 0.8 * jnp.maximum(since - release(walk), 0.0)
    straight += 25 * early**2

    late = plan.contact[1] - 0.5
    onto_left, onto_right = smooth_step((phases - late - 0.45) / 0.1), smooth_step((phases - 0.95) / 0.1)
    on_left = onto_left - onto_right + 1 - smooth_step((phases + 0.05) / 0.1)
    ride = bent[0] * (1 - on_left) + bent[1] * on_left
    ride = -SOFT * jax.nn.logsumexp(-jnp.concatenate([ride[None], straight]) / SOFT, axis=0)
    table = jax.vmap(lambda phase: basis(phase, HEIGHT_HARMONICS))(phases)
    weights = jnp.full((1 + 2 * HEIGHT_HARMONICS,), 2 / GRID).at[0].set(1 / GRID)
    height = weights * (table.T @ ride)
    excess = jnp.max(jnp.where(early == 0, jnp.broadcast_to((table @ height)[None], straight.shape) - straight, -1.0))
    return plan._replace(height=height.at[0].add(-jnp.maximum(excess, 0.0)))
