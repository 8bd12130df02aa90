"""Where the walker is seen from: a pinhole camera on a tripod, or the crop that follows him through its picture."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

NEAR = 0.3
"""Metres; what is nearer to the camera (or behind it) is treated as being this far away."""

CROP_MARGIN = 1.25
"""Height of a person crop over the height of the person's box."""


class Camera(NamedTuple):
    """A pinhole camera that looks at `target` from the side of it that `azimuth` names; leading axes are free."""

    azimuth: Float[Array, "*lead"]
    """Degrees, -180..180. Its size is the view: 0 the walker (heading +x) comes towards the camera, 90 side view, 180
    seen from behind. Positive: the camera stands on the walker's left, who then walks to the left of the picture."""
    height: Float[Array, "*lead"]
    """Metres of the camera above the floor."""
    distance: Float[Array, "*lead"]
    """Metres along the floor from the target to the camera."""
    focal: Float[Array, "*lead"]
    """Focal length in pixels."""
    center: Float[Array, "*lead xy"]
    """Principal point in pixels, pixel centres at integers."""
    target: Float[Array, "*lead xyz"]
    """Metres, world; the optical axis goes through it."""


def rotation(camera: Camera) -> tuple[Float[Array, "*lead axis xyz"], Float[Array, "*lead xyz"]]:
    """The camera's axes (picture right, picture down, forward) as unit vectors of the world, and its position there."""
    angle = jnp.deg2rad(camera.azimuth)
    outward = jnp.stack([jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle)], -1)
    up = jnp.zeros_like(outward).at[..., 2].set(1.0)
    position = (
        camera.target * jnp.array([1.0, 1.0, 0.0]).reshape((1,) * angle.ndim + (3,))
        + outward * camera.distance[..., None]
        + up * camera.height[..., None]
    )
    forward = camera.target - position
    forward = forward / jnp.linalg.norm(forward, axis=-1, keepdims=True)
    right = jnp.cross(forward, up)
    right = right / jnp.linalg.norm(right, axis=-1, keepdims=True)
    return jnp.stack([right, jnp.cross(forward, right), forward], -2), position


def to_camera(camera: Camera, points: Float[Array, "*points xyz"]) -> Float[Array, "*points xyz"]:
    """World points of one camera (without leading axes) in camera axes: right, down, forward; metres."""
    axes, position = rotation(camera)
    return jnp.einsum("...i,ji->...j", points - position.reshape((1,) * (points.ndim - 1) + (3,)), axes)


def project(
    camera: Camera, points: Float[Array, "*points xyz"]
) -> tuple[Float[Array, "*points xy"], Float[Array, "*points"]]:
    """Perspective picture of world points.

    Args:
        camera: one camera, without leading axes (vmap over more).
        points: metres, world axes.

    Returns:
        pixels: (..., xy), pixel centres at integers; may lie outside the picture.
        depth: (...), metres along the optical axis; negative behind the camera, whose pixels mean nothing.
    """
    local = to_camera(camera, points)
    depth = local[..., 2]
    scale = camera.focal / jnp.maximum(depth, NEAR)
    center = camera.center.reshape((1,) * (points.ndim - 1) + (2,))
    return local[..., :2] * scale[..., None] + center, depth


def pixel_rays(
    camera: Camera, column: Float[Array, "height width"], line: Float[Array, "height width"]
) -> tuple[Float[Array, "height width"], Float[Array, "height width"], Float[Array, "height width"]]:
    """Direction (x, y, z) in the world, one metre deep along the optical axis, that pixels at (column, line) see."""
    axes, _ = rotation(camera)
    right = (column - camera.center[0]) / camera.focal
    down = (line - camera.center[1]) / camera.focal
    x, y, z = (axes[2, axis] + right * axes[0, axis] + down * axes[1, axis] for axis in range(3))
    return x, y, z


def crop_camera(camera: Camera, box: Float[Array, " xyxy"], size: tuple[int, int]) -> Camera:
    """The camera whose whole picture is the part `box` (x0, y0, x1, y1, edges in pixels) of `camera`'s picture.

    The box is taken to have the aspect of `size` (height, width) in pixels; its height decides the scale.
    """
    scale = size[0] / (box[3] - box[1])
    corner = box[:2]
    # an edge lies half a pixel outside the centre of the first pixel, on either scale
    return camera._replace(focal=camera.focal * scale, center=(camera.center - corner) * scale - 0.5)


def person_box(
    camera: Camera, points: Float[Array, "point xyz"], reach: Float[Array, " point"]
) -> Float[Array, " xyxy"]:
    """Box in pixels around the picture of points that are fat by `reach` metres each."""
    pixels, depth = project(camera, points)
    fat = (reach * camera.focal / jnp.maximum(depth, NEAR))[:, None]
    return jnp.concatenate([jnp.min(pixels - fat, 0), jnp.max(pixels + fat, 0)])


def person_crop(
    box: Float[Array, " xyxy"],
    size: tuple[int, int] = (192, 144),
    shift: Float[Array, " xy"] | None = None,
    scale: Float[Array, ""] | float = 1.0,
) -> Float[Array, " xyxy"]:
    """The crop that the video road cuts around a person's box, in the same pixels.

    Its height is CROP_MARGIN x max(box height, box width x height/width of the crop), its aspect that of `size`, its
    centre the box's, moved by `shift` (fractions of the crop height) and made larger by `scale`: a detector's errors.
    """
    aspect = size[1] / size[0]
    height = CROP_MARGIN * scale * jnp.maximum(box[3] - box[1], (box[2] - box[0]) / aspect)
    middle = (box[:2] + box[2:]) / 2
    if shift is not None:
        middle = middle + shift * height
    half = jnp.stack([height * aspect, height]) / 2
    return jnp.concatenate([middle - half, middle + half])


def draw_camera(
    key: PRNGKeyArray,
    view: Float[Array, ""] | float | int,
    size: tuple[int, int],
    side: Float[Array, ""] | float | int = 0.0,
    fill: tuple[float, float] = (0.35, 0.75),
) -> Camera:
    """A plausible tripod: 0.8-3 m high (mostly 1-2 m), 3-10 m away, the walker `fill` of the picture high.

    Args:
        key: random key.
        view: degrees 0..180, as CASIA-B counts.
        size: (height, width) of the picture in pixels.
        side: 1 camera on the walker's left (he walks to the left), -1 on his right, 0 drawn.
        fill: least and greatest height of a walker of 1.7 m at the target, as a part of the picture height.

    Returns:
        A camera that looks at the origin at breast height or a little off it.
    """
    of_side, of_height, of_distance, of_fill, of_target = jax.random.split(key, 5)
    drawn = jnp.where(jax.random.bernoulli(of_side), 1.0, -1.0)
    sign = jnp.where(jnp.asarray(side, jnp.float32) == 0, drawn, jnp.sign(jnp.asarray(side, jnp.float32)))
    height = 0.8 + 2.2 * jax.random.beta(of_height, 1.6, 3.0)
    distance = 3.0 * (10 / 3.0) ** jax.random.uniform(of_distance)
    part = jax.random.uniform(of_fill, (), minval=fill[0], maxval=fill[1])
    reach = jnp.hypot(distance, height - 0.9)
    target = jnp.array([0.0, 0.0, 0.95]) + jnp.array([0.0, 0.0, 0.12]) * jax.random.normal(of_target, (3,))
    return Camera(
        azimuth=sign * jnp.asarray(view, jnp.float32),
        height=height,
        distance=distance,
        focal=part * size[0] * reach / 1.7,
        center=jnp.array([(size[1] - 1) / 2, (size[0] - 1) / 2], jnp.float32),
        target=target,
    )
