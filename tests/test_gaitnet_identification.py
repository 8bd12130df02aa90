"""Names from vectors: the SVM, and "unknown" on people never seen."""

import numpy as np
import pytest

from gaitnet.identification.open_set import (
    calibrate_open_set,
    decide,
    gallery_similarities,
    least_strangers,
    open_set_scores,
)
from gaitnet.identification.search import Search, Strangers
from gaitnet.identification.svm import fit_linear_svm, load_svm, save_svm

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
    for person, name in enumerate(machine.subject_ids):
        own = np.array(names) == name
        oracle = LinearSVC(C=0.5, class_weight={True: 2.0, False: 1.0}, dual="auto", random_state=0, max_iter=20_000)
        found = oracle.fit(centred, own).decision_function(centred)
        np.testing.assert_allclose(machine.scores(vectors)[:, person], found, atol=1e-4)
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


def test_a_stored_svm_scores_as_before(tmp_path):
    machine = fit_linear_svm(*crowd(3, 4))
    save_svm(tmp_path / "machine.npz", machine)
    again, probes = load_svm(tmp_path / "machine.npz"), crowd(5, 1, seed=3)[0]
    assert (again.subject_ids, again.kind) == (machine.subject_ids, machine.kind)
    np.testing.assert_array_equal(again.scores(probes), machine.scores(probes))
    (tmp_path / "other.npz").write_bytes(b"PK not an SVM")
    with pytest.raises(ValueError, match="not an SVM"):
        load_svm(tmp_path / "other.npz")


def test_svm_against_a_background_equals_scikit_learn():
    from sklearn.svm import LinearSVC

    (vectors, names), (background, _) = crowd(3, 2), crowd(30, 1, seed=5)
    machine = fit_linear_svm(vectors, names, 0.5, background)
    unit = np.concatenate([vectors, background])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    unit -= unit.mean(axis=0)
    unit /= np.sqrt((unit**2).sum(axis=1).mean())
    # the person's two count twice; the other four together 2, half of what they count alone, and so do the thirty
    weight = np.array([2.0] * 2 + [2 / 4] * 4 + [2 / 30] * 30)
    oracle = LinearSVC(C=0.5, dual="auto", random_state=0, max_iter=20_000)
    oracle.fit(unit, np.arange(36) < 2, sample_weight=weight)
    np.testing.assert_allclose(machine.scores(vectors)[:, 0], oracle.decision_function(unit[:6]), atol=1e-4)


def test_a_background_tells_people_apart_who_are_enrolled_once():
    """Where everybody varies alike, strangers show in which directions; a single walk of each does not."""
    rng = np.random.default_rng(0)
    varies = np.where(np.arange(64) < 24, 3.0, 0.3)  # of a person's walks
    people, strangers = rng.normal(size=(40, 1, 64)), rng.normal(size=(400, 1, 64))
    people = people + varies * rng.normal(size=(40, 4, 64))
    strangers = (strangers + varies * rng.normal(size=(400, 1, 64))).reshape(-1, 64)
    names = [f"{person:02d}" for person in range(40)]
    probes, truth = people[:, 1:].reshape(-1, 64), np.repeat(names, 3)
    alone, against = (
        np.mean(np.array(fit_linear_svm(people[:, 0], names, background=known).predict(probes)) == truth)
        for known in (None, strangers)
    )
    assert against > alone + 0.03


def test_with_a_background_one_person_has_somebody_to_be_told_from():
    (vectors, names), (background, _) = crowd(1, 3), crowd(40, 1, seed=5)
    machine = fit_linear_svm(vectors, names, background=background)
    assert machine.kind == "svm"
    assert machine.scores(vectors).min() > 0 > np.median(machine.scores(crowd(40, 1, seed=6)[0]))


def test_strangers_who_were_learned_from_set_no_threshold():
    strangers = Strangers(np.arange(12.0).reshape(6, 2), ("a", "a", "b", "c", "c", "d"))
    background, others = strangers.parted()
    assert (background.subject_ids, others.subject_ids) == (("b", "d"), ("a", "a", "c", "c"))
    np.testing.assert_array_equal(others.vectors, strangers.vectors[[0, 1, 3, 4]])


@pytest.mark.parametrize("people", [1, 2, 20])
def test_a_search_names_new_strangers_as_rarely_as_wanted(people):
    (vectors, names), cohort = crowd(people, 3), Strangers(*crowd(1600, 2, seed=1))
    search = Search.over(vectors, names, cohort._replace(subject_ids=tuple(cohort.subject_ids)), wanted_fpir=0.05)
    answers = search.identify(crowd(3000, 1, seed=2)[0])
    # 3000 new strangers and a threshold set on 800 people, whose two walks are alike: three standard errors
    assert abs(np.mean([not answer.unknown for answer in answers]) - 0.05) < 3 * np.sqrt(
        0.05 * 0.95 * (1 / 3000 + 1 / 800)
    )


def test_nobody_is_verified_whom_another_fits_better():
    """Two who walk alike: of one walk at most one of them is told yes."""
    rng = np.random.default_rng(0)
    centre = rng.normal(size=64)
    alike = [centre + 0.1 * rng.normal(size=64) for _ in range(2)]
    enrolled = np.concatenate([one + 0.1 * rng.normal(size=(3, 64)) for one in alike])
    strangers = Strangers(rng.normal(size=(400, 64)), tuple(map(str, range(400))))
    search = Search.over(enrolled, ["ann"] * 3 + ["ben"] * 3, strangers)
    both = 0
    for person in (0, 1):
        for probe in alike[person] + 0.1 * rng.normal(size=(5, 64)):
            ann, ben = search.verify(probe, "ann"), search.verify(probe, "ben")
            both += ann.score > ann.threshold and ben.score > ben.threshold
            assert not (ann.accepted and ben.accepted)
    assert both, "the threshold alone would have told yes to both"


def test_too_few_strangers_are_refused_in_the_words_of_who_has_them():
    strangers = Strangers(*crowd(150, 1, seed=1))
    strangers = strangers._replace(subject_ids=tuple(strangers.subject_ids))
    with pytest.raises(ValueError, match=r"half of these 150 walks set the threshold, and 0\.01 .* takes 99 or more"):
        Search.over(*crowd(2, 2), strangers)
    with pytest.raises(ValueError, match="wanted_fpir must lie between 0 and 1, got 0"):
        Search.over(*crowd(2, 2), strangers, wanted_fpir=0.0)


@pytest.mark.parametrize(
    ("wanted_fpir", "least"), [(0.9999999999, 1), (0.5, 1), (0.3, 3), (0.1, 9), (0.05, 19), (0.01, 99), (0.001, 999)]
)
def test_so_many_strangers_set_a_threshold_and_no_fewer(wanted_fpir, least):
    assert least_strangers(wanted_fpir) == least
    assert calibrate_open_set(np.arange(float(least)), ["x"] * least, [], wanted_fpir).threshold == least - 1
    with pytest.raises(ValueError, match=f"at least {least} "):
        calibrate_open_set(np.arange(least - 1.0), ["x"] * (least - 1), [], wanted_fpir)


def test_a_rate_of_nearly_one_lets_nearly_every_stranger_in():
    assert calibrate_open_set(np.arange(5.0), ["x"] * 5, [], 0.9999999999).threshold == 0


def test_two_people_have_opposite_scores():
    vectors, names = crowd(2, 5)
    scores = fit_linear_svm(vectors, names).scores(vectors)
    assert np.array_equal(scores[:, 0] > 0, scores[:, 1] < 0)


def test_svm_refuses_what_it_cannot_use():
    vectors, names = crowd(2, 2)
    for wrong in (vectors[:0], vectors[:3], np.full_like(vectors, np.nan)):
        with pytest.raises(ValueError, match="vectors"):
            fit_linear_svm(wrong, names if len(wrong) else [])
    with pytest.raises(ValueError, match="finite"):
        fit_linear_svm(vectors, names, background=np.full((2, SIZE), np.inf))
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
    machine = fit_linear_svm(enrolled, owners, background=crowd(100, 1, seed=4)[0])
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
    assert (table.margin[0], table.score[0], table.similarity[0]) == (0, 0.4, 0.7)
    table = open_set_scores(np.array([[0.4, 1.0, -1.0]]), np.array([[0.9, 0.5, 0.1]]))
    assert (table.best[0], table.score[0], table.similarity[0]) == (1, 1.0, 0.5)
    np.testing.assert_allclose(table.margin, [0.6])


def test_calibration_refuses_enrolled_strangers_and_too_few():
    with pytest.raises(ValueError, match="bob"):
        calibrate_open_set(np.zeros(3), ["ann", "bob", "cy"], ["bob"], 0.5)
    with pytest.raises(ValueError, match="at least 99"):
        calibrate_open_set(np.zeros(98), ["x"] * 98, [], 0.01)
    assert calibrate_open_set(np.zeros(99), ["x"] * 99, [], 0.01).threshold == 0
    with pytest.raises(ValueError, match="subject_ids"):
        gallery_similarities(np.ones((1, 2)), np.ones((1, 2)), ["ann"], ["ann", "bob"])
