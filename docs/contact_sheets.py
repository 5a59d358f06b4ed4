"""Draws the contact sheets of the baselines' pages: python docs/contact_sheets.py [NAME...]

The first test object of each class of shapes13, seen in view 3. Needs `bench prepare shapes13`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchbench.baselines import list_baselines, load_baseline
from benchbench.core.files import atomic_path
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.store import open_dataset
from benchbench.reconstruction.sheet import contact_sheet

VIEW = 3
FOLDER = Path(__file__).resolve().parent.parent / "baselines"


def main(names: list[str]) -> None:
    store = open_dataset("shapes13")
    rows = store.indices("test").tolist()
    first = [next(r for r in rows if store.class_of(r) == synset) for synset, _ in store.classes]
    for name in names or [spec.id for spec in list_baselines()]:
        sheet = contact_sheet(load_baseline(name), store, [(row, VIEW) for row in first])
        with atomic_path(FOLDER / name.replace("-", "_") / "sheet.png") as temporary:
            temporary.write_bytes(encode_png(sheet))
        sys.stdout.write(f"baselines/{name.replace('-', '_')}/sheet.png\n")


if __name__ == "__main__":
    main(sys.argv[1:])
