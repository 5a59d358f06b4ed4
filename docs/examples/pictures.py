"""Draws the picture of the documentation: colours, depth, silhouette and its gradient field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import arguments, load
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr

SIDE = 220
FINE = 3
"""The gradient field is drawn so many times larger, and then made small, for smooth lines."""
HEAD = 26
TITLES = ("colours", "depth", "silhouette", "its gradient: where to grow")
VIEWS = (20, 80, 140)
RED = (200, 30, 30)


def main() -> None:
    """One row a view; the last column shows where the vertices want to go."""
    options = arguments(__doc__ or "", "neural_renderer.png")
    vertices, faces = load(options)
    vertices.requires_grad_()
    renderer = nr.Renderer(SIDE, camera_mode="look_at", background_color=(1, 1, 1))
    sheet = Image.new("RGB", (4 * SIDE, HEAD + len(VIEWS) * SIDE), "white")
    words, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, title in enumerate(TITLES):
        words.text(((column + 0.5) * SIDE, HEAD / 2), title, "black", font, "mm")
    for row, azimuth in enumerate(VIEWS):
        renderer.eye = nr.get_points_from_angles(2.4, 30, azimuth)
        rgb, depth, alpha = renderer(vertices, faces, 0.5 + 0.45 * vertices.detach())
        inside = alpha[0] == 1
        near, far = depth[0][inside].min(), depth[0][inside].max()
        shade = torch.where(inside, 0.9 - 0.8 * (depth[0] - near) / (far - near), 1.0)
        shown = [_image(one) for one in (rgb[0], shade, 1 - alpha[0])]
        for column, picture in enumerate([*shown, _field(renderer, vertices, faces)]):
            sheet.paste(picture, (column * SIDE, HEAD + row * SIDE))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128).save(Path(options.output), optimize=True)


def _field(renderer: nr.Renderer, vertices: Tensor, faces: Tensor) -> Image.Image:
    """Steps against the gradient for a silhouette that is everywhere a little thicker."""
    fat = torch.nn.functional.max_pool2d(
        renderer(vertices, faces, mode="silhouettes").detach()[None], 13, 1, 6
    )[0]
    alpha = renderer(vertices, faces, mode="silhouettes")
    (slope,) = torch.autograd.grad((alpha - fat).square().sum(), vertices)
    step = -0.12 * slope / slope.norm(dim=-1).max()
    ends = [
        nr.perspective(nr.look_at(place, renderer.eye))[0, :, :2]
        for place in (vertices.detach(), vertices.detach() + step)
    ]
    pixels = [((one * torch.tensor([1.0, -1])) + 1) * (SIDE * FINE / 2) for one in ends]
    image = _image(1 - 0.25 * alpha[0]).resize((SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(image)
    for start, end, length in zip(*pixels, step[0].norm(dim=-1), strict=True):
        if length > 0.018:
            _arrow(draw, start.numpy(), end.numpy())
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _arrow(draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray) -> None:
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
    across = np.array([-along[1], along[0]])
    root = end - 3 * FINE * along
    draw.line([*start, *root], RED, FINE)
    draw.polygon([tuple(end), *(tuple(root + s * 2 * FINE * across) for s in (1, -1))], RED)


def _image(values: Tensor) -> Image.Image:
    values = values.detach().cpu().clamp(0, 1)
    values = values.expand(3, *values.shape) if values.ndim == 2 else values
    array = (values.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(np.ascontiguousarray(array))


if __name__ == "__main__":
    main()
