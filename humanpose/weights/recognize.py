"""Which network a file of foreign weights is of: told by its names, and by nothing that the file says of itself."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flax import nnx

from humanpose.models.inception_resnet import InceptionResNet, InceptionResNetConfig
from humanpose.models.mobilenet_v2 import MobileNetV2, MobileNetV2Config, Padding
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import (
    KeyTable,
    Shapes,
    inception_resnet,
    inception_resnet_trunk,
    mobilenet_v2,
    part_detector,
    part_detector_torch7,
    part_detector_trunk,
)
from humanpose.weights.arrays import WeightsFileError, plain


class Recognized(NamedTuple):
    """A network of ours that the weights belong to: its name, settings and constructor, and the table of names.

    `trunk` says that the weights fill only the trunk, `told` whose names they are, in words.
    """

    network: str
    told: str
    config: Any
    build: Callable[..., nnx.Module]
    table: KeyTable
    trunk: bool

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters, without drawing any."""
        from humanpose.checkpoint import variables

        model = nnx.eval_shape(lambda: self.build(self.config, rngs=nnx.Rngs(0)))
        return {path: tuple(variable.get_value().shape) for path, variable in variables(model).items()}


def recognize(shapes: Shapes, network: str | None = None) -> Recognized:
    """Tell the network from the names (and shapes) of a file's arrays.

    Args:
        shapes: of the arrays, by their names in the file, in its order.
        network: "inception_resnet", "part_detector" or "mobile_trunk", where the caller knows it; names of another are
            then refused.

    Raises:
        WeightsFileError: the names are those of no network that is known here, or not of the one that is asked for.

    """
    found = _tensorflow(shapes) or _keras(shapes) or _torch(shapes) or _torch7(shapes)
    if found is None or network not in (None, found.network):
        some = ", ".join(plain(name) for name in list(shapes)[:3])
        seen = f"those of {found.network} ({found.told})" if found else "those of no network that is known here"
        wanted = f"not of {network} but {seen}" if network else seen
        raise WeightsFileError(f"the names in the file ({some or 'there are none'} ...) are {wanted}")
    return found


def _tensorflow(shapes: Shapes) -> Recognized | None:
    if any(name.startswith(f"{inception_resnet.SCORING}/") for name in shapes):
        config = InceptionResNetConfig()
        return Recognized(
            "inception_resnet", "the original's TensorFlow names", config, InceptionResNet,
            inception_resnet.key_table(config), False,
        )  # fmt: skip
    if any(name.startswith(f"{inception_resnet.BODY}/") for name in shapes):
        config = InceptionResNetConfig()
        return Recognized(
            "inception_resnet", "TensorFlow slim's names", config, InceptionResNet,
            inception_resnet.trunk_table(config), True,
        )  # fmt: skip
    if any(name.startswith(f"{part_detector.ROOT}/") for name in shapes):
        detector = PartDetectorConfig()
        return Recognized(
            "part_detector", "the original's TensorFlow names", detector, PartDetector,
            part_detector.key_table(detector), False,
        )  # fmt: skip
    return None


def _keras(shapes: Shapes) -> Recognized | None:
    if "block35_1_conv/kernel" in shapes:
        config = InceptionResNetConfig()
        table = inception_resnet_trunk.keras_table(config, shapes)
        return Recognized("inception_resnet", "Keras's names", config, InceptionResNet, table, True)
    if "Conv1/kernel" in shapes and "bn_Conv1/gamma" in shapes:
        trunk = _mobile(shapes, "", ("Conv1/kernel", "block_16_project/kernel", "Conv_1/kernel"), 3, "same")
        return Recognized("mobile_trunk", "Keras's names", trunk, MobileNetV2, mobilenet_v2.keras_table(trunk), True)
    return None


def _torch(shapes: Shapes) -> Recognized | None:
    """State dicts: names may stand behind a prefix such as "state_dict/" or "module."."""
    prefix = _prefix(shapes, "features.0.0.weight")
    if prefix is not None:
        names = ("features.0.0.weight", "features.17.conv.2.weight", "features.18.0.weight")
        trunk = _mobile(shapes, prefix, names, 0, "symmetric")
        table = mobilenet_v2.torchvision_table(trunk, prefix)
        return Recognized("mobile_trunk", "torchvision's names", trunk, MobileNetV2, table, True)
    prefix = _prefix(shapes, "blocks.0.0.conv_dw.weight")
    if prefix is not None:
        names = ("conv_stem.weight", "blocks.6.0.conv_pwl.weight", "conv_head.weight")
        trunk = _mobile(shapes, prefix, names, 0, "symmetric")
        table = mobilenet_v2.timm_table(trunk, prefix)
        return Recognized("mobile_trunk", "timm's names", trunk, MobileNetV2, table, True)
    prefix = _prefix(shapes, "conv2d_1a.conv.weight")
    if prefix is not None:
        config = InceptionResNetConfig()
        table = inception_resnet_trunk.timm_table(config, prefix)
        return Recognized("inception_resnet", "timm's names", config, InceptionResNet, table, True)
    prefix = _prefix(shapes, part_detector_trunk.FIRST)
    if prefix is not None:
        detector = PartDetectorConfig()
        table = part_detector_trunk.torch_table(detector, prefix)
        return Recognized("part_detector", "torchvision's names of a ResNet-152", detector, PartDetector, table, True)
    return None


def _torch7(shapes: Shapes) -> Recognized | None:
    if not any("modules/1/" in name for name in shapes):
        return None
    config = PartDetectorConfig()
    table = part_detector_torch7.key_table(config, shapes)
    return Recognized("part_detector", "the order of Torch7's modules", config, PartDetector, table, False)


def _prefix(shapes: Shapes, name: str) -> str | None:
    """What stands before `name` in the file; the shortest where it is there more than once."""
    found = [full.removesuffix(name) for full in shapes if full.endswith(name)]
    return min((prefix for prefix in found if not prefix or prefix[-1] in "./"), key=len, default=None)


def _mobile(shapes: Shapes, prefix: str, names: tuple[str, str, str], axis: int, padding: Padding) -> MobileNetV2Config:
    stem, last, head = (f"{prefix}{name}" for name in names)
    config = mobilenet_v2.config_of(shapes, stem, last, head, axis, padding)
    if config is None:
        raise WeightsFileError(
            f"the shapes of {plain(stem)} and {plain(last)}, {shapes.get(stem)} and {shapes.get(last)}, are of no "
            "MobileNetV2, whose channels there are 32 and 320 times a width"
        )
    return config
