"""A bundle on trial: a description and one graph, for the runtime's own models, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge_runtime.bundles.bundle import Bundle, sha256_of
from edge_runtime.bundles.manifest import Manifest, Variant
from edge_runtime.bundles.tables import Label, Taxon
from edge_runtime.errors import BundleError
from export_tools.bundle_writer import Description


def of_description(
    description: Description,
    graph: Path,
    *,
    engine: str,
    precision: str,
    labels: Sequence[Label] = (),
    taxa: Sequence[Taxon] = (),
) -> Bundle:
    """What `description` will be once it is written, with `graph` as its one variant. It has no id.

    Raises:
        BundleError: there is no such graph.
    """
    manifest = Manifest(
        bundle=1,
        labels="labels.csv" if labels else "",
        taxa="taxa.csv" if taxa else "",
        variants=(_variant(graph, engine, precision),),
        **{field: getattr(description, field) for field in Description.__dataclass_fields__},
    )
    return Bundle(graph.parent, "", manifest, tuple(labels), tuple(taxa))


def with_variant(bundle: Bundle, graph: Path, *, engine: str, precision: str) -> Bundle:
    """The same bundle with the file `graph` as its one variant.

    Raises:
        BundleError: there is no such graph.
    """
    manifest = msgspec.structs.replace(bundle.manifest, variants=(_variant(graph, engine, precision),))
    return dataclasses.replace(bundle, manifest=manifest)


def only(bundle: Bundle, variant: Variant) -> Bundle:
    """The same bundle with none of its variants but `variant`."""
    return dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, variants=(variant,)))


def _variant(graph: Path, engine: str, precision: str) -> Variant:
    if not graph.is_file():
        raise BundleError(graph, "no such graph")
    return msgspec.convert(
        {
            "name": f"{engine}-{precision}",
            "engine": engine,
            "precision": precision,
            # Absolute: a path below any folder.
            "file": str(graph.resolve()),
            "bytes": graph.stat().st_size,
            "sha256": sha256_of(graph),
        },
        Variant,
    )
