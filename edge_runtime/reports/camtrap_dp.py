"""Camtrap DP 1.0.2: the package that ecologists share and GBIF takes.

Decisions, where the format asks for more than a journal knows:

- A deployment is a camera, from the first to the last photo of the report. Coordinates come from the settings.
- A photo has an observation for each animal, person and vehicle that counts, with its box; a video one for each label,
  with the largest number seen at once. An event has one for each label, and these may be summed. Nothing seen: `blank`.
- Both tables want a time. Photos without a credible one are left out, as are files that failed, of which neither
  camera nor time is known: they are listed in `left-out.csv`, a further resource of the package. So are files that show
  the same picture as another, which would count twice.
- `scientificName` only where the classifier's bundle has a lineage; the name in use stands in the tag `label:`.
- What a person said is classified by `human`; when is not known to a report, so `classificationTimestamp` stays empty.
- `filePublic` is false throughout: no picture leaves the device. A path that the format cannot hold (other bytes than
  UTF-8, a leading dot, two dots, a line break) is percent-encoded, and its row says so.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from edge_runtime.journal.results import Result
from edge_runtime.reports import camtrap_package, left_out, observations, output
from edge_runtime.reports.camtrap_package import HUMAN, Contents, Row, identifier, tag
from edge_runtime.reports.observations import Tally
from edge_runtime.reports.source import Source, iso, media_id, models
from edge_runtime.values import Box, Category, Detection, Individual

_TYPES: Mapping[Category, str] = {"animal": "animal", "person": "human", "vehicle": "vehicle"}
_PLAIN = re.compile(r"(?![./~])(?:(?!\.\.)[^\x00-\x1f\x7f])+")
_HINT = (
    "give both in device.yaml (cameras: latitude, longitude) "
    "or in a file for --project (cameras: name, latitude, longitude)"
)


def write(source: Source, folder: Path) -> None:
    """Write the package: a pass over the journal for the cameras' spans, another for the tables; in bounded memory.

    Raises:
        CamtrapEdgeError: a camera's coordinates are not known, no photo has a time, or it cannot be written.
    """
    survey, contents = source.survey, Contents()
    timed = [camera for camera, span in survey.cameras.items() if span is not None]
    camtrap_package.check_places(timed, source.places, _HINT)
    with camtrap_package.tables(folder) as (deployment, medium, observation):
        for result, again in source.media():
            reason = left_out.reason(result, again)
            if reason:
                source.left_out.add(result.path, reason, result.problem)
            else:
                _note(contents, result, source)
                medium(_medium(result, source))
                for number, row in enumerate(_of_medium(result, source, contents)):
                    observation({"observationID": f"{media_id(result)}-{number}", **row})
        _events(observation, source, contents)
        camtrap_package.write_deployments(deployment, contents, source.places, _HINT)
    listed = bool(source.left_out.counts)
    author = source.device
    camtrap_package.write_descriptor(folder, contents, source.project, source.places, author=author, listed=listed)


def _events(observation: Row, source: Source, contents: Contents) -> None:
    for photos in source.events():
        tally, first, processed_s, human = Tally(source.coarser), None, 0, False
        for result in photos:
            if result.captured_s is None:
                continue
            tally.add(result)
            first = first or result
            processed_s = max(processed_s, result.processed_s or 0)
            human = human or result.answer is not None
        if first is None:
            continue
        shared = {**_event(first, source), "observationLevel": "event"}
        sums = tally.sums()
        rows: list[dict[str, object]] = [
            {
                **_what(each.category, each.label if each.species else "", source, contents),
                **_who(each.individual, contents),
                "count": each.count,
                **_by(first, source, human=each.human, probability=each.confidence, processed_s=processed_s),
            }
            for each in sums
        ] or [{"observationType": "blank", **_by(first, source, human=human, processed_s=processed_s)}]
        for number, row in enumerate(rows):
            observation({"observationID": f"{shared['eventID']}-{number}", **shared, **row})


def _medium(result: Result, source: Source) -> dict[str, object]:
    path, comment = _path(result.path)
    kind, _ = mimetypes.guess_type(result.path.name)
    family = "video" if result.video else "image"
    return {
        "mediaID": media_id(result),
        "deploymentID": identifier(result.camera),
        "captureMethod": source.project.capture_method,
        "timestamp": iso(source.local(result.captured_s or 0, result.run)),
        "filePath": path,
        "filePublic": "false",
        "fileName": output.text(PurePosixPath(result.path.name)),
        "fileMediatype": kind if kind is not None and kind.startswith(f"{family}/") else f"{family}/unknown",
        "mediaComments": "; ".join(filter(None, (comment, result.problem))),
    }


def _of_medium(result: Result, source: Source, contents: Contents) -> Iterator[dict[str, object]]:
    shared = {"mediaID": media_id(result), **_event(result, source), "observationLevel": "media"}
    found = observations.of(result)
    if not found:
        human = result.answer is not None
        comment = "not inferred: nothing changed since an empty photo of its burst" if result.passed_over else ""
        by = _by(result, source, human=human)
        yield {**shared, "observationType": "blank", **by, "observationComments": comment}
    elif result.video:
        tally = Tally(source.coarser)
        tally.add(result)
        for each in tally.sums():
            yield {
                **shared,
                **_what(each.category, each.label if each.species else "", source, contents),
                **_who(each.individual, contents),
                "count": each.count,
                **_by(result, source, human=each.human, probability=each.confidence),
            }
    else:
        for one in found:
            yield {**shared, **_detection(one, result, source, contents)}


def _detection(found: Detection, result: Result, source: Source, contents: Contents) -> dict[str, object]:
    human = observations.by_a_person(found, result)
    return {
        **_what(found.category, found.label if found.species else "", source, contents),
        **_who(found.individual, contents),
        "count": 1,
        **(_bbox(found.box) if found.box is not observations.WHOLE else {}),
        **_by(result, source, human=human, probability=observations.confidence(found)),
    }


def _event(result: Result, source: Source) -> dict[str, object]:
    start = result.captured_s if result.event_start_s is None else result.event_start_s
    end = result.captured_s if result.event_end_s is None else result.event_end_s
    return {
        "deploymentID": identifier(result.camera),
        "eventID": f"{source.device}-{result.event_id}",
        "eventStart": iso(source.local(start or 0, result.run)),
        "eventEnd": iso(source.local(end or 0, result.run)),
    }


def _what(category: Category, species: str, source: Source, contents: Contents) -> dict[str, object]:
    if category == "person":
        contents.taxa.setdefault(HUMAN, camtrap_package.human())
        return {"observationType": "human", "scientificName": HUMAN}
    made: dict[str, object] = {"observationType": _TYPES[category]}
    lineage = source.lineage(species)
    if lineage:
        entry = camtrap_package.taxon(lineage)
        contents.taxa.setdefault(entry["scientificName"], entry)
        made["scientificName"] = entry["scientificName"]
    if species:
        made["observationTags"] = tag("label", species)
    return made


def _who(individual: Individual | None, contents: Contents) -> dict[str, object]:
    if individual is None or individual.name is None:
        return {}
    contents.individuals = True
    return {"individualID": individual.name}


def _by(
    result: Result, source: Source, *, human: bool, probability: float | None = None, processed_s: int | None = None
) -> dict[str, object]:
    if human:
        return {"classificationMethod": "human", "classifiedBy": "human review"}
    made: dict[str, object] = {"classificationMethod": "machine", "classifiedBy": models(result.run)}
    moment_s = processed_s or result.processed_s
    if moment_s is not None:
        made["classificationTimestamp"] = iso(source.local(moment_s, result.run))
    if probability is not None:
        made["classificationProbability"] = f"{min(probability, 1.0):.4f}"
    return made


def _bbox(box: Box) -> dict[str, object]:
    return {
        "bboxX": f"{box.x1:.6f}",
        "bboxY": f"{box.y1:.6f}",
        "bboxWidth": f"{max(box.x2 - box.x1, 1e-6):.6f}",
        "bboxHeight": f"{max(box.y2 - box.y1, 1e-6):.6f}",
    }


def _note(contents: Contents, result: Result, source: Source) -> None:
    moment = source.local(result.captured_s or 0, result.run)
    start, end = contents.spans.get(result.camera, (moment, moment))
    contents.spans[result.camera] = min(start, moment), max(end, moment)


def _path(path: PurePosixPath) -> tuple[str, str]:
    """A path as the format allows it, and what there is to say of it."""
    raw = os.fsencode(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if _PLAIN.fullmatch(text):
        return text, ""
    encoded = quote(raw, safe="/").replace("..", "%2E%2E")
    if encoded[0] in ".~/":
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded, "filePath is percent-encoded"
