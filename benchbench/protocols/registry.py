"""Finding protocols and metrics by name; unknown names get the nearest known ones. Light."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable

from benchbench.core.errors import UsageError
from benchbench.core.names import require
from benchbench.core.plugins import HOUSE, Plugin, plugins
from benchbench.protocols.families import PROTOCOLS
from benchbench.protocols.specs import ProtocolSpec
from benchbench.protocols.specs_refused import REFUSED_PROTOCOLS

# What the short names of `bench report --metric` mean, in order of preference.
ALIASES: dict[str, tuple[tuple[str, str], ...]] = {
    "iou": (("bench-iou-v1", "iou"),),
    "chamfer": (("bench-surface-v1", "chamfer"), ("voxel-surface-v1", "chamfer")),
    "fscore": (("bench-surface-v1", "fscore"), ("voxel-surface-v1", "fscore")),
    "normals": (("bench-surface-v1", "normals"), ("voxel-surface-v1", "normals")),
}


@functools.cache
def protocols() -> dict[str, ProtocolSpec]:
    """All protocols that can be computed by id, in the order in which they are listed.

    Those of other packages come last.

    Example:
        >>> list(protocols())[:2]
        ['bench-iou-v1', 'kato-iou-v1']
    """
    return {**_own(), **{name: plugin.spec for name, plugin in _others().items()}}


@functools.cache
def _own() -> dict[str, ProtocolSpec]:
    found: dict[str, ProtocolSpec] = {}
    for spec in PROTOCOLS:
        if spec.id in found:
            raise AssertionError(f"two protocols are called {spec.id}")
        found[spec.id] = spec
    return found


def _others() -> dict[str, Plugin]:
    refused = {spec.id for spec in REFUSED_PROTOCOLS}
    return plugins("benchbench.protocols", ProtocolSpec, frozenset({*_own(), *refused}))


def source_of(name: str) -> str:
    """Name and version of the package that a protocol comes from.

    Example:
        >>> source_of("kato-iou-v1")
        'benchbench'
    """
    return _others()[name].source if name in _others() else HOUSE


@functools.cache
def refused_protocols() -> dict[str, ProtocolSpec]:
    """The published protocols that nobody can compute again, by id; each says why.

    Example:
        >>> refused_protocols()["psgn-iou-v1"].instead
        'r2n2-iou-v1'
    """
    return {spec.id: spec for spec in REFUSED_PROTOCOLS}


def get_protocol(name: str) -> ProtocolSpec:
    """The protocol of that id.

    Raises:
        UsageError: There is none, and the message offers the nearest ids; or nobody can compute
            it again, and the message says why.

    Example:
        >>> get_protocol("bench-iou-v1").metrics[0].name
        'iou'
    """
    refused = refused_protocols()
    if name in refused:
        instead = refused[name].instead
        raise UsageError(
            f"{name} cannot be computed again: {refused[name].refused}",
            hint=f"--protocol {instead}" if instead else f"bench list {name}",
        )
    return protocols()[require(name, protocols(), "protocol")]


def resolve_metric(text: str) -> tuple[tuple[str, str], ...]:
    """What `--metric TEXT` asks for: (protocol id, metric) pairs in order of preference.

    Args:
        text: A short name ("iou", "chamfer", "fscore", "normals"), a protocol id (its primary
            metric) or "protocol:metric".

    Raises:
        UsageError: Nothing has that name; the message offers the nearest names.

    Example:
        >>> resolve_metric("iou")
        (('bench-iou-v1', 'iou'),)
        >>> resolve_metric("r2n2-iou-v1:ap")
        (('r2n2-iou-v1', 'ap'),)
    """
    if text in ALIASES:
        return ALIASES[text]
    name, _, metric = text.partition(":")
    if name in refused_protocols():
        get_protocol(name)  # says why
    require(name, [*ALIASES, *protocols()], "metric")
    if name in ALIASES:
        raise UsageError(
            f"'{name}' is a metric of its own, it has no part '{metric}'",
            hint=f"--metric {name}, or --metric PROTOCOL:{metric}",
        )
    spec = protocols()[name]
    if not metric:
        return ((name, spec.metrics[0].name),)
    require(metric, [m.name for m in spec.metrics], f"metric of {name}")
    return ((name, metric),)


def load_scorer(spec: ProtocolSpec) -> Callable[..., dict[str, float]]:
    """The function `score(prediction, truth, key, settings) -> {metric: value}` of a protocol."""
    module, _, function = spec.scorer.partition(":")
    scorer: Callable[..., dict[str, float]] = getattr(importlib.import_module(module), function)
    return scorer


def unmet(
    spec: ProtocolSpec, has_mesh: bool, voxel_kinds: Iterable[str], has_points: bool = False
) -> str | None:
    """What a data set lacks for a protocol, in words, or None when nothing is lacking.

    Args:
        spec: The protocol.
        has_mesh: The set holds meshes.
        voxel_kinds: Names of the grids it holds.
        has_points: It holds clouds of points.

    Example:
        >>> unmet(get_protocol("kato-iou-v1"), True, ["binvox"])
        "voxel grids of kind 'kato'"
    """
    kinds = list(voxel_kinds)
    need = spec.truth
    if need == "mesh":
        return None if has_mesh else "meshes"
    if need == "mesh|points":
        return None if has_mesh or has_points else "meshes or clouds of points"
    if need == "voxels":
        return None if kinds else "voxel grids"
    if need == "mesh|voxels":
        return None if has_mesh or kinds else "meshes or voxel grids"
    wanted = need.partition(":")[2].split("|")
    if set(wanted) & set(kinds):
        return None
    return f"voxel grids of kind {' or '.join(repr(kind) for kind in wanted)}"


def named_grid(spec: ProtocolSpec, voxel_kinds: Iterable[str]) -> str | None:
    """The kind of grid that a protocol names and a set holds, None if it names or holds none.

    Example:
        >>> named_grid(get_protocol("r2n2-iou-v1"), ["kato", "binvox"])
        'binvox'
    """
    kinds = list(voxel_kinds)
    if not spec.truth.startswith("voxels:"):
        return None
    return next((k for k in spec.truth.partition(":")[2].split("|") if k in kinds), None)


def default_protocols(
    has_mesh: bool, voxel_kinds: Iterable[str], also: Iterable[str] = (), has_points: bool = False
) -> list[str]:
    """The protocols of a run when none is named.

    The house's IoU and surface protocols (the latter to the surface of the voxels where the set
    holds no meshes), then those of `also` (the baseline's own) which the set can serve. A set that
    holds nothing but points can only be scored by a protocol for points.

    Example:
        >>> default_protocols(False, ["binvox"], ["kato-iou-v1"])
        ['bench-iou-v1', 'voxel-surface-v1']
    """
    kinds = list(voxel_kinds)
    wanted = ["bench-iou-v1", "bench-surface-v1" if has_mesh else "voxel-surface-v1", *also]
    if has_points and not has_mesh and not kinds:
        wanted = ["dibr-chamfer-v1", *also]
    chosen = dict.fromkeys(wanted)
    return [
        name for name in chosen if unmet(get_protocol(name), has_mesh, kinds, has_points) is None
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once, in the order in which protocols are listed, whatever the order of asking.

    Example:
        >>> in_order(["kato-iou-v1", "bench-iou-v1", "kato-iou-v1"])
        ['bench-iou-v1', 'kato-iou-v1']
    """
    wanted = set(names)
    return [name for name in protocols() if name in wanted]
