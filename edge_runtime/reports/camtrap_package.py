"""A Camtrap DP as a folder: its three tables and the `datapackage.json` that describes them.

Specification: https://camtrap-dp.tdwg.org, version 1.0.2, a Frictionless data package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from edge_runtime.bundles.tables import RANKS
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.reports import left_out, output
from edge_runtime.reports.source import iso
from edge_runtime.settings import Place, Project

VERSION = "1.0.2"
_HOME = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"
DESCRIPTOR = "datapackage.json"

TABLES: Mapping[str, tuple[str, ...]] = {
    "deployments": (
        *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
        *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay", "cameraHeight"),
        *("cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance", "timestampIssues", "baitUse"),
        *("featureType", "habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
    ),
    "media": (
        *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName"),
        *("fileMediatype", "exifData", "favorite", "mediaComments"),
    ),
    "observations": (
        *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
        *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior"),
        *("individualID", "individualPositionRadius", "individualPositionAngle", "individualSpeed"),
        *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy"),
        *("classificationTimestamp", "classificationProbability", "observationTags", "observationComments"),
    ),
}
"""The columns of each table, all of them, in the specification's order."""
_MISSING = ("", "NA", "NaN", "nan")
"""What the tables take for no value."""
HUMAN = "Homo sapiens"
_PEOPLE = ("Mammalia", "Primates", "Hominidae", "Homo", HUMAN)

Row = Callable[[Mapping[str, object]], object]


@dataclass
class Contents:
    """What the descriptor says of the tables; grows with cameras and names, not with rows."""

    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Of each camera its first and last moment."""
    taxa: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each scientific name its rank and the names above it."""
    individuals: bool = False
    levels: tuple[str, ...] = ("media", "event")


@contextmanager
def tables(folder: Path) -> Iterator[tuple[Row, Row, Row]]:
    """Writes rows of deployments, media and observations into `folder`, which is made where it is missing.

    Raises:
        CamtrapEdgeError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A package that was cut off in the middle has no descriptor, rather than one of other tables.
        (folder / DESCRIPTOR).unlink(missing_ok=True)
    except OSError as error:
        raise CamtrapEdgeError(f"{folder}: cannot be made: {error.strerror}; choose another --output") from error
    with ExitStack() as stack:
        rows = [_row(stack, folder, name) for name in TABLES]
        yield rows[0], rows[1], rows[2]


def _row(stack: ExitStack, folder: Path, name: str) -> Row:
    columns = TABLES[name]
    write = stack.enter_context(output.table(folder / f"{name}.csv", columns))
    return lambda values: write([values.get(column, "") for column in columns])


def write_deployments(row: Row, contents: Contents, places: Mapping[str, Place], hint: str) -> None:
    """A row for each camera: one deployment, as long as its photos tell.

    Raises:
        CamtrapEdgeError: as `check_places`.
    """
    check_places(contents.spans, places, hint)
    for camera, (start, end) in contents.spans.items():
        place = places[camera]
        row(
            {
                "deploymentID": identifier(camera),
                "locationName": camera,
                "latitude": place.latitude,
                "longitude": place.longitude,
                "deploymentStart": iso(start),
                "deploymentEnd": iso(end),
                "deploymentComments": "start and end are those of the first and last photo",
            }
        )


def check_places(cameras: Iterable[str], places: Mapping[str, Place], hint: str) -> None:
    """See that it is known where each camera hangs.

    Raises:
        CamtrapEdgeError: one lacks its coordinates; names it.
    """
    lacking = [camera for camera in cameras if camera not in places]
    if lacking:
        names = ", ".join(repr(name) for name in lacking[:5]) + (" ..." if len(lacking) > 5 else "")
        raise CamtrapEdgeError(f"no latitude and longitude for the camera {names}; {hint}")


def write_descriptor(
    folder: Path, contents: Contents, project: Project, places: Mapping[str, Place], *, author: str, listed: bool
) -> None:
    """Write `datapackage.json`, the last of the files.

    Args:
        listed: the folder has a table of what was left out.

    Raises:
        CamtrapEdgeError: there is no photo with a time, without which a package has no coverage; or it cannot be
            written.
    """
    if not contents.spans:
        raise CamtrapEdgeError(f"{folder}: nothing to write: no photo has a credible time; see {left_out.NAME}")
    made = _descriptor(contents, project, places, author, listed)
    with output.replacing(folder / DESCRIPTOR) as stream:
        json.dump(made, stream, indent=1, ensure_ascii=False, allow_nan=False)
        stream.write("\n")


def _descriptor(
    contents: Contents, project: Project, places: Mapping[str, Place], author: str, listed: bool
) -> dict[str, object]:
    spots = [[places[camera].longitude, places[camera].latitude] for camera in contents.spans]
    made: dict[str, object] = {
        "resources": [*(_resource(name) for name in TABLES), *([_left_out()] if listed else [])],
        "profile": f"{_HOME}/camtrap-dp-profile.json",
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": project.title,
        "contributors": [{"title": project.contributor or author, "role": "contributor"}],
        "project": {
            "title": project.title,
            "samplingDesign": project.sampling_design,
            "captureMethod": [project.capture_method],
            "individualAnimals": contents.individuals,
            "observationLevel": list(contents.levels),
        },
        "spatial": {"type": "MultiPoint", "coordinates": spots},
        "temporal": {
            "start": min(start for start, _ in contents.spans.values()).strftime("%Y-%m-%d"),
            "end": max(end for _, end in contents.spans.values()).strftime("%Y-%m-%d"),
        },
        "taxonomic": list(contents.taxa.values()),
    }
    if project.description:
        made["description"] = project.description
    if project.data_license:
        named = {"data": project.data_license, "media": project.media_license}
        made["licenses"] = [{"name": name, "scope": scope} for scope, name in named.items()]
    return made


def _resource(name: str) -> dict[str, object]:
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_HOME}/{name}-table-schema.json",
    }


def _left_out() -> dict[str, object]:
    return {
        "name": "left-out",
        "description": "Files for which the tables have no place.",
        "path": left_out.NAME,
        "profile": "tabular-data-resource",
        "encoding": "utf-8",
        "schema": {"fields": [{"name": name, "type": "string"} for name in left_out.COLUMNS]},
    }


def identifier(name: str) -> str:
    """A name as an identifier: not one of the words that stand for no value."""
    return f"camera {name}" if name in _MISSING else name


def tag(key: str, value: str) -> str:
    """One of `observationTags`, which a pipe separates."""
    return f"{key}:{value.replace('|', '/')}"


def human() -> dict[str, str]:
    """The descriptor's entry of people."""
    return taxon(_PEOPLE)


def taxon(lineage: Iterable[str]) -> dict[str, str]:
    """The descriptor's entry of a name with this lineage, class first."""
    names: dict[str, str] = dict(zip(RANKS, lineage, strict=False))
    rank, scientific = list(names.items())[-1]
    above = {key: value for key, value in names.items() if key != "species"}
    return {"scientificName": scientific, "taxonRank": rank, **above}
