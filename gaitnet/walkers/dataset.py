"""Sequences of walkers with everything known about them: drawn for training on the device, or streamed into files.

`plan_sequence` decides (who, what he wears, where the camera stands, frame by frame), `render_plan` draws a plan;
`draw_batch` does both for many walks in one jitted call.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt8, UInt32

from gaitnet.walkers.appearance import Appearance, draw_appearance
from gaitnet.walkers.body import POINTS, Person, draw_person
from gaitnet.walkers.camera import Camera, crop_camera, draw_camera, person_box, person_crop
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.renderer import render_frames
from gaitnet.walkers.scene import Scene, draw_scene
from gaitnet.walkers.walk import body_of_day, draw_walk

PELVIS = POINTS.index("pelvis")

REACH = 0.06
"""Metres of flesh around every point of the body: with it the projected points fill a detector's box."""

PICTURE = (480, 640)
"""(height, width) of the picture from which a crop camera cuts; only the camera's angles depend on it."""


MOMENTS = (-0.5, -0.25, 0.25, 0.5)
"""When a frame's exposure is looked at besides its middle, in parts of the exposure."""


class Plan(NamedTuple):
    """One walk before its pixels: what `render_frames` needs."""

    points: Float[Array, "time point=23 xyz=3"]
    """Metres, world; the middle of the walk is over the origin."""
    radii: Float[Array, "radius=15"]
    wear: Appearance
    cameras: Camera
    """One a frame."""
    scene: Scene
    seeds: UInt32[Array, " time"]
    moments: Float[Array, "time moment point=23 xyz=3"] | None = None
    """The points at other moments of each frame's exposure; None where nothing is blurred."""


class Sequence(NamedTuple):
    """One walk as pixels and labels."""

    frames: UInt8[Array, "time height width rgb=3"]
    silhouettes: Float[Array, "time height width"]
    """0..1: the part of the pixel that is the walker."""
    keypoints: Float[Array, "time joint=16 xy=2"]
    """Pixels of these frames, pixel centres at integers."""
    visible: Bool[Array, "time joint=16"]
    points: Float[Array, "time point=23 xyz=3"]
    """The same body in the world, metres."""


class Batch(NamedTuple):
    """Walks for training."""

    frames: UInt8[Array, "batch time height width rgb=3"]
    silhouettes: Float[Array, "batch time height width"]
    keypoints: Float[Array, "batch time joint=16 xy=2"]
    visible: Bool[Array, "batch time joint=16"]
    subject_id: Int[Array, " batch"]
    condition: Int[Array, " batch"]
    """Index in `walk.CONDITIONS`."""
    view: Float[Array, " batch"]
    """Degrees 0..180."""


def crowd_person(seed: int | Int[Array, ""], subject_id: int | Int[Array, ""]) -> Person:
    """The person with that number in the crowd `seed`: the same on every device and in every run."""
    return draw_person(jax.random.fold_in(jax.random.key(seed), subject_id))


def plan_sequence(
    key: PRNGKeyArray,
    person: Person,
    condition: int | Int[Array, ""],
    view: float | int | Float[Array, ""],
    frames: int,
    rate: float | int | Float[Array, ""] = 25.0,
    session: int | Int[Array, ""] = 0,
    size: tuple[int, int] = (192, 144),
    crop: bool = True,
    jitter: float = 1.0,
    photographs: Array | None = None,
    shutter: float = 0.0,
) -> Plan:
    """Draw everything about one walk but its pixels.

    Args:
        key: of walk, clothes, scene and camera; the person has no part in the last three.
        person: who walks.
        condition: index in `walk.CONDITIONS`.
        view: degrees 0..180, as CASIA-B counts; the side he is seen from is drawn.
        frames: how many.
        rate: frames a second.
        session: recording day: another day's weight and manner; clothes come from `key` in any case.
        size: (height, width) of the picture in pixels.
        crop: True: the camera's picture is the person crop that the video road would cut; where the walk is long the
            camera moves along enough to keep its view. False: a camera on a tripod through whose picture he walks.
        jitter: size of the errors of the box that a crop is cut from; 1 a detector's, 0 none.
        photographs: see `draw_scene`.
        shutter: 0..1, the share of the time between frames for which light is taken in: motion blur. 0 has none.
    """
    of_walk, of_wear, of_scene, of_camera, of_noise, of_follow, of_box = jax.random.split(key, 7)
    walk = draw_walk(of_walk, person, condition, session)
    body = body_of_day(person.body, walk)
    times = jnp.arange(frames) / rate
    points = walk_points(body, walk, times)
    middle = (points[0, PELVIS] + points[-1, PELVIS]) / 2 * jnp.array([1.0, 1.0, 0.0])
    moments = None
    if shutter:
        later = times[:, None] + shutter / rate * jnp.array([MOMENTS])
        moments = walk_points(body, walk, later.reshape(-1)).reshape(frames, len(MOMENTS), -1, 3)
        moments = moments - middle[None, None, None]
    points = points - middle[None, None]
    half = jnp.max(jnp.abs(points[:, PELVIS, 0]))
    tripod = draw_camera(of_camera, view, PICTURE if crop else size)
    if crop:
        follow = jnp.maximum(jax.random.uniform(of_follow), 1 - 0.3 * tripod.distance / jnp.maximum(half, 1e-3))
        cameras = jax.vmap(lambda at: _follow(tripod, at * follow))(points[:, PELVIS, 0])
        shift, scale = box_errors(of_box, frames, jitter)

        def cut(camera: Camera, body_points: Array, shift: Array, scale: Array) -> Camera:
            box = person_box(camera, body_points, jnp.full(body_points.shape[0], REACH))
            return crop_camera(camera, person_crop(box, size, shift, scale), size)

        cameras = jax.vmap(cut)(cameras, points, shift, scale)
    else:
        near = half * jnp.abs(jnp.cos(jnp.deg2rad(jnp.asarray(view, jnp.float32)))) + 2.5
        far = jnp.maximum(tripod.distance, near)
        tripod = tripod._replace(distance=far, focal=tripod.focal * far / tripod.distance)
        cameras = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], frames, 0), tripod)
    wear = draw_appearance(of_wear, condition, walk.bag_side)
    seeds = jax.random.bits(of_noise, (frames,), jnp.uint32)
    return Plan(points, body.radii, wear, cameras, draw_scene(of_scene, photographs), seeds, moments)


def _follow(camera: Camera, along: Float[Array, ""]) -> Camera:
    return camera._replace(target=camera.target.at[0].add(along))


def box_errors(key: PRNGKeyArray, frames: int, jitter: float) -> tuple[Array, Array]:
    """Shift (time, xy; of the crop height) and scale (time) of a detector's boxes: an offset, and trembling."""
    steady, trembling = (jax.random.normal(k, (n, 3)) for k, n in zip(jax.random.split(key), (1, frames), strict=True))
    errors = jitter * (0.025 * steady + 0.005 * trembling)
    return errors[:, :2], jnp.exp(1.6 * errors[:, 2])


def render_plan(plan: Plan, size: tuple[int, int], with_jpeg: bool = True, together: int = 1) -> Sequence:
    """The pixels of a plan; arguments as in `render_frames`, `size` as it was planned for."""
    people = jax.tree.map(lambda leaf: leaf[None], plan.wear)
    drawn = render_frames(
        plan.points[:, None], plan.radii[None], people, plan.cameras, plan.scene, plan.seeds, size, with_jpeg, together,
        None if plan.moments is None else plan.moments[:, :, None],
    )  # fmt: skip
    return Sequence(
        jnp.round(drawn.rgb).astype(jnp.uint8),
        drawn.silhouette[:, 0],
        drawn.keypoints[:, 0],
        drawn.visible[:, 0],
        plan.points,
    )


@partial(jax.jit, static_argnames=("frames", "size", "crop", "together"))
def draw_batch(
    key: PRNGKeyArray,
    crowd: int | Int[Array, ""],
    subject_id: Int[Array, " batch"],
    condition: Int[Array, " batch"],
    view: Float[Array, " batch"],
    frames: int,
    rate: float | int | Float[Array, ""] = 25.0,
    session: int | Int[Array, ""] = 0,
    size: tuple[int, int] = (192, 144),
    crop: bool = True,
    together: int = 1,
) -> Batch:
    """Walks of people of one crowd, drawn and rendered on the device in one call.

    Args:
        key: random key; everything but who walks comes from it.
        crowd: the crowd's seed, see `crowd_person`.
        subject_id: numbers of the walkers.
        condition: index in `walk.CONDITIONS` of each walk.
        view: degrees 0..180 of each walk.
        frames: of every walk.
        rate: frames a second.
        session: see `plan_sequence`.
        size: (height, width) of the pictures in pixels.
        crop: see `plan_sequence`.
        together: frames drawn at once: 1 for a CPU, `frames` for a GPU.
    """

    def one(row: tuple[Array, Array, Array, Array]) -> Sequence:
        key, subject, condition, view = row
        person = crowd_person(crowd, subject)
        plan = plan_sequence(key, person, condition, view, frames, rate, session, size, crop)
        return render_plan(plan, size, together=together)

    keys = jax.random.split(key, subject_id.shape[0])
    drawn = jax.lax.map(one, (keys, subject_id, condition, view))
    return Batch(drawn.frames, drawn.silhouettes, drawn.keypoints, drawn.visible, subject_id, condition, view)


@partial(jax.jit, static_argnames=("frames", "size", "crop", "shutter"))
def _planned(key, crowd, subject_id, condition, view, frames, rate, session, size, crop, shutter, photographs) -> Plan:
    return plan_sequence(
        key, crowd_person(crowd, subject_id), condition, view, frames, rate, session, size, crop,
        photographs=photographs, shutter=shutter,
    )  # fmt: skip


@partial(jax.jit, static_argnames=("size", "with_jpeg"))
def _rendered(plan: Plan, size: tuple[int, int], with_jpeg: bool) -> Sequence:
    return render_plan(plan, size, with_jpeg)


def stream_sequence(
    key: PRNGKeyArray,
    crowd: int,
    subject_id: int,
    condition: int,
    view: float | int,
    frames: int,
    rate: float | int = 25.0,
    session: int = 0,
    size: tuple[int, int] = (480, 640),
    crop: bool = False,
    with_jpeg: bool = False,
    chunk: int = 16,
    shutter: float = 0.0,
    photographs: UInt8[np.ndarray, "photograph height width 3"] | None = None,
) -> Iterator[Sequence]:
    """One walk of a person of a crowd, at most `chunk` frames at a time, so that a long video needs little memory.

    Arguments as in `draw_batch` and `plan_sequence`; without JPEG artefacts, since a video codec adds its own.
    """
    plan = _planned(
        key, crowd, subject_id, condition, float(view), frames, float(rate), session, size, crop, shutter, photographs
    )
    yield from render_in_chunks(plan, size, with_jpeg, chunk)


def render_in_chunks(plan: Plan, size: tuple[int, int], with_jpeg: bool = True, chunk: int = 32) -> Iterator[Sequence]:
    """A plan's pixels, at most `chunk` frames at a time; compiled once for walks of any length."""
    timed = {"points": plan.points, "cameras": plan.cameras, "seeds": plan.seeds, "moments": plan.moments}
    timed = jax.tree.map(np.asarray, timed)  # indexed here, where it costs no compilation
    frames = len(timed["points"])
    for start in range(0, frames, chunk):
        index = np.minimum(np.arange(start, start + chunk), frames - 1)  # equal shapes
        part = plan._replace(**jax.tree.map(lambda leaf, index=index: leaf[index], timed))
        drawn = _rendered(part, size, with_jpeg)
        count = min(chunk, frames - start)
        yield jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:count], drawn)


__all__ = [
    "Batch", "Plan", "Sequence", "crowd_person", "draw_batch", "plan_sequence", "render_in_chunks", "render_plan",
    "stream_sequence",
]  # fmt: skip
