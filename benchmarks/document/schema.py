"""The result document, version 1: RESULTS.md as types. Units stand in the names.

A field that this machine could not tell is null, never zero. Times called `_ns` are nanoseconds of the monotonic clock,
counted from the start of the run unless they are durations.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec

SCHEMA: Final = "camtrap-edge-benchmark/1"

Scenario = Literal["single", "multi", "offline", "trap", "card"]
Profile = Literal["quick", "standard", "official"]
Stage = Literal[
    "load", "read", "hash", "decode", "preprocess", "h2d", "infer", "d2h", "postprocess", "journal", "first", "whole"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order of a photo's way. `load` is from the process' start to the loaded model; `h2d` and `d2h` are the copies
to an accelerator and back, absent on a CPU; `first` is from wake to the first result (scenario `trap`); `whole` is the
query from end to end."""
Status = Literal["stable", "inconclusive", "throttled"]
Quantity = Literal["temp_c", "freq_hz", "power_w", "energy_j"]

Count = Annotated[int, msgspec.Meta(ge=0)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
"""Head of a SHA-256."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Utc = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the document's parts: an unknown key is an error."""


class Run(Part, frozen=True, kw_only=True):
    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    batch: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    """The same in all documents of one command: their processes took turns."""
    started_utc: Utc
    ended_utc: Utc
    tool_version: Text
    git_sha: str | None
    argv: tuple[str, ...]
    seed: int
    scenario: Scenario
    profile: Profile
    interrupted: bool
    """Ended by its user before its time; what was measured until then is here."""


class Device(Part, frozen=True, kw_only=True):
    fingerprint: Key
    """Over board, soc, cpu, architecture, cores, memory in whole GiB and accelerator."""
    board: Text
    soc: str | None
    cpu: Text
    architecture: Text
    cores: Annotated[int, msgspec.Meta(ge=1)]
    """That this process may use."""
    ram_bytes: Count
    accelerator: str | None
    firmware: str | None
    serial_hash: Key | None
    """Tells two boards of one kind apart; the serial number itself stays here."""


class Runtime(Part, frozen=True, kw_only=True):
    name: Text
    version: Text
    providers: tuple[str, ...]


class Platform(Part, frozen=True, kw_only=True):
    os: Text
    kernel: Text
    python: Text
    jetpack: str | None
    driver: str | None
    cuda: str | None
    runtime: Runtime
    libraries: dict[str, str] = {}
    """Versions of what decodes and prepares photos."""


class Conditions(Part, frozen=True, kw_only=True):
    """Before the first process."""

    power_mode: str | None
    governor: str | None
    cooling: str | None
    ambient_c: float | None
    """As its user says (--ambient)."""
    supply: str | None
    """As its user says (--supply)."""
    storage: str | None
    """File system and device that the photos lie on."""
    virtual: str | None
    """The hypervisor, where the machine says that it is a virtual one."""
    load_avg: tuple[NotNegative, NotNegative, NotNegative] | None
    swap_used_bytes: Count | None


class Model(Part, frozen=True, kw_only=True):
    task: Literal["detector", "classifier", "embedder"]
    bundle: Text
    """Name and version."""
    bundle_id: Sha256
    variant: Text
    engine: Text
    sha256: Sha256
    """Of the graph."""
    precision: Literal["fp32", "fp16", "int8"]
    input_shape: tuple[int, ...]
    batch: Annotated[int, msgspec.Meta(ge=1)]
    threads: Annotated[int, msgspec.Meta(ge=1)]
    streams: Annotated[int, msgspec.Meta(ge=1)]


class PhotoSet(Part, frozen=True, kw_only=True):
    name: Text
    sha256: Sha256
    """Over the SHA-256 of each file (64 hex digits), sorted, joined by newlines."""
    n: Annotated[int, msgspec.Meta(ge=1)]
    mean_bytes: Positive
    mean_megapixels: Positive


class Warmup(Part, frozen=True, kw_only=True):
    queries: Count
    converged: bool


class Process(Part, frozen=True, kw_only=True):
    """One worker process. `photo`, `start_ns` and each list of `samples_ns` are of one length: one entry a query, in
    the order in which they ended; nothing is left out."""

    started_ns: Nanoseconds
    engine_build_ns: Nanoseconds | None
    """Null where no engine was built: the runtime needs none, or it lay in the cache."""
    load_ns: Nanoseconds
    """From the process' start to the loaded model."""
    first_inference_ns: Nanoseconds
    warmup: Warmup
    photo: tuple[Count, ...]
    """Index of the query's (first) photo in the set."""
    start_ns: tuple[Nanoseconds, ...]
    samples_ns: dict[Stage, tuple[Nanoseconds, ...]]
    photos: Count
    """In all its queries."""
    wall_ns: Nanoseconds
    """From the first query's start to the last one's end."""
    cpu_ns: Nanoseconds
    """Processor time of the process in that time."""
    others_cpu_share: Share | None
    """Of the machine's processor time in that time, what other programs and the hypervisor took."""
    peak_rss_bytes: Count | None


class Percentile(Part, frozen=True, kw_only=True):
    """Null where the samples are too few for a bound at this confidence."""

    value_ns: Nanoseconds | None
    bound_ns: Nanoseconds | None
    """The percentile is at most this, with the given confidence."""
    n: Count
    confidence: Share


class Stats(Part, frozen=True, kw_only=True):
    """Of one stage, over all samples of all processes."""

    n: Annotated[int, msgspec.Meta(ge=1)]
    mean_ns: NotNegative
    mad_ns: NotNegative
    cv: NotNegative
    min_ns: Nanoseconds
    max_ns: Nanoseconds
    p50: Percentile
    p90: Percentile
    p99: Percentile


class Series(Part, frozen=True, kw_only=True):
    """What one sensor said. `value` is null where it could not be read at that time."""

    source: Text
    """The file or tool that was read."""
    where: Text
    """What it measures: `cpu-thermal`, `VDD_IN`, `package-0`."""
    quantity: Quantity
    t_ns: tuple[Nanoseconds, ...]
    value: tuple[float | None, ...]


class Throttle(Part, frozen=True, kw_only=True):
    source: str | None
    """Null where this machine has no such bits."""
    bits_before: Count | None
    bits_after: Count | None
    raised: tuple[Text, ...]
    """What was active before, during or after the run, or happened for the first time since boot in it."""
    below_max_share: Share | None
    """Of the run's time, what the clock was below its maximum; null where the kernel does not count it."""


class Energy(Part, frozen=True, kw_only=True):
    """One sensor; figures of two are never added."""

    source: Text
    where: Text
    seconds: Positive
    photos: Annotated[int, msgspec.Meta(ge=1)]
    joules: NotNegative
    mean_w: NotNegative
    idle_w: NotNegative | None
    """Of the same run, before its first process."""
    joules_per_photo: NotNegative
    above_idle_joules_per_photo: float | None


class Measure(Part, frozen=True, kw_only=True):
    name: Text
    value: float
    n: Count
    low: float | None
    high: float | None
    """95 %."""


class Accuracy(Part, frozen=True, kw_only=True):
    """What this variant decides otherwise than the float one."""

    photos: Text
    """Name of the photo set."""
    photos_sha256: Sha256 | None
    n: Count
    """Photos or crops."""
    against: Text
    how: Literal["measured", "proof of the bundle"]
    measures: tuple[Measure, ...]


class Verdict(Part, frozen=True, kw_only=True):
    status: Status
    reasons: tuple[Text, ...]
    comparable_key: Key
    """Over scenario, boundary, task, input shape, precision, batch, threads, streams and photos: documents that differ
    in it are not compared."""


class Document(Part, frozen=True, kw_only=True):
    schema: Literal["camtrap-edge-benchmark/1"]
    run: Run
    device: Device
    platform: Platform
    conditions: Conditions
    model: Model
    photos: PhotoSet
    boundary: tuple[Stage, ...]
    """The stages that `whole` holds. In `single` and `offline` each was timed by itself too."""
    processes: Annotated[tuple[Process, ...], msgspec.Meta(min_length=1)]
    stats: dict[Stage, Stats]
    throughput_measured_ips: Positive
    """Photos per second: all photos over all `wall_ns`; measured, never 1 / latency."""
    telemetry: tuple[Series, ...]
    throttle: Throttle
    energy: tuple[Energy, ...]
    accuracy: Accuracy | None
    """Null where nothing was there to compare with, or the run was ended early."""
    verdict: Verdict
