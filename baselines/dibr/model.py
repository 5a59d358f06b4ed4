"""DIB-R's single-image baseline, ready to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbench.baselines.checkpoints import read_training, shipped_checkpoint
from benchbench.baselines.devices import check_device
from benchbench.baselines.dibr.network import Network, check_images, normalise_meshes
from benchbench.baselines.dibr.spec import INPUT, SPEC, DibrParameters
from benchbench.baselines.dibr.template import sphere
from benchbench.baselines.dibr.weights import read_checkpoint
from benchbench.baselines.inputs import PictureStore, choose_rendering, network_pictures
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import ShapeError, UsageError
from benchbench.core.files import sha256_file
from benchbench.core.types import Mesh


@dataclass(frozen=True)
class ColouredMeshes:
    """A batch of meshes with shared faces. The method's frame is the object frame.

    Attributes:
        vertices: (B, V, 3) float32, bounding box centred, its longest side 1.
        faces: (F, 3) int32, counter-clockwise from outside.
        colours: (B, V, 3) float32 in [0, 1], R, G, B.
    """

    vertices: Tensor
    faces: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.vertices)

    def to_object(self) -> list[Mesh]:
        """The shapes in the object frame, without their colours."""
        faces = self.faces.cpu().numpy().astype(np.int32)
        return [Mesh(mesh, faces) for mesh in self.vertices.detach().cpu().numpy()]


class DibrBaseline:
    """DIB-R's network with weights.

    Args:
        network: The network.
        image_size: Side of the pictures it was trained on, pixels.
        name: What the captions call the weights.
        checkpoint_hash: sha256 of the checkpoint file.
        device: Where it runs.
        parameters: Block size and rendering.

    Attributes:
        input: The pictures it takes.
        uses_views: True: one prediction per picture.
        block_size: Pictures in one forward pass.
        checkpoint_hash: sha256 of the checkpoint file.
        caption: Names the weights.
        training: The objects that made the weights, where that is known.
        settings: What can change a number, beside the weights.
        threshold: None; the output is a mesh.
    """

    spec = SPEC
    uses_views = True
    threshold: float | None = None

    def __init__(
        self,
        network: Network,
        image_size: int,
        name: str,
        checkpoint_hash: str,
        device: str = "cpu",
        parameters: DibrParameters | None = None,
    ) -> None:
        self.parameters = parameters or DibrParameters()
        if self.parameters.block_size < 1:
            raise UsageError(f"block_size {self.parameters.block_size} is below 1")
        self.device = device
        self.input = replace(INPUT, size=image_size)
        self.network = network.to(device).eval()
        self.block_size = self.parameters.block_size
        self.checkpoint_hash = checkpoint_hash
        self.caption = f"dibr, weights {name} ({checkpoint_hash[:8]})"
        self.training: TrainingIds | None = None
        self.settings: dict[str, Any] = asdict(self.parameters)
        self._faces = torch.tensor(sphere(network.widths.level)[1], device=device)

    @torch.no_grad()
    def predict(self, images: Tensor) -> ColouredMeshes:
        """Reconstructs one mesh per picture, in one forward pass.

        Args:
            images: (B, 3, S, S) float32 in [0, 1], channels B, G, R on white, S the side that the
                weights were trained on (224 for the authors'), as `benchbench.baselines.inputs`
                makes them of the form `self.input`.

        Returns:
            B meshes of 642 vertices and 1280 faces (fewer in reduced weights) with colours.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("predict", images)
        side = self.input.size
        if images.shape[2] != side:
            raise ShapeError("predict", "images", f"(B, 3, {side}, {side})", tuple(images.shape))
        vertices, _, colours = self.network(images.to(self.device))
        return ColouredMeshes(normalise_meshes(vertices), self._faces, colours.flip(-1))

    def rendering(self, store: PictureStore) -> str:
        """The rendering of a data set that is looked at."""
        return choose_rendering(store, self.parameters.rendering, SPEC.renderings)

    def predict_items(self, store: PictureStore, items: Sequence[tuple[int, int]]) -> list[Mesh]:
        """Meshes of (object, view) pairs in the object frame.

        The pairs are padded to whole blocks with white pictures, so that what comes out for a
        picture depends on its place in the block only through the block size.

        Args:
            store: The data set.
            items: (object index, view); at most one block keeps memory small.
        """
        rendering = self.rendering(store)
        side = self.input.size
        meshes: list[Mesh] = []
        for start in range(0, len(items), self.block_size):
            block = items[start : start + self.block_size]
            images = torch.ones(self.block_size, 3, side, side)
            pictures = network_pictures(store, block, rendering, self.input)
            images[: len(block)] = torch.from_numpy(pictures)
            meshes += self.predict(images).to_object()[: len(block)]
        return meshes


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: DibrParameters | None = None
) -> DibrBaseline:
    """Builds the baseline from a checkpoint, or from the shipped weights.

    Raises:
        MissingError: No such file, or no shipped weights in this installation.
        InputError: The file cannot be read.
        CheckError: The file holds another architecture.
        UsageError: The device is not there.
    """
    check_device(device)
    path = shipped_checkpoint(SPEC.id) if checkpoint is None else Path(checkpoint)
    widths, size, tensors = read_checkpoint(path)
    network = Network(widths)
    network.load_tensors(tensors)
    name = f"shipped with the package, trained on {path.stem}" if checkpoint is None else path.name
    baseline = DibrBaseline(network, size, name, sha256_file(path), device, parameters)
    baseline.training = read_training(path)
    return baseline
