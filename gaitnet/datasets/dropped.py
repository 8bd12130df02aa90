"""What is left out of a data set, and why: counted by kind, so that nothing gets lost silently."""

import stat
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

EMPTY, NAME, TWICE, DAMAGED, SIZE = "empty", "wrong name", "frame twice", "damaged", "other size"
COUNTS, IGNORED, OUTSIDER, BACKGROUND = "unequal frames", "to be ignored", "not in the gallery", "background film"
SAME = "same as another"

MEANING = {
    EMPTY: "there is not one frame",
    NAME: "the file or folder is not called as the data set calls its own",
    TWICE: "another file has the same frame number",
    DAMAGED: "cut off, has wrong bytes within, or is not what its ending says; nothing in it was run",
    SIZE: "the picture is of another size than the others of its walk",
    COUNTS: "what belongs together differs in its number of frames",
    IGNORED: "its authors say that it is not to be used",
    OUTSIDER: "the probe shows somebody whom the gallery does not have",
    BACKGROUND: "it shows the empty place",
    SAME: "another walk's file has the same content, byte for byte, under another name",
}
"""Kind -> what it says."""


class Dropped(NamedTuple):
    """Something that no walk has: a whole walk, a single frame or a file that is none."""

    kind: str
    """One of MEANING."""
    what: str
    """Which, by its path or by the name of its walk."""
    why: str = ""
    """What more there is to say."""


class WalkError(ValueError):
    """A walk that cannot be used; `kind` is one of MEANING."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def left_out(error: ValueError, what: str) -> Dropped:
    """What there is to tell of a walk that could not be loaded."""
    return Dropped(getattr(error, "kind", DAMAGED), what, str(error))


def unusable(path: Path) -> Dropped | None:
    """What there is to tell of a file that is not there, as a link into nowhere, is a pipe or device, or is empty.

    None where it can be opened: asked before anything is, since a pipe keeps whoever opens it waiting forever.
    """
    try:
        about = path.stat()
    except OSError as error:
        return Dropped(DAMAGED, str(path), f"it cannot be read: {error.strerror}")
    if not stat.S_ISREG(about.st_mode):
        return Dropped(DAMAGED, str(path), "it is no regular file")
    return None if about.st_size else Dropped(EMPTY, str(path))


class DatasetWarning(UserWarning):
    """Parts of a data set cannot be used; the rest is."""


def hand_over(found: Iterable[Dropped], into: list[Dropped] | None, where: str) -> None:
    """Append what was left out to the caller's list; whoever gave none is warned, once and with the counts."""
    found = list(found)
    if into is not None:
        into.extend(found)
    elif found:
        warnings.warn(f"{where}: {summary(found)}", DatasetWarning, stacklevel=3)


def summary(dropped: Iterable[Dropped]) -> str:
    """One sentence: how many of each kind, and the first."""
    found = list(dropped)
    counts = ", ".join(f"{kind} {count:,}" for kind, count in Counter(one.kind for one in found).most_common())
    return f"{len(found):,} left out ({counts}), such as {found[0].what}" if found else "nothing is left out"
