"""The part detector of Bulat and Tzimiropoulos (ECCV 2016) as the original HumanPoseNN uses it: a ResNet-152.

The last stage keeps the size, so a 256-pixel image becomes 16 x 16 x 2048 features, those 16 x 16 x 16 pose features,
and each of their cells 16 x 16 pixels of the logits. Classes stand in the order of the data. The defaults compute, to
the digit, what the original's graph computes (`humanpose.weights.part_detector` says which variable goes where).
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from humanpose import ops
from humanpose.models.mobilenet_v2 import BatchNorm, draw_kernel
from humanpose.models.network import Images, JointMaps, PoseFeatures
from humanpose.models.scoring import ScoringHead, ScoringNetwork, drop_out
from humanpose.pooling import max_pool

STRIDE = 16
"""Image pixels, along each axis, of one cell of the pose features."""

STAGES = ((64, 1), (128, 2), (256, 2), (512, 1))
"""Inner channels (the outer ones are four times as many) and stride of each stage's first bottleneck."""


@dataclass(frozen=True)
class PartDetectorConfig:
    """The defaults are the original's.

    `image_size` in pixels (images are square), `joints` and `features` the channels of maps and pose features, `blocks`
    the bottlenecks of the four stages, `dropout` the share of the last stage's output that scoring does not see in
    training, `batch_norm_decay` what the running statistics keep per step.
    """

    image_size: int = 256
    joints: int = 16
    features: int = 16
    blocks: tuple[int, ...] = (3, 8, 36, 3)
    dropout: float = 0.0
    batch_norm_decay: float = 0.99

    def __post_init__(self) -> None:
        if self.image_size % STRIDE or not STRIDE <= self.image_size <= 2048:
            raise ValueError(f"image_size: expected a multiple of {STRIDE} up to 2048 pixels, got {self.image_size}")
        if len(self.blocks) != len(STAGES) or not 1 <= min(self.blocks) <= max(self.blocks) <= 100:
            raise ValueError(f"blocks: expected 4 numbers of bottlenecks, 1 to 100 each, got {self.blocks}")
        for name in ("joints", "features"):
            if not 1 <= getattr(self, name) <= 1000:
                raise ValueError(f"{name}: expected 1 to 1000, got {getattr(self, name)}")
        for name in ("dropout", "batch_norm_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a share in [0, 1), got {getattr(self, name)}")

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of the joint maps: those of the image."""
        return self.image_size, self.image_size


class ConvBatchNorm(nnx.Module):
    """Convolution with bias, batch normalisation; the ReLU is the bottleneck's, which adds before its last one."""

    def __init__(
        self, channel: int, features: int, size: int, config: PartDetectorConfig, *, stride: int = 1, rngs: nnx.Rngs
    ) -> None:
        deviation = (2 / (size * size * channel)) ** 0.5
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (size, size, channel, features), deviation))
        self.bias = nnx.Param(jnp.asarray(np.zeros(features, np.float32)))
        self.norm = BatchNorm(features, momentum=config.batch_norm_decay, epsilon=1e-5)
        self.stride = stride
        self.pad = size // 2

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width features"]:
        """Convolve, normalise. Padding is Torch's: the same on every side."""
        pads = ((self.pad, self.pad), (self.pad, self.pad))
        features = ops.convolution(images, self.kernel[...].astype(images.dtype), self.stride, pads, lowering)
        return self.norm(features + self.bias[...].astype(images.dtype)[None, None, None], train)


class Bottleneck(nnx.Module):
    """Narrow by a 1x1 convolution, filter by a 3x3, widen by a 1x1; add the input, or a 1x1 convolution of it; ReLU."""

    def __init__(self, channel: int, inner: int, stride: int, config: PartDetectorConfig, *, rngs: nnx.Rngs) -> None:
        self.conv_1 = ConvBatchNorm(channel, inner, 1, config, rngs=rngs)
        self.conv_2 = ConvBatchNorm(inner, inner, 3, config, stride=stride, rngs=rngs)
        self.conv_3 = ConvBatchNorm(inner, 4 * inner, 1, config, rngs=rngs)
        same = stride == 1 and channel == 4 * inner
        self.skip = None if same else ConvBatchNorm(channel, 4 * inner, 1, config, stride=stride, rngs=rngs)

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width features"]:
        """Stride 2 halves height and width, rounding up."""
        narrow = nnx.relu(self.conv_1(images, train, lowering))
        narrow = nnx.relu(self.conv_2(narrow, train, lowering))
        shortcut = images if self.skip is None else self.skip(images, train, lowering)
        return nnx.relu(self.conv_3(narrow, train, lowering) + shortcut)


class PartDetector(ScoringNetwork):
    """Person crops -> sigmoid joint maps, and 16 x 16 x 16 pose features (whose shape the original's GaitNN refuses).

    Images are RGB, 0..255, uint8 or float, (batch, height, width, 3), meant to be square and of the config's size.
    `dtype` is the type that convolutions compute in (jnp.bfloat16 on an accelerator); parameters, statistics, pose
    features and logits are float32 whatever it is.
    """

    apart = 18.0

    def __init__(self, config: PartDetectorConfig, *, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs) -> None:
        self.config = config
        self.size = (config.image_size, config.image_size)
        self.dtype = jnp.dtype(dtype)
        self.stem = ConvBatchNorm(3, 64, 7, config, stride=2, rngs=rngs)
        channel, stages = 64, []
        for (inner, stride), count in zip(STAGES, config.blocks, strict=True):
            blocks = []
            for place in range(count):
                blocks.append(Bottleneck(channel, inner, stride if place == 0 else 1, config, rngs=rngs))
                channel = 4 * inner
            stages.append(nnx.List(blocks))
        self.stages = nnx.List(stages)
        self.head = ScoringHead(channel, config.features, config.joints, STRIDE, rngs=rngs)

    def score(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> tuple[PoseFeatures, JointMaps]:
        """(pose features, logits)."""
        features = (images.astype(jnp.float32) / 255).astype(self.dtype)
        features = nnx.relu(self.stem(features, train, lowering))
        features = max_pool(features, 3, 2, ((1, 1), (1, 1)), lowering)
        for stage in self.stages:
            for block in stage:
                features = block(features, train, lowering)
        return self.head(drop_out(features, self.config.dropout, rngs, train), lowering)
