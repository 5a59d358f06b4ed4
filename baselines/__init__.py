"""The methods that can be run and compared: one folder each, with a light `spec.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchbench.baselines.spec import BaselineSpec
    from benchbench.core.plugins import Plugin

__all__ = ["get_spec", "list_baselines", "load_baseline", "source_of"]

_FOLDERS = ("kato", "r2n2", "learn3d", "vpl", "dibr", "mean", "nearest", "oracle_nearest", "gt")


def list_baselines() -> tuple[BaselineSpec, ...]:
    """Specs of all baselines, those of other packages last; imports nothing heavy.

    Example:
        >>> [spec.id for spec in list_baselines()]
        ['kato', 'r2n2', 'learn3d', 'vpl', 'dibr', 'mean', 'nearest', 'oracle-nearest', 'gt']
    """
    return (*_own(), *(plugin.spec for plugin in _others().values()))


def source_of(name: str) -> str:
    """Name and version of the package that a baseline comes from.

    Example:
        >>> source_of("kato")
        'benchbench'
    """
    from benchbench.core.plugins import HOUSE

    return _others()[name].source if name in _others() else HOUSE


def _own() -> tuple[BaselineSpec, ...]:
    import importlib

    return tuple(importlib.import_module(f"{__name__}.{name}.spec").SPEC for name in _FOLDERS)


def _others() -> dict[str, Plugin]:
    from benchbench.baselines.spec import BaselineSpec
    from benchbench.core.plugins import plugins

    names = frozenset(spec.id for spec in _own())
    return plugins("benchbench.baselines", BaselineSpec, names)


def get_spec(name: str) -> BaselineSpec:
    """The spec of one baseline.

    Raises:
        UsageError: Unknown name; near names are offered.
    """
    from benchbench.core.names import require

    specs = {spec.id: spec for spec in list_baselines()}
    return specs[require(name, specs, "baseline")]


def load_baseline(name: str, checkpoint: Any = None, device: str = "cpu", **params: Any) -> Any:
    """Builds a baseline that is ready to predict.

    Every baseline has `predict_items(store, items) -> list[Mesh | Voxels]` in the object frame,
    where `items` are (object index, view) pairs of one fixed block (view -1 where the baseline
    takes no picture), and `uses_views`, `block_size`, `checkpoint_hash`, `caption`, `settings`,
    `threshold`. Kato's also has `predict(images) -> Meshes`.

    Args:
        name: Baseline id.
        checkpoint: File of weights, or None for the shipped ones.
        device: "cpu" or "cuda".
        params: The baseline's own parameters, see its spec.

    Raises:
        UsageError: Unknown baseline, parameter or device.
        CheckError: The checkpoint is of another architecture.
        InputError: The checkpoint cannot be read.
    """
    import importlib

    from benchbench.baselines.spec import apply_settings

    spec = get_spec(name)
    module, function = spec.loader.split(":")
    parameters = apply_settings(spec.parameters(), params)
    return getattr(importlib.import_module(module), function)(checkpoint, device, parameters)
