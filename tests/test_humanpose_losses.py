"""Losses against float64 NumPy, and the masks."""

import jax
import numpy as np
import pytest

from humanpose.losses import mean_square, sigmoid_cross_entropy, spatial_cross_entropy

LOSSES = [spatial_cross_entropy, sigmoid_cross_entropy, mean_square]


def draw(seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(3, 7, 5, 16)).astype(np.float32)
    targets = rng.random((3, 7, 5, 16)).astype(np.float32)
    return logits, targets, rng.random((3, 16)) < 0.6, rng.uniform(0.5, 2, 16).astype(np.float32)


def naive(loss, logits, targets, visible, weight):
    logits, targets = logits.astype(np.float64), targets.astype(np.float64)
    total = count = 0.0
    for image in range(logits.shape[0]):
        for joint in range(logits.shape[-1]):
            if not visible[image, joint]:
                continue
            x, t = logits[image, ..., joint], targets[image, ..., joint]
            p = 1 / (1 + np.exp(-x))
            if loss is spatial_cross_entropy:
                value = -(t / t.sum() * (x - np.log(np.exp(x).sum()))).sum()
            elif loss is sigmoid_cross_entropy:
                value = -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()
            else:
                value = ((p - t) ** 2).sum()
            total += weight[joint] * value
            count += weight[joint]
    return total / count


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_against_naive_float64(loss, weighted):
    logits, targets, visible, weight = draw()
    ours = loss(logits, targets, visible, weight if weighted else None)
    expected = naive(loss, logits, targets, visible, weight if weighted else np.ones(16))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_masked_has_no_influence_and_no_gradient(loss):
    logits, targets, visible, _ = draw(1)
    spoilt = np.where(visible[:, None, None, :], logits, np.float32(1e30))
    np.testing.assert_allclose(loss(spoilt, targets, visible), loss(logits, targets, visible), rtol=1e-6)
    gradient = np.asarray(jax.grad(loss)(logits, targets, visible))
    assert (gradient[~np.broadcast_to(visible[:, None, None, :], gradient.shape)] == 0).all()
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_no_joint_present_costs_nothing(loss):
    logits, targets, visible, weight = draw(2)
    value, gradient = jax.value_and_grad(loss)(logits, targets, np.zeros_like(visible), weight)
    assert float(value) == 0
    assert (np.asarray(gradient) == 0).all()


def test_the_spatial_loss_ignores_the_targets_scale_and_leaves_out_joints_beyond_the_map():
    logits, targets, visible, _ = draw(3)
    whole = spatial_cross_entropy(logits, targets, visible)
    np.testing.assert_allclose(spatial_cross_entropy(logits, 5 * targets, visible), whole, rtol=1e-5)
    outside = targets.copy()
    outside[..., 4] = 0
    without = visible.copy()
    without[:, 4] = False
    np.testing.assert_allclose(
        spatial_cross_entropy(logits, outside, visible), spatial_cross_entropy(logits, targets, without), rtol=1e-6
    )


def test_the_spatial_loss_is_least_where_the_softmax_is_the_target():
    _, targets, visible, _ = draw(4)
    best = spatial_cross_entropy(np.log(targets), targets, visible)
    normal = targets / targets.sum((1, 2), keepdims=True)
    entropy = -(normal * np.log(normal)).sum((1, 2))[visible].mean()
    np.testing.assert_allclose(best, entropy, rtol=1e-5)


def test_the_binary_loss_is_finite_at_extreme_logits():
    logits = np.full((1, 4, 4, 16), 1e4, np.float32)
    assert float(sigmoid_cross_entropy(logits, np.ones_like(logits), np.ones((1, 16)))) == 0
    assert np.isfinite(float(sigmoid_cross_entropy(-logits, np.ones_like(logits), np.ones((1, 16)))))
