"""Which leg is which: of the places that a leg's joints may have in every frame, those on the smoothest path, in turns.

Seen from the side, the legs of a walker change places twice a stride, and a network that sees one picture at a time
takes one for the other now and then, or sees both in one place. A picture does not tell, the path does: a leg neither
jumps nor turns back in mid-swing. The paths are found by dynamic programming over the whole track (Viterbi, 1967), for
the knees and ankles of both legs together. Where two ankles meet, paths that turn back are nearly as smooth as paths
that cross, and a network may take the near leg for the right one all the way; but whoever walks leads with one leg and
then with the other, as a rule: uneven steps, pauses and lost frames make exceptions.
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

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

LEADS, MEETS = 0.16, 0.10
"""Body heights across the picture from which one ankle leads the other, and below which they meet."""
BETWEEN = 0.02
"""Body heights from which a leg did lead between two leads of the other, if less than `LEADS`."""
STEP = 0.25, 1.0
"""Seconds from one leg's lead to the other's; what is closer or further apart is not the walk's next step."""
TWICE = 1.5
"""Cost of a leg's leading twice running, where 1 is as sure as the network usually is of who leads."""
AS_IT_IS = 0.25
"""What the smoothest paths' own opinion counts beside the network's."""

_FIRST, _SECOND, _OTHER_LEG = range(3)
_CHOICES = np.array([(_FIRST, _FIRST), (_OTHER_LEG, _OTHER_LEG), (_FIRST, _SECOND), (_SECOND, _FIRST)])
"""Where (right, left) may be: as the network has it, exchanged, or one of them in its second place."""
_COUNT = len(_CHOICES)


class Lead(NamedTuple):
    """Frames `first` to `last` in which one ankle leads; `peak` is where it leads most, `side` its sign."""

    first: int
    last: int
    peak: int
    side: int


def leg_paths(
    keypoints: Float[np.ndarray, "place=2 time 16 2"],
    probability: Float[np.ndarray, "place=2 time 16"],
    times: Float[np.ndarray, " time"],
) -> tuple[Float[np.ndarray, "time 16 2"], Float[np.ndarray, "time 16"]]:
    """The joints of one walker over time: knees and ankles on their `smoothest_paths`, `exchanged` to lead in turns."""
    found, sure = smoothest_paths(keypoints, probability, times)
    wrong = np.flatnonzero(exchanged(found, keypoints[0], probability[0], times))[:, None]
    found, sure = found.copy(), sure.copy()
    for legs in (KNEES, ANKLES):
        found[wrong, legs], sure[wrong, legs] = found[wrong, legs[::-1]], sure[wrong, legs[::-1]]
    return found, sure


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


def exchanged(
    paths: Float[np.ndarray, "time 16 2"],
    keypoints: Float[np.ndarray, "time 16 2"],
    probability: Float[np.ndarray, "time 16"],
    times: Float[np.ndarray, " time"],
) -> Bool[np.ndarray, " time"]:
    """In which frames the legs must be exchanged for each to lead after the other, unless much speaks against it.

    Args:
        paths: the joints of somebody who walks one way, each leg on a smooth path; pixels.
        keypoints: where the network has the joints. What it says on all steps together decides which leg leads first.
        probability: how sure it is of each.
        times: seconds, rising.

    Steps across the picture are needed: somebody seen from the front, or a single step, stays as it is. The constants
    were chosen on walkers (synthetic) from all sides and on how often a leg leads twice in KTH's videos and the clips.
    """
    wrong = np.zeros(len(times), bool)
    if len(times) < 3:
        return wrong
    height = max(float(np.median(np.ptp(keypoints[..., 1], axis=1))), 1.0)
    right, left = ANKLES
    ahead = (paths[:, right, 0] - paths[:, left, 0]) / height
    ahead = np.convolve(np.pad(ahead, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    said = np.clip((keypoints[:, right, 0] - keypoints[:, left, 0]) / height, -2 * LEADS, 2 * LEADS)
    said = said * np.sqrt(probability[:, right] * probability[:, left])
    leads = _leads(ahead)
    if not leads:
        return wrong
    swap: list[bool] = []
    for walk in _walks(leads, ahead, times):
        sides = np.array([lead.side for lead in walk])
        sure = np.array([said[lead.first : lead.last + 1].sum() for lead in walk])
        swap.extend(_in_turns(sides, sure) != sides)
    # an exchange begins and ends where the ankles are nearest to each other
    meetings = [
        before.last + 1 + int(np.abs(ahead[before.last + 1 : after.first + 1]).argmin())
        for before, after in itertools.pairwise(leads)
    ]
    for first, end, other in zip([0, *meetings], [*meetings, len(times)], swap, strict=True):
        wrong[first:end] = other
    return wrong


def _leads(ahead: Float[np.ndarray, " time"]) -> list[Lead]:
    """Where one ankle leads the other (`ahead`, right before left, body heights), until they meet again."""
    leads: list[Lead] = []
    going = False
    for frame, by in enumerate(ahead):
        going = going and abs(by) >= MEETS and np.sign(by) == leads[-1].side
        if going:
            lead = leads[-1]
            leads[-1] = lead._replace(last=frame, peak=frame if abs(by) > abs(ahead[lead.peak]) else lead.peak)
        elif abs(by) > LEADS:
            leads.append(Lead(frame, frame, frame, int(np.sign(by))))
            going = True
    return leads


def _walks(leads: list[Lead], ahead: Float[np.ndarray, " time"], times: Float[np.ndarray, " time"]) -> list[list[Lead]]:
    """Leads that follow each other at the rhythm of steps, none between them too small to be a lead."""
    walks = [leads[:1]]
    for before, lead in itertools.pairwise(leads):
        other_led = before.side == lead.side and (before.side * ahead[before.last : lead.first]).min() < -BETWEEN
        if STEP[0] <= times[lead.peak] - times[before.peak] <= STEP[1] and not other_led:
            walks[-1].append(lead)
        else:
            walks.append([lead])
    return walks


def _in_turns(sides: Int[np.ndarray, " lead"], sure: Float[np.ndarray, " lead"]) -> Int[np.ndarray, " lead"]:
    """Who leads each time, 1 the right leg and -1 the left, at the least cost (Viterbi).

    `sides`: who leads on the smoothest paths; `sure`: by what the network says, and how sure it is.
    """
    if len(sides) < 2:
        return sides
    believed = np.clip(sure / max(float(np.median(np.abs(sure))), 1e-9), -TWICE, TWICE) + AS_IT_IS * sides
    who = np.array([1, -1])
    cost = -who * believed[0] / 2
    links = []
    for belief in believed[1:]:
        turning, twice = cost[::-1], cost + TWICE
        links.append(np.where(turning <= twice, [1, 0], [0, 1]))
        cost = np.minimum(turning, twice) - who * belief / 2
    chosen = [int(cost.argmin())]
    for link in reversed(links):
        chosen.append(int(link[chosen[-1]]))
    return who[chosen[::-1]]
