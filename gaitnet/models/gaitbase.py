"""GaitBase: a walk as a set of aligned silhouettes -> one vector for each horizontal part of the body.

Fan et al., "OpenGait: Revisiting Gait Recognition Toward Better Practicality", CVPR 2023. Every frame goes through a
ResNet of nine layers by itself; the largest response over time, in whatever order the frames come, is cut into
horizontal strips, whose mean and maximum a matrix of their own makes a vector. A batch norm stands between these
vectors, which the triplet loss sees, and the cosines to a vector of each person, which the cross-entropy sees (Luo et
al., "Bag of tricks", CVPRW 2019). Shapes, paddings and the order of operations are OpenGait's, so that its weights fit.

Frames that the mask leaves out influence nothing, neither the maximum nor any statistics. Classes stand in the order
of the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped

from humanpose import ops

EPSILON = 1e-5
"""Of every batch norm, as PyTorch has it."""
AROUND = ((1, 1), (1, 1))
"""Padding of a 3x3 kernel, the same on all sides at any stride."""
FRAMES_PER_CALL = 640
"""How many frames `describe` puts through the network at once."""


@dataclass(frozen=True)
class GaitBaseConfig:
    """What a GaitBase is made of; the defaults are the one published for CASIA-B's 74 training subjects.

    `height`, `width`: of a silhouette. `channels`, `strides`: of the four stages, one residual block each. `parts`:
    horizontal strips, into which the last stage's rows must divide. `size`: length of a part's vector. `subjects`: how
    many people the training head tells apart, 0 for no head. `batch_norm_decay`: what running statistics keep per step.
    `together`: where a walk's frames come together, in the `features`, by their maximum, or as `silhouettes`, by their
    mean, the gait energy image, which goes through the network as one frame (GEINet, Shiraga et al., ICB 2016).
    """

    height: int = 64
    width: int = 44
    channels: tuple[int, ...] = (64, 128, 256, 512)
    strides: tuple[int, ...] = (1, 2, 2, 1)
    parts: int = 16
    size: int = 256
    subjects: int = 74
    batch_norm_decay: float = 0.9
    together: Literal["features", "silhouettes"] = "features"

    def __post_init__(self) -> None:
        # a checkpoint's own words: they decide how much memory is taken before its arrays are looked at
        for name, most in (("height", 512), ("width", 512), ("parts", 512), ("size", 8192)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 1 to {most}, got {getattr(self, name)}")
        if not 1 <= len(self.channels) <= 8 or not all(1 <= channels <= 4096 for channels in self.channels):
            raise ValueError(f"channels must be 1 to 4096 of each of 1 to 8 stages, got {self.channels}")
        if len(self.strides) != len(self.channels) or not all(stride in (1, 2) for stride in self.strides):
            raise ValueError(f"strides must be 1 or 2 for each of {len(self.channels)} stages, got {self.strides}")
        if not 0 <= self.subjects <= 1_000_000 or not 0 <= self.batch_norm_decay < 1:
            raise ValueError(
                "subjects must be 0 (no training head) to 1000000 and batch_norm_decay in [0, 1), got "
                f"{self.subjects} and {self.batch_norm_decay}"
            )
        if self.together not in ("features", "silhouettes"):
            raise ValueError(f"together: expected features or silhouettes, got {self.together!r}")
        rows = self.height
        for stride in self.strides:
            rows = -(-rows // stride)
        if rows % self.parts:
            raise ValueError(f"parts: {self.height} rows are {rows} after all strides, not so many times {self.parts}")


PUBLISHED = GaitBaseConfig()
SMALL = GaitBaseConfig(32, 22, (16, 32, 64, 128), parts=8, size=64, subjects=0)
"""For the 32x22 silhouettes of the Gait Challenge, within what two CPU cores can train in a quarter of an hour."""


class GaitBaseOutput(NamedTuple):
    """What the network says of a batch of walks; all zero for a walk without a valid frame."""

    parts: Float[Array, "batch part size"]
    """Each part before the neck: what OpenGait compares, by the mean over parts of Euclidean distances."""
    unit_parts: Float[Array, "batch part size"]
    """Each part behind the neck, at length 1."""
    cosines: Float[Array, "batch part subject"] | None
    """Of each part with each training subject; None where the network has no head."""


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last, whose statistics leave rows of weight 0 out."""

    def __init__(self, channels: int, decay: float) -> None:
        self.decay = decay
        self.gamma = nnx.Param(jnp.ones((channels,)))
        self.beta = nnx.Param(jnp.zeros((channels,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((channels,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((channels,)))

    def __call__(
        self, x: Float[Array, "row *rest channel"], weight: Float[Array, " row"], train: bool
    ) -> Float[Array, "row *rest channel"]:
        """Normalise by the batch (`train`), moving the running statistics, or by these."""
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        if train:
            mean, variance = self._batch_statistics(flat, weight)
        else:
            mean, variance = self.moving_mean[...], self.moving_variance[...]
        scale = jax.lax.rsqrt(variance + EPSILON) * self.gamma[...]
        return (flat * scale[None, None] + (self.beta[...] - mean * scale)[None, None]).reshape(x.shape)

    def _batch_statistics(self, flat: Array, weight: Array) -> tuple[Array, Array]:
        total = weight.sum()
        share = (weight / (jnp.where(total > 0, total, 1) * flat.shape[1]))[:, None, None]
        mean = jnp.sum(flat * share, axis=(0, 1))
        variance = jnp.sum(jnp.square(flat - mean[None, None]) * share, axis=(0, 1))
        keep = jnp.where(total > 0, self.decay, 1.0)  # a batch of padding alone teaches nothing
        self.moving_mean[...] = keep * self.moving_mean[...] + (1 - keep) * jax.lax.stop_gradient(mean)
        self.moving_variance[...] = keep * self.moving_variance[...] + (1 - keep) * jax.lax.stop_gradient(variance)
        return mean, variance


class ResidualBlock(nnx.Module):
    """Twice 3x3 convolution and batch norm, beside a shortcut: the input, or a 1x1 convolution where shapes differ."""

    def __init__(self, inputs: int, features: int, stride: int, decay: float, *, rngs: nnx.Rngs) -> None:
        self.stride = stride
        self.first_kernel = _kernel(rngs, 3, 3, inputs, features)
        self.first_norm = BatchNorm(features, decay)
        self.second_kernel = _kernel(rngs, 3, 3, features, features)
        self.second_norm = BatchNorm(features, decay)
        projected = stride != 1 or inputs != features
        self.shortcut_kernel = _kernel(rngs, 1, 1, inputs, features) if projected else None
        self.shortcut_norm = BatchNorm(features, decay) if projected else None

    def __call__(self, x: Array, weight: Array, train: bool) -> Array:
        """(frame, height, width, inputs) -> (frame, height / stride, width / stride, features), sizes rounded up."""
        shortcut = x
        if self.shortcut_kernel is not None and self.shortcut_norm is not None:
            shortcut = ops.convolution(x, self.shortcut_kernel[...], self.stride, ((0, 0), (0, 0)))
            shortcut = self.shortcut_norm(shortcut, weight, train)
        x = ops.convolution(x, self.first_kernel[...], self.stride, AROUND)
        x = ops.convolution(jax.nn.relu(self.first_norm(x, weight, train)), self.second_kernel[...], 1, AROUND)
        return jax.nn.relu(self.second_norm(x, weight, train) + shortcut)


class Head(nnx.Module):
    """Cosine of each part with a learned vector of each training subject."""

    def __init__(self, config: GaitBaseConfig, *, rngs: nnx.Rngs) -> None:
        self.kernel = _matrices(rngs, config.parts, config.size, config.subjects)

    def __call__(self, unit_parts: Float[Array, "batch part size"]) -> Float[Array, "batch part subject"]:
        """Cosines, -1 to 1."""
        return jnp.einsum("bps,psc->bpc", unit_parts, unit_length(self.kernel[...], axis=1))


class GaitBase(nnx.Module):
    """Silhouettes -> part vectors; `config` says of what size."""

    def __init__(self, config: GaitBaseConfig, *, rngs: nnx.Rngs) -> None:
        self.config, decay = config, config.batch_norm_decay
        self.stem_kernel = _kernel(rngs, 3, 3, 1, config.channels[0])
        self.stem_norm = BatchNorm(config.channels[0], decay)
        inputs = (config.channels[0], *config.channels)
        stages = zip(inputs, config.channels, config.strides, strict=False)
        self.stages = nnx.List([ResidualBlock(*shape, decay, rngs=rngs) for shape in stages])
        self.embed = _matrices(rngs, config.parts, config.channels[-1], config.size)
        self.neck = BatchNorm(config.parts * config.size, decay)
        self.head = Head(config, rngs=rngs) if config.subjects else None

    def __call__(
        self,
        silhouettes: Float[Array, "batch time height width"],
        frame_mask: Shaped[Array, "batch time"],
        train: bool = False,
    ) -> GaitBaseOutput:
        """Describe each walk: `silhouettes` are shares 0 to 1 of a pixel that the person covers.

        `frame_mask` (bool or 0/1) says which frames are real, whatever the others hold; frames have no order. `train`
        normalises by the batch and moves the running statistics. Raises ValueError for frames of another size.
        """
        config = self.config
        if silhouettes.shape[2:] != (config.height, config.width):
            raise ValueError(
                f"silhouettes: this network reads frames of {config.height} x {config.width} (height, width), got shape"
                f" {silhouettes.shape}; align them, or build the network for them"
            )
        valid = frame_mask > 0
        there = valid.any(axis=1)
        x = jnp.where(valid[:, :, None, None], silhouettes, 0)
        if config.together == "silhouettes":
            count = jnp.maximum(valid.sum(axis=1), 1).astype(x.dtype)
            x, valid = x.sum(axis=1, keepdims=True) / count[:, None, None, None], there[:, None]
        batch, time = valid.shape
        x = x.reshape(batch * time, config.height, config.width, 1)
        x = self.frame_features(x, valid.reshape(batch * time).astype(jnp.float32), train)
        x = _largest(jnp.where(valid[:, :, None, None, None], x.reshape(batch, time, *x.shape[1:]), -jnp.inf), axis=1)
        x = jnp.where(there[:, None, None, None], x, 0)
        strips = x.reshape(batch, config.parts, -1, x.shape[-1])
        parts = jnp.einsum("bpc,pcs->bps", strips.mean(axis=2) + _largest(strips, axis=2), self.embed[...])
        behind = self.neck(parts.reshape(batch, -1), there.astype(jnp.float32), train).reshape(parts.shape)
        unit_parts = unit_length(behind) * there[:, None, None]
        return GaitBaseOutput(parts, unit_parts, None if self.head is None else self.head(unit_parts))

    def frame_features(
        self, frames: Float[Array, "frame height width 1"], weight: Float[Array, " frame"], train: bool = False
    ) -> Float[Array, "frame tall wide channel"]:
        """Each frame by itself; those of weight 0 are left out of all statistics."""
        x = ops.convolution(frames, self.stem_kernel[...], 1, AROUND)
        x = jax.nn.relu(self.stem_norm(x, weight, train))
        for stage in self.stages:
            x = stage(x, weight, train)
        return x


def describe(
    model: GaitBase, walks: Sequence[Float[np.ndarray, "_time height width"]]
) -> Float[np.ndarray, "walk feature"]:
    """Identification vectors of walks of any lengths, in their order: all unit parts after each other, at length 1.

    The dot product of two is the mean cosine over parts. Walks are padded to the longest among them, in batches of
    one size. Raises ValueError for a walk without frames or of another size.
    """
    config = model.config
    for place, walk in enumerate(walks):
        if not len(walk) or walk.shape[1:] != (config.height, config.width):
            raise ValueError(
                f"walks[{place}]: expected (time, {config.height}, {config.width}) with at least one frame, got "
                f"{walk.shape}"
            )
    vectors = np.zeros((len(walks), config.parts * config.size), np.float32)
    longest = max((len(walk) for walk in walks), default=1)
    rows = max(1, min(FRAMES_PER_CALL // longest, len(walks)))
    graphdef, state = nnx.split(model)
    for start in range(0, len(walks), rows):
        chosen = walks[start : start + rows]
        frames = np.zeros((rows, longest, config.height, config.width), np.float32)
        mask = np.zeros((rows, longest), bool)
        for row, walk in enumerate(chosen):
            frames[row, : len(walk)] = walk
            mask[row, : len(walk)] = True
        vectors[start : start + rows] = _vectors(graphdef, state, frames, mask)[: len(chosen)]
    return vectors


@partial(jax.jit, static_argnums=0)
def _vectors(graphdef, state, frames: Array, mask: Array) -> Array:
    model = nnx.merge(graphdef, state)
    return model(frames, mask).unit_parts.reshape(len(mask), -1) / model.config.parts**0.5


def unit_length(vectors: Float[Array, "*shape"], axis: int = -1) -> Float[Array, "*shape"]:
    """Vectors along `axis` at length 1; those of zeros stay so, with a finite gradient."""
    squares = jnp.sum(jnp.square(vectors), axis=axis, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))


def _largest(x: Float[Array, "*shape"], axis: int) -> Float[Array, "*rest"]:
    """The maximum along `axis`, whose gradient goes to the first that is largest, as PyTorch's does.

    That of `jnp.max` looks for what equals the maximum, and finds nothing, and divides by it, where a compiler computes
    `x` twice and rounds differently.
    """
    places = jnp.expand_dims(jnp.argmax(x, axis=axis), axis)
    at = jax.lax.broadcasted_iota(places.dtype, x.shape, axis % x.ndim)
    return jnp.sum(jnp.where(at == jnp.broadcast_to(places, x.shape), x, 0), axis=axis)


def _kernel(rngs: nnx.Rngs, *shape: int) -> nnx.Param:
    return nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), shape))


def _matrices(rngs: nnx.Rngs, *shape: int) -> nnx.Param:
    return nnx.Param(nnx.initializers.glorot_uniform(batch_axis=0)(rngs.params(), shape))
