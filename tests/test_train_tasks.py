"""The tasks of `train`: what a sample is made of, and that followed walks are whose they claim to be."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from gaitnet.datasets.kth import VALIDATION_PERSONS
from gaitnet.recognizer import DESCRIBING, GaitRecognizer
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import Crowd
from humanpose.augment import IDENTITY
from humanpose.checkpoint import CheckpointError, flatten, save
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import FLIP, INDEX
from train import gait
from train.export import shipped_weights
from train.gait_config import GAIT_PRESETS, GaitTaskConfig
from train.held_out import is_held_out
from train.pose_batches import make_sample
from train.walks import make_walks, plan_walks, read_walks


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
    drawn = make_sample([record], lambda _: picture, (192, 144), IDENTITY)(0, np.random.default_rng(0))
    assert drawn["visible"].nonzero()[0].tolist() == [INDEX["r_wrist"]]
    row, column = np.unravel_index(drawn["images"].sum(-1).argmax(), (192, 144))
    np.testing.assert_allclose(drawn["keypoints"][INDEX["r_wrist"]], (column, row), atol=1.5)
    assert column > 72


def test_half_a_body_fills_a_sample_where_the_task_asks_for_it():
    rng = np.random.default_rng(1)
    keypoints = np.stack([np.linspace(70, 90, 16), np.linspace(100, 20, 16)], -1).astype(np.float32)
    record = PoseRecord(Path("a"), None, np.array([70.0, 20, 90, 100]), keypoints, np.ones(16, bool), "toy")
    picture = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    samplers = [
        make_sample([record], lambda _: picture, (192, 144), replace(IDENTITY, half_body=share)) for share in (0.0, 1.0)
    ]
    whole, half = (sample(0, np.random.default_rng(0)) for sample in samplers)
    assert whole["visible"].all()
    assert 7 <= half["visible"].sum() < 16
    first, second = half["visible"].nonzero()[0][[0, -1]]
    lengths = [np.linalg.norm(one["keypoints"][first] - one["keypoints"][second]) for one in (whole, half)]
    assert lengths[1] > 1.4 * lengths[0]


@pytest.fixture(scope="module")
def followed(untrained, tmp_path_factory):
    """Walks of two people, found by a "pose network" that knows where the joints are."""
    from gaitnet import crowd

    folder = tmp_path_factory.mktemp("walks")

    def knowing(recognizer, people, plans):
        for walk in map(people.render, plans):
            joints = walk.keypoints[:, FLIP] if walk.mirrored else walk.keypoints
            yield crowd.SeenWalk(walk, joints, np.ones(joints.shape[:2], np.float32))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.walks.see_walks", knowing)
        patch.setattr(GaitRecognizer, "load", lambda *_: untrained)
        path = make_walks(folder, folder / "walks.npz", subjects=2, walks=2, frames=24, seed=1)
    assert [file.name for file in folder.iterdir()] == ["walks.npz"]
    return read_walks(path)


def test_followed_walks_are_those_of_the_plans(followed):
    assert followed.keypoints.shape == (2, 2, 24, 16, 2)
    plan = plan_walks(2, 2, 1)[3]
    walk = Crowd(1, 24).render(plan)
    joints = walk.keypoints[:, FLIP] if walk.mirrored else walk.keypoints
    joints = joints * ((-1, 1) if walk.mirrored else (1, 1))
    kept = followed.keypoints[1, 1]
    scale = np.ptp(kept[..., 1]) / np.ptp(joints[..., 1])
    expected = (joints - joints.mean((0, 1))) * scale
    np.testing.assert_allclose(kept - kept.mean((0, 1)), expected, atol=1.0)
    speed = np.diff(kept[:, INDEX["pelvis"], 0]).mean()
    assert speed > 0, "walkers go to the right"
    # this "pose network" makes no mistakes; the smoothing takes a little off the fastest swings
    np.testing.assert_allclose(followed.keypoints, followed.truth, atol=1.5)
    assert followed.condition[1, 1] == CONDITIONS.index(plan.condition)


def test_a_batch_reads_followed_walks_beside_drawn_ones(followed, lightly_compiled):
    config = GaitTaskConfig(subjects=5, people=3, seen=2, walks=2, frames=10, multiplier=0.125, size=24)
    errors = gait.learned_errors(config, followed)
    batch = gait.make_batches(config, followed, errors)(7)
    assert batch["subjects"].shape == (3,)
    assert sorted(batch["seen"].tolist()) == [0, 1]
    assert batch["keypoints"].shape == (4, 10, 16, 2)
    np.testing.assert_array_equal(batch["keypoints"], gait.make_batches(config, followed, errors)(7)["keypoints"])
    assert batch["probability"].dtype == np.float32
    loss, told = nnx.jit(gait.make_loss(config))(gait.new_model(config), batch, nnx.Rngs(0))
    assert np.isfinite(loss)
    assert told.keys() == {"cross_entropy", "contrast", "right"}


def test_followed_walks_of_other_people_are_refused(followed):
    config = GaitTaskConfig(subjects=5, people=3, seen=2, walks=2, frames=10)
    with pytest.raises(ValueError, match="pass --walks"):
        gait.learned_errors(config, None)
    with pytest.raises(ValueError, match="of crowd 9"):
        gait.learned_errors(config, followed._replace(seed=9))
    with pytest.raises(ValueError, match="got 2 of 24"):
        gait.learned_errors(GaitTaskConfig(subjects=5, people=3, seen=2, walks=3, frames=10), followed)


def test_a_file_without_walks_is_refused(tmp_path):
    (tmp_path / "w.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="does not hold walks"):
        read_walks(tmp_path / "w.npz")


def test_damaged_or_older_walks_are_refused(followed, tmp_path):
    arrays = followed._asdict() | {"rate": np.float64(25), "describing": np.int64(DESCRIBING)}
    path = tmp_path / "w.npz"

    def refused(match, **changed):
        np.savez(path, **{name: array for name, array in (arrays | changed).items() if array is not None})
        with pytest.raises(ValueError, match=match):
            read_walks(path)

    refused("no truth, condition in it", truth=None, condition=None)
    refused("12.5 frames a second", rate=np.float64(12.5))
    refused("followed in another way", describing=np.int64(DESCRIBING - 1))
    refused("conditions that are none", condition=followed.condition + 9)
    refused("not finite", truth=np.full_like(followed.truth, np.nan))
    refused("condition of shape", condition=followed.condition[:1])
    np.savez(path, **arrays)
    read_walks(path)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="does not hold walks"):
            read_walks(path)
    with path.open("wb") as file:
        np.save(file, followed.truth)
    with pytest.raises(ValueError, match="does not hold walks"):
        read_walks(path)


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
    assert is_held_out(Path("Person015_Walking_D4.reference.json"))
    assert not is_held_out(Path("person01_walking_d1.reference.json"))
    with pytest.raises(ValueError, match="does not tell whom it shows"):
        is_held_out(Path("demo1.reference.json"))
