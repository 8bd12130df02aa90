"""Every pose network trains in the project's one loop, and what a run leaves is what HumanPoseNN loads."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from humanpose import checkpoint
from humanpose.datasets.record import PoseRecord
from humanpose.estimator import HumanPoseNN
from humanpose.losses import mean_square, sigmoid_cross_entropy, spatial_cross_entropy
from humanpose.models.inception_resnet import InceptionResNet
from humanpose.models.mobile import MobilePose
from humanpose.models.part_detector import PartDetector
from train import pose
from train.config import OptimizerConfig, PoseTaskConfig
from train.export import export_run
from train.loop import fit
from train.pose_networks import pose_loss

pytestmark = pytest.mark.usefixtures("lightly_compiled")

QUICK = OptimizerConfig(1e-2, warmup_steps=1, weight_decay=0.0)
INCEPTION = PoseTaskConfig(
    network="InceptionResNet", blocks=(1, 1), height=75, loss="sigmoid_cross_entropy", diameter=9.0, photographs=2,
    landmarks=0, walkers=0, steps=6, optimizer=QUICK,
)  # fmt: skip
DETECTOR = dataclasses.replace(
    INCEPTION, network="PartDetector", blocks=(1, 1, 1, 1), height=64, loss="mean_square", sigma=3.0
)


def picture(record: PoseRecord) -> np.ndarray:
    """A bright square at each joint, on noise: every record its own."""
    image = np.random.default_rng(len(record.source)).integers(0, 80, (110, 110, 3), np.uint8)
    for x, y in record.keypoints.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


def record(number: int) -> PoseRecord:
    keypoints = np.random.default_rng(number).uniform(25, 85, (16, 2))
    return PoseRecord(Path("drawn"), None, np.array([10.0, 10, 100, 100]), keypoints, np.ones(16, bool), "x" * number)


@pytest.mark.parametrize("config", [INCEPTION, DETECTOR], ids=lambda config: config.network)
def test_an_original_network_is_trained_shipped_and_used(config, tmp_path):
    model = pose.new_model(config)
    before = {name: np.array(array) for name, array in checkpoint.flatten(model).items()}
    one_batch = pose.make_batches(config, [record(1), record(2)], [], picture)(0)
    settings = {"task": "pose", "preset": "toy", **dataclasses.asdict(config)}
    trained = fit(
        model, pose.make_loss(config), lambda step: one_batch, optimizer=QUICK, steps=config.steps,
        directory=tmp_path / "run", config=settings, log_every=1,
    )  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows]
    assert len(losses) == 6
    assert losses[-1] < 0.9 * losses[0]
    # Batch statistics take out whatever the bias of a part detector's convolution adds just before them.
    idle = [name for name, array in checkpoint.flatten(trained).items() if np.array_equal(array, before[name])]
    assert [name for name in idle if not name.startswith(("stem/bias", "stages/"))] == []
    assert all(name.endswith("bias") and "norm" not in name for name in idle)

    export_run(tmp_path / "run", tmp_path / "shipped")
    assert checkpoint.network_of(tmp_path / "shipped") == config.network
    shipped = HumanPoseNN.load(tmp_path / "shipped")
    assert shipped.size == (config.height, config.height)
    kept = dict(nnx.to_flat_state(shipped._state))
    own = dict(nnx.to_flat_state(nnx.state(trained)))
    assert kept.keys() == own.keys()
    for path, variable in own.items():
        np.testing.assert_allclose(kept[path].get_value(), variable.get_value(), rtol=1e-3, atol=1e-6)


def test_the_mean_of_two_runs_is_exported(tmp_path, monkeypatch):
    """Of equal networks; which run it was stands in the card."""

    def newest(run, model):
        """Weights of 1 in the first run and of 4 in the other."""
        value = {"first": 1.0, "second": 4.0}.get(run.name, 0.0)
        nnx.update(model, jax.tree.map(lambda leaf: jnp.full_like(leaf, value), nnx.state(model, nnx.Param)))
        return 7

    def run(name, config):
        (tmp_path / name).mkdir()
        settings = {"task": "pose", "preset": "toy", **dataclasses.asdict(config)}
        (tmp_path / name / "config.json").write_text(json.dumps(settings))
        return tmp_path / name

    monkeypatch.setattr("train.export.newest_weights", newest)
    small = PoseTaskConfig(width=0.25, height=64)
    first, second, other = run("first", small), run("second", small), run("other", INCEPTION)
    export_run(first, tmp_path / "mean", average=second)
    arrays, manifest = checkpoint.load(tmp_path / "mean")
    learned = {name: array for name, array in arrays.items() if not name.endswith(("mean", "var"))}
    assert {float(value) for array in learned.values() for value in np.unique(array)} == {2.5}
    assert manifest["card"]["training"]["averaged_with"] == "second, step 7"
    with pytest.raises(ValueError, match=r"--average: .*other is a run of another network"):
        export_run(first, tmp_path / "none", average=other)
    assert not (tmp_path / "none").exists()


def test_a_config_names_network_blocks_type_and_loss():
    def built(config):
        return nnx.eval_shape(lambda: pose.new_model(config))

    mobile, inception, detector = (built(config) for config in (PoseTaskConfig(), INCEPTION, DETECTOR))
    assert isinstance(mobile, MobilePose)
    assert isinstance(inception, InceptionResNet)
    assert isinstance(detector, PartDetector)
    assert (inception.config.blocks_35, inception.config.blocks_17) == (1, 1)
    assert detector.config.blocks == (1, 1, 1, 1)
    assert inception.dtype == np.float32
    # as read back from a run's JSON, where tuples are lists
    brain = built(dataclasses.replace(DETECTOR, blocks=[1, 2, 1, 1], dtype="bfloat16"))
    assert str(brain.dtype) == "bfloat16"
    assert brain.config.blocks == (1, 2, 1, 1)
    assert pose_loss(PoseTaskConfig()) is spatial_cross_entropy
    assert pose_loss(INCEPTION) is sigmoid_cross_entropy
    assert pose_loss(DETECTOR) is mean_square
    assert PoseTaskConfig().size == (192, 144)
    assert INCEPTION.size == (75, 75)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"network": "HourGlass"}, "network"),
        ({"loss": "spatial_cross_entropy"}, "loss"),
        ({"network": "MobilePose"}, "loss"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_by_name(changes, name):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(INCEPTION, **changes)


def test_blocks_of_another_network_are_refused():
    with pytest.raises(ValueError, match="blocks"):
        pose.new_model(dataclasses.replace(INCEPTION, blocks=(1, 1, 1, 1)))
    with pytest.raises(ValueError, match="blocks"):
        pose.new_model(dataclasses.replace(DETECTOR, blocks=(1, 1)))
