"""What changes from walk to walk of a walker, for the posture vectors beside GaitNN's: drawn, measured, written."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from gaitnet.pose_maps import RATE
from gaitnet.pose_statistics import QUANTILES, STEP, WINDOW, pose_statistics
from gaitnet.posture import SHRINKAGE, Posture, fit_posture
from gaitnet.walkers.body import draw_person
from gaitnet.walkers.walk import CONDITIONS
from humanpose.checkpoint import save
from train.gait import draw_keypoints
from train.gait_errors import simulated


@dataclasses.dataclass(frozen=True)
class PostureConfig:
    """Of the walkers that `make_posture` draws: how many, how often, how many steps of the pose maps each; and who.

    `view_spread`: degrees about the side, one standard deviation. `weight` as `Posture` has it.
    """

    people: int = 400
    walks: int = 8
    frames: int = 48
    view_spread: float = 8.0
    shrinkage: float = SHRINKAGE
    weight: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("people", 2), ("walks", 2), ("frames", 12)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected {least} or more, got {getattr(self, name)}")
        if not 0 < self.weight <= 100:
            raise ValueError(f"weight: expected above 0 and at most 100, got {self.weight}")


def drawn_statistics(config: PostureConfig) -> Float[np.ndarray, "person window statistic"]:
    """Posture statistics of walkers under every condition, on two days, from about the side, with simulated errors."""
    people = jax.vmap(draw_person)(jax.random.split(jax.random.key(config.seed), config.people))

    @jax.jit
    def once(key: Any) -> Float[Any, "person time 16 2"]:
        of_condition, of_session, of_view, of_walk, of_errors = jax.random.split(key, 5)
        condition = jax.random.randint(of_condition, (config.people,), 0, len(CONDITIONS))
        session = jax.random.randint(of_session, (config.people,), 0, 2)
        view = 90 + config.view_spread * jax.random.normal(of_view, (config.people,))
        walk = jax.vmap(partial(draw_keypoints, steps=config.frames))
        drawn = walk(jax.random.split(of_walk, config.people), people, condition, view, session)
        return simulated(of_errors, drawn).keypoints

    seen = np.ones((config.frames, 16), bool)
    walks = [np.asarray(once(key)) for key in jax.random.split(jax.random.key(config.seed + 1), config.walks)]
    told = [[pose_statistics(keypoints, seen, RATE) for keypoints in walk] for walk in walks]
    return np.concatenate([np.stack(walk) for walk in told], axis=1)


def make_posture(to: str | Path, config: PostureConfig | None = None, card: dict[str, Any] | None = None) -> Posture:
    """Fit the posture on drawn walkers and write it as a checkpoint into the folder `to`."""
    config = config or PostureConfig()
    posture = fit_posture(drawn_statistics(config), config.shrinkage, config.weight)
    made = {
        **dataclasses.asdict(config), "quantiles": QUANTILES, "window_seconds": WINDOW, "step_seconds": STEP,
    }  # fmt: skip
    save(to, {"centre": posture.centre, "whitening": posture.whitening}, made, card or {}, network="Posture")
    return posture
