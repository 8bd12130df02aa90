"""Acclaim's skeleton and motion files (.asf, .amc): the bones, their rotations, and where every bone ends."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gaitnet.walkers.bvh_file import MAX_FRAMES, turn_about

LARGEST = 1e6
"""No length, place or angle of a person is as large, in any unit; beyond it is damage."""

_ROOT = "root"
_ROTATIONS = {"rx": 0, "ry": 1, "rz": 2}
_PLACES = {"tx": 0, "ty": 1, "tz": 2}


class Bone(NamedTuple):
    """A bone of the rest pose, in the file's own axes and unit."""

    name: str
    parent: str
    end: np.ndarray
    """Its far end as seen from its near one, (xyz); 0 for the root."""
    axes: np.ndarray
    """(3, 3): the bone's own axes, about which the motion turns it, as columns; "C" in the papers."""
    freedom: list[str]
    """What a line of motion gives, in its order: rx, ry, rz; for the root tx, ty, tz too."""


class Skeleton(NamedTuple):
    """An .asf file."""

    bones: list[Bone]
    """Parents first, the root before all."""
    start: np.ndarray
    """(xyz) of the root before it is moved."""
    length: float
    """The file's length factor: its lengths divided by it are inches in CMU's files."""
    degrees: bool
    """Whether a motion that does not say so is in degrees; else radians."""


def malformed(path: Path, expected: str, got: str) -> ValueError:
    """The error that every unreadable skeleton or motion is refused with."""
    return ValueError(f"path: expected {expected} in {path}, got {got}; take the files as mocap.cs.cmu.edu has them")


def _lines(path: Path) -> list[list[str]]:
    """The words of every line, without comments and empty lines."""
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise ValueError(f"path: cannot read {path}: {error.strerror}; name an .amc with its .asf beside it") from None
    rows = (line.split("#")[0].split() for line in text.splitlines())
    return [row for row in rows if row]


def _numbers(path: Path, words: list[str], count: int, what: str) -> np.ndarray:
    try:
        values = np.array([float(word) for word in words], float)
    except ValueError:
        values = np.array([np.nan])
    if len(values) != count or not np.all(np.abs(values) < LARGEST):  # nan is not smaller either
        raise malformed(path, f"{count} finite numbers for {what}", repr(" ".join(words)[:60]))
    return values


def _turned(path: Path, words: list[str], order: str, degrees: bool, what: str) -> np.ndarray:
    """(3, 3) of three angles, those of the first letter of `order` applied first."""
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise malformed(path, f"three angles and an order such as XYZ for {what}", repr(" ".join([*words, order])[:40]))
    angles = _numbers(path, words, 3, what)
    matrix = np.eye(3)
    for axis, angle in zip(order.upper(), angles if degrees else np.degrees(angles), strict=True):
        matrix = turn_about("XYZ".index(axis), np.array([angle]))[0] @ matrix
    return matrix


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """Keyword with its colon, in small letters -> the lines up to the next."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for row in _lines(path):
        if row[0].startswith(":"):
            current = sections.setdefault(row[0].lower(), [])
        else:
            current.append(row)
    missing = [name for name in (":root", ":bonedata", ":hierarchy") if name not in sections]
    if missing:
        raise malformed(path, "the sections :root, :bonedata and :hierarchy of an ASF file", f"no {', '.join(missing)}")
    return sections


def read_skeleton(path: Path) -> Skeleton:
    """The bones of an .asf file.

    Raises:
        ValueError: not an ASF file, cut short, not finite, a bone that moves otherwise than by turning, or a hierarchy
            that does not reach every bone once.
    """
    sections = _sections(path)
    units = {row[0].lower(): row[1:] for row in sections.get(":units", [])}
    length = float(_numbers(path, units.get("length", ["1"]), 1, "the unit of length")[0])
    angle = "".join(units.get("angle", ["deg"])).lower()
    if not length > 0 or angle not in ("deg", "rad"):
        raise malformed(path, "a length above 0 and an angle of deg or rad in :units", f"{length:g} and {angle[:20]!r}")
    degrees = angle == "deg"
    about = {row[0].lower(): row[1:] for row in sections[":root"]}
    orient, order = about.get("orientation", ["0"] * 3), "".join(about.get("axis", ["XYZ"]))
    freedom = [name.lower() for name in about.get("order", [])]
    if sorted(freedom) != sorted([*_PLACES, *_ROTATIONS]):
        raise malformed(path, "an order of TX TY TZ RX RY RZ for the root", repr(" ".join(freedom)[:40]))
    start = _numbers(path, about.get("position", ["0"] * 3), 3, "the root's position")
    root = Bone(_ROOT, "", np.zeros(3), _turned(path, orient, order, degrees, "the root's orientation"), freedom)
    bones = _bones(path, sections[":bonedata"], degrees)
    return Skeleton([root, *_in_order(path, sections[":hierarchy"], bones)], start, length, degrees)


def _bones(path: Path, rows: list[list[str]], degrees: bool) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    about: dict[str, list[str]] | None = None
    for row in rows:
        word = row[0].lower()
        if word == "begin" and about is None:
            about = {}
        elif word == "end" and about is not None:
            name = " ".join(about.get("name", []))
            if not name or name == _ROOT or name in bones:
                raise malformed(path, "bones with names of their own", repr(name[:40]))
            toward = _numbers(path, about.get("direction", []), 3, f"the direction of {name}")
            long = float(_numbers(path, about.get("length", []), 1, f"the length of {name}")[0])
            if long < 0 or (long > 0 and not 0.5 < np.linalg.norm(toward) < 2):
                raise malformed(path, f"a direction of length 1 and a length from 0 for {name}", f"{toward} and {long}")
            end = long * toward / max(float(np.linalg.norm(toward)), 1e-9)
            axis = about.get("axis") or [*"000", "XYZ"]
            axes = _turned(path, axis[:-1], axis[-1], degrees, f"the axis of {name}")
            freedom = [kind.lower() for kind in about.get("dof", [])]
            if len(set(freedom)) < len(freedom) or not set(freedom) <= set(_ROTATIONS):
                raise malformed(path, f"a dof of rx, ry, rz for {name}", repr(" ".join(freedom)[:40]))
            bones[name], about = Bone(name, "", end, axes, freedom), None
        elif about is not None:
            about[word] = row[1:]
        else:
            raise malformed(path, "bones between begin and end", repr(word[:40]))
    if about is not None:
        raise malformed(path, "an end after every bone", "the end of the file")
    return bones


def _in_order(path: Path, rows: list[list[str]], bones: dict[str, Bone]) -> list[Bone]:
    """The bones with their parents, parents first."""
    children: dict[str, list[str]] = {}
    for parent, *names in rows:
        if parent.lower() not in ("begin", "end"):
            children.setdefault(parent, []).extend(names)
    ordered: list[Bone] = []
    waiting, seen = [_ROOT], {_ROOT}
    while waiting:
        parent = waiting.pop(0)
        for name in children.get(parent, []):
            if name not in bones or name in seen:
                raise malformed(path, "a hierarchy that names every bone once", repr(name[:40]))
            seen.add(name)
            waiting.append(name)
            ordered.append(bones[name]._replace(parent=parent))
    lost = [name for name in bones if name not in seen]
    if lost:
        raise malformed(path, "a hierarchy that leads from root to every bone", f"none to {', '.join(lost)[:60]}")
    return ordered


def read_motion(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The motion of an .amc file: bone -> (time, freedom), turns in degrees, places in the file's unit.

    Raises:
        ValueError: not an AMC file, cut short, not finite, or of another skeleton.
    """
    freedom = {bone.name: bone.freedom for bone in skeleton.bones if bone.freedom}
    degrees = skeleton.degrees
    frames: list[dict[str, list[str]]] = []
    for row in _lines(path):
        if row[0].startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(row[0].lower(), degrees)
        elif len(row) == 1 and row[0].isdecimal():
            frames.append({})
        elif not frames:
            raise malformed(path, "the number of a frame before its bones", repr(" ".join(row)[:40]))
        elif row[0] not in freedom or row[0] in frames[-1]:
            raise malformed(path, f"the bones of its skeleton once a frame ({len(frames)})", repr(row[0][:40]))
        else:
            frames[-1][row[0]] = row[1:]
    if not 0 < len(frames) <= MAX_FRAMES:
        raise malformed(path, f"1 to {MAX_FRAMES} frames", f"{len(frames)}")
    for number, frame in enumerate(frames, 1):
        missing = [name for name in freedom if name not in frame]
        if missing:
            raise malformed(path, f"every bone in frame {number}", f"none called {', '.join(missing)[:60]}")
    motion = {}
    for name, kinds in freedom.items():
        values = np.stack([_numbers(path, frame[name], len(kinds), name) for frame in frames])
        turns = np.array([kind in _ROTATIONS for kind in kinds])
        motion[name] = values if degrees else np.where(turns, np.degrees(values), values)
    return motion


def bone_ends(amc: str | Path, asf: str | Path) -> tuple[dict[str, np.ndarray], float]:
    """Where every bone of a clip ends: name -> (time, xyz) in the file's own axes and unit; and the length factor.

    "root" is where the root is. A bone turns by C M C^-1: C are its own axes (`axis` of the skeleton), M the turns of
    the motion about them, the first in the list applied first. Errors: as `read_amc`, but any skeleton will do.
    """
    skeleton = read_skeleton(Path(asf))
    motion = read_motion(Path(amc), skeleton)
    count = len(motion[_ROOT])
    turns: dict[str, np.ndarray] = {}
    ends: dict[str, np.ndarray] = {}
    for bone in skeleton.bones:
        turn, place = np.broadcast_to(np.eye(3), (count, 3, 3)), np.zeros((count, 3))
        for column, kind in enumerate(bone.freedom):
            values = motion[bone.name][:, column]
            if kind in _PLACES:
                place[:, _PLACES[kind]] = values
            else:
                turn = turn_about(_ROTATIONS[kind], values) @ turn
        if bone.name == _ROOT:
            # Where the root stands in its rest pose it is turned by `orientation`, which no motion takes away again.
            turns[_ROOT], ends[_ROOT] = turn @ bone.axes, place + skeleton.start
            continue
        turns[bone.name] = turns[bone.parent] @ (bone.axes @ turn @ bone.axes.T)
        ends[bone.name] = ends[bone.parent] + turns[bone.name] @ bone.end
    return ends, skeleton.length
