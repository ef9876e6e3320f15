"""What a Raspberry Pi gets: an installation of its size, complete wheels, and the real arm64 daemon under QEMU."""

from __future__ import annotations

import compileall
import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.deploy.installation import NETWORK
from tests.deploy.machine import CHECKOUT, make_wheel
from tests.deploy.real_wheels import make_wheelhouse

MAX_MB = 350
"""Of a device's installation for Python 3.11 on arm64, beyond Python itself."""
CANNOT = 77


def _platforms() -> list[str]:
    tags = ["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37))]
    return [word for tag in tags for word in ("--platform", tag)]


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels for a Raspberry Pi with bookworm; skips where they cannot be had."""
    return make_wheelhouse(tmp_path_factory.mktemp("wheels") / "aarch64-3.11", "aarch64", "3.11")


def test_a_folder_of_wheels_lists_the_hash_of_each_and_what_it_is_for(wheelhouse: Path) -> None:
    assert (wheelhouse / "TARGET").read_text() == "arch=aarch64\npython=3.11\n"
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=wheelhouse, capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(list(wheelhouse.glob("*.whl"))) + 1
    names = {file.name.split("-")[0] for file in wheelhouse.glob("*.whl")}
    assert {"camtrap_edge", "onnxruntime", "numpy", "pip", "flask"} <= names
    assert not any("x86_64" in file.name for file in wheelhouse.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.10", "3.13"])
def test_jetpack_and_trixie_find_every_wheel_too(python: str, tmp_path: Path) -> None:
    folder = make_wheelhouse(tmp_path / "wheels", "aarch64", python)
    tag = f"cp{python.replace('.', '')}"
    # On the board alone: pip on this machine does not see that it is needed.
    assert python != "3.10" or list(folder.glob("typing_extensions-*.whl"))
    assert list(folder.glob(f"onnxruntime-*-{tag}-*_aarch64.whl"))
    assert list(folder.glob(f"numpy-*-{tag}-*_aarch64.whl"))


def test_a_network_that_is_not_there_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    command = [str(CHECKOUT / "deploy/install/wheelhouse.sh"), "aarch64", "3.11"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{nobody.getsockname()[1]}/simple"
        environment = {**os.environ, "PIP_PYTHON": sys.executable, "PIP_RETRIES": "0"}
        ended = subprocess.run(
            [*command, str(tmp_path / "a")],
            env={**environment, "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == NETWORK, ended.stderr
    assert f"{index} cannot be reached" in ended.stderr


@pytest.mark.slow
def test_the_devices_installation_stays_within_its_size(wheelhouse: Path, tmp_path: Path) -> None:
    """As pip unpacks it on the board, byte code included, the packaged models too."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-index", "--find-links", str(wheelhouse), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", "3.11", "--abi", "cp311", "--abi", "abi3", "--abi", "none", *_platforms()]
    subprocess.run([*command, "--target", str(site), "camtrap-edge"], check=True)
    assert (site / "edge_runtime/bundles/default/detector/manifest.yaml").exists()
    plain = sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) / 1e6
    compileall.compile_dir(site, quiet=2)
    sizes = {entry.name: 0.0 for entry in site.iterdir()}
    for file in site.rglob("*"):
        if file.is_file():
            sizes[file.relative_to(site).parts[0]] += file.stat().st_size / 1e6
    whole = sum(sizes.values())
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
    said = ", ".join(f"{name} {size:.0f}" for name, size in largest)
    print(f"installed: {plain:.0f} MB, {whole:.0f} MB with byte code ({said})")
    assert 50 < plain < whole <= MAX_MB, said


@pytest.fixture(scope="module")
def complete() -> ModuleType:
    spec = importlib.util.spec_from_file_location("complete", CHECKOUT / "deploy/install/complete.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ours(folder: Path, requires: str) -> None:
    make_wheel(folder, "camtrap_edge", "1.0", {"edge_runtime.py": ""}, requires=requires)


@pytest.mark.parametrize(
    ("requires", "problem"),
    [
        ('numpy; python_version < "3.11"', "numpy"),
        ('numpy; platform_machine == "aarch64"', "numpy"),
        ("pillow>=2", "1.0 is here"),
        ('flask; extra == "station"', "flask"),
    ],
)
def test_what_only_the_board_needs_and_is_not_there_is_missed_on_the_pc(
    complete: ModuleType, tmp_path: Path, requires: str, problem: str
) -> None:
    _ours(tmp_path, requires)
    make_wheel(tmp_path, "pillow", "1.0", {"PIL.py": ""})
    found = complete.missing(tmp_path, "aarch64", "3.10", ["station"])
    assert [problem in said for said in found.values()] == [True]


def test_what_the_board_does_not_need_is_not_missed(complete: ModuleType, tmp_path: Path) -> None:
    _ours(tmp_path, 'numpy; python_version < "3.11"\ntorch; extra == "export"\npillow>=1')
    make_wheel(tmp_path, "pillow", "1.0", {"PIL.py": ""})
    assert complete.missing(tmp_path, "aarch64", "3.11", ["station"]) == {}


@pytest.mark.slow
def test_from_an_empty_arm64_system_to_an_event_that_a_station_acknowledged(wheelhouse: Path) -> None:
    proof = subprocess.run(
        [str(CHECKOUT / "deploy/arm64/prove.sh"), "--wheels", str(wheelhouse)],
        env={**os.environ, "PROVE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if proof.returncode == CANNOT:
        pytest.skip(proof.stderr.strip().splitlines()[-1])
    print(proof.stdout)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "2 events acknowledged by the station" in proof.stdout
    (work,) = set(re.findall(r"/var/tmp/edge-prove\.\w+", proof.stdout))
    assert not Path(work).exists()
