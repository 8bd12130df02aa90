"""Steady joints: what no leg does goes, what legs do stays."""

import numpy as np
import pytest

from gaitnet.steady import steady

RNG = np.random.default_rng(3)


def walk(rate=25.0, seconds=4.0):
    """Times, and joints that go along at 100 pixels a second while they swing 40 pixels once a second."""
    times = np.arange(round(seconds * rate)) / rate
    phase = np.linspace(0, np.pi, 16)
    swing = 40 * np.sin(2 * np.pi * times[:, None] + phase)
    return times, np.stack([100 * times[:, None] + swing, 0.3 * swing + 200], axis=-1)


@pytest.mark.parametrize("rate", [25.0, 30.0, 50.0, 59.94])
def test_a_swing_stays_and_a_tremble_goes(rate):
    times, joints = walk(rate)
    assert np.abs(steady(joints, times) - joints).max() < 0.04 * 40
    noise = RNG.normal(0, 2, joints.shape)
    left = steady(joints + noise, times) - steady(joints, times)
    assert left.std() < 0.75 * noise.std()


def test_a_joint_that_is_elsewhere_for_a_frame_comes_back():
    times, joints = walk()
    jumping = joints.copy()
    jumping[40, 3] += 90
    assert np.abs(steady(jumping, times) - joints).max() < 5


def test_whoever_speeds_up_evenly_stays_where_they_are():
    times = np.arange(50) / 25
    joints = np.tile((3 * times + 5 * times**2)[:, None, None], (1, 16, 2))
    assert np.abs(steady(joints, times) - joints).max() < 1e-9


def test_it_does_not_matter_where_and_how_large_the_picture_is():
    times, joints = walk()
    joints = joints + RNG.normal(0, 2, joints.shape)
    moved = steady(joints * [-3.0, 3.0] + [700.0, -20.0], times)
    assert np.allclose(moved, steady(joints, times) * [-3.0, 3.0] + [700.0, -20.0])


def test_nothing_is_carried_across_a_gap():
    times, joints = walk()
    joints = joints + RNG.normal(0, 2, joints.shape)
    later = np.where(np.arange(len(times)) < 30, times, times + 1.0)
    whole = steady(joints, later)
    assert np.array_equal(whole[:30], steady(joints[:30], times[:30]))
    assert np.array_equal(whole[30:], steady(joints[30:], times[30:]))


@pytest.mark.parametrize(("rate", "count"), [(12.5, 40), (25.0, 4), (25.0, 2), (25.0, 1), (25.0, 0)])
def test_too_few_frames_are_left_as_they_are(rate, count):
    joints = RNG.normal(0, 2, (count, 16, 2)).astype(np.float32)
    assert np.array_equal(steady(joints, np.arange(count) / rate), joints)


def test_frames_of_one_time_do_not_stop_it():
    joints = RNG.normal(0, 2, (30, 16, 2)).astype(np.float32)
    assert np.isfinite(steady(joints, np.zeros(30))).all()
