"""Light on cloth, skin and floor: colours, patterns and folds of a walker, and the shadow he casts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaitnet.walkers.appearance import MATERIALS, Appearance
from gaitnet.walkers.body import POINTS
from gaitnet.walkers.camera import Camera, rotation
from gaitnet.walkers.primitives import Cones
from gaitnet.walkers.raster import Projected, look_up, surface
from gaitnet.walkers.scene import Backdrop, Scene, pack, unpack

_TOP, _TROUSERS, _SOLE = (MATERIALS.index(name) for name in ("top", "trousers", "sole"))


class Figure(NamedTuple):
    """One walker, dressed and projected."""

    cones: Cones
    projected: Projected
    points: Float[Array, "point=23 xyz=3"]
    wear: Appearance


def paint(
    one: Figure,
    cone: Int[Array, "height width"],
    depth: Float[Array, "height width"],
    camera: Camera,
    scene: Scene,
    column: Float[Array, "height width"],
    line: Float[Array, "height width"],
) -> tuple[Float[Array, "height width"], Float[Array, "height width"], Float[Array, "height width"]]:
    """Red, green, blue 0..255 of the walker's lit cloth and skin; `cone` and `depth` as `raster.cover` returns them."""
    seen = surface(one.projected, cone, column, line)
    axes, position = rotation(camera)
    light, up = axes @ scene.light, axes[:, 2]
    normal = seen.normal
    lit = jnp.maximum(normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2], 0.0)
    sky = normal[0] * up[0] + normal[1] * up[1] + normal[2] * up[2]

    cloth_run = jnp.stack([one.cones.across, jnp.linalg.norm(one.cones.end - one.cones.start, axis=-1)])
    halves = jax.lax.bitcast_convert_type(cloth_run.astype(jnp.float16), jnp.uint16).astype(jnp.uint32)
    bits = look_up(halves[0] | halves[1] << 16, cone)
    start, length = (
        jax.lax.bitcast_convert_type(half.astype(jnp.uint16), jnp.float16).astype(jnp.float32)
        for half in (bits & 0xFFFF, bits >> 16)
    )
    run = start - seen.part * length
    around = seen.aside / jnp.maximum(seen.radius, 1e-3)
    side = seen.aside * (1 + 0.15 * around * around) * depth / camera.focal
    packed = pack(one.wear.colors)[one.cones.material] | one.cones.material.astype(jnp.uint32) << 24
    bits = look_up(packed, cone)
    base = unpack(bits)
    material = (bits >> 24).astype(jnp.int32)
    garment = [(material == index).astype(jnp.float32) for index in (_TOP, _TROUSERS)]
    amount = jnp.zeros(cone.shape)
    for index in range(2):
        pattern, pitch = one.wear.pattern[index], one.wear.frequency[index]
        hoops, stripes = (jnp.clip(4 * _wave(place * pitch) - 1.5, 0, 1) for place in (run, side))
        value = jnp.where(pattern == 1, hoops, jnp.where(pattern == 2, stripes, 0.0))
        value = jnp.where(pattern == 3, 0.5 * (hoops + stripes), value)
        amount = amount + garment[index] * value
    cloth = garment[0] + garment[1]
    fold = jnp.sin(run * 34 + 2.5 * jnp.sin(side * 40 + run * 9)) * cloth * one.wear.folds
    # the sky lights from above; what turns away from the eye lies in creases; the far leg in the near one's shade
    middle = jnp.dot(one.points[POINTS.index("pelvis")] - position, axes[2])
    shaded = 1 - 0.25 * jnp.clip((depth - middle) * 4, 0.0, 1.0) - 0.12 * (1 + normal[2])
    ambient = scene.ambient * (0.78 + 0.22 * sky + 0.05 * fold) * shaded
    key = (lit + 0.06 * fold * lit) * shaded
    sole = (material == MATERIALS.index("shoes")) & (sky < -0.25)
    planes = []
    for channel in range(3):
        color = base[channel]
        second = garment[0] * one.wear.second[0, channel] + garment[1] * one.wear.second[1, channel]
        color = color + amount * (second - color * cloth)
        color = jnp.where(sole, one.wear.colors[_SOLE, channel], color)
        planes.append(jnp.clip(color * (ambient + key * scene.key[channel]), 0.0, 255.0))
    return planes[0], planes[1], planes[2]


def _wave(place: Array) -> Array:
    """Triangles 0..1 of period 1."""
    return jnp.abs(place - jnp.floor(place) - 0.5) * 2


_SHADOW_LIMBS = (
    ("pelvis", "thorax"), ("thorax", "head_top"), ("r_hip", "r_knee"), ("r_knee", "r_heel"), ("l_hip", "l_knee"),
    ("l_knee", "l_heel"), ("r_shoulder", "r_wrist"), ("l_shoulder", "l_wrist"), ("r_heel", "r_toe"),
    ("l_heel", "l_toe"),
)  # fmt: skip
"""Sticks that cast a shadow; the first is as fat as the chest."""


def shadow(
    back: Backdrop,
    scene: Scene,
    people: Float[Array, "people point=23 xyz=3"],
    girth: Float[Array, " people"],
) -> Float[Array, "height width"]:
    """How much light is left, 0..1: on the floor the cast shadow of stick limbs, and the dark under each foot.

    `girth` is the radius of the trunks in metres.
    """
    ground_x, ground_y = back.ground
    kept = jnp.ones_like(ground_x)
    steep = scene.light[:2] / jnp.maximum(scene.light[2], 0.2)
    for person in range(people.shape[0]):
        points = people[person]
        fallen = points[:, :2] - points[:, 2:] * steep[None]
        cast = jnp.zeros_like(ground_x)
        under = jnp.zeros_like(ground_x)
        for limb, (first, last) in enumerate(_SHADOW_LIMBS):
            a, b = fallen[POINTS.index(first)], fallen[POINTS.index(last)]
            radius = girth[person] if limb == 0 else 0.07
            cast = jnp.maximum(cast, jnp.clip((radius - _distance(ground_x, ground_y, a, b)) / 0.05 + 0.5, 0.0, 1.0))
        for heel, toe in (("r_heel", "r_toe"), ("l_heel", "l_toe")):
            a, b = points[POINTS.index(heel)], points[POINTS.index(toe)]
            lifted = jnp.clip(1 - (a[2] + b[2] - 0.08) / 0.5, 0.0, 1.0)
            close = jnp.clip(1.1 - _distance(ground_x, ground_y, a[:2], b[:2]) / 0.16, 0.0, 1.0)
            under = jnp.maximum(under, close * close * lifted)
        kept = kept * (1 - scene.shadow * cast * back.floor) * (1 - scene.contact * under * back.floor)
    return kept


def _distance(x: Array, y: Array, a: Array, b: Array) -> Array:
    """From points of the floor to the segment a-b."""
    axis = b - a
    to_x, to_y = x - a[0], y - a[1]
    part = jnp.clip((to_x * axis[0] + to_y * axis[1]) / (jnp.sum(axis * axis) + 1e-9), 0.0, 1.0)
    return jnp.sqrt((to_x - part * axis[0]) ** 2 + (to_y - part * axis[1]) ** 2 + 1e-12)
