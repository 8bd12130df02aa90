"""Small data sets of people with joints, laid out as they were published, to try trainings and evaluations on."""

import os

import cv2
import numpy as np
import scipy.io
from test_humanpose_datasets_bodies import bodies
from test_humanpose_datasets_human36m import positions, write_take
from test_humanpose_datasets_mpii import person, write_mat

from humanpose.datasets.human36m_takes import CAMERAS
from humanpose.datasets.mpii import OFFICIAL
from humanpose.skeleton import INDEX

SIDE = 96
"""Height and width of the photographs."""

OF_LSP = [
    INDEX[name]
    for name in [
        "r_ankle",
        "r_knee",
        "r_hip",
        "l_hip",
        "l_knee",
        "l_ankle",
        "r_wrist",
        "r_elbow",
        "r_shoulder",
        "l_shoulder",
        "l_elbow",
        "l_wrist",
        "upper_neck",
        "head_top",
    ]
]
"""LSP's joints, in its order."""


def body(seed):
    return np.random.default_rng(seed).uniform(15, SIDE - 15, (16, 2)).round(1)


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def standing(seed, **changes):
    """Somebody as the official file of MPII has them, who fills a picture of SIDE pixels."""
    return person(body(seed), scale=0.4, objpos={"x": 48.0 + seed / 10, "y": 42.0}, **changes)


def mpii(folder, validation=True):
    """Six pictures to learn from and three that only measure, one of these with two people; one without anybody."""
    people = {f"t{number}.jpg": [standing(number)] for number in range(6)}
    people |= {f"v{number}.jpg": [standing(10 + number)] for number in range(2)}
    people |= {"v2.jpg": [standing(12), standing(13)], "test.jpg": [{"scale": 1.0}]}
    for number, name in enumerate(people):
        picture(folder / "images" / name, number)
    write_mat(folder / OFFICIAL, people)
    if validation:
        (folder / "valid_images.txt").write_text("v0.jpg\nv1.jpg\nv2.jpg\n")
    return folder


def lsp(folder, count, extended):
    """LSP or its extended set; every photograph is one and the same file."""
    everything = bodies(count, seed=count)[:, OF_LSP]
    least, most = everything.min(1, keepdims=True), everything.max(1, keepdims=True)
    points = 15 + (everything - least) * (SIDE - 30) / (most - least).max(-1, keepdims=True)
    flags = np.full((count, 14, 1), 1.0 if extended else 0.0)
    table = np.concatenate([points, flags], -1).transpose((1, 2, 0) if extended else (2, 1, 0))
    names = [f"im{number + 1:0{5 if extended else 4}d}.jpg" for number in range(count)]
    picture(folder / "images" / names[0], count)
    for name in names[1:]:
        os.link(folder / "images" / names[0], folder / "images" / name)
    scipy.io.savemat(folder / "joints.mat", {"joints": table})
    return folder


def human36m(folder):
    """Two recordings of S1 and one of S11 to learn from, one of S5 that measures; and an action that is not walking."""
    takes = [("S1", "Walking 1"), ("S1", "Walking"), ("S11", "Walking 1"), ("S5", "Walking"), ("S1", "Eating")]
    for number, (subject, action) in enumerate(takes):
        write_take(folder, subject, action, CAMERAS[number % 2], positions(8, number))
    return folder


def filmed(root_of, count, moved=0.0):
    """Records of somebody in `count` frames of one recording, who goes `moved` pixels a frame."""
    from humanpose.datasets.record import PoseRecord

    keypoints = body(3).astype(np.float32)
    return [
        PoseRecord(
            root_of / "a.mp4", frame, np.array([10.0, 10, 86, 86]) + moved * frame,
            keypoints + np.float32(moved * frame), np.ones(16, bool), "human36m", subject="S1", action="Walking",
        )
        for frame in range(count)
    ]  # fmt: skip
