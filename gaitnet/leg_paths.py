"""Which leg is which: of the places that a leg's joints may have in every frame, those on the smoothest path.

Seen from the side, the legs of a walker change places twice a stride, and a network that sees one picture at a time
takes one for the other now and then, or sees both in one place. A picture does not tell, the path does: a leg neither
jumps nor turns back in mid-swing. The paths are found by dynamic programming over the whole track (Viterbi, 1967), for
the knees and ankles of both legs together.
"""

import numpy as np
from jaxtyping import Float, Shaped

from humanpose.skeleton import INDEX

KNEES, ANKLES = ([INDEX[f"{side}_{name}"] for side in "rl"] for name in ("knee", "ankle"))

BELIEF = 0.6
"""How much the network's opinion of a place counts beside the path. Below 1: it errs for several frames running."""
MISTAKEN = 0.05
"""Probability that the network has taken one leg for the other."""
TREMBLE = 0.03
"""Standard deviation, in body heights, of how far a joint is from where the two frames before let it be expected."""
JUMP = 4.0
"""Standard deviations from which on one surprise is as good as another: the network may err in all places."""
TOGETHER, NEAR = 2.0, 0.04
"""Cost of both legs in one place, and how near that is in body heights."""
SHANK = 0.03
"""Standard deviation, in body heights, of a shank's length in the picture; 3 of them are as bad as any."""
FRAME = 0.04
"""Seconds: for frames further apart, TREMBLE grows in proportion."""

_FIRST, _SECOND, _OTHER_LEG = range(3)
_CHOICES = np.array([(_FIRST, _FIRST), (_OTHER_LEG, _OTHER_LEG), (_FIRST, _SECOND), (_SECOND, _FIRST)])
"""Where (right, left) may be: as the network has it, exchanged, or one of them in its second place."""
_COUNT = len(_CHOICES)


def smoothest_paths(
    keypoints: Float[np.ndarray, "place=2 time 16 2"],
    probability: Float[np.ndarray, "place=2 time 16"],
    times: Float[np.ndarray, " time"],
) -> tuple[Float[np.ndarray, "time 16 2"], Float[np.ndarray, "time 16"]]:
    """The joints of one person over time, knees and ankles in the most plausible of their places.

    Args:
        keypoints: where each joint is most likely in every frame, and where else it may be; pixels of a picture that
            does not move.
        probability: of each place.
        times: seconds, rising.

    Other joints stay in their first place. The constants were chosen on walkers (synthetic), whose ankles are known,
    and by how calm the paths are in KTH's videos and the clips.
    """
    if len(times) < 3:
        return keypoints[0], probability[0]
    height = max(float(np.median(np.ptp(keypoints[0, ..., 1], axis=1))), 1.0)
    knees, of_knees, sure_knees = _choices(keypoints, probability, KNEES, height)
    ankles, of_ankles, sure_ankles = _choices(keypoints, probability, ANKLES, height)
    shanks = np.linalg.norm(knees[:, :, None] - ankles[:, None], axis=-1)  # (time, choice, choice, leg)
    strain = (shanks - np.median(shanks[:, 0, 0])) / SHANK
    costs = of_knees[:, :, None] + of_ankles[:, None] + np.minimum(strain**2, 9.0).sum(axis=-1) / 2
    costs = costs.reshape(len(times), _COUNT**2)

    # cost of the best way to each pair of (choice a frame ago, choice now), and the choice before these on that way
    best = costs[0][:, None] + costs[1][None]
    links = []
    for now in range(2, len(times)):
        three = slice(now - 2, now + 1)
        of_knees, of_ankles = (_surprise(joint[three], times[three]) for joint in (knees, ankles))
        moves = of_knees[:, None, :, None, :, None] + of_ankles[None, :, None, :, None, :]
        ways = best[:, :, None] + moves.reshape(_COUNT**2, _COUNT**2, _COUNT**2)
        links.append(ways.argmin(axis=0).astype(np.int8))
        best = ways.min(axis=0) + costs[now][None]
    before, last = np.unravel_index(best.argmin(), best.shape)
    chosen = [int(last), int(before)]
    for link in reversed(links):
        chosen.append(int(link[chosen[-1], chosen[-2]]))
    of_knees, of_ankles = np.divmod(np.array(chosen[::-1]), _COUNT)

    found, sure = keypoints[0].copy(), probability[0].copy()
    every = np.arange(len(times))
    for joint, at, how_sure, choice in (
        (KNEES, knees, sure_knees, of_knees), (ANKLES, ankles, sure_ankles, of_ankles),
    ):  # fmt: skip
        found[:, joint] = at[every, choice] * height
        sure[:, joint] = how_sure[every, choice]
    return found, sure


def _choices(
    keypoints: np.ndarray, probability: np.ndarray, joint: list[int], height: float
) -> tuple[
    Float[np.ndarray, "time choice leg xy=2"], Float[np.ndarray, "time choice"], Float[np.ndarray, "time choice leg"]
]:
    """Where the joint of (right, left) leg is by every choice, in body heights; what speaks against it; how sure."""
    where = [keypoints[0][:, joint], keypoints[1][:, joint], keypoints[0][:, joint[::-1]]]
    sure = [probability[0][:, joint], probability[1][:, joint], probability[0][:, joint[::-1]]]
    belief = [sure[_FIRST], sure[_SECOND], np.full_like(sure[_FIRST], MISTAKEN)]
    at = _taken(where).astype(np.float64) / height
    apart = np.linalg.norm(at[:, :, 0] - at[:, :, 1], axis=-1)
    doubt = -BELIEF * np.log(_taken(belief) + 0.01).sum(axis=-1)
    return at, doubt + TOGETHER * np.exp(-0.5 * (apart / NEAR) ** 2), _taken(sure)


def _taken(options: list[Shaped[np.ndarray, "time leg *rest"]]) -> Shaped[np.ndarray, "time choice leg *rest"]:
    return np.stack([np.stack([options[of][:, leg] for leg, of in enumerate(both)], 1) for both in _CHOICES], 1)


def _surprise(
    joint: Float[np.ndarray, "3 choice leg xy=2"], times: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "choice choice choice"]:
    """How far a joint is, by every choice in three frames, from where the first two let it be expected in the third."""
    since, ahead = np.diff(times)
    start, middle, end = joint[0][:, None, None], joint[1][None, :, None], joint[2][None, None]
    off = end - middle - (middle - start) * (ahead / since)
    allowed = TREMBLE * max((since + ahead) / 2 / FRAME, 1.0)
    return np.minimum((off**2).sum(axis=-1) / allowed**2, JUMP**2).sum(axis=-1)
