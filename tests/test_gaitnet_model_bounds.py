"""Settings of networks beyond all reason: a checkpoint's own words must not decide how much memory is taken."""

import numpy as np
import pytest

from gaitnet.models.detector import DetectorConfig
from gaitnet.models.gaitbase import GaitBaseConfig
from gaitnet.models.gaitnn import GaitNNConfig
from gaitnet.models.skeleton_gru import SkeletonGRUConfig
from humanpose import checkpoint
from humanpose.models.inception_resnet import InceptionResNetConfig
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.mobilenet_v2 import MobileNetV2Config
from humanpose.models.part_detector import PartDetectorConfig

SIZES = {
    MobilePoseConfig: ("width_multiplier", "image_height", "image_width", "joints", "head_channels"),
    MobileNetV2Config: ("width", "head"),
    InceptionResNetConfig: ("image_size", "joints", "features", "blocks_35", "blocks_17"),
    PartDetectorConfig: ("image_size", "joints", "features"),
    DetectorConfig: ("size", "width_multiplier", "head_channels"),
    GaitNNConfig: ("channels", "grid", "layers", "size", "subjects", "multiplier"),
    GaitBaseConfig: ("height", "width", "parts", "size", "subjects"),
    SkeletonGRUConfig: ("layers", "size", "hidden", "subjects"),
}


@pytest.mark.parametrize(("config", "name"), [(config, name) for config, names in SIZES.items() for name in names])
def test_sizes_are_bounded(config, name):
    kind = type(getattr(config(), name))
    for size in (2_048_000, 1 << 40, -32):
        with pytest.raises(ValueError, match=name):
            config(**{name: kind(size)})


def test_a_manifest_beyond_all_reason_is_refused_as_one(tmp_path):
    checkpoint.save(tmp_path, {"a": np.zeros(1)}, {"width_multiplier": 2e5}, {}, "MobilePose")
    with pytest.raises(checkpoint.CheckpointError, match="does not describe a MobilePose: width_multiplier"):
        checkpoint.load_model(tmp_path, MobilePoseConfig, build)


def test_memory_that_runs_out_is_told_of_the_checkpoint(tmp_path):
    def exhausted(config):
        raise MemoryError

    checkpoint.save(tmp_path, {"a": np.zeros(1)}, {}, {}, "MobilePose")
    with pytest.raises(checkpoint.CheckpointError, match="does not describe a MobilePose"):
        checkpoint.load_model(tmp_path, MobilePoseConfig, exhausted)


def build(config: MobilePoseConfig) -> MobilePose:
    raise AssertionError("it was built")
