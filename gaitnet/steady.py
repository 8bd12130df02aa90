"""Joints of a track without the tremble of a network that sees one picture at a time.

A median of three frames takes away a joint that is elsewhere for one frame; a polynomial through the frames within a
tenth of a second before and after (Savitzky and Golay, 1964) keeps the swing of a leg and takes off what no leg does.
"""

import numpy as np
from jaxtyping import Float

REACH = 0.1
"""Seconds before and after a frame that say where its joints are. A leg's swing takes four times as long."""
ORDER = 2
"""Of the polynomial: places, speeds and accelerations stay."""
GAP = 1.5
"""Frames' distances from which on the walk is taken to be interrupted."""


def steady(
    keypoints: Float[np.ndarray, "time 16 xy=2"], times: Float[np.ndarray, " time"]
) -> Float[np.ndarray, "time 16 xy=2"]:
    """The joints of one track, in any pixels, made steady; `times` in seconds, ascending.

    Below 20 frames a second nothing is changed: the frames are too far apart to tell anything of each other.
    """
    from scipy.signal import savgol_filter

    if len(times) < 3:
        return keypoints
    apart = np.diff(times)
    distance = float(np.median(apart))
    reach = int(REACH / max(distance, 1e-3) + 1e-6)
    if reach < ORDER:
        return keypoints
    steadied = keypoints.copy()
    for run in np.split(np.arange(len(times)), np.flatnonzero(apart > GAP * distance) + 1):
        if len(run) <= 2 * reach:
            continue
        part = keypoints[run].astype(np.float64)
        part[1:-1] = np.median([part[:-2], part[1:-1], part[2:]], axis=0)
        steadied[run] = savgol_filter(part, 2 * reach + 1, ORDER, axis=0)
    return steadied
