"""All data sets by name; reads light specs and sidecars only."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.files import read_json
from benchbench.core.names import require
from benchbench.core.paths import data_root
from benchbench.core.plugins import HOUSE, Plugin, plugins
from benchbench.datasets import consent
from benchbench.datasets.spec import DatasetSpec, PrepareReport

_MODULES = (
    "shapes13",
    "shapenet",
    "shapenet-kato",
    "shapenet-dvr",
    "shapenet-lsm",
    "shapenet-vpl",
    "shapenet-core",
    "pascal3d",
    "pascal3d-vpl",
)


def dataset_names() -> tuple[str, ...]:
    """Ids of all data sets, in the order of `bench list`; those of other packages come last."""
    return (*_MODULES, *_others())


def source_of(name: str) -> str:
    """Name and version of the package that a data set comes from.

    Example:
        >>> source_of("shapenet")
        'benchbench'
    """
    return _others()[name].source if name in _others() else HOUSE


def _others() -> dict[str, Plugin]:
    return plugins("benchbench.datasets", DatasetSpec, frozenset(_MODULES))


def dataset_spec(name: str) -> DatasetSpec:
    """The spec of a data set.

    Raises:
        UsageError: No such data set; near names are offered.

    Example:
        >>> dataset_spec("shapenet").id
        'shapenet'
    """
    require(name, dataset_names(), "data set")
    if name not in _MODULES:
        other: DatasetSpec = _others()[name].spec
        return other
    spec: DatasetSpec = importlib.import_module(
        f"benchbench.datasets.{name.replace('-', '_')}.spec"
    ).SPEC
    return spec


def require_dataset(name: str, root: str | Path | None = None) -> str:
    """Returns `name` if it is a data set, one of its sizes, or a file prepared in `root`.

    Raises:
        UsageError: It is none; near names are offered.

    Example:
        >>> require_dataset("shapes13-demo")
        'shapes13-demo'
    """
    stores = {store for known in dataset_names() for store in dataset_spec(known).stores}
    prepared = {path.stem for path in data_root(root).glob("*.h5")}
    return require(name, {*dataset_names(), *stores, *prepared}, "data set")


def prepare_command(store: str) -> str:
    """What to type to make the file of that id anew.

    Example:
        >>> prepare_command("shapes13-demo"), prepare_command("shapenet")
        ('bench prepare shapes13 --size demo', 'bench prepare shapenet')
    """
    for name in dataset_names():
        if store != name and store in dataset_spec(name).stores:
            return f"bench prepare {name} --size {store.removeprefix(name + '-')}"
    return f"bench prepare {store}"


def remake_hint(store: str) -> str:
    """The hint of every error about a damaged file: the command that replaces it."""
    known = store in dataset_names() and dataset_spec(store).archives
    own = " (with --from DIR where the archives were your own)" if known else ""
    return f"{prepare_command(store)} --overwrite{own}"


def resolve(name: str) -> tuple[str, str | None]:
    """Data set and size that a name stands for: an id, or the id of one of its stores.

    Raises:
        UsageError: Neither; near names are offered.

    Example:
        >>> resolve("shapes13-demo"), resolve("shapenet")
        (('shapes13', 'demo'), ('shapenet', None))
    """
    if name not in dataset_names():
        for dataset in dataset_names():
            spec = dataset_spec(dataset)
            if name in spec.stores:
                return dataset, spec.sizes[spec.stores.index(name)]
    require(name, dataset_names(), "data set")
    return name, None


def objects_published(store: str) -> int | None:
    """How many objects the whole of a store's data set has, as far as anybody published it.

    Example:
        >>> objects_published("shapenet")
        43784
    """
    for dataset in dataset_names():
        spec = dataset_spec(dataset)
        if spec.stores[0] == store:
            return spec.objects
    return None


def sidecars(name: str, root: str | Path | None = None) -> list[dict[str, Any]]:
    """What is prepared of a data set: one dict a file, as stored beside it (no HDF5 is opened).

    A file whose sidecar is lost or broken is prepared all the same; only its id is known then.

    Args:
        name: Data set id.
        root: Folder of the data sets.
    """
    folder = data_root(root)
    found = []
    for store in dataset_spec(name).stores:
        if (folder / f"{store}.h5").is_file():
            found.append(_sidecar(folder / f"{store}.json") or {"id": store})
    return found


def stored_bytes(sidecar: Mapping[str, Any], root: Path) -> int:
    """Bytes of all files of a prepared set, as its sidecar says or, where that is lost, as found.

    Args:
        sidecar: One of `sidecars`.
        root: Folder of the data sets.
    """
    noted = sidecar.get("bytes")
    return noted if isinstance(noted, int) else (root / f"{sidecar['id']}.h5").stat().st_size


def _sidecar(path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except (OSError, InputError):
        return None
    return content if isinstance(content, dict) and content.get("id") == path.stem else None


def state(name: str, root: str | Path | None = None) -> str:
    """ "prepared", "partial" (begun and resumable) or "absent"."""
    if sidecars(name, root):
        return "prepared"
    folder = data_root(root)
    spec = dataset_spec(name)
    begun = any((folder / ".partial" / store).is_dir() for store in spec.stores)
    # A lock alone (hidden) is no archive: it is left where only a person can fetch the files.
    fetched = any(True for _ in (folder / "archives" / name).glob("[!.]*"))
    return "partial" if begun or fetched else "absent"


def terms_wanted(name: str, root: str | Path | None = None) -> str | None:
    """The terms that must be accepted before `prepare` may fetch, or None if nothing is to do."""
    spec = dataset_spec(name)
    folder = data_root(root)
    if not spec.archives or sidecars(name, root) or consent.accepted(folder, name, spec.licence):
        return None
    return consent.terms(spec.licence)


def accept_terms(name: str, root: str | Path | None = None, how: str = "asked") -> None:
    """Store that the user accepted the terms."""
    consent.record(data_root(root), name, dataset_spec(name).licence, how)


def audit(name: str, path: Path) -> dict[str, Any]:
    """Measure whether a prepared set can tell methods apart.

    Raises:
        UsageError: The set has no audit.
    """
    spec = dataset_spec(name)
    if not spec.audit:
        raise UsageError(f"data set '{name}' has no audit")
    module, function = spec.audit.split(":")
    result: dict[str, Any] = getattr(importlib.import_module(module), function)(path)
    return result


def prepare(
    name: str,
    root: str | Path | None = None,
    *,
    source: Path | None = None,
    size: str | None = None,
    accept_license: bool = False,
    keep_archives: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    verify: bool = False,
    quiet: bool = False,
    **options: Any,
) -> PrepareReport:
    """Fetch, verify and convert a data set; the same call again goes on where it stopped.

    Args:
        name: Data set id.
        root: Folder of the data sets.
        source: Folder with archives or unpacked folders (`--from`); nothing is fetched then.
        size: One of the spec's sizes.
        accept_license: The terms are accepted without a question.
        keep_archives: Leave fetched archives where they are.
        overwrite: Start anew.
        dry_run: Say what would be done and change nothing.
        verify: Check what is there and change nothing.
        quiet: No progress on stderr.
        options: Further options of the set.

    Raises:
        UsageError: Unknown name or size.
    """
    spec = dataset_spec(name)
    if size is not None:
        require(size, spec.sizes or ("full",), "size")
    folder = data_root(root)
    if not (dry_run or verify):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MissingError(
                f"cannot make the folder '{folder}': {error.strerror}",
                hint="choose a writable folder with --root DIR or BENCH_HOME",
            ) from error
    module, function = spec.prepare.split(":")
    report: PrepareReport = getattr(importlib.import_module(module), function)(
        folder,
        source=source,
        size=size,
        accept_license=accept_license,
        keep_archives=keep_archives,
        overwrite=overwrite,
        dry_run=dry_run,
        verify=verify,
        quiet=quiet,
        **options,
    )
    return report
