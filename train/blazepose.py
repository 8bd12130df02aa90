"""What MediaPipe's BlazePose says of LSPET's training photographs: a second opinion for the pose task.

MediaPipe 0.10.21 pins versions that the project cannot live with, so this file runs alone, in an environment of its
own, and imports nothing of the project:

    python3 -m venv runs/blazepose
    runs/blazepose/bin/pip install mediapipe==0.10.21
    runs/blazepose/bin/pip install ai-edge-litert==2.3.0 opencv-python-headless scipy
    runs/blazepose/bin/python train/blazepose.py "$GAITNET_DATA/lspet" runs/lspet-blazepose.npz

MediaPipe finds people itself, and misses half of the gymnasts. Here its landmark network alone (the full one, which the
wheel brings) is given the person's square, upright along the annotated trunk and then along its own estimate of it, as
MediaPipe follows somebody through a video; and once more mirrored, which tells what it is sure of.
"""

import argparse
import importlib.util
import os
import time
from pathlib import Path

import cv2
import numpy as np
import scipy.io

TRAINED = 3600
"""Photographs 1..3600 are learned from; the others are measured on, and are not looked at here."""
SIDE = 256
REACHES = (2.4, 3.0)
"""Sides of the square about the hips, in distances from there to the farthest annotated joint: both are tried."""
HIPS, SHOULDERS, NECK_AND_HEAD = [2, 3], [8, 9], [12, 13]
MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9] + [k + 1 if k % 2 else k - 1 for k in range(11, 33)]
"""BlazePose's landmarks with left and right exchanged."""


class Landmarks:
    """The landmark network of the installed MediaPipe."""

    def __init__(self):
        found = importlib.util.find_spec("mediapipe")
        missing = [name for name in ("mediapipe", "ai_edge_litert") if importlib.util.find_spec(name) is None]
        if missing or found is None or found.origin is None:
            raise SystemExit(
                f"not installed here: {' and '.join(missing or ['mediapipe'])}; see the first lines of this file"
            )
        from ai_edge_litert.interpreter import Interpreter

        model = Path(found.origin).parent / "modules" / "pose_landmark" / "pose_landmark_full.tflite"
        self._network = Interpreter(str(model))
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._points, self._presence = (row["index"] for row in self._network.get_output_details()[:2])

    def __call__(self, crop):
        """RGB crop (256, 256, 3) -> (landmark, xyv) of 39 in crop pixels and from 0 to 1, and whether it is anybody."""
        self._network.set_tensor(self._input, crop[None].astype(np.float32) / 255)
        self._network.invoke()
        rows = self._network.get_tensor(self._points).reshape(39, 5)
        sure = 1 / (1 + np.exp(-np.clip(rows[:, 3], -30, 30)))
        return np.column_stack([rows[:, :2], sure]), float(self._network.get_tensor(self._presence).ravel()[0])


def square(centre, up, side):
    """The affine (2, 3), crop pixels -> image pixels, of a square about `centre` whose upper edge lies towards `up`."""
    up = up / max(np.linalg.norm(up), 1e-6)
    linear = np.column_stack([[-up[1], up[0]], -up]) * (side / SIDE)
    return np.column_stack([linear, centre - linear @ np.full(2, (SIDE - 1) / 2)])


def look(network, image, affine, mirrored=False):
    """Landmarks (39, xyv) in image pixels, and whether it is anybody."""
    crop = cv2.warpAffine(image, affine, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    found, presence = network(np.ascontiguousarray(crop[:, ::-1]) if mirrored else crop)
    if mirrored:
        found[:, 0] = SIDE - 1 - found[:, 0]
        found[:33] = found[:33][MIRROR]
    return np.column_stack([found[:, :2] @ affine[:, :2].T + affine[:, 2], found[:, 2]]), presence


def describe(network, image, joints):
    """A photograph and its annotated joints (14, xyv) -> (plain and mirrored, landmark, xyv), and the presence."""
    seen = joints[:, 2] > 0.5
    at = lambda rows: joints[[row for row in rows if seen[row]], :2]  # noqa: E731
    centre = (at(HIPS) if len(at(HIPS)) else joints[seen, :2]).mean(0)
    top = next((at(rows).mean(0) for rows in (SHOULDERS, NECK_AND_HEAD) if len(at(rows))), centre - [0, 10])
    reach = np.linalg.norm(joints[seen, :2] - centre, axis=1).max()
    affines = [square(centre, top - centre, max(reach * sides, 40)) for sides in REACHES]
    looks = [look(network, image, affine) for affine in affines]
    hips, rim = looks[-1][0][33:35, :2]
    radius = np.linalg.norm(rim - hips)
    if 0.3 * reach < radius < 3 * reach and np.linalg.norm(hips - centre) < reach:
        affines.append(square(hips, rim - hips, 2.5 * radius))
        looks.append(look(network, image, affines[-1]))
    best = int(np.argmax([presence for _, presence in looks]))
    mirrored, presence = look(network, image, affines[best], mirrored=True)
    return np.stack([looks[best][0][:33], mirrored[:33]]), min(looks[best][1], presence)


def main():
    """Writes `landmarks` (image, 2, 33, xyv), image pixels, and `presence` (image,); zeros where nobody was marked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lspet", type=Path, help="folder with joints.mat and images/")
    parser.add_argument("to", type=Path, help="file to write, .npz")
    options = parser.parse_args()
    joints = scipy.io.loadmat(str(options.lspet / "joints.mat"))["joints"].transpose(2, 0, 1)[:TRAINED]
    landmarks = np.zeros((len(joints), 2, 33, 3), np.float32)
    presence = np.zeros(len(joints), np.float32)
    network, clock = Landmarks(), time.monotonic()
    for row, annotated in enumerate(joints):
        if (annotated[:, 2] > 0.5).sum() >= 4:
            image = cv2.imread(str(options.lspet / "images" / f"im{row + 1:05d}.jpg"), cv2.IMREAD_COLOR_RGB)
            if image is None:
                raise SystemExit(f"im{row + 1:05d}.jpg cannot be read: fetch the data set again")
            landmarks[row], presence[row] = describe(network, image, annotated)
        if row % 50 == 49:
            print(f"\r{row + 1} of {len(joints)}, {time.monotonic() - clock:.0f} s", end="", flush=True)
    options.to.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.to.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, landmarks=landmarks, presence=presence)
    os.replace(temporary, options.to)
    print(f"\n{options.to}")


if __name__ == "__main__":
    main()
