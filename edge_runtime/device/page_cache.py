"""Having the system read files from their disk again, for measurements. The files are not touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def forget(files: Iterable[Path]) -> None:
    """Drop what the system keeps in memory of these files; what cannot be opened is passed over, reading it will tell.

    Not on systems without `posix_fadvise`.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files:
        with contextlib.suppress(OSError):
            handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
