"""Two walkers who cross before a camera on a tripod: a whole picture, for the video road to find them in."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from gaitnet.walkers.appearance import draw_appearance
from gaitnet.walkers.body import draw_person
from gaitnet.walkers.camera import Camera
from gaitnet.walkers.dataset import PELVIS
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.renderer import render_frames
from gaitnet.walkers.scene import draw_scene
from gaitnet.walkers.walk import body_of_day, draw_walk

RATE = 25.0
SIZE = (288, 512)
DISTANCE, FOCAL = 7.0, 620.0
"""Metres to the middle of the ways, and pixels: 5.8 m are in view there, and a man is 150 pixels tall."""
APART = 0.6
"""Metres from that middle line to either way; who walks to the left is nearer."""
START = 3.7
"""Metres from the middle at which both begin: just out of view."""
CHUNK = 8


def crossing(
    seed: int, subjects: tuple[int, int], frames: int = 136, size: tuple[int, int] = SIZE, take: int = 0
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The frames (RGB, `RATE` a second) of a scene in which the first walks to the right and the second to the left.

    Args:
        seed: of the crowd.
        subjects: their numbers in it.
        frames: how many; both have passed each other after some 70.
        size: (height, width) in pixels; what is in view stays the same across.
        take: other clothes, another place, the same people.
    """
    keys = jax.random.split(jax.random.key(np.random.SeedSequence((seed, 77, take)).generate_state(1)[0]), 4)
    for start in range(0, frames, CHUNK):
        drawn = _frames(keys, np.uint32(seed), np.array(subjects, np.int32), start, size=size)
        yield from np.asarray(drawn)[: frames - start]


@partial(jax.jit, static_argnames=("size",))
def _frames(keys, seed, subjects, start, *, size):
    times = (start + jnp.arange(CHUNK)) / RATE

    def walker(subject, key, turned):
        of_walk, of_wear = jax.random.split(key)
        person = draw_person(jax.random.fold_in(jax.random.key(seed), subject))
        walk = draw_walk(of_walk, person, 0)
        body = body_of_day(person.body, walk)
        points = walk_points(body, walk, jnp.concatenate([jnp.zeros(1), times]))
        begin, points = points[0, PELVIS, 0], points[1:]
        points = points + jnp.stack([-START - begin, APART, 0.0])[None, None]
        points = points * jnp.stack([turned, turned, 1.0])[None, None]  # about the vertical: nobody is mirrored
        return points, body.radii, draw_appearance(of_wear, 0, walk.bag_side)

    walkers = jax.random.split(keys[0], 2)
    points, radii, wear = jax.vmap(walker)(subjects, walkers, jnp.array([1.0, -1.0]))
    camera = Camera(
        azimuth=jnp.float32(-90.0), height=jnp.float32(1.4), distance=jnp.float32(DISTANCE),
        focal=jnp.float32(FOCAL * size[1] / SIZE[1]),
        center=jnp.array([(size[1] - 1) / 2, (size[0] - 1) / 2], jnp.float32), target=jnp.array([0.0, 0.0, 0.95]),
    )  # fmt: skip
    cameras = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], CHUNK, 0), camera)
    seeds = jax.random.bits(jax.random.fold_in(keys[2], start), (CHUNK,), jnp.uint32)
    # a well-lit place: the light comes over the camera's shoulder
    scene = draw_scene(keys[1])._replace(
        light=jnp.array([0.30, -0.62, 0.725]), ambient=jnp.float32(0.7), contrast=jnp.float32(1.0),
        brightness=jnp.float32(0.0), grey=jnp.float32(0.0),
    )  # fmt: skip
    drawn = render_frames(points.transpose(1, 0, 2, 3), radii, wear, cameras, scene, seeds, size, False)
    return jnp.round(drawn.rgb).astype(jnp.uint8)
