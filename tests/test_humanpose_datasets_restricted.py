"""Pickles are read without being run: what plain ones hold, and what happens to the others."""

import collections
import contextlib
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanpose.datasets.restricted import read_npz, read_pickle, read_pickle_file

keys = st.text() | st.integers(1 - 2**60, 2**60 - 1)  # larger ones are refused, since they can be made to hash alike
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner) | st.tuples(inner),
    max_leaves=20,
)


@settings(max_examples=30, deadline=None)
@given(value=plain, protocol=st.sampled_from([1, 2, 3, 4, 5]))
def test_plain_data_comes_back(value, protocol):
    if protocol < 3:
        value = without_bytes(value)  # their old form runs a codec with an empty tuple of its own
    assert read_pickle(pickle.dumps(value, protocol=protocol)) == value


def without_bytes(value):
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    return type(value)(map(without_bytes, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">i2"), np.zeros((0, 3)), np.array(3.5), np.array([True, False]), np.array(["ab", "c"]),
    ],
)  # fmt: skip
def test_arrays_come_back(array, protocol):
    found = read_pickle(pickle.dumps({"a": array}, protocol=protocol))["a"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.writeable


def test_objects_in_arrays_are_shared_as_they_were():
    inner = [np.arange(3), {"k": (1, 2)}]
    array = np.empty((2, 2), object)
    array[0, 0], array[0, 1], array[1, 0], array[1, 1] = inner, inner, None, np.float64(2.5)
    found = read_pickle(pickle.dumps(array, protocol=4))
    assert found.shape == (2, 2)
    assert found[0, 0] is found[0, 1]
    np.testing.assert_array_equal(found[0, 0][0], [0, 1, 2])
    assert found[0, 0][1] == {"k": (1, 2)}
    assert (found[1, 0], found[1, 1]) == (None, 2.5)
    assert read_pickle(pickle.dumps(collections.OrderedDict(a=1), protocol=2)) == {"a": 1}


class Bomb:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
def test_a_bomb_does_not_go_off(tmp_path, protocol):
    mark = tmp_path / "gone off"
    for call in (os.mkdir, open, eval, np.save, np.memmap, np.lib.format.open_memmap):
        arguments = (str(mark), "w") if call in (open,) else (str(mark),)
        data = pickle.dumps([1, Bomb(call, *arguments)], protocol=protocol)
        with pytest.raises(ValueError, match=r"it asks for .*; it was not run"):
            read_pickle(data)
    (tmp_path / "bomb.npz").touch()
    content = np.empty((), object)
    content[()] = {"S1": Bomb(os.mkdir, str(mark))}
    np.savez(tmp_path / "bomb.npz", positions_2d=content)
    with pytest.raises(ValueError, match=r"bomb.npz.*mkdir"):
        read_npz(tmp_path / "bomb.npz")
    assert not mark.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy\ndtype\n.",  # a type for a value
        b"cnumpy\ndtype\n(S'O'\ntR(cos\nsystem\nS'true'\ntb.",
        b"cnumpy.core.multiarray\n_reconstruct\n.",
        b"cnumpy.core\nmultiarray._reconstruct\n(lR.",
        b"(lp0\ng0\na.",  # a list in itself
        b"(dp0\n(lp1\ng1\ns.",  # a key that cannot be one
        b"]" * 3000 + b"a" * 2999 + b".", b"c__builtin__\nbytes\n(K\x05tR.",
        b"(" * 2000 + b"t" * 2000 + b".",
        b".", b"K\x01", b"N0.", b"g5\n.", b"I99999999999999999999999\nI1\nb.",
        b"\x80\x02]q\x00K\x01a\x81.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"cnumpy\ndtype\n(S'V9999999999'\ntR.", b"cnumpy\ndtype\n(S'(2147483647,)f8'\ntR.",
    ],
)  # fmt: skip
def test_crooked_programs_are_refused(program):
    with pytest.raises(ValueError, match="not a pickle of plain data and arrays"):
        read_pickle(program)


@settings(max_examples=80, deadline=None)
@given(content=st.binary(max_size=60))
def test_foreign_bytes_are_refused_or_plain(content):
    try:
        found = read_pickle(content)
    except ValueError:
        return
    assert isinstance(found, (int, float, str, bytes, bytearray, tuple, list, dict, type(None)))


def test_cut_files_are_refused(tmp_path):
    whole = pickle.dumps({"a": np.arange(50.0)}, protocol=3)
    for end in range(0, len(whole), 7):
        with pytest.raises(ValueError, match="not a pickle"):
            read_pickle(whole[:end])
    np.savez(tmp_path / "a.npz", x=np.arange(20.0), y=np.array({"b": [1]}, object))
    found = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["x"], np.arange(20.0))
    assert found["y"] == {"b": [1]}
    content = (tmp_path / "a.npz").read_bytes()
    for end in (0, 10, 100, len(content) // 2, len(content) - 5):
        (tmp_path / "a.npz").write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"a.npz' must be a whole .npz"):
            read_npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="cannot be read"):
        read_pickle_file(tmp_path / "no.pkl")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_within_a_packed_array_is_told(tmp_path, method):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).standard_normal(500))
    with zipfile.ZipFile(tmp_path / "a.npz") as plain, zipfile.ZipFile(tmp_path / "b.npz", "w", method) as packed:
        packed.writestr("x.npy", plain.read("x.npy"))
    assert read_npz(tmp_path / "b.npz")["x"].shape == (500,)
    content = bytearray((tmp_path / "b.npz").read_bytes())
    for place in range(60, len(content) // 2, 90):
        damaged = content.copy()
        damaged[place : place + 30] = b"\xff" * 30
        (tmp_path / "b.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"b.npz' must be a whole .npz"):
            read_npz(tmp_path / "b.npz")


def test_the_real_cameras(data_root):
    cameras = read_pickle_file(data_root / "h36m" / "cameras.pkl")
    assert len(cameras) == 44  # 11 subjects before 4 cameras
    one = cameras["S1", "54138969"]
    assert (one["w"], one["h"], one["R"].shape) == (1000, 1002, (3, 3))
    np.testing.assert_allclose(one["R"] @ one["R"].T, np.eye(3), atol=1e-6)


def test_a_crooked_escape_in_an_old_string_warns_nobody():
    with contextlib.suppress(ValueError):
        read_pickle(b"S'\\o'\n.")
