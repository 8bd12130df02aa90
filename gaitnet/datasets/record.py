"""The one record every data-set reader returns: one walk of one person, and where its frames are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["video", "frames", "silhouettes", "keypoints"]
"""What a walk is kept as: a film, pictures one by one, masks of the person, or joints."""


@dataclass(frozen=True)
class Sequence:
    """One walk.

    Attributes:
        subject_id: who walks, as the data set names the person ("15", "p001").
        condition: covariate: "NM" normal, "BG" bag, "CL" other clothes, "SH" shoes, "SF" another surface, "AR" and "AL"
            right and left leg impaired, several joined by "+"; "" where the data set does not tell.
        session: recording session or place, as the data set names it ("d1", "1"); "" where there is only one.
        view: degrees, 0 = towards the camera, 90 = across the picture, 180 = away; None where unknown.
        sequence: name of the walk within subject and session ("1", "nm-05", "n01").
        part: the data set's own split ("train", "validation", "test"); "" where it has none.
        path: the video, file of arrays or of joints, or folder of frames.
        first_frame: first frame of the walk in the file, counted from 0.
        last_frame: last frame of the walk, counted from 0 and included; None = to the end of the file.
        kind: what `path` holds; `gaitnet.datasets.arrays` has what loads each.

    """

    subject_id: str
    condition: str
    session: str
    view: float | None
    sequence: str
    path: Path
    part: str = ""
    first_frame: int = 0
    last_frame: int | None = None
    kind: Kind = "video"

    def __post_init__(self) -> None:
        if self.first_frame < 0 or (self.last_frame is not None and self.last_frame < self.first_frame):
            raise ValueError(
                f"first_frame, last_frame: expected 0 <= first <= last, got {self.first_frame} and {self.last_frame} "
                f"for {self.path}; correct the list of frames"
            )
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind: expected one of {', '.join(get_args(Kind))}, got {self.kind!r} for {self.path}")

    @property
    def name(self) -> str:
        """Unique within its data set: subject, session, walk and view, "15/d1/2"."""
        parts = [self.subject_id, self.session, self.sequence, "" if self.view is None else f"{self.view:03.0f}"]
        return "/".join(part for part in parts if part)


def require_unique(walks: Iterable[Sequence]) -> None:
    """Refuse two walks of one name: one of them would silently stand for the other.

    Raises:
        ValueError: naming both files.

    """
    known: dict[str, Sequence] = {}
    for walk in walks:
        other = known.setdefault(walk.name, walk)
        if other is not walk:
            raise ValueError(
                f"root: expected one walk called {walk.name}, got two, {other.path} and {walk.path}; remove one of them"
            )
