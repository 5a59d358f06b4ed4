"""`bench.toml`: defaults for every verb, below the command line and the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from benchbench.core.errors import UsageError
from benchbench.core.names import closest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILE = "bench.toml"


def load_config(path: Path | None, group: click.Group) -> dict[str, dict[str, Any]]:
    """Reads and checks a configuration file: one table per verb, keys as the options are spelled.

    Args:
        path: The value of `--config`, or None for `bench.toml` in the current folder, if there.
        group: The command group, whose verbs and options are the known names.

    Raises:
        UsageError: The file is missing, no TOML, or has an unknown table or key.
    """
    if path is None:
        path = Path(DEFAULT_FILE)
        if not path.is_file():
            return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"no configuration file '{path}'", hint="bench --config FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' is not valid TOML: {error}") from error
    defaults: dict[str, dict[str, Any]] = {}
    for verb, table in content.items():
        if verb not in group.commands or not isinstance(table, dict):
            raise _unknown(path, "table", verb, list(group.commands))
        options = [p for p in group.commands[verb].params if isinstance(p, click.Option)]
        known = {
            option.lstrip("-").replace("-", "_"): parameter.name
            for parameter in options
            for option in (*parameter.opts, parameter.name or "")
        }
        defaults[verb] = {}
        for key, value in table.items():
            name = known.get(key.replace("-", "_"))
            if name is None:
                raise _unknown(path, f"key in table [{verb}]", key, sorted(known))
            repeatable = any(p.name == name and p.multiple for p in options)
            defaults[verb][name] = [value] if repeatable and not isinstance(value, list) else value
    return defaults


def _unknown(path: Path, what: str, name: str, known: list[str]) -> UsageError:
    near = closest(name, known)
    offer = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?" if near else None
    return UsageError(
        f"'{path}': unknown {what} '{name}'", hint=offer or f"known: {', '.join(known)}"
    )
