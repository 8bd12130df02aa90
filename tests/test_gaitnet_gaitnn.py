"""GaitNN against the original's own numbers, and its promises about padding, order, depth and gradients."""

import dataclasses
import json
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from gaitnet.models import gaitnn, gaitnn_names
from gaitnet.models.gaitnn import BatchNorm, GaitNN, GaitNNConfig, bucket_length, identification_vectors
from humanpose import checkpoint

SMALL = GaitNNConfig(channels=5, grid=7, subjects=3, multiplier=0.125, size=24)
GOLDEN = Path(__file__).parent / "golden"
VARIABLES = json.loads((GOLDEN / "gait_variables.json").read_text())


def recipe(name: str, shape: list[int]) -> np.ndarray:
    """The value the oracle gave a variable: drawn from its own name (tests/golden/README.md)."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("moving_variance"):
        value = 0.5 + rng.rand(*shape)
    elif name.endswith(("moving_mean", "beta", "biases", "bias")):
        value = 0.1 * rng.randn(*shape)
    else:
        value = rng.randn(*shape) * np.sqrt(2 / np.prod(shape[:-1]))
    return value.astype(np.float32)


def fill_from_oracle(model: GaitNN) -> set[str]:
    """Give every variable of the model its oracle value; return the TensorFlow names used."""
    shapes = dict(VARIABLES["model_variables"]) | dict(VARIABLES[model.config.recurrent_unit])
    sources = gaitnn_names.sources(model.config, shapes)
    for path, variable in checkpoint.variables(model).items():
        value = recipe(sources[path], shapes[sources[path]])
        assert value.shape == variable.get_value().shape, path
        variable.set_value(jnp.asarray(value))
    return set(sources.values())


def original(config: GaitNNConfig) -> tuple[GaitNN, set[str]]:
    """The network with the oracle's weights, built without an initialisation that they would replace."""
    model = nnx.eval_shape(lambda: GaitNN(config, rngs=nnx.Rngs(0)))
    return model, fill_from_oracle(model)


def relative_error(actual, expected) -> float:
    return float(np.linalg.norm(np.asarray(actual) - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("unit", ["GRU", "LSTM"])
def test_computes_what_the_original_computes(unit):
    model, _ = original(GaitNNConfig(recurrent_unit=unit))
    golden = np.load(GOLDEN / f"golden_gait_{unit}.npz", allow_pickle=False)
    maps = np.random.RandomState(0).randn(4, 17, 17, 32).astype(np.float32) * 50
    mask = jnp.ones((1, 4), bool)
    output, states = jax.jit(
        lambda maps: (model(maps, mask), model.recurrent(model.frame_vectors(maps, mask), mask)[1])
    )(jnp.asarray(maps)[None])
    assert relative_error(output.identification_vector[0], golden["signature"]) < 1e-4
    assert relative_error(output.outputs[0], golden["rnn_outputs"]) < 1e-4
    assert relative_error(states[0][0], golden["state"].reshape(-1, 512)) < 1e-4
    assert output.logits is None


@pytest.fixture(scope="module")
def model() -> GaitNN:
    """A narrow network on small maps, shared by tests that only read it."""
    return drawn(SMALL)


def drawn(config: GaitNNConfig) -> GaitNN:
    """A network with every number drawn by NumPy, running statistics included: far quicker than to initialise it."""
    rng = np.random.default_rng(1)
    model = nnx.eval_shape(lambda: GaitNN(config, rngs=nnx.Rngs(0)))
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        shape = variable.get_value().shape
        value = rng.normal(0, 0.1, shape) if len(shape) == 1 else rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
        value = rng.uniform(0.5, 1.5, shape) if path[-1] in ("moving_variance", "gamma") else value
        variable.set_value(jnp.asarray(value, jnp.float32))
    return model


@nnx.jit
def describe(model, maps, mask):
    return model(maps, mask)


def walks(lengths, seed=0, grid=7, channels=5):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 50, (length, grid, grid, channels)).astype(np.float32) for length in lengths]


def padded(sequences, length, filler=0.0):
    maps = np.full((len(sequences), length, *sequences[0].shape[1:]), filler, np.float32)
    mask = np.zeros((len(sequences), length), bool)
    for row, sequence in enumerate(sequences):
        maps[row, : len(sequence)], mask[row, : len(sequence)] = sequence, True
    return jnp.asarray(maps), jnp.asarray(mask)


def test_padding_changes_nothing_whatever_it_holds(model):
    sequences = walks([3, 6])
    together = describe(model, *padded(sequences, 8, filler=np.nan))
    for row, sequence in enumerate(sequences):
        alone = describe(model, *padded([sequence], len(sequence)))
        np.testing.assert_allclose(together.identification_vector[row], alone.identification_vector[0], atol=2e-5)
        np.testing.assert_allclose(together.outputs[row, : len(sequence)], alone.outputs[0], atol=2e-5)
        np.testing.assert_array_equal(together.outputs[row, -1], together.outputs[row, len(sequence) - 1])


def test_padding_changes_no_statistic_in_training(model):
    graphdef, state = nnx.split(model)

    @jax.jit
    def train(maps, mask):
        member = nnx.merge(graphdef, state, copy=True)
        output = member(maps, mask, train=True, rngs=nnx.Rngs(dropout=0))
        return output.identification_vector, jax.tree.leaves(nnx.state(member, nnx.BatchStat))

    def statistics(length, filler):
        return train(*padded(walks([3, 5]), length, filler))

    (vectors, bare), (vectors_padded, with_padding) = statistics(5, 0.0), statistics(8, 1e6)
    np.testing.assert_allclose(vectors_padded, vectors, atol=1e-4)
    for padded_leaf, leaf in zip(with_padding, bare, strict=True):
        np.testing.assert_allclose(padded_leaf, leaf, rtol=1e-4, atol=1e-5)
    before = jax.tree.leaves(nnx.state(model, nnx.BatchStat))
    assert all(np.any(np.asarray(new) != np.asarray(old)) for new, old in zip(bare, before, strict=True))


def test_batch_norm_matches_numpy():
    norm = BatchNorm(3, GaitNNConfig(batch_norm_decay=0.9, batch_norm_scale=True))
    rng = np.random.default_rng(0)
    x, weight = rng.normal(2, 3, (4, 5, 6, 3)), np.array([1, 0, 1, 1.0])
    y = norm(jnp.asarray(x, jnp.float32), jnp.asarray(weight, jnp.float32), True)
    real = x[weight > 0]
    mean, variance = real.mean((0, 1, 2)), real.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-4), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_mean[...], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance[...], 0.9 + 0.1 * variance, rtol=1e-4)
    frozen = [np.asarray(leaf) for leaf in (norm.moving_mean[...], norm.moving_variance[...])]
    norm(jnp.asarray(x, jnp.float32), jnp.zeros(4), True)
    np.testing.assert_array_equal(frozen[0], norm.moving_mean[...])
    np.testing.assert_array_equal(frozen[1], norm.moving_variance[...])


def test_sequences_of_a_batch_do_not_see_each_other(model):
    maps, mask = padded(walks([4, 6, 2, 5]), 6)
    order = np.array([2, 0, 3, 1])
    straight, shuffled = describe(model, maps, mask), describe(model, maps[order], mask[order])
    np.testing.assert_allclose(shuffled.identification_vector, straight.identification_vector[order], atol=1e-5)
    np.testing.assert_allclose(shuffled.logits, straight.logits[order], atol=1e-5)


def test_a_sequence_without_frames_gets_zeros(model):
    maps, mask = padded(walks([4, 8]), 8)
    vectors = describe(model, maps, mask.at[1].set(False)).identification_vector
    assert not np.any(vectors[1])
    assert np.any(vectors[0])


@pytest.mark.parametrize(("unit", "layers", "deep", "train"), [("GRU", 1, True, False), ("LSTM", 2, False, True)])
def test_gradients_reach_every_parameter(unit, layers, deep, train):
    config = dataclasses.replace(SMALL, recurrent_unit=unit, layers=layers, deep=deep, batch_norm_scale=True)
    graphdef, parameters, rest = nnx.split(drawn(config), nnx.Param, ...)  # type: ignore[misc]
    maps, mask = padded(walks([3, 4]), 5, filler=np.nan)

    @jax.jit
    def gradients(parameters):
        def loss(parameters):
            member = nnx.merge(graphdef, parameters, rest, copy=True)
            return jnp.sum(jnp.square(member(maps, mask, train, rngs=nnx.Rngs(dropout=0)).logits))

        return jax.grad(loss)(parameters)

    leaves = [
        (jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(gradients(parameters))
    ]
    silent = [name for name, leaf in leaves if np.linalg.norm(leaf) < 1e-6]
    # In training, batch statistics take out whatever a bias just before them adds.
    assert [name for name in silent if not (train and "biases" in name)] == []
    assert all(np.isfinite(leaf).all() for _, leaf in leaves)


def test_dead_blocks_are_absent_unless_deep():
    shapes = nnx.eval_shape(lambda: GaitNN(GaitNNConfig(), rngs=nnx.Rngs(0)))
    deep = nnx.eval_shape(lambda: GaitNN(GaitNNConfig(deep=True), rngs=nnx.Rngs(0)))

    def count(module):
        return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(module, (nnx.Param, nnx.BatchStat))))

    total = {name: int(np.prod(shape)) for name, shape in VARIABLES["model_variables"]}
    dead = sum(size for name, size in total.items() if "/Repeat/" in name)
    recurrent = sum(int(np.prod(shape)) for _, shape in VARIABLES["GRU"])
    assert count(shapes) == sum(total.values()) - dead + recurrent
    assert count(deep) == sum(total.values()) + recurrent


def test_every_variable_of_the_original_has_its_place_when_deep():
    _, used = original(GaitNNConfig(deep=True))
    assert used == {name for name, _ in VARIABLES["model_variables"] + VARIABLES["GRU"]}


def test_variable_lengths_keep_their_order_and_share_compilations(model):
    sequences = walks([2, 9, 8, 10, 3, 12])
    compiled: Any = gaitnn._vectors
    compiled.clear_cache()
    vectors = identification_vectors(model, sequences)
    assert compiled._cache_size() == 2  # 4 sequences of 8 frames (one of them filling), 4 of 12
    np.testing.assert_allclose(vectors, describe(model, *padded(sequences, 12)).identification_vector, atol=2e-5)
    identification_vectors(model, walks([7, 5, 4, 10, 11, 9], seed=1))
    assert compiled._cache_size() == 2
    assert identification_vectors(model, []).shape == (0, 24)
    with pytest.raises(ValueError, match=r"pose_features\[1\]"):
        identification_vectors(model, [sequences[0], sequences[0][:0]])


@given(st.integers(1, 5000))
def test_buckets_hold_their_frames_without_much_waste(frames):
    length = bucket_length(frames)
    assert frames <= length <= max(8, 1.5 * frames)


def test_dropout_acts_in_training_only(model):
    maps, mask = padded(walks([3, 5]), 8)
    graphdef, state = nnx.split(model)

    @jax.jit
    def logits(key):
        return nnx.merge(graphdef, state, copy=True)(maps, mask, True, rngs=nnx.Rngs(dropout=key)).logits

    first, second = (np.asarray(logits(jax.random.key(seed))) for seed in (0, 1))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(describe(model, maps, mask).logits, describe(model, maps, mask).logits)
    with pytest.raises(ValueError, match="rngs"):
        nnx.eval_shape(lambda: nnx.merge(graphdef, state, copy=True)(maps, mask, True))


def test_multiplier_scales_the_convolutions_and_not_the_vector():
    model = nnx.eval_shape(lambda: GaitNN(GaitNNConfig(multiplier=0.5), rngs=nnx.Rngs(0)))
    assert model.stem.kernel.shape == (1, 1, 32, 128)
    assert [kernel.shape[-1] for kernel in model.second_down.kernels] == [64, 64, 256]
    assert model.dense.kernel.shape == (25 * 128, 512)
    with pytest.raises(ValueError, match="multiplier"):
        GaitNNConfig(multiplier=0.0)


def test_refuses_what_does_not_fit(model):
    with pytest.raises(ValueError, match="pose_features"):
        model(jnp.zeros((1, 2, 7, 7, 6)), jnp.ones((1, 2)))
    for wrong in ({"channels": 0}, {"layers": 0}, {"subjects": -1}, {"dropout": 1.0}, {"feature_scale": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GaitNNConfig(**wrong)
