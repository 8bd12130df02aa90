"""`gaitnet weights`: foreign files in, checkpoints that load out; and what is refused, in one sentence."""

import functools
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import oracle
import pytest
from flax import nnx
from safetensors.numpy import save_file
from stand_ins import bad, document, everything, good, run
from weights_files import write_keras, write_v1, write_v2
from weights_files_torch import T7, text_op, write_pth

from humanpose import checkpoint
from humanpose.checkpoint import MANIFEST, WEIGHTS
from humanpose.estimator import HumanPoseNN
from humanpose.models.inception_resnet import InceptionResNetConfig
from humanpose.models.mobilenet_v2 import MobileNetV2, MobileNetV2Config
from humanpose.models.part_detector import PartDetector, PartDetectorConfig
from humanpose.weights import inception_resnet, mobilenet_v2, part_detector, part_detector_torch7, recognize

WIDTH = 0.35


@functools.cache
def trunk_arrays() -> dict[str, np.ndarray]:
    """A MobileNetV2 under torchvision's names, its numbers drawn; to be copied, not changed."""
    config = MobileNetV2Config(WIDTH, padding="symmetric")
    own = checkpoint.variables(nnx.eval_shape(lambda: MobileNetV2(config, rngs=nnx.Rngs(0))))
    random, arrays = np.random.default_rng(0), {}
    for path, (names, _) in mobilenet_v2.torchvision_table(config).sources().items():
        shape = own[path].get_value().shape
        shape = shape if len(shape) < 4 else (shape[3], shape[2], shape[0], shape[1])
        arrays[names[0]] = random.uniform(0.5, 1.5, shape).astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def trunk(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("trunk") / "mobilenet_v2.safetensors"
    save_file(trunk_arrays(), path)
    return path


def constant(name: str) -> np.float32:
    """A number of its own for each variable, which float16 would round by up to 5e-4."""
    return np.float32(sum(name.encode()) % 509 / 512 + 0.2501)


def test_the_published_pose_checkpoint_in_full_size_becomes_a_pose_network(place):
    shapes = oracle.variables("pose")
    slots = {"InceptionResnetV2/Conv2d_1a_3x3/weights/RMSProp": (3, 3, 3, 32), "global_step": ()}
    arrays = {name: np.full(shape, constant(name), np.float32) for name, shape in (shapes | slots).items()}
    write_v1(Path("MPII+LSP.ckpt"), arrays, compress=True, block_size=1 << 18)
    told = document("weights", "convert", "MPII+LSP.ckpt", "--to", "weights/pose")
    assert (told["network"], told["format"]) == ("inception_resnet", "TensorFlow V1 checkpoint")
    assert (told["found"], told["parameters"], len(told["filled"])) == (698, 696, 696)
    assert sorted(told["ignored"]) == sorted(slots)
    assert told["rounding"] is None
    assert told["sha256"] == hashlib.sha256(Path("weights/pose", WEIGHTS).read_bytes()).hexdigest()
    assert everything(Path("weights")) == ["pose", f"pose/{MANIFEST}", f"pose/{WEIGHTS}"]
    pose = HumanPoseNN.load("weights/pose")
    assert (pose.size, pose.sha256) == ((299, 299), told["sha256"])
    stored, manifest = checkpoint.load("weights/pose")
    for name, path in inception_resnet.key_table(InceptionResNetConfig()).paths.items():
        assert stored[path].shape == shapes[name]
        assert np.all(stored[path] == constant(name)), name
    assert manifest["card"]["source"]["sha256"] == hashlib.sha256(Path("MPII+LSP.ckpt").read_bytes()).hexdigest()
    assert "Not stated" in manifest["card"]["licence"]


def test_a_part_detector_of_torch7_becomes_a_pose_network(place, monkeypatch):
    config = PartDetectorConfig(image_size=64, blocks=(1, 1, 1, 1))
    monkeypatch.setattr(recognize, "PartDetectorConfig", lambda: config)
    model = nnx.eval_shape(lambda: PartDetector(config, rngs=nnx.Rngs(0)))
    own = {path: variable.get_value().shape for path, variable in checkpoint.variables(model).items()}
    modules: list[dict] = []
    for path in (
        "stem",
        *(f"stages/{stage}/0/{name}" for stage in range(4) for name in ("conv_1", "conv_2", "conv_3", "skip")),
        "head",
        "up",
    ):
        kernel, bias = ("head/up_kernel", "head/up_bias") if path == "up" else (f"{path}/kernel", f"{path}/bias")
        height, width, channel, features = own[kernel]
        weight = np.full((features, channel, height, width), constant(kernel), np.float32)
        modules.append({"weight": weight, "bias": np.full(own[bias], constant(bias), np.float32)})
        if f"{path}/norm/mean" in own:
            names = part_detector_torch7.NORM.items()
            modules.append(
                {theirs: np.full(own[f"{path}/norm/{ours}"], constant(ours), np.float32) for ours, theirs in names}
            )
    Path("detector.t7").write_bytes(T7().write({"modules": modules}).bytes())
    told = document("weights", "convert", "detector.t7", "--to", "weights/pose", "--network", "part_detector")
    assert told["parameters"] == len(own)
    assert HumanPoseNN.load("weights/pose").size == (64, 64)
    stored, _ = checkpoint.load("weights/pose")
    for path, array in stored.items():
        assert np.all(array == constant(path.split("/")[-1] if "/norm/" in path else path)), path


def test_a_trunk_is_converted_with_a_table_of_80_columns(place, trunk):
    printed = good("weights", "convert", trunk, "--to", "my trunk", "--float16")
    assert max(len(line) for line in printed.splitlines() if str(trunk) not in line) <= 80
    for words in ("found", "filled", "missing", "unexpected", "dead", "ignored", "rounded to float16", "sha256"):
        assert words in printed
    stored, manifest = checkpoint.load("my trunk")
    assert manifest["network"] == "MobileNetV2"
    assert manifest["config"] == {"width": WIDTH, "head": 1280, "padding": "symmetric"}
    assert manifest["weights"]["sha256"] in printed
    kernel = trunk_arrays()["features.18.0.weight"]
    np.testing.assert_allclose(stored["head/kernel"], kernel.transpose(2, 3, 1, 0), rtol=1e-3)
    with pytest.raises(ValueError, match="finds no joints"):
        HumanPoseNN.load("my trunk")


def test_the_commands_help_with_examples(place):
    for name in ("inspect", "convert"):
        printed = good("weights", name, "--help")
        assert f"gaitnet weights {name} MPII+LSP.ckpt" in printed
        assert "--json" in printed
        assert max(map(len, printed.splitlines())) <= 80


def test_two_formats_make_the_same_checkpoint(place, trunk):
    """The same weights in a `.pth` under a prefix, and what `inspect` says of them."""
    write_pth(Path("x.pth"), {f"module.{name}": array for name, array in trunk_arrays().items()})
    one = document("weights", "convert", "x.pth", "--to", "one")
    other = document("weights", "convert", trunk, "--to", "other")
    assert one["sha256"] == other["sha256"]
    told = document("weights", "inspect", "x.pth")
    assert told["network"] == "mobile_trunk by torchvision's names"
    assert told["arrays"][0] == {"name": "module.features.0.0.weight", "shape": [16, 3, 3, 3], "type": "float32"}
    assert told["numbers"] == sum(array.size for array in trunk_arrays().values())


def test_of_a_bundle_the_card_has_the_checksum_of_every_file(place, trunk):
    """The numbers lie in the shards; the index, by which they are named, only lists them."""
    write_v2(Path("model.ckpt-7"), trunk_arrays(), shards=2)
    one = document("weights", "convert", "model.ckpt-7", "--to", "one")
    other = document("weights", "convert", trunk, "--to", "other")
    assert (one["format"], one["network"]) == ("TensorFlow V2 checkpoint", "mobile_trunk")
    assert one["sha256"] == other["sha256"]
    files = ["model.ckpt-7.index", *(f"model.ckpt-7.data-0000{number}-of-00002" for number in (0, 1))]
    index, *shards = (hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in files)
    source = checkpoint.load("one")[1]["card"]["source"]
    assert (source["sha256"], source["shards"]) == (index, dict(zip(files[1:], shards, strict=True)))
    assert checkpoint.load("other")[1]["card"]["source"]["shards"] == {}


def test_inspect_prints_a_table_of_80_columns(place):
    write_keras(Path("x.h5"), {"layer": {"kernel": np.ones((3, 3, 2), np.float16)}, "a\x1b[2Jb": {"bias": np.ones(1)}})
    printed = good("weights", "inspect", "x.h5")
    assert max(map(len, printed.splitlines())) <= 80
    assert "3 x 3 x 2" in printed
    assert "float16" in printed
    assert "\x1b" not in printed
    assert "19 numbers in all, no network that is known here" in printed


def test_what_does_not_fit_is_named_and_nothing_is_written(place):
    arrays = dict(trunk_arrays())
    del arrays["features.3.conv.0.0.weight"]
    arrays |= {"stranger\x1b[2J": np.zeros(2, np.float32), "features.0.1.bias": np.zeros(7, np.float32)}
    save_file(arrays, "x.safetensors")
    done = run("weights", "convert", "x.safetensors", "--to", "out")
    assert done.exit_code == 2
    (sentence,) = done.stderr.strip().splitlines()
    for words in (
        "1 missing (features.3.conv.0.0.weight)",
        "1 unexpected (stranger",
        "1 mis-shaped (features.0.1.bias",
    ):
        assert words in sentence
    assert "Nothing was written" in sentence
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert everything(place) == ["x.safetensors"]
    assert "--json lists every name" in sentence


def test_a_refusal_in_json_lists_every_name(place):
    """Where seven names are missing, the sentence gives three of them and the document all."""
    arrays = dict(trunk_arrays())
    gone = sorted(name for name in arrays if name.startswith("features.3.conv."))[:7]
    for name in gone:
        del arrays[name]
    save_file(arrays | {"features.0.1.bias": np.zeros(7, np.float32)}, "x.safetensors")
    done = run("weights", "convert", "x.safetensors", "--to", "out", "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["missing"] == gone
    assert (told["network"], told["found"], told["unexpected"]) == ("mobile_trunk", len(arrays), [])
    (misshaped,) = told["misshaped"]
    assert misshaped.startswith("features.0.1.bias expected")
    assert done.stderr.count("features.3.") == 3
    assert told["refused"].endswith("Nothing was written")
    assert everything(place) == ["x.safetensors"]


def test_the_oracles_numbers_are_kept_to_the_digit_by_default(place, monkeypatch):
    """float16 would put the features off by 6e-4; the part detector in few blocks, its weights drawn by name."""
    config = PartDetectorConfig(blocks=(1, 1, 1, 1))
    monkeypatch.setattr(recognize, "PartDetectorConfig", lambda: config)
    own = checkpoint.variables(nnx.eval_shape(lambda: PartDetector(config, rngs=nnx.Rngs(0))))
    paths = part_detector.key_table(config).paths
    original = {name: oracle.recipe(name, own[path].get_value().shape) for name, path in paths.items()}
    write_v1(Path("x.ckpt"), original, compress=True, block_size=1 << 18)
    good("weights", "convert", "x.ckpt", "--to", "out")
    stored, _ = checkpoint.load("out")
    assert len(stored) == len(original)
    for name, path in paths.items():
        np.testing.assert_array_equal(stored[path], original[name], strict=True)


def test_wrong_files_and_wishes_are_refused_in_a_sentence(place, trunk):
    save_file(trunk_arrays() | {"features.0.1.bias": np.full(16, np.nan, np.float32)}, "nan.safetensors")
    save_file({"a": np.ones(3, np.float32)}, "strange.safetensors")
    write_pth(Path("bomb.pth"), {}, b"cos\nsystem\n(" + text_op("touch ran") + b"tR")
    Path("cut.safetensors").write_bytes(trunk.read_bytes()[:-100])
    Path("page.h5").write_text("<!DOCTYPE html>")
    Path("file").touch()
    write_v1(Path("gait.ckpt"), {"GaitNN/x": np.ones(2, np.float32)})
    good("weights", "convert", trunk, "--to", "there")
    before = everything(place)
    for arguments, says in (
        (("nowhere.ckpt",), "does not exist"),
        (("bomb.pth",), "asks for 'os.system'"),
        (("cut.safetensors",), "cannot be read as a safetensors file"),
        (("page.h5",), "is a web page"),
        (("strange.safetensors",), "no network that is known"),
        (("nan.safetensors",), "not finite: features.0.1.bias"),
        ((trunk, "--network", "part_detector"), "not of part_detector but those of mobile_trunk"),
        ((trunk, "--network", "gaitnn"), "of a GaitNN"),
        ((trunk, "--layers", "2"), "--layers: only GaitNN"),
        ((trunk, "--unit", "LSTM"), "--unit: only GaitNN"),
        (("gait.ckpt", "--network", "mobile_trunk"), "not of mobile_trunk but those of gaitnn"),
        (("gait.ckpt",), "of a GaitNN"),
    ):
        sentence = bad("weights", "convert", *arguments, "--to", "out")
        assert says in sentence, arguments
        assert len(sentence.strip().splitlines()) == 1
    assert "holds a checkpoint already" in bad("weights", "convert", trunk, "--to", "there")
    assert "is a file" in bad("weights", "convert", trunk, "--to", "file")
    assert "asks for 'os.system'" in bad("weights", "inspect", "bomb.pth")
    assert everything(place) == before
    assert "ran" not in os.listdir(place)


def test_the_name_of_a_file_is_printed_plainly(place):
    name = "e\x1b]0;title\x07\u202ekcart.h5"
    write_keras(Path(name), {"layer": {"kernel": np.ones((3, 3, 2), np.float16)}})
    printed = good("weights", "inspect", name)
    assert printed.startswith(r"e\u001b]0;title\u0007\u202ekcart.h5: Keras HDF5 file")
    done = run("weights", "convert", name, "--to", "out")
    assert not {"\x1b", "\x07", "\u202e"} & set(printed + done.stdout + done.stderr)
    assert document("weights", "inspect", name)["file"] == name
