import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.leg_paths import ANKLES, KNEES, smoothest_paths
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
    found = smoothest_paths(*seen(truth), TIMES)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)
    np.testing.assert_array_equal(found[1], 0.9)


@given(st.sets(st.integers(0, 49), max_size=12), st.floats(60, 600))
@settings(deadline=None, max_examples=25)
def test_legs_taken_for_each_other_get_their_own_paths_back(frames, height):
    """Where the legs pass each other an exchange makes no difference; everywhere else it is undone, at any size."""
    truth = walker(TIMES, height)
    found = smoothest_paths(*seen(exchanged(truth, frames)), TIMES)[0]
    assert np.abs(found - truth)[:, LEGS].max() < 0.06 * height


def test_both_ankles_in_one_place_part_again():
    truth = walker(TIMES)
    first, second = truth.copy(), truth + 60
    right, left = ANKLES
    first[10:13, left], second[10:13, left] = truth[10:13, right], truth[10:13, left]
    found = smoothest_paths(*seen(first, second), TIMES)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)
    np.testing.assert_allclose(found[1][10:13, left], 0.09)


def test_the_network_is_believed_which_leg_is_the_right_one():
    """Both ways are smooth when all frames but a few are exchanged; then the many are right."""
    truth = walker(TIMES)
    found = smoothest_paths(*seen(exchanged(truth, range(5, 50))), TIMES)[0]
    expected = exchanged(truth, range(50))
    assert np.abs(found - expected)[:, LEGS].max() < 0.06 * 180


def test_uneven_times_and_gaps_do_no_harm():
    times = np.sort(np.random.default_rng(0).uniform(0, 3, 60))
    times[30:] += 5
    truth = walker(times)
    found = smoothest_paths(*seen(truth), times)
    np.testing.assert_allclose(found[0], truth, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_have_no_path(frames):
    keypoints, probability = seen(walker(TIMES[:frames]))
    found = smoothest_paths(keypoints, probability, TIMES[:frames])
    np.testing.assert_array_equal(found[0], keypoints[0])
    np.testing.assert_array_equal(found[1], probability[0])


def test_other_joints_are_left_alone_and_nothing_is_made_up():
    rng = np.random.default_rng(3)
    first, second = rng.uniform(0, 200, (2, 30, 16, 2))
    found = smoothest_paths(*seen(first, second), TIMES[:30])[0]
    others = [joint for joint in range(16) if joint not in LEGS]
    np.testing.assert_array_equal(found[:, others], first[:, others])
    for pair in (KNEES, ANKLES):
        for leg, joint in enumerate(pair):
            options = np.stack([first[:, joint], second[:, joint], first[:, pair[1 - leg]]])
            assert np.abs(options - found[:, joint]).sum(axis=-1).min(axis=0).max() < 1e-9
