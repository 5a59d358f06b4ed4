"""A run folder: predictions, scores, result, log; and which shards this process works on."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.files import FileLock, explain_disk, read_json, write_json
from benchbench.core.ranks import Rank

LOG = logging.getLogger("benchbench.run")
RUNS = "runs"


class _Log(logging.FileHandler):
    """A log file; a full disk is told by what else cannot be written, not by the log."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class RunFolder:
    """The files of one run.

    Args:
        path: `runs/<data set>-<split>/<baseline>-<hash>`.
        predictions: Folder of the prediction shards where that is not this run's own.
    """

    def __init__(self, path: str | Path, predictions: str | Path | None = None) -> None:
        self.path = Path(path)
        self.predictions = Path(predictions) if predictions else self.path / "predictions"

    @property
    def config(self) -> Path:
        """What was asked for; written before the first prediction."""
        return self.path / "config.json"

    @property
    def result(self) -> Path:
        """The numbers; written last."""
        return self.path / "result.json"

    @property
    def scores(self) -> Path:
        """All scores of all protocols."""
        return self.path / "scores.csv"

    @property
    def objects(self) -> Path:
        """The scores of objects, means over their views."""
        return self.path / "objects.csv"

    def prediction_shard(self, shard: int) -> Path:
        """HDF5 file of a shard."""
        return self.predictions / f"shard-{shard:04d}.h5"

    def score_shard(self, protocol: str, shard: int) -> Path:
        """CSV of a shard under a protocol."""
        return self.path / "scores" / protocol / f"shard-{shard:04d}.csv"

    def read_config(self) -> dict[str, Any]:
        """The stored configuration.

        Raises:
            MissingError: This is no run folder.
            InputError: The configuration is damaged.
        """
        if not self.config.is_file():
            raise MissingError(
                f"'{self.path}' is no run folder: it has no config.json",
                hint="bench run --baseline kato --split test",
            )
        hint = "type the 'bench run' again that made it, with --overwrite"
        try:
            content = read_json(self.config)
        except InputError as error:
            raise InputError(str(error), hint) from error
        wanted = {"hash", "baseline", "dataset", "selection", "settings"}
        if not isinstance(content, dict) or not wanted <= set(content):
            raise InputError(f"'{self.config}' is no configuration of a run", hint)
        return content

    def begin(self, config: dict[str, Any]) -> None:
        """Creates the folder, or checks that it belongs to this very configuration.

        Raises:
            CheckError: Another configuration with the same eight digits lives there.
        """
        if self.config.is_file():
            found = self.read_config()
            if found["hash"] != config["hash"]:
                raise CheckError(
                    f"'{self.path}' holds another run ({found.get('hash')}), not {config['hash']}",
                    hint="name another folder with --out DIR, or start anew with --overwrite",
                )
            if found == config:
                return
        write_json(self.config, config)

    def scored(self) -> list[str]:
        """Protocols of the result that is there; of a damaged one, those that left score files."""
        if not self.result.is_file():
            return []
        try:
            return list(read_json(self.result)["protocols"])
        except (InputError, KeyError, TypeError):
            return sorted(place.name for place in (self.path / "scores").glob("*"))

    def refuse_shared_overwrite(self, rank: Rank, overwrite: bool) -> None:
        """Several processes cannot start anew at once.

        Raises:
            UsageError: They were asked to.
        """
        if overwrite and rank.count > 1:
            raise UsageError(
                "--overwrite and several processes would delete each other's work",
                hint=f"rm -r '{self.path}', then the same command without --overwrite",
            )

    def clear(self) -> None:
        """Removes what a run has made; the log stays."""
        self.result.unlink(missing_ok=True)
        self.scores.unlink(missing_ok=True)
        self.objects.unlink(missing_ok=True)
        self.config.unlink(missing_ok=True)
        for name in ("predictions", "scores"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def sweep(self) -> None:
        """Removes temporary files that a killed process has left; only under the lock, alone."""
        for place in (self.path, self.predictions, self.path / "scores"):
            for file in place.rglob(".*.tmp"):
                file.unlink(missing_ok=True)

    @contextmanager
    def locked(self, rank: Rank) -> Iterator[None]:
        """Only one process (one per rank) works in a run folder; a second one waits."""
        name = ".lock" if rank.index == 0 else f".lock-{rank.index}"
        with FileLock(self.path / name, f"the run '{self.path}'"):
            yield

    @contextmanager
    def logged(self, rank: Rank) -> Iterator[None]:
        """Appends what happens to run.log."""
        name = "run.log" if rank.index == 0 else f"run-{rank.index}.log"
        with explain_disk(self.path / name):
            self.path.mkdir(parents=True, exist_ok=True)
            handler = _Log(self.path / name, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOG.addHandler(handler)
        LOG.setLevel(logging.INFO)
        LOG.propagate = False
        try:
            yield
        except BaseException as error:
            LOG.error("stopped: %s: %s", type(error).__name__, error, exc_info=True)
            raise
        finally:
            LOG.removeHandler(handler)
            handler.close()

    def wait_for(
        self, paths: list[Path], what: str, ready: Callable[[int], bool] | None = None
    ) -> None:
        """Waits for files of other ranks; torchrun ends this process if one of them dies.

        Args:
            paths: The files.
            what: Their name in the log.
            ready: Says whether file n, which is there, is the wanted one and not one that an
                earlier command left; asked again only when the file has changed.
        """
        left = dict(enumerate(paths))
        refused: dict[int, tuple[int, int, int]] = {}
        said = False
        while left:
            for n, path in list(left.items()):
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue
                version = (state.st_ino, state.st_mtime_ns, state.st_size)
                if refused.get(n) == version:
                    continue
                if ready is None or ready(n):
                    del left[n]
                else:
                    refused[n] = version
            if left:
                if not said:
                    LOG.info("waiting for %d %s of other ranks", len(left), what)
                    said = True
                time.sleep(0.2)
