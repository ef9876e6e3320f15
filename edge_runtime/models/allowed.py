"""The list of names that a classifier may answer with in a region: a geofence by list."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

from edge_runtime.errors import ConfigError


def read(file: Path, names: Collection[str]) -> frozenset[str]:
    """The names in `file`: one a line, `#` begins a comment.

    Args:
        names: that the classifier can say, labels and taxa.

    Raises:
        ConfigError: the file cannot be read, has no name, or one that the classifier cannot say; names its line.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ConfigError(file, problem, hint="a text file (UTF-8) with one name a line") from error
    found: set[str] = set()
    for number, line in enumerate(lines, 1):
        name = line.partition("#")[0].strip()
        if name and name not in names:
            lower = {each.casefold(): each for each in names}
            near = [lower[each] for each in difflib.get_close_matches(name.casefold(), lower, n=3)]
            hint = f"did you mean {' or '.join(repr(each) for each in near)}?" if near else "see the bundle's labels"
            raise ConfigError(file, f"the classifier knows no '{name}'", line=number, hint=hint)
        if name:
            found.add(name)
    if not found:
        raise ConfigError(file, "allows nothing", hint="write one name a line, or leave 'allowed' out")
    return frozenset(found)
