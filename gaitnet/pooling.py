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


def max_temporal_pooling(
    x: Float[Array, "batch time channel"], frame_mask: Shaped[Array, "batch time"]
) -> Float[Array, "batch channel"]:
    """Maximum over the valid frames (`frame_mask` > 0) of each sequence; zeros where a sequence has none.

    The set pooling of GaitSet (Chao et al., AAAI 2019) and GaitBase (Fan et al., CVPR 2023).
    """
    valid = (frame_mask > 0)[:, :, None]
    largest = jnp.max(jnp.where(valid, x, jnp.finfo(x.dtype).min), axis=1)
    return jnp.where(jnp.any(valid, axis=1), largest, 0)
