"""What a check finds: each oddity put into sound people one at a time, damaged files, the sets of the wrong axes."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from humanpose.datasets import check as kinds
from humanpose.datasets.check import check_people, count_joints, require_people, require_sound, splits_of
from humanpose.datasets.kth import read_kth_landmarks
from humanpose.datasets.lsp import read_lsp
from humanpose.datasets.pictures import Video, decode_picture, is_damaged_within, pictures_of, read_picture
from humanpose.datasets.record import PoseRecord
from humanpose.datasets.survey import survey
from humanpose.skeleton import INDEX

STANDING = {
    "r_ankle": (40, 90), "r_knee": (40, 70), "r_hip": (38, 50), "l_hip": (58, 50), "l_knee": (58, 70),
    "l_ankle": (58, 90), "pelvis": (48, 50), "thorax": (48, 20), "upper_neck": (48, 17), "head_top": (48, 5),
    "r_wrist": (25, 55), "r_elbow": (27, 38), "r_shoulder": (33, 20), "l_shoulder": (63, 20), "l_elbow": (69, 38),
    "l_wrist": (71, 55),
}  # fmt: skip
BODY = np.array([STANDING[name] for name in INDEX], np.float32)


def person(path="a.png", keypoints=BODY, visible=None, **more):
    seen = np.ones(16, bool) if visible is None else visible
    box = np.array([20, 5, 75, 95], np.float32)
    return PoseRecord(Path(path), None, box, keypoints.astype(np.float32), seen, "made", **more)


def moved(**places):
    table = BODY.copy()
    for name, place in places.items():
        table[INDEX[name]] = place
    return table


def only(records):
    (finding,) = check_people(records)
    return finding


def test_sound_people_have_no_findings():
    mirrored = BODY * np.array([-1, 1], np.float32) + np.array([96, 0], np.float32)
    assert check_people([person(f"{k}.png", keypoints) for k, keypoints in enumerate((BODY, mirrored))]) == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (kinds.NUMBERS, {"keypoints": moved(l_wrist=(np.nan, 3))}),
        (kinds.NO_JOINTS, {"visible": np.zeros(16, bool)}),
        (kinds.TORSO, {"keypoints": moved(r_shoulder=(58, 50), l_shoulder=(38, 50)),
                       "visible": np.isin(np.arange(16), [2, 3, 12, 13])}),
        (kinds.ORIGIN, {"keypoints": moved(l_wrist=(0, 0))}),
        (kinds.CROSSED, {"keypoints": moved(r_hip=(58, 50), l_hip=(38, 50))}),
    ],
)  # fmt: skip
def test_each_oddity_is_found_once(kind, changes):
    finding = only([person("sound.png"), person("odd.png", **changes)])
    assert (finding.kind, finding.count) == (kind, 1)
    assert "odd.png" in finding.examples[0]
    assert finding.records[0].path == Path("odd.png")


def test_crossed_hips_need_an_upright_and_broad_view():
    lying = BODY[:, ::-1].copy()
    lying[[INDEX["r_hip"], INDEX["l_hip"]]] = lying[[INDEX["l_hip"], INDEX["r_hip"]]]
    narrow = moved(r_hip=(49, 50), l_hip=(47, 50))
    unseen = np.ones(16, bool)
    unseen[INDEX["l_hip"]] = False
    crossed = moved(r_hip=(58, 50), l_hip=(38, 50))
    assert check_people([person("a", lying), person("b", narrow), person("c", crossed, unseen)]) == []


def test_whoever_walks_stands_on_their_feet():
    upside_down = BODY * np.float32([1, -1]) + np.float32([0, 100])
    people = [person("walk", BODY), person("walked", upside_down), person("cartwheel", upside_down)]
    walking = [replace(one, action=action) for one, action in zip(people, ("walking", "Walking 1", ""), strict=True)]
    finding = only([*walking, *(person(f"{k}.png") for k in range(9))])
    assert (finding.kind, finding.count, finding.records[0].path.name) == (kinds.HEAD, 1, "walked")


def test_the_landmarks_of_kth_have_some_on_their_heads(data_root):
    findings = check_people(read_kth_landmarks(data_root / "kth_walking"))
    assert {one.kind: one.count for one in findings} == {kinds.HEAD: 48}


def test_boxes_and_people_twice():
    finding = only([person(), replace(person("b.png"), box=np.full(4, np.nan, np.float32))])
    assert finding.kind == kinds.NO_BOX
    twin = person("a.png", BODY + np.float32(0.3))
    other = person("a.png", BODY + np.float32(9))
    assert (only([person(), other, twin]).kind, only([person(), other, twin]).count) == (kinds.TWICE, 1)
    assert check_people([person(), person("b.png")]) == []


def test_examples_are_few_and_counts_whole():
    finding = only([person(f"{k}.png", moved(l_wrist=(0, 0))) for k in range(7)])
    assert finding.count == 7
    assert len(finding.examples) == len(finding.records) == 3
    assert finding.examples[0] == "0.png: l_wrist"


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected people, got none"):
        require_people([])
    with pytest.raises(ValueError, match=r"a visible joint is NaN or infinite \(a.png: l_wrist\)"):
        require_people([person(keypoints=moved(l_wrist=(np.inf, 0)))])
    foreign = person("c.png")
    object.__setattr__(foreign, "keypoints", np.zeros((17, 2), np.float32))  # past the checks of the tests
    finding = only([person(), foreign])
    assert finding.kind == kinds.SKELETON
    assert "c.png has keypoints (17, 2)" in finding.examples[0]
    with pytest.raises(ValueError, match="keypoints are not the 16 joints"):
        require_people([foreign])
    with pytest.raises(ValueError, match="1 files are missing, such as"):
        require_sound([picture(tmp_path / "a.png"), person(str(tmp_path / "b.png"))])


def picture(path, keypoints=BODY, size=(100, 100), seed=0, **more):
    """A person in a picture that is there."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    return person(str(path), keypoints, **more)


def test_pictures_are_looked_at(tmp_path):
    far = BODY + np.array([500, 0], np.float32)
    sound = picture(tmp_path / "a.jpg")
    require_sound([sound])
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"b\.jpg: the picture is cut off after 3000 bytes"):
        require_sound([sound, person(str(tmp_path / "b.jpg"))])
    outside = [picture(tmp_path / f"{k}.png", far) for k in range(3)]
    with pytest.raises(ValueError, match="3 of 4 people looked at have joints outside"):
        require_sound([*outside, sound])
    require_sound([outside[0], sound])


def test_a_survey_counts_what_it_finds(tmp_path):
    records = [
        picture(tmp_path / "a.jpg", split="train", hidden=np.arange(16) == 3),
        picture(tmp_path / "b.jpg", moved(r_ankle=(40, 130)), (100, 120), 1, split="train"),
        picture(tmp_path / "c.png", seed=2, split="test"),
        person(str(tmp_path / "gone.jpg")),
        picture(tmp_path / "cut.jpg", seed=3),
    ]
    (tmp_path / "again.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    records.append(person(str(tmp_path / "again.jpg")))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-200])
    (tmp_path / "text.jpg").write_text("no picture")
    records.append(person(str(tmp_path / "text.jpg")))
    told = []
    found = survey(records, lambda done, total: told.append((done, total)))
    assert (found.people, found.files, found.videos, found.read) == (7, 7, 0, 4)
    assert told[-1] == (7, 7)
    assert found.splits == {"": 4, "train": 2, "test": 1}
    assert found.sizes == [((100, 100), 3), ((120, 100), 1)]
    assert found.joints["r_ankle"] == (7, 0, 1)
    assert found.joints["l_hip"] == (7, 1, 0)
    assert [Path(one.path).name for one in found.sound] == ["a.jpg", "b.jpg", "c.png", "again.jpg"]
    by_kind = {one.kind: one for one in found.findings}
    assert {kind: one.count for kind, one in by_kind.items()} == {
        kinds.MISSING: 1, kinds.DAMAGED: 2, kinds.SAME: 1, kinds.OUTSIDE: 1,
    }  # fmt: skip
    assert by_kind[kinds.OUTSIDE].examples == ["b.jpg: r_ankle"]
    assert "cut.jpg: the picture is cut off" in by_kind[kinds.DAMAGED].examples[0]
    assert by_kind[kinds.SAME].examples == ["again.jpg is a.jpg"]


def test_records_of_one_picture_come_together(tmp_path):
    records = [picture(tmp_path / "a.png"), person(str(tmp_path / "a.png")), person(str(tmp_path / "b.png"))]
    first, second = pictures_of(records)
    assert [len(first[0]), len(second[0])] == [2, 1]
    assert first[1].shape == (100, 100, 3)
    assert second[1] is None
    assert "cannot be read" in second[2]


def test_every_cut_of_a_picture_is_noticed(tmp_path):
    picture(tmp_path / "a.jpg", size=(40, 40))
    picture(tmp_path / "a.png", size=(40, 40))
    for name in ("a.jpg", "a.png"):
        whole = (tmp_path / name).read_bytes()
        assert decode_picture(whole, name).shape == (40, 40, 3)
        for end in range(0, len(whole) - 3, 97):
            with pytest.raises(ValueError, match=name):
                decode_picture(whole[:end], name)
    data = (tmp_path / "a.jpg").read_bytes()
    thumbnail = b"\xff\xe1\x00\x0a" + b"\xff\xd8ab\xff\xd9xx"  # a picture's end inside a segment is not the end
    with pytest.raises(ValueError, match="cut off"):
        decode_picture(data[:2] + thumbnail + data[2:-50], "b.jpg")
    np.testing.assert_array_equal(decode_picture(data[:2] + thumbnail + data[2:], "b"), decode_picture(data, "b"))


@pytest.mark.parametrize("how", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_wrong_bytes_within_a_jpeg_are_noticed(tmp_path, how, capfd):
    """As a bad disc leaves them: the markers are whole, OpenCV reads it, and below the damage all rows are torn."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), cv2.resize(noise, (320, 240)), how)
    whole = (tmp_path / "a.jpg").read_bytes()
    assert not is_damaged_within(whole)
    assert not is_damaged_within(b"no JPEG")
    noticed = []
    for start in range(1000, len(whole) - 2200, 1500):
        bytes_of_another_file = np.random.default_rng(start).integers(0, 255, 2000, np.uint8).tobytes()
        wrong = whole[:start] + bytes_of_another_file + whole[start + 2000 :]
        noticed.append(is_damaged_within(wrong))
    assert np.mean(noticed) > 0.9
    assert noticed[-1]
    (tmp_path / "b.jpg").write_bytes(wrong)
    found = survey([person(str(tmp_path / name)) for name in ("a.jpg", "b.jpg")])
    assert [one.examples for one in found.findings if one.kind == kinds.DAMAGED] == [
        ["b.jpg: has wrong bytes in its middle; fetch it again"]
    ]
    assert found.read == 2
    assert "error" not in capfd.readouterr().err


def test_videos_that_cannot_be_read(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind" * 50)
    for name, says in (("a.mp4", "is no video, or a damaged one"), ("b.mp4", "the video is missing")):
        with pytest.raises(ValueError, match=says):
            Video(tmp_path / name).frame(0)
        found = survey([replace(person(str(tmp_path / name)), frame=3)])
        assert (found.videos, found.read, len(found.findings)) == (1, 0, 1)


def leeds(seed=0, count=40):
    rng = np.random.default_rng(seed)
    visible = rng.random((count, 14)) < 0.88
    keypoints = rng.uniform(1, 200, (count, 14, 2))
    extended = np.where(visible[..., None], keypoints, -keypoints)
    return (
        np.concatenate([keypoints, ~visible[..., None]], -1).transpose(2, 1, 0),
        np.concatenate([extended, visible[..., None]], -1).transpose(1, 2, 0),
    )


def test_axes_of_the_other_leeds_set_are_refused(tmp_path):
    lsp, lspet = leeds()
    for array, source in ((lsp, "lsp"), (lspet, "lspet")):
        scipy.io.savemat(tmp_path / "joints.mat", {"joints": array})
        assert read_lsp(tmp_path)[0].source == source
    for array in (lsp.transpose(1, 0, 2), lspet.transpose(1, 0, 2)):
        scipy.io.savemat(tmp_path / "joints.mat", {"joints": array})
        with pytest.raises(ValueError, match="the other set was brought into this order"):
            read_lsp(tmp_path)
    for array in (lsp.reshape(14, 3, -1), lspet.reshape(3, 14, -1)):
        scipy.io.savemat(tmp_path / "joints.mat", {"joints": array})
        with pytest.raises(ValueError, match="must be a flag of 0 or 1"):
            read_lsp(tmp_path)


def test_splits_of_the_leeds_sets(tmp_path):
    for array, parts in zip(leeds(1, 1002), ({"train": 1000, "test": 2}, {"train": 1002}), strict=True):
        scipy.io.savemat(tmp_path / "joints.mat", {"joints": array})
        assert splits_of(read_lsp(tmp_path)) == parts


def test_the_real_leeds_set(data_root):
    records = read_lsp(data_root / "lspet")
    assert splits_of(records) == {"train": 3600, "validation": 400}
    assert count_joints(records)["head_top"] == (3819, 0)
    found = survey(records[::40])
    assert found.read == found.files == 100
    assert not {kinds.DAMAGED, kinds.MISSING, kinds.SAME, kinds.TWICE} & {one.kind for one in found.findings}
    require_sound(records)
    by_kind = {one.kind: one.count for one in check_people(records)}
    assert by_kind == {kinds.CROSSED: 29}
    swapped = [replace(one, keypoints=one.keypoints[:, ::-1] * np.float32(3)) for one in records[::100]]
    with pytest.raises(ValueError, match="are x and y exchanged"):
        require_sound(swapped)
    assert read_picture(records[0].path).ndim == 3
