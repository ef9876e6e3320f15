"""What is tried, and what is taken where nobody has measured."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.errors import BundleError
from edge_runtime.tuning import plan
from edge_runtime.tuning.plan import Setup

PLENTY = 16_000_000_000


def with_variants(bundle: Bundle, *names: str, size: int = 1000, side: int = 512) -> Bundle:
    """The same bundle with other variants, called ENGINE-PRECISION...; their graphs are never opened."""
    variants = tuple(
        Variant(
            name=name,
            engine=name.split("-")[0],
            precision=name.split("-")[1],  # type: ignore[arg-type]
            file=f"graphs/{name}.onnx",
            bytes=size,
            sha256="0" * 64,
        )
        for name in names
    )
    spec = msgspec.structs.replace(bundle.manifest.input, width=side, height=side)
    manifest = msgspec.structs.replace(bundle.manifest, variants=variants, input=spec)
    return Bundle(bundle.folder, bundle.id, manifest, bundle.labels)


@pytest.fixture(scope="module")
def plain(colour_bundle: Path) -> Bundle:
    return bundles.load(colour_bundle, task="detector")


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        (1, {(1, 1)}),
        (2, {(1, 2), (2, 1), (1, 1)}),
        (4, {(1, 4), (2, 2), (4, 1), (1, 1)}),
        (6, {(1, 6), (2, 3), (3, 2), (6, 1), (1, 1)}),
    ],
)
def test_every_way_to_deal_out_the_threads_is_tried_once(cpus: int, expected: set[tuple[int, int]]) -> None:
    assert set(plan.splits(cpus)) == expected and len(plan.splits(cpus)) == len(expected)


def test_only_variants_whose_engine_is_here_are_tried(plain: Bundle) -> None:
    bundle = with_variants(plain, "onnxruntime-fp32", "tensorrt-int8", "openvino-int8")
    tried = plan.candidates(bundle, {"onnxruntime", "openvino"}, cpus=2)
    assert {setup.variant for setup in tried} == {"onnxruntime-fp32", "openvino-int8"} and len(tried) == 6


def test_without_any_engine_it_says_which_is_missing(plain: Bundle) -> None:
    with pytest.raises(BundleError, match="openvino, tensorrt"):
        plan.candidates(with_variants(plain, "tensorrt-int8", "openvino-int8"), {"onnxruntime"}, cpus=2)


def test_the_reference_is_the_first_float_variant_that_runs_here(plain: Bundle) -> None:
    bundle = with_variants(plain, "tensorrt-fp32", "onnxruntime-int8", "openvino-fp32")
    assert plan.reference(bundle, {"onnxruntime", "openvino"}).name == "openvino-fp32"
    assert plan.reference(bundle, {"onnxruntime"}).name == "onnxruntime-int8"


def default(bundle: Bundle, *, machine: str = "x86_64", ram: int = PLENTY) -> Setup:
    return plan.untuned(bundle, bundle.manifest.variants, cpus=4, machine=machine, ram_bytes=ram)


def test_untuned_is_the_first_variant_with_a_stream_for_each_thread(plain: Bundle) -> None:
    bundle = with_variants(plain, "onnxruntime-int8", "onnxruntime-int8-arm64")
    assert default(bundle) == Setup("onnxruntime-int8", "onnxruntime", 1, 4)


def test_untuned_on_arm_is_the_variant_made_for_arm(plain: Bundle) -> None:
    bundle = with_variants(plain, "onnxruntime-int8", "openvino-int8", "onnxruntime-int8-arm64")
    assert default(bundle, machine="aarch64").variant == "onnxruntime-int8-arm64"
    first_is_float = with_variants(plain, "onnxruntime-fp32", "onnxruntime-int8-arm64")
    assert default(first_is_float, machine="aarch64").variant == "onnxruntime-fp32"


@pytest.mark.parametrize(
    ("size", "side", "ram", "streams"),
    [
        (65_000_000, 512, 4_000_000_000, 1),
        (1000, 1280, 4_000_000_000, 1),
        (1000, 1280, 0, 1),
        (65_000_000, 1280, PLENTY, 4),
        (64_000_000, 640, 4_000_000_000, 4),
    ],
)
def test_a_large_model_gets_one_stream_where_memory_is_short(
    plain: Bundle, size: int, side: int, ram: int, streams: int
) -> None:
    got = default(with_variants(plain, "onnxruntime-fp32", size=size, side=side), ram=ram)
    assert (got.threads, got.streams) == (4 // streams, streams)


def test_a_name_means_a_variant_or_an_engine(plain: Bundle) -> None:
    bundle = with_variants(plain, "onnxruntime-fp32", "openvino-fp16", "openvino-int8")
    both = frozenset({"onnxruntime", "openvino"})
    assert [each.name for each in plan.named(bundle, "openvino", both)] == ["openvino-fp16", "openvino-int8"]
    assert [each.name for each in plan.named(bundle, "openvino-int8", both)] == ["openvino-int8"]


def test_a_wrong_name_is_told_what_there_is(plain: Bundle) -> None:
    bundle = with_variants(plain, "onnxruntime-fp32", "tensorrt-int8")
    with pytest.raises(BundleError, match=r"no variant or engine 'coral'.*tensorrt-int8 \(tensorrt\)"):
        plan.named(bundle, "coral", {"onnxruntime"})
    with pytest.raises(BundleError, match="not usable here"):
        plan.named(bundle, "tensorrt", {"onnxruntime"})
