"""The part detector as it was published, a Torch7 network without names -> parameters of ours, by order.

A Torch7 module is found by its place among modules within modules. Read in that order (a branch of a bottleneck after
the other) its convolutions are those of the ResNet-152: each but the last two is followed by its normalisation. The
shortcut of a bottleneck may stand before or after the three convolutions beside it: the 3 x 3 one among them tells.
Kernels are (features, channel, height, width) there, the transposed one (channel, features, height, width).
"""

from collections.abc import Iterator

from humanpose.models.part_detector import PartDetectorConfig
from humanpose.weights import KeyTable, Made, Shapes
from humanpose.weights.arrays import WeightsFileError
from humanpose.weights.torch_layout import NORM, last_first, no_bias

WORK = (r"(.*/)?(?!(weight|bias|running_mean|running_var)$)[^/]+",)
"""What modules keep beside their weights: gradients, outputs, buffers."""


def key_table(config: PartDetectorConfig, shapes: Shapes) -> KeyTable:
    """Names in a file, whose arrays have these `shapes` and stand in the network's order.

    Raises WeightsFileError where the file holds another number of convolutions or normalisations.
    """
    convolutions = [
        name.removesuffix("weight") for name in shapes if name.endswith("weight") and len(shapes[name]) == 4
    ]
    norms = [name.removesuffix("running_mean") for name in shapes if name.endswith("running_mean")]
    counts = 1 + 3 * sum(config.blocks) + len(config.blocks)
    if (len(convolutions), len(norms)) != (counts + 2, counts):
        raise WeightsFileError(
            f"a part detector has {counts + 2} convolutions and {counts} normalisations, this file "
            f"{len(convolutions)} and {len(norms)}: it holds another network, or more than one"
        )
    made: dict[str, Made] = {}
    places = _paths(config, convolutions, shapes)
    for path, scope, norm in zip(places, convolutions, [*norms, None, None], strict=True):
        kernel, bias = ("head/up_kernel", "head/up_bias") if path == "up" else (f"{path}/kernel", f"{path}/bias")
        made[kernel] = Made((f"{scope}weight",), last_first)
        if f"{scope}bias" in shapes:
            made[bias] = Made((f"{scope}bias",))
        else:  # Torch7's ResNets leave the bias to the normalisation
            made[bias] = Made((f"{scope}weight",), no_bias)
        if norm is not None:
            made.update({f"{path}/norm/{ours}": Made((f"{norm}{theirs}",)) for ours, theirs in NORM.items()})
    return KeyTable({}, WORK, made=made)


def _paths(config: PartDetectorConfig, convolutions: list[str], shapes: Shapes) -> Iterator[str]:
    """Our path of each convolution of the file, in its order."""
    place = 1
    yield "stem"
    for stage, count in enumerate(config.blocks):
        for number in range(count):
            names = ["conv_1", "conv_2", "conv_3"]
            if number == 0:
                second = shapes[f"{convolutions[place + 1]}weight"]
                names.insert(3 if second[2:] == (3, 3) else 0, "skip")
            yield from (f"stages/{stage}/{number}/{name}" for name in names)
            place += len(names)
    yield "head"
    yield "up"
