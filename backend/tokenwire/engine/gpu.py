"""How much memory the GPU has, and has free: asked of the driver's own library.

It refuses to load CUDA or torch into the server: who asks them opens the device, and holds memory
on it for good.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache


# A function of NVML returns 0 where it has done what it should.
_DONE = 0
_LIBRARY = "libnvidia-ml.so.1"


class _Memory(ctypes.Structure):
    # As nvml.h has it: nvmlMemory_t.
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def gpu_memory() -> tuple[int, int] | None:
    """Free and all bytes of the GPU that an engine would take first; None where the driver doesn't
    say. Microseconds, but for the first call.
    """
    library = _nvml()
    handle, memory = ctypes.c_void_p(), _Memory()
    if library is None or not _find(library, handle):
        return None
    if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != _DONE:
        return None
    return int(memory.free), int(memory.total)


@cache
def _nvml() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(_LIBRARY)
        return library if library.nvmlInit_v2() == _DONE else None
    except (OSError, AttributeError):
        return None


def _find(library: ctypes.CDLL, handle: ctypes.c_void_p) -> bool:
    """Find the first of the GPUs that are left to this server."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if not visible or visible.isdigit():
        number = ctypes.c_uint(int(visible or 0))
        return library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)) == _DONE
    name = ctypes.c_char_p(visible.encode())
    return library.nvmlDeviceGetHandleByUUID(name, ctypes.byref(handle)) == _DONE
