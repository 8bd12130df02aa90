"""The errors that drawn walks are given: whose they are, and that they are those which the pose network makes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train import gait_errors
from train.gait_errors import Errors, errors_of, transplant_errors
from train.walks import PHASES, Walks


@pytest.fixture
def bank():
    """800 followed walks of two manners and two conditions; each error tells which of the four it belongs to."""
    rng = np.random.default_rng(0)
    ways = rng.normal(0, 0.2, (2, 6, 16, 2)).astype(np.float32)
    way, condition = np.divmod(np.arange(800) % 4, 2)
    made = np.array([[0.1, 0.2], [0.3, 0.4]])[way, condition]
    nothing = jnp.zeros((32, 32))
    errors = Errors(
        gait_errors._limbs(jnp.asarray(ways[way] + rng.normal(0, 0.01, (800, 6, 16, 2)).astype(np.float32))),
        jnp.asarray(condition, jnp.int32),
        jnp.asarray(np.arange(800) // 8, jnp.int32),
        jnp.asarray(np.broadcast_to(made[:, None, None], (800, 6, 32)), jnp.float32),
        jnp.asarray(np.broadcast_to(made[:, None, None], (800, 6, 16)), jnp.float32),
        jnp.zeros((1, 32)),
        nothing,
        nothing,
    )
    return jnp.asarray(ways), errors


def test_drawn_walks_get_the_errors_of_those_who_walk_like_that(bank):
    ways, errors = bank
    drawn, asked = ways[np.array([0, 0, 1, 1])], jnp.array([0, 1, 1, 0])
    seen = transplant_errors(jax.random.key(3), drawn, asked, jnp.full(4, 900), errors)
    expected = np.array([0.1, 0.2, 0.4, 0.3], np.float32)
    np.testing.assert_allclose((seen.keypoints - drawn)[:, 0, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(seen.probability[:, 5, 3], expected, atol=1e-6)


def test_nobody_gets_errors_of_their_own_and_few_walks_are_enough(bank):
    ways, errors = bank
    few = jax.tree.map(lambda leaf: leaf[:16] if leaf.shape[0] == 800 else leaf, errors)  # subjects 0 and 1
    few = few._replace(rest=few.rest.at[:8].set(7.0))  # those of subject 0
    drawn = ways[np.array([0, 1, 0, 1])]
    for draw in range(20):
        seen = transplant_errors(jax.random.key(draw), drawn, jnp.array([0, 0, 1, 1]), jnp.zeros(4, int), few)
        given = np.round(np.asarray(seen.keypoints - drawn)[:, 0, 0, 0], 3)
        assert np.isin(given[:2], np.float32([0.1, 0.3])).all()
        assert np.isin(given[2:], np.float32([0.2, 0.4])).all()


def test_what_the_pose_network_guesses_of_a_body_it_guesses_of_drawn_walks_too(monkeypatch):
    """Its errors are linear in the body's shape, and in another way in its motion; both are found out and passed on."""
    rng = np.random.default_rng(1)
    average = rng.normal(0, 0.3, (1, 1, 16, 2))
    of_shape, of_motion = rng.normal(0, 0.15, (2, 32, 32))

    def walks(count):
        own, motion = rng.normal(0, 0.02, (count, 1, 16, 2)), rng.normal(0, 0.03, (count, 10, 16, 2))
        motion -= motion.mean(axis=1, keepdims=True)
        wrong = own.reshape(count, 1, 32) @ of_shape + motion.reshape(count, 10, 32) @ of_motion
        return average + own + motion, wrong.reshape(count, 10, 16, 2)

    true, wrong = walks(2000)
    numbers = [
        np.repeat(part[None], PHASES, axis=2).astype(np.float32)
        for part in (true + wrong, np.ones(true.shape[:3]), true)
    ]
    monkeypatch.setattr(gait_errors, "placed", lambda observed: observed)  # all is in the walker's own frame already
    errors = errors_of(Walks(*numbers, np.zeros((1, 2000), np.int8), 1), 10)
    drawn, expected = walks(40)
    seen = transplant_errors(
        jax.random.key(0), jnp.asarray(drawn, jnp.float32), jnp.zeros(40, int), jnp.ones(40, int), errors
    )
    assert np.abs(expected).mean() > 0.01
    np.testing.assert_allclose(seen.keypoints, drawn + expected, atol=4e-3)


def test_a_shift_of_the_whole_walk_is_no_error():
    rng = np.random.default_rng(2)
    standing = np.stack([np.zeros(16), np.linspace(-100, 100, 16)], axis=-1)
    truth = (standing + rng.normal(0, 3, (1, 4, 10 * PHASES, 16, 2))).astype(np.float32)
    sure = np.ones(truth.shape[:4], np.float32)
    errors = errors_of(Walks(truth + np.float32(3.0), sure, truth, np.zeros((1, 4), np.int8), 1), 10)
    assert errors.rest.shape == (4, 10, 32)
    np.testing.assert_allclose(errors.rest, 0, atol=2e-3)
