"""The rasterisation functions of Neural 3D Mesh Renderer: pictures of faces on the screen.

Faces are (B, F, 3, 3): corners (x, y, z), x and y in normalised device coordinates (y up), z the
camera depth. `image_size` may also be (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import rasterize as _kernels
from benchbench.cuda_ops.rasterize_layers import bend_depth, rasterize_layers

ImageSize = int | tuple[int, int]
Colour = Tensor | Sequence[float] | Sequence[Sequence[float]]

DEFAULT_IMAGE_SIZE = 256
DEFAULT_ANTI_ALIASING = True
DEFAULT_NEAR = 0.1
DEFAULT_FAR = 100
DEFAULT_EPS = 1e-4
DEFAULT_BACKGROUND_COLOR = (0, 0, 0)


def rasterize_rgbad(
    faces: Tensor,
    textures: Tensor | None = None,
    image_size: ImageSize = DEFAULT_IMAGE_SIZE,
    anti_aliasing: bool = DEFAULT_ANTI_ALIASING,
    near: float = DEFAULT_NEAR,
    far: float = DEFAULT_FAR,
    eps: float = DEFAULT_EPS,
    background_color: Colour = DEFAULT_BACKGROUND_COLOR,
    return_rgb: bool = True,
    return_alpha: bool = True,
    return_depth: bool = True,
    linear: bool = False,
    light: Tensor | None = None,
    fill_back: bool = False,
) -> dict[str, Tensor | None]:
    """Draws colours, silhouette and depth at once.

    Args:
        faces: (B, F, 3, 3) float32 (float64 runs on the slow twin).
        textures: (B, F, T, T, T, 3), T at least 2; needed for colours only.
        image_size: Side of the picture, or (height, width).
        anti_aliasing: Draw twice as large and take the mean of 2 x 2 pixels (of depth too).
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn; the depth where no face is.
        eps: Of the approximate gradient, in device units.
        background_color: (3,) or (B, 3).
        return_rgb: Whether to draw colours.
        return_alpha: Whether to draw the silhouette.
        return_depth: Whether to draw the depth.
        linear: Interpolate depth and textures as in a parallel projection, not through a lens.
        light: (B, F, 3) factors of each face's colours; None is 1.
        fill_back: The second half of the faces are the backs of the first, whose textures alone
            are given, as in `benchbench.cuda_ops.rasterize_layers.rasterize_layers`.

    Returns:
        "rgb" (B, 3, H, W), "alpha" (B, H, W) and "depth" (B, H, W), None for those not asked for.
        The gradient to the corners weighs the layers that are returned together.

    Raises:
        ShapeError: An argument has the wrong shape or type, or colours are asked without textures.

    Example:
        >>> triangle = torch.tensor([[[[-1.0, -1, 2], [1, -1, 2], [-1, 1, 2]]]])
        >>> drawn = rasterize_rgbad(triangle, image_size=2, return_rgb=False)
        >>> drawn["alpha"][0].tolist(), drawn["depth"][0].tolist()
        ([[0.75, 0.0], [1.0, 0.75]], [[26.5, 100.0], [2.0, 26.5]])
    """
    name = "rasterize_rgbad"
    pool = 2 if anti_aliasing else 1
    height, width = _kernels._sides(name, image_size, _kernels._LARGEST_SIDE // pool)
    if return_rgb and textures is None:
        raise ShapeError(name, "textures", "(B, F, T, T, T, 3) for colours", None)
    if not (return_rgb or return_depth) and return_alpha and faces.dtype == torch.float32:
        corners, bounds = bend_depth(faces, near, far) if linear else (faces, (near, far))
        alpha = _kernels.rasterize_silhouettes(
            corners, (height, width), anti_aliasing, *bounds, eps
        )
        return {"rgb": None, "alpha": alpha, "depth": None}
    layers = rasterize_layers(
        faces, textures if return_rgb else None, height, width, near, far, eps,
        torch.as_tensor(background_color), linear, light, fill_back, pool,
        with_alpha=return_alpha, with_depth=return_depth,
    )  # fmt: skip
    return {"rgb": layers.rgb, "alpha": layers.alpha, "depth": layers.depth}


def rasterize(
    faces: Tensor,
    textures: Tensor,
    image_size: ImageSize = DEFAULT_IMAGE_SIZE,
    anti_aliasing: bool = DEFAULT_ANTI_ALIASING,
    near: float = DEFAULT_NEAR,
    far: float = DEFAULT_FAR,
    eps: float = DEFAULT_EPS,
    background_color: Colour = DEFAULT_BACKGROUND_COLOR,
) -> Tensor:
    """Draws colours (B, 3, H, W); arguments as in `rasterize_rgbad`."""
    rgb = rasterize_rgbad(
        faces, textures, image_size, anti_aliasing, near, far, eps, background_color,
        True, False, False,
    )["rgb"]  # fmt: skip
    assert rgb is not None
    return rgb


def rasterize_silhouettes(
    faces: Tensor,
    image_size: ImageSize = DEFAULT_IMAGE_SIZE,
    anti_aliasing: bool = DEFAULT_ANTI_ALIASING,
    near: float = DEFAULT_NEAR,
    far: float = DEFAULT_FAR,
    eps: float = DEFAULT_EPS,
) -> Tensor:
    """Draws silhouettes (B, H, W) in [0, 1]; arguments as in `rasterize_rgbad`."""
    alpha = rasterize_rgbad(
        faces, None, image_size, anti_aliasing, near, far, eps,
        return_rgb=False, return_depth=False,
    )["alpha"]  # fmt: skip
    assert alpha is not None
    return alpha


def rasterize_depth(
    faces: Tensor,
    image_size: ImageSize = DEFAULT_IMAGE_SIZE,
    anti_aliasing: bool = DEFAULT_ANTI_ALIASING,
    near: float = DEFAULT_NEAR,
    far: float = DEFAULT_FAR,
    eps: float = DEFAULT_EPS,
) -> Tensor:
    """Draws depth (B, H, W), `far` where no face is; arguments as in `rasterize_rgbad`."""
    depth = rasterize_rgbad(
        faces, None, image_size, anti_aliasing, near, far, eps,
        return_rgb=False, return_alpha=False,
    )["depth"]  # fmt: skip
    assert depth is not None
    return depth


class Rasterize(nn.Module):
    """The raster itself: no anti-aliasing, colours last, and the BOTTOM row first.

    Args:
        image_size: Side of the raster, or (height, width).
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn.
        eps: Of the approximate gradient, in device units.
        background_color: (3,) or (B, 3).
        return_rgb: Whether to draw colours.
        return_alpha: Whether to draw the silhouette.
        return_depth: Whether to draw the depth.
    """

    def __init__(
        self,
        image_size: ImageSize,
        near: float,
        far: float,
        eps: float,
        background_color: Colour,
        return_rgb: bool = False,
        return_alpha: bool = False,
        return_depth: bool = False,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.near = near
        self.far = far
        self.eps = eps
        self.background_color = background_color
        self.return_rgb = return_rgb
        self.return_alpha = return_alpha
        self.return_depth = return_depth

    def forward(
        self, faces: Tensor, textures: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draws (B, F, 3, 3) faces with (B, F, T, T, T, 3) textures.

        Returns:
            rgb (B, H, W, 3), alpha (B, H, W), depth (B, H, W); an empty CPU tensor for each that
            is not asked for.
        """
        drawn = rasterize_rgbad(
            faces, textures, self.image_size, False, self.near, self.far, self.eps,
            self.background_color, self.return_rgb, self.return_alpha, self.return_depth,
        )  # fmt: skip
        rgb, alpha, depth = drawn["rgb"], drawn["alpha"], drawn["depth"]
        return (
            torch.empty(0) if rgb is None else rgb.flip(2).permute(0, 2, 3, 1),
            torch.empty(0) if alpha is None else alpha.flip(1),
            torch.empty(0) if depth is None else depth.flip(1),
        )
