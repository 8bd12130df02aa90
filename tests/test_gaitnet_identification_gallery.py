"""The gallery: a file that keeps who was enrolled, refuses damage, and survives its writers."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitnet.identification import gallery as gallery_module
from gaitnet.identification.gallery import Gallery, GalleryError

MODEL, SIZE = "a" * 64, 16


def rows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32)


def test_gallery_keeps_who_was_enrolled(tmp_path):
    path = tmp_path / "people.gallery"
    gallery = Gallery(path, MODEL, SIZE)
    assert gallery.list() == []
    assert not path.exists()
    gallery.enroll("Zoë", rows(2), {"video": "a.mp4", "view": 90})
    gallery.enroll("ann", rows(1, seed=1))
    again = Gallery(path, MODEL, SIZE)
    assert again.subject_ids == ("Zoë", "ann")
    assert again.template_subject_ids == ("Zoë", "Zoë", "ann")
    assert again.templates[1].meta == {"video": "a.mp4", "view": 90}
    np.testing.assert_array_equal(again.vectors, np.concatenate([rows(2), rows(1, seed=1)]))
    assert [(line.subject_id, line.templates) for line in again.list()] == [("Zoë", 2), ("ann", 1)]
    assert again.remove("Zoë") == 2
    gallery.reload()
    assert gallery.subject_ids == ("ann",)
    np.testing.assert_array_equal(gallery.vectors, rows(1, seed=1))
    with pytest.raises(ValueError, match="Zoë"):
        gallery.remove("Zoë")
    assert path.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".*.tmp"))
    gallery.remove("ann")
    assert Gallery(path, MODEL, SIZE).vectors.shape == (0, SIZE)


def test_gallery_is_a_plain_npz(tmp_path):
    Gallery(tmp_path / "g.npz", MODEL, SIZE).enroll("ann", rows(2))
    with np.load(tmp_path / "g.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["vectors"], rows(2))
        assert json.loads(stored["manifest"].tobytes())["model_sha256"] == MODEL


def test_export(tmp_path):
    gallery = Gallery(tmp_path / "g", MODEL, SIZE)
    gallery.enroll("ann", rows(2), {"note": 'a "quoted", line'})
    entries = json.loads(gallery.export("json"))["templates"]
    np.testing.assert_array_equal(np.array([entry["vector"] for entry in entries], np.float32), rows(2))
    table = list(csv.DictReader(io.StringIO(gallery.export("csv"))))
    assert [row["subject_id"] for row in table] == ["ann", "ann"]
    assert json.loads(table[0]["meta"]) == {"note": 'a "quoted", line'}
    np.testing.assert_array_equal([np.float32(table[1][f"v{i}"]) for i in range(SIZE)], rows(2)[1])


def test_gallery_of_another_model_is_refused(tmp_path):
    Gallery(tmp_path / "g", MODEL, SIZE).enroll("ann", rows(1))
    with pytest.raises(GalleryError, match=r"enrolled with model a{64}, but the model in use is b{64};"):
        Gallery(tmp_path / "g", "b" * 64, SIZE)
    with pytest.raises(GalleryError, match="expected 8"):
        Gallery(tmp_path / "g", MODEL, 8)


def test_enroll_refuses_what_it_cannot_keep(tmp_path):
    gallery = Gallery(tmp_path / "g", MODEL, SIZE)
    for name in ("", "  ", "two\nlines"):
        with pytest.raises(ValueError, match="subject_id"):
            gallery.enroll(name, rows(1))
    for vectors in (rows(0), rows(1)[:, :3], np.zeros((1, SIZE)), np.full((1, SIZE), np.nan)):
        with pytest.raises(ValueError, match="vectors"):
            gallery.enroll("ann", vectors)
    for meta in ({"x": np.nan}, {"x": {1, 2}}):
        with pytest.raises(ValueError, match="meta"):
            gallery.enroll("ann", rows(1), meta)
    assert not (tmp_path / "g").exists()


def test_two_writers_do_not_lose_each_others_people(tmp_path):
    first, second = (Gallery(tmp_path / "g", MODEL, SIZE) for _ in range(2))
    first.enroll("ann", rows(1))
    second.enroll("bob", rows(1))
    first.enroll("cy", rows(1))
    assert Gallery(tmp_path / "g", MODEL, SIZE).subject_ids == ("ann", "bob", "cy")


def test_a_locked_gallery_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_module, "LOCK_SECONDS", 0.1)
    holder, writer = (Gallery(tmp_path / "g", MODEL, SIZE) for _ in range(2))
    with holder._exclusive(), pytest.raises(GalleryError, match="another process"):
        writer.enroll("ann", rows(1))
    writer.enroll("ann", rows(1))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "g"
    Gallery(path, MODEL, SIZE).enroll("ann", rows(3), {"view": 90})
    return path.read_bytes()


def opens_or_refuses(path: Path, content: bytes) -> bool:
    """True where it opened; anything but a gallery or a GalleryError fails the test."""
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gallery = Gallery(path, MODEL, SIZE)
        except GalleryError:
            return False
    assert len(gallery.templates) == len(gallery.vectors)
    return True


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda rest: b"PK\x03\x04" + rest)))
def test_random_bytes_are_refused(content, tmp_path_factory):
    assert not opens_or_refuses(tmp_path_factory.getbasetemp() / "random", content)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_refused_or_harmless(data, sound, tmp_path_factory):
    """A cut is always refused; a changed byte is refused, or was one that no reader looks at (a date in the zip)."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    assert not opens_or_refuses(path, sound[: data.draw(st.integers(0, len(sound) - 1))])
    position, value = data.draw(st.integers(0, len(sound) - 1)), data.draw(st.integers(0, 255))
    if opens_or_refuses(path, sound[:position] + bytes([value]) + sound[position + 1 :]):
        np.testing.assert_array_equal(Gallery(path, MODEL, SIZE).vectors, rows(3))
        assert Gallery(path, MODEL, SIZE).subject_ids == ("ann",)


def test_newer_version_is_refused_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_module, "VERSION", 2)
    Gallery(tmp_path / "g", MODEL, SIZE).enroll("ann", rows(1))
    monkeypatch.undo()
    with pytest.raises(GalleryError, match="version 2 is newer"):
        Gallery(tmp_path / "g", MODEL, SIZE)


WRITER = """
import os, signal, sys, tempfile
import numpy as np
from gaitnet.identification.gallery import Gallery
gallery = Gallery(sys.argv[1], "a" * 64, 512)
calls, last = 0, int(sys.argv[2])

def dying(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

for module, name in ((tempfile, "mkstemp"), (os, "fchmod"), (os, "fsync"), (os, "replace")):
    setattr(module, name, dying(getattr(module, name)))
for number in range(3):
    gallery.enroll("p%d" % number, np.ones((40, 512), np.float32))
    print(len(gallery.templates), flush=True)
gallery.remove("p0")
print(len(gallery.templates), flush=True)
"""


def test_a_writer_killed_at_any_step_of_a_write_leaves_a_sound_gallery(tmp_path):
    """Three enrolments and a removal, killed before each call that changes the disk; what was reported is there."""
    states, interrupted, last, ended = [0, 40, 80, 120, 80], 0, 0, False
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    while not ended:
        last += 1
        path = tmp_path / str(last) / "g"
        path.parent.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", WRITER, str(path), str(last)], capture_output=True, text=True, env=environment
        )
        ended = done.returncode == 0
        assert ended or done.returncode == -signal.SIGKILL, done.stderr
        reported = len(done.stdout.split())
        interrupted += bool(list(path.parent.glob(".g.*.tmp")))
        survivor = Gallery(path, MODEL, 512)  # raises where the file is broken
        assert len(survivor.templates) in states[reported : reported + 2]
        survivor.enroll("after", np.ones((1, 512), np.float32))
        assert not list(path.parent.glob(".g.*.tmp"))
    assert last == 4 * 4 + 3 + 1  # four calls a write, fchmod only where there is a file, and the run that ends
    assert interrupted >= 8, "hardly a kill fell into a write, so this test showed little"
