"""The silhouettes task: who walks, from aligned silhouettes of a data set's gallery; identity is the label."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gaitnet.datasets.usf import CYCLE, load_usf, read_usf
from gaitnet.losses import part_cross_entropy, part_triplet_loss
from gaitnet.models.gaitbase import SMALL, GaitBase, GaitBaseConfig, describe
from gaitnet.silhouettes import cut_sides
from train.config import SilhouettesTaskConfig
from train.silhouette_augment import disturb, on_floor

FLOORS = (-0.125, 0.0, 0.125)
"""Shares of the height that the floor takes away, or adds, when held-out half cycles are looked at."""


def make_loss(config: SilhouettesTaskConfig):
    """Label-smoothed cross-entropy of scaled cosines and batch-all triplets, of every part by itself, and summed."""

    def loss_fn(model: GaitBase, batch: Mapping[str, jax.Array], rngs: nnx.Rngs):
        labels, frames = batch["labels"], jnp.asarray(batch["silhouettes"], jnp.float32)
        output = model(frames, jnp.ones(frames.shape[:2], bool), train=True)
        assert output.cosines is not None, "a network in training has a head"
        entropy = part_cross_entropy(config.scale * output.cosines, labels, label_smoothing=0.1)
        triplet = part_triplet_loss(output.parts, labels, config.margin)
        right = jnp.mean((jnp.argmax(output.cosines.mean(axis=1), axis=-1) == labels).astype(jnp.float32))
        return entropy + triplet, {"cross_entropy": entropy, "triplet": triplet, "right": right}

    return loss_fn


class Gallery:
    """Half cycles (sample, time, height, width) of the gallery by person, the last of each kept apart if so asked."""

    def __init__(self, root: Path, config: SilhouettesTaskConfig) -> None:
        """Reads the gallery; ValueError where it is not there, of other people than `config` says, or too small."""
        held_out = config.held_out
        walks = read_usf(root, sessions=("gallery",))
        self.samples = load_usf(walks[0].path).reshape(-1, CYCLE, 32, 22)
        self.people = sorted({walk.subject_id for walk in walks})
        own = [[walk.first_frame // CYCLE for walk in walks if walk.subject_id == person] for person in self.people]
        if len(own) != config.subjects:
            raise ValueError(f"--data: expected {config.subjects} people in the gallery, got {len(own)}")
        if min(map(len, own)) <= held_out:
            raise ValueError(f"held_out: somebody has {min(map(len, own))} half cycles, of which {held_out} cannot go")
        self.train = [places[: len(places) - held_out] for places in own]
        self.held_out = [places[len(places) - held_out :] for places in own]


def make_batches(config: SilhouettesTaskConfig, gallery: Gallery) -> Callable[[int], dict[str, np.ndarray]]:
    """The batch of a step: `walks` half cycles of each of `people`, `frames` of each, disturbed."""

    def batch_at(step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((config.seed, step))
        chosen = rng.choice(len(gallery.people), config.people, replace=False)
        rows = []
        for person in chosen:
            own = gallery.train[person]
            for place in rng.choice(own, config.walks, replace=len(own) < config.walks):
                frames = rng.choice(CYCLE, config.frames, replace=False)
                rows.append(disturb(gallery.samples[place][frames], rng).astype(np.uint8))
        return {"silhouettes": np.stack(rows), "labels": np.repeat(chosen, config.walks).astype(np.int32)}

    return batch_at


def make_evaluation(config: SilhouettesTaskConfig, gallery: Gallery):
    """Held-out half cycles on three floors, nearest mean of the others: the share of single ones that are right."""
    if not config.held_out:
        return None
    rng = np.random.default_rng(0)
    known = [cut_sides(gallery.samples[place]) for own in gallery.train for place in own]
    owners = np.repeat(np.arange(len(gallery.people)), [len(own) for own in gallery.train])
    places = [place for own in gallery.held_out for place in own]
    wanted = np.repeat(np.arange(len(gallery.people)), config.held_out)
    probes = {soil: [on_floor(gallery.samples[place], soil, rng) for place in places] for soil in FLOORS}

    def evaluate(model: GaitBase) -> dict[str, float]:
        enrolled = describe(model, known)
        means = np.stack([enrolled[owners == person].mean(axis=0) for person in range(len(gallery.people))])
        return {
            f"right_floor_{soil:+.3f}": float(np.mean(np.argmax(describe(model, walks) @ means.T, axis=1) == wanted))
            for soil, walks in probes.items()
        }

    return evaluate


def new_model(config: SilhouettesTaskConfig) -> GaitBase:
    """The network that the config names, freshly initialised."""
    settings = GaitBaseConfig(
        SMALL.height, SMALL.width, tuple(config.channels), tuple(config.strides), config.parts, config.size,
        config.subjects, config.batch_norm_decay, config.together,
    )  # fmt: skip
    return GaitBase(settings, rngs=nnx.Rngs(config.seed))
