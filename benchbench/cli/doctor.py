"""`bench doctor`: can this machine do it, and if not, what to type."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchbench.cli.options import Common, answer_json, common_options
from benchbench.core.errors import BenchError, MissingError, UsageError
from benchbench.core.names import closest

_EPILOG = """
\b
Examples:
  bench doctor                          what is here and what is missing
  bench doctor --build                  compile the kernels now
  bench doctor --require gpu --require shapenet
                                        exit 3 unless both are there (batch jobs)
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: What was looked at.
        state: "ok", "absent" (works without it) or "failed".
        detail: What was found.
        hint: What to type, where something is missing.
    """

    name: str
    state: str
    detail: str
    hint: str | None = None


@click.command(epilog=_EPILOG)
@click.option("--build/--no-build", default=False, help="Compile the kernels now.")
@click.option(
    "--require",
    multiple=True,
    metavar="WHAT",
    help="Exit 3 if WHAT is absent: gpu, cpu-kernels, cuda-kernels or a data set.  (repeatable)",
)
@common_options
def doctor(common: Common, build: bool, require: tuple[str, ...]) -> None:
    """Say what this machine can do, and what to type for the rest."""
    _known(require, common.root)  # a typing error is told before anything is looked at
    if build:
        _build(common)
    findings = examine(common.root)
    if common.json:
        answer_json({"findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            click.echo(f"{finding.state:<6}  {finding.name:<{width}}  {finding.detail}")
            if finding.hint and finding.state != "ok":
                click.echo(f"{'':<6}  {'':<{width}}  hint: {finding.hint}")
    _require(require, findings)
    if any(finding.state == "failed" for finding in findings):
        raise BenchError("something does not work; see the lines marked 'failed'")


def examine(root: Path) -> list[Finding]:
    """Looks at everything; never raises."""
    return [*_software(), *_accelerator(), *_kernels(), *_data(root)]


def _software() -> list[Finding]:
    import benchbench
    from benchbench.core.environment import git_commit, versions

    found = versions()
    commit = git_commit()
    where = str(Path(benchbench.__file__).parent)
    lines = [
        Finding(
            "benchbench",
            "ok",
            f"{found.pop('benchbench')} at {where}" + (f", commit {commit}" if commit else ""),
        ),
        Finding("python", "ok", f"{found.pop('python')} at {sys.executable}"),
    ]
    missing = [name for name, version in found.items() if version is None]
    detail = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    if missing:
        lines.append(
            Finding("packages", "failed", f"missing: {', '.join(missing)}", "pip install -e .")
        )
    else:
        lines.append(Finding("packages", "ok", detail))
    return lines


def _accelerator() -> list[Finding]:
    import torch

    if not torch.cuda.is_available():
        built = f"torch built for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU torch"
        return [Finding("gpu", "absent", f"none visible ({built}); everything runs on the CPU")]
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [Finding("gpu", "ok", f"{', '.join(names)}; CUDA runtime {torch.version.cuda}")]


def _kernels() -> list[Finding]:
    from benchbench.cuda_ops import build, library

    findings = []
    for name, find, hint in (
        ("compiler", build.find_compiler, "apt-get install g++  (or set CXX)"),
        ("nvcc", build.find_nvcc, "install the CUDA toolkit, or set CUDA_HOME"),
    ):
        try:
            tool = find()
            findings.append(Finding(name, "ok", f"{tool.path}: {tool.version}"))
        except build.BuildError as error:
            findings.append(Finding(name, "absent", str(error), hint))
    reason = library.why_unavailable("cpu")
    if reason is None:
        detail = f"{library.cpu_level()}, {library.threads()} threads, {library.location('cpu')}"
        findings.append(Finding("cpu-kernels", "ok", detail))
        findings.append(_self_check())
    else:
        findings.append(
            Finding(
                "cpu-kernels",
                "absent",
                f"{reason}; the slow twins in plain torch are used",
                "apt-get install g++ && bench doctor --build",
            )
        )
    findings.append(_cuda_library())
    return findings


def _cuda_library() -> Finding:
    from benchbench.cuda_ops import build, library

    # Only an install or a GPU needs these; looking must not start a build of minutes.
    if build.is_current("cuda", library.INSTALL_FOLDER):
        return Finding("cuda-kernels", "ok", str(library.INSTALL_FOLDER / build.CUDA_LIBRARY))
    import torch

    if not torch.cuda.is_available():
        return Finding("cuda-kernels", "absent", "not built (no GPU here)", "bench doctor --build")
    reason = library.why_unavailable("cuda")
    if reason is None:
        return Finding("cuda-kernels", "ok", str(library.location("cuda")))
    return Finding("cuda-kernels", "failed", reason, "bench doctor --build")


def _self_check() -> Finding:
    import torch

    from benchbench.cuda_ops import voxel_iou

    left = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    right = left.clone()
    left[0, :2] = True
    right[0, 1:3] = True
    got = float(voxel_iou(left, right)[0])
    if got == 1 / 3:
        return Finding("kernel check", "ok", "IoU of two slabs that share one of three layers: 1/3")
    return Finding(
        "kernel check", "failed", f"IoU of two slabs is {got}, not 1/3", "bench doctor --build"
    )


def _data(root: Path) -> list[Finding]:
    from benchbench.datasets.registry import dataset_names, sidecars

    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    findings = [
        Finding(
            "data root",
            "ok" if writable else "absent",
            f"{root}, {free:.1f} GiB free"
            + ("" if writable else ", not writable: what is there can be read, no more"),
            "export BENCH_HOME=DIR",
        )
    ]
    found = [str(item["id"]) for name in dataset_names() for item in sidecars(name, root)]
    for name in found:
        findings.append(Finding(f"data set {name}", "ok", str(root / f"{name}.h5")))
    if not found:
        findings.append(
            Finding("data sets", "absent", "none prepared", "bench prepare shapes13 --size demo")
        )
    return findings


def _require(wanted: tuple[str, ...], findings: list[Finding]) -> None:
    states = {finding.name.removeprefix("data set "): finding.state for finding in findings}
    from benchbench.datasets.registry import prepare_command

    for name in wanted:
        if states.get(name, "absent") != "ok":
            part = name in ("gpu", "cpu-kernels", "cuda-kernels")
            hint = "bench doctor" if part else prepare_command(name)
            raise MissingError(f"'{name}' is required and not there", hint=hint)


def _known(wanted: tuple[str, ...], root: Path) -> None:
    from benchbench.datasets.registry import dataset_names, require_dataset

    parts = ("gpu", "cpu-kernels", "cuda-kernels")
    for name in wanted:
        if name not in parts:
            try:
                require_dataset(name, root)
            except UsageError as error:
                near = closest(name, (*parts, *dataset_names()))
                raise UsageError(
                    f"cannot require unknown '{name}'",
                    hint=f"known: {', '.join(near or (*parts, *dataset_names()))}",
                ) from error


def _build(common: Common) -> None:
    from benchbench.cuda_ops import build, library

    for target in ("cpu", "cuda"):
        try:
            folder = common.root / "kernels" / f"{target}-{build.fingerprint(target)}"
            if build.is_current(target, library.INSTALL_FOLDER) or build.is_current(target, folder):
                common.say(f"{target} kernels are up to date")
                continue
            common.say(f"building the {target} kernels into {folder}")
            build.build(target, folder)
        except build.BuildError as error:
            common.say(f"{target} kernels not built: {error}")
