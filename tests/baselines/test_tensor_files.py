"""Headers of safetensors files: the library reads them, and equal content gives equal bytes."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from benchbench.baselines.tensor_files import with_metadata

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(1, np.float16)}


@pytest.mark.parametrize("text", ["", "x", 'ä "quoted" \\ {}', "7" * 1001])
def test_the_library_reads_what_was_written(tmp_path, text: str) -> None:
    metadata = {"z": "1", "format": text, "a": "2"}
    data = with_metadata(save(TENSORS), metadata)
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0  # tensors are aligned
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with safe_open(str(path), framework="np") as file:
        assert file.metadata() == metadata
    found = load(data)
    assert set(found) == set(TENSORS)
    for name, values in TENSORS.items():
        assert found[name].dtype == values.dtype and np.array_equal(found[name], values)


def test_order_of_keys_does_not_matter() -> None:
    one = with_metadata(save(TENSORS), {"a": "1", "b": "2"})
    assert one == with_metadata(save(TENSORS), {"b": "2", "a": "1"})


def test_one_key_is_written_as_the_library_does() -> None:
    assert with_metadata(save(TENSORS), {"k": "v"}) == save(TENSORS, metadata={"k": "v"})
    assert with_metadata(save(TENSORS), {}) == save(TENSORS)
