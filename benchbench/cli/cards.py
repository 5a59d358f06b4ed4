"""`bench list NAME` for a data set: all that is known of it, for people. Reads no HDF5.

What is prepared comes from the sidecars; what is not, from the spec, as far as the spec knows it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchbench.datasets.registry import stored_bytes
from benchbench.datasets.spec import Archive, DatasetSpec, SplitFacts, size_text

_WIDTH, _INDENT = 100, 14
_WHOLE = ("size", "prepare")  # paths and commands are copied
SPLITS = ("train", "val", "test")
UNKNOWN = "unknown"


def card(
    spec: DatasetSpec, state: str, prepared: Sequence[dict[str, Any]], root: Path, command: str
) -> str:
    """The card of a data set.

    Args:
        spec: What it is.
        state: Of what is prepared, in a word.
        prepared: Sidecars of its prepared files (`registry.sidecars`).
        root: Folder of the data sets.
        command: What prepares it.
    """
    prepared = [_sound(note) for note in prepared]
    whole = UNKNOWN if spec.objects is None else f"{spec.objects:,}"
    rows = [
        ("made by", spec.made_by or UNKNOWN),
        ("made from", spec.release or UNKNOWN),
        ("licence", f"{spec.licence.name}, {spec.licence.url}"),
        ("", spec.licence.text.replace("\n", " ")),
        *_listed("cite", spec.licence.cite or ("nobody",)),
        ("renderer", spec.renderer or UNKNOWN),
        ("voxelisation", spec.voxelisation or UNKNOWN),
        ("truth", spec.truth),
        ("objects", f"{whole} in {spec.classes} classes"),
        *_listed("pictures", _pictures(spec, prepared)),
        *_listed("voxels", _voxels(spec, prepared)),
        ("splits", _splits(spec, prepared)),
        *_listed("faults", spec.faults or ("none known",), "- "),
        ("notes", spec.notes or "none"),
        *_listed("archives", [_archive(one) for one in spec.archives] or ["nothing is fetched"]),
        ("size", "\n".join(_sizes(spec, prepared, root))),
        ("state", state),
        ("prepare", _command(spec, command)),
    ]
    return "\n".join([f"{spec.id}: {spec.title}", "", *(_line(*row) for row in rows)])


def _sound(note: dict[str, Any]) -> dict[str, Any]:
    """A sidecar; of one that was damaged or edited only the id is believed."""
    try:
        _pictures_of([note])
        _voxels_of([note])
        for parts in note.get("splits", {}).values():
            _ = [(f"{parts[p]['count']:,}", parts[p]["sha256"][:12]) for p in SPLITS]
        _ = f"{note.get('objects', 0):,}"
    except (KeyError, TypeError, ValueError, AttributeError):
        return {"id": note["id"]}
    return note


def _listed(label: str, lines: Sequence[str], mark: str = "") -> list[tuple[str, str]]:
    return [("" if n else label, mark + line) for n, line in enumerate(lines)]


def _line(label: str, text: str) -> str:
    """A label and its text, wrapped; lines of a table stay whole."""
    wrapped = []
    for line in text.split("\n"):
        more = "  " if line.startswith("- ") else ""
        whole = label in _WHOLE or "  " in line.strip()
        wrapped += [line] if whole else textwrap.wrap(
            line, _WIDTH - _INDENT, subsequent_indent=more, break_long_words=False,
            break_on_hyphens=False,
        ) or [""]  # fmt: skip
    first, *others = wrapped
    space = " " * _INDENT
    return "\n".join([f"{label:{_INDENT}}{first}".rstrip(), *(space + line for line in others)])


def _pictures(spec: DatasetSpec, prepared: Sequence[dict[str, Any]]) -> list[str]:
    """Each rendering with the size that the prepared file states, else the one that is fixed."""
    found = _pictures_of(prepared)
    fixed = {one.name: f"{one.width}x{one.height} {one.mode}" for one in spec.picture_sizes}
    told = any("renderings" in note for note in prepared)
    lines = dict(found)
    for name in dict.fromkeys([*spec.renderings, *(() if told else spec.pictures)]):
        size = fixed.get(name, "size unknown")
        state = " (not prepared)" if told or name not in fixed else ""
        if name not in spec.renderings:
            state = f" (with --pictures {name})"
        lines.setdefault(name, f"'{name}' {size}{state}")
    return list(lines.values()) or ["none"]


def _pictures_of(prepared: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {
        one["name"]: f"'{one['name']}' {one['width']}x{one['height']} {one['mode']}"
        + (f": {one['title']}" if one.get("title") else "")
        for note in prepared
        for one in note.get("renderings", ())
    }


def _voxels(spec: DatasetSpec, prepared: Sequence[dict[str, Any]]) -> list[str]:
    fixed = [f"'{one.name}' {one.resolution}^3" for one in spec.voxel_sizes]
    absent = "none" if spec.truth == "points" else "size unknown (not prepared)"
    return list(_voxels_of(prepared).values()) or fixed or [absent]


def _voxels_of(prepared: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {
        one["name"]: f"'{one['name']}' {one['resolution']}^3"
        + (f": {one['title']}" if one.get("title") else "")
        for note in prepared
        for one in note.get("voxel_kinds", ())
    }


def _splits(spec: DatasetSpec, prepared: Sequence[dict[str, Any]]) -> str:
    """Counts and hashes: from the sidecars, and for the other splits what the spec knows."""
    body: list[list[str]] = []
    seen = set()
    for note in prepared:
        for name, parts in note.get("splits", {}).items():
            seen.add(name)
            default = " (default)" if name == note.get("default_split") else ""
            for part in SPLITS:
                entry = parts[part]
                label = f"{name}{default}" if part == "train" else ""
                body.append(
                    [label, part, f"{entry['count']:,}", entry["sha256"][:12], str(note["id"])]
                )
    known = [one for one in spec.split_facts if one.name in spec.splits and one.name not in seen]
    for name in spec.splits:
        if name not in seen:
            facts = [row for one in known if one.name == name for row in _facts(one)]
            body += facts or [[name, "", "", "", f"{UNKNOWN} until it is prepared"]]
    if not body:
        return "none"
    head = ["name", "part", "objects", "sha256", "in"]
    table = tabulate(body, headers=head, tablefmt="plain", disable_numparse=True)
    meanings = dict.fromkeys(f"{o.known_from}: {o.meaning}" for o in known if o.meaning)
    return "\n".join([table, *meanings])


def _facts(one: SplitFacts) -> list[list[str]]:
    """Rows of a split that is not prepared."""
    known = [(part, found) for part in SPLITS if (found := getattr(one, part)) is not None]
    rows = [
        ["" if n else one.name, part, f"{count:,}", digest[:12], one.known_from]
        for n, (part, (count, digest)) in enumerate(known)
    ]
    return rows or [[one.name, "", "", "", one.known_from]]


def _archive(archive: Archive) -> str:
    size = archive.bytes or archive.about_bytes
    about = "size unknown"
    if size:
        about = ("" if archive.bytes else "about ") + size_text(size)
    check = f"sha256 {archive.sha256}" if archive.sha256 else "sha256 unknown"
    if archive.md5 and not archive.sha256:
        check = f"md5 {archive.md5}"
    where = [f"from {url}" for url in archive.mirrors] or ["fetched by hand"]
    hand = [f"by hand: {archive.by_hand}"] if archive.by_hand else []
    return "\n".join([f"{archive.name}, {about}", check, *where, *hand])


def _sizes(spec: DatasetSpec, prepared: Sequence[dict[str, Any]], root: Path) -> list[str]:
    lines = [f"{_stored(root, note)}: {root / note['id']}.h5" for note in prepared]
    if not lines:
        about = f"about {size_text(spec.store_bytes)}" if spec.store_bytes else UNKNOWN
        lines = [f"{about} when prepared"]
    return lines


def _command(spec: DatasetSpec, command: str) -> str:
    """What is typed; files that no program may fetch are named with --from."""
    if spec.sizes:
        return f"{command}  (--size {' or '.join(spec.sizes)})"
    fetched = bool(spec.archives) and all(archive.mirrors for archive in spec.archives)
    return command if fetched else f"{command} --from DIR"


def _stored(root: Path, note: dict[str, Any]) -> str:
    held = f"{note['objects']:,} objects" if "objects" in note else "objects unknown"
    several = f" in {note['files'] - 1:,} files" if note.get("files", 1) > 1 else ""
    return f"{size_text(stored_bytes(note, root))}{several}, {held}"
