"""The active-learning folder, against the project's own steps: embed, scale with scikit-learn, run classifier.onnx."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("sklearn")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is missing", allow_module_level=True)

from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402

from edge_runtime.bundles import bundle as bundles  # noqa: E402
from edge_runtime.errors import CamtrapEdgeError  # noqa: E402
from edge_runtime.models import crops  # noqa: E402
from edge_runtime.models.classifier import Classifier  # noqa: E402
from edge_runtime.models.heads import SCORE_HEADS  # noqa: E402
from edge_runtime.models.preprocess import prepare  # noqa: E402
from edge_runtime.values import Box, Detection, Frame  # noqa: E402
from export_tools import cli  # noqa: E402
from export_tools.checkpoints.errors import CheckpointError  # noqa: E402
from export_tools.checkpoints.reading import read  # noqa: E402
from export_tools.loaders.active_learning import ActiveLearningLoader  # noqa: E402
from export_tools.model import Model, Request  # noqa: E402
from export_tools.networks import mlp_from_onnx  # noqa: E402
from export_tools.networks.min_max import BatchMinMax, FittedMinMax  # noqa: E402
from tests.export_tools.loaders import active_learning_folder, random_networks  # noqa: E402

FEATURES = 32
CLASSES = ["badger", "empty", "lynx"]


class Project:
    """A folder, the images that it was trained on, and what the project's own steps say."""

    def __init__(self, folder: Path, classes: list[str], *, strategy: str = "triplet") -> None:
        self.folder, self.training = folder / "export", folder / "training"
        self.pieces = random_networks.photographs()
        for place, pixels in enumerate(self.pieces):
            home = self.training / classes[place % len(classes)]
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(home / f"{place:02}.png")
        self.network = active_learning_folder.embedding(FEATURES)
        embeddings = self.embed(self.pieces)
        self.scaler = MinMaxScaler().fit(embeddings)
        truth = [place % len(classes) for place in range(len(self.pieces))]
        self.perceptron = MLPClassifier((23, 10), max_iter=400, random_state=1)
        self.perceptron.fit(self.scaler.transform(embeddings), truth)
        active_learning_folder.write(self.folder, self.network, self.perceptron, classes, strategy=strategy)

    def embed(self, pieces: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As torchvision's Resize((256, 256)), CenterCrop(224), ToTensor and Normalize do."""
        return self.embed_tensors([self.stretched(piece) for piece in pieces])

    def stretched(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        resized = np.asarray(Image.fromarray(pixels).resize((256, 256), Image.Resampling.BILINEAR), np.float64) / 255
        scaled = (resized - active_learning_folder.MEAN) / active_learning_folder.STD
        return scaled.transpose(2, 0, 1).astype(np.float32)

    def embed_tensors(self, tensors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        middle = np.stack(tensors)[:, :, 16:240, 16:240]
        with torch.inference_mode():
            return self.network.inner_model(torch.from_numpy(middle.copy())).numpy()

    def answers(self, scaled: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities as classifier.onnx gives them, its dictionaries in order of the classes."""
        import onnxruntime

        session = onnxruntime.InferenceSession(self.folder / "classifier.onnx", providers=["CPUExecutionProvider"])
        rows = session.run(["output_probability"], {"X": scaled.astype(np.float32)})[0]
        return np.array([[row[int(code)] for code in self.perceptron.classes_] for row in rows], np.float32)

    def load(self, **wanted: Any) -> Model:
        checkpoint = read(self.folder)
        assert ActiveLearningLoader().recognises(checkpoint)
        return ActiveLearningLoader().load(checkpoint, Request(self.folder, "classifier", **wanted))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("al"), CLASSES)


def shown(model: Model, pieces: list[NDArray[np.uint8]]) -> torch.Tensor:
    spec, rule = model.description.input, model.description.preprocess
    return torch.from_numpy(np.concatenate([prepare(piece, spec, rule)[0] for piece in pieces]))


def unseen() -> list[NDArray[np.uint8]]:
    from skimage import data

    return [data.chelsea()[40:260, 90:330], data.astronaut()[:200, 150:300], data.coffee()[100:, 200:500]]


def test_with_the_scaler_fitted_the_answers_are_the_projects_own(project: Project, tmp_path: Path) -> None:
    model = project.load(training_images=project.training)
    pieces = [*unseen(), *project.pieces]
    images = shown(model, pieces)
    graph = random_networks.export(model, tmp_path / "graph.onnx", images)
    found = SCORE_HEADS["softmax"]([graph["logits"]])
    truth = project.answers(project.scaler.transform(project.embed(pieces)))
    assert np.abs(found - truth).max() < 1e-4
    assert len(set(found.argmax(1))) == 3 and found.max(1).mean() > 0.6, "the answer does not depend on the picture"
    one_by_one = torch.cat([random_networks.run(model, image[None])[0] for image in images])
    assert np.abs(one_by_one.numpy() - graph["logits"]).max() < 1e-3


def square_crop(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """What the project's images are: `crop_detections.py --square-crops` of microsoft/CameraTraps."""
    image = Image.fromarray(pixels)
    width, height = image.size
    left, top = int(box.x1 * width), int(box.y1 * height)
    across, down = int((box.x2 - box.x1) * width), int((box.y2 - box.y1) * height)
    side = max(across, down)
    left = max(0, min(left - int((side - across) / 2), width - across))
    top = max(0, min(top - int((side - down) / 2), height - down))
    across, down = min(width, side), min(height, side)
    crop = image.crop((left, top, left + across, top + down))
    return np.asarray(ImageOps.pad(crop, size=(side, side), color=0) if across != down else crop)


BOXES = [
    Box(0.25, 0.25, 0.5, 0.75),
    Box(0.0, 0.125, 0.25, 0.875),
    Box(0.75, 0.25, 1.0, 1.0),
    Box(0.5, 0.75, 0.875, 1.0),
    Box(0.0, 0.25, 1.0, 0.5),
    Box(0.25, 0.0, 0.375, 1.0),
]
"""In the middle, and over each edge: for half of them some of the square lies outside."""


def test_on_a_device_the_bundles_answers_to_the_boxes_of_photos_are_those_of_scikit_learn(
    project: Project, tmp_path: Path
) -> None:
    """From the project's folder through `edge-export` to the classifier of the device, with nothing of the loader."""
    out = tmp_path / "bundle"
    options = ["--training-images", str(project.training), "--variants", "onnxruntime-fp32", "--licence", "MIT"]
    assert cli.main(["active-learning", str(project.folder), "-o", str(out), *options]) == 0
    bundle = bundles.load(out, task="classifier")
    classifier = Classifier(bundle, threads=1)
    assert classifier.taxonomy.labels == ("badger", "lynx")
    columns = [CLASSES.index(name) for name in ("badger", "lynx", "empty")]
    photos = [np.ascontiguousarray(photo) for photo in unseen()]
    seen, expected = [], []
    for photo in photos:
        detections = [Detection("animal", 0.9, box) for box in BOXES]
        for crop in crops.cut_all(Frame(photo), detections, bundle.manifest):
            seen.append(classifier.probabilities(crop))
        pieces = [square_crop(photo, box) for box in BOXES]
        scaled = project.scaler.transform(project.embed(pieces))
        expected.append(project.perceptron.predict_proba(scaled)[:, columns])
    truth = np.concatenate(expected)
    assert np.abs(np.array(seen) - truth).max() < 1e-4
    assert len(set(truth.argmax(1))) > 1 and np.ptp(truth[:, 0]) > 0.2, "the answer does not depend on the crop"


def test_the_bundle_says_how_the_folder_sees_a_crop(project: Project) -> None:
    model = project.load(training_images=project.training)
    description = model.description
    assert (description.input.width, description.input.height) == (256, 256)
    assert (description.crop.shape, description.crop.beyond) == ("square", "black")
    assert description.preprocess.mean == tuple(active_learning_folder.MEAN)
    assert [(label.name, label.kind) for label in model.labels] == [
        ("badger", "animal"),
        ("empty", "other"),
        ("lynx", "animal"),
    ]
    assert "fitted to 12 images" in description.description and model.any_batch


def test_legacy_batch_scales_by_the_batch_so_one_crop_always_gets_the_same_answer(project: Project) -> None:
    model = project.load(legacy_batch=True)
    images = shown(model, unseen())
    (logits,) = random_networks.run(model, images)
    embeddings = project.embed(unseen())
    truth = project.answers(MinMaxScaler().fit_transform(embeddings))
    assert np.abs(torch.softmax(logits, 1).numpy() - truth).max() < 1e-4
    alone = [random_networks.run(model, image[None])[0] for image in images]
    assert torch.equal(alone[0], alone[1]) and torch.equal(alone[1], alone[2])
    assert np.abs(torch.softmax(alone[0], 1).numpy() - project.answers(np.zeros((1, FEATURES)))).max() < 1e-5


def test_without_the_scaler_or_with_both_ways_the_error_says_what_to_do(project: Project) -> None:
    with pytest.raises(CamtrapEdgeError, match=r"--training-images DIR.*--legacy-batch"):
        project.load()
    with pytest.raises(CamtrapEdgeError, match="either --training-images"):
        project.load(training_images=project.training, legacy_batch=True)


def test_training_images_that_cannot_be_read_are_left_out_and_too_few_are_an_error(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.fromarray(project.pieces[0]).save(tmp_path / "whole.png")
    with pytest.raises(CamtrapEdgeError, match="1 of its 2 images can be read, the scaler needs at least 2"):
        project.load(training_images=tmp_path)
    assert "torn.jpg" in caplog.text
    with pytest.raises(CamtrapEdgeError, match="0 of its 0 images"):
        project.load(training_images=tmp_path / "nothing")


def test_a_softmax_strategys_folder_of_two_classes_answers_as_its_perceptron(tmp_path: Path) -> None:
    project = Project(tmp_path, ["deer", "fox"], strategy="softmax")
    model = project.load(training_images=project.training)
    (logits,) = random_networks.run(model, shown(model, unseen()))
    assert logits.shape == (3, 2) and torch.equal(logits[:, 0], torch.zeros(3))
    truth = project.answers(project.scaler.transform(project.embed(unseen())))
    assert np.abs(torch.softmax(logits, 1).numpy() - truth).max() < 1e-4
    assert [label.name for label in model.labels] == ["deer", "fox"]


def test_labels_follow_the_perceptrons_columns_where_it_never_saw_a_class(tmp_path: Path) -> None:
    perceptron = MLPClassifier((4,), max_iter=2).fit(np.eye(6, FEATURES), [0, 2] * 3)
    active_learning_folder.write(tmp_path, active_learning_folder.Embedding(FEATURES), perceptron, CLASSES)
    model = ActiveLearningLoader().load(read(tmp_path), Request(tmp_path, "classifier", legacy_batch=True))
    assert [label.name for label in model.labels] == ["badger", "lynx"]


def test_a_folder_without_one_of_its_files_is_not_recognised_and_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset_mean.npy").write_bytes(b"")
    checkpoint = read(tmp_path)
    assert not ActiveLearningLoader().recognises(checkpoint)
    with pytest.raises(CheckpointError, match=r"lacks dataset_std\.npy, embedding_model_weights\.pt, classifier\.onnx"):
        ActiveLearningLoader().load(checkpoint, Request(tmp_path, "classifier"))


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("dataset_mean.npy", b"\x93NUMPY no", "is no array of numbers"),
        ("dataset_std.npy", b"", "is no array of numbers"),
        ("classifier.onnx", b"no graph at all", "is no ONNX graph"),
        ("classifier.onnx", b"", "inputs, not one"),
        ("embedding_model_weights.pt", b"cut", r"weights\.pt"),
    ],
)
def test_damaged_files_are_clear_errors(tmp_path: Path, file: str, content: bytes, problem: str) -> None:
    perceptron = MLPClassifier((4,), max_iter=2).fit(np.eye(6, FEATURES), [0, 1, 2] * 2)
    active_learning_folder.write(tmp_path, active_learning_folder.Embedding(FEATURES), perceptron, CLASSES)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match=problem) as error:
        ActiveLearningLoader().load(read(tmp_path), Request(tmp_path, "classifier", legacy_batch=True))
    assert file in str(error.value)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    perceptron = MLPClassifier((4,), max_iter=2).fit(np.eye(6, FEATURES), [0, 1, 2] * 2)
    active_learning_folder.write(tmp_path, active_learning_folder.Embedding(FEATURES), perceptron, CLASSES)
    np.save(tmp_path / "dataset_mean.npy", np.array([{"a": 1}, 2, 3], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="is no array of numbers"):
        ActiveLearningLoader().load(read(tmp_path), Request(tmp_path, "classifier", legacy_batch=True))


def test_another_graph_than_a_perceptrons_is_refused_by_the_node_that_does_not_fit(
    project: Project, tmp_path: Path
) -> None:
    model = onnx.load(str(project.folder / "classifier.onnx"))
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "LeakyRelu"
    onnx.save(model, str(tmp_path / "classifier.onnx"))
    with pytest.raises(CheckpointError, match=r"LeakyRelu\) is not expected"):
        mlp_from_onnx.read(tmp_path / "classifier.onnx")


def test_a_graph_that_points_at_another_file_is_not_followed(project: Project, tmp_path: Path) -> None:
    model = onnx.load(str(project.folder / "classifier.onnx"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    (tmp_path / "classifier.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="'coefficient' in another file"):
        mlp_from_onnx.read(tmp_path / "classifier.onnx")


def test_weights_that_are_too_short_are_damaged(project: Project, tmp_path: Path) -> None:
    model = onnx.load(str(project.folder / "classifier.onnx"))
    model.graph.initializer[0].raw_data = b"1234"
    (tmp_path / "classifier.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="'coefficient' is damaged"):
        mlp_from_onnx.read(tmp_path / "classifier.onnx")


def test_the_scaler_is_scikit_learns_also_where_a_feature_never_changes() -> None:
    rows = np.array([[1.0, 5.0, -2.0], [3.0, 5.0, 0.5], [2.0, 5.0, 4.0]], np.float32)
    truth = MinMaxScaler().fit(rows)
    fitted = FittedMinMax(torch.from_numpy(rows.min(0)), torch.from_numpy(rows.max(0)))
    more = np.array([[9.0, 7.0, -8.0]], np.float32)
    assert np.abs(fitted(torch.from_numpy(more)).numpy() - truth.transform(more)).max() < 1e-5
    assert np.abs(BatchMinMax()(torch.from_numpy(rows)).numpy() - truth.transform(rows)).max() < 1e-6
    assert torch.equal(BatchMinMax()(torch.from_numpy(rows[:1])), torch.zeros(1, 3))
