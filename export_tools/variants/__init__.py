"""The variants that a bundle may hold: one file for each engine, one line here for each variant.

In the order in which a bundle lists them; a device takes the first that one of its engines runs.
"""

from __future__ import annotations

from export_tools.variants import onnxruntime_variants, openvino_variants, tensorrt_variants
from export_tools.variants.protocol import Variant

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        onnxruntime_variants.FP32,
        onnxruntime_variants.INT8,
        onnxruntime_variants.INT8_ARM64,
        openvino_variants.FP16,
        openvino_variants.INT8,
        tensorrt_variants.FP16,
        tensorrt_variants.INT8,
    )
}
