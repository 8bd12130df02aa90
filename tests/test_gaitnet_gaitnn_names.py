"""The original GaitNN's variables, under the names of every TensorFlow, with and without what may be missing."""

import json
from pathlib import Path

import pytest
from flax import nnx

from gaitnet.models import gaitnn_names
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
from humanpose import checkpoint

VARIABLES = json.loads((Path(__file__).parent / "golden" / "gait_variables.json").read_text())
MODEL = {name: tuple(shape) for name, shape in VARIABLES["model_variables"]}
SHAPES = {"gates": (1024, 1024), "candidate": (1024, 512)}
ROOT = "GaitNN/Recurrent"
GRU_STYLES = {
    "0.x": (f"{ROOT}/RNN/MultiRNNCell/Cell%d/GRUCell", "Gates/Linear/Matrix", "Candidate/Linear/Bias"),
    "1.0": (f"{ROOT}/rnn/multi_rnn_cell/cell_%d/gru_cell", "gates/weights", "candidate/biases"),
    "1.2": (f"{ROOT}/rnn/multi_rnn_cell/cell_%d/gru_cell", "gates/kernel", "candidate/bias"),
}
LSTM_STYLES = {
    "0.x": (f"{ROOT}/RNN/MultiRNNCell/Cell%d/BasicLSTMCell", "Linear/Matrix", "Linear/Bias"),
    "0.x LSTMCell": (f"{ROOT}/RNN/MultiRNNCell/Cell%d/LSTMCell", "W_0", "B"),
    "1.0": (f"{ROOT}/rnn/multi_rnn_cell/cell_%d/basic_lstm_cell", "weights", "biases"),
    "1.2": (f"{ROOT}/rnn/multi_rnn_cell/cell_%d/lstm_cell", "kernel", "bias"),
}


def gru(style, layers):
    """A GRU's four variables a layer, under one version's names."""
    scope, kernel, bias = GRU_STYLES[style]
    kernels = (kernel, kernel.replace("Gates", "Candidate").replace("gates", "candidate"))
    biases = (bias.replace("Candidate", "Gates").replace("candidate", "gates"), bias)
    return {
        f"{scope % layer}/{name}": shape
        for layer in range(layers)
        for name, shape in zip((*kernels, *biases), (*SHAPES.values(), (1024,), (512,)), strict=True)
    }


def wanted(config):
    model = nnx.eval_shape(lambda: GaitNN(config, rngs=nnx.Rngs(0)))
    return {path: tuple(variable.get_value().shape) for path, variable in checkpoint.variables(model).items()}


@pytest.mark.parametrize("style", GRU_STYLES)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_version_of_a_gru_finds_its_place(style, layers):
    shapes = MODEL | gru(style, layers)
    config = gaitnn_names.config_of(shapes)
    assert (config.recurrent_unit, config.layers, config.subjects, config.channels) == ("GRU", layers, 0, 32)
    sources = gaitnn_names.sources(config, shapes)
    assert {path: shapes[name] for path, name in sources.items()} == wanted(config)
    for layer in range(layers):
        name = sources[f"recurrent/cells/{layer}/candidate_kernel"]
        assert name.startswith(GRU_STYLES[style][0] % layer)
        assert "andidate" in name


@pytest.mark.parametrize("style", LSTM_STYLES)
def test_every_version_of_an_lstm_finds_its_place(style):
    scope, kernel, bias = LSTM_STYLES[style]
    shapes = MODEL | {f"{scope % 0}/{kernel}": (1024, 2048), f"{scope % 0}/{bias}": (2048,)}
    config = gaitnn_names.config_of(shapes)
    assert (config.recurrent_unit, config.layers) == ("LSTM", 1)
    assert {path: shapes[name] for path, name in gaitnn_names.sources(config, shapes).items()} == wanted(config)


def test_optimisers_slots_are_no_cells():
    shapes = MODEL | gru("1.2", 1)
    shapes |= {f"{name}/RMSProp": shape for name, shape in shapes.items()}
    config = gaitnn_names.config_of(shapes)
    assert {path: shapes[name] for path, name in gaitnn_names.sources(config, shapes).items()} == wanted(config)
    assert not any(name.endswith("RMSProp") for name in gaitnn_names.sources(config, shapes).values())


def test_layers_that_share_a_cell_take_its_weights():
    shapes = MODEL | gru("1.2", 1)
    config = gaitnn_names.config_of(shapes, layers=2)
    sources = gaitnn_names.sources(config, shapes)
    assert {path: shapes[name] for path, name in sources.items()} == wanted(config)
    assert sources["recurrent/cells/1/gates_kernel"] == sources["recurrent/cells/0/gates_kernel"]
    with pytest.raises(ValueError, match="weights of 2 recurrent layers, but 1 are asked for"):
        gaitnn_names.config_of(MODEL | gru("1.2", 2), layers=1)


def test_without_recurrent_layers_all_else_is_named():
    config = gaitnn_names.config_of(MODEL)
    sources = gaitnn_names.sources(config, MODEL)
    rest = {path: shape for path, shape in wanted(config).items() if not path.startswith("recurrent/")}
    assert {path: MODEL[name] for path, name in sources.items()} == rest
    assert gaitnn_names.config_of(MODEL, layers=2).layers == 2


def test_a_part_of_a_cell_that_is_missing_is_asked_for():
    shapes = MODEL | gru("1.2", 1)
    gone = next(name for name in shapes if name.endswith("candidate/bias"))
    del shapes[gone]
    sources = gaitnn_names.sources(gaitnn_names.config_of(shapes), shapes)
    assert sources["recurrent/cells/0/candidate_bias"] not in shapes
    assert "candidate_bias" in sources["recurrent/cells/0/candidate_bias"]


def test_the_training_head_is_taken_where_it_is_there():
    shapes = MODEL | {f"{gaitnn_names.HEAD}/weights": (512, 150), f"{gaitnn_names.HEAD}/biases": (150,)} | gru("1.0", 1)
    config = gaitnn_names.config_of(shapes)
    assert config.subjects == 150
    assert {path: shapes[name] for path, name in gaitnn_names.sources(config, shapes).items()} == wanted(config)


def test_ninety_variables_are_dead():
    import re

    dead = [name for name in MODEL if any(re.fullmatch(pattern, name) for pattern in gaitnn_names.DEAD)]
    assert len(dead) == 90
    used = set(gaitnn_names.sources(GaitNNConfig(), MODEL).values())
    assert used | set(dead) == set(MODEL)
    assert not used & set(dead)


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match="of a GaitNN"):
        gaitnn_names.config_of({"GaitNN/Something": (3,)})
