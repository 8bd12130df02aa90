"""Measures of joints over people, beside the scores of humanpose.metrics and the intervals of plain hits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.evaluation.intervals import rate_over_subjects, subject_weights
from gaitnet.evaluation.joints import GROUPS, MEASURES, ORIGINAL, Errors, _weights, in_pixels, over_people
from humanpose.metrics import head_length, joint_errors, mean_distance, pck, pckh, pdj, torso_diameter, torso_length
from humanpose.skeleton import INDEX, JOINTS


def people(seed=0, count=12):
    """Random bodies, joints found near them, and a few of each missing."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 100, (count, 16, 2))
    predicted = keypoints + rng.normal(scale=8, size=keypoints.shape)
    visible = rng.random((count, 16)) < 0.8
    predicted[0] = np.nan
    return predicted, keypoints, visible, rng.uniform(0.5, 2, count), np.arange(count) % 5


def errors_of(predicted, keypoints, visible, scale, owners):
    return Errors(
        joint_errors(predicted, keypoints, visible), torso_length(keypoints, visible),
        torso_diameter(keypoints, visible), head_length(keypoints, visible), scale, owners,
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_measure_is_that_of_the_scores(seed):
    predicted, keypoints, visible, scale, owners = people(seed)
    errors = errors_of(predicted, keypoints, visible, scale, owners)
    score = pck(predicted, keypoints, visible, 0.2)
    assert errors.pck(0.2).value == pytest.approx(score.overall)
    assert (errors.people, errors.left_out) == (score.images, score.left_out)
    assert errors.not_found == visible[0].any()
    counted = [joint for name, joint in INDEX.items() if name not in ("pelvis", "thorax")]
    assert errors.pckh(0.5).value == pytest.approx(pckh(predicted, keypoints, visible).over(counted))
    assert errors.pdj(0.3).value == pytest.approx(pdj(predicted, keypoints, visible, [0.3])[0].overall)
    mean = mean_distance(predicted, keypoints, visible, scale)
    assert errors.mean_distance().value == pytest.approx(mean.overall)
    for name, joints in GROUPS.items():
        assert errors.pck(0.2, joints).value == pytest.approx(score.over(joints), nan_ok=True), name
        assert errors.mean_distance(joints).value == pytest.approx(mean.over(joints), nan_ok=True), name


def test_intervals_are_those_of_plain_hits():
    predicted, keypoints, visible, scale, owners = people(3)
    errors = errors_of(predicted, keypoints, visible, scale, owners)
    known = np.isfinite(errors.torso)
    hits = errors.distance <= 0.2 * np.where(known, errors.torso, np.nan)[:, None]
    counted = visible & known[:, None]
    plain = rate_over_subjects(hits[counted].astype(float), np.repeat(owners, counted.sum(1)))
    assert errors.pck(0.2) == plain
    assert plain.low < plain.value < plain.high
    distance = errors.mean_distance()
    assert distance.low < distance.value < distance.high


def test_draws_are_those_of_the_intervals_in_a_byte_each():
    """Each joint is annotated of another number of people, and every number has a table that is kept."""
    kept = _weights(400)
    assert kept.nbytes == 1000 * 400
    np.testing.assert_array_equal(kept, subject_weights(400, 1000, 0))


def test_draws_too_many_for_a_byte_keep_their_number(monkeypatch):
    many = np.full((5, 3), 300)
    monkeypatch.setattr("gaitnet.evaluation.joints.subject_weights", lambda *_: many)
    np.testing.assert_array_equal(_weights.__wrapped__(3), many)


def test_a_mean_of_one_pixel_is_no_rate_of_one():
    values = np.array([[0.5, 1.5], [1.5, 0.5], [2.0, 0.0]])
    owners = np.arange(3)
    assert over_people(values, owners, share=False).high <= 1.0
    assert over_people(np.ones((3, 2)), owners).method.startswith("Wilson")
    nobody = over_people(np.full((3, 2), np.nan), owners)
    assert (nobody.count, in_pixels(nobody)) == (0, "not measured")


def test_all_measures_are_lines_and_curves_rise():
    predicted, keypoints, visible, scale, owners = people(1, 40)
    measures = list(errors_of(predicted, keypoints, visible, scale, owners).measures())
    assert len({(one.measure, one.joint) for one in measures}) == len(measures)
    assert all(len(one.cells()) == len(MEASURES) - 1 for one in measures)
    told = {(one.measure, one.joint): one.rate for one in measures}
    assert {joint for measure, joint in told if measure == "PCK@0.2"} == {"all", *GROUPS, *JOINTS}
    for measure in ("PCK", "PDJ"):
        curve = [told[f"{measure}@{0.05 * step:g}", "wrist"].value for step in range(1, 11)]
        assert all(low <= high for low, high in pairwise(curve))
        assert curve[0] < curve[-1]
    assert told["distance on the 299 grid", "r_knee"].count <= told["distance on the 299 grid", "knee"].count


def test_kinds_of_joints_are_those_of_the_originals_figures():
    assert sorted(joint for joints in GROUPS.values() for joint in joints) == list(range(16))
    assert [JOINTS[joint] for joint in GROUPS["upper_neck"]] == ["upper_neck"]
    for published in ORIGINAL.values():
        *each, mean = published
        weights = [len(joints) for joints in GROUPS.values()]
        assert len(each) == len(weights)
        # of one figure the mean is that of the kinds, of the other that of the 16 joints; read off bars to a tenth
        means = np.mean(each), np.average(each, weights=weights)
        assert min(abs(one - mean) for one in means) < 0.05
    assert INDEX["r_ankle"] in GROUPS["ankle"]
