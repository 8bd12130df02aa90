"""The gait task's settings and presets: who is learned from, by which network, and by which recipe."""

from dataclasses import dataclass, field
from typing import Literal

from train.config import OptimizerConfig


@dataclass(frozen=True)
class GaitRecipe:
    """How identification vectors are learned: the loss, the head it needs, and what is done to a walk beforehand.

    `loss`: cross-entropy over the training's people, its target smoothed by `label_smoothing`; alone, or with the
    supervised contrastive loss or the batch-all triplet loss on the identification vectors (`margin`, Euclidean).
    `neck`: the head that cross-entropy reads stands behind a BN neck, and the metric loss has the vector for itself.
    `dropout`: share of the vector that the head does not see. `batch_norm_scale`, `batch_norm_decay`: GaitNN's.

    Changes of a walk, each drawn anew (`train.gait_augment`): `tempo`, the most by which the logarithm of its speed is
    off; `shortest`, the least maps that are cut out of it (0: none is cut); `dropped`, share of its maps that are
    missing; `mirrored`, how often its sides are exchanged; `trembling`, the most of the s.d. of joints from map to map,
    percent of height. By the first three a batch holds walks of many lengths.
    """

    loss: Literal["entropy", "entropy+contrast", "entropy+triplet"] = "entropy+contrast"
    label_smoothing: float = 0.1
    margin: float = 0.2
    neck: bool = False
    dropout: float = 0.3
    batch_norm_scale: bool = True
    batch_norm_decay: float = 0.98
    tempo: float = 0.0
    shortest: int = 0
    dropped: float = 0.0
    mirrored: float = 0.0
    trembling: float = 0.0

    def __post_init__(self):
        known = ("entropy", "entropy+contrast", "entropy+triplet")
        if self.loss not in known:
            raise ValueError(f"loss: expected {', '.join(known)}, got {self.loss!r}")
        if self.neck and self.loss == "entropy":
            raise ValueError("neck: it parts cross-entropy from a metric loss, and the loss is cross-entropy alone")
        for name in ("label_smoothing", "dropout", "batch_norm_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a number from 0 to below 1, got {getattr(self, name)}")
        if not 0 < self.margin <= 10:
            raise ValueError(f"margin: expected a distance above 0, up to 10, got {self.margin}")
        for name, most in (("tempo", 0.5), ("dropped", 0.5), ("mirrored", 1.0), ("trembling", 10.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}: expected a number from 0 to {most:g}, got {getattr(self, name)}")
        if self.shortest < 0:
            raise ValueError(f"shortest: expected a number of maps, or 0 to cut nothing, got {self.shortest}")

    @property
    def changes(self) -> bool:
        """Whether walks are changed at all."""
        return any((self.tempo, self.shortest, self.dropped, self.mirrored, self.trembling))


ORIGINAL = GaitRecipe("entropy", label_smoothing=0.0, batch_norm_scale=False, batch_norm_decay=0.999)
"""Plain cross-entropy, three tenths dropped, batch norm without gamma; its own L2 term never reached its loss."""

MODERN = GaitRecipe(
    "entropy+triplet", neck=True, dropout=0.0, tempo=0.1, shortest=13, dropped=0.1, mirrored=0.5, trembling=0.5
)
"""After GaitBase (Fan et al., OpenGait, CVPR 2023), which has the losses and the neck; the changes are ours."""


@dataclass(frozen=True)
class GaitTaskConfig:
    """The gait task: a batch holds `walks` walks of each of `people` of the `subjects` training identities.

    Their walks are drawn as keypoints; of `seen` people, drawn anew, walks are read that the pose network followed.
    `deep`: with the residual blocks that the original declares and leaves out.
    `distil`: learn nothing but to see in the maps what a teacher, a SkeletonGRU, reads off the joints.

    `frames` maps a walk at `gaitnet.pose_maps.RATE`; `view_spread` degrees about the side view, or with probability
    `any_view` any view; `contrast` weighs the contrastive loss beside the cross-entropy.
    `hurry`: s.d. of the logarithm of how much faster than usual a drawn walk is, beside what walkers vary themselves.
    `real`: share of the walks that are changed to look as the pose network sees real video (`train.real`); with
    `offset`, the s.d. at most, percent of height, by which their joints are off all the time.
    `recipe`: the loss and the head, and how walks are changed (`GaitRecipe`).
    """

    subjects: int = 2000
    people: int = 12
    seen: int = 0
    walks: int = 4
    frames: int = 20
    steps: int = 4000
    view_spread: float = 12.0
    any_view: float = 0.3
    hurry: float = 0.0
    real: float = 0.0
    offset: float = 0.0
    network: Literal["GaitNN", "SkeletonGRU"] = "GaitNN"
    deep: bool = False
    distil: bool = False
    contrast: float = 1.0
    recurrent_unit: Literal["GRU", "LSTM"] = "GRU"
    layers: int = 1
    multiplier: float = 0.5
    size: int = 256
    seed: int = 1
    recipe: GaitRecipe = field(default_factory=GaitRecipe)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=1e-3, weight_decay=0.01))

    def __post_init__(self):
        if self.people > self.subjects:
            raise ValueError(f"people: a batch of {self.people} people cannot be drawn from {self.subjects} subjects")
        if self.network not in ("GaitNN", "SkeletonGRU"):
            raise ValueError(f"network: expected GaitNN or SkeletonGRU, got {self.network!r}")
        if self.hurry < 0 or self.offset < 0 or not 0 <= self.real <= 1:
            raise ValueError(
                f"hurry and offset must be 0 or more, real from 0 to 1, got {self.hurry}, {self.offset}, {self.real}"
            )
        if self.real and not self.seen:
            raise ValueError("real: real video is compared with followed walks; set seen")
        if self.distil and self.network == "SkeletonGRU":
            raise ValueError("distil: a SkeletonGRU has no teacher; GaitNN has")
        if self.distil and self.optimizer.weight_decay:
            raise ValueError("distil: weight decay would wear away the layers that are taken over; set it to 0")
        if self.distil and self.recipe != GaitRecipe():
            raise ValueError("distil: a student learns from its teacher's frames alone; leave the recipe as it is")
        if self.recipe.shortest > self.frames:
            raise ValueError(f"shortest: a walk has {self.frames} maps, got {self.recipe.shortest}")
        if self.recipe.loss == "entropy+triplet" and (self.walks < 2 or self.people + self.seen < 2):
            raise ValueError(
                "walks, people: triplets need two people or more in a batch, with two walks or more of each, got "
                f"{self.people + self.seen} with {self.walks}"
            )
        if self.seed >= 7_000_000:
            raise ValueError(f"seed: crowds from 7,000,000 on are kept for evaluation, got {self.seed}")


GAIT_PRESETS = {
    "walkers": GaitTaskConfig(),
    "skeleton": GaitTaskConfig(
        subjects=8000,
        people=24,
        seen=16,
        frames=26,
        steps=5500,
        any_view=0.15,
        hurry=0.12,
        real=0.5,
        offset=1.2,
        network="SkeletonGRU",
        optimizer=OptimizerConfig(2e-3, weight_decay=0.02),
    ),
    "distil": GaitTaskConfig(
        subjects=8000,
        people=5,
        seen=5,
        walks=2,
        steps=3200,
        any_view=0.15,
        hurry=0.12,
        real=0.5,
        offset=1.2,
        distil=True,
        optimizer=OptimizerConfig(2e-3, 100, weight_decay=0.0),
    ),
    "short": GaitTaskConfig(
        subjects=400, people=16, walks=2, steps=1200, any_view=0.2, optimizer=OptimizerConfig(7e-4, 60, 0.01)
    ),
    "side": GaitTaskConfig(any_view=0.0, view_spread=8.0),
    "deep": GaitTaskConfig(deep=True),
    # a step sees one walk of one of 100 people, TUM-GAID's to learn from, by whose 1000 walks the rate falls
    "original": GaitTaskConfig(
        subjects=100,
        people=1,
        walks=1,
        frames=32,
        steps=100_000,
        any_view=0.0,
        view_spread=8.0,
        multiplier=1.0,
        size=512,
        recipe=ORIGINAL,
        optimizer=OptimizerConfig(
            1e-4, 0, weight_decay=0.0, clip_norm=0.1, rule="RMSProp", schedule="staircase", decay_steps=2000
        ),
    ),
    "modern": GaitTaskConfig(frames=26, recipe=MODERN),
    "modern-sgd": GaitTaskConfig(
        frames=26, recipe=MODERN, optimizer=OptimizerConfig(0.1, weight_decay=5e-4, rule="SGD")
    ),
}
"""`original`: the rule, its clipping and schedule, the loss, the network and the batch are the original's; it published
neither the rate to begin with, nor for how long it learned, nor a length to cut walks to: those are ours."""
