"""Runs inside sparrow-engine's own environment, never in ours: reads photos with it.

SPARROW_ENGINE_MODEL_DIR=MODELS python with_sparrow.py MODEL PHOTOS RESULTS.json THRESHOLD
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import sparrow_engine


def main() -> None:
    model, photos, results, threshold = sys.argv[1:]
    files = sorted(Path(photos).iterdir())
    answers = sparrow_engine.detect(files, model=model, threshold=float(threshold), max_detections=300)
    if len(answers) != len(files):
        sys.exit(f"{len(files)} photos, but {len(answers)} answers: it does not say which it dropped")
    found = []
    for file, answer in zip(files, answers, strict=True):
        detections = [
            {
                "class": one.label_id,
                "conf": one.confidence,
                "xyxy": [one.bbox.x_min, one.bbox.y_min, one.bbox.x_max, one.bbox.y_max],
            }
            for one in answer.detections
        ]
        found.append({"file": file.name, "detections": detections})
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
