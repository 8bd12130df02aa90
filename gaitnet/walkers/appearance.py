"""What a walker wears and carries: colours, patterns, hair, sleeves, coat and bags. Never who he is.

Nothing here takes a person: clothes are drawn from their own key, so a model that learns the shirt scores at chance.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gaitnet.walkers.draws import Draws

MATERIALS = ("skin", "hair", "top", "trousers", "shoes", "bag", "eyes", "sole")
"""Names along `Appearance.colors`."""

PATTERNS = ("plain", "hoops", "stripes", "check")
"""Names of `Appearance.pattern`: one colour, bands across the limb, bands along it, both."""

_NM, _BP, _HB, _CL, _SH = range(5)  # motion.CONDITIONS


class Appearance(NamedTuple):
    """Clothes and hair of one walker; colours are sRGB 0..255 as under full light."""

    colors: Float[Array, "material=8 rgb=3"]
    second: Float[Array, "garment=2 rgb=3"]
    """The pattern's other colour, of top and trousers."""
    pattern: Int[Array, "garment=2"]
    """Index in PATTERNS, of top and trousers."""
    frequency: Float[Array, "garment=2"]
    """Bands a metre."""
    folds: Float[Array, ""]
    """Depth of the folds in the cloth, 0..1."""
    ease: Float[Array, "garment=2"]
    """Metres that top and trousers stand off the body."""
    hem: Float[Array, ""]
    """Radius in metres of a trouser leg at the ankle."""
    sleeve: Float[Array, ""]
    """Part of the arm that is covered: 0 none, 0.5 to the elbow, 1 to the wrist."""
    leg: Float[Array, ""]
    """Part of the leg that is covered: 0.4 shorts, 1 long trousers."""
    skirt: Float[Array, ""]
    """Length of skirt or coat below the hip, of the thigh's length; 0 none."""
    coat: Float[Array, ""]
    """1 where the skirt belongs to a coat of the top's cloth, 0 where it is of the trousers' cloth."""
    hair: Float[Array, ""]
    """0 shaven, 0.2 short, 1 over the shoulders."""
    fringe: Float[Array, ""]
    """How far the hair comes into the forehead, 0..1."""
    backpack: Float[Array, ""]
    """Size, 0 none, 1 an ordinary day pack."""
    handbag: Float[Array, "side=2"]
    """Size in the right and in the left hand, 0 none, 1 an ordinary shopping bag."""


_SKIN = np.array(
    [[238, 202, 178], [224, 178, 150], [200, 150, 118], [168, 118, 86], [122, 80, 58], [84, 56, 44]], np.float32
)
_HAIR = np.array(
    [[24, 20, 20], [44, 32, 26], [78, 54, 36], [128, 92, 58], [186, 152, 100], [150, 150, 150]], np.float32
)
# Cloth as the street wears it: mostly dark, grey, white, denim, khaki; now and then a colour.
_CLOTH = np.array(
    [
        [24, 24, 28], [40, 42, 48], [70, 72, 78], [110, 112, 116], [160, 160, 160], [228, 228, 226], [242, 240, 235],
        [28, 36, 62], [44, 60, 98], [82, 104, 140], [120, 96, 66], [150, 128, 84], [190, 172, 138], [72, 82, 56],
        [112, 34, 40], [176, 52, 52], [52, 98, 76], [90, 130, 176], [214, 168, 70], [206, 130, 150],
    ],
    np.float32,
)  # fmt: skip
_CLOTH_DARK = 10
"""How many of the first colours trousers are mostly cut from."""


def _shade(draws: Draws, table: np.ndarray, spread: float, rows: int = 0) -> Float[Array, " rgb"]:
    light, hue = draws.normal(), draws.normal(3)
    return jnp.clip(draws.row(table, rows) * jnp.exp(spread * light) + 40 * spread * hue, 6, 250)


def _cloth(draws: Draws, rows: int = 0) -> Float[Array, " rgb"]:
    """A garment's colour: seven in eight from the street's table, else anything."""
    free = jnp.stack([draws.between(10.0, 245.0) for _ in range(3)])
    return jnp.where(draws.chance(0.88), _shade(draws, _CLOTH, 0.15, rows), free)


def draw_appearance(
    key: PRNGKeyArray, condition: int | Int[Array, ""] = 0, bag_side: Float[Array, ""] | None = None
) -> Appearance:
    """Clothes, hair and bags for one walk.

    Args:
        key: random key; equal keys dress alike, whoever is inside.
        condition: index in `motion.CONDITIONS`: NM, BP (adds a backpack), HB (a hand bag), CL (a coat that hides the
            thighs), SH (nothing to see: coated shoes look like shoes).
        bag_side: the hand that holds the bag, 0 right, 1 left (`Walk.bag_side`, whose arm hangs still); None draws it.

    Returns:
        An appearance, independent of identity.
    """
    draws = Draws(key, 96)
    condition = jnp.asarray(condition)
    bag, size, left = _shade(draws, _CLOTH, 0.2), draws.between(0.7, 1.2), draws.chance(0.5).astype(jnp.float32)
    left = left if bag_side is None else jnp.asarray(bag_side, jnp.float32)
    skin = _shade(draws, _SKIN, 0.06)
    hair = jnp.where(draws.chance(0.12), _cloth(draws), _shade(draws, _HAIR, 0.15))  # a cap or a woollen hat
    shoes = jnp.where(draws.chance(0.25), 235.0, _cloth(draws))
    sole = jnp.where(draws.chance(0.5), 225.0, shoes * 0.6)
    top, trousers = _cloth(draws), _cloth(draws, _CLOTH_DARK)
    # plain, hoops, stripes, check: seven tops in ten are plain, nine trousers in ten
    pattern = [jnp.sum(draws.between() > jnp.array(steps)) for steps in ((0.70, 0.80, 0.90), (0.90, 0.92, 0.97))]
    coat = condition == _CL
    short_sleeve, sleeve = draws.chance(0.3), draws.between(0.2, 0.55)
    short_leg, leg = draws.chance(0.1), draws.between(0.3, 0.5)
    skirted, skirt = draws.chance(0.07), draws.between(0.6, 1.25)
    long_hair, length, short = draws.chance(0.35), draws.between(0.4, 1.0), draws.between(0.0, 0.3)
    ease = jnp.stack([draws.between(0.004, 0.016), draws.between(0.004, 0.016)])
    handbag = jnp.where(condition == _HB, size, 0.0)
    return Appearance(
        colors=jnp.stack([skin, hair, top, trousers, shoes, bag, skin * 0.3, sole]),
        second=jnp.stack([_cloth(draws), _cloth(draws)]),
        pattern=jnp.stack(pattern),
        frequency=jnp.stack([draws.between(6.0, 18.0), draws.between(6.0, 18.0)]),
        folds=draws.between(0.2, 1.0),
        ease=ease + jnp.where(coat, jnp.array([0.018, 0.0]), 0.0),
        hem=draws.between(0.05, 0.078),
        sleeve=jnp.where(short_sleeve & ~coat, sleeve, 1.0),
        leg=jnp.where(short_leg & ~coat, leg, 1.0),
        skirt=jnp.where(coat, draws.between(0.65, 1.15), jnp.where(skirted, skirt, 0.0)),
        coat=coat.astype(jnp.float32),
        hair=jnp.where(long_hair, length, short),
        fringe=draws.between(),
        backpack=jnp.where(condition == _BP, size, 0.0),
        handbag=handbag * jnp.stack([1 - left, left]),
    )
