"""What a camera does to light: blur, noise, tone, and JPEG's blocks; cheap enough for every training frame."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from gaitnet.walkers.draws import hash_bits
from gaitnet.walkers.scene import Scene

_ORDER = np.arange(8)
_DCT = np.sqrt(np.where(_ORDER[:, None] == 0, 1, 2) / 8) * np.cos(np.pi * _ORDER[:, None] * (2 * _ORDER[None] + 1) / 16)
_DCT_2D = np.kron(_DCT, _DCT).astype(np.float32)
"""(frequency, pixel): a block of 64 pixels, row by row, to its 64 cosine coefficients."""

_QUANTA = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ],
    np.float32,
)  # fmt: skip
"""Quantisation steps of the luminance at quality 50: ITU-T T.81, table K.1."""


def jpeg(plane: Float[Array, "height width"], quality: Float[Array, ""] | float) -> Float[Array, "height width"]:
    """One plane, 0..255, as JPEG of that quality (5..95) would give it back; over 95 it stays as it is.

    Sides that are no multiples of 8 keep their last rows and columns untouched.
    """
    height, width = (side // 8 * 8 for side in plane.shape)
    quality = jnp.asarray(quality, jnp.float32)
    scale = jnp.where(quality < 50, 50 / jnp.maximum(quality, 1), 2 - quality / 50)
    quanta = jnp.maximum(jnp.asarray(_QUANTA) * scale, 1.0)[None]
    blocks = plane[:height, :width].reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    coefficients = (blocks - 128) @ _DCT_2D.T
    blocks = (jnp.round(coefficients / quanta) * quanta) @ _DCT_2D + 128
    coded = blocks.reshape(height // 8, width // 8, 8, 8).transpose(0, 2, 1, 3).reshape(height, width)
    return plane.at[:height, :width].set(jnp.where(quality > 95, plane[:height, :width], coded))


def _blur(plane: Array, share: Array) -> Array:
    """Every pixel lends `share` of its light to either neighbour, down and across."""
    for axis in (0, 1):
        before = jnp.concatenate(
            [plane.take(jnp.array([0]), axis), jax.lax.slice_in_dim(plane, 0, -1, axis=axis)], axis
        )
        after = jnp.concatenate(
            [jax.lax.slice_in_dim(plane, 1, None, axis=axis), plane.take(jnp.array([-1]), axis)], axis
        )
        plane = plane + share * (before + after - 2 * plane)
    return plane


def expose(
    rgb: tuple[Array, Array, Array], scene: Scene, seed: UInt32[Array, ""], with_jpeg: bool = True
) -> Float[Array, "height width rgb=3"]:
    """Planes 0..255 as the scene's sensor gives them: blurred, toned, noisy, compressed; still 0..255."""
    planes = [_blur(plane, scene.blur) for plane in rgb]
    light = 0.299 * planes[0] + 0.587 * planes[1] + 0.114 * planes[2]
    bits = hash_bits(seed, (light.shape[0], light.shape[1]))
    # the sum of two even bytes has the s.d. 104.5; neighbouring colours share one, as demosaicing makes them
    loud = [((bits >> shift) & 255).astype(jnp.float32) for shift in (0, 8, 16, 24)]
    toned = []
    for index, plane in enumerate(planes):
        plane = plane + scene.grey * (light - plane)
        plane = (plane - 128) * scene.contrast + 128 + scene.brightness
        toned.append(plane + scene.noise / 104.5 * (loud[index] + loud[index + 1] - 255))
    if with_jpeg:
        light = 0.299 * toned[0] + 0.587 * toned[1] + 0.114 * toned[2]
        change = jpeg(light, scene.quality) - light
        toned = [plane + change for plane in toned]
    return jnp.clip(jnp.stack(toned, -1), 0.0, 255.0)
