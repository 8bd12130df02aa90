"""The command line where something breaks: any bytes in a file, a full disk, a process stopped at its work."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_ins import MODEL, SIZE, bad, everything, film, run, vector

from gaitnet.identification.gallery import Gallery

ROOT = Path(__file__).resolve().parent.parent


def damaged(sound: bytes) -> st.SearchStrategy[bytes]:
    """Anything at all, or a sound file that was cut, or changed in some bytes, or goes on with anything."""

    def changed(places: list[tuple[int, int]]) -> bytes:
        content = bytearray(sound)
        for where, value in places:
            content[where] = value
        return bytes(content)

    changes = st.lists(st.tuples(st.integers(0, len(sound) - 1), st.integers(0, 255)), min_size=1, max_size=20)
    return st.one_of(
        st.binary(max_size=300),
        st.integers(0, len(sound) - 1).map(lambda end: sound[:end]),
        changes.map(changed),
        st.tuples(st.integers(0, len(sound) - 1), st.binary(max_size=200)).map(lambda cut: sound[: cut[0]] + cut[1]),
    )


@pytest.fixture
def sound(place):
    """A sound file of each kind that the commands read: name -> (bytes, command that reads it)."""
    import cv2

    from humanpose import checkpoint

    Gallery(place / "g.npz", MODEL, SIZE).enroll("Anna", vector("anna")[None])
    cv2.imwrite(str(place / "p.png"), np.random.default_rng(0).integers(0, 255, (24, 18, 3), np.uint8))
    checkpoint.save(place / "w", {"kernel": np.ones((3, 4), np.float32)}, {"width": 1}, {"name": "toy"})
    film(place / "anna-1.mp4")
    files = {
        "video": (place / "anna-1.mp4", ["describe", "v.mp4"], "v.mp4"),
        "image": (place / "p.png", ["pose", "p.png"], "p.png"),
        "gallery": (place / "g.npz", ["identify", "anna-1.mp4", "--gallery", "g.npz"], "g.npz"),
        "strangers": (
            place.parent / "weights" / "gait" / "strangers.npz",
            ["identify", "anna-1.mp4", "--gallery", "g.npz"],
            place.parent / "weights" / "gait" / "strangers.npz",
        ),
        "weights": (place / "w" / "weights.npz", None, "w/weights.npz"),
        "manifest": (place / "w" / "model.json", None, "w/model.json"),
    }
    return {kind: (path.read_bytes(), command, place / to) for kind, (path, command, to) in files.items()}


@pytest.mark.parametrize("kind", ["video", "image", "gallery", "strangers", "weights", "manifest"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_sentence(sound, kind, data):
    """Whatever a file holds: done (0), or one sentence and exit code 2; no traceback, and the file stays as it is."""
    from humanpose import checkpoint

    good_bytes, command, path = sound[kind]
    content = data.draw(damaged(good_bytes))
    path.write_bytes(content)
    try:
        if command is None:
            with suppress(checkpoint.CheckpointError):
                arrays, manifest = checkpoint.load(path.parent)
                assert manifest["config"] == {"width": 1} or kind == "manifest"
                np.testing.assert_array_equal(arrays["kernel"], np.ones((3, 4)))
            return
        done = run(*command)
        assert done.exit_code in (0, 2), done.output
        assert "Traceback" not in done.output
        if done.exit_code == 2:
            assert len(done.stderr.strip()) > 10
            assert path.name in done.stderr
        assert path.read_bytes() == content
    finally:
        path.write_bytes(good_bytes)


@pytest.mark.parametrize("room", [0, 1])
@pytest.mark.parametrize("command", [["describe"], ["enroll", "Anna"], ["pose", "--no-overlay"]])
def test_disk_full(place, monkeypatch, command, room):
    """At the first file, or at the second of those that belong together: none of them stays."""
    if room and command[0] == "enroll":
        pytest.skip("a gallery is one file")
    film(place / "anna-1.mp4")
    done = []

    def full(descriptor):
        done.append(descriptor)
        if len(done) > room:
            raise OSError(28, os.strerror(28))

    before = everything(place)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "No space left" in bad(*command, "anna-1.mp4", code=1)
    assert everything(place) == before
    assert not list((place.parent / "data home").rglob("*.npz"))


# --- in a process of its own


PROGRAM = f"""
import resource, signal, sys, time
sys.path.insert(0, {str(ROOT / "tests")!r})
signal.signal(signal.SIGINT, signal.default_int_handler)
import stand_ins as stand_in
from types import ModuleType
networks = ModuleType("gaitnet.recognizer")
networks.GaitRecognizer = stand_in.Walkers
sys.modules["gaitnet.recognizer"] = networks
"""


@contextmanager
def started(place, extra, *arguments):
    """The program in a process that does not outlive the block, whatever fails in it."""
    program = PROGRAM + textwrap.dedent(extra) + "\nfrom gaitnet.cli.main import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=place, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_file_size_limit_stops_an_overlay(place):
    film(place / "ben-3.mp4")
    before = everything(place)
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    with started(place, limit, "pose", "ben-3.mp4") as process:
        said, complained = process.communicate(timeout=300)
    assert process.returncode == 1, (said, complained)
    assert "Traceback" not in complained
    assert "too large" in complained
    assert everything(place) == before


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_of_writing(place, sent, code):
    film(place / "ben-3.mp4", 60)
    before = everything(place)
    slow = """
    import gaitnet.overlay
    draw = gaitnet.overlay.draw
    def slowly(image, people):
        print("drawing", file=sys.stderr, flush=True)
        time.sleep(0.2)
        return draw(image, people)
    gaitnet.overlay.draw = slowly
    """
    with started(place, slow, "pose", "ben-3.mp4") as process:
        for _ in range(3):
            assert process.stderr.readline() == "drawing\n"
        assert len(everything(place)) == len(before) + 1
        process.send_signal(sent)
        _, complained = process.communicate(timeout=300)
    assert process.returncode == code, complained
    assert "Traceback" not in complained
    assert everything(place) == before


def test_defect_is_owned_and_shown_only_on_request(place):
    film(place / "anna-1.mp4")
    broken = "stand_in.Walkers.describe = lambda *_: {}['none']"
    for debug in ("", "1"):
        asked = f"import os; os.environ['GAITNET_DEBUG'] = '{debug}'\n"
        with started(place, asked + broken, "describe", "anna-1.mp4") as process:
            said, complained = process.communicate(timeout=300)
        assert (process.returncode, said) == (1, "")
        assert "KeyError" in complained
        assert ("Traceback" in complained) == bool(debug)


def test_help_comes_at_once(place):
    """Half a second of work, the interpreter's start included: counted in processor time, for a busy machine's sake."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "gaitnet.cli.main", "--help"], cwd=ROOT, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.5
