"""What stands beside the weights of a classifier: a `config.json` as timm and the Hugging Face hub write it, or keys of
the checkpoint itself."""

from __future__ import annotations

import json
from typing import Any

from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint

CONFIG = "config.json"
MAX_BYTES = 4 * 1024 * 1024


def is_timm(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint says that it is a classifier of timm's: an `architecture`, or timm's own training
    checkpoint. Never raises."""
    content = checkpoint.content if isinstance(checkpoint.content, dict) else {}
    if "architecture" in content or ("arch" in content and "args" in content and "version" in content):
        return True
    try:
        config = read(checkpoint)
    except CheckpointError:
        return False
    return "architecture" in config and config.get("num_classes") != 0


def read(checkpoint: Checkpoint) -> dict[str, Any]:
    """The `config.json` beside the checkpoint; empty where there is none.

    Raises:
        CheckpointError: it cannot be read, or is no JSON object.
    """
    file = checkpoint.path.parent / CONFIG
    if not file.is_file():
        return {}
    try:
        with file.open("rb") as stream:
            content = json.loads(stream.read(MAX_BYTES))
    except (OSError, ValueError) as error:
        raise CheckpointError(file, f"cannot be read: {error}", hint="get it again, or take it away") from error
    if not isinstance(content, dict):
        raise CheckpointError(file, "is no JSON object", hint="get it again, or take it away")
    return content


def class_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names of the classes in order, from the checkpoint's `classes`, `class_names` or `class_to_idx`, or from the
    config's `label_names`; empty where none says them."""
    content = checkpoint.content if isinstance(checkpoint.content, dict) else {}
    for names in (content.get("classes"), content.get("class_names"), read(checkpoint).get("label_names")):
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    places = content.get("class_to_idx")
    if isinstance(places, dict) and sorted(places.values()) == list(range(len(places))):
        return tuple(sorted(places, key=lambda name: int(places[name])))
    return ()
