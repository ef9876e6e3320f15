"""Result documents made up for tests: whole and free of contradictions, whatever latencies they are given."""

from __future__ import annotations

import hashlib
import random
import statistics
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from benchmarks import boundaries
from benchmarks.document import summary
from benchmarks.document.schema import (
    SCHEMA,
    Accuracy,
    Conditions,
    Device,
    Document,
    Energy,
    Measure,
    Model,
    PhotoSet,
    Platform,
    Process,
    Run,
    Runtime,
    Scenario,
    Series,
    Stage,
    Throttle,
    Verdict,
    Warmup,
)

PROCESSES, QUERIES, PHOTOS = 7, 120, 12
SHARES: dict[Stage, float] = {"read": 0.02, "hash": 0.01, "decode": 0.2, "preprocess": 0.05, "infer": 0.66}
"""Of a query's whole time; a stage that is not named shares what is left."""
CONDITIONS = Conditions(
    power_mode=None,
    governor="performance",
    cooling="active",
    ambient_c=21.5,
    supply="27 W USB-C",
    storage="ext4 on mmcblk0",
    virtual=None,
    load_avg=(0.1, 0.2, 0.1),
    swap_used_bytes=0,
)
QUIET = Throttle(source="vcgencmd get_throttled", bits_before=0, bits_after=0, raised=(), below_max_share=0.0)


def document(
    *,
    board: str = "Raspberry Pi 5 Model B Rev 1.0",
    bundle: str = "trail-detector 1.2.0",
    variant: str = "int8-static",
    precision: str = "int8",
    scenario: Scenario = "single",
    engine: str = "onnxruntime",
    latencies_ms: Sequence[Sequence[float]] | None = None,
    middle_ms: float = 80.0,
    started_utc: str = "2026-03-01T10:00:00Z",
    batch: str = "a batch",
    threads: int = 4,
    streams: int = 1,
    photos: str = "sample-card",
    energy: Sequence[str] = ("PMIC",),
    accuracy: bool = True,
    peak_rss_bytes: int | None = 312_000_000,
    status: str = "stable",
    reasons: Sequence[str] = (),
    **changes: Any,
) -> Document:
    """A document that `reading.contradictions` finds nothing in; its bytes depend on the arguments alone.

    Args:
        latencies_ms: milliseconds of `whole`, one list a process; otherwise they lie near `middle_ms`. Below 11 in all
            there is no percentile, below 662 no p99.
        batch: any text; documents of one batch were measured in turn.
        energy: where its power sensors sit; none for a board without.
        accuracy: False for a document that could not be compared with a float one.
        peak_rss_bytes: of each process; None where it could not be told.
        changes: other parts of the document (`conditions=`, `telemetry=`, `stats=` ...), put in as they are.
    """
    run_id = _digest(board, bundle, variant, scenario, started_utc, str(threads), str(middle_ms))
    boundary = boundaries.of(scenario, engine)
    each_ms = latencies_ms if latencies_ms is not None else latencies(middle_ms, seed=run_id)
    processes = made_processes(each_ms, scenario=scenario, boundary=boundary, peak_rss_bytes=peak_rss_bytes)
    model = Model(
        task="detector",
        bundle=bundle,
        bundle_id=_digest(bundle),
        variant=variant,
        engine=engine,
        sha256=_digest(bundle, variant),
        precision=precision,  # type: ignore[arg-type]
        input_shape=(1, 3, 640, 640),
        batch=1,
        threads=threads,
        streams=streams,
    )
    photo_set = PhotoSet(name=photos, sha256=_digest(photos), n=PHOTOS, mean_bytes=2.4e6, mean_megapixels=12.0)
    parts: dict[str, Any] = {
        "run": Run(
            id=run_id[:32],
            batch=_digest(batch)[:32],
            started_utc=started_utc,
            ended_utc=started_utc,
            tool_version="0.1.0",
            git_sha=None,
            argv=("edge-bench", "run", bundle),
            seed=1,
            scenario=scenario,
            profile="standard",
            interrupted=False,
        ),
        "device": _device(board),
        "platform": Platform(
            os="Debian GNU/Linux 12 (bookworm)",
            kernel="6.6.31",
            python="3.11.2",
            jetpack=None,
            driver=None,
            cuda=None,
            runtime=Runtime(name=engine, version="1.20.1", providers=("CPUExecutionProvider",)),
        ),
        "conditions": CONDITIONS,
        "model": model,
        "photos": photo_set,
        "boundary": boundary,
        "processes": processes,
        "stats": summary.summarised(processes),
        "throughput_measured_ips": summary.throughput(processes),
        "telemetry": telemetry(processes),
        "throttle": QUIET,
        "energy": tuple(made_energy(processes, where) for where in energy),
        "accuracy": _accuracy(photo_set) if accuracy else None,
    }
    parts.update(changes)
    verdict = Verdict(
        status=status,  # type: ignore[arg-type]
        reasons=tuple(reasons),
        comparable_key=summary.key_of(parts["run"].scenario, parts["boundary"], parts["model"], parts["photos"]),
    )
    return Document(**{"schema": SCHEMA, "verdict": verdict, **parts})


def latencies(
    middle_ms: float, *, processes: int = PROCESSES, queries: int = QUERIES, seed: object = 1
) -> list[list[float]]:
    """Milliseconds near the middle, as a quiet device gives them: each process a little different, a short tail."""
    dice = random.Random(str(seed))
    found = []
    for _ in range(processes):
        own = middle_ms * dice.uniform(0.985, 1.015)
        found.append([own * (dice.gauss(1.0, 0.008) + dice.expovariate(200)) for _ in range(queries)])
    return found


def made_processes(
    latencies_ms: Sequence[Sequence[float]],
    *,
    scenario: Scenario = "single",
    boundary: Sequence[Stage] | None = None,
    peak_rss_bytes: int | None = 312_000_000,
) -> tuple[Process, ...]:
    """Processes one after another, each query begun when the one before ended."""
    stages = boundaries.of(scenario, "onnxruntime") if boundary is None else boundary
    made, at_ns = [], 5_000_000_000
    for each in latencies_ms:
        whole = [round(ms * 1e6) for ms in each]
        begin = at_ns + 2_000_000_000
        ends = list(accumulate(whole, initial=begin))
        made.append(
            Process(
                started_ns=at_ns,
                engine_build_ns=None,
                load_ns=420_000_000,
                first_inference_ns=round(statistics.median(whole) * 1.6),
                warmup=Warmup(queries=40, converged=True),
                photo=tuple(index % PHOTOS for index in range(len(whole))),
                start_ns=tuple(ends[:-1]),
                samples_ns=_samples(whole, scenario, stages),
                photos=len(whole),
                wall_ns=ends[-1] - begin,
                cpu_ns=(ends[-1] - begin) * 3,
                others_cpu_share=0.01,
                peak_rss_bytes=peak_rss_bytes,
            )
        )
        at_ns = ends[-1] + 500_000_000
    return tuple(made)


def _samples(whole: Sequence[int], scenario: Scenario, stages: Sequence[Stage]) -> dict[Stage, tuple[int, ...]]:
    samples: dict[Stage, tuple[int, ...]] = {"whole": tuple(whole)}
    if scenario == "trap":
        samples["first"] = tuple(ns // 2 for ns in whole)
    if scenario in ("single", "offline"):
        rest = 1 - sum(SHARES.get(stage, 0.0) for stage in stages)
        unnamed = [stage for stage in stages if stage not in SHARES]
        for stage in stages:
            share = SHARES.get(stage, rest / max(1, len(unnamed)))
            samples[stage] = tuple(int(ns * share) for ns in whole)
    return samples


def telemetry(processes: Sequence[Process], *, every_ns: int = 1_000_000_000) -> tuple[Series, ...]:
    """A board that warms up and keeps its clock; one reading of each sensor could not be had."""
    end = max(each.start_ns[-1] for each in processes)
    t_ns = tuple(range(0, max(end, 4 * every_ns) + every_ns, every_ns))
    warm = [52.0 + 14.0 * (1 - 0.96**index) for index in range(len(t_ns))]
    values: tuple[tuple[str, str, Any, list[float]], ...] = (
        ("/sys/class/thermal/thermal_zone0/temp", "cpu-thermal", "temp_c", warm),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "cpu0", "freq_hz", [2.4e9] * len(t_ns)),
        ("vcgencmd pmic_read_adc", "PMIC", "power_w", [3.1 if t < 5_000_000_000 else 7.4 for t in t_ns]),
    )
    return tuple(
        Series(source=source, where=where, quantity=quantity, t_ns=t_ns, value=(*value[:2], None, *value[3:]))
        for source, where, quantity, value in values
    )


def made_energy(processes: Sequence[Process], where: str, *, watts: float = 7.4, idle_w: float | None = 3.1) -> Energy:
    """What one sensor told of these processes."""
    seconds, photos = sum(each.wall_ns for each in processes) / 1e9, sum(each.photos for each in processes)
    above = None if idle_w is None else (watts - idle_w) * seconds / photos
    return Energy(
        source=f"sensor {where}",
        where=where,
        seconds=seconds,
        photos=photos,
        joules=watts * seconds,
        mean_w=watts,
        idle_w=idle_w,
        joules_per_photo=watts * seconds / photos,
        above_idle_joules_per_photo=above,
    )


def _device(board: str) -> Device:
    return Device(
        fingerprint=_digest(board)[:16],
        board=board,
        soc="BCM2712",
        cpu="Cortex-A76",
        architecture="aarch64",
        cores=4,
        ram_bytes=8 * 2**30,
        accelerator=None,
        firmware="2024/09/23 14:02:56",
        serial_hash=_digest(board, "serial")[:16],
    )


def _accuracy(photos: PhotoSet) -> Accuracy:
    return Accuracy(
        photos=photos.name,
        photos_sha256=photos.sha256,
        n=photos.n,
        against="trail-detector fp32",
        how="measured",
        measures=(
            Measure(name="boxes kept", value=0.975, n=40, low=0.871, high=0.996),
            Measure(name="extra boxes", value=1.0, n=photos.n, low=None, high=None),
        ),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
