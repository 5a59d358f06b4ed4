"""Terms are accepted once, by flag, and asked for again when they change."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.errors import MissingError
from benchbench.datasets import consent, registry
from benchbench.datasets.spec import Licence

TERMS = Licence("Some terms", "http://example.org", "Be nice.", ("A paper",))


def test_refused_accepted_and_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError, match="Be nice") as caught:
        consent.require_consent(tmp_path, "toy", TERMS, False)
    assert caught.value.exit_code == 3
    assert caught.value.hint == "bench prepare toy --accept-license"
    assert not list(tmp_path.iterdir())
    consent.require_consent(tmp_path, "toy", TERMS, True)
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""
    consent.keep_consent(tmp_path, "toy", TERMS)
    assert "by --accept-license, the terms of 'toy':\nSome terms" in capsys.readouterr().err
    consent.require_consent(tmp_path, "toy", TERMS, False)  # remembered
    consent.keep_consent(tmp_path, "toy", TERMS)
    assert capsys.readouterr().err == ""
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


@pytest.mark.parametrize("name", ["shapenet", "imagenet-resnet18-f37072fd"])
def test_what_is_not_begun_accepts_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    words = ["prepare", name, "--root", str(tmp_path)]
    offline = CliRunner().invoke(cli, [*words, "--accept-license"])
    assert (offline.exit_code, offline.stdout) == (3, "")
    assert f"type: bench prepare {name} --root {tmp_path} --from DIR" in offline.stderr
    again = CliRunner().invoke(cli, words)
    assert again.exit_code == 3 and f"terms of '{name}' are not accepted" in again.stderr
