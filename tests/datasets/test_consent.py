"""Terms are accepted once, by flag, and asked for again when they change."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchbench.core.errors import MissingError
from benchbench.datasets import consent, registry
from benchbench.datasets.spec import Licence

TERMS = Licence("Some terms", "http://example.org", "Be nice.", ("A paper",))


def test_refused_accepted_and_changed(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Be nice") as caught:
        consent.require_consent(tmp_path, "toy", TERMS, False)
    assert caught.value.exit_code == 3
    assert caught.value.hint == "bench prepare toy --accept-license"
    assert not list(tmp_path.iterdir())
    consent.require_consent(tmp_path, "toy", TERMS, True)
    consent.require_consent(tmp_path, "toy", TERMS, False)  # remembered
    note = json.loads((tmp_path / "licences" / "toy.json").read_text())
    assert set(note) == {"dataset", "licence", "url", "sha256", "text", "how", "date", "version"}
    changed = dataclasses.replace(TERMS, text="Be nicer.")
    with pytest.raises(MissingError):
        consent.require_consent(tmp_path, "toy", changed, False)
    (tmp_path / "licences" / "toy.json").write_text("{")
    with pytest.raises(MissingError):
        consent.require_consent(tmp_path, "toy", TERMS, False)


def test_terms_wanted(tmp_path: Path) -> None:
    text = registry.terms_wanted("shapenet", tmp_path)
    assert text is not None
    assert "shapenet.org" in text
    registry.accept_terms("shapenet", tmp_path)
    assert registry.terms_wanted("shapenet", tmp_path) is None
