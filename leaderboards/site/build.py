"""Writing the whole site: the same results give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchbench.core.errors import BenchError
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
from benchbench.leaderboards.site.folder import SiteFolder
from benchbench.leaderboards.site.gallery import draw_objects, find_runs, is_prepared
from benchbench.leaderboards.site.markup import Piece, page, tag
from benchbench.leaderboards.site.methods import Gallery, method_page
from benchbench.leaderboards.site.shapes import shape_script
from benchbench.protocols.registry import protocols, refused_protocols
from benchbench.protocols.specs import ProtocolSpec
from benchbench.report.choice import Choice, choose
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result

ASSETS = Path(__file__).parent.parent / "assets"


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
    site = SiteFolder(out)
    boards = find_boards(measured)
    pages = {str(one.path): method_file(one) for one in measured}
    for path in sorted(ASSETS.iterdir()):
        site.put(f"assets/{path.name}", path.read_bytes())
    for board in boards:
        site.put(board.file, board_page(board, pages, published).encode())
    found = find_runs(runs) if objects else {}
    for one in measured:
        gallery = _gallery(site, one, found.get(one.content["hash"]), root, objects, say)
        site.put(method_file(one), method_page(one, boards, gallery).encode())
    groups: dict[str, list[PublishedRow]] = {}
    for row in published:
        groups.setdefault(row.protocol, []).append(row)
    for name, rows in groups.items():
        page_ = published_page(name, rows, _spec(name))
        site.put(f"published-{slug(name)}.html", page_.encode())
    site.put("index.html", _index(boards, measured, pages, groups).encode())
    return site.finish()


def _spec(slug_: str) -> ProtocolSpec | None:
    known = (*protocols().values(), *refused_protocols().values())
    return next((spec for spec in known if slug_ in spec.slugs), None)


def _gallery(
    site: SiteFolder,
    one: Measured,
    run: Path | None,
    root: Path | None,
    objects: int,
    say: Callable[[str], None],
) -> Gallery:
    """Draws the objects of a run into the site, or says why not."""
    name = next(iter(one.content["protocols"]))
    metric = protocols()[name].metrics[0]
    scores = ObjectFiles().of(Result(one.path, one.content), name)
    if not objects:
        why = "none were asked for"
    elif scores is None:
        why = "the scores of objects do not lie beside the result"
    elif run is None or root is None:
        why = "the folder of the run was not at hand when this page was built"
    else:
        why = is_prepared(one, root) or ""
    if why or scores is None or run is None or root is None:
        return Gallery(metric, name, why_not=why)
    choices = choose(scores.values[metric.name], metric.higher_is_better, objects)
    say(f"drawing {len(choices)} objects of {one.method} {one.short_hash}")
    folder = f"objects/{slug(one.method, one.short_hash)}"
    shown: list[tuple[Choice, str, str]] = []
    try:
        for n, drawn in enumerate(draw_objects(one, run, root, choices)):
            file = f"{folder}/{slug(drawn.choice.synset, drawn.choice.kind, str(n))}"
            site.put(f"{file}.png", drawn.png)
            script = shape_script(f"{file}.js", drawn.azimuth, drawn.prediction, drawn.truth)
            if script is not None:
                site.put(f"{file}.js", script)
            shown.append((drawn.choice, f"{file}.png", "" if script is None else f"{file}.js"))
    except BenchError as error:
        say(f"no pictures of {one.method} {one.short_hash}: {error}")
        return Gallery(metric, name, why_not="the run's predictions are damaged, or others")
    return Gallery(metric, name, shown)


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
    count = "1 number" if len(rows) == 1 else f"{len(rows)} numbers"
    words = f"{count} of {methods} " + ("method" if methods == 1 else "methods")
    return f"{spec.title}; {words}" if spec is not None and not spec.refused else words
