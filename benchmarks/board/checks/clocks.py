"""Whether the clocks stand still."""

from __future__ import annotations

from benchmarks.board import jetson
from benchmarks.board.checks.around import Around
from benchmarks.board.checks.check import Check
from benchmarks.board.clocks import governors, gpu_folders, policies
from edge_runtime.device.host import Host

_CPU = "/sys/devices/system/cpu"
NO_TURBO = f"{_CPU}/intel_pstate/no_turbo"
BOOST = f"{_CPU}/cpufreq/boost"
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0"
_SLOW_SOURCES = ("hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit")
COARSE_S = 1e-6


def governor(host: Host, around: Around) -> Check:
    """A governor that waits for load before it raises the clock slows the first queries down."""
    found = policies(host)
    if not found or any(each.governor is None for each in found):
        return Check("governor", "unknown", governors(found) or "the kernel shows no clock policy")
    if all(each.governor == "performance" for each in found):
        return Check("governor", "good", "performance")
    mend = f"echo performance | sudo tee {_CPU}/cpufreq/policy*/scaling_governor"
    return Check("governor", "warn", str(governors(found)), mend)


def boost(host: Host, around: Around) -> Check | None:
    """Above its nominal clock a processor runs only as long as it is cool."""
    for name, on, off in ((NO_TURBO, 0, 1), (BOOST, 1, 0)):
        said = host.integer(name)
        if said == on:
            return Check("boost", "warn", "on: the clock depends on heat", f"echo {off} | sudo tee {name}")
        if said == off:
            return Check("boost", "good", "off")
    return None


def limit(host: Host, around: Around) -> Check | None:
    """A bound below what the hardware can. On a Jetson the power mode sets it, which has a check of its own."""
    if jetson.gpu(host):
        return None
    for each in policies(host):
        if each.max_hz and each.hardware_max_hz and each.max_hz < each.hardware_max_hz:
            found = f"{each.name} may run at {each.max_hz / 1e6:.0f} of {each.hardware_max_hz / 1e6:.0f} MHz"
            mend = f"echo {each.hardware_max_hz // 1000} | sudo tee {each.folder}/scaling_max_freq"
            return Check("clock limit", "warn", found, mend)
    return None


def power_mode(host: Host, around: Around) -> Check | None:
    """Only the highest mode shows what the board can; another may be what is to be measured."""
    if not jetson.gpu(host):
        return None
    mode, best = jetson.power_mode(host), jetson.highest(jetson.modes(host))
    if mode is None or best is None:
        return Check("power mode", "unknown", mode.name if mode else "nvpmodel does not say", "sudo nvpmodel -q")
    if mode.number == best.number:
        return Check("power mode", "good", mode.name)
    return Check("power mode", "warn", f"{mode.name}, the highest is {best.name}", f"sudo nvpmodel -m {best.number}")


def jetson_clocks(host: Host, around: Around) -> Check | None:
    """`jetson_clocks` pins the lower bound of each clock to the upper one."""
    if not jetson.gpu(host):
        return None
    bounds = [(each.name, each.min_hz, each.max_hz) for each in policies(host)]
    for folder in gpu_folders(host):
        bounds.append(("GPU", host.integer(f"{folder}/min_freq"), host.integer(f"{folder}/max_freq")))
    known = [(name, low, high) for name, low, high in bounds if low is not None and high is not None]
    if not known:
        return Check(
            "jetson_clocks", "unknown", "the kernel shows no bounds of the clocks", "sudo jetson_clocks --show"
        )
    loose = [name for name, low, high in known if low < high]
    if loose:
        return Check("jetson_clocks", "warn", f"off: {', '.join(loose)} may clock down", "sudo jetson_clocks")
    return Check("jetson_clocks", "good", "on")


def clock_resolution(host: Host, around: Around) -> Check:
    """What time itself is read from: some sources take microseconds to answer."""
    source = host.text(f"{CLOCKSOURCE}/current_clocksource")
    found = f"{around.clock_resolution_s * 1e9:.0f} ns" + (f", {source}" if source else "")
    if around.clock_resolution_s > COARSE_S:
        return Check("time", "bad", found, "boot with `highres=on` among the kernel's options")
    if source in _SLOW_SOURCES:
        better = (host.text(f"{CLOCKSOURCE}/available_clocksource") or "").split()
        other = next((each for each in better if each not in _SLOW_SOURCES), None)
        mend = f"echo {other} | sudo tee {CLOCKSOURCE}/current_clocksource" if other else "see `dmesg | grep -i clocks`"
        return Check("time", "warn", f"{found} is slow to read", mend)
    return Check("time", "good", found)
