"""CompactResNet: a small residual network that trains on a CPU in minutes, and whose last layer can be explained exactly.

He et al., "Deep residual learning for image recognition", CVPR 2016 (arXiv 1512.03385), made small. Where it deviates:

- four residual blocks in three stages, 16, 32 and 64 channels wide: about 150,000 parameters;
- the stem halves the field once, by a 3 x 3 convolution with a stride and no pooling, so that structures two pixels wide are
  still seen;
- mean over all locations, then one linear layer: any input size will do, and a class's logit is the mean of its values at the
  locations, which makes Pixel Ablation-CAM exact at the last block.
"""

from __future__ import annotations

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.around: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.around = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        found: Tensor = self.relu(y + self.around(x))
        return found


class CompactResNet(nn.Module):
    """A stem, three stages, the mean over all locations, and a linear layer.

    Parameters
    ----------
    channels : int
        Of an input: blended channels, or stains.
    classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(
            ResidualBlock(16, 16), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2), ResidualBlock(64, 64)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) to logits, (N, classes)."""
        logits: Tensor = self.head(self.pool(self.stages(self.stem(x))).flatten(1))
        return logits
