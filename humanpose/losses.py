"""Losses on joint maps, per joint, masked once: a joint that is not labelled neither counts nor pulls.

All share one shape of reduction: the sum over a map's pixels, averaged over the labelled joints of the whole batch. A
batch in which no joint is labelled costs 0 (the original's NaN). `visible` is 1 for a labelled joint, 0 for another, or
anything between for one that counts less, such as a hidden or a doubtful one: the average is weighted by it. Whether a
joint lies inside the crop is no part of it: that masks metrics.

Not here: the original declares weight decay (1e-4 on the trunk, 5e-4 on the head) but never adds it to its loss.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from humanpose.heatmaps import encode_keypoints

AnyArray: TypeAlias = Array | np.ndarray


def spatial_cross_entropy(
    logits: Float[AnyArray, "*lead height width joint"],
    targets: Float[AnyArray, "*lead height width joint"],
    visible: Shaped[AnyArray, "*lead joint"],
    weight: Float[AnyArray, " joint"] | None = None,
) -> Float[Array, ""]:
    """Compute the cross entropy in nats between a softmax over positions and the target normalised to sum 1.

    `targets` are maps >= 0 of any sum, such as `encode_keypoints(..., "gaussian")`. A joint whose target is all zero
    (it lies outside the map) is left out like one that is not `visible`. `weight` scales joints against one another:
    the result is their weighted mean.
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

    `targets` in [0, 1], discs in the original. A visible joint outside the map has a zero target and does count: there
    the network is to see nothing.
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

    `targets` in [0, 1], Gaussians of peak 1 in the original. A visible joint outside the map counts, as above.
    """
    logits, targets = jnp.asarray(logits, jnp.float32), jnp.asarray(targets, jnp.float32)
    loss = jnp.square(jax.nn.sigmoid(logits) - targets).sum((-3, -2))
    return _mean_over_joints(loss, jnp.asarray(visible).astype(jnp.float32), weight)


def mixture_targets(
    keypoints: Float[AnyArray, "*lead opinion joint 2"],
    shares: Float[AnyArray, "*lead opinion joint"],
    shape: tuple[int, int],
    sigma: float = 2.0,
) -> Float[Array, "*lead {shape[0]} {shape[1]} joint"]:
    """Draw targets (..., height, width, joint) of joints on whose places opinions differ.

    `keypoints` (..., opinion, joint, xy) are heat-map pixels; `shares` >= 0 is how much each opinion on each joint
    counts, 0 for none. Every opinion is a Gaussian of `sigma` heat-map pixels whose values sum to its share, also where
    the border cuts it; one that lies wholly outside is dropped. Made for `spatial_cross_entropy`, which normalises the
    sum; where opinions agree the target is that of `encode_keypoints`, but for its scale. The largest share of a joint
    goes with it as `visible`: two opinions on a joint count no more than the surer of them.
    """
    shares = jnp.asarray(shares, jnp.float32)
    maps = encode_keypoints(keypoints, shares > 0, shape, "gaussian", sigma)
    total = maps.sum((-3, -2), keepdims=True)
    return (maps / jnp.where(total > 0, total, 1.0) * shares[..., None, None, :]).sum(-4)


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
