"""GaitBase against a float64 twin, its size as published, and its promises about padding and order."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gaitnet.models.gaitbase import PUBLISHED, SMALL, GaitBase, GaitBaseConfig, describe
from humanpose.checkpoint import variables

pytestmark = pytest.mark.usefixtures("lightly_compiled")

TINY = GaitBaseConfig(11, 7, (3, 4, 5), (1, 2, 1), parts=3, size=6, subjects=4)


@pytest.fixture(scope="module")
def network():
    model = GaitBase(TINY, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(1)
    for name, variable in variables(model).items():
        if name.endswith(("gamma", "moving_variance")):
            variable.set_value(jnp.asarray(rng.uniform(0.5, 2, variable.get_value().shape), jnp.float32))
        elif name.endswith(("beta", "moving_mean")):
            variable.set_value(jnp.asarray(rng.normal(0, 0.5, variable.get_value().shape), jnp.float32))
    return model


@pytest.fixture(scope="module")
def walks():
    silhouettes = np.random.default_rng(2).random((3, 5, 11, 7)).astype(np.float32)
    return silhouettes, np.arange(5)[None] < np.array([5, 3, 1])[:, None]


def convolved(x, kernel, stride):
    """(height, width, channel) with (side, side, channel, features), zeros around it as PyTorch pads."""
    side = kernel.shape[0]
    padded = np.pad(x, [(side // 2, side // 2), (side // 2, side // 2), (0, 0)])
    rows, columns = ((length - 1) // stride + 1 for length in x.shape[:2])
    out = np.zeros((rows, columns, kernel.shape[3]))
    for row in range(rows):
        for column in range(columns):
            patch = padded[row * stride : row * stride + side, column * stride : column * stride + side]
            out[row, column] = np.einsum("hwc,hwcf->f", patch, kernel)
    return out


def twin(arrays, frames):
    """One walk (time, height, width) -> parts, unit parts, cosines."""

    def norm(x, name):
        spread = np.sqrt(arrays[f"{name}/moving_variance"] + 1e-5)
        return (x - arrays[f"{name}/moving_mean"]) / spread * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]

    described = []
    for frame in frames:
        x = np.maximum(norm(convolved(frame[..., None], arrays["stem_kernel"], 1), "stem_norm"), 0)
        for stage, stride in enumerate(TINY.strides):
            at = f"stages/{stage}"
            shortcut = x
            if f"{at}/shortcut_kernel" in arrays:
                shortcut = norm(convolved(x, arrays[f"{at}/shortcut_kernel"], stride), f"{at}/shortcut_norm")
            x = np.maximum(norm(convolved(x, arrays[f"{at}/first_kernel"], stride), f"{at}/first_norm"), 0)
            x = norm(convolved(x, arrays[f"{at}/second_kernel"], 1), f"{at}/second_norm")
            x = np.maximum(x + shortcut, 0)
        described.append(x)
    x = np.max(described, axis=0)
    strips = np.split(x, TINY.parts)
    pooled = np.stack([strip.mean(axis=(0, 1)) + strip.max(axis=(0, 1)) for strip in strips])
    parts = np.einsum("pc,pcs->ps", pooled, arrays["embed"])
    behind = norm(parts.ravel(), "neck").reshape(parts.shape)
    unit = behind / np.linalg.norm(behind, axis=1, keepdims=True)
    people = arrays["head/kernel"] / np.linalg.norm(arrays["head/kernel"], axis=1, keepdims=True)
    return parts, unit, np.einsum("ps,psc->pc", unit, people)


def test_it_computes_what_the_twin_computes(network, walks):
    silhouettes, mask = walks
    found = network(jnp.asarray(silhouettes), jnp.asarray(mask))
    arrays = {name: np.asarray(each.get_value(), np.float64) for name, each in variables(network).items()}
    for row in range(3):
        expected = twin(arrays, silhouettes[row, mask[row]].astype(np.float64))
        for own, other in zip((found.parts, found.unit_parts, found.cosines), expected, strict=True):
            np.testing.assert_allclose(own[row], other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", [False, True])
def test_padding_influences_nothing(walks, train):
    silhouettes, mask = walks
    told = []
    for junk in (np.nan, 7.0):
        model = GaitBase(TINY, rngs=nnx.Rngs(0))
        spoilt = np.where(mask[..., None, None], silhouettes, junk).astype(np.float32)
        output = model(jnp.asarray(spoilt), jnp.asarray(mask), train)
        told.append([*output, *(each.get_value() for each in variables(model).values())])
    for one, other in zip(*told, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()


def test_statistics_are_those_of_the_frames_that_are_there(walks):
    silhouettes, mask = walks
    model = GaitBase(TINY, rngs=nnx.Rngs(0))
    kernel = np.asarray(model.stem_kernel[...], np.float64)
    model(jnp.asarray(silhouettes), jnp.asarray(mask), train=True)
    seen = np.stack([convolved(frame[..., None], kernel, 1) for frame in silhouettes[mask].astype(np.float64)])
    np.testing.assert_allclose(model.stem_norm.moving_mean[...], 0.1 * seen.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    expected = 0.9 + 0.1 * seen.var((0, 1, 2))
    np.testing.assert_allclose(model.stem_norm.moving_variance[...], expected, rtol=1e-4)


def test_the_order_of_frames_does_not_count(network, walks):
    silhouettes, _ = walks
    there = jnp.ones((3, 5), bool)
    forward = network(jnp.asarray(silhouettes), there).unit_parts
    np.testing.assert_allclose(network(jnp.asarray(silhouettes[:, ::-1]), there).unit_parts, forward, atol=1e-6)


def test_silhouettes_that_come_together_first_are_their_mean(walks):
    silhouettes, mask = walks
    config = dataclasses.replace(TINY, together="silhouettes")
    model, of_frames = GaitBase(config, rngs=nnx.Rngs(0)), GaitBase(TINY, rngs=nnx.Rngs(0))
    spoilt = np.where(mask[..., None, None], silhouettes, np.nan)
    mean = np.stack([frames[there].mean(axis=0) for frames, there in zip(silhouettes, mask, strict=True)])
    found = model(jnp.asarray(spoilt), jnp.asarray(mask), train=True)
    expected = of_frames(jnp.asarray(mean[:, None]), jnp.ones((3, 1), bool), train=True)
    np.testing.assert_allclose(found.parts, expected.parts, rtol=1e-4, atol=1e-5)


def test_a_walk_without_frames_is_nothing_and_teaches_nothing(walks):
    silhouettes, mask = walks
    alone, beside = (GaitBase(TINY, rngs=nnx.Rngs(0)) for _ in range(2))
    output = beside(jnp.asarray(silhouettes), jnp.asarray(mask & np.array([[1], [1], [0]], bool)), train=True)
    alone(jnp.asarray(silhouettes[:2]), jnp.asarray(mask[:2]), train=True)
    assert not np.asarray(output.unit_parts[2]).any()
    np.testing.assert_allclose(beside.neck.moving_mean[...], alone.neck.moving_mean[...], atol=1e-6)


def test_the_published_one_has_as_many_parameters():
    model = nnx.eval_shape(lambda: GaitBase(PUBLISHED, rngs=nnx.Rngs(0)))
    sizes = {name: each.get_value().size for name, each in variables(model).items() if "moving" not in name}
    assert sum(sizes.values()) == 7_305_408
    assert sum(size for name, size in sizes.items() if name.startswith(("stem", "stages"))) == 4_896_960
    assert (sizes["embed"], sizes["head/kernel"]) == (16 * 512 * 256, 16 * 256 * 74)


def test_vectors_are_those_of_each_walk_alone(network, walks):
    silhouettes, mask = walks
    own = [each[there] for each, there in zip(silhouettes, mask, strict=True)]
    vectors = describe(network, own)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.concatenate([describe(network, [walk]) for walk in own]), vectors, atol=1e-5)
    units = network(jnp.asarray(silhouettes), jnp.asarray(mask)).unit_parts
    cosine = float(jnp.mean(jnp.sum(units[0] * units[1], axis=-1)))
    assert vectors[0] @ vectors[1] == pytest.approx(cosine, abs=1e-5)


def test_other_sizes_are_refused(network):
    with pytest.raises(ValueError, match=r"11 x 7 \(height, width\), got shape \(1, 2, 7, 11\)"):
        network(jnp.zeros((1, 2, 7, 11)), jnp.ones((1, 2), bool))
    with pytest.raises(ValueError, match=r"walks\[1\]: expected \(time, 11, 7\)"):
        describe(network, [np.zeros((2, 11, 7), np.float32), np.zeros((0, 11, 7), np.float32)])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"strides": (1, 2)}, "strides"), ({"strides": (1, 3, 1, 1)}, "strides"),
     ({"channels": ()}, "channels"), ({"channels": (64, 1 << 20, 1, 1)}, "channels"),
     ({"parts": 5}, "not so many times 5"), ({"batch_norm_decay": 1.0}, "batch_norm_decay")],
)  # fmt: skip
def test_a_config_that_cannot_be_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        GaitBaseConfig(**wrong)


def test_gradients_are_finite_where_frames_are_missing(walks):
    silhouettes, mask = walks
    graphdef, params, rest = nnx.split(GaitBase(TINY, rngs=nnx.Rngs(0)), nnx.Param, ...)

    def loss(params):
        output = nnx.merge(graphdef, params, rest, copy=True)(jnp.asarray(silhouettes), jnp.asarray(mask), train=True)
        return jnp.mean(output.cosines) + jnp.mean(output.parts)

    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)))
    assert SMALL.subjects == 0
