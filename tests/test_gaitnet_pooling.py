"""Temporal pooling against loops, and what padding may hold."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.pooling import average_temporal_pooling


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_match_a_loop_and_ignore_padding(seed, lengths):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(len(lengths), 5, 3)).astype(np.float32)
    mask = np.arange(5)[None] < np.array(lengths)[:, None]
    filled = np.where(mask[:, :, None], x, np.nan)
    mean = np.asarray(average_temporal_pooling(jnp.asarray(filled), jnp.asarray(mask)))
    for row, length in enumerate(lengths):
        frames = x[row, :length].astype(np.float64)
        np.testing.assert_allclose(mean[row], frames.mean(axis=0) if length else np.zeros(3), rtol=1e-5, atol=1e-6)


def test_weights_are_weights():
    x = jnp.array([[[1.0], [3.0]]])
    np.testing.assert_allclose(average_temporal_pooling(x, jnp.array([[0.1, 0.3]])), [[2.5]], rtol=1e-6)


def test_gradient_stays_finite_beside_nan_padding():
    x = jnp.array([[[1.0], [jnp.nan]], [[jnp.nan], [jnp.nan]]])
    mask = jnp.array([[True, False], [False, False]])
    gradient = np.asarray(jax.grad(lambda x: average_temporal_pooling(x, mask).sum())(x))
    np.testing.assert_array_equal(gradient[:, :, 0], [[1, 0], [0, 0]])
