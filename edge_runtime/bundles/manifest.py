"""What a bundle's `manifest.yaml` may say: the table of BUNDLE.md as types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Task = Literal["detector", "classifier", "embedder"]
Resize = Literal["stretch", "letterbox", "letterbox-corner", "centre-crop"]
Interpolation = Literal["linear", "cubic", "area", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos"]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]

RGB_ZERO = (0.0, 0.0, 0.0)
RGB_ONE = (1.0, 1.0, 1.0)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of the manifest's parts: an unknown key is an error."""


class Input(Part, frozen=True, kw_only=True):
    tensor: Text
    width: Side
    height: Side
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"


class Preprocess(Part, frozen=True, kw_only=True):
    resize: Resize
    interpolation: Interpolation = "linear"
    pad: Annotated[int, msgspec.Meta(ge=0, le=255)] = 114
    rounding: Literal["floor", "nearest"] = "floor"
    spare_row: Literal["below", "above"] = "below"
    scale: Annotated[float, msgspec.Meta(gt=0)] = 1 / 255
    mean: tuple[float, float, float] = RGB_ZERO
    std: tuple[
        Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)]
    ] = RGB_ONE
    short_side: Side | None = None


class CropRule(Part, frozen=True, kw_only=True):
    shape: Literal["box", "square"] = "box"
    margin: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.0
    beyond: Literal["inside", "black"] = "inside"


class Output(Part, frozen=True, kw_only=True):
    head: Text
    tensors: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


NO_OUTPUT = Output(head="none", tensors=())
"""What stands in for the output of an embedder, which has none but its embedding."""


class EmbeddingOutput(Part, frozen=True, kw_only=True):
    tensor: Text
    dimensions: Annotated[int, msgspec.Meta(ge=2, le=65536)]


class Thresholds(Part, frozen=True, kw_only=True):
    keep: Fraction = 0.05
    confident: Fraction = 0.3
    overlap: Fraction = 0.45
    species: Fraction = 0.5
    rollup: Fraction = 0.65
    review: Fraction = 0.98


class ListedFile(Part, frozen=True, kw_only=True):
    file: Text
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Sha256


class Measure(Part, frozen=True, kw_only=True):
    """One figure of a proof. `low` and `high` are its 95 % interval, None where it has none."""

    name: Text
    value: float
    n: Annotated[int, msgspec.Meta(ge=0)]
    """What it was counted over: boxes, crops or pairs, as the name says."""
    low: float | None = None
    high: float | None = None


class Proof(Part, frozen=True, kw_only=True):
    """What a variant decides otherwise than another one, on photos that it was not calibrated with."""

    against: Text
    """Name of the variant that it was compared with."""
    samples: Annotated[int, msgspec.Meta(ge=0)]
    """Photos or crops."""
    measures: tuple[Measure, ...] = ()
    gate: Literal["passed", "failed", "none"] = "none"
    reasons: tuple[Text, ...] = ()
    """Why the gate failed, or what its verdict does not rest on."""
    speedup: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Latency of `against` over this one's, one thread each, in turn; None where it was not measured."""
    latency_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Median milliseconds of one inference on one thread of `machine`."""
    machine: str = ""
    """The processor's name."""


class KeptFloat(Part, frozen=True, kw_only=True):
    """A node of the graph that was not quantized, and why."""

    node: Text
    reason: Text


class Calibration(Part, frozen=True, kw_only=True):
    """The photos from which the ranges of the quantized variants come."""

    count: Annotated[int, msgspec.Meta(ge=1)]
    seed: int
    """Of their choice out of the folder that was given."""
    sha256: Sha256
    """Over their own SHA-256 (64 hex digits each), sorted, joined by newlines."""


class Variant(ListedFile, frozen=True, kw_only=True):
    """One graph: the same model for one engine at one precision."""

    name: Text
    engine: Text
    precision: Literal["fp32", "fp16", "int8"]
    files: tuple[ListedFile, ...] = ()
    """What the engine finds by itself beside the graph: OpenVINO's weights."""
    checked: tuple[Text, ...] = ()
    """What was seen of it: "parsed and built by TensorRT RTX 1.7"."""
    kept_float: tuple[KeptFloat, ...] = ()
    proof: Proof | None = None


class Manifest(Part, frozen=True, kw_only=True):
    bundle: Literal[1]
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
    version: Text
    task: Task
    description: Text
    licence: Text
    source: Text
    input: Input
    preprocess: Preprocess
    crop: CropRule = CropRule()
    output: Output = NO_OUTPUT
    embedding: EmbeddingOutput | None = None
    labels: str = ""
    taxa: str = ""
    thresholds: Thresholds = Thresholds()
    calibration: Calibration | None = None
    golden: str = ""
    variants: Annotated[tuple[Variant, ...], msgspec.Meta(min_length=1)]
    files: tuple[ListedFile, ...] = ()

    def __post_init__(self) -> None:
        needed = {"embedding": self.embedding} if self.task == "embedder" else self._needs()
        missing = [key for key, value in needed.items() if not value]
        if missing:
            raise ValueError(f"Object missing required field `{missing[0]}`")

    def _needs(self) -> dict[str, object]:
        return {"output": self.output is not NO_OUTPUT, "labels": self.labels}
