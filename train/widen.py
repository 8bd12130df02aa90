"""A wider pose network that begins as a narrower one which has learned already: Net2Wider (Chen et al., ICLR 2016).

Every new channel is a copy of an old one, and what reads a channel shares its weights out between the copies, so the
wide network computes what the narrow one did. The shares are drawn anew for every reader, which is enough for the
copies to learn different things.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from humanpose import checkpoint
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.models.mobilenet_v2 import STAGES
from humanpose.models.network import PoseNetwork
from train.export import new_model_of, newest_weights, run_config

LEAST = 0.2
"""The smallest share of a weight that one of two copies gets."""

Copies = Int[np.ndarray, " wide"]
"""Which old channel every new channel is a copy of; each old one is there at least once."""


def widen(narrow: MobilePose, wide: MobilePose, seed: int = 0) -> None:
    """Give `wide` weights with which it computes the logits that `narrow` does, for any picture.

    Raises:
        ValueError: `wide` is narrower somewhere, or of another padding or number of joints.

    """
    for name in ("padding", "joints"):
        ours, theirs = getattr(wide.config, name), getattr(narrow.config, name)
        if ours != theirs:
            raise ValueError(f"{name}: a network of {ours} cannot begin as one of {theirs}")
    adding = [block.residual for block in narrow.trunk.blocks]
    if adding != [block.residual for block in wide.trunk.blocks]:
        raise ValueError(
            f"width: a block of x{narrow.config.width_multiplier} adds what it read, that of "
            f"x{wide.config.width_multiplier} does not; another width is needed"
        )
    rng = np.random.default_rng(seed)
    old, new = checkpoint.flatten(narrow), checkpoint.flatten(wide)
    filled = {}
    for name, reads, writes in _layers(rng, old, new, adding):
        kernel = old[f"{name}/kernel"][..., writes]
        if reads is not None:
            kernel = kernel[:, :, reads] * _shares(rng, reads, kernel.shape[-1])[None, None]
        filled[f"{name}/kernel"] = kernel
        for part in ("scale", "bias", "mean", "var"):
            if f"{name}/norm/{part}" in old:
                filled[f"{name}/norm/{part}"] = old[f"{name}/norm/{part}"][writes]
    filled["head/bias"] = old["head/bias"]
    checkpoint.fill(wide, filled)


def take_narrow(model: PoseNetwork, directory: Path) -> str:
    """Let `model` begin as the narrower network in a run's folder or a checkpoint's.

    Returns:
        which weights these are.

    Raises:
        ValueError: there is no MobilePose in the folder, or none that `model` can begin as.

    """
    if (directory / checkpoint.MANIFEST).is_file():
        manifest = checkpoint.load(directory)[1]
        if manifest.get("network", "MobilePose") != "MobilePose" or "width_multiplier" not in manifest["config"]:
            raise ValueError(f"--widen: {directory} holds no MobilePose, which alone can be widened")
        narrow, sha256 = checkpoint.load_model(
            directory, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0))
        )
        origin = f"{directory.name}, sha256 {sha256}"
    else:
        narrow = new_model_of(run_config(directory))
        origin = f"{directory.name}, step {newest_weights(directory, narrow)}"
    if not isinstance(narrow, MobilePose) or not isinstance(model, MobilePose):
        raise ValueError("--widen: only MobilePose can be widened, and only into a MobilePose")
    widen(narrow, model)
    return origin


def _layers(
    rng: np.random.Generator, old: dict[str, np.ndarray], new: dict[str, np.ndarray], adding: list[bool]
) -> Iterator[tuple[str, Copies | None, Copies]]:
    """(name, copies of what it reads, copies of what it writes) of every convolution; depthwise ones read None."""

    def drawn(name: str) -> Copies:
        return _copies(rng, old[f"{name}/kernel"].shape[-1], new[f"{name}/kernel"].shape[-1], name)

    colours = np.arange(3)
    stream = drawn("trunk/stem")
    yield "trunk/stem", colours, stream
    block, tapped = 0, []
    for expansion, _, repeats, stride in STAGES:
        if stride == 2:
            tapped.append(stream)
        first = f"trunk/blocks/{block}"
        # blocks that add to the same stream write the same copies
        written = stream if adding[block] else drawn(f"{first}/project")
        for repeat in range(repeats):
            name = f"trunk/blocks/{block + repeat}"
            inside = stream
            if expansion > 1:
                inside = drawn(f"{name}/expand")
                yield f"{name}/expand", stream, inside
            yield f"{name}/depthwise", None, inside
            yield f"{name}/project", inside, written
            stream = written
        block += repeats
    merged = drawn("head/to_16/lateral")
    for name, deep, shallow in (("head/to_16", stream, tapped[-1]), ("head/to_8", merged, tapped[-2])):
        features = old["head/to_16/lateral/kernel"].shape[-1]
        # pixel shuffle: the four pixels of a block one after the other, each with all its channels
        yield f"{name}/up", deep, np.concatenate([merged + pixel * features for pixel in range(4)])
        yield f"{name}/lateral", shallow, merged
    yield "head/refine_depthwise", None, merged
    refined = drawn("head/refine")
    yield "head/refine", merged, refined
    yield "head", refined, np.arange(old["head/bias"].size)


def _copies(rng: np.random.Generator, old: int, new: int, name: str) -> Copies:
    if new < old:
        raise ValueError(f"{name}: {new} channels cannot begin as {old}; --widen wants a narrower network")
    rounds = -(-new // old)
    return np.concatenate([np.arange(old), *(rng.permutation(old) for _ in range(rounds - 1))])[:new]


def _shares(rng: np.random.Generator, reads: Copies, writes: int) -> Float[np.ndarray, "wide write"]:
    """What every copy gets of the weight of its old channel, for every reader; the shares of one channel sum to 1."""
    drawn = rng.uniform(LEAST, 1 - LEAST, (len(reads), writes))
    sums = np.zeros((reads.max() + 1, writes))
    np.add.at(sums, reads, drawn)
    return (drawn / sums[reads]).astype(np.float32)
