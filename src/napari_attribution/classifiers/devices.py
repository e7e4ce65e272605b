"""Where a classifier can run."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import torch

from napari_attribution.errors import DeviceError


@dataclass(frozen=True)
class Device:
    """A device, its name as torch spells it, a title for people, and its free memory in bytes where it is known."""

    name: str
    title: str
    free_bytes: int | None = None


def list_devices() -> tuple[Device, ...]:
    """Every device of this machine, the one to prefer first: CUDA, then MPS, then the CPU."""
    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            title, free = torch.cuda.get_device_name(index), None
            # Even to be asked, a GPU wants some memory: one that is full answers with an error.
            with suppress(RuntimeError):
                free = torch.cuda.mem_get_info(index)[0]
                title += f", {free / 2**30:.0f} GiB free"
            devices.append(Device(f"cuda:{index}", title, free))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU"))
    devices.append(Device("cpu", f"CPU, {os.cpu_count()} cores", _free_memory()))
    return tuple(devices)


def find_device(name: str) -> Device:
    """The device that torch spells so; one of that name alone where it is not in the list."""
    return next((device for device in list_devices() if device.name == name), Device(name, name))


def _free_memory() -> int | None:
    """Bytes of main memory that programs can still have, where psutil is there to say."""
    with suppress(ImportError, OSError):
        import psutil  # type: ignore[import-untyped]

        return int(psutil.virtual_memory().available)
    return None


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes the best there is, "cuda" the first CUDA device.

    Raises
    ------
    DeviceError
        Where this machine has no such device; names those that it has.
    """
    if name == "cpu":
        return torch.device("cpu")
    devices = list_devices()
    wanted = devices[0].name if name == "auto" else "cuda:0" if name == "cuda" else name
    if wanted not in {device.name for device in devices}:
        have = ", ".join(f"{device.name} ({device.title})" for device in devices)
        raise DeviceError(f"This machine has no device {name!r}. It has: {have}.")
    return torch.device(wanted)
