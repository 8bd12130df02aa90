"""ASF/AMC: a small leg worked out by hand, the same motion written as BVH too, and files that are none."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.walkers.asf import bone_ends, read_amc, skeleton_beside
from gaitnet.walkers.body import POINTS
from gaitnet.walkers.bvh import joint_positions

AT = {name: index for index, name in enumerate(POINTS)}

HEAD = """# a comment
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   anything at all
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 1 0
   orientation 0 0 0
:bonedata
"""
LEG = (
    HEAD
    + """  begin
     id 1
     name hip
     direction 1 0 0
     length 2
     axis 0 0 0  XYZ
  end
  begin
     id 2
     name femur
     direction 0 -1 0
     length 7
     axis 0 0 90  XYZ
    dof rx ry
    limits (-160.0 20.0)
           (-70.0 70.0)
  end
  begin
     id 3
     name foot
     direction 0 0 1
     length 3
     axis 90 0 90 XYZ
    dof rz
    limits (-45.0 90.0)
  end
:hierarchy
  begin
    root hip
    hip femur
    femur foot
  end
"""
)
MOVED = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 10 0 0 0 0 0
femur 0 0
foot 0
2
root 0 0 0 0 0 90
femur 0 0
foot 0
3
root 0 0 0 90 90 0
femur 0 0
foot 0
4
root 0 0 0 0 0 0
femur 90 90
foot 0
5
root 0 0 0 0 0 0
femur 0 0
foot 90
"""


def written(folder, asf=LEG, amc=MOVED):
    (folder / "leg.asf").write_text(asf)
    (folder / "leg_01.amc").write_text(amc)
    return folder / "leg_01.amc", folder / "leg.asf"


def test_ends_worked_out_by_hand(tmp_path):
    ends, length = bone_ends(*written(tmp_path, LEG.replace("\n", "\r\n")))
    assert length == 0.45
    np.testing.assert_allclose(ends["root"], [[10, 1, 0], *[[0, 1, 0]] * 4], atol=1e-12)
    # Frame 2: a quarter turn about z carries x to y and -y to x. Frame 3: X first, then Y: x stays, then goes to -z.
    np.testing.assert_allclose(ends["hip"], [[12, 1, 0], [0, 3, 0], [0, 1, -2], [2, 1, 0], [2, 1, 0]], atol=1e-12)
    # The femur's own axes stand a quarter turn about z: its x is the world's y, its y the world's -x. Frame 4: 90 about
    # the world's y leaves -y; then 90 about -x carries -y to z. Frame 3: X carries -y to -z, then Y carries that to -x.
    np.testing.assert_allclose(
        ends["femur"] - ends["hip"], [[0, -7, 0], [7, 0, 0], [-7, 0, 0], [0, 0, 7], [0, -7, 0]], atol=1e-12
    )
    # The foot's own axes: x turned first, then z: its z is where X takes z (to -y) and Z takes that: the world's x.
    # Frame 5: 90 about x carries z to -y. Frame 4: the femur's turns: Y carries z to x, then -x leaves that.
    np.testing.assert_allclose(
        ends["foot"] - ends["femur"], [[0, 0, 3], [0, 0, 3], [0, -3, 0], [3, 0, 0], [0, -3, 0]], atol=1e-12
    )


def test_orientation_and_radians(tmp_path):
    turned = LEG.replace("orientation 0 0 0", "orientation 0 0 90")
    ends, _ = bone_ends(*written(tmp_path, turned))
    np.testing.assert_allclose(ends["hip"][0], [10, 3, 0], atol=1e-12)
    quarter = str(np.pi / 2)
    radians = LEG.replace("angle deg", "angle rad").replace(" 90", f" {quarter}")
    plain, _ = bone_ends(*written(tmp_path))
    for amc in (MOVED.replace("DEGREES", "RADIANS").replace(" 90", f" {quarter}"), MOVED):
        ends, _ = bone_ends(*written(tmp_path, radians, amc))
        for name, place in plain.items():
            np.testing.assert_allclose(ends[name], place, atol=1e-9)


def rotation(angles):
    """Rz Ry Rx of degrees about x, y, z: written out, and not as the reader does it."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(np.radians(angles)), np.cos(np.radians(angles))
    return np.array([
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ])  # fmt: skip


def angles_of(matrix):
    return np.degrees([
        np.arctan2(matrix[2, 1], matrix[2, 2]), -np.arcsin(np.clip(matrix[2, 0], -1, 1)),
        np.arctan2(matrix[1, 0], matrix[0, 0]),
    ])  # fmt: skip


def spaced(values) -> str:
    return " ".join(f"{value:.9f}" for value in values)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), parents=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_the_same_motion_as_bvh(tmp_path_factory, seed, parents):
    """Any tree of bones with any axes: the BVH of the same rotations has its joints at the same places."""
    random = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("same")
    parent = [min(number, index) for index, number in enumerate(parents)]  # 0 is the root, bone i + 1 hangs on it
    count, frames = len(parent), 2
    offsets = random.normal(size=(count, 3))
    axes = random.uniform(-180, 180, (count, 3))
    turns = random.uniform(-80, 80, (frames, count + 1, 3))
    roots = random.normal(size=(frames, 3))

    bones = "".join(
        f"begin\nid {i}\nname b{i + 1}\ndirection {spaced(offset / np.linalg.norm(offset))}\n"
        f"length {np.linalg.norm(offset):.9f}\naxis {spaced(axis)} XYZ\ndof rx ry rz\nend\n"
        for i, (offset, axis) in enumerate(zip(offsets, axes, strict=True))
    )
    names = ["root", *(f"b{i + 1}" for i in range(count))]
    hierarchy = "".join(f"{names[on]} {names[i + 1]}\n" for i, on in enumerate(parent))
    asf = HEAD.replace("position 0 1 0", "position 0 0 0") + bones + ":hierarchy\nbegin\n" + hierarchy + "end\n"
    amc = ":FULLY-SPECIFIED\n:DEGREES\n"
    rows = []
    for frame in range(frames):
        amc += f"{frame + 1}\nroot {spaced(roots[frame])} {spaced(turns[frame, 0])}\n"
        row = [*roots[frame], *turns[frame, 0][::-1]]
        channels = {}
        for i in range(count):
            own = rotation(axes[i])
            amc += f"b{i + 1} {spaced(turns[frame, i + 1])}\n"
            channels[i + 1] = angles_of(own @ rotation(turns[frame, i + 1]) @ own.T)[::-1]
        rows.append((row, channels))

    order: list[int] = []

    def joint(number: int) -> str:
        order.append(number)
        end = np.zeros(3) if number == 0 else offsets[number - 1]
        inner = "".join(joint(i + 1) for i, on in enumerate(parent) if on == number)
        at = np.zeros(3) if number == 0 or parent[number - 1] == 0 else offsets[parent[number - 1] - 1]
        places = "6 Xposition Yposition Zposition" if number == 0 else "3"
        return (
            f"{'JOINT' if number else 'ROOT'} {names[number]}\n{{\nOFFSET {spaced(at)}\n"
            f"CHANNELS {places} Zrotation Yrotation Xrotation\n{inner}End Site\n{{\nOFFSET {spaced(end)}\n}}\n}}\n"
        )

    tree = joint(0)
    lines = [spaced([*row, *(value for number in order[1:] for value in channels[number])]) for row, channels in rows]
    bvh = folder / "same.bvh"
    bvh.write_text(f"HIERARCHY\n{tree}MOTION\nFrames: {frames}\nFrame Time: 0.01\n" + "\n".join(lines))
    expected, _ = joint_positions(bvh)
    ends, _ = bone_ends(*written(folder, asf, amc))
    assert set(ends) == set(names)
    for name in names:
        np.testing.assert_allclose(ends[name], expected[f"{name} end"], atol=1e-5)


# Somebody who stands with hanging arms: bone -> (where it begins, its vector), in inches x 0.45.
STANDING = {
    "lowerback": ("root", (0, 2, 0)), "upperback": ("lowerback", (0, 2, 0)), "thorax": ("upperback", (0, 2, 0)),
    "lowerneck": ("thorax", (0, 1.5, 0)), "upperneck": ("lowerneck", (0, 1.5, 0)), "head": ("upperneck", (0, 1.6, 0)),
    **{
        f"{side}{bone}": (f"{side}{start}" if start not in ("root", "thorax") else start, (sign * x, y, z))
        for side, sign in (("l", 1), ("r", -1))
        for bone, start, (x, y, z) in (
            ("hipjoint", "root", (1.6, -1.8, 0)), ("femur", "hipjoint", (0, -7, 0)), ("tibia", "femur", (0, -7, 0)),
            ("foot", "tibia", (0, -0.6, 2)), ("toes", "foot", (0, 0, 1)), ("clavicle", "thorax", (3.5, 1, 0)),
            ("humerus", "clavicle", (0, -5, 0)), ("radius", "humerus", (0, -3.5, 0)), ("wrist", "radius", (0, -1, 0)),
        )
    },
}  # fmt: skip


def write_doll(folder, frames, without=(), name="07_01", length=0.45):
    """A clip of the standing doll in CMU's layout; `frames` are the root's rows."""
    bones, hierarchy = "", ""
    for number, (bone, (start, vector)) in enumerate(STANDING.items(), 1):
        if bone in without:
            continue
        size = np.linalg.norm(vector)
        bones += f"begin\nid {number}\nname {bone}\ndirection {spaced(np.array(vector) / size)}\nlength {size:.9f}\n"
        bones += f"axis {7 * number} {-20 * number} 30 XYZ\n" + ("dof rx\nend\n" if bone == "ltibia" else "end\n")
        hierarchy += f"{start} {bone}\n"
    head = HEAD.replace("length 0.45", f"length {length}").replace("position 0 1 0", "position 0 0 0")
    (folder / f"{name.split('_')[0]}.asf").write_text(f"{head}{bones}:hierarchy\nbegin\n{hierarchy}end\n")
    rows = "".join(f"{number}\nroot {spaced(row)}\nltibia 0\n" for number, row in enumerate(frames, 1))
    path = folder / f"{name}.amc"
    path.write_text(f":FULLY-SPECIFIED\n:DEGREES\n{rows}")
    return path


def test_a_standing_doll_in_our_frame(tmp_path):
    """A doll that stands and looks along the file's z: our +x, with its left to our +y; metres."""
    motion = read_amc(write_doll(tmp_path, [[3, 17, 5, 0, 0, 0]] * 4))
    unit = 0.0254 / 0.45
    assert motion.points.shape == (4, 23, 3)
    assert motion.frame_rate == 120.0
    still = motion.points[0] - motion.points[0, AT["pelvis"]]
    np.testing.assert_allclose(still[AT["l_hip"]], [0, 1.6 * unit, 0], atol=1e-6)
    np.testing.assert_allclose(still[AT["r_ankle"]], [0, -1.6 * unit, -14 * unit], atol=1e-6)
    np.testing.assert_allclose(still[AT["l_shoulder"]], [0, 3.5 * unit, (1.8 + 6 + 1) * unit], atol=1e-6)
    np.testing.assert_allclose(still[AT["r_wrist"]], [0, -3.5 * unit, (8.8 - 8.5) * unit], atol=1e-6)
    assert still[AT["r_toe"], 0] == pytest.approx(2.2 * unit, abs=1e-4)
    assert still[AT["nose"], 0] > 0.05
    assert still[AT["head_top"], 2] > still[AT["nose"], 2] > still[AT["upper_neck"], 2] > still[AT["thorax"], 2]
    np.testing.assert_allclose(motion.points[:, [AT["r_toe"], AT["l_toe"]], 2], 0.036, atol=1e-5)
    turned = read_amc(write_doll(tmp_path, [[0, 17, 0, 0, 90, 0]] * 4))
    np.testing.assert_allclose(turned.heading, np.pi / 2, atol=1e-6)


def test_the_skeleton_is_found_beside(tmp_path):
    amc = tmp_path / "07_01.amc"
    with pytest.raises(ValueError, match=r"expected its skeleton 07\.asf beside it, found none"):
        skeleton_beside(amc)
    (tmp_path / "other.ASF").touch()
    assert skeleton_beside(amc).name == "other.ASF"
    (tmp_path / "second.asf").touch()
    with pytest.raises(ValueError, match="found 2 of other names"):
        skeleton_beside(amc)
    (tmp_path / "07.asf").touch()
    assert skeleton_beside(amc).name == "07.asf"
    (tmp_path / "07_01.asf").touch()
    assert skeleton_beside(amc).name == "07_01.asf"


@pytest.mark.parametrize(
    ("name", "asf", "amc"),
    [
        ("empty skeleton", lambda text: "", None),
        ("not ASF", lambda text: "hello there", None),
        ("cut short", lambda text: text[: text.index("name foot")], None),
        ("no end", lambda text: text.replace("  end\n:hierarchy", ":hierarchy"), None),
        ("no hierarchy", lambda text: text.split(":hierarchy")[0], None),
        ("word for a length", lambda text: text.replace("length 7", "length long"), None),
        ("length without a number", lambda text: text.replace("length 7", "length"), None),
        ("not finite", lambda text: text.replace("length 7", "length nan"), None),
        ("too large", lambda text: text.replace("length 7", "length 1e300"), None),
        ("negative length", lambda text: text.replace("length 7", "length -7"), None),
        ("no direction", lambda text: text.replace("direction 0 -1 0", "direction 0 0 0"), None),
        ("no units", lambda text: text.replace("length 0.45", "length 0"), None),
        ("unknown angle", lambda text: text.replace("angle deg", "angle grad"), None),
        ("axis cut", lambda text: text.replace("axis 0 0 90  XYZ", "axis 0 90 XYZ"), None),
        ("axis without order", lambda text: text.replace("axis 0 0 90  XYZ", "axis 0 0 90"), None),
        ("axis empty of sense", lambda text: text.replace("axis 0 0 90  XYZ", "axis 0 0 90 XYX"), None),
        ("root that cannot turn", lambda text: text.replace("TX TY TZ RX RY RZ", "TX TY TZ"), None),
        ("bone that slides", lambda text: text.replace("dof rz", "dof tz"), None),
        ("bone twice", lambda text: text.replace("name foot", "name femur"), None),
        ("bone called root", lambda text: text.replace("name foot", "name root"), None),
        ("child unknown", lambda text: text.replace("femur foot", "femur toes"), None),
        ("child of two", lambda text: text.replace("femur foot", "femur foot\nroot foot"), None),
        ("ring", lambda text: text.replace("root hip", "femur hip"), None),
        ("no motion", None, lambda text: ""),
        ("cut in a frame", None, lambda text: text[: text.rindex("foot")]),
        ("cut in a line", None, lambda text: text[: text.index("10 0 0")]),
        ("word among numbers", None, lambda text: text.replace("femur 90", "femur ninety")),
        ("not finite", None, lambda text: text.replace("femur 90", "femur inf")),
        ("too large", None, lambda text: text.replace("femur 90", "femur 1e308")),
        ("other bone", None, lambda text: text.replace("femur 90", "tibia 90")),
        ("bone twice", None, lambda text: text.replace("foot 90", "foot 90\nfoot 90")),
        ("no frame number", None, lambda text: text.replace("1\nroot 10", "root 10")),
        ("one value more", None, lambda text: text.replace("foot 90", "foot 90 1")),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_with_one_sentence(tmp_path, name, asf, amc):
    paths = written(tmp_path, asf(LEG) if asf else LEG, amc(MOVED) if amc else MOVED)
    with pytest.raises(ValueError, match=r"path: expected .* got .*; ") as error:
        bone_ends(*paths)
    assert "\n" not in str(error.value), name
    assert ("leg.asf" if asf else "leg_01.amc") in str(error.value)


def test_other_bad_paths(tmp_path):
    with pytest.raises(ValueError, match="cannot read"):
        read_amc(tmp_path / "missing.amc")
    path = write_doll(tmp_path, [[0, 17, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="cannot read"):
        read_amc(path, tmp_path / "missing.asf")
    with pytest.raises(ValueError, match=r"bones of CMU's skeletons .*rfoot"):
        read_amc(write_doll(tmp_path, [[0, 17, 0, 0, 0, 0]], without=("rfoot", "rtoes")))
    with pytest.raises(ValueError, match=r"legs of 0\.4 to 1\.4 metres"):
        read_amc(write_doll(tmp_path, [[0, 17, 0, 0, 0, 0]], length=1.0))


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=200), at=st.integers(0, 700), motion=st.booleans())
def test_no_bytes_crash_the_reader(tmp_path_factory, junk, at, motion):
    folder = tmp_path_factory.mktemp("junk")
    paths = written(folder)
    path = paths[0] if motion else paths[1]
    text = path.read_bytes()
    path.write_bytes(text[:at] + junk + text[at:])
    # Anything else than a ValueError is a crash, and so is one that nobody worded.
    with contextlib.suppress(ValueError):
        bone_ends(*paths)
        return
    with pytest.raises(ValueError, match=r"^path: expected"):
        bone_ends(*paths)
