"""Kato's renderings as DVR repackaged them: NMR_Dataset.zip, with cameras and point clouds."""
