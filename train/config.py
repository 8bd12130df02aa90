"""What a run is made of: frozen dataclasses, and the named presets of every task; those of gait are in gait_config."""

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class OptimizerConfig:
    """Linear warm-up, a schedule and clipping by the global gradient norm, for one of three rules.

    `AdamW` (Loshchilov & Hutter, 2019), `SGD` with Nesterov's `momentum`, or `RMSProp` with TensorFlow's constants, by
    which the original's networks learned; it takes neither `b2` nor a weight decay. `schedule`: `cosine` falls to zero
    by the last step, `staircase` multiplies the rate by `decay_rate` every `decay_steps` steps, as the original did.
    """

    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    b2: float = 0.99
    rule: Literal["AdamW", "SGD", "RMSProp"] = "AdamW"
    momentum: float = 0.9
    schedule: Literal["cosine", "staircase"] = "cosine"
    decay_rate: float = 0.96
    decay_steps: int = 2000

    def __post_init__(self):
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must lie between 0 and 1, not {self.learning_rate}")
        if self.rule not in ("AdamW", "SGD", "RMSProp"):
            raise ValueError(f"rule: expected AdamW, SGD or RMSProp, got {self.rule!r}")
        if self.schedule not in ("cosine", "staircase"):
            raise ValueError(f"schedule: expected cosine or staircase, got {self.schedule!r}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum: expected a number from 0 to below 1, got {self.momentum}")
        if not 0 < self.decay_rate <= 1 or self.decay_steps < 1:
            raise ValueError(
                "decay_rate, decay_steps: expected a factor above 0, up to 1, and 1 step or more, got "
                f"{self.decay_rate} and {self.decay_steps}"
            )
        if self.rule == "RMSProp" and self.weight_decay:
            raise ValueError(f"weight_decay: RMSProp has none here, set it to 0; got {self.weight_decay}")


@dataclass(frozen=True)
class PoseTaskConfig:
    """The pose task: the network, how many samples of each source stand in a batch, and the heat maps it learns.

    `network`: `MobilePose`, whose crops are three quarters as wide as high (`width` multiplies its channels, `padding`
    is its trunk's), or one of the original's, whose crops are square; `blocks` is then how often their residual blocks
    are repeated, () for as often as in the original, and `dtype` what they compute in (bfloat16 is for accelerators).
    `loss`: `spatial_cross_entropy` (softmax maps) on Gaussians is for MobilePose; the original's networks learn sigmoid
    maps, by `sigmoid_cross_entropy` on discs or `mean_square` on Gaussians. `sigma` is the Gaussians' standard
    deviation and `diameter` the discs', in heat-map pixels (MobilePose's maps have a quarter of the crop's resolution).
    `backgrounds`: how many of the walkers stand before pieces of the photographs instead of before drawn walls.

    `data`: where photographs come from, LSPET with KTH's landmarked frames, or the releases that the original learned
    from; `every` so many-th frame of their videos. `augment` is what is done to photographs: ours, `harder` or the
    original's; `window` frames of one recording that follow each other are changed alike (1: each picture for itself).
    `half_body`: how often a photograph shows the upper or the lower body alone.

    `hidden_weight`: what a joint counts that is annotated behind something, 0 for nothing and 1 for as much as one that
    is seen; of the data here MPII tells. `walkers_hidden_weight` is that of walkers' joints which their own body hides.
    """

    network: Literal["MobilePose", "InceptionResNet", "PartDetector"] = "MobilePose"
    width: float = 0.5
    height: int = 192
    head_channels: int = 64
    padding: Literal["same", "symmetric"] = "same"
    blocks: tuple[int, ...] = ()
    dtype: Literal["float32", "bfloat16"] = "float32"
    loss: Literal["spatial_cross_entropy", "sigmoid_cross_entropy", "mean_square"] = "spatial_cross_entropy"
    diameter: float = 15.0
    steps: int = 6000
    photographs: int = 16
    landmarks: int = 6
    walkers: int = 10
    backgrounds: int = 0
    sigma: float = 1.5
    seed: int = 0
    data: Literal["lspet+kth", "mpii+lsp", "human36m"] = "lspet+kth"
    every: int = 1
    augment: Literal["ours", "harder", "original"] = "ours"
    window: int = 1
    half_body: float = 0.0
    hidden_weight: float = 1.0
    walkers_hidden_weight: float = 0.7
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self):
        if self.photographs + self.landmarks + self.walkers < 1:
            raise ValueError("a pose batch needs at least one sample: photographs, landmarks and walkers are all 0")
        if not 0 <= self.backgrounds <= self.walkers:
            raise ValueError(
                f"backgrounds: expected from 0 to as many as there are walkers ({self.walkers}), got {self.backgrounds}"
            )
        if self.backgrounds and not self.photographs:
            raise ValueError("backgrounds: they are cut from photographs, of which the batch has none")
        if self.network not in ("MobilePose", "InceptionResNet", "PartDetector"):
            raise ValueError(f"network: expected MobilePose, InceptionResNet or PartDetector, got {self.network!r}")
        if self.padding not in ("same", "symmetric"):
            raise ValueError(f"padding: expected same or symmetric, got {self.padding!r}")
        known = ("spatial_cross_entropy", "sigmoid_cross_entropy", "mean_square")
        if self.loss not in known or (self.loss == "spatial_cross_entropy") != (self.network == "MobilePose"):
            raise ValueError(
                "loss: MobilePose learns by spatial_cross_entropy, the others by sigmoid_cross_entropy or mean_square, "
                f"got {self.loss!r} for {self.network}"
            )
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype: expected float32 or bfloat16, got {self.dtype!r}")
        augments = ("ours", "harder", "original")
        if self.data not in ("lspet+kth", "mpii+lsp", "human36m") or self.augment not in augments:
            raise ValueError(
                "data, augment: expected lspet+kth, mpii+lsp or human36m, and ours, harder or original, got "
                f"{self.data!r} and {self.augment!r}"
            )
        if self.data != "lspet+kth" and self.landmarks:
            raise ValueError(f"landmarks: {self.data} has no landmarked frames, set it to 0; got {self.landmarks}")
        if self.every < 1 or self.window < 1 or self.photographs % self.window:
            raise ValueError(
                "every, window: expected 1 or more, and photographs in whole windows, got "
                f"{self.every}, {self.window} and {self.photographs} photographs"
            )
        for name in ("half_body", "hidden_weight", "walkers_hidden_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a number from 0 to 1, got {getattr(self, name)}")
        if self.half_body and (self.window > 1 or not self.photographs):
            raise ValueError(
                "half_body: it is for photographs, each for itself; this task has "
                + (f"windows of {self.window} frames" if self.window > 1 else "none")
            )
        if self.hidden_weight != 1 and self.data != "mpii+lsp":
            raise ValueError(
                f"hidden_weight: {self.data} does not tell which joints are hidden; mpii+lsp does, by MPII"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the crops, in pixels."""
        return self.height, self.height * 3 // 4 if self.network == "MobilePose" else self.height


POSE_PRESETS = {
    "lspet+walkers": PoseTaskConfig(photographs=16, landmarks=10, walkers=18, steps=7000),
    "no-kth": PoseTaskConfig(photographs=22, landmarks=0, walkers=22, steps=7000),
    "quality": PoseTaskConfig(
        width=1.0, height=256, head_channels=96, photographs=16, landmarks=10, walkers=18, steps=20000
    ),
    "small": PoseTaskConfig(height=128, photographs=32, landmarks=8, walkers=8, steps=12000),
    "large": PoseTaskConfig(
        photographs=32, landmarks=8, walkers=8, backgrounds=4, steps=3600, optimizer=OptimizerConfig(1e-3)
    ),
    "wide": PoseTaskConfig(
        width=1.0,
        head_channels=96,
        photographs=32,
        landmarks=8,
        walkers=8,
        backgrounds=4,
        steps=6000,
        optimizer=OptimizerConfig(1e-3),
    ),
    "lspet": PoseTaskConfig(photographs=32, landmarks=0, walkers=0, steps=2600),
    "walkers": PoseTaskConfig(photographs=0, landmarks=0, walkers=32, steps=3000),
}

# goes on where wide ended, slower, and on photographs that are changed more
POSE_PRESETS["wide-on"] = replace(POSE_PRESETS["wide"], augment="harder", steps=3800, optimizer=OptimizerConfig(7e-4))

_ORIGINAL = PoseTaskConfig(
    network="InceptionResNet", height=299, dtype="bfloat16", loss="sigmoid_cross_entropy", diameter=15.0, sigma=5.0,
    data="mpii+lsp", augment="original", photographs=32, landmarks=0, walkers=0, steps=60000,
    optimizer=OptimizerConfig(2.5e-4, 1000, weight_decay=0.0, clip_norm=2.0, rule="RMSProp"),
)  # fmt: skip
"""Network, targets, loss, rule and clipping are the original's, and so are the steps of the augmentation. It published
neither the batch nor the learning rate nor how long it learned: those are ours."""

_ON_RELEASES = {
    "": _ORIGINAL,
    "-detector": replace(_ORIGINAL, network="PartDetector", height=256, diameter=11.0),
    "-mobile": PoseTaskConfig(
        width=1.0, height=256, head_channels=96, data="mpii+lsp", photographs=64, landmarks=0, walkers=0, steps=40000
    ),
    # of the original's network what two CPU cores can train: 3 of its 30 blocks, on pictures of a fifth of the area
    "-cpu": replace(
        _ORIGINAL, height=139, blocks=(1, 2), dtype="float32", diameter=7.0, sigma=2.3, photographs=8, steps=4000,
        optimizer=replace(_ORIGINAL.optimizer, learning_rate=1e-3, warmup_steps=200),
    ),
}  # fmt: skip
"""Ending of a preset's name -> how the releases are learned from."""

POSE_PRESETS |= {f"mpii+lsp{ending}": config for ending, config in _ON_RELEASES.items()}
POSE_PRESETS |= {
    # four windows of eight frames a batch (one in -cpu); Human3.6M is filmed at 50 frames a second
    f"human36m{ending}": replace(config, data="human36m", every=5, window=8, steps=config.steps // 3)
    for ending, config in _ON_RELEASES.items()
}


@dataclass(frozen=True)
class DetectTaskConfig:
    """The detect task: a batch holds `scenes` real scenes and `walkers` rendered ones, `size` pixels square."""

    scenes: int = 12
    walkers: int = 4
    size: int = 256
    steps: int = 3000
    seed: int = 2
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(learning_rate=1.5e-3))

    def __post_init__(self):
        if self.scenes < 1 or self.walkers < 0:
            raise ValueError(f"scenes must be 1 or more and walkers 0 or more, got {self.scenes} and {self.walkers}")


DETECT_PRESETS = {"scenes+walkers": DetectTaskConfig(), "scenes": DetectTaskConfig(scenes=16, walkers=0)}


@dataclass(frozen=True)
class SilhouettesTaskConfig:
    """The silhouettes task: a batch holds `walks` half cycles of each of `people`, `frames` frames of each.

    `channels` to `batch_norm_decay` are the network's, as in `GaitBaseConfig`; `scale` multiplies the cosines of the
    cross-entropy, `margin` is the triplets'. `held_out`: so many half cycles of each person in the gallery are learned
    nothing from, but are looked at on other floors, which says by the gallery alone what a choice is worth.
    """

    subjects: int = 71
    people: int = 15
    walks: int = 4
    frames: int = 8
    steps: int = 2000
    channels: tuple[int, ...] = (16, 32, 64, 64)
    strides: tuple[int, ...] = (2, 1, 2, 1)
    together: Literal["features", "silhouettes"] = "silhouettes"
    parts: int = 8
    size: int = 64
    batch_norm_decay: float = 0.95
    scale: float = 16.0
    margin: float = 0.2
    held_out: int = 0
    seed: int = 1
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(3e-3, 100, weight_decay=0.05))

    def __post_init__(self):
        if not 2 <= self.people <= self.subjects or self.walks < 2 or not 1 <= self.frames <= 10:
            raise ValueError(
                f"people, walks, frames: expected 2 to {self.subjects} people, 2 or more walks and 1 to 10 frames, got "
                f"{self.people}, {self.walks} and {self.frames}"
            )
        if self.held_out < 0:
            raise ValueError(f"held_out: expected 0 or more half cycles of each person, got {self.held_out}")


SILHOUETTES_PRESETS = {
    "usf": SilhouettesTaskConfig(),
    "usf-held-out": SilhouettesTaskConfig(held_out=3),
    # a set of frames as GaitBase has it, for which a CPU has time for a few
    "usf-frames": SilhouettesTaskConfig(
        people=12, walks=3, frames=4, steps=900, strides=(2, 2, 1, 1), together="features"
    ),
}
