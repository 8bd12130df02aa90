"""Windows of a recording under one change: which frames, and where the labels lie."""

import dataclasses

import numpy as np
from pose_trees import SIDE, filmed, picture

from humanpose.augment import IDENTITY, ORIGINAL
from humanpose.datasets.prepare import prepare
from humanpose.datasets.prepared import PreparedPose
from train.pose_windows import make_window, windows_of


def test_windows_are_frames_that_follow_each_other_in_one_recording(tmp_path):
    records = filmed(tmp_path, 7)
    other = [dataclasses.replace(one, camera="b") for one in records[:3]]
    mixed = [*records[::-1], *other]
    windows = windows_of(mixed, 4)
    assert [[one.frame for one in window] for window in windows] == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert {one.camera for window in windows for one in window} == {""}
    assert len(windows_of(mixed, 3)) == 5 + 1


def test_extracted_frames_are_in_the_order_of_their_numbers(tmp_path):
    records = filmed(tmp_path, 12)
    frames = [
        dataclasses.replace(one, path=tmp_path / f"S1_Walking_1.54138969_{one.frame + 1}.jpg", frame=None)
        for one in records
    ]
    (window,) = windows_of(frames[::-1], 12)
    assert [one.path.stem.rpartition("_")[2] for one in window] == [str(number) for number in range(1, 13)]


def test_frames_from_a_cache_are_in_the_order_of_their_numbers(tmp_path):
    frames = [
        dataclasses.replace(one, path=tmp_path / f"S1_Walking_1.54138969_{one.frame + 1}.png", frame=None)
        for one in filmed(tmp_path, 12)
    ]
    for one in frames:
        picture(one.path, 0)
    prepare(frames[::-1], tmp_path / "cache", "human36m", SIDE, shards=2)
    cache = PreparedPose(tmp_path / "cache")
    (window,) = windows_of(cache.records, 12)
    numbers = [cache.source_of(one)[0].removesuffix(".png").rpartition("_")[2] for one in window]
    assert numbers == [str(number) for number in range(1, 13)]


def test_a_window_is_changed_alike_in_all_frames_but_for_noise(tmp_path):
    """Somebody who walks across the picture, followed by their box: in the crops they stand still."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for config, noisy in ((dataclasses.replace(ORIGINAL, noise_range=None), False), (ORIGINAL, True)):
        still = make_window([filmed(tmp_path, 4)], lambda _: image, (75, 75), config)
        drawn = still(0, np.random.default_rng(5))
        assert drawn["images"].shape == (4, 75, 75, 3)
        np.testing.assert_array_equal(drawn["keypoints"], drawn["keypoints"][[0] * 4])
        alike = (drawn["images"] == drawn["images"][:1]).all()
        assert alike != noisy
        moving = make_window([filmed(tmp_path, 4, moved=2.0)], lambda _: image, (75, 75), config)
        np.testing.assert_allclose(moving(0, np.random.default_rng(5))["keypoints"], drawn["keypoints"], atol=1e-3)
    other = still(0, np.random.default_rng(6))
    assert np.abs(other["keypoints"] - drawn["keypoints"]).max() > 1


def test_labels_of_a_window_lie_on_its_pixels(tmp_path):
    """Geometry alone: the brightest pixel of each frame is the joint that was painted."""
    config = dataclasses.replace(IDENTITY, rotation=30.0, zoom=(0.7, 0.9), shear=0.2, flip=1.0)
    (first, second) = filmed(tmp_path, 2)
    joint = 1
    for record in (first, second):
        record.keypoints[:] = 48 + 10 * np.random.default_rng(record.frame).uniform(-1, 1, 2)
    image = {}
    for record in (first, second):
        image[record.frame] = np.zeros((SIDE, SIDE, 3), np.float32)
        grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) - record.keypoints[joint]
        image[record.frame] += 255 * np.exp(-(grid**2).sum(-1) / 18)[..., None]
    sample = make_window([[first, second]], lambda one: image[one.frame].astype(np.uint8), (75, 75), config)
    drawn = sample(0, np.random.default_rng(1))
    for picture_, keypoints in zip(drawn["images"].astype(float), drawn["keypoints"], strict=True):
        weight = picture_.sum(-1) ** 2
        rows, columns = np.mgrid[:75, :75]
        centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        np.testing.assert_allclose(keypoints[joint], centre, atol=0.3)
