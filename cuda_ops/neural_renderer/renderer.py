"""The renderer: meshes in the world in, pictures out, with gradients to everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from benchbench.core.errors import ShapeError, UsageError
from benchbench.core.names import require
from benchbench.cuda_ops import rasterize as _kernels
from benchbench.cuda_ops.camera import (
    look,
    look_at,
    orthographic,
    perspective,
    projection,
    projection_ahead,
)
from benchbench.cuda_ops.neural_renderer import rasterization as _rasterize
from benchbench.cuda_ops.neural_renderer.batches import (
    pad_meshes,
    textures_from_vertex_colors,
)
from benchbench.cuda_ops.neural_renderer.lighting import face_lights
from benchbench.cuda_ops.rasterize_layers import bend_depth, straighten_depth
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

Meshes = Tensor | Sequence[Tensor]
Size = float | tuple[float, float]
_COLOUR_EPS = 1e-3


class FaceMaps(NamedTuple):
    """Which face each pixel shows; the top row comes first, without anti-aliasing.

    Attributes:
        face_index: (B, H, W) int32 index into the caller's faces, -1 where no face is.
        is_back: (B, H, W) bool, whether the face is seen from behind (`fill_back`).
        weights: (B, H, W, 3) screen-space barycentric weights of the caller's corners.
        depth: (B, H, W), `far` where no face is.
    """

    face_index: Tensor
    is_back: Tensor
    weights: Tensor
    depth: Tensor


class Renderer(nn.Module):
    """Renders batches of meshes.

    Arguments have the names, order, defaults and units of the PyTorch port; they are kept as
    attributes and may be changed between calls. `vertices` are (B, V, 3), `faces` (B, F, 3) or
    (F, 3) for all, `textures` (B, F, T, T, T, 3), or (B, V, 3) colours of vertices. Lists of
    tensors without the B are meshes of different size.

    Args:
        image_size: Side of the picture in pixels, or (height, width). Pixels are square:
            `viewing_angle` and `orthographic_size` are those of the height.
        anti_aliasing: Draw twice as large and take the mean of 2 x 2 pixels.
        background_color: (3,) or (B, 3).
        fill_back: Draw both sides of faces.
        camera_mode: "projection" (K, R, t), "look_at" (from `eye` to the origin), "look" (from
            `eye` along `camera_direction`); set to anything else afterwards it takes vertices as
            they are.
        K: (B, 3, 3) or (1, 3, 3) intrinsics in pixels of the original image, tensor or array.
        R: (B, 3, 3) or (1, 3, 3) rotation, world to camera.
        t: (B, 1, 3) or (1, 1, 3) translation.
        dist_coeffs: (B, 5) or (1, 5) lens distortion k1, k2, p1, p2, k3; None is none.
        orig_size: Side of the image that `K` refers to, or (height, width).
        perspective: False is a parallel projection ("look" and "look_at").
        viewing_angle: HALF the field of view in degrees.
        camera_direction: Of "look".
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn; the depth where no face is.
        light_intensity_ambient: Of the ambient light.
        light_intensity_directional: Of the directional light.
        light_color_ambient: (3,) or (B, 3).
        light_color_directional: (3,) or (B, 3).
        light_direction: (3,) or (B, 3), from the surface to the light.
        orthographic_size: Half the height that a parallel projection sees. If it is set, depth and
            textures are linear on the screen there; None is 1, interpolated as if through a lens,
            as in the original.
        compat: Repeat two faults of the original that published numbers depend on: silhouettes
            and depth use near 0.1, far 100 and eps 1e-4 whatever is set, and faces with a corner
            behind the camera are drawn as the triangle of their projected corners. Otherwise such
            faces are left out; nearer than `near`, single pixels are.

    Attributes:
        eye: (3,) or (B, 3), at first (0, 0, -(1 / tan(viewing_angle) + 1)).
        rasterizer_eps: Of the approximate gradient: at first 1e-3 for colours and 1e-4 for
            silhouettes alone, as in the original; what is set is used for both.

    Example:
        >>> renderer = Renderer(image_size=4, camera_mode="look_at")
        >>> corners = torch.tensor([[[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]])
        >>> renderer(corners, torch.tensor([[0, 1, 2]]), mode="silhouettes")[0].tolist()[3]
        [0.25, 0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        image_size: int | tuple[int, int] = 256,
        anti_aliasing: bool = True,
        background_color: Any = (0, 0, 0),
        fill_back: bool = True,
        camera_mode: str = "projection",
        K: Any = None,
        R: Any = None,
        t: Any = None,
        dist_coeffs: Any = None,
        orig_size: Size = 1024,
        perspective: bool = True,
        viewing_angle: float = 30,
        camera_direction: Any = (0, 0, 1),
        near: float = 0.1,
        far: float = 100,
        light_intensity_ambient: float = 0.5,
        light_intensity_directional: float = 0.5,
        light_color_ambient: Any = (1, 1, 1),
        light_color_directional: Any = (1, 1, 1),
        light_direction: Any = (0, 1, 0),
        orthographic_size: float | None = None,
        compat: bool = False,
    ) -> None:
        super().__init__()
        require(camera_mode, ("projection", "look", "look_at"), "camera_mode")
        self.image_size = image_size
        self.anti_aliasing = anti_aliasing
        self.background_color = _list(background_color)
        self.fill_back = fill_back
        self.camera_mode = camera_mode
        self.K, self.R, self.t = _tensor(K), _tensor(R), _tensor(t)
        self.dist_coeffs = torch.zeros(1, 5) if dist_coeffs is None else _tensor(dist_coeffs)
        self.orig_size = orig_size
        self.perspective = perspective
        self.viewing_angle = viewing_angle
        self.eye: Any = [0, 0, -(1 / math.tan(math.radians(viewing_angle)) + 1)]
        self.camera_direction = _list(camera_direction)
        self.near = near
        self.far = far
        self.light_intensity_ambient = light_intensity_ambient
        self.light_intensity_directional = light_intensity_directional
        self.light_color_ambient = _list(light_color_ambient)
        self.light_color_directional = _list(light_color_directional)
        self.light_direction = _list(light_direction)
        self.orthographic_size = orthographic_size
        self.compat = compat
        self._eps: float | None = None

    @property
    def rasterizer_eps(self) -> float:
        return _COLOUR_EPS if self._eps is None else self._eps

    @rasterizer_eps.setter
    def rasterizer_eps(self, value: float) -> None:
        self._eps = value

    def forward(
        self,
        vertices: Meshes,
        faces: Meshes,
        textures: Meshes | None = None,
        mode: str | None = None,
        K: Any = None,
        R: Any = None,
        t: Any = None,
        dist_coeffs: Any = None,
        orig_size: Size | None = None,
    ) -> Any:
        """Renders in a mode: None (all), "rgb", "silhouettes" or "depth".

        Camera arguments that are not None replace the stored ones for this call.

        Returns:
            What `render`, `render_rgb`, `render_silhouettes` or `render_depth` returns.

        Raises:
            UsageError: There is no such mode, or the camera lacks K, R or t.
            ShapeError: Tensors do not fit each other.
        """
        camera = (K, R, t, dist_coeffs, orig_size)
        if mode is None:
            return self.render(vertices, faces, textures, *camera)
        require(mode, ("rgb", "silhouettes", "depth"), "mode")
        if mode == "rgb":
            return self.render_rgb(vertices, faces, textures, *camera)
        draw: Callable[..., Tensor] = (
            self.render_silhouettes if mode == "silhouettes" else self.render_depth
        )
        return draw(vertices, faces, *camera)

    def render(
        self, vertices: Meshes, faces: Meshes, textures: Meshes | None, K: Any = None,
        R: Any = None, t: Any = None, dist_coeffs: Any = None, orig_size: Size | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Renders rgb (B, 3, H, W), depth (B, H, W) and alpha (B, H, W), in that order."""
        drawn = self._draw_colours(
            vertices,
            faces,
            textures,
            (K, R, t, dist_coeffs, orig_size),
            everything=True,
        )
        rgb, depth, alpha = drawn["rgb"], drawn["depth"], drawn["alpha"]
        assert rgb is not None and depth is not None and alpha is not None
        return rgb, depth, alpha

    def render_rgb(
        self, vertices: Meshes, faces: Meshes, textures: Meshes | None, K: Any = None,
        R: Any = None, t: Any = None, dist_coeffs: Any = None, orig_size: Size | None = None,
    ) -> Tensor:  # fmt: skip
        """Renders colours (B, 3, H, W)."""
        drawn = self._draw_colours(
            vertices,
            faces,
            textures,
            (K, R, t, dist_coeffs, orig_size),
            everything=False,
        )
        assert drawn["rgb"] is not None
        return drawn["rgb"]

    def render_silhouettes(
        self, vertices: Meshes, faces: Meshes, K: Any = None, R: Any = None, t: Any = None,
        dist_coeffs: Any = None, orig_size: Size | None = None,
    ) -> Tensor:  # fmt: skip
        """Renders silhouettes (B, H, W) in [0, 1]."""
        corners = self._corners(vertices, faces, (K, R, t, dist_coeffs, orig_size))
        alpha = _rasterize.rasterize_rgbad(
            corners, None, self.image_size, self.anti_aliasing, *self._limits(),
            return_rgb=False, return_depth=False, linear=self._linear,
        )["alpha"]  # fmt: skip
        assert alpha is not None
        return alpha

    def render_depth(
        self, vertices: Meshes, faces: Meshes, K: Any = None, R: Any = None, t: Any = None,
        dist_coeffs: Any = None, orig_size: Size | None = None,
    ) -> Tensor:  # fmt: skip
        """Renders depth (B, H, W), `far` where no face is; anti-aliasing mixes the two."""
        corners = self._corners(vertices, faces, (K, R, t, dist_coeffs, orig_size))
        depth = _rasterize.rasterize_rgbad(
            corners, None, self.image_size, self.anti_aliasing, *self._limits(),
            return_rgb=False, return_alpha=False, linear=self._linear,
        )["depth"]  # fmt: skip
        assert depth is not None
        return depth

    def render_face_maps(
        self, vertices: Meshes, faces: Meshes, K: Any = None, R: Any = None, t: Any = None,
        dist_coeffs: Any = None, orig_size: Size | None = None,
    ) -> FaceMaps:  # fmt: skip
        """Tells which face each pixel of the picture shows. No gradient."""
        vertices, faces, _ = _batch(vertices, faces, None)
        corners = self._corners(vertices, faces, (K, R, t, dist_coeffs, orig_size))
        height, width = _kernels._sides("Renderer", self.image_size)
        corners, bounds = corners.detach().float(), (self.near, self.far)
        if self._linear:
            corners, bounds = bend_depth(corners, *bounds)
        index, weights, depth = _kernels.rasterize_maps(corners, height, width, *bounds)
        if self._linear:
            depth = straighten_depth(depth, index, self.near, self.far)
        count = faces.shape[1]
        is_back = index >= count
        return FaceMaps(
            torch.where(is_back, index - count, index),
            is_back,
            torch.where(is_back[..., None], weights.flip(-1), weights),
            depth,
        )

    def _draw_colours(
        self, vertices: Meshes, faces: Meshes, textures: Meshes | None,
        camera: tuple[Any, ...], everything: bool,
    ) -> dict[str, Tensor | None]:  # fmt: skip
        vertices, faces, textures = _batch(vertices, faces, textures)
        if textures is None:
            raise ShapeError("Renderer", "textures", "(B, F, T, T, T, 3) for colours", None)
        if textures.ndim == 3:
            textures = textures_from_vertex_colors(textures, faces)
        elif textures.ndim == 5:
            textures = textures[None].expand(len(vertices), *textures.shape)
        side = textures.shape[2] if textures.ndim == 6 else 0
        if tuple(textures.shape) != (*faces.shape[:2], side, side, side, 3):
            expected = f"({faces.shape[0]}, {faces.shape[1]}, T, T, T, 3), or colours of vertices"
            raise ShapeError("Renderer", "textures", expected, tuple(textures.shape))
        fronts, backs = face_lights(
            vertices_to_faces(vertices, _once(faces)),
            self.light_intensity_ambient, self.light_intensity_directional,
            self.light_color_ambient, self.light_color_directional, self.light_direction,
        )  # fmt: skip
        return _rasterize.rasterize_rgbad(
            self._corners(vertices, faces, camera), textures, self.image_size,
            self.anti_aliasing, self.near, self.far, self.rasterizer_eps, self.background_color,
            return_alpha=everything, return_depth=everything, linear=self._linear,
            light=torch.cat((fronts, backs), 1) if self.fill_back else fronts,
            fill_back=self.fill_back,
        )  # fmt: skip

    def _corners(self, vertices: Meshes, faces: Meshes, camera: tuple[Any, ...]) -> Tensor:
        """Faces on the screen."""
        vertices, faces, _ = _batch(vertices, faces, None)
        height, width = _kernels._sides("Renderer", self.image_size)
        if self.camera_mode == "projection":
            screen, behind = self._project(vertices, camera)
        elif self.camera_mode in ("look_at", "look"):
            screen = (
                look_at(vertices, self.eye)
                if self.camera_mode == "look_at"
                else look(vertices, self.eye, self.camera_direction)
            )
            behind = screen[..., 2] <= 0
            if not self.perspective:
                screen = orthographic(screen, self.orthographic_size or 1.0)
            elif self.compat:
                screen = perspective(screen, self.viewing_angle)
            else:
                # Their faces are not drawn, but a depth of 0 must not make a gradient NaN.
                safe = torch.where(behind, torch.ones_like(screen[..., 2]), screen[..., 2])
                screen = torch.cat((screen[..., :2], safe[..., None]), dim=-1)
                screen = perspective(screen, self.viewing_angle)
            if height != width:
                scale = screen.new_tensor([height / width, 1, 1])
                screen = screen * scale
        else:
            screen, behind = vertices, vertices[..., 2] <= 0
        sides = self._sides(_once(faces))
        corners = vertices_to_faces(screen, sides)
        # To ask a CUDA device whether anything is behind would be to wait for it.
        if self.compat or (behind.device.type == "cpu" and not bool(behind.any())):
            return corners
        rows = torch.arange(len(vertices), device=vertices.device)[:, None, None]
        hidden = behind[rows, sides.long()].any(-1)
        return corners.masked_fill(hidden[:, :, None, None], math.nan)

    def _project(self, vertices: Tensor, camera: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        stored = (self.K, self.R, self.t, self.dist_coeffs)
        given = [
            _like(mine if now is None else now, vertices)
            for now, mine in zip(camera, stored, strict=False)
        ]
        for name, value in zip("KRt", given, strict=False):
            if value is None:
                raise UsageError(
                    f"camera_mode 'projection' needs {name}",
                    hint="Renderer(K=..., R=..., t=...), or camera_mode='look_at'",
                )
        K, R, t, dist_coeffs = given
        assert K is not None and R is not None and t is not None and dist_coeffs is not None
        size = self.orig_size if camera[4] is None else camera[4]
        if not self.compat:
            # The faces of what is behind are not drawn, but must not make a gradient NaN.
            return projection_ahead(vertices, K, R, t, dist_coeffs, size)
        screen = projection(vertices, K, R, t, dist_coeffs, size)
        return screen, screen[..., 2] <= 0

    def _sides(self, faces: Tensor) -> Tensor:
        return torch.cat((faces, faces.flip(-1)), dim=1) if self.fill_back else faces

    @property
    def _linear(self) -> bool:
        """Whether depth and textures are interpolated as in a parallel projection."""
        looks = self.camera_mode in ("look_at", "look")
        return looks and not self.perspective and self.orthographic_size is not None

    def _limits(self) -> tuple[float, float, float]:
        """near, far, eps of silhouettes and depth."""
        usual = _rasterize.DEFAULT_EPS
        if self.compat:
            return _rasterize.DEFAULT_NEAR, _rasterize.DEFAULT_FAR, usual
        return self.near, self.far, usual if self._eps is None else self._eps


def _batch(
    vertices: Meshes, faces: Meshes, textures: Meshes | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Tensors with a batch axis, from tensors or lists of meshes."""
    lists = [isinstance(one, (list, tuple)) for one in (vertices, faces)]
    if all(lists):
        return pad_meshes(vertices, faces, textures)  # type: ignore[arg-type]
    if any(lists):
        raise ShapeError("Renderer", "vertices and faces", "both tensors or both lists", "one each")
    for name, value in (("vertices", vertices), ("faces", faces)):
        if not isinstance(value, Tensor):
            raise ShapeError(
                "Renderer", name, "a tensor or a list of tensors", type(value).__name__
            )
    assert isinstance(vertices, Tensor) and isinstance(faces, Tensor)
    if vertices.ndim != 3:
        raise ShapeError("Renderer", "vertices", "(B, V, 3)", tuple(vertices.shape))
    if faces.ndim == 2:
        faces = faces[None].expand(len(vertices), -1, -1)
    if textures is not None and not isinstance(textures, Tensor):
        raise ShapeError("Renderer", "textures", "a tensor like vertices", type(textures).__name__)
    return vertices, faces, textures


def _once(faces: Tensor) -> Tensor:
    """Faces (1, F, 3) where all meshes of the batch share them in memory, else as they are."""
    return faces[:1] if faces.stride(0) == 0 else faces


def _list(value: Any) -> Any:
    """The defaults as the port's lists, of which programs change single items."""
    return list(value) if isinstance(value, tuple) else value


def _tensor(value: Any) -> Tensor | None:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _like(value: Any, vertices: Tensor) -> Tensor | None:
    if value is None:
        return None
    return torch.as_tensor(value, dtype=vertices.dtype, device=vertices.device)
