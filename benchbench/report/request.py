"""What a report was asked for: which results, which tables, and what does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchbench.core.errors import MissingError, UsageError
from benchbench.core.names import require
from benchbench.datasets.registry import dataset_names, dataset_spec
from benchbench.protocols.registry import in_order
from benchbench.report.against import against_sheet
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result, find_results
from benchbench.report.sheets import Sheet
from benchbench.report.tables import Table, build_tables


def refuse_together(kinds: Mapping[str, object], others: Mapping[str, object]) -> None:
    """Each kind of table for itself; --across shows one run and all its metrics.

    Args:
        kinds: Options that ask for a kind, with what was given.
        others: Options that --across leaves no room for.

    Raises:
        UsageError: Two kinds were asked for, or an option that has no meaning there.
    """
    asked = [name for name, value in kinds.items() if value]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} are different tables", hint="one command for each")
    if "--across" in asked:
        for name, value in others.items():
            if value:
                raise UsageError(
                    f"--across shows one run and all that was scored; {name} does not go with it",
                    hint="bench report --across RUN",
                )


def require_dataset(name: str, found: set[str]) -> None:
    """Results may come from a set that is not prepared here, or that this version does not know.

    Raises:
        UsageError: Neither a result nor this version has a set of that name; near ones are offered.
    """
    stores = {store for known in dataset_names() for store in dataset_spec(known).stores}
    require(name, {*found, *dataset_names(), *stores}, "data set")


def one_result(place: Path) -> Result:
    """The result in a run folder or file, alone.

    Raises:
        UsageError: There are several.
        MissingError: There is none.
    """
    found = find_results([place])
    if len(found) != 1:
        raise UsageError(
            f"'{place}' holds {len(found)} results; one is wanted",
            hint=f"name a run, for example '{found[0].path.parent}'",
        )
    return found[0]


def with_reference(results: list[Result], reference: Result) -> list[Result]:
    """The results and, where it is not among them, the one that they are compared with."""
    there = {result.path.resolve() for result in results}
    return results if reference.path.resolve() in there else [*results, reference]


def primary_metrics(results: list[Result]) -> tuple[str, ...]:
    """The first metric of every protocol that was scored and is known."""
    return tuple(in_order(name for r in results for name in r.content["protocols"]))


def tables_of(
    results: list[Result],
    metrics: tuple[str, ...],
    dataset: str | None,
    split: str | None,
    partial: bool,
    needed: bool,
) -> tuple[list[Table], list[str]]:
    """Tables of all metrics; where they were not asked for by name, those that there are.

    Args:
        results: From `find_results`.
        metrics: As typed.
        dataset, split, partial: As for `build_tables`.
        needed: The metrics were asked for by name.

    Returns:
        Tables, and remarks about what was left out.

    Raises:
        MissingError: Nothing fits, or not a metric that was asked for.
    """
    tables: list[Table] = []
    remarks: list[str] = []
    missing: MissingError | None = None
    for metric in dict.fromkeys(metrics):
        try:
            found, left = build_tables(
                results, metric, dataset=dataset, split=split, partial=partial
            )
        except MissingError as error:
            if needed:
                raise
            missing = error
            continue
        tables += found
        remarks += left
    if missing is not None and not tables:
        raise missing
    return tables, remarks


def against_sheets(tables: list[Table], reference: Result, files: ObjectFiles) -> list[Sheet]:
    """The paired tables of those that hold the reference.

    Raises:
        MissingError: None does.
    """
    path = reference.path.resolve()
    theirs = [
        table
        for table in tables
        if any(row.result is not None and row.result.path.resolve() == path for row in table.rows)
    ]
    if not theirs:
        raise MissingError(
            f"'{reference.path.parent}' stands in none of these tables",
            hint=f"bench report '{reference.path.parent}' says why",
        )
    return [against_sheet(table, reference, files) for table in theirs]
