"""The udev rule that has systemd mount a card, asked of udev itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.filesystems import Loop

RULES = ROOT / "deploy" / "udev" / "60-edge-cards.rules"


def wants(device: str, rules: Path, action: str) -> tuple[str, str]:
    """What systemd would start for `device` as udev says under `rules`, and what udev would run at once.

    This machine's own udev sees nothing of it.
    """
    there = "/run/udev/rules.d"
    test = f"udevadm test --action={action} /sys/class/block/{Path(device).name}"
    steps = f"mount -t tmpfs run /run; mkdir -p {there}; cp {rules} {there}/{RULES.name}; {test}"
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", steps], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = [line for line in done.stderr.splitlines() if f"{RULES.name}:" in line]
    assert not [line for line in about if "nvalid" in line or "gnoring" in line], about
    found = re.search(r"^SYSTEMD_WANTS=(.*)$", done.stdout, re.MULTILINE)
    at_once = re.search(r"^run: '(/bin/systemctl .*)'$", done.stdout, re.MULTILINE)
    return found[1] if found else "", at_once[1] if at_once else ""


def test_a_file_system_in_a_usb_reader_is_wanted_to_be_mounted_and_no_other(loop: Loop, tmp_path: Path) -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is not installed (Debian: apt-get install udev)")
    device = loop(label="CARD")
    unit = f"edge-card@{Path(device).name}"
    assert wants(device, RULES, "add") == ("", ""), "a disk that is in no USB reader"
    # A loop device stands for the reader: it is no USB device, cannot be taken out, and tells of no change of medium.
    text = RULES.read_text()
    altered = text.replace('"*/usb[0-9]*/*"', '"*/loop[0-9]*"').replace('{removable}=="1"', '{removable}=="0"')
    here = tmp_path / "altered.rules"
    here.write_text(altered)
    assert wants(device, here, "add") == (f"{unit}.service", "")
    assert wants(device, here, "change") == (f"{unit}.service", "")
    here.write_text(altered.replace('{DISK_MEDIA_CHANGE}=="1"', '{DISK_MEDIA_CHANGE}!="1"'))
    again = f"/bin/systemctl --no-block try-restart {unit}*.service"
    assert wants(device, here, "change") == (f"{unit}.service", again)
