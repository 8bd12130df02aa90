"""Recorded walks as plans to be drawn: a clip's motion on a body, along +x, before a camera.

`plan_of_clip` follows the walker with the crops that the video road would cut; `plan_of_picture` sees him walk through
the whole picture of a camera on a tripod.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt8

from gaitnet.walkers.appearance import draw_appearance
from gaitnet.walkers.asf import read_amc
from gaitnet.walkers.body import common_body
from gaitnet.walkers.bvh import Motion, align_heading, read_bvh, resample
from gaitnet.walkers.camera import crop_camera, draw_camera, person_box, person_crop, project
from gaitnet.walkers.dataset import MOMENTS, PELVIS, PICTURE, REACH, Plan, box_errors
from gaitnet.walkers.kinect import read_kinect
from gaitnet.walkers.retarget import body_of, retarget
from gaitnet.walkers.scene import draw_scene

LONGEST = 12.0
"""Seconds of a clip that are drawn: the longest clips last half a minute and would tell no more."""
RATE = 25.0
"""Pictures a second."""
PADDED = 320
"""Frames to whose multiples a plan is padded, so that it is compiled once."""
WEAR_STREAM = 53
"""Folded into the key of clothes, place and camera: they come from the clip's number, never from the performer."""
FILL = (0.35, 0.55)
"""Part of the picture's height that the walker fills before a tripod: less than others do, to see more of his way."""

READERS: dict[str, Callable[[Path], Motion]] = {".bvh": read_bvh, ".amc": read_amc, ".txt": read_kinect}
"""Ending of a clip -> what reads it."""


class Walk(NamedTuple):
    """A recorded walk on a body."""

    points: Float[np.ndarray, "time point=23 xyz=3"]
    """Metres, along +x, the floor at 0."""
    radii: Float[np.ndarray, "radius=15"]


def read_motion(path: str | Path) -> Motion:
    """A clip in any of the formats of READERS, told by its ending.

    Raises:
        ValueError: another ending, or what its reader finds wrong.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        hint = "name the .amc clip, its skeleton is found beside it" if path.suffix.lower() == ".asf" else "convert it"
        raise ValueError(f"motion: expected a clip that ends in one of {known}, got {path}; {hint}")
    return reader(path)


def names_of(path: str | Path) -> tuple[str, str]:
    """The performer and the name of a clip.

    CMU's SS_TT is subject SS; skeleton text files lie in a folder that is called as the person is; of any other clip
    all that is known is its name.
    """
    path = Path(path).absolute()
    if path.suffix.lower() == ".txt":
        return path.parent.name or path.stem, path.stem
    subject = re.fullmatch(r"(\d+)_(\d+)", path.stem)
    return (subject[1] if subject else path.stem), path.stem


def walk_of(motion: Motion, common: bool, rate: float = RATE, longest: float = LONGEST) -> Walk:
    """The motion on its own body or on the common one, turning taken out.

    Args:
        motion: as read.
        common: put it on the common body instead of the performer's own: motion alone is left.
        rate: pictures a second.
        longest: seconds after which it is cut off.
    """
    points = align_heading(motion.points[: int(longest * motion.frame_rate)], motion.frame_rate)
    body = common_body() if common else body_of(points)
    moved = Motion(retarget(points, body, motion.frame_rate), motion.heading[: len(points)], motion.frame_rate)
    return Walk(resample(moved, rate).points, np.asarray(body.radii))


def plan_of_clip(
    path: Path,
    number: int,
    common: bool,
    size: tuple[int, int],
    rate: float = RATE,
    view: float | int = 90.0,
    condition: int = 0,
) -> Plan:
    """What is drawn of a clip as crops: the motion on the body, walking to the right before a camera at its side.

    The camera goes along, so that it keeps its direction to the performer's heading.

    Args:
        path: the clip.
        number: of the clip in its folder; clothes, place, light and camera are drawn from it.
        common: put the motion on the common body instead of the performer's own.
        size: (height, width) of the crops in pixels.
        rate: pictures a second.
        view: degrees 0..180 of the camera, 90 from the side, below that from the front.
        condition: index in `gaitnet.walkers.walk.CONDITIONS`, of what is worn and carried; the motion stays.
    """
    points, radii = walk_of(read_motion(path), common, rate)
    points = points - points[:1, PELVIS] * np.array([1.0, 1.0, 0.0], np.float32)
    key = jax.random.fold_in(jax.random.key(WEAR_STREAM), number)
    return planned(key, points, radii, size, view, condition)


def planned(
    key: PRNGKeyArray,
    points: np.ndarray,
    radii: np.ndarray,
    size: tuple[int, int],
    view: float | int = 90.0,
    condition: int = 0,
) -> Plan:
    """A plan of crops of these points (time, point, xyz), along +x, with NumPy leaves; padded to compile once."""
    count = len(points)
    drawn = _crops(key, _padded(points), radii, jnp.float32(view), jnp.int32(condition), size)
    plan = jax.tree.map(np.asarray, drawn)
    cameras = jax.tree.map(lambda leaf: leaf[:count], plan.cameras)
    return plan._replace(points=plan.points[:count], cameras=cameras, seeds=plan.seeds[:count])


def _padded(points: np.ndarray) -> np.ndarray:
    return np.pad(points, ((0, -len(points) % PADDED), (0, 0), (0, 0)), mode="edge").astype(np.float32)


@partial(jax.jit, static_argnames="size")
def _crops(
    key: PRNGKeyArray, points: Array, radii: Array, view: Array, condition: Array, size: tuple[int, int]
) -> Plan:
    of_wear, of_scene, of_camera, of_noise, of_box = jax.random.split(key, 5)
    tripod = draw_camera(of_camera, view, PICTURE, side=-1.0)

    shifts, scales = box_errors(of_box, len(points), 1.0)

    def camera_at(body: Any, shift: Any, scale: Any) -> Any:
        along = tripod._replace(target=tripod.target.at[:2].add(body[PELVIS, :2]))
        box = person_box(along, body, jnp.full(body.shape[0], REACH))
        return crop_camera(along, person_crop(box, size, shift, scale), size)

    seeds = jax.random.bits(of_noise, (len(points),), jnp.uint32)
    return Plan(
        points,
        radii,
        draw_appearance(of_wear, condition),
        jax.vmap(camera_at)(points, shifts, scales),
        draw_scene(of_scene),
        seeds,
    )


def plan_of_picture(
    key: PRNGKeyArray,
    walk: Walk,
    view: float | int,
    size: tuple[int, int],
    photographs: UInt8[np.ndarray, "photograph height width 3"] | None = None,
    shutter: float = 0.0,
    frames: int | None = None,
) -> Plan:
    """What is drawn of a walk as whole pictures: a camera on a tripod through whose picture he walks.

    The middle of the way is before the camera, as in `dataset.plan_sequence`. Frames before he enters the picture and
    after he leaves it are left out.

    Args:
        key: of clothes, place, light and camera, and of the side that he is seen from.
        walk: from `walk_of`, at RATE.
        view: degrees 0..180, as CASIA-B counts.
        size: (height, width) of the picture in pixels.
        photographs: see `draw_scene`.
        shutter: 0..1, the share of the time between frames for which light is taken in: motion blur. 0 has none.
        frames: no more than these, around the middle of those in which he is seen.
    """
    points = walk.points
    points = points - (points[:1, PELVIS] + points[-1:, PELVIS])[:, None] / 2 * np.array([1, 1, 0], np.float32)
    half = float(np.abs(points[:, PELVIS, 0]).max())
    drawn = _around(key, jnp.float32(view), jnp.float32(half), _padded(points), size, photographs)
    camera, wear, scene, seeds, pelvis = jax.tree.map(np.asarray, drawn)
    seen = np.flatnonzero((pelvis[: len(points)] >= 0).all(-1) & (pelvis[: len(points)] < [size[1], size[0]]).all(-1))
    first, last = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, len(points))
    if frames is not None and last - first > frames:
        first += (last - first - frames) // 2
        last = first + frames
    moments = None
    if shutter:
        # Between frames on straight lines; the ends are continued by standing still.
        times = np.arange(first, last)[:, None] + shutter * np.array(MOMENTS)
        before = np.clip(np.floor(times).astype(int), 0, max(len(points) - 2, 0))
        after = np.minimum(before + 1, len(points) - 1)
        share = np.clip(times - before, 0, 1)[..., None, None]
        moments = (points[before] * (1 - share) + points[after] * share).astype(np.float32)
    cameras = jax.tree.map(lambda leaf: np.repeat(leaf[None], last - first, 0), camera)
    seen_points: Any = points[first:last].astype(np.float32)
    radii: Any = walk.radii
    return Plan(seen_points, radii, wear, cameras, scene, seeds[first:last], moments)


@partial(jax.jit, static_argnames="size")
def _around(key, view, half, points, size, photographs) -> tuple:
    """Camera, clothes, scene, the seed of every frame's noise, and where the pelvis is in the pictures (time, xy)."""
    of_wear, of_scene, of_camera, of_noise = jax.random.split(key, 4)
    tripod = draw_camera(of_camera, view, size, fill=FILL)
    # He comes no nearer to the camera than 2.5 m; the angles stay as they are in the middle of the way.
    far = jnp.maximum(tripod.distance, half * jnp.abs(jnp.cos(jnp.deg2rad(view))) + 2.5)
    tripod = tripod._replace(distance=far, focal=tripod.focal * far / tripod.distance)
    seeds = jax.random.bits(of_noise, (len(points),), jnp.uint32)
    pelvis, _ = project(tripod, points[:, PELVIS])
    return tripod, draw_appearance(of_wear), draw_scene(of_scene, photographs), seeds, pelvis
