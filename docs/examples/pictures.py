"""Draws the picture of the documentation: colours, depth, silhouette and its gradient field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import arguments, load
from PIL import Image, ImageDraw
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr

SIDE = 200
VIEWS = (20, 80, 140)


def main() -> None:
    """One row a view; the last column shows where the vertices want to go."""
    options = arguments(__doc__ or "", "neural_renderer.png")
    vertices, faces = load(options)
    vertices.requires_grad_()
    renderer = nr.Renderer(SIDE, camera_mode="look_at", background_color=(1, 1, 1))
    sheet = Image.new("RGB", (4 * SIDE, len(VIEWS) * SIDE), "white")
    for row, azimuth in enumerate(VIEWS):
        renderer.eye = nr.get_points_from_angles(2.2, 30, azimuth)
        rgb, depth, alpha = renderer(vertices, faces, 0.5 + 0.45 * vertices.detach())
        inside = alpha[0] == 1
        near, far = depth[0][inside].min(), depth[0][inside].max()
        shade = torch.where(inside, 1 - 0.8 * (depth[0] - near) / (far - near), 1.0)
        for column, picture in enumerate((rgb[0], shade, 1 - alpha[0])):
            sheet.paste(_image(picture), (column * SIDE, row * SIDE))
        sheet.paste(_field(renderer, vertices, faces), (3 * SIDE, row * SIDE))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(128).save(Path(options.output), optimize=True)


def _field(renderer: nr.Renderer, vertices: Tensor, faces: Tensor) -> Image.Image:
    """Steps against the gradient for a silhouette that is everywhere a little thicker."""
    fat = torch.nn.functional.max_pool2d(
        renderer(vertices, faces, mode="silhouettes").detach()[None], 13, 1, 6
    )[0]
    alpha = renderer(vertices, faces, mode="silhouettes")
    (slope,) = torch.autograd.grad((alpha - fat).square().sum(), vertices)
    step = -0.06 * slope / slope.norm(dim=-1).max()
    ends = [
        nr.perspective(nr.look_at(place, renderer.eye))[0, :, :2]
        for place in (vertices.detach(), vertices.detach() + step)
    ]
    pixels = [((one * torch.tensor([1.0, -1])) + 1) * (SIDE / 2) for one in ends]
    image = _image(1 - 0.25 * alpha[0])
    draw = ImageDraw.Draw(image)
    for start, end, length in zip(*pixels, step[0].norm(dim=-1), strict=True):
        if length > 0.012:
            draw.line([*start.tolist(), *end.tolist()], fill=(200, 30, 30), width=1)
            x, y = end.tolist()
            draw.ellipse([x - 1, y - 1, x + 1, y + 1], fill=(200, 30, 30))
    return image


def _image(values: Tensor) -> Image.Image:
    values = values.detach().cpu().clamp(0, 1)
    values = values.expand(3, *values.shape) if values.ndim == 2 else values
    array = (values.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(np.ascontiguousarray(array))


if __name__ == "__main__":
    main()
