"""What each alignment must and must not recover, and its parts against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchbench.core.types import Mesh
from benchbench.evaluation import alignment
from benchbench.evaluation.alignment import (
    IDENTITY,
    Similarity,
    aligned,
    cube_rotations,
    icp_similarity,
    normalised,
    plain,
    to_box,
    yaws,
)
from benchbench.evaluation.selftest_case import box
from benchbench.protocols import zeroshape
from benchbench.protocols.icp import best_similarity
from benchbench.protocols.surface import distances, sampled_surface
from benchbench.protocols.truth import Unscorable

Cloud = NDArray[np.float64]
SEARCHING = alignment.ALIGNMENTS[1:]
ICP = "cube24+icp-similarity"


def together(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + n for m, n in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces).astype("i4"))


# Equal to none of its 47 other turns and mirror images.
LOPSIDED = together(
    box((0, 0, 0), (1, 0.2, 0.2)),
    box((0, 0.2, 0), (0.2, 0.7, 0.2)),
    box((0, 0, 0.2), (0.2, 0.2, 0.5)),
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points and few poses: the searches are the same, only shorter."""
    monkeypatch.setattr(alignment, "SEARCH_POINTS", 600)
    monkeypatch.setattr(zeroshape, "SAMPLES", 600)
    monkeypatch.setattr(zeroshape, "STEPS", (8, 8, 8))


def moved(angle: float = 0.0, axis: str = "y", scale: float = 1.0, shift: float = 0.0) -> Mesh:
    """LOPSIDED turned about the middle of its box, grown, shifted."""
    turn = Rotation.from_euler(axis, angle, degrees=True).as_matrix()
    middle = to_box(LOPSIDED.vertices)
    around = Similarity(scale, turn, np.full(3, shift) + [0.5, 0.35, 0.25])
    return around.mesh(Mesh(middle.points(LOPSIDED.vertices).astype(np.float32), LOPSIDED.faces))


def left(preds: Mesh, align: str, norm: str) -> float:
    """Percent of the longest edge between a prediction and LOPSIDED after an alignment."""
    a, b = normalised(plain(preds), plain(LOPSIDED), norm)
    pose = aligned(a, b, "a/pair", align, norm)
    assert pose.scale > 0 and np.linalg.det(pose.turn) == pytest.approx(1)
    found = distances(
        sampled_surface(pose.mesh(a), "a/pair#-1", 2000), sampled_surface(b, "a/pair", 2000)
    )
    return found.chamfer()


def test_the_names_are_the_promised_ones() -> None:
    assert alignment.ALIGNMENTS == ("none", "yaw24", "cube24+icp-similarity", "zeroshape-6912")


def test_the_numbers_are_the_promised_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert zeroshape.STEPS == (24, 24, 12) and zeroshape.SAMPLES == 10_000
    assert alignment.SEARCH_POINTS == 4096 and len(list(yaws())) == 24
    assert len({turn.tobytes() for turn in cube_rotations()}) == 24


@pytest.mark.parametrize("norm", alignment.NORMALISATIONS)
@pytest.mark.parametrize("align", alignment.ALIGNMENTS)
def test_what_lies_right_stays_right(align: str, norm: str) -> None:
    # A fit to samples and a mean of samples are as exact as 600 points are.
    assert left(LOPSIDED, align, norm) < {ICP: 1.0, "zeroshape-6912": 2.0}.get(align, 1e-3)


@pytest.mark.parametrize("norm", alignment.NORMALISATIONS)
def test_a_turn_about_the_vertical(norm: str) -> None:
    """45 degrees are three of the 24 turns and one of the eight of the short ZeroShape search."""
    turned = moved(45)
    assert left(turned, "none", norm) > 3
    assert left(turned, "yaw24", norm) < 1e-3
    assert left(turned, ICP, norm) < 1
    assert left(turned, "zeroshape-6912", norm) < 2


def test_a_turn_between_two_of_the_24() -> None:
    """Half a step, 7.5 degrees, is left by yaw24, and gone after the ICP."""
    turned = moved(37.5)
    assert 0.5 < left(turned, "yaw24", "truth-box") < 0.5 * left(turned, "none", "truth-box")
    assert left(turned, ICP, "truth-box") < 1


def test_a_turn_about_another_axis() -> None:
    """A quarter about x: no turn about y undoes it."""
    turned = moved(90, "x")
    assert left(turned, "yaw24", "each-box") > 3
    assert left(turned, ICP, "each-box") < 1
    assert left(turned, "zeroshape-6912", "each-box") < 2


def test_a_copy_of_another_size() -> None:
    """Twice as large: beside the truth's box it is far off, in its own box it is the same."""
    grown = moved(scale=2.0)
    assert left(grown, "none", "truth-box") > 10 and left(grown, "yaw24", "truth-box") > 10
    assert left(grown, ICP, "truth-box") < 1
    assert left(grown, "none", "each-box") < 1e-3


def test_a_copy_at_another_place() -> None:
    """Shifted by (3, 3, 3) of a longest edge of 1: the distance of the middles is 3 sqrt(3)."""
    away = moved(shift=3.0)
    assert left(away, "none", "truth-box") == pytest.approx(100 * 3 * 3**0.5, rel=0.1)
    assert left(away, "yaw24", "truth-box") > 100
    assert left(away, ICP, "truth-box") < 1
    assert left(away, "none", "each-box") < 1e-3


def test_any_pose_and_size_by_the_icp() -> None:
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    preds = Similarity(0.03, turn, np.array([5.0, -2, 1])).mesh(LOPSIDED)
    assert left(preds, ICP, "truth-box") < 1


@pytest.mark.parametrize("align", alignment.ALIGNMENTS)
def test_a_mirror_image_stays_one(align: str) -> None:
    mirrored = Mesh(LOPSIDED.vertices * np.float32([1, 1, -1]), LOPSIDED.faces)
    assert left(mirrored, align, "each-box") > 2


def test_the_choice_is_made_on_other_points_than_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    real = alignment.sampled_surface

    def spy(mesh: Mesh, name: str, count: int, seed: int = 0) -> object:
        seeds.append((name, seed))
        return real(mesh, name, count, seed)

    monkeypatch.setattr(alignment, "sampled_surface", spy)
    for align in SEARCHING:
        left(LOPSIDED, align, "each-box")
    assert set(seeds) == {("a/pair#-1", 1), ("a/pair", 1)}
    assert aligned(LOPSIDED, LOPSIDED, "a", "none", "each-box") is IDENTITY
    one, other = (sampled_surface(LOPSIDED, "a", 50, seed).points for seed in (0, 1))
    assert not (one[:, None] == other[None]).all(2).any()


def test_the_same_twice() -> None:
    for align in SEARCHING:
        a, b = (aligned(moved(20), plain(LOPSIDED), "x", align, "truth-box") for _ in range(2))
        assert (a.scale, a.turn.tobytes(), a.shift.tobytes()) == (
            b.scale, b.turn.tobytes(), b.shift.tobytes()
        )  # fmt: skip


def umeyama(
    source: NDArray[np.float64], goal: NDArray[np.float64]
) -> tuple[float, NDArray, NDArray]:
    """Equations 34 to 43 of the paper, letter for letter."""
    x, y = source - source.mean(0), goal - goal.mean(0)
    u, d, vt = np.linalg.svd(y.T @ x / len(x))
    s = np.diag([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    scale = float(np.trace(np.diag(d) @ s) / x.var(0).sum())
    turn = u @ s @ vt
    return scale, turn, goal.mean(0) - scale * turn @ source.mean(0)


@pytest.mark.parametrize("mirror", [1, -1])
def test_the_best_similarity_is_umeyamas(mirror: int) -> None:
    rng = np.random.default_rng(mirror + 1)
    source = rng.normal(size=(30, 3))
    goal = source * [2, 2, 2 * mirror] + rng.normal(size=(30, 3)) * 0.1
    for a, b in zip(best_similarity(source, goal), umeyama(source, goal), strict=True):
        assert np.allclose(a, b, atol=1e-12)


def test_the_icp_is_its_slow_twin() -> None:
    """Plain loops, pairs in both directions, to the end."""
    rng = np.random.default_rng(8)
    cloud = rng.normal(size=(25, 3))
    goal = cloud @ Rotation.from_euler("xyz", [5, -8, 4], degrees=True).as_matrix().T * 1.1 + 0.05
    pose, before = IDENTITY, np.inf
    while True:
        d = np.linalg.norm(pose.points(cloud)[:, None] - goal[None], axis=2)
        residual = (d.min(1) ** 2).mean() + (d.min(0) ** 2).mean()
        if before - residual <= 1e-4 * residual:
            break
        before = residual
        pairs = [(cloud[i], goal[j]) for i, j in enumerate(d.argmin(1))]
        pairs += [(cloud[i], goal[j]) for j, i in enumerate(d.argmin(0))]
        pose = Similarity(*umeyama(*map(np.array, zip(*pairs, strict=True))))
    found = icp_similarity(cloud, goal, [IDENTITY])
    assert np.allclose(found.turn, pose.turn, atol=1e-6) and np.allclose(found.shift, pose.shift)
    assert found.scale == pytest.approx(pose.scale)
    far = Similarity(1.0, np.diag([-1.0, -1, 1]), np.zeros(3))  # half a turn away: a worse end
    again = icp_similarity(cloud, goal, [far, IDENTITY])
    assert again.turn.tobytes() == found.turn.tobytes()


def test_a_start_has_the_goals_middle_and_size() -> None:
    """The mean, and the root mean square distance from it."""
    rng = np.random.default_rng(5)
    cloud, goal = rng.normal(size=(40, 3)) * 3 + 7, rng.normal(size=(50, 3)) * [1, 2, 0.5] - 4
    for turn in cube_rotations():
        pose = alignment._centred(cloud, goal, turn)
        found = pose.points(cloud)
        assert np.allclose(found.mean(0), goal.mean(0)) and (pose.turn == turn).all()
        radii = [((c - c.mean(0)) ** 2).sum(1).mean() ** 0.5 for c in (found, goal)]
        assert radii[0] == pytest.approx(radii[1])


def test_of_equal_ends_the_first_is_kept() -> None:
    """Half a turn brings a square onto itself: both residuals are 0."""
    square = np.array([[1.0, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1]])
    half = Similarity(1.0, np.diag([-1.0, 1, -1]), np.zeros(3))
    for starts in ([IDENTITY, half], [half, IDENTITY]):
        found = icp_similarity(square, square, starts)
        assert np.allclose(found.turn, starts[0].turn)


def test_both_directions_count_when_ends_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points 0 and 1 beside 0 and 10: shrunk to 0 every one of them lies on the goal, and half of
    the goal is 10 away: 0 + 50. Nine times as large both miss by 1 at one end: 0.5 + 0.5."""
    monkeypatch.setattr(alignment, "ROUNDS", 0)
    cloud, goal = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 0], [10, 0, 0]])
    shrunk, grown = (Similarity(s, np.eye(3), np.zeros(3)) for s in (1e-9, 9.0))
    assert icp_similarity(cloud, goal, [shrunk, grown]) is grown


def test_flat_and_tiny_shapes_do_not_break_a_search() -> None:
    flat = plain(Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32) * np.float32(1e-6),
                      np.array([[0, 1, 2]], np.int32)))  # fmt: skip
    for norm in alignment.NORMALISATIONS:
        for align in SEARCHING:
            assert np.isfinite(left(flat, align, norm))


def test_what_float32_cannot_hold_is_no_shape() -> None:
    huge = box((0, 0, 0), (1e30, 1e30, 1e30))
    speck = Mesh(LOPSIDED.vertices * np.float32(1e-20), LOPSIDED.faces)
    with pytest.raises(Unscorable, match="too large for the frame"):
        normalised(huge, plain(speck), "truth-box")
    with pytest.raises(Unscorable, match="no triangle"):
        plain(Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)))
