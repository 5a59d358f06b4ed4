"""The three forms of data that learn3D knows, and what each means for camera, picture and frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.kato.model import TO_OBJECT
from benchbench.baselines.spec import InputForm
from benchbench.core.errors import UsageError
from benchbench.core.names import require
from benchbench.datasets.pascal3d.camera import CAD_TO_OBJECT_AXES
from benchbench.datasets.pascal3d_vpl.convert import B

_CAD_UNIT = (
    0.5  # the mesh frame of PASCAL3D+ spans -1 to 1 where the CAD model's box has diagonal 1
)


@dataclass(frozen=True)
class Form:
    """One form of data.

    Attributes:
        id: "kato", "lsm" or "pascal".
        half_field: Half the field of view in degrees; None for the orthographic camera.
        channels: Order of the pictures' channels.
        colours: How colours are handed over, see `InputForm`.
        background: On which a picture with alpha is put.
        resize: Rule for pictures of another size.
        mask: Where the mask comes from.
        renderings: Those it was made for, best first.
    """

    id: str
    half_field: float | None
    channels: str
    colours: Literal["inverted", "over", "keyed", "stored"]
    background: int
    resize: str
    mask: Literal["alpha", "depth"]
    renderings: tuple[str, ...]

    def input(self, size: int) -> InputForm:
        """The pictures that an encoder for `size` pixels takes, before they are normalised."""
        return InputForm(
            size,
            self.channels,
            self.colours,
            background=self.background or None,
            resize=self.resize,
            mask=self.mask,
            kind="float32" if self.resize == "antialiased" else "uint8",
        )

    def frame_to_object(self, store: Any, index: int) -> NDArray[np.float64]:
        """(4, 4) from the method's mesh frame to the object frame.

        The frames of Kato's and of LSM's data are mirror images, (X, Y, Z) = (-z, y, -x). That of
        PASCAL3D+ turns the CAD model's axes, and its unit is half the diagonal of the model's box;
        how long the longest side is, only the set can tell.

        Args:
            store: The data set of the picture, or None where there is none.
            index: Row of the object.
        """
        if self.id != "pascal":
            return TO_OBJECT
        to_cad = np.eye(4)
        to_cad[:3, :3] = _CAD_UNIT * B
        to_object = np.eye(4)
        to_object[:3, :3] = CAD_TO_OBJECT_AXES
        if store is not None and store.id.startswith("pascal3d"):
            to_object = store.source_to_object(index)
        return to_object @ to_cad


FORMS = {
    "kato": Form("kato", 15.0, "rgba", "inverted", 0, "area", "alpha", ("kato", "choy")),
    "lsm": Form(
        "lsm", math.degrees(math.atan(16 / 60)), "bgra", "stored", 0, "antialiased", "depth",
        ("lsm", "kato", "choy"),
    ),
    "pascal": Form(
        "pascal", None, "rgb", "over", 255, "bilinear", "alpha", ("crop", "kato", "choy")
    ),
}  # fmt: skip


def form_of(name: str | None, channels_in: int, recorded: str | None) -> Form:
    """The form of a checkpoint.

    Args:
        name: As the user asked, or None.
        channels_in: Of its encoder.
        recorded: As its file says, or None.

    Raises:
        UsageError: No such form, or one with another number of channels.

    Example:
        >>> form_of(None, 4, None).id, form_of(None, 3, None).id, form_of("lsm", 4, None).id
        ('kato', 'pascal', 'lsm')
    """
    chosen = name or recorded or ("pascal" if channels_in == 3 else "kato")
    form = FORMS[require(chosen, tuple(FORMS), "form")]
    if len(form.channels) != channels_in:
        raise UsageError(
            f"form '{form.id}' has pictures of {len(form.channels)} channels, the encoder of this "
            f"checkpoint takes {channels_in}",
            hint="leave form out",
        )
    return form
