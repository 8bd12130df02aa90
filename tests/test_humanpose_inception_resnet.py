"""The original HumanPoseNN against the original's own numbers, in every type and lowering."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracle import golden, relative_error, variables, weights

from humanpose import checkpoint
from humanpose.estimator import HumanPoseNN
from humanpose.heatmaps import smooth
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.scoring import drop_out
from humanpose.weights import fill
from humanpose.weights.inception_resnet import key_table, trunk_table

pytestmark = pytest.mark.usefixtures("lightly_compiled")

WHOLE = InceptionResNetConfig()
SMALL = InceptionResNetConfig(image_size=75, blocks_35=1, blocks_17=1)


def picture(size=299):
    return np.random.RandomState(0).randint(0, 256, (1, size, size, 3))


def abstract(config=WHOLE):
    return nnx.eval_shape(lambda: InceptionResNet(config, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def original():
    """The network with the oracle's weights, whole."""
    model = abstract()
    filled = fill(model, weights("pose"), key_table(model.config))
    assert len(filled.filled) == 696
    return model


@pytest.fixture(scope="module")
def small():
    return InceptionResNet(SMALL, rngs=nnx.Rngs(1))


def test_computes_what_the_original_computes(original):
    expected = golden("pose")
    graphdef, state = nnx.split(original)
    images = jnp.asarray(picture(), jnp.float32)
    features, logits = jax.jit(lambda state, images: nnx.merge(graphdef, state).score(images))(state, images)
    assert logits.shape == (1, 289, 289, 16)
    assert relative_error(features, expected["features"]) < 1e-5
    assert relative_error(logits[:, ::8, ::8], expected["logits_ds8"]) < 1e-5
    smoothed = smooth(original.to_maps(logits))
    assert relative_error(smoothed[:, ::8, ::8], expected["smoothed_ds8"]) < 1e-5


def test_human_pose_nn_finds_the_originals_joints(original):
    y, x, probability = golden("pose")["joints"]
    pose = HumanPoseNN.of(original)
    (places, _), features = pose.describe(picture().astype(np.uint8))
    # A joint is a whole pixel of the map times 299 / 289: half a pixel off would be 0.5.
    np.testing.assert_allclose(places.keypoints[..., 1], y, atol=1e-3)
    np.testing.assert_allclose(places.keypoints[..., 0], x, atol=1e-3)
    np.testing.assert_allclose(places.probability, probability, rtol=1e-5)
    assert relative_error(features, golden("pose")["features"]) < 1e-5


def test_variables_are_those_of_the_original_and_of_nobody_else(original):
    paths = key_table(InceptionResNetConfig()).paths
    ours = {name: variable.get_value().shape for name, variable in checkpoint.variables(original).items()}
    assert {name: ours[path] for name, path in paths.items()} == variables("pose")
    assert len(set(paths.values())) == len(ours) == 696
    assert sum(int(np.prod(shape)) for shape in ours.values()) == 29_663_504


@pytest.mark.parametrize("image_size", [299, 139, 107, 75])
def test_grid_and_map_sizes_are_what_comes_out(image_size):
    config = dataclasses.replace(SMALL, image_size=image_size)
    features, logits = nnx.eval_shape(
        lambda model: model.score(jnp.zeros((2, image_size, image_size, 3))), abstract(config)
    )
    assert features.shape == (2, config.grid, config.grid, 32)
    assert logits.shape == (2, *config.map_size, 16)
    assert config.grid == {299: 17, 139: 7, 107: 5, 75: 3}[image_size]


@pytest.fixture(scope="module")
def scores(small):
    """(pose features, logits) of bytes, of floats in the other lowering, and in bfloat16."""
    graphdef, state = nnx.split(small)
    brain, brain_state = nnx.split(InceptionResNet(SMALL, dtype=jnp.bfloat16, rngs=nnx.Rngs(1)))
    assert {leaf.dtype for leaf in jax.tree.leaves(brain_state)} == {jnp.dtype(jnp.float32)}
    images = jnp.asarray(picture(75), jnp.uint8)

    @jax.jit
    def run(state):
        model = nnx.merge(graphdef, state)
        return (
            model.score(images, lowering="cpu"),
            model.score(images.astype(jnp.float32), lowering="native"),
            nnx.merge(brain, state).score(images),
        )

    return run(state)


def test_both_lowerings_are_one_network_and_bytes_are_floats(scores):
    for rewritten, native in zip(*scores[:2], strict=True):
        assert relative_error(rewritten, np.asarray(native)) < 1e-5


def test_bfloat16_computes_the_same_with_less_precision(scores):
    for exact, less in zip(scores[0], scores[2], strict=True):
        assert less.dtype == jnp.float32
        assert 1e-4 < relative_error(less, np.asarray(exact)) < 0.05


def test_training_without_random_keys_is_refused_unless_nothing_is_dropped():
    images = jnp.zeros((1, 75, 75, 3))
    with pytest.raises(ValueError, match="rngs"):
        nnx.eval_shape(lambda model: model(images, train=True), abstract(SMALL))
    undropped = abstract(dataclasses.replace(SMALL, dropout=0.0))
    assert nnx.eval_shape(lambda model: model(images, train=True), undropped).shape == (1, 51, 51, 16)


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    ones = jnp.ones((100, 100))
    first, second = (drop_out(ones, 0.3, nnx.Rngs(dropout=seed), train=True) for seed in (0, 1))
    assert float(jnp.mean(first == 0)) == pytest.approx(0.3, abs=0.02)
    assert float(jnp.mean(first)) == pytest.approx(1, abs=0.03)
    assert not np.array_equal(first, second)
    assert drop_out(ones, 0.3, None, train=False) is ones


def test_a_classifiers_checkpoint_fills_the_body_alone(small):
    model = nnx.clone(small)
    table = trunk_table(SMALL)
    arrays = {
        name: np.full(shape, 0.5, np.float32) for name, shape in variables("pose").items() if "Scoring" not in name
    }
    arrays["InceptionResnetV2/Logits/Logits/weights"] = np.zeros((1536, 1001), np.float32)
    arrays["InceptionResnetV2/Repeat_2/block8_1/Conv2d_1x1/biases"] = np.zeros(2080, np.float32)
    arrays["InceptionResnetV2/Mixed_7a/Branch_0/Conv2d_0a_1x1/weights/RMSProp_1"] = np.zeros(1, np.float32)
    arrays["global_step"] = np.array(7)
    filled = fill(model, arrays, table)
    assert set(filled.kept) == {"head/kernel", "head/bias", "head/up_kernel", "head/up_bias"}
    assert len(filled.filled) + len(filled.ignored) == len(arrays)
    assert "InceptionResnetV2/Repeat_1/block17_2/Conv2d_1x1/biases" in filled.ignored
    ours = checkpoint.flatten(model)
    for path in filled.kept:
        np.testing.assert_array_equal(ours[path], checkpoint.flatten(small)[path])
    assert all((ours[path] == 0.5).all() for path in ours if not path.startswith("head/"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"image_size": 74}, "image_size"),
        ({"joints": 0}, "joints"),
        ({"blocks_17": -1}, "blocks_17"),
        ({"blocks_35": 10**9}, "blocks_35"),
        ({"dropout": 1.0}, "dropout"),
        ({"batch_norm_decay": -0.1}, "batch_norm_decay"),
    ],
)
def test_impossible_configs_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=name):
        InceptionResNetConfig(**changes)
