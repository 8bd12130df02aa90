"""What a step of the pose task learns from: photographs and landmarked frames, cropped and changed, and who walks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from humanpose.augment import ORIGINAL, AugmentConfig, carry_keypoints, draw_affine, draw_colour, draw_half_body
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import crop, crop_affine
from humanpose.skeleton import FLIP
from train.backgrounds import make_backgrounds
from train.config import PoseTaskConfig
from train.data import make_batch
from train.pose_data import weights_of
from train.pose_evaluation import Images
from train.pose_windows import make_window, windows_of

PHOTOGRAPHS = AugmentConfig(
    rotation=20.0, turned=0.02, zoom=(0.9, 1.12), shift=0.025,
    gain=0.15, tint=0.08, offset=0.04, noise=0.015, grey=0.1, coarse=0.05, coarsest=0.4, erase=0.05,
)  # fmt: skip
"""Mild: the networks that a CPU can train hardly know the photographs they learn from better than others."""

HARDER = replace(PHOTOGRAPHS, rotation=35.0, turned=0.04, zoom=(0.8, 1.25), shift=0.035, erase=0.15)
"""For a network that does, as x1.0 by the end of its first training."""

LANDMARKS = AugmentConfig(rotation=10.0, zoom=(0.8, 1.25), coarse=0.15, flip=0.0)
"""Not mirrored: filmed walkers all go to the right, which tells the near side from the far one when details do not."""

BACKGROUNDS = 3
"""Of the seed of what stands behind walkers, apart from those of the samples."""


def make_sample(
    records: Sequence[PoseRecord], images: Images, size: tuple[int, int], config: AugmentConfig, hidden: float = 1.0
):
    """A sampler for `train.data.make_batch`: record -> augmented crop (uint8), its keypoints and their weights.

    `hidden` is the weight of joints that are annotated behind something.
    """

    def sample(index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        record = records[index]
        box = draw_half_body(rng, record.box, record.keypoints, record.visible, config)
        affine, flip = draw_affine(rng, crop_affine(box, size, mirror=record.walks_left), size, config)
        exchanged = flip != record.walks_left
        weights = weights_of(record, hidden)
        keypoints, visible = carry_keypoints(record.keypoints, weights, affine, exchanged, size)
        picture = draw_colour(rng, crop(images(record), affine, size), config)
        second = np.zeros((16, 3), np.float32) if record.opinion is None else record.opinion
        opinion = np.column_stack(carry_keypoints(second[:, :2], second[:, 2], affine, exchanged, size))
        return {
            "images": picture,
            "keypoints": keypoints,
            "visible": visible,
            "present": weights[FLIP] if exchanged else weights,
            "opinion": opinion,
        }

    return sample


def make_batches(
    config: PoseTaskConfig, photographs: Sequence[PoseRecord], landmarks: Sequence[PoseRecord], images: Images
):
    """The batch of a step: photographs and landmarked frames; the walkers are drawn in the step itself."""
    size = config.size
    for name, records, count in (
        ("photographs", photographs, config.photographs), ("landmarks", landmarks, config.landmarks)
    ):  # fmt: skip
        if count and not records:
            where = "no kth_walking with landmarks of persons who train; --preset no-kth does without"
            lacks = where if name == "landmarks" else "no photographs to learn from"
            raise ValueError(f"{name}: the preset wants {count} in a batch, but the folder of data sets holds {lacks}")
    augment = {"ours": PHOTOGRAPHS, "harder": HARDER, "original": ORIGINAL}[config.augment]
    augment = replace(augment, half_body=config.half_body)
    number, sample = len(photographs), make_sample(photographs, images, size, augment, config.hidden_weight)
    if config.window > 1:
        windows = windows_of(photographs, config.window)
        number, sample = len(windows), make_window(windows, images, size, augment, config.hidden_weight)
        if not windows:
            raise ValueError(f"photographs: there is no recording of {config.window} frames, which a window needs")
    parts = [
        (config.photographs // config.window, number, 2 * config.seed, sample),
        (
            config.landmarks,
            len(landmarks),
            2 * config.seed + 1,
            make_sample(landmarks, images, size, LANDMARKS, config.hidden_weight),
        ),
    ]
    empty: dict[str, np.ndarray] = {
        "images": np.zeros((0, *size, 3), np.uint8),
        "keypoints": np.zeros((0, 16, 2), np.float32),
        "visible": np.zeros((0, 16), np.float32),
        "present": np.zeros((0, 16), np.float32),
        "opinion": np.zeros((0, 16, 3), np.float32),
    }

    def batch_at(step: int) -> dict[str, np.ndarray]:
        drawn = [make_batch(step, count, *part) for count, *part in parts if count]
        # frames of windows stand one after another, like photographs
        batch = {
            name: np.concatenate([none, *(part[name].reshape(-1, *none.shape[1:]) for part in drawn)])
            for name, none in empty.items()
        }
        if config.backgrounds:
            rng = np.random.default_rng((BACKGROUNDS, config.seed, step))
            batch["backgrounds"] = make_backgrounds(rng, photographs, images, config.backgrounds, size)
        return {**batch, "walkers": np.zeros(config.walkers, np.float32)}

    return batch_at
