"""The folder for AddaxAI: driven as its worker drives it, where nothing of this project can be imported."""

from __future__ import annotations

import csv
import json
import site
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import CropRule, Input, Interpolation, Output, Preprocess, Resize
from edge_runtime.errors import BundleError
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.crops import cut
from edge_runtime.models.heads import SCORE_HEADS
from edge_runtime.models.loading import DEFAULT_CLASSIFIER
from edge_runtime.values import Box, Detection, Frame
from export_tools import bundle_writer, cli
from export_tools.addaxai import adapter
from export_tools.addaxai.adapter import Entry

LABELS = """\
index,label,kind,class,order,family,genus,species
0,leopard,animal,Mammalia,Carnivora,Felidae,Panthera,Panthera pardus
1,empty,other,,,,,
2,mongoose,animal,Mammalia,Carnivora,Herpestidae,,
3,leopard,animal,Mammalia,Carnivora,Felidae,Panthera,Panthera pardus
4,people,person,,,,,
5,Löffelhund,animal,Mammalia,Carnivora,Canidae,Otocyon,Otocyon megalotis
"""
BOXES = (
    (0.1, 0.2, 0.5, 0.3),
    (0.0, 0.0, 1.0, 1.0),
    (0.7, 0.55, 0.3, 0.45),
    (0.41, 0.43, 0.03, 0.011),
    (0.9, 0.0, 0.1, 0.9),
)
"""x, y, width, height, as MegaDetector's results have them."""

# What AddaxAI's worker does with a model's folder: load the file by its path, check the methods, ask in this order.
WORKER = """
import importlib.util, json, sys
sys.modules["cv2"] = None
sys.path.append(sys.argv[1])
from pathlib import Path
from PIL import Image
folder, jobs = Path(sys.argv[2]), json.loads(sys.stdin.read())
try:
    import edge_runtime
except ImportError:
    pass
else:
    sys.exit("this interpreter must not know the project")
spec = importlib.util.spec_from_file_location("custom_inference", folder / "inference.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
entry = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
model = module.ModelInference(folder, folder / entry["model_fname"])
assert model.check_gpu() is False
model.load_model()
names = model.get_class_names()
answers, sizes = [], []
for path, box in jobs:
    crop = model.get_crop(Image.open(path).convert("RGB"), tuple(box))
    sizes.append(crop.size)
    answers.append(model.get_classification(crop))
print(json.dumps({"names": names, "answers": answers, "sizes": sizes}))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Real photographs, without loss."""
    folder = tmp_path_factory.mktemp("photos")
    files = []
    for name in ("chelsea", "astronaut", "coffee"):
        files.append(folder / f"{name}.png")
        Image.fromarray(getattr(data, name)()[..., :3]).save(files[-1])
    return files


def ask(folder: Path, jobs: list[tuple[Path, tuple[float, ...]]]) -> dict[str, Any]:
    """What the folder's model answers in a fresh interpreter without this project and without OpenCV."""
    given = json.dumps([[str(path), box] for path, box in jobs])
    (packages,) = site.getsitepackages()
    # -S: the project is installed in place, by a .pth file, which is not read without the site module.
    command = [sys.executable, "-I", "-S", "-c", WORKER, packages, str(folder)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(
    bundle: Bundle, jobs: list[tuple[Path, tuple[float, ...]]]
) -> tuple[list[NDArray[Any]], list[tuple[int, int]]]:
    """The device's answers and the sizes of its crops."""
    classifier = Classifier(bundle, threads=1)
    answers, sizes = [], []
    for path, (x, y, width, height) in jobs:
        frame = Frame(np.asarray(Image.open(path).convert("RGB")))
        crop = cut(frame, Detection("animal", 1.0, Box(x, y, x + width, y + height)), bundle.manifest.crop)
        answers.append(classifier.probabilities(crop))
        sizes.append((crop.pixels.shape[1], crop.pixels.shape[0]))
    return answers, sizes


def compare(bundle: Bundle, folder: Path, photos: list[Path]) -> NDArray[np.float64]:
    """Both answers to all crops must be the same; returns them, [crops, labels + 1]."""
    jobs = list(product(photos, BOXES))
    theirs = ask(folder, jobs)
    wanted, sizes = ours(bundle, jobs)
    assert [tuple(size) for size in theirs["sizes"]] == sizes
    names = [*Classifier(bundle, threads=1).taxonomy.labels, adapter.NO_ANIMAL]
    assert theirs["names"] == {str(place): name for place, name in enumerate(names, start=1)}
    for answer in theirs["answers"]:
        assert [name for name, _ in answer] == names
    found = np.array([[confidence for _, confidence in answer] for answer in theirs["answers"]])
    # Sigmoids of one name may sum to more than 1; what leaves the device is cut too.
    assert np.abs(found - np.minimum(wanted, 1)).max() < 1e-5
    assert np.ptp(found, axis=0).max() > 0.2, "the answers do not depend on the picture"
    return found


def bundle_of(
    folder: Path,
    *,
    head: str = "softmax",
    layout: str = "nchw",
    colour: str = "rgb",
    crop: CropRule | None = None,
    labels: str = LABELS,
    **preprocess: Any,
) -> Bundle:
    """A small network of six classes over a picture of 48 x 40 pixels."""
    graph, table = folder.parent / f"{folder.name}.onnx", folder.parent / f"{folder.name}.csv"
    onnx.save(_network(nhwc=layout == "nhwc"), str(graph))
    table.write_text(labels, encoding="utf-8")
    description = bundle_writer.Description(
        name="small",
        version="1",
        task="classifier",
        description="Six classes.",
        licence="Apache-2.0",
        source="tests (https://example.org/small), made here",
        input=Input(tensor="image", width=48, height=40, layout=layout, colour=colour),  # type: ignore[arg-type]
        preprocess=Preprocess(**({"resize": "stretch"} | preprocess)),
        thresholds=bundle_writer.Thresholds(),
        output=Output(head=head, tensors=("logits",)),
        crop=crop or CropRule(),
    )
    return bundle_writer.write(
        folder, description, [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")], labels=table
    )


def _network(*, nhwc: bool) -> onnx.ModelProto:
    """Each class looks at its own part of the picture and at its own colours, so that a shift by a pixel is seen."""
    rng = np.random.default_rng(5)
    tensors = {
        "kernel": rng.normal(0, 0.5, (4, 3, 5, 5)).astype(np.float32),
        "weights": rng.normal(0, 0.12, (4 * 10 * 12, 6)).astype(np.float32),
    }
    image = [1, 40, 48, 3] if nhwc else [1, 3, 40, 48]
    turn = [helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2])] if nhwc else []
    nodes = [
        *turn,
        helper.make_node("Conv", ["planes" if nhwc else "image", "kernel"], ["c"], strides=[4, 4], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 6])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def test_the_packaged_classifier_answers_as_on_the_device(photos: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "LITE0"
    assert cli.main(["addaxai", str(DEFAULT_CLASSIFIER), "-o", str(folder)]) == 0
    found = compare(bundles.load(DEFAULT_CLASSIFIER, task="classifier"), folder, photos)
    names = json.loads((folder / "inference.json").read_text(encoding="utf-8"))["names"]
    assert names[int(found[1].argmax())] == "domestic cat", "the whole of the cat's photograph is a cat"
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "rule",
    [
        {"resize": "stretch", "crop": CropRule(shape="square", margin=0.2)},
        {"resize": "stretch", "crop": CropRule(shape="square", beyond="black")},
        {"resize": "letterbox", "mean": (0.4, 0.5, 0.3), "std": (0.2, 0.3, 0.25), "crop": CropRule(margin=0.1)},
        {
            "resize": "letterbox",
            "rounding": "nearest",
            "spare_row": "above",
            "pad": 0,
            "interpolation": "pillow-bicubic",
        },
        {"resize": "letterbox-corner", "interpolation": "pillow-bilinear", "colour": "bgr", "mean": (0.9, 0.5, 0.1)},
        {"resize": "centre-crop", "short_side": 60, "interpolation": "pillow-lanczos", "layout": "nhwc"},
        {"resize": "centre-crop", "layout": "nhwc", "colour": "bgr", "scale": 1 / 300},
        {"resize": "stretch", "head": "sigmoid"},
    ],
    ids=str,
)
def test_every_way_to_prepare_a_crop_is_the_devices(rule: dict[str, Any], photos: list[Path], tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", **rule)
    adapter.write(bundle, tmp_path / "folder", Entry())
    found = compare(bundle, tmp_path / "folder", photos)
    if "head" in rule:
        assert found.max(axis=1).mean() > 0.5 and np.abs(found.sum(axis=1) - 1).max() > 0.1, "no sigmoid"


@pytest.mark.slow
def test_an_active_learning_folder_answers_as_on_the_device(photos: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from tests.export_tools.loaders import random_networks
    from tests.export_tools.loaders.test_active_learning import CLASSES, Project, shown

    project = Project(tmp_path / "al", CLASSES)
    model = project.load(training_images=project.training)
    graph, table = tmp_path / "graph.onnx", tmp_path / "labels.csv"
    random_networks.export(model, graph, shown(model, project.pieces[:1]))
    rows = [f"{place},{label.name},{label.kind}\n" for place, label in enumerate(model.labels)]
    table.write_text("index,label,kind\n" + "".join(rows))
    made = bundle_writer.write(
        tmp_path / "bundle",
        model.description,
        [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")],
        labels=table,
    )
    adapter.write(made, tmp_path / "folder", Entry())
    compare(made, tmp_path / "folder", photos)


def test_no_word_of_the_manifest_is_overlooked() -> None:
    """What a bundle may say of a crop and its preparation, all of it: a new word needs a way here, or a refusal."""
    from export_tools.addaxai import inference

    text = Path(inference.__file__).read_text(encoding="utf-8")
    for part in (Input, Preprocess, CropRule):
        for name in part.__struct_fields__:
            assert f'["{name}"]' in text, name
    for choice in (Resize, Interpolation):
        for word in get_args(choice):
            assert f'"{word}"' in text or word in ("letterbox", "linear", "cubic", "area"), word
    assert set(get_args(Interpolation)) - {"cubic", "area"} == set(adapter.INTERPOLATIONS)
    assert set(SCORE_HEADS) == set(inference._HEADS)


@pytest.mark.parametrize("size", [(96, 80), (100, 79), (13, 5), (48, 40), (1, 1), (601, 402), (20, 200)], ids=str)
def test_the_resizing_is_opencvs_to_the_last_bit(size: tuple[int, int]) -> None:
    import cv2

    from export_tools.addaxai import inference

    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    assert np.array_equal(inference._linear(pixels, 48, 40), cv2.resize(pixels, (48, 40)))


def test_a_photo_that_lies_on_its_side_is_cropped_as_a_person_sees_it(photos: list[Path], tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle")
    adapter.write(bundle, tmp_path / "folder", Entry())
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = tmp_path / "lying.png"
    Image.open(photos[0]).transpose(Image.Transpose.ROTATE_90).save(lying, exif=exif)
    found = ask(tmp_path / "folder", [(lying, BOXES[0]), (photos[0], BOXES[0])])
    assert found["sizes"][0] == found["sizes"][1] and found["answers"][0] == found["answers"][1]


def test_the_table_and_the_entry_have_what_addaxai_reads(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle")
    folder = tmp_path / "folder"
    made = adapter.write(bundle, folder, Entry(developer="Reserve", no_animal="false detection"))
    with (folder / "taxonomy.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["model_class", "class", "order", "family", "genus", "species"],
        ["leopard", "mammalia", "carnivora", "felidae", "panthera", "pardus"],
        ["mongoose", "mammalia", "carnivora", "herpestidae", "", ""],
        ["Löffelhund", "mammalia", "carnivora", "canidae", "otocyon", "megalotis"],
        ["false detection", "", "", "", "", ""],
    ]
    entry = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    needed = (
        "model_id",
        "friendly_name",
        "env",
        "model_fname",
        "description",
        "developer",
        "info_url",
        "min_app_version",
    )
    assert all(isinstance(entry[key], str) and entry[key] for key in needed), entry
    assert entry["model_id"] == made.model_id == "small-v1" and entry["info_url"] == "https://example.org/small"
    assert (folder / entry["model_fname"]).is_file() and entry["developer"] == "Reserve"


def test_where_all_classes_are_animals_there_is_no_class_for_the_rest(tmp_path: Path) -> None:
    labels = "index,label,kind\n" + "".join(f"{place},animal {place},animal\n" for place in range(6))
    made = adapter.write(bundle_of(tmp_path / "bundle", labels=labels), tmp_path / "folder", Entry())
    assert made.classes == tuple(f"animal {place}" for place in range(6))


@pytest.mark.parametrize(
    ("rule", "problem"), [({"interpolation": "area"}, "'area'"), ({"interpolation": "cubic"}, "'cubic'")]
)
def test_what_the_adapter_cannot_do_is_refused_and_nothing_is_written(
    rule: dict[str, Any], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle_of(tmp_path / "bundle", **rule)
    assert cli.main(["addaxai", str(tmp_path / "bundle"), "-o", str(tmp_path / "folder")]) == 2
    said = capsys.readouterr().err
    assert problem in said and "pillow-bilinear" in said
    assert not (tmp_path / "folder").exists()


def test_an_unknown_head_a_missing_variant_and_names_that_collide_are_clear_errors(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"no variant 'int8'.*fp32"):
        adapter.write(bundle, tmp_path / "folder", Entry(), variant="int8")
    with pytest.raises(BundleError, match="'leopard' and 'Leopard' apart"):
        adapter.write(bundle, tmp_path / "folder", Entry(no_animal="Leopard"))
    other = bundle_of(tmp_path / "other", head="votes")
    with pytest.raises(BundleError, match="unknown head 'votes'"):
        adapter.write(other, tmp_path / "folder", Entry())
    assert not (tmp_path / "folder").exists()


def test_only_a_folder_of_its_own_making_is_replaced(tmp_path: Path) -> None:
    bundle, folder = bundle_of(tmp_path / "bundle"), tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    for allowed in (False, True):
        with pytest.raises(BundleError):
            adapter.write(bundle, folder, Entry(), replace=allowed)
    assert (folder / "thesis.txt").is_file()
    (folder / "thesis.txt").rename(tmp_path / "thesis.txt")
    folder.rmdir()
    adapter.write(bundle, folder, Entry(model_id="ONE"))
    adapter.write(bundle, folder, replace(Entry(), model_id="TWO"), replace=True)
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["model_id"] == "TWO"


def test_without_onnxruntime_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export_tools.addaxai.inference import ModelInference

    folder = adapter.write(bundle_of(tmp_path / "bundle"), tmp_path / "folder", Entry()).folder
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeError, match="-m pip install onnxruntime"):
        ModelInference(folder, folder / "fp32.onnx").load_model()
