"""The original's part detector against the original's own numbers; and that it trains, in any type."""

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
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import fill
from humanpose.weights.part_detector import key_table

pytestmark = pytest.mark.usefixtures("lightly_compiled")

WHOLE = PartDetectorConfig()
SMALL = PartDetectorConfig(image_size=64, blocks=(1, 2, 1, 1))


def picture(size=256):
    return np.random.RandomState(0).randint(0, 256, (1, size, size, 3))


def abstract(config=WHOLE):
    return nnx.eval_shape(lambda: PartDetector(config, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def original():
    """The network with the oracle's weights, whole."""
    model = abstract()
    filled = fill(model, weights("part_detector"), key_table(model.config))
    assert len(filled.filled) == 934
    return model


@pytest.fixture(scope="module")
def small():
    return PartDetector(SMALL, rngs=nnx.Rngs(1))


def test_computes_what_the_original_computes(original):
    expected = golden("part_detector")
    graphdef, state = nnx.split(original)
    images = jnp.asarray(picture(), jnp.float32)
    features, logits = jax.jit(lambda state, images: nnx.merge(graphdef, state).score(images))(state, images)
    assert logits.shape == (1, 256, 256, 16)
    assert relative_error(features, expected["features"]) < 1e-5
    assert relative_error(logits[:, ::8, ::8], expected["logits_ds8"]) < 1e-5
    maps = original.to_maps(logits)
    assert relative_error(smooth(maps)[:, ::8, ::8], expected["smoothed_ds8"]) < 1e-5
    keypoints, probability = original.decode(maps)
    np.testing.assert_array_equal(np.asarray(keypoints).transpose(2, 0, 1)[::-1], expected["joints"][:2])
    np.testing.assert_allclose(probability, expected["joints"][2], rtol=1e-5)


def test_variables_are_those_of_the_original_and_of_nobody_else(original):
    paths = key_table(PartDetectorConfig()).paths
    ours = {name: variable.get_value().shape for name, variable in checkpoint.variables(original).items()}
    assert {name: ours[path] for name, path in paths.items()} == variables("part_detector")
    assert len(set(paths.values())) == len(ours) == 934


def test_human_pose_nn_reads_its_maps_as_the_original_does(small):
    pose = HumanPoseNN.of(small)
    image = picture(64)[0].astype(np.uint8)
    maps = pose.heat_maps(image)
    assert maps.shape == (1, 64, 64, 16)
    assert pose.features(image).shape == (1, 4, 4, 16)
    smoothed = np.asarray(smooth(maps))[0].reshape(-1, 16)
    joints = pose.joints(image)
    # the map has the crop's size, and the picture is the crop
    np.testing.assert_allclose(joints.keypoints[0, :, 0], smoothed.argmax(0) % 64, atol=1e-4)
    np.testing.assert_allclose(joints.keypoints[0, :, 1], smoothed.argmax(0) // 64, atol=1e-4)
    np.testing.assert_allclose(joints.probability, maps.max((1, 2)), rtol=1e-5)


@pytest.fixture(scope="module")
def scores(small):
    """(pose features, logits) of bytes, of floats in the other lowering, and in bfloat16."""
    graphdef, state = nnx.split(small)
    brain, brain_state = nnx.split(PartDetector(SMALL, dtype=jnp.bfloat16, rngs=nnx.Rngs(1)))
    assert {leaf.dtype for leaf in jax.tree.leaves(brain_state)} == {jnp.dtype(jnp.float32)}
    images = jnp.asarray(picture(64), jnp.uint8)

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
        assert 1e-4 < relative_error(less, np.asarray(exact)) < 0.1


@pytest.mark.parametrize("image_size", [256, 96, 16])
def test_grid_and_map_sizes_are_what_comes_out(image_size):
    config = dataclasses.replace(SMALL, image_size=image_size, joints=3)
    images = jnp.zeros((2, image_size, image_size, 3))
    features, logits = nnx.eval_shape(lambda model: model.score(images), abstract(config))
    assert features.shape == (2, image_size // 16, image_size // 16, 16)
    assert logits.shape == (2, *config.map_size, 3)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"image_size": 100}, "image_size"),
        ({"blocks": (3, 8, 36)}, "blocks"),
        ({"blocks": (3, 8, 0, 3)}, "blocks"),
        ({"blocks": (3, 8, 10**9, 3)}, "blocks"),
        ({"features": 0}, "features"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_impossible_configs_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=name):
        PartDetectorConfig(**changes)
