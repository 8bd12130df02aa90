"""What a picture says of its size, against what OpenCV makes of it; and pictures that say too much."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from gaitnet.video.read import VideoError, VideoReader, VideoWarning
from humanpose.datasets.pictures import read_picture
from humanpose.picture_size import require_modest_size, size_of

NOISE = np.random.default_rng(0).integers(0, 256, (37, 53, 4), np.uint8)

WAYS = [
    (".png", []), (".jpg", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]), (".bmp", []), (".gif", []), (".tiff", []),
    (".ppm", []), (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]), (".webp", [cv2.IMWRITE_WEBP_QUALITY, 50]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how"), WAYS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_opencv_writes(kind, how, channels):
    if (kind, channels) == (".gif", 1) or (kind in (".ppm", ".jpg") and channels == 4):
        return  # not written by OpenCV
    picture = NOISE[..., :channels] if channels > 1 else NOISE[..., :1].repeat(3, -1)
    done, data = cv2.imencode(kind, picture, how)
    assert done
    assert size_of(data.tobytes()) == (53, 37)
    for end in range(0, 60, 7) if kind != ".ppm" else ():  # whatever is cut off says nothing, or the truth
        assert size_of(data.tobytes()[:end]) in (None, (53, 37))


def test_what_opencv_does_not_write():
    assert size_of(b"BM" + bytes(12) + struct.pack("<Iii", 40, 53, -37)) == (53, 37)  # rows from the top
    assert size_of(b"BM" + bytes(12) + struct.pack("<IHH", 12, 53, 37)) == (53, 37)
    assert size_of(b"P5 # made by hand\n# and more\n53\n37 255 ") == (53, 37)
    entries = struct.pack(">HHIHHHHIHHHHII", 256, 3, 1, 53, 0, 257, 3, 1, 37, 0, 322, 4, 1, 90_000)
    assert size_of(b"MM" + struct.pack(">HIH", 42, 8, 3) + entries) == (90_000, 37)
    thumbnail = (
        b"\xff\xe1" + struct.pack(">H", 19) + b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 8, 8, 5, 5, 1) + bytes(5)
    )
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 8, 8, 37, 53, 1)
    assert size_of(b"\xff\xd8" + thumbnail + b"\xff\xff" + frame) == (53, 37)
    for data in (b"", b"no picture", b"RIFF....WAVEfmt ", b"\xff\xd8\xff\xd9", b"P5 a b c ", b"II\x99\x00aaaaaaaa"):
        assert size_of(data) is None
        with pytest.raises(ValueError, match=r"x\.jpg: is no picture"):
            require_modest_size(data, "x.jpg")


def huge(side=32_000):
    """A PNG of a few hundred bytes that claims a gigapixel."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))  # noqa: E731
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9999))) + chunk(b"IEND", b"")
    )


def test_pictures_beyond_all_cameras_are_refused_before_they_take_memory(tmp_path, monkeypatch):
    def decoded(*_):
        raise AssertionError("the decoder was asked")

    (tmp_path / "a.png").write_bytes(huge())
    monkeypatch.setattr(cv2, "imdecode", decoded)
    with pytest.raises(ValueError, match=r"a\.png: is a picture of 32000 x 32000, and pictures up to 200 megapixels"):
        read_picture(tmp_path / "a.png")
    with (
        pytest.warns(VideoWarning, match=r"a\.png: is a picture of 32000 x 32000.*skipped"),
        pytest.raises(VideoError, match="holds no frame"),
    ):
        VideoReader(tmp_path / "a.png")
    require_modest_size(huge(14_000), "b.png")
