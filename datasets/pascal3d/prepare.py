"""`bench prepare pascal3d`: the release as a folder or an archive.

Read below `PASCAL3D+_release1.1` (everything else is left alone)::

    Annotations/<class>_{pascal,imagenet}/<image>.mat
    Images/<class>_{pascal,imagenet}/<image>.{jpg,JPEG}
    CAD/<class>.mat  or  CAD/<class>/<nn>.off
    Image_sets/<class>_imagenet_{train,val}.txt
    PASCAL/VOCdevkit/VOC2012/ImageSets/Main/{train,val,<class>_train,<class>_val}.txt
    PASCAL/VOCdevkit/VOC2012/Segmentation{Object,Class}/<image>.png

The source is read twice. First all but the pictures: held are the annotations (about 2 KB an
instance), the CAD models with their grids, and VOC's segmentation files as they are (some 40 MB).
Then the pictures stream by; a few are in hand at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh
from benchbench.datasets import preparing
from benchbench.datasets.archives import Limits, read_archive
from benchbench.datasets.pascal3d.annotations import Found, Instance, read_annotation
from benchbench.datasets.pascal3d.cads import Cad, read_models
from benchbench.datasets.pascal3d.convert import LAYOUT, convert
from benchbench.datasets.pascal3d.spec import CLASSES, SPEC
from benchbench.datasets.pascal3d.splitting import Lists, make_splits, shared_models
from benchbench.datasets.records import ObjectRecord
from benchbench.datasets.sources import find, read_file
from benchbench.datasets.splits import Split

COMMAND = "bench prepare pascal3d"
RELEASE = "PASCAL3D+_release1.1"
_TOPS = ("Annotations", "CAD", "Image_sets", "Images", "PASCAL")
_MEMBER_BYTES = 1 << 28
_HELD_BYTES = 1 << 28  # of VOC's segmentations; the release has about 40 MB

_CLASS = "|".join(CLASSES.values())
_FOLDER = rf"(?P<class>{_CLASS})_(?P<source>pascal|imagenet)"
_IMAGE = r"(?P<image>[A-Za-z0-9_-]+)"
_VOC = "PASCAL/VOCdevkit/VOC2012"
_FORMS = {
    "annotation": re.compile(rf"Annotations/{_FOLDER}/{_IMAGE}\.mat"),
    "picture": re.compile(rf"Images/{_FOLDER}/{_IMAGE}\.(jpg|jpeg|JPG|JPEG)"),
    "mat": re.compile(rf"CAD/(?P<class>{_CLASS})\.mat"),
    "off": re.compile(rf"CAD/(?P<class>{_CLASS})/(?P<number>\d{{1,3}})\.off"),
    "imagenet": re.compile(rf"Image_sets/(?P<class>{_CLASS})_imagenet_(?P<part>train|val)\.txt"),
    "voc": re.compile(rf"{_VOC}/ImageSets/Main/((?:{_CLASS})_)?(?P<part>train|val)\.txt"),
    "segmentation": re.compile(rf"{_VOC}/Segmentation(?P<what>Object|Class)/{_IMAGE}\.png"),
}
Parts = tuple[bytes | None, bytes | None]
_FIRST = tuple(kind for kind in _FORMS if kind != "picture")


def locate(folder: Path) -> dict[str, Path]:
    """Where the release lies: the folder itself, or a folder or archive in it."""
    if (folder / "Annotations").is_dir():
        return {RELEASE: folder}
    return {RELEASE: find(folder, [RELEASE, "PASCAL3D"], f"{COMMAND} --from DIR")}


def _match(name: str, kinds: tuple[str, ...]) -> tuple[str, re.Match[str]] | None:
    for kind in kinds:
        found = _FORMS[kind].fullmatch(name)
        if found:
            return kind, found
    return None


def _inside(name: str) -> str:
    """A member's path from the first of the release's own folders on."""
    parts = name.split("/")
    at = next((n for n, part in enumerate(parts) if part in _TOPS), len(parts))
    return "/".join(parts[at:])


def _files(path: Path, want: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Wanted files: path within the release and bytes; each path once."""
    seen: set[str] = set()
    if path.is_dir():
        for top in _TOPS:
            for file in sorted((path / top).rglob("*")):
                name = file.relative_to(path).as_posix()
                if want(name) and file.is_file() and not file.is_symlink():
                    yield name, read_file(file, _MEMBER_BYTES)
        return
    limits = Limits(member_bytes=_MEMBER_BYTES)
    for member in read_archive(path, limits, lambda name: want(_inside(name))):
        name = _inside(member.name)
        if member.data is None or not want(name):
            continue
        if name in seen:
            raise InputError(f"'{path}' holds '{name}' twice")
        seen.add(name)
        yield name, member.data


@dataclass
class _Pascal(preparing.Conversion):
    """What the first reading held."""

    path: Path = Path()
    found: Found = field(default_factory=Found)
    cads: dict[str, dict[int, Cad]] = field(default_factory=dict)
    lists: Lists = field(default_factory=Lists)
    segmentations: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def jobs(self, done: frozenset[str]) -> Iterator[preparing.Job]:
        waiting: dict[tuple[str, str, str], list[Instance]] = {}
        for one in self.found.instances:
            if one.id not in done:
                key = (CLASSES[one.synset], one.source, one.image)
                waiting.setdefault(key, []).append(one)

        def place(name: str) -> tuple[str, str, str] | None:
            match = _FORMS["picture"].fullmatch(name)
            return (match["class"], match["source"], match["image"]) if match else None

        def want(name: str) -> bool:
            return place(name) in waiting

        for name, data in _files(self.path, want):
            wanted, source, image = place(name) or ("", "", "")
            parts: Parts = (None, None)
            if source == "pascal":
                held = self.segmentations
                parts = held.get(("Object", image)), held.get(("Class", image))
            for one in waiting.pop((wanted, source, image)):
                cad = self.cads[wanted][one.cad_index]
                yield preparing.Job(one.id, partial(_make, one, data, cad, parts))
        for group in waiting.values():
            for one in group:
                self.excluded[one.id] = "has an annotation but no picture"

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        kept = {one.id: one for one in self.found.instances if one.id in stored}
        splits = make_splits(kept.values(), self.lists, self.cads)
        self.facts["shared_models"] = shared_models(splits, kept, self.cads)
        self.facts["skipped"] = dict(sorted(Counter(self.excluded.values()).items()))
        return {name: splits[name] for name in SPEC.splits}

    def shared_meshes(self) -> Mapping[str, Mesh]:
        return {cad.key: cad.mesh for models in self.cads.values() for cad in models.values()}


def read(found: Mapping[str, Path]) -> preparing.Conversion:
    """Reads everything but the pictures.

    Raises:
        InputError: There is no annotation at all, or the archive is broken.
    """
    conversion = _Pascal(path=found[RELEASE])
    number = {name: synset for synset, name in CLASSES.items()}
    mats: dict[str, bytes] = {}
    offs: dict[str, dict[int, bytes]] = {}
    files = held = 0
    for name, data in _files(conversion.path, lambda name: _match(name, _FIRST) is not None):
        kind, match = _match(name, _FIRST) or ("", None)
        assert match is not None
        if kind == "annotation":
            files += 1
            wanted, source, image = match.group("class", "source", "image")
            read_annotation(data, name, number[wanted], wanted, source, image, conversion.found)
        elif kind == "mat":
            mats[match["class"]] = data
        elif kind == "off":
            offs.setdefault(match["class"], {})[int(match["number"])] = data
        elif kind == "imagenet":
            names = conversion.lists.imagenet.setdefault((match["class"], match["part"]), set())
            names.update(_first_words(data, name))
        elif kind == "voc":
            conversion.lists.voc.setdefault(match["part"], set()).update(_first_words(data, name))
        else:
            held += len(data)
            if held > _HELD_BYTES:
                raise InputError(f"'{conversion.path}' holds too large segmentations; refused")
            conversion.segmentations[match["what"], match["image"]] = data
    if not files:
        raise InputError(f"'{conversion.path}' holds no annotation of the 12 classes")
    _join(conversion, mats, offs)
    conversion.facts["annotation_files"] = files
    conversion.facts["objects_of_other_classes"] = conversion.found.other_classes
    return conversion


def _first_words(data: bytes, name: str) -> list[str]:
    """The pictures a list names; VOC's lists have a flag behind each."""
    try:
        return [line.split()[0] for line in data.decode("ascii").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"'{name}' is no list of pictures") from error


def _join(conversion: _Pascal, mats: dict[str, bytes], offs: dict[str, dict[int, bytes]]) -> None:
    """Reads the CAD models and drops instances without one."""
    reasons: dict[tuple[str, int], str] = {}
    whole: dict[str, str] = {}
    for name in CLASSES.values():
        try:
            conversion.cads[name], broken = read_models(mats.get(name), offs.get(name, {}), name)
            reasons |= {(name, n): why for n, why in broken.items()}
        except InputError as error:
            conversion.cads[name] = {}
            whole[name] = str(error)
    found = conversion.found
    usable = []
    for one in found.instances:
        name = CLASSES[one.synset]
        if one.cad_index in conversion.cads[name]:
            usable.append(one)
        else:
            have = f"cad_index is {one.cad_index}, and there is no such model of {name}"
            found.failed[one.id] = reasons.get((name, one.cad_index), whole.get(name, have))
    found.instances = usable
    conversion.excluded, conversion.failed = found.excluded, found.failed
    conversion.total = len(usable)
    conversion.facts["cad_models"] = {
        name: [cad.key for _, cad in sorted(models.items())]
        for name, models in conversion.cads.items()
        if models
    }


def _make(instance: Instance, photograph: bytes, cad: Cad, parts: Parts) -> ObjectRecord:
    return convert(instance, photograph, cad, parts)


CONVERTER = preparing.Converter(
    spec=SPEC,
    version="pascal3d 1",
    classes=tuple(CLASSES.items()),
    layout=LAYOUT,
    axes=(
        "x front, y up, right-handed; the CAD model's longest side is 1, centred; cameras are in "
        "the CAD frame (z up, front at -y, diagonal 1)"
    ),
    locate=locate,
    read=read,
)

prepare = partial(preparing.prepare, CONVERTER)
