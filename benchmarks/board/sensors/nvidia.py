"""NVIDIA GPUs by their driver's tool."""

from __future__ import annotations

from functools import partial

from benchmarks.board.sensors.sensor import TOOL_EVERY_S, Sensor, Shared
from benchmarks.document.schema import Quantity
from edge_runtime.device.host import Host, decimal

COMMAND = (
    "nvidia-smi",
    "--query-gpu=temperature.gpu,power.draw,clocks.sm",
    "--format=csv,noheader,nounits",
)
_COLUMNS: tuple[tuple[Quantity, float], ...] = (("temp_c", 1.0), ("power_w", 1.0), ("freq_hz", 1e6))


def find(host: Host) -> list[Sensor]:
    """Temperature, board power and clock of each GPU; one call of the tool serves all of them."""
    ask = Shared(partial(host.tool, COMMAND))
    gpus = len((ask() or "").splitlines())
    return [
        Sensor("nvidia-smi", f"GPU {gpu}", quantity, partial(_value, ask, gpu, column), TOOL_EVERY_S)
        for gpu in range(gpus)
        for column, (quantity, _) in enumerate(_COLUMNS)
    ]


def _value(ask: Shared, gpu: int, column: int) -> float | None:
    lines = (ask() or "").splitlines()
    cells = lines[gpu].split(",") if gpu < len(lines) else []
    if len(cells) != len(_COLUMNS):
        return None
    number = decimal(cells[column].strip())
    return None if number is None else number * _COLUMNS[column][1]
