"""The silhouettes task: what it draws, that it reads the gallery alone, and that it learns."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stand_ins import bad, document
from typer.testing import CliRunner
from walk_trees import usf_people

from gaitnet.losses import batch_all_triplet_loss, part_cross_entropy, part_triplet_loss, softmax_cross_entropy
from train import silhouettes
from train.__main__ import app
from train.config import OptimizerConfig, SilhouettesTaskConfig
from train.export import export_run
from train.loop import fit
from train.silhouette_augment import disturb, on_floor

pytestmark = pytest.mark.usefixtures("lightly_compiled")

FEW = SilhouettesTaskConfig(
    subjects=4, people=3, walks=2, frames=2, steps=30, channels=(4, 8), strides=(2, 2), size=8,
    optimizer=OptimizerConfig(1e-2, 2),
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("usf")
    usf_people(root, "USF17Gal.mat", people=(1, 2, 3, 4), samples=4)
    usf_people(root, "PrbB.mat", people=(1, 2, 3, 4), samples=2, seed=1)
    return root


def test_losses_of_parts_are_the_mean_of_each(tree):
    rng = np.random.default_rng(0)
    parts, logits = (jnp.asarray(rng.normal(0, 1, (6, 3, size)), jnp.float32) for size in (5, 4))
    labels = jnp.array([0, 0, 1, 1, 2, 2])
    expected = np.mean([batch_all_triplet_loss(parts[:, part], labels, 0.3) for part in range(3)])
    assert part_triplet_loss(parts, labels, 0.3) == pytest.approx(expected, rel=1e-5)
    expected = np.mean([softmax_cross_entropy(logits[:, part], labels, 0.1) for part in range(3)])
    assert part_cross_entropy(logits, labels, 0.1) == pytest.approx(expected, rel=1e-5)


def test_a_batch_holds_walks_of_different_people_and_is_a_function_of_its_step(tree):
    make = silhouettes.make_batches(FEW, silhouettes.Gallery(tree, FEW))
    one, again, other = make(3), make(3), make(4)
    assert one["silhouettes"].shape == (6, 2, 32, 22)
    labels = one["labels"].reshape(3, 2)
    assert (labels[:, 0] == labels[:, 1]).all()
    assert len(set(labels[:, 0])) == 3
    np.testing.assert_array_equal(one["silhouettes"], again["silhouettes"])
    assert (one["silhouettes"] != other["silhouettes"]).any()


def test_probes_are_not_opened(tree, tmp_path):
    usf_people(tmp_path, "USF17Gal.mat", people=(1, 2, 3, 4), samples=4)
    (tmp_path / "PrbA.mat").write_bytes(b"no such thing")
    assert len(silhouettes.Gallery(tmp_path, FEW).samples) == 16


def test_held_out_half_cycles_teach_nothing(tree):
    config = dataclasses.replace(FEW, held_out=1)
    gallery = silhouettes.Gallery(tree, config)
    assert [set(own) & set(kept) for own, kept in zip(gallery.train, gallery.held_out, strict=True)] == [set()] * 4
    assert sorted(place for own in (*gallery.train, *gallery.held_out) for place in own) == list(range(16))
    found = silhouettes.make_evaluation(config, gallery)(silhouettes.new_model(config))
    assert len(found) == 3
    assert all(0 <= share <= 1 for share in found.values())
    assert silhouettes.make_evaluation(FEW, silhouettes.Gallery(tree, FEW)) is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"held_out": 4}, "4 half cycles, of which 4"), ({"subjects": 5}, "expected 5 people in the gallery, got 4")],
)
def test_a_gallery_that_does_not_fit_is_refused(tree, changed, why):
    with pytest.raises(ValueError, match=why):
        silhouettes.Gallery(tree, dataclasses.replace(FEW, **changed))


@pytest.mark.parametrize("wrong", [{"people": 72}, {"walks": 1}, {"frames": 11}, {"held_out": -1}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SilhouettesTaskConfig(**wrong)


def test_a_disturbed_walk_is_black_and_white_and_mostly_the_same(tree):
    gallery = silhouettes.Gallery(tree, FEW)
    frames = gallery.samples[0]
    agreed = []
    for seed in range(40):
        changed = disturb(frames, np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, disturb(frames, np.random.default_rng(seed)))
        assert changed.shape == frames.shape
        assert set(np.unique(changed)) <= {0.0, 1.0}
        agreed.append(np.mean((changed > 0) == (frames > 127)))
    assert 0.75 < np.mean(agreed) < 0.99
    single = disturb(frames[:1], np.random.default_rng(0))  # OpenCV drops an axis of one
    assert single.shape == (1, 32, 22)


def test_a_floor_hides_feet_by_stretching_and_adds_them_by_squeezing():
    frames = np.zeros((3, 32, 22), np.uint8)
    frames[:, :16, 8:14] = 255  # the upper half alone
    rng = np.random.default_rng(0)
    rows = {soil: on_floor(frames, soil, rng)[0, :, 11].sum() for soil in (-0.25, 0.0, 0.25)}
    np.testing.assert_array_equal(on_floor(frames, 0.0, rng), frames / 255)
    assert abs(rows[0.25] - 16 / 0.75) <= 1
    assert abs(rows[-0.25] - 16 / 1.25) <= 1


def test_it_learns_a_few_people_by_heart_and_is_evaluated(tree, tmp_path):
    config = dataclasses.replace(FEW, steps=60)
    gallery = silhouettes.Gallery(tree, config)
    make, settings = silhouettes.make_batches(config, gallery), dataclasses.asdict(config)
    trained = fit(
        silhouettes.new_model(config), silhouettes.make_loss(config), make, optimizer=config.optimizer,
        steps=config.steps, directory=tmp_path / "run", seed=config.seed, save_every=config.steps,
        config={"task": "silhouettes", "preset": "usf", "init": "", **settings},
    )  # fmt: skip
    batch = {name: jnp.asarray(array) for name, array in make(1000).items()}
    _, metrics = silhouettes.make_loss(config)(trained, batch, nnx.Rngs(0))
    assert metrics["right"] > 0.8

    export_run(tmp_path / "run", tmp_path / "usf")
    told = document("evaluate", "usf", "--root", tree, "--weights", tmp_path / "usf")
    (row,) = told["methods"]["GaitBase"]["rows"]
    assert row["rank_1"]["value"] == 1
    assert "holds the network GaitNN" in bad("evaluate", "usf", "--root", tree, "--weights", "gait")


def test_the_command_names_what_is_wrong(tree, tmp_path):
    told = CliRunner().invoke(app, ["silhouettes", "--data", str(tree), "--run", str(tmp_path / "run")])
    assert isinstance(told.exception, ValueError)
    assert "expected 71 people in the gallery, got 4" in str(told.exception)
    told = CliRunner().invoke(app, ["silhouettes", "--data", str(tmp_path), "--run", str(tmp_path / "run")])
    assert "expected USF17Gal.mat" in str(told.exception)
    assert not (tmp_path / "run").exists()
