"""What a training step frees is kept for the next one, where memory comes from glibc.

XLA takes every intermediate array from malloc and gives it back within the step. As glibc is set, arrays of this size
come from the kernel and go back to it each time, which zeroes them page by page: a third of a step's processor time on
two cores (benchmarks/training_memory.py).
"""

import ctypes
import os
from collections.abc import Callable

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8
"""Parameters of mallopt(3)."""
PLENTY = 15 << 30
"""Bytes of a machine that can spare some: arrays of many sizes leave holes, and a training takes twice the room."""


def keep_memory() -> None:
    """Tell malloc to take memory from one place, where it stays, however much of it is free.

    Nothing happens where there is no mallopt, or where the machine has no PLENTY of memory. To be called before other
    threads allocate. A process that decodes videos is better off without: its threads would wait for each other.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None and os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >= PLENTY:
        for parameter, value in ((ARENA_MAX, 1), (MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, 64 << 20)):
            mallopt(parameter, value)


def give_back() -> None:
    """Return to the system what is free now.

    For after a measurement, whose arrays are others than a step's and leave holes between them.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable | None:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return None
