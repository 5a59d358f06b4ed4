"""What every verb shares: common options, errors with exit codes, settings with their source."""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import shlex
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from benchbench.core.errors import BenchError, MissingError, UsageError
from benchbench.core.notices import hushed
from benchbench.core.paths import data_root

# The verb's context is gone when its error reaches the group; `meta` is shared by both.
_VERBOSE = "benchbench.verbose"
_ROOT = "benchbench.root"
_NEEDS_ROOT = re.compile(
    r"\bbench (?:prepare [^-\s(,;][^\s(,;]*(?: --size \S+)?|run --baseline [^\s(,;]+)"
)

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Common:
    """The options that every verb takes.

    Attributes:
        root: Folder of prepared data sets.
        verbose: How often -v was given; 2 shows tracebacks.
        quiet: No progress and no talk on stderr; errors are still shown.
        json: The answer on stdout is one JSON object.
    """

    root: Path
    verbose: int
    quiet: bool
    json: bool

    def say(self, text: str) -> None:
        """Talks to the user on stderr, unless quiet."""
        if not self.quiet:
            click.echo(with_root(text), err=True)


def common_options(command: Command) -> Command:
    """Adds -v, -q, --root and --json to a verb, which gets them as its first argument."""

    @click.option("-v", "--verbose", count=True, help="Say more; twice shows tracebacks.")
    @click.option("-q", "--quiet/--no-quiet", default=False, help="No progress on stderr.")
    @click.option(
        "--root",
        envvar="BENCH_HOME",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of prepared data sets.  [default: ~/.cache/benchbench]",
    )
    @click.option("--json/--no-json", "as_json", default=False, help="Answer with JSON on stdout.")
    @functools.wraps(command)
    def wrapper(
        *args: Any, verbose: int, quiet: bool, root: Path | None, as_json: bool, **kwargs: Any
    ) -> Any:
        context = click.get_current_context()
        context.meta[_VERBOSE] = verbose
        if context.get_parameter_source("root") is click.core.ParameterSource.COMMANDLINE:
            context.meta[_ROOT] = str(root)
        if quiet:
            context.with_resource(hushed())
        common = Common(data_root(root), verbose, quiet, as_json)
        return command(common, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def with_root(text: str, meta: dict[str, Any] | None = None) -> str:
    """A proposed command that reads or writes the data gets the --root that was typed.

    Example:
        >>> with_root("bench prepare shapes13 --size demo", {"benchbench.root": "my data"})
        "bench prepare shapes13 --size demo --root 'my data'"
        >>> with_root("bench run --baseline kato --split val", {"benchbench.root": "data"})
        'bench run --baseline kato --root data --split val'
    """
    if meta is None:
        context = click.get_current_context(silent=True)
        meta = context.meta if context else {}
    root = meta.get(_ROOT)
    if root is None or "--root" in text:
        return text
    return _NEEDS_ROOT.sub(lambda found: f"{found[0]} --root {shlex.quote(root)}", text)


def complete(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Shell completion with the names of data sets, baselines, protocols, metrics or splits."""

    def names(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
        from benchbench.baselines import list_baselines
        from benchbench.datasets.registry import dataset_names, dataset_spec
        from benchbench.protocols.registry import ALIASES, protocols

        found = {
            "dataset": [store for name in dataset_names() for store in dataset_spec(name).stores],
            "baseline": [spec.id for spec in list_baselines()],
            "protocol": list(protocols()),
            "metric": [*ALIASES, *protocols()],
            "split": ["train", "val", "test", "all"],
        }
        known = dict.fromkeys(name for kind in kinds for name in found[kind])
        return [name for name in known if name.startswith(begun)]

    return names


def setting(value: Any) -> str:
    """A value as one types it after `--set name=`.

    Example:
        >>> setting((16, 32)), setting(None), setting(1e-3)
        ('16,32', 'none', '0.001')
    """
    if isinstance(value, (tuple, list)):
        return ",".join(str(item) for item in value)
    return "none" if value is None else str(value)


def answer_json(content: dict[str, Any]) -> None:
    """Prints one JSON object with its schema number on stdout; NaN is refused."""
    click.echo(json.dumps({"schema": 1, **content}, allow_nan=False, indent=1, ensure_ascii=False))


def settings_with_source(names: tuple[str, ...] | None = None) -> dict[str, dict[str, Any]]:
    """The parameters of the running verb: `{name: {"value": ..., "source": ...}}`.

    The source is one of commandline, environment, bench.toml and default.
    """
    context = click.get_current_context()
    settings = {}
    for name, value in context.params.items():
        if names is not None and name not in names:
            continue
        source = context.get_parameter_source(name)
        plain: Any = value
        if isinstance(value, (tuple, list)):
            plain = [str(item) for item in value]
        elif not isinstance(value, (str, int, float, bool, type(None))):
            plain = str(value)
        word = source.name.lower() if source else "default"
        settings[name] = {"value": plain, "source": {"default_map": "bench.toml"}.get(word, word)}
    return settings


def typed_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """What was typed after `--set`.

    Raises:
        UsageError: A text without a name or an equals sign.

    Example:
        >>> typed_settings(("block-size=8", "rendering = kato"))
        {'block_size': '8', 'rendering': 'kato'}
    """
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"'{text}' is no setting", hint="write --set name=value")
        pairs[name.strip().replace("-", "_")] = value.strip()
    return pairs


class ShownError(click.ClickException):
    """A `BenchError` as click prints it: `error:` and `hint:` on stderr, then its exit code."""

    def __init__(self, error: BenchError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]
        self.hint = error.hint

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.message}", err=True)
        if self.hint:
            click.echo(f"hint: {self.hint}", err=True)


class BenchGroup(click.Group):
    """A group whose verbs may raise `BenchError`; everything unexpected is explained too."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            if _wants_traceback(ctx):
                traceback.print_exc()
            error.hint = with_root(error.hint, ctx.meta) if error.hint else None
            raise ShownError(error) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if _wants_traceback(ctx):
                raise
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise ShownError(
                    MissingError(
                        "no space left where the output goes",
                        hint="free some space and type the same command again",
                    )
                ) from error
            text = str(error).strip().splitlines()
            reason = text[0] if text else "no message"
            raise ShownError(
                BenchError(
                    f"unexpected {type(error).__name__}: {reason}",
                    hint="run again with BENCH_DEBUG=1 for the traceback, and report it with the "
                    "output of 'bench doctor --json'",
                )
            ) from error


def _wants_traceback(ctx: click.Context) -> bool:
    return os.environ.get("BENCH_DEBUG", "") not in ("", "0") or ctx.meta.get(_VERBOSE, 0) >= 2
