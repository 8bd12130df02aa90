"""The cache that `prepare` wrote -> records and their pictures, one at a time from files that stay on the disk."""

import json
import threading
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from humanpose.datasets.check import PEOPLE_PLACED, require_inside, require_people, spread
from humanpose.datasets.fingerprints import sha256_of
from humanpose.datasets.pictures import picture_size
from humanpose.datasets.places import inside
from humanpose.datasets.prepare import FORMAT, INDEX
from humanpose.datasets.record import PoseRecord
from humanpose.preprocess import to_image

OPEN = 64
"""Shards that are kept open: each costs a file and what the system keeps of its pages, not its size in memory."""


class _Shard(NamedTuple):
    pixels: np.ndarray
    """Mapped: all JPEGs one after another, or the pictures."""
    ends: np.ndarray | None
    """Where each JPEG ends; None for pictures."""


class PreparedPose:
    """A cache of person crops.

    `records` have the shard as `path` and the row in it as `frame`; keypoints, box and head are in pixels of the crop.
    `image` gives a record's picture, and may be called in any order and from several threads. `affines` (record, 2, 3)
    lead from a crop's pixels to those of its picture, whose name and frame `source_of` tells.

    Raises ValueError where the folder holds no whole cache, or a file of it is damaged: annotations are checked at
    once, a shard's pixels when the first of them is wanted, and all of them by `verify`.
    """

    def __init__(self, directory: str | Path, open_shards: int = OPEN) -> None:
        self.directory = Path(directory)
        self._index = _read_index(self.directory / INDEX)
        with _damage_told(self.directory / INDEX):
            self.name, self.size = str(self._index["name"]), int(self._index["size"])
            entries = self._index["shards"]
            self._digests = {inside(self.directory, entry["file"]): str(entry["sha256"]) for entry in entries}
        self._most, self._lock = max(1, open_shards), threading.Lock()
        self._open: OrderedDict[Path, _Shard] = OrderedDict()
        self._sound: set[Path] = set()
        self._rows: dict[tuple[Path, int], int] = {}
        self._sources: list[tuple[str, int | None]] = []
        self._sizes: list[tuple[int, int]] = []
        self.records: list[PoseRecord] = []
        affines = [np.zeros((0, 2, 3))]
        for path in self._digests:
            with _damage_told(path), np.load(path, allow_pickle=False) as stored:
                columns = {key: stored[key] for key in stored.files if key not in ("pixels", "ends")}
                _require_shapes(columns)
                affines.append(columns["affine"])
                self._add(path, columns)
        if not self.records:
            raise ValueError(f"{self.directory} holds nobody; `gaitnet datasets prepare` makes it again")
        self.affines: Float[np.ndarray, "record 2 3"] = np.concatenate(affines)

    def image(self, record: PoseRecord) -> UInt8[np.ndarray, "size size 3"]:
        """The crop of one of `records` (or of a copy with other annotations), uint8 RGB."""
        row = record.frame or 0
        shard = self._shard(record.path)
        if shard.ends is None:
            return np.array(shard.pixels[row])
        start = int(shard.ends[row - 1]) if row else 0
        return np.asarray(cv2.imdecode(np.array(shard.pixels[start : shard.ends[row]]), cv2.IMREAD_COLOR_RGB))

    def affine(self, record: PoseRecord) -> Float[np.ndarray, "2 3"]:
        """Pixels of a record's crop -> pixels of the picture it was cut from."""
        return np.asarray(self.affines[self._rows[record.path, record.frame or 0]])

    def source_of(self, record: PoseRecord) -> tuple[str, int | None]:
        """Path of the picture that a record was cut from, and the frame where it is a video."""
        return self._sources[self._rows[record.path, record.frame or 0]]

    def require_sound(self) -> None:
        """Refuse, by a ValueError, people who cannot be used: what `check` refuses of a data set as released.

        Whether joints lie within their pictures is told by the sizes of these; a cache of a version that did not note
        them tells it where the pictures are still there.
        """
        require_people(self.records)
        some = [self._as_released(record) for record in spread(self.records, PEOPLE_PLACED)]
        require_inside([record for record, _ in some], [size for _, size in some])

    def _as_released(self, record: PoseRecord) -> tuple[PoseRecord, tuple[int, int] | None]:
        """A record in pixels of the picture that it was cut from, and that picture's height and width."""
        path, frame = self.source_of(record)
        original = replace(
            record, path=Path(path), frame=frame, keypoints=to_image(record.keypoints, self.affine(record))
        )
        height, width = self._sizes[self._rows[record.path, record.frame or 0]]
        return original, (height, width) if height else picture_size(original)

    def verify(self) -> None:
        """Read every shard whole; ValueError names the first that has changed."""
        for path in self._digests:
            self._verify(path)

    def _add(self, path: Path, columns: dict[str, np.ndarray]) -> None:
        unknown = np.zeros((len(columns["visible"]), 2), int)
        self._sizes += [(height, width) for height, width in columns.get("picture_size", unknown).tolist()]
        for row in range(len(columns["visible"])):
            source, split, subject, action, camera = (
                str(columns[key][row]) for key in ("source", "split", "subject", "action", "camera")
            )
            self._rows[path, row] = len(self.records)
            frame = int(columns["frame"][row])
            self._sources.append((str(columns["picture"][row]), None if frame < 0 else frame))
            self.records.append(
                PoseRecord(
                    path, row, columns["box"][row], columns["keypoints"][row], columns["visible"][row],
                    source, walks_left=bool(columns["walks_left"][row]),
                    hidden=columns["hidden"][row] if columns["hidden_known"][row] else None,
                    head=float(columns["head"][row]), split=split, subject=subject, action=action, camera=camera,
                )
            )  # fmt: skip

    def _verify(self, path: Path) -> None:
        with _damage_told(path):
            if sha256_of(path) != self._digests[path]:
                raise ValueError("its sha256 is not the one that was noted")
        self._sound.add(path)

    def _shard(self, path: Path) -> _Shard:
        with self._lock:
            if path not in self._open:
                if path not in self._digests:
                    raise ValueError(f"record: {path} is no shard of {self.directory}; take one of `records`")
                if path not in self._sound:
                    self._verify(path)
                with _damage_told(path):
                    jpeg = self._index["pixels"] == "jpeg"
                    with np.load(path, allow_pickle=False) as stored:
                        ends = stored["ends"] if jpeg else None
                    self._open[path] = _Shard(_mapped(path, "pixels.npy"), ends)
                while len(self._open) > self._most:
                    self._open.popitem(last=False)
            self._open.move_to_end(path)
            return self._open[path]


class _damage_told:  # noqa: N801
    """Whatever a damaged shard answers, as one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        # NumPy and zipfile meet damaged bytes with whatever breaks first, from SyntaxError to MemoryError
        if isinstance(error, Exception):
            raise ValueError(
                f"{self.path} is damaged or missing: {error}; `gaitnet datasets prepare` makes it again"
            ) from error


def _require_shapes(columns: dict[str, np.ndarray]) -> None:
    """Refuse, by a ValueError, annotations that do not belong to the same people."""
    count = len(columns["visible"])
    shapes = {
        "visible": (16,),
        "keypoints": (16, 2),
        "box": (4,),
        "affine": (2, 3),
        "hidden": (16,),
        "picture_size": (2,),
    }
    for name, column in columns.items():
        if column.shape != (count, *shapes.get(name, ())):
            raise ValueError(f"{name} has the shape {column.shape}, of {count} people")


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_bytes())
        if index["format"] != FORMAT:
            raise ValueError(f"its format is {index['format']!r}, expected {FORMAT!r}")
        whole = index["whole"] is True and len(index["shards"]) == index["shard_count"]
    except OSError as error:
        raise ValueError(f"{path.parent} holds no prepared data set: {INDEX}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no index of a prepared data set, or a damaged one: {error!r}") from error
    if not whole:
        raise ValueError(f"{path.parent} was not prepared to the end: run `gaitnet datasets prepare` again, it goes on")
    return dict(index)


def _mapped(path: Path, member: str) -> np.ndarray:
    """An array of an .npz that is not compressed, left on the disk."""
    with open(path, "rb") as stream:
        with zipfile.ZipFile(stream) as archive:
            place = archive.getinfo(member)
        if place.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member} is compressed")
        stream.seek(place.header_offset)
        header = stream.read(30)
        stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{member} is an array of version {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if not np.prod(shape):
            return np.zeros(shape, dtype)  # nothing to map
        return np.memmap(path, dtype, "r", stream.tell(), shape)
