"""The formats that a journal can be written in. One file each, one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_runtime.reports import camtrap_dp, coco, megadetector, table, timelapse, wildlife_insights
from edge_runtime.reports.source import Source


class Write(Protocol):
    """Writes a report to a file, or into a folder.

    Raises:
        CamtrapEdgeError: it cannot be written, or the format wants something that is not known.
    """

    def __call__(self, source: Source, to: Path, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    write: Write
    passes: int
    """How often it goes over the journal."""
    folder: bool = False
    """It makes a folder, not a file."""


FORMATS: Mapping[str, Format] = {
    "megadetector": Format(megadetector.write, passes=2),
    "timelapse": Format(timelapse.write, passes=2),
    "coco": Format(coco.write, passes=3),
    "camtrap-dp": Format(camtrap_dp.write, passes=3, folder=True),
    "wildlife-insights": Format(wildlife_insights.write, passes=2),
    "csv": Format(table.write_detections, passes=2),
}
EVENT_TABLE = Format(table.write_events, passes=2)
"""`csv` with a row for each label of an event."""
