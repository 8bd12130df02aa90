"""Video -> who: the one module that joins pose estimation and gait recognition.

A frame goes from the reader to the people in it, from each person's crop to joints, from a whole track's joints to pose
maps, and from these to the identification vector. Only joints are kept of a track while it lasts (a few kilobytes a
second), so memory does not grow with the pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from flax import nnx
from jaxtyping import Float, Int, UInt8

from gaitnet.descriptor import Descriptor, windows
from gaitnet.leg_paths import leg_paths
from gaitnet.models.detector import Detector, DetectorConfig
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
from gaitnet.pose_maps import GRID, RATE, pose_maps_of_track
from gaitnet.posture import Posture
from gaitnet.steady import steady
from gaitnet.video.detect import FindPeople, PersonDetector
from gaitnet.video.network import people_finder
from gaitnet.video.people import people
from gaitnet.video.read import Frame, VideoReader
from gaitnet.video.walk import PeopleConfig, PersonTrack
from humanpose import checkpoint
from humanpose.checkpoint import CheckpointError
from humanpose.estimator import HumanPoseNN, Joints, Places
from humanpose.models.network import Decoding
from humanpose.preprocess import to_image
from humanpose.skeleton import FLIP, JOINTS, LIMB_JOINTS

SHORTEST = 12
"""Fewest pose maps (about one stride) that are described."""
LEAST_SURE = 0.5
"""Median probability of the limbs' joints below which nobody is described: half a person, or none. Whole people have
0.64 and more in the landmarked clips and in KTH videos, somebody filmed from the waist up has 0.37."""
GAP, LONGEST = 0.4, 30.0
"""Seconds: over a longer gap nobody knows how the walk went on; a longer stretch is mapped part by part."""


@dataclass
class Person:
    """One person's track through a video, and what is known of it.

    `frames` (time,) indices from 0; `times` (time,) seconds; `boxes` (time, 4) x0, y0, x1, y1 and `keypoints` (time,
    joint, xy) in image pixels; `probability` (time, joint) 0..1. `identification_vector` (size,) is None exactly where
    `reason` says why the person is not described; it is the mean of those of the `windows` of the walk.
    """

    track: int
    frames: Int[np.ndarray, " time"]
    times: Float[np.ndarray, " time"]
    boxes: Float[np.ndarray, "time 4"]
    keypoints: Float[np.ndarray, "time 16 2"]
    probability: Float[np.ndarray, "time 16"]
    mirrored: bool
    identification_vector: Float[np.ndarray, " size"] | None = None
    windows: Float[np.ndarray, "window size"] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    reason: str | None = None


DESCRIBING = 5
"""Counts up whenever equal weights make other vectors of the same frames, as since vectors tell of posture too."""


class GaitRecognizer:
    """Describes the people in a video; holds a pose network and what describes walks, whose weights belong together."""

    def __init__(self, pose: HumanPoseNN, gait: Descriptor, identity: str = "", detector: FindPeople | None = None):
        """Joins networks that are already there; `load` finds the shipped ones.

        `identity` names the weights; `detector` finds people in a picture where a still camera's foreground cannot.
        """
        self.pose, self.gait, self.identity, self.detector = pose, gait, identity, detector

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        pose: str | Path | None = None,
        flip_test: bool = False,
        decoding: Decoding | None = None,
    ) -> "GaitRecognizer":
        """The shipped weights, or those in `folder`: its sub-folders pose and gait, and posture and detect if there.

        Args:
            folder: of the weights; None for the shipped ones.
            pose: a pose network in place of the folder's, the name of a shipped one or a checkpoint. Vectors are of
                another kind then, and what describes walks did not learn from such joints.
            flip_test: as `HumanPoseNN.load` has it; it makes other vectors too, and `identity` tells of it.
            decoding: likewise.

        Raises:
            CheckpointError: weights are missing, damaged, do not fit their config (lists every key), or read other
                maps than those that joints are drawn as.

        """
        # a name alone means the shipped weights, a place never does, not even "."
        within = Path() if folder is None else Path(folder).absolute()
        network, sha256 = load_gaitnn(within / "gait")
        posture, its_sha256 = load_posture(within / "posture")
        pose_network = HumanPoseNN.load(within / "pose" if pose is None else pose, flip_test, decoding)
        detector = load_detector(within / "detect")
        # vectors can be compared only where all stages had the same weights and were used alike
        otherwise = ["flip"] * flip_test + ([] if decoding is None else [decoding])
        identity = "-".join([pose_network.sha256[:16], sha256[:16], *its_sha256, str(DESCRIBING), *otherwise])
        return cls(pose_network, Descriptor(network, posture), identity, detector)

    def describe(self, video: str | Path, progress: Callable[[int, int | None], None] | None = None) -> list[Person]:
        """Everybody in a video, in the order of their first appearance.

        Args:
            video: a file, or a folder of pictures.
            progress: called with (frames done, frames in all or None where the file does not tell).

        Raises:
            VideoError: the video cannot be read.

        """
        return sorted(self.stream(video, progress), key=lambda person: (person.frames[0], person.track))

    def stream(self, video: str | Path, progress: Callable[[int, int | None], None] | None = None) -> Iterator[Person]:
        """As `describe`, each person as soon as their track ends."""
        detector = PersonDetector(self.detector)
        detector.prime(video)
        with VideoReader(video) as reader:
            yield from self.follow(_counted(reader, progress), detector)

    def follow(self, frames: Iterator[Frame], detector: PersonDetector) -> Iterator[Person]:
        """As `stream`, for frames that come from anywhere, with a detector that may have been primed with the scene."""
        pending: dict[int, list[tuple[np.ndarray, ...]]] = {}
        for segment in people(frames, detector, PeopleConfig(size=self.pose.size)):
            parts = pending.setdefault(segment.track_id, [])
            if len(segment.crops):
                places = self.joints_of_crops(segment.crops, segment.affines)
                parts.append((segment.frames, segment.times, segment.boxes, *places.first, *places.second))
            if segment.last:
                yield self._describe(segment, pending.pop(segment.track_id))

    def joints_of_crops(
        self, crops: UInt8[np.ndarray, "time height width 3"], affines: Float[np.ndarray, "time 2 3"]
    ) -> Places:
        """Person crops -> places of their joints in image pixels; a mirrored crop's sides stay exchanged."""
        places, _ = self.pose.describe(crops)
        affines = affines.astype(np.float32)
        return Places(*(Joints(to_image(found.keypoints, affines), found.probability) for found in places))

    def joints_of_track(
        self,
        crops: UInt8[np.ndarray, "time height width 3"],
        affines: Float[np.ndarray, "time 2 3"],
        times: Float[np.ndarray, " time"],
    ) -> tuple[Float[np.ndarray, "time 16 2"], Float[np.ndarray, "time 16"]]:
        """Crops of one person -> keypoints in image pixels, as `paths`, and probability.

        A mirrored crop's sides stay exchanged.
        """
        return self.paths(self.joints_of_crops(crops, affines), times)

    @staticmethod
    def paths(
        places: Places, times: Float[np.ndarray, " time"]
    ) -> tuple[Float[np.ndarray, "time 16 2"], Float[np.ndarray, "time 16"]]:
        """The places that a track's joints may have -> keypoints, each leg on its own path, steady; and probability."""
        keypoints, probability = leg_paths(
            np.stack([found.keypoints for found in places]), np.stack([found.probability for found in places]), times
        )
        return steady(keypoints, times), probability

    def windows_of_track(
        self,
        keypoints: Float[np.ndarray, "time 16 2"],
        probability: Float[np.ndarray, "time 16"],
        times: Float[np.ndarray, " time"],
        mirrored: bool = False,
    ) -> Float[np.ndarray, "window size"]:
        """A track's keypoints (pixels; times in seconds) -> a vector a window; none where it is too short."""
        parts = maps_of_walk(keypoints, probability, times, mirrored)
        none = np.zeros((0, self.gait.size), np.float32)
        return np.concatenate([none, *(self.gait.vectors(windows(maps)) for maps in parts)])

    def _describe(self, segment: PersonTrack, parts: list[tuple[np.ndarray, ...]]) -> Person:
        if not parts:
            nobody = np.zeros((len(segment.frames), 16, 2), np.float32)
            return Person(
                segment.track_id, segment.frames, segment.times, segment.boxes, nobody, nobody[..., 0],
                segment.mirrored, reason=segment.reason or "too few frames",
            )  # fmt: skip
        frames, times, boxes, at, sure, elsewhere, less = (np.concatenate(part) for part in zip(*parts, strict=True))
        keypoints, probability = self.paths(Places(Joints(at, sure), Joints(elsewhere, less)), times)
        unclear = np.median(probability[:, LIMB_JOINTS]) < LEAST_SURE
        found = self.windows_of_track(keypoints, probability, times, segment.mirrored)
        if segment.mirrored:  # the network named the sides of a mirrored picture: give them their own names back
            keypoints, probability = keypoints[:, FLIP], probability[:, FLIP]
        person = Person(segment.track_id, frames, times, boxes, keypoints, probability, segment.mirrored)
        if unclear:
            person.reason = "joints unclear"
        elif len(found):
            person.windows, person.identification_vector = found, found.mean(axis=0)
        else:
            person.reason = "too few frames"
        return person


def load_gaitnn(directory_or_name: str | Path) -> tuple[GaitNN, str]:
    """A GaitNN checkpoint -> (network without its training head, sha256 of the weights).

    Raises:
        CheckpointError: missing, damaged, not a GaitNN, or one of other maps than `pose_maps` draws.

    """
    network, sha256 = checkpoint.load_model(
        directory_or_name, GaitNNConfig, lambda config: GaitNN(config, rngs=nnx.Rngs(0)), headless=True
    )
    reads, drawn = (network.config.grid, network.config.grid, network.config.channels), (GRID, GRID, len(JOINTS))
    if reads != drawn:
        found, expected = (" x ".join(map(str, shape)) for shape in (reads, drawn))
        raise CheckpointError(
            f"the GaitNN in {directory_or_name} reads maps of {found} (height, width, channel), but joints are drawn "
            f"as maps of {expected}; take weights that python -m train gait made"
        )
    return network, sha256


def load_posture(directory_or_name: str | Path) -> tuple[Posture | None, list[str]]:
    """A posture checkpoint and what tells it from others; None and nothing where there is none: GaitNN does without.

    Raises:
        CheckpointError: it is there, but damaged or no posture.

    """
    try:
        folder = checkpoint.find(directory_or_name)
    except CheckpointError:
        if Path(directory_or_name).exists():
            raise
        return None, []
    arrays, manifest = checkpoint.load(folder)
    try:
        posture = Posture(arrays["centre"], arrays["whitening"], float(manifest["config"]["weight"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds no posture: {error}; make one with python -m train posture") from error
    # the arrays do not tell of the weight, by which vectors differ as well
    return posture, [manifest["weights"]["sha256"][:16], *([f"x{posture.weight:g}"] if posture.weight != 1 else [])]


def load_detector(directory_or_name: str | Path) -> FindPeople | None:
    """A detector checkpoint as a function of a picture; None where there is none, and still cameras do without.

    Raises:
        CheckpointError: it is there, but damaged or not a detector.

    """
    try:
        folder = checkpoint.find(directory_or_name)
    except CheckpointError:
        return None
    model, _ = checkpoint.load_model(folder, DetectorConfig, lambda config: Detector(config, rngs=nnx.Rngs(0)))
    return people_finder(model)


def _counted(reader: VideoReader, progress: Callable[[int, int | None], None] | None) -> Iterator[Frame]:
    for frame in reader:
        yield frame
        if progress is not None:
            progress(frame.index + 1, reader.info.frames)


def maps_of_walk(
    keypoints: Float[np.ndarray, "time 16 2"],
    probability: Float[np.ndarray, "time 16"],
    times: Float[np.ndarray, " time"],
    mirrored: bool,
) -> Iterator[Float[np.ndarray, "steps 17 17 16"]]:
    """A track's keypoints as pose maps, in parts between the gaps in which the walker was not seen.

    Where there are frames between one map and the next, as at 25 a second, the walk is mapped a second time half a step
    later: what the pose network gets wrong in one frame it often gets right in the next. Parts too short to be
    described are left out. Long walks are taken LONGEST seconds at a time, so that the memory for their maps stays
    small as long as the caller does not keep them.
    """
    cut, began = [0], times[0] if len(times) else 0.0
    for place in range(1, len(times)):
        if times[place] - times[place - 1] > GAP or times[place] - began > LONGEST:
            cut.append(place)
            began = times[place]
    pieces = [slice(*ends) for ends in pairwise([*cut, len(times)]) if ends[1] - ends[0] > 1]
    for one in pieces:
        for start in (0.0, 0.5 / RATE) if np.median(np.diff(times[one])) < 0.75 / RATE else (0.0,):
            maps = pose_maps_of_track(keypoints[one], probability[one], times[one], mirrored, start)
            if len(maps) >= SHORTEST:
                yield maps
