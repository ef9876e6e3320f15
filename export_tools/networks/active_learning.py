"""The active-learning project's two networks as one: the embedding network, the scaler, the perceptron."""

from __future__ import annotations

from torch import Tensor, nn

from export_tools.networks.packages import need

RESIZED, CROPPED = 256, 224
"""Pixels: what the manifest stretches a crop to, and the middle of it that the network sees."""


class EmbeddingNet(nn.Module):
    """A torchvision network with a linear layer of `dimensions` outputs in place of its last one."""

    def __init__(self, architecture: str, dimensions: int) -> None:
        super().__init__()
        self.inner_model = need("torchvision.models").get_model(architecture, weights=None)
        if architecture.startswith("resnet"):
            self.inner_model.fc = nn.Linear(self.inner_model.fc.in_features, dimensions)
        elif architecture.startswith("densenet"):
            self.inner_model.classifier = nn.Linear(self.inner_model.classifier.in_features, dimensions)
        else:  # alexnet, vgg
            self.inner_model.classifier[6] = nn.Linear(self.inner_model.classifier[6].in_features, dimensions)

    def forward(self, image: Tensor) -> Tensor:
        return self.inner_model(image)


class SoftmaxNet(nn.Module):
    """What the strategy `softmax` trains: the embedding is used, the classifier behind it was for training only."""

    def __init__(self, architecture: str, dimensions: int, classes: int) -> None:
        super().__init__()
        self.embedding = EmbeddingNet(architecture, dimensions)
        self.classifier = nn.Linear(dimensions, classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.embedding(image)


class CroppedEmbedding(nn.Module):
    """[N, 3, 256, 256] to [N, dimensions]: the middle 224 x 224 through the embedding network."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, image: Tensor) -> Tensor:
        edge = (RESIZED - CROPPED) // 2
        return self.embedding(image[:, :, edge : edge + CROPPED, edge : edge + CROPPED])


class ActiveLearningNetwork(nn.Module):
    """[N, 3, 256, 256] to logits [N, classes]."""

    def __init__(self, embedding: nn.Module, scaler: nn.Module, perceptron: nn.Module) -> None:
        super().__init__()
        self.embedding, self.scaler, self.perceptron = embedding, scaler, perceptron

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.perceptron(self.scaler(self.embedding(image))),)
