"""learn3D's baseline, ready to predict, to encode and to decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbench.baselines.checkpoints import read_training, shipped_checkpoint
from benchbench.baselines.devices import check_device
from benchbench.baselines.inputs import choose_rendering
from benchbench.baselines.kato.model import Meshes
from benchbench.baselines.learn3d.forms import FORMS, Form, form_of
from benchbench.baselines.learn3d.network import Network, check_images
from benchbench.baselines.learn3d.pictures import encoder_pictures
from benchbench.baselines.learn3d.spec import SPEC, Learn3dParameters
from benchbench.baselines.learn3d.sphere import sphere
from benchbench.baselines.learn3d.weights import load_tensors, pair_hash, read_checkpoint
from benchbench.baselines.spec import BaselineSpec
from benchbench.baselines.training_ids import TrainingIds
from benchbench.core.errors import ShapeError, UsageError
from benchbench.core.names import require
from benchbench.core.types import Mesh

SHIPPED = ("shapes13", "shapes13-plain")


class Learn3dBaseline:
    """learn3D's network with weights; View Prior Learning's, as re-implemented there, is the same.

    Args:
        network: The network.
        name: What the captions call the weights.
        checkpoint_hash: sha256 of the checkpoint.
        device: Where it runs.
        parameters: Block size and rendering.
        form: Of the data that it was trained on.
        spec: Of the method.

    Attributes:
        uses_views: True: one prediction per picture.
        block_size: Pictures in one forward pass.
        checkpoint_hash: sha256 of the checkpoint.
        caption: Names the weights.
        training: The objects that made the weights, where that is known.
        settings: What can change a number, beside the weights.
        threshold: None; the output is a mesh.
    """

    uses_views = True
    threshold: float | None = None

    def __init__(
        self,
        network: Network,
        name: str,
        checkpoint_hash: str,
        device: str = "cpu",
        parameters: Any = None,
        form: Form = FORMS["kato"],
        spec: BaselineSpec = SPEC,
    ) -> None:
        self.parameters = parameters or spec.parameters()
        if self.parameters.block_size < 1:
            raise UsageError(f"block_size {self.parameters.block_size} is below 1")
        self.spec, self.form, self.device = spec, form, device
        self.network = network.to(device).eval()
        self.block_size: int = self.parameters.block_size
        self.checkpoint_hash = checkpoint_hash
        self.caption = f"{spec.id}, weights {name} ({checkpoint_hash[:8]})"
        self.training: TrainingIds | None = None
        self.settings: dict[str, Any] = {**asdict(self.parameters), "form": form.id}
        self._faces = torch.tensor(sphere(network.widths.vertices)[1], device=device)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Meshes:
        """Reconstructs one mesh per picture, in one forward pass.

        Args:
            images: (B, C, S, S) float32, as `learn3d.pictures.encoder_pictures` makes them:
                (B, 4, 64, 64) in [0, 1] for the shipped weights.

        Returns:
            B meshes of the template's vertices in the method's frame.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("predict", images, self.network.widths)
        return self._meshes(self.network(images.to(self.device))[1])

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Shape codes of pictures.

        Args:
            images: As for `predict`.

        Returns:
            (B, D) float32.

        Raises:
            ShapeError: Another shape or type.
        """
        check_images("encode", images, self.network.widths)
        codes: Tensor = self.network.encoder(images.to(self.device))
        return codes

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Meshes:
        """Meshes of shape codes.

        Args:
            codes: (B, D) float32.

        Raises:
            ShapeError: Another shape or type.
        """
        latent = self.network.widths.latent
        if codes.ndim != 2 or codes.shape[1] != latent or codes.dtype != torch.float32:
            got = f"{tuple(codes.shape)} {str(codes.dtype).removeprefix('torch.')}"
            raise ShapeError("decode", "codes", f"(B, {latent}) float32", got)
        return self._meshes(self.network.generator(codes.to(self.device)))

    def rendering(self, store: Any) -> str:
        """The rendering of a data set that is looked at."""
        return choose_rendering(store, self.parameters.rendering, self.form.renderings)

    def images(self, store: Any, items: Sequence[tuple[int, int]]) -> Tensor:
        """Pictures of (object, view) pairs as the encoder takes them: (B, C, S, S) float32."""
        size = self.network.widths.image_size
        return encoder_pictures(store, items, self.form, self.rendering(store), size)

    def codes_of(self, store: Any, items: Sequence[tuple[int, int]]) -> Tensor:
        """Shape codes (B, D) of (object, view) pairs, in whole blocks as `predict_items`."""
        return self._in_blocks(store, items, self.encode)

    def predict_items(self, store: Any, items: Sequence[tuple[int, int]]) -> list[Mesh]:
        """Meshes of (object, view) pairs in the object frame.

        The pairs are padded to whole blocks with empty pictures, so that what comes out for a
        picture depends on its place in the block only through the block size.

        Args:
            store: The data set.
            items: (object index, view); at most one block keeps memory small.
        """
        if not items:
            return []
        vertices = self._in_blocks(store, items, lambda images: self.predict(images).vertices)
        meshes: list[Mesh] = []
        for (index, _), one in zip(items, vertices, strict=True):
            frame = self.form.frame_to_object(store, index)
            meshes += Meshes(one[None], self._faces, frame).to_object()
        return meshes

    def _in_blocks(self, store: Any, items: Sequence[tuple[int, int]], function: Any) -> Tensor:
        found = []
        for start in range(0, len(items), self.block_size):
            block = items[start : start + self.block_size]
            given = self.images(store, block)
            images = given.new_zeros(self.block_size, *given.shape[1:])
            images[: len(block)] = given
            found.append(function(images)[: len(block)])
        return torch.cat(found)

    def _meshes(self, vertices: Tensor) -> Meshes:
        return Meshes(vertices, self._faces, self.form.frame_to_object(None, 0))


def load(
    checkpoint: str | Path | None,
    device: str = "cpu",
    parameters: Learn3dParameters | None = None,
) -> Learn3dBaseline:
    """Builds the baseline from a checkpoint, or from the shipped weights.

    Raises:
        MissingError: No such file, or no shipped weights in this installation.
        InputError: The file cannot be read.
        CheckError: The file holds another architecture.
        UsageError: The device is not there, or the form does not fit.
    """
    parameters = parameters or Learn3dParameters()
    stem = require(parameters.weights, SHIPPED, "weights")
    return build(SPEC, checkpoint, device, parameters, stem, parameters.form)


def build(
    spec: BaselineSpec,
    checkpoint: str | Path | None,
    device: str,
    parameters: Any,
    stem: str,
    form: str | None,
) -> Learn3dBaseline:
    """`load` of a method which has this network.

    Args:
        spec: Of the method.
        checkpoint: File or folder, or None for the shipped weights.
        device: "cpu" or "cuda".
        parameters: Of the method.
        stem: Which of the shipped weights.
        form: As the user asked, or None.
    """
    check_device(device)
    path = shipped_checkpoint(spec.id, stem) if checkpoint is None else Path(checkpoint)
    widths, tensors, recorded = read_checkpoint(path, spec.id)
    chosen = form_of(form, widths.channels_in, recorded)
    network = Network(widths)
    load_tensors(network, tensors)
    name = f"shipped with the package, trained on {stem}" if checkpoint is None else path.name
    baseline = Learn3dBaseline(network, name, pair_hash(path), device, parameters, chosen, spec)
    if path.is_file():
        baseline.training = read_training(path)
    return baseline
