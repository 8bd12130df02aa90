"""The second half of every gait network: recurrent layers over the frame vectors, their mean, and a head for training.

What is trained beside the identification vector to name the training's people is left behind when weights are shipped.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Shaped

from gaitnet.pooling import average_temporal_pooling
from gaitnet.recurrent import Recurrent


class GaitOutput(NamedTuple):
    """What a gait network says of a batch of sequences."""

    identification_vector: Float[Array, "batch size"]
    """Mean of the recurrent outputs over the valid frames; compare by cosine or Euclidean distance."""
    logits: Float[Array, "batch subject"] | None
    """Score of each training subject; None where the network has no head."""
    outputs: Float[Array, "batch time size"]
    """The recurrent output at every frame; padded frames repeat the last valid one."""
    frame_vectors: Float[Array, "batch time size"]
    """Each frame by itself: what the recurrent layers read."""


class NeckedHead(nnx.Module):
    """Scores of the training's people behind a "BN neck": batch norm without shift, then a product without bias.

    A metric loss on the vector before the neck draws a person's walks together, cross-entropy behind it tells people
    apart by direction alone; without the norm between them each spoils the other's scale. Luo et al., "Bag of Tricks
    and a Strong Baseline for Deep Person Re-identification", CVPR workshops 2019.
    """

    def __init__(self, size: int, subjects: int, decay: float, *, rngs: nnx.Rngs):
        self.decay, self.epsilon = decay, 1e-5
        self.gamma = nnx.Param(jnp.ones((size,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((size,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((size,)))
        self.kernel = nnx.Param(nnx.initializers.normal(0.001)(rngs.params(), (size, subjects)))

    def normalise(
        self, vectors: Float[Array, "batch size"], present: Bool[Array, " batch"], train: bool
    ) -> Float[Array, "batch size"]:
        """By the batch (`train`) or by the running statistics; sequences that are not `present` are not counted."""
        mean, variance = self.moving_mean[...], self.moving_variance[...]
        if train:
            count = present.sum()
            share = (present / jnp.maximum(count, 1))[:, None]
            keep = jnp.where(count > 0, self.decay, 1.0)  # a batch of padding alone teaches nothing
            mean = jnp.sum(vectors * share, axis=0)
            variance = jnp.sum(jnp.square(vectors - mean[None]) * share, axis=0)
            self.moving_mean[...] = keep * self.moving_mean[...] + (1 - keep) * jax.lax.stop_gradient(mean)
            self.moving_variance[...] = keep * self.moving_variance[...] + (1 - keep) * jax.lax.stop_gradient(variance)
        return (vectors - mean[None]) * (self.gamma[...] * jax.lax.rsqrt(variance + self.epsilon))[None]


def make_head(size: int, subjects: int, neck: bool, decay: float, rngs: nnx.Rngs) -> nnx.Linear | NeckedHead | None:
    """The head for `subjects` people, none for 0; `decay`: what a neck's running statistics keep per step."""
    if not subjects:
        return None
    return NeckedHead(size, subjects, decay, rngs=rngs) if neck else nnx.Linear(size, subjects, rngs=rngs)


def read_in_order(
    recurrent: Recurrent,
    head: nnx.Linear | NeckedHead | None,
    frame_vectors: Float[Array, "batch time size"],
    frame_mask: Shaped[Array, "batch time"],
    dropout: float,
    rngs: nnx.Rngs | None,
    train: bool = False,
) -> GaitOutput:
    """The identification vectors of sequences of frame vectors, and what the head makes of them.

    `dropout` is the share of the (normalised) identification vector that the head does not see; 0 outside of training.
    `train`: a neck normalises by the batch.
    """
    outputs, _ = recurrent(frame_vectors, frame_mask)
    identification_vector = average_temporal_pooling(outputs, frame_mask)
    match head:
        case None:
            logits = None
        case NeckedHead():
            normalised = head.normalise(identification_vector, jnp.any(frame_mask > 0, axis=1), train)
            logits = drop_out(normalised, dropout, rngs) @ head.kernel[...]
        case _:
            logits = head(drop_out(identification_vector, dropout, rngs))
    return GaitOutput(identification_vector, logits, outputs, frame_vectors)


def drop_out(x: Float[Array, "*shape"], share: float, rngs: nnx.Rngs | None) -> Float[Array, "*shape"]:
    """`x` with a `share` of its numbers dropped by `rngs`' stream "dropout"; ValueError where `rngs` is missing."""
    if share == 0:
        return x
    if rngs is None:
        raise ValueError("rngs: training with dropout needs nnx.Rngs(dropout=key); pass one or set dropout=0")
    return jnp.where(jax.random.bernoulli(rngs.dropout(), 1 - share, x.shape), x / (1 - share), 0)
