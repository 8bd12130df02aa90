"""CRC-32C (Castagnoli), the checksum in TensorFlow's checkpoints, in NumPy: many lanes of bytes at once.

A CRC is linear over the bits, so a long message may be cut into lanes of equal length: each lane's remainder is found
by itself, two bytes a step, and neighbours are joined in pairs by shifting the left one past the right one.
"""

from functools import cache

import numpy as np

POLYNOMIAL = 0x82F63B78
"""Bit-reversed, as the bytes are read."""
LANE = 256
"""Bytes of a lane."""
PIECE = 1 << 22
"""Bytes taken up at a time, so that the copy with transposed lanes stays small."""
SHORT = 1 << 13
"""Up to here a loop over the bytes is quicker."""


def crc32c(data: bytes | memoryview) -> int:
    """Return the CRC-32C of `data` as an unsigned 32-bit number."""
    view, register = memoryview(data).cast("B"), 0xFFFFFFFF
    for start in range(0, len(view), PIECE):
        piece = view[start : start + PIECE]
        register = _by_byte(register, piece) if len(piece) < SHORT else _by_lane(register, piece)
    return register ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Return the CRC as TensorFlow and leveldb store it: rotated, and shifted by a constant."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _by_byte(register: int, piece: memoryview) -> int:
    table = _byte_list()
    for byte in piece:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


def _by_lane(register: int, piece: memoryview) -> int:
    lanes = 1 << (-(-len(piece) // LANE) - 1).bit_length()
    # Zeros in front leave an empty register empty, and a full one may as well lie on the message's first four bytes.
    whole = np.zeros(lanes * LANE, np.uint8)
    first = whole.size - len(piece)
    whole[first:] = np.frombuffer(piece, np.uint8)
    whole[first : first + 4] ^= np.frombuffer(register.to_bytes(4, "little"), np.uint8)
    table = _pair_table()
    remainders: np.ndarray = np.zeros(lanes, np.uint32)
    for column in np.ascontiguousarray(whole.view("<u2").reshape(lanes, -1).T):
        remainders = table[(remainders & 0xFFFF) ^ column] ^ (remainders >> np.uint32(16))
    zeros = LANE
    while remainders.size > 1:
        remainders = _past_zeros(remainders[0::2], zeros) ^ remainders[1::2]
        zeros *= 2
    return int(remainders[0])


@cache
def _byte_table() -> np.ndarray:
    """What each byte leaves in an empty register."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return table


@cache
def _byte_list() -> list[int]:
    return _byte_table().tolist()


@cache
def _pair_table() -> np.ndarray:
    """What two bytes, as one little-endian number, leave in an empty register."""
    pairs, table = np.arange(1 << 16, dtype=np.uint32), _byte_table()
    low = table[pairs & 0xFF]
    return table[(low ^ (pairs >> 8)) & 0xFF] ^ (low >> 8)


@cache
def _zeros_table(count: int) -> np.ndarray:
    """(4, 256) what each byte of a register becomes by `count` zero bytes, a power of two; the four are to be XORed."""
    registers = np.arange(256, dtype=np.uint32)[None] << (8 * np.arange(4, dtype=np.uint32))[:, None]
    if count == 1:
        return _byte_table()[registers & 0xFF] ^ (registers >> 8)
    return _past_zeros(_past_zeros(registers, count // 2), count // 2)


def _past_zeros(registers: np.ndarray, count: int) -> np.ndarray:
    first, second, third, fourth = _zeros_table(count)
    return (
        first[registers & 0xFF]
        ^ second[registers >> 8 & 0xFF]
        ^ third[registers >> 16 & 0xFF]
        ^ fourth[registers >> 24]
    )
