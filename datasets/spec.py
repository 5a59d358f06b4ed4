"""What a data set says about itself (light: no numpy), and what `prepare` reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """One file to be fetched.

    Attributes:
        name: File name.
        mirrors: Addresses in the order in which they are tried.
        bytes: Length, or None where nobody published it.
        sha256: Hex digest, or None where nobody published it.
        about_bytes: A guess for the check of free space where `bytes` is unknown.
        md5: Hex digest, where only that was published.
        sha256_start: First digits of the sha256, where only they were published.
        by_hand: How a person fetches it where no program may (a Google Drive page).
    """

    name: str
    mirrors: tuple[str, ...]
    bytes: int | None = None
    sha256: str | None = None
    about_bytes: int = 0
    md5: str | None = None
    by_hand: str = ""
    sha256_start: str = ""


@dataclass(frozen=True)
class Licence:
    """The terms a user accepts before anything is fetched.

    Attributes:
        name: Short name.
        url: Where the terms are.
        text: Summary in our words, shown to the user; its sha256 is stored with the acceptance.
        cite: Who must be cited.
    """

    name: str
    url: str
    text: str
    cite: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureSize:
    """What the form of a set fixes about the pictures of a rendering.

    Attributes:
        name: The rendering.
        width: Columns, pixels.
        height: Rows, pixels.
        mode: "rgba", "rgb+mask" or "depth".
    """

    name: str
    width: int
    height: int
    mode: str = "rgba"


@dataclass(frozen=True)
class VoxelSize:
    """What the form of a set fixes about one kind of its voxels.

    Attributes:
        name: The kind.
        resolution: Cells along a side.
    """

    name: str
    resolution: int


@dataclass(frozen=True)
class SplitFacts:
    """What is known of a split without preparing anything.

    Attributes:
        name: The split.
        known_from: Where that comes from, or when the split is there at all; a few words.
        meaning: What these words mean for what will be prepared, a sentence or two; or "".
        train: Number of objects and sha256 of their ids (`store_format.split_hash`, ids ascending
            where it is a list); None where unknown.
        val: The same.
        test: The same.
    """

    name: str
    known_from: str
    meaning: str = ""
    train: tuple[int, str] | None = None
    val: tuple[int, str] | None = None
    test: tuple[int, str] | None = None


@dataclass(frozen=True)
class DatasetSpec:
    """One data set, as a literal.

    Attributes:
        id: Name on the command line.
        title: One line.
        licence: Terms.
        prepare: "module:function" of the converter.
        stores: Ids of the files it can make (`<root>/<store>.h5`), the preferred one first.
        archives: What is fetched.
        sizes: Values of `--size`, the default one first; empty where there is one size.
        renderings: Names of its sets of pictures.
        pictures: What `--pictures` may name, for a set whose pictures are drawn here; else empty.
        truth: "mesh", "voxels" or "points": the best ground truth it holds.
        splits: Names of its splits, the default one first.
        classes: Number of classes.
        objects: Number of objects, or None where only the conversion tells.
        store_bytes: About how large the prepared file is.
        audit: "module:function" of (path) -> dict with "passed" and "table", or "".
        notes: Longer remarks for `bench list NAME`.
        made_by: Who made it, and when.
        release: Which release of ShapeNet or PASCAL3D+ it is made from; None where unknown.
        renderer: Who drew the pictures, with what; None where unknown.
        voxelisation: Where its voxels come from; None where unknown.
        faults: Known faults, one line each.
        export: "module:function" of (objects, folder) that writes the raw layout, or "".
        picture_sizes: Of the renderings, as far as the set's form fixes them.
        voxel_sizes: Of the kinds of voxels, as far as the set's form fixes them.
        split_facts: What is known of splits before anything is prepared; a name may stand twice,
            for two sizes. A split without facts is unknown until then.
    """

    id: str
    title: str
    licence: Licence
    prepare: str
    stores: tuple[str, ...]
    archives: tuple[Archive, ...] = ()
    sizes: tuple[str, ...] = ()
    renderings: tuple[str, ...] = ()
    truth: str = "voxels"
    splits: tuple[str, ...] = ()
    classes: int = 13
    objects: int | None = None
    store_bytes: int = 0
    audit: str = ""
    notes: str = ""
    made_by: str | None = None
    release: str | None = None
    renderer: str | None = None
    voxelisation: str | None = None
    faults: tuple[str, ...] = ()
    export: str = ""
    pictures: tuple[str, ...] = ()
    picture_sizes: tuple[PictureSize, ...] = ()
    voxel_sizes: tuple[VoxelSize, ...] = ()
    split_facts: tuple[SplitFacts, ...] = ()


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did.

    Attributes:
        path: The prepared file (the planned one for a dry run).
        counts: Objects stored, per class name, and "objects", "pictures" in all.
        failed: (id, reason) of broken objects; the command ends with exit code 4 if there are any.
        excluded: (id, reason) of objects without ground truth or pictures; no failure.
        messages: Lines for people, in order.
    """

    path: Path
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    excluded: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def size_text(size: int) -> str:
    """Bytes for people: GiB with one decimal, MiB below a tenth of that.

    Example:
        >>> size_text(13_000_000_000), size_text(5_000_000)
        ('12.1 GiB', '4.8 MiB')
    """
    gib = size / (1 << 30)
    return f"{gib:.1f} GiB" if gib >= 0.1 else f"{size / (1 << 20):.1f} MiB"
