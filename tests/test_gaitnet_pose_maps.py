import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.descriptor import windows
from gaitnet.pose_maps import BOTTOM, GRID, RATE, TOP, WIDTH, draw_maps, keypoints_of_maps, pose_maps_of_track, resample
from gaitnet.recognizer import maps_of_walk
from humanpose.skeleton import INDEX, JOINTS

STANDING = {
    "head_top": (0, 0), "upper_neck": (0, 25), "thorax": (0, 30), "pelvis": (0, 80),
    "hip": (0, 82), "knee": (3, 125), "ankle": (0, 168), "shoulder": (0, 32), "elbow": (-2, 62), "wrist": (4, 88),
}  # fmt: skip


def walk(frames=40, rate=25.0, speed=60.0):
    """A stick man of some 168 pixels who walks to the right; swings make the limbs differ in time."""
    times = np.arange(frames) / rate
    keypoints = np.zeros((frames, 16, 2), np.float32)
    for index, name in enumerate(JOINTS):
        side, sign = name.split("_")[-1], -1 if name[:2] == "l_" else 1
        x, y = STANDING[name] if name in STANDING else STANDING[side]
        swing = {"knee": 10, "ankle": 22, "wrist": 15, "elbow": 6}.get(side, 0) * sign
        keypoints[:, index, 0] = x + swing * np.sin(2 * np.pi * 0.95 * times) + speed * times
        keypoints[:, index, 1] = y + 2 * np.sin(4 * np.pi * 0.95 * times)
    return keypoints, np.full((frames, 16), 0.9, np.float32), times


def test_a_blob_stands_where_its_joint_is():
    placed = np.zeros((16, 2), np.float32)
    placed[0] = (0.2 * WIDTH, TOP + 0.75 * (BOTTOM - TOP))
    probability = np.zeros(16, np.float32)
    probability[0] = 1
    maps = np.asarray(draw_maps(jnp.asarray(placed), jnp.asarray(probability)))
    rows, columns = np.mgrid[:GRID, :GRID]
    blob = maps[..., 0] / maps[..., 0].sum()
    assert abs((blob * columns).sum() - (0.7 * GRID - 0.5)) < 0.02
    assert abs((blob * rows).sum() - (0.75 * GRID - 0.5)) < 0.02
    assert maps[..., 1:].max() == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_keypoints_can_be_read_off_the_maps_again(seed):
    rng = np.random.default_rng(seed)
    placed = rng.uniform((-WIDTH / 2 - 0.04, TOP - 0.06), (WIDTH / 2 + 0.04, BOTTOM + 0.06), (3, 16, 2))
    probability = rng.uniform(0.02, 1, (3, 16)).astype(np.float32)
    probability[1, 4] = 0
    maps = np.asarray(draw_maps(jnp.asarray(placed.astype(np.float32)), jnp.asarray(probability)))
    found, sure = keypoints_of_maps(maps)
    np.testing.assert_allclose(sure, probability, rtol=1e-3)
    placed[1, 4] = 0
    np.testing.assert_allclose(found, placed, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 5), st.floats(-300, 900), st.floats(-300, 900))
def test_place_and_size_in_the_picture_do_not_matter(scale, x, y):
    keypoints, probability, times = walk()
    moved = (keypoints * scale + np.array([x, y])).astype(np.float32)
    expected = pose_maps_of_track(keypoints, probability, times)
    np.testing.assert_allclose(pose_maps_of_track(moved, probability, times), expected, atol=2e-2)


def test_a_walk_to_the_left_is_mirrored_into_the_walk_to_the_right():
    keypoints, probability, times = walk()
    to_the_left = keypoints * np.array([-1, 1], np.float32) + np.array([640, 0], np.float32)
    expected = pose_maps_of_track(keypoints, probability, times)
    np.testing.assert_allclose(pose_maps_of_track(to_the_left, probability, times, mirror=True), expected, atol=1e-3)
    assert np.abs(pose_maps_of_track(to_the_left, probability, times) - expected).max() > 0.1


def test_the_frame_rate_does_not_matter():
    slow = pose_maps_of_track(*walk(frames=51, rate=25))
    fast = pose_maps_of_track(*walk(frames=121, rate=60))
    count = min(len(slow), len(fast))
    assert abs(len(slow) - len(fast)) <= 1
    assert np.abs(slow[2 : count - 2] - fast[2 : count - 2]).mean() < 2e-3


def test_a_joint_that_is_lost_for_some_frames_is_filled_from_before_and_after():
    keypoints, probability, times = walk()
    wrist = INDEX["r_wrist"]
    damaged, doubt = keypoints.copy(), probability.copy()
    damaged[10:13, wrist] += 200
    doubt[10:13, wrist] = 0.05
    steps, sure = resample(damaged, doubt, times)
    expected, _ = resample(keypoints, probability, times)
    assert np.abs(steps[:, wrist] - expected[:, wrist]).max() < 3
    assert sure[:, wrist].min() < 0.1


def test_resampling_keeps_a_linear_way_and_the_rate():
    times = np.sort(np.random.default_rng(0).uniform(0, 4, 80))
    keypoints = np.broadcast_to(times[:, None, None] * 10, (80, 16, 2)).astype(np.float32)
    steps, _ = resample(keypoints, np.ones((80, 16), np.float32), times)
    np.testing.assert_allclose(steps[:, 3, 0], 10 * (times[0] + np.arange(len(steps)) / RATE), atol=1e-3)


@pytest.mark.parametrize("fps", [12.5, 20.0, 25.0, 30.0, 60.0])
def test_resampling_keeps_a_swing_and_calms_trembling(fps):
    """A swing of 2 Hz is kept within 2 %, also at its ends; trembling never grows, and of 60 a second a third goes."""
    times = np.arange(int(6 * fps)) / fps
    noise = np.random.default_rng(1).normal(0, 1, (len(times), 16, 2))
    swing = 50 * np.sin(2 * np.pi * 2 * times)[:, None, None] * np.ones((1, 16, 2))
    sure = np.ones((len(times), 16), np.float32)
    kept, _ = resample(swing.astype(np.float32), sure, times)
    expected = 50 * np.sin(2 * np.pi * 2 * np.arange(len(kept)) / RATE)
    np.testing.assert_allclose(kept[1:-1, 0, 0], expected[1:-1], atol=1.0)
    np.testing.assert_allclose(kept[[0, -1], 0, 0], expected[[0, -1]], atol=3.0)
    trembling = resample((swing + noise).astype(np.float32), sure, times)[0] - kept
    assert np.std(trembling[1:-1]) < (0.7 if fps == 60 else 1.1)


def test_resampling_may_begin_later():
    times = np.arange(50) / 25
    keypoints = np.broadcast_to(times[:, None, None] * 10, (50, 16, 2)).astype(np.float32)
    sure = np.ones((50, 16), np.float32)
    late, _ = resample(keypoints, sure, times, start=0.04)
    np.testing.assert_allclose(late[:, 5, 1], 10 * (0.04 + np.arange(len(late)) / RATE), atol=1e-3)
    assert len(late) == len(resample(keypoints, sure, times)[0])


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        (np.arange(50) / 25, 2),
        (np.arange(50) / 12.5, 1),
        (np.concatenate([np.arange(50) / 25, 5 + np.arange(50) / 25]), 4),
        (np.arange(20) / 25, 0),
    ],
)
def test_a_walk_is_mapped_twice_where_there_are_frames_for_it(times, parts):
    """And by itself on either side of a gap; one that is too short is not."""
    keypoints = 100 + np.random.default_rng(0).normal(0, 20, (len(times), 16, 2)).astype(np.float32)
    maps = list(maps_of_walk(keypoints, np.ones((len(times), 16), np.float32), times, False))
    assert len(maps) == parts
    if parts == 2:
        assert not np.allclose(maps[0][:20], maps[1][:20])


def test_one_frame_is_no_walk():
    with pytest.raises(ValueError, match="two frames"):
        resample(np.zeros((1, 16, 2), np.float32), np.ones((1, 16), np.float32), np.zeros(1))


@given(st.integers(1, 400), st.integers(8, 64))
@settings(deadline=None)
def test_windows_cover_a_walk_and_are_of_one_length(frames, length):
    maps = np.broadcast_to(np.arange(frames, dtype=np.float32)[:, None, None, None], (frames, 17, 17, 16))
    cut = windows(maps, length)
    seen = {int(value) for window in cut for value in window[:, 0, 0, 0]}
    assert seen == set(range(frames))
    assert len({len(window) for window in cut}) == 1
    assert len(cut[0]) == min(frames, length)
