"""Windows of a walk: which frames they hold, that their frames are changed alike, that labels stay on their pixels."""

from dataclasses import replace

import numpy as np
import pytest

from humanpose.augment import IDENTITY, ORIGINAL
from humanpose.sequences import augment_windows
from humanpose.skeleton import FLIP, INDEX

SIZE = (64, 48)


def picture_with_dot(place):
    """Black, with a soft white dot at `place` = (x, y)."""
    rows, columns = np.mgrid[:90, :110]
    dot = np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2 * 2.0**2))
    return np.repeat((255 * dot).astype(np.uint8)[..., None], 3, -1)


def centre_of(image):
    """Where the dot is, as the centre of mass (x, y)."""
    weights = image[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def walk(frames=40):
    """A still video of noise, with the labels of a body that moves."""
    rng = np.random.default_rng(9)
    still = rng.integers(0, 256, (90, 110, 3), dtype=np.uint8)
    keypoints = (rng.uniform(30, 60, (1, 16, 2)) + np.arange(frames)[:, None, None] * 0.5).astype(np.float32)
    return np.stack([still] * frames), keypoints, rng.random((frames, 16)) < 0.8


def test_a_sequence_is_cut_into_overlapping_windows_each_once():
    images, keypoints, visible = walk(50)
    windows = list(augment_windows(np.random.default_rng(0), images, keypoints, visible, SIZE, ORIGINAL))
    assert sorted(window.start for window in windows) == [0, 16, 32, 48]
    assert {window.start: len(window.images) for window in windows} == {0: 32, 16: 32, 32: 18, 48: 2}
    orders = {
        tuple(w.start for w in augment_windows(np.random.default_rng(seed), images, keypoints, visible, SIZE, IDENTITY))
        for seed in range(8)
    }
    assert len(orders) > 2
    (whole,) = augment_windows(
        np.random.default_rng(0), images, keypoints, visible, SIZE, ORIGINAL, window=50, shift=50
    )
    assert whole.images.shape == (50, *SIZE, 3)


def test_all_frames_of_a_window_are_changed_alike():
    images, keypoints, visible = walk()
    quiet = replace(ORIGINAL, noise_range=None, coarse=0.5)
    first_frames = []
    for window in augment_windows(np.random.default_rng(1), images, keypoints, visible, SIZE, quiet):
        np.testing.assert_array_equal(window.images, np.stack([window.images[0]] * len(window.images)))
        first_frames.append(window.images[0])
    assert (first_frames[0] != first_frames[1]).any(), "every window has a transform of its own"
    noisy = replace(IDENTITY, noise_range=(0.03, 0.03))
    window = next(augment_windows(np.random.default_rng(1), images // 2 + 64, keypoints, visible, SIZE, noisy))
    difference = window.images[0].astype(np.float64) - window.images[1]
    np.testing.assert_allclose(difference.std(), 2**0.5 * 0.03 * 255, rtol=0.1)


def test_labels_of_a_sequence_stay_on_their_pixels():
    place, joint = np.array([55.0, 45.0]), INDEX["l_wrist"]
    moving = [place + np.array([0.7, -0.4]) * frame for frame in range(20)]
    images = np.stack([picture_with_dot(at) for at in moving])
    keypoints, visible = np.zeros((20, 16, 2), np.float32), np.zeros((20, 16), bool)
    keypoints[:, joint], visible[:, joint] = moving, True
    gentle = replace(IDENTITY, rotation=20.0, zoom=(0.9, 1.1), shifts=(0.02, 0.02), shear=0.3, flip=0.5)
    for seed, box in ((2, None), (3, np.array([35.0, 20.0, 80.0, 65.0]))):
        for window in augment_windows(
            np.random.default_rng(seed), images, keypoints, visible, SIZE, gentle, box, window=8, shift=8
        ):
            for image, found, seen in zip(window.images, window.keypoints, window.visible, strict=True):
                (one,) = seen.nonzero()[0]
                assert one in (joint, FLIP[joint])
                np.testing.assert_allclose(found[one], centre_of(image), atol=0.3)


def test_the_middle_of_the_frames_is_cut_at_their_own_scale():
    images, keypoints, visible = walk(3)
    (window,) = augment_windows(np.random.default_rng(0), images, keypoints, visible, (60, 50), IDENTITY)
    np.testing.assert_array_equal(window.images, images[:, 15:75, 30:80])
    np.testing.assert_allclose(window.keypoints[visible], (keypoints - [30, 15])[visible], atol=1e-4)


def test_windows_of_nothing_are_refused():
    images, keypoints, visible = walk(3)
    with pytest.raises(ValueError, match="window and shift"):
        next(augment_windows(np.random.default_rng(0), images, keypoints, visible, SIZE, IDENTITY, shift=0))
    with pytest.raises(ValueError, match="labels of all 3 frames"):
        next(augment_windows(np.random.default_rng(0), images, keypoints[:2], visible[:2], SIZE, IDENTITY))
