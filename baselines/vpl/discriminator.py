"""The discriminator of views: is this silhouette one of the picture's own view?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 64
_TAIL = 4  # side of the last feature map
_SLOPE = 0.2


class ViewDiscriminator(nn.Module):
    """Silhouette and one-hot view planes (B, 1 + K, 64, 64) to a probability and features.

    Source: learn3D's DCGAN_Discriminator; modules are named as there.

    Args:
        channels_in: 1 + K.
        widths: Of the four 4x4 convolutions.

    Example:
        >>> net = ViewDiscriminator(25, (2, 2, 2, 3)).eval()
        >>> [tuple(x.shape) for x in net(torch.zeros(5, 25, 64, 64))]
        [(5, 1), (5, 48)]
    """

    def __init__(
        self, channels_in: int = 25, widths: tuple[int, ...] = (128, 256, 512, 1024)
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels_in
        for n, width in enumerate(widths):
            layers.append(nn.Conv2d(before, width, 4, 2, 1))
            if n:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(_SLOPE))
            before = width
        self.model = nn.Sequential(*layers)
        self.adv_layer = nn.Sequential(nn.Linear(before * _TAIL**2, 1), nn.Sigmoid())

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model(seen).flatten(1)
        return self.adv_layer(features), features


class Judge(nn.Module):
    """A discriminator that judges several batches one after another, in one call.

    Training in several processes allows one call a step; and batch norms must see each batch alone.

    Args:
        discriminator: Batch to probabilities and features.
    """

    def __init__(self, discriminator: ViewDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, *seen: Tensor) -> list[Tensor]:
        """Probabilities (B, 1) of each batch."""
        return [self.discriminator(one)[0] for one in seen]


def with_view(silhouettes: Tensor, views: Tensor, count: int) -> Tensor:
    """What the discriminator sees: a silhouette and `count` planes, that of its view 1.

    Args:
        silhouettes: (B, S, S).
        views: (B,) int64.
        count: K.

    Returns:
        (B, 1 + K, S, S).

    Example:
        >>> with_view(torch.full((1, 1, 1), 0.5), torch.tensor([2]), 3).flatten().tolist()
        [0.5, 0.0, 0.0, 1.0]
    """
    planes = functional.one_hot(views, count).to(silhouettes.dtype)[:, :, None, None]
    size = silhouettes.shape[-2:]
    return torch.cat((silhouettes[:, None], planes.expand(-1, -1, *size)), dim=1)
