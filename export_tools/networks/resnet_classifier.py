"""A torchvision ResNet whose last layer stands apart, as Pytorch-Wildlife builds its classifiers."""

from __future__ import annotations

from torch import Tensor, nn

from export_tools.networks.packages import need


class ResNetClassifier(nn.Module):
    """[N, 3, H, W] to logits [N, classes].

    A network with one output, which says "yes" by a sigmoid, gives two: 0 and the logit. Their softmax is 1 - p and p.
    """

    def __init__(self, architecture: str, outputs: int) -> None:
        super().__init__()
        self.feature = need("torchvision.models").get_model(architecture, weights=None)
        self.classifier = nn.Linear(self.feature.fc.in_features, outputs)
        self.feature.fc = nn.Identity()

    def forward(self, image: Tensor) -> tuple[Tensor]:
        logits = self.classifier(self.feature(image))
        if self.classifier.out_features == 1:
            logits = nn.functional.pad(logits, (1, 0))
        return (logits,)
