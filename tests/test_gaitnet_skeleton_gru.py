"""SkeletonGRU against a float64 twin, and its promises about padding; that GaitNN can learn from it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gaitnet.models.skeleton_gru import SkeletonGRU, SkeletonGRUConfig
from gaitnet.pose_maps import GRID, WIDTH
from train import gait
from train.config import GaitTaskConfig, OptimizerConfig
from train.loop import fit

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


PUPIL = GaitTaskConfig(
    subjects=6, people=3, walks=2, frames=12, multiplier=0.125, size=24, imitate=True,
    optimizer=OptimizerConfig(3e-3, 2, 0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def tutor_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutor")
    config = replace(PUPIL, network="SkeletonGRU", imitate=False, steps=2)
    settings = {"task": "gait", "preset": "skeleton", **vars(config), "optimizer": vars(config.optimizer)}
    fit(
        gait.new_model(config), gait.make_loss(config), gait.make_batches(config), optimizer=config.optimizer,
        steps=2, directory=folder, config=settings, seed=1,
    )  # fmt: skip
    return folder


def test_a_pupil_takes_over_the_tutors_memory_and_learns_nothing_but_to_see(tutor_run):
    tutor, named = gait.tutor_of(PUPIL, tutor_run)
    assert named.endswith("step 2")
    pupil = gait.new_model(PUPIL)
    gait.take_over(pupil, tutor)
    vectors = jax.random.normal(jax.random.key(0), (2, 5, 24))
    mask = jnp.ones((2, 5), bool)
    np.testing.assert_array_equal(pupil.recurrent(vectors, mask)[0], tutor.recurrent(vectors, mask)[0])

    loss = gait.make_loss(PUPIL, tutor)
    batch = gait.make_batches(PUPIL)(0)
    (missed, _), gradients = nnx.value_and_grad(loss, has_aux=True)(pupil, batch, nnx.Rngs(0))
    assert 0.5 < missed < 20
    assert all(not np.any(leaf) for leaf in jax.tree.leaves((gradients["recurrent"], gradients["head"])))
    assert np.any(gradients["dense"]["kernel"][...])


def test_only_a_tutor_that_fits_is_taken(tutor_run, tmp_path):
    with pytest.raises(ValueError, match="expected network SkeletonGRU, subjects 9"):
        gait.tutor_of(replace(PUPIL, subjects=9), tutor_run)
    with pytest.raises(ValueError, match="not the folder of a run"):
        gait.tutor_of(PUPIL, tmp_path)
    with pytest.raises(ValueError, match="has no tutor"):
        replace(PUPIL, network="SkeletonGRU")
