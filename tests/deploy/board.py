"""A board in a box: the real systemd with our units, in systemd-nspawn, over this machine's own /usr.

Its root is a folder with little in it but /etc and /var; /usr, the Python that runs the tests and this project are
bound into it for reading. No network, no device, and it ends when it powers itself off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

UNITS = ROOT / "deploy" / "systemd"
USER = 990
PASSWD = f"""\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
edge-runtime:x:{USER}:{USER}::/var/lib/edge-runtime:/usr/sbin/nologin
edge-station:x:{USER + 1}:{USER + 1}::/var/lib/edge-station:/usr/sbin/nologin
"""
GROUP = f"root:x:0:\nnogroup:x:65534:\nedge-runtime:x:{USER}:\nedge-station:x:{USER + 1}:\n"
DRIVER = """\
[Unit]
Description=the test
DefaultDependencies=no
After=basic.target
[Service]
Type=exec
ExecStart=/opt/python/bin/python3 -u /driver.py
StandardOutput=file:/driver.log
StandardError=file:/driver.log
ExecStopPost=/bin/sh -c 'journalctl --sync; [ "$SERVICE_RESULT" = success ] || systemctl --no-block poweroff'
"""


class Board:
    """One board. Put settings and cards into it, then `boot` it as often as wanted.

    Args:
        bundle: the detector.
        driver: a Python program that runs in the booted board as root; the board goes off when it fails. None: nothing
            runs but what the units start.
        reader: a block device of this machine that is in the board's card reader.
    """

    def __init__(self, folder: Path, bundle: Path, *, driver: str | None, reader: str | None = None) -> None:
        if os.geteuid() != 0:
            pytest.skip("needs root: boots a systemd of its own")
        if shutil.which("systemd-nspawn") is None:
            pytest.skip("systemd-nspawn is not installed (Debian: apt-get install systemd-container)")
        self.root, self._bundle, self._reader = folder / "board", bundle, reader
        for made in (
            *("etc/systemd/system", "etc/edge-runtime", "etc/edge-station", "var/log/journal", "var/lib/edge-runtime"),
            *("run", "tmp", "proc", "sys", "dev", "usr", "root", "media/edge-cards"),
            *("opt/python", "opt/site", "opt/project", "opt/bundle"),
        ):
            (self.root / made).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            (self.root / link).symlink_to(f"usr/{link}")
        self.etc("passwd", PASSWD)
        self.etc("group", GROUP)
        self.etc("os-release", 'ID=test\nNAME="test"\n')
        self.etc("machine-id", "0123456789abcdef0123456789abcdef\n")
        for name in ("ld.so.cache", "ld.so.conf"):
            if (Path("/etc") / name).exists():
                shutil.copy(Path("/etc") / name, self.root / "etc" / name)
        os.chown(self.root / "var/lib/edge-runtime", USER, USER)
        os.chown(self.root / "etc/edge-runtime", 0, USER)
        (self.root / "etc/edge-runtime").chmod(0o750)
        self._make_program("edge-runtime", "edge_runtime.cli")
        self._make_program("edge-station", "edge_runtime.station.cli")
        for unit in UNITS.glob("*.service"):
            shutil.copy(unit, self.root / "etc/systemd/system")
        for unit in UNITS.glob("*.timer"):
            shutil.copy(unit, self.root / "etc/systemd/system")
        # A box has no udev that would tell of its devices: there is nothing to bind to.
        card = self.root / "etc/systemd/system/edge-card@.service"
        card.write_text("".join(line for line in card.read_text().splitlines(True) if "dev-%i.device" not in line))
        self.etc("systemd/journald.conf.d/edge.conf", (UNITS / "journald-edge.conf").read_text())
        # A Python that was not made by the distribution brings a library of its own, and knows another place for it.
        self.etc("systemd/system.conf", "[Manager]\nDefaultEnvironment=LD_LIBRARY_PATH=/opt/python/lib\n")
        # Nothing of the machine's own services: the box has what a board needs for ours.
        self.etc("systemd/system/test.target", "[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n")
        (self.root / "etc/systemd/system/default.target").symlink_to("test.target")
        for other in ("systemd-timesyncd", "systemd-networkd", "systemd-resolved", "systemd-udevd", "systemd-logind",
                      "systemd-firstboot", "systemd-update-utmp", "dbus"):  # fmt: skip
            (self.root / f"etc/systemd/system/{other}.service").symlink_to("/dev/null")
        (self.root / "etc/systemd/system/dbus.socket").symlink_to("/dev/null")
        if driver is not None:
            (self.root / "driver.py").write_text(driver)
            self.etc("systemd/system/driver.service", DRIVER)
            self.wanted("driver.service")

    def etc(self, name: str, text: str) -> None:
        """Write a file below /etc."""
        file = self.root / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def wanted(self, unit: str) -> None:
        """Have `unit` started at boot."""
        folder = self.root / "etc/systemd/system/test.target.wants"
        folder.mkdir(exist_ok=True)
        (folder / unit).symlink_to(f"../{unit}")

    def configure(self, **settings: object) -> None:
        """Write device.yaml."""
        document = {
            "device": "hut-1",
            "data": "/var/lib/edge-runtime",
            "cards": {"root": "/media/edge-cards", "settle_seconds": 0.2, "rescan_seconds": 1},
            "time_zone": "UTC",
            "models": {"detector": "/opt/bundle", "classifier": "none", "threads": 2},
            "repeats": "off",
            "events": {"gap_seconds": 1},
            "power": {"nice": 3, "disk": "low"},  # what the units' filter of system calls must let through
            "uplink": {"port": 1, "drain_seconds": 0.5},
            **settings,
        }
        self.etc("edge-runtime/device.yaml", yaml.safe_dump(document))

    def boot(self, *, seconds: float) -> None:
        """Until it powers itself off, which must be within so many seconds."""
        binds = {
            "/usr": "/usr",
            sys.base_prefix: "/opt/python",
            sysconfig.get_path("purelib"): "/opt/site",
            str(ROOT): "/opt/project",
            str(self._bundle): "/opt/bundle",
        }
        options = [f"--bind-ro={here}:{there}" for here, there in binds.items()]
        if self._reader is not None:
            options.append(f"--bind={self._reader}")
        # By itself, so that its end is the end of all that runs in it, whatever becomes of the test.
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
                   "--console=pipe", f"--machine=edge-{os.getpid()}", f"--directory={self.root}", *options]  # fmt: skip
        console = self.root / "console.log"
        with console.open("ab") as log:
            box = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            box.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not power off within {seconds} s\n{self.told()}") from None
        finally:
            if box.poll() is None:
                box.terminate()
                try:
                    box.wait(20)
                except subprocess.TimeoutExpired:
                    box.kill()
                    box.wait()
        text = console.read_text(errors="replace")
        if "Welcome to" not in text and "systemd" not in text:
            pytest.skip(f"systemd-nspawn does not run here: {text[-500:]}")

    def log(self, unit: str) -> str:
        """What the board's journal kept of a unit, and of systemd about it."""
        return subprocess.run(
            ["journalctl", f"--directory={self.root}/var/log/journal", "--no-pager", "--output=cat", f"--unit={unit}"],
            capture_output=True,
            text=True,
        ).stdout

    def told(self) -> str:
        """All there is to say about what happened."""
        parts = [file.read_text(errors="replace")[-3000:] for file in self.root.glob("*.log")]
        return "\n".join(
            [*parts, self.log("edge-runtime.service")[-3000:], self.log("edge-runtime-once.service")[-3000:]]
        )

    def _make_program(self, name: str, module: str) -> None:
        """/opt/NAME/venv, as the installer makes it."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        venv = self.root / "opt" / name / "venv"
        packages = venv / "lib" / version / "site-packages"
        packages.mkdir(parents=True)
        (venv / "bin").mkdir()
        (venv / "pyvenv.cfg").write_text("home = /opt/python/bin\ninclude-system-site-packages = false\n")
        (venv / "bin/python3").symlink_to(f"/opt/python/bin/{version}")
        # The project first: what the tests' own environment says of its place does not hold in the box.
        (packages / "here.pth").write_text("/opt/project\n/opt/site\n")
        program = venv / "bin" / name
        program.write_text(f"#!/opt/{name}/venv/bin/python3\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        program.chmod(0o755)
