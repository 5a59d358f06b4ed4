"""An object from (seed, class, index): numbers, choices, solid, identity."""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType, SimpleNamespace

import numpy as np

from benchbench.core.classes import SYNSETS
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.core.types import Mesh
from benchbench.datasets.shapes13.assembly import VERTEX_STEP, Assembly, Solid
from benchbench.datasets.shapes13.spec import GENERATOR, SEED

SYNSET_OF = {name: synset for synset, name in SYNSETS.items()}


@dataclass(frozen=True)
class Shape:
    """One object of the set.

    Attributes:
        id: `synset/model`.
        name: Class name.
        index: Number within the class.
        seed: Seed of the set.
        numbers: Continuous parameters.
        choices: Which parts it is made of.
        colours: RGB in [0, 1] of every colour of the palette.
        solid: The surface with the colour of every face.
    """

    id: str
    name: str
    index: int
    seed: int
    numbers: dict[str, float]
    choices: dict[str, str]
    colours: dict[str, tuple[float, float, float]]
    solid: Solid

    @property
    def mesh(self) -> Mesh:
        """The closed outer surface, object frame."""
        return Mesh(self.solid.vertices.astype(np.float32), self.solid.faces)

    @property
    def parameters(self) -> dict:
        """What the data set stores beside the mesh."""
        return {"numbers": self.numbers, "choices": self.choices, "genus": self.solid.genus}

    @property
    def identity(self) -> bytes:
        """sha256 over generator version, seed, parameters and vertices in steps of 2^-16."""
        digest = hashlib.sha256()
        facts = [GENERATOR, self.seed, self.id, self.numbers, self.choices]
        digest.update(json.dumps(facts, sort_keys=True).encode())
        digest.update(np.rint(self.solid.vertices / VERTEX_STEP).astype("<i4").tobytes())
        return digest.digest()


@lru_cache(maxsize=13)
def class_module(name: str) -> ModuleType:
    """The module that builds a class: `CONTINUOUS`, `CHOICES`, `build`."""
    require(name, list(SYNSET_OF), "class")
    return importlib.import_module(f"benchbench.datasets.shapes13.classes.{name}")


def generate(name: str, index: int, seed: int = SEED) -> Shape:
    """Makes one object; the same bits on every run.

    Args:
        name: Class name, such as `chair`.
        index: Number within the class, from 0.
        seed: Seed of the whole set.

    Example:
        >>> shape = generate("chair", 3)
        >>> shape.id, float(np.ptp(shape.mesh.vertices, axis=0).max())
        ('03001627/chair0003', 1.0)
    """
    module = class_module(name)
    rng = keyed_rng(seed, "shapes13", name, index)
    # Drawn in the order of the tables, all of them for every object, so that a choice made for
    # one part never shifts the numbers of another.
    choices = {
        key: options[int(rng.integers(len(options)))] for key, options in module.CHOICES.items()
    }
    numbers = {
        key: float(np.rint((low + (high - low) * rng.random()) * 4096) / 4096)
        for key, (low, high) in module.CONTINUOUS.items()
    }
    colours = palette(rng)
    assembly = Assembly()
    module.build(SimpleNamespace(**numbers), SimpleNamespace(**choices), assembly)
    object_id = f"{SYNSET_OF[name]}/{name}{index:04d}"
    return Shape(object_id, name, index, seed, numbers, choices, colours, assembly.finish())


def palette(rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Colours of the materials; drawn per object, so that colour says little about the class."""

    def colour(low: float, high: float, grey: float) -> tuple[float, float, float]:
        value = low + (high - low) * rng.random()
        tint = rng.random(3)
        red, green, blue = (value * (grey + (1 - grey) * t) for t in tint)
        return (float(red), float(green), float(blue))

    wood = np.array([0.72, 0.5, 0.3]) * (0.5 + 0.6 * rng.random())
    return {
        "body": colour(0.5, 1.0, 0.25),
        "wing": colour(0.55, 1.0, 0.5),
        "accent": colour(0.4, 1.0, 0.15),
        "cloth": colour(0.35, 1.0, 0.3),
        "shade": colour(0.75, 1.0, 0.7),
        "wood": (float(wood[0]), float(wood[1]), float(wood[2])),
        "stone": colour(0.45, 0.85, 0.85),
        "metal": colour(0.35, 0.75, 0.85),
        "glass": colour(0.3, 0.6, 0.6),
        "light": colour(0.85, 1.0, 0.85),
        "sail": colour(0.85, 1.0, 0.75),
        "dark": colour(0.12, 0.35, 0.8),
    }
