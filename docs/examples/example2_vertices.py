"""Moves the vertices of a shape until its silhouette is a square."""

from __future__ import annotations

import click
import torch
from common import arguments, find, load, read_picture, sphere, write_gif

import benchbench.cuda_ops.neural_renderer as nr


def main() -> None:
    """300 steps of Adam; the last line tells how well the silhouettes agree."""
    options = arguments(__doc__ or "", "example2.gif")
    if options.data:
        vertices, faces = load(options)
        goal = read_picture(find(options.data, "example2_ref.png"), options.device).mean(0)
    else:
        vertices, faces = (one[None].to(options.device) for one in sphere())
        vertices = vertices * 0.7
        goal = torch.zeros(256, 256, device=options.device)
        goal[64:192, 64:192] = 1
    renderer = nr.Renderer(camera_mode="look_at")
    renderer.eye = nr.get_points_from_angles(2.732, 0, 90)
    vertices = torch.nn.Parameter(vertices)
    optimizer = torch.optim.Adam([vertices])
    frames = []
    for step in range(options.steps):
        alpha = renderer(vertices, faces, mode="silhouettes")[0]
        loss = (alpha - goal).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            frames.append(alpha)
    alpha = renderer(vertices, faces, mode="silhouettes")[0].detach()
    both, either = torch.minimum(alpha, goal).sum(), torch.maximum(alpha, goal).sum()
    click.echo(f"loss {loss.item():.1f}  IoU {(both / either).item():.4f}")
    white = torch.ones((*faces.shape[:2], 2, 2, 2, 3), device=options.device)
    for azimuth in range(90, 450, 15):
        renderer.eye = nr.get_points_from_angles(2.732, 20, azimuth)
        frames.append(renderer(vertices, faces, white)[0][0])
    write_gif(options.output, frames, 6.0)


if __name__ == "__main__":
    main()
