"""What bounds the cost of a pickle that is carried out, in both readers: that of data sets and that of weights."""

import collections
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from humanpose.datasets import restricted
from humanpose.restricted_pickle import MOST_ARGUMENTS, MOST_IN_KEY, Allowed, RefusedError, dict_of, run
from humanpose.weights import torch_pickle

READERS = [restricted.read_pickle, torch_pickle.run]
either = pytest.mark.parametrize("read", READERS, ids=["data", "weights"])

DOUBLED = b")" + b"".join(b"\x94h" + bytes([place]) + b"\x86" for place in range(60))
"""A tuple of two tuples of two tuples ...: hashed it would never end."""
ORDERED = b"ccollections\nOrderedDict\n"


@either
@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_data_of_any_protocol_comes_back(read, protocol):
    value = {"a": [1, -2, 1 << 40, 2.5, None, True, ("b", ()), {}], "c": (1, 2, 3, 4), 5: "ü" * 300}
    assert read(pickle.dumps(value, protocol=protocol)) == value


@either
@pytest.mark.parametrize(
    "program",
    [
        b"}" + DOUBLED + b"K\x01s.", b"}(" + DOUBLED + b"K\x01u.",
        b"})" + b"\x85" * 2 + b"K\x01s.",
        b"}(" + b"K\x01" * (MOST_IN_KEY + 1) + b"tK\x02s.",
        b"}]K\x01s.", b"}}K\x01s.",
    ],
)  # fmt: skip
def test_only_what_takes_no_time_is_hashed(read, program):
    with pytest.raises(ValueError, match="has a key that is neither a text nor a small integer"):
        read(program)


def test_the_dicts_of_functions_and_of_old_steps_have_the_same_keys():
    for program in (b"(" + DOUBLED + b"K\x01d.", ORDERED + b"](" + DOUBLED + b"K\x01\x86e\x85R."):
        with pytest.raises(ValueError, match="has a key"):
            restricted.read_pickle(program)
    keys = ["S1", 3, None, True, b"b", np.int64(7), ("S1", 54138969), ()]
    assert dict_of((key, key) for key in keys) == {key: key for key in keys}
    assert restricted.read_pickle(pickle.dumps({("S1", "5"): 1}, 2)) == {("S1", "5"): 1}


@either
def test_functions_have_few_arguments(read):
    for count in (MOST_ARGUMENTS + 1, 3000):
        with pytest.raises(ValueError, match="arguments that no function has"):
            read(ORDERED + b"(" + b"K\x01" * count + b"tR.")
    with pytest.raises(ValueError, match="arguments that no function has"):
        read(ORDERED + b"]R.")


@either
def test_only_functions_that_are_known_are_called(read):
    for nothing in (b"K\x01)R.", b"X\x02\x00\x00\x00os)R."):
        with pytest.raises(ValueError, match="calls what cannot be called"):
            read(nothing)


@pytest.mark.parametrize(
    ("read", "mention"), [(restricted.read_pickle, b"numpy\nndarray"), (torch_pickle.run, b"torch\nFloatStorage")]
)
def test_what_may_be_mentioned_may_not_be_called(read, mention):
    with pytest.raises(ValueError, match="calls what cannot be called"):
        read(b"c" + mention + b"\n)R.")


@either
def test_integers_are_no_longer_than_255_bytes(read):
    longest = (1 << 2039) - 1
    assert read(pickle.dumps(longest, 2)) == longest
    assert read(pickle.dumps(-longest, 2)) == -longest
    with pytest.raises(ValueError, match="uses LONG4"):
        read(b"\x80\x02\x8b" + struct.pack("<i", 300) + b"\x01" * 300 + b".")


def test_integers_of_old_pickles_are_no_longer_either():
    assert restricted.read_pickle(b"I12\n.") == 12
    assert restricted.read_pickle(b"L12L\n.") == 12
    for digits in (700, 5000):
        for program in (b"L" + b"9" * digits + b"L\n.", b"I" + b"9" * digits + b"\n."):
            with pytest.raises(ValueError, match=r"integer of \d+ bits|Exceeds the limit"):
                restricted.read_pickle(program)


@either
@pytest.mark.parametrize(
    "program", [b"NN.", b"(.", b"(N.", b"N(.", b"(\x85.", b"(q\x00.", b"](a.", b"t.", b"Nt.", b"."]
)
def test_one_thing_is_left_in_the_end_and_it_is_no_mark(read, program):
    with pytest.raises(ValueError, match="no sound program"):
        read(program)


@either
def test_dicts_have_a_value_for_each_key(read):
    with pytest.raises(ValueError, match="a key without a value"):
        read(b"}(K\x01K\x02K\x03u.")


@either
def test_many_marks_above_much_are_found_at_once(read):
    """In proportion to the program; looked for from below, they would take half a minute."""
    started = time.process_time()
    read(b"(" + b"N" * 30_000 + b"(t" * 10_000 + b"t.")
    assert time.process_time() - started < 3


MUCH = struct.pack("<I", 1 << 16) + b"a" * (1 << 16)


@pytest.mark.parametrize(
    ("content", "call"),
    [
        (ORDERED + b"q\x01](" + b"X\x01\x00\x00\x00aK\x01\x86" * 900 + b"eq\x0000", b"h\x01h\x00\x85R"),
        (b"c_codecs\nencode\nq\x01X" + MUCH + b"q\x00X\x06\x00\x00\x00latin1q\x02000", b"h\x01h\x00h\x02\x86R"),
        (
            b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85Rq\x01B" + MUCH + b"q\x00J\x00\x00\x01\x00\x85q\x02"
            b"cnumpy._core.numeric\n_frombuffer\nq\x03X\x01\x00\x00\x00Cq\x0400000",
            b"h\x03(h\x00h\x01h\x02h\x04tR",
        ),
    ],
)  # fmt: skip
def test_content_is_not_copied_again_and_again(content, call):
    """Once is as it should be; nine hundred times is refused, with the memory of a few times the file."""
    assert len(restricted.read_pickle(b"](" + content + call + b"e.")) == 1
    tracemalloc.start()
    with pytest.raises(ValueError, match="the same content to functions again and again"):
        restricted.read_pickle(b"](" + content + call * 900 + b"e.")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6


def test_states_are_not_set_again_and_again():
    array = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    state = b"(K\x01J\x00\x00\x01\x00\x85cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R\x89B" + MUCH + b"tq\x000"
    assert restricted.read_pickle(state + array + b"h\x00b.").shape == (1 << 16,)
    with pytest.raises(ValueError, match="again and again"):
        restricted.read_pickle(state + array + b"h\x00b" * 900 + b".")


@pytest.mark.parametrize("key", [2**61 - 1, -(2**60), 0.5])
def test_keys_that_could_hash_alike_are_refused(key):
    with pytest.raises(ValueError, match="neither a text nor a small integer"):
        run(pickle.dumps({key: 1}, 2), Allowed({}))
    assert run(pickle.dumps({2**60 - 1: 1, True: 2, "a": 3, (1, "b"): 4}, 2), Allowed({}))[2**60 - 1] == 1


def test_tuples_are_keys_of_small_dicts_alone():
    """Set in one go, and one by one."""
    assert len(run(pickle.dumps({(k,): 1 for k in range(1000)}, 2), Allowed({}))) == 1000
    with pytest.raises(ValueError, match="tuples as keys, and more than 1000"):
        run(pickle.dumps({(k,): 1 for k in range(1001)}, 2), Allowed({}))
    one_by_one = b"}" + b"".join(b"M" + k.to_bytes(2, "little") + b"\x85Ns" for k in range(1001))
    with pytest.raises(ValueError, match="tuples as keys, and more than 1000"):
        run(one_by_one + b".", Allowed({}))


@pytest.mark.parametrize(
    "code", [["f8"], [("a", [("b", "f8")])], {"names": ["a"]}, "f8," * 200, "V8", "f8,f8", "M8[s]"]
)
def test_types_of_arrays_are_short_words_for_numbers_and_texts(code):
    program = b"cnumpy\ndtype\n" + pickle.dumps((code, False, True), 2)[2:-1] + b"R."
    with pytest.raises(ValueError, match="not a pickle of plain data and arrays"):
        restricted.read_pickle(program)


def test_files_of_absurd_size_are_refused_unread(tmp_path, monkeypatch):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": "b" * 1000}))
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(1000))
    assert restricted.read_npz(tmp_path / "a.npz")["x"].shape == (1000,)
    monkeypatch.setattr(restricted, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        restricted.read_pickle_file(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match=r"x\.npy would unpack to 8128 bytes"):
        restricted.read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "header",
    [b"{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }", b"(" * 5000, b"-" * 9000 + b"1", b"{'descr': '<f8'"],
)
def test_headers_that_lie_or_are_none_are_refused(header, tmp_path):
    member = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(64)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(ValueError, match=r"must be a whole \.npz of plain data and arrays"):
        restricted.read_npz(tmp_path / "a.npz")


def test_a_reader_allows_what_its_caller_says():
    word = pickle.dumps(collections.OrderedDict(), 2)
    assert run(word, Allowed({"collections.OrderedDict": lambda: "made"})) == "made"
    with pytest.raises(RefusedError, match=r"it asks for 'collections.OrderedDict'"):
        run(word, Allowed({}))
    with pytest.raises(RefusedError, match="it uses BINPERSID"):
        run(b"K\x07Q.", Allowed({}))
    assert run(b"K\x07Q.", Allowed({}, persistent=lambda identity: identity + 1)) == 8
    with pytest.raises(RefusedError, match="it uses STRING"):
        run(b"S'a'\n.", Allowed({}, old=False))
    with pytest.raises(ValueError, match="no sound program"):
        run(b"}Nb.", Allowed({}))
