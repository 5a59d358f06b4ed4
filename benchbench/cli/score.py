"""`bench score`: somebody else's predictions, a stored run again, or the check of a result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbench.cli.options import Common, answer_json, common_options, complete
from benchbench.cli.score_pairs import PairOptions, pair_options, score_pairs
from benchbench.core.errors import EXIT_CHECK, EXIT_PARTIAL, CheckError, MissingError, UsageError

if TYPE_CHECKING:
    from benchbench.evaluation.signature import Signature

_EPILOG = """
\b
PREDICTIONS is a run folder, an .h5 file of predictions, or a folder of
  <synset>/<object>/<view>.obj  (.off .ply .glb .npy .npz .binvox; or <synset>/<object>.obj)
in the object frame: y up, longest side 1, centred. An .npy holds an (R, R, R)
grid of the unit cube indexed [x, y, z], or (N, 3) points; a .binvox the former.

\b
Examples:
  bench score runs/shapes13-test/kato-1a2b3c4d --protocol dibr-chamfer-v1
  bench score my-meshes --dataset shapes13 --split test
  bench score runs/shapes13-test/kato-1a2b3c4d --expect result.json
  bench score runs/shapes13-test/kato-1a2b3c4d --signatures
  bench score my-meshes --signature 'iou|p:bench-iou-v1|set:shapes13@3f8a384f|...'
  bench score my-glbs --gt true-glbs --align yaw24
  bench score --selftest

\b
With --gt no data set is needed: DIR/a/b.glb is compared with GT/a/b.obj, whatever the
endings. Scores as the files lie are printed with those of every --align.
"""


@click.command(epilog=_EPILOG)
@click.argument("predictions", required=False, type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    shell_complete=complete("dataset"),
    help="Prepared data set; a run folder knows its own.",
)
@click.option(
    "--split",
    shell_complete=complete("split"),
    help="train, val, test or all; a run folder knows its own.",
)
@click.option(
    "--protocol",
    "protocols",
    shell_complete=complete("protocol"),
    multiple=True,
    help="Protocol; repeat for more.",
)
@click.option(
    "--name",
    help="Name in tables.  [default: the folder's]",
)
@click.option(
    "--threshold", type=float, help="Of voxel predictions.  [default: the file's, or 0.5]"
)
@click.option(
    "--views", default="found", help="Expected views: found (those that occur), all, or N."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder that holds the run folders.  [default: ./runs]  With --gt: file for a CSV of "
    "every pair.",
)
@pair_options
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="Score a run folder from scratch and compare with this result; nothing is changed.",
)
@click.option(
    "--signatures/--no-signatures",
    "show_signatures",
    default=False,
    help="Answer with every mean over classes and the line that says what it is.",
)
@click.option(
    "--signature",
    metavar="LINE",
    help="Score as a line from --signatures says, and refuse where that cannot be repeated.",
)
@click.option(
    "--selftest/--no-selftest", default=False, help="Score shapes whose numbers are known by hand."
)
@click.option(
    "--allow-seen/--no-allow-seen",
    default=False,
    help="Score objects that the weights were trained on; the result and its tables say so.",
)
@click.option(
    "--overwrite/--no-overwrite",
    default=False,
    help="Score again what is scored.",
)
@common_options
@click.pass_context
def score(
    ctx: click.Context,
    common: Common,
    predictions: Path | None,
    dataset: str | None,
    split: str | None,
    protocols: tuple[str, ...],
    name: str | None,
    threshold: float | None,
    views: str,
    out: Path | None,
    in_pairs: PairOptions,
    expect: Path | None,
    show_signatures: bool,
    signature: str | None,
    selftest: bool,
    allow_seen: bool,
    overwrite: bool,
) -> None:
    """Score predictions of any method under any protocol; check a result file."""
    from benchbench.evaluation.folder import Rank, RunFolder
    from benchbench.protocols.registry import get_protocol

    for protocol in protocols:
        get_protocol(protocol)
    rank = Rank.from_environment()
    quiet = common.quiet or rank.index > 0
    if rank.index > 0 and (selftest or expect is not None):
        return  # rank 0 does it, and says what it found
    if selftest:
        _selftest(ctx, common)
        return
    if predictions is None:
        raise UsageError("name the predictions", hint="bench score PREDICTIONS, or --selftest")
    if not predictions.exists():
        raise MissingError(
            f"there are no predictions at '{predictions}'", hint="bench score --help"
        )
    if in_pairs.truths is not None:
        if rank.index == 0:
            score_pairs(ctx, common, predictions, in_pairs, out, show_signatures, signature)
        return
    in_pairs.refuse(predictions, signature)
    if out is not None and out.is_file():
        raise UsageError(f"'{out}' is a file, not the folder of runs", hint="--out runs")
    wanted = None
    if signature is not None:
        wanted = _wanted(signature, dataset, split, protocols, expect)
        protocols = (wanted.protocol,)
    folder = RunFolder(predictions)
    is_run = predictions.is_dir() and folder.config.is_file()
    if expect is not None:
        if not is_run:
            raise UsageError(
                f"--expect compares a run folder, '{predictions}' is none",
                hint="bench score PREDICTIONS first, then --expect with the folder it names",
            )
        _expect(ctx, common, folder, expect, protocols)
        return
    from benchbench.cli.run import answer
    from benchbench.evaluation.rescore import plan_outside, score_outside, score_run
    from benchbench.evaluation.result import failures

    if is_run:
        if dataset or split or threshold is not None or name:
            raise UsageError(
                "a run folder knows its data set, split, threshold and name",
                hint=f"bench score '{predictions}'",
            )
        result = score_run(
            folder, common.root, protocols, rank=rank, overwrite=overwrite, quiet=quiet,
            allow_seen=allow_seen,
        )  # fmt: skip
        path = folder.path
    else:
        if wanted is not None:
            dataset, split = wanted.dataset_id, wanted.split_words
        if dataset is None or split is None:
            raise UsageError(
                "predictions from outside need --dataset and --split",
                hint=f"bench score '{predictions}' --dataset {dataset or 'shapes13'} "
                f"--split {split or 'test'}",
            )
        from benchbench.core.names import require
        from benchbench.datasets.registry import require_dataset
        from benchbench.datasets.store import open_dataset

        require_dataset(dataset, common.root)
        require(split.rpartition(":")[2], ("train", "val", "test", "all"), "split")
        rule, _, part = split.rpartition(":")
        store = open_dataset(dataset, common.root, rule or None)
        found, folder, config, items = plan_outside(
            predictions, store, part, out=out, name=name, threshold=threshold, views=views
        )
        path = folder.path
        if found.ignored and not quiet:
            common.say(f"{found.ignored} files are no predictions and were not read")
        if config["left_aside"] and not quiet:
            common.say(f"{config['left_aside']} predictions are not of this split or these views")
        result = score_outside(
            found, folder, config, items, store, protocols,
            rank=rank, overwrite=overwrite, quiet=quiet,
        )  # fmt: skip
    if result is None:
        return
    failed = failures(result)
    if show_signatures or wanted is not None:
        _answer_signatures(common, path, result, wanted)
    else:
        answer(common, path, result, failed)
    if failed:
        ctx.exit(EXIT_PARTIAL)


def _wanted(
    text: str,
    dataset: str | None,
    split: str | None,
    protocols: tuple[str, ...],
    expect: Path | None,
) -> Signature:
    """What a signature asks for; nothing else may be asked for beside it."""
    from benchbench.evaluation.signature import Signature
    from benchbench.protocols.registry import get_protocol

    found = Signature.parse(text)
    if dataset or split or protocols or expect:
        raise UsageError(
            "a signature names the data set, the split and the protocol",
            hint=f"bench score PREDICTIONS --signature '{found}'",
        )
    get_protocol(found.protocol)
    return found


def _answer_signatures(
    common: Common, path: Path, result: dict[str, Any], wanted: Signature | None
) -> None:
    """A line for each mean over classes; or the one that was asked for, if it is what was asked."""
    from benchbench.evaluation.signature import signatures

    found = signatures(result)
    if wanted is not None:
        name = f"{wanted.protocol}:{wanted.metric}"
        if name not in found:
            known = ", ".join(found)
            raise UsageError(
                f"'{wanted.protocol}' has no '{wanted.metric}'", hint=f"known: {known}"
            )
        found = {name: found[name]}
        wrong = wanted.differences(found[name][0])
        if wrong:
            raise CheckError(
                f"what was scored is not what the signature says: {'; '.join(wrong)}",
                hint=f"its own signature: {found[name][0]}",
            )
    if common.json:
        lines = {name: {"value": value, "signature": str(s)} for name, (s, value) in found.items()}
        answer_json({"run": str(path), "signatures": lines})
        return
    for signature, value in found.values():
        click.echo(f"{value:.6g}  {signature}")


def _expect(
    ctx: click.Context, common: Common, folder: object, expect: Path, protocols: tuple[str, ...]
) -> None:
    from benchbench.evaluation.folder import RunFolder
    from benchbench.evaluation.rescore import check_expected, read_result

    assert isinstance(folder, RunFolder)
    if not expect.exists():
        raise MissingError(f"there is no result file '{expect}'", hint="bench score --help")
    found = check_expected(folder, read_result(expect), common.root, common.quiet, protocols)
    if common.json:
        answer_json({"expect": str(expect), "agrees": not found["differences"], **found})
    elif not found["differences"]:
        click.echo(
            f"{found['compared']} numbers agree with '{expect}', "
            f"largest relative difference {found['largest_difference']:.2g}"
        )
    if found["not_compared"]:
        common.say(f"'{expect}' says nothing of {', '.join(found['not_compared'])}")
    if found["differences"]:
        if common.json:
            ctx.exit(EXIT_CHECK)
        shown = "; ".join(found["differences"][:5])
        raise CheckError(
            f"{len(found['differences'])} of {found['compared']} numbers differ from '{expect}': "
            f"{shown}",
            hint="is it the result of these predictions, this data set and this version?",
        )


def _selftest(ctx: click.Context, common: Common) -> None:
    from benchbench.evaluation.selftest import run_selftest

    cases = run_selftest()
    wrong = [case for case in cases if not case.passed]
    if common.json:
        answer_json(
            {
                "passed": not wrong,
                "largest_deviation": max(case.deviation for case in cases),
                "cases": [case.record() for case in cases],
            }
        )
    else:
        for case in cases:
            mark = "ok  " if case.passed else "FAIL"
            click.echo(
                f"{mark} {case.protocol}:{case.metric}  {case.name}: expected {case.expected:.6g}, "
                f"found {case.found:.6g}"
            )
        worst = max(case.deviation for case in cases)
        click.echo(f"{len(cases)} cases, largest deviation {worst:.3g}")
    if wrong:
        common.say(f"{len(wrong)} cases failed")
        ctx.exit(EXIT_CHECK)
