"""How a person walks: points of the body over time, in metres, feet on the floor."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gaitnet.walkers import norms
from gaitnet.walkers.body import Body
from gaitnet.walkers.legs import LegPlan, basis, outward
from gaitnet.walkers.plan import plan_legs
from gaitnet.walkers.steps import pelvis_and_legs
from gaitnet.walkers.walk import CONDITIONS, Walk, body_of_day, draw_walk, tremor

__all__ = ["CONDITIONS", "Walk", "body_of_day", "draw_walk", "stride_count", "walk_points"]


def stride_count(walk: Walk, times: Float[Array, "*time"]) -> Float[Array, "*time"]:
    """Strides begun since the walk's origin at `times` (seconds): the right heel strikes at the integers."""
    count = jnp.asarray(times) * walk.cadence / 2 + walk.phase
    # Strides that differ in duration by STRIDE_TIME_CV: over one stride the tones differ by about 1.5 s.d.
    sway = jnp.vectorize(lambda strides: tremor(walk, 0, strides)["time"])
    return count + norms.STRIDE_TIME_CV / 1.5 * sway(count)


def _pose(body: Body, walk: Walk, plan: LegPlan, strides: Float[Array, ""]) -> Float[Array, "point=23 xyz=3"]:
    pelvis, legs = jax.lax.optimization_barrier(pelvis_and_legs(body, walk, plan, strides))
    curves = walk.trunk @ basis(strides)
    middle = tremor(walk, 0, strides)
    lean = curves[3] + jnp.radians(0.3 * norms.TRUNK_SD["lean"]) * middle["lean"]
    list_left = curves[4] + jnp.radians(0.38 * norms.TRUNK_SD["list"]) * middle["list"]
    turn = curves[5]
    thorax = pelvis + body.trunk * _upward(lean, list_left)
    # The neck takes back half of the trunk's list: heads are kept level.
    neck_lean = walk.neck_lean + 0.4 * lean
    nod = jnp.radians(0.3 * norms.HEAD_LEAN_SD) * middle["head"]
    neck = thorax + body.neck * _upward(neck_lean, list_left / 2)
    top = neck + body.head * _upward(walk.head_lean + nod, jnp.zeros(()))
    gaze = jnp.stack([jnp.cos(walk.head_lean + nod), jnp.zeros(()), -jnp.sin(walk.head_lean + nod)])
    nose = neck + 0.42 * (top - neck) + 1.15 * body.radii[0] * gaze

    ahead = jnp.stack([jnp.cos(turn), jnp.sin(turn), jnp.zeros(())])
    left = jnp.stack([-jnp.sin(turn), jnp.cos(turn), jnp.zeros(())])
    across = left * jnp.cos(list_left) + jnp.array([0.0, 0.0, -1.0]) * jnp.sin(list_left)

    def arm(side):
        own = strides - plan.contact[side]
        shoulder, elbow = walk.arm[side] @ basis(own)
        own_tremor = tremor(walk, side, strides)
        shoulder *= 1 + 0.10 * own_tremor["swing"]
        elbow += jnp.radians(2.5) * own_tremor["elbow"]
        elbow = jax.nn.softplus((elbow - 0.06) / 0.05) * 0.05 + 0.06
        out = walk.abduction[side]
        at = thorax + outward(side) * body.shoulder_width / 2 * across

        def along(flexion, out):
            return (
                jnp.sin(flexion) * jnp.cos(out) * ahead
                + jnp.sin(out) * outward(side) * left
                + jnp.cos(flexion) * jnp.cos(out) * jnp.array([0.0, 0.0, -1.0])
            )

        inward = out - jnp.radians(norms.FOREARM_TURN) - 0.25 * elbow
        bent = at + body.upper_arm * along(shoulder, out)
        wrist = bent + body.forearm * along(shoulder + elbow, inward)
        return jnp.stack([at, bent, wrist, wrist + 0.5 * body.hand * along(shoulder + elbow + 0.1, inward)])

    right_arm, left_arm = jax.vmap(arm)(jnp.arange(2))
    return jnp.stack([
        legs.ankle[0], legs.knee[0], legs.hip[0], legs.hip[1], legs.knee[1], legs.ankle[1],
        pelvis, thorax, neck, top,
        right_arm[2], right_arm[1], right_arm[0], left_arm[0], left_arm[1], left_arm[2],
        legs.heel[0], legs.toe[0], legs.heel[1], legs.toe[1], right_arm[3], left_arm[3], nose,
    ])  # fmt: skip


def _upward(lean: Float[Array, ""], list_left: Float[Array, ""]) -> Float[Array, "xyz=3"]:
    """The unit vector that stands up, leant forward and listed to the left."""
    flat = jnp.cos(list_left)
    return jnp.stack([jnp.sin(lean) * flat, jnp.sin(list_left), jnp.cos(lean) * flat])


def walk_points(body: Body, walk: Walk, times: Float[Array, " time"]) -> Float[Array, "time 23 3"]:
    """Where the points of a walker are.

    World frame: metres, +x the heading, +y the walker's left, +z up, the floor at z = 0. Standing feet stay on their
    footholds, segments keep their lengths, and place and velocity have no jumps. At time 0 the pelvis is within a
    stride of x = 0; it moves at `walk.speed` on average.

    Args:
        body: lengths (see `body_of_day` for the girths of this walk's session).
        walk: from `draw_walk`.
        times: seconds, any values, in any order.

    Returns:
        (time, point, xyz), points in the order of body.POINTS.
    """
    plan = plan_legs(body, walk)
    strides = stride_count(walk, times)
    plan, strides = jax.lax.optimization_barrier((plan, strides))
    return jax.vmap(lambda count: _pose(body, walk, plan, count))(strides)
