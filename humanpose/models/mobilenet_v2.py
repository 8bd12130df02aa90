"""MobileNetV2 (Sandler et al., CVPR 2018), the trunk: RGB -> feature maps at strides 8, 16 and 32; and a step back up.

Names follow the paper and the Keras and torchvision checkpoints: a `stem`, seventeen inverted-residual blocks, each of
`expand`, `depthwise` and `project`, and the 1x1 `head`; every one of them a `ConvBatchNorm` with `kernel` (height,
width, channel, features) and `norm` (scale, bias, mean, var).

Batch normalisation follows `train`: batch statistics (and an update of the running ones) if true, the running
statistics if false. The running statistics are `nnx.BatchStat` variables, everything trained is `nnx.Param`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from humanpose import ops

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels at width 1.0, number of blocks, stride of the first: table 2 of the paper."""

Padding: TypeAlias = Literal["same", "symmetric"]

OUTSIDE = (2 * 0.485 - 1, 2 * 0.456 - 1, 2 * 0.406 - 1)
"""ImageNet's mean colour, in [-1, 1]: what torchvision's and timm's networks see around a picture."""


@dataclass(frozen=True)
class MobileNetV2Config:
    """`width` multiplies all channels; `head` is the width of the last 1x1 convolution at width <= 1.0 (0: none).

    `padding` says whose weights the network can take over to the digit. "same": Keras's; strided convolutions put the
    odd row and column at the end, and outside the picture is middle grey. "symmetric": torchvision's and timm's; one
    row and column on each side, so that on even sizes windows lie a pixel further up and left, and outside the picture
    is `OUTSIDE`.
    """

    width: float = 1.0
    head: int = 1280
    padding: Padding = "same"

    def __post_init__(self) -> None:
        if self.padding not in ("same", "symmetric"):
            raise ValueError(f'padding: expected "same" or "symmetric", got {self.padding!r}')
        if not 0 < self.width <= 8:
            raise ValueError(f"width: expected a channel multiplier above 0, up to 8, got {self.width}")
        if not 0 <= self.head <= 16384:
            raise ValueError(f"head: expected a number of channels up to 16384, or 0 for no head, got {self.head}")

    def channels(self, at_width_one: int) -> int:
        """Scale a channel number to the nearest multiple of 8, but never more than 10% down (Keras, torchvision)."""
        scaled = at_width_one * self.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * scaled else rounded


class Features(NamedTuple):
    """Feature maps by stride, each (batch, height / stride, width / stride, channel), sizes rounded up."""

    stride_8: Float[Array, "batch height_8 width_8 channel_8"]
    stride_16: Float[Array, "batch height_16 width_16 channel_16"]
    stride_32: Float[Array, "batch height_32 width_32 channel_32"]


def draw_kernel(key: jax.Array, shape: tuple[int, ...], deviation: float) -> Array:
    """Draw normal random weights: by NumPy where the key is concrete, which spares a compilation for every shape."""
    if isinstance(key, jax.core.Tracer):
        return deviation * jax.random.normal(key, shape)
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    return jnp.asarray(deviation * generator.standard_normal(shape, np.float32), jnp.float32)


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last (Ioffe and Szegedy, 2015), with running mean and variance.

    Running statistics move by `1 - momentum` of the way at each training call; the variance is the biased one, as in
    Keras. `epsilon` is Keras's for MobileNetV2; without `scale` there is no gamma. Statistics are float32 whatever the
    features are, and so is the arithmetic; the result has the features' type again.
    """

    def __init__(self, channel: int, *, momentum: float = 0.99, epsilon: float = 1e-3, scale: bool = True) -> None:
        self.scale = nnx.Param(jnp.asarray(np.ones(channel, np.float32))) if scale else None
        self.bias = nnx.Param(jnp.asarray(np.zeros(channel, np.float32)))
        self.mean = nnx.BatchStat(jnp.asarray(np.zeros(channel, np.float32)))
        self.var = nnx.BatchStat(jnp.asarray(np.ones(channel, np.float32)))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(
        self, features: Float[Array, "batch height width channel"], train: bool = False
    ) -> Float[Array, "batch height width channel"]:
        """Normalise by the batch's statistics (and note them) if `train`, else by the running ones."""
        wide = features.astype(jnp.float32)
        if train:
            mean = jnp.mean(wide, (0, 1, 2))
            var = jnp.maximum(jnp.mean(jnp.square(wide), (0, 1, 2)) - jnp.square(mean), 0.0)
            for running, batch in ((self.mean, mean), (self.var, var)):
                running[...] = self.momentum * running[...] + (1 - self.momentum) * jax.lax.stop_gradient(batch)
        else:
            mean, var = self.mean[...], self.var[...]
        factor = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is not None:
            factor = self.scale[...] * factor
        normal = wide * factor[None, None, None] + (self.bias[...] - mean * factor)[None, None, None]
        return normal.astype(features.dtype)


class ConvBatchNorm(nnx.Module):
    """Convolution without bias, batch normalisation, and ReLU6 unless `activation` is false."""

    def __init__(
        self,
        channel: int,
        features: int,
        kernel_size: int,
        stride: int = 1,
        *,
        depthwise: bool = False,
        activation: bool = True,
        momentum: float = 0.99,
        padding: ops.Padding = "SAME",
        rngs: nnx.Rngs,
    ) -> None:
        inputs = 1 if depthwise else channel
        deviation = (2 / (kernel_size**2 * inputs)) ** 0.5
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (kernel_size, kernel_size, inputs, features), deviation))
        self.norm = BatchNorm(features, momentum=momentum)
        self.stride = stride
        self.depthwise = depthwise
        self.activation = activation
        self.padding = padding

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width features"]:
        """Convolve, normalise, activate."""
        convolve = ops.depthwise_convolution if self.depthwise else ops.convolution
        features = self.norm(convolve(images, self.kernel[...], self.stride, self.padding, lowering), train)
        return jnp.clip(features, 0.0, 6.0) if self.activation else features


class InvertedResidual(nnx.Module):
    """Widen by a 1x1 convolution, filter each channel by a 3x3, narrow linearly; add the input where shapes allow."""

    def __init__(
        self,
        channel: int,
        features: int,
        expansion: int,
        stride: int,
        *,
        padding: ops.Padding = "SAME",
        rngs: nnx.Rngs,
    ) -> None:
        wide = channel * expansion
        self.expand = ConvBatchNorm(channel, wide, 1, rngs=rngs) if expansion > 1 else None
        self.depthwise = ConvBatchNorm(wide, wide, 3, stride, depthwise=True, padding=padding, rngs=rngs)
        self.project = ConvBatchNorm(wide, features, 1, activation=False, rngs=rngs)
        self.residual = stride == 1 and channel == features

    def __call__(
        self, images: Float[Array, "batch height width channel"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Float[Array, "batch out_height out_width features"]:
        """One block; stride 2 halves height and width, rounding up."""
        wide = images if self.expand is None else self.expand(images, train, lowering)
        narrow = self.project(self.depthwise(wide, train, lowering), train, lowering)
        return images + narrow if self.residual else narrow


class MobileNetV2(nnx.Module):
    """The trunk. `stride_channels` holds the channel numbers of its three feature maps."""

    def __init__(self, config: MobileNetV2Config, *, rngs: nnx.Rngs) -> None:
        padding: ops.Padding = "SAME" if config.padding == "same" else ((1, 1), (1, 1))
        self.outside = OUTSIDE if config.padding == "symmetric" else None
        self.stem = ConvBatchNorm(3, config.channels(32), 3, 2, padding=padding, rngs=rngs)
        channel = config.channels(32)
        blocks: list[InvertedResidual] = []
        before_stride: list[int] = []
        widths: list[int] = []
        for expansion, width, repeats, first_stride in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                if stride == 2:
                    before_stride.append(len(blocks))
                    widths.append(channel)
                features = config.channels(width)
                blocks.append(InvertedResidual(channel, features, expansion, stride, padding=padding, rngs=rngs))
                channel = features
        self.blocks = nnx.List(blocks)
        head = int(config.head * max(1.0, config.width))
        self.head = ConvBatchNorm(channel, head, 1, rngs=rngs) if head else None
        # The last blocks before the strides that lead to 16 and 32 hold the maps of strides 8 and 16.
        self.taps = (before_stride[-2] - 1, before_stride[-1] - 1)
        self.stride_channels = (widths[-2], widths[-1], head or channel)

    def __call__(
        self, images: Float[Array, "batch height width 3"], train: bool = False, lowering: ops.Lowering = "auto"
    ) -> Features:
        """Feature maps of RGB images scaled to [-1, 1]; any height and width."""
        if self.outside is not None:  # padded with zeros, what is left of the colours is padded with this one
            images = images - jnp.asarray(self.outside, images.dtype)[None, None, None]
        features = self.stem(images, train, lowering)
        tapped = []
        for index, block in enumerate(self.blocks):
            features = block(features, train, lowering)
            if index in self.taps:
                tapped.append(features)
        if self.head is not None:
            features = self.head(features, train, lowering)
        return Features(tapped[0], tapped[1], features)


class UpMerge(nnx.Module):
    """Deep map -> twice its size by 1x1 convolution and pixel shuffle, plus a 1x1 projection of the shallow map."""

    def __init__(self, deep: int, shallow: int, features: int, *, rngs: nnx.Rngs) -> None:
        self.up = ConvBatchNorm(deep, 4 * features, 1, activation=False, rngs=rngs)
        self.lateral = ConvBatchNorm(shallow, features, 1, activation=False, rngs=rngs)

    def __call__(
        self,
        deep: Float[Array, "batch deep_height deep_width deep"],
        shallow: Float[Array, "batch height width shallow"],
        train: bool = False,
        lowering: ops.Lowering = "auto",
    ) -> Float[Array, "batch height width features"]:
        """Crop the deep map's surplus row or column: odd sizes were rounded up on the way down."""
        height, width = shallow.shape[1:3]
        risen = ops.pixel_shuffle(self.up(deep, train, lowering))[:, :height, :width]
        return jnp.clip(risen + self.lateral(shallow, train, lowering), 0.0, 6.0)
