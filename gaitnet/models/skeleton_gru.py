"""SkeletonGRU: a walk as joint positions -> identification vector; GaitNN's teacher.

The recurrent half of GaitNN behind a small dense network that reads a frame's joints as numbers instead of maps. It has
no convolutions, so that even a CPU can show it as many walks as telling people apart takes; GaitNN then takes over its
recurrent layers and learns to see in maps what it reads off the numbers (`train.teacher`).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Shaped

from gaitnet.models.gaitnn import MOST_SUBJECTS, BatchNorm, GaitNNConfig
from gaitnet.models.head import GaitOutput, make_head, read_in_order
from gaitnet.pose_maps import GRID, WIDTH
from gaitnet.recurrent import Recurrent, RecurrentUnit


@dataclass(frozen=True)
class SkeletonGRUConfig:
    """What a SkeletonGRU is made of; fields as in `GaitNNConfig`, `hidden` the width of the dense layer."""

    recurrent_unit: RecurrentUnit = "GRU"
    layers: int = 1
    dropout: float = 0.3
    subjects: int = 0
    neck: bool = False
    size: int = 256
    hidden: int = 256

    def __post_init__(self):
        # a checkpoint's own words: they decide how much memory is taken before its arrays are looked at
        for name, most in (("layers", 16), ("size", 8192), ("hidden", 8192)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 1 to {most}, got {getattr(self, name)}")
        if not 0 <= self.subjects <= MOST_SUBJECTS or not 0 <= self.dropout < 1:
            raise ValueError(
                f"subjects must be 0 to {MOST_SUBJECTS} and dropout in [0, 1), got {self.subjects}, {self.dropout}"
            )


class SkeletonGRU(nnx.Module):
    """Joint positions in the walker's own frame -> identification vector."""

    def __init__(self, config: SkeletonGRUConfig, *, rngs: nnx.Rngs):
        self.config = config
        decay = 0.98
        self.norm = BatchNorm(16 * 3, GaitNNConfig(batch_norm_decay=decay))
        self.expand = nnx.Linear(16 * 3, config.hidden, rngs=rngs)
        self.dense = nnx.Linear(config.hidden, config.size, rngs=rngs)
        self.recurrent = Recurrent(config.size, config.size, config.layers, config.recurrent_unit, rngs=rngs)
        self.head = make_head(config.size, config.subjects, config.neck, decay, rngs)

    def __call__(
        self,
        placed: Float[Array, "batch time 16 2"],
        probability: Float[Array, "batch time 16"],
        frame_mask: Shaped[Array, "batch time"],
        train: bool = False,
        *,
        rngs: nnx.Rngs | None = None,
    ) -> GaitOutput:
        """Describe each sequence of joints in walker heights (`gaitnet.pose_maps.to_walker_frame`).

        `train` and `rngs` as in GaitNN; raises ValueError where training lacks `rngs` for its dropout.
        """
        vectors = self.frame_vectors(placed, probability, frame_mask, train)
        dropout = self.config.dropout if train else 0.0
        return read_in_order(self.recurrent, self.head, vectors, frame_mask, dropout, rngs, train)

    def frame_vectors(
        self,
        placed: Float[Array, "batch time 16 2"],
        probability: Float[Array, "batch time 16"],
        frame_mask: Shaped[Array, "batch time"],
        train: bool = False,
    ) -> Float[Array, "batch time size"]:
        """Describe each frame by itself: what the recurrent layers read.

        Both axes count in the width of a cell of GaitNN's maps, a scale at which the norm's epsilon is small.
        """
        batch, time = frame_mask.shape
        cells = placed.reshape(batch, time, 32) * (GRID / WIDTH)
        x = jnp.concatenate([cells, probability], axis=-1).reshape(batch * time, 1, 1, 48)
        valid = (frame_mask > 0).reshape(batch * time)
        x = jnp.where(valid[:, None, None, None], x, 0)
        x = self.norm(x, valid.astype(jnp.float32), train).reshape(batch, time, 48)
        return self.dense(jax.nn.elu(self.expand(x)))
