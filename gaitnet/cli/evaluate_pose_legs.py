"""Left and right, and feet that stand, in films with reference landmarks: what `gaitnet evaluate pose` says of them."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.cli.evaluate_pose_pictures import Pictures
    from gaitnet.evaluation.intervals import Rate
    from gaitnet.evaluation.joints import Measure

Table = tuple[str, list[str], list[list[Any]]]


class Seen(NamedTuple):
    """One reference, its place among those of its film, and the joints found there."""

    film: str
    place: int
    record: Any
    found: "np.ndarray"
    owner: str


class Legs:
    """The references of some films, and what was found there."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def add(self, pictures: "Pictures", found: "np.ndarray") -> None:
        """Keep what was found (person, joint, xy) in pictures whose records are known."""
        for place, record, joints, owner in zip(pictures.places, pictures.records, found, pictures.owners, strict=True):
            self.seen.append(Seen(record.source, place, record, joints, owner))

    def right(self, by_eye: bool) -> "tuple[Rate, int]":
        """Share of references whose legs are not exchanged in what was found, and how many could not be told.

        With `by_eye`, over the references that somebody looked at, put right.
        """
        import numpy as np

        from gaitnet.evaluation.joints import over_people
        from gaitnet.evaluation.legs import legs_right

        pictures, found = self._chosen(by_eye)
        right = legs_right(found, pictures.keypoints, pictures.visible)
        return over_people(right[:, None], np.array(pictures.owners)), int(np.isnan(right).sum())

    def pck(self, threshold: float) -> "Rate":
        """PCK over the references that somebody looked at, put right."""
        from gaitnet.cli.evaluate_pose_tally import Tally
        from humanpose.skeleton import LIMB_JOINTS

        tally = Tally(LIMB_JOINTS)
        tally.add(*self._chosen(by_eye=True))
        return tally.errors.pck(threshold)

    def _chosen(self, by_eye: bool) -> "tuple[Pictures, np.ndarray]":
        import numpy as np

        from gaitnet.cli.evaluate_pose_pictures import Pictures
        from gaitnet.evaluation.legs import checked

        kept = []
        for one in self.seen:
            joints, visible = one.record.keypoints, one.record.visible
            if by_eye:
                seen = checked().get((one.film, one.record.frame, one.place))
                if seen is None or seen.legs == "unclear":
                    continue
                joints, visible = seen.put_right(joints, visible)
            kept.append((one, joints, visible))
        shape = (len(kept), 16, 2)
        keypoints = np.array([joints for _, joints, _ in kept], np.float64).reshape(shape)
        visible = np.array([visible for *_, visible in kept], bool).reshape(shape[:2])
        found = np.array([one.found for one, *_ in kept], np.float64).reshape(shape)
        none = np.zeros(len(kept))
        return Pictures(none, none, none, keypoints, visible, [one.owner for one, *_ in kept]), found

    def jitters(self) -> list[tuple[float, int, str]]:
        """Each standing foot's jitter in pixels of a person 192 pixels tall, its frames, and whose foot it is."""
        import numpy as np

        from gaitnet.cli.evaluate_pose_pictures import box_of, film_of
        from gaitnet.evaluation.legs import jitter, stances
        from gaitnet.video.read import probe

        told = []
        for film in dict.fromkeys(one.film for one in self.seen):
            here = [one for one in self.seen if one.film == film]
            records = [one.record for one in here]
            keypoints, visible, found, boxes = (
                np.stack(column)
                for column in zip(*((one.record.keypoints, one.record.visible, one.found, box_of(one.record))
                                    for one in here), strict=True)
            )  # fmt: skip
            frames, rate = np.array([record.frame or 0 for record in records]), probe(film_of(records[0])).rate
            for stance in stances(frames, keypoints, visible, boxes, rate):
                told.append((jitter(stance, found, keypoints, boxes), len(stance.members), here[0].owner))
        return told


def standing(jitters: list[tuple[float, int, str]]) -> "tuple[Rate, Rate] | None":
    """Median over stances and root of the mean square over frames, with intervals over people; None without stances."""
    import numpy as np

    from gaitnet.evaluation.intervals import bootstrap_over_subjects

    whole = [one for one in jitters if one[0] == one[0]]
    if not whole:
        return None
    values, frames, owners = (np.array(column) for column in zip(*whole, strict=True))
    return (
        bootstrap_over_subjects(lambda draw: float(np.median(values[draw])), owners, share=False),
        bootstrap_over_subjects(
            lambda draw: float(np.sqrt((values[draw] ** 2 * frames[draw]).sum() / frames[draw].sum())),
            owners,
            share=False,
        ),
    )


def tables(legs: dict[str, Legs]) -> "tuple[list[Table], dict[str, list[Measure]]]":
    """Legs that are not exchanged, and feet that stand: tables with a line a set, and the same as measures."""
    from gaitnet.evaluation.joints import Measure, in_pixels

    rows, feet = [], []
    measures: dict[str, list[Measure]] = {}
    for name, seen in legs.items():
        (every, unknown), (by_eye, without) = seen.right(False), seen.right(True)
        pck = seen.pck(0.2)
        rows.append([
            name, every if every.count else None, every.count, unknown,
            by_eye if by_eye.count else None, by_eye.count, without, pck if pck.count else None,
        ])  # fmt: skip
        measures[name] = [
            Measure("legs not exchanged", "all", "share", every),
            Measure("legs not exchanged, references checked by eye", "all", "share", by_eye),
            Measure("PCK@0.2, references checked by eye", "all", "share", pck),
        ]
        jitters = seen.jitters()
        found = standing(jitters)
        if found is not None:
            median, root = found
            frames = sum(count for value, count, _ in jitters if value == value)
            feet.append([name, in_pixels(median), in_pixels(root), median.count, frames])
            measures[name] += [
                Measure("standing foot, median stance", "ankle", "px", median),
                Measure("standing foot, root mean square", "ankle", "px", root),
            ]
    drawn: list[Table] = []
    if rows:
        drawn.append((
            "legs not exchanged; also where checked by eye",
            ["set", "not exchanged", "frames", "not told", "checked by eye", "frames", "not told", "PCK@0.2"], rows,
        ))  # fmt: skip
    if feet:
        drawn.append((
            "jitter of a standing foot, px of 192 px people",
            ["set", "median stance [95 %]", "root mean square [95 %]", "stances", "frames"], feet,
        ))  # fmt: skip
    return drawn, measures
