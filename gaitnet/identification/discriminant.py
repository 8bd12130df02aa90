"""Directions in which people differ and one person's walks do not: PCA, then LDA, as gait energy images are compared.

Han and Bhanu, "Individual recognition using gait energy image", PAMI 28(2), 2006; the two steps are those of Belhumeur,
Hespanha and Kriegman, "Eigenfaces vs. Fisherfaces", PAMI 19(7), 1997.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

VARIANCE = 0.99
"""Share of the variance that the principal components keep."""
RIDGE = 0.01
"""Added to the scatter within persons, in parts of its mean over directions: a person has few walks."""


class TooFewError(ValueError):
    """There are too few people, or walks of each, to tell what differs between people from what does within one."""


def fit_discriminant(
    vectors: Float[np.ndarray, "walk size"], labels: Shaped[np.ndarray, " walk"]
) -> Callable[[Float[np.ndarray, "row size"]], Float[np.ndarray, "row direction"]]:
    """Learn a projection from walks of known people; there are at most as many directions as people, less one.

    Raises:
        TooFewError: fewer than two people, or no two walks of anybody.
        ValueError: numbers that are not finite.

    """
    people, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(people) < 2 or counts.max() < 2:
        raise TooFewError(
            f"vectors: expected several walks of at least two people, got {len(vectors)} of {len(people)}; "
            "name more people to learn from"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("vectors: expected finite numbers, got NaN or infinity; leave failed walks out")
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean[None]
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(lengths**2) / max(float((lengths**2).sum()), 1e-30)
    most = min(int(np.searchsorted(share, VARIANCE)) + 1, max(len(vectors) - len(people), 1), len(lengths))
    components = axes[:most].T
    reduced = centred @ components
    middles = np.zeros((len(people), most))
    np.add.at(middles, own, reduced)
    middles /= counts[:, None]
    within = reduced - middles[own]
    scatter = within.T @ within
    scatter += np.eye(most) * max(RIDGE * float(np.trace(scatter)) / most, 1e-12)
    # in coordinates in which one person's walks spread alike in every direction, the people's own axes
    values, turned = np.linalg.eigh(scatter)
    whiten = turned / np.sqrt(values)[None]
    spread = (middles * np.sqrt(counts)[:, None]) @ whiten
    directions = np.linalg.svd(spread, full_matrices=False)[2][: len(people) - 1].T
    projection = components @ whiten @ directions
    return lambda rows: (rows - mean[None]) @ projection
