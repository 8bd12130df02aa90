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

from gaitnet.cli.output import writable
from gaitnet.evaluation.files import write_whole
from gaitnet.evaluation.legs import ANKLES, KNEES, exchange_legs, legs_right
from humanpose.datasets.kth import film_of, shown_in
from humanpose.datasets.landmarks import read_landmarks
from humanpose.datasets.record import PoseRecord
from train.held_out import is_held_out, require_apart

ABOUT = "Places of the references in each file whose knees and ankles belong to the other leg, or to who knows which."


def make_legs(weights: Path, data: Path, to: Path, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Follow the people of the KTH videos in `data`, but for the validation persons, and write the verdicts to `to`.

    Raises:
        ValueError: there are no reference landmarks of persons who are learned from.

    """
    from gaitnet.cli.evaluate_pose_pictures import as_followed
    from gaitnet.recognizer import GaitRecognizer

    to.parent.mkdir(parents=True, exist_ok=True)  # before the work: it would be lost
    writable(to)
    files = [file for file in sorted(data.glob("person*.reference.json")) if not is_held_out(file)]
    if not files:
        raise ValueError(f"--data: {data} holds no personNN_walking_dK_uncomp.reference.json to learn from")
    recognizer = GaitRecognizer.load(weights)
    films = {}
    for done, file in enumerate(files):
        records = read_landmarks(file)
        if records:
            film = film_of(records[0].path)
            shown_in(file, film)  # a file of somebody else's name must not bring in who measures
            require_apart([film], data)
            # of whoever is followed without being described, legs are told picture by picture only
            walkers = [one for one in recognizer.describe(film) if one.reason is None]
            pictures, found = as_followed(records, walkers)
            right = legs_right(found, pictures.keypoints, pictures.visible)
            films[records[0].path.stem] = {
                "references": len(records),
                "exchanged": np.flatnonzero(right == 0).tolist(),
                "unclear": np.flatnonzero(np.isnan(right)).tolist(),
            }
        if progress is not None:
            progress(done + 1, len(files))
    return write_whole(to, (json.dumps({"about": ABOUT, "films": films}, indent=1) + "\n").encode())


def with_legs(records: Sequence[PoseRecord], file: Path) -> list[PoseRecord]:
    """KTH's references with their legs exchanged where `make_legs` said so, and not seen where it could not tell.

    Of each film all references are given, in the order of their file. ValueError where `file` is not of `make_legs`, or
    knows nothing of one of the films.
    """
    films: dict[str, list[PoseRecord]] = {}
    for record in records:
        films.setdefault(record.path.stem, []).append(record)
    try:
        known = json.loads(file.read_bytes())["films"]
        verdicts = {film: _places(known[film], len(seen)) for film, seen in films.items()}
    except KeyError as error:
        raise ValueError(f"{file} does not say whose legs are whose: {error} is missing; make it anew") from None
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{file} is not a file of python -m train legs for these references: {error}") from None
    told = []
    for film, seen in films.items():
        exchanged, unclear = verdicts[film]
        for place, record in enumerate(seen):
            keypoints, visible = record.keypoints, record.visible.copy()
            if place in exchanged:
                keypoints, visible = exchange_legs(keypoints, visible)
            if place in unclear:
                visible[KNEES + ANKLES] = False
            told.append(replace(record, keypoints=keypoints, visible=visible))
    return told


def _places(film: dict, count: int) -> tuple[set[int], set[int]]:
    exchanged, unclear = (np.array(film[name], int).reshape(-1) for name in ("exchanged", "unclear"))
    if film["references"] != count:
        raise ValueError(f"it is of {film['references']} references where there are {count}")
    if not np.isin(np.concatenate([exchanged, unclear]), np.arange(count)).all():
        raise ValueError(f"it names references that are not there, of {count}")
    return set(exchanged.tolist()), set(unclear.tolist())
