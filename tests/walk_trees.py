"""Small data sets of walks in their published layouts, and the damage that tests do to them."""

import cv2
import numpy as np
import scipy.io


def mask(place=0, size=(60, 44)):
    """Somebody of 40 rows, whose leg goes to and fro."""
    picture = np.zeros(size, np.uint8)
    picture[10:50, 18:26] = 255
    picture[35:50, 10 + place % 12 : 14 + place % 12] = 255
    return picture


def pictures(folder, names, colour=False):
    """Pictures of these names, masks or in colour; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        picture = mask(place)
        if colour:
            picture = np.stack([picture // 2 + 60, picture // 3 + 40, 200 - picture // 2], -1).astype(np.uint8)
        assert cv2.imwrite(str(folder / name), picture)
    return folder


def casia_a(root, people=("fyc", "hy"), frames=4, colour=False):
    for person in people:
        for direction in ("00", "45", "90"):
            for number in (1, 2, 3, 4):
                walk = f"{direction}_{number}"
                names = [f"{person}-{walk}-{frame:03d}.png" for frame in range(1, frames + 1)]
                pictures(root / person / walk, names, colour)
    return root


def usf(root, people=(1, 1, 2, 0, 3), session="USF17Gal.mat", **changed):
    """A file as Lu et al. published it; sample n is of `people[n]`, who stands n + 4 columns wide."""
    samples = np.ones((32, 22, 10, len(people)), np.uint8)
    for number in range(len(people)):
        samples[4:30, 5 : 9 + number, :, number] = 0
    root.mkdir(parents=True, exist_ok=True)
    content = {"fea3D": samples, "gnd": np.array(people, np.uint8)[:, None]}
    scipy.io.savemat(root / session, content | changed)
    return root


def usf_people(root, session, people, samples, seed=0):
    """As `usf`, of people of their own build: shoulders and legs of each at widths of their own, a little frayed."""
    drawn = np.ones((32, 22, 10, len(people) * samples), np.uint8)
    rng = np.random.default_rng(seed)
    for number in range(drawn.shape[3]):
        own = np.random.default_rng(people[number // samples])
        broad, narrow, waist = own.integers(2, 9), own.integers(1, 7), own.integers(10, 22)
        drawn[:waist, 11 - broad : 11 + broad, :, number] = 0
        for time in range(10):
            drawn[waist:, 11 - narrow - time // 4 : 11 + narrow, time, number] = 0
        drawn[..., number] ^= (rng.random((32, 22, 10)) < 0.02).astype(np.uint8)
    return usf(root, [person for person in people for _ in range(samples)], session, fea3D=drawn)


KINECT = (
    "Head", "Shoulder-Center", "Shoulder-Right", "Shoulder-Left", "Elbow-Right", "Elbow-Left", "Wrist-Right",
    "Wrist-Left", "Hand-Right", "Hand-Left", "Spine", "Hip-centro", "Hip-Right", "Hip-Left", "Knee-Right", "Knee-Left",
    "Ankle-Right", "Ankle-Left", "Foot-Right", "Foot-Left",
)  # fmt: skip


def kinect(path, frames=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{name};{place / 100};{1 - place / 20};{2 + t / 10}"
        for t in range(frames)
        for place, name in enumerate(KINECT)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


HEADING = (
    "Foot Left X, Y, Z, Ankle Left X, Y, Z, Knee Left X, Y, Z, Hip Left X, Y, Z, Foot Right X, Y, Z, Ankle Right X, Y, "
    "Z, Knee Right X, Y, Z, Hip Right X, Y, Z,Spine Base X, Y, Z,Spine Mid X, Y, Z , Neck X, Y, Z, Head X, Y, Z , "
    "ShouldL X, Y, Z, ShouldR X, Y, Z,WristLeft X,Y,Z,WristRight X,Y,Z,ElbowLeft X,Y,Z,ElbowRight X,Y,Z,SholdD"
)


def ucalgary(root, person=1, run=1, kind="N", places=None):
    """A run of (time, 18, 3) as the sensor counts them, x, y, z."""
    if places is None:
        places = np.random.default_rng(run).uniform(0.5, 2, (5, 18, 3)).round(4)
    folder = root / f"sub{person}" / f"Run{run}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"subject{person}_Seq_{run}_Gen_F_GeometricPositions_{kind}.csv"
    rows = [",".join(map(str, [*frame.ravel().tolist(), 0.5])) for frame in places]
    path.write_text("\n".join([HEADING, *rows]) + "\n")
    return path


def opengait(path, array):
    """A pickle as OpenGait writes one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.asarray(array).dumps())
    return path
