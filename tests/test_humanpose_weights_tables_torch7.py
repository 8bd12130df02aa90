"""The part detector of a Torch7 file, whose modules have an order and no names, is that of TensorFlow's names."""

import numpy as np
import pytest
from test_humanpose_weights_tables import own_shapes
from weights_files_torch import T7, Module

from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import convert, formats, part_detector, part_detector_torch7
from humanpose.weights.arrays import WeightsFileError
from humanpose.weights.recognize import recognize


def torch_network(
    arrays: dict, config: PartDetectorConfig, skip_first: bool, with_bias: bool, matrices: bool
) -> Module:
    """A Torch7 ResNet in the manner of its time, with the arrays of TensorFlow's names."""

    def convolution(scope: str, suffix: str = "") -> list[Module]:
        def take(kind: str, name: str) -> np.ndarray:
            return arrays[f"HumanPoseResnet/{scope}/{kind}{suffix}/{name}"]

        kernel = np.ascontiguousarray(take("Conv", "weights").transpose(3, 2, 0, 1))
        sizes = dict(zip(("nOutputPlane", "nInputPlane", "kH", "kW"), map(int, kernel.shape), strict=True))
        content = {"weight": kernel.reshape(len(kernel), -1) if matrices else kernel, **sizes}
        if with_bias:
            content["bias"] = take("Conv", "biases")
        content["gradWeight"] = np.zeros(2, np.float32)
        norm = {
            "weight": take("BatchNorm", "gamma"), "bias": take("BatchNorm", "beta"), "eps": 1e-5,
            "running_mean": take("BatchNorm", "moving_mean"), "running_var": take("BatchNorm", "moving_variance"),
        }  # fmt: skip
        return [Module("cudnn.SpatialConvolution", **content), Module("nn.SpatialBatchNormalization", **norm)]

    def sequence(*modules: Module) -> Module:
        return Module("nn.Sequential", modules=list(modules), train=False)

    layers = [*convolution("Block_0"), Module("nn.ReLU", inplace=True), Module("nn.SpatialMaxPooling", kW=3)]
    for stage, count in enumerate(config.blocks, 1):
        blocks = []
        for number in range(count):
            scope = f"Block_{stage}/Bottleneck_{number}"
            parts = [module for place in (1, 2, 3) for module in (*convolution(scope, f"_{place}"), Module("nn.ReLU"))]
            skip = sequence(*convolution(scope, "_skip")) if number == 0 else Module("nn.Identity")
            branches = [skip, sequence(*parts)] if skip_first else [sequence(*parts), skip]
            blocks.append(sequence(Module("nn.ConcatTable", modules=branches), Module("nn.CAddTable")))
        layers.append(sequence(*blocks))
    head, up = (
        arrays["HumanPoseResnet/Block_5/Conv/weights"],
        arrays["HumanPoseResnet/Block_5/Conv2d_transpose/weights"],
    )
    layers.append(
        Module(
            "nn.SpatialConvolution",
            weight=np.ascontiguousarray(head.transpose(3, 2, 0, 1)),
            bias=arrays["HumanPoseResnet/Block_5/Conv/biases"],
        )
    )
    layers.append(
        Module(
            "nn.SpatialFullConvolution",
            weight=np.ascontiguousarray(up.transpose(3, 2, 0, 1)),
            bias=arrays["HumanPoseResnet/Block_5/Conv2d_transpose/biases"],
        )
    )
    return sequence(*layers)


@pytest.mark.parametrize(
    ("skip_first", "with_bias", "matrices"), [(False, True, False), (True, True, True), (False, False, False)]
)
def test_the_part_detector_of_torch7_is_that_of_tensorflow(tmp_path, skip_first, with_bias, matrices):
    """Same weights under TensorFlow's names and in the order of Torch7's modules: the same parameters to the bit."""
    config = PartDetectorConfig(blocks=(1, 2, 1, 1))
    by_name = part_detector.key_table(config)
    own = own_shapes(PartDetector, config)
    arrays = {}
    for place, (name, path) in enumerate(by_name.paths.items()):
        silent = name.endswith("biases") and "Block_5" not in name and not with_bias
        count = int(np.prod(own[path]))
        arrays[name] = (
            np.zeros(own[path], np.float32)
            if silent
            else np.arange(place, place + count, dtype=np.float32).reshape(own[path])
        )
    (tmp_path / "x.t7").write_bytes(T7().write(torch_network(arrays, config, skip_first, with_bias, matrices)).bytes())
    read = formats.read(tmp_path / "x.t7")
    converted, report = convert(own, read, part_detector_torch7.key_table(config, read.shapes))
    expected, _ = convert(own, arrays, by_name)
    assert converted.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(converted[path], array, err_msg=path)
    assert all(name.endswith("gradWeight") for name in report.ignored)


def test_another_network_of_torch7_is_refused():
    with pytest.raises(WeightsFileError, match="has 157 convolutions and 155 normalisations, this file 1 and 0"):
        recognize({"modules/1/weight": (3, 3, 1, 1)})
