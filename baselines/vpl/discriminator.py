"""The discriminator of views: is this silhouette one of the picture's own view?"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SIZE = 64
_TAIL = 4  # side of the last feature map
_SLOPE = 0.2


class ViewDiscriminator(nn.Module):
    """Silhouettes and their views to the probability of each and to features.

    It is a network of 1 + K channels: the silhouette and K planes, that of the view 1, the others
    0. The first convolution of constant planes is the same for all pictures of a view, so it is
    done once a view instead of once a picture.

    Source: learn3D's DCGAN_Discriminator; modules are named as there.

    Args:
        channels_in: 1 + K.
        widths: Of the four 4x4 convolutions.

    Example:
        >>> import torch
        >>> net = ViewDiscriminator(25, (2, 2, 2, 3)).eval()
        >>> found = net(torch.zeros(5, 64, 64), torch.tensor([0, 1, 2, 3, 23]))
        >>> [tuple(x.shape) for x in found]
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

    def forward(self, silhouettes: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
        first = self.model[0]
        assert isinstance(first, nn.Conv2d)
        size = silhouettes.shape[-2:]
        plane = functional.conv2d(
            silhouettes.new_ones(1, 1, *size),
            first.weight[:, 1:].flatten(0, 1)[:, None],
            None,
            2,
            1,
        )
        of_view = plane.unflatten(1, (len(first.weight), -1))[0].transpose(0, 1)
        x = functional.conv2d(silhouettes[:, None], first.weight[:, :1], first.bias, 2, 1)
        features = self.model[1:](x + of_view[views]).flatten(1)
        return self.adv_layer(features), features


class Judge(nn.Module):
    """A discriminator that judges several batches one after another, in one call.

    Training in several processes allows one call a step; and batch norms must see each batch alone.

    Args:
        discriminator: Silhouettes and views to probabilities and features.
    """

    def __init__(self, discriminator: ViewDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, *seen: tuple[Tensor, Tensor]) -> list[Tensor]:
        """Probabilities (B, 1) of each batch of silhouettes and views."""
        return [self.discriminator(*one)[0] for one in seen]
