"""`bench score DIR --gt DIR`: meshes in pairs, without a prepared data set."""

from __future__ import annotations

import functools
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbench.cli.options import Command, Common, answer_json
from benchbench.core.errors import EXIT_PARTIAL, CheckError, UsageError
from benchbench.core.names import require

if TYPE_CHECKING:
    from benchbench.evaluation.pair_scores import Choices
    from benchbench.evaluation.pair_signature import PairSignature
    from benchbench.evaluation.pairs import Pairs

_NAMED = 5  # failed pairs that are named on stderr
_ODD_SIZE = 1.5  # a median prediction of so many times the truth's size has another unit
_OWN = ("truths", "aligns", "norm", "surface")
_SHARED = ("predictions", "out", "show_signatures", "signature", "selftest")
_COMMON = ("verbose", "quiet", "root", "as_json")


@dataclass(frozen=True)
class PairOptions:
    """What was typed for meshes in pairs.

    Attributes:
        truths: Folder or file; None where predictions are of a data set.
        aligns: Names of alignments.
        norm: Name of a normalisation, or None for the default.
        surface: Name of a surface, or None for the default.
    """

    truths: Path | None
    aligns: tuple[str, ...]
    norm: str | None
    surface: str | None

    @property
    def chosen(self) -> bool:
        """Any of them beside the truths."""
        return bool(self.aligns or self.norm or self.surface)

    def refuse(self, predictions: Path, signature: str | None) -> None:
        """Without truths there is nothing to choose.

        Raises:
            UsageError: Something was chosen, or a signature of pairs was given.
        """
        if signature is not None and "|p:mesh-pairs-" in signature:
            raise UsageError(
                "the signature is of meshes in pairs, and needs the true ones",
                hint=f"bench score '{predictions}' --gt FOLDER --signature '{signature}'",
            )
        if self.chosen:
            raise UsageError(
                "--align, --normalise and --surface are for meshes in pairs",
                hint=f"bench score '{predictions}' --gt FOLDER",
            )


def pair_options(command: Command) -> Command:
    """Adds --gt, --align, --normalise and --surface to the verb, which gets `in_pairs`."""

    @click.option(
        "--gt",
        "truths",
        type=click.Path(path_type=Path),
        help="Folder of true meshes, or one, named as the predictions; no data set is needed.",
    )
    @click.option(
        "--align",
        "aligns",
        multiple=True,
        help="With --gt: none, yaw24, cube24+icp-similarity, zeroshape-6912; repeat for more.",
    )
    @click.option(
        "--normalise",
        "norm",
        help="With --gt: truth-box (place and size of predictions count) or each-box.  "
        "[default: truth-box]",
    )
    @click.option(
        "--surface",
        help="With --gt: all, or outer (what can be reached from outside).  [default: all]",
    )
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        truths: Path | None,
        aligns: tuple[str, ...],
        norm: str | None,
        surface: str | None,
        **kwargs: Any,
    ) -> Any:
        return command(*args, in_pairs=PairOptions(truths, aligns, norm, surface), **kwargs)

    return wrapper  # type: ignore[return-value]


def score_pairs(
    ctx: click.Context,
    common: Common,
    predictions: Path,
    options: PairOptions,
    out: Path | None,
    show_signatures: bool,
    signature: str | None,
) -> None:
    """Scores and answers.

    Args:
        ctx: For what was typed, and the exit code.
        common: Common options.
        predictions: Folder or file.
        options: With truths.
        out: File for a CSV of every pair, or None; what is done is kept beside it until all is.
        show_signatures: Answer with lines.
        signature: Score what this line says and nothing else, or None.
    """
    from benchbench.core.files import write_text
    from benchbench.evaluation.pair_journal import Journal
    from benchbench.evaluation.pair_scores import about
    from benchbench.evaluation.pair_scores import score_pairs as score
    from benchbench.evaluation.pairs import find_pairs
    from benchbench.report.pairs import scores_sheet
    from benchbench.report.plain import to_csv

    assert options.truths is not None
    _refuse_others(ctx, predictions, options.truths)
    wanted = None if signature is None else _wanted(signature, options)
    if wanted is None:
        choices = _choices(options.aligns, options.norm, options.surface)
    else:
        choices = _choices((wanted.align,), wanted.norm, wanted.surface)
    if out is not None and out.is_dir():
        raise UsageError(
            f"'{out}' is a folder; --out names the CSV of the pairs",
            hint=f"--out '{out / 'pairs.csv'}'",
        )
    pairs = find_pairs(predictions, options.truths)
    for side, word in ((pairs.preds, "predictions"), (pairs.truths, "truths")):
        if side.ignored:
            common.say(f"{side.ignored} files are no {word} and were not read")
    if wanted is not None:
        _check_repeatable(wanted, pairs, choices)
    if out is None and len(choices.aligns) > 1:
        common.say("without --out FILE nothing is kept of a command that is interrupted")
    journal = Journal(out, about(pairs, choices))
    result = score(pairs, choices, common.quiet, journal)
    if out is not None:
        write_text(out, to_csv([scores_sheet(result)]) + "\n")
        journal.close()
    if show_signatures or wanted is not None:
        _answer_signatures(common, result, wanted)
    else:
        _answer(common, result)
    _tell(common, result, choices)
    if any(summary["failed"] for summary in result["alignments"].values()):
        ctx.exit(EXIT_PARTIAL)


def _refuse_others(ctx: click.Context, predictions: Path, truths: Path) -> None:
    """Options that mean something for data sets only."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        typed = source is click.core.ParameterSource.COMMANDLINE
        if typed and name not in (*_OWN, *_SHARED, *_COMMON):
            raise UsageError(
                f"{parameter.opts[0]} does not go with --gt",
                hint=f"bench score '{predictions}' --gt '{truths}'",
            )


def _choices(aligns: tuple[str, ...], norm: str | None, surface: str | None) -> Choices:
    from benchbench.evaluation.alignment import ALIGNMENTS, NORMALISATIONS
    from benchbench.evaluation.pair_scores import SURFACES, Choices

    for align in aligns:
        require(align, ALIGNMENTS, "alignment")
    norm = require(norm or NORMALISATIONS[0], NORMALISATIONS, "normalisation")
    surface = require(surface or SURFACES[0], SURFACES, "surface")
    return Choices(tuple(a for a in ALIGNMENTS if a in ("none", *aligns)), norm, surface)


def _wanted(text: str, options: PairOptions) -> PairSignature:
    """What a signature asks for; nothing else may be asked for beside it."""
    from benchbench.evaluation.pair_scores import PROTOCOL, metrics
    from benchbench.evaluation.pair_signature import PairSignature

    found = PairSignature.parse(text)
    if options.chosen:
        raise UsageError(
            "a signature names the alignment, the normalisation and the surface",
            hint=f"bench score PREDICTIONS --gt TRUTHS --signature '{found}'",
        )
    require(found.protocol, (PROTOCOL,), "protocol of pairs")
    require(found.metric, [metric.name for metric in metrics()], "metric")
    return found


def _check_repeatable(wanted: PairSignature, pairs: Pairs, choices: Choices) -> None:
    """Looks before anything is scored: a search takes half a minute a pair.

    Raises:
        CheckError: These pairs are not what the signature says.
    """
    from benchbench.evaluation.pair_scores import signature

    own = signature(pairs, choices, wanted.align, wanted.metric)
    if wrong := wanted.differences(own):
        raise CheckError(
            f"what would be scored is not what the signature says: {'; '.join(wrong)}",
            hint=f"its own signature: {own}",
        )


def _answer(common: Common, result: dict[str, Any]) -> None:
    from benchbench.report.pairs import scores_sheet, sides_sheet
    from benchbench.report.text import to_text

    if common.json:
        answer_json(result)
        return
    click.echo(to_text(scores_sheet(result)))
    click.echo()
    click.echo(to_text(sides_sheet(result)).lstrip("\n"))


def _answer_signatures(
    common: Common, result: dict[str, Any], wanted: PairSignature | None
) -> None:
    """A line for each mean; or the one that was asked for."""
    found = [
        (f"{align}:{metric}", summary["mean"][metric], line)
        for align, summary in result["alignments"].items()
        for metric, line in summary["signatures"].items()
    ]
    if wanted is not None:
        found = [one for one in found if one[0] == f"{wanted.align}:{wanted.metric}"]
    if common.json:
        lines = {name: {"value": value, "signature": line} for name, value, line in found}
        answer_json({"signatures": lines})
        return
    for _, value, line in found:
        click.echo(f"{value:.6g}  {line}")


def _tell(common: Common, result: dict[str, Any], choices: Choices) -> None:
    """What failed, and how long each alignment took."""
    preds = result["predictions"]
    failed = preds["failed_pairs"]
    if failed:
        words = ", ".join(f"{count} {status}" for status, count in preds["failed"].items())
        common.say(f"{len(failed)} predictions failed and got the penalty ({words})")
        for one in failed[:_NAMED]:
            some = one["alignments"]
            where = "" if len(some) == len(choices.aligns) else f" (under {', '.join(some)})"
            common.say(f"  {one['name']}: {one['status']}: {one['message']}{where}")
        if len(failed) > _NAMED:
            common.say(f"  ... all {len(failed)} are named with --json and in the file of --out")
    sizes = [pair["size"] for pair in result["pairs"] if pair["size"] is not None]
    middle = statistics.median(sizes) if sizes else 1.0
    if choices.norm == "truth-box" and not 1 / _ODD_SIZE < middle < _ODD_SIZE:
        common.say(
            f"the median prediction is {middle:.3g} times as large as its truth; "
            "--normalise each-box takes each in its own box"
        )
    for align in choices.aligns:
        summary = result["alignments"][align]
        each = summary["seconds"] / summary["pairs"]
        common.say(f"{align}: {each:.2f} s a pair")
