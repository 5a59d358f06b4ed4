"""t-SNE of shape codes, coloured by class and by pose (learn3d.md 5.2), by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import MissingError, UsageError
from benchbench.core.files import atomic_path

COMPONENTS = 50
_INCHES, _DOTS = (15, 10), 100  # 1500 x 1000 pixels, as the original's


def check_installed() -> None:
    """Raises:
    MissingError: The libraries of the `analyze` extra are not installed.
    """
    from benchbench.core.environment import package_version

    absent = [name for name in ("scikit-learn", "matplotlib") if package_version(name) is None]
    if absent:
        raise MissingError(
            f"t-SNE needs {' and '.join(absent)}",
            hint="pip install -c constraints.txt -e '.[analyze]'",
        )


def embed(codes: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Places of codes in the plane: PCA to 50 where there are more dimensions, then t-SNE.

    Args:
        codes: (N, D).
        seed: Of t-SNE.

    Returns:
        (N, 2) float32.

    Raises:
        UsageError: Fewer than four codes.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(codes) < 4:
        raise UsageError(f"t-SNE of {len(codes)} codes says nothing; take more objects")
    if codes.shape[1] > COMPONENTS and len(codes) > COMPONENTS:
        codes = PCA(COMPONENTS, random_state=seed).fit_transform(codes)
    # scikit-learn's perplexity of 30 wants some hundred codes.
    perplexity = min(30.0, (len(codes) - 1) / 3)
    model = TSNE(2, init="pca", random_state=seed, perplexity=perplexity)
    return np.asarray(model.fit_transform(codes), np.float32)


def scatter(
    path: Path, places: NDArray[np.float32], labels: Sequence[str], title: str, ordered: bool
) -> None:
    """A picture of the places, a colour for each label.

    Args:
        path: PNG file.
        places: (N, 2).
        labels: N texts.
        title: Over the picture.
        ordered: The labels go round in a circle (poses), and so do their colours.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS)
    FigureCanvasAgg(figure)  # no window, no state shared with anybody's own plots
    axes = figure.add_subplot()
    names = list(dict.fromkeys(labels))
    colours = colormaps["hsv" if ordered else "tab20"]
    for number, name in enumerate(names):
        mine = np.array([label == name for label in labels])
        colour = colours(number / len(names) if ordered else number % 20)
        x, y = places[mine].T
        axes.scatter(x, y, s=9, color=colour, label=name, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=3, frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
