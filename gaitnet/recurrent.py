"""Recurrent cells as TensorFlow 1 computes them, and a scan over time that padded frames do not touch.

Flax's own GRUCell resets *after* the matmul, so weights trained by the original GaitNN would not fit it. Kernels keep
TensorFlow's layout (rows: inputs then hidden units), so that a converter only has to copy. The input half of every
kernel is applied to all frames in one matmul before the scan; only the hidden half is left inside.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Shaped

RecurrentUnit = Literal["GRU", "LSTM"]


class GRUCell(nnx.Module):
    """Gated recurrent unit (Cho et al., 2014), reset before the matmul.

    r, u = sigmoid([x, h] gates + bias); c = tanh([x, r * h] candidate + bias); h' = u * h + (1 - u) * c.

    `gates_kernel` (inputs + units, 2 units), columns r then u, bias starts at 1; `candidate_kernel` (inputs + units,
    units). The state is (batch, 1, units): h.
    """

    state_slots = 1

    def __init__(self, inputs: int, units: int, *, rngs: nnx.Rngs):
        glorot = nnx.initializers.glorot_uniform()
        self.inputs, self.units = inputs, units
        self.gates_kernel = nnx.Param(glorot(rngs.params(), (inputs + units, 2 * units)))
        self.gates_bias = nnx.Param(jnp.ones((2 * units,)))
        self.candidate_kernel = nnx.Param(glorot(rngs.params(), (inputs + units, units)))
        self.candidate_bias = nnx.Param(jnp.zeros((units,)))

    def project(self, x: Float[Array, "*lead inputs"]) -> Float[Array, "*lead projected"]:
        """Apply the input half of both kernels and the biases: gates then candidate, (..., 3 units)."""
        kernel = jnp.concatenate([self.gates_kernel[: self.inputs], self.candidate_kernel[: self.inputs]], axis=1)
        return _affine(x, kernel, jnp.concatenate([self.gates_bias[...], self.candidate_bias[...]]))

    def hidden_kernels(self) -> tuple[Array, ...]:
        """Return the hidden half of the kernels, what `advance` needs inside a scan."""
        return self.gates_kernel[self.inputs :], self.candidate_kernel[self.inputs :]

    @staticmethod
    def advance(
        kernels: tuple[Array, ...], projected: Float[Array, "batch projected"], state: Float[Array, "batch 1 units"]
    ) -> Float[Array, "batch 1 units"]:
        """One frame further, from an already projected input."""
        hidden, units = state[:, 0], state.shape[-1]
        reset, update = jnp.split(jax.nn.sigmoid(projected[:, : 2 * units] + hidden @ kernels[0]), 2, axis=1)
        candidate = jnp.tanh(projected[:, 2 * units :] + (reset * hidden) @ kernels[1])
        return (update * hidden + (1 - update) * candidate)[:, None]


class LSTMCell(nnx.Module):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997), without peepholes.

    i, j, f, o = [x, h] kernel + bias; c' = c * sigmoid(f + 1) + sigmoid(i) * tanh(j); h' = tanh(c') * sigmoid(o).

    `kernel` (inputs + units, 4 units), columns i, j, f, o. The state is (batch, 2, units): c, then h.
    """

    state_slots = 2

    def __init__(self, inputs: int, units: int, *, rngs: nnx.Rngs):
        self.inputs, self.units = inputs, units
        self.kernel = nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), (inputs + units, 4 * units)))
        self.bias = nnx.Param(jnp.zeros((4 * units,)))

    def project(self, x: Float[Array, "*lead inputs"]) -> Float[Array, "*lead projected"]:
        """Apply the input half of the kernel and the bias: i, j, f, o, (..., 4 units)."""
        return _affine(x, self.kernel[: self.inputs], self.bias[...])

    def hidden_kernels(self) -> tuple[Array, ...]:
        """Return the hidden half of the kernel, what `advance` needs inside a scan."""
        return (self.kernel[self.inputs :],)

    @staticmethod
    def advance(
        kernels: tuple[Array, ...], projected: Float[Array, "batch projected"], state: Float[Array, "batch 2 units"]
    ) -> Float[Array, "batch 2 units"]:
        """One frame further, from an already projected input."""
        memory, hidden = state[:, 0], state[:, 1]
        write, value, forget, show = jnp.split(projected + hidden @ kernels[0], 4, axis=1)
        memory = memory * jax.nn.sigmoid(forget + 1.0) + jax.nn.sigmoid(write) * jnp.tanh(value)
        return jnp.stack([memory, jnp.tanh(memory) * jax.nn.sigmoid(show)], axis=1)


class Recurrent(nnx.Module):
    """A stack of recurrent layers, each with its own weights, run over time from a zero state.

    `unit` is "GRU" or "LSTM"; `layers` >= 1. Raises ValueError for anything else.
    """

    def __init__(self, inputs: int, units: int, layers: int, unit: RecurrentUnit, *, rngs: nnx.Rngs):
        if unit not in ("GRU", "LSTM"):
            raise ValueError(f"unit must be 'GRU' or 'LSTM', got {unit!r}")
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}")
        cell = GRUCell if unit == "GRU" else LSTMCell
        self.cells = nnx.List([cell(units if layer else inputs, units, rngs=rngs) for layer in range(layers)])

    def __call__(
        self, x: Float[Array, "batch time inputs"], frame_mask: Shaped[Array, "batch time"]
    ) -> tuple[Float[Array, "batch time units"], list[Array]]:
        """Return the hidden output of the last layer at every frame, and each layer's last state (batch, slot, units).

        A frame whose mask is 0 leaves every state as it was, so a padded sequence ends in the state of the bare one;
        its output repeats the frame before. Slots: h for the GRU; c, h for the LSTM.
        """
        valid = jnp.moveaxis(frame_mask > 0, 1, 0)[:, :, None, None]
        states = []
        for cell in self.cells:
            kernels, advance = cell.hidden_kernels(), cell.advance

            def step(state, frame, kernels=kernels, advance=advance):
                projected, frame_valid = frame
                state = jnp.where(frame_valid, advance(kernels, projected, state), state)
                return state, state[:, -1]

            start = jnp.zeros((x.shape[0], cell.state_slots, cell.units), x.dtype)
            state, outputs = jax.lax.scan(step, start, (jnp.moveaxis(cell.project(x), 1, 0), valid))
            x = jnp.moveaxis(outputs, 0, 1)
            states.append(state)
        return x, states


def _affine(x: Array, kernel: Array, bias: Array) -> Array:
    return x @ kernel + jnp.broadcast_to(bias, (*x.shape[:-1], bias.shape[0]))
