"""ShapeNet's 13 classes as 3D-R2N2 published them: 24 renderings and 32^3 voxels an object."""
