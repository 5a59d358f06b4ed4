"""Objects: the same bits always, closed, in the object frame, facing +x."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from benchbench.core.classes import SYNSETS
from benchbench.core.errors import UsageError
from benchbench.datasets.shapes13.assembly import VERTEX_STEP, balanced
from benchbench.datasets.shapes13.generate import Shape, class_module, generate

NAMES = list(SYNSETS.values())


@pytest.fixture(scope="module")
def shapes() -> dict[str, list[Shape]]:
    return {name: [generate(name, index) for index in range(8)] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_rich_enough(name: str) -> None:
    module = class_module(name)
    combinations = np.prod([len(set(options)) for options in module.CHOICES.values()])
    assert len(module.CONTINUOUS) >= 10
    assert combinations >= 20
    assert all(low < high for low, high in module.CONTINUOUS.values())


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_closed_solids_in_the_object_frame(
    name: str, shapes: dict[str, list[Shape]]
) -> None:
    for shape in shapes[name]:
        vertices, faces = shape.solid.vertices, shape.solid.faces
        assert balanced(faces), shape.id
        assert shape.solid.pieces == 1, shape.id
        assert np.ptp(vertices, axis=0).max() == 1.0, shape.id
        assert abs(vertices.max(0) + vertices.min(0)).max() <= VERTEX_STEP, shape.id
        steps = vertices / VERTEX_STEP
        np.testing.assert_array_equal(steps, np.rint(steps))
        np.testing.assert_array_equal(shape.mesh.vertices, vertices)  # float32 holds them exactly
        assert np.linalg.det(vertices[faces]).sum() > 0, shape.id
        assert 20 <= len(faces) <= 5000, shape.id
        assert set(shape.solid.palette) <= set(shape.colours), shape.id


def test_same_bits_in_another_process() -> None:
    code = (
        "from benchbench.datasets.shapes13.generate import generate\n"
        "import sys\n"
        "for name in ('lamp', 'airplane', 'car'):\n"
        "    sys.stdout.write(generate(name, 5).identity.hex() + '\\n')\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    here = [generate(name, 5).identity.hex() for name in ("lamp", "airplane", "car")]
    assert done.stdout.split() == here


def test_identity_covers_seed_parameters_and_vertices() -> None:
    shape = generate("table", 0)
    assert generate("table", 0).identity == shape.identity
    assert generate("table", 0, seed=1).identity != shape.identity
    numbers = {**shape.numbers, "height": shape.numbers["height"] + 1 / 4096}
    assert dataclasses.replace(shape, numbers=numbers).identity != shape.identity
    moved = shape.solid.vertices.copy()
    moved[0, 0] += VERTEX_STEP
    solid = dataclasses.replace(shape.solid, vertices=moved)
    assert dataclasses.replace(shape, solid=solid).identity != shape.identity
    # The order of the parameters is no property of the object.
    numbers = dict(reversed(shape.numbers.items()))
    assert dataclasses.replace(shape, numbers=numbers).identity == shape.identity


def test_numbers_lie_in_their_ranges(shapes: dict[str, list[Shape]]) -> None:
    for name in NAMES:
        module = class_module(name)
        for shape in shapes[name]:
            assert list(shape.numbers) == list(module.CONTINUOUS)
            for key, value in shape.numbers.items():
                low, high = module.CONTINUOUS[key]
                assert low - 1 / 4096 <= value <= high + 1 / 4096
            for key, value in shape.choices.items():
                assert value in module.CHOICES[key]


def part_middle(shape: Shape, colour: str) -> np.ndarray:
    """Area-weighted middle of the faces of one colour."""
    corners = shape.solid.vertices[
        shape.solid.faces[shape.solid.colours == shape.solid.palette.index(colour)]
    ]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    return (corners.mean(1) * area[:, None]).sum(0) / area.sum()


def first(name: str, **wanted: str) -> Shape:
    """The first object with these choices."""
    for index in range(400):
        shape = generate(name, index)
        if all(shape.choices[key] == value for key, value in wanted.items()):
            return shape
    raise AssertionError(f"no {name} with {wanted}")


def test_front_is_plus_x_and_up_is_plus_y() -> None:
    # The fin of an aeroplane is behind and above; its glass canopy in front and above.
    plane = first("airplane", tail="plain", gear="none", wing="middle")
    assert part_middle(plane, "accent")[0] < -0.2
    assert part_middle(plane, "accent")[1] > part_middle(plane, "wing")[1]
    assert part_middle(plane, "glass")[0] > 0
    # The back of a chair is the highest part and lies behind its legs.
    chair = first("chair", back="slats", legs="star", arms="none")
    assert part_middle(chair, "wood")[0] < part_middle(chair, "metal")[0] - 0.05
    assert part_middle(chair, "wood")[1] > part_middle(chair, "cloth")[1]
    # A screen faces forward, a membrane too; a lorry's cab leads.
    display = first("display", body="flat", foot="plate")
    assert part_middle(display, "glass")[0] > part_middle(display, "dark")[0]
    speaker = first("speaker", body="tower", base="none", extra="none")
    assert part_middle(speaker, "dark")[0] > 0.05
    lorry = first("car", body="lorry", rear="none")
    assert part_middle(lorry, "body")[0] > part_middle(lorry, "accent")[0] + 0.2
    # The muzzle is in front, the grip below; a bow is pointed in front.
    rifle = first("rifle", stock="solid", front="plain", hand="tube")
    assert part_middle(rifle, "metal")[0] > part_middle(rifle, "wood")[0]
    boat = first("vessel", kind="rowing", top="none", extra="none")
    front = boat.solid.vertices[boat.solid.vertices[:, 0] > 0.45]
    assert abs(front[:, 2]).max() < 0.1


def test_unknown_class_offers_near_names() -> None:
    with pytest.raises(UsageError, match="'chairs'"):
        generate("chairs", 0)


@pytest.mark.slow
def test_every_object_of_the_full_set_is_one_closed_piece() -> None:
    for name in NAMES:
        for index in range(150):
            shape = generate(name, index)
            assert shape.solid.pieces == 1, shape.id
            assert len(shape.solid.faces) <= 5000, shape.id
