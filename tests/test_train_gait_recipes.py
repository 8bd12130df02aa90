"""Recipes of the gait task: what is done to walks, the head behind a BN neck, schedules, and presets that learn."""

import json
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from stand_ins import stroll

from gaitnet.models.head import GaitOutput, NeckedHead
from gaitnet.recognizer import load_gaitnn
from humanpose.checkpoint import flatten
from humanpose.skeleton import FLIP
from train import gait
from train.config import OptimizerConfig
from train.export import export_run, new_model_of
from train.gait_augment import change_walks, read_between
from train.gait_config import GAIT_PRESETS, MODERN, ORIGINAL, GaitRecipe, GaitTaskConfig
from train.gait_errors import Observed
from train.loop import _schedule, fit, make_optimizer

pytestmark = pytest.mark.usefixtures("lightly_compiled")

WALKS, TIME = 200, 24


@pytest.fixture(scope="module")
def walks():
    """Each number tells its time, joint and axis; probabilities tell the joint."""
    time, joint = np.arange(TIME)[:, None, None], np.arange(16)[None, :, None]
    keypoints = np.broadcast_to(time + joint / 100 + np.arange(2) / 1000, (WALKS, TIME, 16, 2))
    probability = np.broadcast_to(np.linspace(0.2, 0.9, 16), (WALKS, TIME, 16))
    return Observed(jnp.asarray(keypoints, jnp.float32), jnp.asarray(probability, jnp.float32))


def changed(walks, **changes):
    recipe = GaitRecipe(**changes)
    assert recipe.changes
    (keypoints, probability), there = change_walks(jax.random.key(5), walks, recipe)
    return np.asarray(keypoints), np.asarray(probability), np.asarray(there)


def test_tempo_reads_a_walk_faster_or_slower_and_ends_where_it_ends(walks):
    keypoints, _, there = changed(walks, tempo=0.3)
    speed = keypoints[:, 1, 0, 0] - keypoints[:, 0, 0, 0]
    inner = np.diff(keypoints[:, :16, 0, 0], axis=1)  # a cubic is not straight beyond a walk's ends
    np.testing.assert_allclose(inner[:, 2:].mean(1), inner[:, 2:].max(1), atol=1e-3)
    assert np.exp(-0.3) - 0.1 < speed.min() < 0.85
    assert 1.15 < speed.max() < np.exp(0.3) + 0.1
    fast = np.log(inner[:, 8])
    np.testing.assert_array_equal(there.sum(1), np.minimum(np.floor((TIME - 1) / np.exp(fast) + 1e-4) + 1, TIME))
    assert (np.diff(there.astype(int), axis=1) <= 0).all(), "what a faster walk lacks is missing at its end"


def test_values_between_times_follow_a_parabola_to_the_digit():
    time = np.arange(10.0)
    curve = (0.3 * time**2 - time + 2).astype(np.float32)
    places = np.array([[1.0, 1.25, 3.5, 7.75, 9.0, 12.0]], np.float32)
    found = read_between(jnp.asarray(curve[None, :, None]), jnp.asarray(places))
    inside = np.minimum(places, 9)
    np.testing.assert_allclose(found[0, :, 0], (0.3 * inside**2 - inside + 2)[0], rtol=1e-5)


def test_a_walk_is_cut_to_pieces_of_every_length_and_place(walks):
    keypoints, _, there = changed(walks, shortest=6)
    lengths, first = there.sum(1), there.argmax(1)
    assert set(lengths) == set(range(6, TIME + 1))
    assert (np.abs(np.diff(there.astype(int), axis=1)).sum(1) <= 2).all(), "in one piece"
    assert set(first[lengths == 6]) - {0}
    np.testing.assert_array_equal(keypoints, walks.keypoints)


def test_dropped_maps_are_missing_and_one_always_stays(walks):
    _, _, there = changed(walks, dropped=0.5)
    assert 0.45 < there[:, 1:].mean() < 0.55
    assert there[:, 0].all()
    assert (changed(walks, shortest=1, dropped=0.5)[2].sum(1) >= 1).all()


def test_sides_are_exchanged_in_whole_walks(walks):
    keypoints, probability, there = changed(walks, mirrored=0.5)
    same = (keypoints == walks.keypoints).all((1, 2, 3))
    assert 0.35 < same.mean() < 0.65
    np.testing.assert_array_equal(keypoints[~same], np.asarray(walks.keypoints)[~same][:, :, FLIP])
    np.testing.assert_array_equal(probability[~same], np.asarray(walks.probability)[~same][:, :, FLIP])
    assert there.all()


def test_trembling_is_of_the_size_that_is_asked_for(walks):
    keypoints, _, _ = changed(walks, trembling=2.0)
    level = (keypoints - walks.keypoints).std((1, 2, 3))
    assert level.max() < 0.021
    np.testing.assert_allclose(level.mean(), 0.01, rtol=0.15)


def test_a_neck_normalises_who_is_there_as_numpy_does():
    rng = np.random.default_rng(0)
    head = NeckedHead(5, 3, 0.9, rngs=nnx.Rngs(0))
    head.gamma[...] = jnp.linspace(0.5, 2, 5)
    vectors = rng.normal(2, 3, (7, 5))
    present = np.array([1, 1, 0, 1, 1, 0, 1], bool)
    found = head.normalise(jnp.asarray(vectors, jnp.float32), jnp.asarray(present), True)
    mean, variance = vectors[present].mean(0), vectors[present].var(0)
    expected = (vectors - mean) / np.sqrt(variance + 1e-5) * np.linspace(0.5, 2, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(head.moving_mean[...], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(head.moving_variance[...], 0.9 + 0.1 * variance, rtol=1e-4)
    before = np.asarray(head.moving_variance[...])
    assert np.isfinite(head.normalise(jnp.asarray(vectors, jnp.float32), jnp.zeros(7, bool), True)).all()
    np.testing.assert_array_equal(head.moving_variance[...], before)


def test_each_loss_is_the_sum_that_it_is_named_after():
    rng = np.random.default_rng(3)
    vectors, logits = (jnp.asarray(rng.normal(size=(6, size)), jnp.float32) for size in (8, 4))
    output = GaitOutput(vectors, logits, jnp.zeros((6, 1, 8)), jnp.zeros((6, 1, 8)))
    subjects = jnp.array([0, 0, 1, 1, 3, 3])
    told = {
        name: gait.identification_loss(GaitTaskConfig(recipe=recipe, contrast=0.5), output, subjects)
        for name, recipe in (("original", ORIGINAL), ("modern", MODERN), ("ours", GaitRecipe()))
    }
    log_probability = np.asarray(logits, np.float64)
    log_probability -= np.log(np.exp(log_probability).sum(1, keepdims=True))
    named = log_probability[np.arange(6), subjects]
    np.testing.assert_allclose(told["original"][0], -named.mean(), rtol=1e-5)
    smoothed = -(0.9 * named + 0.1 * log_probability.mean(1)).mean()
    apart = np.linalg.norm(np.asarray(vectors)[:, None] - np.asarray(vectors)[None], axis=-1)
    triplets = [
        apart[a, p] - apart[a, n] + 0.2
        for a in range(6) for p in range(6) for n in range(6)
        if a != p and subjects[a] == subjects[p] != subjects[n]
    ]  # fmt: skip
    triplet = np.mean([hinge for hinge in triplets if hinge > 0])
    np.testing.assert_allclose(told["modern"][0], smoothed + triplet, rtol=1e-4)
    loss, metrics = told["ours"]
    np.testing.assert_allclose(loss, smoothed + 0.5 * metrics["contrast"], rtol=1e-5)
    assert told["original"][1].keys() == {"cross_entropy", "right"}
    with pytest.raises(ValueError, match="has a head"):
        gait.identification_loss(GaitTaskConfig(), output._replace(logits=None), subjects)


def test_the_originals_rate_falls_in_steps_of_two_thousand():
    rate = _schedule(GAIT_PRESETS["original"].optimizer, 100_000)
    for step, falls in ((0, 0), (1999, 0), (2000, 1), (9999, 4), (10_000, 5)):
        np.testing.assert_allclose(rate(step), 1e-4 * 0.96**falls, rtol=1e-5)
    warm = _schedule(OptimizerConfig(0.1, 10, schedule="staircase", decay_rate=0.5, decay_steps=5), 100)
    np.testing.assert_allclose([warm(0), warm(5), warm(10), warm(15)], [0, 0.05, 0.1, 0.05], rtol=1e-5)


def test_sgd_goes_downhill_with_momentum_and_wears_kernels_alone():
    """By hand: Nesterov's first step is (1 + momentum) gradients long; decay is added where there are two axes."""
    tx = make_optimizer(OptimizerConfig(0.5, 0, 0.1, clip_norm=100, rule="SGD", schedule="staircase"), 10)
    params = {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full((2,), 2.0)}
    gradients = jax.tree.map(jnp.ones_like, params)
    updates, state = tx.update(gradients, tx.init(params), params)
    np.testing.assert_allclose(updates["bias"], -0.5 * 1.9, rtol=1e-6)
    np.testing.assert_allclose(updates["kernel"], -0.5 * 1.9 * 1.2, rtol=1e-6)
    updates, _ = tx.update(gradients, state, optax.apply_updates(params, updates))
    np.testing.assert_allclose(updates["bias"], -0.5 * (1 + 0.9 * 1.9), rtol=1e-6)


def small(preset: str, **changes) -> GaitTaskConfig:
    config = GAIT_PRESETS[preset]
    count = {"subjects": 6, "people": min(config.people, 3), "walks": min(config.walks, 2), "frames": 14, "steps": 2}
    return replace(config, **count, multiplier=0.1, size=16, **changes)


@pytest.mark.parametrize("preset", ["original", "modern"])
def test_presets_learn_and_what_they_learned_is_shipped(preset, tmp_path, monkeypatch):
    monkeypatch.setattr(gait, "draw_keypoints", stroll)
    config = small(preset)
    model = gait.new_model(config)
    assert isinstance(model.head, NeckedHead) == config.recipe.neck
    before = {name: np.array(array) for name, array in flatten(model).items()}
    settings = {"task": "gait", "preset": preset, **asdict(config)}
    learned = fit(
        model, gait.make_loss(config), gait.make_batches(config), optimizer=replace(config.optimizer, warmup_steps=0),
        steps=2, directory=tmp_path / "run", config=settings, log_every=1,
    )  # fmt: skip
    after = flatten(learned)
    assert (after["dense/kernel"] != before["dense/kernel"]).any()
    assert ("head/gamma" in after) == config.recipe.neck
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert ("triplet" in lines[-1]) == config.recipe.neck
    assert new_model_of(json.loads(json.dumps(settings))).config == model.config
    export_run(tmp_path / "run", tmp_path / "gait")
    network, _ = load_gaitnn(tmp_path / "gait")
    assert (network.config.subjects, network.head) == (0, None)
    np.testing.assert_allclose(network.dense.kernel[...], after["dense/kernel"], rtol=1e-3, atol=1e-6)


def test_the_original_preset_is_the_originals():
    """Its published settings: network, batch, loss, rule, clipping, schedule, dropout, batch norm."""
    config = GAIT_PRESETS["original"]
    assert (config.people * config.walks, config.seen, config.multiplier, config.size) == (1, 0, 1.0, 512)
    assert (config.recurrent_unit, config.layers, config.deep) == ("GRU", 1, False)
    rule = config.optimizer
    assert (rule.rule, rule.clip_norm, rule.warmup_steps) == ("RMSProp", 0.1, 0)
    assert (rule.schedule, rule.decay_rate, rule.decay_steps) == ("staircase", 0.96, 2000)
    recipe = config.recipe
    assert (recipe.loss, recipe.label_smoothing, recipe.dropout, recipe.changes) == ("entropy", 0.0, 0.3, False)
    assert (recipe.batch_norm_scale, recipe.batch_norm_decay) == (False, 0.999)


def test_recipes_that_cannot_be_are_refused():
    for wrong in (
        {"loss": "triplet"}, {"label_smoothing": 1.0}, {"margin": 0.0}, {"dropout": -0.1}, {"batch_norm_decay": 1.0},
        {"tempo": 0.6}, {"dropped": -0.1}, {"mirrored": 1.5}, {"trembling": -1.0}, {"shortest": -1},
        {"neck": True, "loss": "entropy"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GaitRecipe(**wrong)
    for wrong, says in (
        ({"frames": 12}, "shortest: a walk has 12 maps, got 13"),
        ({"walks": 1}, "triplets need two people"),
        ({"people": 1}, "triplets need two people"),
        ({"distil": True, "optimizer": OptimizerConfig(weight_decay=0.0)}, "leave the recipe as it is"),
    ):
        with pytest.raises(ValueError, match=says):
            replace(GAIT_PRESETS["modern"], **wrong)
    for wrong in ({"rule": "Adam"}, {"schedule": "steps"}, {"momentum": 1.0}, {"decay_rate": 0.0}, {"decay_steps": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            OptimizerConfig(**wrong)
