"""From one vector a frame to one vector a sequence, padded frames left out."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped


def average_temporal_pooling(
    x: Float[Array, "batch time channel"], frame_mask: Shaped[Array, "batch time"]
) -> Float[Array, "batch channel"]:
    """Mean over the valid frames of each sequence.

    `frame_mask` is bool or a weight >= 0 per frame; frames of weight 0 do not count, whatever they hold (NaN included).
    A sequence without a single valid frame gives zeros. This is how GaitNN turns the outputs of its recurrent unit into
    the identification vector (Margeta, Human Gait Recognition, 2017).
    """
    weight = frame_mask.astype(x.dtype)[:, :, None]
    total = jnp.sum(jnp.where(weight > 0, x * weight, 0), axis=1)
    weight_sum = jnp.sum(weight, axis=1)
    return total / jnp.where(weight_sum > 0, weight_sum, 1)
