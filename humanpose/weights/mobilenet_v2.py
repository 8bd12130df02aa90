"""MobileNetV2 trunks trained on ImageNet by others: names of Keras, torchvision and timm -> parameters of ours.

All of them are made to take what this project's trunk takes, RGB scaled to [-1, 1], and compute what they computed:

- Keras's weights are of this network as it is: padding at the end where a stride leaves an odd pixel ("SAME"), epsilon
  1e-3, inputs in [-1, 1]. Only the depthwise kernels are laid out otherwise.
- torchvision's and timm's pad symmetrically, and with the mean colour: `padding="symmetric"` in MobileNetV2Config does
  both. They divide by the square root of the variance + 1e-5, which goes into the normalisation's scale, and their
  colours are divided by their deviation, which goes into the stem's kernel. In a network of the other padding they run
  too, but every strided window lies a pixel off: a starting point for training, no longer the same trunk.
"""

from collections.abc import Iterator

import numpy as np

from humanpose.models.mobilenet_v2 import STAGES, MobileNetV2Config, Padding
from humanpose.weights import TRAINER_ONLY, KeyTable, Made, Shapes
from humanpose.weights.torch_layout import COLOUR_DEVIATION, NORM, last_first

EPSILON, TORCH_EPSILON = 1e-3, 1e-5

CLASSIFIER = (r"(predictions|Logits)/(kernel|bias)", r"(.*[./])?classifier\.(1\.)?(weight|bias)")
TORCH_ONLY = (r"(.*[./])?num_batches_tracked",)
WIDTHS = (1.0, 0.5, 0.75, 1.4, 1.3, 0.35, 0.25, 2.0, *(round(0.05 * step, 2) for step in range(1, 61)))
"""Channel multipliers in the order they are tried: those that were published first."""

KERAS_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}


def keras_table(config: MobileNetV2Config) -> KeyTable:
    """Names of tf.keras.applications.MobileNetV2; its classifier is passed over."""
    paths: dict[str, str] = {}
    transforms = {}
    for path, kind in _convolutions(config):
        convolution, norm = _keras_names(path)
        paths[f"{convolution}/kernel"] = f"{path}/kernel"
        if kind == "depthwise":
            transforms[f"{convolution}/kernel"] = _swap_last
        paths.update({f"{norm}/{theirs}": f"{path}/norm/{ours}" for ours, theirs in KERAS_NORM.items()})
    return KeyTable(paths, (*TRAINER_ONLY, *CLASSIFIER), transforms)


def torchvision_table(config: MobileNetV2Config, prefix: str = "") -> KeyTable:
    """Names of torchvision.models.mobilenet_v2, each behind `prefix`; its classifier is passed over."""
    return _torch_table({path: _torchvision_names(path, kind) for path, kind in _convolutions(config)}, prefix)


def timm_table(config: MobileNetV2Config, prefix: str = "") -> KeyTable:
    """Names of timm's mobilenetv2_050, _100 and _140, each behind `prefix`; their classifier is passed over."""
    return _torch_table({path: _timm_names(path, kind) for path, kind in _convolutions(config)}, prefix)


def _torch_table(names: dict[str, tuple[str, str]], prefix: str) -> KeyTable:
    made: dict[str, Made] = {}
    for path, (convolution, norm) in names.items():
        kernel = f"{prefix}{convolution}.weight"
        scale, bias, mean, var = (f"{prefix}{norm}.{name}" for name in NORM.values())
        made[f"{path}/kernel"] = Made((kernel,), _stem_kernel if path == "stem" else last_first)
        made[f"{path}/norm/scale"] = Made((scale, var), _scale_for_epsilon)
        made[f"{path}/norm/bias"] = Made((bias,))
        made[f"{path}/norm/mean"] = Made((mean,))
        made[f"{path}/norm/var"] = Made((var,))
    return KeyTable({}, (*TORCH_ONLY, *CLASSIFIER), made=made)


def config_of(shapes: Shapes, stem: str, last: str, head: str, axis: int, padding: Padding) -> MobileNetV2Config | None:
    """The settings of a checkpoint, told by the channels that its stem, last block and head make; None: no such width.

    `stem`, `last` and `head` name their kernels, whose `axis` holds these channels; without a head there is none.
    """
    made = tuple(shapes[name][axis] if len(shapes.get(name, ())) == 4 else 0 for name in (stem, last, head))
    for width in WIDTHS:
        config = MobileNetV2Config(width)
        if (config.channels(32), config.channels(320)) == made[:2]:
            return MobileNetV2Config(width, head=round(made[2] / max(1.0, width)), padding=padding)
    return None


def _convolutions(config: MobileNetV2Config) -> Iterator[tuple[str, str]]:
    """The path of every convolution of ours and what it is, in the order of the data."""
    yield "stem", "stem"
    block = 0
    for expansion, _, repeats, _ in STAGES:
        for _ in range(repeats):
            for kind in ("expand", "depthwise", "project"):
                if kind != "expand" or expansion > 1:
                    yield f"blocks/{block}/{kind}", kind
            block += 1
    if config.head:
        yield "head", "head"


def _keras_names(path: str) -> tuple[str, str]:
    """(convolution, normalisation) in Keras."""
    if path == "stem":
        return "Conv1", "bn_Conv1"
    if path == "head":
        return "Conv_1", "Conv_1_bn"
    _, block, kind = path.split("/")
    name = f"expanded_conv_{kind}" if block == "0" else f"block_{block}_{kind}"
    return name, f"{name}_BN"


def _torchvision_names(path: str, kind: str) -> tuple[str, str]:
    if kind in ("stem", "head"):
        number = 0 if kind == "stem" else 1 + sum(repeats for _, _, repeats, _ in STAGES)
        return f"features.{number}.0", f"features.{number}.1"
    block = int(path.split("/")[1])
    place = ("expand", "depthwise", "project").index(kind) - (block == 0)
    scope = f"features.{block + 1}.conv"
    # the last convolution has no activation, so it and its normalisation are no pair of their own
    if kind == "project":
        return f"{scope}.{place}", f"{scope}.{place + 1}"
    return f"{scope}.{place}.0", f"{scope}.{place}.1"


def _timm_names(path: str, kind: str) -> tuple[str, str]:
    if kind in ("stem", "head"):
        return ("conv_stem", "bn1") if kind == "stem" else ("conv_head", "bn2")
    block = int(path.split("/")[1])
    if block == 0:  # without an expansion the projection is the second, and takes the name of the first
        names = {"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}
    else:
        names = {"expand": ("conv_pw", "bn1"), "depthwise": ("conv_dw", "bn2"), "project": ("conv_pwl", "bn3")}
    stage, place = [(stage, place) for stage, row in enumerate(STAGES) for place in range(row[2])][block]
    convolution, norm = names[kind]
    return f"blocks.{stage}.{place}.{convolution}", f"blocks.{stage}.{place}.{norm}"


def _swap_last(kernel: np.ndarray) -> np.ndarray:
    """(height, width, channel, 1) -> (height, width, 1, channel)."""
    return kernel.transpose(0, 1, 3, 2)


def _scale_for_epsilon(scale: np.ndarray, var: np.ndarray) -> np.ndarray:
    """Torch divides by sqrt(var + 1e-5), this network by sqrt(var + 1e-3): the scale makes up for it."""
    wide = var.astype(np.float64)
    return scale * np.sqrt((wide + EPSILON) / (wide + TORCH_EPSILON))


def _stem_kernel(kernel: np.ndarray) -> np.ndarray:
    """The stem's kernel for colours that reach over 2, as in [-1, 1], instead of over 1 / deviation."""
    return last_first(kernel) * (0.5 / COLOUR_DEVIATION)[:, None]
