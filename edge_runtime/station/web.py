"""The ranger's page: server-rendered, nothing from outside, nothing that changes state."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Flask, Response, jsonify, render_template, request
from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server

from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.settings import StationSettings
from edge_runtime.station import documents, wording
from edge_runtime.station.ingest import Health
from edge_runtime.station.store import Reader

SHOWN, MOST_SHOWN = 50, 1000
"""Events on the page and in one answer of the API: usually, and at most."""
CARDS_SHOWN = 8
ANIMALS_SHOWN = 6
"""Known animals on the page, usually; all can be asked for, up to MOST_SHOWN."""
THREADS = 4
FRESH_SECONDS = 90
"""An event that arrived within this time is marked as new."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    store: Reader,
    settings: StationSettings,
    health: Callable[[], Health],
    *,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """The WSGI application; it only reads.

    Args:
        health: how the link and the store do.
        clock: UTC seconds since 1970.
    """
    app = Flask(__name__)
    app.jinja_env.globals.update(wording=wording)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    zone = ZoneInfo(settings.time_zone)

    def view() -> dict[str, Any]:
        now, shown, asked = clock(), _limit("show", SHOWN), _limit("animals", ANIMALS_SHOWN)
        device, animal = request.args.get("device"), _animal()
        midnight = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        events = store.recent_events(shown, device=device, animal=animal)
        animals = store.known_animals(asked + 1)
        after = _number("after", None)
        news = [] if after is None else [wording.headline(event) for event in events if event.id > after]
        return {
            "station": settings.station,
            "zone": zone,
            "now": now,
            "health": health(),
            "totals": store.totals(int(midnight.timestamp())),
            "newest": max((event.id for event in events), default=0),
            # The latest arrivals, in the order in which things happened: whatever a camera's clock says, nothing new
            # is hidden behind what came earlier.
            "events": sorted(events, key=lambda event: (event.happened_s, event.id), reverse=True),
            "fresh_s": int(now) - FRESH_SECONDS,
            "devices": [(each, wording.state(each, now, settings.silent_hours)) for each in store.devices()],
            "animals": animals[:asked],
            "more_animals": MOST_SHOWN if len(animals) > asked < MOST_SHOWN else 0,
            "cards": store.recent_card_reports(CARDS_SHOWN),
            "news": news,
            "shown": shown,
            "more": min(shown * 5, MOST_SHOWN) if len(events) == shown < MOST_SHOWN else 0,
            "device": device,
            "animal": animal,
        }

    @app.get("/")
    def page() -> str:
        return render_template("page.html", **view())

    @app.get("/fragment")
    def fragment() -> str:
        return render_template("fragment.html", **view())

    @app.get("/icon.svg")
    def icon() -> Response:
        return Response(render_template("icon.html"), mimetype="image/svg+xml")

    @app.get("/api/events")
    def events() -> Response:
        found = store.recent_events(_limit("limit", 100), _number("after", None), request.args.get("device"), _animal())
        return jsonify({"events": [documents.event(event) for event in found]})

    @app.get("/api/animals")
    def animals() -> Response:
        return jsonify({"animals": [documents.animal(each) for each in store.known_animals(_limit("limit", 100))]})

    @app.get("/api/devices")
    def devices() -> Response:
        now = clock()
        views = [(each, wording.state(each, now, settings.silent_hours)) for each in store.devices()]
        return jsonify({"devices": [documents.device(*each) for each in views]})

    @app.get("/healthz")
    def healthz() -> tuple[Response, int]:
        how = health()
        store.totals()
        fine = how.connected and not how.store_problem
        return jsonify({"ok": fine, **asdict(how)}), 200 if fine else 503

    @app.errorhandler(JournalError)
    def unreadable(error: JournalError) -> tuple[Response, int]:
        return Response(f"The station's store cannot be read: {error}\n", mimetype="text/plain"), 503

    @app.errorhandler(_BadNumberError)
    def bad_number(error: _BadNumberError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @app.after_request
    def strict(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    return app


class PageServer:
    """The application on a port (0 takes any free one), served by a thread of its own.

    Raises:
        CamtrapEdgeError: the port cannot be had.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as error:
            raise CamtrapEdgeError(
                f"the page cannot listen on {host}:{port}: {error}; choose another web.host or web.port"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listener.getsockname()[1]}/"
        self._sockets: dict[int, Any] = {}
        server = create_server(app, map=self._sockets, sockets=[listener], threads=THREADS, ident=None)
        self._server = cast(BaseWSGIServer, server)
        self._thread = threading.Thread(target=self._server.run, name="page", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; answers under way are cut."""
        # The server's loop ends when it has no socket left, and only its own thread may take them away. It closes none:
        # until nobody pulls it any more the trigger must stay what it is, or its number may be another file's by then.
        taken: dict[int, Any] = {}

        def let_go() -> None:
            taken.update(self._sockets)
            self._sockets.clear()

        trigger: Any = self._server.trigger
        trigger.pull_trigger(let_go)
        self._thread.join(timeout=10)
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(taken)


class _BadNumberError(CamtrapEdgeError):
    """A number in the address that is none."""


def _number(name: str, default: int | None) -> int | None:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise _BadNumberError(f"{name}: '{text[:40]}' is not a whole number")
    return int(text)


def _animal() -> tuple[str, str] | None:
    label, name = request.args.get("label"), request.args.get("individual")
    return None if label is None or name is None else (label, name)


def _limit(name: str, default: int) -> int:
    return max(1, min(_number(name, default) or 1, MOST_SHOWN))
