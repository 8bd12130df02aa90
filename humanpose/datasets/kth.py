"""KTH's walkers (Schuldt, Laptev, Caputo, ICPR 2004) with BlazePose landmarks beside their videos -> records."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from humanpose.datasets.landmarks import body_box, read_landmarks, walks_left
from humanpose.datasets.record import PoseRecord

CONTAINERS = (".avi", ".mp4")


def read_kth_landmarks(directory: str | Path, held_out: Collection[str] = ()) -> list[PoseRecord]:
    """Everybody in the `*.reference.json` of a folder, boxed about the whole body, facing as followed walkers do.

    The landmarks name a video, which may lie there in another container. `held_out` are the numbers of the persons
    ("15") who only measure; the others are "train". Raises ValueError where there is no such file.
    """
    root = Path(directory)
    files = sorted(root.glob("person*.reference.json"))
    if not files:
        raise ValueError(f"{root} holds no landmarks of KTH: expected personNN_walking_dK_uncomp.reference.json")
    records = []
    for file in files:
        found = read_landmarks(file)
        person = file.name.removeprefix("person").split("_")[0]
        film = film_of(found[0].path) if found else file
        split = "validation" if person in held_out else "train"
        for record, left in zip(found, walks_left(found), strict=True):
            whole = body_box(record).astype("float32")
            records.append(
                replace(
                    record, path=film, box=whole, walks_left=left, source="kth", split=split,
                    subject=person, action="walking", camera=file.name.split("_")[2],
                )
            )  # fmt: skip
    return records


def film_of(path: Path) -> Path:
    """The video that is there, in whatever container; the named one where none is."""
    others = (path.with_suffix(suffix) for suffix in CONTAINERS)
    return next((file for file in (path, *others) if file.is_file()), path)
