"""`bench list`: what exists and what is prepared; one record in detail. Reads light specs only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from benchbench.cli.options import Common, answer_json, common_options, complete, setting
from benchbench.core.names import require
from benchbench.core.plugins import HOUSE

KINDS = ("dataset", "baseline", "protocol", "metric")

_EPILOG = """
\b
Examples:
  bench list                     everything, a line each
  bench list shapenet            the card of a data set: licence, splits, known faults
  bench list --kind protocol     how numbers can be computed
"""


@click.command(name="list", epilog=_EPILOG)
@click.argument(
    "name", required=False, shell_complete=complete("dataset", "baseline", "protocol", "metric")
)
@click.option("--kind", type=click.Choice(KINDS), help="Only one kind of thing.")
@common_options
def list_command(common: Common, name: str | None, kind: str | None) -> None:
    """Show data sets, baselines, protocols and metrics, and what is prepared."""
    records = {k: _records(k, common.root) for k in KINDS if kind in (None, k)}
    if name is not None:
        known = {record["name"]: record for group in records.values() for record in group}
        for record in list(known.values()):
            known.update(dict.fromkeys(record.get("stores", ()), record))
        record = known[require(name, known, "name")]
        if common.json:
            answer_json({"record": record})
        elif record["kind"] == "dataset":
            click.echo(_card(record, common.root))
        elif record["kind"] == "baseline":
            click.echo(_describe(_baseline_card(record)))
        else:
            click.echo(_describe(record))
        return
    if common.json:
        answer_json({"records": [record for group in records.values() for record in group]})
        return
    for title, group in records.items():
        columns = [c for c in ("state", "licence", "size") if any(r[c] for r in group)]
        rows = [[r["name"], *(r[c] for c in columns), _titled(r)] for r in group]
        click.echo(tabulate(rows, headers=[title, *columns, "what"], tablefmt="plain"))
        click.echo()


def _records(kind: str, root: Path) -> list[dict[str, Any]]:
    return {
        "dataset": _datasets,
        "baseline": _baselines,
        "protocol": _protocols,
        "metric": _metrics,
    }[kind](root)


def _titled(record: dict[str, Any]) -> str:
    """A record's title, and which package it comes from if that is another."""
    package = record.get("package", HOUSE)
    return record["title"] if package == HOUSE else f"{record['title']} (from {package})"


def _datasets(root: Path) -> list[dict[str, Any]]:
    from benchbench.datasets import registry

    records = []
    for name in registry.dataset_names():
        spec = registry.dataset_spec(name)
        prepared = registry.sidecars(name, root)
        paths = [root / f"{sidecar['id']}.h5" for sidecar in prepared]
        stored = sum(registry.stored_bytes(note, root) for note in prepared)
        records.append(
            {
                "kind": "dataset",
                "name": spec.id,
                "package": registry.source_of(name),
                "state": _state(name, root, [str(item["id"]) for item in prepared]),
                "licence": spec.licence.name,
                "size": _gib(stored) if prepared else f"about {_gib(spec.store_bytes)}",
                **{
                    key: value
                    for key, value in _plain(spec).items()
                    if key not in ("id", "licence")
                },
                "licence_url": spec.licence.url,
                "licence_summary": spec.licence.text,
                "cite": list(spec.licence.cite),
                "prepared": prepared,
                "paths": [str(path) for path in paths],
            }
        )
    return records


def _card(record: dict[str, Any], root: Path) -> str:
    from benchbench.cli.cards import card
    from benchbench.cli.options import with_root
    from benchbench.datasets import registry

    command = with_root(registry.prepare_command(record["name"]))
    spec = registry.dataset_spec(record["name"])
    return card(spec, record["state"], record["prepared"], root, command)


def _state(name: str, root: Path, prepared: list[str]) -> str:
    from benchbench.datasets import registry

    spec = registry.dataset_spec(name)
    if prepared and spec.stores[0] not in prepared:
        return f"{spec.sizes[spec.stores.index(prepared[0])]} only"
    return registry.state(name, root)


def _baselines(_root: Path) -> list[dict[str, Any]]:
    from benchbench.baselines import list_baselines, source_of

    records = []
    for spec in list_baselines():
        plain = _plain(spec)
        plain["parameters"] = _plain(spec.parameters())
        records.append(
            {
                "kind": "baseline",
                "name": spec.id,
                "package": source_of(spec.id),
                "state": _weights_state(spec.id) if spec.trainer else "nothing to train",
                "size": "",
                **{key: value for key, value in plain.items() if key != "id"},
            }
        )
    return records


def _baseline_card(record: dict[str, Any]) -> dict[str, Any]:
    """A baseline's record for people: the pictures it takes and each preset on a line."""
    from benchbench.baselines import get_spec
    from benchbench.baselines.spec import ACCEPTED

    spec = get_spec(record["name"])
    presets = {
        name: " ".join(f"{key}={setting(value)}" for key, value in values.items()) or "all defaults"
        for name, values in spec.presets.items()
    }
    pictures = f"{spec.input}; made of {ACCEPTED}" if spec.input else None
    return {**record, "input": pictures, "presets": presets}


def _weights_state(baseline: str) -> str:
    import benchbench.baselines

    folder = Path(str(benchbench.baselines.__file__)).parent / baseline / "weights"
    return "weights ready" if any(folder.glob("*.safetensors")) else "no weights"


def _protocols(_root: Path) -> list[dict[str, Any]]:
    from benchbench.protocols.registry import protocols, refused_protocols, source_of

    return [
        {
            "kind": "protocol",
            "name": spec.id,
            "package": source_of(spec.id),
            "state": "refused" if spec.refused else "house" if spec.house else "reproduced",
            "licence": "",
            "size": "",
            **{key: value for key, value in _plain(spec).items() if key != "id"},
        }
        for spec in (*protocols().values(), *refused_protocols().values())
    ]


def _metrics(_root: Path) -> list[dict[str, Any]]:
    from benchbench.protocols.registry import ALIASES, get_protocol

    records = []
    for alias, choices in ALIASES.items():
        protocol, metric = choices[0]
        found = next(m for m in get_protocol(protocol).metrics if m.name == metric)
        records.append(
            {
                "kind": "metric",
                "name": alias,
                "state": "higher is better" if found.higher_is_better else "lower is better",
                "licence": "",
                "size": "",
                **_plain(found),
                "title": f"{found.title} ({found.unit})",
                "protocols": [protocol for protocol, _ in choices],
            }
        )
        records[-1]["name"] = alias
    return records


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and paths as JSON types; classes by their name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, type):
        return value.__name__
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _describe(record: dict[str, Any], indent: str = "", absent: str = "unknown") -> str:
    """A record as `key: value` lines; nested ones are indented.

    A fact that nobody published is "unknown"; a baseline without a trainer has "none".
    """
    if record.get("kind") == "baseline":
        absent = "none"
    lines = []
    for key, value in record.items():
        if value in ("", [], {}):
            continue
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", _describe(value, indent + "  ", absent)]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for item in value:
                lines += [f"{indent}{key}:", _describe(item, indent + "  ", absent)]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}: {', '.join(str(item) for item in value)}")
        else:
            shown = absent if value is None else str(value).replace("\n", f"\n{indent}  ")
            lines.append(f"{indent}{key}: {shown}")
    return "\n".join(lines)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 0.05 * 2**30 else f"{size / 2**20:.1f} MiB"
