"""Walkers for the pose task: one picture each of somebody new, drawn on the device straight into the person crop."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt8

from gaitnet.walkers.appearance import draw_appearance
from gaitnet.walkers.body import RADII, draw_person
from gaitnet.walkers.camera import crop_camera, draw_camera, person_box, person_crop
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.renderer import render
from gaitnet.walkers.scene import Scene, draw_scene
from gaitnet.walkers.walk import CONDITIONS, body_of_day, draw_walk
from humanpose.skeleton import INDEX
from train.config import PoseTaskConfig

HIDDEN = PoseTaskConfig.walkers_hidden_weight
"""Weight of a joint that the walker's own body hides: the network shall guess it, but not be held to it as firmly."""

COARSE = ((2, 0.25), (3, 0.2))
"""How many times coarser than the crop a walker was filmed, and how often."""

SHARED = 3
"""Walkers who are drawn in the same place: painting a wall costs as much as painting a walker."""


def draw_walker(
    key: PRNGKeyArray,
    scene: Scene,
    size: tuple[int, int],
    photograph: UInt8[Array, "height width 3"] | None = None,
    hidden: float = HIDDEN,
) -> tuple[Float[Array, "height width 3"], Float[Array, "16 2"], Float[Array, " 16"]]:
    """A crop (RGB 0..255) of a new person in new clothes, its keypoints (crop pixels), their weights.

    With a `photograph` of the crop's size the person stands before that, in the scene's light and before its camera.
    `hidden` is the weight of a joint that the walker's own body hides.
    """
    keys = jax.random.split(key, 14)
    person = draw_person(keys[0])
    condition = jax.random.randint(keys[1], (), 0, len(CONDITIONS))
    walk = draw_walk(keys[2], person, condition)
    body = body_of_day(person.body, walk)
    points = walk_points(body, walk, jax.random.uniform(keys[3], (1,), maxval=20.0))[0]
    root = points[INDEX["pelvis"]] * jnp.array([1.0, 1.0, 0.0])
    points = points - root[None]
    from_side = 90 + 20 * jax.random.normal(keys[4])
    view = jnp.where(jax.random.bernoulli(keys[5], 0.4), jax.random.uniform(keys[4], maxval=180.0), from_side)
    # on the walker's right: he walks to the right, as everybody whom the road follows does after mirroring
    camera = draw_camera(keys[6], view, (480, 640), side=-1)
    reach = jnp.full(points.shape[:1], 0.05)
    shift = 0.03 * jax.random.normal(keys[7], (2,))
    zoom = jnp.exp(jax.random.uniform(keys[8], minval=-0.2, maxval=0.2))
    crop = person_crop(person_box(camera, points, reach), size, shift, zoom)
    drawn = render(
        points[None],
        body.radii.reshape(1, len(RADII)),
        jax.tree.map(lambda leaf: leaf[None], draw_appearance(keys[9], condition, walk.bag_side)),
        crop_camera(camera, crop, size),
        scene,
        size,
        jax.random.bits(keys[11], (), jnp.uint32),
        photograph=photograph,
    )
    grey = jnp.mean(drawn.rgb, axis=-1, keepdims=True)
    rgb = jnp.where(jax.random.bernoulli(keys[12], 0.25), jnp.broadcast_to(grey, drawn.rgb.shape), drawn.rgb)
    draw = jax.random.uniform(keys[13])
    for factor, share in COARSE:
        coarse = jax.image.resize(rgb, (size[0] // factor, size[1] // factor, 3), "linear")
        rgb = jnp.where((draw >= 0) & (draw < share), jax.image.resize(coarse, rgb.shape, "linear"), rgb)
        draw = draw - share
    keypoints = drawn.keypoints[0]
    inside = (keypoints > -0.5).all(-1) & (keypoints < jnp.array([[size[1] - 0.5, size[0] - 0.5]])).all(-1)
    return rgb, keypoints, jnp.where(inside, jnp.where(drawn.visible[0], 1.0, hidden), 0.0)


def walkers_drawer(size: tuple[int, int], hidden: float = HIDDEN):
    """`draw(keys (walker,), photographs=None) -> (images, keypoints, weights)`, batched.

    The first walkers stand before `photographs` (photograph, height, width, 3), as many as there are, the others before
    drawn walls. Drawn one by one, which suits a CPU's caches. `hidden` is the weight of a joint that is not seen.
    """

    def draw(
        keys: PRNGKeyArray, photographs: UInt8[Array, "photograph height width 3"] | None = None
    ) -> tuple[Array, Array, Array]:
        scenes = jax.lax.map(draw_scene, keys[::SHARED])
        place = jnp.arange(keys.shape[0]) // SHARED

        def one(of: tuple[Array, Array, Array | None]) -> tuple[Array, Array, Array]:
            return draw_walker(of[0], jax.tree.map(lambda leaf: leaf[of[1]], scenes), size, of[2], hidden)

        if photographs is None:
            return jax.lax.map(one, (keys, place, None))
        before = min(photographs.shape[0], keys.shape[0])
        drawn = jax.lax.map(one, (keys[:before], place[:before], photographs[:before]))
        if before == keys.shape[0]:
            return drawn
        others = jax.lax.map(one, (keys[before:], place[before:], None))
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), drawn, others)

    return draw
