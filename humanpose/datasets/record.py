"""The one record every reader of annotated people returns; and its split, where the name of a file tells it."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class PoseRecord:
    """One annotated person in one picture.

    `path` is the photograph, or the video of which `frame` (from 0) is meant; `frame` is None for a photograph. `box`
    is x0, y0, x1, y1 in image pixels. `keypoints` (joint, xy) are image pixels in the order of `skeleton`, 0 where
    `visible` is False. `opinion` is where somebody else puts the joints, (joint, xyv) with v the weight of that opinion
    from 0 to 1, or None. `source` names the data set, for tables and for splits. Crops of somebody who `walks_left` are
    mirrored, so that every walker whom the network meets walks to the right.

    What a data set may say beyond that: `hidden` joints are among the visible ones, but annotated behind something,
    as a guess (None: it does not tell); `head` is the head's length in pixels by which PCKh is measured, NaN where it
    has none; `split` is "train", "validation" or "test", "" where it has none; `subject`, `action` and `camera` are
    its own names, "" where it has none.
    """

    path: Path
    frame: int | None
    box: Float[np.ndarray, "4"]
    keypoints: Float[np.ndarray, "16 2"]
    visible: Bool[np.ndarray, "16"]
    source: str
    walks_left: bool = False
    hidden: Bool[np.ndarray, "16"] | None = None
    head: float = math.nan
    split: str = ""
    subject: str = ""
    action: str = ""
    camera: str = ""
    opinion: Float[np.ndarray, "16 3"] | None = None

    @property
    def has_extent(self) -> bool:
        """Whether the box is one that a crop can be made of."""
        return bool(np.isfinite(self.box).all() and (self.box[2:] - self.box[:2]).max() >= 8)


def split_of_name(file: Path) -> str:
    """The split that a file of annotations is named after; "" where of none, or of two at once, as `trainval.json`."""
    told = {split for word, split in _WORDS.items() if word in file.stem.lower()}
    return told.pop() if len(told) == 1 else ""


_WORDS = {"train": "train", "val": "validation", "test": "test"}
