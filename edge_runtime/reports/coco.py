"""COCO Camera Traps: boxes in absolute pixels, sequences, one empty category.

Specification: the format's page in the `megadetector` package (`data_management/README.md`). Each file is one image,
known by its path; what is written more than that format asks for:

- Only what counts is annotated: sure detections that are not held back, and what people said.
- Files that failed are there as `corrupt`, without an annotation. Photos that show the same picture as another are left
  out: they would count twice.
- A video is one image with `frame_rate`; its annotations tell their `frame_number`. The journal keeps no stills.
- `score`, `human`, `individual` of an annotation; `area` and `iscrowd`, which COCO's own tools want.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any

from edge_runtime.journal.results import Result
from edge_runtime.reports import left_out, observations, output
from edge_runtime.reports.source import Source
from edge_runtime.values import CATEGORIES, Box, Detection

VERSION = "1.0"
EMPTY_ID = 0


def write(source: Source, file: Path) -> None:
    """Write it: a pass over the journal for the images, another for their annotations; in bounded memory.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    names = dict.fromkeys((*CATEGORIES, *sorted(source.survey.names)))
    ids = {name: index for index, name in enumerate(names, start=EMPTY_ID + 1)}
    info = {
        "version": VERSION,
        "description": source.project.title,
        "date_created": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "contributor": source.project.contributor or source.device,
    }
    categories = [{"id": EMPTY_ID, "name": "empty"}, *({"id": index, "name": name} for name, index in ids.items())]
    with output.replacing(file, encoding="ascii") as stream:
        stream.write(f'{{\n "info": {json.dumps(info)},\n "categories": {json.dumps(categories)}')
        for key, rows in (("images", _images(source)), ("annotations", _annotations(source, ids))):
            stream.write(f',\n "{key}": [')
            separator = "\n  "
            for row in rows:
                stream.write(separator + json.dumps(row, allow_nan=False))
                separator = ",\n  "
            stream.write("\n ]")
        stream.write("\n}\n")


def _images(source: Source) -> Iterator[dict[str, object]]:
    sizes = iter(source.survey.sizes)
    event, size, number = None, 0, 0
    for result, again in source.media():
        if result.failure is not None:
            yield _failed(result)
        elif again:
            source.left_out.add(result.path, left_out.SAME_PICTURE)
        else:
            if result.event_id != event:
                size, event, number = next(sizes), result.event_id, 0
            yield {**_image(result, source), "seq_num_frames": size, "frame_num": number}
            number += 1


def _failed(result: Result) -> dict[str, object]:
    name = str(result.path)
    return {"id": name, "file_name": name, "corrupt": True, "problem": result.problem}


def _image(result: Result, source: Source) -> dict[str, object]:
    name = str(result.path)
    made: dict[str, object] = {
        "id": name,
        "file_name": name,
        "location": result.camera,
        "seq_id": f"{source.device}-{result.event_id}",
    }
    if result.width and result.height:
        made |= {"width": result.width, "height": result.height}
    if result.captured_s is not None:
        made["datetime"] = source.local(result.captured_s, result.run).strftime("%Y-%m-%d %H:%M:%S")
    if result.footage is not None:
        made["frame_rate"] = result.footage.frame_rate
    if result.problem:
        made["problem"] = result.problem
    return made


def _annotations(source: Source, ids: Mapping[str, int]) -> Iterator[dict[str, object]]:
    for result in chain.from_iterable(source.events()):
        found = observations.of(result)
        image = str(result.path)
        if not found:
            yield {"id": f"{image}#0", "image_id": image, "category_id": EMPTY_ID}
        for number, each in enumerate(found):
            yield {"id": f"{image}#{number}", "image_id": image, **_annotation(each, result, ids)}


def _annotation(found: Detection, result: Result, ids: Mapping[str, int]) -> dict[str, object]:
    made: dict[str, Any] = {"category_id": ids[found.label], "score": round(observations.confidence(found), 4)}
    if found.box is not observations.WHOLE:
        box = _pixels(found.box, result.width, result.height)
        made |= {"bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0}
    if found.frame is not None:
        made["frame_number"] = found.frame
    if observations.by_a_person(found, result):
        made["human"] = True
    if found.individual is not None and found.individual.name is not None:
        made["individual"] = found.individual.name
    return made


def _pixels(box: Box, width: int, height: int) -> list[float]:
    """x, y, width, height; whole hundredths, so that nothing passes the picture's edge."""
    x1, y1, x2, y2 = (int(v * size * 100) for v, size in zip(_corners(box), (width, height) * 2, strict=True))
    return [x1 / 100, y1 / 100, max(1, x2 - x1) / 100, max(1, y2 - y1) / 100]


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2
