"""Inception-ResNet-v2 trained on ImageNet by others: names of Keras and timm -> the body of ours.

Both classifiers came from TensorFlow slim's weights and compute the same, with inputs in [-1, 1] and epsilon 1e-3;
neither has the auxiliary tower, so that only stem and blocks are filled, and tower and head are left to be trained.
timm's normalisation has a gamma, ours none: it goes into the convolution before it and the mean that is taken off.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from humanpose.models.inception_resnet import BLOCK_17, BLOCK_35, MIXED_5B, MIXED_6A, InceptionResNetConfig, Rows
from humanpose.weights import TRAINER_ONLY, KeyTable, Made
from humanpose.weights.torch_layout import last_first

KERAS_NORM = {"bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
KERAS_CLASSIFIER = (r"block8_\d+_conv/(kernel|bias)", r"(conv_7b|conv_7b_bn|predictions)/.*")
TIMM_CLASSIFIER = (
    r"(.*[./])?num_batches_tracked",
    r"(.*[./])?(mixed_7a|repeat_2|block8|conv2d_7b)\..*",
    r"(.*[./])?(classif|last_linear)\.(weight|bias)",
)


class Unit(NamedTuple):
    """A convolution: its path here, whether a normalisation follows it, and its name in timm."""

    path: str
    normalised: bool
    timm: str


def keras_table(config: InceptionResNetConfig, names: Iterable[str]) -> KeyTable:
    """Names of tf.keras.applications.InceptionResNetV2 as they are in a file.

    Most layers there have no name but a running number, which need not begin at 1: it tells the order in which they
    were made, and that is the order of the data.
    """
    convolutions, norms = (_numbered(names, kind) for kind in ("conv2d", "batch_normalization"))
    units = list(_body(config))
    normalised = [unit for unit in units if unit.normalised]
    paths: dict[str, str] = {}
    # a file of fewer layers asks for names that no file has, and is refused as missing them
    for place, unit in enumerate(normalised):
        convolution = convolutions[place] if place < len(convolutions) else f"conv2d number {place + 1}"
        norm = norms[place] if place < len(norms) else f"batch_normalization number {place + 1}"
        paths[f"{convolution}/kernel"] = f"{unit.path}/kernel"
        paths.update({f"{norm}/{theirs}": f"{unit.path}/norm/{ours}" for ours, theirs in KERAS_NORM.items()})
    for unit in units:
        if not unit.normalised:
            kind, number = unit.path.split("/")
            scope = f"{kind.replace('blocks_', 'block')}_{int(number) + 1}_conv"
            paths.update({f"{scope}/{name}": f"{unit.path}/{name}" for name in ("kernel", "bias")})
    behind = [re.escape(f"{name}/") + ".*" for name in (*convolutions[len(normalised) :], *norms[len(normalised) :])]
    return KeyTable(paths, (*TRAINER_ONLY, *KERAS_CLASSIFIER, *behind), partial=True)


def timm_table(config: InceptionResNetConfig, prefix: str = "") -> KeyTable:
    """Names of timm's inception_resnet_v2, each behind `prefix`."""
    made: dict[str, Made] = {}
    for unit in _body(config):
        scope = f"{prefix}{unit.timm}"
        if not unit.normalised:
            made[f"{unit.path}/kernel"] = Made((f"{scope}.weight",), last_first)
            made[f"{unit.path}/bias"] = Made((f"{scope}.bias",))
            continue
        gamma = f"{scope}.bn.weight"
        made[f"{unit.path}/kernel"] = Made((f"{scope}.conv.weight", gamma), _scaled_kernel)
        made[f"{unit.path}/norm/bias"] = Made((f"{scope}.bn.bias",))
        made[f"{unit.path}/norm/mean"] = Made((f"{scope}.bn.running_mean", gamma), np.multiply)
        made[f"{unit.path}/norm/var"] = Made((f"{scope}.bn.running_var",))
    return KeyTable({}, TIMM_CLASSIFIER, partial=True, made=made)


def _body(config: InceptionResNetConfig) -> Iterator[Unit]:
    """Every convolution of the body in the order of the data, branch by branch."""
    for name in ("1a", "2a", "2b", "3b", "4a"):
        yield Unit(f"stem/conv_{name}", True, f"conv2d_{name}")
    yield from _rows("mixed_5b", MIXED_5B, "mixed_5b")
    yield Unit("mixed_5b/pooled", True, "mixed_5b.branch3.1")
    for number in range(config.blocks_35):
        yield from _rows(f"blocks_35/{number}", BLOCK_35, f"repeat.{number}")
        yield Unit(f"blocks_35/{number}", False, f"repeat.{number}.conv2d")
    yield from _rows("mixed_6a", MIXED_6A, "mixed_6a")
    for number in range(config.blocks_17):
        yield from _rows(f"blocks_17/{number}", BLOCK_17, f"repeat_1.{number}")
        yield Unit(f"blocks_17/{number}", False, f"repeat_1.{number}.conv2d")


def _rows(path: str, rows: Rows, scope: str) -> Iterator[Unit]:
    for branch, row in enumerate(rows):
        for place in range(len(row)):
            name = f"{scope}.branch{branch}" if len(row) == 1 else f"{scope}.branch{branch}.{place}"
            yield Unit(f"{path}/branches/rows/{branch}/{place}", True, name)


def _numbered(names: Iterable[str], kind: str) -> list[str]:
    """The layers called `kind` and a number, in its order; the first may have none."""
    layers = {name.partition("/")[0] for name in names}
    found = {layer: re.fullmatch(rf"{kind}(?:_(\d{{1,9}}))?", layer) for layer in layers}
    return sorted((layer for layer, match in found.items() if match), key=lambda layer: int(found[layer][1] or 0))  # type: ignore[index]


def _scaled_kernel(kernel: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    return last_first(kernel) * gamma
