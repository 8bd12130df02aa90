"""Torch7's files: what a Lua program keeps in them, both sizes of long integers, and files that lie."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights_files import read_or_refused
from weights_files_torch import T7, Function, Module, View

from humanpose.weights import formats, torch7
from humanpose.weights.arrays import WeightsFileError

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.standard_normal((4, 3, 2, 2)).astype(np.float32)
BIAS = RANDOM.standard_normal(4)


def network(shared=None):
    shared = BIAS if shared is None else shared
    convolution = Module("nn.SpatialConvolution", weight=KERNEL, bias=shared, kW=2, kH=2, nOutputPlane=4, train=False)
    flat = Module(
        "nn.SpatialConvolutionMM",
        weight=KERNEL.reshape(4, 12), bias=shared, nInputPlane=3, nOutputPlane=4, kW=2, kH=2, hook=Function(),
    )  # fmt: skip
    return Module("nn.Sequential", modules=[convolution, flat], called="détecteur", none=None, ratio=0.5)


def planted(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("long_size", [8, 4])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_network_comes_back_by_its_paths(tmp_path, long_size, legacy):
    path = planted(tmp_path / "x.t7", T7(long_size, legacy).write(network()).bytes())
    arrays = formats.read(path)
    assert arrays.kind == "Torch7 file"
    assert list(arrays) == [f"modules/{number}/{name}" for number in (1, 2) for name in ("bias", "weight")]
    for number in (1, 2):
        np.testing.assert_array_equal(arrays[f"modules/{number}/weight"], KERNEL)
        np.testing.assert_array_equal(arrays[f"modules/{number}/bias"], BIAS)
    assert arrays.entries["modules/1/bias"].stored == "float64"
    root = torch7.read_objects(path)
    first, second = root["modules"][1], root["modules"][2]
    assert first["bias"] is second["bias"]
    assert (root[torch7.CLASS], first["kW"], root["ratio"], first["train"]) == ("nn.Sequential", 2, 0.5, False)
    assert root["called"] == "détecteur"
    assert second["hook"] is None


@pytest.mark.parametrize("kind", ["float64", "int64", "int32", "uint8", "float16"])
def test_tensors_of_every_kind(tmp_path, kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    for long_size in (8, 4):
        arrays = formats.read(planted(tmp_path / "x.t7", T7(long_size).write({"t": array}).bytes()))
        np.testing.assert_array_equal(arrays["t"], array)
    assert arrays["t"].dtype.kind == array.dtype.kind


def test_views_show_their_part_of_a_storage(tmp_path):
    storage = np.arange(12, dtype=np.float32)
    views = {
        "all": View(storage, (3, 4), (4, 1), 0),
        "turned": View(storage, (4, 3), (1, 4), 0),
        "column": View(storage, (3,), (4,), 2),
        "none": View(storage, (0,), (1,), 0),
    }
    arrays = formats.read(planted(tmp_path / "x.t7", T7().write(views).bytes()))
    whole = storage.reshape(3, 4)
    for name, expected in {"all": whole, "turned": whole.T, "column": whole[:, 2]}.items():
        np.testing.assert_array_equal(arrays[name], expected)
    assert "none" not in arrays


def test_what_refers_to_itself_and_what_is_deep_is_read(tmp_path):
    ring: dict = {"weight": KERNEL}
    ring["again"] = ring
    assert list(formats.read(planted(tmp_path / "x.t7", T7().write(ring).bytes()))) == ["weight"]
    # deeper than Python's own stack
    content = b"".join(struct.pack("<3i", 3, level + 1, 1) + struct.pack("<id", 1, 1.0) for level in range(1500))
    assert len(torch7.read_objects(planted(tmp_path / "deep.t7", content + struct.pack("<i", 0)))) == 1


def tensor(shape, steps, offset, size, numbers=None):
    """A float tensor whose header says this, over a storage of which only `numbers` are there."""
    out = T7()
    out.integer(4), out.integer(1), out.text("V 1"), out.text("torch.FloatTensor"), out.integer(len(shape))
    out.longs(*shape, *steps, offset + 1)
    out.integer(4), out.integer(2), out.text("V 1"), out.text("torch.FloatStorage"), out.longs(size)
    out.out.write(bytes(4 * (size if numbers is None else numbers)))
    return out.bytes()


def bare(shape):
    """A float tensor whose header has this shape, and a nil where its storage would be."""
    out = T7()
    out.integer(4), out.integer(1), out.text("V 1"), out.text("torch.FloatTensor"), out.integer(len(shape))
    out.longs(*shape, *(1 for _ in shape), 1), out.integer(0)
    return out.bytes()


def test_empty_tensors_need_no_storage(tmp_path):
    for shape in ((), (0,), (3, 0)):
        assert len(formats.read(planted(tmp_path / "x.t7", bare(shape)))) == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (bare((200_000, 200_000)), "without numbers"),
        (bare((3,)), "without numbers"),
        (bare((-5, 3)), r"a tensor of the shape \(-5, 3\)"),
        (bare((0, -5)), r"a tensor of the shape \(0, -5\)"),
        (tensor((3,), (1,), 0, 1 << 40, 3), "cut short"),
        (tensor((3,), (1,), 0, -1, 3), "cut short"),
        (tensor((4,), (1,), 0, 3), "claims more"),
        (tensor((3,), (1,), 1, 3), "reaches beyond"),
        (tensor((3,), (2,), 0, 3), "reaches beyond"),
        (tensor((3,), (-1,), 2, 3), "reaches beyond"),
        (tensor((3,), (1,), -1, 3), "reaches beyond"),
        (tensor((1 << 40, 1 << 40), (0, 0), 0, 3), "claims more"),
        (tensor((-3,), (1,), 0, 3), "a tensor of the shape"),
        (tensor((3,), (1,), 0, 3) + b"\x00", "follow its only object"),
        (struct.pack("<4i", 4, 1, 1 << 30, 0), "cut short"),
        (struct.pack("<3i", 3, 1, 1 << 30), "cut short"),
        (struct.pack("<4i", 3, 1, 1, 9), "unknown kind 9"),
        (T7().write(Module("nn.Linear", weight=KERNEL)).bytes()[:-1], "cut short"),
        (struct.pack("<3i", 2, -5, 0), "cut short"),
    ],
)
def test_files_that_lie_are_refused(tmp_path, content, complaint):
    with pytest.raises(WeightsFileError, match=complaint) as caught:
        formats.read(planted(tmp_path / "x.t7", content))
    assert str(tmp_path / "x.t7") in str(caught.value)


def test_a_bomb_of_objects_is_refused_before_it_grows(tmp_path, monkeypatch):
    """A table of a great many nothings: four bytes each in the file, a hundred in memory."""
    assert torch7.MOST_OBJECTS < 1_000_000
    monkeypatch.setattr(torch7, "MOST_OBJECTS", 500)
    many = struct.pack("<3i", 3, 1, 1 << 29) + b"".join(struct.pack("<idi", 1, float(key), 0) for key in range(1000))
    with pytest.raises(WeightsFileError, match="more than 500 objects"):
        formats.read(planted(tmp_path / "x.t7", many))


def test_nesting_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(torch7, "DEEPEST", 100)
    content = b"".join(struct.pack("<3i", 3, level + 1, 1) + struct.pack("<id", 1, 1.0) for level in range(200))
    with pytest.raises(WeightsFileError, match="more than 100 deep"):
        formats.read(planted(tmp_path / "x.t7", content + bytes(4)))


def test_unknown_classes_are_dicts_and_those_without_a_table_are_refused(tmp_path):
    path = planted(tmp_path / "x.t7", T7().write(Module("my.Thing", weight=KERNEL)).bytes())
    assert torch7.read_objects(path)[torch7.CLASS] == "my.Thing"
    out = T7()
    out.integer(4), out.integer(1), out.text("V 1"), out.text("tds.Hash"), out.integer(1)
    out.out.write(struct.pack("<d", 3.0))
    with pytest.raises(WeightsFileError, match=r"class tds\.Hash, whose content is no table"):
        formats.read(planted(tmp_path / "x.t7", out.bytes()))


def test_files_in_ascii_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(WeightsFileError, match="in ASCII; where Torch7 is installed"):
        formats.read(planted(tmp_path / "x.bin", b"4\n1\n3\nV 1\n13\nnn.Sequential\n"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise_is_refused_or_read(tmp_path, data):
    sound = T7().write(network()).bytes()
    where = data.draw(st.integers(0, len(sound)))
    noise = data.draw(st.binary(max_size=30))
    content = data.draw(st.sampled_from([noise, sound[:where] + noise + sound[where + len(noise) :], sound[:where]]))
    path = planted(tmp_path / "x.t7", content)
    read_or_refused(torch7.read, path)
