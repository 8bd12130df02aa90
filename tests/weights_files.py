"""Small writers of TensorFlow and Keras weight files, to test readers on: each after the format's own description."""

import io
import struct
from pathlib import Path

import numpy as np

from humanpose.weights.arrays import WeightsFileError
from humanpose.weights.crc32c import crc32c as crc32c_quickly

FIELDS = {1: (5, "<f4"), 2: (6, "<f8"), 9: (10, None), 3: (7, None), 10: (11, None), 14: (13, None), 19: (13, None)}
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "bool": 10, "bfloat16": 14, "float16": 19}
STRING = 7
"""TensorFlow's number of its string type."""


def read_or_refused(read, path: Path) -> dict[str, np.ndarray] | None:
    """All arrays of a file, or None where it is refused in a sentence that names it."""
    complaint = None
    try:
        found = read(path)
        return {name: found[name] for name in found}
    except WeightsFileError as error:
        complaint = str(error)
    assert path.name.split(".")[0] in complaint
    assert len(complaint) < 1000
    return None


def crc32c(data: bytes, table=[]) -> int:  # noqa: B006
    """By the book, a byte at a time; megabytes by the package's own, which its tests hold against this one."""
    if len(data) > 1 << 16:
        return crc32c_quickly(data)
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value) -> bytes:
    """One field of a protocol buffer: an int as a varint, bytes with their length, a float32 checksum as fixed32."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape_proto(shape) -> bytes:
    return b"".join(field(2, field(1, int(size))) for size in shape)


def slice_proto(box) -> bytes:
    """`box`: (start, length) an axis; length -1 is all of it, and then nothing is written."""
    return b"".join(
        field(1, (field(1, start) if start else b"") + (field(2, length) if length >= 0 else b""))
        for start, length in box
    )


def ordered(number: int) -> bytes:
    """OrderedCode's signed numbers, for the small ones that shapes are made of."""
    if -64 <= number < 64:
        return bytes([(number & 0xFF) ^ 0x80])
    if -8192 <= number < 8192:
        return struct.pack(">H", (number & 0xFFFF) ^ 0xC000)
    return struct.pack(">I", (number & 0xFFFFFF) ^ 0xE00000)[1:]


def slice_key(name: str, box) -> bytes:
    axes = bytes([1, len(box)]) if box else b"\x00"
    return b"\x00" + name.encode() + b"\x00\x01" + axes + b"".join(ordered(each) for pair in box for each in pair)


def table_file(path: Path, entries: dict[bytes, bytes], block_size: int = 400, compress: bool = False) -> None:
    """A leveldb table: blocks with shared prefixes and restarts, an empty meta block, the index, the footer."""
    import cramjam

    out = io.BytesIO()

    def write(block: bytes) -> bytes:
        packed = bytes(cramjam.snappy.compress_raw(block)) if compress else block
        kind = b"\x01" if compress else b"\x00"
        handle = varint(out.tell()) + varint(len(packed))
        out.write(packed + kind + masked(packed + kind))
        return handle

    def block_of(pairs) -> bytes:
        body, restarts, before = b"", [], b""
        for count, (key, value) in enumerate(pairs):
            shared = 0
            if count % 4 == 0:
                restarts.append(len(body))
            else:
                while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                    shared += 1
            body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            before = key
        return body + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))

    index, pending, size = [], [], 0
    for key, value in sorted(entries.items()):
        pending.append((key, value))
        size += len(key) + len(value)
        if size > block_size:
            index.append((key, write(block_of(pending))))
            pending, size = [], 0
    if pending:
        index.append((pending[-1][0] + b"\xff", write(block_of(pending))))
    meta, told = write(block_of([])), None
    told = write(block_of(index))
    path.write_bytes(out.getvalue() + (meta + told).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))


def write_v1(path: Path, arrays: dict, partitions: dict | None = None, compress: bool = False, **options) -> None:
    """A V1 checkpoint; `partitions`: name -> boxes of (start, length) an axis."""
    meta, entries = b"", {}
    for name, array in arrays.items():
        kind, raw = code(array)
        boxes = (partitions or {}).get(name, [[(0, -1)] * array.ndim])
        described = field(1, name.encode()) + field(2, shape_proto(array.shape)) + field(3, kind)
        meta += field(1, described + b"".join(field(4, slice_proto(box)) for box in boxes))
        for box in boxes:
            chosen = raw[tuple(slice(start, None if n < 0 else start + n) for start, n in box)].ravel()
            number, packed = FIELDS[kind]
            data = chosen.astype(packed).tobytes() if packed else b"".join(varint(int(each)) for each in chosen)
            saved = field(1, name.encode()) + field(2, slice_proto(box)) + field(3, field(number, data))
            entries[slice_key(name, box)] = field(2, saved)
    entries[b""] = field(1, meta)
    table_file(path, entries, compress=compress, **options)


def write_v2(prefix: Path, arrays: dict, partitions: dict | None = None, shards: int = 1, texts=()) -> None:
    """A V2 bundle, its arrays dealt out to the shards in turn."""
    files = [bytearray() for _ in range(shards)]
    entries = {b"": field(1, shards) + field(3, field(1, 1))}
    for place, (name, array) in enumerate(arrays.items()):
        kind, raw = code(array)
        number = place % shards

        def put(values, kind=kind, number=number):
            data = np.ascontiguousarray(values).tobytes()
            offset = len(files[number])
            files[number] += data
            checksum = varint(6 << 3 | 5) + masked(data)
            told = field(1, kind) + field(2, shape_proto(values.shape))
            return told + field(3, number) + field(4, offset) + field(5, len(data)) + checksum

        boxes = (partitions or {}).get(name)
        if boxes is None:
            entries[name.encode()] = put(raw)
            continue
        told = field(1, kind) + field(2, shape_proto(array.shape))
        entries[name.encode()] = told + b"".join(field(7, slice_proto(box)) for box in boxes)
        for box in boxes:
            chosen = tuple(slice(start, None if n < 0 else start + n) for start, n in box)
            entries[slice_key(name, box)] = put(raw[chosen])
    for name in texts:
        entries[name.encode()] = field(1, STRING) + field(2, b"") + field(5, 0)
    table_file(prefix.with_name(prefix.name + ".index"), entries)
    for number, content in enumerate(files):
        prefix.with_name(f"{prefix.name}.data-{number:05d}-of-{shards:05d}").write_bytes(content)


def code(array: np.ndarray) -> tuple[int, np.ndarray]:
    """TensorFlow's type, and the array as its bits are written; "bfloat16" comes as a structured view."""
    if array.dtype.names == ("bfloat16",):
        return TYPES["bfloat16"], array["bfloat16"]
    raw = array.view(np.uint16) if array.dtype == np.float16 else array
    return TYPES[array.dtype.name], raw


def bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper half of float32's bits, marked for the writers."""
    return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view([("bfloat16", np.uint16)])


def write_keras(path: Path, layers: dict, whole_model: bool = False, suffix: str = ":0") -> None:
    """Layers -> {weight: array} as Keras saves weights, or a whole model."""
    import h5py

    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["layer_names"] = [name.encode() for name in layers]
        root.attrs["keras_version"] = "2.2.4"
        for layer, weights in layers.items():
            group = root.create_group(layer)
            names = [f"{layer}/{name}{suffix}" for name in weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, weights.values(), strict=True):
                group.create_dataset(name, data=array)
