from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from edge_runtime.bundles import bundle as bundles
from edge_runtime.errors import BundleError, CamtrapEdgeError, ConfigError


@pytest.fixture
def bundle(colour_bundle: Path, tmp_path: Path) -> Path:
    """A copy of a good bundle, to be damaged."""
    return Path(shutil.copytree(colour_bundle, tmp_path / "bundle"))


def change(bundle: Path, edit: Callable[[dict], None]) -> None:
    file = bundle / "manifest.yaml"
    manifest = yaml.safe_load(file.read_text())
    edit(manifest)
    file.write_text(yaml.safe_dump(manifest, sort_keys=False))


def test_a_bundle_is_named_by_the_hash_of_its_manifest(bundle: Path) -> None:
    loaded = bundles.load(bundle, task="detector")
    assert loaded.id == hashlib.sha256((bundle / "manifest.yaml").read_bytes()).hexdigest()
    assert [label.kind for label in loaded.labels] == ["animal", "person", "vehicle"]


def test_one_changed_byte_in_a_graph_is_refused(bundle: Path) -> None:
    graph = bundle / "graphs" / "fp32.onnx"
    raw = bytearray(graph.read_bytes())
    raw[len(raw) // 2] ^= 1
    graph.write_bytes(raw)
    with pytest.raises(BundleError, match="sha256"):
        bundles.load(bundle, task="detector")


def test_a_changed_label_table_is_refused(bundle: Path) -> None:
    table = bundle / "labels.csv"
    table.write_text(table.read_text().replace("0,animal", "0,ANIMAL"))
    with pytest.raises(BundleError, match=r"labels\.csv"):
        bundles.load(bundle, task="detector")


def test_a_cut_graph_is_refused_with_both_sizes(bundle: Path) -> None:
    graph = bundle / "graphs" / "fp32.onnx"
    size = graph.stat().st_size
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{size - 1} bytes, not {size}"):
        bundles.load(bundle, task="detector")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "graphs/../../secret", "graphs//fp32.onnx", "./labels.csv", "a\\b", "a/./b"]
)
def test_a_path_that_could_leave_the_folder_is_refused(bundle: Path, name: str) -> None:
    (bundle.parent / "secret").write_text("x")
    change(bundle, lambda manifest: manifest["variants"][0].update(file=name))
    with pytest.raises(BundleError, match="leaves the bundle"):
        bundles.load(bundle, task="detector")


def test_a_symbolic_link_is_refused_even_with_the_right_content(bundle: Path) -> None:
    graph = bundle / "graphs" / "fp32.onnx"
    graph.rename(bundle.parent / "elsewhere.onnx")
    graph.symlink_to(bundle.parent / "elsewhere.onnx")
    with pytest.raises(BundleError, match="symbolic link"):
        bundles.load(bundle, task="detector")


def test_a_folder_that_is_a_symbolic_link_is_refused(bundle: Path) -> None:
    (bundle / "graphs").rename(bundle.parent / "elsewhere")
    (bundle / "graphs").symlink_to(bundle.parent / "elsewhere")
    with pytest.raises(BundleError, match="symbolic link"):
        bundles.load(bundle, task="detector")


@pytest.mark.parametrize(
    ("edit", "line_has", "says"),
    [
        (lambda m: m.update(surprise=1), "surprise", "unknown key"),
        (lambda m: m["input"].update(widht=3), "widht", "did you mean 'width'"),
        (lambda m: m.update(bundle=2), "bundle", "bundle"),
        (lambda m: m.update(task="oracle"), "task", "task"),
        (lambda m: m["preprocess"].update(resize="fold"), "resize", "preprocess.resize"),
        (lambda m: m["variants"][0].update(sha256="abc"), "sha256", "variants.0.sha256"),
        (lambda m: m["input"].update(width=-4), "width", "input.width"),
        (lambda m: m["thresholds"].update(keep=1.5), "keep", "thresholds.keep"),
        (lambda m: m["thresholds"].update(review=-0.1), "review", "thresholds.review"),
        (lambda m: m.update(crop={"shape": "square", "beyond": "white"}), "beyond", "crop.beyond"),
    ],
)
def test_an_error_in_the_manifest_names_its_line_and_key(
    bundle: Path, edit: Callable[[dict], None], line_has: str, says: str
) -> None:
    change(bundle, edit)
    with pytest.raises(ConfigError) as caught:
        bundles.load(bundle, task="detector")
    assert says in str(caught.value)
    lines = (bundle / "manifest.yaml").read_text().splitlines()
    assert caught.value.line is not None and line_has in lines[caught.value.line - 1]


def test_a_manifest_of_an_older_program_means_what_it_meant(bundle: Path) -> None:
    manifest = bundles.load(bundle, task="detector").manifest
    assert (manifest.thresholds.review, manifest.crop.beyond) == (0.98, "inside")
    assert "review" not in (bundle / "manifest.yaml").read_text(), "what is not said is not written"


@pytest.mark.parametrize("key", ["licence", "source", "labels", "variants", "preprocess", "input", "output", "task"])
def test_a_required_key_may_not_be_missing(bundle: Path, key: str) -> None:
    change(bundle, lambda manifest: manifest.pop(key))
    with pytest.raises(ConfigError, match=key):
        bundles.load(bundle, task="detector")


def test_a_manifest_with_aliases_or_doubled_keys_is_refused(bundle: Path) -> None:
    file = bundle / "manifest.yaml"
    original = file.read_text()
    file.write_text(original + "description: again\n")
    with pytest.raises(ConfigError, match="stands twice"):
        bundles.load(bundle, task="detector")
    file.write_text(original.replace("licence: Apache-2.0", "licence: &x Apache-2.0\nversion: *x", 1))
    with pytest.raises(ConfigError):
        bundles.load(bundle, task="detector")


def test_a_bundle_for_another_task_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="is a detector, not a classifier"):
        bundles.load(bundle, task="classifier")


def test_a_folder_without_a_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="edge-export"):
        bundles.load(tmp_path, task="detector")


def test_a_bundle_for_an_engine_that_is_not_here_names_it(bundle: Path) -> None:
    change(bundle, lambda manifest: manifest["variants"][0].update(engine="abacus"))
    loaded = bundles.load(bundle, task="detector")
    with pytest.raises(BundleError, match="abacus"):
        loaded.variant(frozenset({"onnxruntime"}))


@pytest.mark.parametrize("junk", [b"", b"\x00\xff\xfe", b"[1, 2", b"- a\n- b\n", b"a: !!python/object:os.system {}\n"])
def test_any_bytes_as_a_manifest_give_a_typed_error(bundle: Path, junk: bytes) -> None:
    (bundle / "manifest.yaml").write_bytes(junk)
    with pytest.raises(CamtrapEdgeError):
        bundles.load(bundle, task="detector")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("index,label\n0,cat\n", "kind"),
        ("index,label,kind\n1,cat,animal\n", "expected index 0"),
        ("index,label,kind\n0,cat,mineral\n", "mineral"),
        ("index,label,kind\n0,,animal\n", "label is missing"),
        ("index,label,kind\n", "no rows"),
    ],
)
def test_an_error_in_a_label_table_is_named(tmp_path: Path, table: str, says: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(table)
    with pytest.raises(BundleError, match=says):
        bundles.read_labels(file)
