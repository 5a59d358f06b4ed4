"""The console script: the group, its verbs, and the exit codes of signals."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from benchbench import __version__
from benchbench.cli.analyze import analyze
from benchbench.cli.check import check
from benchbench.cli.config import load_config
from benchbench.cli.doctor import doctor
from benchbench.cli.leaderboard import leaderboard
from benchbench.cli.list import list_command
from benchbench.cli.options import BenchGroup
from benchbench.cli.prepare import prepare
from benchbench.cli.reconstruct import reconstruct
from benchbench.cli.report import report
from benchbench.cli.run import run
from benchbench.cli.score import score
from benchbench.cli.streams import prepare_streams
from benchbench.cli.train import train
from benchbench.core.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

_EPILOG = """
\b
The three lines everybody types:
  bench prepare shapenet
  bench run --baseline kato --split test
  bench report --metric chamfer

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 prepare something first,
4 finished but some objects failed, 5 a check said no, 130/143 interrupted
(the same command continues).
"""


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from benchbench.core.environment import git_commit, package_version

    commit = git_commit()
    torch = package_version("torch") or "missing"
    click.echo(
        f"bench {__version__}" + (f" (commit {commit[:12]})" if commit else "") + f", torch {torch}"
    )
    ctx.exit()


@click.group(
    name="bench",
    cls=BenchGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Defaults for the verbs, one TOML table per verb.  [default: ./bench.toml]",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Benchmarks of single-image 3D reconstruction: prepare data, run methods, compare numbers."""
    assert isinstance(ctx.command, click.Group)
    ctx.default_map = load_config(config, ctx.command)


for _verb in (
    list_command,
    prepare,
    train,
    run,
    score,
    report,
    leaderboard,
    reconstruct,
    analyze,
    check,
    doctor,
):
    cli.add_command(_verb)


def _terminate(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(EXIT_TERMINATED)


def _leave(code: int) -> NoReturn:
    """Ends at once: an ordinary exit waits for threads, some of which are at half a minute's work.

    What they would have found is not lost: it was to be written by the thread that leaves.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever listened has gone
            stream.flush()
    os._exit(code)


def console(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits; interrupted work says how to continue."""
    signal.signal(signal.SIGTERM, _terminate)
    prepare_streams()
    try:
        result: Any = cli.main(args=arguments, prog_name="bench", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the same command continues", err=True)
        _leave(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SystemExit as error:
        if error.code == EXIT_TERMINATED:
            click.echo("terminated; the same command continues", err=True)
            _leave(EXIT_TERMINATED)
        raise
    sys.exit(result if isinstance(result, int) else 0)
