"""Terms of data sets: shown before anything is fetched, acceptance stored beside the data.

Nothing here asks a question; the command line does, and only on a terminal.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchbench import __version__
from benchbench.core.errors import InputError, MissingError
from benchbench.core.files import read_json, sha256_text, write_json
from benchbench.core.notices import notice
from benchbench.datasets.spec import Licence


def terms(licence: Licence) -> str:
    """The text shown to the user; its sha256 is what an acceptance refers to."""
    lines = [f"{licence.name} ({licence.url})", licence.text]
    if licence.cite:
        lines.append("To be cited: " + "; ".join(licence.cite))
    return "\n".join(lines)


def accepted(root: Path, dataset: str, licence: Licence) -> bool:
    """Whether these very terms were accepted before."""
    try:
        note = read_json(_note(root, dataset))
    except (OSError, InputError):
        return False
    return isinstance(note, dict) and note.get("sha256") == sha256_text(terms(licence))


def record(root: Path, dataset: str, licence: Licence, how: str) -> None:
    """Store an acceptance: what, when, how; no name and no address.

    Args:
        root: Folder of the data sets.
        dataset: Data set id.
        licence: Its terms.
        how: "--accept-license", "asked", or "own files" (`--from`).
    """
    write_json(
        _note(root, dataset),
        {
            "dataset": dataset,
            "licence": licence.name,
            "url": licence.url,
            "sha256": sha256_text(terms(licence)),
            "text": terms(licence),
            "how": how,
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "version": __version__,
        },
    )


def require_consent(root: Path, dataset: str, licence: Licence, accept: bool) -> None:
    """Go on only with consent; `keep_consent` stores it once the fetch begins.

    Raises:
        MissingError: Not given; the message holds the terms and the flag to type.
    """
    if not (accept or accepted(root, dataset, licence)):
        raise MissingError(
            f"the terms of '{dataset}' are not accepted yet:\n{terms(licence)}",
            hint=f"bench prepare {dataset} --accept-license",
        )


def keep_consent(root: Path, dataset: str, licence: Licence) -> None:
    """Shows and stores terms that a flag accepts; nothing if they were accepted before."""
    if not accepted(root, dataset, licence):
        notice(f"accepted by --accept-license, the terms of '{dataset}':\n{terms(licence)}")
        record(root, dataset, licence, "--accept-license")


def _note(root: Path, dataset: str) -> Path:
    return root / "licences" / f"{dataset}.json"
