"""The classifier that the package carries, as a device loads it."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.crops import cut
from edge_runtime.values import Box, Detection, Frame, Pixels, Species
from export_tools.default_models import imagenet_labels

FOLDER = bundles.DEFAULTS / "efficientnet-lite0"
WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return bundles.load(FOLDER, task="classifier")


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, threads=1)


def species_in(classifier: Classifier, pixels: Pixels) -> Species | None:
    crop = cut(Frame(pixels), WHOLE, classifier.bundle.manifest.crop)
    return classifier.classify([crop])[0]


def name_in(classifier: Classifier, pixels: Pixels) -> str:
    species = species_in(classifier, pixels)
    return species.name if species else ""


def infrared(pixels: Pixels) -> Pixels:
    return np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def test_the_packaged_bundle_is_small_and_carries_its_notice_and_card(bundle: Bundle) -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 6_000_000
    assert {"NOTICE", "MODEL_CARD.md", "labels.csv", "taxa.csv"} == {entry.file for entry in bundle.manifest.files}
    assert bundle.manifest.licence == "Apache-2.0"
    assert [variant.precision for variant in bundle.manifest.variants] == ["int8"]


def test_one_changed_byte_of_the_packaged_graph_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(FOLDER, copy)
    graph = copy / bundle.manifest.variants[0].file
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(BundleError, match="sha256"):
        bundles.load(copy, task="classifier")


def test_a_cat_is_a_domestic_cat_by_day_and_in_infrared(classifier: Classifier) -> None:
    cat = np.asarray(data.chelsea())
    assert name_in(classifier, cat) == "domestic cat"
    assert name_in(classifier, infrared(cat)) == "domestic cat"


def test_a_thing_or_a_person_gets_no_species(classifier: Classifier) -> None:
    pictures = [np.asarray(picture())[..., :3] for picture in (data.coffee, data.rocket, data.astronaut)]
    assert [species_in(classifier, picture) for picture in pictures] == [None, None, None]


def test_a_grey_texture_gets_no_species(classifier: Classifier) -> None:
    textures = [np.repeat(np.asarray(picture())[..., None], 3, axis=2) for picture in (data.brick, data.gravel)]
    flat = np.full((200, 300, 3), 120, np.uint8)
    noise = np.repeat(np.random.default_rng(7).integers(0, 256, (240, 240, 1), np.uint8), 3, axis=2)
    assert [species_in(classifier, picture) for picture in (*textures, flat, noise)] == [None] * 4


@pytest.mark.parametrize(
    ("photo", "allowed"),
    [
        ("generic/cat_720p.jpg", {"domestic cat"}),
        ("generic/parrot.jpg", {"macaw"}),
        ("generic/owl.jpg", {"owl", ""}),
        ("serengeti_burst/S1_D04_R6_PICT0020.JPG", {"elephant"}),
        ("wildlife_tools/identity_b__image_3.JPG", {"sea turtle"}),
    ],
)
def test_a_real_photo_is_named_rightly_or_not_at_all(
    classifier: Classifier, assets: Path, photo: str, allowed: set[str]
) -> None:
    pixels = cv2.cvtColor(cv2.imread(str(assets / "photos" / photo)), cv2.COLOR_BGR2RGB)
    assert name_in(classifier, np.asarray(pixels, np.uint8)) in allowed


def test_the_packaged_label_table_is_the_one_that_people_edit(tmp_path: Path) -> None:
    imagenet_labels.write(tmp_path / "labels.csv")
    assert (FOLDER / "labels.csv").read_bytes() == (tmp_path / "labels.csv").read_bytes()
    assert (FOLDER / "taxa.csv").read_bytes() == imagenet_labels.TAXA.read_bytes()


def test_every_class_has_one_row_and_every_animal_a_short_name_in_small_letters(bundle: Bundle) -> None:
    with (FOLDER / "labels.csv").open(encoding="utf-8", newline="") as stream:
        indices = [int(row["index"]) for row in csv.DictReader(stream)]
    assert indices == list(range(1000))
    animals = {label.name for label in bundle.labels if label.kind == "animal"}
    assert 200 <= len(animals) <= 290
    assert all(0 < len(name) <= imagenet_labels.MAX_NAME and name == name.strip().lower() for name in animals)
    assert {label.name for label in bundle.labels if label.kind == "other"} == {""}
    assert {label.kind for label in bundle.labels} == {"animal", "other"}


def test_breeds_share_one_name_so_that_their_probabilities_are_summed(bundle: Bundle, classifier: Classifier) -> None:
    classes = Counter(label.name for label in bundle.labels)
    assert (classes["domestic dog"], classes["domestic cat"], classes["chicken"]) == (118, 5, 2)
    assert len(classifier.taxonomy.labels) == len(set(classifier.taxonomy.labels)) == len(classes) - 1
    assert len(classifier.names) == len(set(classifier.names))


def test_every_animal_of_imagenet_has_a_class_and_every_species_begins_with_its_genus(bundle: Bundle) -> None:
    animals = [index for index, label in enumerate(bundle.labels) if label.kind == "animal"]
    # Of the classes 0 to 397 only triceratops and trilobite are no living animals.
    assert animals == [index for index in range(398) if index not in (51, 69)]
    for label in (bundle.labels[index] for index in animals):
        assert label.lineage and all(name[0].isupper() for name in label.lineage), label
        if len(label.lineage) == 5:
            assert label.lineage[4].split()[0] == label.lineage[3] and len(label.lineage[4].split()) == 2, label


@pytest.mark.parametrize(
    ("label", "lineage"),
    [
        ("lion", "Mammalia Carnivora Felidae Panthera"),
        ("giant panda", "Mammalia Carnivora Ursidae Ailuropoda"),
        ("red panda", "Mammalia Carnivora Ailuridae"),
        ("hyena", "Mammalia Carnivora Hyaenidae"),
        ("skunk", "Mammalia Carnivora Mephitidae"),
        ("meerkat", "Mammalia Carnivora Herpestidae"),
        ("hare", "Mammalia Lagomorpha Leporidae"),
        ("guinea pig", "Mammalia Rodentia Caviidae"),
        ("warthog", "Mammalia Artiodactyla Suidae"),
        ("zebra", "Mammalia Perissodactyla Equidae"),
        ("elephant", "Mammalia Proboscidea"),
        ("siamang", "Mammalia Primates Hylobatidae"),
        ("echidna", "Mammalia Monotremata"),
        ("koala", "Mammalia Diprotodontia"),
        ("armadillo", "Mammalia Cingulata"),
        ("flamingo", "Aves Phoenicopteriformes"),
        ("coot", "Aves Gruiformes Rallidae"),
        ("newt", "Amphibia Caudata Salamandridae"),
        ("komodo dragon", "Reptilia Squamata Varanidae"),
        ("horned viper", "Reptilia Squamata Viperidae"),
        ("eel", "Actinopterygii Anguilliformes"),
        ("tick", "Arachnida Ixodida"),
        ("crab", "Malacostraca Decapoda"),
        ("ant", "Insecta Hymenoptera Formicidae"),
    ],
)
def test_animals_stand_where_zoology_has_them(classifier: Classifier, label: str, lineage: str) -> None:
    known = classifier.taxonomy.lineages.get(label, ())
    assert list(known[: len(lineage.split())]) == lineage.split()


def test_every_group_joins_labels_that_no_finer_group_joins(bundle: Bundle, classifier: Classifier) -> None:
    members = {
        taxon.name: frozenset(label.name for label in bundle.labels if taxon.holds(label.lineage))
        for taxon in bundle.taxa
    }
    assert all(len(names) > 1 for names in members.values())
    assert len(set(members.values())) == len(members)
    assert {"mammal", "bird", "cat family", "big cat", "dog family", "carnivore"} <= set(members)


def test_a_bear_of_which_the_kind_is_not_sure_is_still_a_bear(classifier: Classifier) -> None:
    taxonomy = classifier.taxonomy
    probabilities = np.zeros(taxonomy.classes, np.float32)
    probabilities[[294, 295, 388, 999]] = [0.45, 0.4, 0.1, 0.05]
    thresholds = classifier.bundle.manifest.thresholds
    answer = taxonomy.answer(taxonomy.summed(probabilities), species=thresholds.species, rollup=thresholds.rollup)
    assert answer is not None and (answer.name, taxonomy.ranks[answer.name]) == ("bear", "genus")


def test_classes_stand_where_imagenet_has_them(bundle: Bundle) -> None:
    known = {7: "chicken", 151: "domestic dog", 268: "domestic dog", 269: "grey wolf", 277: "red fox", 288: "leopard"}
    known |= {291: "lion", 340: "zebra", 386: "elephant", 397: "fish", 398: "", 51: "", 999: ""}
    assert {index: bundle.labels[index].name for index in known} == known


def test_a_name_of_many_classes_loses_its_head_start() -> None:
    shift = imagenet_labels.prior_shift(("dog", "dog", "dog", "dog", "lion", ""), 0.5)
    assert np.allclose(np.exp(shift), [0.5, 0.5, 0.5, 0.5, 1.0, 1.0])


@pytest.mark.parametrize("table", ["5,3,cat\n", "0,3,cat\n3,4,dog\n", "0,1000,cat\n", "0,1, Cat\n", "0,1,\n"])
def test_a_label_table_that_is_wrong_is_refused(tmp_path: Path, table: str) -> None:
    file = tmp_path / "animals.csv"
    file.write_text(f"first,last,label\n{table}", encoding="utf-8")
    with pytest.raises(ValueError, match="run "):
        imagenet_labels.names(file)


def test_without_torch_the_maker_says_what_to_install(tmp_path: Path) -> None:
    # `-c` with torch barred from import: the suite's own environment may have it.
    (tmp_path / "training").mkdir()
    row = (
        '{"file": "a.jpg", "width": 300, "height": 300, "source": "lion", "path": "a.jpg", "group": "a",'
        ' "boxes_xyxy": [["animal", 0, 0, 1, 1]], "teacher_xyxy": []}\n'
    )
    (tmp_path / "training" / "manifest.jsonl").write_text(row)
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from export_tools.default_models.efficientnet_lite0 import main\n"
        f"sys.exit(main(['--training', {str(tmp_path / 'training')!r}, '-o', {str(tmp_path / 'out')!r}]))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "'torch' is missing: pip install 'camtrap-edge[train]'" in ended.stderr
    assert not (tmp_path / "out").exists()
