"""Several threads at work on one list, with results in the list's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Iterable[Item],
    function: Callable[[Item], Result],
    *,
    workers: int,
    ahead: int,
    on_leaving: Callable[[], object] = lambda: None,
    on_waiting: Callable[[Item], object] | None = None,
    patience: float | None = None,
) -> Generator[list[tuple[Item, Result]], None, None]:
    """Call `function` on each item of `work` in `workers` threads; yields what is finished, in the order of `work`.

    Each list holds whatever finished while the caller was busy, at least one pair. `work` is read in the caller's
    thread, never more than `ahead` items before the one that was yielded last: a slow caller holds up the threads.
    Whoever stops early closes it (`contextlib.closing`: an error's traceback would keep it open) and so waits for the
    calls that have begun; their results are thrown away, the others never begin.

    Args:
        on_leaving: called when it is left early, before that wait: to tell calls that have begun to hurry.
        on_waiting: called in the caller's thread with the item whose turn it is, each time that it has been waited for
            for `patience` seconds.

    Raises:
        Exception: what `function` raised, when it is that item's turn; or what reading `work` raised, after everything
            before it has been yielded.
    """
    items = iter(work)
    running: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="look")
    try:
        while True:
            for item in islice(items, ahead - len(running)):
                running.append((item, pool.submit(function, item)))
            if not running:
                return
            if on_waiting is not None:
                while not wait([running[0][1]], patience).done:
                    on_waiting(running[0][0])
            ready = [_take(running)]
            while running and running[0][1].done() and not running[0][1].exception():
                ready.append(_take(running))
            yield ready
    except BaseException:
        on_leaving()
        raise
    finally:
        # The last first: what has begun never finds that one before it does not begin any more.
        for _, future in reversed(running):
            future.cancel()
        pool.shutdown(wait=True)


def _take(running: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = running.popleft()
    return item, future.result()
