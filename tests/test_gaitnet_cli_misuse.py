"""The command line as somebody meets it who does everything wrong; networks are stand-ins here, files are real."""

import numpy as np
import pytest
from stand_ins import SIZE, bad, document, enrolled, everything, film, good, run

from gaitnet.identification.gallery import Gallery


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
        ("text.mp4", "not a video"), ("cut.mp4", "holds no frame"), ("sound.mp4", "audio only"),
        ("random.mp4", "not a video"),
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
    assert "the name comes first: gaitnet enroll Anna door.mp4" in bad("enroll", "door.mp4", "Anna")
    assert "the name comes first: gaitnet enroll Anna door.mp4" in bad("enroll", "door.mp4", "door.mp4", "Anna")
    assert "no such file" in bad("enroll", "A" * 300, "dor.mp4")
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
    (ben,) = document("gallery", "list")["people"]
    assert (ben["walks"], ben["templates"]) == (2, 4)


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
