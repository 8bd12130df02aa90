"""Joints of whoever is before a camera or in a video, walking or not: found in every picture, and followed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from gaitnet.cli.output import Progress, bar, note, waiting
from gaitnet.cli.pose_output import NO_WALK
from gaitnet.overlay import Label, Seen
from gaitnet.steady import steady
from gaitnet.video.boxes import heading, smooth_box
from gaitnet.video.read import Frame, VideoReader
from gaitnet.video.track import Tracker
from humanpose.estimator import Joints, Places
from humanpose.preprocess import crop, crop_affine
from humanpose.skeleton import FLIP, LIMB_JOINTS

if TYPE_CHECKING:
    from gaitnet.recognizer import GaitRecognizer, Person

CERTAIN = 0.4
"""Score from which somebody whom the detector found counts as a person."""
LEGS, ARMS = LIMB_JOINTS[:6], LIMB_JOINTS[6:]
"""With hips and with shoulders."""
NOBODY = 0.4
"""Median probability of the arms' joints, and of the legs', below which what was followed is no body: of a screen that
changed, the shipped network is sure by 0.3 and 0.2, of the man who passes it by 0.8. Each by itself: legs that are
below the picture say nothing against the arms."""
AROUND = 1.0
"""Seconds before and after a picture whose boxes smooth the box in it."""


class Follower:
    """Joints of everybody in picture after picture, each person under a number that stays theirs."""

    def __init__(self, recognizer: "GaitRecognizer") -> None:
        """Takes the recognizer's detector and its pose network; without a detector each picture is one person."""
        self.recognizer, self.tracker, self.numbers = recognizer, Tracker(), dict[int, int]()
        if recognizer.detector is None:
            note("these weights hold no detector: each picture is taken as one person, head to feet")

    def prepare(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Compile for pictures such as this one, so that no time is lost once a clock runs."""
        with waiting("getting ready"):
            self.recognizer.pose.joints(image)
            if self.recognizer.detector is not None:
                self.recognizer.detector(image)

    def __call__(self, frame: Frame) -> list[tuple[int, Seen]]:
        """Who is in the next picture, and what was seen of them, by their numbers; pictures must come in order."""
        pose, detector, image = self.recognizer.pose, self.recognizer.detector, frame.image
        if detector is None:
            keypoints, probability = pose.joints(image)
            whole = np.array([0, 0, image.shape[1] - 1, image.shape[0] - 1], np.float32)
            return [(1, Seen(whole, keypoints[0], probability[0], Label("person 1")))]
        found, scores = (np.asarray(column, float) for column in detector(image))
        sure = scores >= CERTAIN
        self.tracker.update(frame, found.reshape(-1, 4)[sure], scores[sure])
        here = [track for track in self.tracker.live if track.indices and track.indices[-1] == frame.index]
        if not here:
            return []
        boxes = np.array([track.boxes[-1] for track in here], np.float32)
        keypoints, probability = pose.joints(image, boxes)
        people = []
        for track, box, joints, sure_of in zip(here, boxes, keypoints, probability, strict=True):
            track.forget(len(track.indices) - 1)
            number = self.numbers.setdefault(track.track_id, len(self.numbers) + 1)
            people.append((number, Seen(box, joints, sure_of, Label(f"person {number}"))))
        return sorted(people, key=lambda one: one[0])


def everybody(recognizer: "GaitRecognizer", video: Path, again: bool = False) -> "list[Person]":
    """Everybody in a video whom the detector finds, whether they walk, stand or sit, in the order of their appearance.

    One pass, of which only boxes and joints are kept. Nobody is described. Joints are made steady as walkers' are, but
    keep the sides that the network gave them: only of whoever walks is it known how the legs take turns. Where the
    video was looked at before, and this is done `again`, its damage is not told again.
    """
    from gaitnet.recognizer import Person

    follow, seen_in, pictures = Follower(recognizer), dict[int, list[tuple[int, float, Seen]]](), 0
    with bar(f"looking at {video.name}") as progress, VideoReader(video, quiet=again) as reader:
        for pictures, frame in enumerate(reader, 1):
            for number, seen in follow(frame):
                seen_in.setdefault(number, []).append((frame.index, frame.time, seen))
            progress(pictures, reader.info.frames)
    people = []
    for number, moments in seen_in.items():
        if len(moments) < min(follow.tracker.least_seen, pictures):
            continue  # a flicker that never became a person
        frames, times = np.array([index for index, _, _ in moments]), np.array([time for _, time, _ in moments], float)
        boxes = np.stack([seen.box for _, _, seen in moments])
        keypoints = np.stack([seen.keypoints for _, _, seen in moments])
        probability = np.stack([seen.probability for _, _, seen in moments])
        people.append(
            Person(number, frames, times, boxes, steady(keypoints, times), probability, mirrored=False, reason=NO_WALK)
        )
    return people


def add_joints(
    recognizer: "GaitRecognizer", video: Path, people: "list[Person]", progress: Progress = lambda done, total: None
) -> None:
    """Give joints, in place, to those who were followed through a video but not described, and have none yet.

    One more pass through the video, where there is anybody of that kind. As with walkers, boxes are smoothed, who walks
    to the left is shown to the network as walking to the right, and legs keep to their paths; but not of whoever does
    not walk, whose legs may well stay in one place. What moved and is no body (NOBODY) gets none.
    """
    without = [one for one in people if len(one.frames) and not one.probability.any()]
    if not without:
        return
    for one in without:
        one.boxes = _smoothed(one.times, one.boxes)
    size = recognizer.pose.size
    found: list[list[tuple[int, *tuple[np.ndarray, ...]]]] = [[] for _ in without]
    # damage was told when the people were looked for
    with VideoReader(video, quiet=True) as reader:
        for done, frame in enumerate(reader, 1):
            rows = [int(np.searchsorted(one.frames, frame.index)) for one in without]
            here = [
                (place, row)
                for place, (one, row) in enumerate(zip(without, rows, strict=True))
                if row < len(one.frames) and one.frames[row] == frame.index
            ]
            if here:
                affines = np.stack([
                    crop_affine(without[place].boxes[row], size, mirror=without[place].mirrored) for place, row in here
                ])  # fmt: skip
                crops = np.stack([crop(frame.image, affine, size) for affine in affines])
                first, second = recognizer.joints_of_crops(crops, affines)
                for (place, row), *joints in zip(here, *first, *second, strict=True):
                    found[place].append((row, *joints))
            progress(done, reader.info.frames)
    for one, moments in zip(without, found, strict=True):
        if not moments:
            continue  # a file that does not give the same frames again
        seen, at, sure, elsewhere, less_sure = zip(*moments, strict=True)
        probability = np.stack(sure)
        if max(np.median(probability[:, part]) for part in (ARMS, LEGS)) < NOBODY:
            continue
        kept = list(seen)
        one.frames, one.times, one.boxes = one.frames[kept], one.times[kept], one.boxes[kept]
        if one.reason == "not walking" or heading(one.times, one.boxes) == "standing":
            one.keypoints, one.probability = steady(np.stack(at), one.times), probability
        else:
            places = Places(Joints(np.stack(at), probability), Joints(np.stack(elsewhere), np.stack(less_sure)))
            one.keypoints, one.probability = recognizer.paths(places, one.times)
        if one.mirrored:  # what the network calls right in a mirrored picture is left
            one.keypoints, one.probability = one.keypoints[:, FLIP], one.probability[:, FLIP]


def _smoothed(times: Float[np.ndarray, " time"], boxes: Float[np.ndarray, "time 4"]) -> Float[np.ndarray, "time 4"]:
    """A track's boxes, each by those around it: an outline that swallowed a shadow would shake the joints."""
    first, last = (np.searchsorted(times, times + by) for by in (-AROUND, AROUND))
    return np.stack(
        [smooth_box(times[a:b], boxes[a:b], at) for a, b, at in zip(first, last, times.tolist(), strict=True)]
    )
