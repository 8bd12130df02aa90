"""What each choice in pose estimation is worth: PCK on photographs 3601-4000 of LSPET, from which nothing is learned.

    python benchmarks/pose_choices.py [--weights pose] [--data DIR]
    python benchmarks/pose_choices.py --steps 3000 [--width 0.25] [--height 128] [--run runs/choices] [--arms ...]

Without --steps: decoding and flip test on weights that are there, a minute or two. With --steps also what has to be
trained for: one network for each arm, all from the same start, on photographs 1-3600, for the same number of steps; an
arm differs from the first one, the task's own settings, in what its name says. A run that was interrupted goes on where
it was, and arms that are finished are not trained again. LSPET does not tell which joints are hidden; what their weight
is worth is measured with walkers, who are half of the batch in these arms, and on walkers of whom nothing was learned.
The arm of opinions is there with --opinions FILE, of train/blazepose.py. The margin of error at 4,900 joints is about
1.5 percent points between unlike networks (one seed each), and far less between two ways to decode the same maps.
"""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from humanpose.augment import IDENTITY, ORIGINAL, AugmentConfig
from humanpose.checkpoint import load_model
from humanpose.datasets.lsp import LSPET_TRAINED, number_of
from humanpose.datasets.pictures import read_picture
from humanpose.datasets.record import PoseRecord
from humanpose.heatmaps import crop_to_heatmap, decode_heatmaps, decode_joint_maps, encode_keypoints, heatmap_to_crop
from humanpose.losses import mean_square, mixture_targets, sigmoid_cross_entropy, spatial_cross_entropy
from humanpose.metrics import pck, torso_length
from humanpose.models.mobile import MobilePose, MobilePoseConfig
from humanpose.preprocess import crop, crop_affine, to_image
from humanpose.skeleton import FLIP, JOINTS
from train.config import OptimizerConfig
from train.data import Kept, Prefetch, make_batch
from train.loop import fit
from train.pose_batches import PHOTOGRAPHS, make_sample
from train.pose_data import read_lspet, with_opinions
from train.pose_walkers import walkers_drawer

THRESHOLDS = (0.05, 0.1, 0.2)
"""Of the torso."""

WALKERS = 7_000_000
"""Seeds from here on are kept for evaluation."""

ANNOTATED = [place for place, name in enumerate(JOINTS) if name not in ("pelvis", "thorax")]
"""The joints that LSP marks; the other two are the means of the hips and of the shoulders."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One set of choices: a loss with its targets, and an augmentation.

    With a weight of `hidden` joints half of the batch are walkers, whose own bodies hide some. With `opinions` the
    targets heed what BlazePose says of the photographs; `taught` networks learned from walkers alone before, for as
    many steps.
    """

    loss: Callable = spatial_cross_entropy
    kind: str = "gaussian"
    size: float = 1.5
    augment: AugmentConfig = PHOTOGRAPHS
    hidden: float | None = None
    opinions: bool = False
    taught: bool = False

    @property
    def to_maps(self) -> Callable[[jax.Array], jax.Array]:
        """Logits -> maps."""
        return partial(jax.nn.softmax, axis=(1, 2)) if self.loss is spatial_cross_entropy else jax.nn.sigmoid

    @property
    def decode(self) -> Callable:
        """Maps, method -> (keypoints in heat-map pixels, probability)."""
        return decode_joint_maps if self.loss is spatial_cross_entropy else decode_heatmaps


ARMS = {
    "the task's own: cross entropy over positions": Arm(),
    "loss: sigmoid cross entropy on discs": Arm(sigmoid_cross_entropy, "disc", 5.0),
    "loss: mean square on Gaussians": Arm(mean_square),
    "augmentation: none": Arm(augment=IDENTITY),
    "augmentation: strong": Arm(augment=AugmentConfig(rotation=40.0, turned=0.05)),
    "augmentation: the original's list": Arm(augment=ORIGINAL),
    "augmentation: half bodies too": Arm(augment=dataclasses.replace(PHOTOGRAPHS, half_body=0.3)),
    "augmentation: no erasing": Arm(augment=dataclasses.replace(PHOTOGRAPHS, erase=0.0)),
    "augmentation: colours left alone": Arm(
        augment=dataclasses.replace(PHOTOGRAPHS, gain=0.0, tint=0.0, offset=0.0, noise=0.0, grey=0.0, coarse=0.0)
    ),
    "half walkers: their hidden joints weigh 0.7": Arm(hidden=0.7),
    "half walkers: hidden joints weigh as much as others": Arm(hidden=1.0),
    "half walkers: hidden joints weigh nothing": Arm(hidden=0.0),
    "labels: BlazePose's opinions too": Arm(opinions=True),
    "start: as a network that learned from walkers": Arm(taught=True),
}


class Photographs:
    """LSPET's photographs, those that are learned from and those that measure; each decoded once."""

    def __init__(self, root: Path, opinions: Path | None = None):
        records = [record for record in read_lspet(root) if record.has_extent]
        if opinions is not None:
            records = with_opinions(records, opinions)
        self.trained = [record for record in records if number_of(record) <= LSPET_TRAINED]
        self.measured = [record for record in records if number_of(record) > LSPET_TRAINED]
        self._picture = Kept(read_picture)

    def image(self, record: PoseRecord) -> np.ndarray:
        """The record's picture."""
        return self._picture(record.path)


def scores(model: Any, arm: Arm, photographs: Photographs, batch: int = 32) -> dict[str, list[float]]:
    """PCK at THRESHOLDS of every way to decode: {"argmax": [...], "subpixel": [...], "..., flip test": [...]}."""
    size = (model.config.image_height, model.config.image_width)
    graphdef, state = nnx.split(model)

    @jax.jit
    def places(state: Any, crops: jax.Array) -> dict[str, Any]:
        network = nnx.merge(graphdef, state)
        maps = arm.to_maps(network(crops))
        mirrored = arm.to_maps(network(crops[:, :, ::-1]))[:, :, ::-1][..., FLIP]
        found = {}
        for name, taken in (("", maps), (", flip test", (maps + mirrored) / 2)):
            for method in ("argmax", "subpixel"):
                keypoints, _ = arm.decode(taken, method)
                found[method + name] = heatmap_to_crop(keypoints, size, (maps.shape[1], maps.shape[2]))
        return found

    records = photographs.measured
    affines = crop_affine(np.stack([record.box for record in records]), size)
    crops = np.stack([crop(photographs.image(record), a, size) for record, a in zip(records, affines, strict=True)])
    padded = np.concatenate([crops, np.zeros((-len(crops) % batch, *crops.shape[1:]), np.uint8)])
    parts = [places(state, padded[start : start + batch]) for start in range(0, len(padded), batch)]
    truth, visible = (np.stack([getattr(r, name) for r in records]) for name in ("keypoints", "visible"))
    joined = {name: np.concatenate([np.asarray(part[name]) for part in parts])[: len(records)] for name in parts[0]}
    told = {
        name: [pck(to_image(found, affines), truth, visible, threshold).over(ANNOTATED) for threshold in THRESHOLDS]
        for name, found in joined.items()
    }
    if arm.hidden is not None:
        draw = jax.jit(walkers_drawer(size, 0.5))
        drawn = [draw(jax.random.split(jax.random.key(WALKERS + part), batch)) for part in range(8)]
        truth, weights = (np.concatenate([np.asarray(part[column]) for part in drawn]) for column in (1, 2))
        crops = [np.clip(np.round(np.asarray(part[0])), 0, 255).astype(np.uint8) for part in drawn]
        found = np.concatenate([np.asarray(places(state, part)["subpixel"]) for part in crops])
        torso = torso_length(truth, weights > 0)
        for name, counted in (("all joints", weights > 0), ("hidden joints", weights == 0.5)):
            told[f"walkers, {name}"] = [pck(found, truth, counted, share, torso).overall for share in THRESHOLDS]
    return told


def make_loss(arm: Arm, size: tuple[int, int], walkers: int = 0) -> Callable:
    """The arm's loss as `train.loop` wants it; so many `walkers` are drawn in the step, behind the photographs."""
    draw = None if arm.hidden is None else walkers_drawer(size, arm.hidden)

    def loss_fn(model, batch, rngs):
        images, keypoints, visible = (jnp.asarray(batch[name]) for name in ("images", "keypoints", "visible"))
        if draw is not None:
            drawn = draw(jax.random.split(rngs(), walkers))
            images, keypoints, visible = (
                jnp.concatenate([real.astype(walker.dtype), walker])
                for real, walker in zip((images, keypoints, visible), drawn, strict=True)
            )
        logits = model(images, train=True)
        shape = logits.shape[1:3]
        on_map = crop_to_heatmap(keypoints, size, shape)
        if arm.opinions:
            second = jnp.asarray(batch["opinion"])
            places = jnp.stack([on_map, crop_to_heatmap(second[..., :2], size, shape)], axis=1)
            shares = jnp.stack([visible, second[..., 2]], axis=1)
            return arm.loss(logits, mixture_targets(places, shares, shape, arm.size), shares.max(1)), {}
        return arm.loss(logits, encode_keypoints(on_map, visible, shape, arm.kind, arm.size), visible), {}

    return loss_fn


def train_arm(name: str, options: argparse.Namespace, photographs: Photographs) -> dict[str, list[float]]:
    """Train one arm's network, or read what came of it before."""
    arm = ARMS[name]
    size = (options.height, options.height * 3 // 4)
    network = MobilePoseConfig(options.width, *size)
    place = list(ARMS).index(name)
    folder = options.run / f"{place}-{options.width}-{options.height}-{options.batch}-{options.steps}"
    settings = {"arm": name, "loss": arm.loss.__name__, "kind": arm.kind, "size": arm.size, "batch": options.batch,
                "augment": dataclasses.asdict(arm.augment), "hidden": arm.hidden, "opinions": arm.opinions,
                "taught": arm.taught, **dataclasses.asdict(network)}  # fmt: skip
    settings = json.loads(json.dumps(settings))
    done = folder / "scores.json"
    if done.is_file() and json.loads(done.read_text())["settings"] == settings:
        return json.loads(done.read_text())["scores"]
    sample = make_sample(photographs.trained, photographs.image, size, arm.augment)
    count = len(photographs.trained)

    def learn(model: MobilePose, arm: Arm, walkers: int, to: Path) -> MobilePose:
        with Prefetch(lambda step: make_batch(step, options.batch - walkers, count, 0, sample)) as batches:
            return fit(
                model, make_loss(arm, size, walkers), batches, optimizer=OptimizerConfig(), steps=options.steps,
                directory=to, config=settings,
            )  # fmt: skip

    model = MobilePose(network, rngs=nnx.Rngs(0))
    if arm.taught:  # a photograph is there, since batches are made of them, but one of 32
        model = learn(model, Arm(hidden=0.7), options.batch - 1, folder / "walkers")
    model = learn(model, arm, 0 if arm.hidden is None else options.batch // 2, folder)
    found = scores(model, arm, photographs)
    written = done.with_suffix(".part")
    written.write_text(json.dumps({"settings": settings, "scores": found}, indent=1))
    written.replace(done)
    return found


def print_scores(title: str, rows: dict[str, dict[str, list[float]]]) -> None:
    """A table: one line for every way to decode every row's network."""
    print(f"\n| {title} | decoding | " + " | ".join(f"PCK@{threshold}" for threshold in THRESHOLDS) + " |")
    print("|---|---|" + "---|" * len(THRESHOLDS))
    for name, ways in rows.items():
        for way, values in ways.items():
            print(f"| {name} | {way} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GAITNET_DATA"), help="folder of data sets")
    parser.add_argument("--weights", default="pose", help="checkpoint for decoding and flip test")
    parser.add_argument("--steps", type=int, default=0, help="steps of every arm; 0 trains nothing")
    parser.add_argument("--width", type=float, default=0.25, help="width multiplier of the arms' network")
    parser.add_argument("--height", type=int, default=128, help="height of its crops in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--run", type=Path, default=Path("runs/choices"), help="folder of the arms' runs")
    parser.add_argument("--opinions", type=Path, help="file of train/blazepose.py, for the arm that heeds it")
    parser.add_argument("--arms", type=int, nargs="+", choices=range(len(ARMS)), default=list(range(len(ARMS))),
                        help="; ".join(f"{place} {name}" for place, name in enumerate(ARMS)))  # fmt: skip
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data: name the folder of data sets, or set GAITNET_DATA")
    arms = [list(ARMS)[arm] for arm in options.arms]
    if options.opinions is None:
        arms = [name for name in arms if not ARMS[name].opinions]
    try:
        photographs = Photographs(options.data, options.opinions)
        model, sha256 = load_model(
            options.weights, MobilePoseConfig, lambda config: MobilePose(config, rngs=nnx.Rngs(0))
        )
    except ValueError as error:
        parser.error(str(error))
    joints = sum(int(record.visible[ANNOTATED].sum()) for record in photographs.measured)
    print(f"{len(photographs.measured)} photographs, {joints} visible joints; percent within a share of the torso")
    print_scores(f"weights {options.weights}, sha256 {sha256[:12]}", {"as shipped": scores(model, Arm(), photographs)})
    if options.steps:
        rows = {name: train_arm(name, options, photographs) for name in arms}
        print_scores(f"{options.steps} steps of {options.batch}, x{options.width} at {options.height} pixels", rows)


if __name__ == "__main__":
    main()
