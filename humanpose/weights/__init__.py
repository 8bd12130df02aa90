"""Foreign checkpoints: readers of their files, and whose variable is whose parameter.

`formats.read` makes a file into {name: array} as the file names them; a `KeyTable` says which of our parameters (paths
as `humanpose.checkpoint.flatten` gives them) each name stands for; `fill` puts the arrays into a network:

    model = nnx.eval_shape(lambda: InceptionResNet(InceptionResNetConfig(), rngs=nnx.Rngs(0)))
    filled = fill(model, formats.read("MPII+LSP.ckpt"), inception_resnet.key_table(model.config))

`inception_resnet` and `part_detector` hold the tables for the names of the original's TensorFlow graphs,
`inception_resnet_trunk`, `mobilenet_v2`, `part_detector_trunk` and `part_detector_torch7` those for names of Keras,
torchvision, timm and Torch7; `recognize` picks the one that a file's names ask for. A table for another format is
written the same way: build `paths` from its names, and give `transforms` where its layout differs (kernels here are
height, width, channel, features; transposed ones height, width, joint, features), or `made` where several arrays make
one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from humanpose import checkpoint
from humanpose.weights.arrays import Arrays

Transform = Callable[[np.ndarray], np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]

TRAINER_ONLY = (
    r"(.*/)?global_step",
    r"(.*/)?(beta1_power|beta2_power)(_\d+)?",
    r".*/(RMSProp|Momentum|Adam|Adagrad|Ftrl|ExponentialMovingAverage)(_\d+)?",
)
"""Patterns of what TensorFlow's optimisers save beside the weights: step counts, slots, averages."""


class Made(NamedTuple):
    """How a parameter comes about: the names of foreign arrays, and what makes the parameter of them, in this order."""

    names: tuple[str, ...]
    make: Callable[..., np.ndarray] = np.asarray


@dataclass(frozen=True)
class KeyTable:
    """Which parameter each name of a foreign checkpoint stands for.

    `paths`: foreign name -> path of our parameter. `ignored`: patterns of names (each matches a whole name) that a
    checkpoint may hold beside them; `dead`: patterns of weights that the foreign network itself makes no use of.
    `transforms`: foreign name -> what turns its array into our layout, where they differ. `made`: path of our parameter
    -> how it comes about, where one array is not enough or serves twice. `partial`: parameters to which no name leads
    keep the values that the network has (the trunk of a classifier fills a body, not its head); otherwise every
    parameter must be named.
    """

    paths: Mapping[str, str]
    ignored: tuple[str, ...] = TRAINER_ONLY
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    partial: bool = False
    dead: tuple[str, ...] = ()
    made: Mapping[str, Made] = field(default_factory=dict)

    def sources(self) -> dict[str, Made]:
        """How each parameter comes about: `paths` with their transforms, and `made`."""
        single = {path: Made((name,), self.transforms.get(name, np.asarray)) for name, path in self.paths.items()}
        return {**single, **self.made}


class Filled(NamedTuple):
    """What becomes of a checkpoint.

    Foreign names: that fill a parameter, that are passed over, that the foreign network itself makes no use of, that
    are wanted and not there, that nobody knows. Our paths: of parameters that keep their values. `misshaped` says in
    words which arrays do not fit.
    """

    filled: tuple[str, ...]
    ignored: tuple[str, ...]
    kept: tuple[str, ...]
    dead: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshaped: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every name and shape fits."""
        return not (self.missing or self.unexpected or self.misshaped)


def compare(own: Shapes, foreign: Shapes, table: KeyTable) -> Filled:
    """Say what would become of a checkpoint, from its names and shapes alone; `own` are the parameters' shapes.

    Raises ValueError where the table is not of the network that has these parameters.
    """
    sources = table.sources()
    kept, strangers = sorted(own.keys() - sources.keys()), sorted(sources.keys() - own.keys())
    if strangers or (kept and not table.partial):
        raise ValueError(
            f"table: not of this network, make it from the network's own config; it lacks {kept[:3]}, and names "
            f"{strangers[:3]}, which the network has not"
        )
    wanted = {name for made in sources.values() for name in made.names}

    def matching(patterns: tuple[str, ...]) -> set[str]:
        return {name for name in foreign.keys() - wanted if any(re.fullmatch(pattern, name) for pattern in patterns)}

    dead = matching(table.dead)
    ignored = matching(table.ignored) - dead
    return Filled(
        filled=tuple(sorted(wanted & foreign.keys())),
        ignored=tuple(sorted(ignored)),
        kept=tuple(kept),
        dead=tuple(sorted(dead)),
        missing=tuple(sorted(wanted - foreign.keys())),
        unexpected=tuple(sorted(foreign.keys() - wanted - ignored - dead)),
        misshaped=tuple(_misshaped(own, foreign, sources)),
    )


def _misshaped(own: Shapes, foreign: Shapes, sources: Mapping[str, Made]) -> Iterator[str]:
    for path, (names, make) in sorted(sources.items(), key=lambda entry: entry[1].names):
        if not all(name in foreign for name in names):
            continue
        # arrays without numbers of their own: what becomes of their shapes
        blanks = [np.broadcast_to(np.float32(0), foreign[name]) for name in names]
        try:
            got = make(*blanks).shape
        except (ValueError, IndexError) as error:  # a transform meets an array of another rank
            yield f"{names[0]} {foreign[names[0]]} does not transform into {own[path]}: {error}"
            continue
        if got != own[path]:
            yield f"{names[0]} expected {own[path]}, got {got}"


def convert(
    own: Shapes, arrays: Mapping[str, Any], table: KeyTable, network: str = "this network"
) -> tuple[dict[str, np.ndarray], Filled]:
    """Make a network's parameters, of the shapes `own`, of a foreign checkpoint's arrays -> (path -> float32, report).

    `network` is what errors call it.

    Raises:
        CheckpointError: a name is missing, unexpected or mis-shaped, or holds NaN or infinity; all are listed.
        ValueError: the table is not of this network.

    """
    shapes = arrays.shapes if isinstance(arrays, Arrays) else {name: np.shape(array) for name, array in arrays.items()}
    report = compare(own, shapes, table)
    wanted = {name: own[path] for path, made in table.sources().items() for name in made.names[:1]}
    complaints = [f"missing: {name} {wanted.get(name, '')}" for name in report.missing]
    complaints += [f"unexpected: {name} {shapes[name]}" for name in report.unexpected]
    complaints += [f"mis-shaped: {told}" for told in report.misshaped]
    ours: dict[str, np.ndarray] = {}
    for path, (names, make) in table.sources().items() if not complaints else ():
        ours[path] = np.asarray(make(*(np.asarray(arrays[name]) for name in names)), np.float32)
        if not np.isfinite(ours[path]).all():
            complaints.append(f"not finite: {', '.join(names)} hold NaN or infinity")
    if complaints:
        raise checkpoint.CheckpointError(
            f"arrays: not a checkpoint of {network}, {len(complaints)} names do not fit", complaints
        )
    return ours, report


def fill(model: nnx.Module, arrays: Mapping[str, Any], table: KeyTable) -> Filled:
    """Put a foreign checkpoint's arrays into a network, in place; it may be abstract unless the table is `partial`.

    Raises:
        CheckpointError: a name is missing, unexpected or mis-shaped, or holds NaN or infinity; all are listed, and the
            network is as it was.
        ValueError: the table is not of this network.

    """
    own = checkpoint.variables(model)
    shapes = {path: tuple(variable.get_value().shape) for path, variable in own.items()}
    ours, report = convert(shapes, arrays, table, type(model).__name__)
    if any(isinstance(own[path].get_value(), jax.ShapeDtypeStruct) for path in report.kept):
        raise ValueError(
            f"model: must have values of its own for what a partial checkpoint leaves out ({report.kept[0]} ...)"
        )
    checkpoint.fill(model, {path: np.asarray(own[path].get_value()) for path in report.kept} | ours)
    return report
