"""A ResNet-152 trained on ImageNet by others: names of torchvision and timm -> the body of the part detector.

Their bottlenecks are those of the part detector: its stride, too, is in the 3x3 convolution, where torchvision and timm
have it (the "v1.5" of ResNet), and the normalisation's epsilon is the same. What differs:

- colours: the part detector takes [0, 1]. The deviation that the others divide by goes into the stem's kernel, the mean
  that they take off into its bias. Along the border, where they pad with the mean colour and the part detector with
  black, the stem's outermost row and column come out otherwise.
- convolutions have a bias here, which is 0 but for the stem's.
- the last stage keeps the size instead of halving it: its weights then look at things twice as large as they learned.

Up to the last stage the same is thus computed but for the border; all of it is a starting point. The head is left to be
trained. (The original published its part detector after training, not the trunk that it began with.)
"""

from collections.abc import Iterator

import numpy as np

from humanpose.models.part_detector import PartDetectorConfig
from humanpose.weights import KeyTable, Made
from humanpose.weights.torch_layout import COLOUR_DEVIATION, COLOUR_MEAN, NORM, last_first, no_bias

FIRST = "layer1.0.conv3.weight"
"""Of ResNets with bottlenecks; those without have no third convolution."""

CLASSIFIER = (r"(.*[./])?num_batches_tracked", r"(.*[./])?fc\.(weight|bias)")


def torch_table(config: PartDetectorConfig, prefix: str = "") -> KeyTable:
    """Names of torchvision's and timm's resnet152, each behind `prefix`; with the original's blocks 775 of weights."""
    made: dict[str, Made] = {}
    for path, convolution, norm in _convolutions(config):
        kernel = f"{prefix}{convolution}.weight"
        stem = path == "stem"
        made[f"{path}/kernel"] = Made((kernel,), _stem_kernel if stem else last_first)
        made[f"{path}/bias"] = Made((kernel,), _stem_bias if stem else no_bias)
        made.update({f"{path}/norm/{ours}": Made((f"{prefix}{norm}.{theirs}",)) for ours, theirs in NORM.items()})
    return KeyTable({}, CLASSIFIER, partial=True, made=made)


def _convolutions(config: PartDetectorConfig) -> Iterator[tuple[str, str, str]]:
    """Path here, convolution and normalisation there, in the order of the data."""
    yield "stem", "conv1", "bn1"
    for stage, count in enumerate(config.blocks):
        for number in range(count):
            path, scope = f"stages/{stage}/{number}", f"layer{stage + 1}.{number}"
            for place in (1, 2, 3):
                yield f"{path}/conv_{place}", f"{scope}.conv{place}", f"{scope}.bn{place}"
            if number == 0:
                yield f"{path}/skip", f"{scope}.downsample.0", f"{scope}.downsample.1"


def _stem_kernel(kernel: np.ndarray) -> np.ndarray:
    """The stem's kernel for colours in [0, 1] instead of over the deviation."""
    return last_first(kernel) / COLOUR_DEVIATION[:, None]


def _stem_bias(kernel: np.ndarray) -> np.ndarray:
    """What the mean colour, which is no longer taken off, adds to every pixel of the stem."""
    return -np.einsum("hwcf,c->f", _stem_kernel(kernel.astype(np.float64)), COLOUR_MEAN)
