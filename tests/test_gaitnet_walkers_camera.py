"""The pinhole against a literal look-at in float64, the crop against the picture it is cut from, the views by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.walkers.camera import (
    CROP_MARGIN,
    Camera,
    crop_camera,
    draw_camera,
    person_box,
    person_crop,
    pixel_rays,
    project,
    rotation,
)
from gaitnet.walkers.walks import crop_affines


def camera(azimuth=90.0, height=1.4, distance=4.0, focal=150.0, center=(71.5, 95.5), target=(0.0, 0.0, 0.9)) -> Camera:
    return Camera(*(jnp.asarray(value, jnp.float32) for value in (azimuth, height, distance, focal, center, target)))


def literal(c: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and depth of points (n, 3) by the textbook, float64."""
    angle = np.deg2rad(float(c.azimuth))
    target = np.asarray(c.target, np.float64)
    position = np.array([target[0], target[1], 0.0]) + np.array(
        [np.cos(angle) * float(c.distance), np.sin(angle) * float(c.distance), float(c.height)]
    )
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    local = (points - position) @ np.stack([right, down, forward]).T
    return local[:, :2] / local[:, 2:] * float(c.focal) + np.asarray(c.center, np.float64), local[:, 2]


@settings(max_examples=25, deadline=None)
@given(azimuth=st.floats(-180, 180), height=st.floats(0.8, 3), distance=st.floats(3, 10), seed=st.integers(0, 10_000))
def test_projection_is_the_textbooks(azimuth, height, distance, seed):
    c = camera(azimuth, height, distance, target=(0.4, -0.2, 1.0))
    points = np.random.default_rng(seed).uniform([-1, -1, 0], [1, 1, 2], (7, 3))
    pixels, depth = project(c, jnp.asarray(points, jnp.float32))
    expected, expected_depth = literal(c, points)
    np.testing.assert_allclose(pixels, expected, atol=2e-2)
    np.testing.assert_allclose(depth, expected_depth, rtol=1e-4)


@pytest.mark.parametrize(("azimuth", "sign"), [(90.0, -1), (-90.0, 1), (54.0, -1), (-126.0, 1)])
def test_who_is_seen_from_his_left_walks_to_the_left(azimuth, sign):
    pixels, _ = project(camera(azimuth), jnp.array([[0.0, 0.0, 1.0], [0.5, 0.0, 1.0]]))
    assert np.sign(pixels[1, 0] - pixels[0, 0]) == sign


def test_view_0_comes_and_view_180_goes():
    points = jnp.array([[0.0, 0.0, 1.0], [0.5, 0.0, 1.0]])
    _, coming = project(camera(0.0), points)
    _, going = project(camera(180.0), points)
    assert coming[1] < coming[0] - 0.4
    assert going[1] > going[0] + 0.4


def test_up_is_up_and_the_target_is_the_principal_point():
    c = camera(36.0, center=(10.0, 20.0), target=(1.0, 2.0, 0.8))
    pixels, _ = project(c, jnp.array([[1.0, 2.0, 0.8], [1.0, 2.0, 1.3]]))
    np.testing.assert_allclose(pixels[0], [10.0, 20.0], atol=1e-3)
    assert pixels[1, 1] < 20
    np.testing.assert_allclose(pixels[1, 0], 10.0, atol=1e-3)


def test_pixel_rays_go_back_to_their_pixels():
    c = camera(-70.0)
    column, line = jnp.meshgrid(jnp.arange(5.0), jnp.arange(7.0))
    x, y, z = pixel_rays(c, column, line)
    _, position = rotation(c)
    pixels, depth = project(c, position[None, None] + 3.5 * jnp.stack([x, y, z], -1))
    np.testing.assert_allclose(pixels[..., 0], column, atol=1e-2)
    np.testing.assert_allclose(pixels[..., 1], line, atol=1e-2)
    np.testing.assert_allclose(depth, 3.5, rtol=1e-5)


def test_crop_camera_is_the_affine_map_of_the_crop():
    c, size = camera(), (192, 144)
    box = jnp.array([30.5, 12.0, 90.5, 92.0])
    points = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (9, 3)), jnp.float32)
    pixels, _ = project(c, points)
    cropped, _ = project(crop_camera(c, box, size), points)
    # edge to edge: the left edge of the crop is half a pixel left of its first pixel centre
    expected = (np.asarray(pixels) + 0.5 - np.asarray(box[:2]) - 0.5) * 192 / 80 - 0.5
    np.testing.assert_allclose(cropped, expected, atol=1e-2)


def test_person_crop_keeps_aspect_and_margin():
    tall = person_crop(jnp.array([10.0, 20.0, 40.0, 120.0]))
    np.testing.assert_allclose([tall[2] - tall[0], tall[3] - tall[1]], [93.75, 125.0])
    np.testing.assert_allclose([(tall[0] + tall[2]) / 2, (tall[1] + tall[3]) / 2], [25.0, 70.0])
    wide = person_crop(jnp.array([0.0, 0.0, 90.0, 100.0]), shift=jnp.array([0.1, 0.0]))
    np.testing.assert_allclose(wide[3] - wide[1], CROP_MARGIN * 120, rtol=1e-6)
    np.testing.assert_allclose((wide[0] + wide[2]) / 2, 45 + 15.0, rtol=1e-6)


def test_person_box_holds_fat_points():
    c = camera()
    box = person_box(c, jnp.array([[0.0, 0.0, 0.9]]), jnp.array([0.2]))
    np.testing.assert_allclose(box[2] - box[0], 2 * 0.2 * 150 / np.hypot(4.0, 0.5), rtol=1e-4)


def test_drawn_cameras_are_plausible_and_stand_on_both_sides():
    cameras = jax.vmap(lambda key: draw_camera(key, 54.0, (480, 640)))(jax.random.split(jax.random.key(0), 64))
    assert np.all((cameras.height >= 0.8) & (cameras.height <= 3.0))
    assert np.all((cameras.distance >= 3.0) & (cameras.distance <= 10.0))
    np.testing.assert_allclose(np.abs(cameras.azimuth), 54.0)
    assert 16 < np.sum(np.asarray(cameras.azimuth) > 0) < 48
    asked = draw_camera(jax.random.key(1), 54.0, (480, 640), side=-1.0)
    assert float(asked.azimuth) == -54.0


def test_crop_cameras_do_not_move_the_picture():
    """The same point of one picture, seen through two crops of it, comes back to one place."""
    focal, center = np.array([100.0, 200.0]), np.array([[10.0, 20.0], [-30.0, 40.0]])
    ray = np.array([0.2, -0.1])
    in_crops = ray * focal[:, None] + center
    camera = draw_camera(jax.random.key(0), 90.0, (480, 640))
    cameras = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], 2, 0), camera)
    cameras = cameras._replace(focal=focal, center=center)
    affines = np.asarray(crop_affines(cameras, False, 144))
    back = np.einsum("tij,tj->ti", affines[:, :, :2], in_crops) + affines[:, :, 2]
    assert np.allclose(back[0], back[1], atol=1e-4)
    assert np.allclose(back[0], ray * focal.mean(), atol=1e-4)
    turned = np.asarray(crop_affines(cameras, True, 144))
    in_crops[:, 0] = 143 - in_crops[:, 0]
    again = np.einsum("tij,tj->ti", turned[:, :, :2], in_crops) + turned[:, :, 2]
    assert np.allclose(again, back, atol=1e-4)
