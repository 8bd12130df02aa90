"""Where the walker walks and how the camera takes it: wall, floor, light, shadow, and the sensor's faults."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from gaitnet.walkers.camera import Camera, pixel_rays, rotation
from gaitnet.walkers.draws import Draws, hash_normal

BACKGROUNDS = ("brick", "room", "trees", "asphalt", "gradient", "photograph")
"""Names of the kinds of wall; `asphalt` is a bare rendered wall over rough ground."""

WALL_SIZE = (128, 256)
"""Texels of a wall (height, width): powers of two, so that repeating them is a bit mask."""

FLOOR_SIZE = (128, 128)


class Scene(NamedTuple):
    """A place, its light and the sensor; leading axes are free. Colours sRGB 0..255."""

    wall: UInt32[Array, "*lead texel"]
    """Packed RGB of WALL_SIZE texels, row by row; repeated mirrored where the picture sees more."""
    floor: UInt32[Array, "*lead texel"]
    density: Float[Array, "*lead surface=2"]
    """Texels a metre on wall and floor."""
    skirting: Float[Array, "*lead"]
    """Height in metres of the wall's lowest texel row: 0, or below where a photograph takes the floor's place."""
    behind: Float[Array, "*lead"]
    """Metres from the walker's path to the wall."""
    light: Float[Array, "*lead xyz"]
    """Unit vector to the lamp or the sun, world axes."""
    key: Float[Array, "*lead rgb"]
    """Strength and colour of that light."""
    ambient: Float[Array, "*lead"]
    """Light from everywhere."""
    shadow: Float[Array, "*lead"]
    """Depth of the cast shadow, 0..1."""
    contact: Float[Array, "*lead"]
    """Depth of the shadow at the feet, 0..1."""
    blur: Float[Array, "*lead"]
    """Share of its light that each pixel lends to either neighbour, 0..1/3: lens and interpolation."""
    noise: Float[Array, "*lead"]
    """Standard deviation of the sensor's noise, levels."""
    contrast: Float[Array, "*lead"]
    brightness: Float[Array, "*lead"]
    """Levels added after contrast."""
    grey: Float[Array, "*lead"]
    """1 monochrome, 0 in colours."""
    quality: Float[Array, "*lead"]
    """JPEG quality 5..100; over 95 leaves pixels as they are."""


def pack(image: Float[Array, "*lead rgb=3"]) -> UInt32[Array, "*lead"]:
    """RGB 0..255 in one integer, so that a texel costs one look-up."""
    levels = jnp.clip(jnp.round(image), 0, 255).astype(jnp.uint32)
    return levels[..., 0] | levels[..., 1] << 8 | levels[..., 2] << 16


def unpack(packed: Array) -> list[Array]:
    """The planes of packed texels, float 0..255."""
    return [((packed >> shift) & 255).astype(jnp.float32) for shift in (0, 8, 16)]


def _clouds(noise: Array, octaves: tuple[int, ...] = (3, 8, 20, 50)) -> Array:
    """Smooth noise about 0, s.d. about 1, of the size of `noise`, whose corner its bumps are taken from."""
    size = noise.shape
    total = jnp.zeros(size)
    for place, cells in enumerate(octaves):
        coarse = noise[place:, place:][:cells, : cells * size[1] // size[0]]
        total = total + jax.image.resize(coarse, size, "linear") * 0.62**place
    return total


def _mix(a: Array, b: Array, amount: Array) -> Array:
    return a + (b - a) * amount[..., None]


def draw_wall(
    key: PRNGKeyArray, kind: Int[Array, ""] | int, density: Float[Array, ""]
) -> Float[Array, "height width rgb"]:
    """A wall's texels, bottom row last; `kind` indexes BACKGROUNDS (a photograph is not drawn: a gradient instead)."""
    height, width = WALL_SIZE
    draws, (grainy, cloudy) = Draws(key, 64), jax.random.bits(jax.random.fold_in(key, 1), (2,), jnp.uint32)
    up = ((height - 1 - jnp.arange(height, dtype=jnp.float32)) / density)[:, None] * jnp.ones((1, width))
    across = (jnp.arange(width, dtype=jnp.float32) / density)[None, :] * jnp.ones((height, 1))
    grain, clouds = hash_normal(grainy, WALL_SIZE), _clouds(hash_normal(cloudy, WALL_SIZE))

    def color(low: float = 30.0, high: float = 235.0, hue: float = 14.0) -> Array:
        return (jnp.clip(draws.between(low, high) + hue * draws.normal(3), 5, 250)).reshape(1, 1, 3)

    plain, other = color(), color()
    bed = 0.075 + 0.06 * draws.between()
    joint = jnp.maximum(0.12, 1.02 / (density * bed))  # a texel at least, or it comes and goes
    line = jnp.floor(up / bed)
    stone = across / (2.8 * bed) + 0.5 * (line % 2)
    mortar = (jnp.minimum(up / bed - line, (stone - jnp.floor(stone)) * 2.8) < joint).astype(jnp.float32)
    shade = jnp.sin(line * 91.7 + jnp.floor(stone) * 37.3)
    red = jnp.array([[[150.0, 84.0, 62.0]]]) + 0.3 * (plain - 128)
    brick = _mix(red + (14 * shade + 8 * clouds + 6 * grain)[..., None], other * 0.5 + 90, mortar)

    # a room: painted wall, door or posters, skirting board
    room = plain + (5 * clouds + 2 * grain)[..., None]
    reach = width / density
    for _ in range(4):
        left, wide, low, tall = (draws.between() for _ in range(4))
        wide, low = 0.3 + 1.1 * wide, jnp.where(low < 0.4, 0.0, low * 1.3)
        inside = (jnp.abs(across - left * reach) < wide / 2) & (up >= low) & (up < low + 0.6 + 1.6 * tall)
        room = _mix(
            room, color() + (8 * clouds)[..., None] * jnp.array([[[1.0, 0.5, -1.0]]]), inside.astype(jnp.float32)
        )
    room = _mix(room, other, (up < 0.09).astype(jnp.float32))

    green = jnp.array([[[62.0, 84.0, 44.0]]]) + 0.2 * (plain - 128)
    leaves = green + (26 * clouds + 16 * grain)[..., None]
    hedge = 1.2 + 2.2 * draws.between() + 0.35 * clouds
    sky = jnp.array([[[178.0, 204.0, 232.0]]]) + 12 * up[..., None]
    trees = _mix(leaves, sky, (up > hedge).astype(jnp.float32))
    trunk = jnp.abs(jnp.sin(across * (0.7 + 1.2 * draws.between()) + draws.between(0.0, 3.14) + 0.06 * clouds)) < 0.05
    trees = _mix(trees, jnp.array([[[72.0, 56.0, 44.0]]]) + (10 * grain)[..., None], trunk.astype(jnp.float32))

    rough = plain + (10 * clouds + 9 * grain)[..., None]
    ramp = (jnp.cos(draws.between(0.0, 6.28)) * up / 3 + 0.5 * across / reach)[..., None]
    gradient = plain + (other - plain) * jnp.clip(ramp, 0, 1)
    every = jnp.stack([brick, room, trees, rough, gradient, gradient])
    return jnp.clip(every[jnp.asarray(kind)], 0, 255)


def draw_floor(key: PRNGKeyArray, kind: Int[Array, ""] | int) -> Float[Array, "height width rgb"]:
    """A floor's texels: tiles in a room, else rough ground, grass under trees."""
    draws, (grainy, cloudy) = Draws(key, 8), jax.random.bits(jax.random.fold_in(key, 1), (2,), jnp.uint32)
    grain, clouds = hash_normal(grainy, FLOOR_SIZE), _clouds(hash_normal(cloudy, FLOOR_SIZE), (4, 12, 30))
    plain = (draws.between(50.0, 200.0) + 12 * draws.normal(3)).reshape(1, 1, 3)
    place = jnp.arange(FLOOR_SIZE[0])
    joint = ((place % 32 == 0)[:, None] | (place % 32 == 0)[None, :]).astype(jnp.float32)
    tiled = draws.chance(0.5).astype(jnp.float32)
    indoors = plain + (4 * clouds + 2 * grain)[..., None] - (26 * tiled * joint)[..., None]
    asphalt = plain + (7 * clouds + 10 * grain)[..., None]
    grass = jnp.array([[[92.0, 108.0, 62.0]]]) + 0.4 * (plain - 128) + (12 * clouds + 14 * grain)[..., None]
    meadow = (jnp.asarray(kind) == 2) & draws.chance(0.5)
    floor = jnp.where(meadow, grass, jnp.where((jnp.asarray(kind) == 1) | (jnp.asarray(kind) == 4), indoors, asphalt))
    return jnp.clip(floor, 0, 255)


PHOTOGRAPH_WIDTH = 13.0
"""Metres that a photograph behind the walker is wide."""


def draw_scene(key: PRNGKeyArray, photographs: Array | None = None, photograph_share: float = 1.0) -> Scene:
    """A place, light and sensor; independent of who walks there.

    Args:
        key: random key.
        photographs: (photograph, height, width, rgb) 0..255, uint8 or float, to stand behind the walker; None for none.
        photograph_share: how often one of them is taken, where there are any.
    """
    of_draws, of_wall, of_floor, of_photograph = jax.random.split(key, 4)
    draws = Draws(of_draws, 32)
    kind = jnp.minimum((draws.between() * 5).astype(jnp.int32), 4)
    density = jnp.stack([draws.between(28.0, 64.0), draws.between(25.0, 60.0)])
    wall = draw_wall(of_wall, kind, density[0])
    skirting = jnp.float32(0.0)
    take = draws.chance(photograph_share)
    if photographs is not None:
        chosen = photographs[jax.random.randint(of_photograph, (), 0, photographs.shape[0])].astype(jnp.float32)
        wall = jnp.where(take, jax.image.resize(chosen, (*WALL_SIZE, 3), "linear"), wall)
        # a photograph fills the view: repeated like wallpaper it would show people upside down
        density = density.at[0].set(jnp.where(take, WALL_SIZE[1] / PHOTOGRAPH_WIDTH, density[0]))
        skirting = jnp.where(take, -WALL_SIZE[0] / density[0] * 0.35, 0.0)
    around, high = draws.between(0.0, 2 * jnp.pi), jnp.deg2rad(draws.between(25.0, 80.0))
    ambient = draws.between(0.35, 0.8)
    warm = 1 + 0.06 * draws.normal() * jnp.array([1.0, 0.0, -1.0])
    outdoors = (kind == 2) | (kind == 3)
    return Scene(
        wall=pack(wall).reshape(-1),
        floor=pack(draw_floor(of_floor, kind)).reshape(-1),
        density=density,
        skirting=skirting,
        behind=0.8 * 10.0 ** draws.between() + jnp.where(outdoors, 2.0, 0.0),
        light=jnp.stack([jnp.cos(high) * jnp.cos(around), jnp.cos(high) * jnp.sin(around), jnp.sin(high)]),
        key=(1.15 - ambient * 0.9) * draws.between(0.75, 1.1) * warm,
        ambient=ambient,
        shadow=jnp.where(outdoors, 1.0, 0.5) * draws.between(0.0, 0.6),
        contact=draws.between(0.15, 0.6),
        blur=0.33 * draws.between() ** 1.5,
        noise=8.0 * draws.between() ** 2,
        contrast=draws.between(0.75, 1.2),
        brightness=14 * draws.normal()[0],
        grey=draws.chance(0.12).astype(jnp.float32),
        quality=jnp.where(draws.chance(0.5), 100.0, draws.between(30.0, 95.0)),
    )


class Backdrop(NamedTuple):
    """The empty scene; (height, width) each."""

    rgb: tuple[Array, Array, Array]
    ground: tuple[Array, Array]
    """World x and y in metres of the floor that the pixel sees."""
    floor: Array
    """1 where the pixel sees the floor."""


def backdrop(
    scene: Scene, camera: Camera, column: Float[Array, "height width"], line: Float[Array, "height width"]
) -> Backdrop:
    """The scene without people, at pixels (column, line): a floor z = 0, and behind the walkers a wall across it."""
    axes, position = rotation(camera)
    x, y, z = pixel_rays(camera, column, line)
    ahead = jnp.array([axes[2, 0], axes[2, 1]])
    ahead = ahead / jnp.linalg.norm(ahead)
    to_wall = jnp.maximum(scene.behind - position[0] * ahead[0] - position[1] * ahead[1], 1.0) / jnp.maximum(
        x * ahead[0] + y * ahead[1], 1e-3
    )
    to_floor = jnp.where(z < -1e-4, position[2] / jnp.maximum(-z, 1e-4), 1e6)
    to_floor = jnp.where(scene.skirting < 0, 1e6, to_floor)
    floor = to_floor < to_wall
    sight = jnp.minimum(to_floor, to_wall)
    ground_x, ground_y = position[0] + sight * x, position[1] + sight * y
    lateral = ground_x * axes[0, 0] + ground_y * axes[0, 1]
    height = position[2] + sight * z

    # one table, so that each corner of the bilinear cell costs one look-up
    table = jnp.concatenate([scene.wall, scene.floor])
    density = jnp.where(floor, scene.density[1], scene.density[0])
    # the wall's texture is centred behind the origin: its mirror lines stand off to both sides
    across = jnp.where(floor, ground_x, lateral) * density + jnp.where(floor, 0.0, WALL_SIZE[1] / 2)
    down = jnp.where(floor, ground_y, scene.skirting - height) * density + jnp.where(floor, 0.0, WALL_SIZE[0] - 1.0)
    count_x, count_y = jnp.where(floor, FLOOR_SIZE[1], WALL_SIZE[1]), jnp.where(floor, FLOOR_SIZE[0], WALL_SIZE[0])
    first = jnp.where(floor, WALL_SIZE[0] * WALL_SIZE[1], 0)
    whole_x, whole_y = jnp.floor(across), jnp.floor(down)

    def fold(index: Array, count: Array) -> Array:
        """Mirrored at the borders; sizes are powers of two."""
        inside = index.astype(jnp.int32) & (2 * count - 1)
        return jnp.minimum(inside, 2 * count - 1 - inside)

    xs = [fold(whole_x + step, count_x) for step in (0, 1)]
    ys = [first + fold(whole_y + step, count_y) * count_x for step in (0, 1)]
    corners = [table.at[row + column].get(mode="promise_in_bounds") for row in ys for column in xs]
    share_x, share_y = across - whole_x, down - whole_y
    a, b, c, d = (unpack(corner) for corner in corners)
    rgb = []
    for channel in range(3):
        upper = a[channel] + (b[channel] - a[channel]) * share_x
        lower = c[channel] + (d[channel] - c[channel]) * share_x
        rgb.append(upper + (lower - upper) * share_y)
    return Backdrop((rgb[0], rgb[1], rgb[2]), (ground_x, ground_y), floor.astype(jnp.float32))
