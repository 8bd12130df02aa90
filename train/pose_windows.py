"""Windows of a recording in a pose batch: frames that follow each other, cropped and coloured under one change."""

from collections.abc import Callable, Sequence

import numpy as np

from humanpose.augment import AugmentConfig, apply_look, carry_keypoints, draw_affine, draw_look
from humanpose.datasets.places import natural_key
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import crop, crop_affine
from humanpose.skeleton import FLIP
from train.data import MakeSample
from train.pose_data import weights_of


def windows_of(records: Sequence[PoseRecord], length: int) -> list[list[PoseRecord]]:
    """Windows of `length` frames of one recording, half of each the next one's; none of a recording that is shorter.

    A recording is what has one subject, action and camera; its records need not stand together.
    """
    takes: dict[tuple[str, str, str], list[PoseRecord]] = {}
    for record in records:
        takes.setdefault((record.subject, record.action, record.camera), []).append(record)
    windows = []
    for take in takes.values():
        frames = sorted(take, key=lambda record: (natural_key(record.path.name), record.frame or 0))
        windows += [frames[start : start + length] for start in range(0, len(frames) - length + 1, max(length // 2, 1))]
    return windows


def make_window(
    windows: Sequence[Sequence[PoseRecord]],
    images: Callable[[PoseRecord], np.ndarray],
    size: tuple[int, int],
    config: AugmentConfig,
    hidden: float = 1.0,
) -> MakeSample:
    """A sampler for `train.data.make_batch`: window -> crops (time, height, width, 3) and their labels.

    What is drawn is the original's for sequences: one affine and one change of colours and sharpness for all frames,
    and noise for each. Every frame is cropped by its own box first, as a walker who is followed in a video is. `hidden`
    is the weight of joints that are annotated behind something.
    """
    plain = np.eye(2, 3, dtype=np.float32)

    def sample(index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        change, flip = draw_affine(rng, plain, size, config)
        look = draw_look(rng, size, config)
        rows = []
        for record in windows[index]:
            onto = crop_affine(record.box, size)
            affine = (onto @ np.vstack([change, [0, 0, 1]])).astype(np.float32)
            weights = weights_of(record, hidden)
            keypoints, visible = carry_keypoints(record.keypoints, weights, affine, flip, size)
            picture = apply_look(rng, crop(images(record), affine, size), look, config)
            rows.append((picture, keypoints, visible, weights[FLIP] if flip else weights))
        pictures, keypoints, visible, present = (np.stack(column) for column in zip(*rows, strict=True))
        return {
            "images": pictures,
            "keypoints": keypoints,
            "visible": visible,
            "present": present,
            "opinion": np.zeros((*visible.shape, 3), np.float32),
        }

    return sample
