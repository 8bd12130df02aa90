"""Losses on joint maps, per joint, masked once: a joint that is not labelled neither counts nor pulls.

All three share one shape of reduction: the sum over a map's pixels, averaged over the labelled joints of the whole
batch with optional weights. A batch in which no joint is labelled costs 0.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

AnyArray: TypeAlias = Array | np.ndarray


def spatial_cross_entropy(
    logits: Float[AnyArray, "*lead height width joint"],
    targets: Float[AnyArray, "*lead height width joint"],
    visible: Shaped[AnyArray, "*lead joint"],
    weight: Float[AnyArray, " joint"] | None = None,
) -> Float[Array, ""]:
    """Compute the cross entropy in nats between a softmax over positions and the target normalised to sum 1.

    `targets` are maps >= 0 of any sum, such as `encode_keypoints(..., "gaussian")`. A joint whose target is all zero
    (it lies outside the map) is left out like one that is not `visible` (1 = labelled). `weight` scales joints against
    one another: the result is their weighted mean.
    """
    logits, targets = jnp.asarray(logits, jnp.float32), jnp.asarray(targets, jnp.float32)
    total = targets.sum((-3, -2))
    expected = (targets * logits).sum((-3, -2)) / jnp.where(total > 0, total, 1.0)
    loss = jax.nn.logsumexp(logits, axis=(-3, -2)) - expected
    return _mean_over_joints(loss, jnp.asarray(visible).astype(jnp.float32) * (total > 0), weight)


def sigmoid_cross_entropy(
    logits: Float[AnyArray, "*lead height width joint"],
    targets: Float[AnyArray, "*lead height width joint"],
    visible: Shaped[AnyArray, "*lead joint"],
    weight: Float[AnyArray, " joint"] | None = None,
) -> Float[Array, ""]:
    """Compute the original's "SCE": binary cross entropy in nats summed over a map's pixels, mean over labelled joints.

    `targets` in [0, 1], discs in the original. `visible` 1 = labelled. A visible joint outside the map has a zero
    target and does count: there the network is to see nothing.
    """
    logits, targets = jnp.asarray(logits, jnp.float32), jnp.asarray(targets, jnp.float32)
    # max(x, 0) - x t + log(1 + exp(-|x|)): the form that neither overflows nor loses digits.
    loss = jnp.maximum(logits, 0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return _mean_over_joints(loss.sum((-3, -2)), jnp.asarray(visible).astype(jnp.float32), weight)


def mean_square(
    logits: Float[AnyArray, "*lead height width joint"],
    targets: Float[AnyArray, "*lead height width joint"],
    visible: Shaped[AnyArray, "*lead joint"],
    weight: Float[AnyArray, " joint"] | None = None,
) -> Float[Array, ""]:
    """Compute the original's "MSE": (sigmoid(logits) - targets)^2 summed over pixels, mean over labelled joints.

    `targets` in [0, 1], Gaussians of peak 1 in the original. `visible` 1 = labelled.
    """
    logits, targets = jnp.asarray(logits, jnp.float32), jnp.asarray(targets, jnp.float32)
    loss = jnp.square(jax.nn.sigmoid(logits) - targets).sum((-3, -2))
    return _mean_over_joints(loss, jnp.asarray(visible).astype(jnp.float32), weight)


def _mean_over_joints(
    loss: Float[Array, "*lead joint"], mask: Float[Array, "*lead joint"], weight: Float[AnyArray, " joint"] | None
) -> Float[Array, ""]:
    """Take the weighted mean over the joints that `mask` keeps; 0 where it keeps none."""
    if weight is not None:
        mask = mask * jnp.broadcast_to(jnp.asarray(weight, jnp.float32), mask.shape)
    # `where` before the product: an infinite loss of a masked joint must not turn into NaN.
    total = (jnp.where(mask > 0, loss, 0.0) * mask).sum()
    count = mask.sum()
    return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)
