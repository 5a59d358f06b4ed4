"""Writing the whole site: the same results give the same bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchbench.core.errors import BenchError, UsageError
from benchbench.core.files import explain_disk, write_text
from benchbench.leaderboards.measured import Measured
from benchbench.leaderboards.published import PublishedRow
from benchbench.leaderboards.site.boards import (
    Board,
    board_page,
    find_boards,
    method_file,
    published_page,
    slug,
)  # fmt: skip
from benchbench.leaderboards.site.gallery import (
    Choice,
    choose,
    draw_objects,
    find_runs,
    is_prepared,
)  # fmt: skip
from benchbench.leaderboards.site.markup import Piece, page, tag
from benchbench.leaderboards.site.methods import Gallery, method_page
from benchbench.leaderboards.site.shapes import shape_script
from benchbench.protocols.registry import protocols, refused_protocols
from benchbench.protocols.specs import ProtocolSpec
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result

ASSETS = Path(__file__).parent.parent / "assets"
LIST = "files.sha256"
_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_OURS = re.compile(rf"[0-9a-f]{{64}}  ((?:assets/|objects/{_NAME}/)?{_NAME})")


def build_site(
    out: Path,
    measured: Sequence[Measured],
    published: Sequence[PublishedRow],
    *,
    runs: Sequence[Path] = (),
    root: Path | None = None,
    objects: int = 3,
    say: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Writes the site.

    Args:
        out: Its folder: new, empty, or an older site, whose files it replaces.
        measured: Results of this project.
        published: Published numbers.
        runs: Folders in which run folders lie; those of measured results give pictures.
        root: Folder of prepared data sets, for the pictures.
        objects: How many best, median and worst objects a class; 0 for none.
        say: Told what happens.

    Returns:
        Names of the files, in order.

    Raises:
        UsageError: The folder holds something else.
    """
    before = _older(out)
    boards = find_boards(measured)
    pages = {str(one.path): method_file(one) for one in measured}
    files: dict[str, bytes] = {
        f"assets/{path.name}": path.read_bytes() for path in sorted(ASSETS.iterdir())
    }
    for board in boards:
        files[board.file] = board_page(board, pages, published).encode()
    found = find_runs(runs) if objects else {}
    for one in measured:
        gallery, drawn = _gallery(one, found, root, objects, say)
        files |= drawn
        files[method_file(one)] = method_page(one, boards, gallery).encode()
    groups: dict[str, list[PublishedRow]] = {}
    for row in published:
        groups.setdefault(row.protocol, []).append(row)
    for name, rows in groups.items():
        files[f"published-{slug(name)}.html"] = published_page(name, rows, _spec(name)).encode()
    files["index.html"] = _index(boards, measured, pages, groups).encode()
    _write(out, files, before)
    return sorted(files)


def _spec(slug_: str) -> ProtocolSpec | None:
    known = (*protocols().values(), *refused_protocols().values())
    return next((spec for spec in known if slug_ in spec.slugs), None)


def _gallery(
    one: Measured,
    runs: dict[str, Path],
    root: Path | None,
    objects: int,
    say: Callable[[str], None],
) -> tuple[Gallery, dict[str, bytes]]:
    name = next(iter(one.content["protocols"]))
    metric = protocols()[name].metrics[0]
    scores = ObjectFiles().of(Result(one.path, one.content), name)
    run = runs.get(one.content["hash"])
    why = "none were asked for" if not objects else ""
    if not why and scores is None:
        why = "the scores of objects do not lie beside the result"
    if not why and run is None:
        why = "the folder of the run was not at hand when this page was built"
    if why or scores is None or run is None or root is None:
        return Gallery(metric, name, why_not=why or "no data set was at hand"), {}
    if (lack := is_prepared(one, root)) is not None:
        return Gallery(metric, name, why_not=lack), {}
    choices = choose(scores.values[metric.name], metric.higher_is_better, objects)
    say(f"drawing {len(choices)} objects of {one.method} {one.short_hash}")
    folder = slug(one.method, one.short_hash)
    shown: list[tuple[Choice, str, str]] = []
    drawn: dict[str, bytes] = {}
    try:
        for n, two in enumerate(draw_objects(one, run, root, choices)):
            file = f"objects/{folder}/{slug(two.choice.synset, two.choice.kind, str(n))}"
            drawn[f"{file}.png"] = two.png
            script = shape_script(f"{file}.js", two.azimuth, two.prediction, two.truth)
            if script is not None:
                drawn[f"{file}.js"] = script
            shown.append((two.choice, f"{file}.png", "" if script is None else f"{file}.js"))
    except (BenchError, KeyError) as error:
        say(f"no pictures of {one.method} {one.short_hash}: {error}")
        return Gallery(metric, name, why_not="the predictions could not be read"), {}
    return Gallery(metric, name, shown), drawn


def _index(
    boards: Sequence[Board],
    measured: Sequence[Measured],
    pages: dict[str, str],
    published: dict[str, list[PublishedRow]],
) -> str:
    parts: list[Piece] = [
        tag("h1", "Single-image 3D reconstruction: measured and published numbers"),
        tag("p", "Measured numbers were computed by this project, each by one command that its "
                 "page names. Published numbers were not: papers, README files and issues print "
                 "them. The two stand in one table only where data set, split and protocol "
                 "agree."),
        tag("h2", "Measured"),
    ]  # fmt: skip
    places: dict[str, list[Board]] = {}
    for board in boards:
        places.setdefault(board.place, []).append(board)
    if not places:
        parts.append(tag("p", "No result has been taken in yet."))
    for place, some in places.items():
        parts.append(tag("h3", place))
        parts.append(tag("ul", [[_board_item(board), "\n"] for board in some]))
    if measured:
        parts.append(tag("h2", "Methods"))
        items = [
            tag("li", tag("a", f"{one.method} on {one.content['dataset']['id']}",
                          href=pages[str(one.path)]), f": {one.content['baseline']['caption']}")
            for one in measured
        ]  # fmt: skip
        parts.append(tag("ul", [[item, "\n"] for item in items]))
    parts.append(tag("h2", "Published"))
    items = [
        tag("li", tag("a", name, href=f"published-{slug(name)}.html"), ": ", _told(name, rows))
        for name, rows in published.items()
    ]
    parts.append(tag("ul", [[item, "\n"] for item in items]))
    return page("all tables", parts)


def _board_item(board: Board) -> Piece:
    count = len(board.tables[0].rows)
    return tag("li", tag("a", board.spec.id, href=board.file), f": {board.spec.title}, {count} "
               + ("method" if count == 1 else "methods"))  # fmt: skip


def _told(name: str, rows: Sequence[PublishedRow]) -> str:
    spec = _spec(name)
    methods = len({row.method for row in rows})
    words = f"{len(rows)} numbers of {methods} " + ("method" if methods == 1 else "methods")
    return f"{spec.title}; {words}" if spec is not None and not spec.refused else words


def _older(out: Path) -> list[str]:
    """Files of the site that is there."""
    if not out.exists():
        return []
    if not out.is_dir() or (any(out.iterdir()) and not (out / LIST).is_file()):
        raise UsageError(
            f"'{out}' holds something else than a site",
            hint="name a new folder: bench leaderboard build -o site",
        )
    if not (out / LIST).is_file():
        return []
    text = (out / LIST).read_text(encoding="utf-8", errors="replace")
    return [found[1] for line in text.splitlines() if (found := _OURS.fullmatch(line))]


def _write(out: Path, files: dict[str, bytes], before: Sequence[str]) -> None:
    """Writes what has changed; the list of all comes last, a build cut short is built again."""
    for name in before:
        if name not in files:
            (out / name).unlink(missing_ok=True)
    for name in sorted(files):
        path = out / name
        with explain_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != files[name]:
                path.write_bytes(files[name])
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    write_text(out / LIST, "".join(lines))
