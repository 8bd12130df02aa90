"""Who is kept out of every training and only measures."""

from pathlib import Path

from gaitnet.datasets.kth import VALIDATION_PERSONS
from humanpose.datasets.kth import shown_in


def is_held_out(file: Path) -> bool:
    """Whether a film of KTH's, or its landmarks, show a person who only measures.

    ValueError where the name tells nobody, or a link leads to somebody else.
    """
    return shown_in(file)[0] in VALIDATION_PERSONS
