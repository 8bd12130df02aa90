"""Where the pictures lie that annotations name, within their data set and nowhere else, and in which order."""

import os
import re
from pathlib import Path, PurePath


def inside(folder: Path, name: str) -> Path:
    """The place of a picture that annotations name, below `folder`.

    Annotations are handed round: a name of theirs that leads out of the data set would have any file of this computer
    read, or a device that never ends. Links are followed, for folders of pictures are often kept elsewhere.

    Raises:
        ValueError: the name is absolute, or goes up by "..".

    """
    place = PurePath(name)
    if place.anchor or ".." in place.parts:
        shown = name if len(name) <= 100 else f"{name[:100]}..."
        raise ValueError(
            f"the picture {shown!r} does not lie within the data set; names must be relative, without '..'"
        )
    return folder / place


def is_there(path: Path) -> bool:
    """Whether there is a file; False as well for names that no file can have, which `Path.is_file` stumbles over."""
    return os.path.isfile(path)


def natural_key(name: str) -> list[tuple[int, str]]:
    """A key by which 2 comes before 10: frames that were extracted need not be numbered with equally many digits."""
    parts = [part.lstrip("0") if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
    # a number as text, the longer the later: annotations may name pictures by more digits than any integer has
    return [(len(part) if part.isdecimal() else 0, part) for part in parts]
