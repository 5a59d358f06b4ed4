"""Safetensors with text in their header, always the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping


def with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file with `metadata` in its header, keys in order.

    The library itself writes several keys in another order in every process, which would make
    checkpoints of the same weights differ.

    Args:
        data: As `safetensors.numpy.save` or `safetensors.torch.save` give it, without metadata.
        metadata: Text by name.

    Example:
        >>> import numpy as np
        >>> from safetensors.numpy import load, save
        >>> data = with_metadata(save({"a": np.ones(2)}), {"b": "2", "a": "1"})
        >>> data[8:42], load(data)["a"].tolist()
        (b'{"__metadata__":{"a":"1","b":"2"},', [1.0, 1.0])
    """
    if not metadata:
        return data
    length = int.from_bytes(data[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors stay aligned
    return len(text).to_bytes(8, "little") + text + data[8 + length :]
