"""Frames of KTH's films that nobody described, with the joints of whoever was followed there: self-training.

A network that learned from the described frames follows the walkers through whole films (`gaitnet.recognizer`). What
its whole walk says is better than what it says of one frame: legs keep to their own paths, places are made steady
over a tenth of a second before and after. Learning from that, it learns what the walk knew and the frame did not.
"""

import io
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaitnet.cli.output import writable
from gaitnet.evaluation.files import write_whole
from humanpose.datasets.kth import CONTAINERS, film_of, shown_in
from humanpose.datasets.landmarks import body_box
from humanpose.datasets.record import PoseRecord
from humanpose.skeleton import LIMB_JOINTS
from train.held_out import is_held_out, require_apart

FAR = 1e5
"""Pixels: no joint of anybody in a picture is so far from its corner."""
LEAST_SURE = 0.5
"""Probability from which on a joint is learned from."""


def make_followed(
    weights: Path, data: Path, to: Path, progress: Callable[[int, int | None], None] | None = None
) -> Path:
    """Follow everybody in the KTH videos in `data`, but for the validation persons, and write their joints to `to`.

    Raises:
        ValueError: there is no film of persons who are learned from.

    """
    from gaitnet.recognizer import GaitRecognizer

    to.parent.mkdir(parents=True, exist_ok=True)  # before the work: it would be lost
    writable(to)
    named = (film for kind in CONTAINERS for film in data.glob(f"person*_walking_*{kind}"))
    films = sorted({film_of(film.with_suffix(CONTAINERS[0])) for film in named if not is_held_out(film)})
    if not films:
        raise ValueError(f"--data: {data} holds no personNN_walking_dK_uncomp of persons who are learned from")
    require_apart(films, data)
    recognizer = GaitRecognizer.load(weights)
    seen: list[tuple[str, int, bool, np.ndarray, np.ndarray]] = []
    for done, film in enumerate(films):
        for person in recognizer.describe(film):
            if person.reason is None:
                rows = zip(person.frames.tolist(), person.keypoints, person.probability, strict=True)
                seen += [(film.name, frame, person.mirrored, joints, sure) for frame, joints, sure in rows]
        if progress is not None:
            progress(done + 1, len(films))
    if not seen:
        raise ValueError(f"--data: nobody was followed in the {len(films)} films of {data}")
    names, frames, left, keypoints, probability = zip(*seen, strict=True)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, film=np.array(names), frame=np.array(frames, np.int32), walks_left=np.array(left),
        keypoints=np.array(keypoints, np.float32), probability=np.array(probability, np.float32),
    )  # fmt: skip
    return write_whole(to, buffer.getvalue())


def read_followed(file: Path, data: Path, described: Collection[tuple[str, int]]) -> list[PoseRecord]:
    """The records of `make_followed` whose (film without its suffix, frame) nobody described; `data` has the films.

    Raises:
        ValueError: `file` is not one of `make_followed`, a film of it is not in `data`, or shows a validation person.

    """
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as content:
            columns = [content[name] for name in ("film", "frame", "walks_left", "keypoints", "probability")]
        names, frames, left, keypoints, probability = columns
        count = len(names)
        shapes = [column.shape for column in columns]
        kinds = "".join(column.dtype.kind for column in columns)
        if shapes != [(count,), (count,), (count,), (count, 16, 2), (count, 16)] or kinds != "Uibff":
            raise ValueError(f"its columns are {shapes}")
        sound = (np.abs(keypoints) < FAR).all() and ((probability >= 0) & (probability <= 1)).all()
        if not (sound and ((frames >= 0) & (frames < 2**31)).all()):
            raise ValueError("it holds joints beyond every picture, or frames before the first")
        keypoints, probability = keypoints.astype(np.float32), probability.astype(np.float32)
    # NumPy and zipfile answer damaged and foreign files with whatever breaks first
    except Exception as error:
        raise ValueError(f"{file} is not a file of python -m train follow: {error}") from None
    people = {}
    for name in np.unique(names).tolist():
        film = data / Path(name).name
        if not film.is_file() or film.suffix not in CONTAINERS:
            raise ValueError(f"{file} follows people in {name}, which {data} does not hold; make it anew")
        if is_held_out(film):
            raise ValueError(f"{file} holds somebody who only measures, in {name}; make it anew")
        people[name] = (film, *shown_in(film))
    require_apart((film for film, _, _ in people.values()), data)
    records = []
    for row, name in enumerate(names.tolist()):
        film, subject, scenario = people[name]
        if (film.stem, int(frames[row])) in described:
            continue
        visible = probability[row] >= LEAST_SURE
        record = PoseRecord(
            film, int(frames[row]), np.zeros(4, np.float32), keypoints[row], visible, "kth", bool(left[row]),
            split="train", subject=subject, action="walking", camera=scenario,
        )  # fmt: skip
        # boxed as those who are described: by what is known of them too
        limbs = replace(record, visible=visible & np.isin(np.arange(16), LIMB_JOINTS))
        if limbs.visible.sum() >= len(LIMB_JOINTS) - 2:
            shown = np.where(visible[:, None], keypoints[row], 0).astype(np.float32)
            records.append(replace(record, box=body_box(limbs).astype(np.float32), keypoints=shown))
    return [record for record in records if record.has_extent]
