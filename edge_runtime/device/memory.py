"""What memory is kept and what is given back: a decoded photo is tens of megabytes, and a device has little."""

from __future__ import annotations

import contextlib
import ctypes
import logging

log = logging.getLogger(__name__)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
LARGE_BYTES = 4 << 20
KEPT_BYTES = 16 << 20


def return_large_blocks() -> None:
    """Have blocks of 4 MiB or more come from the system and go back to it when they are freed; keep what is smaller.

    Left alone, glibc raises that limit to 32 MB once such blocks have been freed, keeps pictures' memory in its heap,
    and the heap grows by fragments. What is below the limit (a file's bytes, a reduced frame, an input tensor) is
    wanted again for the next photo: each page that goes back costs a page fault when it returns. Up to 16 MiB are
    kept for it, in one heap for all threads. On other C libraries this does nothing. To be called before threads start.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        log.debug("this C library has no mallopt")
        return
    mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Give back what lies unused in the heap: reading a graph leaves tens of megabytes. Not on other C libraries."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
