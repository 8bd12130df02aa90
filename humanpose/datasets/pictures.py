"""The pictures that records are about: photographs, and frames of videos, each read once and held one at a time."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from humanpose.datasets.places import is_there
from humanpose.datasets.record import PoseRecord
from humanpose.picture_size import MOST_PIXELS, require_modest_size, size_of

LONGEST = 1 << 29
"""Bytes of a picture's file."""

WRONG_WITHIN = "has wrong bytes in its middle; fetch it again"


def read_picture(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """A photograph, uint8 RGB, as it is stored: annotations count its pixels before a viewer turns it.

    Raises ValueError where it is missing, is none, or is cut off.
    """
    return decode_picture(picture_bytes(path), str(path))


def read_whole_picture(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """A photograph as `read_picture`; ValueError as well where a JPEG has wrong bytes within, see `is_damaged_within`.

    That decodes it a second time: for who reads every picture once.
    """
    data = picture_bytes(path)
    picture = decode_picture(data, str(path))
    if is_damaged_within(data):
        raise ValueError(f"{path}: {WRONG_WITHIN}")
    return picture


def picture_size(record: PoseRecord) -> tuple[int, int] | None:
    """Height and width of a record's picture, by the first bytes of its file; None where these do not tell."""
    try:
        if record.frame is None:
            size = size_of(picture_bytes(record.path))
            return None if size is None else size[::-1]
        video = Video(record.path)
        try:
            return video.frame(0).shape[:2]
        finally:
            video.close()
    except ValueError:
        return None


def picture_bytes(path: str | Path) -> bytes:
    """What a picture's file holds; ValueError where it is missing, a pipe or device, or longer than LONGEST."""
    try:
        about = os.stat(path)
        if stat.S_ISREG(about.st_mode) and about.st_size <= LONGEST:
            return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: the picture cannot be read: {error.strerror}; fetch it again") from error
    except ValueError as error:  # letters that no name of a file can hold
        raise ValueError(f"{str(path)!r}: the picture cannot be read: {error}") from error
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{path}: is no file, but a folder, pipe or device")
    raise ValueError(f"{path}: has {about.st_size:,} bytes, and pictures up to {LONGEST:,} are read; store it smaller")


def decode_picture(data: bytes, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in the bytes of a file called `name`, as `read_picture`."""
    if is_cut_off(data):
        raise ValueError(f"{name}: the picture is cut off after {len(data)} bytes; fetch it again")
    require_modest_size(data, name)
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # such as a header that makes no sense
        picture = None
    if picture is None:
        raise ValueError(f"{name}: is no picture, or a damaged one; fetch it again")
    return np.asarray(picture)


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: decoders fill up what is missing with grey, and say nothing."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if not data.startswith(b"\xff\xd8"):
        return False
    place = 2
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        filled = data[place + 1 : place + 2] == b"\xff"  # any number of these may stand before a marker
        place += 1 if filled else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data.find(b"\xff\xd9", place) < 0  # the end of a thumbnail, in the segments before, does not count


def is_damaged_within(data: bytes) -> bool:
    """Whether the compressed part of a JPEG goes wrong, which OpenCV shows as torn rows and says nothing about.

    FFmpeg's decoder is told to stop at the first thing that cannot be. Of runs of 2000 random bytes it notices 98 % and
    more, of 200 about two thirds, of 20 a quarter; of the first 4000 photographs of LSP extended it suspects none.
    """
    import av

    if not data.startswith(b"\xff\xd8"):
        return False
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count, decoder.options = 1, {"err_detect": "explode"}
    try:
        return any(frame.is_corrupt for frame in [*decoder.decode(av.Packet(data)), *decoder.decode(None)])
    except av.error.InvalidDataError:
        return True
    except av.error.FFmpegError:  # a kind of JPEG that it has not learned
        return False


def pictures_of(
    records: Sequence[PoseRecord], whole: bool = False
) -> Iterator[tuple[list[PoseRecord], UInt8[np.ndarray, "height width 3"] | None, str]]:
    """Each picture that records show one after another, with its records: (records, picture or None, why None).

    Records of one photograph are met together where they follow each other; those of a video should stand together and
    in the order of its frames, for it is read onward, and anew from its beginning where they do not. With `whole`, a
    photograph with wrong bytes within cannot be read either.
    """
    for path, group in groupby(records, key=lambda record: record.path):
        of_path = list(group)
        if of_path[0].frame is None:
            yield of_path, *_tried(read_whole_picture if whole else read_picture, path)
            continue
        video = Video(path)
        try:
            for frame, together in groupby(of_path, key=lambda record: record.frame):
                yield list(together), *_tried(video.frame, frame or 0)
        finally:
            video.close()


def _tried(read: Callable[[Any], np.ndarray], what: Any) -> tuple[np.ndarray | None, str]:
    try:
        return read(what), ""
    except ValueError as error:
        return None, str(error)


class Video:
    """Frames of a video by number, from 0: quick onward; going back begins anew."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._container: Any = None
        self._frames: Iterator[Any] | None = None
        self._next = 0

    def frame(self, number: int) -> UInt8[np.ndarray, "height width 3"]:
        """One frame, uint8 RGB; ValueError where the video is missing, is none, or ends before it."""
        import av

        try:
            if self._frames is None or number < self._next:
                self._open()
            for found in self._frames or ():
                self._next += 1
                if self._next > number:
                    return np.asarray(found.to_ndarray(format="rgb24"))
        except (OSError, av.error.FFmpegError, IndexError) as error:
            self._frames = None
            raise ValueError(f"{self.path}: is no video, or a damaged one: {error}; fetch it again") from error
        raise ValueError(f"{self.path}: the video ends after {self._next} frames, before frame {number}")

    @property
    def length(self) -> int | None:
        """Frames by the file's header, once a frame was read; None where it does not tell."""
        return (self._container.streams.video[0].frames or None) if self._container is not None else None

    def _open(self) -> None:
        import av

        self.close()
        if not is_there(self.path):
            raise ValueError(f"{self.path}: the video is missing")
        # "file:" keeps names such as "a:b.mp4" from being read as a network protocol
        self._container = av.open(
            f"file:{self.path.absolute()}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
        stream = self._container.streams.video[0]
        if stream.width * stream.height > MOST_PIXELS:
            raise ValueError(f"{self.path}: has pictures of {stream.width} x {stream.height}, more than can be held")
        stream.thread_type = "AUTO"
        self._frames, self._next = self._container.decode(video=0), 0

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self._frames = None
        if self._container is not None:
            self._container.close()
            self._container = None
