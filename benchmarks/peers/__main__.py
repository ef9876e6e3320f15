"""Photos per second beside other programs: the same graph, the same photos, whole processes, in turn.

    python -m benchmarks.peers [--folder DIR] [--copies N] [--runs 5] [--networks A,B] [--peers A,B] [--json]

The peers are installed into environments of their own in the work folder and stay there for the next run. `ultralytics`
and the YOLOv5n weights are AGPL-3.0: they are used there and nowhere else, and nothing of them comes into this package.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from tqdm import tqdm

from benchmarks.peers import agreement, card, contenders, environments, networks, processes
from benchmarks.peers.agreement import Agreement
from benchmarks.peers.contenders import LIMITS, PEERS, Contender, Peer
from benchmarks.peers.environments import Environment, PeerMissing
from benchmarks.peers.networks import NETWORKS, Network, NetworkMissing
from edge_runtime.tryout import sample_card

ROOT = Path(__file__).resolve().parents[2]
RECIPES: Mapping[Peer, environments.Recipe] = {
    "sparrow-engine": environments.SPARROW,
    "ultralytics": environments.PYTORCH,
    "megadetector": environments.PYTORCH,
}

QUIET_LOAD = 0.25
"""Per CPU; what else runs takes its share from everybody, but not evenly."""
Command = tuple[str, ...]


@dataclass(frozen=True)
class Timing:
    """One contender's runs, in order; the first, uncounted one is not among them."""

    command: tuple[str, ...]
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    peak_mb: tuple[float, ...]
    photos_per_s: float
    """Of the median run, the whole process."""
    cpu_ms: float
    """CPU time per photo, all threads, the whole process: what a battery pays, and what a busy machine hides least."""
    steady_photos_per_s: float | None
    """Ours: without the interpreter's start and loading the model."""


@dataclass(frozen=True)
class Row:
    """One pair. Where something is missing, `why` says what."""

    network: str
    peer: str
    our_precision: str
    theirs: Timing | None = None
    ours: Timing | None = None
    ratio: float | None = None
    limit: float | None = None
    same_pixels: Agreement | None = None
    """Over lossless copies of the photos, in parity mode."""
    same_files: Agreement | None = None
    """Over the JPEG files, in parity mode: what two JPEG decoders make of one file differs by a few gray levels."""
    why: str = ""

    @property
    def kept(self) -> bool | None:
        return None if self.ratio is None or self.limit is None else self.ratio >= self.limit


@dataclass(frozen=True)
class Pair:
    """Two contenders to be timed, and two pairs (theirs, ours) whose results are held side by side."""

    network: str
    peer: Peer
    our_precision: str
    theirs: Contender
    ours: Contender
    same_pixels: tuple[Contender, Contender] | None = None
    same_files: tuple[Contender, Contender] | None = None

    @property
    def checked(self) -> tuple[Contender, ...]:
        """Those that only the comparison needs."""
        return (*(self.same_pixels or ()), *(self.same_files or ()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    arguments = _parser().parse_args(argv)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-peers-") as name:
        photos = _card(Path(name), arguments)
        print(
            f"{photos.photos} photos, mean {photos.mean_megapixels:.1f} megapixels and "
            f"{photos.mean_bytes / 1e6:.2f} MB, on {os.cpu_count()} CPUs",
            file=sys.stderr,
        )
        found, missing = _environments(arguments.peers, work)
        load = os.getloadavg()[0]
        pairs, rows = _pairs(arguments, photos, work, found, missing)
        rows += _measure(pairs, photos.photos, arguments.runs)
    document = {"started_utc": started, **_document(arguments, photos, found, rows, load)}
    report = work.parent / f"{work.name}-{started.replace(':', '')}.json"
    report.write_text(json.dumps(document, indent=1))
    print(json.dumps(document) if arguments.json else _table(rows))
    print(f"every sample: {report}", file=sys.stderr)
    if load > QUIET_LOAD * (os.cpu_count() or 1):
        print(f"not a quiet machine: its load was {load:.1f} at the start, so that times say little", file=sys.stderr)
    return 1 if any(row.kept is False for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    assets = Path(os.environ.get("CAMTRAP_EDGE_ASSETS") or ROOT.parent / "shared" / "assets")
    parser.add_argument("--assets", type=Path, default=assets, metavar="DIR", help="photos, training, weights")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="the photos (default: those of the assets)")
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="each photo so often")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each, in turn, after one uncounted")
    parser.add_argument("--networks", type=_names(NETWORKS), default=tuple(NETWORKS), metavar="A,B")
    parser.add_argument("--peers", type=_names(PEERS), default=PEERS, metavar="A,B")
    parser.add_argument("--work", type=Path, default=ROOT / "tryout-data" / "peers", metavar="DIR", help="is kept")
    parser.add_argument("--options", default="", metavar="TEXT", help="more options for our own command")
    parser.add_argument("--json", action="store_true")
    return parser


def _names(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        return names

    return read


def _card(temporary: Path, arguments: argparse.Namespace) -> card.Card:
    source = arguments.folder or arguments.assets / "photos"
    if not source.is_dir():
        print(f"{source} is missing: the sample card instead, whose scenes are composed", file=sys.stderr)
        source = temporary / "sample"
        sample_card.build(source)
    return card.fill(temporary / "card", temporary / "lossless", source, copies=arguments.copies)


def _environments(peers: Sequence[Peer], work: Path) -> tuple[dict[Peer, Environment], dict[Peer, str]]:
    found: dict[Peer, Environment] = {}
    missing: dict[Peer, str] = {}
    for peer in tqdm(peers, desc="peers", unit="peer", disable=not sys.stderr.isatty()):
        try:
            found[peer] = environments.make(RECIPES[peer], work)
        except PeerMissing as error:
            missing[peer] = str(error)
    return found, missing


def _pairs(
    arguments: argparse.Namespace,
    photos: card.Card,
    work: Path,
    found: Mapping[Peer, Environment],
    missing: Mapping[Peer, str],
) -> tuple[list[Pair], list[Row]]:
    pairs: list[Pair] = []
    rows: list[Row] = []
    pytorch = found.get("ultralytics") or found.get("megadetector")
    for key in tqdm(arguments.networks, desc="networks", unit="network", disable=not sys.stderr.isatty()):
        folder = work / "networks" / key
        folder.mkdir(parents=True, exist_ok=True)
        try:
            network = NETWORKS[key](networks.Making(folder, arguments.assets.resolve(), pytorch))
            bundle = networks.our_bundle(network, folder / "ours")
        except NetworkMissing as error:
            rows.append(Row(key, ", ".join(arguments.peers), "fp32", why=str(error)))
            continue
        for peer in arguments.peers:
            why = missing.get(peer) or _cannot(peer, network)
            if why:
                rows.append(Row(network.name, peer, "fp32", why=why))
                continue
            them = partial(_them, peer, network, key, work, found[peer], photos.folder.parent)
            us = partial(_us, key, photos.folder.parent, tuple(arguments.options.split()))
            theirs = them(photos.folder)
            pixels = them(photos.lossless), us("same-pixels", bundle, photos.lossless, contenders.PARITY)
            files = theirs, us("same-files", bundle, photos.folder, contenders.PARITY)
            pairs.append(Pair(network.name, peer, "fp32", theirs, us("fp32", bundle, photos.folder), pixels, files))
            if (peer, "int8") in LIMITS and network.int8:
                pairs.append(Pair(network.name, peer, "int8", theirs, us("int8", network.int8, photos.folder)))
            elif (peer, "int8") in LIMITS:
                rows.append(Row(network.name, peer, "int8", why=network.why_no_int8))
    return pairs, rows


def _them(
    peer: Peer, network: Network, key: str, work: Path, environment: Environment, outputs: Path, photos: Path
) -> Contender:
    results = outputs / f"{key}-{peer}-{photos.name}.json"
    return contenders.peer(peer, network, key, photos, results, work, environment)


def _us(
    key: str, outputs: Path, options: Sequence[str], kind: str, bundle: Path, photos: Path, more: Sequence[str] = ()
) -> Contender:
    return contenders.ours(f"ours {kind}", bundle, photos, outputs / f"{key}-ours-{kind}.json", (*more, *options))


def _cannot(peer: Peer, network: Network) -> str:
    return network.why_no_checkpoint if peer != "sparrow-engine" and network.checkpoint is None else ""


def _measure(pairs: Sequence[Pair], photos: int, runs: int) -> list[Row]:
    timed = {one.command: one for pair in pairs for one in (pair.theirs, pair.ours)}
    checked = {one.command: one for pair in pairs for one in pair.checked if one.command not in timed}
    samples: dict[Command, list[processes.Run]] = {command: [] for command in timed}
    broken: dict[Command, str] = {}
    total = len(timed) * (runs + 1) + len(checked)
    with tqdm(total=total, desc="runs", unit="run", disable=not sys.stderr.isatty()) as bar:
        # Round 0 fills the page cache and is not counted.
        for number in range(runs + 1):
            for command, one in [*timed.items(), *(checked.items() if number == 0 else ())]:
                bar.set_postfix_str(one.name)
                one.results.unlink(missing_ok=True)
                if command not in broken:
                    try:
                        run = processes.run(command, one.environ)
                    except processes.ProcessFailed as error:
                        broken[command] = f"{one.name} {error}"
                    else:
                        if number:
                            samples[command].append(run)
                bar.update()
    return [_row(pair, samples, broken, photos) for pair in pairs]


def _row(
    pair: Pair,
    samples: Mapping[tuple[str, ...], list[processes.Run]],
    broken: Mapping[tuple[str, ...], str],
    photos: int,
) -> Row:
    head = (pair.network, pair.peer, pair.our_precision)
    why = next((broken[one.command] for one in (pair.theirs, pair.ours) if one.command in broken), "")
    if why:
        return Row(*head, why=why)
    theirs, ours = (_timing(one, samples[one.command], photos) for one in (pair.theirs, pair.ours))
    alike: list[Agreement | None] = []
    for check in (pair.same_pixels, pair.same_files):
        if check is None or any(one.command in broken for one in check):
            why = why or next((broken[one.command] for one in check or () if one.command in broken), "")
            alike.append(None)
            continue
        try:
            alike.append(agreement.compare(check[1].read(), check[0].read(), threshold=networks.THRESHOLD))
        except ValueError as error:
            why = why or str(error)
            alike.append(None)
    ratio = ours.photos_per_s / theirs.photos_per_s
    return Row(*head, theirs, ours, ratio, LIMITS[pair.peer, pair.our_precision], *alike, why)


def _timing(one: Contender, runs: Sequence[processes.Run], photos: int) -> Timing:
    steady = None
    if one.name.startswith("ours"):
        steady = photos / statistics.median(contenders.steady_seconds(run.output) for run in runs)
    return Timing(
        one.command,
        tuple(run.seconds for run in runs),
        tuple(run.cpu_seconds for run in runs),
        tuple(run.peak_mb for run in runs),
        photos / statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs) / photos * 1000,
        steady,
    )


def _document(
    arguments: argparse.Namespace,
    photos: card.Card,
    found: Mapping[Peer, Environment],
    rows: Sequence[Row],
    load: float,
) -> dict[str, object]:
    return {
        "runs": arguments.runs,
        "photos": photos.photos,
        "mean_megapixels": photos.mean_megapixels,
        "machine": {
            "cpu": _cpu(),
            "cpus": os.cpu_count(),
            "load_before": load,
            "load_after": os.getloadavg()[0],
            "kernel": platform.release(),
        },
        "python": platform.python_version(),
        "peers": {peer: environment.versions for peer, environment in found.items()},
        "rows": [{**asdict(row), "kept": row.kept} for row in rows],
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _table(rows: Sequence[Row]) -> str:
    head = "network,peer,photos/s,ours,photos/s,steady,ratio,limit,CPU ms,MB,boxes from same pixels,from same files"
    lines = [head.split(",")]
    for row in rows:
        if row.theirs is None or row.ours is None:
            continue
        both = (row.theirs, row.ours)
        lines.append(
            [
                row.network,
                row.peer,
                f"{row.theirs.photos_per_s:.1f}",
                row.our_precision,
                f"{row.ours.photos_per_s:.1f}",
                f"{row.ours.steady_photos_per_s:.1f}",
                f"{row.ratio:.2f}",
                f"{row.limit:g} {'kept' if row.kept else 'BROKEN'}",
                "/".join(f"{one.cpu_ms:.0f}" for one in both),
                "/".join(f"{statistics.median(one.peak_mb):.0f}" for one in both),
                _alike(row.same_pixels),
                _alike(row.same_files),
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text += [f"{row.network}, {row.peer}, ours {row.our_precision}: {row.why}" for row in rows if row.why]
    return "\n".join(text)


def _alike(alike: Agreement | None) -> str:
    if alike is None or alike.share is None or alike.lowest_iou is None:
        return "-"
    worst = f"IoU {alike.lowest_iou:.3f}, confidence {alike.largest_difference:.3f}"
    return f"{alike.share:.1%} of {alike.counted} ({worst})"


if __name__ == "__main__":
    sys.exit(main())
