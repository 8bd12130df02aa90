"""Random numbers that cost little: many for one call to the generator, and whole pictures of noise from a hash."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32


class Draws:
    """Numbers handed out in order from two arrays of `count`; StopIteration where they run out."""

    def __init__(self, key: PRNGKeyArray, count: int) -> None:
        of_uniform, of_normal = jax.random.split(key)
        self._uniform = iter(jax.random.uniform(of_uniform, (count,)))
        self._normal = iter(jax.random.normal(of_normal, (count,)))

    def between(self, low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform."""
        return low + (high - low) * next(self._uniform)

    def chance(self, probability: float) -> Array:
        """True that often."""
        return next(self._uniform) < probability

    def normal(self, count: int = 1) -> Array:
        """Standard normal, (count,)."""
        return jnp.stack([next(self._normal) for _ in range(count)])

    def row(self, table: np.ndarray, rows: int = 0) -> Array:
        """A row of a table, or of its first `rows`."""
        rows = rows or table.shape[0]
        return jnp.asarray(table)[jnp.minimum((self.between() * rows).astype(jnp.int32), rows - 1)]


def hash_bits(seed: UInt32[Array, ""], size: tuple[int, int]) -> UInt32[Array, "height width"]:
    """Random bits a pixel from one seed: a fast integer hash, since a picture's noise needs no cryptography."""
    bits = jnp.arange(size[0] * size[1], dtype=jnp.uint32).reshape(size) * jnp.uint32(747796405) + seed
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    return bits ^ (bits >> 16)


def hash_normal(seed: UInt32[Array, ""], size: tuple[int, int]) -> Float[Array, "height width"]:
    """Nearly normal noise (the sum of four even bytes), mean 0, s.d. 1, within +-3.5."""
    bits = hash_bits(seed, size)
    total = sum(
        (((bits >> shift) & 255).astype(jnp.float32) for shift in (8, 16, 24)), (bits & 255).astype(jnp.float32)
    )
    return (total - 510) / 147.8
