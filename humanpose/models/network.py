"""What every pose network is to those who use it: crops in, joint maps and pose features out, and how maps are read."""

from typing import ClassVar, Literal, TypeAlias

from flax import nnx
from jaxtyping import Array, Float, UInt8

from humanpose import ops

Images: TypeAlias = Float[Array, "batch height width 3"] | UInt8[Array, "batch height width 3"]
JointMaps: TypeAlias = Float[Array, "batch map_height map_width joint"]
PoseFeatures: TypeAlias = Float[Array, "batch grid grid feature"]
Decoding: TypeAlias = Literal["argmax", "subpixel"]


class PoseNetwork(nnx.Module):
    """A network that finds the joints of the person in a crop.

    Images everywhere are RGB, 0..255, uint8 or float, meant to be of the network's `size`, (height, width) in pixels.

    How its maps are read: `decode` takes them and a `Decoding`, of which `decoding` is the network's own; `offset` says
    how their pixels lie on the crop's (`heatmaps.heatmap_to_crop`), `apart` how many of them a second place of a joint
    is from the first (`heatmaps.elsewhere`).
    """

    decoding: ClassVar[Decoding]
    offset: ClassVar[float]
    apart: ClassVar[float]
    size: tuple[int, int]

    @staticmethod
    def decode(maps: Array, decoding: Decoding, /) -> tuple[Array, Array]:
        """Joint maps -> (keypoints (batch, joint, xy) in heat-map pixels, probability (batch, joint))."""
        raise NotImplementedError

    def __call__(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> JointMaps:
        """Joint logits. `train` normalises by the batch's statistics, moves the running ones, drops out with `rngs`."""
        raise NotImplementedError

    def to_maps(self, logits: JointMaps) -> JointMaps:
        """How probable each joint is at every place of its map."""
        raise NotImplementedError

    def forward(self, images: Images) -> tuple[JointMaps, PoseFeatures]:
        """(joint maps, pose features) of one pass through the network."""
        raise NotImplementedError

    def joint_maps(self, images: Images) -> JointMaps:
        """Where each joint is."""
        return self.to_maps(self(images))

    def pose_features(self, images: Images) -> PoseFeatures:
        """What GaitNN takes."""
        return self.forward(images)[1]
