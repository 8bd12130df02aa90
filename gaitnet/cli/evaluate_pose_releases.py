"""The people of LSP, LSPET, MPII and Human3.6M who only measure, as `gaitnet evaluate pose` looks at them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaitnet.cli.datasets_sources import Name, folder_of, records_of, thinned
from gaitnet.cli.output import note

if TYPE_CHECKING:
    from humanpose.datasets.record import PoseRecord


def held_out(name: Name, root: Path, every: int) -> "list[PoseRecord]":
    """Who of a data set is for validation or test, with pictures that are there.

    Of videos every `every`-th frame, of photographs everybody in every `every`-th.

    Raises:
        ValueError: the data set is not there, or has nobody of whom this holds.

    """
    from humanpose.datasets.places import is_there

    records = records_of(name, folder_of(name, root), None, every)
    whole = [one for one in records if one.split in ("validation", "test") and one.has_extent]
    measured = thinned(name, whole, every)
    there = {path for path in {one.path for one in measured} if is_there(path)}
    kept = [one for one in measured if one.path in there]
    if not kept:
        some = f", {len(measured)} of them with --every {every}" if len(measured) < len(whole) else ""
        raise ValueError(
            f"{name.value}: of {len(records)} people {len(whole)} are there to measure{some}, and the pictures of none "
            f"of these; gaitnet datasets check {name.value} --root {root} says what is missing"
        )
    if len(kept) < len(measured):
        note(f"{name.value}: the pictures of {len(measured) - len(kept)} of {len(measured)} people are not there")
    return kept


def title(name: Name, records: "Sequence[PoseRecord]") -> str:
    """What a table calls them."""
    splits = sorted({one.split for one in records})
    if name is Name.HUMAN36M:
        return f"Human3.6M {' '.join(sorted({one.subject for one in records}))}"
    return f"{name.value.upper()} {' and '.join(splits)}"
