"""Posture vectors beside GaitNN's: whitening against a twin, what they must not depend on, and damaged files."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from stand_ins import stroll

from gaitnet.descriptor import Descriptor, average_over_tracks, vectors_of_walks
from gaitnet.pose_maps import draw_maps
from gaitnet.posture import STATISTICS, Posture, fit_posture
from gaitnet.recognizer import load_posture
from humanpose import checkpoint
from humanpose.checkpoint import CheckpointError
from train.posture import PostureConfig, drawn_statistics, make_posture


def maps(seed, time=30, phase=0.0):
    """A walk of somebody whose joints stand and swing in a way of their own."""
    rng = np.random.default_rng(seed)
    stand, swing = rng.uniform(-0.35, 0.35, (1, 16, 2)), rng.uniform(0.01, 0.06, (1, 16, 2))
    steps = np.arange(time)[:, None, None] / 2 + phase + rng.uniform(0, 6, (1, 16, 2))
    return np.asarray(draw_maps(jnp.asarray(stand + swing * np.sin(steps)), jnp.full((time, 16), 0.8)))


@pytest.fixture(scope="module")
def posture():
    rng = np.random.default_rng(3)
    spread = rng.uniform(0.01, 0.1, STATISTICS)
    own = rng.normal(0, 0.2, (30, 1, STATISTICS))
    return fit_posture(0.5 + own + spread * rng.normal(0, 1, (30, 40, STATISTICS)), weight=2.0)


def test_what_changes_within_a_person_becomes_one_in_every_direction():
    rng = np.random.default_rng(0)
    mixing = np.eye(STATISTICS) + np.diag(rng.uniform(0, 0.8, STATISTICS - 1), 1)
    told = rng.normal(0, 5, (40, 1, STATISTICS)) + rng.normal(0, 0.1, (40, 60, STATISTICS)) @ mixing
    fitted = fit_posture(told, shrinkage=0.0)
    left = ((told - told.mean(axis=1, keepdims=True)) @ fitted.whitening).reshape(-1, STATISTICS)
    covariance = left.T @ left / (40 * 59)  # a person's mean takes one of the 60 windows
    np.testing.assert_allclose(covariance, np.eye(STATISTICS), atol=2e-3)
    np.testing.assert_allclose(fitted.centre, told.mean(axis=(0, 1)), atol=1e-5)


def test_shrinkage_gives_up_correlations_and_keeps_spreads():
    rng = np.random.default_rng(1)
    told = rng.normal(0, 1, (5, 300, STATISTICS)) * np.linspace(0.5, 2, STATISTICS)
    fitted = fit_posture(told, shrinkage=1.0)
    own = told - told.mean(axis=1, keepdims=True)
    spread = np.sqrt((own**2).sum(axis=(0, 1)) / (5 * 299))
    np.testing.assert_allclose(np.linalg.norm(fitted.whitening, axis=1), 1 / spread, rtol=1e-4)


def test_a_fit_without_anything_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="several people"):
        fit_posture(np.zeros((1, 9, STATISTICS)))
    with pytest.raises(ValueError, match="never change"):
        fit_posture(np.zeros((3, 9, STATISTICS)))
    with pytest.raises(ValueError, match="shrinkage"):  # 27 windows cannot tell of 360 directions
        fit_posture(np.random.default_rng(0).normal(size=(3, 9, STATISTICS)), shrinkage=0.0)


def test_vectors_are_of_length_one_and_nearer_to_the_same_walker(posture):
    vectors = posture.vectors([maps(1), maps(1, phase=0.7), maps(2)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    same, other = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert same > 0.9
    assert other < 0.5


def test_how_sure_the_joints_are_does_not_matter_and_a_joint_never_seen_gives_nothing(posture):
    sure = maps(1)
    doubtful, blind = 0.4 * sure, sure.copy()
    blind[..., 3] = 0
    vectors = posture.vectors([sure, doubtful, blind])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-4)
    assert not vectors[2].any()


def test_a_joint_lost_for_a_few_frames_is_filled_in(posture):
    whole = maps(4)
    torn = whole.copy()
    torn[10:12, ..., 5] = 0
    vectors = posture.vectors([whole, torn])
    assert vectors[0] @ vectors[1] > 0.98


def test_both_parts_stand_in_one_vector(posture, untrained):
    network = untrained.gait.network
    both = Descriptor(network, posture)
    walks = [[maps(1, 60)], [maps(2, 20), maps(2, 24, 1.0)]]
    alone, told = vectors_of_walks(Descriptor(network), walks), vectors_of_walks(both, walks)
    assert both.size == network.config.size + posture.size
    for own, joined in zip(alone, told, strict=True):
        unit = own / np.linalg.norm(own, axis=1, keepdims=True)
        np.testing.assert_allclose(joined[:, : network.config.size], unit, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(joined[:, network.config.size :], axis=1), 2.0, rtol=1e-5)


def test_one_vector_for_several_tracks_does_not_depend_on_how_they_are_cut_or_in_what_order():
    vectors = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    found = average_over_tracks(vectors, np.array([10, 30, 60]))
    halves = average_over_tracks(vectors[[2, 0, 1, 2]] * [[5], [1], [1], [2]], np.array([30, 10, 30, 30]))
    np.testing.assert_allclose(halves, found, atol=1e-6)
    np.testing.assert_allclose(
        average_over_tracks(vectors[:1], np.array([7])), vectors[0] / np.linalg.norm(vectors[0]), rtol=1e-6
    )
    with pytest.raises(ValueError, match="frames"):
        average_over_tracks(vectors[:0], np.array([], int))


def test_a_posture_is_made_written_and_read(tmp_path, monkeypatch, lightly_compiled):
    monkeypatch.setattr("train.posture.draw_keypoints", stroll)
    config = PostureConfig(people=12, walks=3, frames=24, weight=0.5)
    told = drawn_statistics(config)
    assert told.shape == (12, 3 * 9, STATISTICS)
    assert np.isfinite(told).all()
    made = make_posture(tmp_path / "posture", config)
    read, sha256 = load_posture(tmp_path / "posture")
    assert read is not None
    assert sha256[1:] == ["x0.5"]  # another weight makes other vectors of the same arrays
    assert read.weight == 0.5
    np.testing.assert_allclose(read.whitening, made.whitening, rtol=2e-3, atol=1e-2)
    with pytest.raises(ValueError, match="frames"):
        PostureConfig(frames=3)


def test_a_folder_without_posture_does_without_and_another_checkpoint_is_refused(tmp_path, posture):
    assert load_posture(tmp_path / "none") == (None, [])
    (tmp_path / "torn").mkdir()
    with pytest.raises(CheckpointError):
        load_posture(tmp_path / "torn")
    checkpoint.save(tmp_path / "other", {"centre": np.zeros(3)}, {"weight": 1.0}, {})
    with pytest.raises(CheckpointError, match="train posture"):
        load_posture(tmp_path / "other")
    arrays = {"centre": posture.centre, "whitening": posture.whitening[:, :7]}
    checkpoint.save(tmp_path / "small", arrays, {"weight": 1.0}, {})
    assert load_posture(tmp_path / "small")[0].size == 7
    manifest = json.loads((tmp_path / "small" / "model.json").read_text())
    manifest["config"]["weight"] = float("1e999")
    (tmp_path / "small" / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError):
        load_posture(tmp_path / "small")
    with pytest.raises(ValueError, match="whitening"):
        Posture(posture.centre[:5], posture.whitening[:5])
