"""Scores worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose.metrics import (
    grid_scale,
    head_length,
    joint_errors,
    mean_distance,
    pck,
    pckh,
    pdj,
    torso_diameter,
    torso_length,
)
from humanpose.skeleton import FLIP, INDEX, LIMB_JOINTS


def person():
    """A body whose right shoulder - left hip diagonal is 100 px, the other one 60 px, and whose head is 20 px high."""
    keypoints = np.zeros((16, 2))
    keypoints[INDEX["r_shoulder"]] = 0, 0
    keypoints[INDEX["l_hip"]] = 60, 80
    keypoints[INDEX["l_shoulder"]] = 40, 0
    keypoints[INDEX["r_hip"]] = 40, 60
    keypoints[INDEX["upper_neck"]] = 20, -10
    keypoints[INDEX["head_top"]] = 20, -30
    return keypoints, np.ones(16, bool)


def test_the_torso_is_the_longer_visible_diagonal():
    keypoints, visible = person()
    assert torso_length(keypoints, visible) == 100
    visible[INDEX["l_hip"]] = False
    assert torso_length(keypoints, visible) == 60
    visible[INDEX["l_shoulder"]] = False
    assert np.isnan(torso_length(keypoints, visible))


def test_pck_counts_joints_within_the_share_of_the_torso():
    keypoints, visible = person()
    predicted = keypoints.copy()
    predicted[INDEX["r_wrist"]] += (20, 0)  # exactly 0.2 torso: a hit
    predicted[INDEX["r_elbow"]] += (12, 16.1)  # just beyond
    predicted[INDEX["l_knee"]] += (500, 0)
    visible[INDEX["l_knee"]] = False
    score = pck(predicted, keypoints, visible, threshold=0.2)
    assert score.overall == pytest.approx(14 / 15)
    assert score.per_joint[INDEX["r_wrist"]] == 1
    assert score.per_joint[INDEX["r_elbow"]] == 0
    assert np.isnan(score.per_joint[INDEX["l_knee"]])
    assert score.over(LIMB_JOINTS) == pytest.approx(10 / 11)
    assert (score.images, score.left_out) == (1, 0)


def test_images_without_a_torso_are_left_out_and_counted():
    keypoints, visible = person()
    hidden = visible.copy()
    hidden[[INDEX["r_hip"], INDEX["l_hip"]]] = False
    score = pck(np.stack([keypoints, keypoints + 1e3]), np.stack([keypoints] * 2), np.stack([visible, hidden]))
    assert (score.overall, score.images, score.left_out) == (1.0, 1, 1)
    nobody = pck(keypoints, keypoints, np.zeros(16, bool))
    assert np.isnan(nobody.overall)
    assert nobody.left_out == 1


def test_a_prediction_that_is_not_finite_is_a_miss():
    keypoints, visible = person()
    predicted = keypoints.copy()
    predicted[3] = np.nan
    assert pck(predicted, keypoints, visible).overall == pytest.approx(15 / 16)


def test_pckh_takes_half_the_head():
    keypoints, visible = person()
    predicted = keypoints.copy()
    predicted[INDEX["r_knee"]] += (0, 10)
    predicted[INDEX["l_knee"]] += (0, 10.5)
    assert head_length(keypoints, visible) == 20
    assert pckh(predicted, keypoints, visible).overall == pytest.approx(15 / 16)
    assert pckh(predicted, keypoints, visible, reference=np.array(22.0)).overall == 1


def test_pdj_is_a_curve_over_the_one_diagonal():
    keypoints, visible = person()
    predicted = keypoints.copy()
    predicted[INDEX["r_knee"]] += (0, 12)  # 0.2 of 60 px
    low, high = pdj(predicted, keypoints, visible, thresholds=(0.1, 0.2))
    assert low.overall == pytest.approx(15 / 16)
    assert high.overall == 1
    visible[INDEX["l_shoulder"]] = False
    assert pdj(predicted, keypoints, visible, thresholds=(0.1,))[0].left_out == 1


def test_mean_distance_is_in_pixels():
    keypoints, visible = person()
    predicted = keypoints.copy()
    predicted[0] += (3, 4)
    score = mean_distance(predicted, keypoints, visible)
    assert score.per_joint[0] == 5
    assert score.overall == pytest.approx(5 / 16)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 9))
def test_uneven_batches_merge_to_the_whole_and_mirroring_changes_nothing(seed, cut):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 100, (9, 16, 2))
    predicted = keypoints + rng.normal(scale=10, size=keypoints.shape)
    visible = rng.random((9, 16)) < 0.7
    for score in (pck, pckh, mean_distance):
        whole = score(predicted, keypoints, visible)
        merged = score(predicted[:cut], keypoints[:cut], visible[:cut]) + score(
            predicted[cut:], keypoints[cut:], visible[cut:]
        )
        np.testing.assert_allclose(merged.per_joint, whole.per_joint)
        assert (merged.images, merged.left_out) == (whole.images, whole.left_out)
        mirrored = [np.ascontiguousarray(a[:, FLIP]) for a in (predicted, keypoints, visible)]
        np.testing.assert_allclose(score(*mirrored).per_joint, whole.per_joint[FLIP])


def test_shapes_that_disagree_are_named():
    keypoints, visible = person()
    with pytest.raises(ValueError, match="threshold"):
        pck(keypoints, keypoints, visible, threshold=0.0)


def test_distances_are_told_on_the_original_networks_grid():
    """A person 239.2 pixels tall fills the 299 grid to four fifths: one pixel stays one pixel."""
    boxes = np.array([[10, 10, 60, 249.2], [0, 0, 478.4, 100], [5, 5, 5, 5]])
    scale = grid_scale(boxes)
    np.testing.assert_allclose(scale[:2], [1.0, 0.5])
    assert np.isnan(scale[2])
    keypoints = np.stack([person()[0]] * 3)
    predicted = keypoints + np.array([6, 8])
    predicted[0, 3] = np.nan
    score = mean_distance(predicted, keypoints, np.ones((3, 16), bool), scale)
    assert score.overall == pytest.approx((15 * 10 + 16 * 5) / 31)
    assert (score.images, score.left_out) == (2, 1)


def test_errors_say_what_is_missing_and_what_was_not_found():
    keypoints, visible = person()
    visible[2] = False
    predicted = keypoints + np.array([3, 4])
    predicted[5] = np.inf
    errors = joint_errors(predicted, keypoints, visible)
    assert np.isnan(errors[2])
    assert np.isinf(errors[5])
    assert (np.delete(errors, [2, 5]) == 5).all()
    assert torso_diameter(keypoints, np.ones(16, bool)) == 60
    hits = errors <= 0.2 * torso_length(keypoints, visible)
    assert hits.sum() / (~np.isnan(errors)).sum() == pytest.approx(pck(predicted, keypoints, visible).overall)
