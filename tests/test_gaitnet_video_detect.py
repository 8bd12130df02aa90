"""Finding people: the still scene, shapes, when the network is asked, and its codec."""

from dataclasses import replace

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.centres import CentreTargets, boxes_in_cells, centre_loss, decode_boxes, encode_boxes
from gaitnet.models.detector import Centres, Detector, DetectorConfig
from gaitnet.recognizer import load_detector
from gaitnet.video.background import BackgroundModel
from gaitnet.video.detect import PersonDetector, box_iou
from gaitnet.video.network import letterbox, people_finder, strongest_apart
from gaitnet.video.people import people
from gaitnet.video.read import Frame, read_video
from gaitnet.video.shapes import person_boxes
from train.detect_data import _filmed

pytestmark = pytest.mark.usefixtures("lightly_compiled")

NOISE = np.random.default_rng(3)
SCENE = np.clip(NOISE.normal(120, 25, (120, 213, 3)).repeat(2, 0).repeat(2, 1)[:240, :426], 0, 255).astype(np.uint8)


def _person(image: np.ndarray, x: float, bottom: float, height: float, colour=(60, 30, 40)) -> np.ndarray:
    """Draw somebody of head, trunk and two legs; returns the box."""
    top = bottom - height
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    head = ((columns - x) / (0.07 * height)) ** 2 + ((rows - top - 0.07 * height) / (0.07 * height)) ** 2 < 1
    trunk = (abs(columns - x) < 0.11 * height) & (rows > top + 0.13 * height) & (rows < top + 0.55 * height)
    below = (rows - top - 0.55 * height) / (0.45 * height)
    legs = [abs(columns - x - s * 0.14 * height * below) < 0.05 * height for s in (-1, 1)]
    body = head | trunk | ((legs[0] | legs[1]) & (below >= 0) & (below < 1))
    image[body] = colour
    found = np.argwhere(body)
    return np.array([found[:, 1].min(), found[:, 0].min(), found[:, 1].max() + 1, found[:, 0].max() + 1], float)


def _walk(count: int, people: int = 1, brightness: float = 1.0, shake: int = 0):
    """Frames of people who walk through the scene, and their boxes."""
    rng = np.random.default_rng(0)
    for index in range(count):
        image = SCENE.copy()
        boxes = [_person(image, 40 + 340 * index / count, 210, 130)]
        if people == 2:
            boxes.append(_person(image, 390 - 340 * index / count, 200, 120, (220, 210, 40)))
        image = np.clip(image * (1 + (brightness - 1) * index / count), 0, 255).astype(np.uint8)
        if shake:
            image = np.roll(image, rng.integers(-shake, shake + 1, 2), (0, 1))
        noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        yield Frame(index, index / 25, noisy), np.array(boxes)


@pytest.mark.parametrize(("brightness", "shake"), [(1.0, 0), (0.75, 0), (1.0, 1)])
def test_somebody_who_walks_through_is_found_tightly(brightness, shake):
    frames = list(_walk(50, brightness=brightness, shake=shake))
    model = BackgroundModel()
    model.prime(frame for frame, _ in frames)
    overlaps = []
    for frame, boxes in frames:
        found = model.update(frame)
        assert found.still
        assert len(found.boxes) <= 1
        overlaps.append(box_iou(boxes, found.boxes).max(initial=0))
    assert np.mean(overlaps) > 0.8
    assert np.mean(np.array(overlaps) > 0.7) > 0.9


def test_an_empty_scene_holds_nobody():
    rng = np.random.default_rng(1)
    model = BackgroundModel()
    for index in range(30):
        noisy = np.clip(SCENE + rng.normal(0, 4, SCENE.shape), 0, 255).astype(np.uint8)
        assert len(model.update(Frame(index, index / 25, noisy)).boxes) == 0


def test_a_moving_camera_is_noticed():
    rng = np.random.default_rng(2)
    coarse = rng.uniform(0, 255, (12, 45, 3)).astype(np.uint8)
    wide = cv2.resize(coarse, (900, 240), interpolation=cv2.INTER_CUBIC)
    model = BackgroundModel()
    still = [model.update(Frame(i, i / 25, wide[:, 7 * i : 7 * i + 426])).still for i in range(60)]
    assert not any(still[10:])


def test_a_shadow_on_the_wall_is_nobody():
    frames = []
    for index in range(40):
        image = np.full((240, 320, 3), 150.0)
        rows, columns = np.mgrid[:240, :320]
        away = ((columns - 40 - 6 * index) / 40) ** 2 + ((rows - 130) / 80) ** 2
        image *= (1 - 0.3 * np.exp(-away))[..., None]
        frames.append(Frame(index, index / 25, image.astype(np.uint8)))
    model = BackgroundModel()
    model.prime(frames)
    assert sum(len(model.update(frame).boxes) for frame in frames) <= 3  # fewer than make a track


def test_a_reflection_on_the_floor_is_cut_off():
    contrast = np.zeros((200, 120), np.float32)
    person = np.zeros((200, 120, 3), np.uint8)
    box = _person(person, 60, 110, 80, (1, 1, 1))
    body = person[..., 0].astype(np.float32)
    contrast += 4 * body + 1.2 * np.pad(body[:110][::-1], ((110, 0), (0, 0)))[:200]
    boxes, _ = person_boxes(contrast, np.zeros_like(contrast))
    assert np.allclose(boxes, box[None], atol=3)


def test_two_side_by_side_are_parted():
    contrast = np.zeros((160, 160, 3), np.uint8)
    boxes = np.array([_person(contrast, x, 140, 110, (4, 4, 4)) for x in (60, 95)])
    found, _ = person_boxes(contrast[..., 0].astype(np.float32), np.zeros((160, 160), np.float32))
    assert len(found) == 2
    assert box_iou(boxes, found).max(1).min() > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (64, 3)])
def test_odd_sizes_do_not_fail(shape):
    detector = PersonDetector()
    for index in range(3):
        found = detector(Frame(index, index / 25, np.full((*shape, 3), 40 * index, np.uint8)))
        assert found.boxes.shape == (len(found.scores), 4)


def test_the_network_is_asked_where_the_camera_moves_and_only_there():
    """A pan over a scene that is wider than the picture, and then a rest."""
    wide = np.clip(NOISE.normal(120, 25, (60, 400, 3)).repeat(4, 0).repeat(4, 1), 0, 255).astype(np.uint8)
    box, asked = np.array([[10.0, 20, 60, 200], [5.0, 5, 9, 9]]), []

    def network(image):
        asked.append(image.shape)
        return box, np.array([0.8, 0.3])

    detector = PersonDetector(network)
    moving = [detector(Frame(index, index / 25, wide[:, 12 * index :][:, :426])) for index in range(60)]
    assert not any(found.still for found in moving[20:])
    assert all(np.array_equal(found.boxes, box[:1]) and found.scores == [0.8] for found in moving[20:])
    resting = PersonDetector(network)
    asked.clear()
    for index in range(30):
        found = resting(Frame(index, index / 25, wide[:, :426]))
        assert found.still
        assert len(found.boxes) == 0
    assert not asked


_edges = st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50))


@given(_edges, _edges)
def test_box_iou_is_symmetric_and_bounded(first, second):
    a, b = (np.array([[x, y, x + w, y + h]]) for x, y, w, h in (first, second))
    assert box_iou(a, b) == pytest.approx(box_iou(b, a))
    assert 0 <= box_iou(a, b)[0, 0] <= 1 + 1e-9
    assert box_iou(a, a)[0, 0] == pytest.approx(1)


@settings(deadline=None, max_examples=20)
@given(st.floats(10, 200), st.floats(10, 200), st.floats(20, 50), st.floats(30, 100))
def test_codec_round_trip(x, y, width, height):
    box = np.array([[[x, y, x + width, y + height], [0, 0, 0, 0]]], np.float32)
    targets = encode_boxes(jnp.asarray(box), jnp.array([[1.0, 0.0]]), (38, 32))
    logits = jnp.log(jnp.clip(targets.heat, 1e-4, 0.999)) * 4 + 3
    row, column = jnp.arange(38)[:, None] + 0.5, jnp.arange(32)[None] + 0.5
    corners = targets.boxes[0]
    sides = jnp.stack(
        [column - corners[..., 0], row - corners[..., 1], corners[..., 2] - column, corners[..., 3] - row], -1
    )
    boxes, scores = decode_boxes(logits, jnp.log(jnp.clip(sides, 0.05, 200))[None], 8)
    assert scores[0, 0] > 0.9
    assert scores[0, 1] < 0.5
    assert np.allclose(boxes[0, 0], box[0, 0], atol=0.5)


def test_encode_matches_a_plain_oracle():
    box = np.array([40.0, 24.0, 80.0, 120.0])
    heat = np.asarray(encode_boxes(jnp.asarray(box[None, None], jnp.float32), jnp.ones((1, 1)), (20, 16)).heat[0])
    cells = box / 8
    middle = np.floor([(cells[0] + cells[2]) / 2, (cells[1] + cells[3]) / 2])
    spread = np.maximum(0.1 * np.array([cells[2] - cells[0], cells[3] - cells[1]]), 0.7)
    for row in range(20):
        for column in range(16):
            away = (column - middle[0]) ** 2 / spread[0] ** 2 + (row - middle[1]) ** 2 / spread[1] ** 2
            assert heat[row, column] == pytest.approx(np.exp(-0.5 * away), abs=1e-5)


def test_loss_is_least_at_the_truth_and_finite_everywhere():
    boxes = jnp.array([[[40.0, 24.0, 80.0, 120.0]]])
    targets = encode_boxes(boxes, jnp.ones((1, 1)), (16, 16))
    right = jnp.where(targets.heat > 0.999, 9.0, -9.0)
    row, column = jnp.arange(16)[:, None] + 0.5, jnp.arange(16)[None] + 0.5
    corners = targets.boxes[0]
    sides = jnp.stack(
        [column - corners[..., 0], row - corners[..., 1], corners[..., 2] - column, corners[..., 3] - row], -1
    )
    true_sides = jnp.log(jnp.clip(sides, 0.05, 99.0))[None]
    best, parts = centre_loss(right, true_sides, targets)
    assert float(best) < 0.05
    assert float(parts["box_iou"]) > 0.98
    assert float(centre_loss(-right, true_sides, targets)[0]) > 5
    assert float(centre_loss(right, true_sides + 1, targets)[0]) > 1
    nobody = CentreTargets(jnp.zeros((1, 16, 16)), jnp.zeros((1, 16, 16, 4)), jnp.zeros((1, 16, 16)))
    assert np.isfinite(float(centre_loss(jnp.full((1, 16, 16), -50.0), true_sides, nobody)[0]))


def test_boxes_in_cells_have_the_cell_inside():
    boxes = boxes_in_cells(jnp.zeros((1, 3, 5, 4)))
    assert np.allclose(boxes[0, 2, 4], [3.5, 1.5, 5.5, 3.5])


@pytest.fixture(scope="module")
def network() -> Detector:
    config = DetectorConfig(size=96, width_multiplier=0.1, head_channels=8)
    return Detector(config, rngs=nnx.Rngs(0))


def test_network_shapes_and_sizes(network):
    out = nnx.eval_shape(lambda: network(jnp.zeros((2, 96, 64, 3), jnp.uint8)))
    assert out.logits.shape == (2, 12, 8)
    assert out.sides.shape == (2, 12, 8, 4)
    with pytest.raises(ValueError, match="32"):
        network(jnp.zeros((1, 90, 64, 3)))


def test_network_learns_one_picture(network):
    image = SCENE.copy()
    box = _person(image, 200, 210, 150)
    canvas, scale = letterbox(image, 96, square=True)
    graphdef, params, rest = nnx.split(network, nnx.Param, ...)
    images, boxes = jnp.asarray(canvas[None]), jnp.asarray(box * scale, jnp.float32)[None, None]

    def loss_of(params):
        model = nnx.merge(graphdef, params, rest, copy=True)
        out = model(images, train=True)
        return centre_loss(out.logits, out.sides, encode_boxes(boxes, jnp.ones((1, 1)), out.logits.shape[1:3]))[0]

    step = jax.jit(jax.value_and_grad(loss_of))
    first, _ = step(params)
    for _ in range(25):
        _, grads = step(params)
        params = jax.tree.map(lambda value, slope: value - 0.02 * slope, params, grads)
    assert float(step(params)[0]) < 0.5 * float(first)


def test_people_finder_speaks_image_pixels(network):
    boxes, scores = people_finder(network, least=0.0)(SCENE)
    assert boxes.shape == (len(scores), 4)
    assert boxes.min() >= 0
    assert (boxes[:, 2] <= 426).all()
    assert boxes[:, 0].max() > 213  # the network saw the picture 96 pixels wide
    assert (boxes[:, 3] <= 240).all()


class SeesTooMuch(Detector):
    """Sees somebody in the picture and, more surely, somebody in the grey that fills the canvas up below it."""

    def __call__(self, images, train=False, lowering="auto"):
        logits = jnp.full((1, 8, 12), -9.0).at[0, 3, 5].set(2.0).at[0, 7, 5].set(3.0)
        return Centres(logits, jnp.full((1, 8, 12, 4), -2.0))


def test_nobody_is_found_beside_the_picture(network):
    boxes, scores = people_finder(SeesTooMuch(network.config, rngs=nnx.Rngs(0)))(SCENE)
    middle, scale = np.array([5.5, 3.5]) * 8, 96 / 426
    assert scores == pytest.approx([1 / (1 + np.exp(-2))])
    np.testing.assert_allclose(boxes[:, :2], [(middle - 8 * np.exp(-2)) / scale], rtol=1e-5)
    np.testing.assert_allclose(boxes[:, 2:], [(middle + 8 * np.exp(-2)) / scale], rtol=1e-5)


def test_strongest_apart_drops_the_weaker_twin():
    boxes = np.array([[0.0, 0, 10, 10], [0.0, 0, 10, 11], [20.0, 0, 30, 10]])
    assert strongest_apart(boxes, np.array([0.5, 0.9, 0.4])) == [1, 2]


@pytest.mark.parametrize("shape", [(240, 426), (426, 240), (1, 1), (100, 100)])
def test_letterbox_scale_maps_back(shape):
    canvas, scale = letterbox(np.full((*shape, 3), 200, np.uint8), 96)
    assert canvas.shape[0] % 32 == 0
    assert canvas.shape[1] % 32 == 0
    assert max(canvas.shape) == 96
    filled = np.argwhere(canvas[..., 0] == 200).max(0) + 1
    assert np.allclose(filled, np.round(np.array(shape) * scale), atol=1)


@pytest.mark.parametrize("bad", [{"size": 100}, {"width_multiplier": 0.0}, {"head_channels": 0}])
def test_config_refuses(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        DetectorConfig(**bad)


def test_the_shipped_detector_finds_somebody_never_trained_on(data_root):
    """Person 15's landmarked frames, and as many without anybody: one box about the person, none about nobody."""
    find_people = load_detector("detect")
    assert find_people is not None
    scenes = _filmed(data_root / "kth_walking" / "person15_walking_d1_uncomp.reference.json")
    hits, false = [], []
    for scene in scenes:
        boxes, scores = find_people(scene.pixels())
        sure = boxes[scores >= 0.4]
        if len(scene.boxes):
            hits.append(box_iou(sure, scene.boxes).max(initial=0) >= 0.5)
        else:
            false.append(len(sure))
    assert min(len(hits), len(false)) > 5
    assert np.mean(hits) > 0.8
    assert np.mean(false) < 0.2


def test_somebody_is_followed_by_a_camera_that_moves(data_root):
    """A clip seen through a window that sways over it: without the network nobody is found before such a camera."""

    def swaying():
        for frame in read_video(data_root / "clips" / "demo1.mp4"):
            height, width = (round(0.86 * side) for side in frame.image.shape[:2])
            x = int((frame.image.shape[1] - width) * (0.5 + 0.5 * np.sin(frame.index / 14)))
            y = int((frame.image.shape[0] - height) * (0.5 + 0.35 * np.sin(frame.index / 9)))
            yield replace(frame, image=np.ascontiguousarray(frame.image[y : y + height, x : x + width]))

    with_network, without = (
        [len(track.frames) for track in people(swaying(), PersonDetector(network)) if track.reason is None]
        for network in (load_detector("detect"), None)
    )
    assert max(with_network) > 40
    assert max(without, default=0) < 20


def test_a_look_ahead_leaves_damage_to_be_told_by_the_look_itself(tmp_path):
    (tmp_path / "0.png").write_bytes(b"no picture")
    for frame in range(1, 4):
        cv2.imwrite(str(tmp_path / f"{frame}.png"), np.zeros((20, 30, 3), np.uint8))
    PersonDetector().prime(tmp_path)  # warnings are errors


def test_real_walker_is_found(data_root):
    """A dark clip with cast shadows: somebody stands in view in frames 30..80, nobody in 105..150."""
    film = data_root / "kth_walking" / "person12_walking_d4_uncomp.mp4"
    detector = PersonDetector()
    detector.prime(film)
    inside, outside = [], []
    for frame in read_video(film):
        if frame.index > 165:
            break
        found = detector(frame)
        if 45 <= frame.index <= 85:
            inside.append(len(found.boxes) == 1 and 85 <= found.boxes[0, 3] - found.boxes[0, 1] <= 115)
        if 135 <= frame.index <= 160:
            outside.append(len(found.boxes))
    assert np.mean(inside) > 0.9
    assert np.mean(outside) < 0.2
