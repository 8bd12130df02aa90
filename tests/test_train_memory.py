"""Memory that a step frees is not asked of the kernel again."""

import os
import resource
import subprocess
import sys

import pytest

from train.memory import PLENTY

COUNT = """
import os, resource, threading
os.environ["NUMPY_MADVISE_HUGEPAGE"] = "0"  # pages of two megabytes would hide what is counted
import numpy as np
from train.memory import keep_memory
{told}

def faults():
    def work():
        for _ in range(8):
            np.empty(48 << 20, np.uint8)[::4096] = 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def faults(told):
    done = subprocess.run([sys.executable, "-c", COUNT.format(told=told)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_pages_are_kept():
    """Eight arrays of 12,288 pages each, freed in between; numpy and the thread itself need a few."""
    plain, kept = faults(""), faults("keep_memory()")
    if plain < 12288:
        pytest.skip("this C library keeps them anyway")
    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < PLENTY:
        pytest.skip("this machine has too little memory for that")
    assert kept < 256


def test_another_library_is_left_alone(monkeypatch):
    from train import memory

    class Other:
        def __getattr__(self, name):
            raise AttributeError(name)

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Other())
    memory.keep_memory()
    memory.give_back()


def test_a_small_machine_is_spared(monkeypatch):
    from train import memory

    monkeypatch.setattr(memory, "_of_glibc", lambda name: lambda *_: pytest.fail("was told"))
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 2 << 20, "SC_PAGE_SIZE": 4096}.get)
    memory.keep_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
def test_what_is_free_is_given_back():
    told = """
import numpy as np
from train.memory import give_back, keep_memory

def held():
    return int(open("/proc/self/statm").read().split()[1])

keep_memory()
arrays = [np.ones(40 << 20, np.uint8) for _ in range(4)]
del arrays[:3]  # below one that stays
before = held()
give_back()
print(before - held())
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    if int(done.stdout) == 0:
        pytest.skip("this C library gives nothing back, or kept nothing")
    assert int(done.stdout) > 3 * (39 << 20) // resource.getpagesize()
