"""What a gait network is trained to make small: classification and metric losses over a batch of sequences.

Every function takes identification vectors (batch, size) or logits (batch, subject), and integer labels (batch), and
returns one number. Metric losses compare members of the batch, so draw batches of several people with several sequences
each.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def softmax_cross_entropy(
    logits: Float[Array, "batch subject"], labels: Int[Array, " batch"], label_smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean cross-entropy in nats; `label_smoothing` of the target is spread evenly over all subjects.

    Label smoothing: Szegedy et al., CVPR 2016. Raises ValueError where it is outside [0, 1).
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")
    log_probabilities = jax.nn.log_softmax(logits, axis=1)
    named = jnp.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
    return -jnp.mean((1 - label_smoothing) * named + label_smoothing * jnp.mean(log_probabilities, axis=1))


def normalised_softmax_loss(
    vectors: Float[Array, "batch size"],
    subject_vectors: Float[Array, "subject size"],
    labels: Int[Array, " batch"],
    scale: float = 30.0,
    margin: float = 0.0,
) -> Float[Array, ""]:
    """Mean cross-entropy over `scale` times the cosine between each vector and each (learned) subject vector.

    `margin` is taken off the cosine of the true subject. NormFace (Wang et al., 2017) without, CosFace (2018) with
    margin.
    """
    cosines = _unit(vectors) @ _unit(subject_vectors).T
    true = jax.nn.one_hot(labels, subject_vectors.shape[0], dtype=cosines.dtype)
    return softmax_cross_entropy(scale * (cosines - margin * true), labels)


def batch_all_triplet_loss(
    vectors: Float[Array, "batch size"], labels: Int[Array, " batch"], margin: float = 0.2
) -> Float[Array, ""]:
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin) over the triplets that violate the margin.

    Euclidean distances; all valid triplets of the batch are formed (memory grows with batch cubed). 0 where none
    violates it. Hermans et al., "In Defense of the Triplet Loss", 2017.
    """
    distances = euclidean_distances(vectors)
    same = labels[:, None] == labels[None, :]
    positive = same & ~jnp.eye(labels.shape[0], dtype=bool)
    hinge = jax.nn.relu(distances[:, :, None] - distances[:, None, :] + margin)
    hinge = jnp.where(positive[:, :, None] & ~same[:, None, :], hinge, 0)
    return jnp.sum(hinge) / jnp.maximum(jnp.sum(hinge > 0), 1)


def part_triplet_loss(
    parts: Float[Array, "batch part size"], labels: Int[Array, " batch"], margin: float = 0.2
) -> Float[Array, ""]:
    """Mean over parts of the body of their own `batch_all_triplet_loss` (GaitSet, Chao et al., AAAI 2019)."""
    return jnp.mean(jax.vmap(lambda part: batch_all_triplet_loss(part, labels, margin), in_axes=1)(parts))


def part_cross_entropy(
    logits: Float[Array, "batch part subject"], labels: Int[Array, " batch"], label_smoothing: float = 0.0
) -> Float[Array, ""]:
    """Mean over parts of the body of their own `softmax_cross_entropy`."""
    return jnp.mean(jax.vmap(lambda part: softmax_cross_entropy(part, labels, label_smoothing), in_axes=1)(logits))


def batch_hard_triplet_loss(
    vectors: Float[Array, "batch size"], labels: Int[Array, " batch"], margin: float = 0.2
) -> Float[Array, ""]:
    """Mean over anchors of max(0, farthest positive - nearest negative + margin), Euclidean.

    Anchors without a positive or a negative in the batch do not count; 0 where no anchor counts. Hermans et al., 2017.
    """
    distances = euclidean_distances(vectors)
    same = labels[:, None] == labels[None, :]
    positive = same & ~jnp.eye(labels.shape[0], dtype=bool)
    farthest = jnp.max(jnp.where(positive, distances, 0), axis=1)
    nearest = jnp.min(jnp.where(same, jnp.inf, distances), axis=1)
    counts = jnp.any(positive, axis=1) & ~jnp.all(same, axis=1)
    hinge = jax.nn.relu(farthest - jnp.where(counts, nearest, 0) + margin)
    return jnp.sum(jnp.where(counts, hinge, 0)) / jnp.maximum(jnp.sum(counts), 1)


def supervised_contrastive_loss(
    vectors: Float[Array, "batch size"], labels: Int[Array, " batch"], temperature: float = 0.1
) -> Float[Array, ""]:
    """Pull each vector towards the others of its person: cosine / temperature as logits over the rest of the batch.

    Mean over anchors of the mean over their positives of -log softmax. Anchors without a positive do not count; 0 where
    none has one. Khosla et al., NeurIPS 2020 (the form with the sum outside the logarithm).
    """
    unit = _unit(vectors)
    itself = jnp.eye(labels.shape[0], dtype=bool)
    similarities = jnp.where(itself, -jnp.inf, unit @ unit.T / temperature)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    log_probabilities = jnp.where(positive, jax.nn.log_softmax(similarities, axis=1), 0)
    positives = jnp.sum(positive, axis=1)
    return -jnp.sum(jnp.sum(log_probabilities, axis=1) / jnp.maximum(positives, 1)) / jnp.maximum(
        jnp.sum(positives > 0), 1
    )


def euclidean_distances(vectors: Float[Array, "batch size"]) -> Float[Array, "batch batch"]:
    """Distances between all pairs; the gradient of a distance of zero is zero rather than NaN."""
    squares = jnp.sum(jnp.square(vectors), axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    apart = (squared > 0) & ~jnp.eye(vectors.shape[0], dtype=bool)
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1)), 0)


def _unit(vectors: Array) -> Array:
    """Rows at length 1; zero rows stay zero, with a finite gradient."""
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vectors), axis=1, keepdims=True), 1e-12))
