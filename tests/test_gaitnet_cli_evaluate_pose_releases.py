"""`gaitnet evaluate pose --only lsp | mpii | human36m` on trees of their layout; the network's errors are known."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from flax import nnx
from pose_trees import human36m, lsp, mpii
from stand_ins import bad, run

from gaitnet.cli import evaluate_pose, evaluate_pose_releases
from gaitnet.cli.datasets_sources import Name
from gaitnet.recognizer import GaitRecognizer
from humanpose.checkpoint import flatten, save
from humanpose.datasets.human36m import read_human36m
from humanpose.datasets.lsp import LSP_TRAINED, read_lsp
from humanpose.datasets.mpii import read_mpii
from humanpose.estimator import HumanPoseNN, Joints, Places
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.preprocess import crop_affine
from humanpose.skeleton import INDEX

SIZE = (192, 144)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    mpii(folder / "mpii")
    lsp(folder / "lsp", LSP_TRAINED + 4, extended=False)
    human36m(folder / "h36m")
    return folder


def knowing(records, shift):
    """Finds every joint beside its place by `shift` (joint, xy), in image pixels."""
    affines = np.stack([crop_affine(one.box, SIZE) for one in records])
    keypoints = np.stack([one.keypoints for one in records]) + shift

    def joints_of_crops(crops, wanted):
        rows = [np.abs(affines - one).max((1, 2)).argmin() for one in wanted]
        return Places(Joints(keypoints[rows].astype(np.float32), np.ones((len(rows), 16), np.float32)), None)

    return SimpleNamespace(
        pose=SimpleNamespace(size=SIZE, decoding="subpixel", flip_test=False),
        joints_of_crops=joints_of_crops,
        detector=None,
    )


def evaluated(monkeypatch, root, network, part, *options):
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    return measured(root, part, *options)


def measured(root, part, *options):
    """What the command measures, by set, measure and joint; and its whole document."""
    done = run("evaluate", "pose", "--root", root, "--only", part, "--json", *options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    return {(one["set"], one["measure"], one["joint"]): one["value"] for one in document["measures"]}, document


def test_mpii_is_measured_by_its_own_heads_without_pelvis_and_thorax(root, monkeypatch):
    """Heads of 30 pixels: 14 beside a joint is a hit, 16 is a miss."""
    shift = np.tile([14.0, 0], (16, 1))
    shift[[INDEX["r_ankle"], INDEX["l_ankle"]]] = 16, 0
    shift[[INDEX["pelvis"], INDEX["thorax"]]] = 90, 0
    told, document = evaluated(monkeypatch, root, knowing(read_mpii(root / "mpii"), shift), "mpii")
    name = "MPII validation"
    assert told[name, "PCKh@0.5", "all"] == pytest.approx(12 / 14, abs=1e-5)
    assert told[name, "PCKh@0.5", "ankle"] == 0
    assert told[name, "PCKh@0.5", "knee"] == 1
    assert told[name, "PCKh@0.5", "pelvis"] == 0
    # people are 80 pixels tall by their scale; the box's longer side is that
    assert told[name, "distance on the 299 grid", "knee"] == pytest.approx(14 * 299 / (1.25 * 80), rel=1e-4)
    table = document["tables"]["PCKh@0.5 (head as the data set tells it), %"]
    assert {line["joint"]: line[name] for line in table}["ankle"] == 0
    count = next(one["count"] for one in document["measures"] if one["joint"] == "knee")
    assert count == 4 * 2  # the validation people alone


def test_human36m_is_measured_on_the_grid(root, monkeypatch, tmp_path):
    records = [one for one in read_human36m(root / "h36m") if one.subject == "S5"]
    network = knowing(records, np.tile([3.0, 4.0], (16, 1)))
    told, document = evaluated(monkeypatch, root, network, "human36m", "--output", tmp_path)
    scales = [299 / (1.25 * np.ptp(one.box.reshape(2, 2), axis=0).max()) for one in records]
    assert told["Human3.6M S5", "distance on the 299 grid", "all"] == pytest.approx(5 * np.mean(scales), rel=1e-4)
    assert ("Human3.6M S5", "PDJ@0.2", "all") in told
    assert all("legs" not in caption for caption in document["tables"])  # those are told of films with landmarks
    (distances,) = (lines for caption, lines in document["tables"].items() if caption.startswith("mean distance"))
    original = {line["joint"]: line["original on Human3.6M, walking"] for line in distances}
    assert (original["all [95 %]"], original["ankle"], original["shoulder"]) == (2.52, 1.96, 2.31)
    assert not any("MPII" in column for column in distances[0])
    assert 'href="pose-worst.html"' in (tmp_path / "pose.html").read_text()
    assert (tmp_path / "pose-worst-human3-6m-s5.png").is_file()
    assert "S5 Walking" in (tmp_path / "pose-worst.html").read_text()


def test_lsp_is_measured_on_its_test_part(root, monkeypatch):
    told, document = evaluated(monkeypatch, root, knowing(read_lsp(root / "lsp"), np.zeros((16, 2))), "lsp")
    assert told["LSP test", "PCK@0.1", "all"] == 1
    assert ("LSP test", "PCK@0.1", "pelvis") not in told
    assert all("head as the data set" not in caption for caption in document["tables"])
    # the original's mean is over 16 joints, LSP's over 14
    (distances,) = (lines for caption, lines in document["tables"].items() if caption.startswith("mean distance"))
    original = {line["joint"]: line["original on MPII + LSP"] for line in distances}
    assert (original["all [95 %]"], original["ankle"]) == (None, 14.3)


def test_pictures_that_are_not_there_are_left_out_and_told(root, monkeypatch, tmp_path):
    mpii(tmp_path / "mpii")
    (tmp_path / "mpii" / "images" / "v0.jpg").unlink()
    network = knowing(read_mpii(tmp_path / "mpii"), np.zeros((16, 2)))
    monkeypatch.setattr(evaluate_pose, "load", lambda *_: network)
    done = run("evaluate", "pose", "--root", tmp_path, "--only", "mpii")
    assert done.exit_code == 0
    assert "mpii: the pictures of 1 of 4 people are not there" in done.stderr
    (tmp_path / "mpii" / "valid_images.txt").unlink()
    said = bad("evaluate", "pose", "--root", tmp_path, "--only", "mpii")
    assert "of 10 people 0 are there to measure, and the pictures" in said
    lsp(tmp_path / "lsp", LSP_TRAINED + 4, extended=False)
    for number in range(LSP_TRAINED, LSP_TRAINED + 4):
        (tmp_path / "lsp" / "images" / f"im{number + 1:04d}.jpg").unlink()
    said = bad("evaluate", "pose", "--root", tmp_path, "--only", "lsp", "--every", "2")
    assert f"of {LSP_TRAINED + 4} people 4 are there to measure, 2 of them with --every 2" in said
    assert "holds nothing of Human3.6M" in bad("evaluate", "pose", "--root", tmp_path, "--only", "human36m")


def test_of_photographs_every_so_many_are_taken_with_all_their_people(root, monkeypatch):
    """As `datasets` takes them: of v0, v1 and v2 the first and the last, which shows two."""
    network = knowing(read_mpii(root / "mpii"), np.zeros((16, 2)))
    _, document = evaluated(monkeypatch, root, network, "mpii", "--every", "2")
    count = next(one["count"] for one in document["measures"] if one["joint"] == "knee")
    assert count == 3 * 2


def test_pictures_whose_names_no_file_can_have_are_not_there(root, monkeypatch):
    """Annotations can hold any name; the system refuses to look for one of 300 letters."""
    people = read_mpii(root / "mpii")
    (place,) = (place for place, one in enumerate(people) if one.path.name == "v0.jpg")
    people[place] = replace(people[place], path=people[place].path.with_name(300 * "v"))
    monkeypatch.setattr(evaluate_pose_releases, "records_of", lambda *_: people)
    assert len(evaluate_pose_releases.held_out(Name.MPII, root, 1)) == 3


def test_a_pose_network_alone_is_measured_beside_the_shipped_others(root, monkeypatch, tmp_path):
    network = knowing(read_lsp(root / "lsp"), np.zeros((16, 2)))
    asked = []
    monkeypatch.setattr(evaluate_pose, "load", lambda *arguments: asked.append(arguments) or network)
    run("evaluate", "pose", "--root", root, "--only", "lsp", "--network", "my/pose", "--output", tmp_path)
    assert asked == [(None, "my/pose", False, None)]
    assert "--only lsp --network my/pose" in (tmp_path / "pose.html").read_text()


def test_a_classic_network_is_read_its_own_way_unless_another_is_asked_for(
    root, monkeypatch, tmp_path, untrained, lightly_compiled
):
    """Its own way is argmax; sub-pixel decoding has to reach it alone, and a flip test must not bring it along."""
    config = PartDetectorConfig(image_size=32, blocks=(1, 1, 1, 1))
    model = PartDetector(config, rngs=nnx.Rngs(0))
    save(tmp_path, flatten(model), asdict(config), {}, "PartDetector")

    def load(weights, network, *how):
        return GaitRecognizer(HumanPoseNN.load(network, *how), untrained.gait, "untrained")

    monkeypatch.setattr(evaluate_pose, "load", load)

    def distances(*options):
        told, document = measured(root, "lsp", "--network", tmp_path, *options)
        told = {place: value for place, value in told.items() if place[1].startswith("distance")}
        return (document["decoding"], document["flip_test"]), told

    own, subpixel, flipped = distances(), distances("--decoding", "subpixel"), distances("--flip-test")
    assert [how for how, _ in (own, subpixel, flipped)] == [("argmax", False), ("subpixel", False), ("argmax", True)]
    assert distances("--decoding", "argmax") == own
    assert all(value != own[1][place] for place, value in subpixel[1].items())


def test_the_real_files(data_root, monkeypatch):
    """Of MPII five pictures are there, of S5 one frame."""
    measured = [one for one in read_mpii(data_root / "mpii") if one.path.is_file()]
    told, _ = evaluated(monkeypatch, data_root, knowing(measured, np.zeros((16, 2))), "mpii")
    assert told["MPII validation", "PCKh@0.5", "all"] == 1
    records = read_human36m(data_root / "h36m", actions=None)
    told, _ = evaluated(monkeypatch, data_root, knowing(records, np.zeros((16, 2))), "human36m")
    assert told["Human3.6M S5", "distance on the 299 grid", "all"] == 0
