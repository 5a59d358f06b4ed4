"""Figures of matplotlib that neither see nor change anybody's settings; equal bytes each time."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbench.core.environment import package_version
from benchbench.core.errors import MissingError, UsageError
from benchbench.protocols.specs import MetricSpec
from benchbench.report.tables import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".pdf", ".svg")
# Okabe and Ito's colours, which all kinds of colour vision tell apart, in an order in which
# neighbours differ in grey too. Source: https://jfly.uni-koeln.de/color/
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#F0E442", "#D55E00", "#56B4E9", "#000000", "#CC79A7",
    "#BBBBBB",
)  # fmt: skip
INK, FAINT = "#222222", "#6b6b6b"
_DOTS = 200  # per inch, of PNG
_LETTERS = 23.0  # of a note to an inch
_LONGEST = 40  # letters of a name
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8.0,
    "axes.labelsize": 8.0, "xtick.labelsize": 7.0, "ytick.labelsize": 7.0, "legend.fontsize": 7.0,
    "axes.edgecolor": INK, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True, "grid.color": "#dddddd",
    "grid.linewidth": 0.5, "hatch.linewidth": 0.5, "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType, as publishers ask for
    "text.parse_math": False,  # names of methods are names, whatever dollars they hold
    "svg.fonttype": "path", "svg.hashsalt": "benchbench",
}  # fmt: skip
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}


def check_installed() -> None:
    """Raises:
    MissingError: The library of the `plot` extra is not installed.
    """
    if package_version("matplotlib") is None:
        raise MissingError(
            "plots need matplotlib", hint="pip install -c constraints.txt -e '.[plot]'"
        )


def check_ending(path: Path, endings: Sequence[str] = ENDINGS) -> str:
    """The ending of a picture's name, in small letters.

    Raises:
        UsageError: It is none that can be written.

    Example:
        >>> check_ending(Path("bars.PDF"))
        '.pdf'
    """
    ending = path.suffix.lower()
    if ending not in endings:
        raise UsageError(
            f"'{path}' does not say which kind of picture to write",
            hint=f"-o with a name that ends in {' or '.join(endings)}",
        )
    return ending


@contextmanager
def style() -> Iterator[None]:
    """The settings of all figures, whatever the user's own file of settings says.

    Example:
        >>> import matplotlib
        >>> before = dict(matplotlib.rcParams)
        >>> with style():
        ...     matplotlib.rcParams["font.size"]
        8.0
        >>> dict(matplotlib.rcParams) == before
        True
    """
    import matplotlib

    defaults: dict[Any, Any] = {
        k: v for k, v in matplotlib.rcParamsDefault.items() if k[:7] != "backend"
    }
    with matplotlib.rc_context({**defaults, **_STYLE}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that belongs to nobody: no window, not known to `matplotlib.pyplot`.

    Args:
        width: Inches.
        height: Inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def encode(figure: Figure, ending: str) -> bytes:
    """The file of a figure: no date in it, fonts embedded.

    Args:
        figure: Made within `style`.
        ending: One of `ENDINGS`.
    """
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format=ending[1:], metadata=_METADATA[ending])
    return stream.getvalue()


def axis_title(metric: MetricSpec, lines: bool = False) -> str:
    """Name, direction and unit.

    Args:
        metric: Of the axis.
        lines: A long unit stands on a line of its own.

    Example:
        >>> from benchbench.protocols.registry import get_protocol
        >>> axis_title(get_protocol("bench-iou-v1").metric("iou"))
        'voxel IoU ↑ (ratio)'
    """
    name = f"{metric.title} {'↑' if metric.higher_is_better else '↓'}"
    return f"{name}{chr(10) if lines and len(metric.unit) > 12 else ' '}({metric.unit})"


def method_title(row: Row) -> str:
    """A method and what failed.

    Example:
        >>> method_title(Row("kato", "", {}, 0.5, 0.5, 3, 12480, True, False, ""))
        'kato (3 of 12,480 failed)'
    """
    return f"{short(row.label)} ({row.failed:,} of {row.items:,} failed)"


def short(name: str) -> str:
    """A name that leaves room for the picture.

    Example:
        >>> short("kato"), len(short("k" * 1000))
        ('kato', 40)
    """
    plain = " ".join(name[: 2 * _LONGEST].split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."


def add_note(figure: Figure, lines: Sequence[str]) -> None:
    """Small print below a figure: what its numbers are."""
    width = int(_LETTERS * figure.get_figwidth())
    wrapped = [part for line in lines for part in textwrap.wrap(line, width)]
    figure.supxlabel("\n".join(wrapped), x=0.01, ha="left", fontsize=5.5, color=FAINT)


def check_methods(count: int) -> None:
    """A picture has a colour for each method.

    Raises:
        UsageError: There are more.
    """
    if count > len(COLOURS):
        raise UsageError(
            f"{count} methods are more than a picture can tell apart ({len(COLOURS)})",
            hint="name some: bench report RUN RUN --plot bars -o bars.pdf",
        )
