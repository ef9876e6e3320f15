"""What TensorRT leaves to its user: the GPU's facts, memory and a stream, from NVIDIA's driver (libcuda) itself.

The driver's library is there wherever a GPU can be used, its interface (CUDA Driver API) keeps its shape from release
to release, and the primary context used here is the one that TensorRT takes, so nothing has to be installed for it.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError

_LIBRARY = "libcuda.so.1"
_ELSE = "install it with JetPack or from NVIDIA, or take a bundle with a variant for the CPU"
_OUT_OF_MEMORY = 2
_WAIT_WITHOUT_SPINNING = 0x04  # CU_CTX_SCHED_BLOCKING_SYNC
_BESIDE_THE_DEFAULT_STREAM = 0x1  # CU_STREAM_NON_BLOCKING
_MULTIPROCESSORS, _L2_CACHE, _MAJOR, _MINOR = 16, 38, 75, 76  # CUdevice_attribute
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    # Names with a version are what cuda.h makes of the plain ones.
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxSetFlags_v2": (c_int, c_uint),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemAllocHost_v2": (POINTER(c_void_p), c_size_t),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamDestroy_v2": (c_void_p,),
}


class CudaError(CamtrapEdgeError):
    """The driver is missing, has no GPU, or refused a call. `code` is its CUresult, 0 where none was given."""

    def __init__(self, problem: str, *, code: int = 0) -> None:
        self.problem, self.code = problem, code
        super().__init__(problem)


@dataclass(frozen=True)
class Gpu:
    """What an engine depends on, of the GPU and of its driver."""

    name: str
    """"Orin"."""
    capability: tuple[int, int]
    """(8, 7) for Jetson Orin."""
    multiprocessors: int
    """Jetsons of one name differ in it, and a power mode may switch some off."""
    l2_cache_bytes: int
    cuda: str
    """The newest CUDA that the driver knows: "12.6"."""
    driver: str
    """The kernel driver's own words, or the Jetson's release; empty where neither is told."""
    power_mode: str
    """A Jetson's: "pmode:0002"; empty elsewhere."""


class Driver:
    """The first GPU, by its primary context.

    Raises:
        CudaError: there is no driver, or it reports no GPU.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
            for name, arguments in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = arguments, c_int
        except (OSError, AttributeError) as error:
            raise CudaError(f"there is no NVIDIA driver that can be used ({error}); {_ELSE}") from error
        self.call("cuInit", 0)
        count, device, context = c_int(), c_int(), c_void_p()
        self.call("cuDeviceGetCount", byref(count))
        if count.value == 0:
            raise CudaError(f"the NVIDIA driver reports no GPU; {_ELSE}")
        self.call("cuDeviceGet", byref(device), 0)
        # Else a thread that waits for the GPU keeps a core of the board busy.
        self.call("cuDevicePrimaryCtxSetFlags_v2", device, _WAIT_WITHOUT_SPINNING)
        self._device = device
        self._retained = context

    def gpu(self) -> Gpu:
        """Facts about the GPU."""
        name, version = ctypes.create_string_buffer(256), c_int()
        self.call("cuDeviceGetName", name, len(name), self._device)
        self.call("cuDriverGetVersion", byref(version))
        return Gpu(
            name=name.value.decode("utf-8", "replace"),
            capability=(self._attribute(_MAJOR), self._attribute(_MINOR)),
            multiprocessors=self._attribute(_MULTIPROCESSORS),
            l2_cache_bytes=self._attribute(_L2_CACHE),
            cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
            driver=kernel_driver(),
            power_mode=power_mode(),
        )

    def enter(self) -> None:
        """Make the GPU the calling thread's. Every other call of this file that works on the GPU needs it.

        Raises:
            CudaError: the GPU has no memory left for a context, or is broken.
        """
        if not self._retained:
            self.call("cuDevicePrimaryCtxRetain", byref(self._retained), self._device)
        self.call("cuCtxSetCurrent", self._retained)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver.

        Raises:
            CudaError: it did not succeed.
        """
        if code := int(getattr(self._library, name)(*arguments)):
            text = c_char_p()
            self._library.cuGetErrorString(code, byref(text))
            said = text.value.decode("ascii", "replace") if text.value else "unknown error"
            advice = "; close other programs, run fewer streams, or take a smaller variant"
            raise CudaError(f"{said} ({name}: {code})" + (advice if code == _OUT_OF_MEMORY else ""), code=code)

    def quietly(self, name: str, argument: Any) -> None:
        """Free something. That it fails is of no interest: the memory of a broken context is gone with it."""
        self._library.cuCtxSetCurrent(self._retained)
        getattr(self._library, name)(argument)

    def _attribute(self, number: int) -> int:
        value = c_int()
        self.call("cuDeviceGetAttribute", byref(value), number, self._device)
        return value.value


class Stream:
    """Work that the GPU does in order. `handle` is the CUstream."""

    def __init__(self, driver: Driver) -> None:
        handle = c_void_p()
        driver.call("cuStreamCreate", byref(handle), _BESIDE_THE_DEFAULT_STREAM)
        self.handle = int(handle.value or 0)
        self._driver = driver
        _freed_with(self, driver.quietly, "cuStreamDestroy_v2", self.handle)

    def wait(self) -> None:
        """Sleep until the GPU has done all that was asked of it.

        Raises:
            CudaError: a kernel failed.
        """
        self._driver.call("cuStreamSynchronize", self.handle)


class Buffer:
    """A tensor's memory on the GPU (`address`), and its like on the host, which the GPU copies from and to.

    Raises:
        CudaError: out of memory.
    """

    def __init__(self, driver: Driver, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        size = max(1, int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
        address, host = c_uint64(), c_void_p()
        driver.call("cuMemAlloc_v2", byref(address), size)
        _freed_with(self, driver.quietly, "cuMemFree_v2", address.value)
        driver.call("cuMemAllocHost_v2", byref(host), size)
        _freed_with(self, driver.quietly, "cuMemFreeHost", host.value)
        self.address = address.value
        raw: Any = (ctypes.c_byte * size).from_address(int(host.value or 0))
        self.host: NDArray[Any] = np.frombuffer(raw, dtype=dtype, count=int(np.prod(shape, dtype=np.int64)))
        self.host = self.host.reshape(shape)
        self._driver = driver

    def upload(self, stream: Stream) -> None:
        """Host to GPU, in the stream's order."""
        self._driver.call("cuMemcpyHtoDAsync_v2", self.address, self.host.ctypes.data, self.host.nbytes, stream.handle)

    def download(self, stream: Stream) -> None:
        """GPU to host, in the stream's order: `host` holds it after `stream.wait()`."""
        self._driver.call("cuMemcpyDtoHAsync_v2", self.host.ctypes.data, self.address, self.host.nbytes, stream.handle)


@cache
def driver() -> Driver:
    """The one driver of this process.

    Raises:
        CudaError: there is none, or it reports no GPU.
    """
    return Driver()


def kernel_driver(root: Path = Path("/")) -> str:
    """What the kernel's driver says of itself, else the Jetson's release; empty where neither is told."""
    return _first_line(root / "proc/driver/nvidia/version") or _first_line(root / "etc/nv_tegra_release")


def power_mode(root: Path = Path("/")) -> str:
    """A Jetson's power mode as `nvpmodel` keeps it, "pmode:0002"; empty elsewhere."""
    return _first_line(root / "var/lib/nvpmodel/status").partition(" ")[0]


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""


def _freed_with(owner: object, free: Callable[..., None], *arguments: Any) -> None:
    # At the end of the process the driver frees everything, and may be gone before us.
    weakref.finalize(owner, free, *arguments).atexit = False
