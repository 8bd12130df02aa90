"""Files of MATLAB that claim more than they hold, against SciPy's own writer and reader."""

import struct
import zlib

import numpy as np
import pytest
import scipy.io

from humanpose.datasets import matlab
from humanpose.datasets.matlab import read_matlab

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(of_class, shape, *inside):
    flags, dimensions = element(6, struct.pack("<II", of_class, 0)), element(5, struct.pack("<2i", *shape))
    return element(14, flags + dimensions + element(1, b"x") + b"".join(inside))


def compressed(content):
    squeezed = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(squeezed)) + squeezed


@pytest.mark.parametrize("squeeze", [False, True])
def test_everything_comes_as_from_scipy(tmp_path, squeeze):
    told = {
        "joints": np.arange(14 * 3 * 5.0).reshape(14, 3, 5), "name": "walk", "small": np.uint8([[1, 2]]),
        "cells": np.array([[np.arange(3), "a"], [np.zeros((0, 2)), np.array(["bc"], object)]], object),
        "release": {"list": [{"name": "im1.jpg", "x": 3.5}, {"name": "im2.jpg", "x": []}], "flag": np.array([[True]])},
        "empty": {}, "complex": np.array([1 + 2j]),
    }  # fmt: skip
    scipy.io.savemat(tmp_path / "a.mat", told, do_compression=squeeze, oned_as="row")
    for options in ({}, {"squeeze_me": True, "struct_as_record": False}):
        theirs = scipy.io.loadmat(tmp_path / "a.mat", **options)
        for name in told:
            ours = read_matlab(tmp_path / "a.mat", name, **options)
            assert spelled(ours) == spelled(theirs[name])


def spelled(value):
    """What can be compared: SciPy's structures cannot."""
    if hasattr(value, "_fieldnames"):
        return {name: spelled(getattr(value, name)) for name in value._fieldnames}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [value.shape, *map(spelled, value.ravel())]
    return repr(value)


def test_real_files_come_as_from_scipy(data_root):
    for name in ("lsp", "lspet"):
        file = data_root / name / "joints.mat"
        assert np.array_equal(read_matlab(file, "joints"), scipy.io.loadmat(file)["joints"])


def nested(deep):
    inner = matrix(6, (1, 1), element(9, struct.pack("<d", 1.0)))
    for _ in range(deep):
        inner = matrix(1, (1, 1), inner)
    return inner


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (compressed(bytes((1 << 20) + 9)), "grows beyond"),
        (matrix(1, (1, 10**9)), "claims 1,000,000,000 elements"),
        (compressed(matrix(2, (30_000, 30_000))), "claims 900,000,000 elements"),
        (matrix(1, (-1, 5)), "claims -5 elements"),
        (nested(10_000), "more than 16 deep"),
        (struct.pack("<II", 14, 1 << 30), "claims 1,073,741,824 bytes where 0 are left"),
    ],
    ids=["zlib", "cells", "structures", "negative", "nested", "cut off"],
)
def test_what_claims_more_than_it_holds_is_refused(tmp_path, monkeypatch, content, why):
    monkeypatch.setattr(matlab, "LONGEST", 1 << 20)
    (tmp_path / "a.mat").write_bytes(HEADER + content)
    with pytest.raises(ValueError, match=rf"a\.mat' must be a MATLAB file of version 5 to 7\.2 with 'x': .*{why}"):
        read_matlab(tmp_path / "a.mat", "x")


def test_nesting_that_is_usual_is_read(tmp_path):
    (tmp_path / "a.mat").write_bytes(HEADER + nested(10))
    value = read_matlab(tmp_path / "a.mat", "x")
    for _ in range(9):
        value = value[0, 0]
    assert value[0, 0] == 1.0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin as one"),
        (b"\x89HDF" + bytes(300), "does not begin as one"),
        (HEADER[:124] + struct.pack("<H", 0x0200) + b"IM", "save it again with -v7"),
        (HEADER + compressed(matrix(6, (1, 1), element(9, bytes(8))))[:-9], "left|incomplete|truncated"),
    ],
    ids=["empty", "foreign", "7.3", "cut off"],
)
def test_other_files_are_refused(tmp_path, data, why):
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(ValueError, match=why):
        read_matlab(tmp_path / "a.mat", "x")
    with pytest.raises(ValueError, match=r"b\.mat"):
        read_matlab(tmp_path / "b.mat", "x")


def test_the_limit_is_one_for_all_variables_together(tmp_path, monkeypatch):
    """To zlib a limit of nothing is none: a second variable must not go free where the first took all."""
    first = matrix(6, (1, 1000), element(9, bytes(8000)))
    (tmp_path / "a.mat").write_bytes(HEADER + compressed(first))
    monkeypatch.setattr(matlab, "LONGEST", len(first))
    assert read_matlab(tmp_path / "a.mat", "x").shape == (1, 1000)
    (tmp_path / "a.mat").write_bytes(HEADER + compressed(first) + compressed(bytes(1 << 22)))
    with pytest.raises(ValueError, match="grows beyond"):
        read_matlab(tmp_path / "a.mat", "x")
