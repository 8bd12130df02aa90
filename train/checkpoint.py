"""A run's checkpoints: orbax for the training state, the run's config as JSON beside it. Only this file knows orbax."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self, TypeVar

import orbax.checkpoint as ocp

State = TypeVar("State")

RUN_CONFIG = "config.json"
"""The file in a run's folder that holds its settings."""


class RunCheckpoints:
    """Saves and restores the training state of one run; orbax finalises by rename, so none is ever half there."""

    def __init__(self, directory: Path, config: dict[str, Any], keep: int = 2):
        """Opens (or begins) the run in `directory`; ValueError where it holds a run with another config."""
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        config_file = self.directory / RUN_CONFIG
        require_settings(self.directory, config)
        if not config_file.exists():
            temporary = config_file.with_suffix(".tmp")
            temporary.write_text(json.dumps(config, indent=2) + "\n")
            os.replace(temporary, config_file)
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(self.directory / "checkpoints", options=options)

    def restore_latest(self, state: State) -> State:
        """The newest saved state, in the structure of `state`; `state` itself where nothing was saved yet.

        Raises:
            ValueError: what was saved is of another network, or damaged.

        """
        latest = self._manager.latest_step()
        if latest is None:
            return state
        try:
            return self._manager.restore(latest, args=ocp.args.StandardRestore(state))
        except Exception as error:  # orbax lists every array of both, or answers damage with whatever breaks first
            raise ValueError(
                f"{self.directory}: what was saved does not fit the network that this version builds, or is damaged; "
                "begin anew, in another folder"
            ) from error

    def save(self, step: int, state: Any) -> None:
        """Writes the state in the background; the arrays are copied before this returns, so they may be donated."""
        self._manager.save(step, args=ocp.args.StandardSave(state))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.wait_until_finished()
        self._manager.close()


def require_settings(run: Path, config: dict[str, Any], except_for: Collection[str] = ()) -> None:
    """Refuse, by a ValueError, a folder that holds a run of other settings, but for those that are not known yet."""
    if not (run / RUN_CONFIG).exists():
        return
    found, wanted = read_config(run), json.loads(json.dumps(config))
    changed = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if changed := [name for name in changed if name not in except_for]:
        raise ValueError(
            f"{run / RUN_CONFIG} belongs to a run with other settings ({', '.join(changed)}): "
            "resume it with its own settings, or give the new run another folder"
        )


def read_config(run: Path) -> dict[str, Any]:
    """The settings that a run was started with; ValueError where `run` is not a run's folder."""
    try:
        found = json.loads((run / RUN_CONFIG).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds no settings, but {type(found).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{run} is not the folder of a run: its {RUN_CONFIG} cannot be read ({error})") from None
    return found
