"""Maps the top-level folders into the one package `benchbench` and builds the kernels.

The wheel is `py3-none-<platform>`: the kernels are plain shared libraries with a C interface,
so one wheel serves every Python version and every torch.
"""

import importlib.util
import sys
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MAPPED = {
    "benchbench": "benchbench",
    "benchbench.cuda_ops": "cuda_ops",
    "benchbench.baselines": "baselines",
    "benchbench.datasets": "datasets",
    "benchbench.leaderboards": "leaderboards",
}


def packages():
    names = []
    for package, folder in MAPPED.items():
        names.append(package)
        names += [f"{package}.{name}" for name in find_packages(str(ROOT / folder))]
    return names


def load_build_module():
    spec = importlib.util.spec_from_file_location("_build", ROOT / "cuda_ops" / "build.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["_build"] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


class BuildWithKernels(build_py):
    """Compiles the CPU kernels where a C++ compiler is, the CUDA kernels where nvcc is."""

    def run(self):
        super().run()
        build = load_build_module()
        if getattr(self, "editable_mode", False):
            folder = ROOT / "cuda_ops" / "_lib"
        else:
            folder = Path(self.build_lib) / "benchbench" / "cuda_ops" / "_lib"
        for target in ("cpu", "cuda"):
            if build.is_current(target, folder):
                continue
            try:
                build.build(target, folder)
            except build.BuildError as error:
                # Not fatal: the first use tries again, and `bench doctor` tells what is missing.
                print(f"benchbench: {target} kernels left out: {error}", file=sys.stderr)


class PlatformWheel(bdist_wheel):
    """Tags the wheel for any Python 3 on this platform."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class WithLibraries(Distribution):
    """The package holds shared libraries, so its wheel belongs to one platform."""

    def has_ext_modules(self):
        return True


setup(
    packages=packages(),
    package_dir=MAPPED,
    package_data={
        "": ["*.json", "*.csv", "*.csv.gz", "*.md"],
        "benchbench": ["py.typed"],
        "benchbench.cuda_ops": ["csrc/*.h", "csrc/*.cpp", "csrc/*.cu"],
        "benchbench.baselines.dibr": ["weights/*"],
        "benchbench.baselines.kato": ["weights/*", "*.npz"],
        "benchbench.baselines.learn3d": ["weights/*"],
        "benchbench.baselines.r2n2": ["weights/*"],
        "benchbench.baselines.vpl": ["weights/*"],
        "benchbench.leaderboards": ["published/*", "measured/*", "assets/*", "viewer/*"],
    },
    cmdclass={"build_py": BuildWithKernels, "bdist_wheel": PlatformWheel},
    distclass=WithLibraries,
)
