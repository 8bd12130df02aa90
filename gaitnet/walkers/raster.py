"""Round cones to pixels: which cone a pixel sees, how far away, how much of the pixel the body covers.

A cone is projected once into a row of numbers; then every pixel costs a handful of multiply-adds a cone. The position
t along the axis that maximises radius^2 - distance^2 is linear in the pixel, for a flattened cone too, since an affine
map of space that makes its section round maps pixels linearly.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaitnet.walkers.camera import NEAR, Camera, project, rotation, to_camera
from gaitnet.walkers.primitives import Cones

FAR = 1e6
"""Depth in metres of a pixel in which nobody is."""

_INDEX_BITS = 63
"""Low bits of a depth's float pattern that carry the cone's index: 64 cones, 0.06 mm of depth at 8 m."""


_UNROLLED = 9
"""Cones that one pass over the pixels draws: the more, the less memory traffic, the longer the compilation."""


class Projected(NamedTuple):
    """Cones in one picture; pixels, metres of depth, `local` lengths are pixels after the cone is made round."""

    along: Float[Array, "cone term=3"]
    """Position along the axis, from its start: constant, times x, times y."""
    aside: Float[Array, "cone term=3"]
    reach: Float[Array, " cone"]
    """Length of the axis."""
    part: Float[Array, "cone term=2"]
    """t of the sphere that a pixel sees: constant, times `along`."""
    radius: Float[Array, "cone term=2"]
    """At t: constant, times t."""
    depth: Float[Array, "cone term=5"]
    """Constant, times t, along - t reach, aside, and height over the picture plane."""
    edge: Float[Array, " cone"]
    """Turns radius^2 - distance^2 into pixels inside the outline, near it."""
    normal: Float[Array, "cone axis=3 term=3"]
    """Surface normal in camera axes (not of unit length) from `along - t reach`, `aside` and height."""


def project_cones(cones: Cones, camera: Camera) -> Projected:
    """Rows of numbers from which `cover` and `surface` draw the cones."""
    start, end = to_camera(camera, cones.start), to_camera(camera, cones.end)
    start_pixel, start_depth = project(camera, cones.start)
    end_pixel, end_depth = project(camera, cones.end)
    start_depth, end_depth = jnp.maximum(start_depth, NEAR), jnp.maximum(end_depth, NEAR)
    axes, _ = rotation(camera)
    squeeze = jnp.einsum("ij,njk,lk->nil", axes, cones.squeeze, axes)
    middle = (start + end) / 2
    depth = jnp.maximum(middle[:, 2:], NEAR)
    ray = jnp.einsum("nij,nj->ni", squeeze, middle / depth)
    stretch = jnp.linalg.norm(ray, axis=-1, keepdims=True)
    ray = ray / stretch
    first = squeeze[:, :, 0]
    first = first - jnp.sum(first * ray, -1, keepdims=True) * ray
    first = first / jnp.linalg.norm(first, axis=-1, keepdims=True)
    second = jnp.cross(ray, first)
    flat = jnp.einsum("nbi,nij->nbj", jnp.stack([first, second], 1), squeeze[:, :, :2])
    axis = jnp.einsum("nbj,nj->nb", flat, end_pixel - start_pixel)
    reach = jnp.linalg.norm(axis, axis=-1)
    unit = jnp.where((reach > 1e-3)[:, None], axis / jnp.maximum(reach, 1e-3)[:, None], jnp.array([[1.0, 0.0]]))
    turn = jnp.stack([unit, jnp.stack([-unit[:, 1], unit[:, 0]], -1)], 1)
    linear = jnp.einsum("nbc,ncj->nbj", turn, flat)
    offset = -jnp.einsum("nbj,nj->nb", linear, start_pixel)

    present = cones.radius > 0
    at_start = jnp.where(present[:, 0], cones.radius[:, 0] * camera.focal / start_depth, 0.0)
    at_end = jnp.where(present[:, 1], cones.radius[:, 1] * camera.focal / end_depth, 0.0)
    growth = at_end - at_start
    room = reach**2 - growth**2
    cone = room > 1e-2 * reach**2 + 1e-6  # else one sphere swallows the other
    safe = jnp.where(cone, room, 1.0)
    part = jnp.stack(
        [
            jnp.where(cone, at_start * growth / safe, (growth > 0).astype(jnp.float32)),
            jnp.where(cone, reach / safe, 0.0),
        ],
        -1,
    )
    scale = camera.focal / depth[:, 0] * stretch[:, 0]
    lean = jnp.einsum("ni,nij->nj", ray, squeeze[:, :, :2])
    # (along, aside) -> pixels: the inverse of `linear`, two by two
    determinant = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
    to_along = (lean[:, 0] * linear[:, 1, 1] - lean[:, 1] * linear[:, 1, 0]) / determinant
    to_aside = (lean[:, 1] * linear[:, 0, 0] - lean[:, 0] * linear[:, 0, 1]) / determinant
    basis = jnp.einsum("nbc,nci->nib", turn, jnp.stack([first, second], 1))
    basis = jnp.concatenate([basis[:, :, :1] * cones.flat[:, None, None], basis[:, :, 1:], -ray[:, :, None]], -1)
    shown = jnp.any(present, 1)
    return Projected(
        along=jnp.concatenate([offset[:, :1], linear[:, 0]], -1),
        aside=jnp.concatenate([offset[:, 1:], linear[:, 1]], -1),
        reach=reach,
        part=part,
        radius=jnp.stack([at_start, growth], -1),
        depth=jnp.stack([start_depth, end_depth - start_depth, -to_along / scale, -to_aside / scale, -1 / scale], -1),
        edge=jnp.where(shown, 0.5 / jnp.maximum((at_start + at_end) / 2, 0.25), 0.0),
        normal=jnp.einsum("nij,njb->nib", squeeze, basis),
    )


class _Local(NamedTuple):
    part: Array
    along: Array
    aside: Array
    radius: Array
    square: Array


def _local(row: Projected, column: Array, line: Array) -> _Local:
    """Where pixels lie on a cone (or each pixel on its own cone): `square` = radius^2 - distance^2."""
    along = row.along[0] + row.along[1] * column + row.along[2] * line
    aside = row.aside[0] + row.aside[1] * column + row.aside[2] * line
    part = jnp.clip(row.part[0] + row.part[1] * along, 0.0, 1.0)
    along = along - part * row.reach
    radius = row.radius[0] + row.radius[1] * part
    return _Local(part, along, aside, radius, radius * radius - along * along - aside * aside)


def cover(
    projected: Projected, column: Float[Array, "height width"], line: Float[Array, "height width"]
) -> tuple[Int[Array, "height width"], Float[Array, "height width"], Float[Array, "height width"]]:
    """What every pixel sees.

    Args:
        projected: the cones of one walker.
        column: x of the pixels' centres.
        line: y of the pixels' centres.

    Returns:
        cone: index of the cone (0 where nobody is).
        depth: metres along the optical axis to its surface; FAR where nobody is.
        coverage: 0..1, the part of the pixel that the body covers: exact within a few hundredths on smooth outlines.
    """
    nothing = jnp.array(FAR, jnp.float32).view(jnp.int32)
    nearest = jnp.full(column.shape, nothing, jnp.int32)
    coverage = jnp.zeros(column.shape)
    count = projected.reach.shape[0]
    steps = -(-count // _UNROLLED)

    def chunk(leaf: Array) -> Array:
        padded = jnp.pad(leaf, [(0, steps * _UNROLLED - count)] + [(0, 0)] * (leaf.ndim - 1))
        return padded.reshape(steps, _UNROLLED, *leaf.shape[1:])

    chunks = jax.tree.map(chunk, (projected._replace(normal=jnp.zeros(count)), jnp.arange(count, dtype=jnp.int32)))

    def some(carry, chunk):
        nearest, coverage = carry
        rows = [jax.tree.map(lambda leaf, place=place: leaf[place], chunk) for place in range(_UNROLLED)]
        for row, index in rows:
            local = _local(row, column, line)
            depth = (
                row.depth[0]
                + row.depth[1] * local.part
                + row.depth[2] * local.along
                + row.depth[3] * local.aside
                + row.depth[4] * jnp.sqrt(jnp.maximum(local.square, 0.0))
            )
            key = (jnp.maximum(depth, NEAR / 2).view(jnp.int32) & ~_INDEX_BITS) | index
            inside = local.square * row.edge
            # a pixel that is mostly outside a cone belongs to it only if no cone has it: sixteen times as far away
            key = jnp.where(inside > 0, key, key + (4 << 23))
            nearest = jnp.where((inside > -0.5) & (row.edge > 0), jnp.minimum(nearest, key), nearest)
        for row, _ in rows:
            coverage = jnp.maximum(
                coverage, _local(row, column, line).square * row.edge + jnp.where(row.edge > 0, 0.5, 0.0)
            )
        return (nearest, coverage), None

    (nearest, coverage), _ = jax.lax.scan(some, (nearest, coverage), chunks)
    depth = (nearest & ~_INDEX_BITS).view(jnp.float32)
    empty = nearest == nothing
    depth = jnp.where(empty, FAR, jnp.where(coverage > 0.5, depth, depth / 16))
    cone = jnp.where(empty, 0, nearest & _INDEX_BITS)
    return cone, depth, jnp.minimum(coverage, 1.0)


class Surface(NamedTuple):
    """What the visible surface is like; every field (height, width)."""

    normal: tuple[Array, Array, Array]
    """Unit normal in camera axes; it points to the camera, so its third component is negative."""
    part: Array
    """Position along the cone's axis, 0..1."""
    aside: Array
    """Pixels from the axis as seen, in the space in which the cone is round."""
    radius: Array
    """Pixels, of the sphere that the pixel sees."""


def look_up(values: Array, cone: Int[Array, "height width"]) -> Array:
    """`values` of the cone that each pixel sees."""
    return values.at[cone].get(mode="promise_in_bounds")


def _pack_normal(terms: Float[Array, "cone axis=3 term=3"]) -> Array:
    """Three terms of one axis in the bits of one integer, each in -8..8 to 1/64: looking up is what costs."""
    levels = (jnp.clip(terms, -7.99, 7.99) * 64 + 512).astype(jnp.uint32)
    return levels[..., 0] | levels[..., 1] << 10 | levels[..., 2] << 20


def surface(
    projected: Projected,
    cone: Int[Array, "height width"],
    column: Float[Array, "height width"],
    line: Float[Array, "height width"],
) -> Surface:
    """The surface of the cone that each pixel sees (arguments as `cover` takes and returns them)."""

    def terms(table: Array) -> Any:
        # a list of pictures serves `_local` as an array of them would, without being stacked
        return [look_up(table[:, index], cone) for index in range(table.shape[1])]

    row = projected._replace(
        along=terms(projected.along),
        aside=terms(projected.aside),
        reach=look_up(projected.reach, cone),
        part=terms(projected.part),
        radius=terms(projected.radius),
    )
    local = _local(row, column, line)
    height = jnp.sqrt(jnp.maximum(local.square, 0.0))
    raw = []
    for axis in range(3):
        bits = look_up(_pack_normal(projected.normal)[:, axis], cone)
        weights = [((bits >> shift) & 1023).astype(jnp.float32) - 512 for shift in (0, 10, 20)]
        raw.append(weights[0] * local.along + weights[1] * local.aside + weights[2] * height)
    inverse = jax.lax.rsqrt(raw[0] ** 2 + raw[1] ** 2 + raw[2] ** 2 + 1e-12)
    normal = (raw[0] * inverse, raw[1] * inverse, raw[2] * inverse)
    return Surface(normal, local.part, local.aside, local.radius)
