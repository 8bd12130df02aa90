"""Trunks that learned from photographs elsewhere, made by `gaitnet weights convert`: where pose networks begin."""

from dataclasses import replace
from pathlib import Path

from humanpose import checkpoint
from humanpose.models.inception_resnet import InceptionResNet
from humanpose.models.mobile import MobilePose
from humanpose.models.network import PoseNetwork
from humanpose.models.part_detector import PartDetector
from train.checkpoint import RUN_CONFIG
from train.config import PoseTaskConfig
from train.export import run_config

TRUNK_OF = {
    MobilePose: "MobileNetV2",
    InceptionResNet: "InceptionResNetTrunk",
    PartDetector: "PartDetectorTrunk",
}
"""What a checkpoint of each network's trunk calls itself."""


def padded_like(config: PoseTaskConfig, start: Path) -> PoseTaskConfig:
    """The task with the padding of the weights it begins with, in the folder of a checkpoint or of a run.

    Padding changes no array's shape: in a network of another the weights would fit, and be no longer the same network.

    Raises:
        ValueError: there is neither in the folder, or a damaged one.

    """
    if (start / checkpoint.MANIFEST).is_file():
        found = checkpoint.load(start)[1]["config"]
    elif (start / RUN_CONFIG).is_file():
        found = run_config(start)
    else:
        raise ValueError(
            f"{start} is neither the folder of a checkpoint nor of a run: it has no {checkpoint.MANIFEST} and no "
            f"{RUN_CONFIG}"
        )
    return replace(config, padding=found.get("padding", config.padding))


def take_trunk(model: PoseNetwork, directory: Path) -> str:
    """Give a pose network a trunk's weights, all of them; what is no part of the trunk stays as it is.

    Returns:
        the sha256 of the weights.

    Raises:
        ValueError: there is no trunk in the folder, or one of another network or width, or with arrays missing.

    """
    arrays, manifest = checkpoint.load(directory)
    name = manifest.get("network")
    if name != TRUNK_OF.get(type(model), "none"):
        raise ValueError(
            f"--trunk: {directory} holds {name or 'MobilePose'}, and {type(model).__name__} begins with "
            f"{TRUNK_OF.get(type(model), 'no trunk alone')}; gaitnet weights convert makes one, whole networks are for "
            "--init"
        )
    if isinstance(model, MobilePose):
        widths = (manifest["config"].get("width"), model.config.width_multiplier)
        if widths[0] != widths[1]:
            raise ValueError(f"--trunk: {directory} is of width {widths[0]}, the pose network of {widths[1]}")
        # the last 1x1 convolution is for classes of things
        arrays = {f"trunk/{name}": array for name, array in arrays.items() if not name.startswith("head/")}
    own = checkpoint.flatten(model)
    # slim's classifier has the tower as well, in those of Keras and timm it is not left
    towered = any(name.startswith("tower/") for name in arrays)
    body = {name for name in own if not name.startswith("head/" if towered else ("head/", "tower/"))}
    missing, strange = sorted(body - arrays.keys()), sorted(arrays.keys() - body)
    # a network of fewer blocks takes as many as it has
    strange = [name for name in strange if not _of_further_block(name, model)]
    if missing or strange:
        raise ValueError(
            f"--trunk: {directory} is not the trunk of this {type(model).__name__}: of its {len(body)} arrays "
            f"{len(missing)} are missing {missing[:2]}, and {len(strange)} others are there {strange[:2]}"
        )
    checkpoint.fill(model, own | {name: array for name, array in arrays.items() if name in body})
    return manifest["weights"]["sha256"]


def _of_further_block(name: str, model: PoseNetwork) -> bool:
    """Whether an array belongs to a residual block beyond those that the network has."""
    most: dict[str, int] = {}
    if isinstance(model, InceptionResNet):
        most = {"blocks_35": model.config.blocks_35, "blocks_17": model.config.blocks_17}
    elif isinstance(model, PartDetector):
        most = {f"stages/{stage}": count for stage, count in enumerate(model.config.blocks)}
    return any(
        name.startswith(f"{row}/") and (number := name.removeprefix(f"{row}/").partition("/")[0]).isdecimal()
        and int(number) >= count
        for row, count in most.items()
    )  # fmt: skip
