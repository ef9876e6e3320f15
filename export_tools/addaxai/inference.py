"""A classifier of camtrap-edge as AddaxAI's worker runs it.

This file lies in a model's folder, beside the graph and `inference.json`, which says how a crop is cut and prepared and
what the classes are called. It answers as camtrap-edge itself does. It needs numpy, Pillow and onnxruntime and nothing
else, and runs on the CPU, on Python 3.8 and later.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

_ORIENTATION = 0x0112
_PILLOW = {"pillow-bilinear": Image.BILINEAR, "pillow-bicubic": Image.BICUBIC, "pillow-lanczos": Image.LANCZOS}
_STEPS = 2048
"""OpenCV resizes 8-bit pictures with weights in whole 2048ths."""


class ModelInference:
    """What AddaxAI asks for.

    Args:
        model_dir: this file's folder.
        model_path: the graph.
    """

    def __init__(self, model_dir, model_path):
        self._rules = json.loads((Path(model_dir) / "inference.json").read_text(encoding="utf-8"))
        self._graph = Path(model_path)
        self._session = None

    def check_gpu(self):
        """Always False: the CPU gives the answers that were measured."""
        return False

    def load_model(self):
        """Open the graph.

        Raises:
            RuntimeError: onnxruntime is missing; says how to install it.
        """
        try:
            import onnxruntime
        except ImportError as error:
            command = f'"{sys.executable}" -m pip install onnxruntime'
            raise RuntimeError(f"onnxruntime is missing in this environment; install it: {command}") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if self._rules["precision"] == "int8":
            # Without it sums of 8-bit products saturate on x86 processors that lack VNNI, and go badly wrong.
            options.add_session_config_entry("session.x64quantprecision", "1")
        # The optimizer that is left out would round weights that the graph keeps in float.
        self._session = onnxruntime.InferenceSession(
            str(self._graph),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["WeightBiasQuantization"],
        )

    def get_crop(self, image, bbox):
        """The part of `image` (PIL) that the box shows, RGB.

        Args:
            bbox: x, y, width, height in fractions of the upright photo, as MegaDetector gives them.
        """
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        x, y, width, height = bbox
        left, right, top, bottom = (
            x * image.width,
            (x + width) * image.width,
            y * image.height,
            (y + height) * image.height,
        )
        rule = self._rules["crop"]
        margin = rule["margin"] * max(right - left, bottom - top)
        across, down = right - left + 2 * margin, bottom - top + 2 * margin
        if rule["shape"] == "square" and rule["beyond"] == "black":
            columns, rows = (left - margin, right + margin), (top - margin, bottom + margin)
            side = max(1, _whole(columns)[1], _whole(rows)[1])
            column, width, before = _black_span(columns, side, image.width)
            row, height, above = _black_span(rows, side, image.height)
            square = Image.new("RGB", (side, side))
            square.paste(image.crop((column, row, column + width, row + height)).convert("RGB"), (before, above))
            return square
        if rule["shape"] == "square":
            across = down = max(across, down)
        first_column, past_column = _span((left + right) / 2, across, image.width)
        first_row, past_row = _span((top + bottom) / 2, down, image.height)
        return image.crop((first_column, first_row, past_column, past_row)).convert("RGB")

    def get_classification(self, crop):
        """`[[name, probability], ...]` of every class, in the order of `get_class_names`.

        Raises:
            RuntimeError: the model is not loaded, or its output is no probabilities.
        """
        if self._session is None:
            raise RuntimeError("load_model() comes before get_classification()")
        tensor = _prepared(np.asarray(crop.convert("RGB")), self._rules["input"], self._rules["preprocess"])
        (logits,) = self._session.run(self._rules["outputs"], {self._rules["input"]["tensor"]: tensor})
        columns = self._rules["columns"]
        if logits.shape != (1, len(columns)):
            raise RuntimeError(f"the graph gave {logits.shape} for {len(columns)} classes")
        scores = _HEADS[self._rules["head"]](logits[0].astype(np.float32))
        if not np.isfinite(scores).all():
            raise RuntimeError("the output holds NaN or infinite values")
        names = self._rules["names"]
        # Classes of one name count together.
        sums = np.bincount(columns, weights=scores, minlength=len(names))
        return [[name, min(float(sums[place]), 1.0)] for place, name in enumerate(names)]

    def get_class_names(self):
        """`{"1": name, ...}`."""
        return {str(number): name for number, name in enumerate(self._rules["names"], start=1)}


def _softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _sigmoid(logits):
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


_HEADS = {"softmax": _softmax, "sigmoid": _sigmoid}


def _span(middle, length, limit):
    """First pixel and one past the last: moved inside where it reaches over the edge, cut where it is too long."""
    length = min(length, limit)
    start = min(max(middle - length / 2, 0.0), limit - length)
    first = min(int(start), limit - 1)
    return first, max(first + 1, min(limit, round(start + length)))


def _whole(span):
    """Start and length, rounded down; whole numbers that a float just misses are whole."""
    return int(span[0] + 1e-6), int(span[1] - span[0] + 1e-6)


def _black_span(span, side, limit):
    """Of a square with this side around the span, black beyond the photo: its first pixel, how many it has, and how
    much black stands before them."""
    start, length = _whole(span)
    first = min(max(0, start - (side - length) // 2), limit - 1)
    return first, min(limit, first + side) - first, round(max(0, side - limit) / 2)


def _prepared(pixels, spec, rule):
    """The input tensor, float32 [1, 3, H, W] or [1, H, W, 3], of a crop, uint8 [h, w, 3]."""
    width, height = _resized_to(pixels.shape[1], pixels.shape[0], spec, rule)
    left, top = _corner(width, height, spec, rule)
    resized = _resized(pixels, width, height, rule["interpolation"])
    shown = resized[max(0, -top) :, max(0, -left) :][: spec["height"], : spec["width"]]
    left, top = max(0, left), max(0, top)
    order = [2, 1, 0] if spec["colour"] == "bgr" else [0, 1, 2]
    mean, std = np.array(rule["mean"])[order], np.array(rule["std"])[order]
    factor, shift = (rule["scale"] / std).astype(np.float32), (-mean / std).astype(np.float32)
    tensor = np.empty((spec["height"], spec["width"], 3), np.float32)
    tensor[:] = np.float32(rule["pad"]) * factor + shift
    inside = shown[:, :, order].astype(np.float32) * factor + shift
    tensor[top : top + shown.shape[0], left : left + shown.shape[1]] = inside
    if spec["layout"] == "nchw":
        tensor = tensor.transpose(2, 0, 1)
    return np.ascontiguousarray(tensor[None])


def _resized_to(width, height, spec, rule):
    if rule["resize"] == "stretch":
        return spec["width"], spec["height"]
    if rule["resize"] == "centre-crop":
        short = max(rule["short_side"] or min(spec["width"], spec["height"]), spec["width"], spec["height"])
        ratio = short / min(width, height)
        return max(spec["width"], round(width * ratio)), max(spec["height"], round(height * ratio))
    ratio = min(spec["width"] / width, spec["height"] / height)
    whole = round if rule["rounding"] == "nearest" else int
    return max(1, whole(width * ratio)), max(1, whole(height * ratio))


def _corner(width, height, spec, rule):
    """Where the resized crop begins in the tensor, x and y; negative where it reaches over the edge."""
    if rule["resize"] == "letterbox-corner":
        return 0, 0
    if rule["resize"] == "centre-crop":
        return -((width - spec["width"]) // 2), -((height - spec["height"]) // 2)
    spare_above = rule["resize"] == "letterbox" and rule["spare_row"] == "above"
    return (spec["width"] - width) // 2, (spec["height"] - height + spare_above) // 2


def _resized(pixels, width, height, interpolation):
    if interpolation in _PILLOW:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), _PILLOW[interpolation]))
    return _linear(pixels, width, height)


def _linear(pixels, width, height):
    """As OpenCV's INTER_LINEAR resizes 8-bit pictures, to the last bit."""
    if pixels.shape[:2] == (2 * height, 2 * width):
        quarters = pixels.reshape(height, 2, width, 2, 3).astype(np.int32)
        return ((quarters.sum(axis=(1, 3)) + 2) >> 2).astype(np.uint8)
    columns, across = _taps(pixels.shape[1], width)
    rows, down = _taps(pixels.shape[0], height)
    lines = sum(pixels[:, columns[k]].astype(np.int32) * across[k][:, None] for k in (0, 1))
    both = sum((lines[rows[k]] >> 4) * down[k][:, None, None] >> 16 for k in (0, 1))
    return ((both + 2) >> 2).astype(np.uint8)


def _taps(old, new):
    """The two pixels of a line of `old` from which each of `new` is made, and their weights; each [2][new]."""
    middle = ((np.arange(new) + 0.5) * (1 / (new / old)) - 0.5).astype(np.float32)
    first = np.floor(middle).astype(np.int64)
    rest = (middle - first).astype(np.float32)
    weights = np.stack([1 - rest, rest]) * np.float32(_STEPS)
    return np.clip(np.stack([first, first + 1]), 0, old - 1), np.rint(weights).astype(np.int32)
