"""Reading and writing video: frames, times, turning, and one clear sentence for everything that is no video."""

import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaitnet.video.read import VideoError, VideoReader, VideoWarning, probe, read_video
from gaitnet.video.write import VideoWriter


def _film(path: Path, count: int = 10, size: tuple[int, int] = (48, 64), times=None, rate: float = 25.0) -> Path:
    """A grey film with a white top left corner; brightness rises with the frame."""
    with VideoWriter(path, rate, quality=10) as writer:
        for index in range(count):
            image = np.full((*size, 3), min(20 + 10 * index, 210), np.uint8)
            image[: size[0] // 3, : size[1] // 3] = 255
            writer.write(image, None if times is None else times[index])
    return path


def _turned(source: Path, target: Path, degrees: int) -> Path:
    """The same film with a display matrix in its track header, as a phone held upright writes it."""
    data = bytearray(source.read_bytes())
    place = data.find(b"tkhd") + 4 + 40
    one = 65536
    matrix = {90: (0, one, 0, -one, 0), 180: (-one, 0, 0, 0, -one), 270: (0, -one, 0, one, 0)}[degrees]
    data[place : place + 36] = struct.pack(">9i", *matrix, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def _white_corner(image: np.ndarray) -> tuple[str, str]:
    rows, columns = np.nonzero(image[..., 0] > 220)
    height, width = image.shape[:2]
    return ("top" if rows.mean() < height / 2 else "bottom", "left" if columns.mean() < width / 2 else "right")


def test_frames_come_in_order_with_their_times(tmp_path):
    film = _film(tmp_path / "a film: with spaces.mp4", 10)
    frames = list(read_video(film))
    assert [frame.index for frame in frames] == list(range(10))
    assert np.allclose([frame.time for frame in frames], np.arange(10) / 25, atol=1e-3)
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    brightness = [frame.image[40, 50].mean() for frame in frames]
    assert np.allclose(brightness, 20 + 10 * np.arange(10), atol=4)


def test_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0.0, 0.1, 0.15, 0.5, 0.52, 2.0]
    film = _film(tmp_path / "vfr.mp4", 6, times=times)
    assert np.allclose([frame.time for frame in read_video(film)], times, atol=2e-3)


def test_every_thins_the_frames_but_keeps_their_numbers(tmp_path):
    film = _film(tmp_path / "a.mp4", 20)
    with VideoReader(film, every=0.2) as reader:
        assert [frame.index for frame in reader] == [0, 5, 10, 15]


@pytest.mark.parametrize(
    ("degrees", "corner"), [(90, ("top", "right")), (180, ("bottom", "right")), (270, ("bottom", "left"))]
)
def test_display_matrix_turns_the_picture(tmp_path, degrees, corner):
    film = _turned(_film(tmp_path / "a.mp4"), tmp_path / "turned.mp4", degrees)
    frame = next(iter(read_video(film)))
    assert frame.image.shape == ((48, 64, 3) if degrees == 180 else (64, 48, 3))
    assert _white_corner(frame.image) == corner
    info = probe(film)
    assert (info.height, info.width) == frame.image.shape[:2]
    assert info.rotation == degrees


def test_colours_are_rgb(tmp_path):
    with VideoWriter(tmp_path / "red.mp4", quality=5) as writer:
        writer.write(np.tile(np.array([200, 30, 30], np.uint8), (32, 32, 1)))
    frame = next(iter(read_video(tmp_path / "red.mp4")))
    assert frame.image[16, 16, 0] > 170
    assert frame.image[16, 16, 2] < 60


def test_one_pixel_video(tmp_path):
    with av.open(str(tmp_path / "one.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width = stream.height = 1
        stream.pix_fmt = "bgr0"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((1, 1, 3), 77, np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    frames = list(read_video(tmp_path / "one.mkv"))
    assert len(frames) == 3
    assert probe(tmp_path / "one.mkv").duration == pytest.approx(0.12, abs=0.05)  # told of the whole file only
    assert frames[0].image.tolist() == [[[77, 77, 77]]]


def test_probe_tells_size_rate_and_length(tmp_path):
    info = probe(_film(tmp_path / "a.mp4", 10))
    assert (info.width, info.height, info.frames, info.codec) == (64, 48, 10, "h264")
    assert info.rate == pytest.approx(25, rel=0.02)
    assert info.duration == pytest.approx(0.4, abs=0.05)


def test_folder_of_pictures_in_natural_order(tmp_path):
    for number in (10, 9, 1, 2):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((20, 30, 3), number * 10, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = list(read_video(tmp_path, rate=10))
    (tmp_path / "f2.png").rename(tmp_path / "f\u00b2.png")  # a digit to some, and no number
    assert len(list(read_video(tmp_path))) == 4
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [10, 20, 90, 100]
    assert np.allclose([frame.time for frame in frames], [0, 0.1, 0.2, 0.3])


def test_damaged_picture_is_skipped_with_a_warning(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.warns(VideoWarning, match=r"b\.png"):
        assert len(list(read_video(tmp_path))) == 1
    with VideoReader(tmp_path, quiet=True) as reader:  # warnings are errors
        assert len(list(reader)) == 1


def test_cut_off_film_is_used_as_far_as_it_goes(tmp_path):
    noise = np.random.default_rng(0)
    with VideoWriter(tmp_path / "a.mp4", 25, quality=20) as writer:
        for _ in range(60):
            writer.write(noise.integers(0, 255, (64, 64, 3), np.uint8))
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(0.6 * len(data))])
    with pytest.warns(VideoWarning, match=r"cut\.mp4"):
        frames = list(read_video(tmp_path / "cut.mp4"))
    assert 10 < len(frames) < 60


def _audio_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


def _without_frames(path: Path) -> None:
    """An mp4 whose header declares a video track and whose body is gone."""
    data = _film(path).read_bytes()
    body = data.find(b"mdat") + 4
    path.write_bytes(data[:body])


BAD = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("hello\n" * 500), "not a video"),
    "no index": (lambda path: path.write_bytes(b"\0\0\0\x1cftypmp42\0\0\0\x01isommp41mp42" + bytes(5000)), "moov"),
    "audio": (_audio_only, "audio only"),
    "no frames": (_without_frames, "no frame"),
    "folder": (lambda path: path.mkdir(), "folder without pictures"),
}


@pytest.mark.filterwarnings("ignore::gaitnet.video.read.VideoWarning")
@pytest.mark.parametrize("kind", BAD)
def test_bad_input_raises_one_sentence(tmp_path, kind):
    path = tmp_path / "bad.mp4"
    make, told = BAD[kind]
    make(path)
    for attempt in (probe, lambda p: list(read_video(p))):
        with pytest.raises(VideoError, match=told) as caught:
            attempt(path)
        assert "\n" not in str(caught.value)
        assert "bad.mp4" in str(caught.value)


def test_text_that_ffmpeg_would_draw_is_no_video(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n" * 500)
    with pytest.raises(VideoError, match="not a video"):
        probe(tmp_path / "notes.txt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(min_size=1, max_size=400),
    head=st.sampled_from([b"", b"\0\0\0\x1cftypmp42", b"RIFF", b"\x1aE\xdf\xa3", b"GIF89a", b"\0\0\x01\xb3"]),
)
def test_random_bytes_are_read_or_refused_but_never_crash(tmp_path, body, head):
    path = tmp_path / "random.mp4"
    path.write_bytes(head + body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        try:
            for frame, _ in zip(read_video(path), range(5), strict=False):
                assert frame.image.ndim == 3
        except VideoError:
            pass


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 10_000), min_size=1, max_size=30), value=st.integers(0, 255))
def test_a_film_with_random_damage_never_crashes(tmp_path, places, value):
    source = tmp_path / "whole.mp4"
    if not source.exists():
        _film(source, 12)
    data = bytearray(source.read_bytes())
    for place in places:
        data[place % len(data)] = value
    (tmp_path / "damaged.mp4").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        try:
            for frame, _ in zip(read_video(tmp_path / "damaged.mp4"), range(40), strict=False):
                assert frame.image.shape[2] == 3
        except VideoError:
            pass


def test_reading_holds_one_frame_at_a_time(tmp_path):
    film = _film(tmp_path / "long.mp4", 200)
    reader = VideoReader(film)
    frames = iter(reader)
    first = next(frames)
    assert first.index == 0
    reader.close()
    reader.close()


def test_writer_makes_odd_sizes_even_and_leaves_no_part_behind(tmp_path):
    _film(tmp_path / "odd.mp4", 3, (41, 63))
    assert next(iter(read_video(tmp_path / "odd.mp4"))).image.shape == (42, 64, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["odd.mp4"]


def _broken_film(path: Path) -> None:
    with VideoWriter(path) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8))
        raise KeyboardInterrupt


def test_writer_removes_what_it_began_when_stopped(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"what was there before")
    with pytest.raises(KeyboardInterrupt):
        _broken_film(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"what was there before"
    assert len(list(tmp_path.iterdir())) == 1


def test_writer_refuses_an_unwritable_place_at_once(tmp_path):
    with pytest.raises(OSError, match="missing"):
        VideoWriter(tmp_path / "missing" / "a.mp4")


def test_writer_refuses_a_change_of_size(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4")
    writer.write(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="32x32"):
        writer.write(np.zeros((32, 34, 3), np.uint8))
    writer.discard()
    assert not list(tmp_path.iterdir())


def test_real_clip(data_root):
    info = probe(data_root / "clips" / "demo1.mp4")
    assert (info.width, info.height) == (720, 1280)
    frames = 0
    for frame in read_video(data_root / "clips" / "demo1.mp4"):
        frames += 1
        assert frame.image.shape == (1280, 720, 3)
    assert frames == 118
