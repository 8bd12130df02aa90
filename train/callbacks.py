"""What a run writes down while it goes: `metrics.jsonl`, TensorBoard events, and curves as one PNG."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class CurveWriter:
    """Appends metrics to a run's folder; on leaving, draws them all as `curves.png`."""

    def __init__(self, directory: Path, start: int):
        """Opens the folder of a run that (re)starts at step `start`: later lines of an interrupted run are dropped."""
        from tensorboardX import SummaryWriter

        self._directory = directory
        self._lines = directory / "metrics.jsonl"
        kept = [row for row in read_metrics(directory) if row["step"] <= start]
        temporary = self._lines.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))
        os.replace(temporary, self._lines)
        self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=start + 1)

    def write(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """One line of metrics, measured on `split` ("train" or "validation") after `step` steps."""
        with self._lines.open("a") as file:
            file.write(json.dumps({"step": step, "split": split, **{k: float(v) for k, v in metrics.items()}}) + "\n")
        for name, value in metrics.items():
            self._events.add_scalar(f"{split}/{name}", value, step)
        if split == "validation":
            draw_curves(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()
        draw_curves(self._directory)


def read_metrics(directory: Path) -> list[dict]:
    """The lines of a run's `metrics.jsonl`, oldest first, up to one that is damaged: a kill may cut off the last."""
    path = directory / "metrics.jsonl"
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not (isinstance(row, dict) and isinstance(row.get("step"), int) and "split" in row):
            break
        rows.append(row)
    return rows


def draw_curves(directory: Path) -> None:
    """Draws every metric of `metrics.jsonl` against the step, one panel a metric, into `curves.png`."""
    from matplotlib.figure import Figure

    rows = read_metrics(directory)
    names = sorted({name for row in rows for name in row} - {"step", "split"})
    if not names:
        return
    columns = min(3, len(names))
    rows_of_panels = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * rows_of_panels), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows_of_panels, columns, place + 1)
        for split, style in (("train", "-"), ("validation", "o-")):
            points = [(row["step"], row[name]) for row in rows if row["split"] == split and name in row]
            if points:
                axes.plot(*zip(*points, strict=True), style, markersize=3, linewidth=1, label=split)
        axes.set(title=name.replace("_", " "), xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    temporary = directory / "curves.tmp.png"
    figure.savefig(temporary, dpi=100)
    os.replace(temporary, directory / "curves.png")
