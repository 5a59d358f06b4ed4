"""Whole data sets: small exports in their raw layouts, changed, and prepared end to end."""

from __future__ import annotations

import importlib
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from files import tar_file, zip_file
from server import Files, Format, scratch
from stores import read_store
from wrapping import change, pick

from benchbench.datasets import registry
from benchbench.datasets.archives import read_archive
from benchbench.datasets.exporting import asymmetric_solid, export, layouts
from benchbench.datasets.preparing import Converter
from benchbench.datasets.sources import ARCHIVES
from benchbench.datasets.store import Store
from benchbench.datasets.verify import verify_store

_SOURCE, _ROOT = "source", "root"


def formats() -> dict[str, Format]:
    """One for every data set that is made from files: "set-<id>"."""
    return {f"set-{name}": _set(name) for name in layouts()}


def _set(name: str) -> Format:
    return Format(
        f"set-{name}",
        lambda: _seeds(name),
        lambda folder: _read(name, folder),
        lambda found, expected, folder, protected: _check(found, expected, protected),
        _alter,
    )


def converter(name: str) -> Converter:
    """How a set is made."""
    module: Any = importlib.import_module(f"benchbench.datasets.{name.replace('-', '_')}.prepare")
    if hasattr(module, "CONVERTER"):
        found: Converter = module.CONVERTER
        return found
    return module.converter(registry.dataset_spec(name).renderings[:1])  # pictures are chosen


def _seeds(name: str) -> list[Files]:
    """The export as it is, and with its folders packed."""
    classes = converter(name).classes
    first, last = classes[0][0], classes[min(2, len(classes) - 1)][0]
    solids = [
        asymmetric_solid(f"{first}/{'a' * 31}1", "train", seed=0),
        asymmetric_solid(f"{last}/{'b' * 31}2", "test", seed=1),
    ]
    with tempfile.TemporaryDirectory(dir=scratch()) as temporary:
        folder = export(name, solids, Path(temporary) / "export")
        whole = _files(folder)
        parts = {
            p.relative_to(folder).as_posix(): p for p in converter(name).locate(folder).values()
        }
        unpacked = {part: _members(path) for part, path in parts.items() if path != folder}
        found = [whole]
        if unpacked and all(unpacked.values()):
            rest = {n: d for n, d in whole.items() if not _below(n, parts)}
            found += [{**rest, **files} for files in _forms(unpacked)]
    return [{f"{_SOURCE}/{n}": data for n, data in files.items()} for files in found]


def _below(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith(f"{part}/") for part in parts)


def _members(path: Path) -> dict[str, bytes]:
    """A folder's or archive's files, from its own name on; none for a file that is no archive."""
    if path.is_dir():
        return {f"{path.name}/{name}": data for name, data in _files(path).items()}
    if not path.name.endswith(ARCHIVES):
        return {}
    return {member.name: member.data for member in read_archive(path) if member.data is not None}


def _forms(unpacked: Mapping[str, Mapping[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """As folders, as .tgz and as .zip."""
    folders, tgz, zips = {}, {}, {}
    for part, files in unpacked.items():
        stem = part
        for suffix in ARCHIVES:
            stem = stem.removesuffix(suffix)
        above = stem[: len(stem) - len(Path(stem).name)]
        folders.update({above + name: data for name, data in files.items()})
        tgz[f"{stem}.tgz"], zips[f"{stem}.zip"] = tar_file(files, True), zip_file(files)
    yield from (folders, tgz, zips)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _alter(files: Files, rng: random.Random, wrapped: bool) -> tuple[Files, bool]:
    """One file of the source; now and then it is absent, or stands in for another."""
    name = pick(list(files), rng)
    what = rng.random()
    if what < 0.03:
        return {n: data for n, data in files.items() if n != name}, False
    if what < 0.06:
        return {**files, name: files[pick(list(files), rng)]}, False
    found = change(name, files[name], rng, wrapped)
    return {**files, name: found.data}, found.protected


def _read(name: str, folder: Path) -> dict[str, Any]:
    report = registry.prepare(name, folder / _ROOT, source=folder / _SOURCE, quiet=True, workers=1)
    store = Store(report.path)
    verify_store(store)
    return {
        "store": read_store(report.path, pictures=False),  # these are verified
        "ids": {store.object_ids[n]: store.identity_of(n) for n in range(len(store))},
        "grey": {store.object_ids[n] for n in range(len(store)) if _has_grey(store, n)},
        "failed": report.failed,
        "excluded": report.excluded,
    }


def _check(found: Any, expected: Any, protected: bool) -> None:
    ids = found["ids"]
    assert not (set(ids) & {name for name, _ in found["failed"]}), "stored and failed"
    assert not (set(ids) & {name for name, _ in found["excluded"]}), "stored and excluded"
    for name, reason in found["failed"] + found["excluded"]:
        assert name.isprintable() and reason.isprintable() and len(reason) < 2000, repr(reason)
    for value in found["store"].values():
        _check_finite(value)
    if protected:
        for name, identity in ids.items():
            # The names in an archive have no checksum: a file may be lost, if that is told.
            told = name in found["grey"] - expected["grey"]
            assert told or expected["ids"].get(name) == identity, f"'{name}' became another"


def _has_grey(store: Store, row: int) -> bool:
    """Whether the set says that faces of the object have no colour, as without their .mtl file."""
    return (store.parameters(row) or {}).get("faces_without_colour", 0) > 0


def _check_finite(value: Any) -> None:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        assert not np.isnan(value).any(), "NaN was stored"
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_finite(inner)
    elif hasattr(value, "__dict__"):
        for inner in vars(value).values():
            _check_finite(inner)
