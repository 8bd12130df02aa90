"""A small fully convolutional person detector: for every 8x8 cell, is it a person's centre, and how far are the sides.

The trunk and the way up to stride 8 are those of the pose network, whose weights may be the starting point: what tells
joints from a wall tells people from it too. Centres as peaks of a heat map are CenterNet's (Zhou, Wang and
Kraehenbuehl, "Objects as Points", 2019); the distances from the cell to the four sides are those of FCOS (Tian et al.,
ICCV 2019). Classes stand in the order of the data.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt8

from humanpose import ops
from humanpose.models.mobilenet_v2 import ConvBatchNorm, MobileNetV2, MobileNetV2Config, UpMerge, draw_kernel

STRIDE = 8
"""Pixels of the picture per cell, each way."""


@dataclass(frozen=True)
class DetectorConfig:
    """`size`: longest side of the letterboxed picture, pixels, a multiple of 32; `width_multiplier` scales the trunk.

    `head_channels`: channels in which strides meet.
    """

    size: int = 256
    width_multiplier: float = 0.5
    head_channels: int = 64

    def __post_init__(self) -> None:
        if self.size % 32 or not 64 <= self.size <= 4096:
            raise ValueError(f"size: expected a multiple of 32 pixels from 64 to 4096, got {self.size}")
        # a checkpoint's own words: they decide how much memory is taken before its arrays are looked at
        for name, most in (("width_multiplier", 8), ("head_channels", 4096)):
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"{name}: expected a number above 0, up to {most}, got {getattr(self, name)}")


class Centres(NamedTuple):
    """What the network says of every cell.

    logits: (batch, row, column), of being a person's centre; sides: (batch, row, column, side), logarithm of the
    distance in cells from the cell's centre to the left, top, right and bottom side of the box.
    """

    logits: Float[Array, "batch row column"]
    sides: Float[Array, "batch row column 4"]


class PeopleHead(nnx.Module):
    """Feature maps at strides 8, 16, 32 -> centre logits and sides at stride 8."""

    def __init__(self, channels: tuple[int, int, int], features: int, *, rngs: nnx.Rngs) -> None:
        self.to_16 = UpMerge(channels[2], channels[1], features, rngs=rngs)
        self.to_8 = UpMerge(features, channels[0], features, rngs=rngs)
        self.depthwise = nnx.List([ConvBatchNorm(features, features, 3, depthwise=True, rngs=rngs) for _ in range(2)])
        self.pointwise = nnx.List([ConvBatchNorm(features, features, 1, rngs=rngs) for _ in range(2)])
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (1, 1, features, 5), 0.01))
        # a centre is rare: -4 says 2 % at the start; a person of 60 pixels reaches 4 cells up and 1 sideways
        self.bias = nnx.Param(jnp.array([-4.0, 0.3, 1.4, 0.3, 1.4]))

    def __call__(
        self,
        stride_8: Float[Array, "batch height_8 width_8 channel_8"],
        stride_16: Float[Array, "batch height_16 width_16 channel_16"],
        stride_32: Float[Array, "batch height_32 width_32 channel_32"],
        train: bool = False,
        lowering: ops.Lowering = "auto",
    ) -> Centres:
        """One prediction a cell."""
        features = self.to_8(self.to_16(stride_32, stride_16, train, lowering), stride_8, train, lowering)
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            features = pointwise(depthwise(features, train, lowering), train, lowering)
        out = ops.convolution(features, self.kernel[...], lowering=lowering) + self.bias[...][None, None, None]
        return Centres(out[..., 0], jnp.clip(out[..., 1:], -3.0, 5.0))


class Detector(nnx.Module):
    """People of letterboxed pictures, RGB 0..255, (batch, height, width, 3), height and width multiples of 32.

    With `train` true the batch's statistics normalise, and the running ones move.
    """

    def __init__(self, config: DetectorConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.trunk = MobileNetV2(MobileNetV2Config(config.width_multiplier, head=0), rngs=rngs)
        self.head = PeopleHead(self.trunk.stride_channels, config.head_channels, rngs=rngs)

    def __call__(
        self,
        images: Float[Array, "batch height width 3"] | UInt8[Array, "batch height width 3"],
        train: bool = False,
        lowering: ops.Lowering = "auto",
    ) -> Centres:
        """One prediction per cell of `STRIDE` pixels. Raises ValueError for sizes that are no multiples of 32."""
        if images.shape[1] % 32 or images.shape[2] % 32:
            raise ValueError(f"images: expected height and width in multiples of 32, got {images.shape[1:3]}")
        scaled = images.astype(jnp.float32) * (2 / 255) - 1
        return self.head(*self.trunk(scaled, train, lowering), train, lowering)
