"""Linear support vector machine over identification vectors: fitted by scikit-learn, scored in NumPy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped


@dataclass(frozen=True)
class LinearSVM:
    """One scoring direction per person.

    `subject_ids`: names, sorted; `weights` (subject, size) and `bias` (subject,) apply to unit-length vectors with
    `centre` (size,) taken off and the result divided by `spread`. `kind`: "svm", or "cosine" where only one person is
    enrolled.
    """

    subject_ids: tuple[str, ...]
    weights: Float[np.ndarray, "subject size"]
    bias: Float[np.ndarray, " subject"]
    centre: Float[np.ndarray, " size"]
    spread: float
    kind: str

    def scores(self, vectors: Float[np.ndarray, "probe size"]) -> Float[np.ndarray, "probe subject"]:
        """Decision value of each person for each probe: > 0 on the person's side; for "cosine", the cosine itself."""
        if vectors.shape[1] != self.weights.shape[1]:
            raise ValueError(
                f"vectors: expected (probe, {self.weights.shape[1]}), as this SVM was fitted on, got {vectors.shape}"
            )
        return (unit_length(vectors) - self.centre[None]) / self.spread @ self.weights.T + self.bias[None]

    def predict(self, vectors: Float[np.ndarray, "probe size"]) -> list[str]:
        """Name the best-scoring person for each probe (closed set: somebody is always named)."""
        return [self.subject_ids[best] for best in np.argmax(self.scores(vectors), axis=1)]


def fit_linear_svm(
    vectors: Float[np.ndarray, "template size"], subject_ids: Sequence[str], regularisation: float = 1.0
) -> LinearSVM:
    """Fit one-against-rest linear SVMs (squared hinge, classes weighted evenly) on the enrolled vectors.

    Vectors are brought to unit length, centred and divided by one common spread (their root-mean-square length), so
    `regularisation` (the SVM's C, larger fits tighter) means the same for every network. Deterministic. With one person
    there is nothing to separate from: the score is then the cosine to that person's mean vector. Raises ValueError for
    no vectors, or for numbers that are not finite.
    """
    names, labels = np.unique(np.asarray(subject_ids, dtype=str), return_inverse=True)
    if vectors.ndim != 2 or len(vectors) != len(labels) or not len(labels):
        raise ValueError(
            f"vectors: expected one row per subject_id, at least one, got {vectors.shape} for {len(labels)} names"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("vectors: expected finite numbers, got NaN or infinity; leave failed sequences out")
    unit = unit_length(vectors.astype(np.float64))
    if len(names) == 1:
        zeros = np.zeros(unit.shape[1], np.float32)
        mean = unit_length(unit.mean(axis=0, keepdims=True)).astype(np.float32)
        return LinearSVM((str(names[0]),), mean, np.zeros(1, np.float32), zeros, 1.0, "cosine")
    centre = unit.mean(axis=0)
    spread = float(np.sqrt(np.mean(np.sum((unit - centre[None]) ** 2, axis=1)))) or 1.0
    weights, bias = _one_against_rest((unit - centre[None]) / spread, labels, regularisation)
    weights, bias, centre = (array.astype(np.float32) for array in (weights, bias, centre))
    return LinearSVM(tuple(map(str, names)), weights, bias, centre, spread, "svm")


def _one_against_rest(
    x: Float[np.ndarray, "template size"], labels: Int[np.ndarray, " template"], regularisation: float
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.svm import LinearSVC  # slow to import, and scoring does not need it

    machine = LinearSVC(C=regularisation, class_weight="balanced", dual="auto", max_iter=20_000, random_state=0)
    machine.fit(x, labels)
    if len(machine.coef_) == 1:  # two people: scikit-learn keeps the second's side only
        return np.concatenate([-machine.coef_, machine.coef_]), np.concatenate(
            [-machine.intercept_, machine.intercept_]
        )
    return machine.coef_, machine.intercept_


def linear_svm(
    vectors: Float[np.ndarray, "walk size"], labels: Shaped[np.ndarray, " walk"]
) -> Callable[[Float[np.ndarray, "probe size"]], Float[np.ndarray, "probe subject"]]:
    """The classifier of `gaitnet.evaluation.runner.evaluate` that identification uses: fit -> score of each person."""
    return fit_linear_svm(vectors, labels.tolist()).scores


def unit_length(vectors: Float[np.ndarray, "row size"]) -> Float[np.ndarray, "row size"]:
    """Rows divided by their Euclidean length; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
