"""The command line as somebody meets it who does everything wrong; networks are stand-ins here, files are real."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gaitnet.cli import app
from gaitnet.identification.gallery import Gallery
from gaitnet.identification.search import Strangers, save_strangers
from gaitnet.video.read import VideoReader
from gaitnet.video.write import VideoWriter

SIZE = 32
MODEL = "ab" * 32
ROOT = Path(__file__).resolve().parent.parent


class Walkers:
    """Stands in for GaitRecognizer: the people of a video are told by its name, "anna+ben.mp4" shows two."""

    identity = MODEL
    detector = None
    gait = SimpleNamespace(config=SimpleNamespace(size=SIZE))

    class pose:  # noqa: N801
        @staticmethod
        def joints(image, boxes=None):
            count = 1 if boxes is None else len(boxes)
            middle = np.array([image.shape[1] / 2, image.shape[0] / 2], np.float32)
            return np.tile(middle, (count, 16, 1)), np.full((count, 16), 0.9, np.float32)

    @classmethod
    def load(cls, folder=None):
        return cls()

    def describe(self, video, progress=None):
        with VideoReader(video) as reader:
            frames = [(frame.index, frame.time) for frame in reader]
        if progress is not None:
            progress(len(frames), len(frames))
        told = Path(video).stem.removesuffix(" then")
        names = [] if told == "empty street" else told.split("+")
        part = len(frames) // len(names) if told != Path(video).stem else 0
        return [
            walker(name.split("-")[0], place, frames[place * part :][: part or None], f"{name} in {told}")
            for place, name in enumerate(names)
        ]


def vector(name, seed=""):
    """A person's identification vector: theirs alone, and a little different in each video."""
    own, this = (np.random.default_rng(list(text.encode())) for text in (name, name + seed))
    return (own.standard_normal(SIZE) + 0.15 * this.standard_normal(SIZE)).astype(np.float32)


def walker(name, place, frames, video):
    count = len(frames)
    reason = "too few frames" if count < 8 else "too small" if name == "far" else None
    box = np.tile(np.array([2 + 8 * place, 4, 20 + 8 * place, 44], np.float32), (count, 1))
    steps = np.random.default_rng(0).uniform(0, 1, (16, 2)) * (16, 40) + (3, 4)
    found = vector(name, video)
    return SimpleNamespace(
        track=place, frames=np.array([f for f, _ in frames]), times=np.array([t for _, t in frames], float), boxes=box,
        keypoints=np.tile(steps.astype(np.float32), (count, 1, 1)), probability=np.full((count, 16), 0.8, np.float32),
        mirrored=False, identification_vector=None if reason else found, reason=reason,
        windows=None if reason else np.stack([found, found + 0.01]),
    )  # fmt: skip


def film(path, count=10, size=(48, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path) as writer:
        for step in range(count):
            writer.write(np.full((*size, 3), 40 + 5 * (step % 30), np.uint8))
    return path


def strangers(folder):
    folder.mkdir(parents=True)
    names = tuple(f"s{number}" for number in range(150))
    save_strangers(folder / "strangers.npz", Strangers(np.stack([vector(name) for name in names]), names, MODEL))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, a gallery of its own, and stand-ins for the networks."""
    networks = ModuleType("gaitnet.recognizer")
    networks.GaitRecognizer = Walkers
    monkeypatch.setitem(sys.modules, "gaitnet.recognizer", networks)
    strangers(tmp_path / "weights" / "gait")
    monkeypatch.setenv("GAITNET_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data home"))
    for name in ("GAITNET_GALLERY", "GAITNET_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "my work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def good(*arguments):
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def bad(*arguments, code=2):
    """The one sentence that a refused command says."""
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip()) > 10
    return done.stderr


def document(*arguments):
    return json.loads(good(*arguments, "--json"))


def enrolled(place):
    """Anna and Ben from two videos each; returns the folder."""
    for name in ("anna", "ben"):
        good("enroll", name.capitalize(), film(place / f"{name}-1.mp4"), film(place / f"{name}-2.mp4"))


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- what it is for


def test_enrol_and_be_found_again(place):
    enrolled(place)
    film(place / "film of the door" / "ben-3+carl+far.mp4")
    answer = document("identify", "film of the door/ben-3+carl+far.mp4")
    ben, carl, far = answer["videos"][0]["people"]
    assert (ben["name"], ben["reason"]) == ("Ben", None)
    assert carl["name"] is None
    assert carl["candidate"] in ("Anna", "Ben")
    assert carl["reason"] is None
    assert ben["score"] > answer["threshold"] >= carl["score"]
    assert (far["name"], far["score"], far["reason"]) == (None, None, "too small")
    assert answer["enrolled"] == ["Anna", "Ben"]


def test_identify_prints_a_table_of_80_columns(place):
    enrolled(place)
    film(place / "ben-3+carl+far.mp4")
    printed = good("identify", "ben-3+carl+far.mp4")
    assert max(map(len, printed.splitlines())) <= 80
    for words in ("Ben", "unknown", "not described", "too small"):
        assert words in printed


def test_identify_writes_an_overlay(place):
    enrolled(place)
    film(place / "ben-3+carl.mp4")
    good("identify", "ben-3+carl.mp4", "--overlay", "named.mp4")
    with VideoReader(place / "named.mp4") as reader:
        frames = list(reader)
    assert (reader.info.width, reader.info.height, len(frames)) == (640, 480, 10)


def test_several_videos_at_once(place):
    enrolled(place)
    names = [film(place / name).name for name in ("ben-5.mp4", "anna-5.mp4", "empty street.mp4")]
    answers = document("identify", *names)["videos"]
    assert [[e["name"] for e in video["people"]] for video in answers] == [["Ben"], ["Anna"], []]


def test_verify(place):
    enrolled(place)
    film(place / "ben-3.mp4")
    yes, no = document("verify", "Ben", "ben-3.mp4"), document("verify", "Anna", "ben-3.mp4")
    assert (yes["verified"], no["verified"]) == (True, False)
    assert yes["people"][0]["score"] > yes["people"][0]["threshold"] > no["people"][0]["score"]
    assert "yes, Ben" in good("verify", "Ben", "ben-3.mp4")
    assert "no, not Anna" in good("verify", "Anna", "ben-3.mp4")


def test_one_person_enrolled_is_told_from_strangers(place):
    good("enroll", "Anna", film(place / "anna-1.mp4"))
    film(place / "anna-2+ben.mp4")
    assert [e["name"] for e in document("identify", "anna-2+ben.mp4")["videos"][0]["people"]] == ["Anna", None]


def test_gallery_list_export_remove(place):
    assert document("gallery", "list")["people"] == []
    assert "nobody is enrolled" in good("gallery", "list")
    enrolled(place)
    assert [entry["subject_id"] for entry in document("gallery", "list")["people"]] == ["Anna", "Ben"]
    assert "Anna" in good("gallery", "list")
    good("gallery", "export", "people.json")
    templates = json.loads((place / "people.json").read_text())["templates"]
    assert [entry["subject_id"] for entry in templates] == ["Anna"] * 4 + ["Ben"] * 4
    assert templates[0]["meta"]["video"] == "anna-1.mp4"
    assert document("gallery", "export", "people.csv")["vectors"] == 8
    assert document("gallery", "remove", "Ben")["vectors"] == 4
    assert [entry["subject_id"] for entry in document("gallery", "list")["people"]] == ["Anna"]


def test_gallery_goes_where_it_is_told(place, monkeypatch):
    film(place / "anna-1.mp4")
    good("enroll", "Anna", "anna-1.mp4")
    assert (place.parent / "data home" / "gaitnet" / "gallery.npz").is_file()
    good("enroll", "Ben", film(place / "ben-1.mp4"), "--gallery", "mine.npz")
    monkeypatch.setenv("GAITNET_GALLERY", str(place / "mine.npz"))
    assert [entry["subject_id"] for entry in document("gallery", "list")["people"]] == ["Ben"]


def test_people_of_another_model_can_be_listed_and_forgotten(place):
    Gallery(place / "old.npz", "cd" * 32, 7).enroll("Zoë", np.ones((1, 7), np.float32))
    assert "Zoë" in good("gallery", "list", "--gallery", "old.npz")
    good("gallery", "remove", "Zoë", "--gallery", "old.npz")


def test_describe_writes_vectors(place):
    film(place / "anna-1+far.mp4")
    printed = good("describe", "anna-1+far.mp4", "--output", "vectors")
    assert "too small" in printed
    text = json.loads((place / "vectors" / "anna-1+far.gait.json").read_text())
    assert [entry["reason"] for entry in text["people"]] == [None, "too small"]
    with np.load(place / "vectors" / "anna-1+far.gait.npz", allow_pickle=False) as arrays:
        assert arrays["identification_vectors"].shape == (1, SIZE)
        np.testing.assert_allclose(
            arrays["identification_vectors"][0], text["people"][0]["identification_vector"], 1e-4
        )
        assert arrays["person2_keypoints"].shape == (10, 16, 2)
    assert document("describe", "anna-1+far.mp4")["videos"][0]["people"] == text["people"]


def test_pose_of_a_video(place):
    film(place / "anna-1+ben.mp4")
    answer = document("pose", "anna-1+ben.mp4", "-o", "out")
    assert everything(place / "out") == [f"anna-1+ben.pose.{kind}" for kind in ("csv", "json", "mp4")]
    assert len(answer["images"]) == 10
    assert len(answer["annotations"]) == 20
    first = answer["annotations"][0]
    assert len(first["keypoints"]) == 48
    assert set(first["keypoints"][2::3]) == {2}
    assert first["bbox"] == [2, 4, 18, 40]
    lines = (place / "out" / "anna-1+ben.pose.csv").read_text().splitlines()
    assert len(lines) == 21
    assert len(lines[0].split(",")) == len(lines[1].split(",")) == 8 + 48


def test_pose_of_pictures(place):
    from gaitnet.evaluation.report import png_bytes

    pictures = place / "photos"
    pictures.mkdir()
    for number in (1, 2):
        (pictures / f"{number}.png").write_bytes(png_bytes(np.full((60, 30 * number, 3), 90, np.uint8)))
    answer = document("pose", "photos")
    assert [entry["width"] for entry in answer["images"]] == [30, 60]
    assert everything(place / "photos.pose") == ["1.png.png", "2.png.png"]
    good("pose", "photos/2.png", "--no-overlay", "-o", "out")
    assert everything(place / "out") == ["2.pose.csv", "2.pose.json"]


def test_walkers_are_made_as_asked(place, monkeypatch):
    """The drawing is slow and tested elsewhere; here, that it is asked for what the user asked for."""
    from gaitnet.walkers import files

    asked = []
    monkeypatch.setattr(files, "_write", lambda path, *rest: asked.append((path, *rest)))
    made = document("walkers", "make", "crowd", "--count", 2, "--view", 0, "--view", 90, "--condition", "CL")
    assert made["walks"] == [
        f"{person}/CL-{session}/{view}.mp4"
        for person in ("001", "002")
        for session in (0, 1)
        for view in ("000", "090")
    ]
    assert len(asked) == 8
    trees = {
        "casia-b": "001/nm-01/090", "tum-gaid": "image/p001/n01", "opengait": "001/nm-01/090/090.pkl",
    }  # fmt: skip
    for layout, first in trees.items():
        assert document("walkers", "make", "crowd", "--format", layout, "--count", 1)["walks"][0] == first
    assert "SHOES" in bad("walkers", "make", "crowd", "--condition", "SHOES")
    assert "no walks of HB" in bad("walkers", "make", "crowd", "--format", "tum-gaid", "--condition", "HB")
    assert bad("walkers", "make", "crowd", "--view", 270)
    (place / "file").touch()
    assert "is a file" in bad("walkers", "make", "file")


def test_every_command_helps_with_an_example(place):
    commands = [["enroll"], ["identify"], ["verify"], ["pose"], ["describe"], ["demo"], ["walkers", "make"]]
    commands += [["gallery", name] for name in ("list", "remove", "export")]
    for command in commands:
        printed = good(*command, "--help")
        assert f"gaitnet {' '.join(command)}" in printed
        assert "--json" in printed
        assert max(map(len, printed.splitlines())) <= 80


# --- what goes wrong


def wrong_videos(place):
    whole = film(place / "whole.mp4", 40).read_bytes()
    (place / "nothing.mp4").touch()
    (place / "text.mp4").write_text("this is not a video\n" * 50)
    (place / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (place / "folder").mkdir()
    sound_only(place / "sound.mp4")
    (place / "random.mp4").write_bytes(np.random.default_rng(3).bytes(5000))


def sound_only(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.mp4", "no such file"), ("folder", "folder without pictures"), ("nothing.mp4", "empty"),
        ("text.mp4", "not a video"), ("cut.mp4", ""), ("sound.mp4", "audio only"), ("random.mp4", "not a video"),
    ],
)  # fmt: skip
def test_no_video(place, name, says):
    wrong_videos(place)
    before = everything(place)
    for command in (["describe"], ["enroll", "Anna"], ["pose"]):
        sentence = bad(*command, name)
        assert says in sentence
        assert name in sentence
        assert len(sentence.strip().splitlines()) == 1
    assert everything(place) == before
    assert not (place.parent / "data home").exists()


def test_all_wrong_videos_are_named_before_any_work(place):
    wrong_videos(place)
    sentence = bad("describe", "whole.mp4", "nothing.mp4", "text.mp4")
    assert "nothing.mp4" in sentence
    assert "text.mp4" in sentence
    assert not list(place.glob("*.gait.*"))


@pytest.mark.parametrize(("size", "count"), [((1, 1), 10), ((48, 64), 4), ((48, 64), 1)])
def test_video_in_which_nobody_can_be_described_is_done(place, size, count):
    film(place / "anna-1.mp4", count, size)
    answer = document("enroll", "Anna", "anna-1.mp4")
    assert answer["videos"][0]["enrolled"] == ([1] if size == (1, 1) else [])
    if count < 8:
        assert answer["videos"][0]["people"][0]["reason"] == "too few frames"
        assert "too few frames" in good("enroll", "Anna", "anna-1.mp4")


def test_empty_street(place):
    enrolled(place)
    film(place / "empty street.mp4")
    for command in (["identify"], ["verify", "Anna"], ["describe"], ["pose"], ["enroll", "Anna"]):
        done = run(*command, "empty street.mp4")
        assert done.exit_code == 0, done.output
        assert "nobody" in done.output
    assert document("verify", "Anna", "empty street.mp4")["verified"] is None


def test_identify_before_any_enrolment(place):
    film(place / "anna-1.mp4")
    assert "gaitnet enroll NAME VIDEO" in bad("identify", "anna-1.mp4")
    assert "gaitnet enroll NAME VIDEO" in bad("verify", "Anna", "anna-1.mp4")
    assert "gaitnet enroll NAME VIDEO" in bad("gallery", "export", "people.json")


def test_wrong_order_and_names(place):
    enrolled(place)
    film(place / "door.mp4")
    assert "the name comes first: gaitnet enroll NAME door.mp4" in bad("enroll", "door.mp4", "Anna")
    assert "no such file" in bad("enroll", "Anna", "dor.mp4")
    assert "enrolled are Anna, Ben" in bad("verify", "Carl", "door.mp4")
    assert "enrolled are Anna, Ben" in bad("gallery", "remove", "Carl")
    assert "NAME" in bad("enroll", " ", "door.mp4")
    assert "NAME" in bad("enroll", "tab\there", "door.mp4")
    assert bad("identify")
    assert bad("identfy", "door.mp4")


def test_several_walkers_need_a_number(place):
    film(place / "anna-1+ben.mp4")
    assert "--person" in bad("enroll", "Ben", "anna-1+ben.mp4")
    assert "shows 2 people" in bad("enroll", "Ben", "anna-1+ben.mp4", "--person", 3)
    assert document("enroll", "Ben", "anna-1+ben.mp4", "--person", 2)["videos"][0]["enrolled"] == [2]
    assert "single video" in bad("enroll", "Ben", "anna-1+ben.mp4", "anna-1+ben.mp4", "--person", 2)


def test_all_walks_of_somebody_who_comes_back(place):
    """In the stand-in, people of a video walk together, unless it says "then" between their names."""
    assert "--all" not in bad("enroll", "Ben", film(place / "ben-1+ben-2.mp4"))
    assert "--person" in bad("enroll", "Ben", "ben-1+ben-2.mp4", "--all")
    film(place / "ben-1+ben-2 then.mp4", 30)
    assert "--all" in bad("enroll", "Ben", "ben-1+ben-2 then.mp4")
    assert document("enroll", "Ben", "ben-1+ben-2 then.mp4", "--all")["videos"][0]["enrolled"] == [1, 2]
    assert document("gallery", "list")["people"][0]["templates"] == 4


def test_enrolling_the_same_walk_again_adds_nothing(place):
    good("enroll", "Anna", film(place / "anna-1.mp4"))
    assert "before" in good("enroll", "Anna", "anna-1.mp4")
    assert "already enrolled as 'Anna'" in bad("enroll", "Ben", "anna-1.mp4")
    assert document("gallery", "list")["people"][0]["templates"] == 2


def test_one_bad_walk_enrols_none_of_the_command(place):
    film(place / "anna-1.mp4")
    film(place / "anna-2+ben.mp4")
    bad("enroll", "Anna", "anna-1.mp4", "anna-2+ben.mp4")
    assert document("gallery", "list")["people"] == []


def test_gallery_of_another_model_or_damaged(place):
    film(place / "anna-1.mp4")
    Gallery(place / "other.npz", "cd" * 32, SIZE).enroll("Zoë", np.ones((1, SIZE), np.float32))
    for command in (["identify"], ["enroll", "Anna"]):
        assert "cannot be compared" in bad(*command, "anna-1.mp4", "--gallery", "other.npz")
    (place / "rubbish.npz").write_bytes(b"PK\x03\x04 and no more")
    for command in (["identify", "anna-1.mp4"], ["enroll", "Anna", "anna-1.mp4"], ["gallery", "list"]):
        assert "rubbish.npz" in bad(*command, "--gallery", "rubbish.npz")
    assert (place / "rubbish.npz").read_bytes() == b"PK\x03\x04 and no more"
    assert "folder" in bad("enroll", "Anna", "anna-1.mp4", "--gallery", place)


def test_weights_that_cannot_tell_strangers(place):
    enrolled(place)
    film(place / "ben-3.mp4")
    assert "strangers.npz" in bad("identify", "ben-3.mp4", "--weights", place)
    (place / "gait").mkdir()
    (place / "gait" / "strangers.npz").write_bytes(b"rubbish")
    assert "strangers.npz" in bad("identify", "ben-3.mp4", "--weights", place)


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
        "weights": (place / "w" / "weights.npz", None, "w/weights.npz"),
        "manifest": (place / "w" / "model.json", None, "w/model.json"),
    }
    return {kind: (path.read_bytes(), command, place / to) for kind, (path, command, to) in files.items()}


@pytest.mark.parametrize("kind", ["video", "image", "gallery", "weights", "manifest"])
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


def test_outputs_that_cannot_be(place):
    enrolled(place)
    film(place / "ben-3.mp4")
    assert "does not exist" in bad("identify", "ben-3.mp4", "--overlay", "no/such/folder.mp4")
    assert ".mp4" in bad("identify", "ben-3.mp4", "--overlay", "named.avi")
    assert "is the video itself" in bad("identify", "ben-3.mp4", "--overlay", "ben-3.mp4")
    assert "single video" in bad("identify", "ben-3.mp4", "ben-3.mp4", "--overlay", "x.mp4")
    assert "is a file" in bad("describe", "ben-3.mp4", "--output", "ben-3.mp4")
    assert ".json or .csv" in bad("gallery", "export", "people.xlsx")
    film(place / "other" / "ben-3.mp4")
    assert "--output" in bad("describe", "ben-3.mp4", "other/ben-3.mp4")
    assert "/proc" in bad("describe", "ben-3.mp4", "--output", "/proc", code=1)


@pytest.mark.parametrize("command", [["describe"], ["enroll", "Anna"], ["pose", "--no-overlay"]])
def test_disk_full(place, monkeypatch, command):
    film(place / "anna-1.mp4")

    def full(descriptor):
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
import test_gaitnet_cli as stand_in
from types import ModuleType
networks = ModuleType("gaitnet.recognizer")
networks.GaitRecognizer = stand_in.Walkers
sys.modules["gaitnet.recognizer"] = networks
"""


@contextmanager
def started(place, extra, *arguments):
    """The program in a process that does not outlive the block, whatever fails in it."""
    program = PROGRAM + textwrap.dedent(extra) + "\nfrom gaitnet.cli import main\nmain()"
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
        subprocess.run([sys.executable, "-m", "gaitnet.cli", "--help"], cwd=ROOT, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.5
