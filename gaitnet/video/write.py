"""Annotated video out: H.264 in mp4, under a temporary name until it is whole."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

_CLOCK = 90_000  # ticks per second; fine enough for every camera, and what broadcasting uses


class VideoWriter:
    """Writes pictures to an H.264 mp4 that appears under its name only when complete.

    Use as a context manager: leaving it normally finishes and renames the file; leaving it by an exception (Ctrl-C
    included) removes what was written. Odd sizes are made even by repeating the last row or column.

    Args:
        path: where the mp4 goes; an existing file is replaced at the end.
        rate: frames per second, for pictures written without a time.
        quality: x264's constant rate factor, 0 (lossless) to 51; 23 is its default.

    Raises:
        ValueError: rate or quality out of range.
        OSError: the folder is missing or cannot be written, or the disk is full.

    """

    def __init__(self, path: str | Path, rate: float | int = 25.0, quality: int = 23) -> None:
        if not 0 < rate <= 1000:
            raise ValueError(f"rate: expected frames per second in (0, 1000], got {rate}")
        if not 0 <= quality <= 51:
            raise ValueError(f"quality: expected a rate factor from 0 to 51, got {quality}")
        self.path = Path(path)
        self.rate, self.quality = rate, quality
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container: Any = None
        self._stream: Any = None
        self._size: tuple[int, int] | None = None
        self._last = -1
        self._temporary.touch()  # an unwritable folder is told now, not after an hour of work

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, image: UInt8[np.ndarray, "height width 3"], time: float | int | None = None) -> None:
        """Append one RGB picture, shown from `time` (seconds; must rise) or 1/rate after the one before."""
        import av

        height, width = image.shape[:2]
        if self._size is None:
            self._size = (height, width)
            self._open(height + height % 2, width + width % 2)
        elif self._size != (height, width):
            raise ValueError(f"image: expected {self._size[1]}x{self._size[0]} as before, got {width}x{height}")
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        step = max(1, round(_CLOCK / self.rate))
        tick = round(time * _CLOCK) if time is not None else (self._last + step if self._last >= 0 else 0)
        self._last = frame.pts = max(tick, self._last + 1)
        frame.time_base = Fraction(1, _CLOCK)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file and give it its name; without any picture written, nothing is left."""
        if self._container is None:
            self.discard()
            return
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None
            os.replace(self._temporary, self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written; harmless when repeated."""
        container, self._container = self._container, None
        try:
            if container is not None:
                container.close()
        except OSError:
            pass  # a full disk fails again here; the first error is the one to tell
        finally:
            self._temporary.unlink(missing_ok=True)

    def _open(self, height: int, width: int) -> None:
        import av

        self._container = av.open(
            f"file:{self._temporary.absolute()}", "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._stream = self._container.add_stream("libx264", rate=Fraction(self.rate).limit_denominator(1001))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _CLOCK)
        self._stream.options = {"crf": str(self.quality), "preset": "veryfast"}
