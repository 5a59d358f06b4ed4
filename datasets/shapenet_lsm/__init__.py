"""ShapeNet's 13 classes as rendered for LSM: 20 views with depth, and 32^3 voxels an object."""
