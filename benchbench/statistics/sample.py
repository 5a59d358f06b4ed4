"""Per-object scores of one or several methods, arranged by class and by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import CheckError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stratum:
    """The units of one class.

    A unit is what was drawn independently: an object, or all objects that are one CAD model or
    equal to each other. K methods, U units.

    Attributes:
        name: Of the class.
        sums: (K, U) sum of the scores of each unit's objects.
        counts: (U,) number of objects of each unit.
    """

    name: str
    sums: Array
    counts: Array

    @property
    def units(self) -> int:
        """Their number."""
        return len(self.counts)

    @property
    def objects(self) -> int:
        """Number of objects of all units."""
        return int(self.counts.sum())

    def means(self) -> Array:
        """(K,) mean over the class's objects, every object weighing the same."""
        return self.sums.sum(1) / self.counts.sum()

    def variances(self) -> Array:
        """(K,) variance of those means; with one unit it is unknown, that is NaN.

        The mean is a ratio (sum of the units' sums over the sum of their counts), its variance
        that of the linearised ratio. With one object a unit this is s^2 / U.

        Source: Cochran, Sampling Techniques, 3rd ed., eq. 6.13 (with U in place of n, f = 0).
        """
        if self.units < 2:
            return np.full(len(self.sums), np.nan)
        rest = self.sums - self.means()[:, None] * self.counts
        factor = self.units / (self.units - 1.0)
        return np.asarray(factor * (rest**2).sum(1) / self.counts.sum() ** 2)


@dataclass(frozen=True)
class Sample:
    """Strata of the same K methods.

    Attributes:
        strata: One per class that has objects, in data-set order.
    """

    strata: tuple[Stratum, ...]

    @classmethod
    def of(
        cls,
        scores: Sequence[Mapping[str, float]],
        units: Mapping[str, str] | None = None,
        classes: Sequence[str] | None = None,
    ) -> Sample:
        """Arranges scores; neither the order of objects nor that of units matters.

        Args:
            scores: For each method {object id: score}; ids are "class/name". All methods have
                scored the same objects.
            units: Name of the unit of the objects that are not a unit of their own.
            classes: Their order; None sorts them.

        Raises:
            CheckError: The methods have scored different objects, or none.

        Example:
            >>> sample = Sample.of([{"1/a": 0.9, "1/b": 0.7, "2/c": 0.2}], {"1/b": "1/a"})
            >>> [(s.name, s.units, s.objects) for s in sample.strata]
            [('1', 1, 2), ('2', 1, 1)]
        """
        ids = sorted(scores[0]) if scores else []
        if not ids:
            raise CheckError("there are no scores of objects")
        for other in scores[1:]:
            if other.keys() != scores[0].keys():
                one = min(other.keys() ^ scores[0].keys())
                raise CheckError(
                    f"the methods have not scored the same objects: '{one}' is not in all"
                )
        groups: dict[str, dict[str, list[str]]] = {}
        for object_id in ids:
            unit = (units or {}).get(object_id, object_id)
            groups.setdefault(object_id.partition("/")[0], {}).setdefault(unit, []).append(
                object_id
            )
        order = [c for c in classes if c in groups] if classes is not None else sorted(groups)
        strata = []
        for name in order:
            members = [groups[name][unit] for unit in sorted(groups[name])]
            sums = [[sum(one[i] for i in unit) for unit in members] for one in scores]
            counts = np.array([len(unit) for unit in members], np.float64)
            strata.append(Stratum(name, np.array(sums, np.float64), counts))
        return cls(tuple(strata))

    @property
    def methods(self) -> int:
        """K."""
        return len(self.strata[0].sums)

    def means(self) -> Array:
        """(C, K) class means."""
        return np.array([stratum.means() for stratum in self.strata])

    def variances(self) -> Array:
        """(C, K) variances of the class means."""
        return np.array([stratum.variances() for stratum in self.strata])

    def per_class_weights(self) -> Array:
        """(C,) weights of the mean over classes: each 1 / C."""
        return np.full(len(self.strata), 1.0 / len(self.strata))

    def per_object_weights(self) -> Array:
        """(C,) weights of the mean over objects: each class's share of the objects."""
        counts = np.array([stratum.objects for stratum in self.strata], np.float64)
        return np.asarray(counts / counts.sum())

    def only(self, index: int) -> Array:
        """(C,) weights of the mean of one class."""
        weights = np.zeros(len(self.strata))
        weights[index] = 1.0
        return weights

    def combined(self, matrix: Array) -> Sample:
        """The sample of linear combinations of the methods.

        Args:
            matrix: (P, K); a row 1, -1 is the difference of two methods.
        """
        return Sample(tuple(Stratum(s.name, matrix @ s.sums, s.counts) for s in self.strata))


def pairs(methods: int) -> list[tuple[int, int]]:
    """All pairs of methods, first before second.

    Example:
        >>> pairs(3)
        [(0, 1), (0, 2), (1, 2)]
    """
    return [(i, j) for i in range(methods) for j in range(i + 1, methods)]


def pair_matrix(methods: int) -> Array:
    """(P, K): row p takes the second of pair p from the first.

    Example:
        >>> pair_matrix(2).tolist()
        [[1.0, -1.0]]
    """
    matrix = np.zeros((methods * (methods - 1) // 2, methods))
    for row, (i, j) in enumerate(pairs(methods)):
        matrix[row, i], matrix[row, j] = 1.0, -1.0
    return matrix
