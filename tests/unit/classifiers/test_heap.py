"""Memory that is kept: what a thread gives back stays in the heap for the next block, and is not asked of the system again."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys, threading
from napari_attribution.classifiers.heap import keep_memory

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
    )]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Mallinfo
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]

if sys.argv[1] == "keep":
    keep_memory()

def work():
    blocks = [library.malloc(size * 2**20) for size in (8, 16, 24)]
    for block in blocks:
        library.free(block)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print(library.mallinfo2().arena)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
def test_a_thread_keeps_its_memory():
    # Without the same settings for whole processes, which a cluster of another test leaves behind.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    heap = {}
    for how in ("as it is", "keep"):
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True, env=plain
        )
        heap[how] = int(told.stdout)
    assert heap["keep"] - heap["as it is"] > 40 * 2**20


OF_TABLES = """
from napari_attribution.classifiers.heap import keep_memory
keep_memory()
import pyarrow
print(pyarrow.default_memory_pool().backend_name)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
def test_tables_take_the_same_heap():
    pytest.importorskip("pyarrow")
    plain = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    for chosen, expected in ({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc"):
        told = subprocess.run(
            [sys.executable, "-c", OF_TABLES], capture_output=True, text=True, check=True, env=plain | chosen
        )
        assert told.stdout.strip() == expected
