"""Walks that look as in real video: what is measured of real people, and what is made of walkers."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stand_ins import stroll

from gaitnet.walkers.body import draw_person
from gaitnet.walkers.motion import walk_points
from gaitnet.walkers.walk import draw_walk
from humanpose.skeleton import FLIP, INDEX
from train import gait, real
from train.gait_config import GaitTaskConfig
from train.walks import Walks

pytestmark = pytest.mark.usefixtures("lightly_compiled")

ROWS = {
    "head_top": 0, "upper_neck": 30, "thorax": 40, "shoulder": 40, "elbow": 70, "wrist": 100, "pelvis": 100, "hip": 100,
    "knee": 150, "ankle": 200,
}  # fmt: skip


def walk(frames=40, swing=0.1, low=0.0):
    """Keypoints and times of somebody 200 pixels tall who walks to the right: hips `low` lower, knees that swing."""
    keypoints = np.random.default_rng(0).normal(0, 0.3, (frames, 16, 2))
    for name, joint in INDEX.items():
        part = name.removeprefix("r_").removeprefix("l_")
        keypoints[:, joint, 1] += ROWS[part] + 200 * low * (part in ("hip", "pelvis"))
    seconds = np.arange(frames) / 25
    keypoints[..., 0] += 120 * seconds[:, None]
    keypoints[:, INDEX["r_knee"], 0] += 200 * swing * np.sin(2 * np.pi * seconds)
    keypoints[:, INDEX["l_knee"], 0] -= 200 * swing * np.sin(2 * np.pi * seconds)
    return keypoints.astype(np.float32), seconds


def person(mirrored, **of_walk):
    keypoints, times = walk(**of_walk)
    if mirrored:
        keypoints = (keypoints * (-1, 1))[:, FLIP].astype(np.float32)
    return SimpleNamespace(
        mirrored=mirrored, keypoints=keypoints, times=times, probability=np.ones(keypoints.shape[:2], np.float32),
        reason=None,
    )  # fmt: skip


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The file of "videos" of persons 01 and 15 (who validates), three people in each, one walking to the left."""
    shown = []

    def describe(video):
        shown.append(video)
        return [person(False, low=0.03, frames=200), person(True, low=0.03, frames=200), SimpleNamespace(reason="far")]

    monkeypatch.setattr(real.GaitRecognizer, "load", lambda _: SimpleNamespace(describe=describe))
    passes = [SimpleNamespace(path=tmp_path / f"{name}.avi", subject_id=name) for name in ("01", "01", "15")]
    monkeypatch.setattr(real, "read_kth", lambda _: passes)
    monkeypatch.setattr(real, "LEAST", 4)
    path = real.make_real(tmp_path, tmp_path, tmp_path / "made" / "real.npz")
    assert shown == [tmp_path / "01.avi"], "each video once, and nobody who validates"
    return path


def followed(**of_walk):
    built = np.random.default_rng(1).normal(0, 0.5, (4, 1, 1, 16, 2))  # four people, a little differently
    keypoints = (walk(52, **of_walk)[0][None, None] + built).astype(np.float32)
    return Walks(keypoints, np.ones(keypoints.shape[:4], np.float32), keypoints, np.zeros((4, 1), np.int8), 1)


def test_the_difference_is_that_of_posture_and_swing(written):
    measured = real.read_real(written)
    stretch = real.difference(measured, followed(swing=0.2)).stretch[[INDEX["r_knee"], INDEX["l_knee"]], 0]
    np.testing.assert_allclose(stretch, 0.5, atol=0.06)
    # seen from the hips, which are 3 % lower, everything else is higher; a walk to the left counts as its mirror twin
    shift = real.difference(measured, followed()).shift
    np.testing.assert_allclose(shift[[INDEX["head_top"], INDEX["r_ankle"], INDEX["l_ankle"]], 1], -0.03, atol=0.004)
    np.testing.assert_allclose(shift[:, 0], 0, atol=0.02)
    np.testing.assert_allclose(real.difference(measured, followed(low=0.03)).shift, 0, atol=0.02)


def test_as_if_real_moves_walkers_by_the_difference():
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(200, 12, 16, 2)).astype(np.float32)
    apart = real.Difference(rng.normal(size=(16, 2)), np.full((16, 2), 0.5))
    changed = np.asarray(real.as_if_real(jax.random.key(0), walks, apart, 0.5, 0.0))
    untouched = np.isclose(changed, walks, atol=1e-5).all((1, 2, 3))
    assert 0.35 < untouched.mean() < 0.65
    moved = changed[~untouched].mean(1) - walks[~untouched].mean(1)
    part = moved[:, 0, 0] / apart.shift[0, 0]
    assert 0 <= part.min() < 0.2
    assert 1.2 < part.max() <= 1.4
    np.testing.assert_allclose(moved, part[:, None, None] * apart.shift, atol=1e-4)
    spread = changed[~untouched].std(1) / walks[~untouched].std(1)
    np.testing.assert_allclose(spread, np.broadcast_to((1 - 0.5 * part)[:, None, None], spread.shape), atol=1e-3)
    off = np.asarray(real.as_if_real(jax.random.key(0), walks, apart, 0.5, 2.0)) - changed
    np.testing.assert_allclose(off[untouched], 0, atol=1e-6)
    assert np.ptp(off, axis=1).max() < 1e-5, "off all the time alike"
    levels = off[~untouched][:, 0].std((1, 2))
    assert 0.015 < levels.max() < 0.03
    assert levels.min() < 0.004


def test_a_file_that_holds_no_real_walks_is_refused(written, tmp_path):
    stored = dict(np.load(written))
    for changed in (
        {"mean": stored["mean"][:1]},
        {"spread": stored["spread"] * np.nan},
        {"mean": np.ones(3)},
        {"describing": 1},
    ):
        np.savez(tmp_path / "r.npz", **(stored | changed))
        with pytest.raises(ValueError, match="train real"):
            real.read_real(tmp_path / "r.npz")
    (tmp_path / "r.npz").write_bytes(written.read_bytes()[:200])
    with pytest.raises(ValueError, match="train real"):
        real.read_real(tmp_path / "r.npz")


def test_the_task_reads_real_walks_only_where_its_preset_says_so(written, monkeypatch):
    monkeypatch.setattr(gait, "draw_keypoints", stroll)
    config = GaitTaskConfig(subjects=5, people=2, seen=2, walks=1, frames=10, real=0.5, offset=1.0, hurry=0.1)
    walks = followed()
    errors, apart = gait.learned_errors(config, walks), real.difference(real.read_real(written), walks)
    with pytest.raises(ValueError, match="pass --real"):
        gait.make_batches(config, walks, errors)
    with pytest.raises(ValueError, match="leave --real out"):
        gait.make_batches(replace(config, real=0.0), walks, errors, apart)
    with pytest.raises(ValueError, match="set seen"):
        replace(config, seen=0)
    with pytest.raises(ValueError, match="hurry and offset"):
        replace(config, real=1.5)
    batch = gait.make_batches(config, walks, errors, apart)(0)
    network = gait.new_model(replace(config, network="SkeletonGRU", size=16))
    loss_of = nnx.jit(lambda network, batch: gait.make_loss(config)(network, batch, nnx.Rngs(0))[0])
    loss = loss_of(network, batch)
    far = batch | {"real": real.Difference(apart.shift + 0.5, apart.stretch)}
    other = loss_of(network, far)
    assert np.isfinite(loss)
    assert abs(loss - other) > 1e-3, "the difference reaches what is learned from"


def test_a_faster_walk_is_the_same_walk_with_longer_and_quicker_steps():
    person = jax.jit(draw_person)(jax.random.key(0))
    drawn = jax.jit(draw_walk)(jax.random.key(1), person, 0, 0)
    faster = jax.jit(gait.at_speed)(drawn, np.float32(1.21))
    np.testing.assert_allclose(faster.speed, 1.21 * drawn.speed, rtol=1e-5)
    np.testing.assert_allclose(faster.cadence, 1.1 * drawn.cadence, rtol=1e-5)
    np.testing.assert_allclose(faster.arm[..., 1:], 1.1 * drawn.arm[..., 1:], rtol=1e-5)
    np.testing.assert_array_equal(faster.leg, drawn.leg)
    assert faster.stance < drawn.stance, "feet stand for a smaller part of a faster stride"
    key, usual = jax.random.key(2), (jnp.int32(0), jnp.float32(90), jnp.int32(0), 12)
    draw = jax.jit(gait.draw_keypoints, static_argnames=("steps", "hurry"))
    same, other = (draw(key, person, *usual, hurry=hurry) for hurry in (0.0, 0.3))
    assert not np.allclose(same, other)
    times = jnp.arange(26) / 12.5
    points = jax.jit(walk_points)
    ways = [np.asarray(points(person.body, each, times))[:, INDEX["pelvis"], 0] for each in (drawn, faster)]
    far = [np.ptp(way) for way in ways]
    np.testing.assert_allclose(far[1] / far[0], 1.21, atol=0.03)
