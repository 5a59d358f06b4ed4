"""Kato et al.'s renderings and voxels of ShapeNet, from their npz archive."""
