"""How far apart vectors are that consist of parts, each of a strip of the body, as silhouette networks give them."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

from gaitnet.evaluation.galleries import Classifier
from gaitnet.evaluation.metrics import best_per_subject


def part_distances(
    probes: Float[np.ndarray, "probe part feature"], gallery: Float[np.ndarray, "sample part feature"]
) -> Float[np.ndarray, "probe sample"]:
    """Mean over parts of the Euclidean distance (OpenGait's "euc"), as one matrix product a part; NaN for a NaN."""
    parts = probes.shape[1]
    total = np.zeros((len(probes), len(gallery)), probes.dtype)
    squares, others = ((vectors**2).sum(axis=2) for vectors in (probes, gallery))
    for part in range(parts):
        square = probes[:, part] @ gallery[:, part].T
        square *= -2
        square += squares[:, part, None]
        square += others[None, :, part]
        total += np.sqrt(np.maximum(square, 0, out=square), out=square)  # rounding leaves less than 0 of equal vectors
    return total / parts


def nearest_by_parts(parts: int) -> Classifier:
    """A classifier for `evaluate`: the nearest walk of each person, the score the negative `part_distances`.

    The vectors are given flat, (sample, parts x feature), the features of the first part first.
    """

    def fit(vectors: np.ndarray, labels: Shaped[np.ndarray, " sample"]) -> Callable[[np.ndarray], np.ndarray]:
        enrolled = _in_parts(vectors, parts)
        return lambda probes: best_per_subject(-part_distances(_in_parts(probes, parts), enrolled), labels)[1]

    return fit


def _in_parts(vectors: np.ndarray, parts: int) -> np.ndarray:
    if parts < 1 or vectors.shape[1] % parts:
        raise ValueError(f"parts: expected a divisor of the {vectors.shape[1]} features of a vector, got {parts}")
    return vectors.reshape(len(vectors), parts, -1)
