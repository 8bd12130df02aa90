"""Names from vectors: the SVM, and "unknown" on people never seen."""

import numpy as np
import pytest

from gaitnet.identification.open_set import (
    calibrate_open_set,
    decide,
    gallery_similarities,
    open_set_scores,
)
from gaitnet.identification.svm import fit_linear_svm

SIZE = 16


def crowd(people, sequences, seed=0, noise=0.7, size=SIZE):
    """Vectors (person * sequence, size) about one random centre per person, and whose they are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 1, size))
    vectors = centres + noise * rng.normal(size=(people, sequences, size))
    return vectors.reshape(-1, size), [f"{seed}-{person:03}" for person in range(people) for _ in range(sequences)]


# --- linear SVM -----------------------------------------------------------------------------------------------------


def test_svm_names_people_far_beyond_chance():
    vectors, names = crowd(12, 8)
    vectors, names = vectors.reshape(12, 8, SIZE), np.array(names).reshape(12, 8)
    machine = fit_linear_svm(vectors[:, :4].reshape(-1, SIZE), names[:, :4].ravel().tolist())
    right = np.mean(np.array(machine.predict(vectors[:, 4:].reshape(-1, SIZE))) == names[:, 4:].ravel())
    assert machine.kind == "svm"
    assert right > 0.85  # chance is 1 / 12


def test_svm_scores_equal_scikit_learn():
    from sklearn.svm import LinearSVC

    vectors, names = crowd(4, 6)
    machine = fit_linear_svm(vectors, names, regularisation=0.5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    centred /= np.sqrt((centred**2).sum(axis=1).mean())
    oracle = LinearSVC(C=0.5, class_weight="balanced", dual="auto", random_state=0, max_iter=20_000).fit(centred, names)
    np.testing.assert_allclose(machine.scores(vectors), oracle.decision_function(centred), atol=1e-4)
    np.testing.assert_allclose(machine.scores(7 * vectors), machine.scores(vectors), atol=1e-5)


@pytest.mark.parametrize("people", [1, 2, 5])
def test_svm_names_those_it_was_fitted_on(people):
    vectors, names = crowd(people, 3)
    machine = fit_linear_svm(vectors, names)
    assert len(machine.subject_ids) == people
    assert machine.predict(vectors) == names


def test_one_person_is_scored_by_cosine():
    machine = fit_linear_svm(np.array([[2.0, 0.0], [0.0, 3.0]]), ["ann", "ann"])
    assert machine.kind == "cosine"
    np.testing.assert_allclose(machine.scores(np.array([[1.0, 1.0], [1.0, -1.0]])), [[1.0], [0.0]], atol=1e-6)


def test_two_people_have_opposite_scores():
    vectors, names = crowd(2, 5)
    scores = fit_linear_svm(vectors, names).scores(vectors)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1], atol=1e-6)


def test_svm_refuses_what_it_cannot_use():
    vectors, names = crowd(2, 2)
    for wrong in (vectors[:0], vectors[:3], np.full_like(vectors, np.nan)):
        with pytest.raises(ValueError, match="vectors"):
            fit_linear_svm(wrong, names if len(wrong) else [])
    with pytest.raises(ValueError, match="fitted on"):
        fit_linear_svm(vectors, names).scores(vectors[:, :3])


# --- open set -------------------------------------------------------------------------------------------------------


def scored(machine, enrolled, owners, probes) -> tuple[np.ndarray, np.ndarray]:
    similarities = gallery_similarities(probes, enrolled, owners, machine.subject_ids)
    return machine.scores(probes), similarities


def answered(machine, enrolled, owners, probes, calibration):
    class_scores, similarities = scored(machine, enrolled, owners, probes)
    return decide(class_scores, similarities, machine.subject_ids, calibration)


@pytest.mark.parametrize("people", [1, 2, 20])
@pytest.mark.parametrize("wanted", [0.01, 0.1])
def test_strangers_are_named_as_rarely_as_wanted(people, wanted):
    vectors, names = crowd(people, 8)
    vectors, names = vectors.reshape(people, 8, SIZE), np.array(names).reshape(people, 8)
    enrolled, owners = vectors[:, :4].reshape(-1, SIZE), names[:, :4].ravel().tolist()
    machine = fit_linear_svm(enrolled, owners)
    cohort, cohort_ids = crowd(1500, 1, seed=1)
    stranger_scores = open_set_scores(*scored(machine, enrolled, owners, cohort)).score
    genuine_scores = open_set_scores(*scored(machine, enrolled, owners, vectors[:, 4:6].reshape(-1, SIZE))).score
    calibration = calibrate_open_set(stranger_scores, cohort_ids, owners, wanted, genuine_scores)

    others, _ = crowd(4000, 1, seed=2)
    answers = answered(machine, enrolled, owners, others, calibration)
    rate = np.mean([not answer.unknown for answer in answers])
    # 4000 held-out strangers and a threshold set on 1500: three standard errors of both together.
    assert abs(rate - wanted) < 3 * np.sqrt(wanted * (1 - wanted) * (1 / 4000 + 1 / 1500))

    probes = vectors[:, 6:].reshape(-1, SIZE)
    known = answered(machine, enrolled, owners, probes, calibration)
    confident = np.mean([answer.confidence for answer in known])
    assert confident > np.mean([answer.confidence for answer in answers]) + 0.2
    if people == 20:
        right = np.mean([answer.subject_id == name for answer, name in zip(known, names[:, 6:].ravel(), strict=True)])
        assert (
            right > 0.35
        )  # crowds of ten other seeds: 0.51, standard deviation 0.05, at the stricter rate; chance 0.05


def test_threshold_is_the_conformal_quantile():
    calibration = calibrate_open_set(np.arange(1.0, 100.0), [str(i) for i in range(99)], ["me"], 0.05)
    assert calibration.threshold == 95  # 4 of 99 above it: (4 + 1) / 100
    np.testing.assert_allclose(calibration.confidence(np.array([0.0, 50.5, 1000.0])), [0, 0.5, 0.99])
    assert calibration.provenance["strangers"] == 99


def test_confidence_is_a_probability_where_genuine_scores_are_known():
    rng = np.random.default_rng(0)
    strangers, genuine = rng.normal(0, 1, 4000), rng.normal(2, 1, 1000)
    calibration = calibrate_open_set(strangers, [str(i) for i in range(4000)], [], 0.01, genuine)
    x = np.linspace(-2, 4, 13)
    truth = 1 / (1 + np.exp(-(2 * x - 2)))  # the posterior of two unit Gaussians at 0 and 2, equally likely
    np.testing.assert_allclose(calibration.confidence(x), truth, atol=0.03)
    assert calibration.confidence(np.array([-1e6, 1e6])).tolist() == [0, 1]


def test_confidence_survives_separable_scores():
    calibration = calibrate_open_set(np.zeros(99), ["x"] * 99, [], 0.05, np.ones(3))
    low, high = calibration.confidence(np.array([0.0, 1.0]))
    assert 0 <= low < 0.2
    assert 0.7 < high <= 1


def test_a_single_candidate_has_no_margin():
    table = open_set_scores(np.array([[0.4]]), np.array([[0.7]]))
    assert (table.margin[0], table.score[0]) == (0, 0.7)
    table = open_set_scores(np.array([[0.4, 1.0, -1.0]]), np.array([[0.9, 0.5, 0.1]]), margin_weight=0.5)
    assert table.best[0] == 1
    np.testing.assert_allclose(table.score, [0.5 + 0.5 * 0.6])


def test_calibration_refuses_enrolled_strangers_and_too_few():
    with pytest.raises(ValueError, match="bob"):
        calibrate_open_set(np.zeros(3), ["ann", "bob", "cy"], ["bob"], 0.5)
    with pytest.raises(ValueError, match="at least 99"):
        calibrate_open_set(np.zeros(98), ["x"] * 98, [], 0.01)
    assert calibrate_open_set(np.zeros(99), ["x"] * 99, [], 0.01).threshold == 0
    with pytest.raises(ValueError, match="subject_ids"):
        gallery_similarities(np.ones((1, 2)), np.ones((1, 2)), ["ann"], ["ann", "bob"])
