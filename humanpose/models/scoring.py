"""The head of both original pose networks: features of few channels, painted into one large logit map per joint."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from humanpose import ops
from humanpose.models.mobilenet_v2 import draw_kernel


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
