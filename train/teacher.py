"""Distillation: GaitNN learns to see in maps what a SkeletonGRU reads off the joints.

The teacher's frame vectors are GaitNN's target (a "hint" in the sense of Romero et al., FitNets, ICLR 2015); the layers
that read them it takes over as they are.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx

from gaitnet.models.gaitnn import GaitNN
from gaitnet.models.skeleton_gru import SkeletonGRU
from humanpose.checkpoint import flatten
from train.export import newest_weights, run_config
from train.gait import new_model
from train.gait_config import GaitTaskConfig

FITS = ("network", "subjects", "seed", "recurrent_unit", "layers", "size")
"""What a teacher must share with its student: the people, and the layers that the student takes over."""


def teacher_of(config: GaitTaskConfig, run: Path) -> tuple[SkeletonGRU, str]:
    """The teacher that a run of the preset "skeleton" trained, and which one it is, by its weights' sha256.

    Raises:
        ValueError: the run is none, has saved nothing yet, or trained a network that does not fit `config`.

    """
    wanted = replace(config, network="SkeletonGRU", distil=False)
    found = run_config(run)
    if any(found.get(name) != getattr(wanted, name) for name in FITS):
        expected, got = ({name: part(name) for name in FITS} for part in (wanted.__getattribute__, found.get))
        raise ValueError(f"{run} trained no teacher for this preset: expected {expected}, got {got}")
    teacher = new_model(wanted)
    assert isinstance(teacher, SkeletonGRU)
    step = newest_weights(run, teacher)
    digest = hashlib.sha256()
    for name, array in sorted(flatten(teacher).items()):
        digest.update(name.encode() + array.tobytes())
    return teacher, f"{run.name}, step {step}, sha256 {digest.hexdigest()}"


def take_over(student: GaitNN, teacher: SkeletonGRU) -> None:
    """Give the student the teacher's recurrent layers and head, so that it needs but learn to see what they read."""
    for part in ("recurrent", "head"):
        # copies: the first step of a training takes the student's arrays away
        nnx.update(getattr(student, part), jax.tree.map(jnp.copy, nnx.state(getattr(teacher, part))))
