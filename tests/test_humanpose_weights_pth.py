"""PyTorch's files: state dicts come back, pickles that are more than that never run, bombs stay small."""

import contextlib
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights_files import bfloat16, read_or_refused
from weights_files_torch import integer_op, integers_op, state_dict_op, tensor_op, text_op, write_pth

from humanpose.weights import formats, torch_pickle
from humanpose.weights.arrays import WeightsFileError

RANDOM = np.random.default_rng(0)
STATE = {
    "features.0.0.weight": RANDOM.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "features.0.1.num_batches_tracked": np.array(5),
    "half": np.array([0.5, -1], np.float16),
    "double": RANDOM.standard_normal((2, 2)),
    "flags": np.array([True, False]),
    "bytes": np.arange(3, dtype=np.uint8),
    "empty": np.zeros((0, 3), np.float32),
}


def test_a_state_dict_comes_back_to_the_bit(tmp_path):
    write_pth(tmp_path / "x.pth", STATE)
    arrays = formats.read(tmp_path / "x.pth")
    assert arrays.kind == "PyTorch file"
    assert list(arrays) == list(STATE)
    for name, array in STATE.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == arrays.shapes[name] == array.shape
        assert arrays[name].tobytes() == array.tobytes()


def test_bfloat16_views_and_dicts_within_dicts(tmp_path):
    rough = np.array([1.0, -2.5, 3.0], np.float32)
    numbers = np.arange(12, dtype=np.float32)
    inner = b"}(" + text_op("turned") + tensor_op("0", "Float", 12, (4, 3), (1, 4))
    inner += text_op("column") + tensor_op("0", "Float", 12, (3,), (4,), 2)
    inner += text_op("brain") + tensor_op("1", "BFloat16", 3, (3,), (1,)) + b"u"
    program = b"}(" + text_op("epoch") + integer_op(3) + text_op("state_dict") + inner
    program += text_op("list") + b"](" + tensor_op("0", "Float", 12, (12,), (1,)) + b"N\x88eu"
    write_pth(tmp_path / "x.pth", {"a": numbers, "b": bfloat16(rough)}, program)
    arrays = formats.read(tmp_path / "x.pth")
    assert set(arrays) == {"state_dict/turned", "state_dict/column", "state_dict/brain", "list/0"}
    np.testing.assert_array_equal(arrays["state_dict/turned"], numbers.reshape(3, 4).T)
    np.testing.assert_array_equal(arrays["state_dict/column"], [2, 6, 10])
    np.testing.assert_array_equal(arrays["state_dict/brain"], rough)
    np.testing.assert_array_equal(arrays["list/0"], numbers)


RUNS = b"cos\nsystem\n(" + text_op("touch pickle-ran") + b"tR"


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        (RUNS, "asks for 'os.system'"),
        (b"}(" + text_op("a") + RUNS + b"u", "asks for 'os.system'"),
        (b"cbuiltins\neval\n(" + text_op("1") + b"tR", "asks for 'builtins.eval'"),
        (b"ctorch.nn.modules.conv\nConv2d\n)R", "asks for 'torch.nn.modules.conv.Conv2d'"),
        (b"cnumpy.core.multiarray\n_reconstruct\n)R", "asks for 'numpy.core.multiarray._reconstruct'"),
        (b"\x8c\x02os\x8c\x06system\x93(" + text_op("touch pickle-ran") + b"tR", "asks for 'os.system'"),
        (b"(" + text_op("touch pickle-ran") + b"ios\nsystem\n", "uses INST"),
        (b"ctorch\nFloatStorage\n)\x81", "uses NEWOBJ"),
        (b"\x82\x01", "uses EXT1"),
        (b"U\x01a", "uses SHORT_BINSTRING"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "no sound program"),
        (b"ccollections\nOrderedDict\n(](" + text_op("a") + integer_op(1) + b"etR", "no sound program"),
        (b"]" + text_op("a") + b"s", "no sound program"),
        (b"h\x05", "no sound program"),
        (b"t", "no sound program"),
        (b"}}", "no sound program"),
        (integer_op(3), "holds no tensors"),
        (b"\xff", "unknown"),
        (b"X\xff\xff\xff\x7fabc", "expected 2147483647 bytes"),
    ],
)
def test_pickles_that_are_more_than_tensors_are_refused_by_name(tmp_path, monkeypatch, program, complaint):
    monkeypatch.chdir(tmp_path)
    write_pth(tmp_path / "x.pth", {}, program)
    with pytest.raises(WeightsFileError, match=complaint) as caught:
        formats.read(tmp_path / "x.pth")
    assert str(tmp_path / "x.pth") in str(caught.value)
    assert os.listdir(tmp_path) == ["x.pth"]


@pytest.mark.parametrize(
    ("view", "complaint"),
    [
        (tensor_op("0", "Float", 3, (4,), (1,)), "claims more"),
        (tensor_op("0", "Float", 3, (3,), (2,)), "reaches beyond"),
        (tensor_op("0", "Float", 3, (3,), (1,), 1), "reaches beyond"),
        (tensor_op("0", "Float", 3, (3,), (-1,), 2), "reaches beyond"),
        (tensor_op("0", "Float", 3, (1 << 30, 1 << 30), (0, 0)), "claims more"),
        (tensor_op("0", "Float", 4, (3,), (1,)), "missing or cut short"),
        (tensor_op("0", "Float", 1 << 30, (1 << 30,), (1,)), "missing or cut short"),
        (tensor_op("9", "Float", 3, (3,), (1,)), "missing or cut short"),
        (tensor_op("../0", "Float", 3, (3,), (1,)), "missing or cut short"),
        (tensor_op("0", "Float", 3, (-3,), (1,)), "none of an array"),
        (tensor_op("0", "Float", 3, (1,) * 40, (1,) * 40), "no sound program"),
        (tensor_op("0", "Float", 3, (3,), ()), "no sound program"),
    ],
)
def test_tensors_that_reach_beyond_their_numbers_are_refused(tmp_path, view, complaint):
    write_pth(tmp_path / "x.pth", {"a": np.zeros(3, np.float32)}, b"}" + text_op("a") + view + b"s")
    with pytest.raises(WeightsFileError, match=complaint):
        formats.read(tmp_path / "x.pth")


def doubled(times: int) -> bytes:
    """A tuple of two tuples of two tuples ...: small here, hashed or copied it would never end."""
    return b")q\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(times))


@pytest.mark.parametrize(
    "program",
    [
        doubled(60),
        b"}" + doubled(60) + integer_op(1) + b"s",
        b"}" + text_op("a") + doubled(60) + b"s",
        # a long list that many calls would copy, many arguments, a long key of many dicts
        b"](" + b"K\x01" * 9000 + b"eq\x00" + b"ctorch\nSize\nq\x010](" + b"h\x01h\x00\x85R" * 900 + b"e",
        b"(" + b"K\x01" * 9000 + b"tq\x00](" + b"ctorch._utils\n_rebuild_tensor\nh\x00R" * 900 + b"e",
        b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x000](" + b"}h\x00}s" * 900 + b"e",
    ],
)
def test_bombs_stay_small(tmp_path, program):
    """Refused or read, but without more memory than a few times the file."""
    write_pth(tmp_path / "x.pth", {}, program)
    tracemalloc.start()
    read_or_refused(formats.read, tmp_path / "x.pth")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


def test_archives_of_another_make_are_refused(tmp_path):
    write_pth(tmp_path / "x.pth", STATE, method=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsFileError, match="archive is compressed"):
        formats.read(tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(WeightsFileError, match=r"without the one data\.pkl"):
        formats.read(tmp_path / "y.pth")
    (tmp_path / "z.pth").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    with pytest.raises(WeightsFileError, match=r"bare pickle.*torch\.save\(torch\.load\(FILE"):
        formats.read(tmp_path / "z.pth")


def test_a_program_of_absurd_length_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_pickle, "MOST_PROGRAM", 100)
    write_pth(tmp_path / "x.pth", STATE)
    with pytest.raises(WeightsFileError, match="more than any network needs"):
        formats.read(tmp_path / "x.pth")


def test_one_tensor_listed_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_pickle, "MOST_ARRAYS", 100)
    for times in (100, 101):
        program = tensor_op("0", "Float", 3, (3,), (1,)) + b"q\x00](" + b"h\x00" * (times - 1) + b"e"
        write_pth(tmp_path / f"{times}.pth", {"a": np.zeros(3, np.float32)}, b"](" + program + b"e")
    assert len(formats.read(tmp_path / "100.pth")) == 100
    with pytest.raises(WeightsFileError, match="lists more than 100 tensors, which no network has"):
        formats.read(tmp_path / "101.pth")


def test_a_flipped_bit_in_the_numbers_is_noticed(tmp_path):
    write_pth(tmp_path / "x.pth", STATE)
    content = bytearray((tmp_path / "x.pth").read_bytes())
    content[content.index(STATE["double"].tobytes()) + 3] ^= 1
    (tmp_path / "x.pth").write_bytes(content)
    arrays = formats.read(tmp_path / "x.pth")
    with pytest.raises(WeightsFileError, match=r"damaged at 'double'.*CRC"):
        arrays["double"]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_noise_in_a_program_is_refused_or_harmless(data):
    sound = b"\x80\x02" + state_dict_op(STATE) + b"."
    where = data.draw(st.integers(0, len(sound)))
    noise = data.draw(st.binary(max_size=10))
    with contextlib.suppress(ValueError):
        torch_pickle.run(sound[:where] + noise + sound[where + len(noise) :])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise_in_an_archive_is_refused_or_read(tmp_path, data):
    write_pth(tmp_path / "x.pth", STATE)
    sound = (tmp_path / "x.pth").read_bytes()
    where = data.draw(st.integers(0, len(sound)))
    noise = data.draw(st.binary(max_size=20))
    (tmp_path / "y.pth").write_bytes(
        data.draw(st.sampled_from([sound[:where] + noise + sound[where + len(noise) :], sound[:where]]))
    )
    read_or_refused(torch_pickle.read, tmp_path / "y.pth")


def test_integers_are_written_as_expected():
    """The writer's own check: a tuple of two numbers is what Python's rules make of it."""
    assert torch_pickle.run(b"\x80\x02" + integers_op([2, -3]) + b".") == (2, -3)


def test_a_crooked_escape_in_an_old_string_warns_nobody():
    with contextlib.suppress(ValueError):
        torch_pickle.run(b"S'\\o'\n.")
