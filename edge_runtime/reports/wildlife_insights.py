"""The images.csv of a Wildlife Insights upload: a row for every label of a photo.

Columns and their order: the platform's batch upload template. Decisions:

- `location` has the file's path on its card, for no picture leaves the device: put the folder's address in front.
- A row needs a time, so photos without a credible one are left out and listed, as are files that failed and those
  that show the same picture as another.
- A photo of nothing is `Blank`, a person `Homo sapiens`. Where a name has no lineage in its bundle, `common_name` alone
  says it.
- `identified_by` names the models, or "human review"; `uncertainty` stays empty, for it is a person's to say.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.journal.results import Result
from edge_runtime.reports import left_out, output
from edge_runtime.reports.observations import Sum, Tally
from edge_runtime.reports.source import Source, media_id, models

COLUMNS = (
    *("project_id", "deployment_id", "image_id", "location", "identified_by", "wi_taxon_id"),
    *("class", "order", "family", "genus", "species", "common_name"),
    *("uncertainty", "timestamp", "age", "sex", "animal_recognizable", "individual_id", "number_of_objects"),
    *("individual_animal_notes", "highlighted", "markings"),
)
HUMAN = ("Mammalia", "Primates", "Hominidae", "Homo", "sapiens")


def write(source: Source, file: Path) -> None:
    """Write it, event after event.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    with output.table(file, COLUMNS) as row:
        for result, again in source.media():
            reason = left_out.reason(result, again)
            if reason:
                source.left_out.add(result.path, reason, result.problem)
                continue
            tally = Tally(source.coarser)
            tally.add(result)
            for each in tally.sums() or (None,):
                row(_row(result, each, source))


def _row(result: Result, each: Sum | None, source: Source) -> list[object]:
    human = each.human if each else result.answer is not None
    moment = source.local(result.captured_s or 0, result.run)
    values: dict[str, object] = {
        "project_id": source.project.title,
        "deployment_id": result.camera,
        "image_id": media_id(result),
        "location": output.text(result.path),
        "identified_by": "human review" if human else models(result.run),
        "timestamp": moment.strftime("%Y-%m-%d %H:%M:%S"),
        **_taxon(each, source),
    }
    if each is not None:
        values["number_of_objects"] = each.count
        if each.individual is not None:
            values |= {"individual_id": each.individual.name, "animal_recognizable": "TRUE"}
    return [values.get(column, "") for column in COLUMNS]


def _taxon(each: Sum | None, source: Source) -> dict[str, object]:
    if each is None:
        return {"common_name": "Blank"}
    if each.category == "person":
        return {**dict(zip(COLUMNS[6:11], HUMAN, strict=True)), "common_name": "Human"}
    if not each.species:
        return {"common_name": each.label.capitalize()}
    ranks = source.ranks(each.label)
    # The platform has the epithet alone.
    epithet = ranks["species"].removeprefix(ranks["genus"]).strip()
    return {**ranks, "species": epithet, "common_name": each.label}
