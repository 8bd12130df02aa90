"""The strangers that come with the gait weights: other walkers, whom every gallery is told from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gaitnet.crowd import GAIT, describe_walks
from gaitnet.identification.search import STRANGERS as FILE
from gaitnet.identification.search import Strangers, save_strangers
from gaitnet.recognizer import GaitRecognizer
from gaitnet.walkers.walk import CONDITIONS
from gaitnet.walkers.walks import STRANGERS, Crowd, WalkPlan


def plan_strangers(subjects: int, walks: int) -> list[WalkPlan]:
    """Walks of each stranger: any condition, seen from the side or up to some forty degrees off it, either way."""
    rng = np.random.default_rng(STRANGERS)
    return [
        WalkPlan(
            subject,
            CONDITIONS[rng.integers(len(CONDITIONS))] if take else "NM",
            int(rng.integers(2)),
            float(np.clip(rng.normal(90, 18), 50, 130)),
            take,
            to_left=bool(rng.integers(2)),
        )
        for subject in range(subjects)
        for take in range(walks)
    ]


def make_strangers(
    weights: str | Path,
    to: str | Path | None = None,
    subjects: int = 300,
    walks: int = 2,
    frames: int = 64,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Render strangers, describe them with the weights in a folder, and write their vectors beside the gait weights.

    Args:
        weights: folder with the sub-folders pose and gait.
        to: the file; by default strangers.npz in the sub-folder gait.
        subjects: how many strangers, of a crowd that shares nobody with training, demo and evaluation.
        walks: of each; the first is a normal one.
        frames: of a walk, 25 a second.
        progress: called with (walks done, walks in all).

    Returns:
        Where they were written.
    """
    plans = plan_strangers(subjects, walks)
    recognizer = GaitRecognizer.load(weights)
    crowd = Crowd(STRANGERS, frames, size=recognizer.pose.size)
    described = describe_walks(recognizer, crowd, plans, controls=False, progress=progress)
    names = tuple(f"stranger {plan.subject + 1:03d}" for plan in plans)
    path = Path(weights) / "gait" / FILE if to is None else Path(to)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_strangers(path, Strangers(described.vectors[GAIT], names, recognizer.identity))
    return path
