"""Which legs of KTH's reference landmarks are the right ones, told by the walk: a cleaner teacher for the pose task.

The references are a network's, picture by picture, and take one leg for the other in about a quarter of the training
frames. The road from a video to joints looks at all frames of a walk together (`gaitnet.leg_paths`), and is right about
legs far more often than its own network; where both disagree, the road is believed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaitnet.evaluation.files import write_whole
from gaitnet.evaluation.legs import ANKLES, KNEES, legs_right, other_leg
from humanpose.datasets.landmarks import read_landmarks
from humanpose.datasets.record import PoseRecord

ABOUT = "Places of the references in each file whose knees and ankles belong to the other leg, or to who knows which."


def make_legs(weights: Path, data: Path, to: Path, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Follow the people of the KTH videos in `data`, but for the validation persons, and write the verdicts to `to`.

    Raises:
        ValueError: there are no reference landmarks of persons who are learned from.

    """
    from gaitnet.cli.evaluate_pose_pictures import as_followed
    from gaitnet.recognizer import GaitRecognizer
    from train.pose_data import is_held_out

    to.parent.mkdir(parents=True, exist_ok=True)  # before the work: it would be lost
    files = [file for file in sorted(data.glob("person*.reference.json")) if not is_held_out(file)]
    if not files:
        raise ValueError(f"--data: {data} holds no personNN_walking_dK_uncomp.reference.json to learn from")
    recognizer = GaitRecognizer.load(weights)
    films = {}
    for done, file in enumerate(files):
        records = read_landmarks(file)
        if records:
            pictures, found = as_followed(recognizer, records)
            right = legs_right(found, pictures.keypoints, pictures.visible)
            films[records[0].source] = {
                "references": len(records),
                "exchanged": np.flatnonzero(right == 0).tolist(),
                "unclear": np.flatnonzero(np.isnan(right)).tolist(),
            }
        if progress is not None:
            progress(done + 1, len(files))
    return write_whole(to, (json.dumps({"about": ABOUT, "films": films}, indent=1) + "\n").encode())


def with_legs(records: Sequence[PoseRecord], file: Path) -> list[PoseRecord]:
    """One film's references with their legs exchanged where `make_legs` said so, and not seen where it could not tell.

    Raises:
        ValueError: `file` is not of `make_legs`, or knows nothing of this film.

    """
    if not records:
        return []
    source = records[0].source
    try:
        film = json.loads(file.read_bytes())["films"][source]
        exchanged, unclear = (np.array(film[name], int).reshape(-1) for name in ("exchanged", "unclear"))
        if film["references"] != len(records):
            raise ValueError(f"it is of {film['references']} references of {source}, there are {len(records)}")
        if not np.isin(np.concatenate([exchanged, unclear]), np.arange(len(records))).all():
            raise ValueError(f"it names references of {source} that are not there")
    except KeyError as error:
        raise ValueError(f"{file} does not say whose legs are whose: {error} is missing; make it anew") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} is not a file of python -m train legs for these references: {error}") from None
    told = list(records)
    for place in exchanged.tolist():
        told[place] = replace(told[place], keypoints=other_leg(told[place].keypoints),
                              visible=_of_other_leg(told[place].visible))  # fmt: skip
    for place in unclear.tolist():
        visible = told[place].visible.copy()
        visible[KNEES + ANKLES] = False
        told[place] = replace(told[place], visible=visible)
    return told


def _of_other_leg(visible: np.ndarray) -> np.ndarray:
    exchanged = visible.copy()
    for both in (KNEES, ANKLES):
        exchanged[both] = visible[both[::-1]]
    return exchanged
