"""Names, order and shapes of the tensors against the originals' own files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchbench.baselines.r2n2.architecture import KINDS, Architecture, architecture_of

SMALL = ((6, 8, 12, 12, 12, 12), 16, (8, 8, 8, 6, 4))


@pytest.mark.parametrize(
    ("network", "file"), [("res3d-gru-3", "ResidualGRUNet"), ("3d-gru-3", "GRUNet")]
)
def test_shapes_are_those_of_the_original_in_its_order(
    shared: Path, network: str, file: str
) -> None:
    meta = json.loads((shared / f"oracles/r2n2/small/{file}_small_meta.json").read_text())
    shapes = list(Architecture(network, *SMALL).shapes().items())
    assert [list(shape) for _, shape in shapes] == [entry[1] for entry in meta["params"]]
    assert [name.endswith(".b") for name, _ in shapes] == [entry[2] for entry in meta["params"]]


def test_published_order_by_hand() -> None:
    """r2n2.md 6.1, some places of the table."""
    shapes = list(Architecture().shapes().items())
    assert shapes[8] == ("conv2c.W", (128, 96, 1, 1))
    assert shapes[30] == ("fc7.W", (2304, 1024))
    assert shapes[33] == ("gru_update.Wx", (1024, 8192))
    assert shapes[53] == ("conv9c.W", (64, 1, 128, 1, 1))
    assert shapes[62] == ("conv11.b", (2,))
    lstm = list(Architecture("3d-lstm-1").shapes().items())
    assert len(lstm) == 33
    assert lstm[14] == ("lstm_input.Wh", (128, 1, 128, 1, 1))
    assert [name for name, _ in lstm[17:23:3]] == ["lstm_forget.Wh", "lstm_transform.Wh"]


@pytest.mark.parametrize("network", KINDS)
def test_widths_are_read_from_shapes(network: str) -> None:
    small = Architecture(network, (2, 3, 4, 5, 6, 6), 7, (8, 8, 8, 9, 10))
    shapes = small.shapes()
    assert architecture_of(shapes, network) == small
    shuffled = dict(sorted(shapes.items(), reverse=True))
    assert architecture_of(shuffled, network) == small  # safetensors keeps no order
    for name in shapes:
        assert architecture_of({**shapes, name: (3, 3)}, network) is None
        assert architecture_of({**shapes, name: ()}, network) is None
        missing = {key: value for key, value in shapes.items() if key != name}
        assert architecture_of(missing, network) is None
    others = set(KINDS) - {network}
    assert all(architecture_of(shapes, other) is None for other in others)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"network": "res3d-gru-4"}, "unknown network"),
        ({"channels": (1, 2, 3)}, "6 widths"),
        ({"decoder": (1, 2)}, "decoder 5"),
        ({"feature": 0}, "between 1 and 8192"),
        ({"feature": 1 << 40}, "between 1 and 8192"),
        ({"channels": (2, 2, 2, 2, 2, 3)}, "last two channels"),
        ({"decoder": (2, 2, 3, 2, 2)}, "first three"),
    ],
)
def test_what_makes_no_network(change: dict[str, object], word: str) -> None:
    assert Architecture().problem() is None
    found = replace(Architecture(), **change).problem()
    assert found is not None and word in found


def test_plain_networks_may_change_widths_anywhere() -> None:
    assert Architecture("3d-gru-1", (1, 2, 3, 4, 5, 6), 7, (8, 9, 10, 11, 12)).problem() is None
