"""What Timelapse opens: MegaDetector results whose paths count from the image set's root.

Timelapse looks for the file in the folder of its template (`TimelapseTemplate.tdb`) and finds photos by the paths in
it, so they have to count from there: `--root` names that folder as the device saw it, and what lies outside is no part
of the file.
Recognitions come by this file alone. A CSV, which Timelapse imports too, only fills fields that its user's template
defines, and no template is known here; answers travel that way (`edge-runtime review`).

Timelapse shows every detection that it reads, so those that are held back are not in this file.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.reports import megadetector
from edge_runtime.reports.source import Source


def write(source: Source, file: Path) -> None:
    """Write it, as `megadetector.write`; the image set's root is the folder to which `source` keeps."""
    megadetector.write(source, file, held=False)
