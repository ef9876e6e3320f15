"""The long card of the memory benchmark: each file a photo of its own, with the same pixels."""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from benchmarks.bars.memory import _another
from edge_runtime.intake import completeness, identity
from tests.colour_detector import photo

TRAILER = b"\x00" * 8 + b"phtv"


@pytest.mark.parametrize("taken", [datetime(2020, 2, 3, 4, 5, 6), None], ids=["with a time", "without"])
def test_copies_are_whole_photos_of_their_own_with_the_same_pixels(taken: datetime | None) -> None:
    original = photo({(1, 1): "animal"}, taken=taken)
    offset = len(original)
    # What some cameras append: it names its own place in the file.
    original += TRAILER + offset.to_bytes(4, "little") + b"\x08\0\0\0"
    copies = [_another(original, number) for number in range(3)]
    hashes = set()
    for copy in copies:
        whole = completeness.check(copy)
        assert whole.certain
        hashes.add(identity.picture_hash(copy, whole.end))
        with Image.open(io.BytesIO(copy)) as one, Image.open(io.BytesIO(original)) as other:
            assert np.array_equal(np.asarray(one), np.asarray(other))
    assert len(hashes) == len(copies)
