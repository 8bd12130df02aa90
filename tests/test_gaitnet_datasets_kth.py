"""The KTH and CMU readers: trees built here with the published files' oddities, and the real folders where they are."""

import warnings

import pytest

from gaitnet.datasets.cmu import read_cmu
from gaitnet.datasets.kth import VALIDATION_PERSONS, parse_sequences, read_kth
from gaitnet.datasets.record import Sequence

LISTING = (
    "This file lists the frames of every sequence\r\n"
    "\r\n"
    "person04_walking_d1\t\tframes\t1-85, 108-196, 268-356, 382-470\r\n"
    "person04_walking_d2\t\tframes\t1-155, 212-380, 485-630, 680-840\r\n"
    "person04_walking_d3    \t\tframes\t1-74,128-215,  272-350, 394-480\r\n"
    "person04_jogging_d1\t\tframes\t1-10, nonsense\r\n"
    "person11_walking_d1\tframes 1 - 95, 145-245, 370-460\r\n"
)


def tree(tmp_path, *videos, listing=LISTING):
    (tmp_path / "00sequences.txt").write_bytes(listing.encode())
    for name in videos:
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_frames_are_counted_from_0_and_the_last_is_included(tmp_path):
    root = tree(tmp_path, "person04_walking_d1_uncomp.avi", "person04_walking_d3_uncomp.mp4", "person11_walking_d1.mp4")
    walks = read_kth(root)
    assert len(walks) == 4 + 4 + 3
    assert walks[1] == Sequence(
        "04", "NM", "d1", 90.0, "2", root / "person04_walking_d1_uncomp.avi", first_frame=107, last_frame=195
    )
    assert [walk.condition for walk in walks[4:8]] == ["CL"] * 4
    assert [(walk.first_frame, walk.last_frame) for walk in walks[8:]] == [(0, 94), (144, 244), (369, 459)]
    assert walks[-1].name == "11/d1/3/090"
    assert len({walk.name for walk in walks}) == len(walks)


def test_d2_is_listed_but_not_asked_for(tmp_path):
    root = tree(tmp_path, "person04_walking_d1_uncomp.avi", "person04_walking_d3_uncomp.avi", "person11_walking_d1.avi")
    assert {walk.session for walk in read_kth(root)} == {"d1", "d3"}  # and no warning, which would be an error here
    with pytest.warns(UserWarning, match="without a video: person04 d2"):
        read_kth(root, scenarios=("d1", "d2", "d3"))


def test_what_is_missing_is_named_once(tmp_path):
    root = tree(tmp_path, "person04_walking_d1_uncomp.avi", "person12_walking_d1_uncomp.avi", "notes.txt")
    with pytest.warns(UserWarning, match="KTH folder") as caught:
        walks = read_kth(root)
    assert len(walks) == 4
    (warning,) = caught
    assert "listed but without a video: person04 d3, person11 d1" in str(warning.message)
    assert "video but not listed: person12 d1" in str(warning.message)


def test_the_published_container_is_preferred(tmp_path):
    names = ("person04_walking_d1_uncomp.mp4", "person04_walking_d1_uncomp.avi")
    root = tree(tmp_path, *names, listing="person04_walking_d1 frames 1-9\n")
    assert read_kth(root)[0].path.suffix == ".avi"


@pytest.mark.parametrize(
    "line",
    [
        "person04_walking_d1 frames",
        "person04_walking_d1 1-5",
        "person04_walking_d1 frames 9-5",
        "person04_walking_d1 frames 0-5",
    ],
)
def test_unreadable_lines_are_named(tmp_path, line):
    root = tree(tmp_path, "person04_walking_d1_uncomp.avi", listing="heading\n" + line + "\n")
    with pytest.raises(ValueError, match=r"00sequences\.txt, line 2: expected"):
        read_kth(root)


def test_wrong_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not a folder"):
        read_kth(tmp_path / "none")
    with pytest.raises(ValueError, match=r"expected 00sequences\.txt"):
        read_kth(tmp_path)
    with pytest.raises(ValueError, match="expected videos named"):
        read_kth(tree(tmp_path))
    with pytest.raises(ValueError, match="got d7"):
        read_kth(tmp_path, scenarios=("d7",))
    with pytest.raises(ValueError, match="SS_TT"):
        read_cmu(tmp_path)
    with pytest.raises(ValueError, match="not a folder"):
        read_cmu(tmp_path / "00sequences.txt")


def test_frames_must_be_in_order(tmp_path):
    with pytest.raises(ValueError, match="first <= last"):
        Sequence("1", "NM", "", None, "1", tmp_path, first_frame=5, last_frame=4)


def test_cmu_clips_in_order_of_performer_and_trial(tmp_path):
    for name in ("16_9.bvh", "16_15.bvh", "02_01.BVH", "113_25.bvh", "walk.bvh", "02_02.txt"):
        (tmp_path / name).write_bytes(b"")
    clips = read_cmu(tmp_path)
    assert [(clip.subject_id, clip.sequence) for clip in clips] == [
        ("02", "01"),
        ("16", "09"),
        ("16", "15"),
        ("113", "25"),
    ]
    assert clips[0].name == "02/01"
    assert clips[0].view is None


def test_real_kth(data_root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # everything listed for d1, d3 and d4 is there
        walks = read_kth(data_root / "kth_walking")
    assert len(walks) == 15 * 3 * 4
    assert set(VALIDATION_PERSONS) < {walk.subject_id for walk in walks}
    assert walks[0].path.suffix == ".avi"
    assert all(15 < (walk.last_frame or 0) - walk.first_frame < 200 for walk in walks)
    assert len(parse_sequences(data_root / "kth_walking" / "00sequences.txt")) == 60


def test_real_cmu(data_root):
    clips = read_cmu(data_root / "cmu_walk")
    performers = [clip.subject_id for clip in clips]
    assert (len(clips), len(set(performers))) == (53, 21)
    assert sum(performers.count(name) > 1 for name in set(performers)) == 8
