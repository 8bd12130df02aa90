"""Recorded motion drawn as videos: before which camera, under which names, never mixed and never half."""

import json
from pathlib import Path
from typing import Any

import av
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stand_ins import bad, document, good

from gaitnet.walkers import recorded, recorded_files
from gaitnet.walkers.body import POINTS
from gaitnet.walkers.camera import draw_camera, project
from gaitnet.walkers.dataset import MOMENTS, PELVIS, PICTURE, Sequence
from gaitnet.walkers.recorded import Walk, names_of, plan_of_clip, plan_of_picture, read_motion, walk_of
from gaitnet.walkers.recorded_files import make_recorded
from gaitnet.walkers.walk import CONDITIONS
from humanpose.skeleton import JOINTS

SMALL: dict[str, Any] = {"size": (48, 64), "frames": 2, "seed": 4}

BONES = {
    "Hips": ("", (0, 0, 0)), "Chest": ("Hips", (0, 2, 0)), "Chest2": ("Chest", (0, 2, 0)),
    "Neck": ("Chest2", (0, 1.5, 0)), "Head": ("Neck", (0, 1.5, 0)),
    **{
        f"{side}{joint}": (start if start in ("Hips", "Chest2") else f"{side}{start}", (sign * x, y, z))
        for side, sign in (("Left", 1), ("Right", -1))
        for joint, start, (x, y, z) in (
            ("Hip", "Hips", (1.6, -1.8, 0)), ("Knee", "Hip", (0, -7, 0)), ("Ankle", "Knee", (0, -7, 0)),
            ("Toe", "Ankle", (0, -0.6, 2)), ("Shoulder", "Chest2", (3.5, 1, 0)), ("Elbow", "Shoulder", (0, -5, 0)),
            ("Wrist", "Elbow", (0, -3.5, 0)),
        )
    },
}  # fmt: skip
"""Joint -> what it hangs on, and its place there, in CMU's unit."""


def glide(path: Path, speed: float = 1.0, seconds: float = 1.0) -> Path:
    """A clip in CMU's BVH layout of somebody who is pushed ahead, standing; 25 frames a second."""

    def joint(name: str) -> str:
        inner = "".join(joint(child) for child, (start, _) in BONES.items() if start == name)
        channels = "3 Xposition Yposition Zposition" if name == "Hips" else "0"
        place = " ".join(map(str, BONES[name][1]))
        kind = "ROOT" if name == "Hips" else "JOINT"
        return f"{kind} {name}\n{{\nOFFSET {place}\nCHANNELS {channels}\n{inner}End Site\n{{\nOFFSET 0 0 1\n}}\n}}\n"

    count = round(25 * seconds)
    rows = "".join(f"0 17 {speed / 25 / 0.05644 * number:.5f}\n" for number in range(count))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"HIERARCHY\n{joint('Hips')}MOTION\nFrames: {count}\nFrame Time: 0.04\n{rows}")
    return path


@pytest.fixture(autouse=True)
def bare(request, monkeypatch):
    """Plans without clothes and scene, which are slow to compile and tested elsewhere; in their place, their keys."""
    if request.node.get_closest_marker("slow"):
        return
    monkeypatch.setattr(recorded, "draw_appearance", lambda key, *_: jax.random.key_data(key))
    monkeypatch.setattr(recorded, "draw_scene", lambda key, *_: jax.random.key_data(key))
    for name, size in (("_crops", 5), ("_around", 4)):
        traced = getattr(recorded, name).__wrapped__
        # another function, or what is traced here would be remembered for the test that draws everything
        monkeypatch.setattr(recorded, name, jax.jit(lambda *known, traced=traced: traced(*known), static_argnums=size))


@pytest.fixture
def plain(monkeypatch):
    """Pictures of one colour, which follows from the clothes' key, in place of drawn ones."""

    def parts(plan, size, with_jpeg, chunk):
        count = len(plan.points)
        assert with_jpeg is False  # the codec brings its own errors
        colour = np.asarray(plan.wear).view(np.uint8)[:3]
        frames = np.broadcast_to(colour, (count, *size, 3))
        silhouettes = np.zeros((count, *size), np.float32)
        silhouettes[:, 10:40, 20:30] = 1
        yield Sequence(frames, silhouettes, np.zeros((count, 16, 2)), np.ones((count, 16), bool), plan.points)

    monkeypatch.setattr(recorded_files, "render_in_chunks", parts)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("cmu/07_01.bvh", ("07", "07_01")), ("07_12.AMC", ("07", "07_12")), ("own/anna walks.bvh", ("anna walks",) * 2),
        ("kinect/Person003/1.txt", ("Person003", "1")), ("x_1.amc", ("x_1", "x_1")),
    ],
)  # fmt: skip
def test_who_it_is_and_what_the_clip_is_called(path, names):
    assert names_of(path) == names


def test_the_crops_of_a_clip_are_drawn_from_its_number(tmp_path):
    """Key splits as ever, so that measured figures stay: an oracle of the order in which the key is split."""
    plan = plan_of_clip(glide(tmp_path / "07_01.bvh"), 3, False, (48, 36))
    of_wear, of_scene, of_camera, of_noise, _ = jax.random.split(jax.random.fold_in(jax.random.key(53), 3), 5)
    np.testing.assert_array_equal(plan.wear, jax.random.key_data(of_wear))
    np.testing.assert_array_equal(plan.scene, jax.random.key_data(of_scene))
    np.testing.assert_allclose(plan.cameras.distance, float(draw_camera(of_camera, 90.0, PICTURE).distance), rtol=1e-5)
    np.testing.assert_array_equal(plan.seeds, np.asarray(jax.random.bits(of_noise, (320,), np.uint32))[:25])
    assert plan.points.shape == (25, 23, 3)
    np.testing.assert_allclose(plan.points[0, PELVIS, :2], 0, atol=1e-6)
    np.testing.assert_array_equal(plan.cameras.azimuth, np.full(25, -90))
    np.testing.assert_allclose(plan.cameras.target[:, 0], plan.points[:, PELVIS, 0], atol=1e-5)


def test_the_crops_of_a_clip_from_another_view_in_a_coat(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "draw_appearance", lambda key, condition: condition)
    clip = glide(tmp_path / "07_01.bvh")
    plain = plan_of_clip(clip, 3, False, (48, 36))
    other = plan_of_clip(clip, 3, False, (48, 36), view=36.0, condition=CONDITIONS.index("CL"))
    np.testing.assert_array_equal(other.cameras.azimuth, np.full(25, -36))
    np.testing.assert_array_equal(other.points, plain.points)
    assert (plain.wear, other.wear) == (CONDITIONS.index("NM"), CONDITIONS.index("CL"))


@pytest.fixture(scope="module")
def long_walk(tmp_path_factory) -> Walk:
    """12 metres in 8 seconds."""
    clip = glide(tmp_path_factory.mktemp("long") / "07_01.bvh", 1.5, 8.0)
    return walk_of(read_motion(clip), common=True)


def test_a_tripod_sees_him_walk_through_its_picture(long_walk):
    key, size = jax.random.key(2), (48, 64)
    plan = plan_of_picture(key, long_walk, 90, size)
    camera = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), plan.cameras)
    pelvis = np.asarray(project(camera, jnp.asarray(plan.points[:, PELVIS]))[0])
    assert 25 < len(plan.points) < 150
    assert pelvis[:, 0].min() >= 0
    assert pelvis[:, 0].max() <= size[1]
    assert np.ptp(pelvis[:, 0]) > 0.9 * size[1]  # from one edge to the other
    assert abs(plan.cameras.azimuth[0]) == 90
    assert len(np.unique(np.asarray(plan.seeds))) == len(plan.points)
    np.testing.assert_allclose(np.mean(plan.points[[0, -1], PELVIS, 0]), 0, atol=0.15)
    short = plan_of_picture(key, long_walk, 90, size, frames=7)
    assert len(short.points) == 7
    np.testing.assert_allclose(np.mean(short.points[:, PELVIS, 0]), np.mean(plan.points[:, PELVIS, 0]), atol=0.1)
    near = plan_of_picture(key, long_walk, 0, size)
    assert np.min(np.asarray(near.cameras.distance) - near.points[:, PELVIS, 0]) > 2.4


def test_motion_blur_lies_between_the_frames(long_walk):
    plan = plan_of_picture(jax.random.key(2), long_walk, 90, (48, 64), shutter=0.5, frames=5)
    assert plan.moments is not None
    assert plan.moments.shape == (5, len(MOMENTS), 23, 3)
    ahead = plan.moments[:, :, PELVIS, 0] - plan.points[:, None, PELVIS, 0]
    np.testing.assert_allclose(ahead, np.broadcast_to(1.5 / 25 * 0.5 * np.array(MOMENTS), ahead.shape), rtol=0.2)


@pytest.fixture
def videos(tmp_path, plain):
    clips = [glide(tmp_path / "cmu" / name) for name in ("07_01.bvh", "08_01.bvh")]
    return tmp_path / "out", clips, make_recorded(tmp_path / "out", clips, **SMALL)


def test_a_video_and_what_is_known_about_it(videos):
    root, _, paths = videos
    assert [path.relative_to(root).as_posix() for path in paths] == ["07/07_01/090.mp4", "08/08_01/090.mp4"]
    pictures = []
    for path in paths:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert container.streams.video[0].average_rate == 25
        assert [frame.shape for frame in frames] == [(48, 64, 3)] * 2
        pictures.append(frames[0].astype(float))
    assert np.abs(pictures[0] - pictures[1]).mean() > 3  # each clip its own clothes and place
    known = json.loads(paths[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert (known["identity"], known["synthetic"], known["view"]) == ("07", True, 90.0)
    assert (known["rate"], known["size"], known["condition"]) == (25.0, [64, 48], "NM")
    assert (known["motion"]["clip"], known["motion"]["body"]) == ("07_01.bvh", "own")
    assert known["joint_names"] == list(JOINTS)
    assert [frame["box"] for frame in known["frames"]] == [[20, 10, 30, 40]] * 2


@pytest.mark.slow
def test_what_is_drawn_is_the_walker(tmp_path):
    (path,) = make_recorded(tmp_path / "out", [glide(tmp_path / "07_01.bvh")], **SMALL, shutter=0.5)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).to_ndarray(format="rgb24").std() > 3
    known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    for frame in known["frames"]:
        (x, y), (x0, y0, x1, y1) = frame["keypoints"][POINTS.index("pelvis")], frame["box"]
        assert x0 - 1 <= x <= x1
        assert y0 - 1 <= y <= y1
        feet = np.array(frame["keypoints"])[[POINTS.index("r_ankle"), POINTS.index("l_ankle")], 1]
        assert np.all((feet > (y0 + 2 * y1) / 3) & (feet < y1))


def test_what_is_there_is_kept_and_nothing_else_is_mixed_in(videos):
    root, clips, paths = videos
    assert not [path for path in root.rglob("*") if ".part" in path.name]
    stamps = [path.stat().st_mtime_ns for path in paths]
    assert make_recorded(root, clips, **SMALL) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    for other in ({"seed": 5}, {"common": True}, {"frames": 3}):
        with pytest.raises(ValueError, match="drawn otherwise"):
            make_recorded(root, clips, **{**SMALL, **other})
    namesake = glide(root.parent / "other" / "07_01.bvh", 0.5)
    with pytest.raises(ValueError, match=r"from another clip called 07_01\.bvh"):
        make_recorded(root, [namesake], **SMALL)
    with pytest.raises(ValueError, match="would both be 07/07_01"):
        make_recorded(root.parent / "new", [clips[0], namesake], **SMALL)
    assert not (root.parent / "new").exists()


def test_an_interrupted_run_leaves_nothing_half_and_goes_on(tmp_path, plain, monkeypatch):
    def broken(*_, **__):
        raise KeyboardInterrupt
        yield

    clips = [glide(tmp_path / "07_01.bvh")]
    with monkeypatch.context() as patch:
        patch.setattr(recorded_files, "render_in_chunks", broken)
        with pytest.raises(KeyboardInterrupt):
            make_recorded(tmp_path / "out", clips, **SMALL)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["walkers.json"]
    (path,) = make_recorded(tmp_path / "out", clips, **SMALL)
    assert path.with_suffix(".json").is_file()


def test_the_command_draws_what_was_recorded(place, plain):
    glide(place / "07_01.bvh")
    arguments = ["walkers", "make", "out", "--motion", "07_01.bvh", "--width", 64, "--height", 48, "--frames", 2]
    made = document(*arguments, "--common-body", "--view", 90)
    assert made["walks"] == ["07/07_01/090.mp4"]
    assert (made["people"], made["body"], made["synthetic"]) == (1, "common", True)
    assert json.loads((place / "out/07/07_01/090.json").read_bytes())["motion"]["body"] == "common"
    assert "1 recorded walks of 1 performers" in good(*arguments, "--common-body")
    assert "drawn otherwise" in bad(*arguments)


def test_wrong_clips_are_refused_in_one_sentence(place):
    glide(place / "07_01.bvh")
    (place / "text.bvh").write_text("no motion at all")
    (place / "bytes.txt").write_bytes(bytes(range(256)))
    (place / "note.md").touch()
    (place / "empty.asf").touch()
    (place / "lonely").mkdir()
    (place / "lonely" / "09_01.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    (place / "08_01.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    wrong = {
        "missing.bvh": "cannot read", "missing.amc": "cannot read", "missing.txt": "cannot read",
        "lonely": "clip that ends", "text.bvh": "HIERARCHY", "bytes.txt": "lines", "note.md": ".bvh, .amc, .txt",
        "empty.asf": "name the .amc", "lonely/09_01.amc": "09.asf beside it, found none", "08_01.amc": "empty.asf",
    }  # fmt: skip
    for name, says in wrong.items():
        sentence = bad("walkers", "make", "out", "--motion", "07_01.bvh", "--motion", name)
        assert says in sentence, name
        assert len(sentence.strip().splitlines()) == 1, name
    for misuse in (["--count", 2], ["--condition", "NM"], ["--format", "casia-b"]):
        sentence = bad("walkers", "make", "out", "--motion", "07_01.bvh", *misuse)
        assert misuse[0] in sentence
        assert "not with --motion" in sentence
    assert "--motion" in bad("walkers", "make", "out", "--common-body")
    assert "would both be" in bad("walkers", "make", "out", "--motion", "07_01.bvh", "--motion", "./07_01.bvh")
    assert not (place / "out").exists()


@pytest.mark.parametrize(("name", "slides"), [("cmu_walk/07_03.bvh", 0.08), ("kinect_gait/Person003/3.txt", 0.2)])
def test_feet_of_real_walks_stand_on_the_floor(data_root, name, slides):
    walk = walk_of(read_motion(data_root / name), common=False)
    ends = [POINTS.index(f"{side}_{end}") for side in "rl" for end in ("heel", "toe")]
    low = walk.points[:, ends, 2].min(axis=1)
    np.testing.assert_allclose(np.percentile(low, [5, 50]), walk.radii[-1], atol=0.012)
    slid = np.linalg.norm(np.diff(walk.points[:, ends, :2], axis=0), axis=-1) * 25
    standing = walk.points[1:, ends, 2] < walk.radii[-1] + 0.01
    assert np.median(slid[standing]) < slides  # metres a second
