"""The tasks of `train`: what a sample is made of, and that followed walks are whose they claim to be."""

from dataclasses import asdict, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gaitnet.datasets.kth import VALIDATION_PERSONS
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
from gaitnet.recognizer import GaitRecognizer
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import Crowd
from humanpose.augment import AugmentConfig
from humanpose.checkpoint import CheckpointError, flatten, save
from humanpose.datasets.record import PoseRecord
from humanpose.estimator import HumanPoseNN
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.skeleton import FLIP, INDEX
from train import gait
from train.config import GAIT_PRESETS, GaitTaskConfig
from train.export import shipped_weights
from train.pose import make_sample
from train.pose_data import is_held_out
from train.walks import Walks, make_walks, plan_walks, read_walks

PLAIN = AugmentConfig(
    rotation=0.0,
    zoom=(1.0, 1.0),
    shift=0.0,
    flip=0.0,
    gain=0.0,
    tint=0.0,
    offset=0.0,
    noise=0.0,
    grey=0.0,
    coarse=0.0,
    erase=0.0,
)


@pytest.mark.parametrize("to_left", [False, True])
def test_a_filmed_walker_is_always_shown_walking_to_the_right(to_left):
    """The picture holds a bright dot at the near wrist, ahead of the walker; mirrored, both keep their relation."""
    picture = np.zeros((120, 160, 3), np.uint8)
    near = "l_wrist" if to_left else "r_wrist"
    x = 70 if to_left else 90
    picture[60, x] = 255
    keypoints = np.zeros((16, 2), np.float32)
    keypoints[INDEX[near]] = (x, 60)
    visible = np.zeros(16, bool)
    visible[INDEX[near]] = True
    record = PoseRecord(Path("film"), 0, np.array([60.0, 20.0, 100.0, 100.0]), keypoints, visible, "film", to_left)
    drawn = make_sample([record], lambda _: picture, (192, 144), PLAIN)(0, np.random.default_rng(0))
    assert drawn["visible"].nonzero()[0].tolist() == [INDEX["r_wrist"]]
    row, column = np.unravel_index(drawn["images"].sum(-1).argmax(), (192, 144))
    np.testing.assert_allclose(drawn["keypoints"][INDEX["r_wrist"]], (column, row), atol=1.5)
    assert column > 72


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Walks of two people, found by a "pose network" that knows where the joints are."""
    from gaitnet import crowd

    folder = tmp_path_factory.mktemp("walks")
    pose = HumanPoseNN(MobilePose(MobilePoseConfig(width_multiplier=0.25), rngs=nnx.Rngs(0)))
    network = GaitNN(GaitNNConfig(channels=16, multiplier=0.25, size=24, feature_scale=0.25), rngs=nnx.Rngs(1))
    recognizer = GaitRecognizer(pose, network, "untrained")

    def knowing(recognizer, people, plans):
        for walk in map(people.render, plans):
            joints = walk.keypoints[:, FLIP] if walk.mirrored else walk.keypoints
            yield crowd.SeenWalk(walk, joints, np.ones(joints.shape[:2], np.float32))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.walks.see_walks", knowing)
        patch.setattr(GaitRecognizer, "load", lambda _: recognizer)
        path = make_walks(folder, folder / "walks.npz", subjects=2, walks=2, frames=12, seed=1)
    assert [file.name for file in folder.iterdir()] == ["walks.npz"]
    return read_walks(path)


def test_followed_walks_are_those_of_the_plans(followed):
    assert followed.keypoints.shape == (2, 2, 12, 16, 2)
    plan = plan_walks(2, 2, 1)[3]
    walk = Crowd(1, 12).render(plan)
    joints = walk.keypoints[:, FLIP] if walk.mirrored else walk.keypoints
    joints = joints * ((-1, 1) if walk.mirrored else (1, 1))
    kept = followed.keypoints[1, 1]
    scale = np.ptp(kept[..., 1]) / np.ptp(joints[..., 1])
    expected = (joints - joints.mean((0, 1))) * scale
    np.testing.assert_allclose(kept - kept.mean((0, 1)), expected, atol=1.0)
    speed = np.diff(kept[:, INDEX["pelvis"], 0]).mean()
    assert speed > 0, "walkers go to the right"
    # this "pose network" makes no mistakes
    np.testing.assert_allclose(followed.keypoints, followed.truth, atol=0.2)
    assert followed.condition[1, 1] == CONDITIONS.index(plan.condition)


def test_drawn_walks_get_the_errors_of_those_who_walk_like_that():
    rng = np.random.default_rng(0)
    ways = rng.normal(0, 0.2, (2, 6, 16, 2)).astype(np.float32)
    way, condition = np.divmod(np.arange(800) % 4, 2)
    made = np.array([[0.1, 0.2], [0.3, 0.4]])[way, condition]
    nothing = jnp.zeros((32, 32))
    errors = gait.Errors(
        gait._limbs(jnp.asarray(ways[way] + rng.normal(0, 0.01, (800, 6, 16, 2)).astype(np.float32))),
        jnp.asarray(condition, jnp.int32),
        jnp.asarray(np.broadcast_to(made[:, None, None], (800, 6, 32)), jnp.float32),
        jnp.asarray(np.broadcast_to(made[:, None, None], (800, 6, 16)), jnp.float32),
        jnp.zeros((1, 32)), nothing, nothing,
    )  # fmt: skip
    asked = np.array([0, 1, 1, 0])
    drawn = jnp.asarray(ways[[0, 0, 1, 1]])
    seen = gait.transplant_errors(jax.random.key(3), drawn, jnp.asarray(asked, jnp.int32), errors)
    expected = np.array([0.1, 0.2, 0.4, 0.3], np.float32)
    np.testing.assert_allclose((seen.keypoints - drawn)[:, 0, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(seen.probability[:, 5, 3], expected, atol=1e-6)


def test_an_average_body_that_the_pose_network_guesses_is_guessed_of_drawn_walks_too():
    """It sees every motion whole, but of what is one's own in a body only a third."""
    rng = np.random.default_rng(1)
    average = rng.normal(0, 0.3, (1, 1, 1, 16, 2))

    def walks(count):
        own, motion = rng.normal(0, 0.02, (count, 1, 16, 2)), rng.normal(0, 0.03, (count, 10, 16, 2))
        return own, motion - motion.mean(axis=1, keepdims=True)

    own, motion = (part[None].astype(np.float32) for part in walks(300))
    true = (average + own + motion).astype(np.float32)
    found = (average + own / 3 + motion).astype(np.float32)
    sure, conditions = np.ones(true.shape[:4], np.float32), np.zeros((1, 300), np.int8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gait, "_placed", lambda observed: observed)  # both are in the walker's own frame already
        errors = gait.errors_of(Walks(found, sure, true, conditions, 1), 10)
    own, motion = walks(40)
    drawn = jnp.asarray(average[0] + own + motion, jnp.float32)
    seen = gait.transplant_errors(jax.random.key(0), drawn, jnp.zeros(40, jnp.int32), errors)
    np.testing.assert_allclose(seen.keypoints, average[0] + own / 3 + motion, atol=2e-3)


def test_a_shift_of_the_whole_walk_is_no_error(followed):
    errors = gait.errors_of(followed._replace(keypoints=followed.keypoints + np.float32(3.0)), 10)
    assert errors.rest.shape == (4, 10, 32)
    np.testing.assert_allclose(errors.rest, 0, atol=2e-3)


def test_a_batch_reads_followed_walks_beside_drawn_ones(followed):
    config = GaitTaskConfig(subjects=5, people=3, seen=2, walks=2, frames=10)
    batch = gait.make_batches(config, followed)(7)
    assert batch["subjects"].shape == (3,)
    assert sorted(batch["seen"].tolist()) == [0, 1]
    assert batch["keypoints"].shape == (4, 10, 16, 2)
    np.testing.assert_array_equal(batch["keypoints"], gait.make_batches(config, followed)(7)["keypoints"])
    assert batch["probability"].dtype == np.float32
    loss, told = gait.make_loss(config)(gait.new_model(config), batch, nnx.Rngs(0))
    assert np.isfinite(loss)
    assert told.keys() == {"cross_entropy", "contrast", "right"}


def test_followed_walks_of_other_people_are_refused(followed):
    config = GaitTaskConfig(subjects=5, people=3, seen=2, walks=2, frames=10)
    with pytest.raises(ValueError, match="pass --walks"):
        gait.make_batches(config)
    with pytest.raises(ValueError, match="of crowd 9"):
        gait.make_batches(config, followed._replace(seed=9))
    with pytest.raises(ValueError, match="got 2 of 12"):
        gait.make_batches(GaitTaskConfig(subjects=5, people=3, seen=2, walks=3, frames=10), followed)


def test_a_file_without_walks_is_refused(tmp_path):
    (tmp_path / "w.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="does not hold walks"):
        read_walks(tmp_path / "w.npz")


def test_training_goes_on_from_shipped_weights_with_a_head_of_its_own(tmp_path):
    config = GaitTaskConfig(subjects=5, people=3, multiplier=0.25, size=24)
    trained, fresh = gait.new_model(config), gait.new_model(replace(config, seed=9))
    arrays = {name: array for name, array in flatten(trained).items() if not name.startswith("head/")}
    save(tmp_path / "gait", arrays, asdict(trained.config) | {"subjects": 0}, {"name": "toy"})
    head = np.array(fresh.head.kernel[...])
    assert len(shipped_weights(tmp_path / "gait", fresh)) == 64
    np.testing.assert_array_equal(fresh.head.kernel[...], head)
    # shipped in float16
    np.testing.assert_allclose(fresh.dense.kernel[...], trained.dense.kernel[...], rtol=1e-3, atol=1e-6)
    with pytest.raises(CheckpointError):
        shipped_weights(tmp_path / "gait", gait.new_model(replace(config, size=32)))


def test_presets_are_sound():
    assert all(config.people + config.seen <= config.subjects for config in GAIT_PRESETS.values())


def test_no_file_of_the_measuring_persons_is_learned_from():
    assert all(is_held_out(Path(f"person{who}_walking_d4.reference.json")) for who in VALIDATION_PERSONS)
    assert not is_held_out(Path("person01_walking_d1.reference.json"))
