"""Self-training on KTH's films: who is followed, which frames and joints are learned from, and whose never."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from humanpose.skeleton import FLIP, INDEX
from train.followed import make_followed, read_followed

FILM = "person04_walking_d1_uncomp.avi"


def upright() -> np.ndarray:
    """Somebody 60 pixels tall from shoulders to ankles, at (50, 20)."""
    down = {"ankle": 80, "knee": 62, "hip": 45, "wrist": 50, "elbow": 38, "shoulder": 20}
    joints = np.zeros((16, 2), np.float32)
    for name, place in INDEX.items():
        part = name.split("_")[-1]
        joints[place] = (50 + (name[0] == "l") - (name[0] == "r"), down.get(part, 15))
    return joints


@pytest.fixture
def films(tmp_path, monkeypatch):
    """Persons 04 and 15, the road that follows 04 in frames 3 to 6, and whom it was asked about."""
    for number in ("04", "15"):
        (tmp_path / f"person{number}_walking_d1_uncomp.avi").touch()
    (tmp_path / "person04_walking_d1_uncomp.mp4").touch()  # the same film in another container
    asked = []

    def describe(film):
        asked.append(film.name)
        seen = SimpleNamespace(
            reason=None, frames=np.arange(3, 7), mirrored=True, keypoints=np.stack([upright()] * 4),
            probability=np.full((4, 16), 0.9),
        )  # fmt: skip
        seen.probability[1, INDEX["l_wrist"]] = 0.4
        seen.probability[2, : len(FLIP) // 2] = 0.1
        lost = SimpleNamespace(reason="too few frames")
        return [seen, lost]

    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: SimpleNamespace(describe=describe))
    return tmp_path, asked


def test_frames_that_nobody_described_are_learned_from_where_the_joints_are_sure(films):
    data, asked = films
    file = make_followed(Path("weights"), data, data / "new" / "followed.npz")
    assert asked == [FILM]
    records = read_followed(file, data, {(Path(FILM).stem, 6)})
    assert [record.frame for record in records] == [3, 4], "5 shows half a body, 6 is described"
    for record in records:
        assert (record.path, record.subject, record.camera, record.split) == (data / FILM, "04", "d1", "train")
        assert record.walks_left
        assert record.box[1] < 20
        assert record.box[3] > 80
        np.testing.assert_array_equal(record.keypoints[record.visible], upright()[record.visible])
    assert records[0].visible.all()
    (unsure,) = np.flatnonzero(~records[1].visible)
    assert unsure == INDEX["l_wrist"]
    assert not records[1].keypoints[unsure].any()


def changed(file: Path, **columns) -> Path:
    with np.load(file, allow_pickle=False) as content:
        everything = {name: content[name] for name in content.files} | columns
    np.savez(file.with_name("changed.npz"), **everything)
    return file.with_name("changed.npz")


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"keypoints": np.full((4, 16, 2), 1e300)}, "beyond every picture"),
        ({"probability": np.full((4, 16), 7.0)}, "beyond every picture"),
        ({"frame": np.full(4, 2**40)}, "frames before the first"),
        ({"film": np.array(["person04_walking_d1_uncomp.reference.json"] * 4)}, "does not hold; make it anew"),
        ({"frame": np.arange(3)}, "not a file of python -m train follow"),
        ({"frame": np.array([0, 1, 2, -1])}, "frames before the first"),
        ({"keypoints": np.full((4, 16, 2), np.nan, np.float32)}, "beyond every picture"),
        ({"walks_left": np.array([{}] * 4)}, "not a file of python -m train follow"),
        ({"film": np.array(["person05_walking_d1_uncomp.avi"] * 4)}, "does not hold; make it anew"),
        ({"film": np.array(["person15_walking_d1_uncomp.avi"] * 4)}, "somebody who only measures"),
        ({"film": np.array(["person06_walking_d1_uncomp.avi"] * 4)}, "is of person 15"),
    ],
)
def test_files_of_other_films_and_of_who_measures_are_refused(films, columns, says):
    data, _ = films
    (data / "person04_walking_d1_uncomp.reference.json").touch()
    (data / "person06_walking_d1_uncomp.avi").symlink_to(data / "person15_walking_d1_uncomp.avi")
    file = make_followed_alone(data)
    with pytest.raises(ValueError, match=says):
        read_followed(changed(file, **columns), data, ())


def make_followed_alone(data: Path) -> Path:
    """The file, although a link among the films leads to somebody who measures: by then it was not there."""
    link = data / "person06_walking_d1_uncomp.avi"
    target = link.readlink()
    link.unlink()
    file = make_followed(Path("weights"), data, data / "followed.npz")
    link.symlink_to(target)
    return file


@pytest.mark.parametrize("way", ["link to a clip", "hard link to a clip", "links by way of who measures", "its blob"])
def test_no_link_brings_in_who_only_measures(films, tmp_path_factory, way):
    """Names of links on the way count too, and so does what they lead to, whatever it is called."""
    _, asked = films
    root = tmp_path_factory.mktemp("root")
    data = root / "kth_walking"
    for folder in (data, root / "clips", root / "blobs"):
        folder.mkdir()
    clip, blob = root / "clips" / "demo1.mp4", root / "blobs" / "abc.mp4"
    clip.touch()
    blob.touch()
    (data / "person15_walking_d1_uncomp.mp4").symlink_to(blob)
    film = data / "person05_walking_d1_uncomp.mp4"
    if way == "hard link to a clip":
        film.hardlink_to(clip)
    else:
        film.symlink_to({"link to a clip": clip, "its blob": blob}.get(way, data / "person15_walking_d1_uncomp.mp4"))
    says = "is of person 15" if "way" in way else "is the same file as .*, which only measures"
    with pytest.raises(ValueError, match=says):
        make_followed(Path("weights"), data, root / "followed.npz")
    assert not asked
    row = {"frame": np.arange(1), "walks_left": np.zeros(1, bool), "probability": np.ones((1, 16), np.float32)}
    np.savez(root / "told.npz", film=np.array([film.name]), keypoints=upright()[None], **row)
    with pytest.raises(ValueError, match=says):
        read_followed(root / "told.npz", data, ())


def test_a_film_of_another_name_is_told_as_a_film(films):
    data, _ = films
    (data / "personal_walking_tour.mp4").touch()
    with pytest.raises(ValueError, match=r"does not tell whom it shows: expected a name as personNN_walking_dK_uncomp"):
        make_followed(Path("weights"), data, data / "followed.npz")


def test_no_films_and_nobody_in_them_are_told(films, monkeypatch):
    data, _ = films
    with pytest.raises(ValueError, match="holds no personNN_walking_dK_uncomp"):
        make_followed(Path("weights"), data / "none", data / "followed.npz")
    nobody = SimpleNamespace(describe=lambda film: [])
    monkeypatch.setattr("gaitnet.recognizer.GaitRecognizer.load", lambda weights: nobody)
    with pytest.raises(ValueError, match="nobody was followed in the 1 films"):
        make_followed(Path("weights"), data, data / "followed.npz")
    assert not (data / "followed.npz").exists()
    with pytest.raises(ValueError, match="not a file of python -m train follow"):
        read_followed(data / FILM, data, ())
