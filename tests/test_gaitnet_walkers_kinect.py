"""Kinect text files: a walker written as the sensor sees him and read back, real walks, and files that are none."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.walkers.body import POINTS
from gaitnet.walkers.kinect import JOINTS, read_joints, read_kinect
from gaitnet.walkers.retarget import body_of

AT = {name: index for index, name in enumerate(POINTS)}
RATE = 30.0


def doll(seconds: float = 4.0, speed: float = 1.2, side: int = 1) -> dict[str, np.ndarray]:
    """A man 1.75 m tall who walks past the sensor: name -> (time, xyz) in its axes, x to its left, y up, z away.

    `side` 1: to the sensor's left, so that it sees his left side; -1: to its right.
    """
    times = np.arange(int(seconds * RATE)) / RATE
    joints: dict[str, np.ndarray] = {}

    def put(name: str, ahead, left, up):
        # to the sensor's left: ahead is +x, and his left is towards the sensor, -z
        joints[name] = np.stack(np.broadcast_arrays(side * ahead, np.asarray(up) - 0.9, 2.5 - side * left), -1)

    way = speed * times
    for name, up in (("Hip-centro", 1.0), ("Spine", 1.1), ("Shoulder-Center", 1.48), ("Head", 1.64)):
        put(name, way, 0 * times, up)
    for mark, left, late in (("Left", 1, 0.0), ("Right", -1, 0.5)):
        phase = (times / 1.1 + late) % 1
        stance = phase < 0.6
        # on the floor the foot goes back as fast as the hips go ahead; then it swings forward
        back = speed * 1.1 * 0.3
        ankle = np.where(stance, back * (1 - phase / 0.3), back * (2 * (phase - 0.6) / 0.4 - 1))
        lift = np.where(stance, 0.0, 0.1 * np.sin(np.pi * (phase - 0.6) / 0.4))
        put(f"Hip-{mark}", way, 0.06 * left, 0.93)
        put(f"Knee-{mark}", way + ankle / 2 + 0.05, 0.08 * left, 0.5 + lift / 2)
        put(f"Ankle-{mark}", way + ankle, 0.08 * left, 0.07 + lift)
        put(f"Foot-{mark}", way + ankle + 0.1, 0.08 * left, 0.03 + lift)
        put(f"Shoulder-{mark}", way, 0.17 * left, 1.42)
        put(f"Elbow-{mark}", way - ankle / 3, 0.22 * left, 1.13)
        put(f"Wrist-{mark}", way - ankle / 2 + 0.05, 0.22 * left, 0.9)
        put(f"Hand-{mark}", way - ankle / 2 + 0.08, 0.22 * left, 0.83)
    return joints


def write(path: Path, joints: dict[str, np.ndarray]) -> Path:
    count = len(joints["Head"])
    rows = [f"{name};{x:.5f};{y:.5f};{z:.5f}" for t in range(count) for name, (x, y, z) in
            ((name, place[t]) for name, place in joints.items())]  # fmt: skip
    path.write_text("\n".join(rows) + "\n")
    return path


def test_axes_and_names(tmp_path):
    joints = doll(1.0)
    read = read_joints(write(tmp_path / "1.txt", joints))
    assert set(read) == set(JOINTS)
    assert len(JOINTS) == 20
    x, y, z = joints["Knee-Left"].T
    np.testing.assert_allclose(read["kneeleft"], np.stack([z, x, y], 1), atol=1e-5)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("panned", [False, True])
def test_a_walker_before_a_sensor_that_stands_or_follows(tmp_path, side, panned):
    """Seen from either side he walks along +x, not mirrored, on feet that stand, even where no way is in the file."""
    joints = doll(side=side)
    if panned:
        # it turns with him, so that he stays before it; and takes shoulders and hips to face it
        hips = joints["Hip-centro"].copy()
        joints = {name: place - (hips - hips[:1]) * np.array([1.0, 0.0, 0.0]) for name, place in joints.items()}
        turn = np.radians(40.0)
        for joint, half in (("Shoulder", 0.17), ("Hip", 0.06)):
            for mark, sign in (("Left", 1), ("Right", -1)):
                joints[f"{joint}-{mark}"][:, 0] += sign * half * np.sin(turn)
    motion = read_kinect(write(tmp_path / "1.txt", joints))
    points = motion.points.astype(float)
    assert motion.frame_rate == RATE
    assert len(points) > 2 * RATE
    np.testing.assert_allclose(motion.heading, 0, atol=0.1)
    seconds = (len(points) - 1) / RATE
    assert points[-1, AT["pelvis"], 0] / seconds == pytest.approx(1.2, rel=0.12)
    assert np.all(points[:, AT["nose"], 0] > points[:, AT["upper_neck"], 0])
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "toe"):
        assert np.all(points[:, AT[f"l_{joint}"], 1] > points[:, AT[f"r_{joint}"], 1])
        assert np.all(points[:, AT["head_top"], 2] > points[:, AT[f"l_{joint}"], 2])
    for foot in "rl":
        assert np.all(points[:, AT[f"{foot}_toe"], 0] > points[:, AT[f"{foot}_heel"], 0])
        toe = points[:, AT[f"{foot}_toe"]]
        speed = np.linalg.norm(np.gradient(toe, axis=0), axis=1) * RATE
        down = toe[:, 2] < 0.042
        assert down.mean() > 0.4
        assert np.median(speed[down]) < 0.12
    # Each leg is as far ahead when it was: left and right are not exchanged. Left feet begin to stand at whole cycles.
    apart = points[:, AT["l_ankle"], 0] - points[:, AT["r_ankle"], 0]
    known = side * (joints["Ankle-Left"][:, 0] - joints["Ankle-Right"][:, 0])
    first = int(
        np.argmin([np.abs(known[k : k + len(apart)] - apart).mean() for k in range(len(known) - len(apart) + 1)])
    )
    np.testing.assert_allclose(apart[3:-3], known[first : first + len(apart)][3:-3], atol=0.08)
    assert float(body_of(points).stature) == pytest.approx(1.75, abs=0.1)


def test_a_jump_of_one_frame_is_taken_out(tmp_path):
    joints = doll()
    still = read_kinect(write(tmp_path / "1.txt", joints)).points
    joints["Knee-Right"][60] += 0.8
    joints["Head"][61:63, 1] -= 0.5
    jumped = read_kinect(write(tmp_path / "2.txt", joints)).points
    assert jumped.shape == still.shape
    np.testing.assert_allclose(jumped, still, atol=0.03)


def test_who_stands_or_turns_is_left_out(tmp_path):
    standing = {name: np.repeat(place[:1], 90, 0) for name, place in doll().items()}
    with pytest.raises(ValueError, match=r"walk of 1\.5 seconds"):
        read_kinect(write(tmp_path / "1.txt", standing))
    there, back = doll(4.0), doll(3.0, side=-1)
    both = {name: np.concatenate([standing[name], there[name], back[name]]) for name in there}
    motion = read_kinect(write(tmp_path / "2.txt", both))
    seconds = len(motion.points) / RATE
    assert 3.0 < seconds < 5.0  # of 4 seconds there, and 10 in all
    np.testing.assert_allclose(motion.heading, 0, atol=0.15)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("empty", lambda text: ""),
        ("not Kinect", lambda text: "hello there\n" * 40),
        ("cut short", lambda text: text[: len(text) // 2]),
        ("word among numbers", lambda text: text.replace("Head;", "Head;zero", 1)),
        ("too few numbers", lambda text: text.replace("Head;", "Head", 1)),
        ("not finite", lambda text: text.replace(text[: text.index("\n")], "Hip-centro;nan;0;0", 1)),
        ("far away", lambda text: text.replace(text[: text.index("\n")], "Hip-centro;0;1e30;0", 1)),
        ("unknown joint", lambda text: text.replace("Head", "Tail", 1)),
        ("joint twice", lambda text: text.replace("Head", "Spine", 1)),
        ("too short", lambda text: "\n".join(text.splitlines()[:20])),
    ],
)
def test_malformed_files_are_refused_with_one_sentence(tmp_path, name, damage):
    path = write(tmp_path / "1.txt", doll(1.0))
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=r"path: expected .* got .*; ") as error:
        read_kinect(path)
    assert "\n" not in str(error.value), name
    with pytest.raises(ValueError, match="cannot read"):
        read_kinect(tmp_path / "missing.txt")


@settings(max_examples=30, deadline=None)
@given(junk=st.binary(max_size=200), at=st.integers(0, 1500))
def test_no_bytes_crash_the_reader(tmp_path_factory, junk, at):
    path = write(tmp_path_factory.mktemp("junk") / "1.txt", doll(0.1))
    text = path.read_bytes()
    path.write_bytes(text[:at] + junk + text[at:])
    with contextlib.suppress(ValueError):
        read_joints(path)
        return
    with pytest.raises(ValueError, match=r"^path: expected"):
        read_joints(path)


@pytest.mark.parametrize("name", ["Person002/3", "Person003/1", "Person005/1", "Person006/5"])
def test_real_walks_go_upright_along_x(data_root, name):
    """Person005/1 has frames in which both hips are one point."""
    motion = read_kinect(data_root / "kinect_gait" / f"{name}.txt")
    points = motion.points
    seconds = len(points) / motion.frame_rate
    assert 4 < seconds < 12
    assert 0.6 < points[-1, AT["pelvis"], 0] / seconds < 1.6
    assert np.isfinite(points).all()
    body = body_of(points)
    assert 1.5 < float(body.stature) < 2.1
    assert np.all(points[:, AT["nose"], 0] > points[:, AT["upper_neck"], 0])
    assert np.all(points[:, AT["l_shoulder"], 1] > points[:, AT["r_shoulder"], 1])
    # Knees bend forward: they are before the line from hip to ankle wherever the leg is bent.
    for side in "rl":
        hip, knee, ankle = (points[:, AT[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle"))
        assert np.mean((knee - (hip + ankle) / 2)[:, 0]) > 0.01
