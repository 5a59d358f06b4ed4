"""`bench prepare` for sets that are made from archives: consent, fetch, convert, split, store.

A set describes itself as a `Converter`; everything that sets have in common is here. The same call
goes on where it stopped: archives by their bytes, the conversion by whole shards.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.files import explain_disk
from benchbench.core.progress import Progress
from benchbench.core.types import Mesh
from benchbench.datasets import consent
from benchbench.datasets.converting import convert
from benchbench.datasets.download import Fetched, fetch, present, refuse_offline
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, encode
from benchbench.datasets.sources import HASH_TITLE, Fingerprint, fingerprint
from benchbench.datasets.spec import DatasetSpec, PrepareReport, size_text
from benchbench.datasets.split_lists import lost_ids
from benchbench.datasets.splits import Split
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store
from benchbench.datasets.workers import MOST_CORES, usable_cores

_SHARD = 64  # objects


@dataclass(frozen=True)
class Job:
    """One object to be made.

    Attributes:
        id: "synset/model".
        make: A `functools.partial` of a module's function (it is sent to another process); gives
            the object, or raises `InputError` where its files are broken.
    """

    id: str
    make: Callable[[], ObjectRecord]


@dataclass
class Conversion:
    """One reading of a set's sources; a set derives its own from this.

    Attributes:
        total: Objects that the sources name, for the progress.
        excluded: Id to reason of objects without ground truth or pictures, filled while reading.
        failed: Id to reason of objects known to be broken without a job, filled while reading.
        facts: What was found out on the way and identifies the set (JSON-able); into the store.
    """

    total: int = 0
    excluded: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def jobs(self, done: frozenset[str]) -> Iterator[Job]:
        """The objects that are not in `done`, in any order; memory stays bounded."""
        raise NotImplementedError

    def splits(self, stored: frozenset[str]) -> Mapping[str, Split]:
        """Split name to parts, of stored ids only, once all jobs are made."""
        raise NotImplementedError

    def shared_meshes(self) -> Mapping[str, Mesh]:
        """Meshes that records name by key."""
        return {}

    def remarks(self, notes: Iterator[dict[str, Any]]) -> list[str]:
        """What the parameters of all stored objects add up to, in lines for people."""
        return []


@dataclass(frozen=True)
class Converter:
    """How a set is made from its files.

    Attributes:
        spec: What the set is.
        version: "<id> <number>"; a change of what is stored is a new number.
        classes: (synset, name) in data-set order.
        layout: What every object has.
        axes: The set's frames, in one line.
        locate: From a folder to what is read: a name to each folder or archive.
        read: From what `locate` found to the conversion.
        most_workers: Processes that together stay below 2 GB.
    """

    spec: DatasetSpec
    version: str
    classes: tuple[tuple[str, str], ...]
    layout: Layout
    axes: str
    locate: Callable[[Path], dict[str, Path]]
    read: Callable[[Mapping[str, Path]], Conversion]
    most_workers: int = MOST_CORES


def prepare(
    converter: Converter,
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
    workers: int | None = None,
    objects_per_file: int | None = None,
) -> PrepareReport:
    """Make `<root>/<id>.h5`; the same call again goes on where it stopped.

    Args:
        converter: The set.
        root: Folder of the data sets.
        source: Folder with the set's archives or unpacked folders; nothing is fetched then, and no
            consent is asked for, since the files are the user's already.
        size: Has no meaning here; only None and "full" are accepted.
        accept_license: Accept the terms.
        keep_archives: Keep fetched archives after the conversion.
        overwrite: Convert anew.
        dry_run: Say what would be done and change nothing.
        verify: Check archives and the prepared file, change nothing.
        quiet: No progress on stderr.
        split: Name of the split that readers use by default; None for the first of the spec.
        workers: Processes; None for one per usable core, at most `converter.most_workers`.
        objects_per_file: Most objects of a file; a set of more lies in several, read as one.

    Returns:
        Counts, failed and excluded objects.

    Raises:
        MissingError: Consent, files or space are missing, or the network is switched off.
        InputError: An archive is broken or hostile.
        UsageError: The set is prepared already from other files.
    """
    spec, root = converter.spec, Path(root)
    if size not in (None, "full"):
        raise UsageError(f"data set '{spec.id}' has no size '{size}'")
    if split is not None and split not in spec.splits:
        raise UsageError(f"no split '{split}'", hint=f"known: {', '.join(spec.splits)}")
    path = root / f"{spec.id}.h5"
    if dry_run:
        return _dry_run(converter, root, path, source)
    if verify:
        return _verify(converter, root, path, quiet)
    if path.is_file() and not overwrite and source is None:
        store = _readable(path)
        if store is not None:
            _refuse_changes(store, split, objects_per_file)
            _restore_sidecar(converter, store)
            return report(store, [f"already prepared: {path}"])
    messages = []
    if source is not None:
        source = Path(source)
        if not source.is_dir():
            raise MissingError(
                f"there is no folder '{source}'",
                hint=f"give the folder which holds the files: bench prepare {spec.id} --from DIR",
            )
        found = converter.locate(source)  # first: a folder without the files accepts no terms
        consent.record(root, spec.id, spec.licence, "own files")
        messages.append("terms of these files: " + consent.terms(spec.licence))
    else:
        found = _fetch(converter, root, accept_license, quiet)
    try:
        _convert(converter, root, found, split, overwrite, quiet, workers, objects_per_file)
    except InputError as error:
        raise InputError(str(error), error.hint or _mend(spec, root, source)) from error
    store = Store(path)
    if source is None and not keep_archives:
        shutil.rmtree(archives_folder(root, spec), ignore_errors=True)
        messages.append("the fetched archives were removed")
    return report(store, messages)


def archives_folder(root: Path, spec: DatasetSpec) -> Path:
    """Where the archives of a set are fetched to."""
    return root / "archives" / spec.id


def _fetch(converter: Converter, root: Path, accept_license: bool, quiet: bool) -> dict[str, Path]:
    spec, folder = converter.spec, archives_folder(root, converter.spec)
    if not spec.archives:
        raise MissingError(
            f"'{spec.id}' is made from files of your own; nothing is fetched",
            hint=f"bench prepare {spec.id} --from DIR",
        )
    consent.require_consent(root, spec.id, spec.licence, accept_license)
    if any(one.mirrors and not (folder / one.name).is_file() for one in spec.archives):
        refuse_offline(f"fetching the archives of '{spec.id}'", f"bench prepare {spec.id}")
    consent.keep_consent(root, spec.id, spec.licence)
    for archive in spec.archives:
        fetch(archive, folder, quiet, command=f"bench prepare {spec.id}")
    return converter.locate(folder)


def _convert(
    converter: Converter,
    root: Path,
    found: Mapping[str, Path],
    split: str | None,
    overwrite: bool,
    quiet: bool,
    workers: int | None,
    objects_per_file: int | None,
) -> None:
    spec = converter.spec
    prints: dict[str, Fingerprint] = {name: fingerprint(path) for name, path in found.items()}
    hashes = {name: one.content for name, one in prints.items()}
    default_split = split or spec.splits[0]
    plan: dict[str, Any] = {
        "converter": converter.version,
        "sources": hashes,
        "default_split": default_split,
    }
    path = root / f"{spec.id}.h5"
    old = _readable(path) if path.is_file() and not overwrite else None
    if old is not None:
        noted = {key: old.info["plan"].get(key) for key in [*plan, "objects_per_file"]}
        old.close()
        if noted != {**plan, "objects_per_file": objects_per_file}:
            raise UsageError(
                f"'{path}' was prepared from other files or with other settings",
                hint=f"bench prepare {spec.id} --from DIR --overwrite",
            )
    info = {
        "title": spec.title,
        "licence": spec.licence.name,
        "licence_url": spec.licence.url,
        "licence_text": spec.licence.text,
        "citation": list(spec.licence.cite),
        "axes": converter.axes,
        "converter": converter.version,
        "sources": hashes,
        "sources_hash": HASH_TITLE,
        "notes": spec.notes,
    }
    writer = StoreWriter(
        root,
        spec.id,
        converter.classes,
        converter.layout,
        info,
        plan,
        overwrite=overwrite,
        resume_key=" ".join(one.moment for one in prints.values()),
        objects_per_file=objects_per_file,
    )
    with writer:
        if writer.finished:
            return
        _check_space(root, sum(one.bytes for one in prints.values()))
        conversion = converter.read(found)
        _write_shards(converter, writer, conversion, quiet, workers)
        _finish(writer, conversion, default_split)


def _write_shards(
    converter: Converter,
    writer: StoreWriter,
    conversion: Conversion,
    quiet: bool,
    workers: int | None,
) -> None:
    """Convert what no shard holds yet."""
    done = frozenset([*writer.stored(), *(name for name, _ in writer.failed())])
    broken = len(writer.failed())
    workers = workers or min(usable_cores(), converter.most_workers)
    made = convert(writer, partial(_make, converter.layout), conversion.jobs(done), _SHARD, workers)
    with Progress(
        converter.spec.id, conversion.total, "objects", quiet, done=len(done)
    ) as progress:
        for _, fault in made:
            broken += fault is not None
            progress.update(failed=broken + len(conversion.failed))


def _make(layout: Layout, job: Job) -> tuple[str, Encoded | str]:
    """The packed object, or why there is none."""
    try:
        return job.id, encode(job.make(), layout)
    except InputError as error:
        return job.id, str(error)


def _finish(writer: StoreWriter, conversion: Conversion, default_split: str) -> None:
    stored = writer.stored()
    if not stored:
        reasons = [*writer.failed(), *conversion.failed.items(), *conversion.excluded.items()]
        example = f", for example '{reasons[0][0]}': {reasons[0][1]}" if reasons else ""
        raise InputError(f"no object has both pictures and ground truth{example}")
    number = max(writer.shards(), default=-1) + 1
    known = {name for name, _ in writer.failed()}
    broken = sorted((name, why) for name, why in conversion.failed.items() if name not in known)
    if broken:  # noted in a shard of its own, so that a resumed run finds it like the others
        writer.shard(number, [], broken)
    splits = conversion.splits(frozenset(stored))
    if remarks := conversion.remarks(writer.parameters()):
        conversion.facts["remarks"] = remarks
    writer.finish(
        splits,
        default_split if default_split in splits else None,  # a list may cover nothing of one's own
        sorted(conversion.excluded.items()),
        sorted(stored),
        conversion.shared_meshes(),
        conversion.facts,
    )


def report(store: Store, messages: list[str]) -> PrepareReport:
    """What a prepared set holds, for people."""
    counts = dict.fromkeys((name for _, name in store.classes), 0)
    by_synset = dict(store.classes)
    for index in range(len(store)):
        counts[by_synset[store.class_of(index)]] += 1
    counts["objects"] = len(store)
    counts["pictures"] = sum(
        store.view_count(i, name)
        for name in store.renderings
        if store.mode(name) != "depth"
        for i in range(len(store))
    )
    broken = set(store.failed)
    excluded = [pair for pair in store.excluded if pair not in broken]
    parts = ", ".join(f"{part} {n}" for part, n in store.split_counts().items())
    lines = [
        *messages,
        f"split {store.split_name}: {parts}; sha256 of test {store.split_hash('test')[:12]}",
    ]
    lines += lost_ids(store.info.get("split_lists", {})) + store.info.get("remarks", [])
    return PrepareReport(store.path, counts, store.failed, excluded, lines)


def _dry_run(converter: Converter, root: Path, path: Path, source: Path | None) -> PrepareReport:
    lines = []
    spec = converter.spec
    if source is not None:
        lines += [f"would read {found}" for found in converter.locate(Path(source)).values()]
    else:
        for archive in spec.archives:
            have = (archives_folder(root, spec) / archive.name).is_file()
            guess = archive.bytes or archive.about_bytes
            about = f"about {size_text(guess)}" if guess else "size unknown"
            verb = "has" if have else "would fetch" if archive.mirrors else "needs, by hand,"
            lines.append(f"{verb} {archive.name} ({about})")
            lines += [f"  from {url}" for url in archive.mirrors if not have]
            if archive.by_hand and not have and not archive.mirrors:
                lines.append(f"  {archive.by_hand}")
        if not spec.archives:
            lines.append(f"is made from files of your own: bench prepare {spec.id} --from DIR")
        agreed = consent.accepted(root, spec.id, spec.licence)
        lines.append(f"terms {'accepted' if agreed else 'not accepted yet'}: {spec.licence.name}")
    free = shutil.disk_usage(_existing(root)).free
    lines.append(f"would write {path} (about {size_text(spec.store_bytes)} for the full set)")
    lines.append(f"free space: {size_text(free)}")
    return PrepareReport(path, messages=lines)


def _verify(converter: Converter, root: Path, path: Path, quiet: bool) -> PrepareReport:
    lines = []
    for archive in converter.spec.archives:
        folder = archives_folder(root, converter.spec)
        found: Fetched | None = present(archive, folder, rehash=True)
        if found:
            lines.append(f"{archive.name}: {found.bytes} bytes, sha256 {found.sha256}")
    store = Store(path)
    verify_store(store, quiet=quiet)
    lines.append(f"{path}: all {len(store)} objects are what was stored")
    return report(store, lines)


def _readable(path: Path) -> Store | None:
    try:
        return Store(path)
    except InputError:
        return None  # damaged: converted anew


def _refuse_changes(store: Store, split: str | None, objects_per_file: int | None) -> None:
    """What is prepared already stays as it is, and a wish for something else is not forgotten."""
    plan, id = store.info["plan"], store.id
    for option, wanted, there in (
        ("--split", split, plan.get("default_split")),
        ("--objects-per-file", objects_per_file, plan.get("objects_per_file")),
    ):
        if wanted is not None and wanted != there:
            raise UsageError(
                f"'{store.path}' is prepared already, with {option} {there}, not {wanted}",
                hint=f"bench prepare {id} {option} {wanted} --overwrite "
                "(with --from DIR where the files were your own)",
            )


def _restore_sidecar(converter: Converter, store: Store) -> None:
    writer = StoreWriter(
        store.path.parent,
        converter.spec.id,
        store.classes,
        converter.layout,
        {},
        {k: v for k, v in store.info["plan"].items() if k != "schema"},
    )
    if not writer.sidecar_is_right():
        with writer:
            _ = writer.finished


def _check_space(root: Path, packed: int) -> None:
    needed = 2 * packed  # shards and the file put together from them, each below the sources
    with explain_disk(root):
        free = shutil.disk_usage(_existing(root)).free
    if needed > free:
        raise MissingError(
            f"'{root}' has {size_text(free)} free, the conversion needs {size_text(needed)}",
            hint="choose another folder with --root DIR or BENCH_HOME",
        )


def _mend(spec: DatasetSpec, root: Path, source: Path | None) -> str:
    """What to type once the sources are broken."""
    if source is None:
        folder = archives_folder(root, spec)
        return f"delete that file in '{folder}'; the same command then fetches it anew"
    return (
        "replace the broken files, then the same command: "
        f"bench prepare {spec.id} --from '{source}'"
    )


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
