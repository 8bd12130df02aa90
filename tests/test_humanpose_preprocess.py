"""Boxes and crops: geometry by hand, resampling against naive sampling, round trips."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose.preprocess import box_from_keypoints, crop, crop_affine, to_crop, to_image


def ramp(height, width):
    """An image whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)], -1).astype(np.uint8)


def test_boxes_hold_the_visible_joints():
    keypoints = np.array([[[3, 9], [8, 2], [100, 100]], [[5, 5], [1, 1], [0, 0]]], np.float32)
    visible = np.array([[True, True, False], [False, False, False]])
    boxes = box_from_keypoints(keypoints, visible)
    np.testing.assert_array_equal(boxes[0], [3, 2, 8, 9])
    assert np.isnan(boxes[1]).all()


def test_a_tall_box_sets_the_height_and_a_wide_one_the_width():
    tall, wide = crop_affine(np.array([[10.0, 20, 30, 120], [0, 0, 90, 30]]))
    np.testing.assert_allclose(tall[0, 0] * 192, 1.25 * 100)
    np.testing.assert_allclose(wide[0, 0] * 192, 1.25 * 90 * 192 / 144)
    for affine, centre in ((tall, [20, 70]), (wide, [45, 15])):
        np.testing.assert_allclose(affine @ [71.5, 95.5, 1], centre)


@settings(max_examples=60, deadline=None)
@given(
    corner=st.tuples(st.floats(-50, 500), st.floats(-50, 500)),
    extent=st.tuples(st.floats(1, 400), st.floats(1, 400)),
    mirror=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_crop_and_image_pixels_round_trip(corner, extent, mirror, seed):
    box = np.array([*corner, corner[0] + extent[0], corner[1] + extent[1]])
    affine = crop_affine(box, mirror=mirror)
    keypoints = np.random.default_rng(seed).uniform(0, 150, (16, 2))
    np.testing.assert_allclose(to_crop(to_image(keypoints, affine), affine), keypoints, atol=1e-8)
    ends = to_crop(box.reshape(2, 2), affine)
    assert (ends >= -1e-6).all()
    assert (ends <= np.array([143, 191]) + 1e-6).all()
    assert (ends[1, 0] < ends[0, 0]) == mirror


def test_affines_are_vectorised_like_the_keypoints():
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.uniform(0, 300, (2, 3, 2, 2)), axis=-2).reshape(2, 3, 4)
    affines = crop_affine(boxes)
    keypoints = rng.uniform(0, 100, (2, 3, 16, 2)).astype(np.float32)
    together = to_image(keypoints, affines)
    assert together.dtype == np.float32
    np.testing.assert_allclose(affines[1, 2], crop_affine(boxes[1, 2]))
    np.testing.assert_allclose(together[1, 2], to_image(keypoints[1, 2], affines[1, 2]), rtol=1e-6)


def test_a_crop_shows_what_its_affine_says():
    image = ramp(240, 200)
    affine = crop_affine(np.array([60.0, 50, 120, 170]))
    picture = crop(image, affine)
    columns = affine[0, 0] * np.arange(144) + affine[0, 2]
    rows = affine[1, 1] * np.arange(192) + affine[1, 2]
    np.testing.assert_allclose(picture[50, :, 0], columns, atol=1)
    np.testing.assert_allclose(picture[:, 70, 1], rows, atol=1)
    assert (picture[..., 2] == 7).all()


def test_a_mirrored_crop_is_the_crop_mirrored():
    image = np.random.default_rng(0).integers(0, 256, (150, 170, 3), np.uint8)
    box = np.array([30.0, 40, 81, 117])
    plain, mirrored = (crop(image, crop_affine(box, mirror=mirror)) for mirror in (False, True))
    # OpenCV steps through 1/32 pixels, from the other side when mirrored.
    difference = np.abs(plain[:, ::-1].astype(int) - mirrored)
    assert np.mean(difference) < 1
    assert difference.max() <= 16


def test_the_border_is_replicated():
    image = ramp(100, 100)
    picture = crop(image, crop_affine(np.array([-80.0, -80, 20, 20])))
    assert (picture[:50, :50, :2] == 0).all()
    beyond = crop(image, crop_affine(np.array([500.0, 500, 600, 600])))
    assert (beyond[..., 0] == 99).all()


@pytest.mark.parametrize("factor", [2.0, 3.0, 4.7, 11.0])
def test_shrinking_averages_and_stays_in_place(factor):
    height, width = int(192 * factor), int(144 * factor)
    affine = crop_affine(np.array([-0.5, -0.5, width - 0.5, height - 0.5]), margin=1.0)
    # Pixels that alternate black and white are grey from afar; sampling them would flicker between the two.
    rows, columns = np.mgrid[:height, :width]
    board = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, -1)
    picture = crop(board, affine)
    assert np.abs(picture.astype(float) - 127.5).max() <= (16 if factor > 3 else 40)
    assert abs(picture.mean() - 127.5) < 1
    # A bright disc keeps its centre to a tenth of a crop pixel.
    centre = np.array([[0.4 * width, 0.6 * height]])
    disc = (((columns - centre[0, 0]) ** 2 + (rows - centre[0, 1]) ** 2) < (20 * factor) ** 2).astype(np.uint8) * 255
    small = crop(np.repeat(disc[..., None], 3, -1), affine)[..., 0].astype(float)
    y, x = np.mgrid[:192, :144]
    found = np.array([(small * x).sum(), (small * y).sum()]) / small.sum()
    np.testing.assert_allclose(found, to_crop(centre, affine)[0], atol=0.1)


def test_a_part_of_a_big_picture_is_cut_as_from_the_whole():
    image = np.random.default_rng(2).integers(0, 256, (400, 300, 3), np.uint8)
    affine = crop_affine(np.array([100.0, 120, 180, 260]))
    naive = np.zeros((192, 144, 3))
    for row in range(192):
        for column in range(144):
            x, y = affine @ [column, row, 1]
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            u, v = x - x0, y - y0
            block = image[y0 : y0 + 2, x0 : x0 + 2].astype(float)
            naive[row, column] = np.einsum("yxc,y,x->c", block, [1 - v, v], [1 - u, u])
    # Half of OpenCV's 1/32 pixel in each direction, on noise of full contrast.
    assert np.abs(crop(image, affine) - naive).max() <= 12


@pytest.mark.parametrize(
    "box",
    [[0, 0, np.nan, 1], [5, 5, 5, 5], [0, 0, -3, 10], [0, 0, np.inf, 3]],
    ids=["nan", "point", "reversed", "endless"],
)
def test_boxes_without_extent_are_refused(box):
    with pytest.raises(ValueError, match="box must be finite"):
        crop_affine(np.array([[0.0, 0, 1, 1], box]))


def test_images_without_pixels_and_affines_without_numbers_are_refused():
    affine = crop_affine(np.array([0.0, 0, 10, 10]))
    with pytest.raises(ValueError, match="image must have pixels"):
        crop(np.zeros((0, 10, 3), np.uint8), affine)
    with pytest.raises(ValueError, match="affine must be finite"):
        crop(ramp(10, 10), affine * np.nan)
    with pytest.raises(ValueError, match="below a million pixels"):
        crop(ramp(10, 10), crop_affine(np.array([0.0, 0, 1e30, 1e30])))


def test_a_box_far_larger_than_the_picture_costs_no_more_than_the_picture():
    tracemalloc.start()
    try:
        shown = crop(ramp(120, 160), crop_affine(np.array([-4e5, -4e5, 4e5, 4e5])))
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert shown.shape == (192, 144, 3)


def test_one_pixel_is_a_picture():
    assert (crop(np.full((1, 1, 3), 9, np.uint8), crop_affine(np.array([0.0, 0, 10, 10]))) == 9).all()
