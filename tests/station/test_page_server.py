"""The page's server starts on a port and stops cleanly, whoever wakes its loop in between."""

from __future__ import annotations

import os
import urllib.request
from typing import Any

import pytest
from flask import Flask

from edge_runtime.station.web import PageServer


@pytest.fixture
def server() -> PageServer:
    app = Flask(__name__)
    app.get("/")(lambda: "here")
    made = PageServer(app, "127.0.0.1", 0)
    made.start()
    return made


def answer(server: PageServer) -> str:
    with urllib.request.urlopen(server.url, timeout=10) as answered:
        text: str = answered.read().decode()
    return text


def test_it_answers_until_it_is_stopped_and_leaves_no_thread(server: PageServer) -> None:
    assert answer(server) == "here"
    server.stop()
    assert not server._thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        answer(server)


def test_an_answer_that_ends_while_it_stops_cannot_write_into_a_closed_file(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger: Any = server._server.trigger

    def late() -> None:
        os.write(trigger.trigger, b"x")  # a worker that has just answered
        server._thread.join(timeout=5)
        os.write(trigger.trigger, b"x")  # the stop's own

    monkeypatch.setattr(trigger, "_physical_pull", late)
    server.stop()
    assert not server._thread.is_alive()


def test_all_its_files_are_closed(server: PageServer) -> None:
    answer(server)
    fds = list(server._sockets)
    assert len(fds) >= 2, "its listener and its trigger"
    server.stop()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
