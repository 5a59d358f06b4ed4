"""The form of a result file, of which a leaderboard takes nothing on trust. Light."""

from __future__ import annotations

from benchbench.leaderboards.form import (
    count,
    flag,
    listing,
    mapping,
    maybe,
    number,
    plain,
    record,
    text,
)  # fmt: skip

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
KEY = r"[A-Za-z0-9_.@+-]{1,60}"
HASH = r"[0-9a-f]{64}"
_hash = text(pattern=HASH)
_name = text(pattern=NAME)
_numbers = mapping(KEY, number)
_failed = mapping("[a-z]+", count)

SUMMARY = record(
    {
        "per_class": mapping(
            NAME, record({"name": text(80), "objects": count, "metrics": _numbers})
        ),
        "mean_over_classes": _numbers,
        "mean_over_objects": _numbers,
        "objects": count,
        "items": count,
        "ok": count,
        "failed": _failed,
        "failed_items": listing(record({"object": text(), "view": number, "status": text(20)})),
    },
    {"truth_grid": maybe(_name), "classes": count},
)

RESULT = record(
    {
        "schema": count,
        "kind": text(40),
        "hash": _hash,
        "baseline": record(
            {"id": _name, "title": text(), "caption": text(1000), "takes": text(40)},
            {"checkpoint": maybe(text(80)), "settings": mapping(KEY, plain)},
        ),
        "dataset": record(
            {
                "id": _name,
                "identity": _hash,
                "title": text(),
                "split": text(pattern="train|val|test|all"),
                "split_name": _name,
                "split_hash": _hash,
                "split_objects": count,
                "part_of": maybe(count),
                "classes": listing(listing(text(80), 2), 1000),
            }
        ),
        "selection": record(
            {
                "objects": count,
                "items": count,
                "views": text(100),
                "views_of_set": count,
                "classes": maybe(listing(text(80), 1000)),
                "limit": maybe(count),
            },
            {"rendering": maybe(_name), "together": count},
        ),
        "settings": mapping(KEY, record({"value": plain, "source": text(100)})),
        "seeds": record({"baseline": number, "protocols": mapping(NAME, count)}),
        "device": listing(text(80), 100),
        "versions": mapping(NAME, maybe(text(80))),
        "hashes": record(
            {"data": _hash, "predictions": _hash, "scores": _hash},
            {"weights": maybe(text(80)), "objects": maybe(_hash)},
        ),
        "predictions": record({"items": count, "ok": count, "failed": _failed}),
        "protocols": mapping(NAME, SUMMARY),
        "complete": flag,
        "incomplete_because": listing(text(), 100),
    },
    {
        "git_commit": maybe(text(80)),
        "about": maybe(
            record(
                {},
                {
                    "supervision": maybe(text(200)),
                    "networks": maybe(text(200)),
                    "parameters": maybe(count),
                    "training_time": maybe(text(200)),
                    "trained_on": maybe(
                        record({"dataset": text(80), "objects": count, "sha256": _hash})
                    ),
                },
            )
        ),
        "training": maybe(
            record(
                {"seen": maybe(count)},
                {
                    "why": text(),
                    "trained_on": maybe(
                        record({"dataset": text(80), "split": text(80), "objects": count,
                                "sha256": _hash})
                    ),
                },
            )
        ),
    },
)  # fmt: skip

MEASURED = record({"leaderboard": record({"schema": count, "command": text(1000)})})
