import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.leg_paths import ANKLES, KNEES, leg_paths
from gaitnet.leg_paths import exchanged as exchanges
from humanpose.skeleton import INDEX

TIMES = np.arange(50) / 25
LEGS = [*KNEES, *ANKLES]


def walker(times: np.ndarray, height: float = 180.0) -> np.ndarray:
    """Keypoints (time, joint, xy) of somebody who walks to the right; legs swing once a second, half a period apart."""
    keypoints = np.zeros((len(times), 16, 2))
    keypoints[..., 0] = 120 * times[:, None]
    keypoints[:, INDEX["head_top"], 1] = -height
    for leg, phase in ((0, 0.0), (1, np.pi)):
        swing = np.sin(2 * np.pi * times + phase)
        knee, ankle = KNEES[leg], ANKLES[leg]
        keypoints[:, knee, 0] += 0.1 * height * swing
        keypoints[:, knee, 1] = -0.27 * height
        keypoints[:, ankle, 0] += 0.2 * height * swing
        keypoints[:, ankle, 1] = -0.03 * height - 0.02 * height * np.maximum(np.cos(2 * np.pi * times + phase), 0)
    return keypoints


def seen(
    keypoints: np.ndarray, elsewhere: np.ndarray | None = None, sure: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    second = keypoints + 40 if elsewhere is None else elsewhere
    probability = np.full(keypoints.shape[:2], sure)
    return np.stack([keypoints, second]), np.stack([probability, probability * 0.1])


def exchanged(keypoints: np.ndarray, frames) -> np.ndarray:
    wrong = keypoints.copy()
    for pair in (KNEES, ANKLES):
        for frame in frames:
            wrong[frame, pair] = keypoints[frame, pair[::-1]]
    return wrong


def test_legs_that_are_right_stay_as_they_are():
    truth = walker(TIMES)
    found = leg_paths(*seen(truth), TIMES)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)
    np.testing.assert_array_equal(found[1], 0.9)


@given(st.sets(st.integers(0, 49), max_size=12), st.floats(60, 600))
@settings(deadline=None, max_examples=25)
def test_legs_taken_for_each_other_get_their_own_paths_back(frames, height):
    """Where the legs pass each other an exchange makes no difference; everywhere else it is undone, at any size."""
    truth = walker(TIMES, height)
    found = leg_paths(*seen(exchanged(truth, frames)), TIMES)[0]
    assert np.abs(found - truth)[:, LEGS].max() < 0.06 * height


def test_both_ankles_in_one_place_part_again():
    truth = walker(TIMES)
    first, second = truth.copy(), truth + 60
    right, left = ANKLES
    first[10:13, left], second[10:13, left] = truth[10:13, right], truth[10:13, left]
    found = leg_paths(*seen(first, second), TIMES)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)
    np.testing.assert_allclose(found[1][10:13, left], 0.09)


def test_the_network_is_believed_which_leg_is_the_right_one():
    """Both ways are smooth when all frames but a few are exchanged; then the many are right."""
    truth = walker(TIMES)
    found = leg_paths(*seen(exchanged(truth, range(5, 50))), TIMES)[0]
    expected = exchanged(truth, range(50))
    assert np.abs(found - expected)[:, LEGS].max() < 0.06 * 180


STEPS = [range(0, 13), range(13, 25), range(25, 38), range(38, 50)]
"""Frames of each step of `walker(TIMES)`: its ankles meet between them."""


@pytest.mark.parametrize("wrong", [(0,), (1,), (1, 2), (0, 3)])
def test_whole_steps_with_the_legs_exchanged_are_put_right(wrong):
    """A path that turns back where the ankles meet is smooth enough for one step; but then one leg would lead twice."""
    truth = walker(TIMES)
    frames = [frame for step in wrong for frame in STEPS[step]]
    keypoints, probability = seen(exchanged(truth, frames), sure=0.6)
    probability[0][frames] = 0.5  # less sure of these
    found = leg_paths(keypoints, probability, TIMES)[0]
    assert np.abs(found - truth)[:, LEGS].max() < 0.06 * 180


def test_a_network_that_calls_the_leading_leg_the_right_one_is_put_right():
    """Which of both legs is the right one cannot be known then, but they lead in turns."""
    truth = walker(TIMES)
    keypoints, probability = seen(exchanged(truth, [*STEPS[1], *STEPS[3]]), sure=0.6)
    right, left = ANKLES
    assert ((keypoints[0][:, right] - keypoints[0][:, left])[:, 0] >= -1).all()
    found = leg_paths(keypoints, probability, TIMES)[0]
    off = [np.abs(found - legs)[:, LEGS].max() for legs in (truth, exchanged(truth, range(50)))]
    assert min(off) < 0.06 * 180


def unlike(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of frames in which the legs are clearly not where they are."""
    return float((np.abs(found - truth)[:, LEGS].max(axis=(1, 2)) > 0.06 * 180).mean())


@pytest.mark.parametrize("step", [0.45, 0.9])
def test_uneven_steps_keep_their_legs(step):
    """Who limps or is seen from an angle leads far with one leg and little with the other; nobody leads twice then."""
    times = np.arange(125) / 25
    truth = walker(times * 0.5 / step)
    truth[:, ANKLES[0], 0] += 0.08 * 180
    truth[:, ANKLES[1], 0] -= 0.08 * 180
    assert unlike(leg_paths(*seen(truth), times)[0], truth) == 0


@pytest.mark.parametrize("step", [0.45, 0.9])
def test_a_step_that_is_lost_does_not_exchange_those_after_it(step):
    times = np.arange(125) / 25
    kept = np.abs(times - 4.5 * step) > 0.4 * step
    truth = walker(times * 0.5 / step)[kept]
    assert unlike(leg_paths(*seen(truth), times[kept])[0], truth) < 0.03


def test_who_hesitates_may_lead_with_the_same_leg_again():
    times, pause = np.arange(150) / 25, 0.2
    first, again = walker(times), walker(times - pause)
    again[..., 0] += 120 * pause
    stands = walker(np.full(len(times), 2.5))
    stands[..., 0] += 120 * (times - 2.5)[:, None]
    phase = np.select([times < 2.5, times < 2.5 + pause], [0, 1], 2)
    again[:, LEGS] = again[:, [*KNEES[::-1], *ANKLES[::-1]]]  # after the pause the other leg would have had its turn
    truth = np.stack([first, stands, again])[phase, np.arange(len(times))]
    assert unlike(leg_paths(*seen(truth), times)[0], truth) < 0.03


def test_probabilities_go_with_their_joints():
    truth = walker(TIMES)
    keypoints, probability = seen(truth)
    probability[0][:, ANKLES[0]], probability[0][:, ANKLES[1]] = 0.8, 0.7
    keypoints[0] = exchanged(keypoints[0], STEPS[1])
    for pair in (KNEES, ANKLES):
        probability[0][13:25, pair] = probability[0][13:25, pair[::-1]]
    found, sure = leg_paths(keypoints, probability, TIMES)
    right = np.abs(found - truth)[:, LEGS].max(axis=(1, 2)) < 1e-6
    assert right[STEPS[1]].mean() > 0.7
    np.testing.assert_allclose(sure[right][:, ANKLES[0]], 0.8)


def test_legs_seen_from_the_front_or_after_a_rest_are_left_alone():
    keypoints, probability = seen(walker(TIMES) * [0.3, 1])  # the ankles are never far apart across the picture
    assert not exchanges(keypoints[0], keypoints[0], probability[0], TIMES).any()
    slow = TIMES * 3  # a step takes a second and a half: each lead stands alone, and the paths are believed
    keypoints, probability = seen(exchanged(walker(TIMES), STEPS[1]))
    assert not exchanges(keypoints[0], keypoints[0], probability[0], slow).any()


def test_uneven_times_and_gaps_do_no_harm():
    times = np.sort(np.random.default_rng(0).uniform(0, 3, 60))
    times[30:] += 5
    truth = walker(times)
    found = leg_paths(*seen(truth), times)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_have_no_path(frames):
    keypoints, probability = seen(walker(TIMES[:frames]))
    found = leg_paths(keypoints, probability, TIMES[:frames])
    np.testing.assert_array_equal(found[0], keypoints[0])
    np.testing.assert_array_equal(found[1], probability[0])


def test_other_joints_are_left_alone_and_nothing_is_made_up():
    rng = np.random.default_rng(3)
    first, second = rng.uniform(0, 200, (2, 30, 16, 2))
    found = leg_paths(*seen(first, second), TIMES[:30])[0]
    others = [joint for joint in range(16) if joint not in LEGS]
    np.testing.assert_array_equal(found[:, others], first[:, others])
    for pair in (KNEES, ANKLES):
        for leg, joint in enumerate(pair):
            options = np.stack([first[:, joint], second[:, joint], first[:, pair[1 - leg]]])
            assert np.abs(options - found[:, joint]).sum(axis=-1).min(axis=0).max() < 1e-9
