"""From picture files to shapes, by any baseline that looks at pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbench.baselines import get_spec, load_baseline
from benchbench.core.errors import InputError, UsageError
from benchbench.core.types import Mesh, Voxels
from benchbench.reconstruction.pictures import Colours, PictureFiles, read_picture
from benchbench.reconstruction.shapes import as_mesh, write_shape

MASKS = {
    "alpha": "the mask is its alpha",
    "background": "it has no alpha; the mask is what its plain background leaves",
    "whole": "it has neither alpha nor a plain background; all of it is taken for the object",
}


@dataclass(frozen=True)
class Reconstruction:
    """One shape out of one or several pictures.

    Attributes:
        pictures: The files.
        masks: What the mask of each was: "alpha", "background" or "whole".
        shape: Object frame.
        threshold: Of voxels, or None.
    """

    pictures: tuple[Path, ...]
    masks: tuple[str, ...]
    shape: Mesh | Voxels
    threshold: float | None

    def surface(self) -> Mesh:
        """The shape as a mesh."""
        return as_mesh(self.shape, self.threshold)

    def write(self, path: Path) -> None:
        """Write the shape; the ending says the kind of file."""
        write_shape(self.shape, path, self.threshold)


class Reconstructor:
    """A baseline that is given picture files.

    Args:
        name: Baseline id.
        checkpoint: File of weights, or None for the shipped ones.
        device: "cpu" or "cuda".
        settings: The baseline's own parameters.
        together: The pictures given at once are views of one object.
        colours: "inverted" where pictures are as in Kato's archive already.

    Raises:
        UsageError: The baseline looks at no pictures, or at one only.

    Example:
        >>> Reconstructor("gt")
        Traceback (most recent call last):
        benchbench.core.errors.UsageError: 'gt' reconstructs nothing from a picture: ...
    """

    def __init__(
        self,
        name: str,
        checkpoint: Path | None = None,
        device: str = "cpu",
        settings: dict[str, Any] | None = None,
        together: int = 1,
        colours: Colours = "straight",
    ) -> None:
        self.spec = get_spec(name)
        if self.spec.takes != "image" or self.spec.trainer is None:
            given = {"class": "it is told the class", "truth": "it is told the truth"}
            why = given.get(self.spec.takes, "it looks shapes up in a data set")
            raise UsageError(
                f"'{name}' reconstructs nothing from a picture: {why}",
                hint="bench reconstruct IMAGE --baseline kato -o out.obj",
            )
        parameters = dict(settings or {})
        if together > 1:
            if not self.spec.several_views:
                raise UsageError(
                    f"'{name}' takes one picture of an object, {together} were given",
                    hint="for a shape of each picture: -o 'out/{name}.obj'",
                )
            parameters["views"] = together
        self.together = together
        self.colours = colours
        self.baseline = load_baseline(name, checkpoint, device, **parameters)

    def __call__(self, paths: Sequence[Path]) -> Reconstruction:
        """The shape of the object that the pictures show.

        Args:
            paths: One picture, or as many as `together` says.

        Raises:
            MissingError: A file is not there.
            InputError: A file is no picture, or nothing came out.
        """
        read = [read_picture(path) for path in paths]
        files = PictureFiles(
            [picture for picture, _ in read],
            whole=all(mask == "whole" for _, mask in read),
            colours=self.colours,
        )
        item = (0, -1) if self.together > 1 else (0, 0)
        (shape,) = self.baseline.predict_items(files, [item])
        if not isinstance(shape, (Mesh, Voxels)):
            raise InputError(f"'{self.spec.id}' gave no shape for '{paths[0]}'")
        return Reconstruction(
            tuple(paths), tuple(mask for _, mask in read), shape, self.baseline.threshold
        )
