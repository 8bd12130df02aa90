"""A contact sheet of walks: some frames of each in a row, silhouettes, pictures or drawn joints."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from gaitnet.cli.datasets_sheet import CAPTION, caption, png, write

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.datasets.record import Sequence as Walk

TILE, COLUMNS = 150, 10
"""Side of a tile in pixels, and frames shown of a walk."""
ROWS = 12
"""Walks shown, spread over the data set."""
APART = 4
"""Frames from one that is shown to the next, where the walk is long enough: ten cover a gait cycle or more."""


def sheet_of(title: str, walks: "Sequence[Walk]") -> bytes:
    """A PNG of ROWS of the walks, evenly spread, COLUMNS frames of each from the middle on.

    Joints in space are seen from the side on which they get furthest, right limbs orange and left ones blue. A walk
    that cannot be loaded has an empty row.

    Raises:
        ValueError: there is no walk to show.

    """
    import cv2
    import numpy as np

    from gaitnet.overlay import LEFT, RIGHT, lettering

    if not walks:
        raise ValueError("walks: expected some that can be loaded, got none")
    places = np.unique(np.linspace(0, len(walks) - 1, min(ROWS, len(walks))).round().astype(int))
    sheet = np.full((40 + len(places) * (TILE + CAPTION), COLUMNS * TILE, 3), 24, np.uint8)
    for text, x, colour in ((title, 8, (235, 238, 245)), ("right", -190, RIGHT), ("left", -90, LEFT)):
        if colour not in (LEFT, RIGHT) or any(walk.kind == "keypoints" for walk in walks):
            write(sheet, lettering(text, 20, True), x % sheet.shape[1], 6, colour)
    for row, place in enumerate(places):
        walk, top = walks[place], 40 + row * (TILE + CAPTION)
        try:
            frames = _frames(walk)
        except ValueError:
            frames = []
        for column, frame in enumerate(frames):
            scale = (TILE - 2) / max(frame.shape[:2])
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
            width, height = (max(1, round(length * scale)) for length in (frame.shape[1], frame.shape[0]))
            small = cv2.resize(frame, (width, height), interpolation=how)[: TILE - 2, : TILE - 2]
            left = column * TILE + (TILE - small.shape[1]) // 2
            sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
        about = ", ".join(word for word in (walk.name, walk.condition, walk.part) if word)
        about = about.encode("utf-8", "replace").decode()  # of a folder whose name is no UTF-8
        write(sheet, caption(about, sheet.shape[1]), 4, top + TILE + 2, (200, 205, 215))
    return png(sheet)


def _chosen(count: int) -> list[int]:
    """Which of so many frames are shown."""
    apart = max(1, min(APART, (count - 1) // max(1, COLUMNS - 1)))
    first = max(0, (count - apart * COLUMNS) // 2)
    return list(range(first, count, apart))[:COLUMNS]


def _frames(walk: "Walk") -> "list[np.ndarray]":
    """The frames of a walk that are shown, uint8 RGB."""
    import numpy as np

    from gaitnet.datasets.arrays import load_frames, load_keypoints, load_silhouettes

    if walk.kind == "silhouettes":
        masks = load_silhouettes(walk, [])
        return [np.repeat(masks[place][..., None], 3, 2) for place in _chosen(len(masks))]
    if walk.kind == "keypoints":
        return _drawn(load_keypoints(walk))
    chosen = _chosen(_length(walk))
    return [picture for place, picture in enumerate(islice(load_frames(walk, []), chosen[-1] + 1)) if place in chosen]


def _length(walk: "Walk") -> int:
    """Frames of a film or folder, of a film as its header tells."""
    from gaitnet.datasets.arrays import source_files
    from gaitnet.video.read import probe

    if walk.last_frame is not None:
        return walk.last_frame + 1 - walk.first_frame
    if walk.kind == "frames":
        return max(1, len(source_files(walk)) - walk.first_frame)
    return max(1, (probe(walk.path).frames or APART * COLUMNS) - walk.first_frame)


def _drawn(walk: "object") -> "list[np.ndarray]":
    """Joints as pictures, all in one scale, each frame about its own middle."""
    import numpy as np

    from gaitnet.datasets.keypoints import Keypoints, as_body
    from gaitnet.overlay import Seen, draw

    assert isinstance(walk, Keypoints)
    keypoints, visible, probability = as_body(walk)
    places = _chosen(len(keypoints))
    keypoints, visible, probability = (
        flat(keypoints[places], visible[places]),
        visible[places],
        probability[places],
    )
    shown = np.where(visible[..., None], keypoints, np.nan)
    if not visible.any():
        return []
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(shown, 1, initial=np.inf), np.nanmax(shown, 1, initial=-np.inf)
    there = np.asarray(visible.any(1))
    scale = 0.85 * 2 * TILE / max(float((high - low)[there].max()), 1e-6)
    # one wide picture is drawn on as it is, where small ones would each be enlarged first
    canvas, seen = np.full((2 * TILE, 2 * TILE * len(places), 3), 24, np.uint8), []
    for frame in np.flatnonzero(there):
        at = (keypoints[frame] - (low[frame] + high[frame]) / 2) * scale + TILE
        at = np.where(visible[frame, :, None], at, TILE) + np.array([2 * TILE * frame, 0])
        box = np.concatenate([at[visible[frame]].min(0), at[visible[frame]].max(0)])
        seen.append(Seen(box, at, probability[frame]))
    return np.split(draw(canvas, seen), len(places), axis=1)


def flat(keypoints: "np.ndarray", visible: "np.ndarray") -> "np.ndarray":
    """Joints in space (time, joint, xyz) as seen from the side on which they get furthest; those in a picture stay."""
    import numpy as np

    if keypoints.shape[-1] == 2:
        return keypoints
    ground = keypoints[visible][:, :2]
    _, _, axes = np.linalg.svd(ground - ground.mean(0), full_matrices=False)
    along = axes[0] if len(ground) > 1 else np.array([0.0, -1.0])
    return np.stack([keypoints[..., :2] @ along, -keypoints[..., 2]], -1)
