"""Real motion: walks that a Kinect followed, as text with 20 joints a frame -> the 23 points of a walker.

What such a file does not tell is guessed: walks are filmed from the side by a sensor that was made for people who face
it. That is how far joints lie behind each other, which way hips and shoulders are turned, and, where the sensor was
panned with the walker, the way itself.
"""

import stat
from pathlib import Path

import numpy as np

from gaitnet.walkers import norms
from gaitnet.walkers.body import POINTS
from gaitnet.walkers.bvh import Motion, heading_of, smooth
from gaitnet.walkers.bvh_file import MAX_FRAMES

FRAME_RATE = 30.0
"""Frames per second of the sensor; the files do not say it."""

_SIDED = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
JOINTS = ("head", "shouldercenter", "spine", "hipcenter", *(f"{joint}{side}" for joint in _SIDED
                                                           for side in ("right", "left")))  # fmt: skip
"""Names of the 20 joints, without case, hyphens and blanks."""
_OTHER_NAMES = {"hipcentro": "hipcenter", "centerhip": "hipcenter", "centershoulder": "shouldercenter"}

LARGEST = 20.0
"""Metres from the sensor beyond which no joint can be."""
SHORTEST = 1.5
"""Seconds that a walk in one direction lasts at least."""
TURNING = np.radians(45.0)
"""Radians a second: who turns faster does not walk straight on."""
STRIDING = 0.12
"""Metres by which the ankles swing apart, root mean square over a stride: who stands has less."""
MOST_BYTES = 1 << 28
"""Of a file: two hours have less."""
FOOT_RADIUS = 0.036
"""Metres: heel and toe are the centres of the foot's rounded ends."""


def _malformed(path: Path, expected: str, got: str) -> ValueError:
    return ValueError(f"path: expected {expected} in {path}, got {got}; give lines of Joint;x;y;z, 20 joints a frame")


def read_joints(path: str | Path) -> dict[str, np.ndarray]:
    """The joints of a Kinect text file: name in JOINTS -> (time, xyz) metres; z is up, x away from the sensor.

    Raises:
        ValueError: not such a file, cut short, a joint missing or twice in a frame, not finite or far away.
    """
    path = Path(path)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise _malformed(path, "text", "a folder, pipe or device")
        if about.st_size > MOST_BYTES:
            raise _malformed(path, f"up to {MOST_BYTES:,} bytes", f"{about.st_size:,}")
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise ValueError(f"path: cannot read {path}: {error.strerror}; name a Kinect .txt file") from None
    rows = [line.split(";") for line in lines if line.strip()]
    count, rest = divmod(len(rows), len(JOINTS))
    if not rows or rest or count > MAX_FRAMES:
        raise _malformed(path, f"lines in frames of {len(JOINTS)} joints", f"{len(rows)} lines")
    joints = {name: np.full((count, 3), np.nan) for name in JOINTS}
    for number, row in enumerate(rows):
        name = row[0].lower().replace("-", "").replace("_", "").replace(" ", "")
        place = joints.get(_OTHER_NAMES.get(name, name))
        if place is None or len(row) != 4:
            raise _malformed(path, f"Joint;x;y;z in line {number + 1}", repr(lines[number][:40]))
        try:
            x, y, z = (float(word) for word in row[1:])
        except ValueError:
            x = y = z = np.nan
        if not max(abs(x), abs(y), abs(z)) < LARGEST or not np.isfinite(x + y + z):
            raise _malformed(path, f"three numbers of metres in line {number + 1}", repr(lines[number][:40]))
        if not np.isnan(place[number // len(JOINTS), 0]):
            raise _malformed(path, f"every joint once in frame {number // len(JOINTS) + 1}", f"{row[0]!r} twice")
        place[number // len(JOINTS)] = z, x, y
    return joints


def read_kinect(path: str | Path, frame_rate: float = FRAME_RATE) -> Motion:
    """The longest walk in one direction of a Kinect text file -> the 23 points of a walker along +x.

    Measured are the joints as seen from the side: their heights, and how far they are ahead of the hips. Guessed are:

    - the heading, from where the feet point and which way the ankles swing; hips and shoulders, which the sensor takes
      to face it, are put across it at the widths of a body of this stature, and keep only how they move;
    - the way, which is not in the file where the sensor was panned: the foot that goes back fastest stands still;
    - sideways places of joints, which are hidden behind each other: smoothed over a stride and kept on their own side;
    - the soles: length and height by stature, pitch by the foot joint; head top, nose, hands and neck from their
      neighbours; the floor, where the lowest toes are.

    Standing, turning and shorter walks are left out. Single frames in which a joint jumps are taken out.

    Args:
        path: text, a line `Joint;x;y;z` for each of the 20 joints of a Kinect of the first kind in every frame: metres,
            y up, z away from the sensor, x to its left.
        frame_rate: frames per second: the file does not say it.

    Raises:
        ValueError: as `read_joints`, or there is no walk of SHORTEST seconds in it.
    """
    path = Path(path)
    joints = {name: _quiet(place, frame_rate) for name, place in read_joints(path).items()}
    heading, walking = _heading(joints, frame_rate)
    first, last = _longest(walking)
    if last - first < SHORTEST * frame_rate:
        seconds = (last - first) / frame_rate
        raise _malformed(path, f"a walk of {SHORTEST} seconds in one direction", f"{seconds:.1f} seconds of one")
    cos, sin = np.cos(heading), np.sin(heading)
    back = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)
    local = {}
    for name, place in joints.items():
        flat = np.einsum("tij,tj->ti", back, (place - joints["hipcenter"])[:, :2])
        local[name] = np.concatenate([flat, place[:, 2:]], 1)[first:last]
    head, *feet = (np.median(local[name][:, 2]) for name in ("head", "footright", "footleft"))
    tall = float(head - min(feet))
    if not 0.8 < tall < 2.4:
        raise _malformed(path, "a person of 0.8 to 2.4 metres, y up", f"{tall:.2f} metres from the feet to the head")
    points = _points(local, frame_rate)
    points[..., 2] -= np.percentile(points[:, [POINTS.index("r_toe"), POINTS.index("l_toe")], 2], 5) - FOOT_RADIUS
    points[..., 0] += _way(points, frame_rate)[:, None]
    return Motion(points.astype(np.float32), heading_of(points, frame_rate).astype(np.float32), frame_rate)


def _quiet(place: np.ndarray, frame_rate: float) -> np.ndarray:
    """Without jumps shorter than a twelfth of a second, and without what is faster than limbs are."""
    padded = np.pad(place, ((2, 2), (0, 0)), mode="edge")
    median = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0), axis=-1)
    return smooth(median, 0.04 * frame_rate)


def _heading(joints: dict[str, np.ndarray], frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Radians from +x towards +y in which somebody walks, (time,), and whether he does, (time,)."""
    pointing = sum(joints[f"foot{side}"] - joints[f"ankle{side}"] for side in ("right", "left"))[:, :2]
    pointing = _unit(smooth(pointing, 0.3 * frame_rate))
    apart = (joints["ankleleft"] - joints["ankleright"])[:, :2]
    swung = apart - smooth(apart, 0.6 * frame_rate)  # who stands may have his feet apart too
    spread = smooth(swung[:, :, None] * swung[:, None, :], 0.4 * frame_rate)
    values, axes = np.linalg.eigh(spread)
    swing = axes[:, :, 1] * np.where(np.sum(axes[:, :, 1] * pointing, 1, keepdims=True) < 0, -1, 1)
    # Feet say which way, the swing of long steps says it more exactly.
    strength = np.sqrt(np.maximum(values[:, 1] - values[:, 0], 0)) / STRIDING
    toward = smooth(pointing + np.minimum(strength, 2)[:, None] * swing, 0.3 * frame_rate)
    heading = np.unwrap(np.arctan2(toward[:, 1], toward[:, 0]))
    turning = np.abs(np.gradient(heading)) * frame_rate if len(heading) > 1 else np.zeros(1)
    return heading, (turning < TURNING) & (np.sqrt(np.maximum(values[:, 1], 0)) > STRIDING)


def _longest(walking: np.ndarray) -> tuple[int, int]:
    """First frame and the frame after the last of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], walking.astype(int), [0]]))).reshape(-1, 2)
    return max(((int(start), int(stop)) for start, stop in edges), key=lambda run: run[1] - run[0], default=(0, 0))


def _sideways(place: np.ndarray, low: float, high: float, frame_rate: float) -> np.ndarray:
    """The same places with their y smoothed over a stride and kept within two bounds."""
    out = place.copy()
    out[:, 1] = np.clip(smooth(place[:, 1], 0.4 * frame_rate), low, high)
    return out


def _girdle(right: np.ndarray, left: np.ndarray, width: float, frame_rate: float) -> np.ndarray:
    """From the right to the left joint of hips or shoulders, this wide: across the heading but for how it moves."""
    across = left - right
    yaw = np.unwrap(np.arctan2(-across[:, 0], across[:, 1]))
    yaw = np.clip(smooth(yaw - smooth(yaw, 1.0 * frame_rate), 0.1 * frame_rate), -0.2, 0.2)
    roll = np.clip(smooth(across[:, 2] / width, 0.1 * frame_rate), -0.1, 0.1)
    return width * _unit(np.stack([-np.sin(yaw), np.cos(yaw), roll], 1))


def _points(local: dict[str, np.ndarray], frame_rate: float) -> np.ndarray:
    """The 23 points (time, point, xyz) from joints in the walker's own frame: x ahead of the hips, y left, z up."""
    floor = min(np.percentile(local[f"foot{side}"][:, 2], 10) for side in ("right", "left"))
    stature = float(np.median(local["head"][:, 2]) - floor) / (1 - norms.SEGMENTS["head"][0] / 2)
    part = {name: stature * (women + men) / 2 for name, (women, men, _) in norms.SEGMENTS.items()}
    point: dict[str, np.ndarray] = {}
    middle = (local["hipright"] + local["hipleft"]) / 2 * np.array([1.0, 0.0, 1.0])
    top = _sideways(local["shouldercenter"], -0.06, 0.06, frame_rate)
    hips = _girdle(local["hipright"], local["hipleft"], part["hip_width"], frame_rate)
    shoulders = _girdle(local["shoulderright"], local["shoulderleft"], part["shoulder_width"], frame_rate)
    # The sensor's middle of the shoulders is where the neck begins.
    chest = top + 0.08 * (middle - top)
    for side, short, sign in (("right", "r", -1), ("left", "l", 1)):
        point[f"{short}_hip"] = middle + sign / 2 * hips
        for joint in ("knee", "ankle"):
            low, high = sorted((sign * 0.02, sign * 0.13))
            point[f"{short}_{joint}"] = _sideways(local[f"{joint}{side}"], low, high, frame_rate)
        reached = point[f"{short}_shoulder"] = chest + sign / 2 * shoulders
        for start, end, low, high in (
            ("shoulder", "elbow", 0.01, 0.12), ("elbow", "wrist", -0.10, 0.06), ("wrist", "hand", -0.04, 0.02),
        ):  # fmt: skip
            low, high = sorted((sign * low, sign * high))
            reached = reached + _sideways(local[f"{end}{side}"] - local[f"{start}{side}"], low, high, frame_rate)
            point[f"{short}_{end}"] = reached
        ahead, up = _sole(local[f"ankle{side}"], local[f"foot{side}"], frame_rate)
        low_ankle = point[f"{short}_ankle"] - (part["ankle_height"] - FOOT_RADIUS) * up
        point[f"{short}_heel"] = low_ankle - norms.HEEL_FRACTION * part["foot"] * ahead
        point[f"{short}_toe"] = low_ankle + norms.TOE_FRACTION * part["foot"] * ahead
    point["pelvis"], point["thorax"] = middle, chest
    head = _sideways(local["head"], -0.08, 0.08, frame_rate)
    upward = _unit(head - chest)
    point["upper_neck"], point["head_top"] = (head + share * part["head"] * upward for share in (-0.5, 0.5))
    gaze = np.cross(_unit(shoulders), upward)
    point["nose"] = head - 0.08 * part["head"] * upward + 0.10 * _unit(gaze)
    return np.stack([point[name] for name in POINTS], 1)


def _sole(ankle: np.ndarray, foot: np.ndarray, frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Ahead along the sole and up from it, (time, xyz): as the foot joint goes up and down against its low frames."""
    angle = np.arctan2(foot[:, 2] - ankle[:, 2], foot[:, 0] - ankle[:, 0])
    low = ankle[:, 2] <= np.percentile(ankle[:, 2], 40)
    pitch = np.angle(np.exp(1j * (angle - np.median(angle[low]))))
    pitch = smooth(np.clip(pitch, -np.radians(65), np.radians(30)), 0.05 * frame_rate)
    zero = np.zeros_like(pitch)
    return np.stack([np.cos(pitch), zero, np.sin(pitch)], 1), np.stack([-np.sin(pitch), zero, np.cos(pitch)], 1)


def _way(points: np.ndarray, frame_rate: float) -> np.ndarray:
    """How far ahead the hips are, metres, (time,): the foot that goes back fastest is the one that stands."""
    ankles = points[:, [POINTS.index("r_ankle"), POINTS.index("l_ankle")], 0] - points[:, [POINTS.index("pelvis")], 0]
    speed = (-np.gradient(smooth(ankles, 0.03 * frame_rate), axis=0)).max(axis=1)
    speed = smooth(np.maximum(speed, 0.0), 0.08 * frame_rate)
    return np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
