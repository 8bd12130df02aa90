"""Pose maps -> identification vectors: GaitNN's, and beside it, in the same vector, the walker's posture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gaitnet.identification.svm import unit_length
from gaitnet.models.gaitnn import GaitNN, identification_vectors
from gaitnet.posture import Posture

WINDOW = 48
"""Pose maps a window: about four strides. A track is described by the mean over its windows."""


@dataclass(frozen=True)
class Descriptor:
    """What describes a walk: a GaitNN, and the posture where the weights bring one."""

    network: GaitNN
    posture: Posture | None = None

    @property
    def size(self) -> int:
        """Numbers in an identification vector."""
        return self.network.config.size + (0 if self.posture is None else self.posture.size)

    def vectors(self, windows: Sequence[Float[np.ndarray, "_time 17 17 16"]]) -> Float[np.ndarray, "window size"]:
        """The identification vector of each window of pose maps.

        GaitNN's numbers come first. With a posture they are brought to length 1, and the posture's, of its `weight` in
        length, follow: the cosine of two vectors is then the weighted mean of both parts' cosines.
        """
        found = identification_vectors(self.network, windows)
        if self.posture is None:
            return found
        return np.concatenate([unit_length(found), self.posture.weight * self.posture.vectors(windows)], axis=1)


def average_over_tracks(
    vectors: Float[np.ndarray, "track size"], frames: Int[np.ndarray, " track"]
) -> Float[np.ndarray, " size"]:
    """One vector for one person who was followed several times: the mean of unit vectors, by how long each track was.

    Args:
        vectors: identification vectors of the tracks.
        frames: how many frames each was followed for.

    Raises:
        ValueError: no tracks, or none of them has a frame.

    """
    if len(vectors) != len(frames) or not len(frames) or (frames < 0).any() or not frames.sum():
        raise ValueError(
            f"vectors, frames: expected as many of both, some frames in all, got {len(vectors)} vectors and {frames}"
        )
    return (unit_length(vectors) * (frames / frames.sum())[:, None]).sum(axis=0).astype(vectors.dtype)


def windows(maps: Float[np.ndarray, "time 17 17 16"], length: int = WINDOW) -> list[np.ndarray]:
    """A walk's pose maps in windows of `length`, half overlapping; one shorter window where the walk is short."""
    if len(maps) <= length:
        return [maps]
    starts = np.unique(np.linspace(0, len(maps) - length, -(-2 * (len(maps) - length) // length) + 1).astype(int))
    return [maps[start : start + length] for start in starts]


def vectors_of_walks(
    gait: Descriptor, walks: Sequence[Sequence[Float[np.ndarray, "_time 17 17 16"]]]
) -> list[Float[np.ndarray, "_window size"]]:
    """Several walks, each its pose maps in any number of parts -> a vector a window for each; described together."""
    cut = [[window for maps in walk for window in windows(maps)] for walk in walks]
    vectors = gait.vectors([window for walk in cut for window in walk])
    ends = np.cumsum([len(walk) for walk in cut])
    return [vectors[end - len(walk) : end] for end, walk in zip(ends, cut, strict=True)]
