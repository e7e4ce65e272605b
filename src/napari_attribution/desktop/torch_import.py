"""Import torch in a worker without freezing the window, and say what to do where it cannot be imported.

A plain `import torch` loads its shared libraries while it holds Python's lock, and the window waits (0.47 s were
measured). Loading the libraries by a foreign call first, which gives the lock away, leaves the pauses of the garbage
collector, which walks over all that an import brings (0.1 s and more); so it waits until the import is over.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_attribution.errors import DeviceError

_LIBRARIES = ("libc10.so", "libtorch_cpu.so", "libtorch.so", "libtorch_python.so")
_lock = threading.RLock()


@contextmanager
def collector_waits() -> Iterator[None]:
    """Import much without a pause for garbage collection, now or soon after.

    Nothing is left uncollected for good: freezing and unfreezing only tells the collector that what is there now is
    old, so that it does not walk over all of it at the next occasion.
    """
    with _lock:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            gc.unfreeze()
            if was_enabled:
                gc.enable()


def import_torch() -> None:
    """Import torch; to be called in a worker, before anything that imports it.

    Raises
    ------
    DeviceError
        Where torch is missing or cannot be loaded, with what to do.
    """
    with _lock:
        if "torch" not in sys.modules:
            _preload()
        try:
            with collector_waits():
                import torch
        except (ImportError, OSError) as error:
            raise DeviceError(_advice(error)) from error
        # One core stays with the window.
        threads = max(1, (os.cpu_count() or 2) - 1)
        if torch.get_num_threads() > threads:
            torch.set_num_threads(threads)


def _preload() -> None:
    """Load torch's shared libraries with Python's lock released; where that does not work, nothing is lost."""
    if not sys.platform.startswith("linux"):
        return
    try:
        spec = importlib.util.find_spec("torch")
        if spec is None or spec.origin is None:
            return
        folder = Path(spec.origin).parent / "lib"
        # Loading must not go through ctypes.CDLL(path), which holds the lock; a call of dlopen itself lets it go.
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
        for name in _LIBRARIES:
            if (folder / name).is_file():
                dlopen(os.fsencode(folder / name), os.RTLD_NOW | os.RTLD_GLOBAL)
    except (OSError, AttributeError, ImportError, ValueError):
        return


def _advice(error: ImportError | OSError) -> str:
    if getattr(error, "winerror", None) == 1114 or "WinError 1114" in str(error):
        return (
            "torch cannot be loaded after napari's window library on this Windows machine (WinError 1114). Close napari and "
            "start it with: python -m napari_attribution, which loads torch first. If that fails too, install the "
            "Microsoft Visual C++ Redistributable."
        )
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return "torch is not installed in napari's environment. Install it (pip install torch) and start napari anew."
    return f"torch cannot be loaded: {error}. Install it anew (pip install --force-reinstall torch) and restart napari."
