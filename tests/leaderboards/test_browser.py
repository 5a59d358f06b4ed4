"""The pages in a real browser, opened from the file system: sort, filter, open an object, turn it.

A script at the end of a copy of the page does what a reader would, and leaves what it found in the
page. Skipped where there is no Chromium.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.leaderboards.published import read_published

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PROBE = """
<script>
window.addEventListener("load", async function () {
  const found = {};
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const rows = (table) => Array.from(table.tBodies[0].rows).filter((row) => !row.hidden)
    .map((row) => row.cells[0].textContent);
  const head = (table, name) => Array.from(table.tHead.rows[0].cells)
    .find((cell) => cell.textContent.trim() === name);
  try {
    %s
  } catch (error) {
    found.error = String(error);
  }
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify(found);
  document.body.appendChild(place);
});
</script>
"""


@pytest.fixture(scope="session")
def browser() -> str:
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def probe(browser: str, page: Path, script: str) -> dict[str, Any]:
    """What the script found on the page."""
    copy = page.with_name("probe.html")
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</html>", _PROBE % script + "</html>"), encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-dev-shm-usage",
            "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
            f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=20000",
            "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    match = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(match[1]))
    assert "error" not in found, found
    return found


def bench(*arguments: object) -> None:
    done = CliRunner().invoke(cli, ["leaderboard", *map(str, arguments)])
    assert done.exit_code == 0, done.stderr


def test_sorting(browser: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    bench("build", "-o", tmp_path / "s", "--measured", tmp_path / "m")
    found = probe(
        browser,
        tmp_path / "s" / "published-occnet-mesh.html",
        """
        const table = document.querySelectorAll("table.board")[0];
        const cell = head(table, "mean over classes");
        found.before = rows(table);
        cell.querySelector("button").click();
        found.down = rows(table);
        found.sort = cell.getAttribute("aria-sort");
        cell.querySelector("button").click();
        found.up = rows(table);
        found.upward = cell.getAttribute("aria-sort");
        found.said = document.querySelector("[role=status]").textContent;
        head(table, "method").querySelector("button").click();
        found.names = rows(table);
        found.none = cell.getAttribute("aria-sort");
        """,
    )
    means = {
        row.method: row.value
        for row in read_published()
        if row.protocol == "occnet-mesh" and row.metric == "iou" and row.cls == "mean"
    }
    expected = sorted(means, key=lambda name: -means[name])
    assert len(expected) >= 3
    mark = "published, not computed here"
    assert [name.removesuffix(mark) for name in found["down"]] == expected
    assert [name.removesuffix(mark) for name in found["up"]] == expected[::-1]
    assert (found["sort"], found["upward"], found["none"]) == ("descending", "ascending", None)
    assert found["said"] == "Sorted by mean over classes, ascending."
    assert found["names"] == sorted(found["before"], key=str.lower)


def test_long_names_of_sources_break_on_a_phone(browser: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    bench("build", "-o", tmp_path / "s", "--measured", tmp_path / "m")
    found = probe(
        browser,
        tmp_path / "s" / "published-dvr-mesh.html",
        """
        document.body.style.width = "22rem";
        const main = document.querySelector("main");
        found.widths = [main.scrollWidth, main.clientWidth];
        """,
    )
    assert 0 < found["widths"][0] <= found["widths"][1]


def test_filtering(
    browser: str, submission: Callable[..., Path], content: dict[str, Any], tmp_path: Path
) -> None:
    content["dataset"].update(id="shapenet-kato", split_name="kato")
    bench("add", submission(tmp_path / "a", content), "--measured", tmp_path / "m", "--root",
          tmp_path)  # fmt: skip
    bench("build", "-o", tmp_path / "s", "--measured", tmp_path / "m")
    (page,) = (tmp_path / "s").glob("board-*-kato-iou-v1.html")
    found = probe(
        browser,
        page,
        """
        const table = document.querySelector("table.board");
        const type = (text) => {
          const field = document.querySelector("input[type=search]");
          field.value = text;
          field.dispatchEvent(new Event("input"));
          return rows(table);
        };
        found.all = rows(table);
        found.released = type("RELEASED nmr");
        found.said = document.querySelector("[role=status]").textContent;
        found.nothing = type("xyz");
        type("");
        document.querySelector("input[type=checkbox]").click();
        found.ours = rows(table);
        head(table, "mean over classes").querySelector("button").click();
        document.querySelector("input[type=checkbox]").click();
        found.sorted = rows(table).map((name) => name.slice(0, 4));
        const box = table.closest(".scroll");
        found.wider = [box.scrollWidth > box.clientWidth, getComputedStyle(box).position];
        """,
    )
    assert len(found["all"]) == 3 and found["nothing"] == []
    assert [name[:26] for name in found["released"]] == ["NMR / Kato (released model"]
    assert found["said"] == "1 of 3 rows."
    assert found["ours"] == ["kato"]
    assert found["sorted"] == ["NMR ", "NMR ", "kato"]
    # A wide table scrolls within itself, and so do the words for screen readers in its cells.
    assert found["wider"] == [True, "relative"]


def test_objects_turn(
    browser: str, tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.evaluation.plan import plan_run
    from benchbench.evaluation.run import execute

    tiny.make_store(tmp_path / "root")
    tiny.register(monkeypatch)
    tiny.STUBS["stub"] = tiny.Stub()
    plan = plan_run(tiny.request(tmp_path / "root", tmp_path / "runs", views="1"))
    execute(plan, quiet=True)
    where = ("--measured", tmp_path / "m", "--root", tmp_path / "root", "-q")
    bench("add", plan.folder.path, *where)
    bench("build", *where, "--runs", tmp_path / "runs", "--objects", "1", "-o", tmp_path / "s")
    (page,) = (tmp_path / "s").glob("method-*.html")
    found = probe(
        browser,
        page,
        """
        const buttons = Array.from(document.querySelectorAll("figure button"));
        found.buttons = buttons.length;
        buttons[0].click();
        for (let n = 0; n < 100 && !document.querySelector("canvas"); n += 1) {
          await wait(50);
        }
        const canvas = document.querySelector("canvas");
        found.words = document.querySelector(".viewer p").textContent;
        found.focused = document.activeElement === canvas;
        const key = (name) => canvas.dispatchEvent(
          new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
        found.start = canvas.dataset.pose;
        const picture = canvas.toDataURL();
        key("ArrowRight");
        found.turned = canvas.dataset.pose;
        found.changed = canvas.toDataURL() !== picture;
        key("ArrowUp"); key("+");
        found.moved = canvas.dataset.pose;
        key("Home");
        found.back = canvas.dataset.pose;
        found.same = canvas.toDataURL() === picture;
        const flat = document.createElement("canvas");
        flat.width = canvas.width; flat.height = canvas.height;
        const ink = flat.getContext("2d");
        ink.drawImage(canvas, 0, 0);
        found.shaded = [0, canvas.width / 2].map((x) => {
          const data = ink.getImageData(x, 0, canvas.width / 2, canvas.height).data;
          return data.filter((value) => value < 250).length > 0;
        });
        buttons[1].click();
        await wait(500);
        found.open = document.querySelectorAll("canvas").length;
        key("Escape");
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
        found.closed = document.querySelectorAll("canvas").length;
        """,
    )
    assert found["buttons"] == 9 and found["focused"]
    assert found["words"].startswith("Left the prediction, right the truth. Drag or use the arrow")
    assert (found["start"], found["turned"]) == ("0.00 30.00 2.73", "15.00 30.00 2.73")
    assert (found["moved"], found["back"]) == ("15.00 40.00 2.28", "0.00 30.00 2.73")
    assert found["changed"] and found["same"] and found["shaded"] == [True, True]
    assert (found["open"], found["closed"]) == (1, 0)
