"""Walking that could be: bones keep their lengths, feet keep their places, and the draw can be read from the joints."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaitnet.walkers.body import POINTS, RADII, common_body, draw_person
from gaitnet.walkers.motion import CONDITIONS, body_of_day, draw_walk, walk_points

AT = {name: index for index, name in enumerate(POINTS)}
RATE = 100.0
TIMES = jnp.arange(1600) / RATE
PEOPLE = 10


DRAW = jax.jit(jax.vmap(draw_walk))
WALK = jax.jit(jax.vmap(lambda body, walk: walk_points(body, walk, TIMES)))


@functools.cache
def crowd():
    """(persons, walks, points (person, time, point, xyz)) of ten people, two in each condition."""
    keys = jax.random.split(jax.random.key(5), PEOPLE)
    persons = jax.jit(jax.vmap(draw_person))(keys)
    walks = DRAW(keys, persons, jnp.arange(PEOPLE) % len(CONDITIONS), jnp.zeros(PEOPLE, int))
    return persons, walks, np.asarray(WALK(persons.body, walks), np.float64)


@functools.cache
def alone(condition: int = 0, session: int = 0, seed: int = 0):
    """(person, walks, points) of ten walks of the first of them."""
    person = jax.tree.map(lambda field: jnp.repeat(field[:1], PEOPLE, axis=0), crowd()[0])
    keys = jax.random.split(jax.random.key(seed), PEOPLE)
    walks = DRAW(keys, person, jnp.full(PEOPLE, condition), jnp.full(PEOPLE, session))
    return person, walks, np.asarray(WALK(person.body, walks), np.float64)


def spans(points: np.ndarray, start: str, end: str) -> np.ndarray:
    return np.linalg.norm(points[..., AT[start], :] - points[..., AT[end], :], axis=-1)


def runs(mask: np.ndarray) -> np.ndarray:
    """(run, start and stop) of the frames where the mask holds."""
    return np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]]))).reshape(-1, 2)


@pytest.mark.parametrize(
    ("start", "end", "segment"),
    [
        (f"{side}_{start}", f"{side}_{end}", segment)
        for side in "rl"
        for start, end, segment in [
            ("hip", "knee", "thigh"), ("knee", "ankle", "shank"), ("shoulder", "elbow", "upper_arm"),
            ("elbow", "wrist", "forearm"),
        ]
    ]
    + [("pelvis", "thorax", "trunk"), ("thorax", "upper_neck", "neck"), ("upper_neck", "head_top", "head"),
       ("r_hip", "l_hip", "hip_width"), ("r_shoulder", "l_shoulder", "shoulder_width")],
)  # fmt: skip
def test_segments_keep_their_lengths(start, end, segment):
    persons, _, points = crowd()
    expected = np.asarray(getattr(persons.body, segment), np.float64)
    np.testing.assert_allclose(
        spans(points, start, end), np.broadcast_to(expected[:, None], points.shape[:2]), atol=2e-4
    )


def test_feet_are_rigid():
    _, _, points = crowd()
    for side in "rl":
        for start, end in [("heel", "toe"), ("ankle", "heel"), ("ankle", "toe")]:
            assert np.ptp(spans(points, f"{side}_{start}", f"{side}_{end}"), axis=1).max() < 2e-4


def test_midpoints_are_midpoints():
    _, _, points = crowd()
    for middle, name in [("pelvis", "hip"), ("thorax", "shoulder")]:
        mean = (points[:, :, AT[f"r_{name}"]] + points[:, :, AT[f"l_{name}"]]) / 2
        np.testing.assert_allclose(points[:, :, AT[middle]], mean, atol=1e-4)


def test_standing_feet_do_not_slide_and_no_foot_sinks():
    persons, _, points = crowd()
    radius = np.asarray(persons.body.radii)[:, RADII.index("foot")]
    windows = 0
    for person in range(PEOPLE):
        for side in "rl":
            for end in ("heel", "toe"):
                place = points[person, :, AT[f"{side}_{end}"]]
                height = place[:, 2] - radius[person]
                assert height.min() > -0.003
                for start, stop in runs(height < 0.0005):
                    # The frames in which the foot comes and goes belong to the swing.
                    if stop - start > 12:
                        assert np.ptp(place[start + 2 : stop - 2, :2], axis=0).max() < 0.02
                        windows += 1
    assert windows > PEOPLE * 4 * 10


def test_somebody_always_stands():
    persons, _, points = crowd()
    radius = np.asarray(persons.body.radii)[:, RADII.index("foot")][:, None, None]
    ends = [AT[f"{side}_{end}"] for side in "rl" for end in ("heel", "toe")]
    assert (points[:, :, ends, 2] - radius).min(-1).max() < 0.003


def test_cadence_and_step_length_are_those_of_the_draw():
    _, walks, points = crowd()
    for person in range(PEOPLE):
        places, moments = [], []
        for side in "rl":
            ankle = points[person, :, AT[f"{side}_ankle"]]
            speed = np.linalg.norm(np.gradient(ankle[:, :2], axis=0), axis=1) * RATE
            for start, stop in runs(speed < 0.05):
                if stop - start > 8 and start > 0 and stop < len(speed):
                    places.append(ankle[start:stop, 0].mean())
                    moments.append((start + stop) / 2 / RATE)
        order = np.argsort(moments)
        when, where = np.array(moments)[order], np.array(places)[order]
        steps = len(when) - 1
        cadence = steps / (when[-1] - when[0])
        step = (where[-1] - where[0]) / steps
        assert cadence == pytest.approx(float(walks.cadence[person]), rel=0.02)
        assert step == pytest.approx(float(walks.speed[person] / walks.cadence[person]), rel=0.02)


def test_motion_has_no_jumps():
    _, _, points = crowd()
    velocity = np.diff(points, axis=1) * RATE
    assert np.linalg.norm(velocity, axis=-1).max() < 9.0
    # Between frames 10 ms apart no velocity changes by more than a heel strike does.
    assert np.linalg.norm(np.diff(velocity, axis=1), axis=-1).max() < 4.0
    assert np.linalg.norm(np.diff(velocity[:, :, AT["pelvis"]], axis=1), axis=-1).max() < 1.0


def test_the_walk_heads_along_x_and_upright():
    _, walks, points = crowd()
    way = points[:, -1, AT["pelvis"]] - points[:, 0, AT["pelvis"]]
    np.testing.assert_allclose(way[:, 0], np.asarray(walks.speed) * 15.99, rtol=0.03)
    assert np.abs(way[:, 1]).max() < 0.2
    assert np.all(points[:, :, AT["l_hip"], 1] > points[:, :, AT["r_hip"], 1])
    assert np.all(points[:, :, AT["nose"], 0] > points[:, :, AT["upper_neck"], 0])


def test_arms_swing_against_legs():
    _, _, points = crowd()
    normal = points[0]
    arm = normal[:, AT["r_wrist"], 0] - normal[:, AT["r_shoulder"], 0]
    leg = normal[:, AT["r_ankle"], 0] - normal[:, AT["r_hip"], 0]
    assert np.corrcoef(arm, leg)[0, 1] < -0.6


def test_knees_bend_forward():
    _, _, points = crowd()
    for side in "rl":
        thigh = points[:, :, AT[f"{side}_knee"]] - points[:, :, AT[f"{side}_hip"]]
        shank = points[:, :, AT[f"{side}_ankle"]] - points[:, :, AT[f"{side}_knee"]]
        flexion = np.arctan2(thigh[..., 0], -thigh[..., 2]) - np.arctan2(shank[..., 0], -shank[..., 2])
        assert flexion.min() > 0


def test_same_key_same_walk_and_others_differ():
    _, walks, first = alone()
    alone.cache_clear()
    np.testing.assert_array_equal(first, alone()[2])
    assert np.abs(first - alone(seed=1)[2]).max(axis=(1, 2, 3)).min() > 0.01
    _, other_day, there = alone(session=1)
    assert np.abs(first - there).max(axis=(1, 2, 3)).min() > 0.005
    assert np.all(walks.weight == walks.weight[0])
    assert np.all(other_day.weight != walks.weight)


def test_strides_of_one_walk_differ():
    _, _, points = crowd()
    pelvis = points[0, :, AT["pelvis"]]
    heights = [np.interp(0.0, [0, 1], pelvis[[start, start + 1], 2]) for start in range(0, 1500, 107)]
    assert np.std(heights) > 1e-4


def test_conditions_act():
    persons, normal, _ = alone()

    def lean(condition: str) -> float:
        points = alone(CONDITIONS.index(condition))[2]
        trunk = points[:, :, AT["thorax"]] - points[:, :, AT["pelvis"]]
        return np.degrees(np.mean(np.arctan2(trunk[..., 0], trunk[..., 2])))

    def swing(condition: str, side: str) -> float:
        points = alone(CONDITIONS.index(condition))[2]
        return np.mean(np.ptp(points[:, :, AT[f"{side}_wrist"], 0] - points[:, :, AT[f"{side}_shoulder"], 0], axis=1))

    assert lean("BP") > lean("NM") + 3
    assert swing("BP", "r") < 0.92 * swing("NM", "r")
    held = "rl"[int(persons.gait.bag_side[0])]
    assert swing("HB", held) < 0.6 * swing("NM", held)
    shoes = alone(CONDITIONS.index("SH"))[1]
    assert np.mean(shoes.speed) < np.mean(normal.speed)
    assert np.mean(shoes.clearance) > np.mean(normal.clearance) + 0.008


def test_weight_changes_girths_and_not_lengths():
    persons, walks, _ = alone(session=4)
    usual = jax.tree.map(lambda field: field[0], persons.body)
    body = body_of_day(usual, jax.tree.map(lambda field: field[0], walks))
    waist = RADII.index("waist")
    assert (float(body.radii[waist]) > float(usual.radii[waist])) == (float(walks.weight[0]) > 1)
    assert float(body.thigh) == float(usual.thigh)


def test_one_body_for_everybody_keeps_motion():
    _, walks, own = crowd()
    body = common_body()
    points = np.asarray(WALK(jax.tree.map(lambda field: jnp.stack([field] * PEOPLE), body), walks), np.float64)
    np.testing.assert_allclose(spans(points, "r_hip", "r_knee"), float(body.thigh), atol=2e-4)
    np.testing.assert_allclose(points[:, -1, AT["pelvis"], 0], own[:, -1, AT["pelvis"], 0], atol=0.1)
