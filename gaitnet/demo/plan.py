"""Who walks in the demonstration, in what, from where; and who is searched for among whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from gaitnet.crowd import Entry, subject_name
from gaitnet.evaluation.selection import Protocol, Row, Sample, Select
from gaitnet.walkers.walks import WalkPlan

PROBES = (
    ("normal", "n3", "NM", 0),
    ("backpack", "b1", "BP", 0),
    ("coat", "c1", "CL", 0),
    ("second session", "n4", "NM", 1),
)
"""Name of the row, of the walk, its condition, its session."""
ENROLLED = ("n1", "n2")

PROTOCOL = Protocol(
    "walkers (synthetic), demonstration",
    "unseen walkers; two normal walks a view enrol, from all views together; clothes, place and camera always change",
    tuple(Row(name, Select(sequences=ENROLLED), Select(sequences=(walk,))) for name, walk, _, _ in PROBES),
    test=Select(parts=("demo",)),
    train=Select(parts=("train",)),
    average_rows=True,
)


@dataclass(frozen=True)
class DemoConfig:
    """How much is shown: `walkers` people from `views` (degrees), walks of `frames` frames (25 a second).

    `left_out`: into so many parts the people are cut, each in turn left out of the gallery and searched for as
    strangers. `video_frames` of the crossing, 25 a second, 0 for none; `pictures` of walkers with joints.
    """

    walkers: int = 20
    views: tuple[float, ...] = (54.0, 90.0, 126.0)
    frames: int = 64
    left_out: int = 5
    video_frames: int = 136
    pictures: int = 12
    seed: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.left_out <= self.walkers or self.walkers < 3 or not self.views:
            raise ValueError(f"walkers, left_out, views: expected 3 walkers, 2 parts and a view at least, got {self}")
        if not 0 <= self.seed < 100_000:
            raise ValueError(f"seed: expected 0 to 99999, got {self.seed}")


def plan_demo(config: DemoConfig) -> list[Entry]:
    """All walks: the enrolled ones first to the right, then to the left; probes go either way."""
    walks = [(name, name, "NM", 0) for name in ENROLLED] + list(PROBES)
    entries = []
    for subject in range(config.walkers):
        for place, view in enumerate(config.views):
            for take, (_, name, condition, session) in enumerate(walks):
                to_left = bool(take % 2) if take < 2 else bool((subject + place + take) % 2)
                plan = WalkPlan(subject, condition, session, view, take, to_left)
                sample = Sample(subject_name(subject), condition, str(session + 1), view, name, "demo")
                entries.append(Entry(plan, sample))
    return entries


def pictured(entries: Sequence[Entry], count: int) -> list[int]:
    """Places of the walks that are shown: probes, each of another person, conditions and views by turns."""
    probes = [place for place, entry in enumerate(entries) if entry.sample.sequence not in ENROLLED]
    subjects = sorted({entries[place].plan.subject for place in probes})
    chosen = []
    for turn in range(min(count, len(subjects))):
        own = [place for place in probes if entries[place].plan.subject == subjects[turn]]
        chosen.append(own[(turn * (len(PROBES) + 1)) % len(own)])
    return chosen
