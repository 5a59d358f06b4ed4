"""What the audit of a store found, as tables and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from benchbench.datasets.audit.duplicates import Sharing, Twins
from benchbench.datasets.audit.findings import ERROR, Finding

_SHOWN = 3  # ids of a line; all of them are in the JSON form


@dataclass(frozen=True)
class Agreement:
    """How masks and voxels agree, over all objects asked.

    Attributes:
        rendering: Its name.
        kind: Of the voxels.
        objects, views: How many were asked.
        inside: Mean and least share of cells inside the mask, over the objects.
        near: The same, within half a cell's diagonal of it.
        covered: Mean and least share of the mask that is covered.
        disagree: Objects below the limits.
    """

    rendering: str
    kind: str
    objects: int
    views: int
    inside: tuple[float, float]
    near: tuple[float, float]
    covered: tuple[float, float]
    disagree: int


@dataclass(frozen=True)
class StoreReport:
    """The audit of a store.

    Attributes:
        dataset: Its id.
        identity: Of the content.
        ids: Of all objects, in data-set order.
        excluded, failed: Objects that the sources name and the store does not hold; the failed
            ones are broken.
        classes: (synset, name).
        per_class: Objects by synset.
        splits: Split to part to {"objects", "sha256", "per_class"}; the part "none" counts the
            objects that are in no part and has no hash.
        views: Rendering to the number of views that most objects have.
        agreements: Of masks and voxels.
        findings: Errors first.
        twins: Equal objects.
        sharing: What parts of splits share.
    """

    dataset: str
    identity: str
    ids: tuple[str, ...]
    excluded: int
    failed: int
    classes: tuple[tuple[str, str], ...]
    per_class: dict[str, int]
    splits: dict[str, dict[str, dict[str, Any]]]
    views: dict[str, int]
    agreements: tuple[Agreement, ...]
    findings: tuple[Finding, ...]
    twins: tuple[Twins, ...]
    sharing: tuple[Sharing, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that make numbers wrong."""
        return tuple(finding for finding in self.findings if finding.level == ERROR)

    @property
    def passed(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form, complete."""
        return {
            "passed": self.passed,
            "dataset": self.dataset,
            "identity": self.identity,
            "objects": len(self.ids),
            "excluded": self.excluded,
            "failed": self.failed,
            "classes": [
                {"synset": synset, "name": name, "objects": self.per_class[synset]}
                for synset, name in self.classes
            ],
            "splits": self.splits,
            "views": self.views,
            "masks_and_voxels": [
                {
                    "rendering": a.rendering,
                    "voxels": a.kind,
                    "objects": a.objects,
                    "views": a.views,
                    **{
                        f"{name}_{word}": value
                        for name in ("inside", "near", "covered")
                        for word, value in zip(("mean", "least"), getattr(a, name), strict=True)
                    },
                    "disagree": a.disagree,
                }
                for a in self.agreements
            ],
            "findings": [finding.as_dict() for finding in self.findings],
            "duplicates": [
                {
                    "what": kind.what,
                    "objects": kind.objects,
                    "groups": [[self.ids[row] for row in group] for group in kind.groups],
                }
                for kind in self.twins
            ],
            "shared": [sharing.as_dict() for sharing in self.sharing],
        }

    def table(self) -> str:
        """For people; ids are bounded."""
        held = f"{self.dataset}@{self.identity[:8]}: {len(self.ids)} objects"
        held += f" ({self.excluded} excluded, {self.failed} of them broken)"
        views = ", ".join(f"{count} of '{name}'" for name, count in self.views.items())
        parts = [f"{held}; views of most objects: {views or 'none'}", self._counts()]
        if self.agreements:
            parts.append(self._masks())
        parts += [self._twins(), *(sharing.sentence() for sharing in self.sharing)]
        parts.append(self._findings())
        return "\n\n".join(part for part in parts if part)

    def _counts(self) -> str:
        columns = [(split, part) for split, parts in self.splits.items() for part in parts]
        body: list[list[Any]] = []
        for synset, name in self.classes:
            cells = [self.splits[s][p]["per_class"].get(synset, 0) for s, p in columns]
            body.append([f"{synset} {name}", self.per_class[synset], *cells])
        sums = [self.splits[s][p]["objects"] for s, p in columns]
        body.append(["objects", len(self.ids), *sums])
        hashes = [(self.splits[s][p].get("sha256") or "")[:8] for s, p in columns]
        body.append(["sha256", "", *hashes])
        # Several splits stand side by side; each name stands once, above its first part.
        named = [
            split if n == 0 or columns[n - 1][0] != split else ""
            for n, (split, _) in enumerate(columns)
        ]
        body.insert(0, ["", "", *(part for _, part in columns)])
        return tabulate(body, headers=["", "all", *named], tablefmt="plain", disable_numparse=True)

    def _masks(self) -> str:
        def pair(value: tuple[float, float]) -> list[str]:
            return [f"{number:.3f}" for number in value]

        body = [
            [f"'{a.rendering}' and '{a.kind}'", a.objects, a.views, *pair(a.inside), *pair(a.near),
             *pair(a.covered), a.disagree]
            for a in self.agreements
        ]  # fmt: skip
        head = ["masks and voxels", "objects", "views", "cells inside", "least", "near", "least",
                "mask covered", "least", "disagree"]  # fmt: skip
        return tabulate(body, headers=head, tablefmt="plain", disable_numparse=True)

    def _twins(self) -> str:
        body = [
            [
                kind.what,
                kind.objects,
                len(kind.groups),
                _some([self.ids[r] for r in kind.groups[0]]),
            ]
            for kind in self.twins
        ]
        head = ["equal", "objects", "groups", "for example"]
        return tabulate(body, headers=head, tablefmt="plain") if body else ""

    def _findings(self) -> str:
        if not self.findings:
            return "nothing found that is wrong"
        body = [
            [f.level, f.check, len(f.objects), _some([f"{i} ({words})" for i, words in f.objects])]
            for f in self.findings
        ]
        head = ["", "check", "objects", "for example"]
        return tabulate(body, headers=head, tablefmt="plain")


def _some(names: list[str]) -> str:
    shown = ", ".join(name[:160] for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
