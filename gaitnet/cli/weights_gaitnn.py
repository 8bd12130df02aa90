"""What is GaitNN's own in `gaitnet weights convert`: recurrent layers that are missing or shared, dead blocks."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.models.gaitnn import GaitNNConfig
    from gaitnet.recurrent import RecurrentUnit
    from humanpose.weights import Shapes
    from humanpose.weights.recognize import Recognized


class Unit(StrEnum):
    """What recurrent layers can be made of."""

    GRU = "GRU"
    LSTM = "LSTM"


def recognized(shapes: "Shapes", layers: int | None, unit: Unit | None) -> "Recognized":
    """The GaitNN of these variables; ValueError where they are of none, or not of such recurrent layers."""
    from gaitnet.models import gaitnn_names
    from gaitnet.models.gaitnn import GaitNN
    from humanpose.weights import TRAINER_ONLY, KeyTable, Made
    from humanpose.weights.recognize import Recognized

    asked: RecurrentUnit | None = None if unit is None else ("LSTM" if unit is Unit.LSTM else "GRU")
    config = gaitnn_names.config_of(shapes, layers, asked)
    made = {path: Made((name,)) for path, name in gaitnn_names.sources(config, shapes).items()}
    silent = not any(path.startswith("recurrent/") for path in made)
    keys = KeyTable({}, TRAINER_ONLY, made=made, dead=gaitnn_names.DEAD, partial=silent)
    return Recognized("gaitnn", "the original's TensorFlow names", config, GaitNN, keys, False)


def drawn(config: "GaitNNConfig") -> "dict[str, np.ndarray]":
    """Recurrent layers for a GaitNN that comes without, drawn as a fresh one's."""
    from flax import nnx

    from gaitnet.recurrent import Recurrent
    from humanpose.checkpoint import flatten

    layers = Recurrent(config.size, config.size, config.layers, config.recurrent_unit, rngs=nnx.Rngs(0))
    return {f"recurrent/{path}": array for path, array in flatten(layers).items()}


def told(shapes: "Shapes", config: "GaitNNConfig") -> dict[str, Any]:
    """What became of the recurrent layers and of the head, for `--json` and the checkpoint's card.

    `recurrent`: their unit, how many there are and how many of them the file holds; those beyond share the weights of
    the last one in the file, or were drawn where it holds none. `subjects`: people whom the file's head tells apart.
    """
    from gaitnet.models.gaitnn_names import layers_in

    recurrent = {"unit": config.recurrent_unit, "layers": config.layers, "in_file": layers_in(shapes)}
    return {"recurrent": recurrent, "subjects": config.subjects}


def sentences(facts: dict[str, Any], dead: int, drawn: int) -> list[str]:
    """The same in words, beginning with what makes the weights useless as they are."""
    (unit, layers, held), said = facts["recurrent"].values(), []
    if not held:
        said.append(
            f"the file holds no recurrent layers: {drawn} parameters of theirs ({layers} x {unit}) were drawn anew, "
            "to be trained. Until then the identification vectors mean nothing"
        )
    elif held < layers:
        said.append(f"recurrent layers from {held + 1} to {layers} share the weights of layer {held}, the file's last")
    else:
        said.append(
            f"recurrent layers: {layers} x {unit}; where more of them shared these weights, say how many with --layers"
        )
    if not facts["subjects"]:
        said.append("the file holds no logits: identification vectors come of it, and no names of its training")
    if dead:
        said.append(f"{dead} arrays are of blocks whose results the original throws away; model.json names them all")
    return said
