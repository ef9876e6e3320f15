"""The page itself: its charts drawn, its template filled, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge_runtime
from benchmarks.extras import needed
from benchmarks.page import cumulative, forest, over_time, ratios, stage_bars, trade_off, wording
from benchmarks.page.drawing import Chart
from benchmarks.page.errors import NothingToReportError, PageError
from benchmarks.page.ratios import Comparison
from benchmarks.page.rows import Found, Group, Row, by_device, find
from benchmarks.statistics.percentiles import least_samples

SUFFIXES = (".html", ".htm")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Detail:
    """One measurement by itself."""

    row: Row
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Stages:
    """One device's stages: a chart, and the same as a table."""

    group: Group
    rows: tuple[Row, ...]
    stages: tuple[str, ...]
    chart: Chart


def report(paths: Sequence[Path], output: Path) -> Found:
    """Write the page of all documents in these files and folders; tells what was found.

    `output` is afterwards what it was before, or complete.

    Raises:
        NothingToReportError: no document could be used; nothing is written.
        PageError: it cannot be written there.
        MissingExtraError: the extra `bench` is not installed.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise PageError(output, "a page's name ends in .html")
    found = usable(paths)
    write(page(found), output)
    return found


def usable(paths: Sequence[Path]) -> Found:
    """What lies in these files and folders.

    Raises:
        NothingToReportError: no document could be used.
    """
    found = find(paths)
    if not found.rows:
        raise NothingToReportError(paths, found.problems)
    return found


def page(found: Found) -> str:
    """The page as HTML.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    jinja2 = needed("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("ms", "seconds", "number", "megabytes", "percent"):
        environment.filters[name] = getattr(wording, name)
    groups = by_device(found.rows)
    text: str = environment.get_template("page.html").render(
        version=edge_runtime.__version__,
        # Our own file, and SVG in which every name was escaped when it was drawn.
        css=jinja2.filters.Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        markup=jinja2.filters.Markup,
        found=found,
        groups=groups,
        comparisons=list(_comparisons(found.rows)),
        trade_offs=trade_off.charts(found.rows),
        stages=[_stages(group) for group in groups if stage_bars.shown(group)],
        details=[Detail(row, (over_time.chart(row), cumulative.chart(row))) for row in found.rows],
        medians=stage_bars.medians,
        is_share=trade_off.is_share,
        measure=lambda each: wording.measure(each.value, is_share=trade_off.is_share(each)),
        least={name: least_samples(share) for name, share in cumulative.SHARES.items()},
        percentiles=tuple(cumulative.SHARES),
    )
    # A name may hold half of a letter (a lone surrogate), which no encoding can write.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def write(text: str, output: Path) -> None:
    """Put the page there, whole or not at all.

    Raises:
        PageError: it cannot be written.
    """
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(output)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise PageError(output, f"cannot be written: {error.strerror}") from error


def _comparisons(rows: Sequence[Row]) -> list[tuple[Comparison, Chart]]:
    return [(each, forest.chart(each, number)) for number, each in enumerate(ratios.compare(rows), 1)]


def _stages(group: Group) -> Stages:
    rows = stage_bars.shown(group)
    names: tuple[Any, ...] = tuple(stage_bars.stages_of(rows))
    return Stages(group, tuple(rows), names, stage_bars.chart(group))
