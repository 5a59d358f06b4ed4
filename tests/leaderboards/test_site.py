"""The site: right numbers, escaped names, sound HTML, nothing from elsewhere, the same bytes."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchbench.cli.main import cli
from benchbench.core.errors import CheckError
from benchbench.core.types import Mesh
from benchbench.leaderboards.site.markup import escape, tag
from benchbench.leaderboards.site.shapes import mesh_data, shape_script
from benchbench.leaderboards.site.tables import number_cell
from benchbench.report.choice import choose

Write = Callable[..., Path]
VOID = {"br", "img", "input", "link", "meta"}
XHTML = b"http://www.w3.org/1999/xhtml"


class Page(HTMLParser):
    """A page as a browser would see it; refuses what is not well formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.rows: list[tuple[dict[str, str | None], list[tuple[str, str | None]]]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes), f"{name} has an attribute twice"
        found = dict(attributes)
        self.tags.append((name, found))
        if name not in VOID:
            self.open.append(name)
        if name == "tr":
            self.rows.append((found, []))
        if name in ("td", "th"):
            self.rows[-1][1].append(("", found.get("data-value")))

    def handle_endtag(self, name: str) -> None:
        assert self.open and self.open.pop() == name, f"</{name}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            cells = self.rows[-1][1]
            cells[-1] = (cells[-1][0] + data, cells[-1][1])


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["leaderboard", *map(str, arguments)])


def build(folder: Path, *submissions: Path, out: str = "site") -> Path:
    """Takes the submissions in and builds the site of them."""
    for one in submissions:
        done = bench("add", one, "--measured", folder / "m", "--root", folder, "-q")
        assert done.exit_code == 0, done.stderr
    done = bench(
        "build", "-o", folder / out, "--measured", folder / "m", "--root", folder, "-q",
        "--runs", folder / "none",
    )  # fmt: skip
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{folder / out / 'index.html'}\n", "")
    return folder / out


def pages(site: Path) -> dict[str, Page]:
    return {p.name: Page(p.read_text(encoding="utf-8")) for p in sorted(site.glob("*.html"))}


def files(site: Path) -> dict[str, bytes]:
    return {str(p.relative_to(site)): p.read_bytes() for p in site.rglob("*") if p.is_file()}


def row(page: Page, head: str) -> list[tuple[str, str | None]]:
    """The cells of the one row of that head."""
    (found,) = [cells for _, cells in page.rows if cells[0][0].startswith(head)]
    return found


def test_numbers_are_those_of_the_hand(submission: Write, tmp_path: Path) -> None:
    found = pages(build(tmp_path, submission(tmp_path / "a")))
    (iou,) = [p for name, p in found.items() if name.endswith("bench-iou-v1.html")]
    heads = [text for text, _ in iou.rows[0][1]]
    assert heads == [
        "method", "mean over classes", "mean over objects", "median over objects", "airplane",
        "chair", "failed", "is given", "learned from", "trained on", "networks", "parameters",
        "training",
    ]  # fmt: skip
    cells = row(iou, "kato")
    assert cells[1] == ("0.500", "0.5")
    assert (cells[2][0][:5], cells[3][0][:5]) == ("0.600", "0.700")
    # Student's interval of two airplanes: 0.8 +- 12.706 * sqrt(0.02 / 2).
    assert cells[4] == ("0.800-0.471 to 2.071", "0.8")
    assert cells[5:8] == [("0.200", "0.2"), ("0", "0.0"), ("a picture", None)]
    (kato,) = [p for name, p in found.items() if name.endswith("kato-iou-v1.html")]
    cells = row(kato, "kato")
    shown = [text[:6] for text, _ in cells[1:7]]
    assert shown == ["0.2000", "0.2667", "0.3000", "0.4000", "0.0000", "1"]
    assert "1 of 3 items failed and got the penalty" in " ".join(kato.text)
    (method,) = [p for name, p in found.items() if name.startswith("method-")]
    words = " ".join(method.text)
    assert "bench run --baseline kato --dataset shapes13-demo --split test --views 1" in words
    assert "ab" * 32 in words and "56" * 32 in words
    assert "iou|p:bench-iou-v1|set:shapes13-demo@efefefef|split:shapes13:test@12121212" in words


def test_the_page_of_a_method_says_what_it_is(
    submission: Write, content: dict[str, Any], tmp_path: Path
) -> None:
    words = []
    about = {
        "supervision": "silhouettes <of> 2 views", "networks": "joint (all classes)",
        "parameters": 1168441, "training_time": "24 minutes", "trained_on": None,
    }  # fmt: skip
    beside = [["silhouettes <of> 2 views", "joint (all classes)", "1,168,441", "24 minutes"],
              ["unknown"] * 4]  # fmt: skip
    for n, said in enumerate((about, None)):
        folder = tmp_path / str(n)
        folder.mkdir()
        site = build(folder, submission(folder / "a", {**content, "about": said}))
        (board,) = [p for name, p in pages(site).items() if name.endswith("bench-iou-v1.html")]
        cells = [text for text, _ in row(board, "kato")][8:]
        assert [cells[0], *cells[2:]] == beside[n]
        (page,) = [p for name, p in pages(site).items() if name.startswith("method-")]
        words.append(" ".join(page.text).split("learned from", 1)[1])
    assert " ".join(words[0].split()).startswith(
        "silhouettes <of> 2 views networks joint (all classes) parameters 1,168,441 training "
        "24 minutes objects scored"
    )
    assert " ".join(words[1].split()).startswith(
        "unknown networks unknown parameters unknown training unknown objects scored"
    )


def test_pages_are_sound_html(submission: Write, tmp_path: Path) -> None:
    site = build(tmp_path, submission(tmp_path / "a"))
    for name, page in pages(site).items():
        found = [tag for tag, _ in page.tags]
        assert found.count("h1") == found.count("title") == found.count("main") == 1, name
        levels = [int(tag[1]) for tag in found if re.fullmatch("h[1-6]", tag)]
        assert all(b <= a + 1 for a, b in pairwise(levels)), name
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids)), name
        assert dict(page.tags)["html"] == {"lang": "en"}, name
        for tag_, attributes in page.tags:
            if tag_ == "img":
                assert attributes["alt"]
            if tag_ == "th":
                assert attributes["scope"] in ("col", "row")
            if attributes.get("class") == "scroll":  # can be scrolled by keyboard
                assert attributes["tabindex"] == "0" and attributes["aria-label"]
        widths = {len(cells) for _, cells in page.rows}
        assert name == "index.html" or widths


def test_nothing_comes_from_elsewhere(submission: Write, tmp_path: Path) -> None:
    site = build(tmp_path, submission(tmp_path / "a"))
    for name, content in files(site).items():
        if name == "assets/viewer.js":  # the name of a language, no address; no way to load
            assert set(re.findall(rb"https?:[^\"'` ]*", content)) == {XHTML}
            assert b"fetch(" not in content and b"XMLHttpRequest" not in content
            continue
        assert b"http" not in content and b"//" not in content, name
        assert b"@import" not in content and b"url(" not in content, name
    there = set(files(site))
    for name, page in pages(site).items():
        ids = {a["id"] for _, a in page.tags if "id" in a}
        for _, attributes in page.tags:
            for target in (attributes.get("href"), attributes.get("src")):
                if target is not None:
                    assert target in there or target.removeprefix("#") in ids, (name, target)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><style>*{display:none}</style>",
    "' onmouseover='alert(1)",
    "javascript:alert(1) &lt;b&gt; {{7*7}} ${7*7}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_strangers_stay_text(
    submission: Write, content: dict[str, Any], tmp_path: Path, text: str
) -> None:
    content["baseline"].update(title=text, caption=text, takes=text[:40])
    content["dataset"]["title"] = text
    content["dataset"]["classes"][0][1] = text
    content["device"] = [text]
    content["versions"]["benchbench"] = text
    content["settings"]["set.x"] = {"value": text, "source": "commandline"}
    content["training"]["why"] = text
    site = build(tmp_path, submission(tmp_path / "a", content))
    for name, page in pages(site).items():
        scripts = [a for tag_, a in page.tags if tag_ == "script"]
        assert scripts == [{"src": "assets/table.js", "defer": None}], name
        for tag_, attributes in page.tags:
            assert tag_ not in ("style", "iframe", "object", "form", "base"), name
            assert not [key for key in attributes if key.startswith("on")], name
            for key in ("href", "src"):
                assert ":" not in (attributes.get(key) or ""), name
        if name.startswith(("method-", "board-")):
            assert text in "".join(page.text), name


def test_markup_replaces_what_turns_the_writing() -> None:
    assert escape("a\u202eb\x00c\x1b") == "a\ufffdb\ufffdc\ufffd"
    assert tag("p", ["<", None, tag("b", "&")], data_value='"') == (
        '<p data-value="&quot;">&lt;<b>&amp;</b></p>'
    )


def test_no_number_that_is_none() -> None:
    with pytest.raises(CheckError, match="holds the number nan"):
        number_cell(float("nan"), 3)
    with pytest.raises(CheckError, match="holds the number inf"):
        number_cell(0.5, 3, bounds=(0.1, float("inf")))
    assert (number_cell(None, 3).text, number_cell(0.0, 1).value) == ("-", 0.0)


def kato_content(content: dict[str, Any]) -> dict[str, Any]:
    """The same run as if it had been on Kato's data."""
    content["dataset"].update(id="shapenet-kato", split_name="kato")
    return content


def test_published_rows_stand_beside_only_where_all_agrees(
    submission: Write, content: dict[str, Any], tmp_path: Path
) -> None:
    site = build(tmp_path, submission(tmp_path / "a", kato_content(content)))
    found = pages(site)
    (kato,) = [p for name, p in found.items() if "-kato-iou-v1" in name]
    rows = [cells for attributes, cells in kato.rows if attributes.get("class") == "published"]
    assert [cells[0][0] for cells in rows] == [
        "NMR / Kato (released model), 2018published, not computed here",
        "NMR / Kato (paper value as quoted by README), 2018published, not computed here",
    ]
    assert [cells[1] for cells in rows] == [("0.5988", "0.5988"), ("0.6031", "0.6031")]
    assert [cells[4] for cells in rows] == [("-", "")] * 2  # no classes were printed
    words = " ".join(kato.text)
    assert "published, not computed here; github:hiroharu-kato/mesh_reconstruction" in words
    (house,) = [p for name, p in found.items() if name.endswith("bench-iou-v1.html")]
    assert not [a for a, _ in house.rows if a.get("class") == "published"]


def test_published_pages_hold_every_number(tmp_path: Path) -> None:
    from benchbench.leaderboards.published import read_published

    (tmp_path / "m").mkdir()
    found = pages(build(tmp_path))
    shown = [
        text
        for name, page in found.items()
        if name.startswith("published-")
        for attributes, cells in page.rows
        if attributes.get("class") == "published"
        for text, value in cells[1:]
        if value
    ]
    years = sum(1 for text in shown if re.fullmatch("20(1|2)[0-9]", text))
    assert sorted(t for t in shown if not re.fullmatch("20(1|2)[0-9]", t)) == sorted(
        one.text for one in read_published()
    )
    assert years > 0
    assert "No result has been taken in yet." in found["index.html"].text


def test_same_results_same_bytes(submission: Write, tmp_path: Path) -> None:
    one = build(tmp_path, submission(tmp_path / "a"))
    two = build(tmp_path, out="site2")
    assert files(one) == files(two)
    before = files(one)
    assert files(build(tmp_path)) == before  # over the older one
    listed = (one / "files.sha256").read_text(encoding="utf-8").splitlines()
    assert [line[66:] for line in listed] == sorted(set(before) - {"files.sha256"})


def test_an_older_site_leaves_nothing_behind(submission: Write, tmp_path: Path) -> None:
    site = build(tmp_path, submission(tmp_path / "a"))
    (site / "notes.txt").write_text("of the user", encoding="utf-8")
    with (site / "files.sha256").open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  ../outside.txt\n")
    (tmp_path / "outside.txt").write_text("not of the site", encoding="utf-8")
    for path in (tmp_path / "m").iterdir():
        path.unlink()
    build(tmp_path)
    assert not list(site.glob("method-*")) and not list(site.glob("board-*"))
    assert (site / "notes.txt").exists() and (tmp_path / "outside.txt").exists()


def test_build_on_the_command_line(submission: Write, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x", encoding="utf-8")
    (tmp_path / "m").mkdir()
    done = bench("build", "-o", tmp_path / "full", "--measured", tmp_path / "m")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: '{tmp_path / 'full'}' holds something else than a site\n"
        "hint: name a new folder: bench leaderboard build -o site\n"
    )
    done = bench("build", "--measured", tmp_path / "m")
    assert (done.exit_code, done.stdout) == (2, "") and "'-o' / '--output'" in done.stderr
    done = bench("build", "-o", tmp_path / "s", "--measured", tmp_path / "m", "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["results"]) == (0, 0)
    assert f"0 measured results; open {tmp_path / 's' / 'index.html'}" in done.stderr
    (tmp_path / "m" / "a.json").write_text("{}", encoding="utf-8")
    done = bench("build", "-o", tmp_path / "s", "--measured", tmp_path / "m")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "a.json' is no measured result: result.schema is missing" in done.stderr


def test_choice_of_objects() -> None:
    values = {f"1/{n}": n / 10 for n in range(10)} | {"2/a": 0.5, "2/b": 0.5}
    found = [(c.kind, c.object_id) for c in choose(values, True, 3)]
    assert found == [
        ("best", "1/9"), ("best", "1/8"), ("best", "1/7"),
        ("median", "1/6"), ("median", "1/5"), ("median", "1/4"),
        ("worst", "1/0"), ("worst", "1/1"), ("worst", "1/2"),
        ("best", "2/a"), ("worst", "2/b"),
    ]  # fmt: skip
    down = [c.object_id for c in choose(values, False, 1)]
    assert down[0] == "1/0" and down[2] == "1/9"


def contrast(one: str, other: str) -> float:
    """Of two colours #rrggbb, by the Web Content Accessibility Guidelines 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


def test_contrast_of_text() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    style = (Path(sys.modules["benchbench.leaderboards.published"].__file__ or "").parent
             / "assets" / "style.css").read_text(encoding="utf-8")  # fmt: skip
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", part))
                   for part in style.split("@media (prefers-color-scheme: dark)")[:2])  # fmt: skip
    for scheme in (light, dark):
        for text in ("text", "quiet", "link"):
            for ground in ("ground", "head", "best", "published"):
                if (text, ground) != ("quiet", "best"):
                    assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)
        assert contrast(scheme["focus"], scheme["ground"]) >= 3


def shapes_of(file: Path, site: Path) -> dict[str, Any]:
    """What a script hands to the viewer; it is one call with JSON in it and nothing else."""
    text = file.read_text(encoding="ascii")
    name = json.dumps(str(file.relative_to(site)))
    assert text.startswith(f"benchObject({name},") and text.endswith(");\n")
    found: dict[str, Any] = json.loads(text[len(f"benchObject({name},") : -3])
    return found


def test_shapes_come_back() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(-2, 2, (70_000, 3)).astype(np.float32)
    faces = generator.integers(0, 70_000, (50, 3)).astype(np.int32)
    for count in (40, 70_000):  # two and four bytes a corner
        mesh = Mesh(corners[:count], faces % count)
        data = mesh_data(mesh)
        places = np.frombuffer(base64.b64decode(data["vertices"]), "<u2").astype(np.float64)
        back = places.reshape(-1, 3) / 65535 * 2 * data["half"] - data["half"]
        assert np.abs(back - mesh.vertices).max() <= data["half"] / 65535
        kind = "<u4" if data["wide"] else "<u2"
        found = np.frombuffer(base64.b64decode(data["faces"]), kind).reshape(-1, 3)
        assert (found == mesh.faces).all() and data["wide"] == (count > 65536)


def test_what_is_no_shape_for_a_page() -> None:
    corners = np.eye(3, dtype=np.float32)
    large = Mesh(corners, np.zeros((100_001, 3), np.int32))
    small = Mesh(corners, np.array([[0, 1, 2]], np.int32))
    assert shape_script("a.js", 0.0, large, small) is None
    assert shape_script("a.js", 0.0, None, None) is None
    script = shape_script("</script>\u2028.js", 0.0, small, None)
    assert script is not None and script.startswith(b'benchObject("</script>\\u2028.js",')


def test_objects_are_drawn(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.evaluation.plan import plan_run
    from benchbench.evaluation.run import execute

    tiny.make_store(tmp_path / "root")
    tiny.register(monkeypatch)
    # Object 0 of the test split is missed altogether: the worst airplane, drawn without a shape.
    tiny.STUBS["stub"] = tiny.Stub(wrong={(3, 0): None})
    plan = plan_run(tiny.request(tmp_path / "root", tmp_path / "runs", views="1"))
    execute(plan, quiet=True)
    where = ("--measured", tmp_path / "m", "--root", tmp_path / "root", "-q")
    done = bench("add", plan.folder.path, *where)
    assert done.exit_code == 0, done.stderr
    with_runs = ("build", *where, "--runs", tmp_path / "runs", "--objects", "1", "-o")
    for out in ("s", "t"):
        done = bench(*with_runs, tmp_path / out)
        assert done.exit_code == 0, done.stderr
    assert files(tmp_path / "s") == files(tmp_path / "t")
    (method,) = [p for name, p in pages(tmp_path / "s").items() if name.startswith("method-")]
    images = [a for name, a in method.tags if name == "img"]
    assert len(images) == 9  # three classes, one of each kind
    drawn, shapes = {}, {}
    for attributes in images:
        file = tmp_path / "s" / str(attributes["src"])
        pixels = np.asarray(Image.open(io.BytesIO(file.read_bytes())))
        assert pixels.shape == (96, 480, 3)
        shapes[file.stem] = shapes_of(file.with_suffix(".js"), tmp_path / "s")
        drawn[file.name] = [bool((pixels[:, x : x + 96] < 255).any()) for x in range(0, 480, 96)]
    worst = [name for name in drawn if name.startswith("02691156-worst")]
    assert drawn.pop(worst[0]) == [True, False, True, False, True]
    assert all(all(parts) for parts in drawn.values())
    assert "worst 0.000" in "".join(method.text)
    figures = [a["data-mesh"] for name, a in method.tags if name == "figure"]
    assert figures == [str(a["src"]).replace(".png", ".js") for a in images]
    worst_shape = shapes.pop(worst[0].removesuffix(".png"))
    assert worst_shape["prediction"] is None and worst_shape["truth"] is not None
    for content in shapes.values():  # the stub hands on the truth
        assert content["prediction"] == content["truth"]
        assert (content["azimuth"], content["truth"]["half"]) == (0, 0.5)
    (path,) = (tmp_path / "m").glob("*.json")
    again = ["score", plan.folder.path, "--expect", path, "--root", tmp_path / "root"]
    assert CliRunner().invoke(cli, list(map(str, again))).exit_code == 0
    (shard,) = plan.folder.predictions.glob("*.h5")
    with h5py.File(shard, "r+") as file:  # other predictions, in order for themselves
        file.attrs["content"] = "0" * 64
    done = bench(*with_runs, tmp_path / "s")
    assert done.exit_code == 0
    (method,) = [p for name, p in pages(tmp_path / "s").items() if name.startswith("method-")]
    assert "No pictures: the run's predictions are damaged, or others." in "".join(method.text)
    assert not list((tmp_path / "s").rglob("*.png"))
    done = bench(*with_runs, tmp_path / "s", "--root", tmp_path / "nowhere")
    assert done.exit_code == 0
    (method,) = [p for name, p in pages(tmp_path / "s").items() if name.startswith("method-")]
    assert "No pictures: data set 'shapes13-demo' is not prepared" in "".join(method.text)
    assert not list((tmp_path / "s").rglob("*.png"))
