"""Every pose network learns 32 pictures by heart: on a CPU small ones with few blocks, on an accelerator whole ones.

Minutes each, so they run in `make test-slow`: python -m pytest -m slow tests/test_train_overfit.py -k InceptionResNet
"""

import dataclasses

import jax
import numpy as np
import pytest

from humanpose.estimator import HumanPoseNN
from humanpose.metrics import pck
from train import pose
from train.config import OptimizerConfig, PoseTaskConfig
from train.data import sample_indices
from train.loop import fit
from train.pose_walkers import walkers_drawer

PICTURES = 32
BATCH = 8

MOBILE = PoseTaskConfig(height=96, steps=400, optimizer=OptimizerConfig(4e-3, 20, weight_decay=0.0))
INCEPTION = PoseTaskConfig(
    network="InceptionResNet", blocks=(1, 1), height=203, loss="sigmoid_cross_entropy", diameter=13.0, steps=1200,
    optimizer=OptimizerConfig(5e-3, 40, weight_decay=0.0),
)  # fmt: skip
DETECTOR = PoseTaskConfig(
    network="PartDetector", blocks=(1, 1, 1, 1), height=160, loss="sigmoid_cross_entropy", diameter=11.0, steps=600,
    optimizer=OptimizerConfig(1.5e-3, 20, weight_decay=0.0),
)  # fmt: skip


def for_this_machine(config: PoseTaskConfig) -> PoseTaskConfig:
    """The whole network at its own size, in bfloat16, where there is an accelerator."""
    if jax.default_backend() == "cpu" or config.network == "MobilePose":
        return config
    height, diameter, sigma = (299, 15.0, 5.0) if config.network == "InceptionResNet" else (256, 11.0, 5.0)
    return dataclasses.replace(
        config, blocks=(), height=height, diameter=diameter, sigma=sigma, dtype="bfloat16", steps=600
    )


@pytest.mark.slow
@pytest.mark.parametrize("config", [MOBILE, INCEPTION, DETECTOR], ids=lambda config: config.network)
def test_a_network_learns_32_walkers_by_heart(config, tmp_path):
    config = for_this_machine(config)
    drawn = jax.jit(walkers_drawer(config.size))(jax.random.split(jax.random.key(7), PICTURES))
    images, keypoints, visible = (np.asarray(array) for array in drawn)
    images = np.clip(images, 0, 255).astype(np.uint8)
    nothing = {"opinion": np.zeros((BATCH, 16, 3), np.float32), "walkers": np.zeros(0, np.float32)}

    def batch_at(step: int) -> dict[str, np.ndarray]:
        rows = sample_indices(step, BATCH, PICTURES, 0)
        seen = {"visible": visible[rows], "present": visible[rows]}
        return {"images": images[rows], "keypoints": keypoints[rows], **seen, **nothing}

    trained = fit(
        pose.new_model(config), pose.make_loss(config), batch_at, optimizer=config.optimizer, steps=config.steps,
        directory=tmp_path / "run", config=dataclasses.asdict(config), save_every=config.steps,
    )  # fmt: skip
    (places, _), _ = HumanPoseNN.of(trained).describe(images)
    score = pck(places.keypoints, keypoints, visible > 0)
    assert score.overall > 0.99
