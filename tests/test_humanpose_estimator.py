"""HumanPoseNN around a network whose answers are known: it points at the brightest pixel of each colour."""

import dataclasses

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from flax import nnx

from humanpose import checkpoint
from humanpose.estimator import BUCKETS, HumanPoseNN, buckets
from humanpose.heatmaps import decode_smoothed
from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.skeleton import FLIP

SIZE = (96, 72)


class Pointer(nnx.Module):
    """Joint maps at stride 4: even joints follow red, odd ones green; features are the mean colour."""

    def __init__(self):
        self.gain = nnx.Param(jnp.ones(()))
        self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
        self.traces = []

    def forward(self, images):
        self.traces.append(images.shape)
        light = images.astype(jnp.float32).reshape(images.shape[0], 24, 4, 18, 4, 3).mean((2, 4)) / 255
        colour = jnp.stack([light[..., joint % 2] for joint in range(16)], -1) * self.gain[...]
        maps = colour + 1e-9
        maps = maps / maps.sum((1, 2), keepdims=True)
        mean = self.norm(light).mean((1, 2))
        return maps, jnp.broadcast_to(mean[:, None, None], (images.shape[0], 17, 17, 3))


def spots(height, width, red, green):
    """A black image with a soft red and a soft green spot at the given (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in enumerate((red, green)):
        image[..., channel] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (height / 25) ** 2))
    return image


@pytest.fixture(scope="module")
def pose():
    return HumanPoseNN(Pointer(), SIZE)


def test_joints_come_back_in_image_pixels(pose):
    red, green = (130.0, 90.0), (165.0, 160.0)
    image = spots(240, 320, red, green)
    for box in ([110.0, 60, 190, 190], [90.0, 40, 200, 220]):
        joints = pose.joints(image, np.array([box]))
        assert joints.keypoints.shape == (1, 16, 2)
        np.testing.assert_allclose(joints.keypoints[0, 0::2], np.full((8, 2), red), atol=1.0)
        np.testing.assert_allclose(joints.keypoints[0, 1::2], np.full((8, 2), green), atol=1.0)
        assert ((joints.probability > 0.5) & (joints.probability <= 1)).all()


def test_whole_pictures_of_any_size_are_fitted(pose):
    pictures = [spots(200, 150, (50, 60), (100, 130)), spots(120, 300, (200, 40), (80, 90))]
    joints = pose.joints(pictures)
    np.testing.assert_allclose(joints.keypoints[:, 0], [[50, 60], [200, 40]], atol=2)
    np.testing.assert_allclose(joints.keypoints[:, 1], [[100, 130], [80, 90]], atol=2)
    assert pose.heat_maps(pictures).shape == (2, 24, 18, 16)
    assert pose.features(pictures).shape == (2, 17, 17, 3)
    np.testing.assert_allclose(pose.joints(pictures[0]).keypoints, joints.keypoints[:1], atol=1e-3)


def test_people_of_one_image_and_one_box_per_image(pose):
    image = spots(240, 320, (130, 90), (165, 160))
    boxes = np.array([[110.0, 60, 190, 190]] * 3)
    people = pose.joints(image, boxes)
    assert people.keypoints.shape == (3, 16, 2)
    np.testing.assert_allclose(pose.joints([image] * 3, boxes).keypoints, people.keypoints)
    with pytest.raises(ValueError, match="one per image"):
        pose.joints([image] * 2, boxes)


@pytest.mark.parametrize("boxes", [[0, 0, 9, 9], [], [[0, 0, 9, 9, 0.5]], np.zeros((1, 2, 4))])
def test_boxes_of_another_shape_are_named(pose, boxes):
    with pytest.raises(ValueError, match=r"boxes must be \(person, 4\) as x0, y0, x1, y1"):
        pose._fit(spots(96, 72, (10, 10), (20, 20)), np.array(boxes))


def test_the_none_of_a_missing_photograph_is_told(pose, monkeypatch):
    """As cv2.imread gives it; outside of tests no annotation catches it."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for missing in (None, [None]):
        with pytest.raises(ValueError, match=r"got None, which cv2\.imread gives for a picture that could not be read"):
            pose.joints(missing)


def test_changing_batch_sizes_compile_three_programs_at_most():
    model = Pointer()
    pose = HumanPoseNN(model, SIZE)
    crops = np.random.default_rng(0).integers(0, 256, (45, *SIZE, 3), np.uint8)
    whole_maps, whole_features = pose.forward(crops)
    assert whole_maps.shape == (45, 24, 18, 16)
    with jax.log_compiles(False):
        for count in (1, 2, 3, 5, 7, 8, 9, 13, 17, 31, 32, 33):
            maps, features = pose.forward(crops[:count])
            # Padding must not leak into anybody's answer.
            np.testing.assert_allclose(maps, whole_maps[:count], rtol=1e-5, atol=1e-8)
            np.testing.assert_allclose(features, whole_features[:count], rtol=1e-5, atol=1e-6)
    assert pose._forward._cache_size() <= len(BUCKETS)


def test_buckets_cover_every_crop_once_and_pad_less_than_half():
    for count in range(1, 100):
        pieces = list(buckets(count))
        assert [start for start, *_ in pieces] == [sum(used for _, used, _ in pieces[:k]) for k in range(len(pieces))]
        assert sum(used for _, used, _ in pieces) == count
        assert all(bucket in BUCKETS and bucket / 2 < used <= bucket for _, used, bucket in pieces)


def test_no_crops_give_empty_arrays_of_the_right_shape(pose):
    (joints, _), features = pose.describe(np.zeros((0, *SIZE, 3), np.uint8))
    assert joints.keypoints.shape == (0, 16, 2)
    assert joints.probability.shape == (0, 16)
    assert features.shape == (0, 17, 17, 3)
    assert pose.joints([]).keypoints.shape == (0, 16, 2)


def test_describe_is_forward_decoded_in_crop_pixels(pose):
    crop = spots(*SIZE, (20, 30), (50, 70))[None]
    (joints, _), features = pose.describe(crop)
    np.testing.assert_allclose(joints.keypoints[0, :2], [[20, 30], [50, 70]], atol=0.5)
    np.testing.assert_allclose(features, pose.forward(crop)[1])


def test_the_flip_test_averages_with_the_mirrored_maps_sides_exchanged(pose):
    crop = np.random.default_rng(1).integers(0, 256, (1, *SIZE, 3), np.uint8)
    maps = HumanPoseNN(Pointer(), SIZE, flip_test=True).forward(crop)[0]
    plain = pose.forward(crop)[0]
    mirrored = pose.forward(np.ascontiguousarray(crop[:, :, ::-1]))[0]
    np.testing.assert_allclose(maps, (plain + mirrored[:, :, ::-1][..., FLIP]) / 2, rtol=1e-5)


def test_the_model_it_was_given_stays_in_training():
    model = Pointer()
    model.train()
    HumanPoseNN(model, SIZE)
    assert not model.norm.use_running_average


def test_what_is_not_an_rgb_picture_is_named(pose):
    with pytest.raises(ValueError, match="images must be RGB uint8"):
        pose.joints([np.zeros((10, 10), np.uint8)])
    with pytest.raises(ValueError, match="images must be RGB uint8"):
        pose.joints([np.zeros((10, 10, 3), np.float32)])
    with pytest.raises(ValueError, match="crops must be uint8"):
        pose.forward(np.zeros((1, 10, 10, 3), np.uint8))


def test_a_saved_mobile_pose_loads_from_its_folder_alone(tmp_path):
    config = MobilePoseConfig(width_multiplier=0.25, image_height=96, image_width=64, head_channels=8)
    model = MobilePose(config, rngs=nnx.Rngs(3))
    settings = {"width_multiplier": 0.25, "image_height": 96, "image_width": 64, "head_channels": 8, "task": "pose"}
    checkpoint.save(tmp_path, checkpoint.flatten(model), settings, {"licence": "test"})
    loaded = HumanPoseNN.load(tmp_path)
    assert loaded.size == (96, 64)
    crops = np.random.default_rng(0).integers(0, 256, (1, 96, 64, 3), np.uint8)
    maps, features = loaded.forward(crops)
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(features.sum((1, 2)), 1, rtol=1e-3)
    assert features.shape == (1, 17, 17, 16)
    checkpoint.save(tmp_path, checkpoint.flatten(model), {**settings, "head_channels": 12}, {})
    with pytest.raises(checkpoint.CheckpointError, match="mis-shaped"):
        HumanPoseNN.load(tmp_path)
    checkpoint.save(tmp_path, {}, {**settings, "image_height": "tall"}, {}, "MobilePose")
    with pytest.raises(checkpoint.CheckpointError, match="MobilePose"):
        HumanPoseNN.load(tmp_path)


def test_decoding_is_chosen_where_a_network_is_taken():
    """Argmax gives whole pixels of the map, the centre of mass what lies between them."""

    class Shipped(MobilePose):
        def __init__(self):
            self.size = SIZE
            self.pointer = Pointer()

        def forward(self, images):
            return self.pointer.forward(images)

    crops = spots(*SIZE, (20.7, 30.2), (50.4, 70.9))[None]
    coarse, fine = (HumanPoseNN.of(Shipped(), decoding=one).describe(crops)[0].first for one in ("argmax", "subpixel"))
    cells = (coarse.keypoints + 0.5) / 4 - 0.5
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-4)
    truth = np.array([(20.7, 30.2), (50.4, 70.9)] * 8)
    assert np.abs(fine.keypoints[0] - truth).max() < 0.5 < np.abs(coarse.keypoints[0] - truth).max()


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (InceptionResNet, InceptionResNetConfig(image_size=75, blocks_35=0, blocks_17=0)),
        (PartDetector, PartDetectorConfig(image_size=32, blocks=(1, 1, 1, 1))),
    ],
)
def test_a_checkpoint_says_which_network_it_holds(network, config, tmp_path):
    model, name = network(config, rngs=nnx.Rngs(0)), network.__name__
    arrays, settings = checkpoint.flatten(model), dataclasses.asdict(model.config)
    checkpoint.save(tmp_path, arrays, settings, {}, name)
    assert checkpoint.network_of(tmp_path) == name
    loaded = HumanPoseNN.load(tmp_path)
    assert loaded.size == model.size
    kept = dict(nnx.to_flat_state(loaded._state))
    assert len(kept) == len(arrays)
    for path, array in arrays.items():
        own = kept[tuple(int(part) if part.isdigit() else part for part in path.split("/"))]
        np.testing.assert_allclose(own.get_value(), array, rtol=1e-3, atol=1e-6)
    # Without a name, as all that were saved before there were three, it would have to be a MobilePose.
    checkpoint.save(tmp_path, arrays, settings, {})
    assert checkpoint.network_of(tmp_path) is None
    with pytest.raises(checkpoint.CheckpointError, match="holds no pose network: it does not say which"):
        HumanPoseNN.load(tmp_path)


def test_a_network_that_finds_no_joints_is_refused_by_name(tmp_path):
    checkpoint.save(tmp_path, {}, {}, {}, "GaitNN")
    with pytest.raises(checkpoint.CheckpointError, match="holds the network GaitNN, which finds no joints"):
        HumanPoseNN.load(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="holds the network GaitNN, not MobilePose"):
        checkpoint.load_model(tmp_path, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0)))


def test_maps_of_other_pixels_are_read_by_their_offset():
    """Maps of every fourth pixel, instead of means of four: without the half pixels they lie on the crop."""

    class Sampler(Pointer):
        def forward(self, images):
            maps = images[:, ::4, ::4, :1].astype(jnp.float32) / 255 + 1e-9
            return jnp.broadcast_to(maps, (*maps.shape[:3], 16)), maps[:, :18]

    image = np.zeros((*SIZE, 3), np.uint8)
    image[40, 24] = 255
    pose = HumanPoseNN(Sampler(), SIZE, decode_smoothed, offset=0.0, apart=12.0, decoding="argmax")
    (first, second), _ = pose.describe(image[None])
    np.testing.assert_allclose(first.keypoints[0], np.full((16, 2), (24, 40)), atol=1e-4)
    assert (np.linalg.norm(second.keypoints - first.keypoints, axis=-1) > 4 * 12).all()
