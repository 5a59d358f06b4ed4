"""Kato's baseline, ready to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.checkpoints import read_training, shipped_checkpoint
from benchbench.baselines.devices import check_device
from benchbench.baselines.inputs import (
    PictureStore,
    as_floats,
    choose_rendering,
    network_pictures,
)
from benchbench.baselines.kato.network import Network, check_images
from benchbench.baselines.kato.spec import INPUT, SPEC, KatoParameters
from benchbench.baselines.kato.template import sphere_642
from benchbench.baselines.kato.weights import read_checkpoint
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import UsageError
from benchbench.core.files import sha256_file
from benchbench.core.types import Mesh

# The mesh frame of the method is a mirror image: (X, Y, Z) of the object = (-z, y, -x).
TO_OBJECT: NDArray[np.float64] = np.array(
    [[0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)


@dataclass(frozen=True)
class Meshes:
    """A batch of meshes with shared faces, in the method's own frame.

    Attributes:
        vertices: (B, V, 3) float32.
        faces: (F, 3) int32.
        frame_to_object: (4, 4) float64 from the method's frame to the object frame.
    """

    vertices: Tensor
    faces: Tensor
    frame_to_object: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.vertices)

    def to_object(self) -> list[Mesh]:
        """The meshes in the object frame; a mirroring frame change flips the winding."""
        matrix = self.frame_to_object
        vertices = self.vertices.detach().cpu().numpy()
        faces = self.faces.cpu().numpy().astype(np.int32)
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = np.ascontiguousarray(faces[:, ::-1])
        moved = vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        return [Mesh(mesh, faces) for mesh in moved.astype(np.float32)]


class KatoBaseline:
    """Kato's network with weights.

    Args:
        network: The network.
        name: What the captions call the weights.
        checkpoint_hash: sha256 of the checkpoint file.
        device: Where it runs.
        parameters: Block size and rendering.

    Attributes:
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
        name: str,
        checkpoint_hash: str,
        device: str = "cpu",
        parameters: KatoParameters | None = None,
    ) -> None:
        self.parameters = parameters or KatoParameters()
        if self.parameters.block_size < 1:
            raise UsageError(f"block_size {self.parameters.block_size} is below 1")
        self.device = device
        self.network = network.to(device).eval()
        self.block_size = self.parameters.block_size
        self.checkpoint_hash = checkpoint_hash
        self.caption = f"kato, weights {name} ({checkpoint_hash[:8]})"
        self.training: TrainingIds | None = None
        self.settings: dict[str, Any] = asdict(self.parameters)
        self._faces = torch.tensor(sphere_642()[1], device=device)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Meshes:
        """Reconstructs one mesh per picture, in one forward pass.

        Args:
            images: (B, 4, 64, 64) float32 in [0, 1], as `benchbench.baselines.inputs` makes them.

        Returns:
            B meshes of 642 vertices and 1280 faces in the method's frame.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("predict", images)
        return Meshes(self.network(images.to(self.device)), self._faces, TO_OBJECT)

    def rendering(self, store: PictureStore) -> str:
        """The rendering of a data set that is looked at."""
        return choose_rendering(store, self.parameters.rendering, SPEC.renderings)

    def predict_items(self, store: PictureStore, items: Sequence[tuple[int, int]]) -> list[Mesh]:
        """Meshes of (object, view) pairs in the object frame.

        The pairs are padded to whole blocks with empty pictures, so that what comes out for a
        picture depends on its place in the block only through the block size.

        Args:
            store: The data set.
            items: (object index, view); at most one block keeps memory small.
        """
        rendering = self.rendering(store)
        meshes: list[Mesh] = []
        for start in range(0, len(items), self.block_size):
            block = items[start : start + self.block_size]
            images = torch.zeros(self.block_size, 4, 64, 64)
            pictures = network_pictures(store, block, rendering, INPUT)
            images[: len(block)] = torch.from_numpy(as_floats(pictures))
            meshes += self.predict(images).to_object()[: len(block)]
        return meshes


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: KatoParameters | None = None
) -> KatoBaseline:
    """Builds the baseline from a checkpoint, or from the shipped weights.

    Raises:
        MissingError: No such file, or no shipped weights in this installation.
        InputError: The file cannot be read.
        CheckError: The file holds another architecture.
        UsageError: The device is not there.
    """
    check_device(device)
    path = shipped_checkpoint(SPEC.id) if checkpoint is None else Path(checkpoint)
    widths, tensors = read_checkpoint(path)
    network = Network(widths)
    network.load(tensors)
    name = f"shipped with the package, trained on {path.stem}" if checkpoint is None else path.name
    baseline = KatoBaseline(network, name, sha256_file(path), device, parameters)
    baseline.training = read_training(path)
    return baseline
