"""3D-R2N2's baseline, ready to predict."""

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
from benchbench.baselines.inputs import as_floats, choose_rendering, network_pictures
from benchbench.baselines.r2n2.architecture import IMAGE_SIZE
from benchbench.baselines.r2n2.network import Network, check_images, probabilities
from benchbench.baselines.r2n2.spec import INPUT, SPEC, R2N2Parameters
from benchbench.baselines.r2n2.weights import Checkpoint, read_checkpoint
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import UsageError
from benchbench.core.files import sha256_file
from benchbench.core.types import Voxels


@dataclass(frozen=True)
class Grids:
    """A batch of occupancy grids.

    Attributes:
        occupancy: (B, 32, 32, 32) float32 probabilities, indexed [x, y, z].
        grid_to_object: (4, 4) float64, cell index coordinates to the object frame.
    """

    occupancy: Tensor
    grid_to_object: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.occupancy)

    def to_object(self) -> list[Voxels]:
        """One prediction per object."""
        grids = self.occupancy.detach().cpu().numpy()
        return [Voxels(grid, self.grid_to_object) for grid in grids]


class R2N2Baseline:
    """One of 3D-R2N2's networks with weights.

    Args:
        checkpoint: Architecture, weights, threshold and grid.
        name: What the captions call the weights.
        checkpoint_hash: sha256 of the checkpoint file.
        device: Where it runs.
        parameters: Block size, rendering, views, threshold.

    Attributes:
        uses_views: True: it looks at pictures.
        block_size: Objects in one forward pass.
        checkpoint_hash: sha256 of the checkpoint file.
        caption: Names the network and the weights.
        training: The objects that made the weights, where that is known.
        settings: What can change a number, beside the weights.
        threshold: A cell is occupied if its probability is at least this.
    """

    spec = SPEC
    uses_views = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        name: str,
        checkpoint_hash: str,
        device: str = "cpu",
        parameters: R2N2Parameters | None = None,
    ) -> None:
        self.parameters = parameters or R2N2Parameters()
        for field in ("block_size", "views"):
            if (value := getattr(self.parameters, field)) < 1:
                raise UsageError(f"{field} {value} is below 1")
        wanted = self.parameters.threshold
        self.threshold: float | None = checkpoint.threshold if wanted is None else wanted
        if not 0 < self.threshold < 1:
            raise UsageError(f"a threshold of {self.threshold} is not between 0 and 1")
        self.device = device
        self.architecture = checkpoint.architecture
        self.grid_to_object = checkpoint.grid_to_object
        self.network = Network(checkpoint.architecture)
        self.network.load(checkpoint.tensors)
        self.network.to(device).eval()
        self.block_size = self.parameters.block_size
        self.checkpoint_hash = checkpoint_hash
        self.caption = (
            f"r2n2 ({self.architecture.kind.paper}), weights {name} ({checkpoint_hash[:8]}), "
            f"threshold {self.threshold:g}"
        )
        self.training: TrainingIds | None = None
        self.settings: dict[str, Any] = asdict(self.parameters)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Grids:
        """Reconstructs one grid per object from its pictures, in one forward pass.

        Args:
            images: (B, T, 3, 127, 127) float32 in [0, 1], RGB on grey 240, T pictures of each
                object, as `benchbench.baselines.inputs` makes them.

        Returns:
            B grids of 32^3 probabilities with their place in the object frame.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("predict", images)
        logits = self.network(images.to(self.device))
        return Grids(probabilities(logits), self.grid_to_object)

    def rendering(self, store: Any) -> str:
        """The rendering of a data set that is looked at."""
        return choose_rendering(store, self.parameters.rendering, SPEC.renderings)

    def predict_items(self, store: Any, items: Sequence[tuple[int, int]]) -> list[Voxels]:
        """Grids of (object, view) pairs in the object frame.

        View -1 stands for the object's first views together, as many as the parameter `views`
        says, or all that it has where these are fewer. Whatever the items, forward passes have
        `block_size` objects, the missing ones without a picture.

        Args:
            store: The data set.
            items: (object index, view); at most one block keeps memory small.
        """
        rendering = self.rendering(store)
        found: list[Voxels] = []
        for start in range(0, len(items), self.block_size):
            block = items[start : start + self.block_size]
            views = [self._views(store, item, rendering) for item in block]
            grids: list[Voxels | None] = [None] * len(block)
            # Objects with equally many views fit into one tensor; nearly always that is all.
            for count in sorted(set(map(len, views))):
                places = [n for n, seen in enumerate(views) if len(seen) == count]
                pairs = [(block[n][0], view) for n in places for view in views[n]]
                images = torch.zeros(self.block_size, count, 3, IMAGE_SIZE, IMAGE_SIZE)
                pictures = as_floats(network_pictures(store, pairs, rendering, INPUT))
                images[: len(places)] = torch.from_numpy(pictures).unflatten(0, (-1, count))
                predicted = self.predict(images).to_object()
                for n, grid in zip(places, predicted, strict=False):
                    grids[n] = grid
            found += [grid for grid in grids if grid is not None]
        return found

    def _views(self, store: Any, item: tuple[int, int], rendering: str) -> list[int]:
        index, view = item
        if view >= 0:
            return [view]
        count = min(self.parameters.views, store.view_count(index, rendering))
        if count < 1:
            raise UsageError(f"object '{store.object_ids[index]}' has no picture")
        return list(range(count))


def load(
    checkpoint: str | Path | None, device: str = "cpu", parameters: R2N2Parameters | None = None
) -> R2N2Baseline:
    """Builds the baseline from a checkpoint, or from the shipped weights.

    Raises:
        MissingError: No such file, or no shipped weights in this installation.
        InputError: The file cannot be read.
        CheckError: The file holds another architecture.
        UsageError: The device is not there, or the file is of another network than named.
    """
    check_device(device)
    parameters = parameters or R2N2Parameters()
    path = shipped_checkpoint("r2n2") if checkpoint is None else Path(checkpoint)
    content = read_checkpoint(path, parameters.network)
    name = f"shipped with the package, trained on {path.stem}" if checkpoint is None else path.name
    baseline = R2N2Baseline(content, name, sha256_file(path), device, parameters)
    baseline.training = read_training(path)
    return baseline
