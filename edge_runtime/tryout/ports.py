"""Finding a TCP port that nobody uses."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """`preferred` on 127.0.0.1 if it is free, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free TCP port on 127.0.0.1")
