"""benchbench: a benchmark suite for single-image 3D reconstruction."""

__version__ = "0.1.0"
