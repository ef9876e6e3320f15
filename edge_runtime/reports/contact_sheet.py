"""The contact sheet: one HTML page with a thumbnail of each photo, to look through, to print, to hand on.

Everything is in the page itself, the thumbnails too, so it works anywhere and asks nobody for anything. People are
made unrecognisable before anything is encoded (`thumbnails`); boxes and names lie over the thumbnails as text.
"""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Literal
from zoneinfo import ZoneInfo

from edge_runtime import database
from edge_runtime.errors import CamtrapEdgeError, PhotoError
from edge_runtime.journal.people import People
from edge_runtime.journal.reading import reading
from edge_runtime.journal.results import Result
from edge_runtime.reports import thumbnails
from edge_runtime.settings import Videos
from edge_runtime.values import Detection

Only = Literal["found", "animals", "review", "failed", "all"]
"""Photos with something in them and files that were not read; photos with animals; photos that a person should look at;
files that were not read; everything, empty photos too."""

LIMIT = 500
MAX_PIXELS = 200_000_000
LOOKED_AT = Videos()
_STYLE = Path(__file__).with_name("contact_sheet.css")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_RIGHT = 0.6
"""A box that begins further right has its name at its right end, where it is not cut off."""
_UNSEEN = "not shown: there are people in this event, who may be in this photo without having been found"


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes onto the sheet."""

    only: Only = "found"
    since: datetime | None = None
    """By the cameras' clocks, without a zone; photos without a time are not left out."""
    limit: int = LIMIT
    """Photos at most, and files that were not read at most."""


@dataclass(slots=True)
class Made:
    """What is on the sheet."""

    photos: int = 0
    events: int = 0
    blurred: int = 0
    """Photos in which people were made unrecognisable."""
    not_shown: int = 0
    """Of the photos, those without a thumbnail: not on the card, another one by now, and the like."""
    failed: int = 0
    """Files that were not read."""
    left_out: int = 0
    """Photos for which there was no room."""


def write(
    journal: Path,
    card: Path,
    output: Path,
    choice: Choice,
    *,
    max_pixels: int = MAX_PIXELS,
    sampling: Videos = LOOKED_AT,
) -> Made:
    """Write the sheet of what `journal` knows of the photos on `card`, which is only read.

    `output` is afterwards what it was before, or complete. One photo is in memory at a time.

    Args:
        max_pixels: a larger photo is not decoded.
        sampling: with which the videos were looked at.

    Raises:
        CamtrapEdgeError: there is no such card, or the page cannot be written there.
        CardGoneError: the card vanished.
        JournalError: the journal cannot be read.
    """
    if not card.is_dir():
        raise CamtrapEdgeError(f"{card}: is no folder; name the card's folder or its mount point with --card")
    if card.resolve() in output.resolve().parents:
        raise CamtrapEdgeError(f"{output}: lies on the card, to which nothing is written; choose another place")
    partial = output.with_name(output.name + ".partial")
    try:
        # A file's name may hold bytes that are no text.
        with reading(journal) as known, partial.open("w", encoding="utf-8", errors="backslashreplace") as page:
            lookup = database.open_read_only(journal)
            try:
                sheet = _Sheet(page, card, choice, People(lookup), max_pixels, sampling)
                made = sheet.write(known.device, known.results(by_event=True))
            finally:
                lookup.close()
        partial.replace(output)
    except OSError as error:
        raise CamtrapEdgeError(
            f"{output}: cannot be written: {error.strerror}; free some space or choose --output"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return made


class _Sheet:
    """One page while it is written."""

    def __init__(
        self, page: IO[str], card: Path, choice: Choice, people: People, max_pixels: int, sampling: Videos
    ) -> None:
        self._page, self._card, self._choice, self._people = page, card, choice, people
        self._max_pixels, self._sampling = max_pixels, sampling
        self._failures: list[tuple[str, str]] = []
        self._made = Made()

    def write(self, device: str, results: Iterator[Result]) -> Made:
        title = html.escape(f"Contact sheet of {device}")
        self._page.write(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style></head>\n<body>\n<h1>{title}</h1>\n"
            f'<p class="quiet">{html.escape(str(self._card))}</p>\n'
        )
        for _, group in groupby(self._photos(results), key=lambda result: result.event_id):
            photos = iter(group)
            shown = list(islice(photos, self._choice.limit - self._made.photos))
            self._made.left_out += sum(1 for _ in photos)
            if shown:
                self._event(shown)
        self._write_failures()
        self._page.write(f"<footer>{self._summary()}</footer>\n</body></html>\n")
        return self._made

    def _photos(self, results: Iterator[Result]) -> Iterator[Result]:
        """Those that belong onto the sheet; notes the failures that do."""
        only, since = self._choice.only, self._choice.since
        for result in results:
            if result.failure is not None:
                if only in ("found", "failed", "all"):
                    self._made.failed += 1
                    if len(self._failures) < self._choice.limit:
                        self._failures.append((str(result.path), result.problem or result.failure.value))
            elif not result.duplicate and _belongs(result, only) and (since is None or _time(result, since) >= since):
                yield result

    def _event(self, results: Sequence[Result]) -> None:
        self._made.events += 1
        most: Counter[str] = Counter()
        for result in results:
            most |= Counter(found.label for found in _counting(result))
        names = ", ".join(f"{label} × {count}" for label, count in most.most_common())
        heading = f"{html.escape(results[0].camera)}, {_span(results[0])}"
        self._page.write(f"<section><h2>{heading}: {html.escape(names or 'nothing found')}</h2>\n")
        self._page.write('<div class="photos">\n')
        for result in results:
            self._page.write(self._figure(result))
        self._page.write("</div></section>\n")

    def _figure(self, result: Result) -> str:
        self._made.photos += 1
        try:
            picture = self._picture(result)
        except PhotoError as error:
            self._made.not_shown += 1
            picture = f'<div class="none">{html.escape(error.problem)}</div>'
        lines = [f"<b>{html.escape(str(result.path))}</b>", f"<span>{_when(result)}</span>"]
        if result.footage is not None:
            lines.append(f"<span>video, {result.footage.duration_s:.0f} s; frame {_best_frame(result)}</span>")
        if result.answer is not None:
            lines.append(f"<span>a person says: {html.escape(result.answer)}</span>")
        if result.review:
            lines.append(f'<span class="review">to review: {html.escape(result.review)}</span>')
        if result.problem:
            lines.append(f"<span>{html.escape(result.problem)}</span>")
        return f"<figure>{picture}<figcaption>{''.join(lines)}</figcaption></figure>\n"

    def _picture(self, result: Result) -> str:
        number = _best_frame(result)
        people = self._people.boxes(result.sha256 or b"", frame=number)
        nothing_found = not (people or _counting(result))
        if nothing_found and self._people.near(result.event_id or 0, confident=_confident(result)):
            raise PhotoError(self._card / result.path, _UNSEEN, final=False)
        if number is None:
            jpeg = thumbnails.of_photo(self._card, result, people, max_pixels=self._max_pixels)
        else:
            jpeg = thumbnails.of_video(self._card, result, number, people, sampling=self._sampling)
        self._made.blurred += bool(people)
        boxes = "".join(_drawn(result, found) for found in result.detections if found.frame == number)
        data = base64.b64encode(jpeg).decode("ascii")
        return f'<div class="shot"><img alt="" src="data:image/jpeg;base64,{data}">{boxes}</div>'

    def _write_failures(self) -> None:
        if not self._failures:
            return
        rows = "".join(
            f"<tr><td>{html.escape(path)}</td><td>{html.escape(reason)}</td></tr>\n" for path, reason in self._failures
        )
        more = self._made.failed - len(self._failures)
        self._page.write(f"<section><h2>Not read: {self._made.failed}</h2>\n<table>\n{rows}</table>\n")
        self._page.write(f"<p>and {more} more</p></section>\n" if more else "</section>\n")

    def _summary(self) -> str:
        made = self._made
        parts = [f"{made.photos} photos of {made.events} events"]
        parts += [f"{made.not_shown} of them without a picture"] * bool(made.not_shown)
        parts += [f"{made.failed} files not read"] * bool(made.failed)
        parts += [f"{made.left_out} more photos for which there was no room"] * bool(made.left_out)
        return (
            f"{'; '.join(parts)}. People that were found are unrecognisable; who was not found is not. "
            "Of each name the largest number in one photo."
        )


def _belongs(result: Result, only: Only) -> bool:
    if only == "review":
        return bool(result.review)
    if only == "animals":
        return any(found.category == "animal" for found in _counting(result))
    if only == "found":
        return bool(_counting(result) or result.review)
    return only == "all"


def _confident(result: Result) -> float:
    return result.run.confident if result.run else 0.0


def _counting(result: Result) -> list[Detection]:
    return [found for found in result.detections if not found.held and found.confidence >= _confident(result)]


def _best_frame(result: Result) -> int | None:
    """Number of the frame that stands for a video; None for a photo."""
    if result.footage is None:
        return None
    found = _counting(result) or result.detections
    best = max(found, key=lambda one: one.confidence, default=None)
    return result.footage.frames[0] if best is None or best.frame is None else best.frame


def _drawn(result: Result, found: Detection) -> str:
    """A box with its name; a weak person has no name, but a box, which tells why a part of the photo is a blur."""
    weak = found.confidence < _confident(result)
    if weak and found.category != "person":
        return ""
    name = found.label
    if found.individual is not None:
        name += f" {found.individual.name or '(new)'}"
    confidence = found.species.confidence if found.species else found.confidence
    text = html.escape(f"{name} {confidence:.0%}" + (f", {found.held}" if found.held else ""))
    box = found.box
    place = f"left:{box.x1:.2%};top:{box.y1:.2%};width:{box.x2 - box.x1:.2%};height:{box.y2 - box.y1:.2%}"
    kind = f"box {found.category}{' faint' if weak or found.held else ''}{' right' if box.x1 > _RIGHT else ''}"
    shown = "" if weak else f"<i>{text}</i>"
    return f'<div class="{kind}" style="{place}" title="{text}">{shown}</div>'


def _zone(result: Result) -> ZoneInfo:
    return ZoneInfo(result.run.time_zone if result.run else "UTC")


def _time(result: Result, otherwise: datetime) -> datetime:
    """By the camera's clock, without a zone."""
    if result.captured_s is None:
        return otherwise
    return datetime.fromtimestamp(result.captured_s, _zone(result)).replace(tzinfo=None)


def _when(result: Result) -> str:
    if result.captured_s is None:
        return "no time"
    text = f"{datetime.fromtimestamp(result.captured_s, _zone(result)):%Y-%m-%d %H:%M:%S}"
    return f"{text} (of the file)" if result.time_source == "file" else text


def _span(result: Result) -> str:
    """First and last time of the photo's event."""
    if result.event_start_s is None or result.event_end_s is None:
        return "no time"
    start, end = (
        datetime.fromtimestamp(time_s, _zone(result)) for time_s in (result.event_start_s, result.event_end_s)
    )
    if start == end:
        return f"{start:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S}" + (
        "" if start.date() == end.date() else f" of {end:%Y-%m-%d}"
    )
