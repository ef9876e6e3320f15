"""The README's commands exist, and every command is in the README."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable

import pytest

from benchmarks import cli as bench_cli
from edge_runtime import cli as device_cli
from edge_runtime.station import cli as station_cli
from export_tools import cli as export_cli
from export_tools import loaders
from export_tools.variants import VARIANTS
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "edge-runtime": device_cli.main,
    "edge-station": station_cli.main,
    "edge-export": export_cli.main,
    "edge-bench": bench_cli.main,
}


def lines() -> list[str]:
    """The command lines in the README's shell blocks, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def help_of(program: str, *arguments: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
        PROGRAMS[program]([*arguments, "--help"])
    assert ended.value.code == 0
    return text.getvalue()


def subcommands(program: str) -> list[str]:
    return re.findall(r"^    ([a-z-]+)\s", help_of(program), re.MULTILINE)


@pytest.mark.parametrize("line", [line for line in lines() if line.startswith("make ")])
def test_every_make_target_of_the_readme_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [word for word in shlex.split(line)[1:] if "=" not in word]
    for target in targets:
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target


@pytest.mark.parametrize("line", [line for line in lines() if line.split()[0] in PROGRAMS])
def test_every_command_of_the_readme_exists_with_its_options(line: str) -> None:
    program, command, *words = shlex.split(line)
    known = help_of(program, command)
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", known), f"{program} {command} has no {word}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_in_the_readme(program: str) -> None:
    commands = subcommands(program)
    assert commands
    for command in commands:
        assert f"{program} {command}" in README, f"{program} {command} is missing in README.md"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_help_ends_in_examples(program: str) -> None:
    assert "examples:" in help_of(program)


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", README)
    assert links
    for link in links:
        assert (ROOT / (link[0] or link[1])).exists(), link


def test_every_checkpoint_family_is_in_the_readme_with_what_it_was_tested_on() -> None:
    for loader in loaders.all_loaders():
        row = next((line for line in README.splitlines() if line.startswith(f"| `{loader.family}` |")), "")
        assert row.endswith(f"| {loader.tested_on} |"), loader.family


def test_every_variant_is_in_the_readme() -> None:
    for name in VARIANTS:
        assert f"`{name}`" in README
