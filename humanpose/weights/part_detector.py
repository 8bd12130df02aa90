"""Names of the original HumanPoseNN's part detector in TensorFlow -> parameters of ours.

Layouts agree throughout, so nothing is transformed. (The weights themselves were published for Torch7:
`part_detector_torch7` reads them.)
"""

from collections.abc import Iterator

from humanpose.models.part_detector import PartDetectorConfig
from humanpose.weights import KeyTable

ROOT = "HumanPoseResnet"


def key_table(config: PartDetectorConfig) -> KeyTable:
    """Names of a whole part detector; with the original's config 934."""
    paths = dict(_convolution(f"{ROOT}/Block_0", "", "stem"))
    for stage, count in enumerate(config.blocks):
        for number in range(count):
            scope, path = f"{ROOT}/Block_{stage + 1}/Bottleneck_{number}", f"stages/{stage}/{number}"
            for place in (1, 2, 3):
                paths.update(_convolution(scope, f"_{place}", f"{path}/conv_{place}"))
            if number == 0:  # wherever a stage begins, channels or size change
                paths.update(_convolution(scope, "_skip", f"{path}/skip"))
    paths.update(
        {
            f"{ROOT}/Block_5/Conv/weights": "head/kernel",
            f"{ROOT}/Block_5/Conv/biases": "head/bias",
            f"{ROOT}/Block_5/Conv2d_transpose/weights": "head/up_kernel",
            f"{ROOT}/Block_5/Conv2d_transpose/biases": "head/up_bias",
        }
    )
    return KeyTable(paths)


def _convolution(scope: str, suffix: str, path: str) -> Iterator[tuple[str, str]]:
    yield f"{scope}/Conv{suffix}/weights", f"{path}/kernel"
    yield f"{scope}/Conv{suffix}/biases", f"{path}/bias"
    for theirs, ours in (("gamma", "scale"), ("beta", "bias"), ("moving_mean", "mean"), ("moving_variance", "var")):
        yield f"{scope}/BatchNorm{suffix}/{theirs}", f"{path}/norm/{ours}"
