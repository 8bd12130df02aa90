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
    return _to_gallery(gallery)(probes)


def _to_gallery(gallery: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`part_distances` to a gallery that many probes are compared with: laid out part by part once."""
    by_part = np.ascontiguousarray(gallery.transpose(1, 2, 0))
    squares = (by_part**2).sum(axis=1)

    def distances(probes: np.ndarray) -> np.ndarray:
        total = np.zeros((len(probes), len(gallery)), probes.dtype)
        for part, (known, lengths) in enumerate(zip(by_part, squares, strict=True)):
            own = np.ascontiguousarray(probes[:, part])
            square = own @ known
            square *= -2
            square += np.einsum("pf,pf->p", own, own)[:, None]
            square += lengths
            np.maximum(square, 0, out=square)  # rounding leaves less than 0 of equal vectors
            total += np.sqrt(square, out=square)
        return total / len(by_part)

    return distances


def nearest_by_parts(parts: int) -> Classifier:
    """A classifier for `evaluate`: the nearest walk of each person, the score the negative `part_distances`.

    The vectors are given flat, (sample, parts x feature), the features of the first part first.
    """

    def fit(vectors: np.ndarray, labels: Shaped[np.ndarray, " sample"]) -> Callable[[np.ndarray], np.ndarray]:
        distances = _to_gallery(_in_parts(vectors, parts))
        return lambda probes: best_per_subject(-distances(_in_parts(probes, parts)), labels)[1]

    return fit


def _in_parts(vectors: np.ndarray, parts: int) -> np.ndarray:
    if parts < 1 or vectors.shape[1] % parts:
        raise ValueError(f"parts: expected a divisor of the {vectors.shape[1]} features of a vector, got {parts}")
    return vectors.reshape(len(vectors), parts, -1)
