"""The command line doing what it is for; networks are stand-ins here, files are real."""

import json
import os

import numpy as np
import pytest
from stand_ins import MODEL, SIZE, bad, document, enrolled, everything, film, good

from gaitnet.cli import main
from gaitnet.identification.gallery import Gallery
from gaitnet.video.read import VideoReader


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


def test_several_videos_of_one_person_give_one_answer(place):
    enrolled(place)
    films = [film(place / f"anna-{take}.mp4") for take in (3, 4)]
    told = document("identify", *films, "--together")
    assert told["together"]["name"] == "Anna"
    assert told["together"]["walks"] == 2
    assert "together" not in document("identify", *films)
    assert "all walks together (2): Anna" in good("identify", *films, "--together")
    nobody = film(place / "empty street.mp4")
    assert document("identify", nobody, "--together")["together"] is None
    assert "nobody could be described" in good("identify", nobody, "--together")


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
    assert [entry["walks"] for entry in document("gallery", "list")["people"]] == [2, 2]
    assert "Anna" in good("gallery", "list")
    good("gallery", "export", "people.json")
    templates = json.loads((place / "people.json").read_text())["templates"]
    assert [entry["subject_id"] for entry in templates] == ["Anna"] * 4 + ["Ben"] * 4
    assert templates[0]["meta"]["video"] == "anna-1.mp4"
    assert document("gallery", "export", "people.csv")["vectors"] == 8
    assert document("gallery", "remove", "Ben")["vectors"] == 4
    assert [entry["subject_id"] for entry in document("gallery", "list")["people"]] == ["Anna"]


def test_walks_are_counted_and_not_the_names_of_their_videos(place):
    """Two folders may each hold a walk.mp4; of walks without remarks every vector is one."""
    known = Gallery(place / "known.npz", MODEL, SIZE)
    about = {"video": "walk.mp4", "person": 1, "windows": 49, "from": 0.0, "to": 4.0}
    known.enroll_walks("Anna", [(np.full((49, SIZE), place, np.float32), about) for place in (1, 2)])
    known.enroll("Ben", np.ones((3, SIZE), np.float32))
    known.enroll("Carl", np.ones((2, SIZE), np.float32), {"windows": 0})
    people = document("gallery", "list", "--gallery", "known.npz")["people"]
    assert [(entry["subject_id"], entry["walks"]) for entry in people] == [("Anna", 2), ("Ben", 3), ("Carl", 2)]
    anna = next(line for line in good("gallery", "list", "--gallery", "known.npz").splitlines() if "Anna" in line)
    assert [word for word in anna.split() if word.isdigit()] == ["2", "98"]


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
    from gaitnet.walkers import layouts

    asked = []
    undrawn = {
        name: how._replace(write=lambda path, *rest: asked.append((path, *rest)))
        for name, how in layouts.LAYOUTS.items()
    }
    monkeypatch.setattr(layouts, "LAYOUTS", undrawn)
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
        # a folder each: their frames a second differ
        assert document("walkers", "make", layout, "--format", layout, "--count", 1)["walks"][0] == first
    assert "SHOES" in bad("walkers", "make", "crowd", "--condition", "SHOES")
    assert "no walks of HB" in bad("walkers", "make", "crowd", "--format", "tum-gaid", "--condition", "HB")
    assert bad("walkers", "make", "crowd", "--view", 270)
    (place / "file").touch()
    assert "is a file" in bad("walkers", "make", "file")


def test_every_command_helps_with_an_example(place):
    commands = [["enroll"], ["identify"], ["verify"], ["pose"], ["describe"], ["demo"], ["walkers", "make"]]
    commands += [["silhouettes"], ["compare"]]
    commands += [["gallery", name] for name in ("list", "remove", "export")]
    for command in commands:
        printed = good(*command, "--help")
        assert f"gaitnet {' '.join(command)}" in printed
        assert "--json" in printed
        assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(("debug", "level"), [("", "3"), ("1", None)])
def test_what_xla_says_of_slow_machines_is_for_nobody(monkeypatch, debug, level):
    """Read when jax is imported; with GAITNET_DEBUG it may speak."""
    asked = []
    monkeypatch.setattr(main, "app", lambda: asked.append(os.environ.get("TF_CPP_MIN_LOG_LEVEL")))
    monkeypatch.setattr(main, "stop_on_termination", lambda: None)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "")  # so that it is put back
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    monkeypatch.setenv("GAITNET_DEBUG", debug)
    main.main()
    assert asked == [level]
