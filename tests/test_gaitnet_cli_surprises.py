"""Input that is odd rather than wrong: other encodings, emptied galleries, options that cannot mean anything here."""

import os

import cv2
import numpy as np
import pytest
from stand_ins import MODEL, SIZE, Walkers, bad, document, enrolled, everything, film, good, run, vector

from gaitnet.identification import gallery as gallery_file
from gaitnet.identification.gallery import Gallery


def test_a_name_that_is_no_utf8_is_refused_in_one_sentence(place):
    """As of files from an old system's disk: b"Z\\xfcrich.mp4"."""
    enrolled(place)
    name = os.fsdecode(b"Z\xfcrich.mp4")
    film(place / "anna-3.mp4").rename(place / name)
    for command in (["describe"], ["identify"], ["pose"], ["enroll", "Carl"]):
        assert "rename it" in bad(*command, name)


def test_a_terminal_of_another_encoding_gets_escapes(place, monkeypatch):
    """What is done must not end in "a defect of this program" because a name cannot be shown."""
    monkeypatch.setenv("GAITNET_GALLERY", os.fsdecode(b"Z\xfcrich.npz"))
    assert "Z\\udcfcrich.npz" in good("enroll", "Anna", film(place / "anna-1.mp4"))
    assert document("gallery", "list")["gallery"] == os.fsdecode(b"Z\xfcrich.npz")
    assert "Z\\udcfcrich.npz" in good("gallery", "list")


def test_an_emptied_gallery_belongs_to_no_model(place):
    Gallery(place / "g.npz", "cd" * 32, SIZE + 1).enroll("Zoë", np.ones((1, SIZE + 1), np.float32))
    good("gallery", "remove", "Zoë", "--gallery", "g.npz")
    assert document("gallery", "list", "--gallery", "g.npz")["people"] == []
    good("enroll", "Anna", film(place / "anna-1.mp4"), "--gallery", "g.npz")
    assert [entry["subject_id"] for entry in document("gallery", "list", "--gallery", "g.npz")["people"]] == ["Anna"]


def test_a_newer_gallery_asks_for_an_update_and_nothing_else(place, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(gallery_file, "VERSION", 2)
        Gallery(place / "g.npz", MODEL, SIZE).enroll("Anna", vector("anna")[None])
    sentence = bad("gallery", "list", "--gallery", "g.npz")
    assert "update gaitnet" in sentence
    assert "enrol anew" not in sentence


def test_a_gallery_is_not_replaced_by_its_own_export(place):
    good("enroll", "Anna", film(place / "anna-1.mp4"), "--gallery", "people.json")
    assert "is the gallery itself" in bad("gallery", "export", "people.json", "--gallery", "people.json")
    assert document("gallery", "list", "--gallery", "people.json")["people"][0]["subject_id"] == "Anna"


def test_leftovers_of_killed_writers_go_and_those_of_other_galleries_stay(place):
    for left in (".my[1].npz.abcd1234.tmp", ".my[1].npz.old.abcd1234.tmp", ".my1.npz.abcd1234.tmp"):
        (place / left).touch()
    good("enroll", "Anna", film(place / "anna-1.mp4"), "--gallery", "my[1].npz")
    assert [name for name in everything(place) if name.endswith(".tmp")] == [
        ".my1.npz.abcd1234.tmp", ".my[1].npz.old.abcd1234.tmp",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Anna ", " Anna", "unknown "])
def test_a_name_with_a_blank_that_nobody_sees_is_refused(place, name):
    assert "blank" in bad("enroll", name, film(place / "anna-1.mp4"))


def test_options_of_pose_that_cannot_apply_are_told(place):
    film(place / "anna-1.mp4")
    cv2.imwrite(str(place / "p.png"), np.zeros((24, 18, 3), np.uint8))
    (place / "folder").mkdir()
    cv2.imwrite(str(place / "folder" / "p.png"), np.zeros((24, 18, 3), np.uint8))
    assert "--whole" in bad("pose", "anna-1.mp4", "--whole")
    assert "--whole" in bad("pose", "folder", "--whole", "--frames")
    assert "--frames" in bad("pose", "anna-1.mp4", "--frames")
    assert "--frames" in bad("pose", "p.png", "--frames")
    good("pose", "p.png", "--whole")
    good("pose", "folder", "--whole")


def test_pictures_of_a_folder_come_in_natural_order(place):
    (place / "photos").mkdir()
    for number in (10, 2, 1):
        cv2.imwrite(str(place / "photos" / f"{number}.png"), np.zeros((24, 18, 3), np.uint8))
    names = [entry["file_name"] for entry in document("pose", "photos", "--no-overlay")["images"]]
    assert names == ["1.png", "2.png", "10.png"]


def test_every_result_of_pose_that_has_no_place_is_told_before_the_work(place, monkeypatch):
    film(place / "anna-1.mp4")
    (place / "photos").mkdir()
    cv2.imwrite(str(place / "photos" / "a.png"), np.zeros((24, 18, 3), np.uint8))
    monkeypatch.setattr(Walkers, "load", lambda *_: pytest.fail("the networks were loaded"))
    pictures, films = ("pose", "photos/a.png"), ("pose", "anna-1.mp4")
    for command, name in ((pictures, "a.pose.png"), (pictures, "a.pose.csv"), (films, "anna-1.pose.mp4")):
        (place / name).mkdir()
        assert f"{name}: is a folder" in bad(*command)
        (place / name).rmdir()
    (place / "photos.pose").touch()
    assert "photos.pose: is a file, where the folder" in bad("pose", "photos")
    (place / "camera0.pose.mp4").mkdir()
    assert "camera0.pose.mp4: is a folder" in bad("pose", "--camera", 0)
    assert sorted(path.name for path in place.iterdir()) == [
        "anna-1.mp4", "camera0.pose.mp4", "photos", "photos.pose"
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["describe", "pose"])
def test_results_that_cannot_be_written_are_told_before_the_work(place, monkeypatch, command):
    film(place / "anna-1.mp4")
    monkeypatch.setattr(Walkers, "describe", lambda *_: pytest.fail("the video was looked at"))
    taken = place / f"anna-1.{'gait' if command == 'describe' else 'pose'}.json"
    taken.mkdir()
    assert "is a folder" in bad(command, "anna-1.mp4")
    taken.rmdir()
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not mode & os.W_OK)
    done = run(command, "anna-1.mp4")
    assert (done.exit_code, "Permission denied" in done.stderr) == (1, True)
