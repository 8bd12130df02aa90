"""`gaitnet weights convert` of the original's GaitNN: what it computes, to the digit, and a word on what is missing."""

import json
from pathlib import Path

import numpy as np
import oracle
import pytest
from flax import nnx
from stand_ins import bad, document, everything, good, run
from weights_files import write_v1, write_v2

from gaitnet.models.gaitnn import GaitNN, GaitNNConfig, identification_vectors
from humanpose import checkpoint
from humanpose.checkpoint import WEIGHTS

VARIABLES = json.loads((Path(__file__).parent / "golden" / "gait_variables.json").read_text())
SHAPES = {name: tuple(shape) for name, shape in VARIABLES["model_variables"]}
CELLS = {unit: {name: tuple(shape) for name, shape in VARIABLES[unit]} for unit in ("GRU", "LSTM")}
HEAD = {"GaitNN/Logits/fully_connected/weights": (512, 5), "GaitNN/Logits/fully_connected/biases": (5,)}
EARLY = {
    "rnn/multi_rnn_cell/cell_": "RNN/MultiRNNCell/Cell", "gru_cell": "GRUCell", "gates/": "Gates/Linear/",
    "candidate/": "Candidate/Linear/", "kernel": "Matrix", "bias": "Bias",
}  # fmt: skip
"""TensorFlow 1.2's words, those of the oracle's names -> 0.x's, those of single-file checkpoints."""


def early(name: str) -> str:
    for late, word in EARLY.items():
        name = name.replace(late, word)
    return name


def constant(name: str) -> np.float32:
    """A number of its own for each variable."""
    return np.float32(sum(name.encode()) % 509 / 512 + 0.2501)


def constants(*shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays that compress to nothing, so that a file in full size costs none of the tests' time."""
    return {name: np.full(shape, constant(name), np.float32) for part in shapes for name, shape in part.items()}


def write(path: str, arrays: dict[str, np.ndarray]) -> None:
    write_v1(Path(path), arrays, compress=True, block_size=1 << 18)


def loaded(folder: str) -> GaitNN:
    return checkpoint.load_model(folder, GaitNNConfig, lambda config: GaitNN(config, rngs=nnx.Rngs(0)))[0]


@pytest.mark.parametrize("unit", ["GRU", "LSTM"])
def test_a_full_size_checkpoint_computes_what_the_original_computes(place, unit):
    """From the file through the command to the vector; the GRU in a V1 file, the LSTM by 1.0's names in a V2 bundle."""
    arrays = {name: oracle.recipe(name, shape) for name, shape in (SHAPES | CELLS[unit]).items()}
    if unit == "GRU":
        write("x.ckpt", arrays)
    else:
        later = {"cell/kernel": "cell/weights", "cell/bias": "cell/biases"}
        for mine, theirs in later.items():
            arrays = {name.replace(mine, theirs) if "/Recurrent/" in name else name: arrays[name] for name in arrays}
        write_v2(Path("x.ckpt"), arrays, shards=2)
    told = document("weights", "convert", "x.ckpt", "--to", "out")
    assert told["format"] == f"TensorFlow V{1 if unit == 'GRU' else 2} checkpoint"
    assert told["found"] == len(SHAPES) + len(CELLS[unit]) == (142 if unit == "GRU" else 140)
    assert sorted(told["dead"]) == sorted(name for name in SHAPES if "/Repeat/" in name)
    assert len(told["dead"]) == 90
    assert sorted(told["filled"]) == sorted(arrays.keys() - set(told["dead"]))
    assert (told["drawn"], told["rounding"]) == ([], None)
    assert told["recurrent"] == {"unit": unit, "layers": 1, "in_file": 1}
    maps = np.random.RandomState(0).randn(4, 17, 17, 32).astype(np.float32) * 50
    (vector,) = identification_vectors(loaded("out"), [maps])
    assert oracle.relative_error(vector, oracle.golden(f"gait_{unit}")["signature"]) < 1e-4


def test_layers_that_share_a_cell_and_a_head_are_taken_and_told(place):
    write("H3.6m-GRU-1.ckpt", constants(SHAPES, CELLS["GRU"], HEAD))
    told = document("weights", "convert", "H3.6m-GRU-1.ckpt", "--to", "weights/gait", "--layers", "2")
    assert (told["network"], len(told["dead"]), told["drawn"], told["rounding"]) == ("gaitnn", 90, [], None)
    assert (len(told["filled"]), told["found"]) == (138 - 90 + 4 + 2, 138 + 4 + 2)
    assert (told["recurrent"], told["subjects"]) == ({"unit": "GRU", "layers": 2, "in_file": 1}, 5)
    model = loaded("weights/gait")
    assert (model.config.layers, model.config.subjects) == (2, 5)
    gates = "GaitNN/Recurrent/rnn/multi_rnn_cell/cell_0/gru_cell/gates/kernel"
    for cell in model.recurrent.cells:
        assert np.all(cell.gates_kernel[...] == constant(gates))
    with np.load(Path("weights/gait", WEIGHTS), allow_pickle=False) as archive:
        assert archive["dense/kernel"].dtype == np.float32
    done = run("weights", "convert", "H3.6m-GRU-1.ckpt", "--to", "again", "--layers", "3")
    assert "recurrent layers from 2 to 3 share the weights of layer 1" in done.stderr
    assert "no logits" not in done.stderr


def test_two_layers_of_their_own_by_the_oldest_names(place):
    layers = [
        {early(name).replace("Cell0/", f"Cell{layer}/"): shape for name, shape in CELLS["GRU"].items()}
        for layer in (0, 1)
    ]
    write("M+L-GRU-2.ckpt", constants(SHAPES, *layers))
    done = run("weights", "convert", "M+L-GRU-2.ckpt", "--to", "out")
    assert done.exit_code == 0, done.output
    for words in ("recurrent layers: 2 x GRU", "no logits", "90 arrays are of blocks"):
        assert words in done.stderr
    for layer, cell in enumerate(loaded("out").recurrent.cells):
        name = f"GaitNN/Recurrent/RNN/MultiRNNCell/Cell{layer}/GRUCell/Candidate/Linear/Matrix"
        assert np.all(cell.candidate_kernel[...] == constant(name))
    card = checkpoint.load("out")[1]["card"]
    assert (len(card["dead"]), card["untrained"], card["subjects"]) == (90, [], 0)
    sentence = bad("weights", "convert", "M+L-GRU-2.ckpt", "--to", "other", "--layers", "1")
    assert "weights of 2 recurrent layers, but 1 are asked for" in sentence
    assert "made of GRU, but LSTM" in bad("weights", "convert", "M+L-GRU-2.ckpt", "--to", "other", "--unit", "LSTM")
    assert everything(place) == ["M+L-GRU-2.ckpt", "out", "out/model.json", f"out/{WEIGHTS}"]


@pytest.mark.parametrize(("arguments", "unit", "parameters"), [((), "GRU", 4), (("--unit", "LSTM"), "LSTM", 2)])
def test_a_file_without_recurrent_layers_says_so(place, arguments, unit, parameters):
    """As the original's own `save` writes it: the recurrent layers are drawn, and both report and card say so."""
    write("x.ckpt", constants(SHAPES))
    done = run("weights", "convert", "x.ckpt", "--to", "out", *arguments)
    assert done.exit_code == 0, done.output
    assert f"no recurrent layers: {parameters} parameters of theirs (1 x {unit}) were drawn anew" in done.stderr
    model, card = loaded("out"), checkpoint.load("out")[1]["card"]
    assert card["recurrent"] == {"unit": unit, "layers": 1, "in_file": 0}
    assert len(card["untrained"]) == parameters
    assert all(name.startswith("recurrent/cells/0/") for name in card["untrained"])
    kernel = model.recurrent.cells[0].gates_kernel if unit == "GRU" else model.recurrent.cells[0].kernel
    assert np.std(np.asarray(kernel[...])) > 0.01


def test_half_a_cell_or_half_a_head_is_refused(place):
    """Nothing is drawn beside what the file holds of a layer: that would be a network nobody ever had."""
    cell = dict(list(CELLS["GRU"].items())[1:])
    head = dict(list(HEAD.items())[:1])
    for file, more, missing in (
        ("cell.ckpt", cell, "1 missing (GaitNN/Recurrent, cell 0: "),
        ("head.ckpt", head, "1 missing (GaitNN/Logits/fully_connected/biases)"),
    ):
        write(file, constants(SHAPES, more))
        done = run("weights", "convert", file, "--to", "out")
        assert done.exit_code == 2
        assert missing in done.stderr
        assert "Nothing was written" in done.stderr
    assert everything(place) == ["cell.ckpt", "head.ckpt"]


def test_inspect_knows_it(place):
    write("x.ckpt", constants(SHAPES))
    assert "gaitnn by the original's TensorFlow names" in good("weights", "inspect", "x.ckpt")
