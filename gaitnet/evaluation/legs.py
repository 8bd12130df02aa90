"""Whether right and left leg are the right ones, and how calm a standing foot is: joints found against references.

References made by a network take one leg for the other too. `legs.json` says of 270 of them, looked at one by one with
the frames around them, which are right and which of their joints lie beside the body; only these are fit to judge
another network by.
"""

import json
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from humanpose.skeleton import INDEX

KNEES, ANKLES = ([INDEX[f"{side}_{name}"] for side in "rl"] for name in ("knee", "ankle"))
STILL = 0.02
"""Body heights that a standing foot's reference may be from the mean of the stance so far."""
LEAST = 0.2
"""Seconds that a stance lasts at least."""
TALL = 192
"""Pixels of the person for whom the jitter is told."""
APART, STEP = 0.05, 0.1
"""Body heights between two references of one walker: at most so far, and so much further for every frame between."""
PATIENCE = 4
"""Frames without a reference after which it is another walk."""

Verdict = Literal["sound", "exchanged", "unclear"]


class Checked(NamedTuple):
    """What was seen in a reference, looked at by itself: whether its legs are right, and the joints that are not."""

    legs: Verdict
    wrong: list[int]

    def put_right(
        self, keypoints: Float[np.ndarray, "16 xy=2"], visible: Shaped[np.ndarray, "16"]
    ) -> tuple[Float[np.ndarray, "16 xy=2"], Shaped[np.ndarray, "16"]]:
        """The reference with its legs exchanged back where they were, and without the joints that are wrong."""
        if self.legs == "exchanged":
            keypoints, visible = exchange_legs(keypoints, visible)
        visible = visible.copy()
        visible[self.wrong] = False
        return keypoints, visible


@lru_cache(maxsize=1)
def checked() -> dict[tuple[str, int, int], Checked]:
    """(film, frame, place among its references) -> what was seen there, for those that were checked."""
    text = resources.files(__package__).joinpath("legs.json").read_text("utf-8")
    seen = {}
    for film, told in json.loads(text)["films"].items():
        wrong = {place: [INDEX[name] for name in names] for _, place, *names in told.get("wrong", [])}
        for verdict in get_args(Verdict):
            for frame, place in told.get(verdict, []):
                seen[film, frame, place] = Checked(verdict, wrong.get(place, []))
    return seen


def other_leg(keypoints: Float[np.ndarray, "*lead 16 xy=2"]) -> Float[np.ndarray, "*lead 16 xy=2"]:
    """The same joints with the knees and ankles of both legs exchanged."""
    exchanged = keypoints.copy()
    for both in (KNEES, ANKLES):
        exchanged[..., both, :] = keypoints[..., both[::-1], :]
    return exchanged


def exchange_legs(
    keypoints: Float[np.ndarray, "16 xy=2"], visible: Shaped[np.ndarray, "16"]
) -> tuple[Float[np.ndarray, "16 xy=2"], Shaped[np.ndarray, "16"]]:
    """A person's joints with both legs exchanged, and with them which of their knees and ankles are to be seen."""
    seen = visible.copy()
    for both in (KNEES, ANKLES):
        seen[both] = visible[both[::-1]]
    return other_leg(keypoints), seen


def legs_right(
    found: Float[np.ndarray, "person 16 2"],
    keypoints: Float[np.ndarray, "person 16 2"],
    visible: Shaped[np.ndarray, "person 16"],
) -> Float[np.ndarray, " person"]:
    """1 where knees and ankles are together nearer to the reference's own than to its other leg, 0 where not.

    A pair counts where both legs of the reference have it. NaN where there is no such pair, or nobody was found.
    """
    own, other = (np.linalg.norm(found - which, axis=-1) for which in (keypoints, other_leg(keypoints)))
    pairs = np.zeros(visible.shape, bool)
    for both in (KNEES, ANKLES):
        pairs[:, both] = np.asarray(visible)[:, both].astype(bool).all(axis=1, keepdims=True)
    nearer = np.where(pairs, other - own, 0).sum(axis=1)
    return np.where(pairs.any(axis=1) & np.isfinite(nearer), nearer >= 0, np.nan)


class Stance(NamedTuple):
    """A foot that stands: `members` of the references, in the order of their frames, and the ankle's joint."""

    members: Int[np.ndarray, " frame"]
    joint: int


def walks(frames: Int[np.ndarray, " person"], boxes: Float[np.ndarray, "person 4"]) -> list[Int[np.ndarray, " member"]]:
    """References of a film, in any order -> those of each walker's walk, in the order of the frames."""
    middle, tall = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3] - boxes[:, 1]
    chains: list[list[int]] = []
    for place in np.argsort(frames, kind="stable").tolist():
        way = [
            (abs(middle[place] - middle[chain[-1]]), chain)
            for chain in chains
            for since in [frames[place] - frames[chain[-1]]]
            if 0 < since <= PATIENCE and abs(middle[place] - middle[chain[-1]]) < (APART + STEP * since) * tall[place]
        ]
        if way:
            min(way, key=lambda one: one[0])[1].append(place)
        else:
            chains.append([place])
    return [np.array(chain) for chain in chains]


def stances(
    frames: Int[np.ndarray, " person"],
    keypoints: Float[np.ndarray, "person 16 2"],
    visible: Bool[np.ndarray, "person 16"],
    boxes: Float[np.ndarray, "person 4"],
    rate: float,
) -> list[Stance]:
    """Where a reference's ankle rests for at least LEAST seconds of consecutive frames, `rate` a second.

    Before a camera that moves no ankle rests, so nothing of that counts.
    """
    tall = boxes[:, 3] - boxes[:, 1]
    found: list[Stance] = []
    for walk in walks(frames, boxes):
        for joint in ANKLES:
            run: list[int] = []
            for place in [*walk.tolist(), -1]:  # -1 ends the last run
                rests = place >= 0 and bool(visible[place, joint])
                if run and not (
                    rests
                    and frames[place] == frames[run[-1]] + 1
                    and np.linalg.norm(keypoints[place, joint] - keypoints[run, joint].mean(axis=0))
                    <= STILL * tall[place]
                ):
                    if len(run) >= LEAST * rate:
                        found.append(Stance(np.array(run), joint))
                    run = []
                if rests:
                    run.append(place)
    return found


def jitter(
    stance: Stance,
    found: Float[np.ndarray, "person 16 2"],
    keypoints: Float[np.ndarray, "person 16 2"],
    boxes: Float[np.ndarray, "person 4"],
) -> float:
    """How far the ankle found is from its own steady way through a stance, as root of the mean square, in pixels.

    Told for a person of 192 pixels. The steady way is a straight line over time: a standing ankle rolls over the foot.
    Legs that are exchanged throughout are no jitter: of both ankles found, the one that is nearer to the reference is
    meant. NaN where nobody was found in one of the frames.
    """
    members = stance.members
    other = ANKLES[1 - ANKLES.index(stance.joint)]
    ways = [found[members, joint] for joint in (stance.joint, other)]
    if not all(np.isfinite(way).all() for way in ways):
        return float("nan")
    way = min(ways, key=lambda way: float(np.median(np.linalg.norm(way - keypoints[members, stance.joint], axis=-1))))
    times = np.arange(len(members)) - (len(members) - 1) / 2
    steady = way.mean(axis=0) + times[:, None] * (times @ way / (times @ times))
    tall = float(np.median(boxes[members, 3] - boxes[members, 1]))
    return float(np.sqrt(((way - steady) ** 2).sum(axis=1).mean()) * TALL / tall)
