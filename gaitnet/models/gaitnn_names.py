"""Names of the original GaitNN's variables in TensorFlow -> parameters of ours. Layouts agree, nothing is transformed.

The original saves what TensorFlow calls model variables: 138, of which 90 belong to residual blocks whose results it
throws away, and none to the recurrent layers. A checkpoint that was written by other means may hold these as well,
under names that changed with TensorFlow; layers may share one cell's weights, as `[cell] * 2` made them from 1.2 on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from gaitnet.models.gaitnn import GaitNNConfig
from gaitnet.recurrent import RecurrentUnit

ROOT = "GaitNN"
DOWN = f"{ROOT}/DownSampling"
DENSE = f"{ROOT}/FullyConnected/fully_connected"
HEAD = f"{ROOT}/Logits/fully_connected"
DEAD = (rf"{DOWN}/\d+x\d+/Repeat/residual_block_\d+/.*",)
"""Patterns of what the original declares, saves and makes no use of."""

RECURRENT = re.compile(
    rf"{ROOT}/Recurrent/.*?(?:cell_|Cell)(\d{{1,3}})/"
    r"(GRUCell|gru_cell|BasicLSTMCell|basic_lstm_cell|LSTMCell|lstm_cell)/(.+)"
)
KERNELS = ("kernel", "weights", "Linear/Matrix", "W_0")
BIASES = ("bias", "biases", "Linear/Bias", "B")
"""From TensorFlow 1.2 on, in 1.0 and 1.1, in 0.x, in 0.x of LSTMCell."""
PARTS = {
    gate + name: gate.lower().replace("/", "_") + part
    for gate in ("", "gates/", "Gates/", "candidate/", "Candidate/")
    for part, names in (("kernel", KERNELS), ("bias", BIASES))
    for name in names
}
UNIT_PARTS = {
    "GRU": ("gates_kernel", "gates_bias", "candidate_kernel", "candidate_bias"),
    "LSTM": ("kernel", "bias"),
}


def config_of(
    shapes: Mapping[str, tuple[int, ...]], layers: int | None = None, unit: RecurrentUnit | None = None
) -> GaitNNConfig:
    """The settings of the network that these variables are of.

    Args:
        shapes: of the variables, by name.
        layers: how many recurrent layers it has, where the file does not tell: because it holds none of their weights,
            or one cell's that several layers share. At least as many as the file has.
        unit: what they are made of, where the file holds none of their weights; a GRU unless it is said.

    Raises:
        ValueError: the variables are of no GaitNN, of more layers than `layers`, or of another unit than `unit`.

    """
    stem, dense, head = (
        shapes.get(name, ()) for name in (f"{DOWN}/17x17/Conv/weights", f"{DENSE}/weights", f"{HEAD}/weights")
    )
    if len(stem) != 4 or len(dense) != 2:
        raise ValueError(
            f"shapes: expected {DOWN}/17x17/Conv/weights and {DENSE}/weights of a GaitNN, got {stem}, {dense}"
        )
    cells, found = _cells(shapes), layers_in(shapes)
    if layers is not None and layers < found:
        raise ValueError(f"layers: the file holds the weights of {found} recurrent layers, but {layers} are asked for")
    own: RecurrentUnit = "LSTM" if any("lstm" in kind.lower() for _, kind, _ in cells) else "GRU"
    if cells and unit not in (None, own):
        raise ValueError(f"unit: the recurrent layers in the file are made of {own}, but {unit} is asked for")
    return GaitNNConfig(
        channels=stem[2], size=dense[1], recurrent_unit=own if cells else unit or "GRU", layers=layers or found or 1,
        subjects=head[1] if len(head) == 2 else 0,
    )  # fmt: skip


def layers_in(names: Iterable[str]) -> int:
    """How many recurrent layers a file holds weights of, by the names in it; 0 where it was saved without them."""
    return 1 + max((layer for layer, _, _ in _cells(names)), default=-1)


def sources(config: GaitNNConfig, names: Iterable[str]) -> dict[str, str]:
    """Path of each of our parameters -> the variable it comes from, among the `names` of a file.

    Recurrent parameters are left out where the file holds none; layers beyond those in the file take the last one's.
    """
    found = dict(_convolutions(config))
    found |= {"dense/kernel": f"{DENSE}/weights", "dense/bias": f"{DENSE}/biases"}
    if config.subjects:
        found |= {"head/kernel": f"{HEAD}/weights", "head/bias": f"{HEAD}/biases"}
    cells = _cells(names)
    last = max((layer for layer, _, _ in cells), default=None)
    by_part = {(layer, part): name for (layer, _, part), name in cells.items()}
    for layer in range(config.layers if last is not None else 0):
        for part in UNIT_PARTS[config.recurrent_unit]:
            own = min(layer, last or 0)
            found[f"recurrent/cells/{layer}/{part}"] = by_part.get((own, part), f"{ROOT}/Recurrent, cell {own}: {part}")
    return found


def _cells(names: Iterable[str]) -> dict[tuple[int, str, str], str]:
    """(layer, class of the cell, part of it) -> name."""
    cells = {}
    for name in names:
        match = RECURRENT.fullmatch(name)
        if match is not None and match[3] in PARTS:
            cells[int(match[1]), match[2], PARTS[match[3]]] = name
    return cells


def _convolutions(config: GaitNNConfig) -> Iterator[tuple[str, str]]:
    for path, scope in (("stem", "17x17/Conv"), ("squeeze", "4x4/Conv"), ("mix", "4x4/Conv_1")):
        yield f"{path}/kernel", f"{DOWN}/{scope}/weights"
        yield from _norm(f"{path}/norm", f"{DOWN}/{scope}/BatchNorm")
    for path, size in (("first_down", "8x8"), ("second_down", "4x4")):
        scope = f"{DOWN}/{size}/ResidualBlock"
        yield f"{path}/shortcut_kernel", f"{scope}/Conv/weights"
        yield f"{path}/shortcut_bias", f"{scope}/Conv/biases"
        yield from _block(path, scope, ("_1", "_2", "_3"))
    for path, size, count in (("stem_blocks", "17x17", 3), ("first_blocks", "8x8", 2), ("second_blocks", "4x4", 1)):
        for number in range(count if config.deep else 0):
            yield from _block(f"{path}/{number}", f"{DOWN}/{size}/Repeat/residual_block_{number + 1}", ("", "_1", "_2"))


def _block(path: str, scope: str, numbers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A residual block; where it has a shortcut of its own, that took the first number."""
    for place, number in enumerate(numbers):
        yield f"{path}/kernels/{place}", f"{scope}/Conv{number}/weights"
        yield f"{path}/biases/{place}", f"{scope}/Conv{number}/biases"
        yield from _norm(f"{path}/norms/{place}", f"{scope}/BatchNorm{('', '_1', '_2')[place]}")


def _norm(path: str, scope: str) -> Iterator[tuple[str, str]]:
    for name in ("beta", "moving_mean", "moving_variance"):
        yield f"{path}/{name}", f"{scope}/{name}"
