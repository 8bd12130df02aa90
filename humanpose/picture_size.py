"""How large a picture says it is, from its first bytes: asked before a decoder takes memory for it.

A PNG of four kilobytes can claim a thousand megapixels, and decoders believe it. OpenCV has a limit of its own, which
is read once, from the environment, when it is imported: too late for whoever is imported after it.
"""

import struct
from collections.abc import Callable

MOST_PIXELS = 200_000_000
"""Of a picture: 600 MB as RGB. The largest cameras take 150 million."""


def require_modest_size(data: bytes, name: str) -> None:
    """Refuse, by a ValueError, the bytes of a file called `name` that are no picture, or one above MOST_PIXELS.

    Pictures are JPEG, PNG, GIF, BMP, WebP, TIFF and PNM here; of whatever else OpenCV reads, nobody could say its size.
    """
    size = size_of(data)
    if size is None:
        raise ValueError(f"{name}: is no picture, or a damaged one; fetch it again")
    width, height = size
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{name}: is a picture of {width} x {height}, and pictures up to {MOST_PIXELS // 10**6} megapixels are "
            "read; make it smaller"
        )


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a picture claims; None where it is none of the kinds that are known here."""
    for beginning, read in _KINDS:
        if data.startswith(beginning):
            try:
                return read(data)
            except (struct.error, ValueError, IndexError):  # the file ends before
                return None
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    return _two(">II", data, 16) if data[12:16] == b"IHDR" else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # any number of these may stand before a marker
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without content
            place += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the beginning of the frame, of any process
            height, width = _two(">HH", data, place + 5)
            return width, height
        elif marker in (0xD9, 0xDA):
            return None
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return None


def _gif(data: bytes) -> tuple[int, int]:
    return _two("<HH", data, 6)


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = _two("<HH", data, 18) if header == 12 else _two("<ii", data, 18)
    return abs(width), abs(height)  # negative: the first row is at the top


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (24, 27))
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = _two("<HH", data, 26)
    return (width & 0x3FFF, height & 0x3FFF) if kind == b"VP8 " else None


def _tiff(data: bytes) -> tuple[int, int] | None:
    """The first directory's width and height, or those of its tiles where they are larger."""
    order = "<" if data.startswith(b"II") else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version not in (42, 43):
        return None
    big = version == 43
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, place)
    place += 8 if big else 2
    found: dict[int, int] = {}
    for entry in range(min(count, 4096)):
        at = place + entry * (20 if big else 12)
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in (256, 257, 322, 323) and kind in (1, 3, 4, 16):
            form = {1: "B", 3: "H", 4: "I", 16: "Q"}[kind]
            (found[tag],) = struct.unpack_from(order + form, data, at + (12 if big else 8))
    if not {256, 257} <= found.keys():
        return None
    return max(found[256], found.get(322, 0)), max(found[257], found.get(323, 0))


def _pnm(data: bytes) -> tuple[int, int] | None:
    words: list[bytes] = []
    for line in data[2:4096].split(b"\n"):
        words += line.partition(b"#")[0].split()
    return int(words[0]), int(words[1])


def _two(form: str, data: bytes, place: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, place)
    return first, second


_KINDS: tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\xff\xd8", _jpeg), (b"\x89PNG\r\n\x1a\n", _png), ((b"GIF87a", b"GIF89a"), _gif), (b"BM", _bmp),
    (b"RIFF", _webp), ((b"II", b"MM"), _tiff),
    (tuple(b"P%d%c" % (kind, space) for kind in range(1, 7) for space in b" \t\r\n"), _pnm),
)  # fmt: skip
"""What a file of each kind begins with -> who reads its size."""
