"""Names of the original HumanPoseNN's variables (TensorFlow slim's Inception-ResNet-v2) -> parameters of ours.

Layouts agree throughout, so nothing is transformed. `key_table` is for the published pose checkpoints, `trunk_table`
for slim's ImageNet checkpoint, from which the original restored the body alone.
"""

from collections.abc import Iterator

from humanpose.models.inception_resnet import InceptionResNetConfig
from humanpose.weights import TRAINER_ONLY, KeyTable

BODY = "InceptionResnetV2"
SCORING = "NewInceptionResnetV2/AuxiliaryScoring"

CLASSIFIER = (
    rf"{BODY}/(Mixed_7a|Repeat_2|Block8|Conv2d_7b_1x1|Logits|AuxLogits/Logits)/.*",
    rf"{BODY}/Repeat/block35_\d+/.*",
    rf"{BODY}/Repeat_1/block17_\d+/.*",
)
"""What an ImageNet checkpoint holds beyond the body here; blocks that a shallower network has not are among it."""

STEM = {"conv_1a": "1a_3x3", "conv_2a": "2a_3x3", "conv_2b": "2b_3x3", "conv_3b": "3b_1x1", "conv_4a": "4a_3x3"}

MIXED_5B = (("1x1",), ("0a_1x1", "0b_5x5"), ("0a_1x1", "0b_3x3", "0c_3x3"))
BLOCK_35 = (("1x1",), ("0a_1x1", "0b_3x3"), ("0a_1x1", "0b_3x3", "0c_3x3"))
MIXED_6A = (("1a_3x3",), ("0a_1x1", "0b_3x3", "1a_3x3"))
BLOCK_17 = (("1x1",), ("0a_1x1", "0b_1x7", "0c_7x1"))
"""The convolutions of each branch: Branch_0/Conv2d_1x1 and so on."""


def key_table(config: InceptionResNetConfig) -> KeyTable:
    """Names of a whole pose network; with the original's config the 696 of its checkpoints."""
    return KeyTable({**_body(config), **_scoring()})


def trunk_table(config: InceptionResNetConfig) -> KeyTable:
    """Names of the body (auxiliary tower included) in a classifier's checkpoint; the scoring head stays as it is."""
    return KeyTable(_body(config), ignored=(*TRAINER_ONLY, *CLASSIFIER), partial=True)


def _body(config: InceptionResNetConfig) -> dict[str, str]:
    paths: dict[str, str] = {}
    for ours, theirs in STEM.items():
        paths.update(_convolution(f"{BODY}/Conv2d_{theirs}", f"stem/{ours}"))
    paths.update(_branches(f"{BODY}/Mixed_5b", "mixed_5b", MIXED_5B))
    paths.update(_convolution(f"{BODY}/Mixed_5b/Branch_3/Conv2d_0b_1x1", "mixed_5b/pooled"))
    for number in range(config.blocks_35):
        paths.update(_block(f"{BODY}/Repeat/block35_{number + 1}", f"blocks_35/{number}", BLOCK_35))
    paths.update(_branches(f"{BODY}/Mixed_6a", "mixed_6a", MIXED_6A))
    for number in range(config.blocks_17):
        paths.update(_block(f"{BODY}/Repeat_1/block17_{number + 1}", f"blocks_17/{number}", BLOCK_17))
    for ours, theirs in (("conv_1b", "1b_1x1"), ("conv_2a", "2a_5x5")):
        paths.update(_convolution(f"{BODY}/AuxLogits/Conv2d_{theirs}", f"tower/{ours}"))
    return paths


def _scoring() -> dict[str, str]:
    return {
        f"{SCORING}/Scoring_layer/weights": "head/kernel",
        f"{SCORING}/Scoring_layer/biases": "head/bias",
        f"{SCORING}/Upsampling_layer/weights": "head/up_kernel",
        f"{SCORING}/Upsampling_layer/biases": "head/up_bias",
    }


def _convolution(scope: str, path: str) -> Iterator[tuple[str, str]]:
    yield f"{scope}/weights", f"{path}/kernel"
    yield f"{scope}/BatchNorm/beta", f"{path}/norm/bias"
    yield f"{scope}/BatchNorm/moving_mean", f"{path}/norm/mean"
    yield f"{scope}/BatchNorm/moving_variance", f"{path}/norm/var"


def _branches(scope: str, path: str, rows: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, str]]:
    for branch, row in enumerate(rows):
        for place, name in enumerate(row):
            yield from _convolution(f"{scope}/Branch_{branch}/Conv2d_{name}", f"{path}/branches/rows/{branch}/{place}")


def _block(scope: str, path: str, rows: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, str]]:
    yield from _branches(scope, path, rows)
    yield f"{scope}/Conv2d_1x1/weights", f"{path}/kernel"
    yield f"{scope}/Conv2d_1x1/biases", f"{path}/bias"
