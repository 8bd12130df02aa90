"""The crowd against the literature: how much people differ from one another and from themselves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaitnet.walkers import norms
from gaitnet.walkers.body import POINTS, RADII, common_body, draw_person
from gaitnet.walkers.motion import CONDITIONS, draw_walk, stride_count, walk_points

AT = {name: index for index, name in enumerate(POINTS)}


@functools.cache
def people(count: int = 4000):
    return jax.device_get(jax.jit(jax.vmap(draw_person))(jax.random.split(jax.random.key(11), count)))


@functools.cache
def days(sessions: int = 2, walks: int = 2, count: int = 300):
    """Walks (person, session, walk) of the first people."""
    persons = jax.tree.map(lambda field: field[:count], people())
    keys = jax.random.split(jax.random.key(12), (count, sessions, walks))

    def of_person(person, keys):
        return jax.vmap(lambda session, row: jax.vmap(lambda key: draw_walk(key, person, 0, session))(row))(
            jnp.arange(sessions), keys
        )

    return jax.device_get(jax.jit(jax.vmap(of_person))(persons, keys))


@functools.cache
def strolls(count: int = 96, seconds: float = 13.0, rate: float = 50.0):
    """(bodies, walks, points) of the first walk of the first people."""
    persons = jax.tree.map(lambda field: field[:count], people())
    walks = jax.tree.map(lambda field: field[:count, 0, 0], days())
    times = jnp.arange(int(seconds * rate)) / rate
    points = jax.jit(jax.vmap(lambda body, walk: walk_points(body, walk, times)))(persons.body, walks)
    strides = jax.jit(jax.vmap(lambda walk: stride_count(walk, times)))(walks)
    return persons.body, walks, np.asarray(points, np.float64), np.asarray(strides, np.float64)


def over_cycle(coefficients: np.ndarray) -> np.ndarray:
    """Curves in degrees at 20 phases: (..., phase)."""
    phase = 2 * np.pi * np.arange(20) / 20
    orders = np.arange(1, norms.HARMONICS + 1)[:, None] * phase
    return np.degrees(coefficients @ np.concatenate([np.ones((1, 20)), np.cos(orders), np.sin(orders)]))


@pytest.mark.parametrize(("sex", "mean"), [(0, 1.62), (1, 1.76)])
def test_stature_by_sex(sex, mean):
    body = people().body
    stature = body.stature[body.sex == sex]
    assert 0.45 < np.mean(body.sex == sex) < 0.55
    assert np.mean(stature) == pytest.approx(mean, abs=0.006)
    assert np.std(stature) == pytest.approx(0.07, rel=0.08)


@pytest.mark.parametrize(
    ("segment", "fraction"),  # Drillis & Contini 1966
    [("thigh", 0.245), ("shank", 0.246), ("trunk", 0.288), ("upper_arm", 0.186), ("forearm", 0.146), ("hand", 0.108)],
)
def test_segments_after_drillis_and_contini(segment, fraction):
    body = people().body
    ratio = getattr(body, segment) / body.stature
    assert np.mean(ratio) == pytest.approx(fraction, rel=0.01)
    assert 0.015 < np.std(ratio) / np.mean(ratio) < 0.04


def test_upright_segments_add_up_to_stature():
    body = people().body
    np.testing.assert_allclose(sum(getattr(body, name) for name in norms.UPRIGHT), body.stature, rtol=1e-5)


def test_girths():
    body = people().body
    assert body.radii.min() > 0.01
    girth = {name: 2 * np.pi * body.radii[:, index] for index, name in enumerate(RADII)}
    men = body.sex == 1
    # ANSUR II, s.d. of girths: chest 8-9 cm, waist 10-12 cm, thigh 5-6 cm, head 1.5-2 cm (within one sex).
    for name, low, high in [
        ("chest", 0.05, 0.12),
        ("waist", 0.08, 0.16),
        ("thigh", 0.035, 0.08),
        ("head", 0.01, 0.035),
    ]:
        assert low < np.std(girth[name][men]) < high, name
    assert np.corrcoef(girth["waist"][men], body.bmi[men])[0, 1] > 0.6


def test_speed_cadence_and_step_length():
    gait, body = people().gait, people().body
    assert np.mean(gait.speed) == pytest.approx(1.30, abs=0.01)
    assert np.std(gait.speed) == pytest.approx(0.15, rel=0.06)
    cadence, step = 60 * gait.cadence, gait.speed / gait.cadence
    # Murray 1964, Winter 1991, Oberg 1993: 106-119 steps/min with s.d. 6-10; women step faster and shorter.
    assert 108 < np.mean(cadence) < 118
    assert 6 < np.std(cadence) < 11
    assert np.mean(cadence[body.sex == 0]) > np.mean(cadence[body.sex == 1]) + 3
    assert 0.66 < np.mean(step) < 0.73
    assert np.corrcoef(body.stature, step)[0, 1] > 0.3


def test_scalar_habits():
    gait = people().gait
    assert np.mean(gait.step_width) == pytest.approx(0.095, abs=0.003)
    assert np.std(gait.step_width) == pytest.approx(0.025, rel=0.1)
    assert np.degrees(np.mean(gait.toe_out)) == pytest.approx(6.8, abs=0.4)
    assert np.degrees(np.std(gait.toe_out)) == pytest.approx(4.5, rel=0.1)
    assert np.mean(gait.bag_side == 0) == pytest.approx(0.75, abs=0.03)
    assert 0.59 < np.mean(gait.stance) < 0.63


def test_the_spreads_are_those_of_the_literature():
    """Literal ranges: none of these may be turned up to make people easier to tell apart.

    Between-subject s.d. in degrees over the cycle, about: Winter 1991, Kadaba 1989 and 1990 (hip 3-6, knee 4.5-7, ankle
    3.5-5.5 with the offset of the markers, which a body has not), Murray 1967 (shoulder, elbow), Krebs 1992 (trunk).
    """
    assert 2.5 <= norms.LEG_SD["thigh"] <= 4
    assert 4.5 <= norms.LEG_SD["knee"] <= 6.5
    assert 3.5 <= norms.LEG_SD["ankle"] <= 5.5
    assert 3 <= norms.ARM_SD["shoulder"] <= 5
    assert 5 <= norms.ARM_SD["elbow"] <= 9
    assert 0.2 <= norms.ARM_SWING_CV <= 0.32  # Murray 1967: 32 +- 10 degrees
    assert norms.TRUNK_SD["obliquity"] <= 2
    assert norms.TRUNK_SD["rotation"] <= 3.5
    assert norms.TRUNK_SD["lean"] <= 3.5
    assert norms.NECK_LEAN_SD <= 6
    assert norms.WALK_RATIO_CV <= 0.1  # Sekiya & Nagasaki 1998


def test_walk_ratio_differs_from_walk_to_walk():
    """Step length over cadence is no fingerprint: it repeats as well as other habits (Sekiya & Nagasaki 1998)."""
    ratio = np.log(days().speed / days().cadence ** 2)
    within_day = np.sqrt(np.mean(np.var(ratio, axis=2, ddof=1)))
    between_people = np.std(np.log(people().gait.speed / people().gait.cadence ** 2))
    assert 0.01 < within_day < 0.03
    assert 2 * within_day < between_people < 0.15


@pytest.mark.parametrize(("curve", "spread"), list(enumerate(norms.LEG_SD.values())))
def test_leg_curves_between_subjects(curve, spread):
    drawn = over_cycle(people().gait.leg[:, :, curve])
    np.testing.assert_allclose(np.std(drawn, axis=0), spread, rtol=0.08)
    np.testing.assert_allclose(np.mean(drawn, axis=0)[0], over_cycle(norms.LEG[curve]), atol=0.5)
    sides = np.std(drawn[:, 0] - drawn[:, 1], axis=0)
    np.testing.assert_allclose(sides, spread * np.sqrt(2 * norms.SIDE_SHARE), rtol=0.08)


def test_normative_curves_keep_the_landmarks_of_gait():
    thigh, knee, ankle = over_cycle(norms.LEG)
    assert 12 < knee[2:5].max() < 22  # loading response, Perry: 15-20
    assert 58 < knee.max() < 66
    assert knee.argmax() in (14, 15)  # 70-75 % of the cycle
    assert 2 < knee[0] < 9
    assert -25 < thigh.min() < -14
    assert thigh.argmin() in (10, 11)
    assert -22 < ankle.min() < -14
    assert ankle.argmin() in (12, 13)  # push-off
    assert np.ptp(over_cycle(norms.ARM)[0]) == pytest.approx(31, abs=3)  # Murray 1967: 32 +- 10


def test_people_differ_more_than_their_days_and_days_more_than_their_walks():
    knee = over_cycle(days().leg[:, :, :, 0, 1])
    within_day = np.std(knee - knee.mean(2, keepdims=True), axis=2, ddof=1)
    within_day = np.sqrt(np.mean(within_day**2))
    between_days = np.sqrt(np.mean(np.var(knee[:, :, 0], axis=1, ddof=1)))
    between_people = np.mean(np.std(over_cycle(people().gait.leg[:, 0, 1]), axis=0))
    # Kadaba 1989, Winter 1991: about 1-2 degrees from walk to walk, 2-3 from day to day, 5-6 between people.
    assert 0.8 < within_day < 2.0
    assert 1.8 < between_days < 3.2
    assert 4.5 < between_people < 6.5
    assert within_day < between_days < 0.6 * between_people


def test_speed_and_weight_within_a_person():
    walks = days()
    ratio = walks.speed / people().gait.speed[:300, None, None]
    assert 0.03 < np.std(ratio) < 0.07
    assert np.all(walks.weight[:, :, 0] == walks.weight[:, :, 1])
    assert np.std(walks.weight[:, 0, 0]) == pytest.approx(norms.SESSION_WEIGHT_CV, rel=0.15)


def flexion(points: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Thigh to the vertical and knee flexion from the joints, degrees."""
    thigh = points[..., AT[f"{side}_knee"], :] - points[..., AT[f"{side}_hip"], :]
    shank = points[..., AT[f"{side}_ankle"], :] - points[..., AT[f"{side}_knee"], :]
    lean = [np.degrees(np.arctan2(part[..., 0], -part[..., 2])) for part in (thigh, shank)]
    return lean[0], lean[0] - lean[1]


def test_joint_angles_of_the_drawn_points():
    _, _, points, strides = strolls()
    cycles: dict[str, list] = {name: [] for name in ("thigh", "knee")}
    for person in range(len(points)):
        angles = flexion(points[person], "r")
        first = np.ceil(strides[person, 0])
        wanted = first + np.arange(8)[:, None] + np.arange(20) / 20
        for name, angle in zip(cycles, angles, strict=True):
            cycles[name].append(np.interp(wanted, strides[person], angle))
    for name, between, within in [("thigh", (2.0, 5.0), (0.7, 2.6)), ("knee", (3.5, 8.0), (1.0, 4.0))]:
        all_cycles = np.array(cycles[name])
        means = all_cycles.mean(1)
        assert between[0] < np.sqrt(np.mean(np.var(means, axis=0))) < between[1], name
        assert within[0] < np.sqrt(np.mean(np.var(all_cycles, axis=1, ddof=1))) < within[1], name
    knee = np.array(cycles["knee"]).mean((0, 1))
    assert 10 < knee[1:6].max() < 24
    assert 52 < knee.max() < 68
    assert knee[-1] < 16


def test_stride_times_and_pelvis():
    body, _, points, strides = strolls()
    spread, rise, sway = [], [], []
    for person in range(len(points)):
        times = np.interp(
            np.arange(np.ceil(strides[person, 0]), strides[person, -1]), strides[person], np.arange(650) / 50
        )
        spread.append(np.std(np.diff(times), ddof=1) / np.mean(np.diff(times)))
        pelvis = points[person, :, AT["pelvis"]]
        rise.append(np.mean([np.ptp(pelvis[start : start + 50, 2]) for start in range(0, 600, 50)]))
        sway.append(np.mean([np.ptp(pelvis[start : start + 50, 1]) for start in range(0, 600, 50)]))
    assert 0.010 < np.mean(spread) < 0.025  # Hausdorff
    assert 0.03 < np.mean(rise) < 0.065  # Murray 1964: 4.8 cm
    assert 0.03 < np.mean(sway) < 0.07  # Murray 1964: 4-5 cm
    hip = points[:, :, AT["r_hip"], 2].mean(1)
    assert 0.49 < np.mean(hip / body.stature) < 0.53


def test_the_common_body_is_average():
    body = jax.device_get(common_body())
    assert body.stature == pytest.approx(1.69, abs=1e-3)
    people_mean = people().body.radii.mean(0)
    np.testing.assert_allclose(body.radii, people_mean, rtol=0.05)


def test_conditions_are_the_five():
    assert CONDITIONS == ("NM", "BP", "HB", "CL", "SH")
    assert all(len(values) == len(CONDITIONS) for values in norms.CONDITION.values())
