"""What can be tried: variants, and how the CPU threads are dealt out between inferences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.errors import BundleError

ARM_SUFFIX = "-arm64"
"""Of the variant that does better on 64-bit ARM than the one which is called the same without it."""
ARM = ("aarch64", "arm64")
LARGE_GRAPH_BYTES = 64_000_000
LARGE_INPUT_PIXELS = 640 * 640
LITTLE_RAM_BYTES = 6_000_000_000


@dataclass(frozen=True, slots=True, order=True)
class Setup:
    """One way to run a bundle."""

    variant: str
    engine: str
    threads: int
    """CPU threads of one inference."""
    streams: int
    """Inferences at once."""

    @property
    def workers(self) -> int:
        """Threads that look at photos: as many as there are processor threads to keep busy, and never one alone, so
        that a photo is read and decoded while another is inferred."""
        return max(2, self.threads * self.streams)

    def __str__(self) -> str:
        return f"{self.variant} {self.threads}x{self.streams}"


def splits(cpus: int) -> tuple[tuple[int, int], ...]:
    """(threads, streams) that keep `cpus` threads busy, many streams first; and one thread alone, which saves power."""
    whole = [(threads, cpus // threads) for threads in range(1, cpus + 1) if cpus % threads == 0]
    return tuple(whole) if cpus == 1 else (*whole, (1, 1))


def candidates(bundle: Bundle, engines: Collection[str], *, cpus: int) -> tuple[Setup, ...]:
    """Everything worth measuring: each variant that one of `engines` runs, with each way to deal out `cpus` threads."""
    return tuple(
        Setup(variant.name, variant.engine, threads, streams)
        for variant in runnable(bundle, engines)
        for threads, streams in splits(cpus)
    )


def reference(bundle: Bundle, engines: Collection[str]) -> Variant:
    """The variant whose decisions count as right: the first float one that runs here, else the first that runs here.

    Raises:
        BundleError: none runs here.
    """
    here = runnable(bundle, engines)
    return next((variant for variant in here if variant.precision == "fp32"), here[0])


def runnable(bundle: Bundle, engines: Collection[str]) -> tuple[Variant, ...]:
    """The variants that one of `engines` runs, in the bundle's order.

    Raises:
        BundleError: there is none.
    """
    here = tuple(variant for variant in bundle.manifest.variants if variant.engine in engines)
    if not here:
        bundle.variant(frozenset(engines))  # says which engine is missing
    return here


def untuned(bundle: Bundle, variants: Sequence[Variant], *, cpus: int, machine: str, ram_bytes: int) -> Setup:
    """What is taken where nobody has measured: the first of `variants`, one thread for each stream.

    On 64-bit ARM `NAME-arm64` goes before `NAME`. A model that is large (graph above 64 MB, or input above 640 x 640
    pixels) gets one stream with all threads where there are less than 6 GB of memory: each stream takes its own memory
    for what lies between the layers.

    Args:
        variants: at least one, each run by an engine that is here.
        machine: as `platform.machine()` gives it.
        ram_bytes: of the machine; 0 for unknown, which counts as little.
    """
    variant = variants[0]
    if machine in ARM:
        variant = next((each for each in variants if each.name == variant.name + ARM_SUFFIX), variant)
    threads, streams = (cpus, 1) if ram_bytes < LITTLE_RAM_BYTES and is_large(bundle, variant) else (1, cpus)
    return Setup(variant.name, variant.engine, threads, streams)


def is_large(bundle: Bundle, variant: Variant) -> bool:
    """Whether several streams of this variant take much memory."""
    size = variant.bytes + sum(entry.bytes for entry in variant.files)
    pixels = bundle.manifest.input.width * bundle.manifest.input.height
    return size > LARGE_GRAPH_BYTES or pixels > LARGE_INPUT_PIXELS


def named(bundle: Bundle, name: str, engines: Collection[str]) -> tuple[Variant, ...]:
    """The variants that are called `name` or are for the engine called so, and run here.

    Raises:
        BundleError: there is none, or its engine is not here; lists what there is.
    """
    matching = [variant for variant in bundle.manifest.variants if name in (variant.name, variant.engine)]
    there = ", ".join(f"{variant.name} ({variant.engine})" for variant in bundle.manifest.variants)
    if not matching:
        raise BundleError(bundle.folder, f"has no variant or engine '{name}'", hint=f"it has: {there}; or say auto")
    here = tuple(variant for variant in matching if variant.engine in engines)
    if not here:
        wanted = matching[0].engine
        raise BundleError(
            bundle.folder, f"'{name}' needs the engine '{wanted}', which is not usable here", hint=f"it has: {there}"
        )
    return here
