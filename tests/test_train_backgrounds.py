"""Photographs behind walkers: pieces without their own person, and who stands before which."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaitnet.walkers.renderer import Rendered
from gaitnet.walkers.scene import draw_scene
from humanpose.datasets.record import PoseRecord
from train import pose_walkers
from train.backgrounds import cut_background, make_backgrounds

SIZE = (64, 48)


def taken_of_somebody(box, shape=(200, 260), seed=0):
    """A picture of noise without any red, and a red person."""
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image[..., 0] = 0
    x0, y0, x1, y1 = box
    image[max(y0, 0) : y1, max(x0, 0) : x1] = (255, 0, 0)
    return image


@pytest.mark.parametrize("box", [(150, 20, 230, 190), (-10, 30, 250, 110), (100, 60, 160, 140)])
def test_a_piece_of_a_photograph_shows_nothing_of_its_person(box):
    image = taken_of_somebody(box)
    rng = np.random.default_rng(1)
    pieces = [cut_background(rng, image, np.array(box, np.float32), SIZE) for _ in range(40)]
    for piece in pieces:
        assert piece.shape == (*SIZE, 3)
        assert piece[..., 0].max() == 0
        assert piece[..., 1].std() > 5
    assert len({piece.tobytes() for piece in pieces}) == 40


def test_a_piece_is_cut_at_its_own_scale_where_it_just_fits():
    """Columns count up: a piece shows as many of them as it is wide, to and fro."""
    image = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 3, -1).repeat(64, 0)
    pieces = [
        cut_background(np.random.default_rng(seed), image, np.array([160, 0, 199, 64]), SIZE).astype(int)
        for seed in range(40)
    ]
    slopes = np.array([np.diff(piece[32, :, 0]).mean() for piece in pieces])
    assert 0.49 <= np.abs(slopes).min() < 0.6
    assert 0.9 < np.abs(slopes).max() <= 1.01
    assert 0.2 < (slopes < 0).mean() < 0.8


def test_a_photograph_without_room_is_passed_over():
    full, free = np.array([5.0, 5, 255, 195]), np.array([150.0, 20, 230, 190])
    pictures = {"full": taken_of_somebody((5, 5, 255, 195)), "free": taken_of_somebody((150, 20, 230, 190))}
    assert cut_background(np.random.default_rng(0), pictures["full"], full, SIZE) is None

    def record(name, box):
        return PoseRecord(Path(name), None, box, np.zeros((16, 2)), np.zeros(16, bool), "toy")

    def image(record):
        return pictures[record.path.name]

    both = [record("full", full), record("free", free)]
    pieces = make_backgrounds(np.random.default_rng(3), both, image, 5, SIZE)
    assert pieces.shape == (5, *SIZE, 3)
    assert pieces[..., 0].max() == 0
    np.testing.assert_array_equal(pieces, make_backgrounds(np.random.default_rng(3), both, image, 5, SIZE))
    assert make_backgrounds(np.random.default_rng(3), both, image, 0, SIZE).shape == (0, *SIZE, 3)
    with pytest.raises(ValueError, match="hardly any of these 1 photographs"):
        make_backgrounds(np.random.default_rng(3), both[:1], image, 2, SIZE)


def test_the_first_walkers_of_a_batch_stand_before_the_photographs(monkeypatch):
    """With stand-ins for scene and walker: a walker is the number of his place and what he stands before."""
    monkeypatch.setattr(pose_walkers, "draw_scene", lambda key: key[0])

    def walker(key, scene, size, photograph, hidden):
        assert hidden == 0.25
        behind = jnp.full((*size, 3), 77, jnp.uint8) if photograph is None else photograph
        return behind, jnp.stack([key[0], scene]), key[1]

    monkeypatch.setattr(pose_walkers, "draw_walker", walker)
    draw = jax.jit(pose_walkers.walkers_drawer(SIZE, 0.25))
    keys = np.arange(14, dtype=np.uint32).reshape(7, 2)
    photographs = np.random.default_rng(0).integers(0, 256, (9, *SIZE, 3), dtype=np.uint8)
    for count in (None, 2, 7, 9):
        images, places, numbers = draw(keys) if count is None else draw(keys, photographs[:count])
        before = min(count or 0, 7)
        np.testing.assert_array_equal(images[:before], photographs[:before])
        assert (np.asarray(images[before:]) == 77).all()
        np.testing.assert_array_equal(places[:, 0], keys[:, 0])
        np.testing.assert_array_equal(places[:, 1], keys[[0, 0, 0, 3, 3, 3, 6], 0])
        np.testing.assert_array_equal(numbers, keys[:, 1])


def test_a_walker_is_rendered_before_his_photograph(monkeypatch):
    seen = []

    def render(points, *_, photograph):
        seen.append(photograph)
        white = jnp.full((*SIZE, 3), 255.0)
        there = jnp.zeros((1, 16))
        return Rendered(white, jnp.zeros((1, *SIZE)), jnp.zeros((1, 16, 2)), there > 0, white[..., 0])

    monkeypatch.setattr(pose_walkers, "render", render)
    scene = jax.eval_shape(draw_scene, jax.random.key(0))
    photograph = jax.ShapeDtypeStruct((*SIZE, 3), jnp.uint8)
    jax.eval_shape(lambda *of: pose_walkers.draw_walker(*of, SIZE, photograph=None), jax.random.key(0), scene)
    jax.eval_shape(
        lambda key, scene, behind: pose_walkers.draw_walker(key, scene, SIZE, behind),
        jax.random.key(0),
        scene,
        photograph,
    )
    assert seen[0] is None
    assert seen[1].shape == (*SIZE, 3)
