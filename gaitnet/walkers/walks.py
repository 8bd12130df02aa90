"""Walks of numbered people as a pose network meets them: one walk at a time, rendered straight into person crops.

Who walks comes from one stream of keys, clothes, place and camera from another, so that neither tells of the other.
Crops are mirrored where the walker walks to the left, as the video road's are.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from gaitnet.walkers.appearance import draw_appearance
from gaitnet.walkers.body import common_body, draw_person
from gaitnet.walkers.camera import Camera
from gaitnet.walkers.dataset import plan_sequence, render_plan
from gaitnet.walkers.walk import CONDITIONS

DEMO, EVALUATION, STRANGERS, FILES = 7_100_000, 7_200_000, 7_300_000, 7_400_000
"""Seeds of crowds that share nobody with the training's (whose seeds are those of its presets) nor with each other.

Up to 99,999 may be added to each for other people of the same use."""

RATE = 25.0
"""Frames a second, as cameras have them."""

BANDS, CELLS = 6, (4, 3)
"""What the controls go by: bands down the walker's silhouette, cells (down, across) of the crop around it."""

_TRIES = 12


@dataclass(frozen=True)
class WalkPlan:
    """A walk to be rendered.

    `subject` counts within a crowd; `condition` is one of `walk.CONDITIONS`; walks of one `session` share a day;
    `view` in degrees, 0 towards the camera, 90 from the side; `take` tells walks apart that are alike in all the rest;
    `to_left` of the picture (as far as the view allows).
    """

    subject: int
    condition: str = "NM"
    session: int = 0
    view: float = 90.0
    take: int = 0
    to_left: bool = False

    def __post_init__(self) -> None:
        if self.condition not in CONDITIONS:
            raise ValueError(f"condition: expected one of {', '.join(CONDITIONS)}, got {self.condition!r}")
        if not 0 <= self.view <= 180 or min(self.subject, self.session, self.take) < 0:
            raise ValueError(f"view, subject, session, take: expected 0..180 degrees and counts from 0, got {self}")


class WalkCrops(NamedTuple):
    """A rendered walk. Picture pixels are those of a camera that keeps its focal length over the walk."""

    crops: UInt8[np.ndarray, "time height width 3"]
    """RGB; the walker walks to the right in them."""
    affines: Float[np.ndarray, "time 2 3"]
    """Crop pixels -> picture pixels; the first column is negative where the crop is mirrored."""
    times: Float[np.ndarray, " time"]
    """Seconds from 0."""
    mirrored: bool
    keypoints: Float[np.ndarray, "time 16 2"]
    """Where the joints are, picture pixels; right is the walker's own right."""
    visible: Bool[np.ndarray, "time 16"]
    colours: Float[np.ndarray, " number"]
    """What a shirt reader could go by: mean colours down the true silhouette, -1..1."""
    surroundings: Float[np.ndarray, " number"]
    """Mean colours of everything but the walker, -1..1."""


class Crowd:
    """People by number, and their walks.

    Args:
        seed: equal seeds are equal people in equal clothes at equal places.
        frames: length of a walk, `RATE` a second.
        alike: everybody has one common body and wears the same: only motion tells people apart.
        size: (height, width) of the crops in pixels.
    """

    def __init__(self, seed: int, frames: int = 48, alike: bool = False, size: tuple[int, int] = (192, 144)) -> None:
        if frames < 2:
            raise ValueError(f"frames: expected at least 2 for a walk, got {frames}")
        self.seed, self.frames, self.alike, self.size = seed, frames, alike, size

    def render(self, plan: WalkPlan) -> WalkCrops:
        """One walk; compiled on the first call, for all plans alike. Threads may share it."""
        condition = CONDITIONS.index(plan.condition)
        numbers = (self.seed, plan.subject, condition, plan.session, round(plan.view), plan.take, int(plan.to_left))
        drawn = _render(
            np.uint32(self.seed), plan.subject, np.random.SeedSequence(numbers).generate_state(1)[0],
            condition, plan.session, float(plan.view), plan.to_left, self.alike, frames=self.frames, size=self.size,
        )  # fmt: skip
        crops, affines, mirrored, *rest = map(np.asarray, drawn)
        return WalkCrops(crops, affines, np.arange(self.frames) / RATE, bool(mirrored), *rest)


@partial(jax.jit, static_argnames=("frames", "size"))
def _render(seed, subject, walk_seed, condition, session, view, to_left, alike, *, frames, size):
    person = draw_person(jax.random.fold_in(jax.random.key(seed), subject))
    person = person._replace(
        body=jax.tree.map(lambda common, own: jnp.where(alike, common, own), common_body(), person.body)
    )

    def planned(key):
        return plan_sequence(key, person, condition, view, frames, RATE, session, size)

    def goes_left(key):
        # a camera on the walker's left sees him walk to the left of the picture
        return planned(key).cameras.azimuth[0] > 0

    # the side is drawn with all the rest, so take the first draw of the side that is wanted
    keys = jax.random.split(jax.random.key(walk_seed), _TRIES)
    sides = jax.vmap(goes_left)(keys)
    chosen = jnp.argmax(sides == to_left)
    plan, mirrored = planned(keys[chosen]), sides[chosen]
    same = draw_appearance(jax.random.key(0), condition, jnp.zeros(()))
    plan = plan._replace(wear=jax.tree.map(lambda common, own: jnp.where(alike, common, own), same, plan.wear))
    drawn = render_plan(plan, size)
    rgb, silhouettes = drawn.frames, drawn.silhouettes
    crops = jnp.where(mirrored, rgb[:, :, ::-1], rgb)
    straight, turned = (crop_affines(plan.cameras, side, size[1]) for side in (False, True))
    affines = jnp.where(mirrored, turned, straight)
    keypoints = jnp.einsum("tij,tkj->tki", straight[:, :, :2], drawn.keypoints) + straight[:, None, :, 2]
    colours = _means(rgb, silhouettes, (BANDS, 1))
    return crops, affines, mirrored, keypoints, drawn.visible, colours, _means(rgb, 1 - silhouettes, CELLS)


def crop_affines(cameras: Camera, mirrored: bool, width: int) -> Float[Array, "time 2 3"]:
    """Affines from crop pixels to one picture, for crop cameras that follow a walker (one a frame).

    The picture is that of the same camera at the mean focal length, its axis at 0: it neither jumps nor zooms with the
    crops. `mirrored`: the crops, `width` pixels wide, were turned round after they were drawn.
    """
    scale = jnp.mean(cameras.focal) / cameras.focal
    none = jnp.zeros_like(scale)
    x, y = cameras.center[:, 0], cameras.center[:, 1]
    across = (-scale, none, scale * (width - 1 - x)) if mirrored else (scale, none, -scale * x)
    return jnp.stack([jnp.stack(across, -1), jnp.stack([none, scale, -scale * y], -1)], axis=1)


def _means(
    rgb: UInt8[Array, "time height width 3"], share: Float[Array, "time height width"], cells: tuple[int, int]
) -> Float[Array, " number"]:
    """Mean colours over the time and over cells (down, across) of what `share` marks; 0 where there is nothing."""
    time, height, width = share.shape
    down, across = cells
    blocks = (time, down, height // down, across, width // across)
    weights = share[:, : blocks[1] * blocks[2], : blocks[3] * blocks[4]].reshape(*blocks, 1)
    colours = rgb[:, : blocks[1] * blocks[2], : blocks[3] * blocks[4]].astype(jnp.float32).reshape(*blocks, 3)
    total = jnp.sum(weights * (colours / 127.5 - 1), axis=(0, 2, 4))
    return (total / jnp.maximum(jnp.sum(weights, axis=(0, 2, 4)), 1.0)).reshape(-1)
