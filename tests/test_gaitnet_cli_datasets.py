"""`gaitnet datasets`: tables, contact sheet, JSON and cache of small data sets made here, and of the real ones."""

import json

import cv2
import numpy as np
import pytest
import scipy.io
from stand_ins import bad, document, good, run

from humanpose.datasets.prepared import PreparedPose
from humanpose.skeleton import JOINTS


@pytest.fixture
def lspet(tmp_path):
    """Twelve people as in LSP extended; of the pictures one is missing, one cut off, one has a joint outside."""
    root = tmp_path / "data" / "lspet"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    joints = np.zeros((14, 3, 12))
    joints[:, :2] = rng.uniform(10, 80, (14, 2, 12))
    joints[:, 2] = 1
    joints[3, :, 4] = -5, -5, 0
    joints[0, 0, 7] = 300
    scipy.io.savemat(root / "joints.mat", {"joints": joints})
    for number in range(1, 13):
        path = root / "images" / f"im{number:05d}.jpg"
        cv2.imwrite(str(path), rng.integers(0, 256, (90, 100, 3), np.uint8))
    path.unlink()
    cut = root / "images" / "im00002.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    return root


def refused_as_a_whole(*arguments):
    """What is said, as a table or JSON and at the end, of a data set that was looked at and cannot be used."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_check_says_what_is_there(lspet, tmp_path):
    text = good("datasets", "check", "lspet", "--root", lspet, "--output", tmp_path / "seen")
    assert max(len(line) for line in text.splitlines() if not line.startswith("wrote ")) <= 80
    for words in ("people  12", "12 pictures; 10 can be read", "100x90 (10)", "train 12", "pictures missing      1",
                  "pictures damaged      1", "joints outside        1", "im00008.jpg:", "im00002.jpg:"):  # fmt: skip
        assert words in text, words
    assert all(name.replace("_", " ") in text for name in JOINTS)
    sheet = cv2.imread(str(tmp_path / "seen" / "lspet.png"), cv2.IMREAD_COLOR_RGB)
    assert sheet.shape[1] == 1500
    tile = sheet[40:340, :300].astype(int)
    for colour in ((255, 138, 44), (64, 156, 255)):  # right and left limbs
        assert (np.abs(tile - colour).max(-1) < 12).sum() > 100
    told = json.loads((tmp_path / "seen" / "lspet.json").read_text())
    assert told["joints"]["r_ankle"] == {"annotated": 12, "hidden": 0, "outside": 1}


def test_check_as_json(lspet):
    told = document("datasets", "check", "lspet", "--root", lspet.parent)  # the folder of several finds it, too
    assert (told["dataset"], told["folder"], told["people"], told["read"]) == ("lspet", str(lspet), 12, 10)
    assert told["sizes"] == [{"width": 100, "height": 90, "files": 10}]
    counts = {one["kind"]: one["count"] for one in told["findings"]}
    assert counts["pictures missing"] == counts["pictures damaged"] == counts["joints outside"] == 1
    assert told["joints"]["l_hip"]["annotated"] == 11
    assert told["written"] == []


def test_prepare_and_go_on(lspet, tmp_path):
    command = ("datasets", "prepare", "lspet", "--root", lspet, "--to", tmp_path / "cache", "--size", 64, "--shards", 2)
    text = good(*command)
    assert "9 people in" in text
    assert "2 shards written" in text
    for words in (
        "im00002.jpg",
        "im00012.jpg",
        "cut off after 2000 bytes",
        "No such file",
        "im00008.jpg",
        "joints outside the picture: r ankle",
        "3 people are left out, 1 of them for joints outside",
    ):
        assert words in text
    prepared = PreparedPose(tmp_path / "cache")
    assert len(prepared.records) == 9
    assert prepared.image(prepared.records[8]).shape == (64, 64, 3)
    (lspet / "images" / "im00012.jpg").write_bytes((lspet / "images" / "im00011.jpg").read_bytes())
    told = document(*command)
    assert (told["people"], told["shards_written"], told["shards_kept"]) == (10, 2, 0)
    assert [one["person"] for one in told["left_out"]] == ["im00002.jpg", "im00008.jpg"]
    assert "holds another cache" in bad(*command[:-3], 96)


def test_what_cannot_be_checked(lspet, tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert "which is not a folder" in bad("datasets", "check", "lspet", "--root", tmp_path / "no")
    assert "'joints'" in bad("datasets", "check", "lsp", "--root", tmp_path)
    assert "holds lspet" in bad("datasets", "check", "lsp", "--root", lspet)
    assert "MPII" in bad("datasets", "check", "mpii", "--root", lspet)
    assert "Human3.6M" in bad("datasets", "prepare", "human36m", "--root", lspet.parent, "--to", tmp_path / "c")
    assert "COCO" in bad("datasets", "check", "coco", "--root", tmp_path)
    assert "KTH" in bad("datasets", "check", "kth", "--root", tmp_path)
    assert "gaitnet walkers make" in bad("datasets", "check", "walkers", "--root", lspet)
    assert "only human36m" in bad("datasets", "check", "lspet", "--root", lspet, "--action", "Walking")
    assert "is a file" in bad("datasets", "check", "lspet", "--root", lspet, "--output", file)
    assert "is a file" in bad("datasets", "prepare", "lspet", "--root", lspet, "--to", file)
    assert bad("datasets", "check", "imagenet", "--root", tmp_path)
    joints = scipy.io.loadmat(lspet / "joints.mat")["joints"]
    scipy.io.savemat(lspet / "joints.mat", {"joints": joints.transpose(1, 0, 2)})
    assert "brought into this order" in bad("datasets", "check", "lsp", "--root", lspet)
    scipy.io.savemat(lspet / "joints.mat", {"joints": np.where(joints == 300, np.nan, joints)})
    assert "joints that are no numbers" in good("datasets", "check", "lspet", "--root", lspet)
    assert "NaN" in bad("datasets", "prepare", "lspet", "--root", lspet, "--to", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_data_set_without_one_picture(lspet, tmp_path):
    for path in (lspet / "images").iterdir():
        path.unlink()
    command = ("datasets", "check", "lspet", "--root", lspet, "--output", tmp_path / "seen")
    _, said = refused_as_a_whole(*command)
    assert f"lspet in {lspet} cannot be used: not one picture of it can be read" in said
    told = json.loads((tmp_path / "seen" / "lspet.json").read_text())
    assert told["read"] == 0
    assert [file.name for file in (tmp_path / "seen").iterdir()] == ["lspet.json"]
    assert "not one of 12 people" in bad("datasets", "prepare", "lspet", "--root", lspet, "--to", tmp_path / "cache")


def test_nothing_is_written_into_a_data_set(lspet, tmp_path):
    """The index of a cache among walkers, or a check's numbers beside COCO's json, would be read as annotations."""
    (tmp_path / "link").symlink_to(lspet)
    for place in (lspet, lspet / "new", tmp_path / "link" / "new", lspet / ".." / "lspet" / "new"):
        for command, option in (("check", "--output"), ("prepare", "--to")):
            assert f"{option}: {place} lies within" in bad("datasets", command, "lspet", "--root", lspet, option, place)
    assert sorted(file.name for file in lspet.iterdir()) == ["images", "joints.mat"]


def test_one_bad_name_leaves_whole_results(tmp_path):
    root = tmp_path / "coco"
    root.mkdir()
    cv2.imwrite(str(root / "a.png"), np.zeros((90, 90, 3), np.uint8))
    names = ["a.png", "\ud800x.jpg", "n" * 300 + ".jpg", "\x1b]0;title\x07.jpg"]
    person = {"keypoints": [9, 9, 0] * 14 + [20, 30, 2, 40, 50, 2, 60, 70, 2], "bbox": [5, 5, 60, 60]}
    content = {
        "images": [{"id": place, "file_name": name} for place, name in enumerate(names)],
        "annotations": [{"image_id": place, "id": place, **person} for place in range(len(names))],
    }
    (root / "a.json").write_text(json.dumps(content))
    text = good("datasets", "check", "coco", "--root", root, "--output", tmp_path / "seen")
    assert "\x1b" not in text
    assert "\\u001b]0;title" in "".join(text.split())
    assert sorted(file.name for file in (tmp_path / "seen").iterdir()) == ["coco.json", "coco.png"]
    (missing,) = [
        one for one in json.loads((tmp_path / "seen" / "coco.json").read_text())["findings"]
        if one["kind"] == "pictures missing"
    ]  # fmt: skip
    assert missing["count"] == 3
    assert missing["examples"][0].endswith("/\ud800x.jpg")
    assert document("datasets", "prepare", "coco", "--root", root, "--to", tmp_path / "cache")["people"] == 1


@pytest.mark.parametrize(
    ("name", "people", "files"), [("mpii", 2958, 5), ("human36m", 4, 4), ("coco", 12, 4), ("lsp", 2000, 0)]
)
def test_the_real_data_sets(data_root, tmp_path, name, people, files):
    lacking = {
        "mpii": "people: 2,958 of 25,204 or more", "lsp": "photographs: 0 of the 2,000 released are there",
        "human36m": "subjects S6, S9, S11, who are learned from", "coco": "person_keypoints_train2017.json: 149,813",
    }  # fmt: skip
    done = run("datasets", "check", name, "--root", data_root, "--output", tmp_path, "--json")
    told = json.loads(done.stdout)
    assert (told["people"], told["read"]) == (people, files)
    assert done.exit_code == (2 if files == 0 else 0)  # of LSP there are only the annotations
    assert any(lacking[name] in sentence for sentence in told["missing"])
    assert (tmp_path / f"{name}.png").exists() == (files > 0)
    assert not {"pictures damaged", "joints outside", "joints that are no numbers"} & {
        one["kind"] for one in told["findings"]
    }


def test_landmarks_and_walks_of_videos(data_root, tmp_path):
    root = tmp_path / "kth"
    root.mkdir()
    for file in (data_root / "kth_walking").iterdir():
        if file.name.startswith("person04_walking_d1"):
            (root / file.name).symlink_to(file)
    told = document("datasets", "prepare", "kth", "--root", root, "--to", tmp_path / "cache", "--every", 30)
    prepared = PreparedPose(tmp_path / "cache")
    assert told["people"] == len(prepared.records) > 2
    assert {one.subject for one in prepared.records} == {"04"}
    # the walker is darker than the field he walks on
    one = prepared.records[0]
    x, y = one.keypoints[one.visible].mean(0).astype(int)
    assert prepared.image(one)[y - 5 : y + 5, x - 3 : x + 3].mean() < 0.7 * prepared.image(one)[:, :20].mean()
    checked = document("datasets", "check", "kth", "--root", root, "--every", 50)
    assert (checked["videos"], checked["read"]) == (1, 1)


def test_what_is_missing_and_what_cannot_be_told_are_said_of_a_usable_set(lspet):
    text = " ".join(good("datasets", "check", "lspet", "--root", lspet).split())
    assert "missing of the release" in text
    assert "people: 12 of the 10,000 released are annotated" in text
    assert "photographs: 11 of the 10,000 released are there" in text
    assert "too few people to tell whether all joints stand in the right order: as few as" in text
    assert "too few people to tell whether x and y are exchanged" in text
    told = document("datasets", "check", "lspet", "--root", lspet, "--every", 4)
    assert (told["people"], len(told["missing"]), told["useless"]) == (3, 2, "")
    assert "12 of the 10,000" in told["missing"][0]  # of all, not of those looked at


def test_sound_people_of_a_small_set_are_not_called_sound(tmp_path):
    from pose_trees import lsp

    text = good("datasets", "check", "lspet", "--root", lsp(tmp_path / "lspet", 5, extended=True))
    assert "nothing is odd" not in text  # the files are one and the same
    assert "cannot be told" in text


@pytest.mark.parametrize("how", ["moved", "exchanged"])
def test_a_data_set_that_no_training_could_use_is_told_and_refused(tmp_path, how):
    """`prepare` refuses it as well, and what a training would say is said."""
    from pose_trees import SIDE, lsp

    root = lsp(tmp_path / "lspet", 250, extended=True)
    joints = scipy.io.loadmat(root / "joints.mat")["joints"]
    if how == "moved":
        joints[:, 0] += 5000
    else:
        joints = joints[:, [1, 0, 2]]
        assert joints[:, :2].max() < SIDE
    scipy.io.savemat(root / "joints.mat", {"joints": joints})
    text, said = refused_as_a_whole("datasets", "check", "lspet", "--root", root)
    assert "nothing is odd" not in text
    assert "250" in text
    why = {"moved": "250 of 250 people have joints outside their picture", "exchanged": "trunks do not stand"}[how]
    assert why in said
    told, _ = refused_as_a_whole("datasets", "check", "lspet", "--root", root, "--json")
    assert why in json.loads(told)["useless"]
    words = {"moved": "200 of 200 people looked at have joints outside", "exchanged": "trunks lie"}[how]
    assert words in bad("datasets", "prepare", "lspet", "--root", root, "--to", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_prepared_data_set_is_no_release(lspet, tmp_path):
    good("datasets", "prepare", "lspet", "--root", lspet, "--to", tmp_path / "cache" / "lspet", "--size", 64)
    for command in (("check",), ("prepare", "--to", tmp_path / "again")):
        said = bad("datasets", command[0], "lspet", "--root", tmp_path / "cache", *command[1:])
        assert "is a prepared data set; name the folder of lspet as it was released" in said


def test_every_so_many_th_photograph_is_prepared(lspet, tmp_path):
    command = ("datasets", "prepare", "lspet", "--root", lspet, "--to", tmp_path / "cache", "--size", 64, "--every", 5)
    assert "3 people in" in good(*command)
    sources = [PreparedPose(tmp_path / "cache").source_of(one)[0] for one in PreparedPose(tmp_path / "cache").records]
    assert [name[-11:] for name in sources] == ["im00001.jpg", "im00006.jpg", "im00011.jpg"]
    assert "1 person in" in good(*command[:-1], 50, "--to", tmp_path / "one")
