"""Scenes with boxes for the detector: collages of photographs, filmed walkers, empty pictures, and drawn walkers."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from gaitnet.datasets.kth import LIST_NAME, parse_sequences
from gaitnet.video.network import letterbox
from gaitnet.video.read import read_video
from humanpose.datasets.kth import film_of, shown_in
from humanpose.datasets.lsp import LSPET_TRAINED, number_of
from humanpose.datasets.pictures import read_picture
from train.data import MakeSample
from train.held_out import is_held_out, require_apart
from train.pose_data import read_lspet

PEOPLE = 6
"""Places for boxes in every sample."""
_remembered = lru_cache(maxsize=4096)(read_picture)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, uint8 RGB or the path of one, and the boxes (person, 4) of everybody in it, image pixels."""

    image: np.ndarray | Path
    boxes: np.ndarray

    def pixels(self) -> np.ndarray:
        """The picture, read if need be; ValueError where it cannot be read."""
        if isinstance(self.image, np.ndarray):
            return self.image
        return _remembered(self.image)


@dataclass(frozen=True, eq=False)
class DetectData:
    """What is learned from, and what only measures; filmed scenes without boxes are empty pictures."""

    photographs: list[Scene]
    filmed: list[Scene]
    held_out: dict[str, list[Scene]]


def load_detect_data(root: Path) -> DetectData:
    """LSPET photographs and KTH's landmarked and empty frames under `root` (the folder GAITNET_DATA names).

    Raises:
        ValueError: a data set is not there.

    """
    trained: list[Scene] = []
    measured: list[Scene] = []
    for record in read_lspet(root):
        if record.visible.sum() >= 12:
            scene = Scene(record.path, _wider(record.box)[None])
            (trained if number_of(record) <= LSPET_TRAINED else measured).append(scene)
    filmed: dict[bool, list[Scene]] = {True: [], False: []}
    for file in sorted((root / "kth_walking").glob("*.reference.json")):
        filmed[is_held_out(file)].extend(_filmed(file))
    held_out = {name: scenes for name, scenes in (("lspet", measured), ("kth", filmed[True])) if scenes}
    return DetectData(trained, filmed[False], held_out)


def make_sample(data: DetectData, size: int = 256, photographs: float = 0.5) -> tuple[MakeSample, int]:
    """A sampler for `train.data.make_batch` and the number of samples it tells apart.

    A sample holds images (size, size, 3) uint8, boxes (PEOPLE, 4) in their pixels and present (PEOPLE,) 0 or 1. With
    probability `photographs` it is a collage of one to four photographs, else a filmed scene at a random scale.
    """
    count = len(data.photographs) + len(data.filmed)

    def sample(index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if not data.filmed or (data.photographs and rng.random() < photographs):
            image, boxes = _collage(data.photographs, size, rng)
        else:
            image, boxes = _placed(data.filmed[index % len(data.filmed)], size, rng)
        return _pack(_coloured(image, rng), boxes)

    return sample, count


def evaluation_arrays(scenes: Sequence[Scene], size: int = 256) -> dict[str, np.ndarray]:
    """Held-out scenes, letterboxed to squares, as the arrays of a batch."""
    rows = []
    for scene in scenes:
        canvas, scale = letterbox(scene.pixels(), size, square=True)
        rows.append(_pack(canvas, scene.boxes * scale))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def walkers_scenes(size: tuple[int, int] = (256, 256)) -> Callable:
    """`draw(keys (scene,)) -> (images, boxes (scene, PEOPLE, 4), present)`: two walkers in a drawn place."""
    import jax
    import jax.numpy as jnp

    from gaitnet.walkers.appearance import draw_appearance
    from gaitnet.walkers.body import draw_person
    from gaitnet.walkers.camera import crop_camera, draw_camera
    from gaitnet.walkers.motion import walk_points
    from gaitnet.walkers.renderer import render
    from gaitnet.walkers.scene import draw_scene
    from gaitnet.walkers.walk import CONDITIONS, body_of_day, draw_walk

    def walker(key):
        keys = jax.random.split(key, 6)
        person = draw_person(keys[0])
        condition = jax.random.randint(keys[1], (), 0, len(CONDITIONS))
        walk = draw_walk(keys[2], person, condition)
        body = body_of_day(person.body, walk)
        points = walk_points(body, walk, jax.random.uniform(keys[3], (1,), maxval=20.0))[0]
        away = jax.random.uniform(keys[4], (2,), minval=-1.6, maxval=1.6)
        middle = points[:16].mean(0)
        place = jnp.stack([away[0] - middle[0], away[1] - middle[1], jnp.zeros(())])
        return points + place[None], body.radii, draw_appearance(keys[5], condition)

    def scene(key):
        keys = jax.random.split(key, 8)
        points, radii, wear = jax.vmap(walker)(jax.random.split(keys[0], 2))
        camera = draw_camera(keys[1], jax.random.uniform(keys[2], maxval=180.0), (480, 480))
        zoom = 240 * jnp.exp(jax.random.uniform(keys[3], minval=-0.1, maxval=0.9))
        middle = 240 + 60 * jax.random.normal(keys[4], (2,))
        cut = jnp.concatenate([middle - zoom, middle + zoom])
        bits = jax.random.bits(keys[5], (), jnp.uint32)
        drawn = render(
            points, radii.reshape(2, -1), wear, crop_camera(camera, cut, size), draw_scene(keys[6]), size, bits
        )
        grey = jnp.broadcast_to(drawn.rgb.mean(-1, keepdims=True), drawn.rgb.shape)
        rgb = jnp.where(jax.random.bernoulli(keys[7], 0.25), grey, drawn.rgb)
        boxes, present = jax.vmap(_outline)(drawn.silhouette)
        empty = PEOPLE - boxes.shape[0]
        return rgb, jnp.pad(boxes, ((0, empty), (0, 0))), jnp.pad(present, (0, empty))

    def _outline(silhouette):
        on = silhouette > 0.5
        box = []
        for axis in (0, 1):
            line = on.any(axis)
            first, last = jnp.argmax(line), line.shape[0] - jnp.argmax(line[::-1])
            box.append((first, last))
        (x0, x1), (y0, y1) = box
        present = (on.sum() > 40) & (y1 - y0 >= 12)
        return jnp.stack([x0, y0, x1, y1]).astype(jnp.float32), present.astype(jnp.float32)

    return lambda keys: jax.lax.map(scene, keys)


def _filmed(file: Path) -> list[Scene]:
    """Landmarked frames, and as many frames far from any listed pass, which are empty."""
    content = json.loads(file.read_bytes())  # the head's top is read off the eyes, which are no joints of ours
    film = film_of(file.with_name(Path(content["video"]).name))
    shown_in(file, film)  # whoever only measures is not to come in under another's name
    if not is_held_out(file):
        require_apart([film], file.parent)
    boxes = {int(p["frame"]): landmark_box(np.array(p["landmarks"], float)) for p in content["people"]}
    empty = _empty_frames(file, int(content["frames"]), len(boxes) // 3)
    return [
        Scene(frame.image, np.clip(boxes[frame.index], 0, np.tile(frame.image.shape[1::-1], 2))[None])
        if frame.index in boxes
        else Scene(frame.image, np.zeros((0, 4)))
        for frame in read_video(film)
        if frame.index in boxes or frame.index in empty
    ]


def _empty_frames(file: Path, frames: int, most: int) -> set[int]:
    listing = file.with_name(LIST_NAME)
    person, _, scenario, *_ = file.name.removeprefix("person").split("_")
    passes = parse_sequences(listing).get((person, scenario)) if listing.exists() else None
    if passes is None:
        return set()
    free = np.ones(frames, bool)
    for first, last in passes:
        free[max(0, first - 9) : last + 13] = False
    return set(np.flatnonzero(free)[:: max(1, int(free.sum()) // max(most, 1))].tolist())


def landmark_box(landmarks: np.ndarray) -> np.ndarray:
    """Box (4,) from head top to soles about BlazePose's 33 landmarks (x, y, visibility), in their pixels.

    The head's top lies above the eyes by 0.6 of what the shoulders lie below them; soles are a little under the lowest
    landmark of the feet.
    """
    eyes, shoulders = landmarks[1:7, 1].mean(), landmarks[11:13, 1].mean()
    soles, top = landmarks[27:33, 1].max(), eyes - 0.6 * (shoulders - eyes)
    tall = soles - top
    left, right = landmarks[:, 0].min(), landmarks[:, 0].max()
    return np.array([left - 0.03 * tall, top, right + 0.03 * tall, soles + 0.012 * tall])


def _wider(box: np.ndarray) -> np.ndarray:
    """Joints lie inside the body: the box about them grows by a few hundredths of its longer side."""
    grow = 0.05 * float((box[2:] - box[:2]).max())
    return np.array([box[0] - grow, box[1] - 0.4 * grow, box[2] + grow, box[3] + grow])


def _collage(scenes: Sequence[Scene], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One to four photographs side by side, each fitted into its part: people of 25 to 240 pixels."""
    cut = (rng.uniform(0.25, 0.75, 2) * size).astype(int)
    kind = rng.integers(3)
    columns = [0, size] if kind == 1 else [0, cut[0], size]
    rows = [0, size] if kind == 2 else [0, cut[1], size]
    canvas = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    boxes = []
    for x0, x1 in itertools.pairwise(columns):
        for y0, y1 in itertools.pairwise(rows):
            scene = scenes[int(rng.integers(len(scenes)))]
            image = scene.pixels()
            height, width = image.shape[:2]
            scale = min((x1 - x0) / width, (y1 - y0) / height) * rng.uniform(0.75, 1.0)
            offset = np.array([x0, y0]) + rng.uniform(0, 1, 2) * (
                np.array([x1 - x0, y1 - y0]) - scale * np.array([width, height])
            )
            part = _warped(image, scale, offset - np.array([x0, y0]), (x1 - x0, y1 - y0))
            canvas[y0:y1, x0:x1] = part
            found = scene.boxes * scale + np.tile(offset, 2)
            boxes.append(np.clip(found, [x0, y0, x0, y0], [x1, y1, x1, y1]))
    image, found = canvas, np.concatenate(boxes)
    return _mirrored(image, found, rng)


def _placed(scene: Scene, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A filmed scene, whole or in part, at a random scale and place of the canvas."""
    image = scene.pixels()
    height, width = image.shape[:2]
    scale = size / max(height, width) * float(np.exp(rng.uniform(-0.9, 0.35)))
    room = size - scale * np.array([width, height])
    offset = rng.uniform(0, 1, 2) * room
    canvas = _warped(image, scale, offset, (size, size))
    boxes = scene.boxes * scale + np.tile(offset, 2)
    return _mirrored(canvas, np.clip(boxes, 0, size), rng)


def _warped(image: np.ndarray, scale: float, offset: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if scale < 0.7:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scale_x, scale_y = small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]
        image, rest = small, np.array([scale / scale_x, scale / scale_y])
    else:
        rest = np.array([scale, scale])
    matrix = np.array([[rest[0], 0, offset[0] + 0.5 * rest[0] - 0.5], [0, rest[1], offset[1] + 0.5 * rest[1] - 0.5]])
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _mirrored(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if rng.random() < 0.5:
        return image, boxes
    width = image.shape[1]
    return np.ascontiguousarray(image[:, ::-1]), np.stack(
        [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], -1
    )


def _coloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrast, brightness, tint, sometimes grey, sometimes coarse and noisy."""
    picture: np.ndarray = image.astype(np.float32)
    if rng.random() < 0.2:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    picture = (picture - 128) * rng.uniform(0.6, 1.3) + 128 + rng.uniform(-30, 30) + rng.normal(0, 6, 3)
    if rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.3)), np.float32)
    picture = picture + rng.normal(0, rng.uniform(0, 7), picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _pack(image: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    sound = boxes[(boxes[:, 2] - boxes[:, 0] > 2) & (boxes[:, 3] - boxes[:, 1] > 8)][:PEOPLE]
    padded = np.zeros((PEOPLE, 4), np.float32)
    padded[: len(sound)] = sound
    present = (np.arange(PEOPLE) < len(sound)).astype(np.float32)
    return {"images": image, "boxes": padded, "present": present}
