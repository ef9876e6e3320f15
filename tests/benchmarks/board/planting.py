r"""Making a machine's root of a table of files.

A table has a line for each file: its name, white space, what it holds, with `\n`, `\t` and, in the device tree, `\0`
written out; `->` makes a link. Every file ends in a newline, as sysfs has it, the device tree's in NUL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.device.host import Host

Answers = Mapping[str, str]


class Tools:
    """Answers as recorded, by the words of the command; remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> str | None:
        self.asked.append(" ".join(command))
        return self.answers.get(" ".join(command))


def plant(root: Path, *tables: str, tools: Answers | None = None) -> Host:
    """A host whose root holds these tables; a later line replaces an earlier one."""
    for table in tables:
        for line in filter(None, map(str.strip, table.splitlines())):
            name, _, content = line.partition(" ")
            write(root, name, content.strip())
    return Host(root, Tools(tools or {}))


def write(root: Path, name: str, content: str) -> None:
    """One line of a table."""
    file = root / name.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    if content.startswith("->"):
        file.symlink_to(content.removeprefix("->").strip())
        return
    text = content.replace("\\n", "\n").replace("\\t", "\t")
    text = text.replace("\\0", "\0") + "\0" if "device-tree" in name else text + "\n"
    file.write_text(text, encoding="utf-8")
