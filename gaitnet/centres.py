"""Boxes <-> centre maps: the detector's targets, its loss, and the way back to boxes. Arrays only, no network.

A cell (row, column) of a map with `stride` covers pixels stride * column .. stride * (column + 1) of the picture's
outline coordinates (pixel k spans k .. k + 1), in which boxes x0, y0, x1, y1 are given.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class CentreTargets(NamedTuple):
    """What the maps should be: heat (0..1, 1 at centres), boxes in cells, and how much each cell's box counts."""

    heat: Float[Array, "batch row column"]
    boxes: Float[Array, "batch row column 4"]
    weight: Float[Array, "batch row column"]


def encode_boxes(
    boxes: Float[Array, "batch person 4"],
    present: Float[Array, "batch person"],
    grid: tuple[int, int],
    stride: int = 8,
) -> CentreTargets:
    """Boxes in pixels, of which `present` (1 or 0) are real -> targets for a map of `grid` (rows, columns).

    Each person is a Gaussian about the box centre, a tenth of the box wide and high but at least 0.7 cells, that is
    1 at the cell that holds the centre; where people meet, the stronger one owns the cell.
    """
    rows, columns = grid
    cells = boxes / stride
    middle = (cells[..., :2] + cells[..., 2:]) / 2
    spread = jnp.maximum(0.1 * (cells[..., 2:] - cells[..., :2]), 0.7)
    x = jnp.arange(columns, dtype=jnp.float32)[None, None, None, :]
    y = jnp.arange(rows, dtype=jnp.float32)[None, None, :, None]
    limits = jnp.array([columns - 1, rows - 1], jnp.float32)[None, None]
    home = jnp.clip(jnp.floor(middle), 0.0, limits)[..., None, None]
    wide = spread[..., None, None]
    away = ((x - home[:, :, 0]) / wide[:, :, 0]) ** 2 + ((y - home[:, :, 1]) / wide[:, :, 1]) ** 2
    heat = jnp.exp(-0.5 * away) * present[..., None, None]  # (batch, person, row, column)
    owner = jnp.argmax(heat, 1)
    strongest = jnp.max(heat, 1)
    owned = jax.vmap(lambda own, of: own[of])(cells, owner)
    return CentreTargets(strongest, owned, jnp.where(strongest > 0.5, strongest, 0.0))


def centre_loss(
    logits: Float[Array, "batch row column"], sides: Float[Array, "batch row column 4"], targets: CentreTargets
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Penalty-reduced focal loss on centres (Law and Deng, CornerNet, 2018) plus IoU loss on boxes; and both parts."""
    sure = jax.nn.log_sigmoid(logits)
    unsure = jax.nn.log_sigmoid(-logits)
    chance = jax.nn.sigmoid(logits)
    peak = (targets.heat > 0.999).astype(logits.dtype)
    found = -((1 - chance) ** 2) * sure * peak
    false = -((1 - targets.heat) ** 4) * chance**2 * unsure * (1 - peak)
    people = jnp.maximum(peak.sum(), 1.0)
    centres = (found.sum() + false.sum()) / people
    overlap = _iou(boxes_in_cells(sides), targets.boxes)
    weight = jnp.maximum(targets.weight.sum(), 1.0)
    box = (-jnp.log(jnp.clip(overlap, 1e-3, 1.0)) * targets.weight).sum() / weight
    mean = (overlap * targets.weight).sum() / weight
    return centres + 2.0 * box, {"centre_loss": centres, "box_loss": box, "box_iou": mean}


def decode_boxes(
    logits: Float[Array, "batch row column"], sides: Float[Array, "batch row column 4"], stride: int = 8, most: int = 16
) -> tuple[Float[Array, "batch most 4"], Float[Array, "batch most"]]:
    """Centre maps -> the `most` strongest peaks: boxes in pixels of the picture, scores 0..1, strongest first.

    A peak is a cell stronger than its eight neighbours (maximum pooling); places that are left over score 0.
    """
    scores = jax.nn.sigmoid(logits)
    shifted = jnp.pad(scores, ((0, 0), (1, 1), (1, 1)))
    rows, columns = scores.shape[1:]
    around = jnp.stack([shifted[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3)])
    peaks = jnp.where(scores >= around.max(0), scores, 0.0)
    best, places = jax.lax.top_k(peaks.reshape(len(peaks), -1), min(most, rows * columns))
    flat = boxes_in_cells(sides).reshape(len(peaks), -1, 4)
    return jnp.take_along_axis(flat, places[..., None], 1) * stride, best


def boxes_in_cells(sides: Float[Array, "batch row column 4"]) -> Float[Array, "batch row column 4"]:
    """Log distances (left, top, right, bottom) from every cell's centre -> boxes x0, y0, x1, y1 in cells."""
    rows, columns = sides.shape[1:3]
    x = jnp.broadcast_to(jnp.arange(columns)[None, :] + 0.5, (rows, columns))
    y = jnp.broadcast_to(jnp.arange(rows)[:, None] + 0.5, (rows, columns))
    reach = jnp.exp(sides)
    x, y = x[None], y[None]
    return jnp.stack([x - reach[..., 0], y - reach[..., 1], x + reach[..., 2], y + reach[..., 3]], -1)


def _iou(a: Array, b: Array) -> Array:
    low, high = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    both = jnp.prod(jnp.maximum(high - low, 0), -1)
    area = [jnp.prod(jnp.maximum(box[..., 2:] - box[..., :2], 0), -1) for box in (a, b)]
    return both / jnp.maximum(area[0] + area[1] - both, 1e-6)
