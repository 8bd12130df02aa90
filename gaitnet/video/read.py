"""Video files and folders of pictures -> frames, one at a time, so that memory does not grow with length."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from humanpose.picture_size import MOST_PIXELS, require_modest_size

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
# Demuxers that open further files or addresses, or draw pictures from plain text: never what a user means by a video.
_REFUSED = frozenset(
    {"tty", "concat", "hls", "dash", "sdp", "rtsp", "lavfi", "bin", "idf", "adf", "xbin", "imf", "webvtt"}
)


class VideoError(ValueError):
    """The path does not lead to a readable video; the message is one sentence that says why."""


class VideoWarning(UserWarning):
    """The video is damaged and is used as far as it goes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video: `index` from 0, `time` in seconds from the first picture, `image` uint8 RGB."""

    index: int
    time: float
    image: UInt8[np.ndarray, "height width 3"]


class VideoInfo(NamedTuple):
    """What the header says, and what the first picture shows.

    `width` and `height` are as displayed, rotation and pixel shape applied.
    `frames` (count) and `duration` (seconds) are None where the file does not tell; `rate` is the average, frames/s.
    """

    path: Path
    width: int
    height: int
    rate: float
    frames: int | None
    duration: float | None
    codec: str
    rotation: int


def probe(path: str | Path) -> VideoInfo:
    """Size, rate and length of a video, from its header and its first picture; of damage it does not tell.

    Raises:
        VideoError: nothing can be read; the same sentences as `VideoReader`.

    """
    with VideoReader(path, quiet=True) as reader:
        return reader.info


def read_video(path: str | Path, rate: float | int = 25.0) -> Iterator[Frame]:
    """Frames of a video file, or of a folder of pictures taken `rate` times a second; see `VideoReader`."""
    with VideoReader(path, rate) as reader:
        yield from reader


class VideoReader:
    """Iterates over the frames of a video once, holding one at a time.

    Any container and codec of FFmpeg; variable frame rate (times come from the stream); display matrix and
    non-square pixels are applied, so pictures are as a player shows them. Damaged stretches are skipped with a
    `VideoWarning`. A folder is read as its pictures in natural order (2 before 10), all scaled to the first one's size.

    Args:
        path: file or folder.
        rate: pictures a second, for folders only.
        every: least seconds between the frames that are given out; the others are decoded but not converted.
        quiet: give no warning of damage, as where another look at the same video gives it.

    Attributes:
        info: `VideoInfo`.

    Raises:
        VideoError: missing, empty, not a video, cut off before its index, or without pictures.

    """

    def __init__(
        self, path: str | Path, rate: float | int = 25.0, every: float | int = 0.0, quiet: bool = False
    ) -> None:
        self.path, self.every, self.quiet = Path(path), every, quiet
        self._container: Any = None
        if rate <= 0:
            raise ValueError(f"rate: expected frames per second above 0, got {rate}")
        _refuse_missing(self.path)
        if self.path.is_dir() or self.path.suffix.lower() in PICTURES:
            self._frames = self._pictures(rate)
        else:
            self._frames = self._film()
        try:
            self._first: Frame | None = next(self._frames)
        except StopIteration:
            self.close()
            raise VideoError(f"{self.path}: holds no frame that can be decoded") from None
        except BaseException:
            self.close()
            raise
        height, width = self._first.image.shape[:2]
        self.info = VideoInfo(self.path, width, height, **self._about)

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        try:
            if self._first is not None:
                first, self._first = self._first, None
                yield first
            yield from self._frames
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _film(self) -> Iterator[Frame]:
        import av

        try:
            # "file:" keeps names such as "a:b.mp4" from being read as a network protocol
            self._container = av.open(
                f"file:{self.path.absolute()}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
            )
        except av.error.FFmpegError as error:
            raise VideoError(_unreadable(self.path, error)) from None
        if self._container.format.name in _REFUSED:
            raise VideoError(f"{self.path}: is not a video, but reads as {self._container.format.long_name}")
        streams = [s for s in self._container.streams.video if not _is_cover(s)]
        if not streams:
            heard = " (audio only)" if self._container.streams.audio else ""
            raise VideoError(f"{self.path}: holds no video stream{heard}")
        stream = streams[0]
        try:
            stream.thread_type = "AUTO"
            codec, pixels = stream.codec_context.name, stream.width * stream.height
        except (av.error.FFmpegError, AttributeError, RuntimeError):
            raise VideoError(f"{self.path}: its video stream is in a form that cannot be decoded") from None
        if pixels > MOST_PIXELS:
            raise VideoError(f"{self.path}: has pictures of {stream.width} x {stream.height}, more than can be held")
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        rate = rate if 0 < rate < 1000 else 25.0
        length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        if length is None and self._container.duration:  # Matroska tells it of the whole file only
            length = self._container.duration / av.time_base
        self._about = {"rate": rate, "frames": stream.frames or None, "duration": length, "codec": codec, "rotation": 0}
        shape = _sample_aspect(stream)
        index, start, last, due = 0, 0.0, 0.0, 0.0
        size: tuple[int, int] | None = None
        for picture in self._decoded(stream):
            # pictures that change size in mid-stream are scaled to the first one
            if size is None:
                size = max(1, round(picture.width * shape)), picture.height
                self._about["rotation"] = -picture.rotation % 360
            time = picture.time
            if time is None:
                time = start + last + 1 / rate if index else 0.0
            now = float(time)
            if index == 0:
                start = now
            elif now - start <= last:  # a clock that was set back, as where recordings were joined: time goes on
                start = now - last - 1 / rate
            last = now - start
            if last >= due:
                image = picture.to_ndarray(format="rgb24", width=size[0], height=size[1])
                yield Frame(index, last, _upright(image, picture.rotation))
                due = last + self.every - 1e-3 if self.every else 0.0
            index += 1
        if 0 < index < stream.frames - max(2, stream.frames // 50):
            self._warn(f"ends early, after {index} of {stream.frames} frames; these are used")

    def _warn(self, what: str) -> None:
        if not self.quiet:
            warnings.warn(f"{self.path}: {what}", VideoWarning, stacklevel=3)

    def _decoded(self, stream: Any) -> Iterator[Any]:
        import av

        broken = 0
        packets = self._container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                self._warn(f"damaged ({_reason(error)}); used as far as it goes")
                break
            try:
                pictures = packet.decode()
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                broken += 1
                continue
            broken += sum(picture.is_corrupt for picture in pictures)
            yield from pictures
        if broken:
            self._warn(f"{broken} damaged frames were skipped or patched; the rest is used")

    def _pictures(self, rate: float | int) -> Iterator[Frame]:
        import cv2

        names = [self.path] if self.path.is_file() else picture_files(self.path)
        if not names:
            raise VideoError(f"{self.path}: is a folder without pictures ({', '.join(sorted(PICTURES))})")
        self._about = {
            "rate": rate, "frames": len(names), "duration": len(names) / rate, "codec": "pictures", "rotation": 0,
        }  # fmt: skip
        size: tuple[int, int] | None = None
        index, due = 0, 0.0
        for name in names:
            if index / rate < due:
                index += 1
                continue
            # imdecode of the bytes: imread prints to the terminal where a file is damaged
            data = name.read_bytes()
            try:
                require_modest_size(data, name.name)
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
            except (ValueError, cv2.error) as error:
                self._warn(f"{error if isinstance(error, ValueError) else name.name + ': is no picture'}; skipped")
                continue
            if image is None:
                self._warn(f"{name.name}: is not a readable picture; skipped")
                continue
            size = size or (image.shape[1], image.shape[0])
            if (image.shape[1], image.shape[0]) != size:
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            yield Frame(index, index / rate, np.asarray(image, np.uint8))
            due = index / rate + self.every - 1e-3 if self.every else 0.0
            index += 1


def _refuse_missing(path: Path) -> None:
    try:
        found, empty = path.exists(), path.is_file() and path.stat().st_size == 0
    except (OSError, ValueError) as error:
        raise VideoError(f"{path!s}: is not a usable path ({error})") from None
    if not found:
        raise VideoError(f"{path}: there is no such file or folder")
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:  # FFmpeg takes names as UTF-8, and so does whatever reads our results
        raise VideoError(f"{path}: has letters in its name or its folders' that are not UTF-8; rename it") from None
    if empty:
        raise VideoError(f"{path}: is empty")
    if not path.is_dir() and not path.is_file():
        raise VideoError(f"{path}: is neither a file nor a folder")


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder, in natural order (2 before 10)."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in PICTURES and p.is_file()]
    return sorted(files, key=lambda p: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", p.name.lower())])


def _is_cover(stream: Any) -> bool:
    """Whether this is a music file's cover picture, a video stream by name only."""
    import av

    try:
        return bool(stream.disposition & av.stream.Disposition.attached_pic)
    except AttributeError:
        return False


def _sample_aspect(stream: Any) -> float:
    ratio = stream.sample_aspect_ratio
    return float(ratio) if ratio and 0.1 < float(ratio) < 10 else 1.0


def _upright(image: np.ndarray, rotation: int) -> np.ndarray:
    """Turn by FFmpeg's `rotation` (degrees counter-clockwise by which the picture must be turned for display)."""
    turns = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp":
        return f"{path}: is an mp4/mov file without a readable index (moov); it was cut off or is still being written"
    return f"{path}: is not a video that can be read ({_reason(error)})"
