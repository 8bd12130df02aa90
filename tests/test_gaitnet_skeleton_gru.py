"""SkeletonGRU against a float64 twin, and its promises about padding; that GaitNN can learn from it."""

import json
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stand_ins import stroll
from typer.testing import CliRunner

from gaitnet.models.skeleton_gru import SkeletonGRU, SkeletonGRUConfig
from gaitnet.pose_maps import GRID, WIDTH
from humanpose.checkpoint import flatten
from train import gait
from train.__main__ import app
from train.config import OptimizerConfig
from train.export import export_run
from train.gait_config import GAIT_PRESETS, GaitTaskConfig
from train.loop import fit
from train.teacher import FITS, take_over, teacher_of

pytestmark = pytest.mark.usefixtures("lightly_compiled")

SMALL = SkeletonGRUConfig(subjects=4, size=24, hidden=16)


@pytest.fixture(scope="module")
def walks():
    rng = np.random.default_rng(5)
    return (
        jnp.asarray(rng.normal(0, 0.2, (3, 9, 16, 2)), jnp.float32),
        jnp.asarray(rng.random((3, 9, 16)), jnp.float32),
        jnp.arange(9)[None] < jnp.array([9, 6, 1])[:, None],
    )


def test_frame_vectors_are_a_dense_network_of_cells_and_probabilities(walks):
    placed, probability, mask = walks
    model = SkeletonGRU(SMALL, rngs=nnx.Rngs(0))
    model.norm.moving_mean[...] = jnp.linspace(-1, 1, 48)
    model.norm.moving_variance[...] = jnp.linspace(0.5, 2, 48)
    model.norm.beta[...] = jnp.linspace(0, 1, 48)
    found = model.frame_vectors(placed, probability, mask)

    expand, dense = (np.asarray(part.kernel[...], np.float64) for part in (model.expand, model.dense))
    x = np.concatenate([np.asarray(placed, np.float64).reshape(3, 9, 32) * GRID / WIDTH, probability], axis=-1)
    x = (x - np.linspace(-1, 1, 48)) / np.sqrt(np.linspace(0.5, 2, 48) + 1e-4) + np.linspace(0, 1, 48)
    hidden = x @ expand
    hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0)))
    expected = hidden @ dense
    np.testing.assert_allclose(found[mask], expected[mask], rtol=2e-4, atol=2e-4)


def test_padding_does_not_change_who_somebody_is(walks):
    placed, probability, mask = walks
    model = SkeletonGRU(SMALL, rngs=nnx.Rngs(0))
    spoilt = jnp.where(mask[..., None, None], placed, np.nan)
    padded = model(spoilt, probability, mask).identification_vector
    alone = model(placed[1:2, :6], probability[1:2, :6], mask[1:2, :6]).identification_vector
    np.testing.assert_allclose(padded[1], alone[0], atol=1e-6)


def test_training_needs_a_key_for_its_dropout(walks):
    model = SkeletonGRU(SMALL, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="dropout"):
        model(*walks, train=True)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"layers": 0}, {"subjects": -1}, {"dropout": 1.0}])
def test_a_config_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SkeletonGRUConfig(**wrong)


STUDENT = GaitTaskConfig(
    subjects=6, people=3, walks=2, frames=12, multiplier=0.125, size=24, distil=True,
    optimizer=OptimizerConfig(3e-3, 2, 0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def simple_walks():
    """What a student takes from a teacher does not hang on how people walk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gait, "draw_keypoints", stroll)
        yield


@pytest.fixture(scope="module")
def teacher_run(tmp_path_factory, lightly_compiled, simple_walks):
    folder = tmp_path_factory.mktemp("teacher")
    config = replace(STUDENT, network="SkeletonGRU", distil=False, steps=2)
    settings = {"task": "gait", "preset": "skeleton", **asdict(config)}
    fit(
        gait.new_model(config), gait.make_loss(config), gait.make_batches(config), optimizer=config.optimizer,
        steps=2, directory=folder, config=settings, seed=1,
    )  # fmt: skip
    return folder


def test_a_student_takes_over_the_teachers_memory_and_learns_nothing_but_to_see(teacher_run):
    teacher, named = teacher_of(STUDENT, teacher_run)
    assert "step 2, sha256" in named
    student = gait.new_model(STUDENT)
    take_over(student, teacher)
    vectors = jax.random.normal(jax.random.key(0), (2, 5, 24))
    mask = jnp.ones((2, 5), bool)
    np.testing.assert_array_equal(student.recurrent(vectors, mask)[0], teacher.recurrent(vectors, mask)[0])

    # the teacher goes on answering while the student's arrays are taken away step by step
    before = teacher.recurrent(vectors, mask)[0]
    untaught = {name: np.array(array) for name, array in flatten(student).items()}
    trained = fit(
        student, gait.make_loss(STUDENT, teacher), gait.make_batches(STUDENT), optimizer=STUDENT.optimizer, steps=2,
        directory=teacher_run / "student", config={}, seed=1, log_every=1,
    )  # fmt: skip
    np.testing.assert_array_equal(teacher.recurrent(vectors, mask)[0], before)
    first = json.loads((teacher_run / "student" / "metrics.jsonl").read_text().splitlines()[0])
    assert 0.5 < first["hint"] < 20

    # two steps of AdamW without decay: what has no gradient at all stays as it was, to the bit
    learned = {name for name, array in flatten(trained).items() if not np.array_equal(array, untaught[name])}
    assert {name.split("/")[0] for name in untaught} >= {"recurrent", "head", "dense"}
    assert not [name for name in learned if name.startswith(("recurrent/", "head/"))]
    assert "dense/kernel" in learned


def test_a_teacher_and_a_preset_that_distils_belong_together(teacher_run):
    teacher, _ = teacher_of(STUDENT, teacher_run)
    with pytest.raises(ValueError, match="a teacher is needed"):
        gait.make_loss(STUDENT)
    with pytest.raises(ValueError, match="distil is off"):
        gait.make_loss(replace(STUDENT, distil=False), teacher)
    with pytest.raises(ValueError, match="wear away"):
        replace(STUDENT, optimizer=OptimizerConfig(1e-3, 2, 0.01))
    with pytest.raises(ValueError, match="expected GaitNN or SkeletonGRU"):
        replace(STUDENT, network="GaitNet")
    steps = {name: GAIT_PRESETS[name] for name in ("skeleton", "distil")}
    assert len({tuple(getattr(one, name) for name in FITS[1:]) for one in steps.values()}) == 1


def test_a_teacher_is_not_shipped(teacher_run, tmp_path):
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ValueError, match="trained a teacher"):
        export_run(teacher_run, tmp_path / "gait", tmp_path / "card.json")
    assert not (tmp_path / "gait").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "distil"], "--teacher: this preset learns from one"),
        (["--preset", "short", "--teacher", "runs"], "--preset distil does"),
        (["--preset", "short", "--walks", "w.npz"], "these do: skeleton | distil"),
        (["--preset", "short", "--real", "r.npz"], "these do: skeleton | distil"),
    ],
)
def test_what_a_preset_does_not_read_is_refused(arguments, says, tmp_path):
    done = CliRunner().invoke(app, ["gait", *arguments, "--run", str(tmp_path / "run")])
    assert isinstance(done.exception, ValueError)
    assert says in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_only_a_teacher_that_fits_is_taken(teacher_run, tmp_path):
    with pytest.raises(ValueError, match="'subjects': 9"):
        teacher_of(replace(STUDENT, subjects=9), teacher_run)
    with pytest.raises(ValueError, match="not the folder of a run"):
        teacher_of(STUDENT, tmp_path)
    with pytest.raises(ValueError, match="has no teacher"):
        replace(STUDENT, network="SkeletonGRU")
