"""Quantiles of joint distances: against a literal twin, and what they must not depend on."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gaitnet.identification.svm import standardised_svm
from gaitnet.pose_statistics import QUANTILES, joint_distances, pose_statistics


def walk(time=50, joints=5, axes=3, seed=0):
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(time)[:, None, None] / 4 + rng.uniform(0, 6, (1, joints, axes)))
    return (rng.normal(0, 0.5, (1, joints, axes)) + 0.1 * swing).astype(np.float32)


def seen(keypoints):
    return np.ones(keypoints.shape[:2], bool)


@pytest.mark.parametrize("axes", [2, 3])
def test_as_a_literal_twin(axes):
    keypoints = walk(axes=axes)
    rows = []
    for start in range(0, 50 - 20 + 1, 5):
        window = keypoints[start : start + 20].astype(float)
        pairs = [
            [np.sqrt(((frame[a] - frame[b]) ** 2).sum()) for a in range(5) for b in range(a + 1, 5)] for frame in window
        ]
        rows.append([np.quantile(column, q) for q in QUANTILES for column in np.transpose(pairs)])
    np.testing.assert_allclose(pose_statistics(keypoints, seen(keypoints), 30.0), rows, rtol=1e-5)


def test_a_short_walk_is_one_window():
    keypoints = walk(time=7)
    assert pose_statistics(keypoints, seen(keypoints), 30.0).shape == (1, 3 * 10)


def test_place_direction_and_the_order_in_a_window_do_not_count():
    keypoints = walk(time=20)
    told = pose_statistics(keypoints, seen(keypoints), 30.0)
    turned = Rotation.from_euler("xyz", [0.3, -1, 2]).apply(keypoints.reshape(-1, 3)).reshape(keypoints.shape) + 4.0
    np.testing.assert_allclose(pose_statistics(turned, seen(turned), 30.0), told, rtol=1e-4)
    mixed = keypoints[np.random.default_rng(1).permutation(20)]
    np.testing.assert_allclose(pose_statistics(mixed, seen(mixed), 30.0), told, rtol=1e-5)


def test_swing_alone_knows_no_lengths():
    keypoints = walk()
    told = pose_statistics(keypoints, seen(keypoints), 30.0, swing_alone=True)
    np.testing.assert_allclose(pose_statistics(3 * keypoints, seen(keypoints), 30.0, swing_alone=True), told, rtol=1e-4)
    still = np.repeat(keypoints[:1], 30, axis=0)
    np.testing.assert_allclose(pose_statistics(still, seen(still), 30.0, swing_alone=True), 1.0, rtol=1e-5)
    assert np.ptp(told) > 0.1


def test_a_joint_that_is_lost_for_a_while_is_filled_in():
    keypoints = np.linspace(0, 1, 40)[:, None, None] * walk(time=1)
    visible = seen(keypoints)
    visible[10:15, 2] = False
    lost = np.where(visible[..., None], keypoints, 0)
    np.testing.assert_allclose(
        pose_statistics(lost, visible, 30.0), pose_statistics(keypoints, seen(keypoints), 30.0), rtol=1e-4
    )


def test_what_cannot_be_told_is_refused():
    keypoints = walk()
    visible = seen(keypoints)
    visible[:, 3] = False
    with pytest.raises(ValueError, match="got none of joint 3"):
        pose_statistics(keypoints, visible, 30.0)
    with pytest.raises(ValueError, match="frames and a rate"):
        pose_statistics(keypoints[:0], visible[:0], 30.0)
    with pytest.raises(ValueError, match="frames and a rate"):
        pose_statistics(keypoints, seen(keypoints), 0.0)


def test_distances_of_a_triangle():
    corners = np.array([[[0, 0], [3, 0], [0, 4]]], np.float32)
    np.testing.assert_allclose(joint_distances(corners), [[3, 4, 5]])


def test_the_unit_of_a_number_does_not_count():
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(centre, 1, (8, 4)) for centre in (0, 2, 4)])
    labels = np.repeat(["a", "b", "c"], 8)
    units = np.array([1, 1000, 1e-3, 10])
    scores = standardised_svm(vectors, labels)(vectors)
    np.testing.assert_allclose(standardised_svm(vectors * units, labels)(vectors * units), scores, atol=1e-4)
    assert (scores.argmax(1) == np.repeat([0, 1, 2], 8)).mean() > 0.8
    constant = np.concatenate([vectors, np.full((24, 1), 7.0)], axis=1)
    np.testing.assert_allclose(standardised_svm(constant, labels)(constant), scores, atol=1e-4)
