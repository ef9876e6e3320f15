"""Whether this is a virtual machine, and whose (after systemd's detect-virt)."""

from __future__ import annotations

from edge_runtime.device.host import Host

DMI = "/sys/class/dmi/id"
UNNAMED = "unnamed (flag of the processor)"
_VENDORS = ("QEMU", "KVM", "VMware", "innotek", "VirtualBox", "Xen", "Bochs", "Parallels", "BHYVE", "OpenStack")
"""Wherever one of these stands, it is virtual. Amazon, Google and Microsoft make real computers too."""
_PRODUCTS = {
    "Google Compute Engine": "Google Compute Engine",
    "Virtual Machine": "Microsoft Hyper-V",
    "Alibaba Cloud ECS": "Alibaba Cloud",
    "Droplet": "DigitalOcean",
}


def hypervisor(host: Host) -> str | None:
    """Its name as far as it can be told; None where the machine says nothing of one."""
    vendor, product = host.text(f"{DMI}/sys_vendor") or "", host.text(f"{DMI}/product_name") or ""
    if vendor == "Amazon EC2":
        # A bare-metal instance is named by the same vendor.
        return None if ".metal" in product else "Amazon EC2"
    if product in _PRODUCTS:
        return _PRODUCTS[product]
    said = " ".join((vendor, product, host.text(f"{DMI}/board_vendor") or "", host.text(f"{DMI}/bios_vendor") or ""))
    for name in _VENDORS:
        if name.lower() in said.lower():
            return "VirtualBox" if name == "innotek" else name
    if kind := host.text("/sys/hypervisor/type"):
        return kind
    if "linux,dummy-virt" in host.entries("/proc/device-tree/compatible"):
        return "QEMU"
    return UNNAMED if _flag(host.text("/proc/cpuinfo") or "") else None


def _flag(cpuinfo: str) -> bool:
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return any(name.strip() == "flags" and "hypervisor" in value.split() for name, _, value in lines)
