"""MobileNetV2 and MobilePose: published sizes, shapes, normalisation, and what GaitNN receives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from humanpose import ops
from humanpose.models.mobile import MOBILE_X05, MOBILE_X10, MobilePose, MobilePoseConfig
from humanpose.models.mobilenet_v2 import BatchNorm, InvertedResidual, MobileNetV2, MobileNetV2Config, draw_kernel


def count(module, kind=nnx.Param):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, kind)))


def crops(batch=2, height=192, width=144, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(0, 256, (batch, height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def network():
    return MobilePose(MOBILE_X05, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def parts(network):
    return nnx.split(network, nnx.Param, ...)


@pytest.mark.parametrize(
    ("width", "total", "statistics"),
    # Keras's include_top=False models; the statistics are their "non-trainable" ones.
    [(0.5, 706_224, 18_544), (1.0, 2_257_984, 34_112), (1.4, 4_363_712, 47_936)],
)
def test_the_trunk_has_the_published_number_of_parameters(width, total, statistics):
    trunk = MobileNetV2(MobileNetV2Config(width), rngs=nnx.Rngs(0))
    assert count(trunk) == total - statistics
    assert count(trunk, nnx.BatchStat) == statistics
    # The head's share leaves with the head: its kernel, scale and bias.
    headless = MobileNetV2(MobileNetV2Config(width, head=0), rngs=nnx.Rngs(0))
    deepest = headless.stride_channels[-1]
    head = trunk.stride_channels[-1]
    assert count(trunk) - count(headless) == deepest * head + 2 * head


def test_the_trunks_maps_have_strides_8_16_32():
    trunk = MobileNetV2(MobileNetV2Config(1.0), rngs=nnx.Rngs(0))
    maps = nnx.eval_shape(lambda trunk: trunk(jnp.zeros((2, 224, 200, 3))), trunk)
    assert [leaf.shape for leaf in maps] == [(2, 28, 25, 32), (2, 14, 13, 96), (2, 7, 7, 1280)]
    assert trunk.stride_channels == (32, 96, 1280)
    assert len(trunk.blocks) == 17


@pytest.mark.parametrize(
    ("width", "expected"), [(0.5, [8, 16, 32, 48]), (1.0, [16, 32, 64, 96]), (1.4, [24, 48, 88, 136])]
)
def test_scaled_channels_are_those_of_keras(width, expected):
    assert [MobileNetV2Config(width).channels(channel) for channel in (16, 32, 64, 96)] == expected


@pytest.mark.parametrize(
    "config", [MOBILE_X05, MOBILE_X10, MobilePoseConfig(image_height=104, image_width=72, joints=5)]
)
def test_logits_lie_at_stride_4(config):
    network = MobilePose(config, rngs=nnx.Rngs(0))
    logits = nnx.eval_shape(
        lambda network: network(jnp.zeros((3, config.image_height, config.image_width, 3))), network
    )
    assert logits.shape == (3, *config.map_size, config.joints)


@pytest.fixture(scope="module")
def evaluate(parts):
    graphdef, params, rest = parts
    return jax.jit(lambda images: nnx.merge(graphdef, params, rest)(images))


def test_both_lowerings_are_one_network(parts, evaluate):
    graphdef, params, rest = parts
    images = crops(3, 64, 48)
    native = jax.jit(lambda images: nnx.merge(graphdef, params, rest)(images, lowering="native"))(images)
    np.testing.assert_allclose(native, evaluate(images), atol=1e-5 * float(jnp.abs(native).max()))


@pytest.mark.parametrize(("features", "expansion", "stride"), [(8, 6, 1), (16, 6, 2), (16, 1, 1)])
def test_both_lowerings_train_a_block_alike(features, expansion, stride):
    block = InvertedResidual(8, features, expansion, stride, rngs=nnx.Rngs(1))
    graphdef, params, rest = nnx.split(block, nnx.Param, ...)
    images = jnp.asarray(np.random.default_rng(6).standard_normal((4, 9, 7, 8)).astype(np.float32))

    def loss(params, images, lowering):
        return jnp.sum(jnp.sin(nnx.merge(graphdef, params, rest, copy=True)(images, True, lowering)))

    gradient = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
    native, rewritten = (jax.tree.leaves(gradient(params, images, lowering)) for lowering in ("native", "cpu"))
    for one, other in zip(native, rewritten, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-3)


def test_training_moves_statistics_and_evaluation_does_not(parts):
    graphdef, params, rest = parts

    @jax.jit
    def statistics_after(params, rest, images):
        network = nnx.merge(graphdef, params, rest, copy=True)
        network(images, train=True)
        return nnx.state(network, nnx.BatchStat)

    moved = statistics_after(params, rest, crops(2, 64, 48))
    for before, after in zip(jax.tree.leaves(rest), jax.tree.leaves(moved), strict=True):
        assert not np.array_equal(before, after)


def test_evaluation_is_repeatable_leaves_the_statistics_and_sees_each_image_alone(network, evaluate):
    images, others = crops(3, 64, 48), crops(3, 64, 48, seed=1).at[1].set(crops(3, 64, 48)[1])
    before = [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(network, nnx.BatchStat))]
    logits = evaluate(images)
    np.testing.assert_array_equal(logits, evaluate(images))
    np.testing.assert_allclose(logits[1], evaluate(others)[1], atol=1e-6)
    assert not np.allclose(logits[0], evaluate(others)[0], atol=1e-6)
    network.trunk.stem.norm(jnp.ones((1, 2, 2, 16)))
    for old, new in zip(before, jax.tree.leaves(nnx.state(network, nnx.BatchStat)), strict=True):
        np.testing.assert_array_equal(old, new)


def test_bytes_and_floats_are_the_same_image(evaluate):
    images = crops(3, 64, 48)
    np.testing.assert_allclose(evaluate(images), evaluate(images.astype(jnp.float32)), atol=1e-6)


def test_joint_maps_and_pose_features_are_distributions_at_one_place(network):
    images = crops()
    maps, features = nnx.jit(lambda network, images: network.forward(images))(network, images)
    assert maps.shape == (2, 48, 36, 16)
    assert features.shape == (2, 17, 17, 16)
    for array in (maps, features):
        np.testing.assert_allclose(np.sum(np.asarray(array), (1, 2), dtype=np.float64), 1, atol=1e-5)
    for axis, length in ((1, 48), (2, 36)):
        along = [
            np.sum(np.asarray(array), 3 - axis, dtype=np.float64).transpose(0, 2, 1) @ np.arange(array.shape[axis])
            for array in (maps, features)
        ]
        np.testing.assert_allclose(along[0] * 16 / (length - 1), along[1], atol=1e-3)
    np.testing.assert_allclose(features, ops.carry_to_grid(maps, 17), atol=1e-6)


def test_batch_normalisation_matches_float64_and_its_gradient_central_differences():
    random = np.random.default_rng(5)
    features = random.standard_normal((3, 4, 5, 2)) * 2 + 1
    norm = BatchNorm(2)
    norm.scale[...] = jnp.asarray([1.5, -0.5])
    norm.bias[...] = jnp.asarray([0.25, 2.0])
    graphdef, params, rest = nnx.split(norm, nnx.Param, ...)
    weights = random.standard_normal(features.shape)

    def reference(features):
        mean, var = features.mean((0, 1, 2)), features.var((0, 1, 2))
        return np.array([1.5, -0.5]) * (features - mean) / np.sqrt(var + 1e-3) + np.array([0.25, 2.0])

    actual = norm(jnp.asarray(features, jnp.float32), train=True)
    np.testing.assert_allclose(actual, reference(features), atol=1e-5)
    np.testing.assert_allclose(norm.mean[...], 0.01 * features.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(norm.var[...], 0.99 + 0.01 * features.var((0, 1, 2)), rtol=1e-5)

    def total(features, params):
        norm = nnx.merge(graphdef, params, rest, copy=True)
        return jnp.sum(norm(features, train=True) * jnp.asarray(weights, jnp.float32))

    gradient, by_params = jax.grad(total, (0, 1))(jnp.asarray(features, jnp.float32), params)
    for index in [(0, 0, 0, 0), (2, 3, 4, 1), (1, 2, 0, 1)]:
        step = np.zeros_like(features)
        step[index] = 1e-5
        slope = np.sum((reference(features + step) - reference(features - step)) * weights) / 2e-5
        np.testing.assert_allclose(gradient[index], slope, atol=1e-4)
    normal = (reference(features) - np.array([0.25, 2.0])) / np.array([1.5, -0.5])
    np.testing.assert_allclose(by_params["scale"][...], (normal * weights).sum((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(by_params["bias"][...], weights.sum((0, 1, 2)), rtol=1e-4)


def test_kernels_follow_the_key_and_have_the_wished_deviation():
    one, again, other = (draw_kernel(jax.random.key(seed), (3, 3, 20, 50), 0.1) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert float(jnp.std(one)) == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"image_height": 190}, "image_height"),
        ({"image_width": 8}, "image_width"),
        ({"width_multiplier": 0.0}, "width"),
    ],
)
def test_impossible_configs_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=name):
        MobilePoseConfig(**changes)
