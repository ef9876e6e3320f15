"""Who else is at work, and whether there is room left."""

from __future__ import annotations

import shlex

from benchmarks.board.checks.around import Around
from benchmarks.board.checks.check import Check, Finding
from benchmarks.board.conditions import load_avg, memory, swap_used
from benchmarks.board.virtual import hypervisor
from edge_runtime import settings
from edge_runtime.device.host import Host

MIB = 1 << 20
SWAP_BYTES = 64 * MIB
"""What a kernel moves out without need."""
MEMORY_BYTES, MEMORY_SHARE = 512 * MIB, 0.15
DISK_BYTES, DISK_SHARE = 1024 * MIB, 0.05
OTHERS_SHARE = 0.05
"""Of all cores."""
STEAL_SHARE = 0.01
TOP, NAMED_CORES = 3, 0.02


def swap(host: Host, around: Around) -> Check:
    """What lies in the swap is fetched back in the middle of a query."""
    used = swap_used(host)
    if used is None:
        return Check("swap", "unknown", "the kernel does not say")
    found = f"{used / MIB:.0f} MiB in use"
    return Check("swap", "good", found) if used <= SWAP_BYTES else Check("swap", "warn", found, "sudo swapoff -a")


def room(host: Host, around: Around) -> Check:
    """Memory that can be had without swapping."""
    told = memory(host)
    total, free = told.get("MemTotal"), told.get("MemAvailable")
    if not total or free is None:
        return Check("memory", "unknown", "the kernel does not say")
    found = f"{free / MIB:.0f} of {total / MIB:.0f} MiB available"
    if free >= MEMORY_BYTES and free >= MEMORY_SHARE * total:
        return Check("memory", "good", found)
    status: Finding = "bad" if free < MEMORY_BYTES / 2 else "warn"
    return Check("memory", status, found, "see who holds it: `ps axo pid,rss,comm --sort=-rss | head`")


def load(host: Host, around: Around) -> Check:
    """What other programs take now, by name; the load average also tells of what has just ended."""
    cores = sum(each.cores for each in around.others)
    averages = load_avg(host)
    found = f"others use {cores:.2f} of {settings.cores()} cores"
    found += f", load {averages[0]:.2f}" if averages else ""
    if cores <= OTHERS_SHARE * settings.cores():
        return Check("load", "good", found)
    top = [each for each in around.others[:TOP] if each.cores >= NAMED_CORES] or around.others[:1]
    named = ", ".join(f"{each.name} (pid {each.pid}) {each.cores:.2f}" for each in top)
    return Check("load", "warn", f"{found}: {named}", f"stop {top[0].name}, or wait for its end: `ps -fp {top[0].pid}`")


def steal(host: Host, around: Around) -> Check | None:
    """Processor time that a hypervisor gave to other machines."""
    share = around.steal_share
    if share is None or (share <= STEAL_SHARE and hypervisor(host) is None):
        return None
    if share <= STEAL_SHARE:
        return Check("steal", "good", f"{share:.1%} of the time")
    return Check("steal", "bad", f"{share:.1%} of the time went to other machines", "measure on the board itself")


def virtual(host: Host, around: Around) -> Check:
    """A virtual machine shares its cores, its clock and its disk with others."""
    name = hypervisor(host)
    if name is None:
        return Check("machine", "good", "says nothing of a hypervisor")
    return Check("machine", "warn", f"virtual: {name}", "measure on the board itself; figures from here hold here only")


def disk(host: Host, around: Around) -> Check:
    """A nearly full disk writes slowly, and the run's files go into the folder for temporary files."""
    if around.disk_bytes is None:
        return Check("disk", "unknown", f"{around.temporary} does not say")
    total, free = around.disk_bytes
    found = f"{free / MIB:.0f} of {total / MIB:.0f} MiB free in {around.temporary}"
    if free >= DISK_BYTES and free >= DISK_SHARE * total:
        return Check("disk", "good", found)
    status: Finding = "bad" if free < DISK_BYTES / 8 else "warn"
    return Check("disk", status, found, f"see what fills it: `du -xh {shlex.quote(str(around.temporary))} | sort -h`")
