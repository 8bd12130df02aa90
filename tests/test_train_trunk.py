"""Pose networks that begin with a trunk which learned elsewhere."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from typer.testing import CliRunner

from humanpose import checkpoint
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.mobilenet_v2 import MobileNetV2, MobileNetV2Config
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import convert
from humanpose.weights.inception_resnet import trunk_table
from train.__main__ import app
from train.config import PoseTaskConfig
from train.pose_networks import new_model
from train.trunk import padded_like, take_trunk

WIDTH = 0.25


def drawn(model: nnx.Module) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {path: variable.get_value().shape for path, variable in checkpoint.variables(model).items()}
    return {path: random.uniform(0.5, 1.5, shape).astype(np.float32) for path, shape in shapes.items()}


def abstract(build, config):
    return nnx.eval_shape(lambda: build(config, rngs=nnx.Rngs(0)))


@pytest.fixture(scope="module")
def mobile(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mobile")
    config = MobileNetV2Config(WIDTH, padding="symmetric")
    checkpoint.save(folder, drawn(abstract(MobileNetV2, config)), asdict(config), {}, "MobileNetV2", half=False)
    return folder


def test_a_mobile_trunk_is_taken_with_its_padding(mobile):
    task = padded_like(PoseTaskConfig(width=WIDTH), mobile)
    model = new_model(task)
    assert isinstance(model, MobilePose)
    assert model.config.padding == "symmetric"
    assert model.trunk.stem.padding == ((1, 1), (1, 1))
    before = checkpoint.flatten(model)
    stored, manifest = checkpoint.load(mobile)
    assert take_trunk(model, mobile) == manifest["weights"]["sha256"]
    for path, array in checkpoint.flatten(model).items():
        expected = stored[path.removeprefix("trunk/")] if path.startswith("trunk/") else before[path]
        np.testing.assert_array_equal(array, expected)


def test_what_a_trunk_gave_is_exported_and_loaded_with_its_padding(mobile, tmp_path):
    model = new_model(padded_like(PoseTaskConfig(width=WIDTH), mobile))
    checkpoint.save(tmp_path, checkpoint.flatten(model), asdict(model.config), {}, "MobilePose")
    again, _ = checkpoint.load_model(tmp_path, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0)))
    assert again.config.padding == "symmetric"


CLASSIC = [
    (
        InceptionResNet,
        InceptionResNetConfig(image_size=107, blocks_35=2, blocks_17=1),
        PoseTaskConfig(network="InceptionResNet", height=107, blocks=(1, 1), loss="mean_square"),
    ),
    (
        PartDetector,
        PartDetectorConfig(image_size=32, blocks=(1, 2, 1, 2)),
        PoseTaskConfig(network="PartDetector", height=32, blocks=(1, 1, 1, 1), loss="mean_square"),
    ),
]
"""A network, a trunk of some blocks, and the task of a network that has fewer."""

classic = pytest.mark.parametrize(("build", "deep", "task"), CLASSIC, ids=lambda value: getattr(value, "__name__", ""))


def body_of(build, config) -> dict[str, np.ndarray]:
    """The arrays of a trunk that no pose network learned with."""
    whole = drawn(abstract(build, config))
    return {path: array for path, array in whole.items() if not path.startswith(("head/", "tower/"))}


@classic
def test_a_classic_trunk_fills_as_many_blocks_as_there_are(build, deep, task, tmp_path):
    body = body_of(build, deep)
    checkpoint.save(tmp_path, body, asdict(deep), {}, f"{build.__name__}Trunk", half=False)
    assert padded_like(task, tmp_path) == task
    model = new_model(task)
    before = checkpoint.flatten(model)
    take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, body.get(path, before[path]), err_msg=path)


@classic
def test_classic_trunks_that_do_not_fit_are_refused(build, deep, task, tmp_path):
    row, stranger = {
        InceptionResNet: ("blocks_35/", "blocks_36/5/kernel"),
        PartDetector: ("stages/2/", "stages/4/0/conv_1/kernel"),
    }[build]
    body, model = body_of(build, deep), new_model(task)
    before = checkpoint.flatten(model)
    for wrong in (
        {path: array for path, array in body.items() if not path.startswith(row)},
        body | {stranger: np.ones(3, np.float32)},
    ):
        checkpoint.save(tmp_path, wrong, asdict(deep), {}, f"{build.__name__}Trunk")
        with pytest.raises(ValueError, match=f"is not the trunk of this {build.__name__}"):
            take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, before[path])


def test_the_trunk_of_slims_classifier_brings_its_tower(tmp_path):
    """By the table that `gaitnet weights convert` takes; a part of a tower is none."""
    build, deep, task = CLASSIC[0]
    whole, table = drawn(abstract(build, deep)), trunk_table(deep)
    shapes = {path: array.shape for path, array in whole.items()}
    theirs = {made.names[0]: whole[path] for path, made in table.sources().items()}
    body, _ = convert(shapes, theirs, table)
    checkpoint.save(tmp_path, body, asdict(deep), {}, "InceptionResNetTrunk", half=False)
    model = new_model(task)
    before = checkpoint.flatten(model)
    take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, before[path] if path.startswith("head/") else whole[path], err_msg=path)
    partial = {path: array for path, array in body.items() if not path.startswith("tower/conv_2a")}
    checkpoint.save(tmp_path, partial, asdict(deep), {}, "InceptionResNetTrunk")
    with pytest.raises(ValueError, match=r"are missing \['tower/conv_2a"):
        take_trunk(model, tmp_path)


def test_trunks_of_another_network_or_width_are_refused(mobile, tmp_path):
    with pytest.raises(ValueError, match=r"of width 0\.25, the pose network of 0\.5"):
        take_trunk(abstract(MobilePose, MobilePoseConfig()), mobile)
    small = InceptionResNetConfig(blocks_35=0, blocks_17=0)
    with pytest.raises(ValueError, match="holds MobileNetV2, and InceptionResNet begins with InceptionResNetTrunk"):
        take_trunk(abstract(InceptionResNet, small), mobile)
    detector = PartDetectorConfig(blocks=(1, 1, 1, 1))
    with pytest.raises(ValueError, match="holds MobileNetV2, and PartDetector begins with PartDetectorTrunk"):
        take_trunk(abstract(PartDetector, detector), mobile)
    checkpoint.save(tmp_path, {}, {}, {})
    with pytest.raises(ValueError, match="holds MobilePose, and MobilePose begins with MobileNetV2"):
        take_trunk(abstract(MobilePose, MobilePoseConfig()), tmp_path)


def test_trunks_that_do_not_fit_are_refused(mobile, tmp_path):
    """Names that nothing goes by, as an older version would write them, must not pass for a trunk that was taken."""
    arrays, manifest = checkpoint.load(mobile)
    model = new_model(padded_like(PoseTaskConfig(width=WIDTH), mobile))
    before = checkpoint.flatten(model)
    strange = {name.replace("stem/", "stem/s/"): array for name, array in arrays.items()}
    partial = {name: array for name, array in arrays.items() if not name.startswith("blocks/3/")}
    nothing = {"stem/kernels": np.ones(3, np.float32)}
    more = arrays | {"blocks/99/kernel": np.ones(3, np.float32)}
    for wrong in (strange, partial, nothing, more):
        checkpoint.save(tmp_path, wrong, manifest["config"], {}, "MobileNetV2")
        with pytest.raises(ValueError, match="is not the trunk of this MobilePose: of its 255 arrays"):
            take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, before[path])


def test_one_starting_point_is_enough(mobile):
    done = CliRunner().invoke(app, ["pose", "--init", str(mobile), "--trunk", str(mobile)])
    assert done.exit_code == 2
    assert "--trunk and --widen are all" in done.output
    done = CliRunner().invoke(
        app, ["pose", "--preset", "walkers", "--trunk", str(mobile), "--run", str(mobile / "run")]
    )
    assert "of width 0.25, the pose network of 0.5" in str(done.exception)


@pytest.mark.parametrize("option", ["--init", "--widen"])
def test_a_network_is_padded_as_the_one_that_it_begins_as(option, tmp_path, monkeypatch):
    """No option tells the padding, and no array's shape would: a checkpoint's config does, or a run's."""
    config = MobilePoseConfig(padding="symmetric")
    checkpoint.save(tmp_path / "shipped", {}, asdict(config), {}, "MobilePose")
    settings = {"task": "pose", "preset": "lspet", **asdict(PoseTaskConfig(padding="symmetric"))}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(settings))
    made = []

    def begin(task, config, init):
        made.append(config.padding)
        raise ValueError("far enough")

    monkeypatch.setattr("train.__main__._begin", begin)
    for start in ("shipped", "run"):
        CliRunner().invoke(app, ["pose", "--preset", "walkers", option, str(tmp_path / start)])
    assert made == ["symmetric", "symmetric"]
    done = CliRunner().invoke(app, ["pose", "--preset", "walkers", option, str(tmp_path)])
    assert "is neither the folder of a checkpoint nor of a run" in str(done.exception)
