"""Records of training objects: what they hold, what they refuse, and what overlaps with what."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import read_training, shipped_checkpoint, write_checkpoint
from benchbench.baselines.kato.spec import KatoOptions
from benchbench.baselines.kato.train import train
from benchbench.baselines.kato.weights import FORMAT, read_checkpoint
from benchbench.baselines.training_ids import BYTES, TrainingIds, digest, overlap
from benchbench.core.classes import SYNSETS
from benchbench.core.errors import InputError
from benchbench.core.files import read_json, write_json
from benchbench.datasets.store import Store

TINY = KatoOptions(
    steps=2, batch=2, channels=(4, 4, 4), encoder_hidden=(8, 8), feature=8,
    decoder_hidden=(8, 16), validate_every=0, save_every=1,
)  # fmt: skip


class Other:
    """Another data set: its own content, ids as given."""

    def __init__(self, ids: list[str], named: bool = True, identity: str = "other") -> None:
        self.id, self.identity, self.split_name = "set", identity, "s"
        self.object_ids = ids
        self.info: dict[str, Any] = {} if named else {"ids": "unknown"}


def record(ids: list[str], **changes: Any) -> TrainingIds:
    return TrainingIds.of(Other(ids, **changes), range(len(ids)))  # type: ignore[arg-type]


def seen(training: TrainingIds | None, store: Other) -> Any:
    return overlap(training, store, range(len(store.object_ids)))  # type: ignore[arg-type]


def test_digest_is_the_start_of_sha256() -> None:
    assert digest("03001627/a") == hashlib.sha256(b"03001627/a").digest()[:6]


def test_there_and_back() -> None:
    training = record([f"1/{n}" for n in range(100)])
    content = json.loads(json.dumps(training.as_dict()))
    assert TrainingIds.from_dict(content, "x") == training
    raw = base64.b64decode(content["ids"])
    parts = [raw[n : n + 6] for n in range(0, len(raw), 6)]
    assert parts == sorted(hashlib.sha256(f"1/{n}".encode()).digest()[:6] for n in range(100))
    ids = "".join(f"1/{n}\n" for n in range(100))
    assert content["sha256"] == hashlib.sha256(ids.encode()).hexdigest()
    assert (content["objects"], content["split"], content["part"]) == (100, "s", "train")
    assert TrainingIds.from_dict(record([]).as_dict(), "x").digests == frozenset()


def test_thirty_thousand_ids_stay_below_300_kilobytes() -> None:
    ids = [f"03001627/{n:032x}" for n in range(30_643)]
    training = record(ids)
    assert len(training.digests) == 30_643  # no two agree
    assert len(json.dumps(training.as_dict())) < 300_000


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"ids": "not base64!"},
        {"ids": None},
        {"ids": "A" * 4},
        {"objects": 7},
        {"objects": "3"},
        {"objects": -1},
        {"dataset": 1},
        {"named": "yes"},
        {"ids": base64.b64encode(b"abcdef" * 3).decode()},  # one id three times
        {"ids": "A" * 8_000_008, "objects": 1_000_001},
    ],
)
def test_damaged_records_are_refused(change: dict[str, Any]) -> None:
    content = {**record(["1/a", "1/b", "1/c"]).as_dict(), **change}
    with pytest.raises(InputError, match="'x' has a damaged record") as caught:
        TrainingIds.from_dict(content, "'x'")
    assert caught.value.hint
    for wrong in (None, [], "x", {}, {k: v for k, v in content.items() if k != "named"}):
        with pytest.raises(InputError):
            TrainingIds.from_dict(wrong, "x")


def test_overlap_by_equal_names_across_sets() -> None:
    training = record(["1/a", "1/b", "2/a"], identity="mine")
    assert seen(training, Other(["2/b", "1/b", "1/c", "1/a"])).seen == ("1/b", "1/a")
    assert seen(training, Other(["3/a", "1/ab"])).seen == ()
    assert seen(training, Other([])).seen == ()


def test_overlap_of_numbered_sets_is_known_with_themselves_only() -> None:
    numbered = record(["1/train/0"], named=False, identity="n")
    same = Other(["1/train/0", "1/test/0"], named=False, identity="n")
    assert seen(numbered, same).seen == ("1/train/0",)
    other = seen(numbered, Other(["1/a"]))
    assert other.seen is None and "'set' numbers its objects" in other.why
    assert seen(record(["1/a"], identity="mine"), same).seen is None
    assert seen(numbered, Other(["1/train/0"], named=False, identity="another")).seen is None


def test_overlap_without_a_record_is_unknown() -> None:
    found = seen(None, Other(["1/a"]))
    assert found.seen is None and "does not record" in found.why


@pytest.fixture(scope="module")
def trained(little_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(little_store, tmp_path_factory.mktemp("run"), TINY, quiet=True)


def test_training_writes_what_it_read(little_store: Store, trained: Path) -> None:
    training = read_training(trained)
    rows = little_store.indices("train").tolist()
    assert training == TrainingIds.of(little_store, rows)
    assert training.sha256 == little_store.split_hash("train")
    assert training.dataset == "blobs" and training.split == "blobs" and training.named
    ids = [little_store.object_ids[row] for row in rows]
    assert overlap(training, little_store, range(len(little_store))).seen == tuple(ids)
    assert read_json(trained.with_suffix(".json"))["training"] == training.summary()
    baseline = load_baseline("kato", checkpoint=trained)
    assert baseline.training == training


def test_the_state_of_a_training_says_it_too(trained: Path) -> None:
    (state,) = trained.parent.glob("checkpoint-*.safetensors")
    assert read_training(state) == read_training(trained)


def test_a_part_of_the_training_objects(little_store: Store, tmp_path: Path) -> None:
    options = dataclasses.replace(TINY, steps=1, classes="chair")
    path = train(little_store, tmp_path, options, limit=3, quiet=True)
    training = read_training(path)
    rows = little_store.indices("train", ["chair"], 3).tolist()
    assert training == TrainingIds.of(little_store, rows) and len(training.digests) == 3
    assert training.sha256 != little_store.split_hash("train")


def test_checkpoints_without_a_record(trained: Path, tmp_path: Path) -> None:
    _, tensors = read_checkpoint(trained)
    plain = tmp_path / "plain.safetensors"
    write_checkpoint(plain, tensors, FORMAT)
    assert read_training(plain) is None
    chainer = tmp_path / "model.npz"
    np.savez(chainer, **tensors)
    assert read_training(chainer) is None
    assert load_baseline("kato", checkpoint=chainer).training is None


def test_a_record_beside_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    _, tensors = read_checkpoint(trained)
    plain = tmp_path / "plain.safetensors"
    write_checkpoint(plain, tensors, FORMAT)
    wanted = record(["1/a"])
    note = {"sha256": hashlib.sha256(plain.read_bytes()).hexdigest()}
    beside = plain.with_suffix(".json")
    write_json(beside, {**note, "training": wanted.as_dict()})
    assert read_training(plain) == wanted
    write_json(beside, {"sha256": "0" * 64, "training": wanted.as_dict()})
    assert read_training(plain) is None  # the record of another file
    for content in ([], {**note}, {**note, "training": wanted.summary()}, {**note, "training": 1}):
        write_json(beside, content)
        assert read_training(plain) is None
    write_json(beside, {**note, "training": {**wanted.as_dict(), "objects": 2}})
    with pytest.raises(InputError, match="damaged record"):
        read_training(plain)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"schema": 1}'])
def test_a_damaged_header(trained: Path, tmp_path: Path, text: str) -> None:
    _, tensors = read_checkpoint(trained)
    path = tmp_path / "model.safetensors"
    save_file(tensors, path, metadata={"training": text})
    with pytest.raises(InputError, match="damaged record of its training objects"):
        load_baseline("kato", checkpoint=path)


def test_the_shipped_weights_know_their_objects() -> None:
    training = read_training(shipped_checkpoint("kato"))
    assert training is not None and training.dataset == "shapes13"
    # the first hundred of every class
    ids = {f"{synset}/{name}{k:04d}" for synset, name in SYNSETS.items() for k in range(100)}
    assert training.digests == {digest(name) for name in ids}
    content = read_json(shipped_checkpoint("kato").with_suffix(".json"))
    assert training.sha256 == content["train_split_hash"]  # of the set that it was trained on
    assert BYTES * len(training.digests) == 6 * 1300
