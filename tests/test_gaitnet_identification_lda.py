"""PCA with LDA against scikit-learn, and the nearest mean."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from gaitnet.identification.lda import nearest_mean, pca_lda


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    labels = np.repeat(["c", "a", "b"], [9, 7, 4])
    centres = {name: rng.normal(0, 1, 30) for name in "abc"}
    vectors = np.stack([centres[name] + rng.normal(0, 1, 30) for name in labels])
    return vectors.astype(np.float32), labels, rng.normal(0, 1.5, (11, 30)).astype(np.float32)


def test_probabilities_are_those_of_scikit_learn(people):
    vectors, labels, probes = people
    reduced = PCA(6, svd_solver="full").fit(vectors.astype(np.float64))
    oracle = LinearDiscriminantAnalysis(solver="svd").fit(reduced.transform(vectors), labels)
    found = pca_lda(6)(vectors, labels)(probes)
    np.testing.assert_allclose(found, oracle.predict_proba(reduced.transform(probes)), rtol=1e-6, atol=1e-9)


def test_more_components_than_there_are_do_no_harm(people):
    vectors, labels, probes = people
    twice = np.concatenate([vectors, vectors], axis=1)  # no more is known than before
    found = pca_lda(1000)(twice, labels)(np.concatenate([probes, probes], axis=1))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_what_cannot_be_fitted_is_refused(people):
    vectors, _, _ = people
    with pytest.raises(ValueError, match="components"):
        pca_lda(0)
    with pytest.raises(ValueError, match="two vectors of somebody, got 20 of 20"):
        pca_lda(5)(vectors, np.arange(20).astype(str))
    with pytest.raises(ValueError, match="two people"):
        pca_lda(5)(vectors, np.full(20, "a"))


def test_the_nearest_mean_is_the_mean_cosine(people):
    vectors, labels, probes = people
    unit, searched = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (vectors, probes))
    found = nearest_mean(unit, labels)(searched)
    expected = np.stack([(searched @ unit.T)[:, labels == name].mean(axis=1) for name in "abc"], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
