"""PCA and LDA against scikit-learn's, and what they refuse; what a stopped evaluation keeps."""

import numpy as np
import pytest

from gaitnet.identification import discriminant
from gaitnet.identification.discriminant import TooFewError, fit_discriminant
from gaitnet.kept import Kept


def crowd(people=6, walks=5, size=20, seed=0):
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 1, (people, size))
    noise = rng.normal(0, 1, (people, walks, size)) * np.linspace(0.1, 3, size)
    return (middles[:, None] + noise).reshape(-1, size), np.repeat([f"p{n}" for n in range(people)], walks)


def test_without_ridge_and_with_all_components_it_is_scikit_learns(monkeypatch):
    monkeypatch.setattr(discriminant, "VARIANCE", 1.0)
    monkeypatch.setattr(discriminant, "RIDGE", 1e-9)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    vectors, labels = crowd(walks=40)
    ours = fit_discriminant(vectors, labels)(vectors)
    assert ours.shape == (240, 5)
    oracle = LinearDiscriminantAnalysis(solver="eigen", shrinkage=None).fit(vectors, labels).transform(vectors)
    for own, other in zip(ours.T, oracle.T, strict=True):
        assert abs(np.corrcoef(own, other)[0, 1]) > 0.9999


def test_people_are_further_apart_than_before():
    vectors, labels = crowd(people=30, walks=6)
    strangers, names = crowd(people=10, walks=4, seed=1)

    def right(rows):
        distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
        np.fill_diagonal(distances, np.inf)
        return (names[distances.argmin(axis=1)] == names).mean()

    assert right(fit_discriminant(vectors, labels)(strangers)) > right(strangers) + 0.1


def test_what_is_refused():
    vectors, labels = crowd(people=3, walks=1)
    with pytest.raises(TooFewError, match="several walks of at least two people"):
        fit_discriminant(vectors, labels)
    with pytest.raises(ValueError, match="NaN"):
        fit_discriminant(np.full((4, 3), np.nan), np.array(["a", "a", "b", "b"]))


def test_what_is_kept_is_found_again_whole_or_not_at_all(tmp_path):
    kept = Kept(tmp_path / "walks", "weights 1")
    assert kept.get("075/nm-01") is None
    arrays = {"single frame": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 4), np.float32)}
    kept.put("075/nm-01", arrays, {"reason": ""})
    found = kept.get("075/nm-01")
    assert found.about == {"reason": ""}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    assert Kept(tmp_path / "walks", "weights 2").get("075/nm-01") is None
    assert kept.get("075/nm-02") is None
    (file,) = (tmp_path / "walks").iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    assert kept.get("075/nm-01") is None
    nowhere = Kept(None, "weights 1")
    nowhere.put("075/nm-01", arrays, {})
    assert nowhere.get("075/nm-01") is None
