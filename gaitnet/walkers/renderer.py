"""Walkers to pictures: RGB, silhouettes, joints and who hides what, from one pass, in pure JAX.

Render is made of two halves so that many frames cost little: `prepare` is small arithmetic a frame (vmap it), `draw` is
the pixels (map it on a CPU, vmap it on a GPU; `render_frames` does either).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8, UInt32

from gaitnet.walkers.appearance import Appearance
from gaitnet.walkers.body import RADII
from gaitnet.walkers.camera import Camera, project
from gaitnet.walkers.paint import Figure, paint, shadow
from gaitnet.walkers.primitives import Cones, cones
from gaitnet.walkers.raster import FAR, Projected, cover, project_cones
from gaitnet.walkers.scene import Scene, backdrop
from gaitnet.walkers.sensor import expose

_JOINT_RADIUS = tuple(
    RADII.index(name)
    for name in (
        "ankle", "knee", "thigh", "thigh", "knee", "ankle", "pelvis", "chest", "neck", "head",
        "wrist", "elbow", "shoulder", "shoulder", "elbow", "wrist",
    )
)  # fmt: skip

SEEN_MARGIN = 0.09
"""Metres of body, beyond a joint's own flesh and clothes, that may lie before it while it still counts as visible."""


class Rendered(NamedTuple):
    """One picture of some walkers."""

    rgb: Float[Array, "height width rgb=3"]
    """0..255."""
    silhouette: Float[Array, "people height width"]
    """0..1, the part of the pixel that is this walker (and not another before him)."""
    keypoints: Float[Array, "people joint=16 xy=2"]
    """Pixels, pixel centres at integers; also outside the picture."""
    visible: Bool[Array, "people joint=16"]
    """In the picture and not hidden by another walker, a bag, or another part of the own body."""
    depth: Float[Array, "height width"]
    """Metres along the optical axis to the nearest walker, FAR where there is none."""


class Prepared(NamedTuple):
    """What a frame's pixels are drawn from; every leaf has a leading axis `people` but those of scene and camera."""

    cones: Cones
    projected: Projected
    points: Float[Array, "people point=23 xyz=3"]
    reach: Float[Array, "people joint=16"]
    """Metres of flesh and cloth around each joint."""
    wear: Appearance
    camera: Camera


def prepare(
    points: Float[Array, "people point=23 xyz=3"],
    radii: Float[Array, "people radius=15"],
    appearance: Appearance,
    camera: Camera,
) -> Prepared:
    """Shape and project the walkers of one frame; arguments as in `render`."""
    shape = jax.vmap(cones)(points, radii, appearance)
    projected = jax.vmap(project_cones, (0, None))(shape, camera)
    reach = radii[:, jnp.array(_JOINT_RADIUS)] * 1.15 + 0.03
    return Prepared(shape, projected, points, reach, appearance, camera)


def draw(
    prepared: Prepared,
    scene: Scene,
    size: tuple[int, int],
    seed: UInt32[Array, ""],
    with_jpeg: bool = True,
    bands: int = 6,
    around: Prepared | None = None,
    photograph: Float[Array, "height width rgb=3"] | UInt8[Array, "height width rgb=3"] | None = None,
) -> Rendered:
    """The pixels of one prepared frame, `bands` strips of rows one after the other (1 suits a GPU).

    `around`, the same frame at other moments of its exposure (a leading axis), blurs what moves; labels and silhouettes
    are those of the frame itself. Why strips: a loop is what keeps XLA on a CPU from drawing a pixel again for every
    neighbour that blurs with it. `photograph` (0..255, of `size`) stands behind the walkers in place of wall and floor;
    shadow, lens and sensor are the scene's.
    """
    height = -(-size[0] // bands)
    behind = None
    if photograph is not None:
        rows = jnp.pad(photograph.astype(jnp.float32), ((0, bands * height - size[0]), (0, 0), (0, 0)), "edge")
        behind = rows.reshape(bands, height, size[1], 3)

    def strip(place: tuple[Array, Array | None]) -> tuple[Array, Array, Array]:
        top, behind = place
        line, column = jnp.meshgrid(top + jnp.arange(height), jnp.arange(size[1], dtype=jnp.float32), indexing="ij")
        packed, silhouettes, depth = _strip(prepared, scene, column, line, behind)
        if around is not None:
            others = jax.lax.map(
                lambda moment: jnp.stack(_loosen(_strip(moment, scene, column, line, behind)[0])), around
            )
            packed = _tighten(list(jnp.concatenate([jnp.stack(_loosen(packed))[None], others]).mean(axis=0)))
        return packed, silhouettes, depth

    packed, silhouettes, depth = jax.lax.map(strip, (jnp.arange(bands, dtype=jnp.float32) * height, behind))
    packed, depth = (plane.reshape(bands * height, size[1])[: size[0]] for plane in (packed, depth))
    silhouettes = silhouettes.transpose(1, 0, 2, 3).reshape(-1, bands * height, size[1])[:, : size[0]]
    keypoints, distance = jax.vmap(project, (None, 0))(prepared.camera, prepared.points[:, :16])
    column, line = (jnp.round(keypoints[..., axis]).astype(jnp.int32) for axis in (0, 1))
    inside = (column >= 0) & (column < size[1]) & (line >= 0) & (line < size[0]) & (distance > 0)
    before = depth[jnp.clip(line, 0, size[0] - 1), jnp.clip(column, 0, size[1] - 1)]
    visible = inside & (distance - before < prepared.reach + SEEN_MARGIN)
    return Rendered(expose(_loosen(packed), scene, seed, with_jpeg), silhouettes, keypoints, visible, depth)


def _strip(
    prepared: Prepared, scene: Scene, column: Array, line: Array, behind: Array | None
) -> tuple[Array, Array, Array]:
    """Packed colours, silhouettes and depth of some pixels; `behind` is seen past the walkers, by default the scene."""
    camera = prepared.camera
    layers = []
    for index in range(prepared.points.shape[0]):
        one = jax.tree.map(
            lambda leaf, index=index: leaf[index],
            Figure(prepared.cones, prepared.projected, prepared.points, prepared.wear),
        )
        cone, depth, coverage = cover(one.projected, column, line)
        layers.append((depth, coverage, paint(one, cone, depth, camera, scene, column, line)))
    back = backdrop(scene, camera, column, line)
    if behind is not None:
        back = back._replace(rgb=tuple(jnp.moveaxis(behind, -1, 0)))
    dark = shadow(back, scene, prepared.points, 0.9 * jnp.max(prepared.cones.radius[:, :2], (1, 2)))
    remaining = jnp.ones(column.shape)
    colors = [jnp.zeros(column.shape) for _ in range(3)]
    silhouettes, nearest = [], jnp.full(column.shape, FAR)
    for index, (depth, coverage, painted) in enumerate(layers):
        share = coverage
        for other, (front, hides, _) in enumerate(layers):
            if other != index:
                share = share * jnp.where(front < depth, 1 - hides, 1.0)
        silhouettes.append(share)
        remaining = remaining - share
        colors = [color + share * plane for color, plane in zip(colors, painted, strict=True)]
        nearest = jnp.minimum(nearest, depth)
    remaining = jnp.maximum(remaining, 0.0) * dark
    colors = [color + remaining * plane for color, plane in zip(colors, back.rgb, strict=True)]
    return _tighten(colors), jnp.stack(silhouettes), nearest


def _tighten(planes: list[Array]) -> Array:
    """Colours 0..255 to a quarter of a level in one integer a pixel: one array to write, so the work is done once."""
    levels = [(jnp.clip(plane, 0.0, 255.75) * 4 + 0.5).astype(jnp.uint32) for plane in planes]
    return levels[0] | levels[1] << 10 | levels[2] << 20


def _loosen(packed: Array) -> tuple[Array, Array, Array]:
    red, green, blue = (((packed >> shift) & 1023).astype(jnp.float32) / 4 for shift in (0, 10, 20))
    return red, green, blue


def render(
    points: Float[Array, "people point=23 xyz=3"],
    radii: Float[Array, "people radius=15"],
    appearance: Appearance,
    camera: Camera,
    scene: Scene,
    size: tuple[int, int] = (192, 144),
    seed: UInt32[Array, ""] | int = 0,
    with_jpeg: bool = True,
    photograph: Float[Array, "height width rgb=3"] | UInt8[Array, "height width rgb=3"] | None = None,
) -> Rendered:
    """One picture of walkers in a scene.

    Args:
        points: metres, world axes, in the order of `body.POINTS`.
        radii: girth / 2 pi in metres, in the order of `body.RADII`.
        appearance: its leaves have a leading axis `people`.
        camera: one camera; its pixels are those of the picture.
        scene: one scene.
        size: (height, width) in pixels.
        seed: of the sensor's noise.
        with_jpeg: whether `scene.quality` is applied; leave it to the codec for what goes into a file.
        photograph: what stands behind the walkers in place of the scene's wall and floor, 0..255, of `size`: sharper
            than a photograph on the wall (`draw_scene`), which is spread over 13 m.

    Returns:
        The picture, what is whose in it, and where the joints are.
    """
    prepared = prepare(points, radii, appearance, camera)
    return draw(prepared, scene, size, jnp.asarray(seed, jnp.uint32), with_jpeg, photograph=photograph)


def render_frames(
    points: Float[Array, "time people point=23 xyz=3"],
    radii: Float[Array, "people radius=15"],
    appearance: Appearance,
    cameras: Camera,
    scene: Scene,
    seeds: UInt32[Array, " time"],
    size: tuple[int, int] = (192, 144),
    with_jpeg: bool = True,
    together: int = 1,
    moments: Float[Array, "time moment people point=23 xyz=3"] | None = None,
) -> Rendered:
    """`render` for the frames of one sequence: as `render`, but points, cameras and seeds have a leading axis `time`.

    Args:
        points: see `render`.
        radii: see `render`.
        appearance: see `render`.
        cameras: one a frame.
        scene: see `render`.
        seeds: see `render`.
        size: see `render`.
        with_jpeg: see `render`.
        together: how many frames are drawn at once: 1 keeps a CPU's caches warm, a GPU wants all of them.
        moments: the points at other moments of each frame's exposure, for motion blur; each costs as much as a frame.
    """
    prepared = jax.vmap(prepare, (0, None, None, 0))(points, radii, appearance, cameras)
    each = jax.vmap(prepare, (0, None, None, None))
    around = None if moments is None else jax.vmap(each, (0, None, None, 0))(moments, radii, appearance, cameras)
    return jax.lax.map(
        lambda frame: draw(frame[0], scene, size, frame[1], with_jpeg, around=frame[2]),
        (prepared, seeds, around),
        batch_size=together if together > 1 else None,
    )
