"""A user's own ShapeNetCore meshes: points, voxels and occupancy made from them, and pictures."""
