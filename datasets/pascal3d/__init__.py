"""PASCAL3D+ release 1.1, from its own files."""
