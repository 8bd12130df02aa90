"""Input that is odd rather than wrong: other encodings, emptied galleries, options that cannot mean anything here."""

import os

import numpy as np
from stand_ins import MODEL, SIZE, bad, document, enrolled, everything, film, good, vector

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
