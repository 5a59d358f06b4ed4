"""`bench prepare` of network weights that a training starts from, which are no data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from tabulate import tabulate

from benchbench.cli.options import Common, answer_json


def prepare_network_weights(
    common: Common, names: tuple[str, ...], source: Path | None, accept_license: bool, dry_run: bool
) -> None:
    """Fetches or takes over each of them, and says where it lies and what its hash is."""
    from benchbench.core.paths import data_root
    from benchbench.datasets.consent import accepted, terms
    from benchbench.datasets.network_weights import NETWORK_WEIGHTS, prepare_weights, weights_file

    answers = []
    for name in names:
        weights, path = NETWORK_WEIGHTS[name], weights_file(name, common.root)
        if dry_run:
            if not accepted(data_root(common.root), name, weights.licence):
                common.say(f"terms: {terms(weights.licence)}")
            todo = f"would be read from '{source}'" if source else weights.archive.mirrors[0]
            common.say(f"{name}: {'is there' if path.is_file() else todo}: {path}")
            continue
        found = prepare_weights(
            name, common.root, source=source, accept_license=accept_license, quiet=common.quiet
        )
        answers.append({"name": name, **dataclasses.asdict(found), "path": str(found.path)})
        common.say(f"next: bench train --baseline dibr --dataset NAME --set imagenet={name}")
    if common.json:
        answer_json({"weights": answers})
    elif answers:
        rows = [[one["name"], one["bytes"], one["sha256"], one["path"]] for one in answers]
        click.echo(tabulate(rows, headers=["weights", "bytes", "sha256", "file"], tablefmt="plain"))
