"""The original HumanPoseNN: Inception-ResNet-v2 (Szegedy et al., AAAI 2017) as far as its twentieth Block17.

What served the classifier as an auxiliary tower scores the joints here: its 17 x 17 x 768 features become 17 x 17 x 32
pose features, those become 289 x 289 logits per joint, and a fixed Gaussian smooths them. Classes stand in the order of
the data. The defaults compute, to the digit, what the original's graph computes from the original's weights
(`humanpose.weights.inception_resnet` says which variable goes where).
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from humanpose import ops
from humanpose.heatmaps import smooth
from humanpose.models.mobilenet_v2 import BatchNorm, draw_kernel
from humanpose.models.network import Images, JointMaps, PoseFeatures
from humanpose.models.scoring import ScoringHead, ScoringNetwork, drop_out
from humanpose.pooling import average_pool, max_pool

STRIDE = 17
"""Map pixels, along each axis, that one cell of the pose features is painted into."""


@dataclass(frozen=True)
class InceptionResNetConfig:
    """The defaults are the original's.

    `image_size` in pixels (images are square), `joints` and `features` the channels of maps and pose features,
    `blocks_35` and `blocks_17` how often the residual blocks are repeated, `dropout` the share of the tower's output
    that scoring does not see in training, `batch_norm_decay` what the running statistics keep per step.
    """

    image_size: int = 299
    joints: int = 16
    features: int = 32
    blocks_35: int = 10
    blocks_17: int = 20
    dropout: float = 0.3
    batch_norm_decay: float = 0.99

    def __post_init__(self) -> None:
        for name, least, most in (
            ("image_size", 75, 2048), ("joints", 1, 1000), ("features", 1, 1000), ("blocks_35", 0, 100),
            ("blocks_17", 0, 100),
        ):  # fmt: skip
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name}: expected {least} to {most}, got {getattr(self, name)}")
        for name in ("dropout", "batch_norm_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a share in [0, 1), got {getattr(self, name)}")

    @property
    def grid(self) -> int:
        """Rows and columns of the pose features: what unpadded windows leave of the image (17 of 299)."""
        size = (self.image_size - 1) // 2 - 2  # conv_1a, conv_2a
        size = (size - 1) // 2 - 2  # pool, conv_4a
        return ((size - 1) // 2 - 1) // 2  # pool, mixed_6a

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of the joint maps."""
        return STRIDE * self.grid, STRIDE * self.grid


class Window(NamedTuple):
    """A convolution within a block; with a stride it is unpadded."""

    features: int
    size: ops.Size
    stride: int = 1


Rows: TypeAlias = tuple[tuple[Window, ...], ...]

MIXED_5B: Rows = (
    (Window(96, 1),),
    (Window(48, 1), Window(64, 5)),
    (Window(64, 1), Window(96, 3), Window(96, 3)),
)
BLOCK_35: Rows = (
    (Window(32, 1),),
    (Window(32, 1), Window(32, 3)),
    (Window(32, 1), Window(48, 3), Window(64, 3)),
)
MIXED_6A: Rows = (
    (Window(384, 3, 2),),
    (Window(256, 1), Window(256, 3), Window(384, 3, 2)),
)
BLOCK_17: Rows = (
    (Window(192, 1),),
    (Window(128, 1), Window(160, (1, 7)), Window(192, (7, 1))),
)


class ConvBatchNorm(nnx.Module):
    """Convolution without bias, batch normalisation without gamma, ReLU."""

    def __init__(
        self,
        channel: int,
        window: Window,
        config: InceptionResNetConfig,
        *,
        padding: ops.Padding = "SAME",
        rngs: nnx.Rngs,
    ) -> None:
        height, width = (window.size, window.size) if isinstance(window.size, int) else window.size
        deviation = (2 / (height * width * channel)) ** 0.5
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (height, width, channel, window.features), deviation))
        self.norm = BatchNorm(window.features, momentum=config.batch_norm_decay, scale=False)
        self.stride = window.stride
        self.padding = padding if window.stride == 1 else "VALID"

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width features"]:
        """Convolve, normalise, cut off what is below zero."""
        kernel = self.kernel[...].astype(images.dtype)
        return nnx.relu(self.norm(ops.convolution(images, kernel, self.stride, self.padding, lowering), train))


class Stem(nnx.Module):
    """Image -> 192 channels at an eighth of its size (299 -> 35), all but one convolution unpadded."""

    def __init__(self, config: InceptionResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.conv_1a = ConvBatchNorm(3, Window(32, 3, 2), config, rngs=rngs)
        self.conv_2a = ConvBatchNorm(32, Window(32, 3), config, padding="VALID", rngs=rngs)
        self.conv_2b = ConvBatchNorm(32, Window(64, 3), config, rngs=rngs)
        self.conv_3b = ConvBatchNorm(64, Window(80, 1), config, rngs=rngs)
        self.conv_4a = ConvBatchNorm(80, Window(192, 3), config, padding="VALID", rngs=rngs)
        self.channels = 192

    def __call__(
        self, images: Float[Array, "batch height width 3"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width 192"]:
        """Three convolutions, pool, two more, pool."""
        features = self.conv_2a(self.conv_1a(images, train, lowering), train, lowering)
        features = max_pool(self.conv_2b(features, train, lowering), 3, 2, lowering=lowering)
        features = self.conv_4a(self.conv_3b(features, train, lowering), train, lowering)
        return max_pool(features, 3, 2, lowering=lowering)


class Branches(nnx.Module):
    """Rows of convolutions that all read the same input; `channels` is how many their results have together."""

    def __init__(self, channel: int, rows: Rows, config: InceptionResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.rows = nnx.List(
            [
                nnx.List(
                    [
                        ConvBatchNorm(inputs, window, config, rngs=rngs)
                        for inputs, window in zip((channel, *(before.features for before in row)), row, strict=False)
                    ]
                )
                for row in rows
            ]
        )
        self.channels = sum(row[-1].features for row in rows)

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> list[Array]:
        """One map for each row."""
        results = []
        for row in self.rows:
            features = images
            for convolve in row:
                features = convolve(features, train, lowering)
            results.append(features)
        return results


class Mixed5b(nnx.Module):
    """Inception block: windows of 1, 5 and 3 + 3 pixels and a 3 x 3 mean, side by side. `channels`: 320."""

    def __init__(self, channel: int, config: InceptionResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.branches = Branches(channel, MIXED_5B, config, rngs=rngs)
        self.pooled = ConvBatchNorm(channel, Window(64, 1), config, rngs=rngs)
        self.channels = self.branches.channels + 64

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch height width 320"]:
        """Keep the size."""
        mean = self.pooled(average_pool(images, 3, 1, "SAME", lowering), train, lowering)
        return jnp.concatenate([*self.branches(images, train, lowering), mean], -1)


class ResidualBlock(nnx.Module):
    """Branches, a linear 1x1 convolution back to the input's channels, a little of it (`share`) added, ReLU."""

    def __init__(self, channel: int, rows: Rows, share: float, config: InceptionResNetConfig, *, rngs: nnx.Rngs):
        self.branches = Branches(channel, rows, config, rngs=rngs)
        inner = self.branches.channels
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (1, 1, inner, channel), inner**-0.5))
        self.bias = nnx.Param(jnp.asarray(np.zeros(channel, np.float32)))
        self.share = share

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch height width channel"]:
        """Keep size and channels."""
        inner = jnp.concatenate(self.branches(images, train, lowering), -1)
        correction = ops.convolution(inner, self.kernel[...].astype(images.dtype), lowering=lowering)
        correction = correction + self.bias[...].astype(images.dtype)[None, None, None]
        return nnx.relu(images + self.share * correction)


class Mixed6a(nnx.Module):
    """Reduction: two strided branches and a maximum pool, side by side, at half the size (35 -> 17)."""

    def __init__(self, channel: int, config: InceptionResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.branches = Branches(channel, MIXED_6A, config, rngs=rngs)
        self.channels = self.branches.channels + channel

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch half_height half_width _"]:
        """(height - 1) // 2 rows, columns likewise."""
        pooled = max_pool(images, 3, 2, lowering=lowering)
        return jnp.concatenate([*self.branches(images, train, lowering), pooled], -1)


class AuxiliaryTower(nnx.Module):
    """What was the classifier's second opinion: a 5 x 5 mean (here of stride 1), 1x1 and 5x5 convolutions."""

    def __init__(self, channel: int, config: InceptionResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.conv_1b = ConvBatchNorm(channel, Window(128, 1), config, rngs=rngs)
        self.conv_2a = ConvBatchNorm(128, Window(768, 5), config, rngs=rngs)
        self.channels = 768

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch height width 768"]:
        """Keep the size."""
        mean = average_pool(images, 5, 1, "SAME", lowering)
        return self.conv_2a(self.conv_1b(mean, train, lowering), train, lowering)


class InceptionResNet(ScoringNetwork):
    """Person crops -> sigmoid joint maps and the 17 x 17 x 32 pose features of the original HumanPoseNN.

    Images are RGB, 0..255, uint8 or float, (batch, height, width, 3), meant to be square and of the config's size.
    `dtype` is the type that convolutions compute in (jnp.bfloat16 on an accelerator); parameters, statistics, pose
    features and logits are float32 whatever it is.
    """

    apart = 21.0

    def __init__(self, config: InceptionResNetConfig, *, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs) -> None:
        self.config = config
        self.size = (config.image_size, config.image_size)
        self.dtype = jnp.dtype(dtype)
        self.stem = Stem(config, rngs=rngs)
        self.mixed_5b = Mixed5b(self.stem.channels, config, rngs=rngs)
        channel = self.mixed_5b.channels
        self.blocks_35 = nnx.List(
            [ResidualBlock(channel, BLOCK_35, 0.17, config, rngs=rngs) for _ in range(config.blocks_35)]
        )
        self.mixed_6a = Mixed6a(channel, config, rngs=rngs)
        channel = self.mixed_6a.channels
        self.blocks_17 = nnx.List(
            [ResidualBlock(channel, BLOCK_17, 0.1, config, rngs=rngs) for _ in range(config.blocks_17)]
        )
        self.tower = AuxiliaryTower(channel, config, rngs=rngs)
        self.head = ScoringHead(self.tower.channels, config.features, config.joints, STRIDE, rngs=rngs)

    def score(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> tuple[PoseFeatures, JointMaps]:
        """(pose features, smoothed logits)."""
        features = (images.astype(jnp.float32) * (2 / 255) - 1).astype(self.dtype)
        for part in (self.stem, self.mixed_5b, *self.blocks_35, self.mixed_6a, *self.blocks_17, self.tower):
            features = part(features, train, lowering)
        scored, logits = self.head(drop_out(features, self.config.dropout, rngs, train), lowering)
        # 5 map pixels wide, and it weakens the logits to a fifth: the original's, and part of its network
        return scored, smooth(logits, size=21, std=1.0, kernel_sum=0.2)
