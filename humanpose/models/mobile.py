"""MobilePose: a MobileNetV2 trunk and a small pyramid head, light enough for video on two CPU cores.

From deep to shallow: the stride-32 map is widened and pixel-shuffled to stride 16, added to a 1x1 projection of the
trunk's map there, the same again to stride 8, a depthwise-separable refinement, and a 1x1 convolution that is
pixel-shuffled to one logit map per joint at stride 4. (A feature pyramid after Lin et al., CVPR 2017, with the
sub-pixel upsampling of Shi et al., CVPR 2016.)
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from humanpose import ops
from humanpose.heatmaps import decode_joint_maps
from humanpose.models.mobilenet_v2 import (
    ConvBatchNorm,
    MobileNetV2,
    MobileNetV2Config,
    Padding,
    UpMerge,
    draw_kernel,
)
from humanpose.models.network import Images, JointMaps, PoseNetwork

GRID = 17
"""Rows and columns of the pose features, those of the original HumanPoseNN's stride-17 map of a 299-pixel image."""


@dataclass(frozen=True)
class MobilePoseConfig:
    """`width_multiplier` scales the trunk; `image_height`, `image_width` in pixels (multiples of 8).

    `padding` is the trunk's, as MobileNetV2Config has it.
    """

    width_multiplier: float = 0.5
    image_height: int = 192
    image_width: int = 144
    joints: int = 16
    head_channels: int = 64
    padding: Padding = "same"

    def __post_init__(self) -> None:
        for name in ("image_height", "image_width"):
            value = getattr(self, name)
            if value % 8 or not 32 <= value <= 2048:
                raise ValueError(f"{name}: expected a multiple of 8 pixels, 32 to 2048, got {value}")
        # a checkpoint's own words: they decide how much memory is taken before its arrays are looked at
        for name, most in (("width_multiplier", 8), ("joints", 1000), ("head_channels", 4096)):
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"{name}: expected a number above 0, up to {most}, got {getattr(self, name)}")

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of the joint maps: the image at stride 4."""
        return self.image_height // 4, self.image_width // 4


MOBILE_X05 = MobilePoseConfig()
MOBILE_X10 = MobilePoseConfig(width_multiplier=1.0, image_height=256, image_width=192, head_channels=96)


class JointHead(nnx.Module):
    """Feature maps at strides 8, 16, 32 -> joint logits at stride 4."""

    def __init__(self, channels: tuple[int, int, int], features: int, joints: int, *, rngs: nnx.Rngs) -> None:
        self.to_16 = UpMerge(channels[2], channels[1], features, rngs=rngs)
        self.to_8 = UpMerge(features, channels[0], features, rngs=rngs)
        self.refine_depthwise = ConvBatchNorm(features, features, 3, depthwise=True, rngs=rngs)
        self.refine = ConvBatchNorm(features, features, 1, rngs=rngs)
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (1, 1, features, 4 * joints), 0.01))
        self.bias = nnx.Param(jnp.zeros(4 * joints))

    def __call__(
        self,
        stride_8: Float[Array, "batch height_8 width_8 channel_8"],
        stride_16: Float[Array, "batch height_16 width_16 channel_16"],
        stride_32: Float[Array, "batch height_32 width_32 channel_32"],
        train: bool = False,
        lowering: ops.Lowering = "auto",
    ) -> Float[Array, "batch height_4 width_4 joint"]:
        """Logits, twice the size of the stride-8 map."""
        merged = self.to_8(self.to_16(stride_32, stride_16, train, lowering), stride_8, train, lowering)
        refined = self.refine(self.refine_depthwise(merged, train, lowering), train, lowering)
        logits = ops.convolution(refined, self.kernel[...], lowering=lowering) + self.bias[...][None, None, None]
        return ops.pixel_shuffle(logits)


class MobilePose(PoseNetwork):
    """Person crops -> joint maps and the pose features that GaitNN takes.

    Images are meant to be of the config's height and width, but any multiples of 8 run.
    """

    decode = staticmethod(decode_joint_maps)
    decoding = "subpixel"
    offset = 0.5
    apart = 3.5

    def __init__(self, config: MobilePoseConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.size = (config.image_height, config.image_width)
        self.trunk = MobileNetV2(MobileNetV2Config(config.width_multiplier, 0, config.padding), rngs=rngs)
        self.head = JointHead(self.trunk.stride_channels, config.head_channels, config.joints, rngs=rngs)

    def __call__(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> JointMaps:
        """Joint logits at stride 4: cell (row, column) covers image pixels 4 * row .. 4 * row + 3 of its axis.

        `rngs` is for pose networks that drop out in training, which this one does not.
        """
        scaled = images.astype(jnp.float32) * (2 / 255) - 1
        return self.head(*self.trunk(scaled, train, lowering), train, lowering)

    def to_maps(self, logits: JointMaps) -> JointMaps:
        """Where each joint is: a probability over the positions of its map (each map sums to 1)."""
        return jax.nn.softmax(logits, axis=(1, 2))

    def forward(self, images: Images) -> tuple[JointMaps, Float[Array, "batch 17 17 joint"]]:
        """(joint maps, pose features) of one pass through the network.

        The features are the maps' probability on a fixed 17 x 17 grid, one channel a joint: the counterpart of the
        original HumanPoseNN's 17 x 17 x 32 features. Each channel sums to 1, and its expected position is that of the
        joint map (`ops.carry_to_grid`).
        """
        maps = self.joint_maps(images)
        return maps, ops.carry_to_grid(maps, GRID)
