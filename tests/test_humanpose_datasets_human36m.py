"""Human3.6M in its three forms, each written here to its layout; the real frames, records and cameras."""

import json
import pickle

import av
import h5py
import numpy as np
import pytest
from cdflib.cdfwrite import CDF

from humanpose.datasets.human36m import read_boxes, read_human36m, read_positions_cdf
from humanpose.datasets.human36m_npz import project
from humanpose.datasets.human36m_takes import CAMERAS
from humanpose.datasets.pictures import pictures_of, read_picture
from humanpose.datasets.restricted import read_pickle_file
from humanpose.skeleton import INDEX, from_h36m

SIDE = 64
# where each joint of ours is among the 32 of the motion capture, told without the project's own tables
PLACES = {
    "pelvis": (0,), "r_hip": (1,), "r_knee": (2,), "r_ankle": (3,), "l_hip": (6,), "l_knee": (7,), "l_ankle": (8,),
    "upper_neck": (13,), "head_top": (15,), "l_shoulder": (17,), "l_elbow": (18,), "l_wrist": (19,),
    "r_shoulder": (25,), "r_elbow": (26,), "r_wrist": (27,), "thorax": (17, 25),
}  # fmt: skip


def positions(frames, seed=0):
    return np.random.default_rng(seed).integers(8, SIDE - 8, (frames, 32, 2)).astype(np.float32)


def expected(joints):
    """Our 16 joints of some frames of 32, in float64."""
    out = np.zeros((len(joints), 16, 2))
    for name, places in PLACES.items():
        out[:, INDEX[name]] = joints[:, list(places)].astype(np.float64).mean(1)
    return out


def write_cdf(path, joints):
    path.parent.mkdir(parents=True, exist_ok=True)
    pose = joints.reshape(1, len(joints), -1)
    writer = CDF(path)
    about = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Var_Type": "zVariable"}
    writer.write_var({**about, "Dim_Sizes": list(pose.shape[1:])}, var_data=pose)
    writer.close()


def write_video(path, joints):
    """Frames in which nothing but a bright square marks the right ankle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt, stream.options = SIDE, SIDE, "yuv420p", {"crf": "5"}
        for x, y in joints[:, 3].astype(int):
            picture = np.zeros((SIDE, SIDE, 3), np.uint8)
            picture[y - 3 : y + 4, x - 3 : x + 4] = 255
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def write_take(root, subject, action, camera, joints):
    write_cdf(root / subject / "MyPoseFeatures" / "D2_Positions" / f"{action}.{camera}.cdf", joints)
    write_video(root / subject / "Videos" / f"{action}.{camera}.mp4", joints)


def test_the_official_tree(tmp_path):
    tables = {
        ("S5", "Walking 1", CAMERAS[0]): positions(5, 1), ("S1", "Walking", CAMERAS[1]): positions(7, 2),
        ("S11", "Walking 2", CAMERAS[0]): positions(4, 3), ("S1", "WalkDog", CAMERAS[0]): positions(3, 4),
        ("S1", "_ALL 1", CAMERAS[0]): positions(3, 5),
    }  # fmt: skip
    for take, joints in tables.items():
        write_take(tmp_path, *take, joints)
    records = read_human36m(tmp_path, every=2)
    takes = [(one.subject, one.action, one.camera, one.frame) for one in records]
    assert takes == [
        *[("S1", "Walking", CAMERAS[1], frame) for frame in (0, 2, 4, 6)],
        *[("S5", "Walking 1", CAMERAS[0], frame) for frame in (0, 2, 4)],
        *[("S11", "Walking 2", CAMERAS[0], frame) for frame in (0, 2)],
    ]
    assert [one.split for one in records] == ["train"] * 4 + ["validation"] * 3 + ["train"] * 2
    for one in records:
        joints = tables[one.subject, one.action, one.camera]
        np.testing.assert_allclose(one.keypoints, expected(joints)[one.frame], atol=1e-5)
        moving = joints[one.frame][[0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]]
        np.testing.assert_allclose(one.box, np.concatenate([moving.min(0), moving.max(0)]))
    marked = 0
    for together, picture, why in pictures_of(records):  # frame k of the video is row k of the table
        assert not why
        for one in together:
            x, y = one.keypoints[INDEX["r_ankle"]].astype(int)
            assert picture[y, x].min() > 200
            marked += 1
    assert marked == len(records)
    everything = read_human36m(tmp_path, actions=None, split="standard")
    assert len(everything) == 7 + 3 + 5 + 4
    assert {one.subject: one.split for one in everything} == {"S1": "train", "S5": "train", "S11": "test"}
    assert len(read_human36m(tmp_path, actions=["WalkDog"])) == 3


def test_boxes_of_masks(tmp_path):
    write_take(tmp_path, "S1", "Walking", CAMERAS[0], positions(3))
    folder = tmp_path / "S1" / "MySegmentsMat" / "ground_truth_bb"
    folder.mkdir(parents=True)
    path = folder / f"Walking.{CAMERAS[0]}.mat"
    with h5py.File(path, "w") as stored:
        masks = stored.create_dataset("Masks", (3, 1), h5py.ref_dtype)
        for frame in range(3):
            mask = np.zeros((SIDE, SIDE), np.uint8)
            if frame != 1:
                mask[10 + frame : 40, 5:30] = 1  # rows, columns of the picture
            masks[frame, 0] = stored.create_dataset(f"#refs#/{frame}", data=mask.T).ref  # as MATLAB lays them down
    boxes = [one.box for one in read_human36m(tmp_path)]
    np.testing.assert_array_equal(boxes[0], [5, 10, 30, 40])
    np.testing.assert_array_equal(boxes[2], [5, 12, 30, 40])
    assert np.isfinite(boxes[1]).all()  # of an empty mask: about the joints
    with pytest.raises(ValueError, match="must hold a mask for every frame"):
        read_boxes(path, [7])


def test_damaged_positions_are_refused(tmp_path):
    path = tmp_path / "S1" / "MyPoseFeatures" / "D2_Positions" / f"Walking.{CAMERAS[0]}.cdf"
    write_cdf(path, positions(3))
    whole = path.read_bytes()
    for content in (b"", b"no cdf", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="must be a CDF with a variable Pose"):
            read_human36m(tmp_path)
    path.unlink()
    write_cdf(path, np.zeros((3, 32, 3), np.float32))
    with pytest.raises(ValueError, match=r"Pose must be \(1, time, 64\).*take D2_Positions"):
        read_positions_cdf(path)


def test_questions_that_make_no_sense(tmp_path):
    with pytest.raises(ValueError, match="holds nothing of Human"):
        read_human36m(tmp_path)
    with pytest.raises(ValueError, match="expected one of original, standard"):
        read_human36m(tmp_path, split="other")


def test_the_npz_of_videopose3d(tmp_path):
    moving = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    views = [positions(4 + camera, camera) for camera in range(4)]
    table = {"S1": {"Walking 1": [view[:, moving] for view in views], "Eating": [view[:, moving] for view in views]}}
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5], [1, 2]]}
    np.savez_compressed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=table, metadata=metadata)
    records = read_human36m(tmp_path)
    assert [one.camera for one in records] == [name for place, name in enumerate(CAMERAS) for _ in range(4 + place)]
    for one in records:
        view = views[CAMERAS.index(one.camera)]
        np.testing.assert_allclose(one.keypoints, expected(view)[one.frame], atol=1e-5)
        assert one.path == tmp_path / "S1" / "Videos" / f"Walking 1.{one.camera}.mp4"
    assert len(read_human36m(tmp_path, None, every=3)) == 2 * (2 + 2 + 2 + 3)
    table["S1"]["Walking 1"][2] = table["S1"]["Walking 1"][2][:, :16]
    np.savez_compressed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=table)
    with pytest.raises(ValueError, match=r"S1 Walking 1 has joints \(6, 16, 2\)"):
        read_human36m(tmp_path)
    np.savez_compressed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=np.array([1, "x"], object))
    with pytest.raises(ValueError, match="as VideoPose3D writes them"):
        read_human36m(tmp_path)


def test_joints_in_space_need_cameras(tmp_path):
    points = np.random.default_rng(0).normal(0, 0.5, (3, 32, 3)).astype(np.float32)
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": {"Walking": points}})
    with pytest.raises(ValueError, match=r"put cameras.pkl beside it"):
        read_human36m(tmp_path)
    # looks along y from 5 m away, without a lens
    turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    camera = {"R": turn, "T": np.array([[0], [-5.0], [0]]), "f": np.array([[1000.0], [900.0]]),
              "c": np.array([[500.0], [510.0]]), "k": np.zeros((3, 1)), "p": np.zeros((2, 1))}  # fmt: skip
    cameras = {("S9", name): camera for name in CAMERAS}
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(cameras, protocol=3))
    records = read_human36m(tmp_path)
    assert len(records) == 12
    x, y, z = points[1, 8].astype(float)
    np.testing.assert_allclose(
        records[1].keypoints[INDEX["l_ankle"]], [1000 * x / (y + 5) + 500, -900 * z / (y + 5) + 510], atol=1e-3
    )


def coco_style(keypoints, name="S1_Walking_1.54138969_000007.jpg"):
    return {
        "images": [{"id": 7, "file_name": name}],
        "annotations": [{"image_id": 7, "keypoints": keypoints, "bbox": [10, 20, 30, 40]}],
    }


def test_extracted_frames(tmp_path):
    joints = np.random.default_rng(0).uniform(0, 100, (17, 2))
    flat = np.column_stack([joints, np.ones(17)]).ravel().tolist()
    (tmp_path / "h36m.json").write_text(json.dumps(coco_style(flat)))
    inner = tmp_path / "images" / "S1" / "S1_Walking_1.54138969"
    inner.mkdir(parents=True)
    (inner / "S1_Walking_1.54138969_000007.jpg").touch()
    (record,) = read_human36m(tmp_path)
    assert record.path == inner / "S1_Walking_1.54138969_000007.jpg"
    assert (record.subject, record.action, record.camera, record.frame) == ("S1", "Walking 1", "54138969", None)
    np.testing.assert_array_equal(record.box, [10, 20, 40, 60])
    np.testing.assert_allclose(record.keypoints[INDEX["r_knee"]], joints[2], rtol=1e-6)
    assert read_human36m(tmp_path, ["Eating"]) == []
    (tmp_path / "h36m.json").write_text(json.dumps(coco_style(flat[:-3])))
    with pytest.raises(ValueError, match=r"must have 17 joints of 3 numbers.*another skeleton"):
        read_human36m(tmp_path)
    (tmp_path / "h36m.json").write_text("{")
    with pytest.raises(ValueError, match="must be annotations"):
        read_human36m(tmp_path)


def test_the_real_frames(data_root):
    records = read_human36m(data_root / "h36m", actions=None)
    assert [(one.subject, one.action, one.split) for one in records] == [
        ("S1", "Directions 1", "train"), ("S5", "SittingDown", "validation"), ("S7", "Greeting", "train"),
        ("S8", "WalkDog 1", "train"),
    ]  # fmt: skip
    for one in records:
        height, width = read_picture(one.path).shape[:2]
        assert (one.keypoints > 0).all()
        assert (one.keypoints < [width, height]).all()
    facing = records[3].keypoints  # whoever faces the camera has the right side on its left
    for joint in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder"):
        assert facing[INDEX[f"r_{joint}"], 0] < facing[INDEX[f"l_{joint}"], 0]
    # another file holds the same joints of the same frames
    with np.load(data_root / "h36m" / "test_h36m_body3d.npz", allow_pickle=False) as stored:
        parts = stored["part"]
    for one, part in zip(records, parts, strict=True):
        np.testing.assert_allclose(one.keypoints[INDEX["l_wrist"]], part[13, :2], atol=1e-3)


def test_the_real_cameras_see_what_was_annotated(data_root):
    cameras = read_pickle_file(data_root / "h36m" / "cameras.pkl")
    content = json.loads((data_root / "h36m" / "h36m_coco.json").read_text())
    for image, person in zip(content["images"], content["annotations"], strict=True):
        name = image["file_name"]
        camera = cameras[name.split("_")[0], name.split(".")[1].split("_")[0]]
        points = np.array(person["keypoints_3d"]).reshape(17, 4)[:, :3]
        pixels = np.array(person["keypoints"]).reshape(17, 3)[:, :2]
        np.testing.assert_allclose(project(points, camera), pixels, atol=1e-3)


def test_joints_of_the_skeleton():
    joints = np.random.default_rng(1).uniform(0, 100, (2, 17, 2))
    there = np.ones((2, 17), bool)
    there[1, 11] = False
    keypoints, visible = from_h36m(joints, there)
    twin = np.zeros((2, 16, 2))
    order = ["r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle"]
    for name, place in zip(order, (3, 2, 1, 4, 5, 6), strict=True):
        twin[:, INDEX[name]] = joints[:, place]
    twin[:, INDEX["thorax"]] = (joints[:, 11] + joints[:, 14]) / 2
    for name, place in (("l_shoulder", 11), ("l_elbow", 12), ("l_wrist", 13), ("r_shoulder", 14), ("r_elbow", 15),
                        ("r_wrist", 16), ("pelvis", 0), ("upper_neck", 8), ("head_top", 10)):  # fmt: skip
        twin[:, INDEX[name]] = joints[:, place]
    twin[1, [INDEX["thorax"], INDEX["l_shoulder"]]] = 0
    np.testing.assert_allclose(keypoints, twin, rtol=1e-6)
    assert visible[0].all()
    np.testing.assert_array_equal(np.flatnonzero(~visible[1]), [INDEX["thorax"], INDEX["l_shoulder"]])
