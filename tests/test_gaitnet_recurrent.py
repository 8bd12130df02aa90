"""The recurrent cells against float64 loops written from TensorFlow 1's equations, and the masked scan."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gaitnet.recurrent import GRUCell, LSTMCell, Recurrent

INPUTS, UNITS = 5, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_twin(cell, sequence):
    gates, gates_bias, candidate, candidate_bias = (
        np.asarray(value[...], np.float64)
        for value in (cell.gates_kernel, cell.gates_bias, cell.candidate_kernel, cell.candidate_bias)
    )
    hidden, outputs = np.zeros(UNITS), []
    for x in sequence:
        both = sigmoid(np.concatenate([x, hidden]) @ gates + gates_bias)
        reset, update = both[:UNITS], both[UNITS:]
        proposal = np.tanh(np.concatenate([x, reset * hidden]) @ candidate + candidate_bias)
        hidden = update * hidden + (1 - update) * proposal
        outputs.append(hidden)
    return np.array(outputs), hidden[None]


def lstm_twin(cell, sequence):
    kernel, bias = np.asarray(cell.kernel[...], np.float64), np.asarray(cell.bias[...], np.float64)
    memory, hidden, outputs = np.zeros(UNITS), np.zeros(UNITS), []
    for x in sequence:
        i, j, f, o = np.split(np.concatenate([x, hidden]) @ kernel + bias, 4)
        memory = memory * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
        hidden = np.tanh(memory) * sigmoid(o)
        outputs.append(hidden)
    return np.array(outputs), np.stack([memory, hidden])


TWINS = {"GRU": gru_twin, "LSTM": lstm_twin}


def shaken(unit, layers):
    """A stack whose biases are not where they started, so that leaving one out would show."""
    stack = Recurrent(INPUTS, UNITS, layers, unit, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(2)
    for cell in stack.cells:
        for bias in [cell.gates_bias, cell.candidate_bias] if isinstance(cell, GRUCell) else [cell.bias]:
            bias[...] = bias[...] + jnp.asarray(rng.normal(size=bias[...].shape), jnp.float32)
    return stack


@pytest.mark.parametrize("unit", ["GRU", "LSTM"])
def test_stack_matches_the_loop_with_and_without_padding(unit):
    stack, lengths = shaken(unit, 2), [6, 2, 4]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 6, INPUTS))
    mask = np.arange(6)[None] < np.array(lengths)[:, None]
    outputs, states = stack(jnp.asarray(x, jnp.float32), jnp.asarray(mask))
    for row, length in enumerate(lengths):
        expected = x[row, :length]
        for layer, cell in enumerate(stack.cells):
            expected, last = TWINS[unit](cell, expected)
            np.testing.assert_allclose(states[layer][row], last, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(outputs[row, :length], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(outputs[row, length:], np.tile(expected[-1], (6 - length, 1)), rtol=1e-4, atol=1e-5)


def test_a_gap_is_skipped():
    stack = shaken("GRU", 1)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 5, INPUTS)), jnp.float32)
    keep = np.array([0, 1, 3, 4])
    _, with_gap = stack(x, jnp.array([[1, 1, 0, 1, 1]]))
    _, without = stack(x[:, keep], jnp.ones((1, 4)))
    np.testing.assert_allclose(with_gap[0], without[0], atol=1e-6)


def test_starts_as_tensorflow_does():
    gru, lstm = GRUCell(INPUTS, UNITS, rngs=nnx.Rngs(0)), LSTMCell(INPUTS, UNITS, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(gru.gates_bias[...], np.ones(2 * UNITS))
    np.testing.assert_array_equal(gru.candidate_bias[...], np.zeros(UNITS))
    np.testing.assert_array_equal(lstm.bias[...], np.zeros(4 * UNITS))
    assert np.abs(np.asarray(gru.gates_kernel[...])).max() <= np.sqrt(6 / (INPUTS + UNITS + 2 * UNITS))


def test_refuses_unknown_units_and_no_layers():
    with pytest.raises(ValueError, match="layers"):
        Recurrent(INPUTS, UNITS, 0, "GRU", rngs=nnx.Rngs(0))
