"""Pose networks that begin with a trunk which learned elsewhere."""

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


def test_an_inception_trunk_fills_as_many_blocks_as_there_are(tmp_path):
    deep = InceptionResNetConfig(image_size=107, blocks_35=2, blocks_17=1)
    whole = drawn(abstract(InceptionResNet, deep))
    body = {path: array for path, array in whole.items() if not path.startswith(("head/", "tower/"))}
    checkpoint.save(tmp_path, body, asdict(deep), {}, "InceptionResNetTrunk", half=False)
    model = InceptionResNet(InceptionResNetConfig(image_size=107, blocks_35=1, blocks_17=1), rngs=nnx.Rngs(0))
    before = checkpoint.flatten(model)
    assert padded_like(PoseTaskConfig(), tmp_path) == PoseTaskConfig()
    take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, body.get(path, before[path]), err_msg=path)


def test_a_resnet_trunk_fills_as_many_blocks_as_there_are(tmp_path):
    deep = PartDetectorConfig(image_size=32, blocks=(1, 2, 1, 2))
    body = {path: array for path, array in drawn(abstract(PartDetector, deep)).items() if not path.startswith("head/")}
    checkpoint.save(tmp_path, body, asdict(deep), {}, "PartDetectorTrunk", half=False)
    task = PoseTaskConfig(
        network="PartDetector", height=32, blocks=(1, 1, 1, 1), loss="mean_square", landmarks=0, walkers=0
    )
    model = new_model(padded_like(task, tmp_path))
    before = checkpoint.flatten(model)
    take_trunk(model, tmp_path)
    for path, array in checkpoint.flatten(model).items():
        np.testing.assert_array_equal(array, body.get(path, before[path]), err_msg=path)
    for wrong in (
        {path: array for path, array in body.items() if not path.startswith("stages/2/")},
        body | {"stages/4/0/conv_1/kernel": np.ones(3, np.float32)},
    ):
        checkpoint.save(tmp_path, wrong, asdict(deep), {}, "PartDetectorTrunk")
        with pytest.raises(ValueError, match="is not the trunk of this PartDetector"):
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
    deep = InceptionResNetConfig(image_size=107, blocks_35=1, blocks_17=1)
    whole = drawn(abstract(InceptionResNet, deep))
    body = {path: array for path, array in whole.items() if not path.startswith(("head/", "tower/"))}
    shallow = InceptionResNet(InceptionResNetConfig(image_size=107, blocks_35=1, blocks_17=0), rngs=nnx.Rngs(0))
    for wrong in (
        {path: array for path, array in body.items() if not path.startswith("blocks_35/")},
        body | {"blocks_36/5/kernel": np.ones(3, np.float32)},
    ):
        checkpoint.save(tmp_path, wrong, asdict(deep), {}, "InceptionResNetTrunk")
        with pytest.raises(ValueError, match="is not the trunk of this InceptionResNet"):
            take_trunk(shallow, tmp_path)


def test_one_starting_point_is_enough(mobile):
    done = CliRunner().invoke(app, ["pose", "--init", str(mobile), "--trunk", str(mobile)])
    assert done.exit_code == 2
    assert "--trunk and --widen are all" in done.output
    done = CliRunner().invoke(
        app, ["pose", "--preset", "walkers", "--trunk", str(mobile), "--run", str(mobile / "run")]
    )
    assert "of width 0.25, the pose network of 0.5" in str(done.exception)
