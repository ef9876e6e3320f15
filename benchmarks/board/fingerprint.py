"""What this machine is: the parts `device` and `platform` of a result document."""

from __future__ import annotations

import hashlib
import json
import math
import platform as python_platform
import re
from datetime import datetime, timezone
from importlib import metadata

from benchmarks.board import jetson
from benchmarks.board.virtual import DMI, UNNAMED, hypervisor
from benchmarks.document.schema import Device, Platform, Runtime
from edge_runtime import settings
from edge_runtime.device.host import Host
from edge_runtime.tuning.machine import processor, ram_bytes

TREE = "/proc/device-tree"
GPU_NAMES = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
GPU_DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
_PLACEHOLDERS = ("to be filled by o.e.m.", "system product name", "system manufacturer", "default string", "none")
"""What a board's maker left in its tables."""
_KEY_DIGITS = 16
_LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")


def device(host: Host) -> Device:
    """The device, as far as it says what it is."""
    board, soc, gpu = _board(host), _soc(host), _accelerator(host)
    cpu = _processor(host)
    architecture, cores, ram = python_platform.machine() or "unknown", settings.cores(), ram_bytes()
    # The kernel keeps a part of the memory for itself, never adds to it: rounded up, an 8 GiB board is one.
    stable = [board, soc, cpu, architecture, cores, math.ceil(ram / 2**30), gpu]
    serial = host.text(f"{TREE}/serial-number")
    return Device(
        fingerprint=_key(json.dumps(stable)),
        board=board,
        soc=soc,
        cpu=cpu,
        architecture=architecture,
        cores=cores,
        ram_bytes=ram,
        accelerator=gpu,
        firmware=_firmware(host),
        serial_hash=_key(f"camtrap-edge {serial}") if serial else None,
    )


def platform(host: Host, runtime: Runtime) -> Platform:
    """The software under the measured program."""
    return Platform(
        os=_os(host),
        kernel=host.text("/proc/sys/kernel/osrelease") or python_platform.release() or "unknown",
        python=python_platform.python_version(),
        jetpack=jetson.jetpack(host),
        driver=host.text("/sys/module/nvidia/version") or _first_line(host.tool(GPU_DRIVER)),
        cuda=_cuda(host),
        runtime=runtime,
        libraries={name: version for name in _LIBRARIES if (version := _version(name))},
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor(host: Host) -> str:
    return processor(host.path("/proc/cpuinfo"), host.path(f"{TREE}/model"))


def _board(host: Host) -> str:
    if model := host.text(f"{TREE}/model"):
        return model
    for maker, name in (("sys_vendor", "product_name"), ("board_vendor", "board_name")):
        told = [_dmi(host, maker), _dmi(host, name)]
        if told[1]:
            return " ".join(each for each in told if each)
    if virtual := hypervisor(host):
        named = [virtual] if virtual != UNNAMED else []
        return ", ".join(["virtual machine", *named, _processor(host)])
    return "unknown"


def _dmi(host: Host, name: str) -> str | None:
    text = host.text(f"{DMI}/{name}")
    return None if text is None or text.lower() in _PLACEHOLDERS else text


def _soc(host: Host) -> str | None:
    """The device tree names the board first and the chip last."""
    if chips := host.entries(f"{TREE}/compatible"):
        return chips[-1]
    told = [host.text(f"/sys/devices/soc0/{name}") for name in ("family", "soc_id")]
    return " ".join(each for each in told if each) or None


def _accelerator(host: Host) -> str | None:
    return jetson.gpu(host) or ", ".join((host.tool(GPU_NAMES) or "").splitlines()) or None


def _firmware(host: Host) -> str | None:
    """A Raspberry Pi's bootloader (the device tree's, else what the tool says), or the BIOS."""
    version = host.text(f"{TREE}/chosen/bootloader/version")
    built = host.data(f"{TREE}/chosen/bootloader/build-timestamp") or b""
    if version and len(built) == 4:
        day = datetime.fromtimestamp(int.from_bytes(built, "big"), tz=timezone.utc).date()
        return f"{day} {version[:8]}"
    if version:
        return version[:8]
    told = _first_line(host.tool(("vcgencmd", "bootloader_version"))) or _first_line(host.tool(("vcgencmd", "version")))
    return told or host.text(f"{DMI}/bios_version")


def _os(host: Host) -> str:
    text = host.text("/etc/os-release") or host.text("/usr/lib/os-release") or ""
    named = re.search(r"^PRETTY_NAME=[\"']?(.+?)[\"']?$", text, re.MULTILINE)
    return named[1] if named else python_platform.system() or "unknown"


def _cuda(host: Host) -> str | None:
    """The installed toolkit's version (what the runtime brings along itself is not seen), else the driver's newest."""
    found = re.search(r'"cuda"\s*:\s*{[^}]*"version"\s*:\s*"([\d.]+)"', host.text("/usr/local/cuda/version.json") or "")
    found = found or re.search(r"CUDA Version ([\d.]+)", host.text("/usr/local/cuda/version.txt") or "")
    found = found or re.search(r"CUDA Version: ([\d.]+)", host.tool(("nvidia-smi",)) or "")
    return found[1] if found else None


def _first_line(text: str | None) -> str | None:
    return text.splitlines()[0].strip() or None if text else None


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]
