"""Which photo is compared with which, while several threads look at photos at once.

Each photo is told, by the one before it in the card's order, which frame it may be compared with: the last one of its
burst that is shown to the detector, once that has found nothing in it. So the results do not depend on how many threads
there are. A photo waits for the detector's word on that frame only if it shows the same; while it waits its thread
counts for nothing and others look at the photos behind it.

Those before it have always begun when a photo begins: there is nobody to wait for who waits himself to begin.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from threading import Semaphore
from typing import Protocol, TypeVar

from PIL import Image

from edge_runtime import overlap
from edge_runtime.events import grouping
from edge_runtime.prefilter import glance
from edge_runtime.prefilter.glance import Glance
from edge_runtime.values import Photo

REMEMBERED = 128
"""Pictures whose copies are known as such before the first of them is recorded; more than are ever in hand."""

Item = TypeVar("Item")
Result = TypeVar("Result")
ResultCo = TypeVar("ResultCo", covariant=True)
ItemContra = TypeVar("ItemContra", contravariant=True)


class Look(Protocol[ItemContra, ResultCo]):
    """What is done with one photo. It asks its turn before the detector, and tells it what the detector said."""

    def __call__(self, item: ItemContra, /, *, turn: Turn) -> ResultCo: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """A frame that was, or is being, shown to the detector."""

    glance: Glance
    empty: Future[bool]
    """Whether the detector found nothing in it that counts."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who stands where in the order of the card."""

    photo: Photo | None = None
    """None where the file shows nothing new or could not be read."""
    recent: tuple[bytes, ...] = ()
    """SHA-256 of the last pictures up to here."""


class Told:
    """What a photo tells the one behind it: first who it is, then with which frame that one may be compared."""

    def __init__(self) -> None:
        self.arrived: Future[Arrived] = Future()
        self.reference: Future[Reference | None] = Future()


class Turn:
    """One photo's place in the order of the card, to be used as a context around all that is done with the photo.

    Args:
        before: from the photo right before this one.
        hands: of how many photos something is being done, at most; the others wait.
    """

    def __init__(self, before: Told, hands: Semaphore, *, gap_s: int) -> None:
        self.told = Told()
        self._before, self._hands, self._gap_s = before, hands, gap_s
        self._empty: Future[bool] = Future()

    def __enter__(self) -> Turn:
        self._hands.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        # Whatever became of this photo, nobody may wait for it for ever.
        self.stand_aside()
        if not self._empty.done():
            self._empty.set_result(False)
        self._hands.release()

    def stand_aside(self) -> None:
        """Let the photo behind this one go on: with this one it is not compared."""
        if not self.told.arrived.done():
            self.told.arrived.set_result(Arrived(recent=self._wait(self._before.arrived).recent))
        if not self.told.reference.done():
            self.told.reference.set_result(None)

    def nothing_changed(self, photo: Photo, data: bytes, image: Image.Image) -> bool:
        """Whether the photo shows what an empty frame of its burst shows. Call once, before the detector.

        Args:
            data: the photo's file.
            image: its opened header.
        """
        before = self._wait(self._before.arrived)
        if photo.sha256 in before.recent:  # A copy of one that is not recorded yet is taken as a copy of one that is.
            self.told.arrived.set_result(Arrived(recent=before.recent))
            self.told.reference.set_result(None)
            return False
        self.told.arrived.set_result(Arrived(photo, (*before.recent, photo.sha256)[-REMEMBERED:]))
        now = glance.take(data, image)
        if now is None:
            self.told.reference.set_result(None)
            return False
        reference = None
        if before.photo is not None and _one_burst(before.photo, photo, gap_s=self._gap_s):
            reference = self._wait(self._before.reference)
        same = reference is not None and glance.nothing_changed(reference.glance, now) and self._wait(reference.empty)
        self.told.reference.set_result(reference if same else Reference(now, self._empty))
        return same

    def looked(self, *, empty: bool) -> None:
        """Tell whether the detector found nothing; whoever waits for it goes on."""
        self._empty.set_result(empty)

    def _wait(self, told: Future[Result]) -> Result:
        if told.done():
            return told.result()
        self._hands.release()
        try:
            return told.result()
        finally:
            self._hands.acquire()


def in_order(
    work: Iterable[Item],
    look: Look[Item, Result],
    *,
    workers: int,
    ahead: int,
    gap_s: int,
    on_leaving: Callable[[], object] = lambda: None,
    on_waiting: Callable[[Item], object] = lambda item: None,
    patience: float | None = None,
) -> Generator[list[tuple[Item, Result]], None, None]:
    """As `overlap.in_order`, with a turn for each item: at most `workers` of them are in hand, the others wait.

    Args:
        gap_s: photos of one camera closer together than this are of one burst.
    """

    def take(item: tuple[Item, Turn]) -> Result:
        with item[1] as turn:
            return look(item[0], turn=turn)

    line = _line(work, Semaphore(workers), gap_s=gap_s)
    looks = overlap.in_order(
        line,
        take,
        workers=ahead,
        ahead=ahead,
        on_leaving=on_leaving,
        on_waiting=lambda item: on_waiting(item[0]),
        patience=patience,
    )
    with closing(looks) as taken:
        for ready in taken:
            yield [(item, result) for (item, _), result in ready]


def _line(work: Iterable[Item], hands: Semaphore, *, gap_s: int) -> Iterator[tuple[Item, Turn]]:
    before = Told()
    before.arrived.set_result(Arrived())
    before.reference.set_result(None)
    for item in work:
        turn = Turn(before, hands, gap_s=gap_s)
        before = turn.told
        yield item, turn


def _one_burst(before: Photo, photo: Photo, *, gap_s: int) -> bool:
    earlier, now = before.capture, photo.capture
    return (
        before.camera == photo.camera
        and (earlier.width, earlier.height) == (now.width, now.height)
        and grouping.joins(earlier.time_s, earlier.time_s, now.time_s, gap_s=gap_s)
    )
