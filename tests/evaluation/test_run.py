"""Predict, score, merge: the contracts about resuming, exactness, failures and denominators."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchbench.core.errors import CheckError, MissingError, UsageError
from benchbench.evaluation import plan as planning
from benchbench.evaluation.folder import Rank
from benchbench.evaluation.plan import Plan, cut_shards, plan_run
from benchbench.evaluation.run import execute, predict, run
from benchbench.evaluation.scores import read_scores

FILES = ("result.json", "scores.csv", "config.json")


def test_run_scores_and_averages(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    result = run(stubs.request(tiny_root, tmp_path), quiet=True)
    assert result is not None and result["complete"]
    summary = result["protocols"]["bench-iou-v1"]
    assert summary["items"] == 12 * 3 and summary["objects"] == 12 and summary["failed"] == {}
    # The slow twin: plain loops over the lines of scores.csv.
    path = next(tmp_path.glob("shapes13-demo-test/stub-*"))
    views: dict[str, list[float]] = {}
    for score in read_scores(path / "scores.csv"):
        views.setdefault(score.object_id, []).append(score.value)
    objects = {name: sum(v) / len(v) for name, v in views.items()}
    classes: dict[str, list[float]] = {}
    for name, value in objects.items():
        classes.setdefault(name.split("/")[0], []).append(value)
    macro = sum(sum(v) / len(v) for v in classes.values()) / len(classes)
    assert summary["mean_over_classes"]["iou"] == pytest.approx(macro, abs=1e-12)
    micro = sum(objects.values()) / len(objects)
    assert summary["mean_over_objects"]["iou"] == pytest.approx(micro, abs=1e-12)
    first = [s.value for s in read_scores(path / "scores.csv") if s.view == 0]
    assert first == [1.0] * 12  # view 0 hands on the truth itself


def test_blocks_are_fixed_and_in_order(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    stub = stubs.STUBS["stub"] = stubs.Stub()
    plan = plan_run(stubs.request(tiny_root, tmp_path))
    execute(plan, quiet=True, with_scores=False)
    asked = [item for call in stub.calls for item in call]
    # 36 items in blocks of 4, shards of 8 (2 objects of 3 views are 6, the nearest whole blocks).
    assert [after - first for first, after in plan.shards] == [8, 8, 8, 8, 4]
    assert asked == plan.items
    rows = [row for row, _ in plan.items]
    assert rows == sorted(rows)


def test_last_block_is_padded(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stub = stubs.STUBS["stub"] = stubs.Stub(block_size=7)
    run(stubs.request(tiny_root, tmp_path), quiet=True, with_scores=False)
    assert [len(call) for call in stub.calls] == [7] * 6  # 36 items = 5 * 7 + 1
    assert stub.calls[-1] == [stub.calls[-1][0]] * 7


def test_cut_shards_takes_whole_blocks() -> None:
    for count, objects, block in ((1, 1, 64), (100, 100, 64), (24 * 100, 100, 64), (0, 0, 8)):
        shards = cut_shards(count, objects, block)
        assert [s for s, _ in shards][1:] == [e for _, e in shards][:-1]
        assert all(s % block == 0 for s, _ in shards)
        assert (shards[-1][1] if shards else 0) == count


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_run_goes_on_to_the_same_files(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None, stop_after: int
) -> None:
    protocols = ("bench-iou-v1", "bench-surface-v1")
    stubs.STUBS["stub"] = stubs.Stub()
    whole = tmp_path / "whole"
    run(stubs.request(tiny_root, whole, protocols=protocols), quiet=True)

    # The same with a machine error in the middle of predicting, then of scoring.
    class Stop(OSError):
        pass

    stub = stubs.STUBS["stub"] = stubs.Stub()
    real = stub.predict_items
    count = 0

    def failing(store: Any, items: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2 * stop_after:  # two blocks a shard
            raise Stop("power cut")
        return real(store, items)

    stub.predict_items = failing
    parts = tmp_path / "parts"
    request = stubs.request(tiny_root, parts, protocols=protocols)
    with pytest.raises(Stop):
        run(request, quiet=True)
    folder = next(parts.glob("*/stub-*"))
    assert len(list(folder.glob("predictions/*.h5"))) == stop_after - 1
    assert not (folder / "result.json").exists()
    run(request, quiet=True)
    assert stubs.contents(next(whole.glob("*/stub-*"))) == stubs.contents(folder)
    # Losing any scores brings them back, and touches no prediction.
    before = stubs.contents(folder)
    shutil.rmtree(folder / "scores" / "bench-iou-v1")
    (folder / "scores" / "bench-surface-v1" / "shard-0001.csv").unlink()
    for name in FILES[:2]:
        (folder / name).unlink()
    stub.predict_items = None  # nothing is predicted again
    run(request, quiet=True)
    assert stubs.contents(folder) == before


def test_a_damaged_shard_is_made_again(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, small_shards: None
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path)
    run(request, quiet=True)
    folder = next(tmp_path.glob("*/stub-*"))
    before = stubs.contents(folder)
    shard = folder / "predictions" / "shard-0001.h5"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    run(request, quiet=True)
    assert stubs.contents(folder) == before


def test_scores_do_not_depend_on_threads_order_or_company(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    protocols = ("bench-surface-v1", "bench-iou-v1", "kato-iou-v1", "dibr-chamfer-v1")
    threads = torch.get_num_threads()
    lines = []
    for number, (chosen, count, size) in enumerate(
        ((protocols, 2, 48), (protocols[::-1], 1, 1), (protocols[:1], 1, 3))
    ):
        torch.set_num_threads(count)
        planning.SHARD_OBJECTS = size
        try:
            request = stubs.request(tiny_root, tmp_path / str(number), protocols=chosen)
            run(request, quiet=True)
        finally:
            torch.set_num_threads(threads)
            planning.SHARD_OBJECTS = 48
        folder = next((tmp_path / str(number)).glob("*/stub-*"))
        lines.append(set((folder / "scores.csv").read_text().splitlines()))
    assert lines[0] == lines[1]
    assert lines[2] < lines[0]


def test_failures_are_counted_named_and_penalised(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    rows = store.indices("test").tolist()
    wrong = {
        (rows[0], 0): stubs.EMPTY,
        (rows[0], 1): stubs.NAN,
        (rows[1], 2): stubs.FAR_INDEX,
        (rows[4], 0): None,
        (rows[5], 1): ValueError("this picture breaks the method"),
    }
    protocols = ("bench-iou-v1", "bench-surface-v1")
    stubs.STUBS["good"] = stubs.Stub()
    stubs.STUBS["bad"] = stubs.Stub(wrong=wrong)
    results = {
        name: run(stubs.request(tiny_root, tmp_path, name, protocols=protocols), quiet=True)
        for name in ("good", "bad")
    }
    bad = results["bad"]
    assert bad["predictions"]["failed"] == {
        "empty": 1, "nonfinite": 1, "invalid": 1, "missing": 1, "error": 1,
    }  # fmt: skip
    assert bad["predictions"]["items"] == 36 and bad["predictions"]["ok"] == 31
    named = {(f["object"], f["view"]): f for f in bad["predictions"]["failed_items"]}
    assert set(named) == {(store.object_ids[row], view) for row, view in wrong}
    message = named[store.object_ids[rows[5]], 1]["message"]
    assert "this picture breaks the method" in message
    assert bad["complete"]  # failures do not make a run incomplete
    lines: dict[str, dict[tuple[str, int, str], Any]] = {}
    for name in results:
        folder = next(tmp_path.glob(f"*/{name}-*"))
        lines[name] = {
            (s.object_id, s.view, f"{s.protocol}:{s.metric}"): s
            for s in read_scores(folder / "scores.csv")
        }
    assert set(lines["good"]) == set(lines["bad"])  # the denominator is the same
    penalties = {
        "bench-iou-v1:iou": 0.0,
        "bench-surface-v1:chamfer": 100 * math.sqrt(3),
        "bench-surface-v1:fscore": 0.0,
        "bench-surface-v1:normals": 0.0,
    }
    for (object_id, view, metric), score in lines["bad"].items():
        if (object_id, view) in named:
            assert score.value == penalties[metric]
            assert score.status == named[object_id, view]["status"]
        else:
            # One bad item costs its block-mates nothing.
            assert score == lines["good"][object_id, view, metric]
    for protocol in protocols:
        assert bad["protocols"][protocol]["items"] == 36
        assert sum(bad["protocols"][protocol]["failed"].values()) == 5


def test_everything_failing_is_still_a_result(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    wrong = {
        (row, v): RuntimeError("no") for row in store.indices("test").tolist() for v in range(3)
    }
    stubs.STUBS["stub"] = stubs.Stub(wrong=wrong)
    request = stubs.request(tiny_root, tmp_path, protocols=("bench-iou-v1", "bench-surface-v1"))
    result = run(request, quiet=True)
    summary = result["protocols"]
    assert summary["bench-iou-v1"]["mean_over_classes"]["iou"] == 0.0
    mean = summary["bench-surface-v1"]["mean_over_objects"]["chamfer"]
    assert mean == pytest.approx(100 * math.sqrt(3))
    assert "NaN" not in json.dumps(result)


def test_a_scoring_failure_leaves_predictions_alone(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.evaluation import scoring

    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(tiny_root, tmp_path)

    def broken(spec: Any) -> Any:
        def scorer(*arguments: Any) -> Any:
            raise MemoryError("no memory left")

        return scorer

    plan = plan_run(request)
    predict(plan, Rank(), quiet=True)
    shards = {p: p.read_bytes() for p in plan.folder.predictions.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(scoring, "load_scorer", broken)
        with pytest.raises(MemoryError):
            execute(plan, quiet=True)
    assert {p: p.read_bytes() for p in plan.folder.predictions.iterdir()} == shards
    assert not plan.folder.result.exists()
    assert execute(plan, quiet=True)["complete"]
    assert {p: p.read_bytes() for p in plan.folder.predictions.iterdir()} == shards


def test_a_scorer_that_trips_over_one_object_goes_on(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.evaluation import scoring

    stubs.STUBS["stub"] = stubs.Stub()
    answers = iter([{"iou": 0.5}] + [{"iou": float("nan")}, {"iou": float("inf")}, {}] * 12)

    def scorer(prediction: Any, truth: Any, key: Any, settings: Any) -> dict[str, float]:
        if key[1] == 2:
            raise IndexError("a fault in the scorer")
        return next(answers)

    monkeypatch.setattr(scoring, "load_scorer", lambda spec: scorer)
    result = run(stubs.request(tiny_root, tmp_path), quiet=True)
    summary = result["protocols"]["bench-iou-v1"]
    assert summary["items"] == 36 and summary["failed"] == {"invalid": 36}
    assert result["predictions"]["ok"] == 36


def test_limit_classes_and_views_are_told(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    whole = plan_run(stubs.request(tiny_root, tmp_path))
    limited = run(stubs.request(tiny_root, tmp_path, limit=5), quiet=True)
    assert not limited["complete"] and limited["incomplete_because"] == ["--limit 5"]
    assert limited["hash"] != whole.config["hash"]
    chairs = run(stubs.request(tiny_root, tmp_path, classes=("chair",)), quiet=True)
    assert not chairs["complete"]
    assert list(chairs["protocols"]["bench-iou-v1"]["per_class"]) == ["03001627"]
    one = run(stubs.request(tiny_root, tmp_path, views="1"), quiet=True)
    assert one["complete"] and one["selection"]["items"] == 12
    with pytest.raises(UsageError, match="kato-iou-v1 is the mean over all views"):
        plan_run(stubs.request(tiny_root, tmp_path, views="1", protocols=("kato-iou-v1",)))
    with pytest.raises(UsageError, match="no number of views"):
        plan_run(stubs.request(tiny_root, tmp_path, views="some"))


def test_several_views_make_one_prediction_where_the_method_takes_them(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    def planned(views: str, several: bool = True, **changes: object) -> Plan:
        stubs.STUBS["stub"] = stubs.Stub(several_views=several)
        return plan_run(stubs.request(tiny_root, tmp_path, views=views, **changes))

    three = planned("3")
    assert three.items == [
        (row, -1) for row in dict.fromkeys(row for row, _ in planned("all").items)
    ]
    assert three.config["selection"]["views"] == "0-2 together"
    assert three.config["selection"]["together"] == 3
    assert three.config["baseline"]["settings"] == {"views": 3}
    # One view together is one view; all views are each for itself, as with any method.
    for views, words in (("1", "0"), ("all", "all")):
        several, single = planned(views), planned(views, several=False)
        assert several.items == single.items and several.config["hash"] == single.config["hash"]
        assert several.config["selection"]["views"] == words
        assert several.config["selection"]["together"] == 0
    # A method of single views sees the first two one by one.
    assert planned("2", several=False).config["selection"]["views"] == "0-1"
    hashes = {planned(views).config["hash"] for views in ("1", "2", "3", "9", "all")}
    assert len(hashes) == 5
    # The set has three views an object: more cannot be seen.
    assert planned("9").config["selection"]["views"] == "0-2 together"
    with pytest.raises(UsageError, match="not a setting") as caught:
        planned("all", overrides={"views": "3"})
    assert caught.value.hint == "--views 3"
    with pytest.raises(UsageError, match="kato-iou-v1 is the mean over all views"):
        planned("2", protocols=("kato-iou-v1",))
    result = run(stubs.request(tiny_root, tmp_path, views="2"), quiet=True)
    assert result["selection"]["items"] == result["selection"]["objects"] == 12
    assert result["selection"]["views"] == "0-1 together"


def test_hash_covers_what_changes_a_prediction_and_no_more(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    def digest(stub: Any = None, **changes: Any) -> str:
        stubs.STUBS["stub"] = stub or stubs.Stub()
        return plan_run(stubs.request(tiny_root, tmp_path, **changes)).config["hash"]

    first = digest()
    same = [
        digest(),
        digest(out=tmp_path / "elsewhere"),
        digest(protocols=("bench-surface-v1",)),
        digest(stubs.Stub(caption="told otherwise")),
    ]
    other = [
        digest(stubs.Stub(checkpoint_hash="other")),
        digest(stubs.Stub(settings={"scale": 2})),
        digest(stubs.Stub(block_size=5)),
        digest(seed=1),
        digest(split="val"),
        digest(views="2"),
    ]
    assert set(same) == {first}
    assert len({first, *other}) == 1 + len(other)


def test_split_all_and_named_rule(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    result = run(stubs.request(tiny_root, tmp_path, split="all"), quiet=True)
    assert result["selection"]["objects"] == 21
    assert (
        plan_run(stubs.request(tiny_root, tmp_path, split="tiny:val")).config["selection"][
            "objects"
        ]
        == 3
    )
    with pytest.raises(UsageError, match="unknown split 'lsm'"):
        plan_run(stubs.request(tiny_root, tmp_path, split="lsm:val"))


def test_protocols_can_be_added_later(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    from benchbench.evaluation.rescore import score_run

    stubs.STUBS["stub"] = stubs.Stub()
    plan = plan_run(stubs.request(tiny_root, tmp_path))
    one = execute(plan, quiet=True)
    both = score_run(plan.folder, tiny_root, ("kato-iou-v1",), quiet=True)
    assert list(both["protocols"]) == ["bench-iou-v1", "kato-iou-v1"]
    assert both["protocols"]["bench-iou-v1"] == one["protocols"]["bench-iou-v1"]
    assert both["hashes"]["predictions"] == one["hashes"]["predictions"]
    # A run under one more protocol keeps the others, and predicts nothing again.
    stubs.STUBS["stub"].predict_items = None
    request = stubs.request(tiny_root, tmp_path, protocols=("dibr-chamfer-v1",))
    three = run(request, quiet=True)
    assert list(three["protocols"]) == ["bench-iou-v1", "kato-iou-v1", "dibr-chamfer-v1"]
    assert three["protocols"]["kato-iou-v1"] == both["protocols"]["kato-iou-v1"]


def test_voxel_predictions(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stubs.STUBS["stub"] = stubs.Stub(voxels=True, uses_views=False, threshold=0.6)
    protocols = ("bench-iou-v1", "r2n2-iou-v1", "bench-surface-v1")
    result = run(stubs.request(tiny_root, tmp_path, protocols=protocols), quiet=True)
    scores = {p: result["protocols"][p]["mean_over_classes"] for p in protocols}
    assert scores["bench-iou-v1"]["iou"] == 1.0 and scores["r2n2-iou-v1"] == {"iou": 1.0, "ap": 1.0}
    assert result["predictions"]["thresholds"] == [0.6]
    # Kato's grid grows a shape by up to a cell a side; p = 0.75 at 0.6 moves the surface by 0.2.
    assert 0 < scores["bench-surface-v1"]["chamfer"] < 100 * 1.5 / 32
    # A threshold above every probability leaves nothing.
    stubs.STUBS["stub"] = stubs.Stub(
        voxels=True, uses_views=False, threshold=0.9, settings={"threshold": 0.9}
    )
    result = run(stubs.request(tiny_root, tmp_path, protocols=protocols), quiet=True)
    assert result["protocols"]["bench-surface-v1"]["failed"] == {"empty": 12}
    assert result["protocols"]["bench-iou-v1"]["mean_over_classes"]["iou"] == 0.0


def test_what_does_not_fit_is_refused_before_work(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stub = stubs.STUBS["stub"] = stubs.Stub(voxels=True, uses_views=False)
    with pytest.raises(UsageError, match="dibr-chamfer-v1 takes mesh and points"):
        plan_run(stubs.request(tiny_root, tmp_path, protocols=("dibr-chamfer-v1",)))
    # Voxels are taken by kato-iou-v1, but only on its own grid: told after the first shard.
    with pytest.raises(UsageError, match="only on Kato's own"):
        run(stubs.request(tiny_root, tmp_path, protocols=("kato-iou-v1",)), quiet=True)
    assert stub.calls
    with pytest.raises(UsageError, match="unknown protocol 'bench-iou-v2'"):
        plan_run(stubs.request(tiny_root, tmp_path, protocols=("bench-iou-v2",)))


def test_voxel_only_set_gets_its_own_surface_protocol(
    stubs: ModuleType, tiny: ModuleType, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    tiny.make_store(root, "shapenet", meshes=False)
    stubs.STUBS["stub"] = stubs.Stub()
    request = stubs.request(root, tmp_path / "runs", dataset="shapenet", protocols=None)
    result = run(request, quiet=True)
    assert list(result["protocols"]) == ["bench-iou-v1", "voxel-surface-v1"]
    assert result["protocols"]["voxel-surface-v1"]["truth_grid"] == "binvox"
    with pytest.raises(UsageError, match="bench-surface-v1 needs meshes"):
        plan_run(stubs.request(root, tmp_path, dataset="shapenet", protocols=("bench-surface-v1",)))


def test_choice_of_the_data_set(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    plan = plan_run(stubs.request(tiny_root, tmp_path))
    assert plan.config["settings"]["dataset"] == {
        "value": "shapes13-demo", "source": "first prepared of shapes13",
    }  # fmt: skip
    empty = tmp_path / "empty"
    with pytest.raises(MissingError, match="prepared") as caught:
        plan_run(stubs.request(empty, tmp_path, dataset="shapenet"))
    assert caught.value.hint == "bench prepare shapenet"
    with pytest.raises(MissingError) as caught:
        plan_run(stubs.request(empty, tmp_path, may_prepare=False))
    assert caught.value.hint == "bench prepare shapes13 --size demo"
    made = []

    def prepare(name: str, root: Path, **options: Any) -> None:
        made.append((name, options["size"]))
        stubs.make_store(root)

    import benchbench.datasets.registry as registry

    monkeypatch.setattr(registry, "prepare", prepare)
    plan = plan_run(stubs.request(empty, tmp_path))
    assert made == [("shapes13", "demo")]
    assert "on the spot" in plan.config["settings"]["dataset"]["source"]


def test_another_run_in_the_folder_is_refused(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    plan = plan_run(stubs.request(tiny_root, tmp_path))
    execute(plan, quiet=True)
    config = json.loads(plan.folder.config.read_text())
    plan.folder.config.write_text(json.dumps({**config, "hash": "0" * 64}))
    with pytest.raises(CheckError, match="holds another run"):
        execute(plan, quiet=True)
    assert execute(plan, quiet=True, overwrite=True)["complete"]
