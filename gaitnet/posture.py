"""How somebody is built and carries themselves, as numbers that tell people apart: no network, one linear map.

GaitNN learned from walkers what is drawn of them; real people also differ in how they stoop, swing their arms and set
their feet. Quantiles of the distances between joints (`gaitnet.pose_statistics`) tell of that, and of much that changes
from walk to walk. A linear map calms what changes in walkers: within-class covariance normalisation (Hatch, Kajarekar
and Stolcke, "Within-class covariance normalization for SVM-based speaker recognition", Interspeech 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gaitnet.identification.svm import unit_length
from gaitnet.pose_maps import RATE, keypoints_of_maps
from gaitnet.pose_statistics import pose_statistics
from humanpose.skeleton import JOINTS

STATISTICS = 3 * len(JOINTS) * (len(JOINTS) - 1) // 2
"""Three quantiles of every distance between two joints."""
SHRINKAGE = 0.2
"""How far correlations within a person are drawn towards none: walkers are not people."""


@dataclass(frozen=True)
class Posture:
    """Pose maps -> posture vectors.

    `centre` (statistic,) of walkers, in walker heights; `whitening` (statistic, number): what is left, times this
    matrix, differs from walk to walk of one walker by about 1 in every number. `weight`: length of a posture vector
    beside GaitNN's of length 1.
    """

    centre: Float[np.ndarray, " statistic"]
    whitening: Float[np.ndarray, "statistic number"]
    weight: float = 1.0

    def __post_init__(self) -> None:
        shape = (STATISTICS, len(self.whitening.T)) if self.whitening.ndim == 2 else (STATISTICS, 1)
        if self.centre.shape != (STATISTICS,) or self.whitening.shape != shape or not shape[1]:
            raise ValueError(
                f"centre, whitening: expected ({STATISTICS},) and ({STATISTICS}, 1 or more), got {self.centre.shape} "
                f"and {self.whitening.shape}"
            )
        if not (0 < self.weight < 1e6 and np.isfinite(self.centre).all() and np.isfinite(self.whitening).all()):
            raise ValueError(f"weight, centre, whitening: expected finite numbers, a weight above 0, got {self.weight}")

    @property
    def size(self) -> int:
        """Numbers in a posture vector."""
        return self.whitening.shape[1]

    def vectors(self, windows: Sequence[Float[np.ndarray, "_time 17 17 16"]]) -> Float[np.ndarray, "window number"]:
        """The posture vector of each window of pose maps, of length 1: compare by cosine.

        Of the short windows that the statistics are of, each number's median counts: a joint that jumps, or somebody
        who comes between, spoils a few of them.

        Zeros where a joint is seen in no frame.
        """
        found = np.zeros((len(windows), self.size), np.float32)
        for row, maps in enumerate(windows):
            keypoints, probability = keypoints_of_maps(maps)
            seen = probability > 0
            if seen.any(axis=0).all():
                told = np.median(pose_statistics(keypoints, seen, RATE), axis=0, keepdims=True)
                found[row] = unit_length((told - self.centre[None]) @ self.whitening)[0]
        return found


def fit_posture(
    statistics: Float[np.ndarray, "person window statistic"], shrinkage: float = SHRINKAGE, weight: float = 1.0
) -> Posture:
    """Learn from people of whom there are several walks what changes from one to the next.

    Args:
        statistics: `pose_statistics` of each person's walks under all that may change, as many windows of each.
        shrinkage: 0..1, share of the covariance's correlations that is given up.
        weight: of the posture beside GaitNN's vector, as `Posture` has it.

    Raises:
        ValueError: one person or one window, or a shrinkage that leaves directions in which nothing changes.

    """
    people, windows, count = statistics.shape
    if people < 2 or windows < 2:
        raise ValueError(f"statistics: expected several people with several windows each, got {people} and {windows}")
    own = statistics.astype(np.float64) - statistics.mean(axis=1, keepdims=True, dtype=np.float64)
    within = np.einsum("pws,pwt->st", own, own) / (people * (windows - 1))
    spread = np.sqrt(np.diag(within))
    if not (spread > 0).all():
        raise ValueError(f"statistics: {int((spread <= 0).sum())} of {count} never change within a person")
    correlation = (1 - shrinkage) * within / np.outer(spread, spread) + shrinkage * np.eye(count)
    size, direction = np.linalg.eigh(correlation)
    if size[0] <= 1e-9:
        raise ValueError(f"shrinkage: {shrinkage} leaves directions without any change; take more, or more windows")
    whitening = direction / np.sqrt(size)[None] / spread[:, None]
    return Posture(statistics.mean(axis=(0, 1)).astype(np.float32), whitening.astype(np.float32), weight)
