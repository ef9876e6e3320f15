"""A real HTTP server on this machine that behaves well or badly, as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What the server does with the requests for its one file."""

    body: bytes
    etag: str = ""
    ignore_range: bool = False
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the first answers, one after the other, break off."""
    declared: int | None = None
    """Content-Length that it claims; -1 for none at all."""
    endless: bool = False
    statuses: list[int] = field(default_factory=list)
    """With which the first answers, one after the other, are refused."""
    redirect: str = ""
    wrong_range: bool = False
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve `behaviour` on a free port; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            behaviour.requests.append(dict(self.headers))
            if self.path == "/moved":
                self._head(302, {"Location": behaviour.redirect, "Content-Length": "0"})
                return
            if behaviour.statuses:
                self._head(behaviour.statuses.pop(0), {"Content-Length": "0"})
                return
            start, status = self._start()
            if start > len(behaviour.body) or (start and start == len(behaviour.body)):
                self._head(416, {"Content-Range": f"bytes */{len(behaviour.body)}", "Content-Length": "0"})
                return
            self._send(start, status)

        def _start(self) -> tuple[int, int]:
            wanted = self.headers.get("Range", "")
            current = self.headers.get("If-Range", behaviour.etag) == behaviour.etag
            if not wanted or behaviour.ignore_range or not current:
                return 0, 200
            return int(wanted.removeprefix("bytes=").removesuffix("-")), 206

        def _send(self, start: int, status: int) -> None:
            body = behaviour.body[start:]
            headers = {"ETag": behaviour.etag} if behaviour.etag else {}
            if status == 206:
                first = start + 1 if behaviour.wrong_range else start
                headers["Content-Range"] = f"bytes {first}-{len(behaviour.body) - 1}/{len(behaviour.body)}"
            if behaviour.declared != -1 and not behaviour.endless:
                headers["Content-Length"] = str(len(body) if behaviour.declared is None else behaviour.declared)
            self._head(status, headers)
            if behaviour.cut_after:
                body = body[: behaviour.cut_after.pop(0)]
            try:
                self.wfile.write(body)
                while behaviour.endless:
                    self.wfile.write(bytes(65536))
            except (BrokenPipeError, ConnectionResetError):
                pass

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
