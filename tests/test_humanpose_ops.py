"""Every operation in both lowerings, values and gradients, against loops in float64."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose import ops

LOWERINGS = ["native", "cpu"]
SHAPES = [(2, 7, 5), (1, 8, 6), (3, 1, 4), (2, 9, 10)]


def same_pads(size, window, stride):
    """TensorFlow's rule, from its documentation."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def geometry(shape, window, stride, padding):
    if padding == "SAME":
        return tuple(same_pads(size, window, stride) for size in shape)
    return ((0, 0), (0, 0)) if padding == "VALID" else padding


def windows(images, window, stride, pads):
    """(row, column, rows, columns, window) of the padded image under each window, one at a time."""
    padded = np.pad(images, ((0, 0), *pads, (0, 0)))
    rows, columns = ((padded.shape[axis] - window) // stride + 1 for axis in (1, 2))
    for row, column in product(range(rows), range(columns)):
        top, left = row * stride, column * stride
        yield row, column, (rows, columns), padded[:, top : top + window, left : left + window]


def oracle(images, kernel, stride, pads, depthwise):
    """Convolution as four loops' worth of float64."""
    out = None
    for row, column, size, view in windows(images, kernel.shape[0], stride, pads):
        if out is None:
            out = np.zeros((len(images), *size, kernel.shape[3]))
        if depthwise:
            out[:, row, column] = (view * kernel[:, :, 0]).sum((1, 2))
        else:
            out[:, row, column] = np.tensordot(view, kernel, 3)
    return out


def oracle_gradients(images, kernel, stride, pads, depthwise, cotangent):
    """Gradients of sum(cotangent * convolution), scattered window by window."""
    padded = np.pad(images, ((0, 0), *pads, (0, 0)))
    padded_gradient, kernel_gradient = np.zeros_like(padded), np.zeros_like(kernel)
    taps = kernel.shape[0]
    for row, column in product(*(range(size) for size in cotangent.shape[1:3])):
        place = (slice(None), slice(row * stride, row * stride + taps), slice(column * stride, column * stride + taps))
        pulled = cotangent[:, row, column]
        if depthwise:
            padded_gradient[place] += pulled[:, None, None] * kernel[:, :, 0]
            kernel_gradient[:, :, 0] += (padded[place] * pulled[:, None, None]).sum(0)
        else:
            padded_gradient[place] += np.einsum("bf,ijcf->bijc", pulled, kernel)
            kernel_gradient += np.einsum("bijc,bf->ijcf", padded[place], pulled)
    (top, _), (left, _) = pads
    return padded_gradient[:, top : top + images.shape[1], left : left + images.shape[2]], kernel_gradient


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("taps", "stride", "padding", "shape"),
    [
        *((3, stride, "SAME", shape) for stride in (1, 2) for shape in SHAPES),
        (1, 1, "SAME", (2, 7, 5)),
        (1, 2, "SAME", (2, 7, 6)),
        (3, 1, "VALID", (2, 7, 5)),
        (3, 2, "VALID", (2, 8, 5)),
        (3, 2, ((1, 1), (1, 1)), (2, 8, 5)),
        (5, 1, "SAME", (1, 6, 7)),
        (4, 3, "SAME", (1, 11, 8)),
        (2, 3, "VALID", (1, 10, 9)),
        (3, 1, ((0, 2), (2, 1)), (1, 5, 4)),
    ],
)
def test_convolutions_and_their_gradients(lowering, depthwise, taps, stride, padding, shape):
    random = np.random.default_rng(0)
    channel, features = 3, 3 if depthwise else 5
    images = random.standard_normal((*shape, channel))
    kernel = random.standard_normal((taps, taps, 1 if depthwise else channel, features))
    pads = geometry(shape[1:], taps, stride, padding)
    expected = oracle(images, kernel, stride, pads, depthwise)
    function = ops.depthwise_convolution if depthwise else ops.convolution

    def run(images, kernel):
        return function(images, kernel, stride, padding, lowering)

    actual, pull = jax.vjp(jax.jit(run), jnp.asarray(images, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(actual, expected, atol=2e-5, rtol=1e-5)
    cotangent = random.standard_normal(expected.shape)
    gradients = pull(jnp.asarray(cotangent, jnp.float32))
    for found, wanted in zip(
        gradients, oracle_gradients(images, kernel, stride, pads, depthwise, cotangent), strict=True
    ):
        np.testing.assert_allclose(found, wanted, atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle_puts_channel_blocks_side_by_side(factor):
    images = np.random.default_rng(2).standard_normal((2, 3, 4, factor * factor * 5)).astype(np.float32)
    expected = np.zeros((2, 3 * factor, 4 * factor, 5), np.float32)
    for row, column, i, j in product(range(3), range(4), range(factor), range(factor)):
        start = (i * factor + j) * 5
        expected[:, row * factor + i, column * factor + j] = images[:, row, column, start : start + 5]
    np.testing.assert_array_equal(ops.pixel_shuffle(jnp.asarray(images), factor), expected)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_transposed_convolution_paints_blocks(lowering, size):
    random = np.random.default_rng(7)
    images, kernel = random.standard_normal((2, 3, 4, 6)), random.standard_normal((size, size, 5, 6))
    expected = np.zeros((2, 3 * size, 4 * size, 5))
    cotangent = random.standard_normal(expected.shape)
    of_images, of_kernel = np.zeros_like(images), np.zeros_like(kernel)
    for row, column, i, j in product(range(3), range(4), range(size), range(size)):
        place = (slice(None), size * row + i, size * column + j)
        expected[place] = images[:, row, column] @ kernel[i, j].T
        of_images[:, row, column] += cotangent[place] @ kernel[i, j]
        of_kernel[i, j] += cotangent[place].T @ images[:, row, column]
    actual, pull = jax.vjp(
        lambda images, kernel: ops.transposed_convolution(images, kernel, lowering),
        jnp.asarray(images, jnp.float32), jnp.asarray(kernel, jnp.float32),
    )  # fmt: skip
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    for found, wanted in zip(pull(jnp.asarray(cotangent, jnp.float32)), (of_images, of_kernel), strict=True):
        np.testing.assert_allclose(found, wanted, atol=5e-5)


def test_pixel_shuffle_names_the_channel_number_it_wants():
    with pytest.raises(ValueError, match=r"images: .* divisible by 4, got 6"):
        ops.pixel_shuffle(jnp.zeros((1, 2, 2, 6)), 2)


@settings(max_examples=10, deadline=None)
@given(height=st.integers(2, 40), width=st.integers(2, 40), size=st.integers(2, 20), seed=st.integers(0, 2**31))
def test_carrying_to_the_grid_keeps_mass_and_expected_position(height, width, size, seed):
    maps = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    grid = np.asarray(ops.carry_to_grid(jnp.asarray(maps), size), np.float64)
    assert grid.shape == (size, size, 3)
    assert grid.min() >= 0
    np.testing.assert_allclose(grid.sum((0, 1)), maps.sum((0, 1), dtype=np.float64), rtol=1e-5)
    for axis, length in enumerate((height, width)):
        before = np.moveaxis(maps, axis, 0).sum(1, dtype=np.float64).T @ np.arange(length) * (size - 1) / (length - 1)
        after = np.moveaxis(grid, axis, 0).sum(1).T @ np.arange(size)
        np.testing.assert_allclose(after, before, rtol=1e-4)


def test_carrying_keeps_leading_axes_and_matches_one_cell_at_a_time():
    maps = np.random.default_rng(4).random((2, 3, 5, 4, 2)).astype(np.float32)
    expected = np.zeros((2, 3, 17, 17, 2))
    for row, column in product(range(5), range(4)):
        vertical, horizontal = row * 16 / 4, column * 16 / 3
        for i, j in product(range(17), range(17)):
            share = max(0, 1 - abs(i - vertical)) * max(0, 1 - abs(j - horizontal))
            expected[..., i, j, :] += share * maps[..., row, column, :]
    np.testing.assert_allclose(ops.carry_to_grid(jnp.asarray(maps)), expected, atol=1e-6)


def test_a_single_row_cannot_be_carried():
    with pytest.raises(ValueError, match="at least 2 rows"):
        ops.carry_to_grid(jnp.zeros((1, 4, 2)))


@pytest.mark.parametrize(("argument", "value"), [("lowering", "gpu"), ("padding", "REFLECT")])
def test_unknown_options_are_named(argument, value):
    # Under pytest the type checker may be the first to object; it names the argument too.
    with pytest.raises((ValueError, TypeError), match=argument):
        ops.convolution(jnp.zeros((1, 4, 4, 2)), jnp.zeros((3, 3, 2, 2)), **{argument: value})


def test_auto_is_the_rewrite_on_a_cpu_and_native_elsewhere(monkeypatch):
    images, kernel = jnp.ones((1, 6, 5, 2)), jnp.ones((3, 3, 1, 2))

    def uses_native():
        jaxpr = jax.make_jaxpr(lambda images: ops.depthwise_convolution(images, kernel))(images)
        return "conv_general_dilated" in str(jaxpr)

    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert not uses_native()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert uses_native()
