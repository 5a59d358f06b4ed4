"""Paints a picture onto a shape, seen from everywhere."""

from __future__ import annotations

import click
import numpy as np
import torch
from common import arguments, find, load, read_picture, sphere, write_gif
from torch import Tensor

import benchbench.cuda_ops.neural_renderer as nr


def stripes(device: str) -> Tensor:
    """A picture of our own that a shape can show to every side: (3, 256, 256)."""
    row = torch.linspace(0, 1, 256, device=device)
    colours = [0.5 + 0.45 * torch.cos(row * (25 + 9 * k) + k) for k in range(3)]
    return torch.stack(colours)[:, :, None].expand(3, 256, 256)


def main() -> None:
    """300 steps of Adam; the last line is the mean squared error on the shape over 8 views."""
    options = arguments(__doc__ or "", "example3.gif")
    if options.data:
        vertices, faces = load(options)
        goal = read_picture(find(options.data, "example3_ref.png"), options.device)
    else:
        vertices, faces = (one[None].to(options.device) for one in sphere())
        goal = stripes(options.device)
    renderer = nr.Renderer(
        camera_mode="look_at", perspective=False, light_intensity_ambient=1.0,
        light_intensity_directional=0.0,
    )  # fmt: skip
    shape = (1, faces.shape[1], 4, 4, 4, 3)
    textures = torch.nn.Parameter(torch.zeros(shape, device=options.device))
    optimizer = torch.optim.Adam([textures], lr=0.1, betas=(0.5, 0.999))
    angles = np.random.default_rng(0)
    for _ in range(options.steps):
        renderer.eye = nr.get_points_from_angles(2.732, 0, angles.uniform(0, 360))
        rgb = renderer(vertices, faces, torch.tanh(textures), mode="rgb")
        loss = (rgb[0] - goal).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    errors, frames = [], []
    with torch.no_grad():
        for azimuth in range(0, 360, 15):
            renderer.eye = nr.get_points_from_angles(2.732, 0, azimuth)
            rgb, _, alpha = renderer(vertices, faces, torch.tanh(textures))
            frames.append(rgb[0])
            if azimuth % 45 == 0:
                inside = alpha[0] == 1
                errors.append((rgb[0] - goal)[:, inside].square().mean())
    click.echo(f"masked error {torch.stack(errors).mean().item():.5f}")
    write_gif(options.output, frames)


if __name__ == "__main__":
    main()
