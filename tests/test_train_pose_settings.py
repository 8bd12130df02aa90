"""What the settings of the pose task mean: targets, rules, measures, and the presets themselves."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from pose_trees import filmed

from humanpose.skeleton import INDEX
from train.config import POSE_PRESETS, SILHOUETTES_PRESETS, OptimizerConfig
from train.gait_config import GAIT_PRESETS
from train.pose_evaluation import measures

ROOT = Path(__file__).resolve().parent.parent


def test_rmsprop_is_tensorflows():
    """Ten steps beside a float64 twin: the mean of squares begins at 1, and 1e-10 is added to it before the root."""
    import jax.numpy as jnp
    import optax

    from train.loop import make_optimizer

    config = OptimizerConfig(1e-2, warmup_steps=2, weight_decay=0.0, clip_norm=2.0, rule="RMSProp")
    tx = make_optimizer(config, 10)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 2))
    mean, ours = np.ones((3, 2)), jnp.asarray(weights, jnp.float32)
    state = tx.init(ours)
    for step in range(10):
        gradient = rng.normal(size=(3, 2)) * (10 if step % 2 else 0.1)
        updates, state = tx.update(jnp.asarray(gradient, jnp.float32), state, ours)
        ours = optax.apply_updates(ours, updates)
        rate = 1e-2 * (step / 2 if step < 2 else (1 + np.cos(np.pi * (step - 2) / 8)) / 2)
        gradient = gradient * min(1, 2 / np.linalg.norm(gradient))
        mean = 0.9 * mean + 0.1 * gradient**2
        weights = weights - rate * gradient / np.sqrt(mean + 1e-10)
    np.testing.assert_allclose(ours, weights, rtol=1e-5)
    with pytest.raises(ValueError, match="rule"):
        OptimizerConfig(rule="Adagrad")
    with pytest.raises(ValueError, match="weight_decay"):
        OptimizerConfig(rule="RMSProp")


def test_heads_torsos_and_the_grid_measure(tmp_path):
    """Everything is 10 pixels off: within half of a head of 21 pixels, not of 19; on the grid it depends on the box."""
    records = [dataclasses.replace(one, head=head) for one, head in zip(filmed(tmp_path, 2), (21.0, 19.0), strict=True)]
    found = np.stack([one.keypoints for one in records]) + np.array([10, 0])
    told = measures(found, records)
    assert told["pckh"] == 0.5
    assert told["distance"] == pytest.approx(10 * 299 / (1.25 * 76))
    assert "pckh" not in measures(found, filmed(tmp_path, 2))
    found[:, [INDEX["pelvis"], INDEX["thorax"]]] += 500
    assert measures(found, records)["pckh"] == 0.5


ON_RELEASES = [name for name, config in POSE_PRESETS.items() if config.data != "lspet+kth"]


@pytest.mark.parametrize("name", [name for name in ON_RELEASES if not name.endswith("-mobile")])
def test_presets_on_releases_keep_what_the_original_told(name):
    config = POSE_PRESETS[name]
    assert (config.augment, config.loss, config.optimizer.rule) == ("original", "sigmoid_cross_entropy", "RMSProp")
    assert (config.optimizer.clip_norm, config.optimizer.weight_decay) == (2.0, 0.0)
    if not name.endswith("-cpu"):
        sizes = {"InceptionResNet": (299, 15.0), "PartDetector": (256, 11.0)}
        assert (config.height, config.diameter) == sizes[config.network]
        assert config.blocks == ()


@pytest.mark.parametrize("name", [name for name in ON_RELEASES if name.endswith("-mobile")])
def test_presets_of_ours_on_releases_learn_our_way(name):
    config = POSE_PRESETS[name]
    assert (config.network, config.width, config.size) == ("MobilePose", 1.0, (256, 192))
    assert (config.augment, config.loss, config.optimizer.rule) == ("ours", "spatial_cross_entropy", "AdamW")
    assert (config.landmarks, config.walkers) == (0, 0)


@pytest.mark.parametrize(
    ("preset", "augment"), [("wide", "PHOTOGRAPHS"), ("wide-on", "HARDER"), ("mpii+lsp", "ORIGINAL")]
)
def test_photographs_are_changed_as_the_preset_says(preset, augment, tmp_path, monkeypatch):
    from train import pose_batches

    asked = []
    monkeypatch.setattr(pose_batches, "make_sample", lambda records, images, size, config, hidden: asked.append(config))
    records = filmed(tmp_path, 2)
    pose_batches.make_batches(POSE_PRESETS[preset], records, records, None)
    assert asked[0] == getattr(pose_batches, augment)


def test_the_presets_that_the_documents_name_are_there():
    text = "".join((ROOT / name).read_text() for name in ("README.md", "docs/pose-training.md"))
    named = set(re.findall(r"--preset ([a-z0-9+-]+)", text)) | set(
        re.findall(r"`((?:mpii\+lsp|human36m)-[a-z]+)`", text)
    )
    assert named - POSE_PRESETS.keys() - GAIT_PRESETS.keys() - SILHOUETTES_PRESETS.keys() == set()
    assert {name for name in POSE_PRESETS if POSE_PRESETS[name].data != "lspet+kth"} <= named


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"data": "coco"}, "data"),
        ({"landmarks": 2}, "landmarks"),
        ({"window": 3}, "window"),
        ({"augment": "no"}, "augment"),
        ({"hidden_weight": 1.5}, "hidden_weight"),
        ({"walkers_hidden_weight": -0.1}, "walkers_hidden_weight"),
        ({"half_body": float("nan")}, "half_body"),
        ({"half_body": 0.3, "window": 8}, "half_body.*windows of 8"),
        ({"data": "human36m", "hidden_weight": 0.5}, "hidden_weight: human36m does not tell"),
        ({"padding": "valid"}, "padding: expected same or symmetric, got 'valid'"),
        ({"loss": "sigmoid_crossentropy"}, "loss: MobilePose learns by.*got 'sigmoid_crossentropy'"),
    ],
)
def test_settings_of_releases_that_do_not_go_together_are_refused(changes, name):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(POSE_PRESETS["mpii+lsp"], **changes)


def test_options_change_the_preset_and_are_checked_with_it(monkeypatch):
    """--loss, --half-body and --hidden-weight are settings of the task, whatever reads them."""
    from typer.testing import CliRunner

    from train.__main__ import app

    made = []

    def begin(task, config, init):
        made.append(config)
        raise ValueError("far enough")

    monkeypatch.setattr("train.__main__._begin", begin)
    chosen = ("--loss", "mean_square", "--half-body", "0.3", "--hidden-weight", "0")
    CliRunner().invoke(app, ["pose", "--preset", "mpii+lsp-detector", *chosen])
    changes = {"loss": "mean_square", "half_body": 0.3, "hidden_weight": 0.0}
    assert made == [dataclasses.replace(POSE_PRESETS["mpii+lsp-detector"], **changes)]
    for wrong, says in (
        (("--preset", "mpii+lsp", "--loss", "spatial_cross_entropy"), "the others by sigmoid_cross_entropy"),
        (("--preset", "mpii+lsp", "--loss", "mse"), "got 'mse' for InceptionResNet"),
        (("--preset", "lspet", "--hidden-weight", "0.5"), "does not tell which joints are"),
        (("--preset", "walkers", "--half-body", "0.5"), "it is for photographs"),
    ):
        done = CliRunner().invoke(app, ["pose", *wrong])
        assert done.exit_code == 2
        assert says in " ".join(done.output.replace("│", " ").split())
    assert len(made) == 1
