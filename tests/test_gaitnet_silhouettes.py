"""Aligned silhouettes against a literal twin of OpenGait's pretreatment, real files, and what alignment shall undo."""

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from gaitnet.silhouettes import align_silhouettes, cut_sides, gait_energy_image
from humanpose.datasets.restricted import read_pickle_file


def literal(frames: np.ndarray, size: int) -> list[np.ndarray]:
    """OpenGait's steps one by one, for each frame that it keeps."""
    kept = []
    for frame in frames:
        if int(frame.sum()) <= 10000:
            continue
        rows = [y for y in range(len(frame)) if any(frame[y])]
        image = frame[rows[0] : rows[-1] + 1]
        ratio = image.shape[1] / image.shape[0]
        image = cv2.resize(image, (int(size * ratio), size), interpolation=cv2.INTER_CUBIC)
        total, passed = int(image.sum()), 0
        for column in range(image.shape[1]):
            passed += int(image[:, column].sum())
            if passed > total / 2:
                break
        left, right = column - size // 2, column + size // 2
        if left <= 0 or right >= image.shape[1]:
            left, right = left + size // 2, right + size // 2
            empty = np.zeros((size, size // 2))
            image = np.concatenate([empty, image, empty], axis=1)
        kept.append(image[:, left:right].astype("uint8"))
    return kept


def walker(height: int = 90, width: int = 70, x: float = 30.0, y: int = 8, tall: int = 70, seed: int = 0) -> np.ndarray:
    """A soft-edged head, trunk and two legs, so that bicubic weights and the middle column matter."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width), np.uint8)
    unit = tall / 8
    cv2.circle(picture, (round(x), round(y + unit)), round(unit), 255, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (round(x), round(y + 3 * unit)), (round(1.2 * unit), round(2 * unit)), 0, 0, 360, 255, -1)
    for foot in generator.uniform(-2 * unit, 2 * unit, 2):
        cv2.line(picture, (round(x), round(y + 4 * unit)), (round(x + foot), y + tall), 255, round(unit), cv2.LINE_AA)
    return picture


@given(
    st.integers(0, 10**6), st.integers(40, 130), st.integers(30, 150), st.floats(0, 1), st.sampled_from([32, 64, 128])
)
@settings(max_examples=60, deadline=None)
def test_alignment_is_opengaits_step_by_step(seed, height, width, place, size):
    frames = np.stack(
        [walker(height, width, place * width, height // 10, round(height * 0.75), seed + shift) for shift in range(3)]
    )
    frames[1] = 0
    aligned, frame_mask = align_silhouettes(frames, size)
    expected = literal(frames, size)
    assert frame_mask.sum() == len(expected)
    np.testing.assert_array_equal(aligned[frame_mask], np.array(expected).reshape(-1, size, size))
    assert not aligned[~frame_mask].any()


def test_alignment_of_a_real_walk(data_root):
    paths = sorted((data_root / "silhouettes" / "ouisir").glob("*.png"))
    frames = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths])
    aligned, frame_mask = align_silhouettes(frames)
    assert frame_mask.sum() == len(paths) == 60
    np.testing.assert_array_equal(aligned, literal(frames, 64))


def test_what_opengait_aligned_stays_as_it_is(data_root):
    """Its pickles fill all rows about column 32: another alignment finds nothing to move."""
    before = read_pickle_file(data_root / "silhouettes" / "opengait" / "001" / "nm-01" / "000" / "000.pkl")
    assert before.dtype == np.uint8
    assert before.shape[1:] == (64, 64)
    aligned, frame_mask = align_silhouettes(before)
    np.testing.assert_array_equal(aligned, literal(before, 64))
    assert frame_mask.all()
    same = (aligned == before).all((1, 2))
    assert same.mean() > 0.9, f"{(~same).sum()} of {len(same)} frames moved"


@given(st.integers(0, 40), st.integers(0, 12))
def test_place_in_the_picture_is_forgotten(right, down):
    """Exactly so where no pixel is parted: 64 rows that stay 64 or become 128. Down is always exact."""
    person = walker()[12:76]
    assert person.any(1).all()
    first, moved = np.zeros((2, 1, 80, 110), np.uint8)
    first[0, :64, :70] = person
    moved[0, down : down + 64, right : right + 70] = person
    for size in (64, 128):
        np.testing.assert_array_equal(align_silhouettes(first, size)[0], align_silhouettes(moved, size)[0])
    lowered = np.pad(walker(), [(down, 12 - down), (0, 0)])
    np.testing.assert_array_equal(align_silhouettes(lowered[None])[0], align_silhouettes(walker()[None])[0])


def test_empty_frames_are_marked_at_opengaits_bound():
    frames = np.zeros((2, 30, 30), np.uint8)
    frames[:, 4:9, 5:13] = 250  # 10,000
    frames[1, 9, 5] = 1
    _, frame_mask = align_silhouettes(frames)
    assert frame_mask.tolist() == [False, True]


def test_no_frames_no_result():
    aligned, frame_mask = align_silhouettes(np.zeros((0, 9, 9), np.uint8))
    assert aligned.shape == (0, 64, 64)
    assert frame_mask.shape == (0,)


@pytest.mark.parametrize(
    ("frames", "size", "message"),
    [
        (np.ones((1, 90, 120), np.uint8), 64, "multiply by 255"),
        (np.zeros((1, 9, 9), np.uint8), 63, "even"),
        (np.zeros((1, 9, 9), np.uint8), 0, "even"),
        (np.zeros((1, 0, 9), np.uint8), 64, "pixels"),
    ],
)
def test_misuse_is_named(frames, size, message):
    with pytest.raises(ValueError, match=message):
        align_silhouettes(frames, size)


@pytest.mark.parametrize(("width", "narrow"), [(64, 44), (128, 88), (63, 63)])
def test_sides_are_cut_and_scaled(width, narrow):
    aligned = np.random.default_rng(0).integers(0, 256, (2, 3, 5, width), np.uint8)
    cut = cut_sides(aligned)
    assert cut.shape == (2, 3, 5, narrow)
    assert cut.dtype == np.float32
    side = (width - narrow) // 2
    np.testing.assert_allclose(cut, aligned[..., side : side + narrow] / 255, rtol=1e-6)


def test_energy_is_the_share_of_frames_that_count():
    aligned = np.array([[[255, 0]], [[255, 255]], [[0, 51]], [[255, 255]]], np.uint8)
    energy = gait_energy_image(aligned, np.array([True, True, True, False]))
    np.testing.assert_allclose(energy, [[2 / 3, 1.2 / 3]], rtol=1e-6)
    assert energy.dtype == np.float32
    with pytest.raises(ValueError, match="not described"):
        gait_energy_image(aligned, np.zeros(4, bool))


@given(st.permutations(range(6)), st.integers(0, 4))
def test_energy_forgets_order_and_padding(order, padding):
    aligned = np.random.default_rng(1).integers(0, 256, (6, 4, 4), np.uint8)
    padded = np.concatenate([aligned[order], np.full((padding, 4, 4), 99, np.uint8)])
    mask = np.arange(6 + padding) < 6
    np.testing.assert_array_equal(gait_energy_image(padded, mask), gait_energy_image(aligned, np.ones(6, bool)))
