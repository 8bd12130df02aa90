"""Linear discriminant analysis on principal components: the classic way from gait energy images to names.

Han and Bhanu, "Individual recognition using gait energy image", PAMI 28(2), 2006; as "Fisherfaces" Belhumeur, Hespanha
and Kriegman, PAMI 19(7), 1997. Plain NumPy in float64.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped


def pca_lda(
    components: int,
) -> Callable[
    [Float[np.ndarray, "walk size"], Shaped[np.ndarray, " walk"]],
    Callable[[Float[np.ndarray, "probe size"]], Float[np.ndarray, "probe subject"]],
]:
    """A classifier of `gaitnet.evaluation.runner.evaluate`: scores are probabilities 0 to 1 that sum to 1 for a probe.

    Everybody is normally distributed about their own mean with one common covariance, the likeliest, on the first
    `components` principal components, or as many as the enrolled vectors allow; a person is as probable beforehand as
    they are often enrolled. Directions in which the enrolled vary less than 1e-10 of the most are left out.

    Raises:
        ValueError: `components` below 1; on fitting, fewer than two people or no person with two vectors.

    """
    if components < 1:
        raise ValueError(f"components: expected 1 or more, got {components}")

    def fit(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        people, owner = np.unique(labels, return_inverse=True)
        if len(people) < 2 or len(vectors) == len(people):
            raise ValueError(
                f"vectors: expected two people, and two vectors of somebody, got {len(vectors)} of {len(people)}"
            )
        x = vectors.astype(np.float64)
        middle = x.mean(axis=0)
        _, spreads, axes = np.linalg.svd(x - middle[None], full_matrices=False)
        basis = axes[: min(components, int((spreads > 1e-10 * spreads[0]).sum()))].T
        projected = (x - middle[None]) @ basis
        counts = np.bincount(owner)
        means = np.zeros((len(people), basis.shape[1]))
        np.add.at(means, owner, projected)
        means /= counts[:, None]
        within = projected - means[owner]
        covariance = within.T @ within / len(x)
        directions = np.linalg.pinv(covariance, hermitian=True) @ means.T
        offset = np.log(counts / len(x)) - 0.5 * np.sum(means.T * directions, axis=0)

        def score(probes: np.ndarray) -> np.ndarray:
            logits = (probes.astype(np.float64) - middle[None]) @ basis @ directions + offset[None]
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            return odds / odds.sum(axis=1, keepdims=True)

        return score

    return fit


def nearest_mean(
    vectors: Float[np.ndarray, "walk size"], labels: Shaped[np.ndarray, " walk"]
) -> Callable[[Float[np.ndarray, "probe size"]], Float[np.ndarray, "probe subject"]]:
    """A classifier whose score is the dot product with the mean of a person's vectors, which stay as long as they are.

    For unit-length vectors that is the mean cosine with all of the person's.
    """
    people, owner = np.unique(labels, return_inverse=True)
    means = np.stack([vectors[owner == person].mean(axis=0) for person in range(len(people))])
    return lambda probes: probes @ means.T
