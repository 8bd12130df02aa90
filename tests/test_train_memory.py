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
        for _ in range(8 // {together}):
            arrays = [np.empty({megabytes} << 20, np.uint8) for _ in range({together})]
            for array in arrays:
                array[::4096] = 1
            del arrays, array
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def faults(told, together, megabytes):
    code = COUNT.format(told=told, together=together, megabytes=megabytes)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is Linux's")
@pytest.mark.parametrize(("together", "megabytes"), [(1, 48), (8, 320)])
def test_pages_are_kept(together, megabytes):
    """Eight arrays, freed one by one, or 2.5 gigabytes together; numpy and the thread itself need a few pages."""
    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < PLENTY:
        pytest.skip("this machine has too little memory for that")
    plain, kept = (faults(told, together, megabytes) for told in ("", "keep_memory()"))
    if plain < 256 * megabytes:
        pytest.skip("this C library keeps them anyway")
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
