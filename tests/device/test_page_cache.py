from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from edge_runtime.device import page_cache


def cached(file: Path) -> int:
    """Pages of a file that lie in memory, as the kernel tells (mincore)."""
    size = file.stat().st_size
    pages = -(-size // mmap.PAGESIZE)
    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), size, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as mapped,
    ):
        libc = ctypes.CDLL(None, use_errno=True)
        told = (ctypes.c_ubyte * pages)()
        place = (ctypes.c_char * size).from_buffer(mapped)
        address = ctypes.addressof(place)
        failed = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), told)
        del place
        if failed:
            pytest.skip(f"the kernel does not tell: {os.strerror(ctypes.get_errno())}")
        return sum(page & 1 for page in told)


def test_a_file_is_no_longer_in_memory_and_still_the_same(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    data = os.urandom(64 * mmap.PAGESIZE)
    with file.open("wb") as stream:
        stream.write(data)
        os.fsync(stream.fileno())  # what is not on the disk yet cannot be dropped
    assert file.read_bytes() == data
    if not cached(file):
        pytest.skip("this file system keeps nothing in memory")
    page_cache.forget([file])
    assert cached(file) == 0 and file.read_bytes() == data


def test_what_cannot_be_opened_is_passed_over(tmp_path: Path) -> None:
    page_cache.forget([tmp_path / "nothing", tmp_path])
