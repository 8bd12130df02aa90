"""A small fully convolutional person detector: for every 8x8 cell, is it a person's centre, and how far are the sides.

Centres as peaks of a heat map are CenterNet's (Zhou, Wang and Kraehenbuehl, "Objects as Points", 2019); the distances
from the cell to the four sides are those of FCOS (Tian et al., ICCV 2019). Classes stand in the order of the data.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt8

from humanpose import ops
from humanpose.models.mobilenet_v2 import ConvBatchNorm, InvertedResidual, draw_kernel

STRIDE = 8
"""Pixels of the picture per cell, each way."""


@dataclass(frozen=True)
class DetectorConfig:
    """`size`: longest side of the letterboxed picture, pixels, a multiple of 32; `channels` at strides 2, 4, 8, 16, 32.

    `blocks`: inverted residuals at strides 8, 16 and 32; `head`: channels in which strides meet.
    """

    size: int = 256
    channels: tuple[int, int, int, int, int] = (8, 16, 24, 48, 80)
    blocks: tuple[int, int, int] = (2, 3, 3)
    expansion: int = 4
    head: int = 48

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 32:
            raise ValueError(f"size: expected a multiple of 32 pixels from 64, got {self.size}")
        if len(self.channels) != 5 or min(self.channels) < 1:
            raise ValueError(f"channels: expected five positive numbers (strides 2 to 32), got {self.channels}")
        if len(self.blocks) != 3 or min(self.blocks) < 1:
            raise ValueError(f"blocks: expected three positive numbers (strides 8, 16, 32), got {self.blocks}")
        if self.expansion < 1 or self.head < 1:
            raise ValueError(f"expansion and head: expected 1 or more, got {self.expansion} and {self.head}")


class Centres(NamedTuple):
    """What the network says of every cell.

    logits: (batch, row, column), of being a person's centre; sides: (batch, row, column, side), logarithm of the
    distance in cells from the cell's centre to the left, top, right and bottom side of the box.
    """

    logits: Float[Array, "batch row column"]
    sides: Float[Array, "batch row column 4"]


class Trunk(nnx.Module):
    """Picture -> feature maps at strides 8, 16, 32."""

    def __init__(self, config: DetectorConfig, *, rngs: nnx.Rngs) -> None:
        widths = config.channels
        self.stem = ConvBatchNorm(3, widths[0], 3, 2, rngs=rngs)
        self.entry = InvertedResidual(widths[0], widths[1], 2, 2, rngs=rngs)
        stages = []
        for width, before, repeats in zip(widths[2:], widths[1:], config.blocks, strict=False):
            first = InvertedResidual(before, width, config.expansion, 2, rngs=rngs)
            rest = [InvertedResidual(width, width, config.expansion, 1, rngs=rngs) for _ in range(repeats - 1)]
            stages.append(nnx.List([first, *rest]))
        self.stages = nnx.List(stages)

    def __call__(
        self, images: Float[Array, "batch height width 3"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> list[Array]:
        """Three maps, finest first."""
        features = self.entry(self.stem(images, train, lowering), train, lowering)
        maps = []
        for stage in self.stages:
            for block in stage:
                features = block(features, train, lowering)
            maps.append(features)
        return maps


class Merge(nnx.Module):
    """Coarse map, doubled by a pixel shuffle, plus a projection of the finer one."""

    def __init__(self, coarse: int, fine: int, features: int, *, rngs: nnx.Rngs) -> None:
        self.up = ConvBatchNorm(coarse, 4 * features, 1, activation=False, rngs=rngs)
        self.lateral = ConvBatchNorm(fine, features, 1, activation=False, rngs=rngs)

    def __call__(self, coarse: Array, fine: Array, train: bool = False, lowering: ops.Lowering = "auto") -> Array:
        """(batch, row, column, features) of the fine map's size."""
        risen = ops.pixel_shuffle(self.up(coarse, train, lowering))
        return jnp.clip(risen + self.lateral(fine, train, lowering), 0.0, 6.0)


class Head(nnx.Module):
    """The merged map -> centre logits and sides."""

    def __init__(self, features: int, *, rngs: nnx.Rngs) -> None:
        self.depthwise = nnx.List([ConvBatchNorm(features, features, 3, depthwise=True, rngs=rngs) for _ in range(2)])
        self.pointwise = nnx.List([ConvBatchNorm(features, features, 1, rngs=rngs) for _ in range(2)])
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (1, 1, features, 5), 0.01))
        # a centre is rare: -4 says 2 % at the start; a person of 60 pixels reaches 4 cells up and 1 sideways
        self.bias = nnx.Param(jnp.array([-4.0, 0.3, 1.4, 0.3, 1.4]))

    def __call__(self, features: Array, train: bool = False, lowering: ops.Lowering = "auto") -> Centres:
        """One prediction a cell."""
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
        self.trunk = Trunk(config, rngs=rngs)
        self.to_16 = Merge(config.channels[4], config.channels[3], config.head, rngs=rngs)
        self.to_8 = Merge(config.head, config.channels[2], config.head, rngs=rngs)
        self.head = Head(config.head, rngs=rngs)

    def __call__(
        self,
        images: Float[Array, "batch height width 3"] | UInt8[Array, "batch height width 3"],
        train: bool = False,
        lowering: ops.Lowering = "auto",
    ) -> Centres:
        """One prediction per cell of `STRIDE` pixels. Raises ValueError for sizes that are no multiples of 32."""
        if images.shape[1] % 32 or images.shape[2] % 32:
            raise ValueError(f"images: expected height and width in multiples of 32, got {images.shape[1:3]}")
        fine, middle, coarse = self.trunk(images.astype(jnp.float32) * (2 / 255) - 1, train, lowering)
        merged = self.to_8(self.to_16(coarse, middle, train, lowering), fine, train, lowering)
        return self.head(merged, train, lowering)
