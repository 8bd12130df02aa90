"""What joints count that are annotated behind something: from the record to the loss, and walkers' own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pose_trees import filmed
from test_train_pose import KNEE, WRIST, Answering, batch_of

from gaitnet.walkers.renderer import Rendered
from humanpose.augment import IDENTITY
from humanpose.skeleton import FLIP
from train import pose_walkers
from train.config import POSE_PRESETS, PoseTaskConfig
from train.pose import make_loss
from train.pose_batches import make_batches, make_sample
from train.pose_windows import make_window

HIDDEN = np.isin(np.arange(16), (WRIST, KNEE))


def people(folder, **rest):
    return [dataclasses.replace(one, hidden=HIDDEN, **rest) for one in filmed(folder, 2)]


def image(record):
    return np.zeros((96, 96, 3), np.uint8)


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("weight", [1.0, 0.25, 0.0])
def test_hidden_joints_weigh_what_was_asked_for_wherever_samples_are_made(tmp_path, flip, weight):
    """Marks change sides with their joints; a missing joint counts nothing, whatever is said of it."""
    records = people(tmp_path)
    records[0].visible[KNEE] = False
    config = dataclasses.replace(IDENTITY, flip=flip)
    expected = np.where(HIDDEN, weight, 1.0)
    expected[KNEE] = 0
    expected = expected[FLIP] if flip else expected
    one = make_sample(records, image, (96, 96), config, weight)(0, np.random.default_rng(0))
    window = make_window([records], image, (96, 96), config, weight)(0, np.random.default_rng(0))
    for found in (one["visible"], one["present"], window["visible"][0], window["present"][0]):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    told = dataclasses.replace(records[1], hidden=None)  # a data set that does not tell
    assert (make_sample([told], image, (96, 96), config, weight)(0, np.random.default_rng(0))["visible"] == 1).all()


@pytest.mark.parametrize("preset", ["mpii+lsp-mobile", "mpii+lsp-cpu"])
def test_the_setting_reaches_the_batches_of_both_kinds_of_network(tmp_path, preset):
    config = dataclasses.replace(POSE_PRESETS[preset], photographs=4, hidden_weight=0.5)
    batch = make_batches(config, people(tmp_path), [], image)(0)
    assert set(np.unique(batch["present"])) == {0.5, 1.0}
    assert (batch["present"] == 0.5).sum() == 4 * HIDDEN.sum()


def test_a_joint_of_half_the_weight_pulls_half_as_much_in_the_loss(lightly_compiled):
    """Beside the knee a wrist is annotated: the loss is the mean of both, weighed 1 to 0.5."""
    logits = np.random.default_rng(0).normal(size=(1, 32, 24, 16)).astype(np.float32)

    def loss_of(knee, wrist):
        batch = batch_of(np.zeros((1, 16, 3), np.float32))
        batch["keypoints"][0, WRIST] = (61.5, 21.5)
        batch["visible"][0, [KNEE, WRIST]] = knee, wrist
        return float(make_loss(PoseTaskConfig(sigma=1.0))(Answering(logits), batch, None)[0])

    np.testing.assert_allclose(loss_of(1, 0.5), (loss_of(1, 0) + 0.5 * loss_of(0, 1)) / 1.5, rtol=1e-5)
    assert abs(loss_of(1, 0.5) - loss_of(1, 1)) > 1e-3


def test_walkers_hidden_joints_weigh_what_the_task_says(monkeypatch, lightly_compiled):
    """Half of the joints are hidden; 0.7 is what they weigh where nobody says anything else."""
    size, shown = (48, 36), np.arange(16) % 2 == 0

    def render(points, *_, photograph):
        white = jnp.full((*size, 3), 255.0)
        return Rendered(
            white, jnp.zeros((1, *size)), jnp.full((1, 16, 2), 9.0), jnp.asarray(shown)[None], white[..., 0]
        )

    monkeypatch.setattr(pose_walkers, "render", render)
    assert PoseTaskConfig().walkers_hidden_weight == pose_walkers.HIDDEN == 0.7
    draw = jax.jit(lambda hidden: pose_walkers.draw_walker(jax.random.key(0), jnp.zeros(()), size, hidden=hidden)[2])
    for hidden in (0.0, 0.2, 1.0):
        np.testing.assert_allclose(draw(hidden), np.where(shown, 1, hidden), rtol=1e-6)
