"""`bench prepare`: fetch, verify and convert data sets."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from benchbench.cli.options import Common, answer_json, common_options, complete
from benchbench.cli.prepare_weights import prepare_network_weights
from benchbench.core.errors import EXIT_PARTIAL, CheckError, UsageError

_EPILOG = """
\b
Examples:
  bench prepare shapes13 --size demo              a small set made on this machine
  bench prepare shapenet --dry-run                what would be fetched, terms, space
  bench prepare shapenet --accept-license         interrupted? the same line again
  bench prepare shapenet --from ~/Downloads       archives or folders you already have
  bench prepare shapenet --audit                  broken views, empty grids, twins, axes
  bench prepare shapes13 --audit                  and: can this set tell methods apart?
  bench prepare shapenet-core --from DIR --pictures kato,choy
                                                  your own OBJ tree, pictures drawn here
  bench prepare shapenet --from DIR --objects-per-file 10000
                                                  several files, read as one set
  bench prepare shapes13 --size demo --export shapenet --to DIR
                                                  raw files as another set has them
  bench prepare imagenet-resnet18-f37072fd        weights that dibr's encoder starts from
"""


@click.command(epilog=_EPILOG)
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete("dataset")
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Folder with the archives or the unpacked folders; nothing is fetched.",
)
@click.option("--size", help="A smaller form of the set, for those that have one (shapes13: demo).")
@click.option(
    "--accept-license/--no-accept-license",
    default=False,
    help="Accept the terms without being asked.",
)
@click.option("--dry-run/--no-dry-run", default=False, help="Say what would be done, do nothing.")
@click.option(
    "--keep-archives/--no-keep-archives", default=True, help="Keep fetched archives afterwards."
)
@click.option("--verify/--no-verify", default=False, help="Check what is there, change nothing.")
@click.option(
    "--audit/--no-audit",
    default=False,
    help="Look for faults in the prepared set; exit 5 where they make numbers wrong.",
)
@click.option("--overwrite/--no-overwrite", default=False, help="Start anew.")
@click.option(
    "--pictures",
    metavar="NAMES",
    help="Which pictures to draw, with commas between them, or none (shapenet-core).",
)
@click.option(
    "--split",
    help="Which of the set's splits is used when none is named; see bench list NAME.",
)
@click.option(
    "--objects-per-file",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most objects of a file; a set of more lies in several, read as one.",
)
@click.option(
    "--export",
    "layout",
    metavar="LAYOUT",
    help="Write the objects of shapes13 as raw files of another data set; nothing is prepared.",
)
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Where --export writes: a new folder."
)
@common_options
@click.pass_context
def prepare(
    ctx: click.Context,
    common: Common,
    names: tuple[str, ...],
    source: Path | None,
    size: str | None,
    accept_license: bool,
    dry_run: bool,
    keep_archives: bool,
    verify: bool,
    audit: bool,
    overwrite: bool,
    pictures: str | None,
    split: str | None,
    objects_per_file: int | None,
    layout: str | None,
    target: Path | None,
) -> None:
    """Fetch, verify and convert data sets; the same command again goes on where it stopped."""
    from benchbench.datasets import registry
    from benchbench.datasets.network_weights import NETWORK_WEIGHTS

    if set(names) & set(NETWORK_WEIGHTS):
        more = (size, verify, audit, overwrite, pictures, split, objects_per_file, layout, target)
        if any(more) or not set(names) <= set(NETWORK_WEIGHTS):
            raise UsageError(
                "weights are prepared apart from data sets, with at most --from, --accept-license "
                "and --dry-run",
                hint=f"bench prepare {next(name for name in names if name in NETWORK_WEIGHTS)}",
            )
        prepare_network_weights(common, names, source, accept_license, dry_run)
        return
    wanted = [registry.resolve(name) for name in names]
    for (name, its_size), typed in zip(wanted, names, strict=True):
        if its_size and size not in (None, its_size):
            raise UsageError(
                f"'{typed}' is {name} of size {its_size}, not {size}",
                hint=f"bench prepare {name} --size {size}",
            )
        if pictures is not None and not registry.dataset_spec(name).pictures:
            drawn = [one for one in registry.dataset_names() if registry.dataset_spec(one).pictures]
            raise UsageError(
                f"the pictures of '{name}' are not chosen; --pictures is for {', '.join(drawn)}",
                hint=f"bench prepare {name}",
            )
    if layout is not None or target is not None:
        others = any((source, pictures, dry_run, verify, audit, overwrite, split, objects_per_file))
        if (
            others
            or layout is None
            or target is None
            or [name for name, _ in wanted] != ["shapes13"]
        ):
            raise UsageError(
                "--export and --to go together, with shapes13 and at most --size",
                hint="bench prepare shapes13 --size demo --export shapenet --to DIR",
            )
        _export(common, layout, target, wanted[0][1] or size)
        return
    options = {"pictures": pictures, "split": split, "objects_per_file": objects_per_file}
    chosen = {name: value for name, value in options.items() if value is not None}
    answers: list[dict[str, Any]] = []
    failed = 0
    for name, its_size in wanted:
        if not (accept_license or source or dry_run or verify):
            _ask(name, common.root)
        report = registry.prepare(
            name,
            common.root,
            source=source,
            size=its_size or size,
            accept_license=accept_license,
            keep_archives=keep_archives,
            overwrite=overwrite,
            dry_run=dry_run,
            verify=verify,
            quiet=common.quiet,
            **chosen,
        )
        failed += len(report.failed)
        answer: dict[str, Any] = {
            "name": name,
            **dataclasses.asdict(report),
            "path": str(report.path),
        }
        if not common.json:
            _show(common, name, report, dry_run, audit)
        if audit and not dry_run:
            answer["audit"] = _audit(common, name, report.path)
        answers.append(answer)
    if common.json:
        answer_json({"prepared": answers})
    _refuse(answers)
    if failed:
        again = f"--from '{source}' --overwrite" if source else "--overwrite"
        common.say(f"hint: with the files mended: bench prepare {' '.join(names)} {again}")
        ctx.exit(EXIT_PARTIAL)


def _export(common: Common, layout: str, target: Path, size: str | None) -> None:
    """Raw files instead of a prepared set."""
    from benchbench.datasets.shapes13.export import export

    done = export(layout, target, size or "full", common.quiet)
    if done.left_out:
        common.say(f"left out: {done.left_out} objects of classes that {layout} does not have")
    if common.json:
        answer = {**dataclasses.asdict(done), "path": str(done.path), "layout": layout}
        answer_json({"exported": answer})
    else:
        rows = [*done.parts.items(), ("objects", sum(done.parts.values()))]
        click.echo(tabulate(rows, headers=[layout, "count"], tablefmt="plain"))
    common.say(f"next: bench prepare {layout} --from '{done.path}'")


def _ask(name: str, root: Path | None) -> None:
    """Show the terms and ask, on a terminal only: a batch job must fail with a hint instead."""
    from benchbench.datasets import registry

    if not sys.stdin.isatty():
        return
    terms = registry.terms_wanted(name, root)
    if terms is not None:
        click.echo(terms, err=True)
        try:
            accepted = click.confirm("Do you accept these terms?", default=False, err=True)
        except click.Abort as error:
            if not isinstance(error.__context__, EOFError):
                raise
            accepted = False  # Ctrl-D is no answer, not an interruption
            click.echo(err=True)
        if accepted:
            registry.accept_terms(name, root)


def _show(common: Common, name: str, report: Any, dry_run: bool, audit: bool) -> None:
    for message in report.messages:
        common.say(message)
    for kind, items in (("failed", report.failed), ("excluded", report.excluded)):
        for identifier, reason in items[:20]:
            common.say(f"{kind}: {identifier}: {reason}")
        if len(items) > 20:
            common.say(f"{kind}: and {len(items) - 20} more (all of them with --json)")
    if dry_run:
        return
    objects = report.counts.get("objects", 0)
    if audit:  # the answer is the audit's; its tables hold these counts
        common.say(f"{objects} objects: {report.path}")
        return
    rows = [[key, count] for key, count in report.counts.items()]
    click.echo(tabulate(rows, headers=[name, "count"], tablefmt="plain"))
    method = "kato" if report.counts.get("pictures") else "gt"  # the truth needs no pictures
    common.say(
        f"{objects} objects, {len(report.failed)} failed, {len(report.excluded)} excluded: "
        f"{report.path}\n"
        f"next: bench run --baseline {method} --dataset {report.path.stem} --split test"
    )


def _audit(common: Common, name: str, path: Path) -> dict[str, Any]:
    """What every set is asked, and what the set's own audit asks where it has one."""
    from benchbench.datasets import registry
    from benchbench.datasets.audit.run import audit_store

    found = audit_store(path, quiet=common.quiet)
    if not common.json:
        click.echo(found.table())
    answer: dict[str, Any] = {"passed": found.passed, "store": found.as_dict(), "set": None}
    if registry.dataset_spec(name).audit:
        own = registry.audit(name, path)
        if not common.json:
            click.echo(f"\ncan this set tell methods apart?\n{own['table']}")
        answer["set"] = {key: value for key, value in own.items() if key != "table"}
        answer["passed"] = found.passed and own["passed"]
    return answer


def _refuse(answers: list[dict[str, Any]]) -> None:
    """Exit 5 where an audit found something that makes numbers wrong."""
    from benchbench.datasets.registry import prepare_command

    audited = [answer for answer in answers if "audit" in answer]
    for answer in audited:
        errors = [
            f"{found['check']}: {found['count']} objects"
            for found in answer["audit"]["store"]["findings"]
            if found["level"] == "error"
        ]
        if errors:
            again = f"{prepare_command(Path(answer['path']).stem)} --audit --json"
            raise CheckError(
                f"'{answer['name']}' has faults that make numbers wrong: {'; '.join(errors)}",
                hint=f"all of them by id: {again}",
            )
    if not all(answer["audit"]["passed"] for answer in audited):
        raise CheckError("the audit found limits exceeded", hint="see the lines marked 'no'")
