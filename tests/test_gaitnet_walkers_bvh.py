"""Recorded motion: a small BVH worked out by hand, real clips there and back, and files that are none."""

import contextlib
import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.walkers.body import POINTS, RADII, common_body
from gaitnet.walkers.bvh import Motion, align_heading, heading_of, joint_positions, read_bvh, resample
from gaitnet.walkers.retarget import body_of, retarget

AT = {name: index for index, name in enumerate(POINTS)}

ARM = """HIERARCHY
ROOT Base
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Elbow
  {
    OFFSET 2 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 1 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.025
10 0 0 0 0 0 0 0 0
0 0 0 90 0 0 0 90 0
0 0 0 90 90 0 0 0 0
"""


def test_positions_worked_out_by_hand(tmp_path):
    path = tmp_path / "arm.bvh"
    path.write_text(ARM.replace("\n", "\r\n"))
    joints, rate = joint_positions(path)
    assert rate == pytest.approx(40.0)
    np.testing.assert_allclose(joints["Base"], [[11, 2, 3], [1, 2, 3], [1, 2, 3]])
    # Frame 2: a quarter turn about z carries x to y. Frame 3: Z then Y, so y is turned first: x goes to -z and stays.
    np.testing.assert_allclose(joints["Elbow"], [[13, 2, 3], [1, 4, 3], [1, 2, 1]], atol=1e-12)
    # Frame 2: the elbow's own quarter turn about x carries y to z, which the turn about z leaves alone.
    # Frame 3: y goes, through Y, nowhere, and through Z to -x.
    np.testing.assert_allclose(joints["Elbow end"], [[13, 3, 3], [1, 4, 4], [0, 2, 1]], atol=1e-12)


TREE = ("Hips", (0, 0, 0), [
    ("LeftHip", (1.6, -1.8, 0),
     [("LeftKnee", (0, -7, 0), [("LeftAnkle", (0, -7, 0), [("LeftToe", (0, -0.6, 2), [])])])]),
    ("RightHip", (-1.6, -1.8, 0),
     [("RightKnee", (0, -7, 0), [("RightAnkle", (0, -7, 0), [("RightToe", (0, -0.6, 2), [])])])]),
    ("Chest", (0, 2, 0), [("Chest2", (0, 2, 0), [
        ("Neck", (0, 1.5, 0), [("Head", (0, 1.5, 0), [])]),
        ("LeftShoulder", (3.5, 1, 0), [("LeftElbow", (0, -5, 0), [("LeftWrist", (0, -3.5, 0), [])])]),
        ("RightShoulder", (-3.5, 1, 0), [("RightElbow", (0, -5, 0), [("RightWrist", (0, -3.5, 0), [])])]),
    ])]),
])  # fmt: skip


def skeleton(tree, kind="ROOT") -> str:
    name, offset, children = tree
    channels = "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation" if kind == "ROOT" else "0"
    inner = "".join(skeleton(child, "JOINT") for child in children) or "End Site\n{\nOFFSET 0 0 1\n}\n"
    return f"{kind} {name}\n{{\nOFFSET {offset[0]} {offset[1]} {offset[2]}\nCHANNELS {channels}\n{inner}}}\n"


def write_doll(path: Path, frames) -> Path:
    rows = "".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in frames)
    path.write_text(f"HIERARCHY\n{skeleton(TREE)}MOTION\nFrames: {len(frames)}\nFrame Time: 0.0083333\n{rows}")
    return path


def test_a_standing_doll_in_our_frame(tmp_path):
    """A doll that stands and looks along the file's z: our +x, with its left to our +y."""
    motion = read_bvh(write_doll(tmp_path / "doll.bvh", [[0, 17, 0, 0, 0, 0]] * 5), unit=0.05)
    assert motion.points.shape == (5, 23, 3)
    assert motion.frame_rate == pytest.approx(120.0, rel=1e-4)
    still = motion.points[0] - motion.points[0, AT["pelvis"]]
    np.testing.assert_allclose(still[AT["l_hip"]], [0, 0.08, 0], atol=1e-6)
    np.testing.assert_allclose(still[AT["r_knee"]], [0, -0.08, -0.35], atol=1e-6)
    np.testing.assert_allclose(still[AT["r_ankle"]], [0, -0.08, -0.70], atol=1e-6)
    # Shoulders: (1.8 + 2 + 2 + 1) units over the hips and the thorax bone, three quarters of 2 units.
    np.testing.assert_allclose(still[AT["l_shoulder"]], [0, 0.175, 0.05 * (6.8 + 1.5)], atol=1e-6)
    np.testing.assert_allclose(still[AT["r_wrist"]], [0, -0.175, 0.05 * (8.3 - 8.5)], atol=1e-6)
    assert still[AT["r_toe"], 0] == pytest.approx(0.11, abs=1e-4)
    assert still[AT["r_heel"], 0] == pytest.approx(-0.04, abs=1e-4)
    assert still[AT["r_heel"], 2] == pytest.approx(-0.73, abs=1e-4)
    assert still[AT["nose"], 0] > 0.05
    assert still[AT["head_top"], 2] > still[AT["nose"], 2] > still[AT["upper_neck"], 2]
    np.testing.assert_allclose(motion.heading, 0, atol=1e-6)
    np.testing.assert_allclose(motion.points[:, [AT["r_toe"], AT["l_toe"]], 2], 0.036, atol=1e-5)


def test_heading_turns_with_the_doll_and_is_taken_out(tmp_path):
    turns = np.linspace(0, 270, 200)
    path = 40 * np.radians(turns)
    forward = np.cumsum(
        np.stack([np.sin(np.radians(turns)), np.cos(np.radians(turns))], 1) * np.gradient(path)[:, None], 0
    )
    frames = [[x, 17, z, 0, turn, 0] for (x, z), turn in zip(forward, turns, strict=True)]
    motion = read_bvh(write_doll(tmp_path / "turn.bvh", frames), unit=0.05)
    np.testing.assert_allclose(motion.heading[60:-60], np.radians(turns[60:-60]), atol=0.02)
    straight = align_heading(motion.points, motion.frame_rate)
    np.testing.assert_allclose(heading_of(straight, motion.frame_rate), 0, atol=0.02)
    pelvis = straight[:, AT["pelvis"]]
    assert pelvis[-1, 0] == pytest.approx(0.05 * path[-1], rel=0.02)
    assert np.abs(pelvis[:, 1]).max() < 0.15


def test_a_t_pose_is_left_out(tmp_path):
    frames = [[0, 0, 0, 0, 0, 0]] + [[0, 17, 5, 0, 0, 0]] * 4
    assert len(read_bvh(write_doll(tmp_path / "t.bvh", frames)).points) == 4


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("empty", lambda text: ""),
        ("not BVH", lambda text: "hello there"),
        ("no motion", lambda text: text.split("MOTION")[0]),
        ("cut short", lambda text: text[:-60]),
        ("word among numbers", lambda text: text.replace("90 0 0 0 0\n", "90 0 0 zero 0\n")),
        ("not finite", lambda text: text.replace("10 0 0 0", "nan 0 0 0")),
        ("unknown channel", lambda text: text.replace("Xposition", "Wposition")),
        ("bad offset", lambda text: text.replace("OFFSET 2 0 0", "OFFSET 2 0")),
        ("bracket missing", lambda text: text.replace("}\nMOTION", "MOTION")),
        ("no frames", lambda text: text.replace("Frames: 3", "Frames: 0")),
        ("negative frames", lambda text: text.replace("Frames: 3", "Frames: -3")),
        ("no frame time", lambda text: text.replace("Frame Time: 0.025", "Frame Time: 0")),
    ],
)
def test_malformed_files_are_refused_with_one_sentence(tmp_path, name, damage):
    path = tmp_path / "bad.bvh"
    path.write_text(damage(ARM))
    with pytest.raises(ValueError, match=r"path: expected .* got .*; ") as error:
        joint_positions(path)
    assert "\n" not in str(error.value), name


def test_other_bad_paths(tmp_path):
    with pytest.raises(ValueError, match="cannot read"):
        read_bvh(tmp_path / "missing.bvh")
    with pytest.raises(ValueError, match="cannot read"):
        read_bvh(tmp_path)
    (tmp_path / "bytes.bvh").write_bytes(b"HIERARCHY \xff\xfe")
    with pytest.raises(ValueError, match="expected text"):
        read_bvh(tmp_path / "bytes.bvh")
    (tmp_path / "arm.bvh").write_text(ARM)
    with pytest.raises(ValueError, match="RightAnkle"):
        read_bvh(tmp_path / "arm.bvh")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_crash_the_reader(tmp_path_factory, junk, at):
    path = tmp_path_factory.mktemp("junk") / "junk.bvh"
    text = ARM.encode()
    path.write_bytes(text[:at] + junk + text[at:])
    with contextlib.suppress(ValueError):  # anything else is a crash
        joint_positions(path)


def test_resample_keeps_time():
    times = np.arange(241) / 120
    points = np.zeros((241, 23, 3), np.float32)
    points[:, :, 0] = (1.3 * times)[:, None]
    points[:, :, 2] = 1 + 0.02 * np.sin(2 * np.pi * 1.8 * times)[:, None]
    slow = resample(Motion(points, np.zeros(241, np.float32), 120.0), 30.0)
    assert slow.frame_rate == 30.0
    assert slow.points.shape == (61, 23, 3)
    new = np.arange(61) / 30
    np.testing.assert_allclose(slow.points[5:-5, 0, 0], 1.3 * new[5:-5], atol=1e-3)
    np.testing.assert_allclose(slow.points[5:-5, 0, 2], 1 + 0.02 * np.sin(2 * np.pi * 1.8 * new)[5:-5], atol=1e-3)
    with pytest.raises(ValueError, match="rate"):
        resample(slow, 0.0)


@functools.cache
def clip(path: Path) -> Motion:
    return read_bvh(path)


STRAIGHT = ("02_01", "07_03", "10_04", "16_31", "39_02", "49_01")


@pytest.mark.parametrize("name", STRAIGHT)
def test_real_clips_walk_upright_along_x(data_root, name):
    motion = clip(data_root / "cmu_walk" / f"{name}.bvh")
    points = align_heading(motion.points, motion.frame_rate)
    seconds = (len(points) - 1) / motion.frame_rate
    assert motion.frame_rate == pytest.approx(120.0, rel=1e-3)
    speed = (points[-1, AT["pelvis"], 0] - points[0, AT["pelvis"], 0]) / seconds
    assert 0.7 < speed < 1.8
    body = body_of(points)
    assert 1.5 < float(body.stature) < 1.95
    assert float(body.radii.min()) > 0.01
    assert np.all(points[:, AT["nose"], 0] > points[:, AT["upper_neck"], 0])
    assert np.all(points[:, AT["l_shoulder"], 1] > points[:, AT["r_shoulder"], 1])


@pytest.mark.parametrize("name", STRAIGHT)
@pytest.mark.parametrize("own", [True, False])
def test_retargeting_keeps_bones_feet_and_directions(data_root, name, own):
    motion = clip(data_root / "cmu_walk" / f"{name}.bvh")
    points = align_heading(motion.points, motion.frame_rate)
    body = body_of(points) if own else common_body()
    walked = retarget(points, body, motion.frame_rate).astype(float)
    for start, end, segment in [("hip", "knee", "thigh"), ("knee", "ankle", "shank"), ("elbow", "wrist", "forearm")]:
        for side in "rl":
            length = np.linalg.norm(walked[:, AT[f"{side}_{start}"]] - walked[:, AT[f"{side}_{end}"]], axis=1)
            np.testing.assert_allclose(length, float(getattr(body, segment)), atol=1e-3)
    radius = float(body.radii[RADII.index("foot")])
    ends = [AT[f"{side}_{end}"] for side in "rl" for end in ("heel", "toe")]
    assert walked[:, ends, 2].min() > radius - 1e-3
    # Toes that are down for a tenth of a second and more stay where they are.
    windows = 0
    for side in "rl":
        toe, heel = walked[:, AT[f"{side}_toe"]], walked[:, AT[f"{side}_heel"]]
        down = (toe[:, 2] < radius + 0.004) & (heel[:, 2] < radius + 0.02)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], down.astype(int), [0]]))).reshape(-1, 2)
        for start, stop in edges:
            if stop - start > 24:
                assert np.ptp(toe[start + 6 : stop - 6, :2], axis=0).max() < 0.02
                windows += 1
    assert windows > 0
    if own:
        moved = walked - points
        moved -= moved.mean((0, 1))
        assert np.median(np.linalg.norm(moved, axis=-1)) < 0.04


@settings(max_examples=8, deadline=None)
@given(angle=st.floats(-3.0, 3.0))
def test_alignment_forgets_where_the_walk_went(angle):
    times = np.arange(120) / 120
    points = np.zeros((120, 23, 3), np.float32)
    points[:, :, 0] = (1.2 * times)[:, None]
    points[:, AT["l_hip"], 1], points[:, AT["r_hip"], 1] = 0.08, -0.08
    points[:, AT["l_shoulder"], 1], points[:, AT["r_shoulder"], 1] = 0.17, -0.17
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points.copy()
    turned[..., :2] = points[..., :2] @ turn.T
    np.testing.assert_allclose(align_heading(turned), points, atol=1e-4)
