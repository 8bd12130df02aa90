"""Who is kept out of every training and only measures: KTH's validation persons, and whoever is in the clips."""

from collections.abc import Iterable
from pathlib import Path

from gaitnet.datasets.kth import VALIDATION_PERSONS
from humanpose.datasets.kth import CONTAINERS, shown_in


def is_held_out(file: Path) -> bool:
    """Whether a film of KTH's, or its landmarks, show a person who only measures.

    ValueError where the name tells nobody, or a link leads to somebody else.
    """
    return shown_in(file)[0] in VALIDATION_PERSONS


def require_apart(films: Iterable[Path], kth: Path) -> None:
    """Refuse, by a ValueError, a film to learn from that is, by whatever name or link, one that only measures.

    Those are the films of the validation persons in the folder `kth`, and all that lie in `clips` beside it.
    """
    measures = [film for who in VALIDATION_PERSONS for film in kth.glob(f"person{who}_*") if film.suffix in CONTAINERS]
    clips = kth.parent / "clips"
    measures += [film for film in clips.iterdir() if film.is_file()] if clips.is_dir() else []
    kept = {(stat.st_dev, stat.st_ino): film for film in measures for stat in [film.stat()]}
    for film in films:
        if not film.is_file():
            continue  # whoever reads it tells
        stat = film.stat()
        other = kept.get((stat.st_dev, stat.st_ino))
        if other is not None:
            raise ValueError(f"{film} is to be learned from, and is the same file as {other}, which only measures")
