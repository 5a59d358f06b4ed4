"""`bench prepare shapenet`: fetch or find the two archives, convert, split, store.

What the objects are is decided by the folders of ShapeNetVox32, as in 3D-R2N2's repository; the
split rule counts all of them. An object that lacks its pictures or its ground truth is excluded and
named; one whose files are broken is a failure and named.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.files import explain_disk
from benchbench.core.progress import Progress
from benchbench.datasets import consent
from benchbench.datasets.binvox import Binvox
from benchbench.datasets.download import Fetched, fetch, present, refuse_offline
from benchbench.datasets.shapenet import sources
from benchbench.datasets.shapenet.convert import (
    RENDERINGS,
    RESOLUTION,
    VOXEL_KINDS,
    convert,
    is_complete,
    read_voxels,
)
from benchbench.datasets.shapenet.spec import SPEC
from benchbench.datasets.spec import PrepareReport, size_text
from benchbench.datasets.splits import keep_stored, repository_split, repository_split_with_val
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import pack_voxels, unpack_voxels
from benchbench.datasets.store_writer import Encoded, StoreWriter
from benchbench.datasets.verify import verify_store

Array = npt.NDArray[np.uint8]

CONVERTER = "shapenet 1"
_SHARD = 64  # objects
_SOURCES_HASH = (
    "sha256 of the archive; of a folder, over the names and sizes of its files and the contents "
    "of all but the pictures"
)


@dataclass
class _Truth:
    """The voxel side of the data set; bits, translate and scale of each grid (180 MB in all)."""

    grids: dict[str, tuple[Array, tuple[float, float, float], float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)  # synset -> all model folders
    other_classes: set[str] = field(default_factory=set)


def prepare(
    root: Path,
    *,
    source: Path | None = None,
    size: str | None = None,
    accept_license: bool = False,
    keep_archives: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    verify: bool = False,
    quiet: bool = False,
    split: str | None = None,
) -> PrepareReport:
    """Make `<root>/shapenet.h5`; the same call again goes on where it stopped.

    Args:
        root: Folder of the data sets.
        source: Folder with ShapeNetRendering and ShapeNetVox32, as folders or archives; nothing is
            fetched then, and no consent is asked for, since the files are the user's already.
        size: Has no meaning here; only None and "full" are accepted.
        accept_license: Accept the terms.
        keep_archives: Keep fetched archives after the conversion.
        overwrite: Convert anew.
        dry_run: Say what would be done and change nothing.
        verify: Check archives and the prepared file, change nothing.
        quiet: No progress on stderr.
        split: Name of the split that readers use by default; None for the repository's rule.

    Returns:
        Counts, failed and excluded objects.

    Raises:
        MissingError: Consent, files or space are missing, or the network is switched off.
        InputError: An archive is broken or hostile.
        UsageError: The set is prepared already from other files.
    """
    if size not in (None, "full"):
        raise UsageError(f"data set 'shapenet' has no size '{size}'")
    if split is not None and split not in SPEC.splits:
        raise UsageError(f"no split '{split}'", hint=f"known: {', '.join(SPEC.splits)}")
    path = root / f"{SPEC.id}.h5"
    if dry_run:
        return _dry_run(root, path, source)
    if verify:
        return _verify(root, path, quiet)
    if path.is_file() and not overwrite and source is None:
        store = _readable(path)
        if store is not None:
            _restore_sidecar(store)
            return _report(store, [f"already prepared: {path}"])
    messages = []
    if source is not None:
        source = Path(source)
        if not source.is_dir():
            raise MissingError(
                f"there is no folder '{source}'",
                hint="give the folder which holds ShapeNetRendering and ShapeNetVox32",
            )
        consent.record(root, SPEC.id, SPEC.licence, "own files")
        messages.append("terms of these files: " + consent.terms(SPEC.licence))
        renderings = sources.find(source, sources.RENDERING)
        voxels = sources.find(source, sources.VOXELS)
    else:
        consent.require_consent(root, SPEC.id, SPEC.licence, accept_license)
        if not _all_present(root):
            refuse_offline("fetching ShapeNet's archives")
        files = [fetch(archive, _archives(root), quiet) for archive in SPEC.archives]
        renderings, voxels = files[0].path, files[1].path
    try:
        _convert(root, renderings, voxels, split, overwrite, quiet)
    except InputError as error:
        raise InputError(str(error), error.hint or _mend(root, source)) from error
    store = Store(path)
    if source is None and not keep_archives:
        shutil.rmtree(_archives(root), ignore_errors=True)
        messages.append("the fetched archives were removed")
    return _report(store, messages)


def _convert(
    root: Path,
    renderings: Path,
    voxels: Path,
    split: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    found = {
        sources.RENDERING: sources.fingerprint(renderings),
        sources.VOXELS: sources.fingerprint(voxels),
    }
    hashes = {name: fingerprint.content for name, fingerprint in found.items()}
    default_split = split or SPEC.splits[0]
    plan = {"converter": CONVERTER, "sources": hashes, "default_split": default_split}
    path = root / f"{SPEC.id}.h5"
    old = _readable(path) if path.is_file() and not overwrite else None
    if old is not None:
        noted = {key: old.info["plan"].get(key) for key in plan}
        if noted != plan:
            raise UsageError(
                f"'{path}' was prepared from other files or with another split",
                hint="bench prepare shapenet --from DIR --overwrite",
            )
        old.close()
    info = {
        "title": SPEC.title,
        "licence": SPEC.licence.name,
        "licence_url": SPEC.licence.url,
        "licence_text": SPEC.licence.text,
        "citation": list(SPEC.licence.cite),
        "axes": "x front, y up, right-handed; ShapeNetCore v1, longest side 1, centred",
        "converter": CONVERTER,
        "sources": hashes,
        "sources_hash": _SOURCES_HASH,
        "notes": SPEC.notes,
    }
    writer = StoreWriter(
        root,
        SPEC.id,
        tuple(SYNSETS.items()),
        RENDERINGS,
        VOXEL_KINDS,
        info,
        plan,
        overwrite=overwrite,
        resume_key=" ".join(fingerprint.moment for fingerprint in found.values()),
    )
    with writer:
        if writer.finished:
            return
        _check_space(root, renderings)
        truth = _read_truth(voxels)
        excluded = _write_shards(writer, renderings, truth, quiet)
        _finish(writer, truth, excluded, default_split)


def _read_truth(path: Path) -> _Truth:
    """All voxel grids, packed: small enough to be held while the pictures stream by."""
    truth = _Truth()
    seen = sources.models(path, sources.VOXELS, lambda *_: False, lambda f: "model.binvox" in f)
    for model in seen:
        if model.synset not in SYNSETS:
            truth.other_classes.add(model.synset)
            continue
        truth.folders.setdefault(model.synset, []).append(model.name)
        try:
            if "model.binvox" not in model.files:
                raise InputError(f"'{model.id}' has a voxel folder without model.binvox")
            label = f"{model.id}/model.binvox"
            grid = read_voxels(model.files["model.binvox"], label)
            truth.grids[model.id] = (pack_voxels(grid.occupied), grid.translate, grid.scale)
        except InputError as error:
            truth.failed[model.id] = str(error)
    if not truth.grids and not truth.failed:
        raise InputError(f"'{path}' holds no model.binvox of the 13 classes")
    return truth


def _write_shards(
    writer: StoreWriter, renderings: Path, truth: _Truth, quiet: bool
) -> dict[str, str]:
    """Convert what no shard holds yet; returns what is excluded and why."""
    noted = set(writer.stored()) | {name for name, _ in writer.failed()}
    excluded: dict[str, str] = {}
    missing = set(truth.grids) | set(truth.failed)

    def skip(synset: str, name: str) -> bool:
        key = f"{synset}/{name}"
        return key not in truth.grids or key in noted

    def todo() -> Iterator[sources.Model]:
        for model in sources.models(renderings, sources.RENDERING, skip, is_complete):
            missing.discard(model.id)
            if model.synset in SYNSETS and model.id not in truth.grids:
                if model.id not in truth.failed:
                    excluded[model.id] = "has pictures but no ground truth"
            elif model.id in truth.grids and model.id not in noted:
                yield model

    def make(model: sources.Model) -> tuple[str, Encoded | str]:
        try:
            bits, translate, scale = truth.grids[model.id]
            grid = Binvox(unpack_voxels(bits, RESOLUTION), translate, scale)
            return model.id, convert(model.synset, model.name, model.files, grid)
        except InputError as error:
            return model.id, str(error)

    number = max(writer.shards(), default=-1) + 1
    workers = min(16, os.cpu_count() or 1)
    total = len(truth.grids)
    with (
        ThreadPoolExecutor(workers) as pool,
        Progress("shapenet", total, "objects", quiet, done=len(noted)) as progress,
    ):
        stream = todo()
        broken = len(writer.failed()) + len(truth.failed)
        while block := list(itertools.islice(stream, _SHARD)):
            made = list(pool.map(make, block))
            records = [item for _, item in made if isinstance(item, Encoded)]
            failed = [(name, item) for name, item in made if isinstance(item, str)]
            writer.shard(number, records, failed)
            number += 1
            broken += len(failed)
            progress.update(len(block), failed=broken)
    for name in missing - set(truth.failed):
        excluded[name] = "has ground truth but no pictures"
    return excluded


def _finish(
    writer: StoreWriter, truth: _Truth, excluded: dict[str, str], default_split: str
) -> None:
    stored = writer.stored()
    if not stored:
        reasons = [*writer.failed(), *truth.failed.items(), *excluded.items()]
        example = f", for example '{reasons[0][0]}': {reasons[0][1]}" if reasons else ""
        raise InputError(f"no object has both pictures and ground truth{example}")
    number = max(writer.shards(), default=-1) + 1
    known = {name for name, _ in writer.failed()}
    broken = sorted((name, why) for name, why in truth.failed.items() if name not in known)
    if broken:  # noted in a shard of its own, so that a resumed run finds it like the others
        writer.shard(number, [], broken)
    rules = {"r2n2-80-20": repository_split, "r2n2-70-10-20": repository_split_with_val}
    splits = {name: keep_stored(rules[name](truth.folders), stored) for name in SPEC.splits}
    writer.finish(splits, default_split, sorted(excluded.items()), sorted(stored))


def _report(store: Store, messages: list[str]) -> PrepareReport:
    counts = dict.fromkeys((name for _, name in store.classes), 0)
    by_synset = dict(store.classes)
    for index in range(len(store)):
        counts[by_synset[store.class_of(index)]] += 1
    counts["objects"] = len(store)
    counts["pictures"] = sum(store.view_count(i) for i in range(len(store)))
    broken = set(store.failed)
    excluded = [pair for pair in store.excluded if pair not in broken]
    parts = ", ".join(f"{part} {n}" for part, n in store.split_counts().items())
    lines = [
        *messages,
        f"split {store.split_name}: {parts}; sha256 of test {store.split_hash('test')[:12]}",
    ]
    return PrepareReport(store.path, counts, store.failed, excluded, lines)


def _dry_run(root: Path, path: Path, source: Path | None) -> PrepareReport:
    lines = []
    if source is not None:
        for what in (sources.RENDERING, sources.VOXELS):
            lines.append(f"would read {sources.find(Path(source), what)}")
    else:
        for archive in SPEC.archives:
            have = (_archives(root) / archive.name).is_file()
            about = f"about {size_text(archive.about_bytes)}"
            lines.append(f"{'has' if have else 'would fetch'} {archive.name} ({about})")
            lines += [f"  from {url}" for url in archive.mirrors if not have]
        agreed = consent.accepted(root, SPEC.id, SPEC.licence)
        lines.append(f"terms {'accepted' if agreed else 'not accepted yet'}: {SPEC.licence.name}")
    free = shutil.disk_usage(_existing(root)).free
    lines.append(f"would write {path} (about {size_text(SPEC.store_bytes)} for the full set)")
    lines.append(f"free space: {size_text(free)}")
    return PrepareReport(path, messages=lines)


def _verify(root: Path, path: Path, quiet: bool) -> PrepareReport:
    lines = []
    for archive in SPEC.archives:
        found: Fetched | None = present(archive, _archives(root), rehash=True)
        if found:
            lines.append(f"{archive.name}: {found.bytes} bytes, sha256 {found.sha256}")
    store = Store(path)
    verify_store(store, quiet=quiet)
    lines.append(f"{path}: all {len(store)} objects are what was stored")
    return _report(store, lines)


def _readable(path: Path) -> Store | None:
    try:
        return Store(path)
    except InputError:
        return None  # damaged: converted anew


def _restore_sidecar(store: Store) -> None:
    writer = StoreWriter(
        store.path.parent,
        SPEC.id,
        store.classes,
        RENDERINGS,
        VOXEL_KINDS,
        {},
        {k: v for k, v in store.info["plan"].items() if k != "schema"},
    )
    if not writer.sidecar_is_right():
        with writer:
            _ = writer.finished


def _check_space(root: Path, renderings: Path) -> None:
    if renderings.is_file():
        packed = renderings.stat().st_size
    else:
        packed = sum(f.stat().st_size for f in renderings.rglob("*.png"))
    needed = 2 * packed  # shards and the file put together from them, each below the pictures
    with explain_disk(root):
        free = shutil.disk_usage(_existing(root)).free
    if needed > free:
        raise MissingError(
            f"'{root}' has {size_text(free)} free, the conversion needs {size_text(needed)}",
            hint="choose another folder with --root DIR or BENCH_HOME",
        )


def _mend(root: Path, source: Path | None) -> str:
    """What to type once the sources are broken."""
    if source is None:
        return f"delete that file in '{_archives(root)}'; the same command then fetches it anew"
    return (
        "replace the broken files, then the same command: "
        f"bench prepare {SPEC.id} --from '{source}'"
    )


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _archives(root: Path) -> Path:
    return root / "archives" / SPEC.id


def _all_present(root: Path) -> bool:
    return all((_archives(root) / archive.name).is_file() for archive in SPEC.archives)
