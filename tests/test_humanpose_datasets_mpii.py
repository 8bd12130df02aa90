"""MPII: the official .mat in its true nesting, the h5 and the json, each written here, and the real ones."""

import json

import h5py
import numpy as np
import pytest
import scipy.io

from humanpose.datasets.mpii import OFFICIAL, read_mpii, read_mpii_h5, read_mpii_json, read_mpii_mat
from humanpose.metrics import pckh
from humanpose.skeleton import INDEX

NOTHING = np.zeros((0, 0))


def structs(rows):
    """A MATLAB struct array (1, n); a field that a row lacks is empty there, as MATLAB has it."""
    fields = list(dict.fromkeys(field for row in rows for field in row))
    array = np.empty((1, len(rows)), [(field, object) for field in fields])
    for place, row in enumerate(rows):
        for field in fields:
            array[0, place][field] = row.get(field, NOTHING)
    return array


def point(joint, x, y, **more):
    return {"x": float(x), "y": float(y), "id": np.uint8(joint), **more}


def joints(seed):
    return np.random.default_rng(seed).uniform(20, 400, (16, 2)).round(2)


def person(table, kept=range(16), flags=True, **changes):
    """As released: head and neck have no is_visible; the other flags are letters in some rows, numbers in others."""
    seen = ["1", np.uint8(0), "0", np.uint8(1)]
    points = [
        point(
            joint, *table[joint], **({"is_visible": NOTHING if joint in (8, 9) else seen[joint % 4]} if flags else {})
        )
        for joint in kept
    ]
    whole = {
        "x1": 10.0, "y1": 20.0, "x2": 40.0, "y2": 60.0, "annopoints": {"point": structs(points)}, "scale": 2.5,
        "objpos": {"x": 200.0, "y": 150.0},
    }  # fmt: skip
    return {**whole, **changes}


def write_mat(path, pictures, activities=None):
    annolist = structs(
        [
            {"image": {"name": name}, "annorect": structs(people) if people else NOTHING, "frame_sec": NOTHING,
             "vididx": NOTHING}
            for name, people in pictures.items()
        ]
    )  # fmt: skip
    act = structs(
        [{"cat_name": "sports", "act_name": name, "act_id": 1} for name in activities or [""] * len(pictures)]
    )
    release = {
        "annolist": annolist, "img_train": np.ones((1, len(pictures))), "version": "12",
        "single_person": np.empty((len(pictures), 1), object), "act": act.reshape(-1, 1),
    }  # fmt: skip
    release["single_person"][:, 0] = [NOTHING] * len(pictures)
    scipy.io.savemat(path, {"RELEASE": release})


def test_the_official_file(tmp_path):
    first, second, third = joints(0), joints(1), joints(2)
    write_mat(
        tmp_path / OFFICIAL,
        {
            "a.jpg": [person(first), person(second, kept=[0, 5, 8, 9, 12])],
            "test.jpg": [{"scale": 1.0, "objpos": {"x": 5.0, "y": 6.0}}],
            "nobody.jpg": [],
            "b.jpg": [person(third, flags=False, annopoints={"point": structs([point(7, 30, 40)])})],
        },
        ["curling", "", "", "walking, general"],
    )
    (tmp_path / "valid_images.txt").write_text("b.jpg\nb.jpg\n")
    records = read_mpii(tmp_path)
    assert [one.path for one in records] == [tmp_path / "images" / name for name in ("a.jpg", "a.jpg", "b.jpg")]
    assert [one.split for one in records] == ["train", "train", "validation"]
    assert [one.action for one in records] == ["curling", "curling", "walking, general"]
    np.testing.assert_allclose(records[0].keypoints, first - 1, atol=1e-4)  # MATLAB counts pixels from 1
    assert records[0].visible.all()
    # joints 1, 2 of every four are flagged 0, by a number and by a letter; head and neck never are
    np.testing.assert_array_equal(np.flatnonzero(records[0].hidden), [1, 2, 5, 6, 10, 13, 14])
    np.testing.assert_array_equal(np.flatnonzero(records[1].visible), [0, 5, 8, 9, 12])
    assert (records[1].keypoints[~records[1].visible] == 0).all()
    np.testing.assert_array_equal(np.flatnonzero(records[2].visible), [INDEX["thorax"]])
    np.testing.assert_allclose(records[2].keypoints[INDEX["thorax"]], [29, 39])
    assert not records[2].hidden.any()
    # 500 pixels tall, three quarters as wide, about the centre moved down by 15 pixels times the scale
    np.testing.assert_allclose(records[0].box, [199 - 187.5, 186.5 - 250, 199 + 187.5, 186.5 + 250])
    assert records[0].head == pytest.approx(0.6 * 50)


def test_the_official_file_in_the_folder_of_its_archive(tmp_path):
    folder = tmp_path / "mpii_human_pose_v1_u12_2"
    folder.mkdir()
    write_mat(folder / OFFICIAL, {"a.jpg": [person(joints(0))], "b.jpg": [person(joints(1))]})
    (tmp_path / "valid_images.txt").write_text("B.JPG\n")
    found = [(one.path, one.split) for one in read_mpii(tmp_path)]
    assert found == [(tmp_path / "images" / "a.jpg", "train"), (tmp_path / "images" / "b.jpg", "validation")]


@pytest.mark.parametrize("table", ["valid.h5", "annot/valid.json", "annot/valid.h5"])
def test_a_table_of_the_validation_people_stands_in_for_their_list(tmp_path, table):
    """Who shares a picture with one of them only measures as well; a list, where there is one, is believed alone."""
    first, second, third = joints(0), joints(1), joints(2)
    write_mat(tmp_path / OFFICIAL, {"a.jpg": [person(first)], "b.jpg": [person(second), person(third)]})
    assert [one.split for one in read_mpii(tmp_path)] == ["train"] * 3
    write = write_h5 if table.endswith("h5") else write_json
    write(tmp_path / table, [("B.jpg", second, np.ones(16, bool), 2.0, (100.0, 90.0))])
    found = read_mpii(tmp_path)
    assert [one.split for one in found] == ["train", "validation", "validation"]
    np.testing.assert_allclose(found[1].keypoints, second - 1, atol=1e-4)  # to the digit, as the official file has them
    (tmp_path / "valid_images.txt").write_text("a.jpg\n")
    assert [one.split for one in read_mpii(tmp_path)] == ["validation", "train", "train"]


def test_someone_without_scale_is_boxed_by_joints(tmp_path):
    table = joints(3)
    write_mat(tmp_path / OFFICIAL, {"a.jpg": [person(table, scale=NOTHING, objpos=NOTHING, x1=NOTHING)]})
    (record,) = read_mpii_mat(tmp_path / OFFICIAL, tmp_path)
    np.testing.assert_allclose(record.box, np.concatenate([table.min(0), table.max(0)]) - 1, atol=1e-4)
    assert np.isnan(record.head)


def test_damaged_official_files_are_refused(tmp_path):
    path = tmp_path / OFFICIAL
    write_mat(path, {"a.jpg": [person(joints(0))]})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"mpii_human_pose_v1_u12_1\.mat' must be .* with 'RELEASE'.*left"):
        read_mpii(tmp_path)
    scipy.io.savemat(path, {"joints": np.zeros(3)})
    with pytest.raises(ValueError, match="RELEASE"):
        read_mpii(tmp_path)
    write_mat(path, {"a.jpg": [person(joints(0), annopoints={"point": structs([point(16, 1, 2)])})]})
    with pytest.raises(ValueError, match=r"picture 1 of RELEASE\.annolist is damaged: a joint has the id 16"):
        read_mpii(tmp_path)


def write_json(path, people):
    """People as (picture, joints, which are there, scale, centre), as the json in circulation holds them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"image": name, "center": list(centre), "scale": scale, "joints_vis": there.astype(int).tolist(),
         "joints": np.where(there[:, None], table, -1).tolist()}
        for name, table, there, scale, centre in people
    ]  # fmt: skip
    path.write_text(json.dumps(rows))


def write_h5(path, people, head=33.0):
    """The same people as the h5 in circulation holds them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as stored:
        stored["part"] = np.stack([np.where(there[:, None], np.floor(table), 0) for _, table, there, *_ in people])
        stored["visible"] = np.stack([there.astype(float) for _, _, there, *_ in people])
        stored["center"] = np.array([[x, y + 15 * scale] for *_, scale, (x, y) in people])
        stored["scale"] = np.array([1.25 * scale for *_, scale, _ in people])
        stored["normalize"] = np.full(len(people), head)
        stored["imgname"] = np.array([name.encode() for name, *_ in people])


def write_both(folder, table, there, scale=2.0, centre=(100.0, 90.0)):
    """The same person as the json and the h5 in circulation hold them."""
    people = [("a.jpg", table, there, scale, centre)]
    write_json(folder / "train.json", people)
    write_h5(folder / "valid.h5", people)


def test_json_and_h5_tell_of_the_same_person(tmp_path):
    table, there = joints(5), np.arange(16) != 3
    write_both(tmp_path / "annot", table, there)
    (from_json,) = read_mpii_json(tmp_path / "annot" / "train.json", tmp_path)
    (from_h5,) = read_mpii_h5(tmp_path / "annot" / "valid.h5", tmp_path)
    np.testing.assert_allclose(from_json.box, from_h5.box, atol=1e-3)
    np.testing.assert_allclose(from_json.keypoints[there], table[there] - 1, atol=1e-4)
    np.testing.assert_array_equal(np.floor(from_json.keypoints), from_h5.keypoints)
    assert (from_json.split, from_h5.split) == ("train", "validation")
    for record in (from_json, from_h5):
        np.testing.assert_array_equal(record.visible, there)
    assert from_h5.head == 33
    assert np.isnan(from_json.head)
    (once,) = read_mpii(tmp_path)  # the person is in both files
    assert once.split == "validation"
    assert once.path == tmp_path / "images" / "a.jpg"


def rows(*seeds, centre=(100.0, 90.0)):
    """People of the json files, one of each seed."""
    return [
        {"image": f"{seed}.jpg", "center": list(centre), "scale": 2.0, "joints_vis": [1] * 16,
         "joints": joints(seed).tolist()}
        for seed in seeds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "train", "held_out", "everybody"),
    [
        ("annot", "train.json", "valid.json", "trainval.json"),
        ("annotations", "mpii_train.json", "mpii_val.json", "mpii_trainval.json"),
    ],
)
def test_nobody_held_out_is_learned_from(tmp_path, folder, train, held_out, everybody):
    """The layouts of HRNet and mmpose: a third file lists both parts, and comes first by its name in one of them."""
    (tmp_path / folder).mkdir()
    for name, seeds in ((train, (0, 1, 2)), (held_out, (3, 4)), (everybody, range(6))):
        (tmp_path / folder / name).write_text(json.dumps(rows(*seeds)))
    split = {one.path.name: one.split for one in read_mpii(tmp_path)}
    assert split == {"0.jpg": "train", "1.jpg": "train", "2.jpg": "train", "3.jpg": "validation",
                     "4.jpg": "validation", "5.jpg": ""}  # fmt: skip
    (tmp_path / folder / train).write_text(json.dumps(rows(*range(5))))  # whoever is in both, measures
    assert sorted(one.split for one in read_mpii(tmp_path)) == ["", "train", "train", "train", *["validation"] * 2]


def test_test_people_have_no_joints(tmp_path):
    (tmp_path / "annot").mkdir()
    nameless = [{key: row[key] for key in ("image", "center", "scale")} for row in rows(7, 8)]
    (tmp_path / "annot" / "test.json").write_text(json.dumps(nameless))
    assert read_mpii(tmp_path) == []
    (tmp_path / "annot" / "train.json").write_text(json.dumps(rows(0)))
    assert [one.path.name for one in read_mpii(tmp_path)] == ["0.jpg"]
    nameless[1]["joints_vis"] = [1] * 16
    (tmp_path / "annot" / "test.json").write_text(json.dumps(nameless))
    with pytest.raises(ValueError, match="person 2 must have image"):
        read_mpii(tmp_path)


def test_names_as_numbers_and_hidden_joints_in_h5(tmp_path):
    write_both(tmp_path, joints(5), np.ones(16, bool))
    with h5py.File(tmp_path / "valid.h5", "r+") as stored:
        del stored["imgname"], stored["normalize"]
        stored["imgname"] = np.array([[ord(letter) for letter in "b7.jpg"] + [0, 0]], float)
        stored["visible"][0, 4] = 0
    (record,) = read_mpii_h5(tmp_path / "valid.h5", tmp_path)
    assert record.path.name == "b7.jpg"
    assert record.visible.all()
    np.testing.assert_array_equal(np.flatnonzero(record.hidden), [4])
    assert np.isnan(record.head)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[3]", b'[{"image": "a.jpg"}]', b"[" * 5000,
        b'[{"image": "a.jpg", "center": [1, 2], "scale": 1, "joints": [[1, 2]], "joints_vis": [1]}]',
    ],
)  # fmt: skip
def test_other_json_is_refused(tmp_path, content):
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"train\.json"):
        read_mpii(tmp_path)


def test_other_h5_is_refused(tmp_path):
    write_both(tmp_path, joints(5), np.ones(16, bool))
    whole = (tmp_path / "valid.h5").read_bytes()
    (tmp_path / "valid.h5").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ValueError, match="must be MPII's annotations as HDF5"):
        read_mpii(tmp_path)
    with h5py.File(tmp_path / "valid.h5", "w") as stored:
        stored["part"] = np.zeros((1, 17, 2))
        for name in ("visible", "center", "scale"):
            stored[name] = np.zeros(1)
        stored["imgname"] = np.array([b"a.jpg"])
    with pytest.raises(ValueError, match=r"part must have the shape \(1, 16, 2\), got \(1, 17, 2\)"):
        read_mpii(tmp_path)


def test_a_folder_without_annotations_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no annotations of MPII"):
        read_mpii(tmp_path)


def test_the_real_files(data_root):
    records = read_mpii(data_root / "mpii")
    assert len(records) == 2958
    assert {one.split for one in records} == {"validation"}
    assert sum(one.path.is_file() for one in records) == 5
    by_json = read_mpii_json(data_root / "mpii" / "test_mpii.json", data_root / "mpii" / "images")
    for one, other in zip(by_json, records, strict=False):
        assert one.path == other.path
        np.testing.assert_allclose(one.box, other.box, atol=0.01)
        np.testing.assert_array_equal(np.floor(one.keypoints), other.keypoints)
    # Ten of the head's diagonals beside a guess: the score runs over the file's own head lengths.
    keypoints, visible = (np.stack([getattr(one, name) for one in records]) for name in ("keypoints", "visible"))
    heads = np.array([one.head for one in records])
    assert 30 < np.median(heads) < 120
    moved = keypoints + np.array([0.49, 0], np.float32) * heads[:, None, None].astype(np.float32)
    assert pckh(moved, keypoints, visible, reference=heads).overall == 1
    assert pckh(moved + 0.03 * heads[:, None, None], keypoints, visible, reference=heads).overall < 0.01
