"""The pose task: photographs, landmarked frames and walkers in every batch; the network and loss of the config."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from humanpose.heatmaps import crop_to_heatmap, encode_keypoints
from humanpose.losses import mixture_targets
from train.config import PoseTaskConfig
from train.pose_batches import make_batches as make_batches
from train.pose_evaluation import make_evaluation as make_evaluation
from train.pose_networks import new_model as new_model
from train.pose_networks import pose_loss


def make_loss(config: PoseTaskConfig, draw_walkers: Callable | None = None):
    """The task's loss; `draw_walkers(keys, backgrounds) -> (images, keypoints, visible)` renders on the device."""
    loss_of = pose_loss(config)
    kind, extent = ("disc", config.diameter) if config.loss == "sigmoid_cross_entropy" else ("gaussian", config.sigma)

    def loss_fn(model, batch, rngs):
        images = batch["images"].astype(jnp.float32)
        keypoints, visible = batch["keypoints"], batch["visible"]
        if draw_walkers is not None:
            keys = jax.random.split(rngs(), batch["walkers"].shape[0])
            drawn = draw_walkers(keys, batch["backgrounds"]) if config.backgrounds else draw_walkers(keys)
            images, keypoints, visible = (
                jnp.concatenate([real, walker.astype(real.dtype)])
                for real, walker in zip((images, keypoints, visible), drawn, strict=True)
            )
        logits = model(images, train=True, rngs=rngs)
        size, shape = images.shape[1:3], logits.shape[1:3]
        on_map = crop_to_heatmap(keypoints, size, shape, model.offset)
        if config.loss == "spatial_cross_entropy":
            # the walkers, who come last, have one opinion: the truth
            second = jnp.pad(batch["opinion"], ((0, visible.shape[0] - batch["opinion"].shape[0]), (0, 0), (0, 0)))
            places = jnp.stack([on_map, crop_to_heatmap(second[..., :2], size, shape, model.offset)], axis=1)
            shares = jnp.stack([visible, second[..., 2]], axis=1)
            targets, weights = mixture_targets(places, shares, shape, config.sigma), shares.max(1)
        else:
            targets = encode_keypoints(on_map, visible, shape, kind, extent)
            # as in the original, a joint that lies beyond the crop counts: there is nothing of it to be seen
            weights = jnp.concatenate([batch["present"], visible[batch["present"].shape[0] :]])
        loss = loss_of(logits, targets, weights)
        found, _ = model.decode(model.to_maps(jax.lax.stop_gradient(logits)))
        distance = jnp.linalg.norm(found - on_map, axis=-1) * size[0] / shape[0]
        return loss, {"distance_pixels": jnp.sum(distance * visible) / jnp.maximum(jnp.sum(visible), 1)}

    return loss_fn
