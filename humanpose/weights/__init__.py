"""Foreign checkpoints: whose variable is whose parameter.

A reader makes a file into {name: array} as the file names them; a `KeyTable` says which of our parameters (paths as
`humanpose.checkpoint.flatten` gives them) each name stands for; `fill` puts the arrays into a network:

    model = nnx.eval_shape(lambda: InceptionResNet(InceptionResNetConfig(), rngs=nnx.Rngs(0)))
    filled = fill(model, arrays, inception_resnet.key_table(model.config))

`inception_resnet` and `part_detector` hold the tables for the names of the original's TensorFlow graphs. A table for
another format is written the same way: build `paths` from its names, and give `transforms` where its layout differs
(kernels here are height, width, channel, features; transposed ones height, width, joint, features).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx

from humanpose import checkpoint

Transform = Callable[[np.ndarray], np.ndarray]

TRAINER_ONLY = (
    r"(.*/)?global_step",
    r"(.*/)?(beta1_power|beta2_power)(_\d+)?",
    r".*/(RMSProp|Momentum|Adam|Adagrad|Ftrl|ExponentialMovingAverage)(_\d+)?",
)
"""Patterns of what TensorFlow's optimisers save beside the weights: step counts, slots, averages."""


@dataclass(frozen=True)
class KeyTable:
    """Which parameter each name of a foreign checkpoint stands for.

    `paths`: foreign name -> path of our parameter. `ignored`: patterns of names (each matches a whole name) that a
    checkpoint may hold beside them. `transforms`: foreign name -> what turns its array into our layout, where they
    differ. `partial`: parameters to which no name leads keep the values that the network has (the trunk of a
    classifier fills a body, not its head); otherwise every parameter must be named.
    """

    paths: Mapping[str, str]
    ignored: tuple[str, ...] = TRAINER_ONLY
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    partial: bool = False


class Filled(NamedTuple):
    """What became of a checkpoint: names that filled a parameter, names passed over, parameters that kept theirs."""

    filled: tuple[str, ...]
    ignored: tuple[str, ...]
    kept: tuple[str, ...]


def fill(model: nnx.Module, arrays: Mapping[str, np.ndarray], table: KeyTable) -> Filled:
    """Put a foreign checkpoint's arrays into a network, in place; it may be abstract unless the table is `partial`.

    Raises:
        CheckpointError: a name is missing, unexpected or mis-shaped, or holds NaN or infinity; all are listed, and the
            network is as it was.
        ValueError: the table is not of this network.

    """
    own = checkpoint.variables(model)
    kept = tuple(sorted(own.keys() - set(table.paths.values())))
    strangers = sorted(set(table.paths.values()) - own.keys())
    if strangers or (kept and not table.partial):
        raise ValueError(
            f"table: not of this {type(model).__name__}, make it from the network's own config; it lacks "
            f"{list(kept[:3])}, and names {strangers[:3]}, which the network has not"
        )
    if any(isinstance(own[path].get_value(), jax.ShapeDtypeStruct) for path in kept):
        raise ValueError(f"model: must have values of its own for what a partial checkpoint leaves out ({kept[0]} ...)")
    ignored = tuple(
        sorted(
            name
            for name in arrays
            if name not in table.paths and any(re.fullmatch(pattern, name) for pattern in table.ignored)
        )
    )
    complaints = [
        f"missing: {name} {tuple(own[path].get_value().shape)}"
        for name, path in sorted(table.paths.items())
        if name not in arrays
    ]
    complaints += [
        f"unexpected: {name} {np.shape(arrays[name])}"
        for name in sorted(arrays)
        if name not in table.paths and name not in ignored
    ]
    ours = {path: np.asarray(own[path].get_value()) for path in kept}
    for name, path in sorted(table.paths.items()):
        if name not in arrays:
            continue
        array, shape = np.asarray(arrays[name]), tuple(own[path].get_value().shape)
        try:
            ours[path] = table.transforms[name](array) if name in table.transforms else array
        except (ValueError, IndexError) as error:  # a transform meets an array of another rank
            complaints.append(f"mis-shaped: {name} {array.shape} does not transform into {shape}: {error}")
            continue
        if ours[path].shape != shape:
            complaints.append(f"mis-shaped: {name} expected {shape}, got {ours[path].shape}")
        elif not np.isfinite(ours[path]).all():
            complaints.append(f"not finite: {name} holds NaN or infinity")
    if complaints:
        raise checkpoint.CheckpointError(
            f"arrays: not a checkpoint of {type(model).__name__}, {len(complaints)} names do not fit:\n  "
            + "\n  ".join(complaints)
        )
    checkpoint.fill(model, ours)
    return Filled(tuple(sorted(table.paths)), ignored, kept)
