"""COCO's person keypoints, KTH's landmarks and the walkers' files: written here to their layouts, and the real ones."""

import json

import numpy as np
import pytest

from gaitnet.datasets.kth import VALIDATION_PERSONS
from gaitnet.video.read import read_video
from gaitnet.walkers.dataset import Sequence
from gaitnet.walkers.files import write_parts
from humanpose.datasets.coco import read_coco
from humanpose.datasets.kth import read_kth_landmarks
from humanpose.datasets.pictures import Video, read_picture
from humanpose.datasets.walkers import read_walkers
from humanpose.skeleton import INDEX, from_coco

NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


def test_joints_of_the_skeleton():
    joints = np.random.default_rng(0).uniform(0, 100, (3, 17, 2))
    there = np.ones((3, 17), bool)
    there[1, NAMES.index("left_hip")] = False
    keypoints, visible = from_coco(joints, there)
    for joint, place in INDEX.items():
        if joint in ("upper_neck", "head_top"):
            assert not visible[:, place].any()
            continue
        if joint in ("pelvis", "thorax"):
            parts = [f"{side}_{'hip' if joint == 'pelvis' else 'shoulder'}" for side in ("left", "right")]
        else:
            parts = [{"r": "right_", "l": "left_"}[joint[0]] + joint[2:]]
        twin = np.mean([joints[:, NAMES.index(part)] for part in parts], axis=0)
        seen = np.array([True, "left_hip" not in parts, True])
        np.testing.assert_array_equal(visible[:, place], seen)
        np.testing.assert_allclose(keypoints[:, place], np.where(seen[:, None], twin, 0), rtol=1e-6)


def annotation(image=5, flags=2, **changes):
    table = np.column_stack([np.arange(17.0) * 3, np.arange(17.0) * 5, np.full(17, flags)])
    return {"image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": table.ravel().tolist(),
            "bbox": [1, 2, 30, 40], "id": 9, **changes}  # fmt: skip


def write_coco(root, people, part="val2017"):
    (root / "annotations").mkdir(exist_ok=True)
    (root / part).mkdir(exist_ok=True)
    (root / part / "000005.jpg").touch()
    content = {"images": [{"id": 5, "file_name": "000005.jpg"}, {"id": 6, "file_name": "6.jpg"}], "annotations": people}
    (root / "annotations" / f"person_keypoints_{part}.json").write_text(json.dumps(content))


def test_people_of_the_official_tree(tmp_path):
    hidden = annotation()
    hidden["keypoints"][3 * NAMES.index("left_hip") + 2] = 1
    write_coco(tmp_path, [annotation(), hidden, annotation(iscrowd=1), annotation(flags=0), annotation(category_id=3)])
    write_coco(tmp_path, [annotation(6)], "train2017")
    (tmp_path / "annotations" / "instances_val2017.json").write_text("{}")
    train, first, second = read_coco(tmp_path)
    assert (train.split, first.split) == ("train", "validation")
    assert first.path == tmp_path / "val2017" / "000005.jpg"
    assert train.path == tmp_path / "train2017" / "6.jpg"
    np.testing.assert_array_equal(first.box, [1, 2, 31, 42])
    np.testing.assert_array_equal(first.keypoints[INDEX["r_ankle"]], [48, 80])
    assert not first.hidden.any()
    np.testing.assert_array_equal(np.flatnonzero(second.hidden), [INDEX["l_hip"], INDEX["pelvis"]])
    np.testing.assert_array_equal(first.visible, second.visible)


@pytest.mark.parametrize(
    "person", [annotation(7), annotation(keypoints=[1, 2, 2] * 133), annotation(bbox=[1, 2]), annotation(bbox=None), 3]
)
def test_other_people_are_refused(tmp_path, person):
    write_coco(tmp_path, [person])
    with pytest.raises(ValueError, match=r"person_keypoints_val2017\.json"):
        read_coco(tmp_path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no annotations of COCO"):
        read_coco(tmp_path)
    for content in (b"", b"[]", b'{"images": []}', b"[" * 9000):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(ValueError, match="must be COCO's person keypoints"):
            read_coco(tmp_path)


def test_the_real_coco(data_root):
    records = read_coco(data_root / "coco")
    assert len(records) == 12  # 14 annotations, two of them without joints
    for one in records:
        height, width = read_picture(one.path).shape[:2]
        assert (one.keypoints[one.visible] < [width, height]).all()
        reach = 0.2 * (one.box[2:] - one.box[:2])
        seen = one.keypoints[one.visible & ~one.hidden]
        assert ((seen > one.box[:2] - reach) & (seen < one.box[2:] + reach)).all()
    assert sum(one.hidden.sum() for one in records) > 10


def drawn(frames=6):
    """What the renderer hands to the writer, without its pixels' cost."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(5, 40, (frames, 16, 2)).astype(np.float32) + 2 * np.arange(frames)[:, None, None]
    keypoints[0, INDEX["l_wrist"]] = -3, 10
    visible = rng.random((frames, 16)) < 0.7
    silhouettes = np.zeros((frames, 48, 64), np.float32)
    silhouettes[:-1, 4:40, 10:30] = 1  # out of view in the last frame
    pictures = np.zeros((frames, 48, 64, 3), np.uint8)
    return Sequence(pictures, silhouettes, keypoints.astype(np.float32), visible, np.zeros((frames, 23, 3), np.float32))


ABOUT = {"identity": "walker-1-001", "synthetic": True, "condition": "CL", "session": 0, "view": 90.0, "rate": 25.0,
         "size": [64, 48]}  # fmt: skip


def test_walkers_are_read_back(tmp_path):
    part = drawn()
    write_parts(tmp_path / "001" / "CL-0" / "090.mp4", iter([part]), ABOUT)
    (tmp_path / "walkers.json").write_text("{}")
    records = read_walkers(tmp_path)
    assert [one.frame for one in records] == [0, 1, 2, 3, 4]
    assert records[0].path == tmp_path / "001" / "CL-0" / "090.mp4"
    assert (records[0].subject, records[0].action, records[0].camera) == ("walker-1-001", "CL", "90")
    inside = (part.keypoints > -0.5).all(-1) & (part.keypoints < [63.5, 47.5]).all(-1)
    for one in records:
        np.testing.assert_array_equal(one.box, [10, 4, 30, 40])
        np.testing.assert_array_equal(one.visible, inside[one.frame])
        np.testing.assert_allclose(one.keypoints[one.visible], part.keypoints[one.frame][one.visible], atol=0.006)
        np.testing.assert_array_equal(one.hidden, inside[one.frame] & ~part.visible[one.frame])
    assert not records[0].visible[INDEX["l_wrist"]]
    assert [one.frame for one in read_walkers(tmp_path, every=2)] == [0, 2, 4]


def test_which_way_walkers_go(tmp_path):
    frames = 8
    body = np.zeros((frames, 16, 2), np.float32) + np.array([30, 20], np.float32)
    for joint, (x, y) in {
        "r_shoulder": (0, -10),
        "l_shoulder": (1, -10),
        "r_ankle": (0, 15),
        "l_ankle": (2, 15),
    }.items():
        body[:, INDEX[joint]] += np.array([x, y], np.float32)
    body[..., 0] -= 2 * np.arange(frames, dtype=np.float32)[:, None]
    silhouettes = np.zeros((frames, 48, 64), np.float32)
    silhouettes[:, 8:38, 14:34] = 1
    pictures = np.zeros((frames, 48, 64, 3), np.uint8)
    part = Sequence(pictures, silhouettes, body, np.ones((frames, 16), bool), np.zeros((frames, 23, 3), np.float32))
    write_parts(tmp_path / "001" / "NM-0" / "090.mp4", iter([part]), ABOUT)
    assert all(one.walks_left for one in read_walkers(tmp_path))


def test_other_walkers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no walkers with joints"):
        read_walkers(tmp_path)
    path = tmp_path / "001" / "CL-0" / "090.mp4"
    write_parts(path, iter([drawn()]), ABOUT)
    whole = json.loads(path.with_suffix(".json").read_text())
    for changes in ({"joint_names": list(NAMES)}, {"size": [3]}, {"frames": [{}]}, {"frames": 3}, {"view": None}):
        path.with_suffix(".json").write_text(json.dumps(whole | changes))
        with pytest.raises(ValueError, match="must be what is known of a walker"):
            read_walkers(tmp_path)


def test_the_real_landmarks_of_kth(data_root, tmp_path):
    for file in (data_root / "kth_walking").iterdir():
        if file.name.startswith(("person04", "person12", "person15")):
            (tmp_path / file.name).symlink_to(file)
    records = read_kth_landmarks(tmp_path, VALIDATION_PERSONS)
    assert {(one.subject, one.split) for one in records} == {("04", "train"), ("12", "train"), ("15", "validation")}
    assert all(path.is_file() for path in {one.path for one in records})
    assert 0.3 < np.mean([one.walks_left for one in records]) < 0.7
    # a frame's number means the same to both readers of videos
    some = [one for one in records if one.path.suffix == ".mp4"][5]
    shown = next(frame.image for frame in read_video(some.path) if frame.index == some.frame)
    video = Video(some.path)
    np.testing.assert_array_equal(video.frame(some.frame), shown)
    np.testing.assert_array_equal(video.frame(0), next(read_video(some.path)).image)
    video.close()


def test_a_folder_without_landmarks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no landmarks of KTH"):
        read_kth_landmarks(tmp_path)


def spread():
    return np.column_stack([np.random.default_rng(0).uniform(10, 90, (33, 2)), np.ones(33)])


@pytest.mark.parametrize(
    ("name", "video", "says"),
    [
        ("person01_walking_d1_uncomp", "person15_walking_d1_uncomp.avi", "person 01 by its name, but .* of person 15"),
        ("person01_walking_d1_uncomp", "person01_walking_d1_uncomp.avi", "person 01 by its name, but .* of person 15"),
        ("person15", "a.avi", "does not tell whom it shows"),
        ("person15-walking_d1_uncomp", "a.avi", "does not tell whom it shows"),
    ],
)
def test_nobody_who_measures_comes_in_under_another_name(tmp_path, name, video, says):
    """By the film that the landmarks name, by a link, or by a name that is spelt otherwise."""
    content = {"video": video, "numbering": "BlazePose-33", "people": []}
    content["people"] = [{"frame": 0, "box": [0, 0, 9, 9], "landmarks": spread().tolist()}]
    (tmp_path / f"{name}.reference.json").write_text(json.dumps(content))
    (tmp_path / "person15_walking_d1_uncomp.avi").touch()
    (tmp_path / "person01_walking_d1_uncomp.avi").symlink_to(tmp_path / "person15_walking_d1_uncomp.avi")
    with pytest.raises(ValueError, match=says):
        read_kth_landmarks(tmp_path, VALIDATION_PERSONS)


def test_a_number_is_that_of_a_person_however_it_is_written(tmp_path):
    content = {"video": "a.avi", "numbering": "BlazePose-33"}
    content["people"] = [{"frame": 0, "box": [0, 0, 9, 9], "landmarks": spread().tolist()}]
    (tmp_path / "person015_Walking_D1.reference.json").write_text(json.dumps(content))
    (record,) = read_kth_landmarks(tmp_path, VALIDATION_PERSONS)
    assert (record.subject, record.camera, record.split) == ("15", "d1", "validation")
