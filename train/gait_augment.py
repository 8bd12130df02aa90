"""What is done to a walk before a gait network learns from it, so that it is never seen twice alike."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from humanpose.skeleton import FLIP
from train.gait_config import GaitRecipe
from train.gait_errors import Observed


def change_walks(key: PRNGKeyArray, walks: Observed, recipe: GaitRecipe) -> tuple[Observed, Bool[Array, "walk time"]]:
    """Walks in their walkers' own frames, changed as the recipe asks for -> walks, and which of their maps are there.

    In this order: faster or slower, cut, gaps, sides exchanged, trembling. Exchanged sides are those of the mirrored
    person, who as always is shown walking to the right. A walk keeps one map at least, and its number of maps at most:
    what a slower one has beyond it is cut off, what a faster one lacks is not there.
    """
    of_tempo, of_cut, of_gaps, of_sides, of_level, of_joints = jax.random.split(key, 6)
    keypoints, probability = walks
    count, time = probability.shape[:2]
    length = jnp.full((count,), time)
    if recipe.tempo:
        faster = jnp.exp(jax.random.uniform(of_tempo, (count,), minval=-recipe.tempo, maxval=recipe.tempo))
        places = jnp.arange(time)[None] * faster[:, None]
        length = jnp.sum(places <= time - 1, axis=1)
        keypoints, probability = read_between(keypoints, places), read_between(probability[..., None], places)[..., 0]
        probability = jnp.clip(probability, 0.0, 1.0)
    first, length = _cut(of_cut, length, recipe.shortest)
    number = jnp.arange(time)[None]
    there = (number >= first[:, None]) & (number < (first + length)[:, None])
    if recipe.dropped:
        kept = jax.random.bernoulli(of_gaps, 1 - recipe.dropped, (count, time))
        there &= kept | (number == first[:, None])
    if recipe.mirrored:
        exchanged = jax.random.bernoulli(of_sides, recipe.mirrored, (count, 1, 1))
        keypoints = jnp.where(exchanged[..., None], keypoints[:, :, FLIP], keypoints)
        probability = jnp.where(exchanged, probability[:, :, FLIP], probability)
    if recipe.trembling:
        level = jax.random.uniform(of_level, (count, 1, 1, 1), maxval=recipe.trembling / 100)
        keypoints = keypoints + level * jax.random.normal(of_joints, keypoints.shape)
    return Observed(keypoints, probability), there


def _cut(key: PRNGKeyArray, length: Int[Array, " walk"], shortest: int) -> tuple[Array, Array]:
    """First map and number of maps of a piece of each walk, of `shortest` maps or more where the walk has as many."""
    if not shortest:
        return jnp.zeros_like(length), length
    of_length, of_first = jax.random.split(key)
    chosen = jax.random.randint(of_length, length.shape, jnp.minimum(shortest, length), length + 1)
    return jax.random.randint(of_first, length.shape, 0, length - chosen + 1), chosen


def read_between(
    values: Float[Array, "walk time *rest"], places: Float[Array, "walk time"]
) -> Float[Array, "walk time *rest"]:
    """Values at places between the times 0, 1, 2 ..., on Catmull-Rom's cubics; beyond the last one, the last value."""
    last = values.shape[1] - 1
    places = jnp.clip(places, 0, last)
    before = jnp.floor(places).astype(jnp.int32)
    lead = (...,) + (None,) * (values.ndim - 2)
    part = (places - before)[lead]

    def at(offset: int) -> Array:
        rows = jnp.arange(values.shape[0])[:, None]
        return values[rows, jnp.clip(before + offset, 0, last)]

    a, b, c, d = (at(offset) for offset in (-1, 0, 1, 2))
    return b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
