"""What both original pose networks share: a head that paints features of few channels into one large map per joint."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from humanpose import ops
from humanpose.heatmaps import decode_smoothed
from humanpose.models.mobilenet_v2 import draw_kernel
from humanpose.models.network import Images, JointMaps, PoseFeatures, PoseNetwork


class ScoringHead(nnx.Module):
    """A linear 1x1 convolution (its result are the pose features), then a transposed one whose kernel is its stride."""

    def __init__(self, channel: int, features: int, joints: int, stride: int, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(draw_kernel(rngs.params(), (1, 1, channel, features), channel**-0.5))
        self.bias = nnx.Param(jnp.asarray(np.zeros(features, np.float32)))
        # (row, column, joint, feature), as TensorFlow keeps it
        self.up_kernel = nnx.Param(draw_kernel(rngs.params(), (stride, stride, joints, features), 0.01))
        self.up_bias = nnx.Param(jnp.asarray(np.zeros(joints, np.float32)))

    def __call__(
        self, images: Float[Array, "batch height width channel"], lowering: ops.Lowering = "auto"
    ) -> tuple[Float[Array, "batch height width features"], Float[Array, "batch tall wide joint"]]:
        """(pose features, logits `stride` times as large), both float32."""
        scored = ops.convolution(images, self.kernel[...].astype(images.dtype), lowering=lowering)
        scored = scored + self.bias[...].astype(images.dtype)[None, None, None]
        painted = ops.transposed_convolution(scored, self.up_kernel[...].astype(images.dtype), lowering)
        return scored.astype(jnp.float32), painted.astype(jnp.float32) + self.up_bias[...][None, None, None]


class ScoringNetwork(PoseNetwork):
    """What both original networks do with the pose features and the logits of `score`, which each computes its way."""

    decode = staticmethod(decode_smoothed)
    decoding = "argmax"
    offset = 0.0

    def __call__(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> JointMaps:
        """Joint logits, about as large as the image; with `train`, `rngs` are needed where the config has dropout."""
        return self.score(images, train, lowering, rngs)[1]

    def to_maps(self, logits: JointMaps) -> JointMaps:
        """How probable each joint is at every pixel of its map (sigmoid)."""
        return nnx.sigmoid(logits)

    def forward(self, images: Images) -> tuple[JointMaps, PoseFeatures]:
        """(joint maps, pose features) of one pass; the features are the last layer before the joints are painted."""
        features, logits = self.score(images)
        return self.to_maps(logits), features

    def score(
        self, images: Images, train: bool = False, lowering: ops.Lowering = "auto", rngs: nnx.Rngs | None = None
    ) -> tuple[PoseFeatures, JointMaps]:
        """(pose features, logits)."""
        raise NotImplementedError


def drop_out(
    features: Float[Array, "*shape"], share: float, rngs: nnx.Rngs | None, train: bool
) -> Float[Array, "*shape"]:
    """In training, zero a `share` of the numbers, drawn from `rngs`' stream "dropout", and raise the others to match.

    Raises ValueError where training has no `rngs`.
    """
    if not train or share == 0:
        return features
    if rngs is None:
        raise ValueError("rngs: training with dropout needs nnx.Rngs(dropout=key); pass one or set dropout=0")
    kept = jax.random.bernoulli(rngs.dropout(), 1 - share, features.shape)
    return jnp.where(kept, features / (1 - share), 0)
