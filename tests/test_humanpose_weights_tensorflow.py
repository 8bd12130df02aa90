"""TensorFlow's checkpoints: real ones to the bit, our own with everything the formats know, and damaged ones."""

import shutil
import struct
from pathlib import Path

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights_files import (
    bfloat16,
    crc32c,
    field,
    masked,
    ordered,
    read_or_refused,
    shape_proto,
    slice_key,
    slice_proto,
    table_file,
    varint,
    write_v1,
    write_v2,
)

from humanpose.weights import crc32c as fast
from humanpose.weights import formats, protobuf, sstable, tensorflow_v1, tensorflow_v2
from humanpose.weights.arrays import WeightsFileError

REAL = Path(__file__).parent / "golden" / "tf_checkpoints"
RANDOM = np.random.default_rng(0)
HALF = RANDOM.standard_normal(9).astype(np.float16)
VARIABLES = {
    "scope/weights": RANDOM.standard_normal((3, 2, 4)).astype(np.float32),
    "scope/weights_1": np.zeros((5, 7), np.float32),
    "double": RANDOM.standard_normal((2, 3)),
    "ints": np.array([-(2**31), -1, 0, 1, 2**31 - 1], np.int32),
    "global_step": np.int64(123_456_789_012),
    "flags": np.array([True, False, True]),
    "half": HALF,
    "none": np.zeros((0, 4), np.float32),
    "scalar": np.float32(-0.5),
}
VARIABLES = {name: np.asarray(array) for name, array in VARIABLES.items()}
BIG = RANDOM.standard_normal((6, 5)).astype(np.float32)
QUARTERS = [[(0, 2), (0, -1)], [(2, 4), (0, 3)], [(2, 4), (3, 2)]]


def same(read, expected):
    """Equal to the bit, in name, type, shape and value."""
    assert set(read) == set(expected)
    for name, array in expected.items():
        found = read[name]
        assert (found.dtype, found.shape, read.entries[name].shape) == (array.dtype, array.shape, array.shape), name
        assert found.tobytes() == array.tobytes(), name


@pytest.mark.parametrize("file", ["v1.ckpt", "v2.ckpt", "v2.ckpt.index", "v2.ckpt.data-00000-of-00001"])
def test_what_tensorflow_wrote_is_read_to_the_bit(file):
    with np.load(REAL / "expected.npz", allow_pickle=False) as expected:
        same(formats.read(REAL / file), {name.replace("|", "/"): expected[name] for name in expected.files})


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("block_size", [1, 300, 1 << 20])
def test_a_v1_file_comes_back_to_the_bit(tmp_path, compress, block_size):
    write_v1(tmp_path / "x.ckpt", VARIABLES | {"parted": BIG}, {"parted": QUARTERS}, compress, block_size=block_size)
    same(formats.read(tmp_path / "x.ckpt"), VARIABLES | {"parted": BIG})


@pytest.mark.parametrize("shards", [1, 3])
def test_a_v2_bundle_comes_back_to_the_bit(tmp_path, shards):
    write_v2(tmp_path / "x", VARIABLES | {"parted": BIG}, {"parted": QUARTERS}, shards, texts=["_OBJECT_GRAPH"])
    arrays = formats.read(tmp_path / "x")
    same(arrays, VARIABLES | {"parted": BIG})
    assert arrays.skipped == {"_OBJECT_GRAPH": "of TensorFlow's type 7, no numbers"}


def test_bfloat16_is_widened_without_loss(tmp_path):
    rough = np.array([1.0, -2.5, 3.0e38, 1e-40], np.float32)
    expected = (rough.view(np.uint32) >> 16 << 16).view(np.float32)
    write_v1(tmp_path / "x.ckpt", {"b": bfloat16(rough)})
    write_v2(tmp_path / "y", {"b": bfloat16(rough)})
    for file in ("x.ckpt", "y.index"):
        arrays = formats.read(tmp_path / file)
        assert arrays.entries["b"].stored == "bfloat16"
        np.testing.assert_array_equal(arrays["b"], expected)


def test_big_endian_numbers_are_turned_round(tmp_path):
    data = np.arange(3, dtype=">f4").tobytes()
    checksum = varint(6 << 3 | 5) + masked(data)
    told = field(1, 1) + field(2, shape_proto([3])) + field(5, len(data)) + checksum
    table_file(tmp_path / "x.index", {b"": field(1, 1) + field(2, 1), b"v": told})
    (tmp_path / "x.data-00000-of-00001").write_bytes(data)
    np.testing.assert_array_equal(formats.read(tmp_path / "x.index")["v"], [0, 1, 2])


@pytest.mark.parametrize(("network", "file"), [("pose", "x.ckpt"), ("part_detector", "x.index")])
def test_full_lists_of_names_survive(tmp_path, network, file):
    """The original's 696 and 934 names; the arrays are small here."""
    listed = oracle.variables(network)
    assert len(listed) == {"pose": 696, "part_detector": 934}[network]
    small = [[min(size, 2) for size in shape] for shape in listed.values()]
    arrays = {
        name: np.full(shape, place, np.float32) for place, (name, shape) in enumerate(zip(listed, small, strict=True))
    }
    if file == "x.ckpt":
        write_v1(tmp_path / file, arrays, compress=True, block_size=4096)
    else:
        write_v2(tmp_path / "x", arrays, shards=2)
    same(formats.read(tmp_path / file), arrays)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), repeat=st.integers(1, 200))
def test_the_checksum_is_that_of_the_book(data, repeat):
    assert fast.crc32c(data * repeat) == crc32c(data * repeat)


def test_checksums_of_long_messages_and_the_published_one(monkeypatch):
    assert fast.crc32c(b"123456789") == 0xE3069283
    data = RANDOM.bytes(70_001)
    monkeypatch.setattr(fast, "PIECE", 20_000)
    assert fast.crc32c(data) == crc32c(data)
    assert struct.pack("<I", fast.masked(fast.crc32c(data))) == masked(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 300))))
def test_numbers_of_seven_bits_a_byte(numbers):
    packed = b"".join(varint(number) for number in numbers)
    assert protobuf.varints(memoryview(packed)).tolist() == numbers
    place, found = 0, []
    while place < len(packed):
        number, place = protobuf.varint(memoryview(packed), place)
        found.append(number)
    assert found == numbers
    if packed:
        with pytest.raises(ValueError, match="without an end"):
            protobuf.varints(memoryview(packed + b"\x80"))


@settings(deadline=None)
@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    box=st.lists(st.tuples(st.integers(0, 2**20 - 1), st.integers(-1, 2**20 - 1)), max_size=4),
)
def test_keys_of_slices_are_those_of_tensorflow(name, box):
    part = protobuf.Slice(tuple(start for start, _ in box), tuple(length for _, length in box))
    assert protobuf.slice_key(name, part) == slice_key(name, box)
    assert protobuf.slice_of(memoryview(slice_proto(box))) == part


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2))
def test_the_order_of_encoded_numbers_is_theirs(numbers):
    encoded = sorted(numbers, key=lambda number: protobuf._ordered(number))
    assert encoded == sorted(numbers)
    for number in numbers:
        if -8192 <= number < 8192:
            assert protobuf._ordered(number) == ordered(number)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.dictionaries(st.binary(max_size=30), st.binary(max_size=200), min_size=1, max_size=30),
    compress=st.booleans(),
    block_size=st.integers(1, 2000),
)
def test_any_table_comes_back(tmp_path, entries, compress, block_size):
    table_file(tmp_path / "table", entries, block_size, compress)
    table = sstable.Table(tmp_path / "table")
    assert {key: bytes(value) for key, value in table.items()} == entries
    for key, value in entries.items():
        found = table.get(key)
        assert found is not None
        assert bytes(found) == value
    assert table.get(b"\xff" * 40) is None


def test_repetition_is_compressed_and_no_more_is_believed(tmp_path):
    """A block may not claim more than snappy could hold: the claim costs nothing then."""
    table_file(tmp_path / "table", {b"": bytes(100_000)}, compress=True)
    assert (tmp_path / "table").stat().st_size < 10_000
    assert bytes(sstable.Table(tmp_path / "table").get(b"") or b"") == bytes(100_000)
    with pytest.raises(ValueError, match="claims to hold"):
        sstable._decompressed(memoryview(varint(1 << 31) + b"\x00a"), 0)
    with pytest.raises(ValueError, match="cannot be decompressed"):
        sstable._decompressed(memoryview(varint(5) + b"\x00a"), 0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_v1(folder / "x.ckpt", VARIABLES, compress=True)
    write_v2(folder / "x", VARIABLES)
    return folder


@pytest.mark.parametrize("file", ["x.ckpt", "x.index", "x.data-00000-of-00001"])
def test_every_flipped_bit_is_noticed_or_harmless(tmp_path, sound, file):
    """Blocks and shards carry checksums: what is still read is as it was."""
    for other in sound.iterdir():
        shutil.copy(other, tmp_path)
    expected = {name: array.tobytes() for name, array in VARIABLES.items()}
    content, random = (sound / file).read_bytes(), np.random.default_rng(1)
    for place in random.choice(len(content), 60, replace=False):
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << int(random.integers(8))
        (tmp_path / file).write_bytes(spoilt)
        read = read_or_refused(formats.read, tmp_path / file)
        if read is not None:
            assert {name: array.tobytes() for name, array in read.items()} == expected


@pytest.mark.parametrize("file", ["x.ckpt", "x.index", "x.data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0.0, 0.03, 0.5, 0.99])
def test_what_is_cut_short_is_refused(tmp_path, sound, file, kept):
    for other in sound.iterdir():
        shutil.copy(other, tmp_path)
    content = (sound / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(WeightsFileError, match=r"cut short|empty|no TensorFlow|lacks|claims more"):
        dict(formats.read(tmp_path / file))


def test_wrong_files_are_refused_in_a_sentence(tmp_path, sound):
    shutil.copy(sound / "x.index", tmp_path / "x.index")
    with pytest.raises(WeightsFileError, match=r"lacks its shard x.data-00000-of-00001: put all files"):
        formats.read(tmp_path / "x.index")
    with pytest.raises(WeightsFileError, match="header is missing"):
        tensorflow_v2.read(planted(tmp_path / "z.index", {b"v": b""}))
    with pytest.raises(WeightsFileError, match="list of variables is missing"):
        tensorflow_v1.read(planted(tmp_path / "z.ckpt", {b"v": b""}))


def planted(path, entries):
    table_file(path, entries)
    return path


def variable(name, shape, kind=1, boxes=()):
    described = field(1, name.encode()) + field(2, shape_proto(shape)) + field(3, kind)
    return field(1, described + b"".join(field(4, slice_proto(box)) for box in boxes))


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (variable("v", [1 << 40]), "claims more numbers"),
        (variable("v", [1 << 62, 1 << 62]), "claims more numbers"),
        (variable("v", [-1]), "none of an array"),
        (variable("v", [1] * 40), "number of axes"),
        (variable("v", [2]) * 2, "listed twice"),
        (variable("x" * 600, [2]), "name is expected"),
        (variable("v", [2])[:-1], "wants|without an end"),
        (b"\x0f", "unknown kind|without an end"),
    ],
)
def test_lists_of_variables_that_lie_are_refused(tmp_path, contents, complaint):
    with pytest.raises(WeightsFileError, match=complaint):
        formats.read(planted(tmp_path / "x.ckpt", {b"": field(1, contents)}))


@pytest.mark.parametrize(
    ("boxes", "values", "complaint"),
    [
        ([[(0, 2)], [(1, 3)]], {0: 2, 1: 3}, "hold 5 of 4"),
        ([[(0, 2)], [(1, 2)]], {0: 2, 1: 2}, "overlap"),
        ([[(0, 2)]], {0: 2}, "hold 2 of 4"),
        ([[(0, 2)], [(2, 9)]], {0: 2}, "from 2 to 11"),
        ([[(0, -1)]], {}, "missing"),
        ([[(0, -1)]], {0: 3}, "3 numbers instead of 4"),
        ([[(0, 2), (0, 2)]], {}, "2 axes for an array of 1"),
        ([], {}, "hold 0 of 4"),
    ],
)
def test_slices_that_do_not_make_a_variable_are_refused(tmp_path, boxes, values, complaint):
    entries = {b"": field(1, variable("v", [4], boxes=boxes))}
    for place, count in values.items():
        saved = field(1, b"v") + field(3, field(5, bytes(4 * count)))
        entries[slice_key("v", boxes[place])] = field(2, saved)
    with pytest.raises(WeightsFileError, match=complaint):
        formats.read(planted(tmp_path / "x.ckpt", entries))["v"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=80))
def test_noise_within_a_sound_table_is_refused_or_read(tmp_path, noise):
    """Checksums do not stop those who compute them."""
    for name, reader in (("x.ckpt", tensorflow_v1), ("x.index", tensorflow_v2)):
        table_file(tmp_path / name, {b"": noise, b"v": noise})
        read_or_refused(reader.read, tmp_path / name)


@pytest.mark.parametrize("boxes", [[[(0, -1)]] * 1500, [[(0, 0)]] * 2 + [[(0, -1)]], [[(0, 500)]] * 2])
def test_slices_named_again_and_again_are_not_read_at_all(tmp_path, monkeypatch, boxes):
    """The name of a slice takes thirty bytes, its numbers megabytes: each name would have them in memory once more."""
    write_v1(tmp_path / "a.ckpt", {"x": np.zeros(1000, np.float32)}, {"x": boxes}, compress=True)
    write_v2(tmp_path / "b", {"x": np.zeros(1000, np.float32)}, {"x": boxes})
    monkeypatch.setattr(tensorflow_v1, "_slice", None)
    monkeypatch.setattr(tensorflow_v2, "_numbers", None)
    for arrays in (tensorflow_v1.read(tmp_path / "a.ckpt"), tensorflow_v2.read(tmp_path / "b.index")):
        with pytest.raises(WeightsFileError, match=r"its slices hold|is named twice"):
            arrays["x"]
