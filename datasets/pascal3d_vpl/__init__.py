"""PASCAL3D+ as View Prior Learning and learn3D use it."""
