"""How well a pose network does in training: its joints in held-out pictures, against the annotated ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from gaitnet.evaluation.joints import BUT_TRUNK
from humanpose.datasets.record import PoseRecord
from humanpose.heatmaps import heatmap_to_crop
from humanpose.metrics import grid_scale, mean_distance, pck, pckh
from humanpose.preprocess import crop, crop_affine
from humanpose.skeleton import FLIP

Images = Callable[[PoseRecord], np.ndarray]


def make_evaluation(sets: Mapping[str, Sequence[PoseRecord]], images: Images, size: tuple[int, int], batch: int = 32):
    """Measures on each held-out set what `measures` names: `evaluate(model) -> {"pck_<set>": share, ...}`."""

    @partial(jax.jit, static_argnums=0)
    def joints(graphdef, state, crops):
        network: Any = nnx.merge(graphdef, state)
        maps, _ = network.forward(crops)
        return heatmap_to_crop(network.decode(maps)[0], crops.shape[1:3], maps.shape[1:3], network.offset)

    def evaluate(model: nnx.Module) -> dict[str, float]:
        graphdef, state = nnx.split(model)
        found = partial(joints, graphdef, state)
        return {
            f"{measure}_{name}": value
            for name, rows in sets.items()
            for measure, value in measures(find(found, rows, images, size, batch), rows).items()
        }

    return evaluate


def measures(found: np.ndarray, records: Sequence[PoseRecord]) -> dict[str, float]:
    """What joints found (person, joint, xy; image pixels) are worth: PCK@0.2 (torso), distance on the 299 grid.

    Also PCKh@0.5, for records that have the length of a head; as `gaitnet evaluate pose` measures it.
    """
    keypoints, visible = np.stack([one.keypoints for one in records]), np.stack([one.visible for one in records])
    heads, boxes = np.array([one.head for one in records]), np.stack([one.box for one in records])
    scores = {"pck": pck(found, keypoints, visible)}
    scores["distance"] = mean_distance(found, keypoints, visible, grid_scale(boxes))
    if np.isfinite(heads).any():
        scores["pckh"] = pckh(found, keypoints, visible, reference=heads)
    told = {name: score.overall for name, score in scores.items() if score.images}
    if "pckh" in told:  # MPII is measured without pelvis and thorax
        told["pckh"] = scores["pckh"].over(BUT_TRUNK)
    return told


def find(
    joints: Callable, records: Sequence[PoseRecord], images: Images, size: tuple[int, int], batch: int = 32
) -> np.ndarray:
    """Joints (person, joint, xy; image pixels) of records, by `joints(crops) -> (batch, joint, xy)` in crop pixels."""
    found = []
    for start in range(0, len(records), batch):
        part = records[start : start + batch]
        affines = [crop_affine(record.box, size, mirror=record.walks_left) for record in part]
        crops = np.stack([crop(images(record), affine, size) for record, affine in zip(part, affines, strict=True)])
        padded = np.concatenate([crops, np.zeros((batch - len(part), *crops.shape[1:]), np.uint8)])
        rows = np.asarray(joints(padded))[: len(part)]
        named = [row[FLIP] if record.walks_left else row for row, record in zip(rows, part, strict=True)]
        found += [row @ affine[:, :2].T + affine[:, 2] for row, affine in zip(named, affines, strict=True)]
    return np.stack(found)
