"""The command line with real networks, freshly initialised: everything is joined up, though no name can be trusted."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from flax import nnx
from typer.testing import CliRunner

from gaitnet.cli.main import app
from gaitnet.identification.search import Strangers, save_strangers
from gaitnet.models.gaitnn import GaitNN, GaitNNConfig
from gaitnet.recognizer import GaitRecognizer
from gaitnet.video.write import VideoWriter
from humanpose import checkpoint
from humanpose.estimator import HumanPoseNN
from humanpose.models.mobile import MobilePose, MobilePoseConfig

SIZE = 64


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    pose, gait = MobilePoseConfig(), GaitNNConfig(channels=16, feature_scale=1.0, size=SIZE)
    rng = np.random.default_rng(0)
    models = {
        "pose": (lambda: MobilePose(pose, rngs=nnx.Rngs(0)), pose),
        "gait": (lambda: GaitNN(gait, rngs=nnx.Rngs(0)), gait),
    }
    for name, (build, config) in models.items():
        arrays = {
            "/".join(map(str, path)): rng.uniform(0.05 if "var" in str(path[-1]) else -0.1, 0.1, leaf.get_value().shape)
            for path, leaf in nnx.to_flat_state(nnx.state(nnx.eval_shape(build), nnx.Any(nnx.Param, nnx.BatchStat)))
        }
        checkpoint.save(folder / name, arrays, asdict(config), {"about": "not trained"})
    others, identity = rng.standard_normal((240, SIZE)).astype(np.float32), GaitRecognizer.load(folder).identity
    names = tuple(f"s{row}" for row in range(240))
    save_strangers(folder / "gait" / "strangers.npz", Strangers(others, names, identity))
    return folder


@pytest.fixture(autouse=True)
def sure_enough(monkeypatch):
    """Networks that never learned anything are not sure of any joint."""
    monkeypatch.setattr("gaitnet.recognizer.LEAST_SURE", 0.0)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A figure of bars that walks to the right before a noisy wall."""
    path = tmp_path_factory.mktemp("films") / "walking figure.mp4"
    rng = np.random.default_rng(5)
    wall = rng.integers(120, 170, (120, 260, 3), dtype=np.uint8)
    with VideoWriter(path, quality=12) as writer:
        for step in range(80):
            picture = np.clip(wall + rng.integers(-4, 5, wall.shape), 0, 255).astype(np.uint8)
            x, swing = -15 + 3.6 * step, 9 * np.sin(step / 4)
            for side in (-1, 1):
                for row in range(70, 110):
                    middle = round(x + side * swing * (row - 70) / 40)
                    picture[row, max(0, middle - 3) : max(0, middle + 4)] = (30, 30, 60)
            picture[40:72, max(0, round(x) - 8) : max(0, round(x) + 8)] = (150, 40, 40)
            picture[26:40, max(0, round(x) - 5) : max(0, round(x) + 6)] = (220, 190, 160)
            writer.write(picture)
    return path


@pytest.fixture
def place(tmp_path, weights, monkeypatch):
    monkeypatch.setenv("GAITNET_WEIGHTS", str(weights))
    monkeypatch.setenv("GAITNET_GALLERY", str(tmp_path / "gallery.npz"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_video_to_name(place, weights, walk, monkeypatch):
    recognizer = GaitRecognizer.load(weights)  # compiled once for all the commands
    monkeypatch.setattr(GaitRecognizer, "load", classmethod(lambda *_: recognizer))
    (person,) = document("describe", walk)["videos"][0]["people"]
    assert person["reason"] is None
    assert len(person["identification_vector"]) == SIZE
    assert document("enroll", "Figure", walk)["videos"][0]["enrolled"] == [1]
    (again,) = document("identify", walk, "--overlay", "named.mp4")["videos"][0]["people"]
    assert (again["name"], again["person"]) == ("Figure", 1)
    assert again["similarity"] == pytest.approx(1, abs=1e-3)
    assert (place / "named.mp4").stat().st_size > 1000
    assert document("verify", "Figure", walk)["verified"] is True


def test_weights_that_do_not_fit_are_refused_with_every_key(place, weights, walk):
    arrays, manifest = checkpoint.load(weights / "gait")
    wrong = {name.replace("recurrent", "renamed"): array for name, array in arrays.items()}
    assert wrong.keys() != arrays.keys()
    checkpoint.save(place / "w" / "gait", wrong, manifest["config"], {})
    arrays, manifest = checkpoint.load(weights / "pose")
    checkpoint.save(place / "w" / "pose", arrays, manifest["config"], {})
    done = CliRunner().invoke(app, ["describe", str(walk), "--weights", "w"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "missing: " in done.stderr
    assert "unexpected: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("other", "found"), [({"channels": 32}, "17 x 17 x 32"), ({"channels": 16, "grid": 9}, "9 x 9 x 16")]
)
def test_a_gaitnn_of_other_maps_is_refused_before_any_walk(tmp_path, other, found):
    """The original's 32 pose features, for one: such weights are sound, and no walk could be described with them."""
    config = GaitNNConfig(**other, multiplier=0.1, size=8)
    network = nnx.eval_shape(lambda: GaitNN(config, rngs=nnx.Rngs(0)))
    arrays = {
        "/".join(map(str, path)): np.zeros(leaf.get_value().shape, np.float32)
        for path, leaf in nnx.to_flat_state(nnx.state(network, nnx.Any(nnx.Param, nnx.BatchStat)))
    }
    checkpoint.save(tmp_path / "gait", arrays, asdict(config), {})
    with pytest.raises(checkpoint.CheckpointError, match=f"gait.* reads maps of {found} .* 17 x 17 x 16.*train gait"):
        GaitRecognizer.load(tmp_path)


def test_a_place_is_never_the_shipped_weights(weights, place, monkeypatch):
    """A name alone means what ships; "." has no name, and means here."""
    monkeypatch.chdir(weights)
    assert GaitRecognizer.load(".").identity == GaitRecognizer.load(weights).identity != GaitRecognizer.load().identity


def test_the_pose_network_is_loaded_once_however_joints_are_read(weights, monkeypatch):
    """Vectors of joints that were read in another way are told apart by the identity of those who made them."""
    loaded, load = [], HumanPoseNN.load
    monkeypatch.setattr(HumanPoseNN, "load", lambda *how: loaded.append(how) or load(*how))
    ours = GaitRecognizer.load(weights)
    other = GaitRecognizer.load(weights, None, True, "argmax")
    assert (other.pose.flip_test, other.pose.decoding) == (True, "argmax")
    assert loaded == [(weights / "pose", False, None), (weights / "pose", True, "argmax")]
    assert other.identity == f"{ours.identity}-flip-argmax"


def test_weights_that_are_not_there(place, walk):
    done = CliRunner().invoke(app, ["describe", str(walk), "--weights", "nowhere"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_walkers_are_measured_from_pixels_to_a_table(place, weights, capsys):
    done = CliRunner().invoke(
        app, ["evaluate", "walkers", "--subjects", "2", "--frames", "24", "--no-common", "--output", "out", "--json"]
    )
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)["methods"]
    assert {"gait", "colour only", "single frame"} <= results.keys()
    for result in results.values():
        assert [row["name"] for row in result["rows"]] == ["N", "B", "S"]
        assert all(row["rank_1"]["count"] == 4 for row in result["rows"])
    assert {path.suffix for path in (place / "out").iterdir()} >= {".html", ".csv", ".json"}


def test_recorded_motion_is_measured_from_pixels_to_a_table(place, weights, data_root):
    done = CliRunner().invoke(
        app,
        ["evaluate", "cmu", "--root", str(data_root / "cmu_walk"), "--performer", "02", "--performer", "32", "--json"],
    )
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)["methods"]
    assert {"one common body: gait, SVM", "own body: gait, SVM", "own body: single frame"} <= results.keys()
    for result in results.values():
        assert [row["name"] for row in result["rows"]] == ["other clips", "54 degrees off", "coat", "bag"]
        assert {(row["rank_1"]["count"], row["gallery_subjects"]) for row in result["rows"]} == {(2, 2)}
