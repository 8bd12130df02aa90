"""Losses against float64 NumPy, and the masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from humanpose.heatmaps import encode_keypoints
from humanpose.losses import (
    mean_square,
    mixture_targets,
    sigmoid_cross_entropy,
    spatial_cross_entropy,
)

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


@pytest.mark.parametrize(
    ("loss", "kind", "size"), [(sigmoid_cross_entropy, "disc", 5.0), (mean_square, "gaussian", 1.5)]
)
def test_the_originals_losses_on_the_originals_targets(loss, kind, size):
    """Targets drawn pixel by pixel; per joint the sum over pixels times presence, by the number of present joints."""
    rng = np.random.default_rng(5)
    logits = rng.normal(scale=3, size=(2, 12, 10, 16))
    places = rng.integers(-4, 16, (2, 16, 2))
    places[:, 3] = (40, 40)  # annotated, but outside the crop: a zero map that counts
    present = (rng.random((2, 16)) < 0.7).astype(np.float64)
    present[:, 3] = 1
    rows, columns = np.mgrid[:12, :10]
    total = 0.0
    for image in range(2):
        for joint in range(16):
            across, down = columns - places[image, joint, 0], rows - places[image, joint, 1]
            if kind == "disc":
                target = (across**2 + down**2 <= (size / 2) ** 2).astype(np.float64)
            else:
                target = np.exp(-(across**2 + down**2) / (2 * size**2))
                target *= (across >= -4 * size) & (across < 4 * size) & (down >= -4 * size) & (down < 4 * size)
            shown = 1 / (1 + np.exp(-logits[image, ..., joint]))
            entropy = -(target * np.log(shown) + (1 - target) * np.log(1 - shown))
            pixels = entropy if kind == "disc" else (shown - target) ** 2
            total += pixels.sum() * present[image, joint]
    targets = encode_keypoints(places.astype(np.float32), present, (12, 10), kind, size)
    ours = loss(logits.astype(np.float32), targets, present)
    np.testing.assert_allclose(ours, total / present.sum(), rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_visibility_between_0_and_1_is_a_weight_of_the_mean(loss):
    logits, targets, visible, weight = draw(6)
    trust = np.where(visible, np.random.default_rng(7).uniform(0.1, 1, visible.shape), 0).astype(np.float32)
    alone = np.zeros_like(trust)
    total = 0.0
    for place in zip(*trust.nonzero(), strict=True):
        alone[place] = 1
        total += float(trust[place] * weight[place[1]] * loss(logits, targets, alone))
        alone[place] = 0
    np.testing.assert_allclose(loss(logits, targets, trust, weight), total / (trust * weight).sum(), rtol=1e-5)
    np.testing.assert_allclose(loss(logits, targets, 0.3 * trust), loss(logits, targets, trust), rtol=1e-5)


def test_targets_of_differing_opinions_are_their_weighted_sum():
    rng = np.random.default_rng(12)
    keypoints = rng.uniform(0, 11, (2, 2, 16, 2)).astype(np.float32)
    keypoints[0, 1, 5] = (-1, 3)  # cut by the border
    keypoints[0, 1, 6] = np.nan
    shares = rng.uniform(0.1, 0.9, (2, 2, 16)).astype(np.float32)
    shares[0, 1, 6] = 0
    shares[:, :, 7] = 0
    maps = np.asarray(mixture_targets(keypoints, shares, (12, 12), 1.5), np.float64)
    rows, columns = np.mgrid[:12, :12]
    for image in range(2):
        for joint in range(16):
            expected = np.zeros((12, 12))
            for opinion in range(2):
                share = float(shares[image, opinion, joint])
                if share:
                    x, y = keypoints[image, opinion, joint].astype(np.float64)
                    across, down = columns - x, rows - y
                    one = np.exp(-(across**2 + down**2) / (2 * 1.5**2))
                    one *= (across >= -6) & (across < 6) & (down >= -6) & (down < 6)
                    expected += share * one / one.sum()
            np.testing.assert_allclose(maps[image, ..., joint], expected, atol=1e-6)
    np.testing.assert_allclose(maps.sum((1, 2)), shares.sum(1), rtol=1e-5)


def test_the_best_answer_to_two_opinions_is_both_by_their_shares():
    keypoints = np.zeros((1, 2, 16, 2), np.float32)
    keypoints[:, 0], keypoints[:, 1] = (3, 3), (13, 9)
    shares = np.broadcast_to(np.array([0.75, 0.25], np.float32)[None, :, None], (1, 2, 16))
    targets = mixture_targets(keypoints, shares, (14, 18), 1.0)
    trust = shares.sum(1)
    best = jnp.log(targets + 1e-12)
    least = spatial_cross_entropy(best, targets, trust)
    for only in range(2):
        one = encode_keypoints(keypoints[:, only], np.ones((1, 16)), (14, 18), "gaussian", 1.0)
        assert float(spatial_cross_entropy(jnp.log(one + 1e-12), targets, trust)) > float(least) + 0.5
    gradient = jax.grad(spatial_cross_entropy)(best, targets, trust)
    assert np.abs(gradient).max() < 1e-6


def test_a_joint_that_all_place_outside_the_map_is_left_out():
    keypoints = np.full((1, 2, 16, 2), 3, np.float32)
    keypoints[:, :, 4] = 99
    targets = mixture_targets(keypoints, np.full((1, 2, 16), 0.5), (8, 8), 1.0)
    assert (np.asarray(targets)[..., 4] == 0).all()
    logits = jnp.zeros((1, 8, 8, 16)).at[..., 4].set(jnp.nan)
    np.testing.assert_allclose(spatial_cross_entropy(logits, targets, np.ones((1, 16))), np.log(64), rtol=1e-5)
