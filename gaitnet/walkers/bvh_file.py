"""BVH files: the skeleton's hierarchy, its motion, and where every joint is."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

MAX_FRAMES = 1_000_000

_AXES = {"X": 0, "Y": 1, "Z": 2}


class _Joint(NamedTuple):
    name: str
    parent: int
    offset: np.ndarray
    positions: list[tuple[int, int]]
    """(axis, column) of every position channel."""
    rotations: list[tuple[int, int]]
    """(axis, column) of every rotation channel, in the order of the file: the first is applied last."""


def malformed(path: Path, expected: str, got: str) -> ValueError:
    """The error that every unreadable clip is refused with."""
    return ValueError(f"path: expected {expected} in {path}, got {got}; export the clip again as BVH in the CMU layout")


def _read_skeleton(path: Path, words: list[str]) -> tuple[list[_Joint], int, int]:
    """The joints (parents first, end sites among them), the number of channels, and the word after MOTION."""
    joints: list[_Joint] = []
    open_joints: list[int] = []
    channels, at = 0, 1
    pending: str | None = None

    def number(position: int) -> float:
        try:
            value = float(words[position])
        except (ValueError, IndexError):
            value = float("nan")
        if not np.isfinite(value):
            raise malformed(path, "a number in the HIERARCHY", repr(" ".join(words[position : position + 1])))
        return value

    while True:
        word = words[at] if at < len(words) else ""
        if word in ("ROOT", "JOINT", "End"):
            name = words[at + 1] if at + 1 < len(words) else ""
            pending = f"{joints[open_joints[-1]].name} end" if word == "End" and open_joints else name
            at += 2
        elif word == "{" and pending is not None:
            joints.append(_Joint(pending, open_joints[-1] if open_joints else -1, np.zeros(3), [], []))
            open_joints.append(len(joints) - 1)
            pending, at = None, at + 1
        elif word == "}" and open_joints:
            open_joints.pop()
            at += 1
        elif word == "OFFSET" and open_joints:
            joints[open_joints[-1]].offset[:] = [number(at + 1 + axis) for axis in range(3)]
            at += 4
        elif word == "CHANNELS" and open_joints:
            count = int(number(at + 1))
            for name in words[at + 2 : at + 2 + count]:
                axis, kind = _AXES.get(name[:1]), name[1:]
                if axis is None or kind not in ("position", "rotation"):
                    raise malformed(path, "channels such as Xposition or Zrotation", repr(name))
                joint = joints[open_joints[-1]]
                (joint.positions if kind == "position" else joint.rotations).append((axis, channels))
                channels += 1
            at += 2 + count
        elif word == "MOTION" and joints and not open_joints:
            return joints, channels, at + 1
        else:
            raise malformed(path, "a well-formed HIERARCHY, then MOTION", repr(word) if word else "the end of the file")


def _read_file(path: Path) -> tuple[list[_Joint], np.ndarray, float]:
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise malformed(path, "text", "bytes that are not") from None
    except OSError as error:
        raise ValueError(f"path: cannot read {path}: {error.strerror}; name a .bvh file") from None
    words = text.split()
    if not words or words[0] != "HIERARCHY":
        raise malformed(path, "HIERARCHY at the beginning", repr(words[0][:40]) if words else "an empty file")
    joints, channels, at = _read_skeleton(path, words)
    head = words[at : at + 5]
    try:
        frames, interval = int(head[1]), float(head[4])
    except (ValueError, IndexError):
        frames, interval = 0, 0.0
    if head[:1] + head[2:4] != ["Frames:", "Frame", "Time:"] or not 0 < frames <= MAX_FRAMES or not 0 < interval < 10:
        raise malformed(path, "'Frames: N' and 'Frame Time: seconds' after MOTION", repr(" ".join(head)))
    try:
        values = np.array(words[at + 5 :], float)
    except ValueError as error:
        raise malformed(path, "numbers only after Frame Time", str(error)) from None
    if values.size != frames * channels:
        raise malformed(path, f"{frames} frames of {channels} values", f"{values.size} values")
    if not np.isfinite(values).all():
        raise malformed(path, "finite values", "nan or inf")
    return joints, values.reshape(frames, channels), 1.0 / interval


def turn_about(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Rotation matrices (time, 3, 3) about one axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.zeros((len(degrees), 3, 3))
    matrix[:, axis, axis] = 1
    second, third = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, second, second] = matrix[:, third, third] = cos
    matrix[:, second, third], matrix[:, third, second] = -sin, sin
    return matrix


def joint_positions(path: str | Path) -> tuple[dict[str, np.ndarray], float]:
    """Every joint of a BVH file: name -> positions (time, xyz), in the file's own axes and unit; and frames/s.

    An end site is called after its joint, "Head end". Errors: as `read_bvh`, but any skeleton will do.
    """
    joints, values, frame_rate = _read_file(Path(path))
    turns: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for joint in joints:
        place = np.broadcast_to(joint.offset, (len(values), 3)).copy()
        for axis, column in joint.positions:
            place[:, axis] += values[:, column]
        turn = np.broadcast_to(np.eye(3), (len(values), 3, 3))
        for axis, column in joint.rotations:
            turn = turn @ turn_about(axis, values[:, column])
        if joint.parent >= 0:
            place = places[joint.parent] + np.einsum("tij,tj->ti", turns[joint.parent], place)
            turn = turns[joint.parent] @ turn
        places.append(place)
        turns.append(turn)
    return {joint.name: place for joint, place in zip(joints, places, strict=True)}, frame_rate
