"""Finds the camera from which a silhouette was seen."""

from __future__ import annotations

import click
import torch
from common import arguments, find, load, read_picture, write_gif

import benchbench.cuda_ops.neural_renderer as nr


def main() -> None:
    """Adam on the eye until the loss is below 70."""
    options = arguments(__doc__ or "", "example4.gif")
    vertices, faces = load(options)
    renderer = nr.Renderer(camera_mode="look_at")
    if options.data:
        goal = read_picture(find(options.data, "example4_ref.png"), options.device)
        goal = (goal.amax(0) != 0).float()
    else:
        renderer.eye = nr.get_points_from_angles(2.732, 30, -15)
        goal = renderer(vertices, faces, mode="silhouettes")[0]
    eye = torch.nn.Parameter(torch.tensor([6.0, 10.0, -14.0], device=options.device))
    renderer.eye = eye
    optimizer = torch.optim.Adam([eye], lr=0.1)
    frames = []
    for step in range(1, options.steps + 1):
        alpha = renderer(vertices, faces, mode="silhouettes")[0]
        loss = (alpha - goal).square().sum()
        if step % 5 == 1 or loss.item() < 70:
            frames.append(torch.stack((alpha, goal, goal)))
        if loss.item() < 70:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    place = ", ".join(f"{value:.3f}" for value in eye.tolist())
    click.echo(f"step {step}  loss {loss.item():.1f}  eye ({place})")
    write_gif(options.output, frames + frames[-1:] * 10)


if __name__ == "__main__":
    main()
