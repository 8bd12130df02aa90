"""Input that is odd rather than wrong: other encodings, emptied galleries, options that cannot mean anything here."""

import os

from stand_ins import bad, document, enrolled, film, good


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
