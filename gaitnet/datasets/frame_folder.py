"""A walk as a folder of pictures, one a frame: which files are its frames, and what they show."""

import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from gaitnet.datasets.dropped import DAMAGED, NAME, SIZE, TWICE, Dropped
from humanpose.datasets.pictures import decode_picture, is_damaged_within, picture_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MOST_BYTES = 1 << 31
"""Of the silhouettes of one walk, a byte a pixel: a minute at 640x480 has a quarter of it."""

_NUMBERED = re.compile(r"(.*?)(\d{1,18})")
_PASSED_OVER = ("thumbs.db", "desktop.ini")


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; hidden ones are passed over, and so are links in a circle."""
    with os.scandir(folder) as entries:
        return sorted(Path(one.path) for one in entries if os.path.isdir(one.path) and not one.name.startswith("."))


def frame_files(folder: Path, dropped: list[Dropped] | None = None, strict: bool = False) -> list[Path]:
    """The frames in a folder in order of their numbers, with which their names end: `17.jpg`, `001-nm-01-090-017.png`.

    What stands before the number is nothing, or the names of the folders that they lie in, joined by hyphens. Only
    where no frame is called so, it is whatever most of them have.

    Args:
        folder: of one walk.
        dropped: is told the files that are called otherwise, and all but the first of one number.
        strict: frames that are called as nothing of that are none: they are another walk's.

    """
    own = {"", *("-".join([*folder.absolute().parts[-depth:], ""]) for depth in (1, 2, 3))}
    out = [] if dropped is None else dropped
    told: list[tuple[str, int, Path]] = []
    with os.scandir(folder) as entries:
        files = sorted(Path(one.path) for one in entries if not one.name.startswith("."))
    for path in files:
        match = _NUMBERED.fullmatch(path.stem)
        if match and path.suffix.lower() in SUFFIXES and (match[1] in own or not strict):
            told.append((match[1], int(match[2]), path))
        elif path.name.lower() not in _PASSED_OVER:
            out.append(Dropped(NAME, str(path), "no frame of this walk"))
    if not told:
        return []
    counts = Counter(before for before, _, _ in told)
    usual = max(counts, key=lambda before: (before in own, counts[before], before))
    frames: dict[int, Path] = {}
    for before, number, path in told:
        if before != usual:
            out.append(Dropped(NAME, str(path), f"the others begin with {usual!r}"))
        elif number in frames:
            out.append(Dropped(TWICE, str(path), f"{frames[number].name} has the same number"))
        else:
            frames[number] = path
    return [frames[number] for number in sorted(frames)]


def gaps(files: Sequence[Path]) -> int:
    """How many numbers are missing between the first and the last of `frame_files`."""
    numbers = [int(match[2]) for file in files if (match := _NUMBERED.fullmatch(file.stem))]
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def read_silhouettes(files: Sequence[Path], dropped: list[Dropped]) -> UInt8[np.ndarray, "time height width"]:
    """Pictures of masks -> 255 where the person is, 0 elsewhere; whatever is brighter than half is the person.

    Args:
        files: of `frame_files`.
        dropped: is told the files that cannot be read, and those of another size than most.

    Raises:
        ValueError: not one can be read, or together they are beyond MOST_BYTES.

    """
    masks: list[tuple[Path, np.ndarray]] = []
    total = 0
    for file in files:
        try:
            picture = _decoded(file, careful=False)
        except ValueError as error:
            dropped.append(Dropped(DAMAGED, str(file), _reason(error, file)))
            continue
        brightest = cv2.max(cv2.max(picture[..., 0], picture[..., 1]), picture[..., 2])  # np.max takes 20 times as long
        masks.append((file, np.asarray(cv2.threshold(brightest, 127, 255, cv2.THRESH_BINARY)[1])))
        total += masks[-1][1].nbytes
        if total > MOST_BYTES:
            raise ValueError(f"{file.parent}: its silhouettes have more than {MOST_BYTES:,} pixels; make them smaller")
    if not masks:
        raise ValueError(f"{Path(files[0]).parent if files else 'files'}: not one of {len(files)} frames can be read")
    size = Counter(mask.shape for _, mask in masks).most_common(1)[0][0]
    for file, mask in masks:
        if mask.shape != size:
            dropped.append(Dropped(SIZE, str(file), _sizes(mask.shape, size)))
    return np.stack([mask for _, mask in masks if mask.shape == size])


def read_pictures(
    files: Sequence[Path], dropped: list[Dropped], careful: bool = False
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pictures as uint8 RGB, one held at a time; those that cannot be read, or differ from the first one, are left out.

    Args:
        files: of `frame_files`.
        dropped: is told which are left out.
        careful: decode every JPEG a second time, to find wrong bytes in its middle.

    """
    for _, picture in numbered_pictures(files, dropped, careful):
        yield picture


def numbered_pictures(
    files: Sequence[Path], dropped: list[Dropped], careful: bool = False
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """As `read_pictures`, each picture with the number in its file's name."""
    size: tuple[int, ...] | None = None
    for file in files:
        try:
            picture = _decoded(file, careful)
        except ValueError as error:
            dropped.append(Dropped(DAMAGED, str(file), _reason(error, file)))
            continue
        size = size or picture.shape
        if picture.shape != size:
            dropped.append(Dropped(SIZE, str(file), _sizes(picture.shape, size)))
        else:
            match = _NUMBERED.fullmatch(file.stem)
            yield int(match[2]) if match else 0, picture


def _decoded(file: Path, careful: bool) -> UInt8[np.ndarray, "height width 3"]:
    data = picture_bytes(file)
    if data.startswith(b"\x89PNG") and not _is_whole_png(data):
        raise ValueError(f"{file}: is cut off or has wrong bytes within")
    picture = decode_picture(data, str(file))
    if careful and is_damaged_within(data):
        raise ValueError(f"{file}: has wrong bytes within")
    return picture


def _is_whole_png(data: bytes) -> bool:
    """Whether every part of a PNG has its checksum: decoders fill up what is wrong, or print to the terminal."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if data[place + 4 : place + 8] == b"IEND":
            return True
        place = end + 4
    return False


def _reason(error: ValueError, file: Path) -> str:
    return str(error).removeprefix(f"{file}: ")


def _sizes(shape: tuple[int, ...], usual: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} where the others are {usual[1]}x{usual[0]}"
