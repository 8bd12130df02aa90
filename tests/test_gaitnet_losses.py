"""Training losses against naive float64 loops, their degenerate batches, and finite gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaitnet import losses

LABELS = np.array([0, 1, 0, 2, 1, 0, 3])


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(len(LABELS), 6)).astype(np.float32)


def unit(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cross_entropy_loop(logits, labels, smoothing):
    total = 0.0
    for row, label in zip(logits.astype(np.float64), labels, strict=True):
        log_probability = row - np.log(np.exp(row).sum())
        target = np.full(len(row), smoothing / len(row))
        target[label] += 1 - smoothing
        total -= (target * log_probability).sum()
    return total / len(labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing):
    logits = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32) * 3
    actual = losses.softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(LABELS), smoothing)
    np.testing.assert_allclose(actual, cross_entropy_loop(logits, LABELS, smoothing), rtol=1e-5)
    with pytest.raises(ValueError, match="label_smoothing"):
        losses.softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(LABELS), 1.0)


def test_normalised_softmax(vectors):
    subjects = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    logits = 20 * unit(vectors) @ unit(subjects).T
    logits[np.arange(len(LABELS)), LABELS] -= 20 * 0.3

    def loss(vectors):
        return losses.normalised_softmax_loss(
            vectors, jnp.asarray(subjects), jnp.asarray(LABELS), scale=20.0, margin=0.3
        )

    actual = loss(jnp.asarray(vectors))
    np.testing.assert_allclose(actual, cross_entropy_loop(logits, LABELS, 0.0), rtol=1e-4)
    longer = loss(jnp.asarray(5 * vectors))
    np.testing.assert_allclose(longer, actual, rtol=1e-4)


def triplets_loop(vectors, margin):
    x, violations, hardest = vectors.astype(np.float64), [], []
    for a in range(len(x)):
        apart = [np.linalg.norm(x[a] - x[b]) for b in range(len(x))]
        positives = [apart[p] for p in range(len(x)) if p != a and LABELS[p] == LABELS[a]]
        negatives = [apart[n] for n in range(len(x)) if LABELS[n] != LABELS[a]]
        violations += [p - n + margin for p in positives for n in negatives if p - n + margin > 0]
        if positives:
            hardest.append(max(0, max(positives) - min(negatives) + margin))
    return np.mean(violations), np.mean(hardest)


def test_triplets(vectors):
    batch_all, batch_hard = triplets_loop(vectors, 0.5)
    arguments = jnp.asarray(vectors), jnp.asarray(LABELS), 0.5
    np.testing.assert_allclose(losses.batch_all_triplet_loss(*arguments), batch_all, rtol=1e-4)
    np.testing.assert_allclose(losses.batch_hard_triplet_loss(*arguments), batch_hard, rtol=1e-4)


def test_supervised_contrastive(vectors):
    x, total = unit(vectors), []
    for a in range(len(x)):
        others = [b for b in range(len(x)) if b != a]
        normaliser = np.log(sum(np.exp(x[a] @ x[b] / 0.2) for b in others))
        positives = [b for b in others if LABELS[b] == LABELS[a]]
        if positives:
            total.append(-np.mean([x[a] @ x[p] / 0.2 - normaliser for p in positives]))
    actual = losses.supervised_contrastive_loss(jnp.asarray(vectors), jnp.asarray(LABELS), 0.2)
    np.testing.assert_allclose(actual, np.mean(total), rtol=1e-4)


METRIC = [losses.batch_all_triplet_loss, losses.batch_hard_triplet_loss, losses.supervised_contrastive_loss]


@pytest.mark.parametrize("loss", METRIC)
def test_order_of_the_batch_does_not_matter(loss, vectors):
    order = np.random.default_rng(3).permutation(len(LABELS))
    straight = loss(jnp.asarray(vectors), jnp.asarray(LABELS))
    np.testing.assert_allclose(loss(jnp.asarray(vectors[order]), jnp.asarray(LABELS[order])), straight, rtol=1e-4)


@pytest.mark.parametrize("loss", METRIC)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0, 0, 1]], ids=["one person", "no pairs", "mixed"])
@pytest.mark.parametrize("collapsed", [True, False])
def test_degenerate_batches_stay_finite(loss, labels, collapsed):
    x = jnp.ones((3, 4)) if collapsed else jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32)
    value, gradient = jax.value_and_grad(loss)(x, jnp.asarray(labels))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if labels == [0, 1, 2]:
        assert value == 0


def test_zero_vectors_do_not_break_cosines():
    gradient = jax.grad(losses.supervised_contrastive_loss)(jnp.zeros((3, 4)), jnp.array([0, 0, 1]))
    assert np.isfinite(gradient).all()


def test_perfectly_separated_people_cost_nothing():
    x = jnp.asarray(np.eye(3, 4)[[0, 0, 1, 1]] * 10, jnp.float32)
    labels = jnp.array([0, 0, 1, 1])
    assert losses.batch_all_triplet_loss(x, labels) == 0
    assert losses.batch_hard_triplet_loss(x, labels) == 0
