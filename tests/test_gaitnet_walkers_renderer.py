"""What is drawn lies where the labels say, hides what it hides, and never tells who is inside the clothes."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaitnet.walkers import appearance, scene
from gaitnet.walkers.appearance import draw_appearance
from gaitnet.walkers.camera import Camera, person_box, person_crop, project
from gaitnet.walkers.dataset import crowd_person, plan_sequence, render_plan
from gaitnet.walkers.primitives import Cones
from gaitnet.walkers.raster import FAR, cover, project_cones, surface
from gaitnet.walkers.renderer import render, render_frames
from gaitnet.walkers.scene import draw_scene
from gaitnet.walkers.sensor import jpeg

SIZE = (96, 72)

pytestmark = pytest.mark.usefixtures("lightly_compiled")

STANDING = np.array(
    [
        [0.0, -0.10, 0.08], [0.0, -0.10, 0.50], [0.0, -0.09, 0.92], [0.0, 0.09, 0.92], [0.0, 0.10, 0.50],
        [0.0, 0.10, 0.08], [0.0, 0.0, 0.92], [0.0, 0.0, 1.42], [0.02, 0.0, 1.52], [0.03, 0.0, 1.75],
        [0.05, -0.25, 0.85], [0.0, -0.22, 1.12], [0.0, -0.18, 1.42], [0.0, 0.18, 1.42], [0.0, 0.22, 1.12],
        [0.05, 0.25, 0.85], [-0.05, -0.10, 0.035], [0.15, -0.10, 0.035], [-0.05, 0.10, 0.035], [0.15, 0.10, 0.035],
        [0.07, -0.25, 0.77], [0.07, 0.25, 0.77], [0.13, 0.0, 1.62],
    ],
    np.float32,
)  # fmt: skip
RADII = np.array(
    [0.089, 0.057, 0.056, 0.152, 0.134, 0.158, 0.041, 0.026, 0.037, 0.049, 0.093, 0.059, 0.058, 0.036, 0.036],
    np.float32,
)


def camera(azimuth=90.0, focal=170.0, distance=4.0, target=(0.0, 0.0, 0.9)) -> Camera:
    values = (azimuth, 1.2, distance, focal, ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2), target)
    return Camera(*(jnp.asarray(value, jnp.float32) for value in values))


def cone(start, end, at_start, at_end, squeeze=None) -> Cones:
    return Cones(
        start=jnp.array([start], jnp.float32),
        end=jnp.array([end], jnp.float32),
        radius=jnp.array([[at_start, at_end]], jnp.float32),
        squeeze=jnp.asarray(np.eye(3) if squeeze is None else squeeze, jnp.float32)[None],
        material=jnp.zeros(1, jnp.int32),
        flat=jnp.ones(1),
        across=jnp.zeros(1),
    )


@jax.jit
def drawn(cones: Cones, view: Camera):
    line, column = jnp.meshgrid(
        jnp.arange(SIZE[0], dtype=jnp.float32), jnp.arange(SIZE[1], dtype=jnp.float32), indexing="ij"
    )
    projected = project_cones(cones, view)
    found = cover(projected, column, line)
    return *found, surface(projected, found[0], column, line)


def centroid(coverage) -> np.ndarray:
    weight = np.asarray(coverage, np.float64)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.9), (0.113, 0.2, 1.237), (-0.31, -0.1, 0.55)])
def test_a_ball_is_drawn_where_it_projects_with_its_size_and_depth(place):
    view = camera(72.0)
    _, depth, coverage, seen = drawn(cone(place, place, 0.15, 0.15), view)
    pixel, distance = project(view, jnp.array([place], jnp.float32))
    np.testing.assert_allclose(centroid(coverage), pixel[0], atol=0.15)
    radius = 170 * 0.15 / float(distance[0])
    np.testing.assert_allclose(np.asarray(coverage).sum(), np.pi * radius**2, rtol=0.03)
    row, column = round(float(pixel[0, 1])), round(float(pixel[0, 0]))
    np.testing.assert_allclose(depth[row, column], float(distance[0]) - 0.15, atol=0.01)
    assert float(seen.normal[2][row, column]) < -0.97  # it faces the camera
    assert float(depth[0, 0]) == FAR


def test_a_thin_limb_runs_through_both_of_its_joints():
    view = camera(63.0)
    ends = np.array([[0.2, 0.1, 1.31], [-0.15, 0.0, 0.63]], np.float32)
    _, _, coverage, _ = drawn(cone(ends[0], ends[1], 0.03, 0.03), view)
    pixels = np.asarray(project(view, jnp.asarray(ends))[0])
    axis = (pixels[1] - pixels[0]) / np.linalg.norm(pixels[1] - pixels[0])
    # along the limb the mass lies towards its nearer, larger end; across it on the line between the joints
    assert abs((centroid(coverage) - pixels[0]) @ [-axis[1], axis[0]]) < 0.1
    rows, columns = np.nonzero(np.asarray(coverage) > 0.5)
    along = (np.stack([columns, rows], -1) - pixels[0]) @ axis
    fat = 170 * 0.03 / 4
    np.testing.assert_allclose(
        [along.min(), along.max()], [-fat, np.linalg.norm(pixels[1] - pixels[0]) + fat], atol=1.0
    )


def test_the_nearer_cone_is_seen_whichever_comes_first():
    near, far = cone((0, 0.5, 0.9), (0, 0.5, 0.9), 0.1, 0.1), cone((0, -0.5, 0.9), (0, -0.5, 0.9), 0.3, 0.3)
    for place, order in enumerate(((near, far), (far, near))):
        both = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *order)
        index, depth, _, _ = drawn(both, camera(90.0))
        middle = (SIZE[0] // 2 - 1, SIZE[1] // 2 - 1)
        assert int(index[middle]) == place
        np.testing.assert_allclose(depth[middle], np.hypot(4, 0.3) - 0.5 - 0.1, atol=0.02)


def test_a_squeezed_ball_is_as_wide_as_its_half_axes():
    squeeze = np.diag([1 / 0.6, 1.0, 1 / 1.5])  # half axes 0.12 along x, 0.2, 0.3 upright
    _, _, coverage, _ = drawn(cone((0, 0, 0.9), (0, 0, 0.9), 0.2, 0.2, squeeze), camera(90.0))
    inside = np.asarray(coverage) > 0.5
    scale = 170 / np.hypot(4, 0.3)
    np.testing.assert_allclose(inside.any(0).sum(), 2 * 0.12 * scale, atol=1.5)
    np.testing.assert_allclose(inside.any(1).sum(), 2 * 0.3 * scale, atol=1.5)


def test_an_absent_cone_draws_nothing():
    _, depth, coverage, _ = drawn(cone((0, 0, 0.9), (0, 0, 1.2), -1.0, -1.0), camera())
    assert float(coverage.max()) == 0
    assert float(depth.min()) == FAR


def people(places) -> jnp.ndarray:
    return jnp.asarray(np.stack([STANDING + np.array([*place, 0.0], np.float32) for place in places]))


def dressed(count: int, condition: int = 0):
    keys = jax.random.split(jax.random.key(5), count)
    return jax.jit(jax.vmap(lambda key: draw_appearance(key, condition)))(keys)


@pytest.fixture(scope="module")
def two():
    """Two walkers, the second half hidden behind the first, twice the same way; and each alone."""
    place = jax.jit(draw_scene)(jax.random.key(2))
    radii = jnp.asarray(np.stack([RADII, RADII]))
    points = people([(0.0, 0.0), (0.15, -0.9)])
    once = jax.jit(lambda points, seed: render(points, radii, dressed(2), camera(90.0, 150.0), place, SIZE, seed))
    away = points.at[1].add(jnp.array([30.0, -200.0, 0.0]))
    return (
        once(points, jnp.uint32(7)),
        once(points, jnp.uint32(7)),
        once(points, jnp.uint32(8)),
        once(away, jnp.uint32(7)),
    )


def test_the_same_seed_gives_the_same_pixels_and_another_seed_other_noise(two):
    first, again, other, _ = two
    np.testing.assert_array_equal(first.rgb, again.rgb)
    assert not np.array_equal(first.rgb, other.rgb)
    assert float(first.rgb.min()) >= 0
    assert float(first.rgb.max()) <= 255


def test_the_one_in_front_hides_the_one_behind(two):
    both, _, _, alone = two
    front, behind = np.asarray(both.silhouette)
    np.testing.assert_allclose(front, alone.silhouette[0], atol=1e-5)
    assert (front + behind).max() <= 1.001
    assert front.min() >= 0
    assert behind.sum() > 0.1 * front.sum()
    assert behind[front > 0.99].max() < 0.011
    # the far walker's near arm is hidden, the near walker's own head is not
    assert both.visible[0, 9]
    assert both.visible[0].sum() > both.visible[1].sum()


def test_the_silhouette_is_the_walker_and_lies_in_his_box(two):
    alone = two[3]
    inside = np.asarray(alone.silhouette[0]) > 0.5
    rows, columns = np.nonzero(inside)
    box = np.asarray(person_box(camera(90.0, 150.0), jnp.asarray(STANDING), jnp.full(23, 0.12)))
    assert box[0] <= columns.min() <= columns.max() <= box[2]
    assert box[1] <= rows.min() <= rows.max() <= box[3]
    joints = np.asarray(alone.keypoints[0])
    assert all(inside[round(float(y)), round(float(x))] for x, y in joints[[0, 1, 6, 7, 8, 12]])
    # where he stands the picture shows him and not the wall
    assert np.all((np.asarray(alone.depth) < FAR) >= inside)


def test_the_far_wrist_is_hidden_by_the_trunk(two):
    alone = two[3]
    assert alone.visible[0, 15]  # the left wrist: the camera stands on his left
    assert not alone.visible[0, 10]


def test_a_photograph_is_seen_wherever_the_walker_is_not():
    """Through a sensor without faults: what two photographs differ by is what the walker leaves free of them."""
    faultless = {"shadow": 0, "contact": 0, "blur": 0, "noise": 0, "contrast": 1, "brightness": 0, "grey": 0}
    place = jax.jit(draw_scene)(jax.random.key(2))._replace(
        **{name: jnp.float32(value) for name, value in faultless.items()}, quality=jnp.float32(100)
    )
    once = jax.jit(
        lambda behind: render(
            people([(0.0, 0.0)]),
            jnp.asarray(RADII)[None],
            dressed(1),
            camera(90.0, 150.0),
            place,
            SIZE,
            photograph=behind,
        )
    )
    photograph = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    before_it, before_black = once(photograph), once(np.zeros_like(photograph))
    free = 1 - np.asarray(before_it.silhouette[0])
    assert 0.05 < (free == 0).mean() < (free < 1).mean() < 0.6
    np.testing.assert_allclose(before_it.rgb[free == 1], photograph[free == 1], atol=0.3)
    np.testing.assert_allclose(before_it.rgb - before_black.rgb, free[..., None] * photograph, atol=0.6)


def test_frames_of_a_sequence_are_single_renders():
    place, wear, radii = jax.jit(draw_scene)(jax.random.key(3)), dressed(1), jnp.asarray(RADII)[None]
    cameras = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), camera(54.0))._replace(
        azimuth=jnp.array([54.0, -20.0])
    )
    points = people([(0.0, 0.0)])
    seeds = jnp.array([1, 2], jnp.uint32)
    frames = {
        together: jax.jit(
            lambda points, together=together: render_frames(
                points, radii, wear, cameras, place, seeds, SIZE, together=together
            )
        )(jnp.stack([points, points]))
        for together in (1, 2)
    }
    np.testing.assert_allclose(frames[1].silhouette, frames[2].silhouette, atol=1e-3)
    assert np.abs(np.asarray(frames[1].rgb - frames[2].rgb)).mean() < 0.2
    np.testing.assert_allclose(
        frames[1].keypoints[1, 0], project(jax.tree.map(lambda leaf: leaf[1], cameras), points[0, :16])[0], atol=1e-3
    )


def test_an_open_shutter_blurs_the_swinging_foot_and_not_the_place():
    """Exposure over the time between frames: the picture is the mean of its moments; labels stay those of the frame."""
    size = (64, 48)

    @jax.jit
    def planned(key):
        person = crowd_person(1, 2)
        return [plan_sequence(key, person, 0, 90.0, 3, 12.5, size=size, jitter=0.0, shutter=s) for s in (0.0, 0.9)]

    pixels = jax.jit(lambda plan: render_plan(plan, size))
    plans = planned(jax.random.key(3))
    quiet = [p._replace(scene=p.scene._replace(noise=jnp.zeros(()), quality=jnp.full((), 100.0))) for p in plans]
    sharp, blurred = (pixels(plan) for plan in quiet)
    np.testing.assert_array_equal(sharp.keypoints, blurred.keypoints)
    np.testing.assert_array_equal(sharp.silhouettes, blurred.silhouettes)
    changed = np.abs(np.asarray(sharp.frames, int) - np.asarray(blurred.frames, int)).max(-1)
    assert changed[:, :8, :8].max() <= 1, "the place stands still"
    assert changed.max() > 10
    middle = quiet[1]
    apart = [pixels(middle._replace(points=middle.moments[:, k], moments=None)).frames for k in range(4)]
    mean = np.mean([np.asarray(frames, float) for frames in (sharp.frames, *apart)], axis=0)
    np.testing.assert_allclose(np.asarray(blurred.frames, float), mean, atol=2.5)


def test_clothes_and_places_know_nothing_of_people():
    for draw in (draw_appearance, draw_scene):
        assert not {"person", "body", "gait", "subject_id"} & set(inspect.signature(draw).parameters)
    for module in (appearance, scene):
        assert "walkers.body" not in inspect.getsource(module)
        assert "walkers.motion" not in inspect.getsource(module)


def test_a_nearest_neighbour_on_colour_identifies_at_chance():
    people, walks = 40, 4
    keys = jax.random.split(jax.random.key(0), people * walks)
    colors = np.asarray(jax.jit(jax.vmap(lambda key: draw_appearance(key).colors))(keys)).reshape(people * walks, -1)
    label = np.arange(people * walks) // walks
    distance = np.linalg.norm(colors[:, None] - colors[None], axis=-1) + np.eye(people * walks) * 1e9
    right = (label[distance.argmin(1)] == label).mean()
    chance = (walks - 1) / (people * walks - 1)
    assert right < chance + 4 * np.sqrt(chance * (1 - chance) / (people * walks))


def test_conditions_change_what_is_carried_and_worn():
    wear = jax.jit(jax.vmap(lambda condition: draw_appearance(jax.random.key(4), condition, jnp.float32(1.0))))(
        jnp.arange(5)
    )
    np.testing.assert_array_equal(np.asarray(wear.backpack) > 0, [False, True, False, False, False])
    np.testing.assert_array_equal(np.asarray(wear.handbag[:, 1]) > 0, [False, False, True, False, False])
    assert not np.asarray(wear.handbag[:, 0]).any()  # the bag is in the hand that was named
    assert float(wear.skirt[3]) >= 0.6
    np.testing.assert_array_equal(wear.coat, [0, 0, 0, 1, 0])
    np.testing.assert_array_equal(wear.colors[0], wear.colors[4])


def test_jpeg_rounds_cosine_coefficients_and_spares_the_rest():
    plane = np.random.default_rng(0).uniform(0, 255, (19, 24)).astype(np.float32)
    coded = np.asarray(jpeg(jnp.asarray(plane), 50.0), np.float64)
    np.testing.assert_array_equal(coded[16:], plane[16:])
    order = np.arange(8)
    basis = np.cos(np.pi * order[:, None] * (2 * order[None] + 1) / 16) * np.where(
        order[:, None] == 0, np.sqrt(1 / 8), 0.5
    )
    steps = (basis @ (coded[:8, 8:16] - 128) @ basis.T) / np.array([[16.0, 11, 10, 16, 24, 40, 51, 61]] * 8)
    np.testing.assert_allclose(steps[0], np.round(steps[0]), atol=1e-3)
    np.testing.assert_array_equal(jpeg(jnp.asarray(plane), 100.0), plane)


def test_a_crop_holds_the_walker_with_the_margin_asked_for():
    box = person_box(camera(), jnp.asarray(STANDING), jnp.full(23, 0.06))
    crop = person_crop(box, SIZE)
    np.testing.assert_allclose((crop[3] - crop[1]) / (box[3] - box[1]), 1.25, rtol=1e-5)
