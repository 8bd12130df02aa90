"""The codec against the original's own numbers, against naive loops, and against itself."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose.heatmaps import (
    crop_to_heatmap,
    decode_heatmaps,
    decode_joint_maps,
    decode_smoothed,
    elsewhere,
    encode_keypoints,
    heatmap_to_crop,
    smooth,
    smoothing_filter,
)


@pytest.fixture(scope="module")
def golden():
    return np.load(Path(__file__).parent / "golden" / "golden_heatmaps.npz", allow_pickle=False)


def integer_targets(golden):
    return golden["centers"][:, ::-1].swapaxes(1, 2), golden["present"]


def test_discs_are_the_originals(golden):
    keypoints, present = integer_targets(golden)
    maps = encode_keypoints(keypoints, present, (48, 48), kind="disc", size=15.0)
    np.testing.assert_array_equal(np.asarray(maps), golden["binary_targets"])


def test_gaussians_are_the_originals_down_to_the_cut_of_their_patch(golden):
    keypoints, present = integer_targets(golden)
    maps = np.asarray(encode_keypoints(keypoints, present, (48, 48), kind="gaussian", size=2.0))
    np.testing.assert_array_equal(maps > 0, golden["gauss_targets"] > 0)
    np.testing.assert_allclose(maps, golden["gauss_targets"], atol=1e-7)


@pytest.mark.parametrize(
    ("size", "std", "kernel_sum", "name"),
    [(21, 1.0, 0.2, "logit_smooth_21_1.0_0.2"), (15, 0.7, 1.0, "sigm_smooth_15_0.7_1.0")],
)
def test_smoothing_is_the_originals(golden, size, std, kernel_sum, name):
    np.testing.assert_allclose(smoothing_filter(size, std, kernel_sum), golden[f"filter_{name}"], atol=1e-8)
    ours, theirs = np.asarray(smooth(golden["x"], size, std, kernel_sum)), golden[name]
    assert np.linalg.norm(ours - theirs) < 1e-6 * np.linalg.norm(theirs)


def test_decoded_joints_are_the_originals(golden):
    keypoints, probability = decode_smoothed(jax.nn.sigmoid(golden["x"]))
    in_image = heatmap_to_crop(keypoints, (299, 299), (289, 289), offset=0.0)
    np.testing.assert_allclose(np.asarray(in_image[..., 1]), golden["joints"][0], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(in_image[..., 0]), golden["joints"][1], rtol=1e-6)
    np.testing.assert_allclose(probability, golden["joints"][2], rtol=1e-6)


def naive_maps(keypoints, visible, shape, kind, size):
    maps = np.zeros((*shape, len(keypoints)))
    for joint, (x, y) in enumerate(keypoints.astype(np.float64)):
        for row in range(shape[0]):
            for column in range(shape[1]):
                offsets = (column - x, row - y)
                square = offsets[0] ** 2 + offsets[1] ** 2
                if kind == "disc":
                    maps[row, column, joint] = square <= (size / 2) ** 2
                elif all(-4 * size <= offset < 4 * size for offset in offsets):
                    maps[row, column, joint] = np.exp(-square / (2 * size**2))
    return maps * visible


@pytest.mark.parametrize(("kind", "size"), [("disc", 9.0), ("disc", 4.5), ("gaussian", 1.5), ("gaussian", 0.8)])
def test_encoding_matches_a_naive_float64_loop(kind, size):
    rng = np.random.default_rng(3)
    keypoints = rng.uniform(-4, 30, (16, 2)).astype(np.float32)
    visible = rng.random(16) < 0.7
    ours = encode_keypoints(keypoints, visible, (23, 17), kind=kind, size=size)
    np.testing.assert_allclose(ours, naive_maps(keypoints, visible, (23, 17), kind, size), atol=2e-6)


def test_smoothing_matches_a_naive_float64_convolution():
    maps = np.random.default_rng(0).normal(size=(9, 7, 2))
    weights = smoothing_filter(5, 0.9, 0.5).astype(np.float64)
    padded = np.pad(maps, ((2, 2), (2, 2), (0, 0)))
    expected = sum(
        weights[a] * weights[b] * padded[a : a + 9, b : b + 7] for a in range(5) for b in range(5)
    )  # fmt: skip
    np.testing.assert_allclose(smooth(maps.astype(np.float32), 5, 0.9, 0.5), expected, atol=1e-6)


def test_leading_axes_are_free():
    keypoints = np.random.default_rng(1).uniform(0, 20, (2, 3, 16, 2)).astype(np.float32)
    maps = encode_keypoints(keypoints, np.ones((2, 3, 16)), (24, 18))
    assert maps.shape == (2, 3, 24, 18, 16)
    np.testing.assert_array_equal(maps[1, 2], encode_keypoints(keypoints[1, 2], np.ones(16), (24, 18)))
    found, probability = decode_heatmaps(maps)
    alone = decode_heatmaps(maps[1, 2])
    np.testing.assert_allclose(found[1, 2], alone[0], atol=1e-5)
    np.testing.assert_allclose(probability[1, 2], alone[1])


positions = st.floats(6.0, 29.0, width=32)


@settings(max_examples=40, deadline=None)
@given(x=positions, y=positions, sigma=st.sampled_from([1.0, 1.5, 2.0]))
def test_subpixel_round_trip(x, y, sigma):
    keypoints = np.full((16, 2), (x, y), np.float32)
    maps = encode_keypoints(keypoints, np.ones(16), (37, 36), size=sigma)
    found, probability = decode_heatmaps(maps)
    np.testing.assert_allclose(found, keypoints, atol=0.03)
    assert np.asarray(probability).min() > 0.75
    found, mass = decode_joint_maps(maps / maps.sum((0, 1), keepdims=True))
    np.testing.assert_allclose(found, keypoints, atol=0.03)
    assert ((np.asarray(mass) > 0.7) & (np.asarray(mass) <= 1)).all()


@settings(max_examples=30, deadline=None)
@given(x=st.integers(0, 35), y=st.integers(0, 36), kind=st.sampled_from(["disc", "gaussian"]))
def test_argmax_round_trip_reaches_the_border(x, y, kind):
    keypoints = np.full((16, 2), (x, y), np.float32)
    maps = encode_keypoints(keypoints, np.ones(16), (37, 36), kind=kind, size=1.5)
    np.testing.assert_array_equal(decode_heatmaps(maps, method="argmax")[0], keypoints)


def test_argmax_takes_the_first_of_equals_as_numpy_does():
    maps = np.random.default_rng(5).integers(0, 4, (2, 13, 11, 16)).astype(np.float32)
    flat = maps.reshape(2, -1, 16).argmax(1)
    expected = np.stack([flat % 11, flat // 11], -1)
    np.testing.assert_array_equal(decode_heatmaps(maps, method="argmax")[0], expected)


def test_subpixel_ignores_a_second_hill():
    maps = encode_keypoints(np.array([[8.3, 9.6], [28.0, 25.0]], np.float32), np.ones(2), (36, 36), size=1.5)
    both = maps[..., :1] + 0.9 * maps[..., 1:]
    np.testing.assert_allclose(decode_heatmaps(both)[0], [[8.3, 9.6]], atol=0.02)


def test_mass_says_how_sure_the_network_is():
    flat = jnp.full((48, 36, 16), 1 / (48 * 36))
    assert float(decode_joint_maps(flat)[1].max()) < 0.05
    sharp = jnp.zeros((48, 36, 16)).at[20, 10].set(1.0)
    keypoints, mass = decode_joint_maps(sharp)
    np.testing.assert_allclose(keypoints, np.full((16, 2), (10.0, 20.0)))
    np.testing.assert_allclose(mass, 1.0)
    halves = 0.5 * sharp + 0.5 * jnp.roll(sharp, 20, axis=0)
    np.testing.assert_allclose(decode_joint_maps(halves)[1], 0.5)


def test_an_empty_map_decodes_to_no_probability():
    keypoints, probability = decode_heatmaps(jnp.zeros((12, 9, 16)))
    assert np.isfinite(np.asarray(keypoints)).all()
    np.testing.assert_array_equal(probability, 0)


def test_heatmap_pixels_are_means_of_crop_pixels():
    # Pixel 0 of a map of stride 4 stands for crop pixels 0..3, whose mean is 1.5.
    corners = np.array([[0.0, 0.0], [35.0, 47.0]], np.float32)
    crop = heatmap_to_crop(corners, (192, 144), (48, 36))
    np.testing.assert_allclose(crop, [[1.5, 1.5], [141.5, 189.5]])
    np.testing.assert_allclose(crop_to_heatmap(crop, (192, 144), (48, 36)), corners, atol=1e-6)
    # Without the half pixels, as the original has it, the first pixels coincide.
    np.testing.assert_allclose(heatmap_to_crop(corners, (299, 299), (289, 289), 0.0), corners * 299 / 289, rtol=1e-6)
    np.testing.assert_allclose(crop_to_heatmap(corners, (299, 299), (289, 289), 0.0), corners * 289 / 299, rtol=1e-6)
    # A horizontal flip of the crop is one of the map.
    mirrored = np.array([143.0, 0.0]) - crop * np.array([1, -1])
    np.testing.assert_allclose(
        crop_to_heatmap(mirrored.astype(np.float32), (192, 144), (48, 36))[:, 0], [35, 0], atol=1e-5
    )


def test_bad_arguments_are_named():
    keypoints, visible = np.zeros((16, 2), np.float32), np.ones(16)
    with pytest.raises(ValueError, match="size must be positive"):
        encode_keypoints(keypoints, visible, (8, 8), size=0.0)
    with pytest.raises(ValueError, match="size must be odd"):
        smoothing_filter(4, 1.0, 1.0)


def test_elsewhere_is_the_next_likeliest_place():
    """A map with two peaks: the first is decoded, and what is left without it gives the second."""
    first, second = np.array([[[10.0, 8.0]]]), np.array([[[25.5, 30.0]]])
    maps = encode_keypoints(first, np.ones((1, 1)), (48, 36), "gaussian", 1.5)
    maps = maps + 0.4 * encode_keypoints(second, np.ones((1, 1)), (48, 36), "gaussian", 1.5)
    maps = maps / maps.sum((1, 2), keepdims=True)
    found, sure = decode_joint_maps(maps)
    other, less_sure = decode_joint_maps(elsewhere(maps, found))
    np.testing.assert_allclose(found, first, atol=0.1)
    np.testing.assert_allclose(other, second, atol=0.1)
    assert 0.2 < float(less_sure[0, 0]) < float(sure[0, 0]) < 0.8
