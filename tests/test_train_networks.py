"""Every task takes a step, measures, and what it saves is what the packages load."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from stand_ins import stroll

from gaitnet.models.detector import Detector, DetectorConfig
from gaitnet.recognizer import load_detector, load_gaitnn
from humanpose.checkpoint import find, load_model
from humanpose.datasets.record import PoseRecord
from humanpose.estimator import HumanPoseNN
from humanpose.models.inception_resnet import InceptionResNet
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.part_detector import PartDetector
from train import detect, gait, pose
from train.config import DETECT_PRESETS, POSE_PRESETS, DetectTaskConfig, OptimizerConfig, PoseTaskConfig
from train.detect_data import DetectData, Scene, evaluation_arrays, walkers_scenes
from train.export import export_run
from train.gait_config import GAIT_PRESETS, GaitTaskConfig
from train.loop import fit
from train.pose_walkers import walkers_drawer

pytestmark = pytest.mark.usefixtures("lightly_compiled")

QUICK = OptimizerConfig(1e-3, 1)


def scene(seed: int) -> Scene:
    """A dark person, if one may say so, before a bright wall."""
    rng = np.random.default_rng(seed)
    image = rng.integers(150, 200, (120, 160, 3), np.uint8)
    left = int(rng.integers(10, 100))
    image[20:110, left : left + 36] = 30
    return Scene(image, np.array([[left, 20.0, left + 36, 110.0]]))


def record(seed: int) -> PoseRecord:
    rng = np.random.default_rng(seed)
    box = np.array([30.0, 10.0, 90.0, 110.0])
    return PoseRecord(Path(f"{seed}.png"), None, box, rng.uniform(30, 90, (16, 2)), np.ones(16, bool), "toy")


def trained(task: str, network, loss, batches, folder: Path, config, evaluate):
    from dataclasses import asdict

    settings = {"task": task, "preset": "toy", **asdict(config)}
    fit(
        network, loss, batches, optimizer=QUICK, steps=2, directory=folder / "run", config=settings, log_every=1,
        evaluate=evaluate, evaluate_every=2,
    )  # fmt: skip
    export_run(folder / "run", folder / task)
    return folder / task


def test_a_detector_is_trained_shipped_and_used(tmp_path):
    config = DetectTaskConfig(scenes=2, walkers=0, size=64, steps=2, optimizer=QUICK)
    data = DetectData([scene(1), scene(2)], [scene(3)], {"toy": [scene(number) for number in range(3)]})
    evaluate = detect.make_evaluation(config, data, batch=2)
    loss = detect.make_loss()
    folder = trained(
        "detect", detect.new_model(config), loss, detect.make_batches(config, data), tmp_path, config, evaluate
    )
    find = load_detector(folder)
    assert find is not None
    boxes, scores = find(scene(4).pixels())
    assert boxes.shape == (len(scores), 4)
    assert load_detector(tmp_path / "nowhere") is None
    rates = evaluate(detect.new_model(config))
    assert rates.keys() == {"found_toy", "false_toy"}


def test_detection_rates_are_of_people_found_and_of_boxes_around_nobody():
    """The last batch is filled up with empty pictures, which do not count."""
    arrays = evaluation_arrays([scene(number) for number in range(3)], 64)
    known = [image.tobytes() for image in arrays["images"]]

    def rates(score, *shifts):
        def find(images):
            true = [arrays["boxes"][known.index(one.tobytes()), 0] if one.any() else np.zeros(4) for one in images]
            boxes = np.stack([[box + shift for shift in shifts] for box in true])
            return boxes, np.full(boxes.shape[:2], score)

        return detect._rates(find, arrays, 0.4, 2)

    width = arrays["boxes"][0, 0, 2] - arrays["boxes"][0, 0, 0]
    beside = np.array([width, 0, width, 0]) / 2  # which overlaps by a third
    assert rates(0.9, 0) == {"found": 1, "false": 0}
    assert rates(0.9, beside) == {"found": 0, "false": 1}
    assert rates(0.9, 0, beside, beside) == {"found": 1, "false": 2}
    assert rates(0.3, 0) == {"found": 0, "false": 0}


def test_boxes_of_drawn_scenes_hold_the_walkers():
    """Boxes of walkers' size and shape, within the picture."""
    import jax

    images, boxes, present = walkers_scenes((96, 96))(jax.random.split(jax.random.key(0), 6))
    assert images.shape == (6, 96, 96, 3)
    there = np.asarray(boxes)[np.asarray(present) > 0]
    assert len(there) > 3
    width, height = there[:, 2] - there[:, 0], there[:, 3] - there[:, 1]
    assert (height > 4).all()
    assert (width < 1.5 * height).all()
    assert (there > -1).all()
    assert (there < 97).all()


def test_a_pose_network_is_trained_shipped_and_used(tmp_path):
    config = PoseTaskConfig(
        width=0.25,
        height=96,
        head_channels=16,
        photographs=1,
        landmarks=1,
        walkers=1,
        backgrounds=1,
        steps=2,
        optimizer=QUICK,
    )
    images = lambda one: np.random.default_rng(0).integers(0, 255, (260, 260, 3), np.uint8)  # noqa: E731
    batches = pose.make_batches(config, [record(1)], [record(2)], images)
    evaluate = pose.make_evaluation({"toy": [record(3), record(4)]}, images, (96, 72), batch=2)
    loss = pose.make_loss(config, walkers_drawer((96, 72)))
    folder = trained("pose", pose.new_model(config), loss, batches, tmp_path, config, evaluate)
    network = HumanPoseNN.load(folder)
    assert network.size == (96, 72)
    assert network.joints(images(None)).keypoints.shape == (1, 16, 2)
    with pytest.raises(ValueError, match="photographs: the preset wants 1"):
        pose.make_batches(config, [], [record(2)], images)
    with pytest.raises(ValueError, match=r"backgrounds: expected from 0 to as many as there are walkers \(1\), got 2"):
        replace(config, backgrounds=2)
    with pytest.raises(ValueError, match="backgrounds: they are cut from photographs"):
        replace(config, photographs=0)


def test_a_deep_gait_network_is_trained_and_shipped_without_its_head(tmp_path, monkeypatch):
    monkeypatch.setattr(gait, "draw_keypoints", stroll)
    config = GaitTaskConfig(
        subjects=4, people=2, walks=2, frames=8, steps=2, multiplier=0.1, size=16, deep=True, optimizer=QUICK
    )
    model = gait.new_model(config)
    assert model.config.deep
    folder = trained("gait", model, gait.make_loss(config), gait.make_batches(config), tmp_path, config, None)
    network, _ = load_gaitnn(folder)
    assert network.config.deep
    assert network.config.subjects == 0


def test_a_detector_begins_with_the_trunk_of_pose_weights(tmp_path):
    detector = detect.new_model(DetectTaskConfig())
    folder = find("pose")
    shipped, sha256 = load_model(folder, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0)))
    assert detect.take_over(detector, folder) == sha256
    for own, other in ((detector.trunk, shipped.trunk), (detector.head.to_8, shipped.head.to_8)):
        for mine, theirs in zip(jax.tree.leaves(nnx.state(own)), jax.tree.leaves(nnx.state(other)), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="no checkpoint"):
        detect.take_over(detector, tmp_path)
    wider = Detector(DetectorConfig(head_channels=8), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="channels"):
        detect.take_over(wider, folder)


@pytest.mark.parametrize("preset", POSE_PRESETS)
def test_pose_presets_name_networks_that_there_are(preset):
    config = POSE_PRESETS[preset]
    network = nnx.eval_shape(lambda: pose.new_model(config))
    assert type(network).__name__ == config.network
    assert network.size == config.size
    match network:
        case MobilePose():
            assert network.config.width_multiplier == config.width
            assert network.config.head_channels == config.head_channels
        case InceptionResNet():
            assert (len(network.blocks_35), len(network.blocks_17)) == (config.blocks or (10, 20))
        case PartDetector():
            assert tuple(map(len, network.stages)) == (3, 8, 36, 3)


def test_gait_and_detect_presets_name_networks_that_there_are():
    for config in GAIT_PRESETS.values():
        network = nnx.eval_shape(lambda config=config: gait.new_model(config))
        assert network.config.subjects == config.subjects
    for config in DETECT_PRESETS.values():
        assert nnx.eval_shape(lambda config=config: detect.new_model(config)).config.size == config.size
