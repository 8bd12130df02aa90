"""Trainings on MPII with LSP and on Human3.6M, from trees of their layout to a network that is used."""

import dataclasses
import json
import re
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

from humanpose.augment import IDENTITY, ORIGINAL
from humanpose.checkpoint import network_of
from humanpose.datasets.human36m_takes import CAMERAS
from humanpose.datasets.lsp import LSP_TRAINED
from humanpose.estimator import HumanPoseNN
from humanpose.skeleton import INDEX
from train import __main__ as train_command
from train import pose
from train.config import GAIT_PRESETS, POSE_PRESETS, OptimizerConfig, PoseTaskConfig
from train.loop import fit
from train.pose_evaluation import make_evaluation, measures
from train.pose_releases import SETS, load_releases
from train.pose_windows import make_window, windows_of

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


def test_photographs_of_lspet_that_measure_are_not_learned_from_by_a_link(tmp_path, monkeypatch):
    from train.pose_data import load_pose_data

    monkeypatch.setattr("train.pose_data.LSPET_TRAINED", 3)
    lsp(tmp_path / "lspet", 5, extended=True)
    assert [len(load_pose_data(tmp_path).photographs), len(load_pose_data(tmp_path).held_out["lspet"])] == [3, 2]
    link = tmp_path / "lspet" / "images" / "im00001.jpg"
    link.unlink()
    link.symlink_to(tmp_path / "lspet" / "images" / "im00005.jpg")
    with pytest.raises(ValueError, match=r"im00001\.jpg is to be learned from, and leads to a picture that"):
        load_pose_data(tmp_path)


def test_lsp_does_not_stand_in_for_lspet(tmp_path):
    """Of LSP's numbers up to 3600 the second half is for tests."""
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 20, extended=False)
    with pytest.raises(ValueError, match="lspet holds lsp"):
        load_pose_data(tmp_path)


def test_landmarks_beyond_the_end_of_their_film_are_told_before_the_training(tmp_path):
    from test_humanpose_datasets_coco import spread

    from gaitnet.video.write import VideoWriter
    from train.pose_data import load_pose_data

    lsp(tmp_path / "lspet", 20, extended=True)
    kth = tmp_path / "kth_walking"
    kth.mkdir()
    name = "person01_walking_d1_uncomp"
    with VideoWriter(kth / f"{name}.mp4") as film:
        for _ in range(3):
            film.write(np.zeros((SIDE, SIDE, 3), np.uint8))
    people = [{"frame": frame, "box": [0, 0, 90, 90], "landmarks": spread().tolist()} for frame in (1, 5)]
    content = {"video": f"{name}.avi", "numbering": "BlazePose-33", "people": people}
    (kth / f"{name}.reference.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="has no frame 5, which its landmarks describe"):
        load_pose_data(tmp_path)


def test_files_that_a_preset_does_not_read_or_that_are_not_there_are_told(tmp_path, monkeypatch, capsys):
    for option, preset in (("--legs", "lspet"), ("--opinions", "walkers")):
        (tmp_path / "file").touch()
        said = train(monkeypatch, capsys, "pose", "--preset", preset, option, tmp_path / "file", code=2)
        assert option in said
    for option, name in (("--legs", "none"), ("--opinions", "none"), ("--legs", ".")):
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
    assert "has nobody to measure with, but people 10 train; valid_images.txt" in said
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


def test_only_walking_people_who_measure_are_not_enough(tmp_path):
    write_take(tmp_path / "human36m", "S5", "Walking", CAMERAS[0], positions(4))
    with pytest.raises(ValueError, match=r"nobody to learn from, but people 4 validation; its subject S5"):
        load_releases(tiny("human36m"), tmp_path, tmp_path / "work")
    write_take(tmp_path / "human36m", "S1", "Walking", CAMERAS[0], positions(3))
    data = load_releases(tiny("human36m"), tmp_path, tmp_path / "other")
    longer = dataclasses.replace(tiny("human36m"), photographs=4, window=4)
    with pytest.raises(ValueError, match="no recording of 4 frames"):
        pose.make_batches(longer, data.photographs, [], data.image)


# --- windows, the rule, what is measured


def filmed(root_of, count, moved=0.0):
    from humanpose.datasets.record import PoseRecord

    keypoints = body(3).astype(np.float32)
    return [
        PoseRecord(
            root_of / "a.mp4", frame, np.array([10.0, 10, 86, 86]) + moved * frame,
            keypoints + np.float32(moved * frame), np.ones(16, bool), "human36m", subject="S1", action="Walking",
        )
        for frame in range(count)
    ]  # fmt: skip


def test_windows_are_frames_that_follow_each_other_in_one_recording(tmp_path):
    records = filmed(tmp_path, 7)
    other = [dataclasses.replace(one, camera="b") for one in records[:3]]
    mixed = [*records[::-1], *other]
    windows = windows_of(mixed, 4)
    assert [[one.frame for one in window] for window in windows] == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert {one.camera for window in windows for one in window} == {""}
    assert len(windows_of(mixed, 3)) == 5 + 1


def test_extracted_frames_are_in_the_order_of_their_numbers(tmp_path):
    records = filmed(tmp_path, 12)
    frames = [
        dataclasses.replace(one, path=tmp_path / f"S1_Walking_1.54138969_{one.frame + 1}.jpg", frame=None)
        for one in records
    ]
    (window,) = windows_of(frames[::-1], 12)
    assert [one.path.stem.rpartition("_")[2] for one in window] == [str(number) for number in range(1, 13)]


def test_a_window_is_changed_alike_in_all_frames_but_for_noise(tmp_path):
    """Somebody who walks across the picture, followed by their box: in the crops they stand still."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for config, noisy in ((dataclasses.replace(ORIGINAL, noise_range=None), False), (ORIGINAL, True)):
        still = make_window([filmed(tmp_path, 4)], lambda _: image, (75, 75), config)
        drawn = still(0, np.random.default_rng(5))
        assert drawn["images"].shape == (4, 75, 75, 3)
        np.testing.assert_array_equal(drawn["keypoints"], drawn["keypoints"][[0] * 4])
        alike = (drawn["images"] == drawn["images"][:1]).all()
        assert alike != noisy
        moving = make_window([filmed(tmp_path, 4, moved=2.0)], lambda _: image, (75, 75), config)
        np.testing.assert_allclose(moving(0, np.random.default_rng(5))["keypoints"], drawn["keypoints"], atol=1e-3)
    other = still(0, np.random.default_rng(6))
    assert np.abs(other["keypoints"] - drawn["keypoints"]).max() > 1


def test_labels_of_a_window_lie_on_its_pixels(tmp_path):
    """Geometry alone: the brightest pixel of each frame is the joint that was painted."""
    config = dataclasses.replace(IDENTITY, rotation=30.0, zoom=(0.7, 0.9), shear=0.2, flip=1.0)
    (first, second) = filmed(tmp_path, 2)
    joint = 1
    for record in (first, second):
        record.keypoints[:] = 48 + 10 * np.random.default_rng(record.frame).uniform(-1, 1, 2)
    image = {}
    for record in (first, second):
        image[record.frame] = np.zeros((SIDE, SIDE, 3), np.float32)
        grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) - record.keypoints[joint]
        image[record.frame] += 255 * np.exp(-(grid**2).sum(-1) / 18)[..., None]
    sample = make_window([[first, second]], lambda one: image[one.frame].astype(np.uint8), (75, 75), config)
    drawn = sample(0, np.random.default_rng(1))
    for picture_, keypoints in zip(drawn["images"].astype(float), drawn["keypoints"], strict=True):
        weight = picture_.sum(-1) ** 2
        rows, columns = np.mgrid[:75, :75]
        centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        np.testing.assert_allclose(keypoints[joint], centre, atol=0.3)


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


def test_rmsprop_is_tensorflows():
    """Ten steps beside a float64 twin: the mean of squares begins at 1, and 1e-10 is added to it before the root."""
    import jax.numpy as jnp
    import optax

    from train.loop import make_optimizer

    config = OptimizerConfig(1e-2, warmup_steps=2, weight_decay=0.0, clip_norm=2.0, rule="RMSProp")
    tx = make_optimizer(config, 10)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 2))
    mean, ours = np.ones((3, 2)), jnp.asarray(weights, jnp.float32)
    state = tx.init(ours)
    for step in range(10):
        gradient = rng.normal(size=(3, 2)) * (10 if step % 2 else 0.1)
        updates, state = tx.update(jnp.asarray(gradient, jnp.float32), state, ours)
        ours = optax.apply_updates(ours, updates)
        rate = 1e-2 * (step / 2 if step < 2 else (1 + np.cos(np.pi * (step - 2) / 8)) / 2)
        gradient = gradient * min(1, 2 / np.linalg.norm(gradient))
        mean = 0.9 * mean + 0.1 * gradient**2
        weights = weights - rate * gradient / np.sqrt(mean + 1e-10)
    np.testing.assert_allclose(ours, weights, rtol=1e-5)
    with pytest.raises(ValueError, match="rule"):
        OptimizerConfig(rule="SGD")
    with pytest.raises(ValueError, match="weight_decay"):
        OptimizerConfig(rule="RMSProp")


def test_heads_torsos_and_the_grid_measure(tmp_path):
    """Everything is 10 pixels off: within half of a head of 21 pixels, not of 19; on the grid it depends on the box."""
    records = [dataclasses.replace(one, head=head) for one, head in zip(filmed(tmp_path, 2), (21.0, 19.0), strict=True)]
    found = np.stack([one.keypoints for one in records]) + np.array([10, 0])
    told = measures(found, records)
    assert told["pckh"] == 0.5
    assert told["distance"] == pytest.approx(10 * 299 / (1.25 * 76))
    assert "pckh" not in measures(found, filmed(tmp_path, 2))
    found[:, [INDEX["pelvis"], INDEX["thorax"]]] += 500
    assert measures(found, records)["pckh"] == 0.5


@pytest.mark.parametrize("name", [name for name in POSE_PRESETS if POSE_PRESETS[name].data != "lspet+kth"])
def test_presets_on_releases_keep_what_the_original_told(name):
    config = POSE_PRESETS[name]
    if config.network == "MobilePose":
        return
    assert (config.augment, config.loss, config.optimizer.rule) == ("original", "sigmoid_cross_entropy", "RMSProp")
    assert (config.optimizer.clip_norm, config.optimizer.weight_decay) == (2.0, 0.0)
    if not name.endswith("-cpu"):
        sizes = {"InceptionResNet": (299, 15.0), "PartDetector": (256, 11.0)}
        assert (config.height, config.diameter) == sizes[config.network]
        assert config.blocks == ()


def test_the_presets_that_the_documents_name_are_there():
    text = "".join((ROOT / name).read_text() for name in ("README.md", "docs/pose-training.md"))
    named = set(re.findall(r"--preset ([a-z0-9+-]+)", text)) | set(
        re.findall(r"`((?:mpii\+lsp|human36m)-[a-z]+)`", text)
    )
    assert named - POSE_PRESETS.keys() - GAIT_PRESETS.keys() == set()
    assert {name for name in POSE_PRESETS if POSE_PRESETS[name].data != "lspet+kth"} <= named


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"data": "coco"}, "data"),
        ({"landmarks": 2}, "landmarks"),
        ({"window": 3}, "window"),
        ({"augment": "no"}, "augment"),
    ],
)
def test_settings_of_releases_that_do_not_go_together_are_refused(changes, name):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(POSE_PRESETS["mpii+lsp"], **changes)
