"""Giving memory back: a decoded photo is tens of megabytes, and a device has little."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc
LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have every block of a megabyte or more come from the system and go back to it when it is freed.

    Left alone, glibc raises that limit to 32 MB once such blocks have been freed, keeps pictures' memory in its heap,
    and the heap grows by fragments. On other C libraries this does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        log.debug("this C library has no mallopt")
        return
    mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
