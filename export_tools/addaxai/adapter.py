"""The folder that AddaxAI takes as a classification model.

    manifest.json    the model's entry in AddaxAI's catalogue
    inference.py     what its worker loads: `ModelInference`
    inference.json   how a crop is cut and prepared, and the names of the classes
    taxonomy.csv     model_class,class,order,family,genus,species; small letters, of a species the epithet alone
    <variant>.onnx   the graph

AddaxAI finds it as `models/cls/<model_id>`. Facts: its DEVELOPERS.md, its worker and its schema of the catalogue, as of
August 2026 (https://github.com/PetervanLunteren/AddaxAI).
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.bundles.tables import RANKS
from edge_runtime.errors import BundleError
from edge_runtime.models.heads import SCORE_HEADS
from edge_runtime.models.taxonomy import Taxonomy

ENGINE = "onnxruntime"
NO_ANIMAL = "no animal"
"""Not one of the names by which AddaxAI throws a box away ("blank", "false detection"): the detector saw something."""
INTERPOLATIONS = ("linear", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos")
"""What `inference.py` can do without OpenCV."""
_RULES = "inference.json"
_SCRIPT = Path(__file__).with_name("inference.py")
_TEXTS = ("NOTICE", "LICENSE", "MODEL_CARD.md")


@dataclass(frozen=True)
class Entry:
    """What the catalogue wants to know and a bundle does not say."""

    model_id: str = ""
    """Empty: the bundle's name and version."""
    friendly_name: str = ""
    """Empty: the same."""
    developer: str = "unknown"
    info_url: str = ""
    """Empty: the first address in the bundle's `source`."""
    env: str = "pytorch"
    """AddaxAI's environment in which the model runs; onnxruntime must be installed into it."""
    min_app_version: str = "7.0.1"
    no_animal: str = NO_ANIMAL
    """Name of the class that stands for everything that is no animal."""


@dataclass(frozen=True)
class Adapter:
    """What was written."""

    folder: Path
    model_id: str
    variant: Variant
    classes: tuple[str, ...]


def write(bundle: Bundle, folder: Path, entry: Entry, *, variant: str = "", replace: bool = False) -> Adapter:
    """Write the classifier `bundle` as a folder for AddaxAI.

    Whatever goes wrong, `folder` is afterwards what it was before, or complete.

    Args:
        variant: name of one for ONNX Runtime; empty for the bundle's first.
        replace: whether an existing folder may be overwritten.

    Raises:
        BundleError: the folder is in use or cannot be written, or the bundle says what `inference.py` cannot do.
    """
    chosen = (bundle.only(variant) if variant else bundle).variant(frozenset({ENGINE}))
    _check(bundle)
    taxonomy = Taxonomy(bundle.labels)
    names, columns = _classes(bundle, taxonomy, entry.no_animal)
    model_id = entry.model_id or re.sub(r"[^A-Za-z0-9.-]+", "-", f"{bundle.manifest.name}-v{bundle.manifest.version}")
    texts = {
        _RULES: _json(_rules(bundle, chosen, names, columns)),
        "taxonomy.csv": _taxonomy(taxonomy, names),
        "manifest.json": _json(_entry(bundle, chosen, entry, model_id, names)),
    }
    if folder.exists() and not replace:
        raise BundleError(folder, "exists already", hint="choose another folder or say --replace")
    if folder.exists() and not (folder / _RULES).is_file():
        raise BundleError(
            folder, "is not of this command's making, so it is not replaced", hint="choose another folder"
        )
    work = folder.with_name(folder.name + ".partial")
    try:
        if work.exists():
            shutil.rmtree(work)
        work.mkdir(parents=True)
        shutil.copyfile(_SCRIPT, work / _SCRIPT.name)
        beside = [entry for entry in bundle.manifest.files if entry.file in _TEXTS]
        for listed in (chosen, *chosen.files, *beside):
            shutil.copyfile(bundle.path(listed), work / PurePosixPath(listed.file).name)
        for name, text in texts.items():
            (work / name).write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    except OSError as error:
        raise BundleError(folder, f"cannot be written ({error.strerror or error})", hint="is the disk full?") from error
    finally:
        if work.exists():
            shutil.rmtree(work, ignore_errors=True)
    return Adapter(folder, model_id, chosen, names)


def _check(bundle: Bundle) -> None:
    manifest = bundle.manifest
    if manifest.output.head not in SCORE_HEADS:
        raise BundleError(bundle.folder, f"unknown head '{manifest.output.head}'", hint=", ".join(SCORE_HEADS))
    if manifest.preprocess.interpolation not in INTERPOLATIONS:
        raise BundleError(
            bundle.folder,
            f"resizes by '{manifest.preprocess.interpolation}', which needs OpenCV; AddaxAI's adapter does without",
            hint=f"it knows {', '.join(INTERPOLATIONS)}",
        )


def _classes(bundle: Bundle, taxonomy: Taxonomy, no_animal: str) -> tuple[tuple[str, ...], list[int]]:
    """The names, and for each output class the place of its name; as `Taxonomy.summed` does it."""
    place = {name: index for index, name in enumerate(taxonomy.labels)}
    columns = [place[label.name] if label.kind == "animal" else len(place) for label in bundle.labels]
    names = (*taxonomy.labels, no_animal) if len(place) in columns else taxonomy.labels
    seen: dict[str, str] = {}
    for name in names:
        # AddaxAI finds a name's taxonomy whatever its letters are.
        key = name.strip().lower()
        if not key or key in seen:
            raise BundleError(
                bundle.folder,
                f"AddaxAI cannot tell the classes '{seen.get(key, '')}' and '{name}' apart",
                hint="rename one in labels.csv, or say --no-animal NAME",
            )
        seen[key] = name
    return names, columns


def _rules(bundle: Bundle, variant: Variant, names: Sequence[str], columns: Sequence[int]) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "bundle": bundle.title,
        "precision": variant.precision,
        "input": _plain(manifest.input),
        "preprocess": _plain(manifest.preprocess),
        "crop": _plain(manifest.crop),
        "head": manifest.output.head,
        "outputs": list(manifest.output.tensors),
        "names": list(names),
        "columns": list(columns),
    }


def _plain(part: msgspec.Struct) -> dict[str, Any]:
    """Every field, the defaults too: `inference.py` knows none."""
    return {name: msgspec.to_builtins(getattr(part, name)) for name in part.__struct_fields__}


def _entry(bundle: Bundle, variant: Variant, entry: Entry, model_id: str, names: Sequence[str]) -> dict[str, Any]:
    manifest = bundle.manifest
    address = re.search(r"https?://[^\s();,]+", manifest.source)
    return {
        "model_id": model_id,
        "friendly_name": entry.friendly_name or f"{manifest.name} {manifest.version}",
        "env": entry.env,
        "model_fname": PurePosixPath(variant.file).name,
        "description": manifest.description,
        "description_short": f"{len(names)} classes, {variant.precision.upper()}, ONNX Runtime on the CPU",
        "developer": entry.developer,
        "license": manifest.licence,
        "info_url": entry.info_url or (address[0] if address else ""),
        "min_app_version": entry.min_app_version,
    }


def _taxonomy(taxonomy: Taxonomy, names: Sequence[str]) -> str:
    stream = io.StringIO(newline="")
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["model_class", *RANKS])
    for name in names:
        lineage = [taxon.lower() for taxon in taxonomy.lineages.get(name, ())]
        if len(lineage) == len(RANKS):
            lineage[-1] = lineage[-1].removeprefix(lineage[-2]).strip()
        table.writerow([name, *lineage, *[""] * (len(RANKS) - len(lineage))])
    return stream.getvalue()


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=True) + "\n"
