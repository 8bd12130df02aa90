"""The networks that the pose task trains, and the losses that they learn by."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import jax.numpy as jnp
from flax import nnx

from humanpose.losses import mean_square, sigmoid_cross_entropy, spatial_cross_entropy
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.network import PoseNetwork
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from train.config import PoseTaskConfig


def new_model(config: PoseTaskConfig) -> PoseNetwork:
    """The network that the config names, freshly initialised."""
    rngs, dtype = nnx.Rngs(config.seed), jnp.dtype(config.dtype)
    match config.network:
        case "MobilePose":
            size = {"image_height": config.size[0], "image_width": config.size[1]}
            mobile = MobilePoseConfig(
                width_multiplier=config.width, head_channels=config.head_channels, padding=config.padding, **size
            )
            return MobilePose(mobile, rngs=rngs)
        case "InceptionResNet":
            if len(config.blocks) not in (0, 2):
                raise ValueError(f"blocks: InceptionResNet has two kinds, expected () or two numbers: {config.blocks}")
            blocks = dict(zip(("blocks_35", "blocks_17"), config.blocks, strict=False))
            return InceptionResNet(InceptionResNetConfig(config.height, **blocks), dtype=dtype, rngs=rngs)
        case "PartDetector":
            detector = PartDetectorConfig(config.height)
            if config.blocks:
                detector = replace(detector, blocks=tuple(config.blocks))
            return PartDetector(detector, dtype=dtype, rngs=rngs)
        case other:
            assert_never(other)


def pose_loss(config: PoseTaskConfig) -> Callable:
    """`loss(logits, targets, visible)`: the one that the config names."""
    match config.loss:
        case "spatial_cross_entropy":
            return spatial_cross_entropy
        case "sigmoid_cross_entropy":
            return sigmoid_cross_entropy
        case "mean_square":
            return mean_square
        case other:
            assert_never(other)
