"""The detect task: people's centres and boxes in collages of photographs, filmed scenes and rendered walkers."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gaitnet.centres import centre_loss, decode_boxes, encode_boxes
from gaitnet.models.detector import STRIDE, Detector, DetectorConfig
from gaitnet.video.detect import box_iou
from humanpose.checkpoint import load_model
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from train.config import DetectTaskConfig
from train.data import make_batch
from train.detect_data import DetectData, evaluation_arrays, make_sample


def make_loss(draw_walkers: Callable | None = None):
    """The task's loss; `draw_walkers(keys) -> (images, boxes, present)` renders walkers on the device."""

    def loss_fn(model, batch, rngs):
        images, boxes, present = batch["images"].astype(jnp.float32), batch["boxes"], batch["present"]
        if draw_walkers is not None:
            drawn = draw_walkers(jax.random.split(rngs(), batch["walkers"].shape[0]))
            images, boxes, present = (
                jnp.concatenate([real, walker.astype(real.dtype)])
                for real, walker in zip((images, boxes, present), drawn, strict=True)
            )
        centres = model(images, train=True)
        return centre_loss(
            centres.logits, centres.sides, encode_boxes(boxes, present, centres.logits.shape[1:], STRIDE)
        )

    return loss_fn


def make_batches(config: DetectTaskConfig, data: DetectData):
    """The batch of a step: `scenes` real ones; the walkers are drawn in the step itself."""
    sample, count = make_sample(data, config.size)

    def batch_at(step: int) -> dict[str, np.ndarray]:
        batch = make_batch(step, config.scenes, count, config.seed, sample)
        return {**batch, "walkers": np.zeros(config.walkers, np.float32)}

    return batch_at


def make_evaluation(config: DetectTaskConfig, data: DetectData, most: int = 160, sure: float = 0.4, batch: int = 16):
    """On held-out scenes: the share of people found (IoU 0.5, score `sure`), and false boxes a picture."""
    sets = {
        name: evaluation_arrays(scenes[:: max(len(scenes) // most, 1)][:most], config.size)
        for name, scenes in data.held_out.items()
    }

    @partial(jax.jit, static_argnums=0)
    def find(graphdef, state, images):
        centres = nnx.merge(graphdef, state)(images)
        return decode_boxes(centres.logits, centres.sides, STRIDE)

    def evaluate(model: nnx.Module) -> dict[str, float]:
        graphdef, state = nnx.split(model)
        return {
            f"{measure}_{name}": value
            for name, arrays in sets.items()
            for measure, value in _rates(partial(find, graphdef, state), arrays, sure, batch).items()
        }

    return evaluate


def _rates(find: Callable, arrays: Mapping[str, np.ndarray], sure: float, batch: int) -> dict[str, float]:
    found = people = false = 0
    count = len(arrays["images"])
    for start in range(0, count, batch):
        images = arrays["images"][start : start + batch]
        padded = np.concatenate([images, np.zeros((batch - len(images), *images.shape[1:]), images.dtype)])
        boxes, scores = (np.asarray(part) for part in find(padded))
        for row in range(len(images)):
            real = arrays["boxes"][start + row][arrays["present"][start + row] > 0]
            kept = boxes[row][scores[row] >= sure]
            overlap = box_iou(kept.astype(float), real.astype(float)) >= 0.5
            people += len(real)
            found += int(overlap.any(axis=0).sum())
            false += int((~overlap.any(axis=1)).sum())
    return {"found": found / max(people, 1), "false": false / max(count, 1)}


def new_model(config: DetectTaskConfig) -> Detector:
    """The network that the config names, freshly initialised."""
    return Detector(DetectorConfig(size=config.size), rngs=nnx.Rngs(config.seed))


def take_over(detector: Detector, directory: Path) -> str:
    """Give the detector all that a pose checkpoint has in common with it: the trunk and the way up to stride 8.

    Returns the sha256 of the checkpoint's weights.

    Raises:
        ValueError: there is no pose network in the folder, or one of another width.

    """
    pose, sha256 = load_model(directory, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0)))
    widths = [(model.trunk.stride_channels, model.config.head_channels) for model in (detector, pose)]
    if widths[0] != widths[1]:
        raise ValueError(
            f"the pose network's channels are {widths[1]}, the detector's {widths[0]}: "
            "give pose weights of the detector's width"
        )
    if pose.config.padding != "same":
        raise ValueError(
            "the pose network's trunk pads symmetrically, the detector's does not: give other pose weights"
        )
    for own, other in (
        (detector.trunk, pose.trunk), (detector.head.to_16, pose.head.to_16), (detector.head.to_8, pose.head.to_8),
    ):  # fmt: skip
        # copies: the first step of a training takes the arrays away
        nnx.update(own, jax.tree.map(jnp.copy, nnx.state(other)))
    return sha256
