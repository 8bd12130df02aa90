"""What a shard of a prepared data set holds: everything that records say as plain arrays, and crops as JPEG."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import to_crop

QUALITY = 95
"""Of the JPEGs, 0..100."""


def annotations(
    people: Sequence[PoseRecord], affines: Float[np.ndarray, "person 2 3"], sizes: Sequence[tuple[int, int]]
) -> dict[str, np.ndarray]:
    """All that records say, as arrays in pixels of the crops; `sizes` are height and width of their whole pictures."""
    count = len(people)
    keypoints = np.array([one.keypoints for one in people], np.float64).reshape(count, 16, 2)
    visible = np.array([one.visible for one in people], bool).reshape(count, 16)
    corners = np.array([one.box for one in people], np.float64).reshape(count, 2, 2)
    carried = to_crop(np.concatenate([keypoints, corners], axis=1), affines) if count else np.zeros((0, 18, 2))
    scale = affines[:, 0, 0]
    none = np.zeros(16, bool)
    return {
        "keypoints": np.where(visible[..., None], carried[:, :16], 0).astype(np.float32),
        "visible": visible,
        "box": carried[:, 16:].reshape(count, 4).astype(np.float32),
        "affine": affines,
        "picture_size": np.array(sizes, np.int32).reshape(count, 2),
        "hidden": np.array([none if one.hidden is None else one.hidden for one in people], bool).reshape(count, 16),
        "hidden_known": np.array([one.hidden is not None for one in people], bool),
        "head": np.array([one.head for one in people], np.float64) / scale,
        "walks_left": np.array([one.walks_left for one in people], bool),
        "frame": np.array([-1 if one.frame is None else one.frame for one in people], np.int64),
        "picture": _texts([str(one.path) for one in people]),
        **{key: _texts([getattr(one, key) for one in people])
           for key in ("source", "split", "subject", "action", "camera")},
    }  # fmt: skip


def _texts(words: Sequence[str]) -> np.ndarray:
    return np.array([word.encode("utf-8", "replace").decode() for word in words], np.str_)


def jpeg(picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, " byte"]:
    """A crop's bytes as JPEG."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError("a crop could not be encoded as JPEG")
    return np.asarray(data).reshape(-1)
