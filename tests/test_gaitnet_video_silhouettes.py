"""Outlines from video: people drawn into a noisy scene, whose true masks are known; and real walks."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from gaitnet.cli.main import app
from gaitnet.cli.silhouettes import write
from gaitnet.silhouettes import align_silhouettes, gait_energy_image
from gaitnet.video.silhouettes import Silhouettes, outline, silhouettes_of
from gaitnet.video.walk import PersonTrack
from gaitnet.video.write import VideoWriter

HEIGHT, WIDTH, COUNT, TALL = 180, 320, 60, 110
SCENE = np.clip(np.random.default_rng(9).normal(140, 12, (HEIGHT, WIDTH, 3)), 0, 255)


def body(x: float, swing: float) -> np.ndarray:
    """A walker's true mask (height, width): head, trunk, two legs; feet at row 165."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    top = 165 - TALL
    head = np.hypot(columns - x, rows - top - 0.07 * TALL) < 0.07 * TALL
    trunk = (abs(columns - x) < 0.1 * TALL) & (rows > top + 0.12 * TALL) & (rows < top + 0.56 * TALL)
    below = (rows - top - 0.55 * TALL) / (0.45 * TALL)
    legs = [abs(columns - x - side * swing * 0.18 * TALL * below) < 0.05 * TALL for side in (-1, 1)]
    return head | trunk | ((legs[0] | legs[1]) & (below >= 0) & (below < 1))


def walk(index: int, speed: float = 4.0, start: float = 40.0) -> np.ndarray:
    return body(start + speed * index, np.sin(2 * np.pi * index / 25))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A video of one walker to the right, who casts a shadow on the ground."""
    path = tmp_path_factory.mktemp("filmed") / "door.mp4"
    noise = np.random.default_rng(0)
    with VideoWriter(path, 25.0, quality=8) as writer:
        for index in range(COUNT):
            image, x = SCENE.copy(), 40 + 4 * index
            image[162:165, max(0, x - 60) : x] *= 0.8
            image[walk(index)] = (40, 30, 60)
            writer.write(np.clip(image + noise.normal(0, 2, image.shape), 0, 255).astype(np.uint8))
    return path


def track(frames, boxes, reason=None, track_id=3, segment=0) -> PersonTrack:
    frames, boxes = np.asarray(frames), np.asarray(boxes, float)
    none = np.zeros((0, 192, 144, 3), np.uint8), np.zeros((0, 2, 3))
    return PersonTrack(track_id, segment, True, frames, frames / 25, boxes, *none, False, "right", reason)


def true_box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return ((one > 127) & (other > 127)).sum() / ((one > 127) | (other > 127)).sum()


def test_silhouettes_are_those_that_were_drawn(filmed):
    shown = range(8, 52)
    masks = [walk(index) for index in shown]
    halves = [
        track([*shown][part], [true_box(mask) for mask in masks[part]], segment=place)
        for place, part in enumerate((slice(0, 20), slice(20, None)))
    ]
    stranger = track([9], [[0, 0, 20, 60]], "too few frames", track_id=7)
    found = silhouettes_of(filmed, [*halves, stranger])
    assert list(found) == [3]
    own = found[3]
    assert own.frames.tolist() == [*shown]
    assert own.frame_mask.all()
    expected, _ = align_silhouettes(np.stack(masks).astype(np.uint8) * np.uint8(255))
    overlaps = [overlap(one, other) for one, other in zip(own.aligned, expected, strict=True)]
    assert np.mean(overlaps) > 0.85
    assert np.min(overlaps) > 0.7
    energy = gait_energy_image(own.aligned, own.frame_mask)
    assert np.abs(energy - gait_energy_image(expected, np.ones(len(expected), bool))).mean() < 0.02


def test_nobody_described_has_no_silhouettes(filmed):
    assert silhouettes_of(filmed, [track([9], [[0, 0, 20, 60]], "too small")]) == {}
    assert silhouettes_of(filmed, []) == {}


def test_an_empty_place_is_marked(filmed):
    found = silhouettes_of(filmed, [track([10, 11], [[250, 55, 300, 165]] * 2)], size=32)
    assert not found[3].frame_mask.any()
    assert found[3].aligned.shape == (2, 32, 32)
    assert not found[3].aligned.any()


def test_outline_keeps_the_person_and_leaves_shadow_and_neighbour():
    contrast = np.zeros((HEIGHT, WIDTH), np.float32)
    mask, other = body(100, 0.3), body(160, 0.3)
    contrast[162:165, 50:100] = 1.2  # on the ground
    contrast[60:160, 128:131] = 0.4  # faint, on the wall
    contrast[mask | other] = 3
    contrast[100:102, 98:101] = 0  # where coat and wall have one colour
    person = outline(contrast, np.zeros_like(contrast), true_box(mask), true_box(other)[None])
    assert person is not None
    left = int(np.clip(true_box(mask)[[0, 2]].mean() - 0.45 * TALL, 0, WIDTH))
    top = int(true_box(mask)[1] - 0.02 * TALL)
    expected = mask[top:, left:][: person.shape[0], : person.shape[1]]
    assert overlap(person, 255 * expected.astype(np.uint8)) > 0.95
    assert set(np.unique(person)) == {0, 255}


def test_half_a_person_is_no_outline():
    contrast = np.zeros((HEIGHT, WIDTH), np.float32)
    mask = body(100, 0.3)
    contrast[mask] = 3
    contrast[: 165 - TALL // 2] = 0
    assert outline(contrast, np.zeros_like(contrast), true_box(mask), np.zeros((0, 4))) is None
    assert outline(contrast, np.zeros_like(contrast), np.array([0.0, 0, 1, 2]), np.zeros((0, 4))) is None


def test_command_writes_what_opengait_reads(filmed, tmp_path):
    to = tmp_path / "outlines"
    done = CliRunner().invoke(app, ["silhouettes", str(filmed), "--to", str(to), "--json"])
    assert done.exit_code == 0, done.output
    (person,) = json.loads(done.stdout)["people"]
    assert person["reason"] is None
    assert person["silhouettes"] > 30
    folder = to / "person1" / "door" / "right"
    assert person["folder"] == str(folder)
    pictures = sorted(path for path in folder.glob("*.png") if path.name != "gei.png")
    assert len(pictures) == person["silhouettes"]
    with np.load(folder / "silhouettes.npz", allow_pickle=False) as arrays:
        assert arrays["silhouettes"].shape == (len(pictures), 64, 64)
        assert [f"{index:06d}.png" for index in arrays["frames"]] == [path.name for path in pictures]
        np.testing.assert_array_equal(cv2.imread(str(pictures[3]), cv2.IMREAD_GRAYSCALE), arrays["silhouettes"][3])
        energy = cv2.imread(str(folder / "gei.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_allclose(energy / 255, arrays["gait_energy_image"], atol=0.003)


def test_a_second_run_leaves_none_of_the_first_ones_frames(tmp_path):
    def outlines(frames):
        aligned = np.random.default_rng(len(frames)).integers(256, size=(len(frames), 8, 8), dtype=np.uint8)
        return Silhouettes(np.array(frames), aligned, np.ones(len(frames), bool))

    write(outlines([3, 4, 5, 1_000_000]), tmp_path)
    others = {"notes.txt", "5.png", "000004.png.png", "0000005.png"}
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / "000009.png").mkdir()
    write(outlines([4, 6]), tmp_path)
    kept = {"000004.png", "000006.png", "gei.png", "silhouettes.npz"}
    assert {path.name for path in tmp_path.iterdir()} == kept | others | {"000009.png"}


@pytest.mark.parametrize("options", [["--size", "63"], ["--to", "FILE"]])
def test_command_refuses_misuse(filmed, tmp_path, options):
    (tmp_path / "FILE").touch()
    options = [str(tmp_path / "FILE") if option == "FILE" else option for option in options]
    done = CliRunner().invoke(app, ["silhouettes", str(filmed), "--to", str(tmp_path / "to"), *options])
    assert done.exit_code == 2
    assert "expected" in done.stderr


@pytest.mark.parametrize("clip", ["person11_walking_d1_uncomp.mp4", "person04_walking_d4_uncomp.avi"])
def test_real_walks_have_upright_whole_silhouettes(data_root, tmp_path, clip):
    """All four passes, and of nearly every frame an outline that narrows from trunk to head and parts into legs."""
    video = data_root / "kth_walking" / clip
    done = CliRunner().invoke(app, ["silhouettes", str(video), "--to", str(tmp_path), "--json"])
    walks = [person for person in json.loads(done.stdout)["people"] if person["reason"] is None]
    assert len(walks) >= 3
    for person in walks:
        assert person["silhouettes"] > 0.9 * person["frames"]
        energy = cv2.imread(str(tmp_path / person["folder"] / "gei.png"), cv2.IMREAD_GRAYSCALE) / 255
        assert energy[12:28, 28:36].mean() > 0.8  # trunk
        assert energy[:, [0, 1, 2, 61, 62, 63]].mean() < 0.03
        head, trunk, stride = (
            (energy[rows] > 0.1).sum(1).mean() for rows in (slice(1, 6), slice(15, 30), slice(56, 63))
        )
        assert head < trunk < stride
