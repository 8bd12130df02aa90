"""One walk of one person: what varies from day to day, from walk to walk and from stride to stride, and conditions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gaitnet.walkers import norms
from gaitnet.walkers.body import RADII, Body, Person, Scores, scale_curves, side_deviation, trunk_deviation

CONDITIONS = ("NM", "BP", "HB", "CL", "SH")
"""Normal, backpack, hand bag, coat, coating shoes. BP and HB are both the `BG` of CASIA-B and TUM-GAID."""

CHANNELS = (
    "time", "progress", "width", "path", "thigh", "knee", "ankle", "swing", "elbow", "lean", "list", "rotation", "head",
)  # fmt: skip
"""What varies from stride to stride, each side for itself where there are two."""
TONES = 5


class Walk(NamedTuple):
    """One walk: the person's gait as it is this time. Curves and units as in Gait."""

    condition: Int[Array, ""]
    """Index in CONDITIONS."""
    speed: Float[Array, ""]
    """Mean, m/s."""
    cadence: Float[Array, ""]
    """Mean, steps/s; step length is speed / cadence."""
    phase: Float[Array, ""]
    """Where in the stride of the right leg the walk is at time 0, [0, 1)."""
    stance: Float[Array, ""]
    leg: Float[Array, "side=2 curve=3 coefficient=13"]
    arm: Float[Array, "side=2 curve=2 coefficient=13"]
    trunk: Float[Array, "curve=6 coefficient=13"]
    neck_lean: Float[Array, ""]
    head_lean: Float[Array, ""]
    abduction: Float[Array, "side=2"]
    step_width: Float[Array, ""]
    toe_out: Float[Array, "side=2"]
    clearance: Float[Array, ""]
    late_step: Float[Array, ""]
    long_step: Float[Array, ""]
    bag_side: Float[Array, ""]
    """The hand that holds the bag in HB: 0 right, 1 left."""
    weight: Float[Array, ""]
    """This day's body mass as a part of the usual one."""
    tone_rate: Float[Array, "tone=5"]
    """Stride-to-stride variation is a sum of slow tones, so that it has a closed form in time: cycles per stride."""
    tone_phase: Float[Array, "channel=13 side=2 tone=5"]
    """Their phases, radians."""


def draw_walk(
    key: PRNGKeyArray, person: Person, condition: int | Int[Array, ""], session: int | Int[Array, ""] = 0
) -> Walk:
    """One walk of `person` under CONDITIONS[condition]. The walks of one session share that day's weight and manner."""
    gait = person.gait
    condition = jnp.asarray(condition, jnp.int32)
    day = jax.random.fold_in(jax.random.key(gait.seed), session)
    of_scores, of_uniform = jax.random.split(key)
    day_scores, scores = Scores(day, 302), Scores(of_scores, 322)
    today, now = day_scores.take(12), scores.take(12)
    strengths = scores.take(len(norms.CONDITION))
    uniform = jax.random.uniform(of_uniform, (1 + TONES + len(CHANNELS) * 2 * TONES,))
    # Habits outside the curves: the same parts of the between-subject spread.
    habit = norms.SESSION_SHARE * today + norms.TRIAL_SHARE * now

    effect = {
        name: _strengthened(jnp.array(values)[condition], values[0], 1 + norms.CONDITION_SPREAD * strength)
        for (name, values), strength in zip(norms.CONDITION.items(), strengths, strict=True)
    }
    speed_factor = (
        jnp.exp(norms.SESSION_SPEED_CV * today[0] + norms.TRIAL_SPEED_CV * jnp.clip(now[0], -2, 2)) * effect["speed"]
    )
    speed = gait.speed * speed_factor
    # step length over cadence is a habit as well, and no more constant than the others
    walk_ratio = jnp.exp(norms.WALK_RATIO_CV * habit[10])

    def varied(usual: Array, draw: Callable[[Scores], Array]) -> Array:
        return usual + norms.SESSION_SHARE * draw(day_scores) + norms.TRIAL_SHARE * draw(scores)

    leg = varied(gait.leg, lambda source: side_deviation(source, norms.LEG_SD))
    knee = scale_curves(leg[:, 1], effect["knee_swing"])
    arm = varied(gait.arm, lambda source: side_deviation(source, norms.ARM_SD))
    # A faster walk swings the arms more, in proportion to step length.
    holds = jnp.stack([1 - gait.bag_side, gait.bag_side])
    swing = (effect["swing"] + (effect["bag_swing"] - effect["swing"]) * holds) * jnp.sqrt(speed_factor)
    arm = jnp.concatenate([arm[..., :1], arm[..., 1:] * swing[:, None, None]], -1)
    arm = arm.at[:, 1, 0].add(jnp.radians(effect["bag_elbow"]) * holds)
    trunk = varied(gait.trunk, trunk_deviation)
    away = 1 - 2 * gait.bag_side  # a bag in the right hand: list to the left
    trunk = trunk.at[jnp.array([3, 4]), 0].add(jnp.radians(jnp.stack([effect["lean"], effect["list"] * away])))
    return Walk(
        condition=condition,
        speed=speed,
        cadence=gait.cadence * jnp.sqrt(speed_factor / walk_ratio),
        phase=uniform[0],
        stance=gait.stance + norms.STANCE_PER_SPEED * (speed - gait.speed) + norms.STANCE_SD * habit[1],
        leg=leg.at[:, 1].set(knee),
        arm=arm,
        trunk=trunk,
        neck_lean=gait.neck_lean + jnp.radians(norms.NECK_LEAN_SD * habit[2] + effect["neck"]),
        head_lean=gait.head_lean + jnp.radians(norms.HEAD_LEAN_SD * habit[3] + 0.3 * effect["neck"]),
        abduction=gait.abduction + jnp.radians(norms.ARM_ABDUCTION_SD * habit[4] + effect["abduction"]),
        step_width=jnp.maximum(gait.step_width + norms.STEP_WIDTH_SD * habit[5], 0.02),
        toe_out=gait.toe_out + jnp.radians(norms.TOE_OUT_SD * habit[6:8]),
        clearance=jnp.maximum(gait.clearance + norms.CLEARANCE_SD * habit[11], 0.004) + effect["clearance"],
        late_step=gait.late_step + norms.STEP_TIME_ASYMMETRY_SD * habit[8],
        long_step=gait.long_step + norms.STEP_LENGTH_ASYMMETRY_SD * habit[9],
        bag_side=gait.bag_side,
        weight=jnp.exp(norms.SESSION_WEIGHT_CV * today[1]),
        tone_rate=0.08 + 0.37 * uniform[1 : 1 + TONES],
        tone_phase=2 * jnp.pi * uniform[1 + TONES :].reshape(len(CHANNELS), 2, TONES),
    )


def _strengthened(value: Float[Array, ""], neutral: float, strength: Float[Array, ""]) -> Float[Array, ""]:
    return neutral + (value - neutral) * strength


def body_of_day(body: Body, walk: Walk) -> Body:
    """The body with this session's weight: girths change as GIRTHS says, lengths do not."""
    exponents = jnp.array([norms.GIRTHS[name][3] for name in RADII])
    return body._replace(bmi=body.bmi * walk.weight, radii=body.radii * walk.weight**exponents)


def tremor(walk: Walk, side: Int[Array, ""] | int, strides: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
    """Stride-to-stride variation of every channel at a stride count: smooth, mean 0, s.d. 1."""
    angles = 2 * jnp.pi * walk.tone_rate * strides
    waves = jnp.sin(jnp.broadcast_to(angles, (len(CHANNELS), TONES)) + walk.tone_phase[:, side])
    return dict(zip(CHANNELS, jnp.sqrt(2 / TONES) * jnp.sum(waves, -1), strict=True))
