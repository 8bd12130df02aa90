"""A run's newest weights: as the starting point of another run, or packed for the packages to ship."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from humanpose.checkpoint import fill, flatten, load, save
from train.checkpoint import RUN_CONFIG, RunCheckpoints, read_config
from train.config import DetectTaskConfig, OptimizerConfig, PoseTaskConfig, SilhouettesTaskConfig
from train.gait_config import GaitRecipe, GaitTaskConfig
from train.loop import init_state, make_optimizer


def run_config(run: Path) -> dict[str, Any]:
    """The settings that a run was started with; ValueError where `run` is not a run's folder."""
    config = read_config(run)
    if not isinstance(config.get("optimizer"), dict) or not isinstance(config.get("steps"), int):
        raise ValueError(f"{run} is not the folder of a run: its config.json names no optimizer and steps")
    return config


def newest_weights(run: Path, model: nnx.Module) -> int:
    """Fills `model` with the newest weights of `run`; returns the step they are from.

    Raises:
        ValueError: the run has saved nothing yet, or is of another network.

    """
    config = run_config(run)
    tx = make_optimizer(_optimizer_of(config), config["steps"])
    _, state = init_state(model, tx)
    with RunCheckpoints(run, config) as checkpoints:
        restored = checkpoints.restore_latest(state)
    if int(restored.step) == 0:
        raise ValueError(f"{run} has saved no weights yet: let it run to its first checkpoint")
    nnx.update(model, restored.params, restored.rest)
    return int(restored.step)


def shipped_weights(folder: Path, model: nnx.Module) -> str:
    """Fills `model` with a checkpoint's weights; a training head, which is never shipped, stays as it is.

    Returns:
        the sha256 of the weights.

    Raises:
        CheckpointError: the folder holds a damaged checkpoint, or one of another network.

    """
    arrays, manifest = load(folder)
    headless = manifest["config"].get("subjects") == 0
    own = {name: array for name, array in flatten(model).items() if headless and name.startswith("head/")}
    fill(model, own | arrays)
    return manifest["weights"]["sha256"]


def export_run(run: Path, to: Path, card_file: Path | None = None, average: Path | None = None) -> None:
    """Writes the newest weights of `run` with their config and card into the folder `to`.

    Without a file of the card's own words, the card holds the run's settings and says that a licence is to be found.
    With a run to `average` the mean of both runs' weights is written, which makes sense where one went on from the
    other (Wortsman et al., "Model soups", ICML 2022).

    Raises:
        ValueError: a run is none, has saved nothing yet, or trained what is not shipped; the run to average is of
            another network; or the card is none.

    """
    config = run_config(run)
    for name in ("task", "preset"):
        if not isinstance(config.get(name), str):
            raise ValueError(f"{run} cannot be exported: its {RUN_CONFIG} names no {name}")
    if config.get("network") == "SkeletonGRU":
        raise ValueError(f"{run} trained a teacher, which is not shipped: export the run of the network that it taught")
    licence = "Not stated: it follows from the data that these weights learned from."
    card = {"name": f"{config['task']}, preset {config['preset']}", "licence": licence}
    if card_file is not None:
        card = read_card(card_file)
    model = new_model_of(config)
    step = newest_weights(run, model)
    arrays, settings = flatten(model), dataclasses.asdict(model.config)
    training = {**config, "step": step}
    if average is not None:
        arrays, other = _averaged(arrays, average)
        training["averaged_with"] = other
    # the training head tells the training's people apart, whom nobody else has met
    if config["task"] in ("gait", "silhouettes"):
        arrays = {name: array for name, array in arrays.items() if not name.startswith("head/")}
        settings["subjects"] = 0
    save(to, arrays, settings, {**card, "training": training}, type(model).__name__)


def _averaged(arrays: dict[str, np.ndarray], run: Path) -> tuple[dict[str, np.ndarray], str]:
    """The mean of a network's arrays and those of another run's network; and which that is."""
    model = new_model_of(run_config(run))
    step = newest_weights(run, model)
    others = flatten(model)
    if {name: array.shape for name, array in arrays.items()} != {name: array.shape for name, array in others.items()}:
        raise ValueError(f"--average: {run} is a run of another network, whose weights have no mean with these")
    mean = {
        name: (array + others[name]) / 2 if np.issubdtype(array.dtype, np.floating) else array
        for name, array in arrays.items()
    }
    return mean, f"{run.name}, step {step}"


def read_card(file: Path) -> dict[str, Any]:
    """The words of a model card, from a JSON file; ValueError where it is none."""
    if not file.is_file():
        raise ValueError(
            f"--card: expected a file, got {file}, which is {'a folder' if file.is_dir() else 'not there'}"
        )
    try:
        card = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--card: {file} cannot be read as JSON: {error}") from error
    if not isinstance(card, dict):
        raise ValueError(f"--card: {file} must hold a JSON object, the card's words by their names, got {card!r:.80}")
    return card


def new_model_of(config: dict[str, Any]) -> Any:
    """A fresh network of the task and settings that a run's config names; ValueError where they name none."""
    settings = {**config, "optimizer": _optimizer_of(config)}

    def task_config(kind: type) -> Any:
        return kind(
            **{field.name: settings[field.name] for field in dataclasses.fields(kind) if field.name in settings}
        )

    try:
        match config.get("task"):
            case "detect":
                from train import detect

                return detect.new_model(task_config(DetectTaskConfig))
            case "pose":
                from train import pose

                return pose.new_model(task_config(PoseTaskConfig))
            case "gait":
                from train import gait

                if "recipe" in settings:  # earlier runs had none to choose
                    settings["recipe"] = GaitRecipe(**settings["recipe"])
                return gait.new_model(task_config(GaitTaskConfig))
            case "silhouettes":
                from train import silhouettes

                return silhouettes.new_model(task_config(SilhouettesTaskConfig))
            case other:
                raise ValueError(f"a run of the unknown task {other!r} has no network here")
    except TypeError as error:  # a setting of another kind
        raise ValueError(f"this version cannot build the network of such a run: {error}") from error


def _optimizer_of(config: dict[str, Any]) -> OptimizerConfig:
    try:
        return OptimizerConfig(**config["optimizer"])
    except TypeError as error:  # a setting of another version, or of another kind
        raise ValueError(f"this version cannot go on with the optimizer of such a run: {error}") from error
