"""GaitNN: a walk as a sequence of pose-feature maps -> one identification vector.

The network of Margeta's "Human Gait Recognition" (GaitNN / GaitNetwork): two strided pre-activation residual blocks
shrink every frame's 17x17 map to 5x5, a dense layer makes it a vector, a recurrent layer reads the vectors, and the
mean of its outputs over time is the identification vector. Classes stand in the order of the data.

The original declares six more residual blocks and throws their results away. `deep=True` puts them to work, as was
evidently meant; the default leaves them out and computes what the original computes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped

from gaitnet.models.head import GaitOutput, make_head, read_in_order
from gaitnet.recurrent import Recurrent, RecurrentUnit
from humanpose import ops

FRAMES_PER_CALL = 512
"""How many frames `identification_vectors` puts through the network at once; bounds memory to about a gigabyte."""

MOST_SUBJECTS = 1_000_000
"""People that a training head may tell apart."""


@dataclass(frozen=True)
class GaitNNConfig:
    """What a GaitNN is made of. The defaults are the original's published model, H3.6m-GRU-1.

    `channels`, `grid`: depth and side of the pose-feature maps. `size`: length of the identification vector.
    `subjects`: how many people the training head tells apart, 0 for no head. `dropout`: share of the vector dropped
    before that head. `neck`: that head stands behind a batch norm (`gaitnet.models.head`), for metric losses.
    `feature_scale`: the input is divided by it (pose features of the original spread over hundreds).
    `multiplier` scales the channels of all convolutions (1: the original's; halving them makes the network some three
    times as fast). `batch_norm_scale` adds the learned gamma that the original has not; `batch_norm_decay`: what the
    running statistics keep per step; take 0.99 or less for trainings below ten thousand steps.
    """

    channels: int = 32
    grid: int = 17
    recurrent_unit: RecurrentUnit = "GRU"
    layers: int = 1
    deep: bool = False
    dropout: float = 0.3
    subjects: int = 0
    neck: bool = False
    feature_scale: float = 100.0
    size: int = 512
    multiplier: float = 1.0
    batch_norm_scale: bool = False
    batch_norm_decay: float = 0.999

    def __post_init__(self):
        # a checkpoint's own words: they decide how much memory is taken before its arrays are looked at
        for name, most in (("channels", 4096), ("grid", 256), ("layers", 16), ("size", 8192)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 1 to {most}, got {getattr(self, name)}")
        if self.recurrent_unit not in ("GRU", "LSTM"):
            raise ValueError(f"recurrent_unit must be 'GRU' or 'LSTM', got {self.recurrent_unit!r}")
        if not 0 <= self.subjects <= MOST_SUBJECTS:
            raise ValueError(f"subjects must be 0 (no training head) to {MOST_SUBJECTS}, got {self.subjects}")
        if not 0 <= self.dropout < 1 or not 0 <= self.batch_norm_decay < 1:
            raise ValueError(
                f"dropout and batch_norm_decay must lie in [0, 1), got {self.dropout}, {self.batch_norm_decay}"
            )
        if not 0 < self.multiplier <= 4:
            raise ValueError(f"multiplier must lie in (0, 4], got {self.multiplier}")
        if not self.feature_scale > 0:
            raise ValueError(f"feature_scale must be positive, got {self.feature_scale}")


class BatchNorm(nnx.Module):
    """Batch normalisation whose statistics leave padded frames out."""

    def __init__(self, channels: int, config: GaitNNConfig):
        self.decay, self.epsilon = config.batch_norm_decay, 1e-4
        self.beta = nnx.Param(jnp.zeros((channels,)))
        self.gamma = nnx.Param(jnp.ones((channels,))) if config.batch_norm_scale else None
        self.moving_mean = nnx.BatchStat(jnp.zeros((channels,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((channels,)))

    def __call__(
        self, x: Float[Array, "frame height width channel"], weight: Float[Array, " frame"], train: bool
    ) -> Float[Array, "frame height width channel"]:
        """Normalise by the batch (`train`) or by the running statistics; frames of weight 0 are not counted."""
        mean, variance = (
            self._batch_statistics(x, weight) if train else (self.moving_mean[...], self.moving_variance[...])
        )
        scale = jax.lax.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            scale = scale * self.gamma[...]
        return x * scale[None, None, None] + (self.beta[...] - mean * scale)[None, None, None]

    def _batch_statistics(self, x: Array, weight: Array) -> tuple[Array, Array]:
        total = weight.sum()
        share = (weight / (jnp.where(total > 0, total, 1) * x.shape[1] * x.shape[2]))[:, None, None, None]
        mean = jnp.sum(x * share, axis=(0, 1, 2))
        variance = jnp.sum(jnp.square(x - mean[None, None, None]) * share, axis=(0, 1, 2))
        keep = jnp.where(total > 0, self.decay, 1.0)  # a batch of padding alone teaches nothing
        self.moving_mean[...] = keep * self.moving_mean[...] + (1 - keep) * jax.lax.stop_gradient(mean)
        self.moving_variance[...] = keep * self.moving_variance[...] + (1 - keep) * jax.lax.stop_gradient(variance)
        return mean, variance


class NormalizedConvolution(nnx.Module):
    """Convolution without bias, batch normalisation, ELU."""

    def __init__(self, inputs: int, features: int, kernel: int, config: GaitNNConfig, *, rngs: nnx.Rngs):
        self.kernel = _kernel(rngs, kernel, kernel, inputs, features)
        self.norm = BatchNorm(features, config)

    def __call__(self, x: Array, weight: Array, train: bool) -> Array:
        """(frame, height, width, inputs) -> (frame, height, width, features)."""
        return jax.nn.elu(self.norm(ops.convolution(x, self.kernel[...]), weight, train))


class ResidualBlock(nnx.Module):
    """Pre-activation bottleneck: three times batch norm, ReLU, convolution (1x1, 3x3 strided, 1x1), beside a shortcut.

    The shortcut is the raw input where shapes agree, otherwise a strided 1x1 convolution of it; a ReLU follows the sum.
    """

    def __init__(self, inputs: int, features: int, inner: int, stride: int, config: GaitNNConfig, *, rngs: nnx.Rngs):
        self.stride = stride
        projected = stride != 1 or inputs != features
        self.shortcut_kernel = _kernel(rngs, 1, 1, inputs, features) if projected else None
        self.shortcut_bias = nnx.Param(jnp.zeros((features,))) if projected else None
        shapes = ((1, 1, inputs, inner), (3, 3, inner, inner), (1, 1, inner, features))
        self.norms = nnx.List([BatchNorm(shape[2], config) for shape in shapes])
        self.kernels = nnx.List([_kernel(rngs, *shape) for shape in shapes])
        self.biases = nnx.List([nnx.Param(jnp.zeros((shape[3],))) for shape in shapes])

    def __call__(self, x: Array, weight: Array, train: bool) -> Array:
        """(frame, height, width, inputs) -> (frame, height / stride, width / stride, features), sizes rounded up."""
        shortcut = x
        if self.shortcut_kernel is not None and self.shortcut_bias is not None:
            shortcut = ops.convolution(x, self.shortcut_kernel[...], self.stride) + self.shortcut_bias[None, None, None]
        for norm, kernel, bias, stride in zip(self.norms, self.kernels, self.biases, (1, self.stride, 1), strict=True):
            x = ops.convolution(jax.nn.relu(norm(x, weight, train)), kernel[...], stride) + bias[None, None, None]
        return jax.nn.relu(x + shortcut)


class GaitNN(nnx.Module):
    """Pose features -> identification vector; `config` says which variant."""

    def __init__(self, config: GaitNNConfig, *, rngs: nnx.Rngs):
        narrow, inner, inner_deep, wide = (max(int(c * config.multiplier), 1) for c in (256, 64, 128, 512))

        def blocks(count: int, features: int, inner: int):
            count = count if config.deep else 0
            return nnx.List([ResidualBlock(features, features, inner, 1, config, rngs=rngs) for _ in range(count)])

        self.config = config
        self.stem = NormalizedConvolution(config.channels, narrow, 1, config, rngs=rngs)
        self.stem_blocks = blocks(3, narrow, inner)
        self.first_down = ResidualBlock(narrow, wide, inner, 2, config, rngs=rngs)
        self.first_blocks = blocks(2, wide, inner_deep)
        self.second_down = ResidualBlock(wide, wide, inner_deep, 2, config, rngs=rngs)
        self.second_blocks = blocks(1, wide, narrow)
        self.squeeze = NormalizedConvolution(wide, narrow, 1, config, rngs=rngs)
        self.mix = NormalizedConvolution(narrow, narrow, 3, config, rngs=rngs)
        side = math.ceil(math.ceil(config.grid / 2) / 2)
        self.dense = nnx.Linear(
            side * side * narrow, config.size, kernel_init=nnx.initializers.glorot_uniform(), rngs=rngs
        )
        self.recurrent = Recurrent(config.size, config.size, config.layers, config.recurrent_unit, rngs=rngs)
        self.head = make_head(config.size, config.subjects, config.neck, config.batch_norm_decay, rngs)

    def __call__(
        self,
        pose_features: Float[Array, "batch time grid grid channel"],
        frame_mask: Shaped[Array, "batch time"],
        train: bool = False,
        *,
        rngs: nnx.Rngs | None = None,
    ) -> GaitOutput:
        """Describe each sequence; `frame_mask` (bool or 0/1) says which frames are real, whatever the others hold.

        `train` normalises by the batch, updates the running statistics and, where there is a head, drops out with
        `rngs` (stream "dropout"). A sequence without a valid frame gets zeros. Raises ValueError where the maps do not
        fit the configuration, or `rngs` is missing.
        """
        config = self.config
        if pose_features.shape[2:] != (config.grid, config.grid, config.channels):
            raise ValueError(
                f"pose_features: this network reads maps of {config.grid} x {config.grid} x {config.channels} (height, "
                f"width, channel), got shape {pose_features.shape}; build it with the channels of your pose network"
            )
        vectors = self.frame_vectors(pose_features, frame_mask, train)
        dropout = config.dropout if train else 0.0
        return read_in_order(self.recurrent, self.head, vectors, frame_mask, dropout, rngs, train)

    def frame_vectors(
        self, pose_features: Array, frame_mask: Array, train: bool = False
    ) -> Float[Array, "batch time size"]:
        """Describe each frame by itself: what the recurrent layers read."""
        batch, time = frame_mask.shape
        valid = (frame_mask > 0).reshape(batch * time)
        x = pose_features.reshape(batch * time, *pose_features.shape[2:]).astype(jnp.float32)
        x = jnp.where(valid[:, None, None, None], x, 0) / self.config.feature_scale
        weight = valid.astype(jnp.float32)
        x = self.stem(x, weight, train)
        for block in (*self.stem_blocks, self.first_down, *self.first_blocks, self.second_down, *self.second_blocks):
            x = block(x, weight, train)
        x = self.mix(self.squeeze(x, weight, train), weight, train)
        return self.dense(x.reshape(batch, time, -1))


def identification_vectors(model: GaitNN, pose_features: Sequence[np.ndarray]) -> Float[np.ndarray, "sequence size"]:
    """Identification vectors of sequences of any lengths, each (time, grid, grid, channel), in their order.

    Sequences are padded to the next of a few lengths (8, 12, 16, 24, 32, 48 ...) and run in batches, so the network is
    compiled once per length that occurs and call size, not once per sequence. Raises ValueError for an empty sequence.
    """
    config = model.config
    shape = (config.grid, config.grid, config.channels)
    vectors = np.zeros((len(pose_features), config.size), np.float32)
    buckets: dict[int, list[int]] = {}
    for index, sequence in enumerate(pose_features):
        if sequence.shape[1:] != shape or len(sequence) == 0:
            raise ValueError(
                f"pose_features[{index}]: expected (time, {', '.join(map(str, shape))}) with at least one frame, "
                f"got {sequence.shape}"
            )
        buckets.setdefault(bucket_length(len(sequence)), []).append(index)
    graphdef, state = nnx.split(model)
    for length, members in sorted(buckets.items()):
        per_call = min(max(1, FRAMES_PER_CALL // length), 1 << (len(members) - 1).bit_length())
        for start in range(0, len(members), per_call):
            chosen = members[start : start + per_call]
            maps = np.zeros((per_call, length, *shape), np.float32)
            mask = np.zeros((per_call, length), bool)
            for row, index in enumerate(chosen):
                maps[row, : len(pose_features[index])] = pose_features[index]
                mask[row, : len(pose_features[index])] = True
            vectors[chosen] = _vectors(graphdef, state, jnp.asarray(maps), jnp.asarray(mask))[: len(chosen)]
    return vectors


def bucket_length(frames: int) -> int:
    """Return the smallest of 8, 12, 16, 24, 32, 48, 64, 96 ... that holds `frames`."""
    length = 8
    while length < frames:
        length = length * 3 // 2 if length & (length - 1) == 0 else length * 4 // 3
    return length


@partial(jax.jit, static_argnums=0)
def _vectors(graphdef, state, pose_features: Array, frame_mask: Array) -> Array:
    return nnx.merge(graphdef, state)(pose_features, frame_mask).identification_vector


def _kernel(rngs: nnx.Rngs, *shape: int) -> nnx.Param:
    return nnx.Param(nnx.initializers.he_normal()(rngs.params(), shape))
