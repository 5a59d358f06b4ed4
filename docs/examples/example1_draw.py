"""Draws a shape from all around."""

from __future__ import annotations

import torch
from common import arguments, load, write_gif

import benchbench.cuda_ops.neural_renderer as nr


def main() -> None:
    """Turns the shape once."""
    options = arguments(__doc__ or "", "example1.gif")
    vertices, faces = load(options)
    # Colours of vertices; (1, F, T, T, T, 3) textures go in the same place.
    colours = torch.ones_like(vertices) if options.data else 0.5 + 0.45 * vertices
    renderer = nr.Renderer(camera_mode="look_at")
    frames = []
    for azimuth in range(0, 360, 10):
        renderer.eye = nr.get_points_from_angles(2.732, 30, azimuth)
        rgb, _, _ = renderer(vertices, faces, colours)
        frames.append(rgb[0])
    write_gif(options.output, frames)


if __name__ == "__main__":
    main()
