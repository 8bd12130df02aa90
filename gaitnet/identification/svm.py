"""Linear support vector machine over identification vectors: fitted by scikit-learn, scored and stored in NumPy."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from gaitnet.evaluation.files import write_whole
from gaitnet.identification.arrays import read_arrays

FORMAT, VERSION = "gaitnet-svm", 1
OWN = 2.0
"""How much a vector of the person counts. Chosen, as the background's share was, on walkers who are kept out of
everything, in galleries of 3 to 100 people."""


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
    vectors: Float[np.ndarray, "template size"],
    subject_ids: Sequence[str],
    regularisation: float = 1.0,
    background: Float[np.ndarray, "stranger size"] | None = None,
) -> LinearSVM:
    """Fit one-against-rest linear SVMs (squared hinge) on the enrolled vectors.

    Vectors are brought to unit length, centred and divided by one common spread (their root-mean-square length), so
    `regularisation` (the SVM's C per enrolled vector, larger fits tighter) means the same for every network and
    gallery. A person's own vectors weigh `OWN` each; all that the person is told from weighs as much as the others
    enrolled are, or the own vectors where these are more. `background`: vectors of people who are never enrolled, half
    of that weight: from a handful of walks nobody could learn in which directions people differ (the impostor cohort of
    Campbell, Sturim and Reynolds, Support vector machines using GMM supervectors for speaker verification, 2006).
    Deterministic. With one person and no background there is nothing to separate from: the score is then the cosine to
    that person's mean vector.

    Raises:
        ValueError: no vectors, numbers that are not finite, or a background of another size.

    """
    names, labels = np.unique(np.asarray(subject_ids, dtype=str), return_inverse=True)
    if vectors.ndim != 2 or len(vectors) != len(labels) or not len(labels):
        raise ValueError(
            f"vectors: expected one row per subject_id, at least one, got {vectors.shape} for {len(labels)} names"
        )
    strangers = np.zeros((0, vectors.shape[1])) if background is None else background
    if strangers.ndim != 2 or strangers.shape[1] != vectors.shape[1]:
        raise ValueError(f"background: expected (stranger, {vectors.shape[1]}), got {strangers.shape}")
    if not (np.isfinite(vectors).all() and np.isfinite(strangers).all()):
        raise ValueError("vectors: expected finite numbers, got NaN or infinity; leave failed sequences out")
    unit = unit_length(np.concatenate([vectors, strangers]).astype(np.float64))
    if len(names) == 1 and not len(strangers):
        zeros = np.zeros(unit.shape[1], np.float32)
        mean = unit_length(unit.mean(axis=0, keepdims=True)).astype(np.float32)
        return LinearSVM((str(names[0]),), mean, np.zeros(1, np.float32), zeros, 1.0, "cosine")
    centre = unit.mean(axis=0)
    spread = float(np.sqrt(np.mean(np.sum((unit - centre[None]) ** 2, axis=1)))) or 1.0
    x = (unit - centre[None]) / spread
    enrolled = np.arange(len(x)) < len(labels)
    sides = [
        _against_rest(x, np.concatenate([labels == person, np.zeros(len(strangers), bool)]), enrolled, regularisation)
        for person in range(len(names))
    ]
    weights, bias = (np.stack(part).astype(np.float32) for part in zip(*sides, strict=True))
    return LinearSVM(tuple(map(str, names)), weights, bias, centre.astype(np.float32), spread, "svm")


def _against_rest(
    x: Float[np.ndarray, "row size"],
    own: Bool[np.ndarray, " row"],
    enrolled: Bool[np.ndarray, " row"],
    regularisation: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Direction and bias that part one person's rows from the others enrolled and from those who are not."""
    from sklearn.svm import LinearSVC  # slow to import, and scoring does not need it

    against = [side for side in (enrolled & ~own, ~enrolled) if side.any()]
    rest = max((enrolled & ~own).sum(), own.sum())
    weight = np.where(own, OWN, 0.0)
    for side in against:
        weight[side] = rest / len(against) / side.sum()
    machine = LinearSVC(C=regularisation, dual="auto", max_iter=20_000, random_state=0)
    machine.fit(x, own, sample_weight=weight)
    return machine.coef_[0], np.asarray(machine.intercept_[0])


def linear_svm(
    vectors: Float[np.ndarray, "walk size"], labels: Shaped[np.ndarray, " walk"]
) -> Callable[[Float[np.ndarray, "probe size"]], Float[np.ndarray, "probe subject"]]:
    """The SVM as a classifier of `gaitnet.evaluation.runner.evaluate`: fit -> score of each person."""
    return fit_linear_svm(vectors, labels.tolist()).scores


def standardised_svm(
    vectors: Float[np.ndarray, "walk size"], labels: Shaped[np.ndarray, " walk"]
) -> Callable[[Float[np.ndarray, "probe size"]], Float[np.ndarray, "probe subject"]]:
    """As `linear_svm`, for numbers of any unit: each is centred and divided by its spread over the enrolled."""
    centre, spread = vectors.mean(axis=0, keepdims=True), vectors.std(axis=0, keepdims=True)
    spread = np.where(spread > 1e-6 * np.maximum(np.abs(centre), 1e-6), spread, 1.0)  # constants tell nobody
    score = linear_svm((vectors - centre) / spread, labels)
    return lambda probes: score((probes - centre) / spread)


def save_svm(path: str | Path, machine: LinearSVM) -> None:
    """Write the machine as one .npz: arrays, and a JSON header under the name `header`."""
    header = {"format": FORMAT, "version": VERSION, "kind": machine.kind, "spread": machine.spread}
    text = json.dumps(header | {"subject_ids": machine.subject_ids})
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.frombuffer(text.encode(), np.uint8),
        weights=machine.weights,
        bias=machine.bias,
        centre=machine.centre,
    )
    write_whole(Path(path), buffer.getvalue())


def load_svm(path: str | Path) -> LinearSVM:
    """Read what `save_svm` wrote; executes nothing. Raises ValueError for any other file."""
    content = Path(path).read_bytes()
    try:
        stored = read_arrays(content, "header", "weights", "bias", "centre")
        header = json.loads(stored["header"].tobytes())
        weights, bias, centre = (np.asarray(stored[name], np.float32) for name in ("weights", "bias", "centre"))
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {header['format']!r}, version {header['version']!r}")
        names = tuple(str(name) for name in header["subject_ids"])
        if weights.shape != (len(names), centre.size) or bias.shape != (len(names),) or centre.ndim != 1:
            raise ValueError("arrays do not fit the list of names")
        return LinearSVM(names, weights, bias, centre, float(header["spread"]), str(header["kind"]))
    except Exception as error:  # zipfile, numpy and json raise a dozen kinds between them on foreign bytes
        raise ValueError(f"path: {path} is not an SVM stored by save_svm (version {VERSION}): {error}") from error


def unit_length(vectors: Float[np.ndarray, "row size"]) -> Float[np.ndarray, "row size"]:
    """Rows divided by their Euclidean length; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
