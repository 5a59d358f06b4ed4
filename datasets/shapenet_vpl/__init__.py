"""View Prior Learning's pickled form of LSM's renderings of ShapeNet."""
