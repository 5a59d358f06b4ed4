"""Reading a whole store again and checking that it is what was written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import CheckError
from benchbench.core.progress import Progress
from benchbench.datasets.registry import remake_hint
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import SPLITS, content_identity, store_identity

Array = npt.NDArray[Any]


def verify_store(store: Store, own_identities: bool = False, quiet: bool = True) -> None:
    """Read everything: pictures, grids, meshes; recompute content, data-set and split hashes.

    Args:
        store: The data set.
        own_identities: The set's maker gave the objects' identities; they are then taken as
            they are and only read, not recomputed from the content.
        quiet: No progress on stderr.

    Raises:
        InputError: A part cannot be read.
        CheckError: A hash or a count is not the one stored.
    """
    hint = remake_hint(store.id)
    identities = []
    with Progress(f"verify {store.id}", len(store), "objects", quiet) as progress:
        for index, name in enumerate(store.object_ids):
            stored = store.identity_of(index)
            images = {r: store.images(index, r) for r in store.renderings}
            found = content_identity(store.rows(index), images)
            if not own_identities and found != stored:
                raise CheckError(f"object '{name}' of '{store.path}' is not what was stored", hint)
            mesh = store.mesh(index)
            if mesh is not None and not np.isfinite(mesh.vertices).all():
                raise CheckError(f"object '{name}' of '{store.path}' has a broken mesh", hint)
            identities.append((name, stored))
            progress.update()
    if store_identity(store.id, identities) != store.identity:
        raise CheckError(f"'{store.path}' does not hold the objects it was made of", hint)
    for part in SPLITS:
        noted = store.info["splits"][store.split_name][part]["sha256"]
        if store.split_hash(part) != noted:
            raise CheckError(f"the {part} split of '{store.path}' is not the one stored", hint)
