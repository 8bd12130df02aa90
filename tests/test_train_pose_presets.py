"""Trainings on MPII with LSP and on Human3.6M, from trees of their layout to a network that is used."""

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
from pose_trees import SIDE, body, human36m, lsp, mpii, picture
from test_humanpose_datasets_human36m import coco_style, positions, write_take
from test_humanpose_datasets_mpii import write_h5, write_json

from humanpose.checkpoint import network_of
from humanpose.datasets.human36m_takes import CAMERAS
from humanpose.datasets.lsp import LSP_TRAINED
from humanpose.estimator import HumanPoseNN
from train import __main__ as train_command
from train import pose
from train.config import POSE_PRESETS, PoseTaskConfig
from train.loop import fit
from train.pose_evaluation import make_evaluation
from train.pose_releases import SETS, load_releases

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.usefixtures("lightly_compiled")


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Runs of one network share what XLA made of it."""
    from jax.experimental.compilation_cache import compilation_cache

    before = {name: getattr(jax.config, name) for name in CACHING}
    for name, value in {**CACHING, "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("xla"))}.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


CACHING = {
    "jax_compilation_cache_dir": None, "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}  # fmt: skip


def tiny(preset: str, **changes) -> PoseTaskConfig:
    """The preset with its data, targets, loss, rule and augmentation, on a network that is quickly compiled."""
    network = {"network": "PartDetector", "height": 64, "blocks": (1, 1, 1, 1), "dtype": "float32", "diameter": 5.0}
    config = POSE_PRESETS[preset]
    optimizer = dataclasses.replace(config.optimizer, learning_rate=1e-3, warmup_steps=1)
    return dataclasses.replace(
        config, **network, photographs=2, window=min(config.window, 2), every=1, steps=3, optimizer=optimizer, **changes
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All data sets, each laid out as it was published."""
    folder = tmp_path_factory.mktemp("data")
    mpii(folder / "mpii")
    lsp(folder / "lsp", LSP_TRAINED + 4, extended=False)
    lsp(folder / "lspet", 5, extended=True)
    human36m(folder / "h36m")
    return folder


@pytest.fixture(scope="module")
def cache(root, tmp_path_factory):
    """The same data sets as `gaitnet datasets prepare` makes them."""
    from stand_ins import good

    folder = tmp_path_factory.mktemp("cache")
    for name in ("mpii", "lsp", "lspet", "human36m"):
        good("datasets", "prepare", name, "--root", root, "--to", folder / name, "--size", 96)
    return folder


def train(monkeypatch, capsys, *arguments, code=0):
    """`python -m train ...`: what it said on stdout, or on stderr where it fails."""
    monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        train_command.main()
    said = capsys.readouterr()
    assert (left.value.code or 0) == code, said.err
    if code:
        assert "Traceback" not in said.err
    return said.err if code else said.out


def lines(run, split):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == split]


@pytest.fixture
def presets(monkeypatch):
    """The presets with a tiny network; every step is logged and saved, and no curves are drawn."""
    for name in SETS:
        monkeypatch.setitem(POSE_PRESETS, name, tiny(name))
    monkeypatch.setattr("train.loop.fit", partial(fit, log_every=1, save_every=1))
    monkeypatch.setattr("train.callbacks.draw_curves", lambda directory: None)
    monkeypatch.setattr("train.pose.make_evaluation", partial(make_evaluation, batch=4))


def test_from_the_releases_of_mpii_and_lsp_to_joints(root, presets, tmp_path, monkeypatch, capsys):
    """A run is stopped after two of three steps and resumed; its network is exported, and finds joints."""
    from train.pose_data import PoseData

    run, asked, image = tmp_path / "run", [], PoseData.image

    def until_the_third_batch(self, record):
        asked.append(record)
        if len(asked) > 4:
            raise ValueError("the disk is gone")
        return image(self, record)

    command = ("pose", "--preset", "mpii+lsp", "--data", root, "--run", run)
    with monkeypatch.context() as patch:
        patch.setattr(PoseData, "image", until_the_third_batch)
        patch.setattr("train.data.Prefetch.__init__", one_at_a_time)
        assert train(monkeypatch, capsys, *command, code=2).endswith("the disk is gone\n")
    assert [row["step"] for row in lines(run, "train")] == [1, 2]
    said = train(monkeypatch, capsys, *command)
    assert "learning from mpii 6 (and 4 who measure), lsp 1000 (and 4 who measure), lspet 5" in said
    assert [row["step"] for row in lines(run, "train")] == [1, 2, 3]
    (measured,) = lines(run, "validation")
    assert {"pck_mpii", "pckh_mpii", "distance_mpii", "pck_lsp", "distance_lsp"} < measured.keys()
    assert "pckh_lsp" not in measured
    assert 0 <= measured["pckh_mpii"] <= 1
    train(monkeypatch, capsys, "export", run, tmp_path / "shipped")
    assert network_of(tmp_path / "shipped") == "PartDetector"
    network = HumanPoseNN.load(tmp_path / "shipped")
    found = network.joints(cv2.imread(str(root / "mpii" / "images" / "v0.jpg"), cv2.IMREAD_COLOR_RGB))
    assert found.keypoints.shape == (1, 16, 2)
    assert np.isfinite(found.keypoints).all()
    card = json.loads((tmp_path / "shipped" / "model.json").read_text())["card"]["training"]
    assert card["people"].startswith("mpii 6")
    # with other people, it would be another run
    (root / "mpii" / "valid_images.txt").write_text("v0.jpg\nv1.jpg\nv2.jpg\nt5.jpg\n")
    try:
        assert "other settings (people)" in train(monkeypatch, capsys, *command, code=2)
    finally:
        (root / "mpii" / "valid_images.txt").write_text("v0.jpg\nv1.jpg\nv2.jpg\n")


def one_at_a_time(self, make, ahead=0, threads=1):
    """One batch at a time, so that it is known which one fails."""
    from concurrent.futures import ThreadPoolExecutor

    self._make, self._ahead, self._pool, self._futures = make, 0, ThreadPoolExecutor(1), {}


def test_prepared_data_sets_train_as_well(cache, presets, tmp_path, monkeypatch, capsys):
    said = train(monkeypatch, capsys, "pose", "--preset", "mpii+lsp", "--data", cache, "--run", tmp_path / "run")
    assert "learning from mpii 6 (and 4 who measure), lsp 1000 (and 4 who measure), lspet 5" in said
    assert [row["step"] for row in lines(tmp_path / "run", "train")] == [1, 2, 3]
    assert np.isfinite([row["loss"] for row in lines(tmp_path / "run", "train")]).all()


def test_videos_of_human36m_are_cut_out_once_and_learned_from(root, presets, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    # one data set alone may be the folder itself
    command = ("pose", "--preset", "human36m", "--data", root / "h36m", "--run", run)
    assert "learning from human36m 24 (and 8 who measure)" in train(monkeypatch, capsys, *command)
    (measured,) = lines(run, "validation")
    assert {"pck_human36m", "distance_human36m"} < measured.keys()
    shards = sorted((run / "crops" / "human36m").glob("shard-*.npz"))
    made = [shard.stat().st_mtime_ns for shard in shards]
    train(monkeypatch, capsys, *command)
    assert made == [shard.stat().st_mtime_ns for shard in shards]


def test_another_runs_folder_is_told_before_anything_is_cut_into_it(root, presets, tmp_path, monkeypatch, capsys):
    (tmp_path / "config.json").write_text('{"task": "pose", "preset": "mpii+lsp"}')
    command = ("pose", "--preset", "human36m", "--data", root / "h36m", "--run", tmp_path)
    assert "belongs to a run with other settings (" in train(monkeypatch, capsys, *command, code=2)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def shown(data, config, steps):
    """Pictures that the batches of a training ask for: name and frame, as they were published."""
    asked = set()

    def image(record):
        cache = data.prepared.get(record.path)
        asked.add((str(record.path), record.frame) if cache is None else cache.source_of(record))
        return np.zeros((SIDE, SIDE, 3), np.uint8)

    batch_at = pose.make_batches(config, data.photographs, data.landmarks, image)
    for step in range(steps):
        batch_at(step)
    return asked


@pytest.mark.parametrize("prepared", [False, True])
def test_whoever_measures_is_in_no_batch(root, cache, tmp_path, prepared):
    """Over more than an epoch, exactly the training people's pictures are asked for."""
    place = cache if prepared else root
    config = tiny("mpii+lsp")
    data = load_releases(config, place, tmp_path)
    asked = shown(data, config, 1011 // 2 + 1)
    expected = {str(root / "mpii" / "images" / f"t{number}.jpg") for number in range(6)}
    expected |= {str(root / "lsp" / "images" / f"im{number:04d}.jpg") for number in range(1, LSP_TRAINED + 1)}
    expected |= {str(root / "lspet" / "images" / f"im{number:05d}.jpg") for number in range(1, 6)}
    assert asked == {(path, None) for path in expected}
    assert [len(data.held_out[name]) for name in ("mpii", "lsp")] == [4, 4]

    config = tiny("human36m")
    data = load_releases(config, place, tmp_path)
    asked = shown(data, config, 30)
    subjects = {path.split("/Videos/")[0].rpartition("/")[2] for path, _ in asked}
    assert subjects == {"S1", "S11"}
    assert len(asked) == 24
    assert not any("Eating" in path for path, _ in asked)
    assert {one.subject for one in data.held_out["human36m"]} == {"S5"}


def test_the_h5_and_json_of_mpii_and_extracted_frames_are_read_too(tmp_path):
    """Somebody whom two files call train and validation, and whoever shares their picture, only measures."""
    here = np.ones(16, bool)
    people = [(f"{number}.jpg", body(number), here, 0.4, (48.0, 42.0)) for number in range(5)]
    beside = ("3.jpg", body(9), here, 0.4, (48.0, 42.0))
    write_json(tmp_path / "mpii" / "annot" / "trainval.json", [*people, beside])
    write_h5(tmp_path / "mpii" / "annot" / "valid.h5", people[3:])
    lsp(tmp_path / "lspet", 2, extended=True)
    (tmp_path / "lspet" / "index.json").write_text("{}")  # of whatever keeps one, but no prepared data set's
    for number in range(5):
        picture(tmp_path / "mpii" / "images" / f"{number}.jpg", number)
    data = load_releases(tiny("mpii+lsp"), tmp_path, tmp_path)
    assert [one.path.name for one in data.photographs if one.source == "mpii"] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [one.path.name for one in data.held_out["mpii"]] == ["3.jpg", "4.jpg"]
    assert data.held_out["mpii"][0].head == 33

    content = {"images": [], "annotations": []}
    for number in range(10):
        name = f"{'S1' if number < 6 else 'S5'}_Walking_1.54138969_{number:06d}.jpg"
        picture(tmp_path / "human36m" / "images" / name, number)
        flat = np.column_stack([np.random.default_rng(number).uniform(15, 80, (17, 2)), np.ones(17)]).ravel().tolist()
        (image,), (one,) = coco_style(flat, name).values()
        content["images"].append({**image, "id": number})
        content["annotations"].append({**one, "image_id": number})
    (tmp_path / "human36m" / "h36m.json").write_text(json.dumps(content))
    data = load_releases(tiny("human36m"), tmp_path, tmp_path)
    assert (len(data.photographs), len(data.held_out["human36m"])) == (6, 4)
    assert shown(data, tiny("human36m"), 10) == {(str(one.path), None) for one in data.photographs}


def test_no_link_and_no_other_split_brings_in_whom_only_measures(root, tmp_path):
    """A photograph of LSPET that is one of LSP's test, a subject that is S5, and a cache of the other protocol."""
    from humanpose.datasets.human36m import read_human36m
    from humanpose.datasets.prepare import prepare

    (tmp_path / "mpii").symlink_to(root / "mpii")
    lsp(tmp_path / "lsp", LSP_TRAINED + 1, extended=False)
    lsp(tmp_path / "lspet", 2, extended=True)
    link = tmp_path / "lspet" / "images" / "im00002.jpg"
    link.unlink()
    link.symlink_to(tmp_path / "lsp" / "images" / f"im{LSP_TRAINED + 1}.jpg")
    data = load_releases(tiny("mpii+lsp"), tmp_path, tmp_path)
    assert [one.path.name for one in data.photographs if one.source == "lspet"] == ["im00001.jpg"]

    for subject in ("S5", "S6"):
        write_take(tmp_path / "human36m", subject, "Walking", CAMERAS[0], positions(4))
    (tmp_path / "human36m" / "S1").symlink_to(tmp_path / "human36m" / "S5")
    data = load_releases(tiny("human36m"), tmp_path, tmp_path / "work")
    assert {one.subject for one in data.photographs} == {"S6"}

    standard = read_human36m(root / "h36m", split="standard")
    assert {one.split for one in standard if one.subject == "S5"} == {"train"}
    prepare(standard, tmp_path / "other" / "human36m", "human36m", SIDE)
    data = load_releases(tiny("human36m"), tmp_path / "other", tmp_path / "work")
    assert {one.subject for one in data.photographs} == {"S1", "S11"}
    assert {one.subject for one in data.held_out["human36m"]} == {"S5"}


def test_files_that_a_preset_does_not_read_or_that_are_not_there_are_told(tmp_path, monkeypatch, capsys):
    for option, preset in (("--legs", "lspet"), ("--followed", "lspet"), ("--opinions", "walkers")):
        (tmp_path / "file").touch()
        said = train(monkeypatch, capsys, "pose", "--preset", preset, option, tmp_path / "file", code=2)
        assert option in said
    for option, name in (("--legs", "none"), ("--followed", "none"), ("--opinions", "none"), ("--legs", ".")):
        said = train(monkeypatch, capsys, "pose", "--preset", "large", option, tmp_path / name, code=2)
        assert f"train: {option}: expected a file, got" in said


def refused(monkeypatch, capsys, place, preset="mpii+lsp"):
    """The sentence that a training which cannot begin ends with."""
    said = train(monkeypatch, capsys, "pose", "--preset", preset, "--data", place, "--run", place / "run", code=2)
    assert said.splitlines()[-1].startswith("train: ")
    return said.splitlines()[-1]


def test_what_is_missing_odd_or_empty_is_refused_in_a_sentence(root, cache, presets, tmp_path, monkeypatch, capsys):
    assert "has no folder mpii or lsp or lspet" in refused(monkeypatch, capsys, tmp_path)
    assert "holds nothing of Human3.6M" in refused(monkeypatch, capsys, tmp_path, "human36m")
    mpii(tmp_path / "mpii", validation=False)
    assert "has no folder lsp or lspet" in refused(monkeypatch, capsys, tmp_path)
    (tmp_path / "lspet").symlink_to(root / "lspet")
    said = refused(monkeypatch, capsys, tmp_path)
    assert "has nobody to measure with, but people 10 train; valid_images.txt or valid.h5" in said
    (tmp_path / "mpii" / "valid_images.txt").write_text("v0.jpg\n")
    odd = tmp_path / "mpii" / "images" / "t0.jpg"
    odd.unlink()
    assert "1 files are missing, such as" in refused(monkeypatch, capsys, tmp_path)
    odd.write_bytes((root / "mpii" / "images" / "t0.jpg").read_bytes()[:400])
    assert "t0.jpg: the picture is cut off after 400 bytes" in refused(monkeypatch, capsys, tmp_path)
    picture(odd, 0)
    (tmp_path / "lspet").unlink()
    (tmp_path / "lspet").symlink_to(cache / "lsp")
    assert "lspet: the prepared data set is lsp" in refused(monkeypatch, capsys, tmp_path)
    assert "not a folder" in refused(monkeypatch, capsys, odd)
    with_opinions = ("pose", "--preset", "mpii+lsp-mobile", "--data", root, "--opinions", odd)
    assert "--opinions" in train(monkeypatch, capsys, *with_opinions, "--run", tmp_path / "run", code=2)


def test_a_cache_of_people_who_are_not_in_their_pictures_is_not_learned_from(root, tmp_path, monkeypatch):
    """As versions cut it that did not look, from annotations of pictures of another size."""
    from humanpose.datasets.lsp import read_lsp
    from humanpose.datasets.prepare import prepare

    (tmp_path / "mpii").symlink_to(root / "mpii")
    moved = [dataclasses.replace(one, keypoints=one.keypoints + np.float32(5000), box=one.box + np.float32(5000))
             for one in read_lsp(root / "lspet")]  # fmt: skip
    with monkeypatch.context() as before:
        before.setattr("humanpose.datasets.prepare._well_outside", lambda record, picture: ())
        before.setattr("humanpose.datasets.prepare.require_placed", lambda records: None)
        prepare(moved, tmp_path / "lspet", "lspet", SIDE)
    with pytest.raises(ValueError, match=r"lspet in .*5 of 5 people looked at have joints outside their picture"):
        load_releases(tiny("mpii+lsp"), tmp_path, tmp_path / "work")


def test_only_walking_people_who_measure_are_not_enough(tmp_path):
    write_take(tmp_path / "human36m", "S5", "Walking", CAMERAS[0], positions(4))
    with pytest.raises(ValueError, match=r"nobody to learn from, but people 4 validation; its subject S5"):
        load_releases(tiny("human36m"), tmp_path, tmp_path / "work")
    write_take(tmp_path / "human36m", "S1", "Walking", CAMERAS[0], positions(3))
    data = load_releases(tiny("human36m"), tmp_path, tmp_path / "other")
    longer = dataclasses.replace(tiny("human36m"), photographs=4, window=4)
    with pytest.raises(ValueError, match="no recording of 4 frames"):
        pose.make_batches(longer, data.photographs, [], data.image)


def test_a_joint_beyond_the_crop_counts_for_sigmoid_maps_only():
    """As in the original: present, but nowhere to be seen; the network shall see nothing there."""
    from test_train_pose import Answering

    config = tiny("mpii+lsp")
    visible, present = np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)
    visible[0, 0] = present[0, [0, 4]] = 1
    keypoints = np.zeros((1, 16, 2), np.float32)
    keypoints[0, 0] = 30
    batch = {"images": np.zeros((1, 64, 64, 3), np.uint8), "keypoints": keypoints, "visible": visible,
             "present": present, "opinion": np.zeros((1, 16, 3), np.float32), "walkers": np.zeros(0)}  # fmt: skip

    def loss_of(logits):
        return float(pose.make_loss(config)(Answering(logits), batch, None)[0])

    quiet = np.full((1, 16, 16, 16), -3, np.float32)
    loud, unlabelled = quiet.copy(), quiet.copy()
    loud[0, 8, 8, 4] = 3
    unlabelled[0, 8, 8, 5] = 3
    # two joints are present: log(1 + e^3) in place of log(1 + e^-3), halved
    assert loss_of(loud) - loss_of(quiet) == pytest.approx((np.log1p(np.exp(3)) - np.log1p(np.exp(-3))) / 2, rel=1e-4)
    assert loss_of(unlabelled) == loss_of(quiet)
