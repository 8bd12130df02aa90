"""Keras's and safetensors' files, and how a file's format is told."""

import json
import struct
import sys

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file
from weights_files import read_or_refused, write_keras, write_v1, write_v2
from weights_files_torch import write_pth

from humanpose import hdf5_process
from humanpose.weights import (
    formats,
    keras_h5,
    safetensors_file,
    tensorflow_v1,
    tensorflow_v2,
    torch7,
    torch_pickle,
)
from humanpose.weights.arrays import WeightsFileError

RANDOM = np.random.default_rng(0)
LAYERS: dict[str, dict[str, np.ndarray]] = {
    "Conv1": {"kernel": RANDOM.standard_normal((3, 3, 3, 4)).astype(np.float32)},
    "bn_Conv1": {name: RANDOM.standard_normal(4).astype(np.float32) for name in ("gamma", "beta")},
    "Conv1_relu": {},
    "dw": {"depthwise_kernel": RANDOM.standard_normal((3, 3, 4, 1)).astype(np.float32)},
    "half": {"kernel": np.array([0.5, -2], np.float16)},
}


@pytest.mark.parametrize("whole_model", [False, True])
@pytest.mark.parametrize("suffix", [":0", ""])
def test_keras_weights_come_back(tmp_path, whole_model, suffix):
    write_keras(tmp_path / "x.h5", LAYERS, whole_model, suffix)
    arrays = formats.read(tmp_path / "x.h5")
    expected = {
        f"{layer}/{name.removeprefix('depthwise_')}": array
        for layer, weights in LAYERS.items()
        for name, array in weights.items()
    }
    assert list(arrays) == list(expected)
    assert arrays.facts == {"keras_version": "2.2.4"}
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def spoil(path, how):
    """Files of Keras's layout whose numbers are not where they seem."""
    write_keras(path, LAYERS)
    secret = path.with_name("secret.bin")
    secret.write_bytes(bytes(range(144)) * 3)
    with h5py.File(path, "r+") as file:
        group = file["Conv1/Conv1"]
        del group["kernel:0"]
        if how == "soft link":
            group["kernel:0"] = h5py.SoftLink("/dw/dw/depthwise_kernel:0")
        elif how == "other file":
            group["kernel:0"] = h5py.ExternalLink(str(path), "/dw/dw/depthwise_kernel:0")
        elif how == "external data":
            group.create_dataset("kernel:0", (3, 3, 3, 4), "f4", external=[(str(secret), 0, 432)])
        elif how == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(str(path), "/bn_Conv1/bn_Conv1/beta:0", (4,))
            group.create_virtual_dataset("kernel:0", layout)
        elif how == "compressed":
            group.create_dataset("kernel:0", data=np.zeros((100, 100), np.float32), compression="gzip")
        elif how == "never written":
            group.create_dataset("kernel:0", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))
        elif how == "huge":
            file["dw"].attrs["weight_names"] = [b"dw/big"]
            file["dw/dw"].create_dataset("big", (1 << 33,), "f4")
            group.create_dataset("kernel:0", data=np.zeros(3, np.float32))
        elif how == "texts":
            group.create_dataset("kernel:0", data=np.array([b"abc"]))
        elif how == "group":
            group.create_group("kernel:0")
        elif how == "nameless":
            del file.attrs["layer_names"]
            group.create_dataset("kernel:0", data=np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("gone", "missing, or a link"),
        ("soft link", "missing, or a link"),
        ("other file", "missing, or a link"),
        ("external data", "kept elsewhere"),
        ("virtual", "kept elsewhere"),
        ("compressed", "compressed or"),
        ("never written", "compressed or"),
        ("huge", "are missing|claims more"),
        ("texts", "no array of numbers"),
        ("group", "no array of numbers"),
        ("nameless", "without Keras's list of layers"),
    ],
)
def test_datasets_that_are_not_plainly_there_are_refused(tmp_path, how, complaint):
    spoil(tmp_path / "x.h5", how)
    with pytest.raises(WeightsFileError, match=complaint) as caught:
        formats.read(tmp_path / "x.h5")
    assert str(tmp_path / "x.h5") in str(caught.value)


def test_files_of_newer_keras_are_told_what_to_do(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file.create_group("layers")
    with pytest.raises(WeightsFileError, match=r"save the model in the older form: model\.save"):
        formats.read(tmp_path / "x.weights.h5")


def test_damaged_keras_files_are_refused_or_read(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_process, "SECONDS", 10)
    write_keras(tmp_path / "x.h5", LAYERS)
    sound, random = (tmp_path / "x.h5").read_bytes(), np.random.default_rng(5)
    for kept in (20, len(sound) // 2, len(sound) - 1):
        (tmp_path / "y.h5").write_bytes(sound[:kept])
        with pytest.raises(WeightsFileError, match="cannot be read as a Keras HDF5 file"):
            keras_h5.read(tmp_path / "y.h5")
    for _ in range(3):
        spoilt = bytearray(sound)
        spoilt[int(random.integers(len(sound)))] ^= 1 << int(random.integers(8))
        (tmp_path / "y.h5").write_bytes(spoilt)
        read_or_refused(keras_h5.read, tmp_path / "y.h5")


def test_files_that_hang_or_crash_the_library_are_refused(tmp_path, monkeypatch):
    """Both happen with HDF5: what is damaged may loop for ever."""
    write_keras(tmp_path / "x.h5", LAYERS)
    with monkeypatch.context() as patch:
        patch.setattr(hdf5_process, "SECONDS", 0.01)
        with pytest.raises(WeightsFileError, match=r"no end in it within 0\.01 seconds"):
            keras_h5.read(tmp_path / "x.h5")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WeightsFileError, match="library failed at it"):
        keras_h5.read(tmp_path / "x.h5")


def test_a_long_list_of_layers_in_parts_is_joined(tmp_path):
    write_keras(tmp_path / "x.h5", LAYERS)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:2], names[2:]
    assert len(formats.read(tmp_path / "x.h5")) == 5


def raw_safetensors(path, header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


def test_safetensors_come_back_and_bfloat16_is_widened(tmp_path):
    arrays = {
        "features.0.0.weight": RANDOM.standard_normal((2, 3)).astype(np.float32),
        "half": np.array([0.5, -1], np.float16),
        "count": np.array(7),
        "flags": np.array([True, False]),
    }
    save_file(arrays, tmp_path / "x.safetensors", {"format": "pt"})
    read = formats.read(tmp_path / "x.safetensors")
    assert set(read) == set(arrays)
    assert read.facts == {"format": "pt"}
    for name, array in arrays.items():
        assert (read[name].dtype, read.shapes[name]) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read[name], array)
    rough = np.array([1.0, -2.5, 1e-40], np.float32)
    header = {
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]},
        "f": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [6, 7]},
    }
    path = raw_safetensors(tmp_path / "y.safetensors", header, rough.view(np.uint16)[1::2].tobytes() + b"\0")
    read = formats.read(path)
    np.testing.assert_array_equal(read["b"], (rough.view(np.uint32) >> 16 << 16).view(np.float32))
    assert read.entries["b"].stored == "bfloat16"
    assert list(read.skipped) == ["f"]


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]}},
        {"a": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32"}},
        {"a": [1]},
        b"{" * 5000,
        b'{"a":',
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path, header):
    path = raw_safetensors(tmp_path / "x.safetensors", header, bytes(8))
    with pytest.raises(WeightsFileError, match="cannot be read as a safetensors file"):
        dict(formats.read(path))


def test_safetensors_cut_short_or_changed_underneath_are_refused(tmp_path):
    save_file({"a": np.arange(100.0)}, tmp_path / "x.safetensors")
    arrays = safetensors_file.read(tmp_path / "x.safetensors")
    content = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "x.safetensors").write_bytes(content[:-5])
    with pytest.raises(WeightsFileError, match=r"damaged at 'a'.*cut short"):
        arrays["a"]
    for kept in (3, 9, 40, len(content) - 5):
        (tmp_path / "y.safetensors").write_bytes(content[:kept])
        with pytest.raises(WeightsFileError):
            formats.read(tmp_path / "y.safetensors")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page, not weights"),
        (b"\n <html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\x80\x04\x95", "bare pickle"),
        (b"3\n1\n", "in ASCII"),
        (bytes(range(100, 200)), r"no format that is read here: TensorFlow checkpoints"),
    ],
)
def test_files_that_are_no_weights_are_told_apart(tmp_path, content, complaint):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(WeightsFileError, match=complaint):
        formats.read(tmp_path / "x.bin")


@pytest.mark.parametrize("name", ["x.ckpt", "x.index", "x.t7", "x.h5", "x.safetensors"])
def test_a_name_tells_what_a_file_that_lost_its_marks_should_be(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xee" * 100)
    with pytest.raises(WeightsFileError, match=r"TensorFlow V1|TensorFlow V2|Torch7|Keras|safetensors"):
        formats.read(tmp_path / name)


def test_formats_are_told_by_content_not_by_name(tmp_path):
    array = {"a": np.ones(2, np.float32)}
    write_v1(tmp_path / "v1.bin", array)
    write_v2(tmp_path / "v2", array)
    write_keras(tmp_path / "keras.bin", {"a": {"b": array["a"]}})
    write_pth(tmp_path / "pth.bin", array)
    save_file(array, tmp_path / "safe.bin")
    kinds = {
        "v1.bin": "TensorFlow V1 checkpoint", "v2": "TensorFlow V2 checkpoint", "keras.bin": "Keras HDF5 file",
        "pth.bin": "PyTorch file", "safe.bin": "safetensors file",
    }  # fmt: skip
    for name, kind in kinds.items():
        assert formats.read(tmp_path / name).kind == kind
    with pytest.raises(WeightsFileError, match="is a folder"):
        formats.read(tmp_path)
    with pytest.raises(WeightsFileError, match="does not exist"):
        formats.read(tmp_path / "nowhere")


@pytest.mark.parametrize("reader", [keras_h5, torch_pickle, torch7, tensorflow_v1, tensorflow_v2, safetensors_file])
def test_a_file_that_the_system_refuses_is_the_systems_matter(tmp_path, reader):
    with pytest.raises(FileNotFoundError):
        reader.read(tmp_path / "vanished.index")
