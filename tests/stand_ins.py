"""Stand-ins for the command line's networks and for drawn walks, and the steps that tests share; files are real."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from typer.testing import CliRunner

from gaitnet.cli.main import app
from gaitnet.identification.search import Strangers, save_strangers
from gaitnet.video.read import VideoReader
from gaitnet.video.write import VideoWriter
from humanpose.estimator import Joints, Places
from humanpose.preprocess import MARGIN
from humanpose.skeleton import INDEX

SIZE = 32
MODEL = "ab" * 32


class Walkers:
    """Stands in for GaitRecognizer: the people of a video are told by its name, "anna+ben.mp4" shows two."""

    identity = MODEL
    detector = None
    gait = SimpleNamespace(size=SIZE)

    class pose:  # noqa: N801
        size = (64, 48)

        @staticmethod
        def joints(image, boxes=None):
            count = 1 if boxes is None else len(boxes)
            middle = np.array([image.shape[1] / 2, image.shape[0] / 2], np.float32)
            return np.tile(middle, (count, 16, 1)), np.full((count, 16), 0.9, np.float32)

    def joints_of_crops(self, crops, affines):
        return all_joints_at(cut_about(crops, affines)[0], 0.9)

    @staticmethod
    def paths(places, times):
        return places.first

    @classmethod
    def load(cls, folder=None, pose=None, flip_test=False, decoding=None):
        return cls()

    def describe(self, video, progress=None):
        with VideoReader(video) as reader:
            frames = [(frame.index, frame.time) for frame in reader]
        if progress is not None:
            progress(len(frames), len(frames))
        told = Path(video).stem.removesuffix(" then")
        names = [] if told == "empty street" else told.split("+")
        part = len(frames) // len(names) if told != Path(video).stem else 0
        return [
            walker(name.split("-")[0], place, frames[place * part :][: part or None], f"{name} in {told}")
            for place, name in enumerate(names)
        ]


def cut_about(crops, affines):
    """Middles (person, xy) and heights of the people about whom crops were cut, in pixels of the picture."""
    height, width = crops.shape[1:3]
    middles = affines @ np.array([(width - 1) / 2, (height - 1) / 2, 1])
    return middles, affines[:, 1, 1] * height / MARGIN


def all_joints_at(middles, sure):
    """As a recognizer tells it where all joints of somebody are in one place."""
    at = np.tile(middles[:, None], (1, 16, 1)).astype(np.float32)
    return Places(Joints(at, np.broadcast_to(sure, at.shape[:2])), Joints(at + 9, np.full(at.shape[:2], 0.01)))


def vector(name, seed=""):
    """A person's identification vector: theirs alone, and a little different in each video."""
    own, this = (np.random.default_rng(list(text.encode())) for text in (name, name + seed))
    return (own.standard_normal(SIZE) + 0.15 * this.standard_normal(SIZE)).astype(np.float32)


def walker(name, place, frames, video):
    count = len(frames)
    reason = "too few frames" if count < 8 else "too small" if name == "far" else None
    box = np.tile(np.array([2 + 8 * place, 4, 20 + 8 * place, 44], np.float32), (count, 1))
    steps = np.random.default_rng(0).uniform(0, 1, (16, 2)) * (16, 40) + (3, 4)
    found = vector(name, video)
    return SimpleNamespace(
        track=place, frames=np.array([f for f, _ in frames]), times=np.array([t for _, t in frames], float), boxes=box,
        keypoints=np.tile(steps.astype(np.float32), (count, 1, 1)), probability=np.full((count, 16), 0.8, np.float32),
        mirrored=False, identification_vector=None if reason else found, reason=reason,
        windows=np.zeros((0, 0), np.float32) if reason else np.stack([found, found + 0.01]),
    )  # fmt: skip


def stroll(key, person, condition, view, session, steps, hurry=0.0):
    """Stands in for gait.draw_keypoints, which takes a compiler long: a figure upright whose joints swing anyhow."""
    rows = jnp.array([90.0, 70, 45, 45, 70, 90, 45, 20, 12, 0, 45, 35, 20, 20, 35, 45])
    columns = jnp.array([-8.0, -6, -5, 5, 6, 8, 0, 0, 0, 0, -9, -9, -7, 7, 9, 9])
    phase, far, off = jax.random.uniform(key, (3, 1, 16, 2), maxval=8.0)
    return jnp.stack([columns, rows], -1)[None] + 2 * off + far * jnp.sin(jnp.arange(steps)[:, None, None] / 2 + phase)


def film(path, count=10, size=(48, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path) as writer:
        for step in range(count):
            writer.write(np.full((*size, 3), 40 + 5 * (step % 30), np.uint8))
    return path


def strangers(folder):
    folder.mkdir(parents=True)
    names = tuple(f"s{number}" for number in range(300))
    save_strangers(folder / "strangers.npz", Strangers(np.stack([vector(name) for name in names]), names, MODEL))


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def good(*arguments):
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def bad(*arguments, code=2):
    """The one sentence that a refused command says."""
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip()) > 10
    return done.stderr


def document(*arguments):
    return json.loads(good(*arguments, "--json"))


def enrolled(place):
    """Anna and Ben from two videos each; returns the folder."""
    for name in ("anna", "ben"):
        good("enroll", name.capitalize(), film(place / f"{name}-1.mp4"), film(place / f"{name}-2.mp4"))


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def moved(keypoints, by):
    return keypoints + np.array([by, 0])


def body(x, y, tall):
    """The 16 joints of somebody who stands at x, from y downwards."""
    rows = {"ankle": 0.95, "knee": 0.72, "hip": 0.5, "wrist": 0.5, "elbow": 0.35, "shoulder": 0.2,
            "pelvis": 0.5, "thorax": 0.2, "upper_neck": 0.16, "head_top": 0.0}  # fmt: skip
    keypoints = np.zeros((16, 2))
    for name, joint in INDEX.items():
        side = {"r_": -0.05, "l_": 0.05}.get(name[:2], 0.0)
        keypoints[joint] = x + tall * side * (2 if "ankle" in name else 1), y + tall * rows[name.split("_", 1)[-1]
            if name[:2] in ("r_", "l_") else name]  # fmt: skip
    return keypoints


def picture(path, size=(60, 40)):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
    return path


def checked_as_coco(told):
    """What pycocotools reads of a data set and of results: keys and types, and that everything refers to something."""
    assert {"info", "licenses", "images", "annotations", "categories"} <= set(told)
    images = {image["id"]: image for image in told["images"]}
    categories = {category["id"]: category for category in told["categories"]}
    assert len(images) == len(told["images"])
    for image in images.values():
        assert isinstance(image["file_name"], str)
        assert all(type(image[key]) is int for key in ("id", "width", "height"))
    for category in categories.values():
        count = len(category["keypoints"])
        assert isinstance(category["name"], str)
        assert category["supercategory"] == "person"
        assert all(1 <= joint <= count for limb in category["skeleton"] for joint in limb)
    assert len({one["id"] for one in told["annotations"]}) == len(told["annotations"])
    for one in told["annotations"]:
        assert one["image_id"] in images
        count = len(categories[one["category_id"]]["keypoints"])
        assert len(one["keypoints"]) == 3 * count
        assert all(flag in (0, 1, 2) and type(flag) is int for flag in one["keypoints"][2::3])
        assert one["num_keypoints"] == sum(flag > 0 for flag in one["keypoints"][2::3])
        assert len(one["bbox"]) == 4
        assert min(one["bbox"][2:]) > 0
        assert isinstance(one["area"], float)
        assert isinstance(one["score"], float)
        assert one["iscrowd"] == 0
        assert one["segmentation"] == []
    return categories
