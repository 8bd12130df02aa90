"""Augmentation: labels follow the pixels, every draw keeps to its range and is repeatable."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose.augment import (
    IDENTITY,
    LOWER,
    ORIGINAL,
    UPPER,
    AugmentConfig,
    apply_look,
    carry_keypoints,
    draw_affine,
    draw_colour,
    draw_half_body,
    draw_look,
)
from humanpose.preprocess import crop, crop_affine, to_image
from humanpose.skeleton import FLIP, INDEX

SIZE = (64, 48)
GEOMETRY = replace(ORIGINAL, noise_range=None, multiply=0.0, mix=0.0, coarse=0.0, shear=0.3, shift=0.03)
"""Everything that moves pixels, nothing that changes them."""


def picture_with_dot(place):
    """Black, with a soft white dot of 2 pixels' deviation at `place` = (x, y)."""
    rows, columns = np.mgrid[:150, :170]
    dot = np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2 * 2.0**2))
    return np.repeat((255 * dot).astype(np.uint8)[..., None], 3, -1)


def centre_of(image):
    """Where the dot is, as the centre of mass (x, y)."""
    weights = image[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def keypoints_at(place, joint):
    """One visible joint, the others missing."""
    keypoints, visible = np.zeros((16, 2), np.float32), np.zeros(16, bool)
    keypoints[joint], visible[joint] = place, True
    return keypoints, visible


def change_of(affine, changed):
    """The crop-to-crop part of a changed affine, 3 x 3 float64."""
    last = [[0, 0, 1]]
    return np.linalg.inv(np.vstack([affine, last]).astype(np.float64)) @ np.vstack([changed, last]).astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), joint=st.integers(0, 15), x=st.floats(60, 110), y=st.floats(50, 100))
def test_labels_are_carried_by_the_map_that_carries_the_pixels(seed, joint, x, y):
    affine, flip = draw_affine(
        np.random.default_rng(seed), crop_affine(np.array([50.0, 40.0, 120.0, 110.0]), SIZE), SIZE, GEOMETRY
    )
    keypoints, visible = carry_keypoints(*keypoints_at((x, y), joint), affine, flip, SIZE)
    (found,) = visible.nonzero()[0] if visible.any() else (None,)
    if found is None or (keypoints[found] < 5).any() or (keypoints[found] > np.array(SIZE[::-1]) - 6).any():
        return  # the dot is cut by the border: its centre of mass says nothing
    assert found == (FLIP[joint] if flip else joint)
    dot = centre_of(crop(picture_with_dot((x, y)), affine, SIZE))
    np.testing.assert_allclose(keypoints[found], dot, atol=0.15)
    exchanged = keypoints[FLIP] if flip else keypoints
    np.testing.assert_allclose(to_image(exchanged, affine)[joint], (x, y), atol=1e-3)


def test_the_affine_is_rotation_translation_shear_zoom_about_the_centre():
    """Taken apart again: rotation times a lower triangle is the one way to read the linear part."""
    config = replace(
        IDENTITY, rotation=40.0, zoom=(0.7, 1.6), zoom_evenly=True, shear=0.3, shifts=(0.0, 0.25), flip=0.5
    )
    base = crop_affine(np.array([10.0, 20.0, 60.0, 120.0]), SIZE, mirror=True)
    centre = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
    drawn = []
    for seed in range(300):
        changed, flip = draw_affine(np.random.default_rng(seed), base, SIZE, config)
        change = change_of(base, changed)
        angle = np.arctan2(-change[0, 1], change[1, 1])
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        triangle = back @ change[:2, :2]
        zoom = triangle[1, 1]
        mirror = -1 if flip else 1
        shear = np.arctan2(-mirror * triangle[1, 0], mirror * triangle[0, 0])
        np.testing.assert_allclose(triangle[0, 0], mirror * zoom * np.cos(shear), atol=1e-5)
        translation = back @ (change[:2] @ [*centre, 1] - centre)
        np.testing.assert_allclose(translation[1], 0, atol=1e-3)
        drawn.append((np.rad2deg(angle), zoom, shear, translation[0] / SIZE[1], mirror))
    for values, low, high in zip(
        np.transpose(drawn), (-40, 0.7, -0.3, -0.25, -1), (40, 1.6, 0.3, 0.25, 1), strict=True
    ):
        assert low - 1e-4 <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high + 1e-4
        np.testing.assert_allclose(values.mean(), (low + high) / 2, atol=0.06 * (high - low))


def test_mirroring_twice_changes_nothing():
    rng = np.random.default_rng(0)
    config = replace(IDENTITY, flip=1.0)
    image = rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)
    keypoints = rng.uniform(20, 60, (16, 2)).astype(np.float32)
    visible = rng.random(16) < 0.7
    base = crop_affine(np.array([10.0, 10.0, 70.0, 70.0]), SIZE)
    once, first = draw_affine(rng, base, SIZE, config)
    twice, second = draw_affine(rng, once, SIZE, config)
    assert first
    assert second
    np.testing.assert_allclose(twice, base, atol=1e-5)
    assert (crop(image, once, SIZE) != crop(image, base, SIZE)).any()
    np.testing.assert_array_equal(crop(image, once, SIZE)[:, ::-1], crop(image, base, SIZE))
    carried, seen = carry_keypoints(keypoints, visible, once, True, SIZE)
    straight, all_seen = carry_keypoints(keypoints, visible, base, False, SIZE)
    np.testing.assert_array_equal(seen[FLIP], all_seen)
    mirrored = np.where(seen[:, None], [SIZE[1] - 1, 0] + carried * [-1, 1], 0)
    np.testing.assert_allclose(mirrored[FLIP], straight, atol=1e-4)


def test_nothing_is_changed_by_the_identity():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    base = crop_affine(np.array([3.0, 4.0, 50.0, 90.0]), SIZE).astype(np.float32)
    affine, flip = draw_affine(rng, base, SIZE, IDENTITY)
    np.testing.assert_allclose(affine, base, rtol=1e-6, atol=1e-5)
    assert not flip
    np.testing.assert_array_equal(draw_colour(rng, image, IDENTITY), image)
    box = np.array([3.0, 4.0, 50.0, 90.0])
    np.testing.assert_array_equal(draw_half_body(rng, box, np.ones((16, 2)), np.ones(16, bool), IDENTITY), box)


def test_what_lies_outside_becomes_invisible_and_weights_stay_weights():
    edge = [[-0.6, 5], [-0.4, 5], [47.4, 5], [47.6, 5], [5, 63.4], [5, 63.6], [5, -0.6]]
    keypoints = np.array([*edge, *[[9, 9]] * 9], np.float32)
    weights = np.linspace(0.1, 1, 16).astype(np.float32)
    weights[9] = 0
    straight = np.eye(2, 3, dtype=np.float32)
    carried, left = carry_keypoints(keypoints, weights, straight, False, SIZE)
    expected = weights * ~np.isin(np.arange(16), (0, 3, 5, 6))
    np.testing.assert_array_equal(left, expected)
    assert left.dtype == np.float32
    assert (carried[expected == 0] == 0).all()
    np.testing.assert_array_equal(carried[expected > 0], keypoints[expected > 0])
    both, seen = carry_keypoints(np.stack([keypoints] * 2), np.stack([weights > 0] * 2), straight, True, SIZE)
    np.testing.assert_array_equal(seen[1], (expected > 0)[FLIP])
    np.testing.assert_array_equal(both[1], carried[FLIP])


def test_what_is_not_annotated_may_be_anywhere_even_nowhere():
    keypoints, visible = keypoints_at((20, 20), 3)
    keypoints[5] = np.nan
    carried, seen = carry_keypoints(keypoints, visible, np.eye(2, 3, dtype=np.float32), False, SIZE)
    assert seen.nonzero()[0].tolist() == [3]
    assert (carried[5] == 0).all()


@pytest.mark.parametrize("config", [AugmentConfig(), ORIGINAL])
def test_a_sample_can_be_made_again(config):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    base = np.eye(2, 3, dtype=np.float32)

    def sample(seed):
        rng = np.random.default_rng(seed)
        affine, _ = draw_affine(rng, base, SIZE, config)
        return draw_colour(rng, crop(image, affine, SIZE), config)

    np.testing.assert_array_equal(sample(5), sample(5))
    assert (sample(5) != sample(6)).any()


def test_colours_are_those_of_a_float64_twin():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    config = replace(IDENTITY, gain=0.3, tint=0.2, offset=0.1, multiply=0.2, mix=0.3)
    for _ in range(10):
        look = draw_look(rng, SIZE, config)
        matrix = look.matrix.astype(np.float64)
        expected = np.einsum("oi,hwi->hwo", matrix[:, :3], image.astype(np.float64)) + matrix[:, 3]
        ours = apply_look(rng, image, look, config).astype(np.float64)
        assert np.abs(ours - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-3


def test_colour_draws_keep_to_their_ranges():
    rng = np.random.default_rng(4)

    def matrices(**settings):
        return np.stack([draw_look(rng, SIZE, replace(IDENTITY, **settings)).matrix for _ in range(400)])

    mixed = matrices(mix=0.5, mix_mean=(0.4, 0.3), mix_bounds=(-0.5, 0.8))[..., :3]
    assert mixed.min() == pytest.approx(-0.5)
    assert mixed.max() == pytest.approx(0.8)
    inner = matrices(mix=0.05, mix_mean=(0.4, 0.3))[..., :3]
    np.testing.assert_allclose(inner.mean(0), 0.3 + 0.1 * np.eye(3), atol=0.02)
    np.testing.assert_allclose(inner.std(0), 0.05, rtol=0.2)
    scaled = matrices(multiply=0.2)
    diagonal = scaled[:, range(3), range(3)]
    np.testing.assert_array_equal(scaled, diagonal[:, :1, None] * np.eye(3, 4))
    np.testing.assert_allclose((diagonal.mean(), diagonal.std()), (1, 0.2), atol=0.03)
    shifted = matrices(offset=0.1)[..., 3]
    np.testing.assert_allclose((shifted.mean(), shifted.std()), (0, 25.5), atol=3)
    contrast = matrices(gain=0.2)
    # mid-grey stays where it is, whatever the contrast
    np.testing.assert_allclose(contrast @ [128, 128, 128, 1], 128, atol=1e-3)
    np.testing.assert_allclose(np.log(contrast[:, 0, 0]).std(), 0.2, rtol=0.2)


def test_grey_is_the_luminance_and_as_frequent_as_asked():
    rng = np.random.default_rng(10)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    luminance = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    changed = [draw_colour(rng, image, replace(IDENTITY, grey=0.4)) for _ in range(200)]
    grey = np.array([(one != image).any() for one in changed])
    assert 0.3 < grey.mean() < 0.5
    for one in np.array(changed)[grey][:3]:
        assert np.abs(one - luminance[..., None]).max() <= 0.5 + 1e-3


def test_some_are_turned_by_any_angle():
    config = replace(IDENTITY, rotation=10.0, turned=0.3)
    base = np.eye(2, 3, dtype=np.float32)
    changes = [draw_affine(np.random.default_rng(seed), base, SIZE, config)[0] for seed in range(400)]
    angles = np.rad2deg([np.arctan2(change[1, 0], change[0, 0]) for change in changes])
    assert 0.2 < (np.abs(angles) > 10.01).mean() < 0.4
    assert angles.min() < -160
    assert angles.max() > 160


def test_noise_is_white_of_a_level_in_its_range_and_new_for_every_picture():
    rng = np.random.default_rng(5)
    grey = np.full((96, 80, 3), 128, np.uint8)
    config = replace(IDENTITY, noise_range=(0.01, 0.05))
    look = draw_look(rng, (96, 80), config)
    noise = np.stack([apply_look(rng, grey, look, config).astype(np.float64) - 128 for _ in range(60)])
    levels = noise.std((1, 2, 3)) / 255
    assert 0.0098 < levels.min() < 0.018
    assert 0.042 < levels.max() < 0.051
    assert np.abs(noise.mean((1, 2, 3))).max() < 0.4
    unit = noise / noise.std((1, 2, 3), keepdims=True)
    for shifted in (unit[:, 1:] * unit[:, :-1], unit[:, :, 1:] * unit[:, :, :-1], unit[..., 1:] * unit[..., :-1]):
        assert np.abs(shifted.mean((1, 2, 3))).max() < 0.04
    between = np.einsum("ahwc,bhwc->ab", unit, unit) / unit[0].size
    assert np.abs(between - np.eye(60)).max() < 0.06
    half_normal = replace(IDENTITY, noise=0.03)
    spread = [(apply_look(rng, grey, look, half_normal) - 128.0).std() / 255 for _ in range(200)]
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(spread))), 0.03, rtol=0.15)


def test_large_pictures_get_noise_of_their_own():
    rng = np.random.default_rng(6)
    large = np.full((500, 400, 3), 100, np.uint8)
    changed = draw_colour(rng, large, replace(IDENTITY, noise_range=(0.04, 0.04)))
    np.testing.assert_allclose(changed.std() / 255, 0.04, rtol=0.01)


def test_erasing_leaves_one_plain_rectangle():
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    for _ in range(30):
        changed = draw_colour(rng, image, replace(IDENTITY, erase=1.0))
        rows, columns = (changed != image).any(-1).nonzero()
        box = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box == box[0, 0]).all()
        assert 0.05 * 64 <= box.shape[0] <= 0.35 * 64
        assert 0.05 * 48 <= box.shape[1] <= 0.35 * 48


def test_down_and_up_sampling_keeps_to_its_factors_and_ways_back():
    rng = np.random.default_rng(8)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    config = replace(IDENTITY, coarse=0.6, coarsest=0.4, nearest=0.5)
    looks = [draw_look(rng, SIZE, config) for _ in range(400)]
    sizes = np.array([look.coarse for look in looks if look.coarse is not None])
    assert 0.5 < len(sizes) / 400 < 0.7
    assert 0.39 * 64 - 1 <= sizes[:, 1].min() < 0.5 * 64
    assert 0.9 * 64 < sizes[:, 1].max() <= 64
    np.testing.assert_allclose(sizes[:, 0] / sizes[:, 1], 48 / 64, rtol=0.06)
    blocks = [look.restore == 0 for look in looks if look.coarse is not None]
    assert 0.4 < np.mean(blocks) < 0.6
    half = draw_look(rng, SIZE, IDENTITY)._replace(coarse=(24, 32), restore=0)
    changed = apply_look(rng, image, half, IDENTITY)
    means = image.reshape(32, 2, 24, 2, 3).astype(np.float64).mean((1, 3))
    assert np.abs(changed - np.repeat(np.repeat(means, 2, 0), 2, 1)).max() <= 0.5 + 1e-3


def body():
    """A standing person, all joints visible: keypoints, visible, box."""
    keypoints = np.zeros((16, 2), np.float32)
    keypoints[:, 0] = [90, 92, 94, 106, 108, 110, 100, 100, 100, 100, 80, 82, 88, 112, 118, 120]
    keypoints[:, 1] = [180, 150, 120, 120, 150, 180, 120, 70, 65, 40, 115, 95, 72, 72, 95, 115]
    return keypoints, np.ones(16, bool), np.array([80.0, 40.0, 120.0, 180.0])


def test_a_half_body_fills_the_crop():
    keypoints, visible, box = body()
    boxes = np.stack(
        [
            draw_half_body(np.random.default_rng(seed), box, keypoints, visible, replace(IDENTITY, half_body=0.6))
            for seed in range(200)
        ]
    )
    whole = (boxes == box).all(-1)
    lower = boxes[:, 3] > box[3]
    assert 0.3 < whole.mean() < 0.5
    assert 0.3 < lower[~whole].mean() < 0.7
    for chosen, half in ((lower, LOWER), (~lower & ~whole, UPPER)):
        (one,) = np.unique(boxes[chosen], axis=0)
        crops = carry_keypoints(keypoints, visible, crop_affine(one, SIZE).astype(np.float32), False, SIZE)[1]
        assert crops[list(half)].all()
        tall = np.ptp(keypoints[list(half), 1])
        np.testing.assert_allclose(1.25 * (one[3] - one[1]), 1.5 * tall, rtol=1e-5)
        assert one[2] - one[0] >= 140 / 4
    ankles_only = visible.copy()
    ankles_only[[INDEX["r_knee"], INDEX["r_hip"], INDEX["l_hip"], INDEX["l_knee"], INDEX["pelvis"]]] = False
    always = replace(IDENTITY, half_body=1.0)
    for seed in range(20):
        chosen = draw_half_body(np.random.default_rng(seed), box, keypoints, ankles_only, always)
        assert chosen[3] < box[3], "two ankles make no lower body"
    few = np.arange(16) < 7
    np.testing.assert_array_equal(draw_half_body(np.random.default_rng(0), box, keypoints, few, always), box)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"flip": 1.5}, "flip: expected a probability"),
        ({"rotation": -1.0}, "rotation: expected a spread"),
        ({"gain": float("nan")}, "gain: expected a spread"),
        ({"zoom": (0.0, 1.0)}, "zoom must be"),
        ({"coarsest": 0.0}, "coarsest a share"),
        ({"noise_range": (0.2, 0.1)}, "noise_range: expected"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        replace(IDENTITY, **setting)
