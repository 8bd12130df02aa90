"""Pooling in both lowerings, values and gradients, against loops in float64."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from humanpose.pooling import average_pool, max_pool

pytestmark = pytest.mark.usefixtures("lightly_compiled")

CASES = [
    (3, 2, "VALID", (2, 9, 8)),
    (3, 2, ((1, 1), (1, 1)), (2, 8, 5)),
    (3, 1, "SAME", (1, 5, 4)),
    (5, 1, "SAME", (2, 6, 3)),
    (2, 3, "SAME", (1, 7, 10)),
    (3, 2, "SAME", (1, 8, 6)),
]


def windows(shape, window, stride, padding):
    """Rows and columns of the image under each place of the window, and how many places there are."""
    axes = []
    for axis, size in enumerate(shape):
        if padding == "SAME":
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            before, after = total // 2, total - total // 2
        else:
            before, after = (0, 0) if padding == "VALID" else padding[axis]
        count = (size + before + after - window) // stride + 1
        starts = [place * stride - before for place in range(count)]
        axes.append([[i for i in range(start, start + window) if 0 <= i < size] for start in starts])
    return axes


def oracle(images, window, stride, padding, cotangent=None):
    """Maxima, means, and the gradients of cotangent-weighted sums of both; images must hold no equal numbers."""
    rows, columns = windows(images.shape[1:3], window, stride, padding)
    shape = (len(images), len(rows), len(columns), images.shape[3])
    maxima, means = np.zeros(shape), np.zeros(shape)
    of_maxima, of_means = np.zeros_like(images), np.zeros_like(images)
    for n, (i, down), (j, across), c in product(range(shape[0]), enumerate(rows), enumerate(columns), range(shape[3])):
        view = images[n][np.ix_(down, across)][..., c]
        maxima[n, i, j, c], means[n, i, j, c] = view.max(), view.mean()
        if cotangent is not None:
            row, column = np.unravel_index(view.argmax(), view.shape)
            of_maxima[n, down[row], across[column], c] += cotangent[n, i, j, c]
            for y, x in product(down, across):
                of_means[n, y, x, c] += cotangent[n, i, j, c] / view.size
    return (maxima, of_maxima), (means, of_means)


@pytest.mark.parametrize("lowering", ["native", "cpu"])
@pytest.mark.parametrize(("window", "stride", "padding", "shape"), CASES)
def test_pools_and_their_gradients(lowering, window, stride, padding, shape):
    random = np.random.default_rng(0)
    images = random.standard_normal((*shape, 3)) - 3  # below zero: padding must never be a maximum
    cotangent = random.standard_normal(oracle(images, window, stride, padding)[0][0].shape)
    expected = oracle(images, window, stride, padding, cotangent)
    for function, (values, gradient) in zip((max_pool, average_pool), expected, strict=True):

        @jax.jit
        def run(images, cotangent, function=function):
            found, pull = jax.vjp(lambda images: function(images, window, stride, padding, lowering), images)
            return found, pull(cotangent)[0]

        found = run(jnp.asarray(images, jnp.float32), jnp.asarray(cotangent, jnp.float32))
        np.testing.assert_allclose(found[0], values, atol=1e-6)
        np.testing.assert_allclose(found[1], gradient, atol=1e-6)


def test_pools_keep_the_images_type():
    images = jnp.ones((1, 4, 4, 1), jnp.bfloat16)
    for lowering, pool in product(("native", "cpu"), (max_pool, average_pool)):
        assert pool(images, 3, 1, "SAME", lowering).dtype == jnp.bfloat16
